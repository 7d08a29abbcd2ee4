//! The pages of the book that a user follows, typed as they are written, in one shell: the pipeline of docs/deploy.md from
//! `init` to a query, the how-to pages on it, and docs/shut-down.md at the end.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Services, root};
use crate::documented::{RUN, blocks_of};

/// Lines that the test leaves out: the services and the binaries are its own.
const GIVEN: [&str; 2] = ["cargo build --release", "set -a; . target/services"];

#[test]
fn the_pages_work_as_written() {
    let needed = ["BROKER", "SCHEMAREGISTRY", "INFLUXDB_URL", "INFLUXDB_TOKEN"];
    let Some(services) = Services::with(&needed) else {
        return;
    };
    let (first, second) = (free_port(), free_port());
    let mut script =
        "set -e -m -o pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n".to_owned();
    let mut steps = Vec::new();
    for block in RUN.iter().flat_map(|page| blocks_of(page)) {
        if block.reason().is_some() {
            continue;
        }
        let step = format!("{}:{}", block.document, block.line);
        script.push_str(&typed(&block.text));
        script.push_str(&format!("\necho 'done {step}'\n"));
        steps.push(step);
    }
    let script = script
        .replace("9465", &second.to_string())
        .replace("9464", &first.to_string());
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let mut command = shell(&script, folder.path());
    command.env("PROMETHEUS_PORT", first.to_string());
    for key in needed {
        command.env(key, services.get(key));
    }
    let ran = command.output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    for step in &steps {
        assert!(
            stdout.contains(&format!("done {step}\n")),
            "{step} failed:\n{stdout}\n{stderr}\n{script}"
        );
    }
    assert!(ran.status.success(), "{stdout}\n{stderr}");
    for shown in ["double0", "\"record\":", "bad_header", "lsst.sal.ATDome_position"] {
        assert!(
            stdout.contains(shown) || in_files(folder.path(), shown),
            "{shown}: {stdout}\n{stderr}"
        );
    }
}

/// A block as the test types it.
fn typed(block: &str) -> String {
    let lines = block
        .lines()
        .filter(|line| !GIVEN.iter().any(|start| line.starts_with(start)));
    let mut typed = String::new();
    for line in lines {
        // A terminal, which `top` needs, and the key that ends it.
        if line.starts_with("kafkaefd top ") {
            typed.push_str(&format!(
                "{{ sleep 5; printf q; }} | script --quiet --return --command 'stty cols 140 rows 40; {line}' /dev/null \
                 | grep -c saltransform\n"
            ));
        } else {
            typed.push_str(line);
            typed.push('\n');
        }
    }
    // Until the pipeline has started, its first value and its answers are not there yet.
    if typed.starts_with("curl ") {
        let typed = typed.trim_end().trim_start_matches('\n');
        return format!(
            "for attempt in $(seq 240); do answer=$( set +e; {typed}\n ); case \"$answer\" in \
             *double0*|*_value*|*ready*|*kafka_efd*) break;; esac; sleep 0.5; done\necho \"$answer\"\n"
        );
    }
    typed
}

/// The reader's folder: a clone, and beside its interfaces those of a next release, in which one unit has changed.
fn prepare(folder: &Path) {
    std::os::unix::fs::symlink(root().join("schemas"), folder.join("schemas")).unwrap();
    let next = folder.join("next-release");
    let copied = Command::new("cp")
        .arg("-r")
        .arg(root().join("schemas"))
        .arg(&next)
        .status()
        .unwrap();
    assert!(copied.success());
    let file = next.join("sal_interfaces/Script/Script_Events.xml");
    let text = std::fs::read_to_string(&file).unwrap();
    let item = "<item><EFDB_Name>added</EFDB_Name><IDL_Type>double</IDL_Type><Count>1</Count></item>";
    let changed = text.replacen("</SALEvent>", &format!("{item}</SALEvent>"), 1);
    assert_ne!(text, changed);
    std::fs::write(file, changed).unwrap();
}

/// Whether a file that the pages have written holds the text.
fn in_files(folder: &Path, text: &str) -> bool {
    ["messages.txt", "changes.json"]
        .iter()
        .filter_map(|name| std::fs::read_to_string(folder.join(name)).ok())
        .any(|found| found.contains(text))
}

/// A bash with the test's binaries.
pub(super) fn shell(script: &str, folder: &Path) -> Command {
    let binaries: Vec<PathBuf> = ["kafkaefd", "saltransform", "influxsink", "salmock"]
        .map(system_tests::binary)
        .to_vec();
    let path = format!(
        "{}:{}",
        binaries[0].parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let mut command = Command::new("bash");
    command
        .args(["-c", script])
        .current_dir(folder)
        .env("PATH", path)
        .env("TERM", "xterm-256color")
        .stdin(Stdio::null());
    command
}

pub(super) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
