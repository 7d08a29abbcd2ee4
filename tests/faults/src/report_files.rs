//! The files that a run writes its report into, checked before it begins.

use std::path::Path;

use crate::config::Args;
use crate::failure::{Failure, Outcome};

/// Checks, before a run of an hour, that its report can be written.
pub(crate) fn check_files(args: &Args) -> Outcome<()> {
    if let Some(path) = &args.json {
        let folder = path.parent().unwrap_or(path);
        std::fs::create_dir_all(folder).map_err(Failure::io(format!("create {}", folder.display())))?;
        let mut file = std::fs::OpenOptions::new();
        let file = file.append(true).create(true).open(path);
        file.map_err(Failure::io(format!("write {}", path.display())))?;
    }
    if let Some(path) = &args.report {
        around_the_marks(&read(path)?, path, args.exactly_once)?;
    }
    Ok(())
}

/// The text before and after the measurements.
pub(crate) fn around_the_marks<'t>(
    text: &'t str,
    path: &Path,
    exactly_once: bool,
) -> Outcome<(&'t str, &'t str)> {
    let [begin, end] = marks(exactly_once);
    let missing = || Failure::Unexpected(format!("{} must hold {begin} and then {end}", path.display()));
    let (head, rest) = text.split_once(&begin).ok_or_else(missing)?;
    let (_, tail) = rest.split_once(&end).ok_or_else(missing)?;
    Ok((head, tail))
}

pub(crate) fn read(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(Failure::io(format!("read {}", path.display())))
}

pub(crate) fn write(path: &Path, text: &str) -> Outcome<()> {
    std::fs::write(path, text).map_err(Failure::io(format!("write {}", path.display())))
}

/// The markers in the Markdown file between which the table is placed.
pub(crate) fn marks(exactly_once: bool) -> [String; 2] {
    let which = if exactly_once {
        "measured exactly once"
    } else {
        "measured"
    };
    ["begin", "end"].map(|which_end| format!("<!-- {which}: {which_end} -->"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn files_that_cannot_be_written_are_refused_before_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let check = |flags: [&str; 2]| {
            check_files(&Args::parse_from(
                ["faults", "--services", "env"].into_iter().chain(flags),
            ))
        };
        check(["--json", &path("new/run.json")]).unwrap();
        std::fs::write(path("file"), "no marks").unwrap();
        assert!(check(["--json", &path("file/run.json")]).is_err());
        assert!(check(["--report", &path("missing.md")]).is_err());
        let refused = check(["--report", &path("file")]).unwrap_err().to_string();
        assert!(refused.contains("must hold <!-- "), "{refused}");
        let [begin, end] = marks(false);
        std::fs::write(path("report.md"), format!("{begin}\n{end}\n")).unwrap();
        check(["--report", &path("report.md")]).unwrap();
    }
}
