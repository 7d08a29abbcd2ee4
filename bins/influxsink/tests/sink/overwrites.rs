//! Different messages of one series and time: overwritten ones are counted by reason, and the options keep all of them,
//! at the same place however often they arrive.

use std::collections::BTreeSet;

use apache_avro::types::Value;
use influxsink::config::RunArgs;
use influxsink::line::Precision;

use crate::points::{avro, field, record, schema};
use crate::stack::{NOW, Sink, Stack, TOPIC, frame};

const MESSAGES: usize = 1_000;

/// Dialect `efd`: its time has milliseconds.
fn efd() -> String {
    schema(
        &[
            field(
                "sal_created",
                r#"{"type":"long","logicalType":"timestamp-millis"}"#,
            ),
            field("sal_sequence", r#""long""#),
            field("v", r#""double""#),
        ]
        .join(","),
    )
}

/// Message `at`, 100 µs after the one before it.
fn of_efd(at: usize) -> Vec<u8> {
    let values = [
        (
            "sal_created",
            Value::TimestampMillis(NOW as i64 * 1_000 + at as i64 / 10),
        ),
        ("sal_sequence", Value::Long(7_000_000 + at as i64)),
        ("v", Value::Double(at as f64)),
    ];
    avro(&efd(), record(&values))
}

fn all_written(sink: &Sink, sent: usize) {
    sink.wait("all written", |sink| {
        sink.count("influxsink_written_total") == sent as u64
    });
}

fn overwritten(sink: &Sink) -> u64 {
    sink.count("influxsink_overwritten_total")
}

fn with(stack: &Stack, change: impl Fn(&mut RunArgs)) -> RunArgs {
    let mut args = stack.args(stack.influx.url());
    change(&mut args);
    args
}

#[test]
fn messages_of_one_millisecond_are_counted_or_kept_apart() {
    let stack = Stack::new();
    let id = stack.register(&efd());
    let sent = stack.produce((0..MESSAGES).map(|at| frame(id, of_efd(at))));

    let sink = stack.start(&with(&stack, |_| {}));
    all_written(&sink, sent);
    assert_eq!(stack.influx.points().len(), 100);
    assert_eq!(overwritten(&sink), 900);
    sink.stop();

    // With a number of the message in the microseconds, each has a point of its own.
    let apart = |group: &str| {
        let args = with(&stack, |args| {
            args.group = group.to_owned();
            args.point_identity.tiebreaker = vec!["sal_sequence".to_owned(), "private_seqNum".to_owned()];
        });
        let sink = stack.start(&args);
        all_written(&sink, sent);
        assert_eq!(overwritten(&sink), 0);
        sink.stop();
        stack.influx.points()
    };
    let points = apart("apart");
    let times: BTreeSet<i64> = points.keys().map(|key| key.time_ns / 1_000_000).collect();
    assert_eq!((points.len(), times.len()), (100 + MESSAGES - overlap(), 100));
    // A replay, after a crash or by another process, meets its own points.
    assert_eq!(apart("replay"), points);
}

/// How many of the first run's points have the digits 000 for a sequence number, too.
fn overlap() -> usize {
    (0..MESSAGES).filter(|at| at % 1_000 == 0).count()
}

#[test]
fn a_message_that_is_produced_twice_is_one_point_and_no_overwrite() {
    let stack = Stack::new();
    let id = stack.register(&efd());
    let twice = (0..MESSAGES).chain(0..MESSAGES);
    let sent = stack.produce_to(0, twice.map(|at| frame(id, of_efd(at))));
    let args = with(&stack, |args| {
        args.point_identity.tiebreaker = vec!["sal_sequence".to_owned(), "kafka.offset".to_owned()];
    });
    let sink = stack.start(&args);
    all_written(&sink, sent);
    assert_eq!((stack.influx.points().len(), overwritten(&sink)), (MESSAGES, 0));
    sink.stop();
}

#[test]
fn an_offset_keeps_apart_what_has_no_number() {
    let stack = Stack::new();
    let id = stack.register(&efd());
    let sent = stack.produce_to(0, (0..MESSAGES).map(|at| frame(id, of_efd(at))));
    let args = with(&stack, |args| {
        args.point_identity.tiebreaker = vec!["kafka.offset".to_owned()]
    });
    let sink = stack.start(&args);
    all_written(&sink, sent);
    assert_eq!((stack.influx.points().len(), overwritten(&sink)), (MESSAGES, 0));
    sink.stop();
}

#[test]
fn nanoseconds_of_one_microsecond_are_kept_on_request() {
    let stack = Stack::new();
    let nanos = schema(
        &[
            field("at", r#"{"type":"long","logicalType":"timestamp-nanos"}"#),
            field("v", r#""double""#),
        ]
        .join(","),
    );
    let id = stack.register(&nanos);
    let of = |at: usize| {
        // Ten in each half microsecond before and after a whole one.
        let time = Value::TimestampNanos(NOW as i64 * 1_000_000_000 + at as i64 * 100 - 500);
        avro(&nanos, record(&[("at", time), ("v", Value::Double(at as f64))]))
    };
    let sent = stack.produce((0..100).map(|at| frame(id, of(at))));
    let run = |precision| {
        let args = with(&stack, |args| {
            args.group = format!("{precision:?}");
            args.time_field = vec!["at".to_owned()];
            args.point_identity.time_precision = precision;
        });
        let sink = stack.start(&args);
        all_written(&sink, sent);
        let overwritten = overwritten(&sink);
        sink.stop();
        (stack.influx.points().len(), overwritten)
    };
    assert_eq!(run(Precision::Micros), (10, 90));
    // Ten of them are those of before.
    assert_eq!(run(Precision::Nanos), (100, 0));
}

#[test]
fn a_record_name_in_two_topics_is_counted_and_tagged_on_request() {
    let stack = Stack::new();
    let id = stack.register(&efd());
    let of = |site: f64, at: usize| {
        let values = [
            (
                "sal_created",
                Value::TimestampMillis(NOW as i64 * 1_000 + at as i64),
            ),
            ("sal_sequence", Value::Long(at as i64)),
            ("v", Value::Double(site)),
        ];
        frame(id, avro(&efd(), record(&values)))
    };
    let mirror = "base.lsst.sal.Test.scalars";
    let sent = stack.produce((0..200).map(|at| of(1.0, at)))
        + stack.produce_in(mirror, (0..200).map(|at| of(2.0, at)));
    let run = |group: &str, tag: Option<&str>| {
        let args = with(&stack, |args| {
            args.group = group.to_owned();
            args.topics = vec![TOPIC.to_owned(), mirror.to_owned()];
            args.point_identity.topic_tag = tag.map(str::to_owned);
        });
        let sink = stack.start(&args);
        all_written(&sink, sent);
        let overwritten = overwritten(&sink);
        sink.stop();
        overwritten
    };
    assert_eq!(run("one", None), 200);
    assert_eq!(stack.influx.points().len(), 200);
    assert_eq!(run("two", Some("site")), 0);
    let points = stack.influx.points();
    let tagged = points
        .keys()
        .filter(|key| key.tags.get("site").is_some_and(|site| site == mirror));
    assert_eq!((points.len(), tagged.count()), (600, 200));
    // A name that a field has is refused before anything is overwritten by it.
    let args = with(&stack, |args| {
        args.group = "three".to_owned();
        args.point_identity.topic_tag = Some("v".to_owned());
    });
    let sink = stack.start(&args);
    sink.wait("all refused", |sink| {
        sink.count("influxsink_dead_letters_total") == 200
    });
    sink.stop();
}
