//! Two outputs, each with its own progress: one that is down does not stop the other, and gets all that it missed.

use std::time::Duration;

use influxsink::config::RunArgs;
use testkit::influx::InfluxServer;

use crate::stack::{Sink, Stack, frame, scalar, scalars};

/// A primary and a standby.
fn into_both(stack: &Stack, standby: &InfluxServer) -> RunArgs {
    let mut args = stack.args(stack.influx.url());
    args.databases.into.push(standby.url());
    args
}

fn standby(stack: &Stack) -> InfluxServer {
    stack.create_topic("influxsink.standby.dead-letter");
    stack.runtime.block_on(InfluxServer::start()).unwrap()
}

#[test]
fn what_one_output_missed_while_it_was_down_is_written_after_a_restart() {
    let stack = Stack::new();
    let mut standby = standby(&stack);
    let id = stack.register(&scalars());
    let records = |range: std::ops::Range<usize>| range.map(|at| frame(id, scalar(at)));
    let mut args = into_both(&stack, &standby);
    args.service.drain_timeout = Duration::from_secs(2);

    let sink = stack.start(&args);
    stack.produce(records(0..100));
    sink.wait("both written", |sink| {
        sink.count("influxsink_written_total") == 200
    });
    sink.wait("ready", |sink| sink.service.readiness.is_ready());

    stack.runtime.block_on(standby.down());
    stack.produce(records(100..300));
    sink.wait("primary written, standby waited for", |sink| {
        sink.count_of("primary", "influxsink_written_total") == 300 && missing(sink) == ["database standby"]
    });
    assert_eq!(sink.count_of("standby", "influxsink_written_total"), 100);
    assert_eq!(sink.ready("primary", "database"), 1.0);
    assert_eq!(sink.ready("standby", "database"), 0.0);
    sink.give_up();

    let sink = stack.start(&args);
    stack.produce(records(300..400));
    sink.wait("primary written", |_| stack.influx.points().len() == 400);
    assert_eq!(standby.points().len(), 100);
    stack.runtime.block_on(standby.up()).unwrap();
    sink.wait("standby written", |_| standby.points().len() == 400);
    sink.wait("ready", |sink| sink.service.readiness.is_ready());
    sink.stop();
    assert_eq!(standby.points(), stack.influx.points());
    assert_eq!(
        stack.influx.counts().overwritten,
        0,
        "nothing is written twice to the one that was up"
    );
}

#[test]
fn an_output_that_is_down_keeps_a_bounded_part_of_the_records_in_memory() {
    let stack = Stack::new();
    let mut standby = standby(&stack);
    let id = stack.register(&scalars());
    stack.runtime.block_on(standby.down());
    let mut args = into_both(&stack, &standby);
    args.max_memory = 128;
    args.workers.workers = Some(1);
    // 2.6 MB a partition, which the broker's stand-in keeps; each is 450 bytes more in memory.
    let sent = 40_000;
    let sink = stack.start(&args);
    stack.produce((0..sent).map(|at| frame(id, scalar(at))));
    sink.wait("primary written", |sink| {
        sink.count_of("primary", "influxsink_written_total") == sent as u64
    });
    // An eighth of the half of what 128 MiB leave, twice.
    let share = ((128 - 46) << 20) / 2 / 4;
    sink.wait("standby paused", |sink| {
        sink.gauge_of("standby", "kafka_consumer_paused") == 1.0
    });
    let held = sink.gauge_of("standby", "kafka_in_flight_bytes");
    assert!(held <= f64::from(share) * 1.1, "{held} bytes of {share}");
    assert!(sink.count_of("standby", "influxsink_consumed_total") < sent as u64);
    stack.runtime.block_on(standby.up()).unwrap();
    sink.wait("standby written", |_| standby.points().len() == sent);
    sink.stop();
    assert_eq!(standby.points(), stack.influx.points());
}

#[test]
fn what_one_database_refuses_is_a_dead_letter_of_its_output_alone() {
    let stack = Stack::new();
    let standby = standby(&stack);
    let id = stack.register(&scalars());
    standby.reject_lines_with("point 7\"");
    let sink = stack.start(&into_both(&stack, &standby));
    stack.produce((0..20).map(|at| frame(id, scalar(at))));
    sink.wait("settled", |sink| sink.settled() == 40);
    assert_eq!(sink.count_of("standby", "influxsink_dead_letters_total"), 1);
    assert_eq!(sink.count_of("primary", "influxsink_dead_letters_total"), 0);
    sink.stop();
    assert_eq!((stack.influx.points().len(), standby.points().len()), (20, 19));
    let letters = stack.dead_letters_in("influxsink.standby.dead-letter", 1);
    assert_eq!(letters["7"].reason, "rejected");
}

/// The missing dependencies, each with the output.
fn missing(sink: &Sink) -> Vec<String> {
    let missing = sink.service.readiness.missing();
    let of = |(dependency, why): &(&str, String)| {
        format!("{dependency} {}", why.split(':').next().unwrap_or_default())
    };
    missing.iter().map(of).collect()
}
