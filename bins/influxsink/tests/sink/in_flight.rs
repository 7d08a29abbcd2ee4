//! Several concurrent requests of one worker: the database gets the next ones while one is slow, but never two points
//! of one series and time out of order.

use std::time::Duration;

use stage::config::WorkerArgs;
use testkit::influx::FieldValue;

use crate::stack::{NOW, Stack, frame, scalar, scalar_of, scalars};

/// Longer than anything else here takes.
const SLOW: Duration = Duration::from_secs(3);

#[test]
fn a_slow_request_does_not_hold_up_the_next() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    stack.influx.delay_lines_with("point 0\"", SLOW);
    let mut args = stack.args(stack.influx.url());
    (args.workers, args.batch_points) = (WorkerArgs::of(1), 1);
    let sent = stack.produce((0..10).map(|at| frame(id, scalar(at)))) as u64;
    let sink = stack.start(&args);
    sink.wait("the others are written while the first is in flight", |sink| {
        let others = sink.count("influxsink_written_total");
        let is_slow_there = stack
            .influx
            .points()
            .keys()
            .any(|key| key.time_ns == NOW as i64 * 1_000_000_000);
        assert!(!is_slow_there || others == sent, "{others} only");
        others == sent - 1
    });
    // A drain waits for everything in flight.
    sink.stop();
    assert_eq!(stack.influx.points().len() as u64, sent);
}

#[test]
fn a_point_that_overwrites_another_waits_for_it() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    stack.influx.delay_lines_with("v=1", SLOW / 4);
    let mut args = stack.args(stack.influx.url());
    (args.workers, args.batch_points) = (WorkerArgs::of(1), 1);
    // All into one partition: its order is what counts.
    let values = [(0, 1.0), (0, 2.0), (5, 1.0), (5, 3.0)];
    let sent = stack.produce_to(0, values.map(|(at, v)| frame(id, scalar_of(at, v)))) as u64;
    let sink = stack.start(&args);
    sink.wait("all written", |sink| {
        sink.count("influxsink_written_total") == sent
    });
    sink.stop();
    let points = stack.influx.points();
    let last: Vec<_> = points.values().map(|fields| fields["v"].clone()).collect();
    assert_eq!(last, [FieldValue::Float(2.0), FieldValue::Float(3.0)]);
}
