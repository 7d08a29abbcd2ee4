//! `dead-letters show`: the newest dead letters, with their original messages.

use std::fmt::Write as _;

use clap::Args;
use operator::dead_letters::{Omitted, Shown, newest};
use operator::failure::Failure;
use operator::messages::decode::{Decoder, Form};
use operator::messages::message::shown_text;
use stage::Printable;
use stage::config::{KafkaArgs, RegistryArgs, Timestamp};

use super::selection::SelectionArgs;
use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, bad, bars, faint, good, note, plural, strong, warn};

/// Show dead letters: the original message, where it came from, and why it was refused
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd dead-letters show --reason bad_header --count 3")]
pub(super) struct ShowArgs {
    /// Number of dead letters to show of each dead-letter topic, the newest ones
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
    count: usize,
    #[command(flatten)]
    selection: SelectionArgs,
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
        let (selection, count, bars) = ((&self.selection).into(), self.count, bars());
        let question = move |cluster: &_| newest(cluster, &selection, count, &bars);
        let newest = ask(&self.kafka, question).await?;
        let selected = newest.selected;
        if selected == 0
            && let Some(failure) = self.selection.unmatched(&self.kafka).await?
        {
            return Err(failure);
        }
        let letters = newest.decode(&mut decoder).await;
        self.answer.print(&letters, || {
            let texts: Vec<String> = letters.iter().map(text).collect();
            texts.join("\n\n")
        })?;
        if !self.answer.json {
            note(&format!(
                "{} of {}",
                letters.len(),
                plural(selected, "dead letter")
            ));
        }
        Ok(Done::All)
    }
}

fn text(shown: &Shown) -> String {
    let Shown {
        letter,
        is_replayed,
        decoded,
    } = shown;
    let message = &letter.message;
    let time =
        |millis: Option<i64>| millis.map_or_else(|| "-".to_owned(), |millis| Timestamp(millis).to_string());
    let mut text = strong(Printable(letter.address()));
    let _ = write!(
        text,
        "  {}  {}",
        time(message.timestamp),
        bad(Printable(format!(
            "{}/{}",
            letter.header("stage"),
            letter.header("reason")
        )))
    );
    if *is_replayed {
        let _ = write!(text, "  {}", good("replayed"));
    }
    if letter.replay_of().is_some() {
        let _ = write!(text, "  {}", warn("refused again"));
    }
    let mut line = |name: &str, value: &str| {
        let _ = write!(text, "\n  {} {}", faint(format!("{name:<8}")), Printable(value));
    };
    line("detail", letter.header("detail"));
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
        None => line("from", "unknown: the headers are missing or unreadable"),
    }
    line("group", letter.header("group"));
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
                "{}: did not fit into the dead-letter topic; still in the topic of origin until its retention ends",
                parts.join(", ")
            ),
        );
    }
    text
}
