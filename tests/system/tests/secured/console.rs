//! kafkaefd console with the permissions of docs/security.md: its pages show what they should, and without any one of the
//! permissions a page says what is lacking.

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::program::Program;
use super::rights::Names;
use super::stack::{Mechanism, Secured, message, words};
use crate::real::until;

/// A permission that is left out, the page that lacks it, and what that page shows then.
const LACKING: [(&str, &str, &str); 3] = [
    ("read", "messages", "there is no topic"),
    ("describe_configs", "topic", "They are not known"),
    ("describe", "group", "there is no group"),
];

#[test]
fn each_permission_of_the_console_is_needed_and_they_suffice() {
    let Some(secured) = Secured::with("console") else {
        return;
    };
    let (input, output) = secured.mocked();
    secured.produce(&input, (0..3).map(message));
    let names = secured.names(&input, &output);
    commit(&secured, &names);
    let pages = |page: &str| match page {
        "group" => format!("group?name={}", names.group),
        "messages" => format!("messages?topic={input}&start=beginning&long=1"),
        _ => format!("topic?name={input}"),
    };
    let whole = Running::start(&secured, &names, &[]);
    for (page, expected) in [
        ("group", "Partitions"),
        ("messages", "searched 3 of 3"),
        ("topic", "Newest message"),
        ("topic", "All as the brokers set them"),
    ] {
        let text = whole.page(&pages(page));
        assert!(text.contains(expected), "{page} without {expected}: {text}");
        // That the messages cannot be decoded, as nobody has registered their schema, is not a matter of permissions.
        assert!(!text.contains("authorization failed"), "{page}: {text}");
    }
    for (operation, page, expected) in LACKING {
        let lacking = Running::start(&secured, &names, &[(operation, "{any}")]);
        let text = lacking.page(&pages(page));
        assert!(text.contains(expected), "{page} without {operation}: {text}");
    }
}

fn commit(secured: &Secured, names: &Names) {
    let consumer: BaseConsumer = secured.admin().set("group.id", &names.group).create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets
        .add_partition_offset(&names.input, 0, Offset::Offset(1))
        .unwrap();
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
}

struct Running(Program);

impl Running {
    /// A console with a user of its own.
    fn start(secured: &Secured, names: &Names, without: &[(&str, &str)]) -> Self {
        let lacks = without.first().map_or("nothing", |(operation, _)| operation);
        let user = format!("{}.{lacks}", secured.name);
        secured.set_password(&user, "the right one");
        secured.allow("console", &user, names, without);
        let settings = secured.scram(&user, "the right one");
        let client = secured.client(Mechanism::Scram, &user, &settings);
        let command = words(&["console", "--port", "0"]);
        Self(Program::start(
            secured,
            "kafkaefd",
            &[command, client, secured.registry()],
        ))
    }

    fn page(&self, path: &str) -> String {
        until("the console answers", 60, || {
            self.0.page(path).ok_or_else(|| self.0.output())
        })
    }
}
