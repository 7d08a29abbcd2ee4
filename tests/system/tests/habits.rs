//! What those who come from kcat, kaf, kafkactl and rpk do here, on embedded services: several topics in `tail`, checks
//! that end with a verdict, one name for a folder of interfaces, and SAL messages checked with a registry's schemas.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

use std::io::Write;
use std::process::{Command, Stdio};

use devstack::{Broker, RegistryServer};
use serde_json::{Value, json};
use system_tests::{binary, root};

#[derive(Debug)]
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run(line: &[&str], variables: &[(&str, &str)], input: &str) -> Ran {
    let mut child = Command::new(binary(line[0]))
        .args(&line[1..])
        .env_remove("XML_DIR")
        .env_remove("SCHEMAS")
        .env_remove("INTERFACES")
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may have ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The embedded services of a test, as variables.
struct Services {
    broker: Broker,
    registry: RegistryServer,
    url: String,
}

impl Services {
    async fn start() -> Self {
        let registry = RegistryServer::start().await.unwrap();
        Self {
            broker: Broker::start().unwrap(),
            url: registry.url(),
            registry,
        }
    }

    fn run(&self, line: &[&str], input: &str) -> Ran {
        let variables = [
            ("BROKER", self.broker.bootstrap_servers()),
            ("SCHEMAREGISTRY", self.url.as_str()),
        ];
        tokio::task::block_in_place(|| run(line, &variables, input))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tail_reads_several_topics_and_expressions() {
    let services = Services::start().await;
    for topic in ["lsst.A_one", "lsst.A_two", "lsst.B_three", "__inside"] {
        services.broker.create_topic(topic, 2).unwrap();
        let input = format!("first of {topic}\nsecond of {topic}\n");
        let sent = services.run(&["kafkaefd", "produce", topic, "-p", "1"], &input);
        assert_eq!(sent.code, 0, "{sent:?}");
    }
    // Topics are read at once; within a partition, messages keep their order.
    let by_topic = |text: &str| {
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        lines.sort_by_key(|line| line.split(' ').next());
        lines.concat()
    };
    let read = |names: &[&str]| {
        let line = [
            &["kafkaefd", "tail", "--from-beginning", "-e", "-f", "%t %s\\n"],
            names,
        ]
        .concat();
        let ran = services.run(&line, "");
        assert_eq!(ran.code, 0, "{names:?}: {ran:?}");
        by_topic(&ran.stdout)
    };
    let of = |topics: &[&str]| {
        let lines = topics
            .iter()
            .map(|topic| format!("{topic} first of {topic}\n{topic} second of {topic}\n"));
        lines.collect::<String>()
    };
    assert_eq!(
        read(&["lsst.B_three", "lsst.A_one"]),
        of(&["lsst.A_one", "lsst.B_three"])
    );
    assert_eq!(read(&["lsst.A_.*"]), of(&["lsst.A_one", "lsst.A_two"]));
    assert_eq!(
        read(&["--topic-regex", "_t"]),
        of(&["lsst.A_two", "lsst.B_three"])
    );
    let all = ["lsst.A_one", "lsst.A_two", "lsst.B_three"];
    assert_eq!(
        read(&[".*", "lsst.A_one"]),
        of(&all),
        "each once, and none of Kafka's own"
    );
    assert_eq!(read(&["__.*"]), of(&["__inside"]));
    // Each line says of which topic it is.
    let shown = services.run(&["kafkaefd", "consume", "lsst.A_.*", "-o", "beginning", "-e"], "");
    assert!(
        shown.stdout.contains(" lsst.A_one[1]@0 first of lsst.A_one\n"),
        "{shown:?}"
    );
    assert!(shown.stderr.contains("reading 2 topics"), "{shown:?}");
    let counted = services.run(&["kafkaefd", "tail", "lsst.*", "-o", "-1", "-e", "-c", "2"], "");
    assert_eq!(
        (counted.code, counted.stdout.lines().count()),
        (0, 2),
        "{counted:?}"
    );

    for (name, code, expected) in [
        ("lsst.C_.*", 1, "there is no topic that matches lsst.C_.*"),
        ("lsst.A_*", 1, "did you mean 'lsst\\.A_.*'?"),
        ("lsst.A_on", 1, "did you mean lsst.A_one"),
        ("lsst.(", 64, "neither a topic's name nor an expression"),
    ] {
        let ran = services.run(&["kafkaefd", "tail", name, "-e"], "");
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.stderr.contains(expected), "{name}: {ran:?}");
    }
    assert_eq!(
        services.run(&["kafkaefd", "tail", "-e"], "").code,
        64,
        "which topic?"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_trip_ends_with_a_verdict() {
    let services = Services::start().await;
    for (command, topic) in [("helloworld", "mytopic"), ("helloavro", "helloavro")] {
        services.broker.create_topic(topic, 1).unwrap();
        let ran = services.run(&["kafkaefd", command, "--count", "3"], "");
        assert_eq!(ran.code, 0, "{ran:?}");
        let expected = format!("{topic}: sent 3, read back 3, equal, ");
        assert!(ran.stdout.starts_with(&expected), "{ran:?}");
        let ran = services.run(&["kafkaefd", command, "--json"], "");
        let verdict: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(
            (
                &verdict["sent"],
                &verdict["read"],
                &verdict["equal"],
                &verdict["verdict"]
            ),
            (&json!(1), &json!(1), &json!(1), &json!("equal"))
        );
        assert!(verdict["milliseconds"].as_f64().unwrap() > 0.0, "{verdict}");
        // What does not come back in time has failed.
        let late = services.run(&["kafkaefd", command, "--timeout", "0.001"], "");
        assert_eq!(late.code, 1, "{late:?}");
        assert!(
            late.stdout.contains("sent 1, read back 0, 1 did not come back"),
            "{late:?}"
        );
    }
    services.registry.fail_next(u32::MAX, 503);
    let away = services.run(&["kafkaefd", "helloavro"], "");
    assert_eq!(away.code, 69, "{away:?}");
    let away = services.run(&["kafkaefd", "helloworld", "--broker", "127.0.0.1:1"], "");
    assert_eq!(away.code, 69, "{away:?}");
}

const PREAMBLE: &str = "'rev' , 1556000000.125000 , 1556000000.127185 , 17 , 4321 , 77";

fn actuators() -> String {
    format!(
        "Hexapod_telemetry Hexapod_Actuators:( {PREAMBLE} , 2 , 0.1, -0.0, nan, inf, -inf, 1.5 , 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_uses_the_schemas_of_a_registry() {
    let services = Services::start().await;
    let schemas = root().join("schemas").display().to_string();
    let check = ["saltransform", "check", "-"];
    let before = services.run(&check, &actuators());
    assert_eq!(before.code, 1, "{before:?}");
    let refusal: Value = serde_json::from_str(&before.stdout).unwrap();
    assert_eq!(refusal["stage"], "schema");
    assert!(
        refusal["error"]
            .as_str()
            .unwrap()
            .contains("no schema for topic Hexapod_Actuators"),
        "{refusal}"
    );
    let upload = [
        "kafkaefd",
        "salschema",
        "convert",
        "--interfaces",
        &schemas,
        "--wire-extras",
        "--upload",
    ];
    let uploaded = services.run(&upload, "");
    assert_eq!(uploaded.code, 0, "{uploaded:?}");
    let local = run(
        &[
            "saltransform",
            "check",
            "--interfaces",
            &schemas,
            "--wire-extras",
            "-",
        ],
        &[],
        &actuators(),
    );
    let ingested = |ran: &Ran| {
        assert_eq!(ran.code, 0, "{ran:?}");
        let mut line: Value = serde_json::from_str(&ran.stdout).unwrap();
        // The times at which it was checked.
        for time in ["sal_ingested", "kafka_timestamp"] {
            line["record"][time] = Value::Null;
        }
        line
    };
    let expected = ingested(&local);
    assert_eq!(ingested(&services.run(&check, &actuators())), expected);
    let with_types = [
        "saltransform",
        "check",
        "--interfaces",
        &schemas,
        "--from-registry",
        "-",
    ];
    assert_eq!(ingested(&services.run(&with_types, &actuators())), expected);

    let useless = services.run(&["saltransform", "check", "--wire-extras", "-"], &actuators());
    assert_eq!(useless.code, 64, "{useless:?}");
    let away = services.run(
        &[
            "saltransform",
            "check",
            "--schema-registry",
            "http://127.0.0.1:1",
            "-",
        ],
        &actuators(),
    );
    assert_eq!(away.code, 69, "{away:?}");
}

#[test]
fn the_folder_of_interfaces_has_one_name_and_keeps_the_old_ones() {
    let schemas = root().join("schemas").display().to_string();
    let check = |flags: &[&str], variables: &[(&str, &str)]| {
        let line = [&["saltransform", "check", "--wire-extras"], flags, &["-"]].concat();
        run(&line, variables, &actuators()).code
    };
    for (flags, variables) in [
        (&["--interfaces", schemas.as_str()][..], &[][..]),
        (&["--xml-dir", &schemas], &[]),
        (&["--schemas", &schemas], &[]),
        (&[], &[("INTERFACES", schemas.as_str())]),
        (&[], &[("XML_DIR", &schemas)]),
        (&[], &[("SCHEMAS", &schemas)]),
        // A flag wins over every variable, and the new variable over the old ones.
        (&["--xml-dir", &schemas], &[("INTERFACES", "/nowhere")]),
        (&[], &[("INTERFACES", &schemas), ("XML_DIR", "/nowhere")]),
    ] {
        assert_eq!(check(flags, variables), 0, "{flags:?} {variables:?}");
    }
    assert_eq!(check(&["--xml-dir", &schemas, "--interfaces", &schemas], &[]), 64);
    for flag in ["--interfaces", "--xml-dir", "--schemas"] {
        for line in [
            &["saltransform", "init"][..],
            &["saltransform", "run", "--topic", "t"],
            &["salmock", "produce"],
            &["kafkaefd", "salschema", "convert"],
        ] {
            let ran = run(&[line, &[flag, "/nowhere"]].concat(), &[], "");
            assert_eq!(ran.code, 64, "{line:?} {flag}: {ran:?}");
            assert!(ran.stderr.contains("/nowhere"), "{line:?} {flag}: {ran:?}");
        }
    }
    for flag in ["--interfaces", "--xml-dir"] {
        let ran = run(&["kafkaefd", "k8s", "new", "Test", flag, "/nowhere"], &[], "");
        assert_eq!(ran.code, 64, "{flag}: {ran:?}");
    }
}

/// kcat's modes, kafkactl's order of words, and the aliases of both and of rpk and kaf, on a broker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_commands_words_do_the_same_here() {
    let services = Services::start().await;
    services.broker.create_topic("t", 1).unwrap();
    let produced = services.run(&["kafkaefd", "-P", "-t", "t"], "one\ntwo\n");
    assert_eq!(produced.code, 0, "{produced:?}");
    for line in [
        "kafkaefd -C -t t -e -q -f %s\\n",
        "kafkaefd consume t --from-beginning -e -f %s\\n",
        "kafkaefd consume t --offset oldest -c 2 -f %s\\n",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let ran = services.run(&words, "");
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (0, "one\ntwo\n"),
            "{line}: {ran:?}"
        );
    }
    for line in [
        "kafkaefd -L",
        "kafkaefd get topics",
        "kafkaefd topic ls",
        "kafkaefd topics",
        "kafkaefd admin topics list",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let ran = services.run(&words, "");
        assert!(ran.code == 0 && ran.stdout.contains("\nt  "), "{line}: {ran:?}");
    }
    // `--set` is the long name of `-X`, except where it sets a topic's settings.
    let set = services.run(&["kafkaefd", "topics", "list", "--set", "lingr.ms=5"], "");
    assert_eq!(set.code, 64, "{set:?}");
    assert!(set.stderr.contains("lingr.ms"), "{set:?}");
    let elsewhere = ["--broker", "127.0.0.1:1", "--set"];
    let set = [&["kafkaefd", "topics", "list"], &elsewhere[..]].concat();
    let there = format!("bootstrap.servers={}", services.broker.bootstrap_servers());
    let set = services.run(&[&set[..], &[&there]].concat(), "");
    assert_eq!(set.code, 0, "it takes effect: {set:?}");
    let set = services.run(&["kafkaefd", "topics", "list", "--set", "linger"], "");
    assert!(
        set.stderr.contains("--set (-X) number 1 is not of the form"),
        "{set:?}"
    );
}
