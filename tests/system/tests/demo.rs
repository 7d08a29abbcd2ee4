//! The demo as a user meets it: on a terminal of 80 columns, within its time, beside the commands that look at it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

#[allow(dead_code, reason = "another test closes it")]
mod terminal;

use std::process::{Command, Output};

use terminal::{Session, Terminal};

const COLUMNS: u16 = 80;

fn kafkaefd() -> Command {
    Command::new(system_tests::binary("kafkaefd"))
}

/// The words of the line that begins with a name.
fn line<'s>(shown: &'s str, name: &str) -> Vec<&'s str> {
    let line = shown.lines().find(|line| line.trim_start().starts_with(name));
    line.unwrap().split_whitespace().collect()
}

#[test]
fn the_live_line_fits_and_other_commands_see_the_demo() {
    let mut command = kafkaefd();
    command.args(["demo", "--topics", "20", "--period", "0.2"]);
    let mut demo = Terminal::start(&command, COLUMNS, Session::Own);
    // The second live line: by then, records have been through all stages.
    demo.wait_for("age p99");
    let shown = demo.shown();
    let broker = line(&shown, "kafka ")[1].to_owned();
    let registry = line(&shown, "schema registry")[2].to_owned();
    let ask = |arguments: &[&str]| -> Output {
        let mut command = kafkaefd();
        command.args(arguments);
        command.env("BROKER", &broker).env("SCHEMAREGISTRY", &registry);
        command.output().unwrap()
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();

    let watch = line(&shown, "to watch");
    let top = ask(&[&watch[3..], &["--once", "--interval", "1"]].concat());
    let frame = text(&top.stdout);
    assert_eq!(frame.matches("influxsink").count(), 1, "{frame}");
    assert!(frame.contains("does not list groups"), "{frame}");
    let groups = ask(&["groups", "list"]);
    assert_eq!(groups.status.code(), Some(1));
    assert!(
        text(&groups.stderr).contains("the embedded one of the demo"),
        "{groups:?}"
    );
    let latency = ask(&["latency"]);
    assert_eq!(latency.status.code(), Some(0), "{latency:?}");
    assert!(!text(&latency.stdout).starts_with("0 records"), "{latency:?}");
    assert!(!text(&latency.stderr).contains("none of"), "{latency:?}");
    let picture = ask(&["latency", "--svg", "-"]);
    assert_eq!(picture.status.code(), Some(0), "{picture:?}");
    assert!(text(&picture.stdout).starts_with("<svg "), "{picture:?}");
    assert!(text(&picture.stdout).ends_with("</svg>\n"), "{picture:?}");
    assert!(
        text(&picture.stderr).contains("CREATED TO AVRO TOPIC"),
        "{picture:?}"
    );
    let since = ask(&["tail", "ATDome_telemetry", "-o", "-5m", "-e"]);
    assert_eq!(since.status.code(), Some(1));
    assert!(
        text(&since.stderr).contains("does not find offsets by time"),
        "{since:?}"
    );

    demo.signal("-TERM");
    assert_eq!(demo.exit_code(), 0, "{}", demo.shown());
    let shown = demo.shown();
    for live in shown.split("\r\u{1b}[K").skip(1) {
        let live = live.lines().next().unwrap_or_default();
        let length = live.chars().count();
        assert!(length < usize::from(COLUMNS), "{length} characters: {live}");
    }
}

#[test]
fn a_database_that_cannot_be_opened_fails_before_anything_starts() {
    let (text, folder) = (
        tempfile::NamedTempFile::new().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    std::fs::write(text.path(), "notes on last night, which no demo may overwrite").unwrap();
    for (arguments, expected) in [
        (
            ["--database", "/no/such/folder/x.sqlite"],
            "cannot write to the database",
        ),
        (
            ["--database", text.path().to_str().unwrap()],
            "cannot write to the database",
        ),
        (["--database", "/dev/null"], "it is not a regular file"),
        (
            ["--database", folder.path().to_str().unwrap()],
            "it is a directory",
        ),
        (["--broker", "http://127.0.0.1:9464"], "begins with http://"),
    ] {
        let ran = kafkaefd().arg("demo").args(arguments).output().unwrap();
        assert_eq!(ran.status.code(), Some(64), "{ran:?}");
        assert!(ran.stdout.is_empty(), "{ran:?}");
        assert!(String::from_utf8_lossy(&ran.stderr).contains(expected), "{ran:?}");
    }
}

/// However short it is: messages flow for that time, not while the producer still starts.
#[test]
fn the_shortest_demo_has_records() {
    let ran = kafkaefd()
        .args(["demo", "--topics", "20", "--seconds", "0.1", "--json"])
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
}
