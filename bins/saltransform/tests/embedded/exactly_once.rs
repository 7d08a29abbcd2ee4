//! `--exactly-once` on the embedded broker, which speaks the protocol of transactions but shows readers everything: what
//! is committed and aborted is seen in the counts here, and by readers of the real Kafka in `real_services`.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::Message;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use saltransform::config::RunArgs;
use serde_json::Value;

use crate::PRODUCED;
use crate::stack::{DEAD, INPUT, Running, Stack, header, message};

const LETTERS: &str = "saltransform_dead_letters_total";

fn args(stack: &Stack) -> RunArgs {
    let mut args = stack.args();
    args.exactly_once = true;
    args
}

fn sequences(records: &[(u32, Value)]) -> BTreeSet<i64> {
    records
        .iter()
        .map(|(_, record)| record["sal_sequence"].as_i64().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_carry_every_message_once() {
    const COUNT: usize = 600;
    let stack = Stack::start(3).await;
    stack.register(false).await;
    let running = stack.run(args(&stack));
    for part in 0..3 {
        stack.produce((0..COUNT / 3).map(|n| message(part * COUNT / 3 + n, None)));
        running.wait_for(PRODUCED, (part * COUNT / 3) as u64).await;
    }
    running.wait_for(PRODUCED, COUNT as u64).await;
    running.stop().await;
    // Nothing failed here, so that even a reader of everything sees each record once.
    assert_eq!(sequences(&stack.records(COUNT).await).len(), COUNT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aborted_transaction_is_done_again_and_counts_once() {
    const COUNT: usize = 300;
    let stack = Stack::start(2).await;
    stack.register(false).await;
    stack.produce((0..COUNT).map(|n| message(n, None)));
    stack
        .broker
        .fail_next(
            RDKafkaApiKey::Produce,
            &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED],
        )
        .unwrap();
    let running = stack.run(args(&stack));
    running.wait_for(PRODUCED, COUNT as u64).await;
    assert_eq!(
        running.count(PRODUCED),
        COUNT as u64,
        "what was aborted never counts"
    );
    assert!(running.count("kafka_released_total") > 0, "something was aborted");
    assert_eq!(sequences(&stack.records(COUNT).await).len(), COUNT);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_and_skips_are_part_of_the_transaction() {
    let stack = Stack::start(1).await;
    stack.register(false).await;
    stack.produce([b"not SAL at all".to_vec(), Vec::new(), message(1, None)]);
    stack.produce_tombstone();
    let running = stack.run(args(&stack));
    running.wait_for(PRODUCED, 1).await;
    running.wait_for(LETTERS, 1).await;
    running.wait_for("saltransform_skipped_total", 2).await;
    let letter = &stack.read(DEAD, 1)[0];
    assert_eq!(letter.payload().unwrap(), b"not SAL at all");
    let origin = (header(letter, "topic"), header(letter, "offset"));
    assert_eq!(origin, (INPUT.to_owned(), "0".to_owned()));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_the_broker_refuses_is_a_dead_letter_and_the_rest_goes_on() {
    let stack = Stack::start(1).await;
    stack.register(false).await;
    stack.produce([message(1, None)]);
    stack
        .broker
        .fail_next(
            RDKafkaApiKey::Produce,
            &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_RECORD],
        )
        .unwrap();
    let running = stack.run(args(&stack));
    running.wait_for(LETTERS, 1).await;
    stack.produce([message(2, None)]);
    running.wait_for(PRODUCED, 1).await;
    let letter = &stack.read(DEAD, 1)[0];
    assert_eq!(letter.payload().unwrap(), message(1, None));
    let why = (header(letter, "stage"), header(letter, "reason"));
    assert_eq!(why, ("produce".to_owned(), "refused_by_broker".to_owned()));
    running.stop().await;
}

/// After a record was refused, the broker misses its sequence number and refuses the next ones as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_in_the_sequence_of_records_is_closed_by_an_abort() {
    use RDKafkaRespErr::{
        RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE as TOO_LARGE,
        RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER as SKIPPED,
    };
    let stack = Stack::start(1).await;
    stack.register(false).await;
    stack.produce((0..3).map(|n| format!("not SAL {n}").into_bytes()));
    let errors = [TOO_LARGE, SKIPPED, SKIPPED];
    stack.broker.fail_next(RDKafkaApiKey::Produce, &errors).unwrap();
    let mut args = args(&stack);
    args.transaction_timeout = Duration::from_secs(3_600);
    args.kafka.settings.push("batch.num.messages=1".into());
    let running = stack.run(args);
    running.wait_for(LETTERS, 3).await;
    running.stop().await;
}

/// The stage, whose brokers refuse requests of this kind from the beginning.
async fn refused(stack: &Stack, args: RunArgs, request: RDKafkaApiKey, errors: &[RDKafkaRespErr]) -> Running {
    stack.register(false).await;
    stack.produce([message(0, None)]);
    stack.broker.fail_next(request, errors).unwrap();
    stack.run(args)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_that_cannot_continue_is_recreated() {
    for (request, error) in [
        // What the coordinator answers when the transaction has timed out.
        (
            RDKafkaApiKey::EndTxn,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
        ),
        // When a topic of the transaction was deleted.
        (
            RDKafkaApiKey::EndTxn,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_TXN_STATE,
        ),
        // When a broker has lost the sequence of the records.
        (
            RDKafkaApiKey::Produce,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
        ),
    ] {
        let stack = Stack::start(1).await;
        let running = refused(&stack, args(&stack), request, &[error]).await;
        running.wait_for(PRODUCED, 1).await;
        stack.produce([message(1, None)]);
        running.wait_for(PRODUCED, 2).await;
        running.wait_until_ready().await;
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_that_can_never_continue_ends_the_process() {
    let stack = Stack::start(1).await;
    let errors = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_TXN_STATE; 100];
    let running = refused(&stack, args(&stack), RDKafkaApiKey::EndTxn, &errors).await;
    running.fails().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_static_member_that_another_process_fences_ends_with_an_error() {
    let stack = Stack::start(1).await;
    let mut args = args(&stack);
    args.member.group_instance_id = Some("one".to_owned());
    let fenced = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH];
    refused(&stack, args, RDKafkaApiKey::EndTxn, &fenced)
        .await
        .fails()
        .await;
}
