//! What the four binaries write for shells and `man`: completions, tried in a real bash, and manual pages.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use devstack::Broker;
use system_tests::binary;

const BINARIES: [&str; 4] = ["kafkaefd", "salmock", "saltransform", "influxsink"];
/// An answer is bounded to a second; the rest is for a machine that does other things.
const MAX_ANSWER: Duration = Duration::from_secs(8);

fn run(name: &str, arguments: &[&str]) -> Output {
    let output = Command::new(binary(name)).args(arguments).output().unwrap();
    assert!(output.status.success(), "{name} {arguments:?}: {output:?}");
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What bash offers behind these words, of which the last is being typed.
fn completed(words: &[&str], home: Option<&std::path::Path>) -> Vec<String> {
    let name = words[0];
    let script = text(&run(name, &["completions", "bash"]).stdout);
    let script = format!(
        "{script}\nCOMP_LINE='{}'\nCOMP_POINT=${{#COMP_LINE}}\n_{name}_complete\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        words.join(" "),
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("completions.bash");
    std::fs::write(&file, script).unwrap();
    let bin = binary(name);
    let path = format!(
        "{}:{}",
        bin.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let start = Instant::now();
    let output = Command::new("bash")
        .arg(&file)
        .env("PATH", path)
        .env("HOME", home.unwrap_or(folder.path()))
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("BROKER")
        .output()
        .unwrap();
    assert!(start.elapsed() < MAX_ANSWER, "{words:?}: {:?}", start.elapsed());
    assert_eq!(text(&output.stderr), "", "{words:?}");
    let mut found: Vec<String> = text(&output.stdout)
        .lines()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    found.sort();
    found
}

#[test]
fn commands_and_flags_are_completed() {
    for (words, expected) in [
        (&["kafkaefd", "admin", "top"][..], "topics"),
        (&["kafkaefd", "registry", "upl"], "upload"),
        (&["saltransform", "che"], "check"),
        (&["salmock", "prod"], "produce"),
        (&["influxsink", "ru"], "run"),
        (&["influxsink", "run", "--topic-r"], "--topic-regex"),
    ] {
        assert_eq!(completed(words, None), [expected], "{words:?}");
    }
}

#[test]
fn each_shell_has_its_script() {
    for name in BINARIES {
        for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
            let script = text(&run(name, &["completions", shell]).stdout);
            assert!(script.contains(name), "{name} {shell}: {script}");
        }
    }
}

#[test]
fn names_of_topics_come_from_the_brokers_that_the_line_names() {
    let broker = Broker::start().unwrap();
    for topic in [
        "lsst.sal.Test_scalars",
        "lsst.sal.Test_arrays",
        "other",
        "__internal",
    ] {
        broker.create_topic(topic, 1).unwrap();
    }
    let here = broker.bootstrap_servers();
    let both = ["lsst.sal.Test_arrays", "lsst.sal.Test_scalars"];
    for words in [
        &["kafkaefd", "tail", "--broker", here, "lsst"][..],
        &["kafkaefd", "topics", "delete", "other", "-b", here, "lsst"],
        &[
            "kafkaefd", "groups", "reset", "g", "--broker", here, "--topic", "lsst",
        ],
        &["salmock", "consume", "--broker", here, "lsst"],
        &["influxsink", "run", "--broker", here, "lsst"],
        &["saltransform", "run", "--broker", here, "--topic", "lsst"],
    ] {
        assert_eq!(completed(words, None), both, "{words:?}");
    }
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/kafka-efd");
    std::fs::create_dir_all(&folder).unwrap();
    let file = format!("[clusters.summit]\nbroker = \"{here}\"\n[clusters.base]\n");
    std::fs::write(folder.join("config.toml"), file).unwrap();
    let words = ["kafkaefd", "tail", "--cluster", "summit", "oth"];
    assert_eq!(completed(&words, Some(home.path())), ["other"]);
    let words = ["kafkaefd", "tail", "--cluster", "su"];
    assert_eq!(completed(&words, Some(home.path())), ["summit"]);
}

#[test]
fn without_a_broker_there_is_silence_within_a_second() {
    for words in [
        &["kafkaefd", "tail", "--broker", "127.0.0.1:1", "lsst"][..],
        &["kafkaefd", "groups", "describe", "--broker", "127.0.0.1:1", "g"],
    ] {
        assert!(completed(words, None).is_empty(), "{words:?}");
    }
}

#[test]
fn each_command_has_a_manual_page() {
    for (name, pages) in [
        (
            "kafkaefd",
            &["kafkaefd-topics-list.1", "kafkaefd-salschema-convert.1"][..],
        ),
        ("salmock", &["salmock-produce.1"]),
        ("saltransform", &["saltransform-check.1"]),
        ("influxsink", &["influxsink-run.1"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        run(name, &["man", dir.path().to_str().unwrap()]);
        let own = format!("{name}.1");
        for page in pages.iter().copied().chain([own.as_str()]) {
            let page_text = std::fs::read_to_string(dir.path().join(page)).unwrap();
            assert!(page_text.contains(".SH SYNOPSIS"), "{page}");
        }
        let page = text(&run(name, &["man"]).stdout);
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
        assert!(text(&run(name, &["--version"]).stdout).starts_with(&format!("{name} ")));
    }
}
