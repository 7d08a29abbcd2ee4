//! What a shell and `man` know of the command: `kafkaefd completions`, `kafkaefd man`.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use stage::stdout;

use crate::cli::Cli;
use crate::exit::Done;
use crate::terminal::note;
use operator::failure::Failure;

/// Print a shell's completions of this command
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Example: kafkaefd completions bash > ~/.local/share/bash-completion/completions/kafkaefd"
)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Print the man page, or write one page for each command
#[derive(Args, Debug, Clone)]
#[command(after_help = "Examples:\n\n  kafkaefd man | man -l -\n  kafkaefd man ~/.local/share/man/man1")]
pub struct ManArgs {
    /// Folder to which the pages are written: kafkaefd.1, kafkaefd-admin.1, kafkaefd-admin-topics.1, …
    dir: Option<PathBuf>,
}

impl CompletionsArgs {
    /// Runs the command.
    pub fn run(&self) -> Result<Done, Failure> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "kafkaefd", &mut text);
        print(&text)
    }
}

impl ManArgs {
    /// Runs the command.
    pub fn run(&self) -> Result<Done, Failure> {
        let Some(dir) = &self.dir else {
            let mut text = Vec::new();
            let page = clap_mangen::Man::new(Cli::command());
            page.render(&mut text).map_err(Failure::io("making the page"))?;
            return print(&text);
        };
        fs::create_dir_all(dir).map_err(Failure::io(format!("making {}", dir.display())))?;
        clap_mangen::generate_to(Cli::command(), dir)
            .map_err(Failure::io(format!("writing pages to {}", dir.display())))?;
        note(&format!("wrote a page for each command to {}", dir.display()));
        Ok(Done::All)
    }
}

fn print(text: &[u8]) -> Result<Done, Failure> {
    stdout::written(io::stdout().write_all(text))?;
    Ok(Done::All)
}
