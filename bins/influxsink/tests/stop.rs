//! The stop of a process whose Kafka client is stuck: the real binary ends within its drain's deadline and a few seconds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use devstack::Broker;
use testkit::KafkaProxy;
use testkit::raw::Batch;

const TOPIC: &str = "lsst.sal.Test.scalars";
const TIMEOUT: Duration = Duration::from_secs(60);
const DRAIN: Duration = Duration::from_secs(2);
/// The process is killed 5 s later; the rest is a margin for a busy machine.
const END: Duration = Duration::from_secs(12);

struct Sink {
    process: Child,
    log: Receiver<String>,
}

impl Sink {
    fn start(broker: &str, drain: Duration) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_influxsink"))
            .args(["run", TOPIC, "--broker", broker])
            .args([
                "--schema-registry",
                "http://127.0.0.1:1",
                "--into",
                "http://127.0.0.1:1?db=efd",
            ])
            .args([
                "--drain-timeout",
                &drain.as_secs().to_string(),
                "--prometheus-port",
                "0",
            ])
            // The watch would repair what the test needs broken.
            .args([
                "--stuck-timeout",
                "86400",
                "-X",
                "topic.metadata.refresh.interval.ms=500",
            ])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(process.stderr.take().unwrap());
        let (line, log) = channel();
        std::thread::spawn(move || {
            for text in stderr.lines().map_while(Result::ok) {
                let _ = line.send(text);
            }
        });
        let sink = Self { process, log };
        sink.says("rebalance");
        sink
    }

    fn says(&self, what: &str) {
        let start = Instant::now();
        while !self.log.recv_timeout(TIMEOUT).unwrap().contains(what) {
            assert!(start.elapsed() < TIMEOUT, "it does not say {what:?}");
        }
    }

    fn terminate(&self) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Sends SIGTERM and waits for the end.
    fn stop(&mut self) -> (ExitStatus, Duration) {
        self.terminate();
        let start = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return (status, start.elapsed());
            }
            assert!(start.elapsed() < TIMEOUT, "still stopping");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_stop_ends_in_time_when_the_brokers_are_forgotten() {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 300).unwrap();
    let proxy = KafkaProxy::start(broker.bootstrap_servers()).unwrap();
    let mut sink = Sink::start(proxy.bootstrap_servers(), DRAIN);
    proxy.forget_brokers(usize::MAX, |client| client == "influxsink");
    let start = Instant::now();
    let mut answers = (0, Instant::now());
    while answers.0 == 0 || answers.1.elapsed() < Duration::from_secs(3) {
        assert!(start.elapsed() < TIMEOUT, "{} answers", answers.0);
        if proxy.forgotten() != answers.0 {
            answers = (proxy.forgotten(), Instant::now());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let (status, took) = sink.stop();
    assert!(took < END, "{status} after {took:?}");
}

#[test]
fn a_stop_ends_in_time_when_the_broker_no_longer_answers() {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 4).unwrap();
    let proxy = KafkaProxy::start(broker.bootstrap_servers()).unwrap();
    let mut sink = Sink::start(proxy.bootstrap_servers(), DRAIN);
    proxy.silence(|_| true);
    let (status, took) = sink.stop();
    assert!(took < END, "{status} after {took:?}");
}

/// A drain waits for a database, or as here a registry, that does not answer. The log says how not to wait for it.
#[test]
fn a_second_signal_ends_a_stop_that_waits_and_the_first_says_so() {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 1).unwrap();
    let mut sink = Sink::start(broker.bootstrap_servers(), 10 * TIMEOUT);
    let frame = [0, 0, 0, 0, 1, 0];
    let record = Batch::new().record(&frame, &[]);
    record.send(broker.bootstrap_servers(), TOPIC, 0).unwrap();
    sink.says("dependency is unavailable");
    sink.terminate();
    sink.says("a second signal stops at once");
    let (status, took) = sink.stop();
    assert_eq!(status.code(), Some(130));
    assert!(took < END, "{took:?}");
}
