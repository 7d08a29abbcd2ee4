//! Where the picture of `latency --svg` goes: a file, or stdout.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use operator::failure::Failure;

use crate::terminal::{note, out};

/// An output that can be written to.
pub(super) enum Picture {
    Stdout,
    File(PathBuf),
}

impl Picture {
    /// `-`, or a file, which is created if it is missing and otherwise left as it is until there is a picture.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        if path.as_os_str() == "-" {
            return Ok(Self::Stdout);
        }
        let is_new = !path.exists();
        File::options()
            .append(true)
            .create(true)
            .open(path)
            .map_err(writing(path))?;
        if is_new {
            fs::remove_file(path).map_err(writing(path))?;
        }
        Ok(Self::File(path.to_owned()))
    }

    pub(super) fn write(self, svg: &str) -> Result<(), Failure> {
        match self {
            Self::Stdout => Ok(out(&svg.trim_end())?),
            Self::File(path) => {
                fs::write(&path, svg).map_err(writing(&path))?;
                note(&format!("wrote {}", path.display()));
                Ok(())
            }
        }
    }
}

fn writing(path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    Failure::file(format!("writing {}", path.display()))
}
