//! `flat-send`: the time of a send alone, by the number of topics in use. Nothing is delivered: there is no broker.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, PurgeConfig};
use stage::kafka::HandleProducer;

use crate::failure::{Doing, Outcome};
use crate::flow::median;

const SENDS: usize = 50_000;
const TURNS: usize = 5;
const FRAME: [u8; 300] = [0; 300];

/// The median time of a send to each of `count` topics in turn, in microseconds.
pub(super) fn micros(count: usize) -> Outcome<f64> {
    let topics: Vec<String> = (0..count)
        .map(|number| format!("lsst.sal.FlatSend.azimuth{number}"))
        .collect();
    // The discard port, where no broker is.
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", "127.0.0.1:9")
        .set("log_level", "0")
        .set("queue.buffering.max.messages", "100000")
        .set("queue.buffering.max.kbytes", "1000000");
    let producer = config
        .create_with_context(DefaultProducerContext)
        .doing("make a kafka producer")?;
    let producer = HandleProducer::new(producer);
    let send = |topic: &String| {
        let record = BaseRecord::with_opaque_to(topic, ()).payload(&FRAME[..]);
        producer.send(record).map_or(Ok(()), |(error, _)| Err(error))
    };
    let mut turns = Vec::new();
    for _ in 0..TURNS {
        for topic in &topics {
            send(topic).doing("send")?;
        }
        let begun = Instant::now();
        for topic in topics.iter().cycle().take(SENDS) {
            send(topic).doing("send")?;
        }
        turns.push(begun.elapsed().as_secs_f64() * 1e6 / SENDS as f64);
        producer.purge(PurgeConfig::default().queue().inflight());
        while producer.in_flight_count() > 0 {
            producer.poll(Duration::from_millis(10));
        }
    }
    Ok(median(turns.into_iter()))
}
