//! `dead-letters show`: the letters themselves.

use std::collections::VecDeque;
use std::fmt::Write as _;

use clap::Args;
use serde_json::{Map, Value, json};
use stage::Printable;
use stage::config::{KafkaArgs, Moment, RegistryArgs};

use super::dead_letter::{Letter, Omitted};
use super::replay_log::Marks;
use super::selection::ChoiceArgs;
use crate::commands::reach;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, bad, faint, good, note, plural, strong, warn};
use operator::failure::Failure;
use operator::messages::decode::{Decoded, Decoder, Form};
use operator::messages::message::{shown, shown_text};

/// Show dead letters: the original bytes, where they came from, and why they are here
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd dead-letters show --reason bad_header --count 3")]
pub(super) struct ShowArgs {
    /// The newest so many of each topic of dead letters
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
    count: usize,
    #[command(flatten)]
    choice: ChoiceArgs,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl ShowArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let mut decoder = Decoder::new(&self.registry)?;
        let cluster = reach(&self.kafka)?;
        let (mut found, mut people, mut programs) = (0, Vec::new(), Vec::new());
        for topic in self.choice.topics(&cluster)? {
            let marks = Marks::read(&cluster, &topic.name)?;
            let mut newest = VecDeque::new();
            self.choice.read(&cluster, topic, |letter| {
                found += 1;
                newest.push_back(letter);
                if newest.len() > self.count {
                    newest.pop_front();
                }
                Ok(())
            })?;
            for letter in newest {
                let message = &letter.message;
                let decoded = decoder
                    .decode(message.value.as_deref(), letter.original_timestamp())
                    .await;
                let replayed = marks.has(&letter);
                if self.answer.json {
                    programs.push(for_programs(&letter, &decoded, replayed));
                } else {
                    people.push(for_people(&letter, &decoded, replayed));
                }
            }
        }
        let shown = people.len();
        self.answer.print(&programs, || people.join("\n\n"))?;
        if !self.answer.json {
            note(&format!("{} of {}", shown, plural(found, "dead letter")));
        }
        Ok(Done::All)
    }
}

fn for_programs(letter: &Letter, decoded: &Decoded, replayed: bool) -> Value {
    let message = &letter.message;
    let headers: Map<String, Value> = letter
        .original_headers()
        .into_iter()
        .map(|(name, value)| (name, value.as_deref().map(shown).unwrap_or_default()))
        .collect();
    let origin = letter.origin.as_ref().map(|origin| {
        json!({
            "topic": origin.topic,
            "partition": origin.partition,
            "offset": origin.offset,
            "timestamp": letter.original_timestamp(),
        })
    });
    json!({
        "dead_letter": {
            "topic": message.topic,
            "partition": message.partition,
            "offset": message.offset,
            "timestamp": message.timestamp,
        },
        "stage": message.header_text("stage"),
        "reason": message.header_text("reason"),
        "detail": message.header_text("detail"),
        "group": message.header_text("group"),
        "origin": origin,
        "replayed": replayed,
        "replay_of": letter.replay_of(),
        "omitted": letter.omitted,
        "key": message.key.as_deref().map(shown),
        "headers": headers,
        "original": message.value.as_deref().map(shown),
        "form": decoded.form.name(),
        "decoded": decoded.value,
    })
}

fn for_people(letter: &Letter, decoded: &Decoded, replayed: bool) -> String {
    let message = &letter.message;
    let time =
        |millis: Option<i64>| millis.map_or_else(|| "-".to_owned(), |millis| Moment(millis).to_string());
    let mut text = strong(Printable(letter.address()));
    let _ = write!(
        text,
        "  {}  {}",
        time(message.timestamp),
        bad(Printable(format!(
            "{}/{}",
            letter.said("stage"),
            letter.said("reason")
        )))
    );
    if replayed {
        let _ = write!(text, "  {}", good("replayed"));
    }
    if letter.replay_of().is_some() {
        let _ = write!(text, "  {}", warn("refused again"));
    }
    let mut line = |name: &str, value: &str| {
        let _ = write!(text, "\n  {} {}", faint(format!("{name:<8}")), Printable(value));
    };
    line("detail", letter.said("detail"));
    match &letter.origin {
        Some(origin) => line(
            "from",
            &format!(
                "{}[{}]@{} of {}",
                origin.topic,
                origin.partition,
                origin.offset,
                time(letter.original_timestamp())
            ),
        ),
        None => line(
            "from",
            "nobody can tell: it has no such headers, or none that can be read",
        ),
    }
    line("group", letter.said("group"));
    if let Some(address) = letter.replay_of() {
        line("replay", &format!("of {address}"));
    }
    if let Some(key) = &message.key {
        line("key", &shown_text(key));
    }
    for (name, value) in letter.original_headers() {
        line(
            "header",
            &format!("{name}={}", shown_text(value.as_deref().unwrap_or_default())),
        );
    }
    match &message.value {
        Some(value) => {
            line(
                "original",
                &format!("{} ({})", shown_text(value), plural(value.len(), "byte")),
            );
            if matches!(decoded.form, Form::Avro) || decoded.value.is_object() {
                line("decoded", &decoded.text());
            }
        }
        None if letter.omitted.is_some_and(|omitted| omitted.value.is_some()) => {}
        None => line("original", "no value"),
    }
    if let Some(Omitted { value, key, headers }) = letter.omitted {
        let parts = [("value", value), ("key", key), ("headers", headers)];
        let parts = parts.iter().filter_map(|(name, length)| Some((name, (*length)?)));
        let parts: Vec<String> = parts
            .map(|(name, length)| format!("{name} ({})", plural(length, "byte")))
            .collect();
        line(
            "omitted",
            &format!(
                "{}: did not fit into this topic; where it came from, it is kept as long as that topic keeps it",
                parts.join(", ")
            ),
        );
    }
    text
}
