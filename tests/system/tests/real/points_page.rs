//! What docs/points.md says that a reader of InfluxDB 1.8 finds, and its users and passwords, against the real one.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value as Json, json};

use super::influx::Influx1;
use super::kafka::{create_topics, produce};
use super::stages::{influxsink_into_v1, influxsink_with};
use super::{Services, registry, unique, until};
use crate::processes::Process;
use crate::runtime;

const STAMP: f64 = 1_764_475_200.25;

/// Two instances of an indexed component that send in the same microsecond: their framed records.
async fn instances(services: &Services, topic: &str) -> Vec<(String, Vec<u8>)> {
    let (namespace, name) = topic.rsplit_once('.').unwrap();
    let schema = json!({
        "type": "record", "namespace": namespace, "name": name,
        "fields": [{"name": "private_efdStamp", "type": "double"}, {"name": "salIndex", "type": "int"}],
    });
    create_topics(services, std::slice::from_ref(&topic.to_owned()), 1).await;
    registry::register(services, &format!("{topic}-value"), &schema).await;
    let id = registry::id(services, &format!("{topic}-value")).await;
    let frame = |index: u8| {
        // Zigzag: twice the number.
        let value = [&[0][..], &id.to_be_bytes(), &STAMP.to_le_bytes(), &[2 * index]].concat();
        (topic.to_owned(), value)
    };
    [1, 2].map(frame).to_vec()
}

/// The flags; the points that remain, those with the field's value 1, a tag, the series by it, and the columns.
type Case<'c> = (&'c [&'c str], usize, usize, &'c str, usize, &'c [&'c str]);

#[test]
fn a_reader_finds_the_instances_as_the_page_says() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY", "INFLUXDB1"]) else {
        return;
    };
    let runtime = runtime();
    let _inside = runtime.enter();
    let run = unique("page");
    let topic = format!("lsst.{run}.Hexapod");
    let records = runtime.block_on(instances(&services, &topic));
    produce(&services, &records);
    let all = ["private_efdStamp", "salIndex", "time"];
    let cases: [Case<'_>; 4] = [
        (&[], 1, 0, "instance", 1, &all),
        (
            &["--tag-copy", "salIndex=instance"],
            2,
            1,
            "instance",
            2,
            &["instance", "private_efdStamp", "salIndex", "time"],
        ),
        (
            &["--tag-copy", "salIndex"],
            2,
            1,
            "salIndex::tag",
            2,
            &["private_efdStamp", "salIndex", "salIndex_1", "time"],
        ),
        (&["--tag-field", "salIndex"], 2, 0, "salIndex", 2, &all),
    ];
    for (at, (flags, points, of_first, tag, series, columns)) in cases.into_iter().enumerate() {
        let (database, group) = (format!("{run}-{at}"), format!("{topic}.{at}"));
        let influx = runtime.block_on(Influx1::with_database(&services, &database));
        let others = ["--group", &group, &topic];
        let sink = influxsink_into_v1(&services, &database, &[&others[..], flags].concat());
        sink.wait_until_written(2);
        sink.stop();
        let ask = |rest: &str| runtime.block_on(influx.query(&format!("SELECT * FROM {topic:?} {rest}")));
        let rows = |answer: &Json| {
            let series = answer["results"][0]["series"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let of = |series: &Json| series["values"].as_array().map_or(0, Vec::len);
            series.iter().map(of).sum::<usize>()
        };
        let everything = ask("");
        assert_eq!(rows(&everything), points, "{flags:?}");
        let mut found: Vec<_> = everything["results"][0]["series"][0]["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
        found.sort();
        assert_eq!(found, columns, "{flags:?}");
        let first = rows(&ask("WHERE \"salIndex\"::field = 1"));
        assert_eq!(first, of_first, "{flags:?}");
        let grouped = ask(&format!("GROUP BY {}", quoted(tag)));
        assert_eq!(
            grouped["results"][0]["series"].as_array().unwrap().len(),
            series,
            "{flags:?}"
        );
    }
}

/// `salIndex::tag` says which of two columns is meant.
fn quoted(tag: &str) -> String {
    match tag.split_once("::") {
        Some((name, kind)) => format!("\"{name}\"::{kind}"),
        None => format!("\"{tag}\""),
    }
}

/// An InfluxDB 1.8 that asks for a user; killed when dropped.
struct Guarded {
    process: Child,
    url: String,
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Guarded {
    fn start(program: &str, folder: &Path) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let data = folder.display();
        let config = format!(
            "reporting-disabled = true\nbind-address = \"127.0.0.1:0\"\n[meta]\ndir = \"{data}/meta\"\n[data]\n\
             dir = \"{data}/data\"\nwal-dir = \"{data}/wal\"\n[http]\nbind-address = \"127.0.0.1:{port}\"\n\
             auth-enabled = true\nlog-enabled = false\n"
        );
        let path = folder.join("influxdb.conf");
        std::fs::write(&path, config).unwrap();
        let process = Command::new(program)
            .args(["run", "-config"])
            .arg(path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            process,
            url: format!("http://127.0.0.1:{port}"),
        }
    }

    async fn query(&self, query: &str, login: Option<(&str, &str)>) -> Result<Json, String> {
        let mut request = reqwest::Client::new()
            .post(format!("{}/query", self.url))
            .query(&[("q", query), ("db", "efd")]);
        if let Some((user, password)) = login {
            request = request.basic_auth(user, Some(password));
        }
        let answer = request.send().await.map_err(|error| error.to_string())?;
        answer.json().await.map_err(|error| error.to_string())
    }
}

/// A user and a password in two files, of which one is wrong at first and corrected while the sink waits.
#[test]
fn a_user_and_a_password_are_read_from_their_files() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY", "INFLUXDB1_PROGRAM"]) else {
        return;
    };
    let runtime = runtime();
    let _inside = runtime.enter();
    let run = unique("login");
    let topic = format!("lsst.{run}.Hexapod");
    let folder = tempfile::tempdir().unwrap();
    let guarded = Guarded::start(services.get("INFLUXDB1_PROGRAM"), folder.path());
    let admin = Some(("admin", "of all"));
    let ask = |query: &str, login| runtime.block_on(guarded.query(query, login));
    until("InfluxDB starts", 60, || {
        let made = ask(
            "CREATE USER admin WITH PASSWORD 'of all' WITH ALL PRIVILEGES",
            None,
        )?;
        made["results"][0]
            .get("error")
            .map_or(Ok(()), |error| Err(error.to_string()))
    });
    for query in [
        "CREATE DATABASE efd",
        "CREATE USER sink WITH PASSWORD 'p=w \"d'",
        "GRANT WRITE ON efd TO sink",
    ] {
        let answer = ask(query, admin).unwrap();
        assert!(answer["results"][0].get("error").is_none(), "{query}: {answer}");
    }
    let [user, password] = ["user", "password"].map(|name| folder.path().join(name));
    std::fs::write(&user, "sink\n").unwrap();
    std::fs::write(&password, "wrong\n").unwrap();
    let records = runtime.block_on(instances(&services, &topic));
    produce(&services, &records[..1]);
    let (user, password_path) = (user.display().to_string(), password.display().to_string());
    let place = [
        "--into",
        &guarded.url,
        "--api",
        "v1",
        "--database",
        "efd",
        "--group",
        &topic,
        &topic,
    ];
    let login = [
        "--influxdb-user-file",
        &user,
        "--influxdb-password-file",
        &password_path,
    ];
    let sink = influxsink_with(&services, &[&place[..], &login].concat());
    until("the refusal shows", 60, || {
        let state = sink.state();
        let is_told = state.contains("401") || state.contains("unauthorized");
        is_told.then_some(()).ok_or(state)
    });
    assert_eq!(sink.count("influxsink_written_total"), 0);
    std::fs::write(&password, "p=w \"d\n").unwrap();
    sink.wait_until_written(1);
    sink.stop();
    let found = ask(&format!("SELECT * FROM {topic:?}"), admin).unwrap();
    assert_eq!(
        found["results"][0]["series"][0]["values"]
            .as_array()
            .unwrap()
            .len(),
        1,
        "{found}"
    );

    // The other record takes the same place. Here the process's variables hold the login, an output's own before all's.
    produce(&services, &records[1..]);
    let mut command = Command::new(system_tests::binary("influxsink"));
    command
        .args(["run", &topic, "--group", &topic, "--prometheus-port", "0"])
        .args(["--broker", services.get("BROKER")])
        .args(["--schema-registry", services.get("SCHEMAREGISTRY")])
        .args(["--into", &format!("standby={}", guarded.url)])
        .args(["--api", "v1", "--database", "efd"])
        .env("INFLUXDB_USER", "sink")
        .env("INFLUXDB_PASSWORD", "wrong")
        .env("INFLUXDB_PASSWORD_STANDBY", "p=w \"d");
    let _process = Process::start(command);
    until("the other record is there", 60, || {
        let found = ask(&format!("SELECT salIndex FROM {topic:?}"), admin)?;
        let values = &found["results"][0]["series"][0]["values"];
        (values[0][1] == 2).then_some(()).ok_or(found.to_string())
    });
    assert!(
        !ask("SHOW DATABASES", None).unwrap()["error"].is_null(),
        "it asks for a user"
    );
}
