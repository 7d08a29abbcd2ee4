//! Names for the Tab key that only the brokers know. The brokers are those that the command line names so far, the
//! environment, or the named cluster. Whatever goes wrong, there are no names, nothing is printed, and the shell waits no
//! longer than a second.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use clap::Parser;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::next::words;
use crate::config::{ClusterArgs, ClusterFile, DefaultCluster, KafkaArgs, completed};
use crate::kafka::OneShotContext;

/// How long the brokers may take: somebody has pressed Tab.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// The flags of a connection, which are parsed; each has a value.
const FLAGS: [&str; 8] = [
    "--broker",
    "-b",
    "--set",
    "-X",
    "--kafka-config-file",
    "--kafka-token-file",
    "--cluster",
    "--config-file",
];

/// The part of a command line that says where the brokers are.
#[derive(Parser, Debug)]
#[command(disable_help_flag = true)]
struct Connection {
    #[command(flatten)]
    _clusters: ClusterArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

/// The names of topics that begin as typed; of internal ones behind their underscore.
pub(super) fn topics(line: &str, typed: &str, default: DefaultCluster) -> Vec<String> {
    let is_internal = |name: &str| name.starts_with('_');
    let mut names = asked(line, typed, default, |consumer| {
        let metadata = consumer.fetch_metadata(None, ANSWER_TIMEOUT).ok()?;
        let names = metadata.topics().iter().map(|topic| topic.name().to_owned());
        Some(names.collect())
    });
    names.retain(|name| is_internal(typed) || !is_internal(name));
    names
}

/// The names of consumer groups that begin as typed.
pub(super) fn groups(line: &str, typed: &str, default: DefaultCluster) -> Vec<String> {
    asked(line, typed, default, |consumer| {
        // Only a client that knows the brokers asks them for groups; by itself it would look for them too late.
        consumer.fetch_metadata(None, ANSWER_TIMEOUT).ok()?;
        let list = consumer.fetch_group_list(None, ANSWER_TIMEOUT).ok()?;
        Some(
            list.groups()
                .iter()
                .map(|group| group.name().to_owned())
                .collect(),
        )
    })
}

/// The names of clusters that begin as typed, from the file that the line or the environment names.
pub(super) fn clusters(line: &str, typed: &str) -> Vec<String> {
    let words = words(line);
    let flag = words.iter().position(|word| word == "--config-file");
    let given = flag
        .and_then(|flag| words.get(flag + 1).map(PathBuf::from))
        .or_else(|| std::env::var_os("KAFKA_EFD_CONFIG").map(PathBuf::from));
    let file = ClusterFile::path(given.as_deref()).and_then(|path| ClusterFile::read(&path).ok()?);
    let names = file
        .into_iter()
        .flat_map(|file| file.clusters)
        .map(|cluster| cluster.name);
    sorted(names.collect(), typed)
}

/// The brokers' answer; nothing if it does not come in time.
fn asked(
    line: &str,
    typed: &str,
    default: DefaultCluster,
    ask: impl FnOnce(&BaseConsumer<OneShotContext>) -> Option<Vec<String>> + Send + 'static,
) -> Vec<String> {
    let arguments = of_connection(words(line));
    let (answer, answered) = mpsc::channel();
    // The process ends with the answer, and this thread with it.
    std::thread::spawn(move || {
        let names = consumer(arguments, default).and_then(|consumer| {
            let names = ask(&consumer);
            // Closing it would keep the shell waiting.
            std::mem::forget(consumer);
            names
        });
        answer.send(names.unwrap_or_default())
    });
    sorted(answered.recv_timeout(ANSWER_TIMEOUT).unwrap_or_default(), typed)
}

fn sorted(mut names: Vec<String>, typed: &str) -> Vec<String> {
    names.retain(|name| name.starts_with(typed));
    names.sort_unstable();
    names
}

fn consumer(arguments: Vec<OsString>, default: DefaultCluster) -> Option<BaseConsumer<OneShotContext>> {
    let Connection { kafka, .. } = completed(arguments, default)?;
    let mut config = kafka
        .client_config(&[
            ("reconnect.backoff.ms", "50"),
            ("group.id", "kafka-efd-completion"),
        ])
        .ok()?;
    config.set("enable.auto.commit", "false");
    config.create_with_context(OneShotContext::default()).ok()
}

/// The program's name and the flags of the connection among the words, of which the last is not complete.
fn of_connection(mut words: Vec<String>) -> Vec<OsString> {
    words.pop();
    let mut rest = words.into_iter();
    let mut kept: Vec<OsString> = rest.next().into_iter().map(OsString::from).collect();
    while let Some(word) = rest.next() {
        let is_joined = |flag: &&str| {
            let value = word.strip_prefix(*flag);
            value.is_some_and(|value| value.starts_with('=') || flag.len() == 2)
        };
        if FLAGS.contains(&word.as_str()) {
            if let Some(value) = rest.next() {
                kept.extend([word.into(), value.into()]);
            }
        } else if FLAGS.iter().any(is_joined) {
            kept.push(word.into());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_is_taken_from_a_line_that_is_not_complete() {
        let kept = |line: &str| {
            let kept = of_connection(words(line));
            let texts: Vec<String> = kept.into_iter().map(|word| word.into_string().unwrap()).collect();
            texts.join(" ")
        };
        assert_eq!(
            kept("kafkaefd tail --broker b:1 -e lsst --filter --x -Xacks=all --set a=b ls"),
            "kafkaefd --broker b:1 -Xacks=all --set a=b"
        );
        assert_eq!(
            kept("kafkaefd --cluster=summit tail --broker"),
            "kafkaefd --cluster=summit"
        );
        assert_eq!(kept("kafkaefd tail --broker-less x -e "), "kafkaefd");
    }
}
