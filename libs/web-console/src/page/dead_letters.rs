//! Dead letters: how many by step, reason and origin; the newest with their bytes; and their replay, planned first.

use maud::{Markup, html};
use operator::dead_letters::{Plan, Replayed, Row, Shown};
use operator::messages::message::shown_text;

use super::groups::{Next, forgotten, form_token};
use crate::access::User;
use crate::format::{UNKNOWN, count, plural, shown, time};
use crate::params::{Params, link};

/// The parameters that select dead letters.
pub(crate) const SELECTING: [&str; 4] = ["in", "step", "reason", "topic"];

/// How much of a value is shown.
const MAX_SHOWN_BYTES: usize = 4_096;

/// What was found.
pub(crate) struct DeadLetters {
    pub(crate) rows: Vec<Row>,
    /// The newest, the last first.
    pub(crate) letters: Vec<Shown>,
    pub(crate) selected: usize,
    /// How many were read to count them, of how many there are.
    pub(crate) read: u64,
    pub(crate) held: u64,
}

pub(crate) fn page(found: &DeadLetters, params: &Params, user: Option<&User>) -> Markup {
    let DeadLetters {
        rows,
        letters,
        selected,
        ..
    } = found;
    let is_selected = SELECTING.iter().any(|name| params.get(name).is_some());
    html! {
        h1 { "Dead letters" }
        @if is_selected {
            p.row {
                @for name in SELECTING { @if let Some(value) = params.get(name) { span { (name) " " b { (shown(value)) } } } }
                a href="dead-letters" { "Show all" }
            }
        }
        @if found.read < found.held {
            p.note #counted { "Counted in the newest " (count(found.read)) " of " (count(found.held)) " dead letters. " a href=(format!("dead-letters?{}", params.with("all", Some("1")).encoded())) { "Count all" } }
        }
        @if rows.is_empty() { p.panel.nothing { span.dot.good {} "No dead letters." } }
        @else {
            (table(rows))
            @if let Some(user) = user {
                form.panel.row action="dead-letters-plan" method="post" {
                    (form_token(user))
                    @for name in SELECTING { @if let Some(value) = params.get(name) { input type="hidden" name=(name) value=(value); } }
                    button.plain { "Plan a replay of these" }
                    p.note { "Each original is sent once to the topic it came from. The plan is shown first." }
                }
            }
            p.note { "The newest " (letters.len()) " of " (count(*selected)) " · " a href=(format!("dead-letters.json?{}", params.encoded())) download { "JSON" } }
            @for letter in letters { (one(letter)) }
        }
    }
}

fn table(rows: &[Row]) -> Markup {
    html! {
        div.panel.scroll tabindex="0" role="region" aria-label="Dead letters by reason" {
            table {
                thead {
                    tr {
                        th scope="col" { "Step" } th scope="col" { "Reason" } th scope="col" { "From topic" } th.number scope="col" { "Dead letters" }
                        th.number scope="col" { "Replayed" } th scope="col" { "First" } th scope="col" { "Last" } th scope="col" { "In" }
                    }
                }
                tbody {
                    @for row in rows {
                        tr {
                            td { (shown(&row.stage)) }
                            td { a href=(link("dead-letters", &[("step", &row.stage), ("reason", &row.reason), ("topic", &row.topic), ("in", &row.dead_letter_topic)])) { (shown(&row.reason)) } }
                            td { a href=(link("topic", &[("name", &row.topic)])) { (shown(&row.topic)) } }
                            td.number { (count(row.letters)) } td.number { (count(row.replayed)) }
                            td { (row.first.map_or_else(|| UNKNOWN.to_owned(), |millis| time(millis, false))) }
                            td { (row.last.map_or_else(|| UNKNOWN.to_owned(), |millis| time(millis, false))) }
                            td { (shown(&row.dead_letter_topic)) }
                        }
                    }
                }
            }
        }
    }
}

fn one(found: &Shown) -> Markup {
    let (letter, message) = (&found.letter, &found.letter.message);
    html! {
        article.panel {
            h2 {
                (shown(letter.header("stage"))) " / " (shown(letter.header("reason")))
                @if found.is_replayed { span.badge { "replayed" } } @else if letter.replay_of().is_some() { span.badge { "refused again" } }
            }
            p { (shown(letter.header("detail"))) }
            p.note {
                @match &letter.origin {
                    Some(origin) => { "from " a href=(link("messages", &[("topic", &origin.topic), ("partition", &origin.partition.to_string()), ("start", &origin.offset.to_string())])) { (shown(&origin.topic)) " " (origin.partition) ":" (origin.offset) } },
                    None => "from an unknown place",
                }
                @if let Some(millis) = message.timestamp { " · " (time(millis, true)) " UTC" }
                " · group " (shown(letter.header("group"))) " · " span.code { (shown(letter.address())) }
            }
            @match &message.value {
                Some(value) => {
                    @let beginning = beginning(value);
                    p.code { (shown(shown_text(beginning))) }
                    p.note {
                        @if beginning.len() < value.len() { "the first " (count(beginning.len())) " of " }
                        (plural(value.len(), "byte"))
                        @if beginning.len() < value.len() { "; all of them are in the JSON and in " code { "kafkaefd dead-letters show" } }
                        @if let Some(problem) = &found.decoded.problem { " · " (shown(problem)) }
                    }
                },
                None => p.nothing { "No value." },
            }
        }
    }
}

/// What of a value is shown: of text, whole characters.
fn beginning(value: &[u8]) -> &[u8] {
    let end = match str::from_utf8(value) {
        Ok(text) => text.floor_char_boundary(MAX_SHOWN_BYTES),
        Err(_) => value.len().min(MAX_SHOWN_BYTES),
    };
    value.get(..end).unwrap_or(value)
}

/// How far a replay has come.
#[derive(Clone, Copy)]
pub(crate) enum Stage<'r> {
    Planned(&'r Next),
    Replayed(&'r Replayed),
}

/// What a replay will do, or has done.
pub(crate) fn plan(plan: &Plan, stage: Stage<'_>, params: &Params, user: &User) -> Markup {
    let (next, replayed) = match stage {
        Stage::Planned(next) => (Some(next), None),
        Stage::Replayed(replayed) => (None, Some(replayed)),
    };
    html! {
        h1 { @if replayed.is_some() { "Replayed" } @else { "Plan: replay dead letters" } }
        @if let Some(next) = next { (forgotten(next)) }
        @if let Some(replayed) = replayed {
            p.done role="status" { (plural(replayed.replayed, "message")) " sent to where they came from." }
            @for refused in &replayed.refused { p.problem { (shown(&refused.letter)) ": " (shown(&refused.reason)) } }
        } @else if let Some(next) = next.filter(|_| plan.replays() > 0) {
            form.panel action="dead-letters-replay" method="post" {
                (form_token(user))
                input type="hidden" name="plan" value=(next.id);
                @for name in SELECTING { @if let Some(value) = params.get(name) { input type="hidden" name=(name) value=(value); } }
                p { "This sends " b { (plural(plan.replays(), "message")) } " to the topics below, each once. Consumers of those topics read them." }
                p.row { button.danger { "Replay" } a href="dead-letters" { "Leave them" } }
            }
        } @else { p.panel { "There is nothing to replay: " (plural(plan.replayed_before, "dead letter")) " replayed before." } }
        div.panel.scroll tabindex="0" role="region" aria-label="Routes" {
            table {
                thead { tr { th scope="col" { "To" } th.number scope="col" { "Messages" } th scope="col" { "From" } th scope="col" { "State" } } }
                tbody {
                    @for route in &plan.routes {
                        tr { th scope="row" { (shown(&route.topic)) } td.number { (count(route.letters)) } td { (shown(&route.dead_letter_topic)) } td { (route.obstacle.unwrap_or("can be replayed")) } }
                    }
                }
            }
        }
        p { a href="dead-letters" { "All dead letters" } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_text_ends_with_a_whole_character() {
        let text = format!("x{}", "°".repeat(MAX_SHOWN_BYTES));
        let beginning = beginning(text.as_bytes());
        assert_eq!(beginning.len(), MAX_SHOWN_BYTES - 1);
        assert!(str::from_utf8(beginning).is_ok());
        assert_eq!(super::beginning(b"short"), b"short");
        assert_eq!(super::beginning(&[0xff; 5_000]).len(), MAX_SHOWN_BYTES);
    }
}
