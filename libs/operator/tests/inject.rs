//! Messages are injected in chunks from files and from a topic, and what is sent is accounted for.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use devstack::Broker;
use operator::cluster::Cluster;
use operator::failure::Failure;
use operator::inject::{Framing, Input, Plan, Report, Step, run};
use operator::messages::message::Message;
use operator::messages::reader::{Met, Reader, Start, Stop};
use stage::config::KafkaArgs;

struct Stack {
    broker: Broker,
    folder: tempfile::TempDir,
}

impl Stack {
    fn start() -> Self {
        let broker = Broker::start().unwrap();
        for topic in ["one", "other"] {
            broker.create_topic(topic, 1).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        Self { broker, folder }
    }

    fn cluster(&self) -> Cluster {
        Cluster::reach(&KafkaArgs::at(self.broker.bootstrap_servers())).unwrap()
    }

    fn file(&self, name: &str, content: &[u8], framing: Framing) -> Input {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        Input::Files(vec![path], framing)
    }

    fn values(&self, topic: &str) -> Vec<String> {
        let values = self.messages(topic).into_iter();
        values
            .map(|message| String::from_utf8(message.value.unwrap()).unwrap())
            .collect()
    }

    fn messages(&self, topic: &str) -> Vec<Message> {
        let cluster = self.cluster();
        let topic = cluster.topic(topic).unwrap();
        let mut reader = Reader::open(&cluster, topic, None, Start::Beginning, Stop::AtEnd).unwrap();
        let mut found = Vec::new();
        loop {
            match reader.next(Duration::from_millis(100)).unwrap() {
                Met::Message(message) => found.push(*message),
                Met::Nothing => {}
                Met::End => return found,
            }
        }
    }
}

fn plan(topic: &str, input: Input, chunk: u64, count: Option<u64>) -> Plan {
    Plan {
        topic: topic.to_owned(),
        input,
        every: Duration::from_millis(1),
        chunk,
        count,
    }
}

#[test]
fn the_input_is_begun_again_until_all_is_sent() {
    let stack = Stack::start();
    let lines = stack.file("lines", b"a\n\nb\nc\n", Framing::Lines);
    let steps = RefCell::new(Vec::new());
    let note = |step: Step<'_>| {
        steps.borrow_mut().push(match step {
            Step::Sending(size) => size.to_string(),
            Step::Sent { lost, .. } => format!("{} lost", lost.len()),
        });
    };
    let report = run(
        &stack.cluster(),
        &plan("one", lines, 4, Some(10)),
        &|| false,
        &note,
    );
    assert_eq!(
        report.unwrap(),
        Report {
            topic: "one".to_owned(),
            chunks: 3,
            delivered: 10,
            lost: 0,
            rounds: 4,
            without_headers: 0
        }
    );
    assert_eq!(steps.into_inner(), ["4", "0 lost", "4", "0 lost", "2", "0 lost"]);
    assert_eq!(stack.values("one").concat(), "abcabcabca");

    let copied = run(
        &stack.cluster(),
        &plan("other", Input::Topic("one".to_owned()), 12, Some(12)),
        &|| false,
        &|_| (),
    );
    assert_eq!(copied.unwrap().rounds, 2);
    assert_eq!(stack.values("other").concat(), "abcabcabcaab");
}

#[test]
fn a_chunk_that_is_under_way_is_finished() {
    let stack = Stack::start();
    let frames = stack.file("frames", b"\0\0\0\x03d\ne\0\0\0\x01f", Framing::Lengths);
    let mut endless = plan("one", frames, 3, None);
    endless.every = Duration::from_secs(3_600);
    let is_stopped = Cell::new(false);
    let start = Instant::now();
    let report = run(&stack.cluster(), &endless, &|| is_stopped.get(), &|step| {
        is_stopped.set(matches!(step, Step::Sending(_)) || is_stopped.get())
    });
    let report = report.unwrap();
    assert_eq!((report.chunks, report.delivered), (1, 3));
    assert!(start.elapsed() < Duration::from_secs(60));
    assert_eq!(stack.values("one"), ["d\ne", "f", "d\ne"]);
}

#[test]
fn what_cannot_be_sent_is_refused_before_anything_is() {
    let stack = Stack::start();
    let silent = |step: Step<'_>| panic!("{step:?}");
    let refused = |topic: &str, input: Input| {
        run(
            &stack.cluster(),
            &plan(topic, input, 1, Some(1)),
            &|| false,
            &silent,
        )
        .unwrap_err()
    };
    let itself = refused("one", Input::Topic("one".to_owned()));
    assert!(matches!(itself, Failure::Usage(_)), "{itself:?}");
    let absent = refused(
        "one",
        Input::Files(vec![stack.folder.path().join("absent")], Framing::Lines),
    );
    assert!(absent.to_string().contains("absent failed"), "{absent:?}");
    for input in [Input::Topic("nowhere".to_owned()), Input::Topic("one".to_owned())] {
        let unknown = refused("nowhere", input);
        assert!(matches!(unknown, Failure::Unknown { .. }), "{unknown:?}");
    }

    let empty = stack.file("empty", b"\n", Framing::Lines);
    let empty = run(&stack.cluster(), &plan("one", empty, 1, None), &|| false, &|_| ()).unwrap_err();
    assert_eq!(empty.to_string(), "the input contains no messages");
}
