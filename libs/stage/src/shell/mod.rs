//! What a shell and `man` need of each binary: completions, for which bash, zsh and fish ask the binary itself at each Tab
//! key, and manual pages.
//!
//! ```text
//!  completions bash ─▶ a script for the shell (`scripts`) ─▶ Tab: the binary, with KAFKA_EFD_COMPLETE set, gets the line
//!   ─▶ what may follow (`next`): commands, flags, values ─▶ names of topics, groups and clusters (`names`)
//! ```

mod names;
mod next;
mod scripts;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use crate::config::{DefaultCluster, EXIT_USAGE};
use crate::stdout::{self, StdoutError};
use next::Next;

/// By this variable, the shell's script asks the binary for completions.
const VARIABLE: &str = "KAFKA_EFD_COMPLETE";
/// Tells the script that the name of a file may follow, which the shell knows better.
const FILES: u8 = 3;

/// Print completions of this command for a shell
#[derive(Args, Debug, Clone)]
#[command(visible_alias = "completion")]
pub struct CompletionsArgs {
    /// Shell to print completions for
    shell: Shell,
}

/// Print the manual page, or write one page for each command
#[derive(Args, Debug, Clone)]
pub struct ManArgs {
    /// Folder to write the pages to: one for the binary and one for each of its commands
    dir: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
enum ShellError {
    #[error("cannot render the page")]
    Page(#[source] io::Error),
    #[error("cannot write pages to {dir}")]
    Dir {
        dir: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Output(#[from] StdoutError),
}

/// The exit code of an answer to the shell, if it is the shell that asks: its line is the only argument.
pub fn complete<C: CommandFactory>(default: DefaultCluster) -> Option<ExitCode> {
    std::env::var_os(VARIABLE).filter(|shell| !shell.is_empty())?;
    let line = std::env::args_os().nth(1).unwrap_or_default();
    let line = line.to_string_lossy();
    let found = match next::next(C::command(), &line) {
        Next::Words(words) => words,
        Next::Topics(typed) => names::topics(&line, &typed, default),
        Next::Groups(typed) => names::groups(&line, &typed, default),
        Next::Clusters(typed) => names::clusters(&line, &typed),
        Next::Files => return Some(FILES.into()),
    };
    let lines: String = found.into_iter().map(|word| word + "\n").collect();
    Some(match print(lines.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

impl CompletionsArgs {
    /// Prints the script.
    pub fn main(&self, mut command: Command) -> ExitCode {
        let name = command.get_name().to_owned();
        let script = scripts::of(self.shell, &name).unwrap_or_else(|| {
            let mut script = Vec::new();
            clap_complete::generate(self.shell, &mut command, &name, &mut script);
            String::from_utf8_lossy(&script).into_owned()
        });
        ended(&name, print(script.as_bytes()))
    }
}

impl ManArgs {
    /// Prints the page, or writes all pages.
    pub fn main(&self, command: Command) -> ExitCode {
        let name = command.get_name().to_owned();
        ended(&name, self.write(command))
    }

    fn write(&self, command: Command) -> Result<(), ShellError> {
        let Some(dir) = &self.dir else {
            let mut page = Vec::new();
            clap_mangen::Man::new(command)
                .render(&mut page)
                .map_err(ShellError::Page)?;
            return print(&page);
        };
        fs::create_dir_all(dir)
            .and_then(|()| clap_mangen::generate_to(command, dir))
            .map_err(|source| ShellError::Dir {
                dir: dir.clone(),
                source,
            })?;
        crate::stderr_line!("wrote a page for each command to {}", dir.display());
        Ok(())
    }
}

fn print(text: &[u8]) -> Result<(), ShellError> {
    stdout::written(io::stdout().write_all(text))?;
    Ok(stdout::flush()?)
}

fn ended(name: &str, result: Result<(), ShellError>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    crate::stderr_line!("{name}: {}", crate::chain(&error));
    match error {
        ShellError::Output(_) => ExitCode::FAILURE,
        _ => EXIT_USAGE.into(),
    }
}
