//! The life of a stage's process, the same in every binary. The whole configuration is checked before the port opens; how
//! the stage ends becomes the process's exit code.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | every message is finished |
//! | 1 | an error or a panic, or messages unfinished at the drain's deadline |
//! | 64 | invalid configuration; the port was never opened |
//! | 130 | a second signal ended it at once (`shutdown.rs`) |
//!
//! An invalid configuration is reported as one line on stderr, as clap reports an invalid flag. Later errors are logged.

use std::any::Any;
use std::error::Error;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use tokio::runtime::{Builder, Handle, Runtime};

use super::allocator::return_large_blocks;
use super::{Service, Shutdown, init_logging};
use crate::config::{EXIT_USAGE, ServiceArgs};

/// A stage as a process of its own.
#[derive(Debug)]
pub struct StageProcess<'a> {
    /// The binary's name, which precedes an error on stderr.
    pub name: &'static str,
    /// The flags of the service.
    pub args: &'a ServiceArgs,
    /// Logged after a complete drain: `everything that was read is written`.
    pub finished: &'static str,
    /// Logged after an incomplete drain: `what was not written is read again`.
    pub unfinished: &'static str,
}

/// How a stage ended without an error of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every message is finished.
    Finished,
    /// The drain's deadline passed first.
    GivenUp,
    /// Something failed and has been logged.
    Failed,
}

impl Ending {
    /// The ending that the shutdown of a drained stage implies.
    pub fn of(shutdown: &Shutdown) -> Self {
        if shutdown.has_failed() {
            Self::Failed
        } else if shutdown.given_up() {
            Self::GivenUp
        } else {
            Self::Finished
        }
    }
}

impl StageProcess<'_> {
    /// Starts logging, checks the configuration, opens the port, and runs the stage on this thread until it ends.
    ///
    /// `check` is called on the runtime but before the port is open; `run` may block.
    pub fn run<C, K: Error, R: Error>(
        &self,
        check: impl FnOnce(&Service) -> Result<C, K>,
        run: impl FnOnce(C, &Service, &Handle) -> Result<Ending, R>,
    ) -> ExitCode {
        let returns_large_blocks = return_large_blocks();
        let _logging = match init_logging(self.args) {
            Ok(logging) => logging,
            Err(error) => return invalid(self.name, &error),
        };
        tracing::debug!(returns_large_blocks, "limited what the allocator keeps");
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => return failed("cannot start", &error),
        };
        let _context = runtime.enter();
        let mut service = Service::embedded(self.args);
        let checked = match check(&service) {
            Ok(checked) => checked,
            Err(error) => return invalid(self.name, &error),
        };
        if let Err(error) = runtime.block_on(service.open(self.args)) {
            return failed("cannot start", &error);
        }
        let ended = catch_unwind(AssertUnwindSafe(|| run(checked, &service, runtime.handle())));
        match ended {
            Ok(Ok(ending)) => self.exit_code(ending),
            Ok(Err(error)) => failed("stopped by an error", &error),
            Err(panic) => {
                tracing::error!(error = panic_text(&*panic), "stopped by a panic");
                ExitCode::FAILURE
            }
        }
    }

    fn exit_code(&self, ending: Ending) -> ExitCode {
        match ending {
            Ending::Finished => {
                tracing::info!("stopped; {}", self.finished);
                ExitCode::SUCCESS
            }
            Ending::GivenUp => {
                tracing::warn!("stopped at the drain's deadline; {}", self.unfinished);
                ExitCode::FAILURE
            }
            Ending::Failed => ExitCode::FAILURE,
        }
    }
}

/// Runs a command that is not a service, such as `init`. Its answer is the exit code.
pub fn run_command(name: &str, command: impl Future<Output = ExitCode>) -> ExitCode {
    match runtime() {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => {
            crate::stderr_line!("{name}: {}", crate::chain(&error));
            ExitCode::FAILURE
        }
    }
}

/// Reports an invalid configuration on stderr.
pub fn invalid(name: &str, error: &dyn Error) -> ExitCode {
    crate::stderr_line!("{name}: {}", crate::chain(error));
    EXIT_USAGE.into()
}

/// Logs an error that ends the process.
pub fn failed(what: &str, error: &dyn Error) -> ExitCode {
    tracing::error!(error = %crate::chain(error), "{what}");
    ExitCode::FAILURE
}

/// The runtime serves HTTP, the registry's client and signals; messages have threads of their own.
fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use super::*;

    fn process(args: &ServiceArgs) -> StageProcess<'_> {
        StageProcess {
            name: "test",
            args,
            finished: "",
            unfinished: "",
        }
    }

    fn run(stage: impl FnOnce(&Service) -> Result<Ending, io::Error>) -> String {
        let args = ServiceArgs::default();
        let check = |_: &Service| Ok::<_, Infallible>(());
        let code = process(&args).run(check, |(), service, _| stage(service));
        format!("{code:?}")
    }

    fn code(code: u8) -> String {
        format!("{:?}", ExitCode::from(code))
    }

    #[test]
    fn the_ending_is_the_exit_code() {
        for (ending, expected) in [(Ending::Finished, 0), (Ending::GivenUp, 1), (Ending::Failed, 1)] {
            assert_eq!(run(|_| Ok(ending)), code(expected), "{ending:?}");
        }
        assert_eq!(run(|_| Err(io::Error::other("x"))), code(1));
        assert_eq!(run(|_| panic!("on purpose")), code(1));
    }

    #[test]
    fn a_stage_runs_where_its_runtime_is_and_may_block() {
        let ended = run(|service| {
            assert!(service.address.is_some());
            let task = tokio::spawn(async { Ending::Finished });
            Ok(Handle::current().block_on(task).unwrap())
        });
        assert_eq!(ended, code(0));
    }

    #[test]
    fn an_invalid_configuration_opens_no_port() {
        let args = ServiceArgs::default();
        let check = |service: &Service| {
            assert_eq!(service.address, None);
            Err::<(), _>(io::Error::other("invalid"))
        };
        let ended = process(&args).run(check, |(), _, _| -> Result<Ending, io::Error> {
            panic!("it must not run")
        });
        assert_eq!(format!("{ended:?}"), code(EXIT_USAGE));
    }

    #[test]
    fn a_shutdown_implies_an_ending() {
        let shutdown = Shutdown::new(Duration::from_secs(60));
        shutdown.ask();
        assert_eq!(Ending::of(&shutdown), Ending::Finished);
        shutdown.fail();
        assert_eq!(Ending::of(&shutdown), Ending::Failed);
        let shutdown = Shutdown::new(Duration::ZERO);
        shutdown.ask();
        assert_eq!(Ending::of(&shutdown), Ending::GivenUp);
    }
}
