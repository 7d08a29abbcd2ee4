//! Named clusters: `--cluster` takes addresses from the configuration file, and flags and variables win over it.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use devstack::{Broker, RegistryServer};
use tempfile::TempDir;

/// Nobody listens there.
const NOWHERE: &str = "127.0.0.1:1";

/// A user with a configuration file.
struct User {
    home: TempDir,
}

#[derive(Debug)]
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl User {
    fn with(file: &str) -> Self {
        let user = Self {
            home: tempfile::tempdir().unwrap(),
        };
        let path = user.path();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
        user
    }

    fn path(&self) -> std::path::PathBuf {
        self.home.path().join(".config/kafka-efd/config.toml")
    }

    fn run(&self, line: &str, variables: &[(&str, &str)]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_kafkaefd"))
            .args(line.split(' '))
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("BROKER")
            .env_remove("SCHEMAREGISTRY")
            .env("HOME", self.home.path())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Ran {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

#[test]
fn the_file_gives_addresses_and_flags_and_variables_win() {
    let broker = Broker::start().unwrap();
    broker.create_topic("of-this-broker", 1).unwrap();
    let here = broker.bootstrap_servers();
    let user = User::with(&format!(
        "[clusters.here]\nbroker = \"{here}\"\nset = {{ \"client.id\" = \"me\" }}\n[clusters.away]\nbroker = \"{NOWHERE}\"\n"
    ));
    let list = "topics list --inline";
    for (line, variables) in [
        (format!("{list} --cluster here"), vec![]),
        (format!("--cluster here {list}"), vec![]),
        (list.to_owned(), vec![("KAFKA_EFD_CLUSTER", "here")]),
        (
            format!("{list} --cluster here"),
            vec![("KAFKA_EFD_CLUSTER", "away")],
        ),
        (format!("{list} --cluster away --broker {here}"), vec![]),
    ] {
        let ran = user.run(&line, &variables);
        assert_eq!(
            (ran.code, ran.stdout.trim()),
            (0, "of-this-broker"),
            "{line}: {ran:?}"
        );
        assert_eq!(ran.stderr, "", "{line}");
    }
    let by_variable = user.run(&format!("{list} --cluster away"), &[("BROKER", here)]);
    assert_eq!(by_variable.stdout.trim(), "of-this-broker", "{by_variable:?}");
    assert!(
        by_variable
            .stderr
            .contains("warning: BROKER in the environment wins over broker of cluster away"),
        "{by_variable:?}"
    );
    let away = user.run(&format!("{list} --cluster away"), &[]);
    assert_eq!(away.code, 69, "{away:?}");
    assert!(
        away.stderr
            .contains(&format!("kafka at away ({NOWHERE}) cannot be reached")),
        "{away:?}"
    );
    let other_file = user.home.path().join("other.toml");
    fs::write(&other_file, format!("[clusters.third]\nbroker = \"{here}\"\n")).unwrap();
    let third = user.run(
        &format!("{list} --cluster third --config-file {}", other_file.display()),
        &[],
    );
    assert_eq!(third.stdout.trim(), "of-this-broker", "{third:?}");
    let asked = user.run("topics delete of-this-broker --cluster here", &[]);
    assert_eq!(asked.code, 2, "{asked:?}");
    assert!(asked.stderr.contains(&format!("at here ({here})")), "{asked:?}");
}

#[test]
fn the_default_is_used_only_where_no_service_is_named() {
    let broker = Broker::start().unwrap();
    broker.create_topic("of-the-default", 1).unwrap();
    let default = broker.bootstrap_servers();
    let user = User::with(&format!(
        "default = \"base\"\n[clusters.base]\nbroker = \"{default}\"\nset = {{ \"security.protocol\" = \"plaintext\" }}\n"
    ));
    let list = "topics list --inline";
    assert_eq!(user.run(list, &[]).stdout.trim(), "of-the-default");
    // Of another cluster, the default's settings would be wrong.
    let other = Broker::start().unwrap();
    let ran = user.run(&format!("{list} --broker {}", other.bootstrap_servers()), &[]);
    assert_eq!((ran.code, ran.stdout.trim()), (0, ""), "{ran:?}");
    let ran = user.run(list, &[("BROKER", other.bootstrap_servers())]);
    assert_eq!((ran.code, ran.stdout.trim()), (0, ""), "{ran:?}");
    // Help and commands without a service do not need the file at all.
    fs::write(user.path(), "what is this").unwrap();
    for line in ["topics list --help", "completions bash"] {
        assert_eq!(user.run(line, &[]).code, 0, "{line}");
    }
    let broken = user.run(list, &[]);
    assert_eq!(broken.code, 64, "{broken:?}");
    let place = format!("kafkaefd: {}:1: ", user.path().display());
    assert!(broken.stderr.starts_with(&place), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_is_taken_from_the_file() {
    let registry = RegistryServer::start().await.unwrap();
    let user = User::with(&format!("[clusters.here]\nregistry = \"{}\"\n", registry.url()));
    let ran = tokio::task::block_in_place(|| user.run("registry list --cluster here --json", &[]));
    assert_eq!((ran.code, ran.stdout.trim()), (0, "[]"), "{ran:?}");
}

#[test]
fn what_cannot_be_used_is_named_with_its_place() {
    let user = User::with("[clusters.summit]\nbroker = \"kafka:9093\"\n");
    let path = user.path().display().to_string();
    for (line, expected) in [
        (
            "topics list --cluster sumit",
            format!("there is no cluster sumit in {path}: did you mean summit?"),
        ),
        (
            "topics list --cluster summit --config-file /nowhere/c.toml",
            "--cluster summit: there is no file /nowhere/c.toml".to_owned(),
        ),
        (
            "topics list --config-file /nowhere/c.toml",
            "--config-file /nowhere/c.toml does not exist".to_owned(),
        ),
        (
            "demo --cluster summit",
            "--cluster summit: this command uses no cluster".to_owned(),
        ),
    ] {
        let ran = user.run(line, &[]);
        assert_eq!(ran.code, 64, "{line}: {ran:?}");
        assert!(ran.stderr.contains(&expected), "{line}: {ran:?}");
    }
    let secret = User::with("[clusters.summit]\n\nset = { \"sasl.password\" = \"s3cr3t\" }\n");
    let ran = secret.run("topics list --cluster summit", &[]);
    assert_eq!(ran.code, 64, "{ran:?}");
    assert!(
        ran.stderr.contains("config.toml:3: sasl.password holds a secret")
            && ran.stderr.contains("kafka-config-file"),
        "{ran:?}"
    );
    assert!(!ran.stderr.contains("s3cr3t"), "{ran:?}");
}

#[test]
fn the_clusters_are_listed() {
    let user = User::with(
        "default = \"base\"\n[clusters.summit]\nbroker = \"kafka.summit:9093\"\nregistry = \"https://registry\"\n[clusters.base]\n",
    );
    let table = user.run("clusters", &[]);
    assert_eq!(table.code, 0, "{table:?}");
    let rows: Vec<Vec<&str>> = table
        .stdout
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows,
        [
            vec!["summit", "kafka.summit:9093", "https://registry", "-"],
            vec!["base", "-", "-", "-", "yes"]
        ]
    );
    assert!(table.stderr.contains("config.toml"), "{table:?}");
    let json: serde_json::Value = serde_json::from_str(&user.run("clusters --json", &[]).stdout).unwrap();
    assert_eq!(json["clusters"][1]["is_default"], true);
    fs::remove_file(user.path()).unwrap();
    let none = user.run("clusters", &[]);
    assert!(
        none.code == 0 && none.stdout.contains("[clusters.summit]"),
        "{none:?}"
    );
}

/// The example of the help is one that the command accepts.
#[test]
fn the_helps_example_is_a_file_that_is_accepted() {
    let user = User::with("");
    let help = user.run("clusters --help", &[]).stdout;
    let example: String = help
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("default ="))
        .take_while(|line| !line.starts_with("Its keys"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(user.path(), example).unwrap();
    let json: serde_json::Value = serde_json::from_str(&user.run("clusters --json", &[]).stdout).unwrap();
    assert_eq!(json["clusters"][0]["name"], "summit");
    assert!(Path::new(json["file"].as_str().unwrap()).is_file());
}
