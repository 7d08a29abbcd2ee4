//! The whole sink with an embedded broker and registry: every message is in the database or in the dead-letter topic,
//! the counts add up, and no outage makes it lose or skip anything.

use std::time::Duration;

use testkit::influx::FieldValue;

use crate::stack::{NOW, Sink, Stack, TOPIC, frame, scalar, scalars};

#[test]
fn every_message_is_a_point_or_a_dead_letter_with_its_bytes() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    let mut zero_time = scalar(0);
    zero_time[..8].fill(0);
    let good = frame(id, scalar(7));
    let values = vec![
        good.clone(),
        None,                                     // 1 tombstone
        Some(Vec::new()),                         // 2
        Some(vec![0, 0, 1]),                      // 3
        Some(b"{\"json\": true}".to_vec()),       // 4
        frame(id + 999, scalar(1)),               // 5
        frame(id, scalar(2)[..9].to_vec()),       // 6
        frame(id, [scalar(3), vec![0]].concat()), // 7
        frame(id, zero_time),                     // 8
        good,                                     // 9: the same point again
        frame(id, scalar(10)),
    ];
    let expected = [
        ("2", "value_empty"),
        ("3", "value_short"),
        ("4", "value_unframed"),
        ("5", "schema_unknown"),
        ("6", "avro_truncated"),
        ("7", "avro_trailing_bytes"),
        ("8", "time_zero"),
    ];
    let sent = stack.produce(values.clone()) as u64;
    let mut args = stack.args(stack.influx.url());
    args.unknown_schema_grace = Duration::from_millis(100);
    let sink = stack.start(&args);
    sink.wait("all settled", |sink| sink.settled() == sent);
    assert_eq!(sink.count("influxsink_consumed_total"), sent);
    assert_eq!(sink.count("influxsink_written_total"), 3);
    assert_eq!(sink.count("influxsink_skipped_total"), 1);
    assert!(
        sink.service.readiness.is_ready(),
        "{:?}",
        sink.service.readiness.missing()
    );
    sink.stop();

    let points = stack.influx.points();
    assert_eq!(points.len(), 2, "a replay overwrites itself");
    let (key, fields) = points.iter().next().unwrap();
    assert_eq!(
        (key.measurement.as_str(), key.time_ns),
        ("lsst.sal.Test_scalars", (NOW as i64 + 7) * 1_000_000_000)
    );
    assert_eq!(fields["v"], FieldValue::Float(3.5));
    assert_eq!(fields["s"], FieldValue::Text("point 7".into()));

    let letters = stack.dead_letters(expected.len());
    let reasons: Vec<_> = letters
        .iter()
        .map(|(key, letter)| (key.as_str(), letter.reason.as_str()))
        .collect();
    assert_eq!(reasons, expected);
    for (key, letter) in &letters {
        let at: usize = key.parse().unwrap();
        assert_eq!(Some(&letter.value), values[at].as_ref(), "the original bytes");
        assert_eq!(letter.origin, format!("{TOPIC}[{}]@{}", at % 2, at / 2));
    }
}

#[test]
fn a_point_that_the_database_refuses_is_a_dead_letter_and_the_others_are_written() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    stack.influx.reject_lines_with("point 123\"");
    let sent = stack.produce((0..300).map(|at| frame(id, scalar(at)))) as u64;
    let sink = stack.start(&stack.args(stack.influx.url()));
    sink.wait("all settled", |sink| sink.settled() == sent);
    sink.stop();
    assert_eq!(stack.influx.points().len(), 299);
    let letters = stack.dead_letters(1);
    assert_eq!(
        (letters["123"].reason.as_str(), Some(&letters["123"].value)),
        ("rejected", frame(id, scalar(123)).as_ref())
    );
}

#[test]
fn an_outage_is_waited_for_and_a_restart_continues() {
    let mut stack = Stack::new();
    let id = stack.register(&scalars());
    stack.runtime.block_on(stack.registry.down());
    stack.runtime.block_on(stack.influx.down());

    let args = stack.args(stack.influx.url());
    let sink = stack.start(&args);
    let first = stack.produce((0..200).map(|at| frame(id, scalar(at)))) as u64;
    sink.wait("registry and database missing", |sink| {
        let missing: Vec<_> = sink
            .service
            .readiness
            .missing()
            .into_iter()
            .map(|(part, _)| part)
            .collect();
        missing == ["database", "registry"] && sink.count("influxsink_consumed_total") > 0
    });
    assert_eq!(sink.settled(), 0, "nothing is skipped");
    stack.runtime.block_on(stack.registry.up()).unwrap();
    sink.wait("registry there", |sink| {
        sink.service
            .readiness
            .missing()
            .iter()
            .all(|(part, _)| *part == "database")
    });
    stack.runtime.block_on(stack.influx.up()).unwrap();
    sink.wait("all written", |sink| {
        sink.count("influxsink_written_total") == first
    });
    sink.stop();

    // The next process starts where this one ended.
    let sink = stack.start(&args);
    stack.produce((200..400).map(|at| frame(id, scalar(at))));
    sink.wait("the rest written", |_| stack.influx.points().len() == 400);
    sink.stop();
    assert_eq!(stack.influx.counts().created, 400);
    assert_eq!(
        stack.influx.counts().overwritten,
        0,
        "committed at the end, so that nothing is read twice"
    );
}

#[test]
fn a_database_that_stays_away_holds_the_offsets() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    stack
        .influx
        .answer_always(Some(testkit::influx::Answer::status(503)));
    let mut args = stack.args(stack.influx.url());
    args.service.drain_timeout = Duration::from_millis(200);
    let sink = stack.start(&args);
    let sent = stack.produce((0..50).map(|at| frame(id, scalar(at)))) as u64;
    sink.wait("consumed", |sink| sink.count("influxsink_consumed_total") == sent);
    let lag = |sink: &Sink| sink.of_subsystem("influxsink_lag_seconds").unwrap_or_default();
    let last = |sink: &Sink| sink.of_subsystem("influxsink_last_message_timestamp_seconds");
    let before = lag(&sink);
    sink.wait("the lag grows", |sink| lag(sink) > before + 0.5);
    assert_eq!(last(&sink), None, "no message is finished");
    let service = sink.stop();
    assert!(service.shutdown.given_up());
    assert!(stack.influx.points().is_empty());

    stack.influx.answer_always(None);
    let sink = stack.start(&args);
    sink.wait("all written by the next process", |sink| {
        sink.count("influxsink_written_total") == sent
    });
    sink.wait("nothing waits", |sink| {
        sink.of_subsystem("influxsink_lag_seconds") == Some(0.0)
    });
    let age = stage::unix_millis() as f64 / 1e3 - last(&sink).unwrap();
    assert!((0.0..60.0).contains(&age), "the newest message is {age} s old");
    sink.stop();
    assert_eq!(stack.influx.points().len(), 50);
}

#[test]
fn a_sqlite_file_holds_the_same() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("efd.db");
    let sent = stack.produce((0..500).map(|at| frame(id, scalar(at)))) as u64;
    let sink = stack.start(&stack.args(format!("sqlite:{}", file.display())));
    sink.wait("all written", |sink| {
        sink.count("influxsink_written_total") == sent
    });
    sink.stop();
    let connection = rusqlite::Connection::open(&file).unwrap();
    let row = |row: &rusqlite::Row<'_>| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, f64>(1)?,
            row.get::<_, String>(2)?,
        ))
    };
    let sql = "SELECT count(*), sum(v), max(s) FROM \"lsst.sal.Test_scalars\"";
    assert_eq!(
        connection.query_row(sql, [], row).unwrap(),
        (500, 499.0 * 250.0 / 2.0, "point 99".to_owned())
    );
}

#[test]
fn only_chosen_fields_are_written_and_a_record_without_one_is_skipped() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    let fields = |include: &str, exclude: &str, group: &str| {
        let mut args = stack.args(stack.influx.url());
        group.clone_into(&mut args.group);
        args.fields.field_include = vec![include.to_owned()];
        args.fields.field_exclude = vec![exclude.to_owned()];
        args
    };
    stack.produce((0..10).map(|at| frame(id, scalar(at))));
    let sink = stack.start(&fields("[sv]", "v*", "a"));
    sink.wait("written", |sink| sink.count("influxsink_written_total") == 10);
    assert_eq!(
        sink.count("influxsink_left_out_total"),
        20,
        "v, and the time as a field"
    );
    sink.stop();
    let points = stack.influx.points();
    assert!(
        points.values().all(|fields| fields.keys().eq(["s"])),
        "{points:?}"
    );
    let sink = stack.start(&fields("x*", "y*", "b"));
    sink.wait("skipped", |sink| sink.count("influxsink_skipped_total") == 10);
    assert_eq!(sink.settled(), 10);
    sink.stop();
}
