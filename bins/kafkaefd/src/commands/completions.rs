//! `kafkaefd completions` and `kafkaefd man`: shell completions and manual pages, generated from the command line.

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

/// Print completions of this command for a shell
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Example: kafkaefd completions bash > ~/.local/share/bash-completion/completions/kafkaefd"
)]
pub struct CompletionsArgs {
    /// Shell to print completions for
    shell: Shell,
}

/// Print the manual page, or write one page for each command
#[derive(Args, Debug, Clone)]
#[command(after_help = "Examples:\n\n  kafkaefd man | man -l -\n  kafkaefd man ~/.local/share/man/man1")]
pub struct ManArgs {
    /// Folder to write the pages to: kafkaefd.1, kafkaefd-admin.1, kafkaefd-admin-topics.1, …
    dir: Option<PathBuf>,
}

impl CompletionsArgs {
    pub(crate) fn run(&self) -> Result<Done, Failure> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "kafkaefd", &mut text);
        print(&text)
    }
}

impl ManArgs {
    pub(crate) fn run(&self) -> Result<Done, Failure> {
        let Some(dir) = &self.dir else {
            let mut text = Vec::new();
            let page = clap_mangen::Man::new(Cli::command());
            page.render(&mut text)
                .map_err(Failure::io("rendering the page"))?;
            return print(&text);
        };
        fs::create_dir_all(dir).map_err(Failure::file(format!("creating {}", dir.display())))?;
        clap_mangen::generate_to(Cli::command(), dir)
            .map_err(Failure::file(format!("writing pages to {}", dir.display())))?;
        note(&format!("wrote a page for each command to {}", dir.display()));
        Ok(Done::All)
    }
}

fn print(text: &[u8]) -> Result<Done, Failure> {
    stdout::written(io::stdout().write_all(text))?;
    Ok(Done::All)
}
