//! Clients that are stuck while the cluster works: behind a proxy that answers them without brokers, or not at all.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use saltransform::config::RunArgs;
use stage::config::KafkaArgs;
use testkit::{KafkaProxy, until_async};

use crate::PRODUCED;
use crate::stack::{Running, Stack, message};

const LETTERS: &str = "saltransform_dead_letters_total";
const STUCK: &str = "kafka_stuck_clients_total";
const TIMEOUT: Duration = Duration::from_secs(60);

/// Those of the stage, and not the fresh ones that look at the cluster.
fn is_ours(client: &str) -> bool {
    ["saltransform", "saltransform-dead-letters"].contains(&client)
}

fn behind(stack: &Stack, proxy: &KafkaProxy, exactly_once: bool) -> RunArgs {
    let mut args = stack.args();
    let settings = args.kafka.settings;
    args.kafka = KafkaArgs::at(proxy.bootstrap_servers());
    args.kafka.settings = settings;
    for setting in [
        "topic.metadata.refresh.interval.ms=500",
        "reconnect.backoff.ms=100",
        "reconnect.backoff.max.ms=500",
    ] {
        args.kafka.settings.push(setting.into());
    }
    args.exactly_once = exactly_once;
    args.commit_interval = Duration::from_millis(100);
    args
}

async fn start(exactly_once: bool, stuck_timeout: Duration) -> (Stack, KafkaProxy, Running) {
    // With many partitions librdkafka forgets its brokers sooner.
    let stack = Stack::start(300).await;
    stack.register(false).await;
    let proxy = KafkaProxy::start(stack.broker.bootstrap_servers()).unwrap();
    let mut args = behind(&stack, &proxy, exactly_once);
    args.service.stuck_timeout = stuck_timeout;
    let running = stack.run(args);
    stack.produce((0..50).map(|n| message(n, None)));
    stack.produce([b"no SAL".to_vec()]);
    running.wait_for(PRODUCED, 50).await;
    running.wait_for(LETTERS, 1).await;
    (stack, proxy, running)
}

async fn goes_on_after_answers_without_brokers() {
    let (stack, proxy, running) = start(false, Duration::from_secs(60)).await;
    proxy.forget_brokers(usize::MAX, is_ours);
    let (mut answers, mut since) = (0, Instant::now());
    // Which clients lose their brokers is chance; the more partitions they know the surer it is.
    until_async("they ask no more, or are lucky", TIMEOUT.as_secs(), || {
        if proxy.forgotten() != answers {
            (answers, since) = (proxy.forgotten(), Instant::now());
        }
        let is_over = answers > 60 || (answers > 0 && since.elapsed() > Duration::from_secs(3));
        is_over.then_some(()).ok_or_else(|| format!("{answers} answers"))
    })
    .await;
    proxy.forget_brokers(0, |_| false);
    stack.produce((50..100).map(|n| message(n, None)));
    stack.produce([b"no SAL either".to_vec()]);
    running.wait_for(PRODUCED, 100).await;
    running.wait_for(LETTERS, 2).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_clients_go_on_after_answers_without_brokers() {
    goes_on_after_answers_without_brokers().await;
}

/// Silent to the clients whatever they do, so that only new ones could help.
async fn loses_nothing_when_clients_are_recreated(exactly_once: bool) {
    // On a busy machine the new clients, too, are slow; if they seemed stuck, the stage would end.
    let (stack, proxy, running) = start(exactly_once, Duration::from_secs(5)).await;
    stack.produce((50..100).map(|n| message(n, None)));
    proxy.silence(is_ours);
    stack.produce((100..150).map(|n| message(n, None)));
    running.wait_for_label(STUCK, "remade", 1).await;
    proxy.silence(|_| false);
    stack.produce((150..200).map(|n| message(n, None)));
    // What was in flight when the clients were given up may have arrived, and come again. (The embedded broker keeps no offsets
    // of transactions.)
    let mut seen = BTreeSet::new();
    while seen.len() < 200 {
        running.wait_for(PRODUCED, seen.len() as u64 + 1).await;
        let there = usize::try_from(running.count(PRODUCED)).unwrap();
        let records = stack.records(there).await;
        seen = records
            .iter()
            .map(|(_, record)| record["sal_sequence"].as_i64().unwrap())
            .collect();
        assert!(there < 2_000, "{} of 200 in {there}", seen.len());
        assert!(!running.has_failed(), "it has ended: {} of 200", seen.len());
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_clients_are_recreated() {
    loses_nothing_when_clients_are_recreated(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_with_transactions() {
    loses_nothing_when_clients_are_recreated(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_that_gets_no_answer_has_all_clients_recreated() {
    let (stack, proxy, running) = start(false, Duration::from_secs(2)).await;
    proxy.silence(|client| client == "saltransform-dead-letters");
    stack.produce([b"no SAL either".to_vec()]);
    running.wait_for_label(STUCK, "remade", 1).await;
    proxy.silence(|_| false);
    running.wait_for(LETTERS, 2).await;
    running.stop().await;
}
