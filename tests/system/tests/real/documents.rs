//! README's way without containers, typed as it is written: from `init` to a query, `tail`, `groups reset` and `top`.

use std::process::{Command, Stdio};

use super::{Services, root};
use crate::documented::blocks;

/// What the test changes in the text: the services and the binaries are those of the test, and the ports are free ones.
const GIVEN: [&str; 2] = ["cargo build --release", "set -a; . target/services"];

#[test]
fn the_readme_works_as_written() {
    let needed = ["BROKER", "SCHEMAREGISTRY", "INFLUXDB_URL", "INFLUXDB_TOKEN"];
    let Some(services) = Services::with(&needed) else {
        return;
    };
    let run: Vec<String> = blocks()
        .into_iter()
        .filter(|block| block.is_run())
        .map(|block| block.text)
        .collect();
    let [path, query, commands] = run.as_slice() else {
        panic!("README's path: {run:#?}")
    };
    let path: Vec<&str> = path
        .lines()
        .filter(|line| !GIVEN.iter().any(|start| line.starts_with(start)))
        .collect();
    assert_eq!(path.len(), 4, "{path:#?}");
    // `top` needs a terminal, and is ended by its key.
    let lines: Vec<&str> = commands.lines().collect();
    let [tail, several, reset, top] = lines.as_slice() else {
        panic!("{lines:#?}")
    };
    let (first, second) = (free_port(), free_port());
    let script = format!(
        "set -e\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n{path}\n\
         answer() {{ {query}\n}}\n\
         for attempt in $(seq 120); do case \"$(answer)\" in *double0*) found=yes; break;; esac; sleep 0.5; done\n\
         test \"$found\" = yes\necho queried\n{tail}\necho tailed\n{several} >&2\necho several\n{reset}\necho reset\n\
         {{ sleep 5; printf q; }} | script --quiet --return --command 'stty cols 140 rows 40; {top}' /dev/null | grep -c saltransform\necho topped\n",
        path = path.join("\n"),
    );
    let script = script
        .replace("9465", &second.to_string())
        .replace("9464", &first.to_string());
    let binaries = system_tests::binary("kafkaefd");
    for name in ["saltransform", "influxsink", "salmock"] {
        assert!(system_tests::binary(name).exists());
    }
    let path = format!(
        "{}:{}",
        binaries.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let mut command = Command::new("bash");
    command
        .args(["-c", &script])
        .current_dir(root())
        .env("PATH", path)
        .env("PROMETHEUS_PORT", first.to_string())
        .env("TERM", "xterm-256color")
        .stdin(Stdio::null());
    for key in ["BROKER", "SCHEMAREGISTRY", "INFLUXDB_URL", "INFLUXDB_TOKEN"] {
        command.env(key, services.get(key));
    }
    let ran = command.output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    assert!(ran.status.success(), "{script}\n{stdout}\n{stderr}");
    for step in ["queried", "tailed", "several", "reset", "topped"] {
        assert!(
            stdout.lines().any(|line| line == step),
            "{step}: {stdout}\n{stderr}"
        );
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
