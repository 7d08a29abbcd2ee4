//! Shared by the system tests: the repository's root, and the binaries that cargo has built.

#![allow(clippy::expect_used, clippy::panic, reason = "a test without its parts fails")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::SystemTime;

/// The repository's root.
///
/// # Panics
/// When it does not exist.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the repository is where the tests were compiled")
}

/// A binary of the workspace, in the same profile as the running test.
///
/// # Panics
/// When it is not built, or is older than one of its sources: a test must not judge an outdated binary.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.ancestors().nth(2).expect("tests are in target/PROFILE/deps");
    let binary = folder.join(name);
    let built = modified(&binary);
    assert!(built.is_some(), "{} is not built; {BUILD}", binary.display());
    // `binary: source source …`, as cargo writes it, with escaped spaces in paths.
    let sources = std::fs::read_to_string(folder.join(format!("{name}.d"))).unwrap_or_default();
    let sources = sources.split_once(": ").map_or("", |(_, sources)| sources);
    // What is edited while the tests run counts for the next run.
    let start = *START;
    let newer = sources
        .trim_end()
        .replace("\\ ", "\0")
        .split(' ')
        .map(|path| path.replace('\0', " "))
        .find(|path| {
            let changed = modified(Path::new(path));
            changed > built && changed < Some(start)
        });
    assert!(newer.is_none(), "{name} is older than {newer:?}; {BUILD}");
    binary
}

/// The command of a line of words without quotes, of which the first is a binary's name.
///
/// # Panics
/// As [`binary`].
#[must_use]
pub fn command(line: &str) -> Command {
    let mut words = line.split(' ');
    let mut command = Command::new(binary(words.next().unwrap_or_default()));
    command.args(words);
    command
}

static START: LazyLock<SystemTime> = LazyLock::new(SystemTime::now);

const BUILD: &str = "`cargo test --workspace --no-run` builds it";

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}
