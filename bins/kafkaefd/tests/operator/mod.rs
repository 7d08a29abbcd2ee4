//! The operator's commands, run as programs against real services.

mod dead_letters;
mod messages;

use std::process::Command;

use crate::real::Services;

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs kafkaefd to its end.
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
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
