//! The observatory's Telegraf beside influxsink: the same records through both into InfluxDB 1.8, whose points are
//! compared one by one. Telegraf is installed by `scripts/services install --peers`; without it this is skipped.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};

use super::influx::{Influx1, Series};
use super::shapes::{Shape, prepare, produce, shapes};
use super::value::Value;
use super::{Services, stages, unique, until};
use crate::runtime;

/// What one entry of the chart's `kafkaConsumers` says about these records.
struct Entry {
    shape: &'static str,
    timestamp_field: &'static str,
    timestamp_format: &'static str,
    tags: &'static [&'static str],
    is_json: bool,
}

const ENTRIES: [Entry; 6] = [
    entry("double", "private_efdStamp", "unix", &[]),
    entry("seconds", "timestamp", "unix", &[]),
    entry("millis", "timestamp", "unix_ms", &["Agent", "Location"]),
    entry("micros", "timestamp", "unix_us", &[]),
    entry("nanos", "timestamp", "unix_ns", &[]),
    Entry {
        is_json: true,
        ..entry("json", "timestamp", "unix_us", &["host", "site"])
    },
];

const fn entry(
    shape: &'static str,
    timestamp_field: &'static str,
    timestamp_format: &'static str,
    tags: &'static [&'static str],
) -> Entry {
    Entry {
        shape,
        timestamp_field,
        timestamp_format,
        tags,
        is_json: false,
    }
}

/// A running Telegraf; killed when dropped.
struct Telegraf(Child);

impl Drop for Telegraf {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Telegraf {
    fn start(
        services: &Services,
        folder: &std::path::Path,
        program: &str,
        entry: &Entry,
        topic: &str,
        database: &str,
    ) -> Self {
        let path = folder.join(format!("{}.toml", entry.shape));
        std::fs::write(&path, configuration(services, entry, topic, database)).unwrap();
        let log = std::fs::File::create(folder.join(format!("{}.log", entry.shape))).unwrap();
        let process = Command::new(program)
            .arg("--config")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self(process)
    }
}

/// The settings that the chart makes of an entry.
fn configuration(services: &Services, entry: &Entry, topic: &str, database: &str) -> String {
    let (broker, registry, url) = (
        services.get("BROKER"),
        services.get("SCHEMAREGISTRY"),
        services.get("INFLUXDB1"),
    );
    let Entry {
        timestamp_field,
        timestamp_format,
        tags,
        ..
    } = entry;
    let parser = match entry.is_json {
        false => format!(
            "data_format = \"avro\"\navro_schema_registry = {registry:?}\navro_timestamp = {timestamp_field:?}\n\
             avro_timestamp_format = {timestamp_format:?}\navro_union_mode = \"nullable\"\navro_field_separator = \"\"\n\
             avro_tags = {tags:?}\n"
        ),
        true => format!(
            "data_format = \"json_v2\"\n[[inputs.kafka_consumer.json_v2]]\nmeasurement_name_path = \"measurement\"\n\
             [[inputs.kafka_consumer.json_v2.object]]\npath = \"@this\"\ntimestamp_key = {timestamp_field:?}\n\
             timestamp_format = {timestamp_format:?}\ntags = {tags:?}\nexcluded_keys = [\"measurement\"]\n"
        ),
    };
    format!(
        "[agent]\ninterval = \"1s\"\nflush_interval = \"1s\"\nomit_hostname = true\n\
         [[outputs.influxdb]]\nurls = [{url:?}]\ndatabase = {database:?}\n\
         [[inputs.kafka_consumer]]\nbrokers = [{broker:?}]\nkafka_version = \"3.6.0\"\ntopic_regexps = [{topic:?}]\n\
         consumer_group = {:?}\noffset = \"oldest\"\nprecision = \"1us\"\n{parser}",
        format!("telegraf-kafka-consumer-{topic}")
    )
}

#[test]
fn telegraf_and_the_sink_write_the_same_points() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY", "INFLUXDB1"]) else {
        return;
    };
    let Some(program) = services.find("TELEGRAF") else {
        eprintln!("skipped: no Telegraf; `scripts/services install --peers` installs it");
        return;
    };
    let runtime = runtime();
    let _inside = runtime.enter();
    let run = unique("telegraf");
    let folder = tempfile::tempdir().unwrap();
    let shapes: BTreeMap<_, _> = shapes().into_iter().map(|shape| (shape.name, shape)).collect();
    let (theirs, ours) = (format!("{run}-telegraf"), format!("{run}-sink"));
    let their_database = runtime.block_on(Influx1::with_database(&services, &theirs));
    let our_database = runtime.block_on(Influx1::with_database(&services, &ours));
    for entry in &ENTRIES {
        let shape = &shapes[entry.shape];
        let topic = shape.topic(&run);
        let id = runtime.block_on(prepare(&services, shape, &run));
        produce(services.get("BROKER"), &topic, &shape.values(&run, id));
        let expected = shape.expected();
        let telegraf = Telegraf::start(&services, folder.path(), program, entry, &topic, &theirs);
        let by_sink = through_the_sink(&services, shape, &topic, &ours, &our_database);
        let by_telegraf = until(&format!("Telegraf writes {}", entry.shape), 90, || {
            let series = runtime.block_on(their_database.series(&topic));
            match series.len() == expected.len() {
                true => Ok(series),
                false => Err(format!(
                    "{series:?}; {}",
                    std::fs::read_to_string(folder.path().join(format!("{}.log", entry.shape))).unwrap()
                )),
            }
        });
        drop(telegraf);
        assert_eq!(by_sink, expected, "{}", entry.shape);
        assert_eq!(flat(&by_telegraf), flat(&by_sink), "{}", entry.shape);
    }
}

fn through_the_sink(
    services: &Services,
    shape: &Shape,
    topic: &str,
    database: &str,
    influx: &Influx1,
) -> Series {
    let others = ["--group", topic, topic];
    let sink = stages::influxsink_into_v1(services, database, &[&others[..], shape.flags].concat());
    sink.wait_until_written(shape.expected().len() as u64);
    sink.stop();
    tokio::runtime::Handle::current().block_on(influx.series(topic))
}

/// A field of a point: time, tags, name and value.
type FieldOfPoint<'s> = (i64, &'s BTreeMap<String, String>, &'s str, &'s Value);

/// Field by field, so that a failure names the one that differs.
fn flat(series: &Series) -> Vec<FieldOfPoint<'_>> {
    let mut flat = Vec::new();
    for ((time, tags), fields) in series {
        flat.extend(
            fields
                .iter()
                .map(|(name, value)| (*time, tags, name.as_str(), value)),
        );
    }
    flat
}
