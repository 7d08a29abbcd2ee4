//! `kafkaefd console` plots what a real InfluxDB 1 holds: each value with its time, enumerations by name, and the mean of
//! stretches where there are more values than a plot has room for. Without a database, it reads them in a real Kafka, which
//! finds messages by time.

use rdkafka::ClientConfig;
use rdkafka::producer::BaseRecord;
use serde_json::json;
use stage::config::Timestamp;

use super::influx::Influx1;
use super::{Services, kafka, registry, unique, until};
use crate::operator::Running;
use crate::runtime;

/// 2026-11-30T08:00:00Z, in microseconds.
const START: i64 = 1_796_025_600_000_000;
/// As many stretches as a plot has points.
const SECONDS: i64 = 720;
const MEASUREMENT: &str = "lsst.sal.Console";

/// Points of a measurement in line protocol: four with a state, and three in each of the seconds from a minute on, whose
/// mean is two more than the first.
fn points() -> String {
    let states = ["OFFLINE", "ENABLED", "ENABLED", "FAULT"];
    let singles = (0..).zip([1.5, -0.25, 1e-7, 20.0]).zip(states);
    let singles = singles.map(|((number, x), state)| {
        let time = START + 250_000 * number;
        format!(
            "{MEASUREMENT} x={x},on={},state=\"{state}\" {time}\n",
            number == 1
        )
    });
    let many = (60..60 + SECONDS).flat_map(|second| {
        let point = move |(at, more): (i64, i64)| {
            format!(
                "{MEASUREMENT} many={}i {}\n",
                second + more,
                START + second * 1_000_000 + at
            )
        };
        [(0, 0), (250_000, 1), (500_000, 5)].map(point)
    });
    singles.chain(many).collect()
}

/// What stands in an attribute of a page, as numbers.
fn numbers(page: &str, attribute: &str) -> Vec<f64> {
    let (_, rest) = page
        .split_once(&format!("{attribute}=\""))
        .unwrap_or_else(|| panic!("no {attribute} in {page}"));
    let text = rest.split('"').next().unwrap();
    text.split_whitespace()
        .map(|number| number.parse().unwrap())
        .collect()
}

#[test]
fn the_console_plots_what_influxdb_1_holds() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY", "INFLUXDB1"]) else {
        return;
    };
    let runtime = runtime();
    let (database, topic) = (unique("plots"), format!("lsst.{}.Console", unique("plots")));
    let schema = json!({
        "type": "record", "namespace": "lsst.sal", "name": "Console",
        "fields": [
            {"name": "x", "type": "double", "sal_units": "deg"},
            {"name": "on", "type": "boolean"},
            {"name": "many", "type": "long"},
            {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["OFFLINE", "ENABLED", "FAULT"]}},
        ],
    });
    let url = services.get("INFLUXDB1");
    runtime.block_on(async {
        Influx1::with_database(&services, &database).await;
        let write = format!("{url}/write?db={database}&precision=u");
        let written = reqwest::Client::new()
            .post(write)
            .body(points())
            .send()
            .await
            .unwrap();
        assert!(written.status().is_success(), "{written:?}");
        registry::register(&services, &format!("{topic}-value"), &schema).await;
    });
    let mut console = Running::spawn(
        &services,
        &[
            "console",
            "--port",
            "0",
            "--prometheus-port",
            "0",
            "--influxdb",
            url,
            "--api",
            "v1",
            "--influxdb-database",
            &database,
        ],
    );
    let address = console.console_address();
    let get = |path: &str| {
        let answer = runtime.block_on(async { reqwest::get(format!("{address}{path}")).await?.text().await });
        answer.unwrap()
    };

    let fields = ["x", "on", "state"]
        .map(|field| format!("&f={topic}:{field}"))
        .concat();
    let path = format!("telemetry.csv?from=2026-11-30T08:00:00Z&to=2026-11-30T08:00:10Z{fields}");
    // The unit, the measurement and the names are known once the schemas have been read.
    until("the schemas are read", 60, || {
        let csv = get(&path);
        if csv.contains("deg") { Ok(()) } else { Err(csv) }
    });
    let times = ["00", "00.25", "00.5", "00.75"].map(|seconds| format!("2026-11-30T08:00:{seconds}Z"));
    let mut expected = vec!["time,topic,field,unit,value,least,most".to_owned()];
    let rows = |field: &str, values: [&str; 4]| {
        let rows = times.iter().zip(values);
        rows.map(|(time, rest)| format!("{time},{topic},{field},{rest}"))
            .collect::<Vec<_>>()
    };
    expected.extend(rows(
        "x",
        [
            "deg,1.5,1.5,1.5",
            "deg,-0.25,-0.25,-0.25",
            "deg,0.0000001,0.0000001,0.0000001",
            "deg,20,20,20",
        ],
    ));
    expected.extend(rows("on", [",0,0,0", ",1,1,1", ",0,0,0", ",0,0,0"]));
    expected.extend(rows(
        "state",
        [",OFFLINE,,", ",ENABLED,,", ",ENABLED,,", ",FAULT,,"],
    ));
    assert_eq!(get(&path).lines().collect::<Vec<_>>(), expected);

    let page = get(&format!(
        "telemetry?from=2026-11-30T08:01:00Z&to=2026-11-30T08:13:00Z&f={topic}:many"
    ));
    assert!(page.contains(&format!("database {database}")), "{page}");
    let means: Vec<f64> = (60..60 + SECONDS).map(|second| (second + 2) as f64).collect();
    assert_eq!(numbers(&page, "data-v"), means);
    let ended = console.interrupt();
    assert_eq!(ended.code, 0, "{ended:?}");
}

/// A topic holds more than is read for a plot, and what is asked for is the oldest of it.
#[test]
fn without_a_database_an_old_stretch_is_read_where_it_lies() {
    const SECONDS: i64 = 60_000;
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let runtime = runtime();
    let topic = format!("lsst.{}.Old", unique("plots"));
    // Two days ago: Kafka deletes what is too old.
    let start = Timestamp(Timestamp::now().0 / 1_000 * 1_000 - 172_800_000);
    runtime.block_on(kafka::create_topics(&services, std::slice::from_ref(&topic), 2));
    let producer = testkit::producer(ClientConfig::new().set("bootstrap.servers", services.get("BROKER")));
    for second in 0..SECONDS {
        let value = format!("{{\"x\":{second}}}");
        let message = BaseRecord::<(), str>::to(&topic)
            .payload(&value)
            .partition((second % 2) as i32)
            .timestamp(start.0 + second * 1_000);
        producer.send(message).map_err(|(error, _)| error).unwrap();
    }
    testkit::deliver(&producer);
    let mut console = Running::spawn(&services, &["console", "--port", "0", "--prometheus-port", "0"]);
    let address = console.console_address();
    let get = |path: &str, from: i64, to: i64| {
        let time = |second: i64| Timestamp(start.0 + second * 1_000).to_string();
        let path = format!("{address}{path}?from={}&to={}&f={topic}:x", time(from), time(to));
        let answer = runtime.block_on(async { reqwest::get(path).await?.text().await });
        answer.unwrap()
    };

    let values = |from: i64, to: i64| -> Vec<i64> {
        let csv = get("telemetry.csv", from, to);
        let rows = csv.lines().skip(1);
        let mut values: Vec<i64> = rows
            .map(|row| row.split(',').nth(4).unwrap().parse().unwrap())
            .collect();
        values.sort_unstable();
        values
    };
    assert_eq!(values(600, 900), (600..900).collect::<Vec<_>>());
    // Where the stretch itself holds too many, the newest before its end.
    assert_eq!(values(0, 25_000), (5_000..25_000).collect::<Vec<_>>());
    let page = get("telemetry", 0, 25_000);
    assert!(
        page.contains("newest messages of 25,000") || page.contains("newest messages of 25"),
        "{page}"
    );
    let ended = console.interrupt();
    assert_eq!(ended.code, 0, "{ended:?}");
}
