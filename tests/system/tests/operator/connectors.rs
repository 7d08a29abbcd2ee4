//! `kafkaefd admin connectors` against a real Kafka Connect, with the file connectors that come with Kafka.

use std::io::Write;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{Ran, Running, kafkaefd};
use crate::real::{Services, kafka, unique, until};

fn connectors(services: &Services, arguments: &[&str]) -> Ran {
    let connect = ["--kafka-connect", services.get("KAFKA_CONNECT")];
    kafkaefd(
        services,
        &[&["admin", "connectors"][..], arguments, &connect].concat(),
    )
}

fn services() -> Option<Services> {
    Services::with(&["BROKER", "SCHEMAREGISTRY", "KAFKA_CONNECT"])
}

/// A file with the configuration of a source connector that reads `lines` into `topic`.
fn source(name: &str, topic: &str, lines: &tempfile::NamedTempFile) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let config = json!({"name": name, "config": {
        "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
        "tasks.max": "1", "topic": topic, "file": lines.path(), "batch.size": "10", "some.password": "s3cr3t",
    }});
    serde_json::to_writer(&file, &config).unwrap();
    file
}

fn wait_for(services: &Services, name: &str, state: &str) {
    until(&format!("{name} is {state}"), 60, || {
        let ran = connectors(services, &["status", name, "--json"]);
        let status: Value =
            serde_json::from_str(&ran.stdout).map_err(|error| format!("{error}: {}", ran.stderr))?;
        let tasks = status["tasks"].as_array().unwrap();
        let all = tasks.iter().all(|task| task["state"] == json!(state)) && !tasks.is_empty();
        if all && status["connector"]["state"] == json!(state) {
            Ok(())
        } else {
            Err(ran.stdout)
        }
    });
}

#[test]
fn a_connector_is_created_paused_restarted_and_deleted() {
    let Some(services) = services() else { return };
    let (name, topic) = (unique("file-source-"), unique("connectors-lines-"));
    assert_eq!(
        kafkaefd(&services, &["admin", "topics", "create", &topic]).code,
        0
    );
    let mut lines = tempfile::NamedTempFile::new().unwrap();
    writeln!(lines, "one\ntwo").unwrap();
    let config = source(&name, &topic, &lines);
    let path = config.path().to_str().unwrap();
    let created = connectors(&services, &["create", "from-file", path, "--json"]);
    assert_eq!(created.code, 0, "{}", created.stderr);
    assert_eq!(
        serde_json::from_str::<Value>(&created.stdout).unwrap(),
        json!({"connector": name, "result": "created"})
    );
    wait_for(&services, &name, "RUNNING");
    let has = |count| {
        until("the lines", 60, || {
            match kafka::message_count(&services, std::slice::from_ref(&topic)) {
                found if found == count => Ok(()),
                found => Err(format!("{found} of {count}")),
            }
        });
    };
    has(2);
    let listed = connectors(&services, &["list"]);
    assert!(
        listed
            .stdout
            .lines()
            .any(|line| line.starts_with(&name) && line.contains("1 of 1"))
    );
    let shown = connectors(&services, &["config", &name]);
    assert!(shown.stdout.contains("FileStreamSourceConnector") && !shown.stdout.contains("s3cr3t"));

    assert_eq!(connectors(&services, &["pause", &name]).code, 0);
    wait_for(&services, &name, "PAUSED");
    writeln!(lines, "three").unwrap();
    assert_eq!(connectors(&services, &["resume", &name]).code, 0);
    wait_for(&services, &name, "RUNNING");
    has(3);
    assert_eq!(connectors(&services, &["restart", &name]).code, 0);
    wait_for(&services, &name, "RUNNING");
    let updated = connectors(&services, &["create", "from-file", path]);
    assert_eq!(updated.stdout, format!("updated {name}\n"));

    let unsure = connectors(&services, &["delete", &name]);
    assert_eq!(unsure.code, 2, "{}", unsure.stderr);
    let wrong = connectors(&services, &["status", &name.to_uppercase()]);
    assert_eq!(wrong.code, 1);
    assert!(
        wrong.stderr.contains(&format!("did you mean {name}")),
        "{}",
        wrong.stderr
    );
    assert_eq!(connectors(&services, &["delete", &name, "--yes"]).code, 0);
    // The worker drops its status a moment later.
    until("it is gone", 60, || {
        match connectors(&services, &["status", &name]) {
            gone if gone.code == 1 => Ok(()),
            there => Err(there.stdout),
        }
    });
}

/// As kafkaefd of 2019 printed it, except for `tasks.max`, which it misspelt.
const OF_2019: &str = r#"{
  "config": {
    "connect.influx.db": "efd",
    "connect.influx.kcql": "INSERT INTO a.b SELECT * FROM a.b WITHTIMESTAMP sys_time();INSERT INTO c SELECT * FROM c WITHTIMESTAMP sys_time()",
    "connect.influx.password": "(hidden)",
    "connect.influx.url": "http://influxdb:8086",
    "connect.influx.username": "efd",
    "connector.class": "com.datamountaineer.streamreactor.connect.influx.InfluxSinkConnector",
    "tasks.max": "3",
    "topics": "a.b,c"
  },
  "name": "influxdb-sink"
}
"#;

#[test]
fn the_influxdb_sink_of_2019_is_described_as_it_was() {
    let Some(services) = services() else { return };
    let password = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(password.path(), "s3cr3t\n").unwrap();
    let create = [
        "create",
        "influxdb-sink",
        "c",
        "a.b",
        "c",
        "--influxdb",
        "http://influxdb:8086",
    ];
    let login = [
        "--username",
        "efd",
        "--password-file",
        password.path().to_str().unwrap(),
    ];
    let dry = connectors(
        &services,
        &[&create[..], &login, &["--tasks", "3", "--dry-run"]].concat(),
    );
    assert_eq!((dry.code, dry.stdout.as_str()), (0, OF_2019), "{}", dry.stderr);

    let later = [
        "--name=sink-2",
        "--timestamp=private_efdStamp",
        "--timestamp-unit=microseconds",
        "--tags=salIndex,host",
        "--remove-prefix=a.",
        "--error-policy=retry",
        "--max-retries=3",
        "--retry-interval=5",
        "--dry-run",
    ];
    let later = connectors(&services, &[&create[..], &later].concat());
    let later: Value = serde_json::from_str(&later.stdout).unwrap_or_else(|_| panic!("{}", later.stderr));
    assert_eq!(later["name"], "sink-2");
    let later = &later["config"];
    for (key, value) in [
        ("connect.influx.error.policy", "RETRY"),
        ("connect.influx.max.retries", "3"),
        ("connect.influx.retry.interval", "5"),
    ] {
        assert_eq!(later[key], value, "{later}");
    }
    let statement = "INSERT INTO b SELECT * FROM a.b WITHTIMESTAMP private_efdStamp TIMESTAMPUNIT=MICROSECONDS \
                     WITHTAG(salIndex,host)";
    let statements = later["connect.influx.kcql"].as_str().unwrap();
    assert!(statements.contains(statement), "{statements}");

    let absent = connectors(&services, &create);
    assert_eq!(absent.code, 1, "no worker has its class");
    assert!(
        absent
            .stderr
            .contains("install its plugin on the workers; they have org.apache.kafka"),
        "{}",
        absent.stderr
    );
    assert!(!absent.stderr.contains("PluginDesc"), "{}", absent.stderr);
}

#[test]
fn an_unavailable_worker_is_named() {
    let Some(services) = services() else { return };
    let ran = kafkaefd(
        &services,
        &[
            "--kafka-connect",
            "http://127.0.0.1:1",
            "admin",
            "connectors",
            "list",
        ],
    );
    assert_eq!(ran.code, 69);
    assert!(
        ran.stderr
            .contains("kafka connect at http://127.0.0.1:1 cannot be reached")
            && ran.stderr.contains("refused"),
        "{}",
        ran.stderr
    );
}

/// The requests of a daemon, seen by a stand-in for Kafka Connect, because real workers lack the sink's
/// class.
#[test]
fn a_daemon_gives_the_connector_each_new_topic() {
    let Some(services) = services() else { return };
    let (prefix, runtime) = (unique("daemon-"), tokio::runtime::Runtime::new().unwrap());
    let (puts, mut seen) = tokio::sync::mpsc::unbounded_channel::<String>();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // The first request is answered immediately.
    let answers = Arc::new(Semaphore::new(1));
    let answer = Arc::clone(&answers);
    let put = move |axum::Json(config): axum::Json<Value>| {
        let _ = puts.send(config["topics"].as_str().unwrap().to_owned());
        let answers = Arc::clone(&answers);
        async move {
            answers.acquire().await.unwrap().forget();
            axum::Json(json!({}))
        }
    };
    let router = axum::Router::new().route("/connectors/influxdb-sink/config", axum::routing::put(put));
    runtime.spawn(async move { axum::serve(listener, router).await });
    // A broker that is busy lists a topic some time after it has created it.
    let create = |topic: &str| {
        assert_eq!(kafkaefd(&services, &["admin", "topics", "create", topic]).code, 0);
        let list = ["admin", "topics", "list", "--filter", topic, "--inline"];
        until("the topic is listed", 60, || {
            let listed = kafkaefd(&services, &list).stdout;
            listed.contains(topic).then_some(()).ok_or(listed)
        });
    };
    let topics = [format!("{prefix}-a"), format!("{prefix}-b")];
    create(&topics[0]);
    let filter = format!("^{prefix}");
    let mut daemon = Running::spawn(
        &services,
        &[
            "admin",
            "connectors",
            "create",
            "influxdb-sink",
            "--filter",
            &filter,
            "--daemon",
            "--check-interval",
            "0.2",
            "--kafka-connect",
            &url,
        ],
    );
    let mut next = || {
        runtime
            .block_on(async { tokio::time::timeout(std::time::Duration::from_secs(60), seen.recv()).await })
    };
    assert_eq!(next().unwrap().unwrap(), topics[0]);
    create(&topics[1]);
    assert_eq!(next().unwrap().unwrap(), topics.join(","));
    daemon.signal();
    answer.add_permits(1);
    let ended = daemon.end();
    assert_eq!(
        ended.code, 0,
        "Ctrl-C ends it, also while it is working: {ended:?}"
    );
}
