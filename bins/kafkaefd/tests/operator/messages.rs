//! tail, produce and inject, with kcat and fastavro as the other side.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value as Json, json};

use super::{Ran, kafkaefd};
use crate::real::value::Value;
use crate::real::{Services, kafka, peers, registry, unique, until};
use crate::runtime;

const KCAT: &[&str] = &["BROKER", "SCHEMAREGISTRY", "KCAT"];

/// kafkaefd with text on its standard input.
fn kafkaefd_with(services: &Services, arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = spawn(services, arguments);
    child.stdin.take().unwrap().write_all(input).unwrap();
    end(child)
}

fn spawn(services: &Services, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_kafkaefd"))
        .args(arguments)
        .env("BROKER", services.get("BROKER"))
        .env("SCHEMAREGISTRY", services.get("SCHEMAREGISTRY"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn end(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// As Ctrl-C does.
fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
}

fn kcat(services: &Services, arguments: &[&str], input: &[u8]) -> String {
    let mut child = Command::new(services.get("KCAT"))
        .args(["-b", services.get("BROKER")])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

fn topic(services: &Services, prefix: &str, partitions: i32) -> String {
    let name = unique(prefix);
    runtime().block_on(kafka::create_topics(
        services,
        std::slice::from_ref(&name),
        partitions,
    ));
    name
}

fn json_lines(text: &str) -> Vec<Json> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The same letters, the same text, from the same places.
#[test]
fn tail_reads_what_kcat_reads() {
    let Some(services) = Services::with(KCAT) else {
        return;
    };
    let topic = topic(&services, "tail-", 2);
    for partition in ["0", "1"] {
        let input = format!("k:{partition} a\nl:{partition} b ä\nm:{partition} c\n");
        let to = [
            "-P", "-t", &topic, "-p", partition, "-K:", "-H", "h=1", "-H", "i=2",
        ];
        kcat(&services, &to, input.as_bytes());
    }
    let form = "%t %p %o %k %K %s %S %T %h\\n";
    for from in ["beginning", "-2", "1", "-1"] {
        let theirs = kcat(
            &services,
            &["-C", "-q", "-e", "-t", &topic, "-o", from, "-f", form],
            b"",
        );
        let ours = kafkaefd(&services, &["tail", &topic, "-e", "-o", from, "-f", form]);
        assert_eq!(ours.code, 0, "{ours:?}");
        assert!(!ours.stdout.is_empty());
        assert_eq!(sorted(&ours.stdout), sorted(&theirs), "-o {from}");
    }
    let one = kafkaefd(
        &services,
        &["tail", &topic, "-e", "-o", "0", "-p", "1", "--format", "json"],
    );
    let lines = json_lines(&one.stdout);
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1]["value"], json!("1 b ä"));
    assert_eq!(lines[1]["key"], json!("l"));
    assert_eq!(lines[1]["headers"], json!({"h": "1", "i": "2"}));
    assert_eq!(
        (&lines[1]["partition"], &lines[1]["offset"]),
        (&json!(1), &json!(1))
    );
    assert!(lines[1]["timestamp"].as_i64().unwrap() > 1_700_000_000_000);

    let counted = kafkaefd(&services, &["tail", &topic, "-o", "0", "-n", "4", "-f", "raw"]);
    assert_eq!(counted.stdout.lines().count(), 4);
    assert_eq!(counted.stderr, "4 messages read, 4 written\n");
    let keyed = kafkaefd(
        &services,
        &["tail", &topic, "-e", "-o", "0", "--key", "m", "-f", "%s\\n"],
    );
    assert_eq!(sorted(&keyed.stdout), ["0 c", "1 c"]);
    let later = kafkaefd(&services, &["tail", &topic, "-e", "-o", "2199-01-01"]);
    assert_eq!((later.code, later.stdout.as_str()), (0, ""));
    let today = kafkaefd(&services, &["tail", &topic, "-e", "-o", "-1h"]);
    assert_eq!(today.stdout.lines().count(), 6);
}

/// What others send may be anything: it is shown, steers no terminal, and leaves no trace of a panic.
#[test]
fn tail_shows_whatever_is_there() {
    let Some(services) = Services::with(KCAT) else {
        return;
    };
    let topic = topic(&services, "anything-", 1);
    let mut child = Command::new(services.get("KCAT"))
        .args(["-b", services.get("BROKER"), "-P", "-t", &topic, "-H"])
        .arg(OsStr::from_bytes(b"\xff=1"))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"a").unwrap();
    assert!(child.wait().unwrap().success());
    kcat(&services, &["-P", "-t", &topic], b"\xff\x1b[2J");
    kcat(&services, &["-P", "-t", &topic], b"\0\0\xff\xff\xff\xff");
    kcat(
        &services,
        &["-P", "-t", &topic],
        "red \u{1b}[31m \u{202e}".as_bytes(),
    );
    kcat(&services, &["-P", "-t", &topic, "-K:", "-Z"], b"key:\n");
    let json = kafkaefd(&services, &["tail", &topic, "-o", "0", "-e", "-f", "json"]);
    assert_eq!(
        (json.code, json.stderr.as_str()),
        (0, "5 messages read, 5 written\n")
    );
    let lines = json_lines(&json.stdout);
    let forms: Vec<&str> = lines.iter().map(|line| line["form"].as_str().unwrap()).collect();
    assert_eq!(forms, ["text", "hex", "hex", "text", "nothing"]);
    assert_eq!(lines[0]["headers"], Json::Null);
    assert_eq!(lines[1]["value"], json!("ff1b5b324a"));
    assert!(
        lines[2]["problem"]
            .as_str()
            .unwrap()
            .contains("schema id 16777215"),
        "{}",
        lines[2]
    );
    assert_eq!(lines[3]["value"], json!("red \u{1b}[31m \u{202e}"));
    assert_eq!(lines[4]["value"], Json::Null);
    let text = kafkaefd(&services, &["tail", &topic, "-o", "0", "-e"]);
    assert!(text.stdout.contains(r"red \u{1b}[31m \u{202e}"), "{text:?}");
    assert!(text.stdout.contains("a (headers that cannot be read"), "{text:?}");
}

#[test]
fn tail_says_what_is_wrong() {
    let Some(services) = Services::with(KCAT) else {
        return;
    };
    let topic = topic(&services, "tail-wrong-", 1);
    let unknown = kafkaefd(&services, &["tail", &topic[..topic.len() - 1], "-e"]);
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.stderr.contains(&format!("did you mean {topic}")),
        "{unknown:?}"
    );
    let filter = kafkaefd(&services, &["tail", &topic, "-e", "--filter", "a = 5"]);
    assert_eq!(filter.code, 64);
    assert!(
        filter.stderr.contains("  a = 5\n    ^ expected == != <"),
        "{filter:?}"
    );
    let partition = kafkaefd(&services, &["tail", &topic, "-e", "-p", "7"]);
    assert_eq!(partition.code, 64);
    assert!(
        partition.stderr.contains("no partition 7: it has 1"),
        "{partition:?}"
    );
}

/// A record that has every kind of field, through `produce --avro`, fastavro, `tail` and its filters.
#[test]
fn avro_goes_there_and_back() {
    let needed = [KCAT, &["PYTHON"]].concat();
    let Some(services) = Services::with(&needed) else {
        return;
    };
    let topic = topic(&services, "avro-", 1);
    let schema = json!({"type": "record", "name": "Reading", "fields": [
        {"name": "n", "type": "long"},
        {"name": "x", "type": "float"},
        {"name": "a", "type": {"type": "array", "items": "double"}, "default": []},
        {"name": "note", "type": ["null", "string"], "default": null},
        {"name": "yes", "type": "boolean", "default": true},
    ]});
    runtime().block_on(registry::register(&services, &format!("{topic}-value"), &schema));
    let lines = (0..10)
        .map(|n| format!("{{\"n\": {n}, \"x\": 0.1, \"a\": [1, {n}.5], \"note\": \"n{n}\"}}\n"))
        .collect::<String>();
    let sent = kafkaefd_with(&services, &["produce", &topic, "--avro"], lines.as_bytes());
    assert_eq!((sent.code, sent.stderr.as_str()), (0, "10 delivered\n"));

    let records = peers::fastavro(&services, &topic);
    assert_eq!(records.len(), 10);
    assert_eq!(records[3][0], ("n".to_owned(), Value::Int(3)));
    let tail = |more: &[&str]| kafkaefd(&services, &[&["tail", &topic, "-e", "-o", "0"], more].concat());
    let lines = json_lines(&tail(&["-f", "json"]).stdout);
    assert_eq!(lines[3]["form"], json!("avro"));
    assert_eq!(
        lines[3]["value"],
        json!({"n": 3, "x": 0.1, "a": [1.0, 3.5], "note": "n3", "yes": true})
    );
    for (filter, found) in [
        ("n >= 3 and n < 5", "3 4"),
        ("note =~ '[79]$' or offset == 0", "0 7 9"),
        ("not (a[1] > 1 and yes == true)", "0"),
        ("value.n == 2 and x < 0.2", "2"),
        ("missing == null and n == 1", "1"),
    ] {
        let ran = tail(&["--filter", filter, "-f", "%o "]);
        assert_eq!(ran.stdout.trim(), found, "{filter}");
    }
    let sampled = tail(&["--filter", "n > 0", "--sample", "1/4", "-f", "%o "]);
    assert_eq!(sampled.stdout.trim(), "1 5 9");

    let input = b"{\"n\": 1, \"x\": 2}\n{\"n\": \"one\", \"x\": 2}\n\n{\"n\": 1, \"x\": 2, \"nOte\": \"\"}\nnot json\n{\"n\": 2, \"x\": 2}\n";
    let stopped = kafkaefd_with(&services, &["produce", &topic, "--avro"], input);
    assert_eq!(stopped.code, 1);
    let said = "line 2: field n: expected an integer of 64 bits, found \"one\"";
    assert!(stopped.stderr.contains(said), "{stopped:?}");
    assert!(
        stopped
            .stderr
            .contains("1 delivered, 1 refused; stopped after line 2"),
        "{stopped:?}"
    );
    let went_on = kafkaefd_with(
        &services,
        &["produce", &topic, "--avro", "--keep-going", "--json"],
        input,
    );
    assert_eq!(went_on.code, 1);
    let answer: Json = serde_json::from_str(&went_on.stdout).unwrap();
    assert_eq!(answer["delivered"], json!(2));
    let refused = answer["refused"].as_array().unwrap();
    let lines: Vec<u64> = refused
        .iter()
        .map(|refused| refused["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [2, 4, 5]);
    assert!(
        refused[1]["reason"].as_str().unwrap().contains("is it note?"),
        "{answer}"
    );
    assert_eq!(peers::kcat_count(&services, &topic), 13);
}

#[test]
fn produce_sends_lines_with_keys_and_headers() {
    let Some(services) = Services::with(KCAT) else {
        return;
    };
    let topic = topic(&services, "lines-", 2);
    let arguments = [
        "produce", &topic, "-K", "::", "-H", "a=1", "-H", "b=x=y", "-p", "1",
    ];
    let ran = kafkaefd_with(&services, &arguments, b"k::v::w\n\n::\nlast::no line end");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, "3 delivered\n"));
    let read = kcat(
        &services,
        &["-C", "-q", "-e", "-t", &topic, "-f", "%p %o %k %s %h\n"],
        b"",
    );
    assert_eq!(
        sorted(&read),
        [
            "1 0 k v::w a=1,b=x=y",
            "1 1   a=1,b=x=y",
            "1 2 last no line end a=1,b=x=y"
        ]
    );
    let large = vec![b'x'; 2_000_000];
    let ran = kafkaefd_with(&services, &["produce", &topic], &large);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("line 1: ") && ran.stderr.contains("size too large"),
        "{ran:?}"
    );
    let unknown = kafkaefd_with(
        &services,
        &["produce", &topic, "--avro", "--subject", "no-such"],
        b"",
    );
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.stderr.contains("there is no subject no-such"),
        "{unknown:?}"
    );
}

/// Three outputs of one run: a file, a pipe that takes all, a pipe that ends early and is reported.
#[test]
fn tail_writes_to_several_places() {
    let Some(services) = Services::with(KCAT) else {
        return;
    };
    let topic = topic(&services, "outputs-", 1);
    let lines: String = (0..100).map(|n| format!("{{\"n\": {n}}}\n")).collect();
    kcat(&services, &["-P", "-t", &topic], lines.as_bytes());
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let config = format!(
        "[[output]]\nto = \"{}\"\nfilter = \"n >= 90\"\nformat = \"raw\"\n\
         [[output]]\nto = \"|cat > {}\"\nsample = \"1/10\"\nformat = \"json\"\n\
         [[output]]\nto = \"|exit 3\"\n",
        path("file"),
        path("piped")
    );
    std::fs::write(path("outputs.toml"), config).unwrap();
    let mut tail = spawn(
        &services,
        &["tail", &topic, "-o", "0", "--config", &path("outputs.toml")],
    );
    until("all is written while tail runs", 60, || {
        let count = |name: &str| lines_of(&path(name)).len();
        match (count("file"), count("piped")) {
            (10, 10) => Ok(()),
            state => Err(format!("{state:?}, {:?}", tail.try_wait())),
        }
    });
    interrupt(&tail);
    let ran = end(tail);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.stderr.contains("|exit 3: the command ended: exit status: 3"),
        "{ran:?}"
    );
    assert!(
        ran.stderr.contains("10 written of 100 that passed its filter"),
        "{ran:?}"
    );
    assert!(
        ran.stderr.ends_with("100 messages read, 100 written\n"),
        "{ran:?}"
    );
    assert_eq!(lines_of(&path("file"))[0], "{\"n\": 90}");
    let sampled = lines_of(&path("piped"));
    let sampled: Vec<Json> = sampled
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(sampled[9]["value"], json!({"n": 90}));

    // A file is appended to, and nothing is read twice into it.
    let more = kafkaefd(
        &services,
        &[
            "tail",
            &topic,
            "-o",
            "-1",
            "-e",
            "--output",
            &path("file"),
            "-f",
            "raw",
        ],
    );
    assert_eq!((more.code, more.stdout.as_str()), (0, ""));
    assert_eq!(lines_of(&path("file")).len(), 11);
}

fn lines_of(path: &str) -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// From its end, as it comes, until Ctrl-C.
#[test]
fn tail_follows_until_it_is_interrupted() {
    let Some(services) = Services::with(KCAT) else {
        return;
    };
    let topic = topic(&services, "follow-", 1);
    kcat(&services, &["-P", "-t", &topic], b"before\n");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seen").display().to_string();
    let tail = spawn(&services, &["tail", &topic, "--output", &file, "-f", "%s\n"]);
    let mut sent = 0;
    until("what comes is seen", 60, || {
        sent += 1;
        kcat(
            &services,
            &["-P", "-t", &topic],
            format!("message {sent}\n").as_bytes(),
        );
        match lines_of(&file).len() {
            0 => Err(format!("{sent} sent")),
            _ => Ok(()),
        }
    });
    interrupt(&tail);
    let ran = end(tail);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains(" written\n"), "{ran:?}");
    assert!(lines_of(&file)[0].starts_with("message "), "nothing from before");
}

#[test]
fn inject_sends_chunks_and_begins_again() {
    let Some(services) = Services::with(KCAT) else {
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
    let (answer, said) = inject(&lines, &["--file", &path("lines"), "--chunk", "4", "-n", "10"]);
    assert_eq!(
        answer,
        json!({"topic": lines, "chunks": 3, "delivered": 10, "lost": 0, "rounds": 4, "without_headers": 0})
    );
    assert_eq!(said.matches("injecting 4 messages … done (").count(), 2, "{said}");
    assert_eq!(said.matches("injecting 2 messages … done (").count(), 1, "{said}");
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

    let before = peers::kcat_count(&services, &lines);
    let endless = spawn(
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
        match peers::kcat_count(&services, &lines) - before {
            7 => Ok(()),
            count => Err(format!("{count}")),
        }
    });
    interrupt(&endless);
    let ran = end(endless);
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
    assert_eq!(absent.code, 1);
    assert!(
        absent.stderr.contains("absent failed") && !absent.stderr.contains("injecting"),
        "{absent:?}"
    );

    let empty = topic(&services, "inject-empty-", 1);
    let none = kafkaefd(&services, &["inject", &copy, "--from-topic", &empty]);
    assert_eq!(none.code, 64);
    assert!(none.stderr.contains("the input holds no message"), "{none:?}");
}
