//! The operator's commands, run as programs against real services.

mod connectors;
mod dead_letters;
mod hello;
mod messages;
mod registry;
mod topics;

use std::process::{Child, Command, Stdio};

use super::real::Services;

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs kafkaefd to its end, with the services in its environment and nobody at its terminal.
pub(crate) fn kafkaefd(services: &Services, arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_kafkaefd"))
        .args(arguments)
        .env("BROKER", services.get("BROKER"))
        .env("SCHEMAREGISTRY", services.get("SCHEMAREGISTRY"))
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// A command that runs until it is interrupted; killed at the end of its test, whatever happens.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Ctrl-C; whether it ended well.
    pub(crate) fn interrupt(mut self) -> bool {
        let sent = Command::new("kill")
            .args(["-INT", &self.0.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        self.0.wait().unwrap().success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
