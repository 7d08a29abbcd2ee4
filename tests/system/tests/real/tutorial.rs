//! docs/tutorial.md, typed as it is written: the demo and pandas, then real services and the observatory's client.

use std::path::Path;

use super::documents::{free_port, shell};
use super::{Services, root, unique};
use crate::documented::{Language, TUTORIAL, blocks_of};

/// Lines that the test leaves out: the services, the binaries and Python's packages are its own.
const GIVEN: [&str; 4] = [
    "cargo build --release",
    "set -a; . target/services",
    "scripts/services start",
    "scripts/services stop",
];

#[test]
fn the_tutorial_works_as_written() {
    let needed = ["BROKER", "SCHEMAREGISTRY", "INFLUXDB1", "EFD_CLIENT"];
    let Some(services) = Services::with(&needed) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let script = script(folder.path());
    let mut command = shell(&script, &root());
    // `python3` is the interpreter that has the packages.
    let python = Path::new(services.get("EFD_CLIENT")).parent().unwrap().to_owned();
    let path = command.get_envs().find(|(key, _)| *key == "PATH");
    let path = path
        .and_then(|(_, value)| value)
        .unwrap()
        .to_string_lossy()
        .into_owned();
    command.env("PATH", format!("{}:{path}", python.display()));
    for key in &needed[..3] {
        command.env(key, services.get(key));
    }
    let ran = command.output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    assert!(ran.status.success(), "{script}\n{stdout}\n{stderr}");
    for shown in [
        "the counts add up",
        "measurements, such as lsst.sal.",
        // The description of the demo's values, and of those from InfluxDB.
        "azimuthPositionSet",
        "'lsst.sal.ATDome_position'",
        "count",
    ] {
        assert!(stdout.contains(shown), "{shown}: {stdout}\n{stderr}");
    }
    let described = stdout.matches("azimuthPosition  azimuthPositionSet").count();
    assert_eq!(described, 2, "{stdout}\n{stderr}");
}

/// The page as one script: blocks of Python that follow each other are one session.
fn script(folder: &Path) -> String {
    let mut script = "set -e -o pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n".to_owned();
    let mut python = String::new();
    for block in blocks_of(TUTORIAL) {
        if block.language == Language::Python {
            python.push_str(&block.text);
            python.push('\n');
            continue;
        }
        end_python(&mut script, &mut python);
        if block.reason().is_some() && !block.text.starts_with("make demo") {
            continue;
        }
        let lines = block
            .text
            .lines()
            .filter(|line| !GIVEN.iter().any(|start| line.starts_with(start)));
        for line in lines {
            // Without make, which builds for an hour, and for a few seconds in place of until Ctrl-C.
            let line = match line.strip_prefix("make demo ARGS=\"") {
                Some(flags) => format!(
                    "kafkaefd demo --port 0 --seconds 6 {}",
                    flags.trim_end_matches('"')
                ),
                None => line.to_owned(),
            };
            script.push_str(&line);
            script.push('\n');
        }
    }
    end_python(&mut script, &mut python);
    let group = unique("tutorial-");
    script
        .replace("/tmp/", &format!("{}/", folder.display()))
        .replace("--count 300", "--count 30")
        .replace("8099", &free_port().to_string())
        .replace("--group tutorial", &format!("--group {group}"))
}

/// Ends a session: the test types it once what it reads is there.
fn end_python(script: &mut String, python: &mut String) {
    if python.is_empty() {
        return;
    }
    // Records are written, and the service of credentials listens, within seconds.
    let attempts = format!(
        "session() {{ python3 - <<'PYTHON'\n{python}PYTHON\n}}\n\
         for attempt in $(seq 60); do answer=$(session 2>&1) && break; sleep 1; done\nprintf '%s\\n' \"$answer\"\n"
    );
    script.push_str(&attempts);
    python.clear();
}
