//! Dead letters that are too large for their topic, dead letters that return as input, and replays of topics that do
//! not exist.

use std::time::{Duration, Instant};

use influxsink::config::RunArgs;

use crate::stack::{Sink, Stack, TOPIC, frame, scalar, scalars};

const DEAD: &str = "influxsink_dead_letters_total";
const SKIPPED: &str = "influxsink_skipped_total";

#[test]
fn junk_that_the_dead_letter_topic_does_not_take_is_referred_to() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    let mut args = stack.args(stack.influx.url());
    args.kafka.settings.push("message.max.bytes=20000".into());
    let sizes = [18_000, 19_900, 20_000, 25_000];
    let sent = stack.produce(sizes.map(|size| Some(vec![b'~'; size])));
    let good = stack.produce([frame(id, scalar(1))]);
    let sink = stack.start(&args);
    sink.wait("all settled", |sink| sink.settled() == (sent + good) as u64);
    assert_eq!(sink.count(DEAD), sent as u64);
    assert_eq!(sink.count("kafka_dead_letters_shortened_total"), 3);
    sink.stop();
    let letters = stack.dead_letters(sent);
    let lengths: Vec<usize> = letters.values().map(|letter| letter.value.len()).collect();
    assert_eq!(lengths, [18_000, 0, 0, 0]);
    assert_eq!(stack.influx.points().len(), 1);
}

/// Whose share of the memory for dead letters is smaller than the message: it would wait for room in the queue for ever.
#[test]
fn junk_larger_than_the_memory_for_dead_letters_is_referred_to() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    let mut args = stack.args(stack.influx.url());
    args.max_memory = 64;
    // The embedded broker keeps 5 MiB of a partition.
    stack.produce_large(vec![b'~'; 3 << 20]);
    stack.produce([frame(id, scalar(1))]);
    let sink = stack.start(&args);
    sink.wait("all settled", |sink| sink.settled() == 2);
    assert_eq!(sink.count("kafka_dead_letters_shortened_total"), 1);
    sink.stop();
}

/// Sinks whose expression includes their own dead-letter topics, and each other's, under names that only their headers
/// reveal.
#[test]
fn sinks_pass_over_their_own_dead_letters_and_each_others() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    let args = |name: &str, dead_letter_topic: Option<&str>| -> RunArgs {
        let mut args = stack.args(stack.influx.url());
        args.topics.clear();
        args.topic_regex = Some("^(lsst|one|two|influxsink)\\.".to_owned());
        args.group = name.to_owned();
        args.dead_letter_topic = dead_letter_topic.map(str::to_owned);
        args.kafka
            .settings
            .push("topic.metadata.refresh.interval.ms=500".into());
        args
    };
    for topic in ["one.refused", "two.refused"] {
        stack.create_topic(topic);
    }
    stack.produce([Some(b"junk".to_vec()), frame(id, scalar(1))]);
    let sinks = [
        ("one", Some("one.refused")),
        ("two", Some("two.refused")),
        ("influxsink", None),
    ]
    .map(|(name, topic)| stack.start(&args(name, topic)));
    // Each has one of its own, and finds those of the two others that do not look like letters by their names.
    let others = [1, 1, 2];
    for (sink, others) in sinks.iter().zip(others) {
        sink.wait("the others' letters", |sink| sink.count(SKIPPED) >= others);
    }
    let more = stack.produce((0..10).map(|at| frame(id, scalar(at)))) as u64;
    for (sink, others) in sinks.iter().zip(others) {
        sink.wait("all settled", |sink| sink.settled() >= 2 + more + others);
        assert_eq!((sink.count(DEAD), sink.count(SKIPPED)), (1, others));
    }
    sinks.into_iter().for_each(|sink| drop(sink.stop()));
}

#[test]
fn a_replay_of_topics_that_are_not_there_says_what_may_be_meant() {
    let stack = Stack::new();
    stack.produce([Some(b"junk".to_vec())]);
    let ended = |change: &dyn Fn(&mut RunArgs)| {
        let mut args = stack.args(stack.influx.url());
        args.from = Some(stage::config::Timestamp(0));
        change(&mut args);
        let begun = Instant::now();
        let error = Sink::end(stack.start(&args)).unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        error
    };
    let named = ended(&|args| args.topics = vec![TOPIC.to_owned(), "lsst.sal.Test.scalrs".to_owned()]);
    assert_eq!(
        named,
        format!("there is no topic lsst.sal.Test.scalrs; did you mean {TOPIC}?")
    );
    let matching = ended(&|args| {
        args.topics.clear();
        args.topic_regex = Some("^lsst\\.sal\\.Tset\\.scalars".to_owned());
    });
    assert_eq!(
        matching,
        format!("no topic matches ^lsst\\.sal\\.Tset\\.scalars; did you mean {TOPIC}?")
    );
}
