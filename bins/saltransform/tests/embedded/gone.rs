//! A record topic that is gone: `/ready` names it, nothing is lost, and it goes on when the topic is there again.

use std::time::{Duration, Instant};

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use saltransform::config::RunArgs;

use crate::PRODUCED;
use crate::stack::{DEAD, OUTPUT, Running, Stack, message};

const CONSUMED: &str = "saltransform_consumed_total";
const LETTERS: &str = "saltransform_dead_letters_total";
const GONE: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;

/// Messages whose records the broker refuses with `error` until it is set to take them.
///
/// The broker fails requests whoever sends them, so that the messages go in first, while the stage cannot fetch them. Now and
/// then it has a fetch in flight: then more messages are needed.
async fn send_and_refuse(
    stack: &Stack,
    running: &Running,
    text: impl Fn(usize) -> Vec<u8>,
    error: RDKafkaRespErr,
) {
    let ended = || running.count(PRODUCED) + running.count(LETTERS);
    let start = Instant::now();
    loop {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "the stage is always quicker"
        );
        let before = running.count(CONSUMED);
        let away = RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT;
        stack
            .broker
            .fail_next(RDKafkaApiKey::Fetch, &[away; 10_000])
            .unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        stack.produce((0..5).map(|n| text(before as usize + n)));
        stack
            .broker
            .fail_next(RDKafkaApiKey::Produce, &[error; 10_000])
            .unwrap();
        stack.broker.clear_failures(RDKafkaApiKey::Fetch).unwrap();
        running.wait_for(CONSUMED, before + 5).await;
        if ended() < before + 5 {
            return;
        }
        stack.broker.clear_failures(RDKafkaApiKey::Produce).unwrap();
    }
}

fn give_back(stack: &Stack, topic: &str) {
    stack.broker.clear_failures(RDKafkaApiKey::Produce).unwrap();
    let none = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
    stack.broker.topic_error(topic, none).unwrap();
}

async fn a_record_topic_that_is_gone_is_named(args: impl FnOnce(&Stack) -> RunArgs) {
    let stack = Stack::start(1).await;
    stack.register(false).await;
    let running = stack.run(args(&stack));
    stack.produce([message(0, None)]);
    running.wait_for(PRODUCED, 1).await;
    running.wait_until_ready().await;
    stack.broker.topic_error(OUTPUT, GONE).unwrap();
    send_and_refuse(&stack, &running, |n| message(n, None), GONE).await;
    let why = running.wait_until_missing("kafka", OUTPUT).await;
    assert!(
        why.contains("does not exist") && why.contains("saltransform init"),
        "{why}"
    );
    give_back(&stack, OUTPUT);
    running.wait_for(PRODUCED, running.count(CONSUMED)).await;
    running.wait_until_ready().await;
    assert_eq!(running.count(LETTERS), 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_topic_that_is_gone_is_named_and_waited_for() {
    a_record_topic_that_is_gone_is_named(Stack::args).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_exactly_once_too() {
    a_record_topic_that_is_gone_is_named(|stack| {
        let mut args = stack.args();
        args.exactly_once = true;
        args
    })
    .await;
}

async fn what_nobody_acknowledges_is_not_ready(text: impl Fn(usize) -> Vec<u8>, topic: &str) {
    let stack = Stack::start(1).await;
    stack.register(false).await;
    let running = stack.run(stack.args());
    stack.produce([text(0)]);
    running.wait_for(CONSUMED, 1).await;
    running.wait_until_ready().await;
    // Refused again and again for a reason that passes, so that librdkafka goes on trying and says nothing.
    let busy = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS;
    send_and_refuse(&stack, &running, &text, busy).await;
    let why = running.wait_until_missing("kafka", topic).await;
    assert!(why.contains("not acknowledged"), "{why}");
    stack.broker.clear_failures(RDKafkaApiKey::Produce).unwrap();
    running.wait_until_ready().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_nobody_acknowledges_are_not_ready() {
    what_nobody_acknowledges_is_not_ready(|n| message(n, None), OUTPUT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_that_nobody_acknowledges_are_not_ready() {
    what_nobody_acknowledges_is_not_ready(|n| format!("not SAL {n}").into_bytes(), DEAD).await;
}
