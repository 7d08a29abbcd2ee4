//! The operator's commands, run as programs against real services.

use std::process::Command;

use crate::real::Services;

mod hello;
mod registry;

/// What a command did.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `kafkaefd` with these arguments, and Kafka and the registry from the services.
pub(crate) fn kafkaefd(services: &Services, arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_kafkaefd"))
        .args(arguments)
        .env("BROKER", services.get("BROKER"))
        .env("SCHEMAREGISTRY", services.get("SCHEMAREGISTRY"))
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
