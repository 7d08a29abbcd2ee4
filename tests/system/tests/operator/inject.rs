//! `kafkaefd inject`, checked with kcat.

use serde_json::{Value as Json, json};

use super::{Running, kafkaefd, topic};
use crate::real::peers::{kcat, kcat_count};
use crate::real::{Services, until};

const NEEDED: &[&str] = &["BROKER", "SCHEMAREGISTRY", "KCAT"];

#[test]
fn inject_sends_chunks_and_starts_over() {
    let Some(services) = Services::with(NEEDED) else {
        return;
    };
    let (lines, frames, copy) = (
        topic(&services, "inject-lines-", 1),
        topic(&services, "inject-frames-", 1),
        topic(&services, "inject-copy-", 1),
    );
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("lines"), "a\n\nb\nc\n").unwrap();
    std::fs::write(path("frames"), b"\0\0\0\x03d\ne\0\0\0\x01f").unwrap();
    let often = ["--every", "10ms", "--json"];
    let inject = |to: &str, more: &[&str]| {
        let ran = kafkaefd(&services, &[&["inject", to], &often[..], more].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        (serde_json::from_str::<Json>(&ran.stdout).unwrap(), ran.stderr)
    };
    let (answer, stderr) = inject(&lines, &["--file", &path("lines"), "--chunk", "4", "-n", "10"]);
    assert_eq!(
        answer,
        json!({"topic": lines, "chunks": 3, "delivered": 10, "lost": 0, "rounds": 4, "without_headers": 0})
    );
    assert_eq!(
        stderr.matches("injecting 4 messages … done (").count(),
        2,
        "{stderr}"
    );
    assert_eq!(
        stderr.matches("injecting 2 messages … done (").count(),
        1,
        "{stderr}"
    );
    let read = |topic: &str, form: &str| kcat(&services, &["-C", "-q", "-e", "-t", topic, "-f", form], b"");
    assert_eq!(read(&lines, "%s"), "abcabcabca");
    inject(
        &frames,
        &["--file", &path("frames"), "--framed", "--chunk", "3", "-n", "3"],
    );
    assert_eq!(read(&frames, "%s|"), "d\ne|f|d\ne|");

    kcat(
        &services,
        &["-P", "-t", &frames, "-K:", "-H", "h=1"],
        b"key:value\n",
    );
    inject(&copy, &["--from-topic", &frames, "--chunk", "6", "-n", "6"]);
    assert_eq!(
        read(&copy, "%k/%s/%h|"),
        "/d\ne/|/f/|/d\ne/|key/value/h=1|/d\ne/|/f/|"
    );

    let before = kcat_count(&services, &lines);
    let endless = Running::spawn(
        &services,
        &[
            "inject",
            &lines,
            "--file",
            &path("lines"),
            "--every",
            "1h",
            "--chunk",
            "7",
        ],
    );
    until("the first chunk is there", 60, || {
        match kcat_count(&services, &lines) - before {
            7 => Ok(()),
            count => Err(format!("{count}")),
        }
    });
    let ran = endless.interrupt();
    assert_eq!(
        (ran.code, ran.stdout.trim()),
        (0, format!("7 delivered to {lines} in 1 chunk").as_str())
    );

    let absent = kafkaefd(
        &services,
        &[
            "inject",
            &copy,
            "--file",
            &path("lines"),
            "--file",
            &path("absent"),
        ],
    );
    assert_eq!(absent.code, 64);
    assert!(
        absent.stderr.contains("absent failed") && !absent.stderr.contains("injecting"),
        "{absent:?}"
    );

    let empty = topic(&services, "inject-empty-", 1);
    let none = kafkaefd(&services, &["inject", &copy, "--from-topic", &empty]);
    assert_eq!(none.code, 64);
    assert!(none.stderr.contains("the input contains no messages"), "{none:?}");
}
