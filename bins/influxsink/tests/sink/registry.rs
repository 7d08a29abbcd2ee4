//! A registry that lags, or has lost its data: records wait for their schemas, and none is written with another's.

use std::time::{Duration, Instant};

use apache_avro::types::Value;

use crate::points::{TIME, avro, field, record};
use crate::stack::{NOW, Sink, Stack, TOPIC, frame, scalar, scalars};

const REQUESTS: &str = "/schemas/ids/";

/// A record of another name with the same fields: its bytes can be read by the schema of the scalars.
fn others() -> String {
    scalars().replace("Test_scalars", "Test_others")
}

/// The scalars, and another number before them.
fn wider() -> String {
    let fields = [
        field("extra", r#""double""#),
        TIME.to_owned(),
        field("v", r#""double""#),
        field("s", r#""string""#),
    ];
    crate::points::schema(&fields.join(","))
}

fn wait_until_missing(sink: &Sink, because: &str) {
    sink.wait(&format!("waits because of {because}"), |sink| {
        let missing = sink.service.readiness.missing();
        missing
            .iter()
            .any(|(part, why)| *part == "registry" && why.contains(because))
    });
}

fn letters(sink: &Sink) -> u64 {
    sink.count("influxsink_dead_letters_total")
}

#[test]
fn an_id_that_the_registry_lacks_for_a_moment_makes_no_dead_letters() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    stack.registry.set_lagging(true);
    let sent = stack.produce((0..300).map(|at| frame(id, scalar(at)))) as u64;
    let sink = stack.start(&stack.args(stack.influx.url()));
    wait_until_missing(&sink, &format!("schema id {id}"));
    assert_eq!(sink.settled(), 0);
    stack.registry.set_lagging(false);
    sink.wait("all written", |sink| {
        sink.count("influxsink_written_total") == sent
    });
    assert_eq!(letters(&sink), 0);
    sink.wait("ready", |sink| sink.service.readiness.is_ready());
    sink.stop();
}

#[test]
fn records_from_before_the_registry_lost_its_data_wait_until_it_is_restored() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    let sent = stack.produce((0..100).map(|at| frame(id, scalar(at)))) as u64;
    let backup = stack.registry.lose_data();
    // Registered again, in another order.
    assert_eq!(stack.register_under("lsst.sal.Test_others-value", &others()), id);
    stack.register(&scalars());

    let sink = stack.start(&stack.args(stack.influx.url()));
    wait_until_missing(&sink, &format!("schema id {id}"));
    sink.wait("consumed", |sink| sink.count("influxsink_consumed_total") > 0);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(sink.settled(), 0, "written by another schema");
    stack.registry.restore(backup);
    sink.wait("all written", |sink| {
        sink.count("influxsink_written_total") == sent
    });
    sink.stop();
    let points = stack.influx.points();
    assert!(
        points
            .keys()
            .all(|key| key.measurement == "lsst.sal.Test_scalars")
    );
    assert_eq!(points.len() as u64, sent);
}

/// What the id means is read before the registry is restored, and whose subjects it has after that.
#[test]
fn an_id_of_a_registry_that_is_restored_between_two_requests_is_not_used() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    let sent = stack.produce((0..100).map(|at| frame(id, scalar(at)))) as u64;
    let backup = stack.registry.lose_data();
    assert_eq!(stack.register_under("lsst.sal.Test_others-value", &others()), id);
    stack
        .registry
        .restore_when_asked(&format!("/schemas/ids/{id}/versions"), backup);
    let sink = stack.start(&stack.args(stack.influx.url()));
    sink.wait("all written", |sink| {
        sink.count("influxsink_written_total") == sent
    });
    sink.stop();
    let points = stack.influx.points();
    assert!(
        points
            .keys()
            .all(|key| key.measurement == "lsst.sal.Test_scalars")
    );
    assert_eq!(points.len() as u64, sent);
}

#[test]
fn an_id_that_means_another_schema_than_before_is_noticed_while_the_sink_runs() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    let sink = stack.start(&stack.args(stack.influx.url()));
    stack.produce((0..10).map(|at| frame(id, scalar(at))));
    sink.wait("written", |sink| sink.count("influxsink_written_total") == 10);
    let backup = stack.registry.lose_data();
    // The same subject and the same name: only this process can know that the id meant another schema.
    assert_eq!(stack.register(&wider()), id);
    wait_until_missing(&sink, &format!("schema id {id}"));
    let values = [
        ("extra", Value::Double(1.0)),
        ("private_efdStamp", Value::Double(NOW)),
        ("v", Value::Double(2.0)),
        ("s", Value::String("new".to_owned())),
    ];
    let new = avro(&wider(), record(&values));
    assert!(!new.is_empty());
    stack.produce((10..20).map(|at| frame(id, scalar(at))));
    sink.wait("consumed", |sink| sink.count("influxsink_consumed_total") > 10);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!((sink.settled(), letters(&sink)), (10, 0));
    stack.registry.restore(backup);
    sink.wait("written", |sink| sink.count("influxsink_written_total") == 20);
    sink.wait("ready", |sink| sink.service.readiness.is_ready());
    sink.stop();
}

#[test]
fn one_unknown_id_holds_its_partition_once_and_not_once_a_message() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    let mut args = stack.args(stack.influx.url());
    args.unknown_schema_grace = Duration::from_millis(500);
    let unknown = 40_000;
    let sent = stack.produce_to(
        0,
        (0..400).map(|at| frame(if at % 2 == 0 { id } else { unknown }, scalar(at))),
    ) as u64;
    let begun = Instant::now();
    let sink = stack.start(&args);
    sink.wait("all settled", |sink| sink.settled() == sent);
    assert_eq!(
        (sink.count("influxsink_written_total"), letters(&sink)),
        (200, 200)
    );
    // 200 times the grace would be 100 s.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let requests = stack.registry.requests_of(&format!("{REQUESTS}{unknown}"));
    assert!(requests < 50, "{requests} requests");
    sink.wait("ready", |sink| sink.service.readiness.is_ready());
    sink.stop();
}

#[test]
fn a_flood_of_made_up_ids_does_not_hold_a_partition_for_hours() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    let mut args = stack.args(stack.influx.url());
    args.unknown_schema_grace = Duration::from_secs(1);
    let flood = 300;
    stack.produce_to(0, (0..flood).map(|at| frame(50_000 + at as u32, scalar(at))));
    let sent = flood as u64 + stack.produce_to(0, [frame(id, scalar(1_000))]) as u64;
    let begun = Instant::now();
    let sink = stack.start(&args);
    sink.wait("all settled", |sink| sink.settled() == sent);
    assert_eq!(letters(&sink), flood as u64);
    // A grace for each would be 300 s.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    sink.stop();
}

#[test]
fn other_topics_may_have_any_names_and_several() {
    let stack = Stack::new();
    let named = |name: &str| {
        scalars()
            .replace("lsst.sal", "weather")
            .replace("Test_scalars", name)
    };
    // Subjects by record name, by topic and record name, and by another's rule.
    let ids = [
        ("weather.Wind", "Wind"),
        (&format!("{TOPIC}-weather.Rain"), "Rain"),
        ("the-weather", "Snow"),
    ]
    .map(|(subject, name)| stack.register_under(subject, &named(name)));
    let sent = stack.produce((0..30).map(|at| frame(ids[at % 3], scalar(at)))) as u64;
    let sink = stack.start(&stack.args(stack.influx.url()));
    sink.wait("all written", |sink| {
        sink.count("influxsink_written_total") == sent
    });
    sink.stop();
}

#[test]
fn a_record_with_the_id_of_another_topic_waits_or_is_a_dead_letter_if_the_operator_says_so() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    let other = stack.register_under("lsst.sal.Test_others-value", &others());
    let mut args = stack.args(stack.influx.url());
    let values = [
        frame(id, scalar(0)),
        frame(other, scalar(1)),
        frame(id, scalar(2)),
    ];
    stack.produce_to(0, values);
    let sink = stack.start(&args);
    wait_until_missing(&sink, &format!("schema id {other}"));
    args.service.drain_timeout = Duration::from_millis(100);
    sink.give_up();

    args.schema_mismatch = influxsink::config::SchemaMismatch::DeadLetter;
    let sink = stack.start(&args);
    sink.wait("dead letter", |sink| letters(sink) == 1);
    sink.wait("written", |_| stack.influx.points().len() == 2);
    sink.stop();
    assert_eq!(stack.dead_letters(1)["1"].reason, "schema_mismatch");
}

/// A record of a type that another subject has.
fn referring() -> String {
    let fields = [
        TIME.to_owned(),
        field("in", r#""lsst.ref.Reading""#),
        field("s", r#""string""#),
    ];
    crate::points::schema(&fields.join(","))
}

const READING: &str =
    r#"{"type":"record","name":"Reading","namespace":"lsst.ref","fields":[{"name":"v","type":"double"}]}"#;

#[test]
fn a_schema_that_refers_to_others_is_read_with_them() {
    let mut stack = Stack::new();
    stack.registry.hold("lsst.ref.Reading", READING, None, &[]);
    let references = [("lsst.ref.Reading", "lsst.ref.Reading", 1)];
    let id = stack
        .registry
        .hold(&format!("{TOPIC}-value"), &referring(), None, &references);
    // The same bytes as of the scalars: a time, a double and a string.
    let sent = stack.produce((0..20).map(|at| frame(id, scalar(at)))) as u64;
    stack.runtime.block_on(stack.registry.down());
    let sink = stack.start(&stack.args(stack.influx.url()));
    wait_until_missing(&sink, "registry");
    stack.runtime.block_on(stack.registry.up()).unwrap();
    sink.wait("all written", |sink| {
        sink.count("influxsink_written_total") == sent
    });
    assert_eq!(letters(&sink), 0);
    sink.stop();
    let points = stack.influx.points();
    let (_, fields) = points
        .iter()
        .find(|(key, _)| key.time_ns == (NOW as i64 + 7) * 1_000_000_000)
        .unwrap();
    assert_eq!(fields["in_v"], testkit::influx::FieldValue::Float(3.5));
}

#[test]
fn a_schema_that_cannot_be_read_says_why_in_its_dead_letters() {
    let stack = Stack::new();
    let subject = |name: &str| format!("{TOPIC}-{name}");
    let hold = |name: &str, text: &str, kind, references: &[_]| {
        stack.registry.hold(&subject(name), text, kind, references)
    };
    let itself = subject("circle");
    let ids = [
        hold(
            "protobuf",
            "syntax = \"proto3\"; message A {}",
            Some("PROTOBUF"),
            &[],
        ),
        hold("json", r#"{"type":"object","title":"A"}"#, Some("JSON"), &[]),
        hold("circle", &referring(), None, &[("lsst.ref.Reading", &itself, 1)]),
    ];
    stack.produce(ids.iter().flat_map(|id| (0..2).map(|at| frame(*id, scalar(at)))));
    let sink = stack.start(&stack.args(stack.influx.url()));
    sink.wait("all settled", |sink| letters(sink) == 6);
    sink.wait("ready", |sink| sink.service.readiness.is_ready());
    sink.stop();
    let found = stack.dead_letters(6);
    for (at, (reason, detail)) in [
        (
            "schema_not_avro",
            "is Protobuf; influxsink reads Avro: let the producer write Avro",
        ),
        (
            "schema_not_avro",
            "is JSON Schema; influxsink reads Avro: influxsink --format json reads its records",
        ),
        ("schema_references", "which refers to itself"),
    ]
    .into_iter()
    .enumerate()
    {
        for key in [2 * at, 2 * at + 1] {
            let letter = &found[&key.to_string()];
            assert_eq!(letter.reason, reason);
            assert!(letter.detail.contains(detail), "{}", letter.detail);
            assert!(
                letter.detail.contains(&format!("schema id {}", ids[at])),
                "{}",
                letter.detail
            );
        }
    }
}
