//! Records as each of the observatory's connectors has them, through the sink into all databases. What is expected is
//! worked out by hand. [`telegraf`](super::telegraf) writes the same records with Telegraf.

use std::collections::BTreeMap;

use apache_avro::types::Value as Avro;
use devstack::{Broker, RegistryServer};
use rdkafka::ClientConfig;
use rdkafka::producer::BaseRecord;
use serde_json::{Value as Json, json};

use super::influx::{Influx1, Influx2, Series};
use super::value::Value::{self, Bool, Double, Int, Text};
use super::{Services, kafka, registry, stages, unique};
use crate::{runtime, token_file};

/// When the messages come to Kafka, in milliseconds.
const ARRIVAL: i64 = 1_764_475_300_250;

/// Records of one connector, and their points.
pub(super) struct Shape {
    /// The topic and the record's name, after `lsst.<run>.`.
    pub(super) name: &'static str,
    /// What the connector's settings are as flags of influxsink.
    pub(super) flags: &'static [&'static str],
    /// The record's fields; none for JSON.
    fields: Option<Json>,
    /// The name and the schema of a type in a subject of its own.
    referenced: Option<(&'static str, Json)>,
    /// Whether the schema is a union with null.
    is_union: bool,
    records: Vec<Record>,
    points: Vec<Point>,
}

enum Record {
    Avro(Vec<(&'static str, Avro)>),
    Json(&'static str),
}

/// Time in microseconds, tags and fields.
type Point = (i64, Vec<(&'static str, &'static str)>, Vec<(&'static str, Value)>);

fn double(value: f64) -> Avro {
    Avro::Double(value)
}

fn text(value: &str) -> Avro {
    Avro::String(value.to_owned())
}

/// The shapes.
pub(super) fn shapes() -> Vec<Shape> {
    let mut shapes = vec![
        Shape {
            fields: Some(json!([
                {"name": "private_efdStamp", "type": "double"},
                {"name": "salIndex", "type": "int"},
                {"name": "temperature", "type": "float"},
                {"name": "force", "type": {"type": "array", "items": "double"}},
                {"name": "name", "type": "string"},
                {"name": "ready", "type": "boolean"},
                {"name": "spare", "type": ["null", "double"]},
            ])),
            records: vec![Record::Avro(vec![
                ("private_efdStamp", double(1_764_475_200.000_001_4)),
                ("salIndex", Avro::Int(2)),
                ("temperature", Avro::Float(87_825.555)),
                ("force", Avro::Array(vec![double(0.5), double(-1.0)])),
                ("name", text("M1 \"cell\"")),
                ("ready", Avro::Boolean(true)),
                ("spare", Avro::Union(0, Box::new(Avro::Null))),
            ])],
            points: vec![(
                1_764_475_200_000_001,
                vec![],
                vec![
                    ("private_efdStamp", Double(1_764_475_200.000_001_4)),
                    ("salIndex", Int(2)),
                    ("temperature", Double(87_825.554_687_5)),
                    ("force0", Double(0.5)),
                    ("force1", Double(-1.0)),
                    ("name", Text("M1 \"cell\"".to_owned())),
                    ("ready", Bool(true)),
                ],
            )],
            ..Shape::new("double", &[])
        },
        Shape {
            fields: Some(json!([
                {"name": "timestamp", "type": {"type": "long", "logicalType": "timestamp-millis"}},
                {"name": "v", "type": "double"},
            ])),
            records: vec![Record::Avro(vec![
                ("timestamp", Avro::TimestampMillis(1_764_475_200_123)),
                ("v", double(1.5)),
            ])],
            points: vec![(
                1_764_475_200_123_000,
                vec![],
                vec![("timestamp", Int(1_764_475_200_123)), ("v", Double(1.5))],
            )],
            ..Shape::new("logical", &["--time-field", "timestamp"])
        },
    ];
    for (name, flags, stamp, micros) in [
        (
            "seconds",
            &["--time-field", "timestamp", "--time-unit", "s"][..],
            1_764_475_200,
            1_764_475_200_000_000,
        ),
        (
            "micros",
            &["--time-field", "timestamp", "--time-unit", "us"],
            1_764_475_200_123_456,
            1_764_475_200_123_456,
        ),
        (
            "nanos",
            &["--time-field", "timestamp", "--time-unit", "ns"],
            1_764_475_200_123_456_500,
            1_764_475_200_123_457,
        ),
    ] {
        shapes.push(Shape {
            fields: Some(json!([{"name": "timestamp", "type": "long"}, {"name": "v", "type": "double"}])),
            records: vec![Record::Avro(vec![
                ("timestamp", Avro::Long(stamp)),
                ("v", double(2.5)),
            ])],
            points: vec![(
                micros,
                vec![],
                vec![("timestamp", Int(stamp)), ("v", Double(2.5))],
            )],
            ..Shape::new(name, flags)
        });
    }
    let camera = |at: i64, agent: &str, location: &str| {
        Record::Avro(vec![
            ("timestamp", Avro::Long(1_764_475_200_123 + at)),
            ("Agent", text(agent)),
            ("Location", text(location)),
            ("v", double(at as f64)),
        ])
    };
    let seen = |at: i64| {
        vec![
            ("timestamp", Int(1_764_475_200_123 + at)),
            ("v", Double(at as f64)),
        ]
    };
    shapes.extend([
        Shape {
            fields: Some(json!([
                {"name": "timestamp", "type": "long"},
                {"name": "Agent", "type": "string"},
                {"name": "Location", "type": "string"},
                {"name": "v", "type": "double"},
            ])),
            records: vec![camera(0, "ats-fp", "R00, Reb0"), camera(1, "ats-fp", ""), camera(2, "", "")],
            points: vec![
                (1_764_475_200_123_000, vec![("Agent", "ats-fp"), ("Location", "R00, Reb0")], seen(0)),
                (1_764_475_200_124_000, vec![("Agent", "ats-fp")], seen(1)),
                (1_764_475_200_125_000, vec![], seen(2)),
            ],
            ..Shape::new(
                "millis",
                &["--time-field", "timestamp", "--time-unit", "ms", "--tag-field", "Agent,Location"],
            )
        },
        Shape {
            fields: Some(json!([{"name": "v", "type": "long"}])),
            records: vec![Record::Avro(vec![("v", Avro::Long(7))])],
            points: vec![(ARRIVAL * 1_000, vec![], vec![("v", Int(7))])],
            ..Shape::new("arrival", &["--time-field", "kafka.timestamp"])
        },
        Shape {
            fields: Some(json!([
                {"name": "timestamp", "type": "double"},
                {"name": "limits", "type": {"type": "map", "values": "double"}},
                {"name": "where", "type": {"type": "record", "name": "Where", "fields": [
                    {"name": "site", "type": "string"}, {"name": "floor", "type": "int"}]}},
                {"name": "either", "type": ["null", "long", "string"]},
            ])),
            records: vec![Record::Avro(vec![
                ("timestamp", double(1_764_475_200.25)),
                (
                    "limits",
                    Avro::Map([("low".to_owned(), double(-1.5)), ("high".to_owned(), double(9.0))].into()),
                ),
                (
                    "where",
                    Avro::Record(vec![
                        ("site".to_owned(), text("summit")),
                        ("floor".to_owned(), Avro::Int(5)),
                    ]),
                ),
                ("either", Avro::Union(1, Box::new(Avro::Long(3)))),
            ])],
            points: vec![(
                1_764_475_200_250_000,
                vec![],
                vec![
                    ("timestamp", Double(1_764_475_200.25)),
                    ("limits_low", Double(-1.5)),
                    ("limits_high", Double(9.0)),
                    ("where_site", Text("summit".to_owned())),
                    ("where_floor", Int(5)),
                    ("either", Int(3)),
                ],
            )],
            ..Shape::new("nested", &["--time-field", "timestamp"])
        },
        Shape {
            fields: Some(json!([{"name": "private_efdStamp", "type": "double"}, {"name": "v", "type": "int"}])),
            is_union: true,
            records: vec![Record::Avro(vec![
                ("private_efdStamp", double(1_764_475_200.5)),
                ("v", Avro::Int(1)),
            ])],
            points: vec![(
                1_764_475_200_500_000,
                vec![],
                vec![("private_efdStamp", Double(1_764_475_200.5)), ("v", Int(1))],
            )],
            ..Shape::new("union", &[])
        },
        Shape {
            fields: Some(json!([{"name": "private_efdStamp", "type": "double"}, {"name": "in", "type": "Reading"}])),
            referenced: Some((
                "Reading",
                json!([{"name": "value", "type": "double"}, {"name": "unit", "type": "string"}]),
            )),
            records: vec![Record::Avro(vec![
                ("private_efdStamp", double(1_764_475_200.5)),
                (
                    "in",
                    Avro::Record(vec![("value".to_owned(), double(21.5)), ("unit".to_owned(), text("C"))]),
                ),
            ])],
            points: vec![(
                1_764_475_200_500_000,
                vec![],
                vec![
                    ("private_efdStamp", Double(1_764_475_200.5)),
                    ("in_value", Double(21.5)),
                    ("in_unit", Text("C".to_owned())),
                ],
            )],
            ..Shape::new("referring", &[])
        },
        Shape {
            records: vec![
                Record::Json(
                    r#"{"measurement": "@", "timestamp": 1764475200123456, "host": "a b", "site": "", "count": 1, "rate": 2.5,
                        "up": true, "note": "x", "none": null, "in": {"p 99": 0.25}}"#,
                ),
                Record::Json(r#"{"measurement": "@", "timestamp": 1764475201123456, "host": "a b", "site": "base", "count": 1.5}"#),
            ],
            points: vec![
                (
                    1_764_475_200_123_456,
                    vec![("host", "a b")],
                    vec![
                        ("count", Double(1.0)),
                        ("rate", Double(2.5)),
                        ("up", Bool(true)),
                        ("note", Text("x".to_owned())),
                        ("in_p_99", Double(0.25)),
                    ],
                ),
                (
                    1_764_475_201_123_456,
                    vec![("host", "a b"), ("site", "base")],
                    vec![("count", Double(1.5))],
                ),
            ],
            ..Shape::new(
                "json",
                &[
                    "--format", "json", "--measurement-field", "measurement", "--time-field", "timestamp", "--time-unit", "us",
                    "--tag-field", "host,site",
                ],
            )
        },
    ]);
    shapes
}

impl Shape {
    fn new(name: &'static str, flags: &'static [&'static str]) -> Self {
        Self {
            name,
            flags,
            fields: None,
            referenced: None,
            is_union: false,
            records: Vec::new(),
            points: Vec::new(),
        }
    }

    /// Topic, record name and measurement of a run.
    pub(super) fn topic(&self, run: &str) -> String {
        format!("lsst.{run}.{}", self.name)
    }

    /// The schema's text, and the one to which it refers.
    pub(super) fn schemas(&self, run: &str) -> Option<(Json, Option<(String, Json)>)> {
        let namespace = format!("lsst.{run}");
        let record = json!({"type": "record", "namespace": namespace, "name": self.name, "fields": self.fields.clone()?});
        let schema = if self.is_union {
            json!(["null", record])
        } else {
            record
        };
        let referenced = self.referenced.as_ref().map(|(name, fields)| {
            let schema = json!({"type": "record", "namespace": namespace, "name": name, "fields": fields});
            (format!("{namespace}.{name}"), schema)
        });
        Some((schema, referenced))
    }

    /// The messages' values; `id` is that of the schema.
    pub(super) fn values(&self, run: &str, id: u32) -> Vec<Vec<u8>> {
        let schemas = self.schemas(run);
        let encode = |record: &Record| match (record, &schemas) {
            (Record::Json(text), _) => text.replace('@', &self.topic(run)).into_bytes(),
            (Record::Avro(fields), Some((schema, referenced))) => {
                let mut schema = schema.to_string();
                if let Some((name, (_, other))) = self
                    .referenced
                    .as_ref()
                    .map(|(name, _)| name)
                    .zip(referenced.as_ref())
                {
                    // The bytes are those of the type in its place.
                    schema = schema.replace(&format!("\"type\":\"{name}\""), &format!("\"type\":{other}"));
                }
                let schema = apache_avro::Schema::parse_str(&schema).unwrap();
                let owned = fields
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone()));
                let mut record = Avro::Record(owned.collect());
                if self.is_union {
                    record = Avro::Union(1, Box::new(record));
                }
                let writer = apache_avro::writer::datum::GenericDatumWriter::builder(&schema)
                    .build()
                    .unwrap();
                let avro = writer.write_value_to_vec(record).unwrap();
                [&[0][..], &id.to_be_bytes(), &avro].concat()
            }
            (Record::Avro(_), None) => unreachable!("an Avro record without a schema"),
        };
        self.records.iter().map(encode).collect()
    }

    /// What a database holds afterwards.
    pub(super) fn expected(&self) -> Series {
        let owned = |(time, tags, fields): &Point| {
            let tags = tags
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let fields = fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()));
            ((*time, tags.collect()), fields.collect())
        };
        self.points.iter().map(owned).collect()
    }

    fn count(&self) -> u64 {
        self.records.len() as u64
    }
}

/// Sends values with the time of [`ARRIVAL`].
pub(super) fn produce(broker: &str, topic: &str, values: &[Vec<u8>]) {
    let producer = testkit::producer(ClientConfig::new().set("bootstrap.servers", broker));
    for value in values {
        let record = BaseRecord::<(), [u8]>::to(topic)
            .payload(value)
            .timestamp(ARRIVAL);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    testkit::deliver(&producer);
}

/// A table of a SQLite file.
fn sqlite(path: &std::path::Path, table: &str) -> Series {
    use rusqlite::types::Value as Cell;

    let file = rusqlite::Connection::open(path).unwrap();
    let mut statement = file
        .prepare("SELECT name, pk FROM pragma_table_info(?1)")
        .unwrap();
    let columns: Vec<(String, bool)> = statement
        .query_map([table], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? > 0)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut statement = file.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut series = Series::new();
    while let Some(row) = rows.next().unwrap() {
        let (mut time, mut tags, mut fields) = (0, BTreeMap::new(), BTreeMap::new());
        for (at, (name, is_key)) in columns.iter().enumerate() {
            match (row.get::<_, Cell>(at).unwrap(), is_key) {
                (Cell::Integer(micros), true) => time = micros,
                (Cell::Text(tag), true) if !tag.is_empty() => drop(tags.insert(name.clone(), tag)),
                (Cell::Integer(value), false) => drop(fields.insert(name.clone(), Int(value))),
                (Cell::Real(value), false) => drop(fields.insert(name.clone(), Double(value))),
                (Cell::Text(value), false) => drop(fields.insert(name.clone(), Text(value))),
                _ => {}
            }
        }
        series.insert((time, tags), fields);
    }
    series
}

/// SQLite has no booleans.
fn without_booleans(mut series: Series) -> Series {
    for value in series.values_mut().flat_map(BTreeMap::values_mut) {
        if let Bool(is_true) = value {
            *value = Int(i64::from(*is_true));
        }
    }
    series
}

/// Without services: an embedded broker and registry, and SQLite.
#[test]
fn records_of_every_shape_are_in_sqlite() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let broker = Broker::start().unwrap();
    let registry = runtime.block_on(RegistryServer::start()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("efd.db");
    let into = format!("sqlite:{}", path.display());
    let hints = Broker::fetch_hints()
        .iter()
        .map(|(key, value)| format!("{key}={value}"));
    let hints: Vec<String> = hints.collect();
    for shape in shapes() {
        let topic = shape.topic("shapes");
        broker.create_topic(&topic, 1).unwrap();
        let id = shape.schemas("shapes").map(|(schema, referenced)| {
            let hold = |subject: &str, schema: &Json, references: &[_]| {
                registry.hold(subject, &schema.to_string(), None, references)
            };
            let subject = format!("{topic}-value");
            match referenced {
                Some((name, other)) => {
                    hold(&name, &other, &[]);
                    hold(&subject, &schema, &[(&name, &name, 1)])
                }
                None => hold(&subject, &schema, &[]),
            }
        });
        produce(
            broker.bootstrap_servers(),
            &topic,
            &shape.values("shapes", id.unwrap_or_default()),
        );
        let (servers, url) = (broker.bootstrap_servers(), registry.url());
        let mut line = vec![
            "influxsink",
            "run",
            &topic,
            "--broker",
            &servers,
            "--schema-registry",
            &url,
        ];
        line.extend(["--group", shape.name, "--into", &into]);
        line.extend(hints.iter().flat_map(|hint| ["-X", hint]));
        line.extend(shape.flags);
        let sink = stages::influxsink_at(&line);
        sink.wait_until_written(shape.count());
        sink.stop();
        assert_eq!(
            sqlite(&path, &topic),
            without_booleans(shape.expected()),
            "{}",
            shape.name
        );
    }
}

/// Real Kafka and registry, InfluxDB 1.8 and 2.7, and SQLite, as three outputs of one sink.
#[test]
fn records_of_every_shape_are_in_all_databases() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY", "INFLUXDB", "INFLUXDB1"]) else {
        return;
    };
    let runtime = runtime();
    let _inside = runtime.enter();
    let run = unique("shapes");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("efd.db");
    let tokens = format!("{},,", token_file(&services, &folder).display());
    let sqlite_file = format!("local=sqlite:{}", path.display());
    let [influx2, influx1] = ["INFLUXDB", "INFLUXDB1"].map(|key| services.get(key));
    let [influx2, influx1] = [format!("two={influx2}"), format!("one={influx1}")];
    for shape in shapes() {
        let topic = shape.topic(&run);
        let id = runtime.block_on(prepare(&services, &shape, &run));
        produce(services.get("BROKER"), &topic, &shape.values(&run, id));
        let places = [
            "--into",
            &influx2,
            "--into",
            &influx1,
            "--into",
            &sqlite_file,
            "--api",
            "v2,v1,v2",
        ];
        let names = [
            "--org",
            services.get("INFLUXDB_ORG"),
            "--bucket",
            &run,
            "--database",
            &run,
        ];
        let others = [
            "--token-file",
            &tokens,
            "--create-database",
            "--group",
            &topic,
            &topic,
        ];
        let sink = stages::influxsink_with(&services, &[&places[..], &names, &others, shape.flags].concat());
        sink.wait_until_written(3 * shape.count());
        sink.stop();
        let (in_2, in_1) = runtime.block_on(async {
            let (influx2, influx1) = (Influx2::of(&services, &run), Influx1::of(&services, &run));
            (influx2.series(&topic).await, influx1.series(&topic).await)
        });
        let expected = shape.expected();
        assert_eq!(in_2, expected, "{} in InfluxDB 2", shape.name);
        assert_eq!(in_1, expected, "{} in InfluxDB 1", shape.name);
        assert_eq!(
            sqlite(&path, &topic),
            without_booleans(expected),
            "{} in SQLite",
            shape.name
        );
    }
}

/// Creates the topic and registers the schema, whose id it returns.
pub(super) async fn prepare(services: &Services, shape: &Shape, run: &str) -> u32 {
    let topic = shape.topic(run);
    kafka::create_topics(services, std::slice::from_ref(&topic), 1).await;
    let Some((schema, referenced)) = shape.schemas(run) else {
        return 0;
    };
    let mut references = json!([]);
    if let Some((name, other)) = referenced {
        registry::register(services, &name, &other).await;
        references = json!([{"name": name, "subject": name, "version": 1}]);
    }
    let subject = format!("{topic}-value");
    registry::register_with(services, &subject, &schema, references).await;
    registry::id(services, &subject).await
}
