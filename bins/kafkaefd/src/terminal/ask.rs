//! Asks for confirmation before anything is destroyed.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;
use stage::sanitize::Printable;

use operator::failure::Failure;

/// The flag of every command that destroys something.
#[derive(Args, Debug, Clone, Copy, Default)]
pub struct Consent {
    /// Do not ask for confirmation
    #[arg(long, short = 'y')]
    pub yes: bool,
}

impl Consent {
    /// Succeeds with `--yes`, and otherwise if the user answers yes to the question whether to do `what`.
    pub fn ask(&self, what: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        let asked = io::stdin().is_terminal();
        stage::stderr_text!("{}", Printable(what));
        if !asked {
            stage::stderr_line!("");
            return Err(Failure::Declined { asked });
        }
        stage::stderr_text!("? [y/N] ");
        let _ = io::stderr().flush();
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        match read {
            Ok(_) if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") => Ok(()),
            _ => Err(Failure::Declined { asked }),
        }
    }
}
