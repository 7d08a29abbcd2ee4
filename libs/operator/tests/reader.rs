//! What `tail` reads with goes on after answers that make librdkafka forget its brokers.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::time::{Duration, Instant};

use devstack::Broker;
use operator::cluster::Cluster;
use operator::messages::reader::{Met, Reader, Start, Stop};
use stage::config::KafkaArgs;
use testkit::KafkaProxy;
use testkit::raw::Batch;

const TOPIC: &str = "topic";
/// While librdkafka takes in what an answer says of so many, it loses its brokers, and what would have brought them back.
const PARTITIONS: i32 = 300;
const TIMEOUT: Duration = Duration::from_secs(60);

#[test]
fn a_reader_that_was_told_of_no_brokers_reads_on() {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, PARTITIONS).unwrap();
    let proxy = KafkaProxy::start(broker.bootstrap_servers()).unwrap();
    let mut args = KafkaArgs::at(proxy.bootstrap_servers());
    for setting in [
        "topic.metadata.refresh.interval.ms=500",
        "reconnect.backoff.max.ms=500",
    ] {
        args.settings.push(setting.into());
    }
    let cluster = Cluster::reach(&args).unwrap();
    let mut reader = Reader::open(
        &cluster,
        cluster.topic(TOPIC).unwrap(),
        None,
        Start::Beginning,
        Stop::Never,
    );
    let reader = reader.as_mut().unwrap();
    produce(&broker, "before");
    reads(reader, "before");

    proxy.forget_brokers(usize::MAX, |_| true);
    let (mut answers, mut since) = (0, Instant::now());
    // When it forgets them is chance.
    while answers == 0 || since.elapsed() < Duration::from_secs(3) {
        if proxy.forgotten() != answers {
            (answers, since) = (proxy.forgotten(), Instant::now());
        }
        assert!(matches!(
            reader.next(Duration::from_millis(20)).unwrap(),
            Met::Nothing
        ));
    }
    proxy.forget_brokers(0, |_| false);
    produce(&broker, "after");
    reads(reader, "after");
}

fn produce(broker: &Broker, value: &str) {
    let record = Batch::new().record(value.as_bytes(), &[]);
    record.send(broker.bootstrap_servers(), TOPIC, 0).unwrap();
}

fn reads(reader: &mut Reader, value: &str) {
    let start = Instant::now();
    loop {
        match reader.next(Duration::from_millis(100)).unwrap() {
            Met::Message(message) => {
                assert_eq!(message.value.as_deref(), Some(value.as_bytes()));
                return;
            }
            _ => assert!(start.elapsed() < TIMEOUT, "{value} is not read"),
        }
    }
}
