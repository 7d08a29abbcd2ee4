//! The output for shells and `man`: `kafkaefd completions`, `kafkaefd man`, `--version`.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::process::Command;

fn stdout(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_kafkaefd"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn bash_completes_commands() {
    let script = format!(
        "{}\nCOMP_WORDS=(kafkaefd admin top) COMP_CWORD=2\n_kafkaefd kafkaefd top admin\necho ${{COMPREPLY[@]}}",
        stdout(&["completions", "bash"])
    );
    // The script is longer than Linux allows for an argument.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("completions.bash");
    std::fs::write(&file, script).unwrap();
    let output = Command::new("bash").arg(&file).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "topics");
    for shell in ["zsh", "fish"] {
        assert!(stdout(&["completions", shell]).contains("kafkaefd"));
    }
}

#[test]
fn each_command_has_a_manual_page() {
    let dir = tempfile::tempdir().unwrap();
    stdout(&["man", dir.path().to_str().unwrap()]);
    for page in [
        "kafkaefd.1",
        "kafkaefd-admin-topics-list.1",
        "kafkaefd-salschema-convert.1",
    ] {
        let text = std::fs::read_to_string(dir.path().join(page)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
    assert!(stdout(&["man"]).contains(".TH kafkaefd 1"));
    assert!(stdout(&["--version"]).starts_with("kafkaefd "));
}
