//! Each command line in README.md and docs/ that a user types: parsed by the real command line of its binary, and run as it
//! is written in `real_services` (`documents.rs` and `tutorial.rs` there), or listed with the reason why no test runs it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

#[allow(dead_code, reason = "another test uses the rest")]
mod containers;
mod documented;

use std::process::Command;

use clap::error::ErrorKind;
use documented::{Block, NOT_RUN, RUN, TUTORIAL, blocks, blocks_of, inline};

#[test]
fn every_block_runs_or_is_listed_with_a_reason() {
    let blocks = blocks();
    assert!(blocks.len() >= 50, "{} blocks", blocks.len());
    for block in &blocks {
        let is_run = block.document == TUTORIAL || RUN.contains(&block.document.as_str());
        assert!(
            is_run || block.reason().is_some(),
            "{block}: run its page in real/documents.rs, or list it in documented/mod.rs"
        );
    }
    let is_listed = |start: &str| blocks.iter().any(|block| block.text.starts_with(start));
    let gone: Vec<_> = NOT_RUN.iter().filter(|(start, _)| !is_listed(start)).collect();
    assert!(gone.is_empty(), "no longer in a document: {gone:?}");
    for page in RUN.iter().chain([&TUTORIAL]) {
        let run = blocks_of(page)
            .iter()
            .filter(|block| block.reason().is_none())
            .count();
        assert!(run > 0, "nothing of {page} is run");
    }
}

#[test]
fn every_command_line_is_accepted_by_its_binary() {
    let binaries = containers::binaries();
    let mut parsed = 0;
    for block in blocks() {
        for words in block.commands() {
            let Some(command) = binaries.get(words[0].as_str()) else {
                continue;
            };
            if let Err(error) = command.clone().try_get_matches_from(&words) {
                let is_answer = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
                assert!(is_answer, "{block}: {words:?}: {error}");
            }
            parsed += 1;
        }
    }
    assert!(
        parsed >= 12,
        "only {parsed} command lines of the four binaries were found"
    );
}

/// A command within a sentence may lack what it needs, but its words and flags exist.
#[test]
fn every_command_within_the_text_exists() {
    let binaries = containers::binaries();
    let names: Vec<&str> = binaries.keys().copied().collect();
    let mut parsed = 0;
    for block in inline(&names) {
        for words in block.commands() {
            let Some(command) = binaries.get(words[0].as_str()) else {
                continue;
            };
            // What stands for something else, such as `--topic T…` and `[--all]`.
            let words = words.iter().filter(|word| !word.contains(['…', '[', ']']));
            let kind = match command.clone().try_get_matches_from(words) {
                Ok(_) => None,
                Err(error) => Some(error.kind()),
            };
            let is_unknown = matches!(
                kind,
                Some(ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand)
            );
            assert!(!is_unknown, "{block}: {kind:?}");
            parsed += 1;
        }
    }
    assert!(parsed >= 60, "{parsed}");
}

#[test]
fn every_make_target_and_every_file_exists() {
    let makefile = std::fs::read_to_string(system_tests::root().join("Makefile")).unwrap();
    for block in blocks() {
        for words in block.commands() {
            if words[0] == "make" {
                let target = words
                    .get(1)
                    .unwrap_or_else(|| panic!("{block}: make without a target"));
                assert!(
                    makefile.contains(&format!("\n{target}:")),
                    "{block}: make {target}"
                );
            }
            let files = words
                .iter()
                .filter(|word| word.starts_with("k8s-apps/") || word.starts_with("scripts/"));
            // What a block writes does not exist before.
            let files = files.filter(|_| !block.text.contains("k8s new"));
            for file in files {
                assert!(system_tests::root().join(file).exists(), "{block}: {file}");
            }
        }
    }
}

#[test]
fn the_tutorials_demo_ends_with_a_query_that_finds_rows() {
    let block = blocks_of(TUTORIAL).into_iter().next().unwrap();
    let commands = block.commands();
    let [demo] = commands.as_slice() else {
        panic!("{block}: {commands:?}")
    };
    let flags = demo[2].strip_prefix("ARGS=").unwrap();
    let written = flags.split(' ').next_back().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("demo.sqlite");
    let flags = flags.replace(written, database.to_str().unwrap());
    let ran = Command::new(system_tests::binary("kafkaefd"))
        .args(["demo", "--port", "0", "--seconds", "3"])
        .args(flags.split(' '))
        .output()
        .unwrap();
    let shown = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{shown}");
    let line = shown
        .lines()
        .find(|line| line.trim().starts_with("sqlite3 "))
        .unwrap();
    assert!(line.contains(database.to_str().unwrap()), "{line}");
    let connection = rusqlite::Connection::open(&database).unwrap();
    let mut statement = connection.prepare(line.split('\'').nth(1).unwrap()).unwrap();
    let mut rows = statement.query([]).unwrap();
    assert!(rows.next().unwrap().is_some(), "{line}");
}

#[test]
fn every_flag_of_a_service_has_an_environment_variable() {
    for (binary, subcommand) in [
        ("saltransform", "run"),
        ("influxsink", "run"),
        ("salmock", "produce"),
    ] {
        let binaries = containers::binaries();
        let command = binaries[binary].find_subcommand(subcommand).unwrap();
        let without: Vec<_> = command
            .get_arguments()
            .filter(|argument| argument.get_env().is_none() && !argument.is_positional())
            .filter(|argument| argument.get_id() != "help")
            .map(|argument| argument.get_id().to_string())
            .collect();
        assert!(without.is_empty(), "{binary} {subcommand}: {without:?}");
    }
}

/// A block says where it is.
impl std::fmt::Display for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let first = self.text.lines().next().unwrap_or_default();
        write!(f, "{}:{}: {first}", self.document, self.line)
    }
}
