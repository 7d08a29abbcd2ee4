//! The operator's commands, run as programs against real services.

mod groups;
mod latency;
mod load;
mod top;

use std::process::Command;

use crate::real::Services;

/// How a run of kafkaefd ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs kafkaefd against the services until it ends.
pub(crate) fn kafkaefd(services: &Services, arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_kafkaefd"))
        .args(arguments)
        .env("BROKER", services.get("BROKER"))
        .env("SCHEMAREGISTRY", services.get("SCHEMAREGISTRY"))
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}
