//! An intake whose consumer gets stuck while the cluster works, and one whose cluster is unavailable. The embedded
//! broker is behind a proxy that answers a client without brokers, or not at all.
#![allow(clippy::expect_used, clippy::panic, reason = "a failed step is a failed test")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod consumer;

use std::thread::JoinHandle;
use std::time::Duration;

use consumer::{Seen, TOPIC, wait_until};
use devstack::Broker;
use rdkafka::ClientConfig;
use stage::config::ServiceArgs;
use stage::intake::{Intake, IntakeError, IntakeOptions, Topics, run_generations};
use stage::kafka::Reporter;
use stage::metrics::KafkaMetrics;
use stage::service::{Service, Shutdown};
use testkit::KafkaProxy;
use testkit::raw::Batch;

const CLIENT: &str = "intake";
/// While librdkafka processes a response with this many topics, it loses its brokers, and what would have restored
/// them.
const PARTITIONS: i32 = 300;
const STUCK: Duration = Duration::from_secs(2);

struct Stage {
    broker: Broker,
    proxy: KafkaProxy,
    service: Service,
    metrics: KafkaMetrics,
    seen: Seen,
    thread: JoinHandle<Result<(), IntakeError>>,
}

impl Stage {
    /// A stage that runs in generations on a topic with some messages, and has read them.
    fn start(settings: &[(&str, &str)], stuck_timeout: Duration) -> Self {
        let broker = Broker::start().unwrap();
        broker.create_topic(TOPIC, PARTITIONS).unwrap();
        let proxy = KafkaProxy::start(broker.bootstrap_servers()).unwrap();
        let service = Service::embedded(&ServiceArgs::default());
        let metrics = KafkaMetrics::register(&service.metrics).unwrap();
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", proxy.bootstrap_servers())
            .set("client.id", CLIENT)
            .set("topic.metadata.refresh.interval.ms", "500")
            .set("reconnect.backoff.max.ms", "500")
            .set("statistics.interval.ms", "500");
        for (key, value) in Broker::fetch_hints().iter().chain(settings) {
            config.set(*key, *value);
        }
        if config.get("group.protocol").is_none() {
            config.set("session.timeout.ms", "6000");
        }
        let mut options = IntakeOptions::new(config, "group", Topics::Named(vec![TOPIC.to_owned()]));
        options.workers = 1;
        options.commit_interval = Duration::from_millis(50);
        options.stuck_timeout = stuck_timeout;
        let seen = Seen::default();
        let reporter = Reporter::new(metrics.clone(), service.readiness.dependency("kafka"));
        let run = {
            let seen = seen.clone();
            move |shutdown: &Shutdown, say: &dyn Fn(Result<(), IntakeError>)| {
                let intake = Intake::new(options.clone(), reporter.renewed()).unwrap();
                say(intake.run(&seen, shutdown));
            }
        };
        let thread = std::thread::spawn({
            let (shutdown, metrics) = (service.shutdown.clone(), metrics.clone());
            let remake = IntakeError::remake;
            move || run_generations(&shutdown, &metrics, stuck_timeout, run, remake)
        });
        let stage = Self {
            broker,
            proxy,
            service,
            metrics,
            seen,
            thread,
        };
        stage.reads("first");
        stage
    }

    /// Produces a message, past the proxy, and waits until it is read.
    fn reads(&self, value: &str) {
        self.produce(value);
        wait_until(&format!("{value} is read"), || self.has_read(value));
    }

    fn produce(&self, value: &str) {
        let record = Batch::new().record(value.as_bytes(), &[]);
        record.send(self.broker.bootstrap_servers(), TOPIC, 0).unwrap();
    }

    fn has_read(&self, value: &str) -> bool {
        self.seen.counts.lock().unwrap().contains_key(value.as_bytes())
    }

    fn remedies(&self, client: &str, remedy: &str) -> u64 {
        self.metrics.stuck.with_label_values(&[client, remedy]).get()
    }

    fn stop(self) {
        self.service.shutdown.ask();
        wait_until("the stage ends", || self.thread.is_finished());
        self.thread.join().unwrap().unwrap();
        assert!(!self.service.shutdown.has_failed());
    }
}

/// A fenced broker answers this way. After one to about ten such answers librdkafka 2.12 has forgotten all brokers and
/// looks for none again (its issue 5301).
fn reads_on_after_answers_without_brokers(settings: &[(&str, &str)]) {
    // Long enough that the watch does nothing while the brokers are being forgotten.
    let stage = Stage::start(settings, 30 * STUCK);
    stage.proxy.forget_brokers(usize::MAX, |client| client == CLIENT);
    wait_until("it asks no more", || {
        let answers = stage.proxy.forgotten();
        std::thread::sleep(Duration::from_secs(3));
        answers > 0 && stage.proxy.forgotten() == answers
    });
    stage.proxy.forget_brokers(0, |_| false);
    stage.reads("afterwards");
    assert!(stage.remedies("consumer", "bootstrap") >= 1);
    assert_eq!(
        stage.remedies("all", "remade"),
        0,
        "the brokers' addresses are enough"
    );
    stage.stop();
}

#[test]
fn a_consumer_that_gets_answers_without_brokers_continues() {
    reads_on_after_answers_without_brokers(&[]);
}

#[test]
fn a_consumer_that_the_broker_assigns_also_continues() {
    reads_on_after_answers_without_brokers(&[("group.protocol", "consumer")]);
}

#[test]
fn a_consumer_that_gets_no_answer_while_others_do_is_recreated() {
    let stage = Stage::start(&[], STUCK);
    stage.proxy.silence(|client| client == CLIENT);
    stage.produce("while it is stuck");
    wait_until("it is recreated", || stage.remedies("all", "remade") == 1);
    assert!(!stage.has_read("while it is stuck"));
    // The first one recovers together with the second, and must not interfere.
    stage.proxy.silence(|_| false);
    wait_until("the message is read", || stage.has_read("while it is stuck"));
    stage.reads("afterwards");
    stage.stop();
}

#[test]
fn a_stall_that_new_clients_do_not_end_is_an_error() {
    let stage = Stage::start(&[], STUCK);
    stage.proxy.silence(|client| client == CLIENT);
    wait_until("the stage ends", || stage.thread.is_finished());
    let error = stage.thread.join().unwrap().unwrap_err();
    assert!(
        matches!(error, IntakeError::Stuck { client: "consumer" }),
        "{error}"
    );
    assert!(stage.service.shutdown.has_failed(), "/live says so");
}

#[test]
fn an_outage_is_waited_out() {
    let stage = Stage::start(&[], STUCK);
    stage.broker.down().unwrap();
    std::thread::sleep(4 * STUCK);
    stage.broker.up().unwrap();
    stage.proxy.silence(|_| true);
    std::thread::sleep(4 * STUCK);
    stage.proxy.silence(|_| false);
    stage.reads("after the outage");
    assert_eq!(stage.remedies("all", "remade"), 0);
    stage.stop();
}
