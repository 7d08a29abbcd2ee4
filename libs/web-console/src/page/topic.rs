//! A topic: its newest message with units and descriptions, its partitions, its settings.

use maud::{Markup, html};
use operator::messages::decode::{Decoded, Form};
use operator::messages::message::Message;
use operator::telemetry::{Field, FieldKind, RecordFields};
use operator::topics::{Setting, TopicOffsets};
use serde_json::Value;

use crate::format::{bytes, count, plural, shown, time};
use crate::params::link;

/// Items of an array that are shown, each with a link to its plot.
const MAX_ITEMS: usize = 64;

/// What is known of a topic.
pub(crate) struct Topic<'a> {
    pub(crate) name: &'a str,
    pub(crate) newest: Option<&'a (Message, Decoded)>,
    pub(crate) fields: Option<&'a RecordFields>,
    pub(crate) offsets: &'a TopicOffsets,
    /// None where they are not known.
    pub(crate) settings: Option<&'a [Setting]>,
}

impl Topic<'_> {
    pub(crate) fn page(&self) -> Markup {
        html! {
            h1 { (shown(self.name)) }
            @if let Some(description) = self.fields.and_then(|fields| fields.description.as_deref()) { p.note { (shown(description)) } }
            p.row {
                a href=(link("messages", &[("topic", self.name)])) { "Messages" }
                @if self.fields.is_some() { a href=(link("schema", &[("subject", &format!("{}-value", self.name))])) { "Schema" } }
                a href=(link("telemetry", &[("q", self.name)])) { "Fields to plot" }
            }
            section.panel aria-labelledby="newest-title" {
                h2 #newest-title { "Newest message" }
                div #newest { (self.newest()) }
            }
            div.columns {
                section.panel aria-labelledby="partitions-title" {
                    h2 #partitions-title { "Partitions: " (plural(self.offsets.total, "message")) }
                    (self.partitions())
                }
                section.panel aria-labelledby="settings-title" { h2 #settings-title { "Settings" } (self.settings()) }
            }
        }
    }

    /// The part that moves.
    pub(crate) fn newest(&self) -> Markup {
        let Some((message, decoded)) = self.newest else {
            return html! { p.nothing { "The topic holds no message." } };
        };
        html! {
            p.note {
                @if let Some(millis) = message.timestamp { (time(millis, true)) " UTC · " }
                "partition " (message.partition) " · offset " (count(message.offset)) " · "
                (bytes(message.value.as_ref().map(Vec::len).unwrap_or_default() as f64)) " · " (decoded.form.name())
                @if message.key.is_some() { " · key " span.code { (shown(decoded.key_text(message))) } }
            }
            @if let Some(problem) = &decoded.problem { p.problem { "Not decoded: " (shown(problem)) } }
            @match &decoded.value {
                Value::Object(record) => (self.record(record)),
                _ => p.code { (shown(decoded.text())) },
            }
            @if decoded.form == Form::Hex && decoded.problem.is_none() { p.note { "The bytes are neither a framed record nor text." } }
        }
    }

    fn record(&self, record: &serde_json::Map<String, Value>) -> Markup {
        html! {
            div.scroll tabindex="0" role="region" aria-label="Fields of the newest message" {
                table {
                    thead { tr { th scope="col" { "Field" } th scope="col" { "Value" } th scope="col" { "Unit" } th scope="col" { "Type" } th scope="col" { "Description" } } }
                    tbody {
                        @for (name, value) in record {
                            @let field = self.fields.and_then(|fields| fields.fields.iter().find(|field| field.name == *name));
                            tr {
                                th scope="row" { (self.plot_link(name, has_place(value, field), &shown(name))) }
                                td { (self.value(name, value, field)) }
                                td { (field.and_then(|field| field.unit.as_deref()).map(shown).unwrap_or_default()) }
                                td.note { (field.map(|field| shown(&field.kind)).unwrap_or_default()) }
                                td.note { (field.and_then(|field| field.description.as_deref()).map(shown).unwrap_or_default()) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn value(&self, name: &str, value: &Value, field: Option<&Field>) -> Markup {
        match value {
            Value::Array(items) => html! {
                @for (index, item) in items.iter().take(MAX_ITEMS).enumerate() {
                    (self.plot_link(&format!("{name}{index}"), is_number(item), &text(item, field))) " "
                }
                @if items.len() > MAX_ITEMS { "and " (items.len() - MAX_ITEMS) " more" }
            },
            value => html! { span.code { (text(value, field)) } },
        }
    }

    fn plot_link(&self, field: &str, can: bool, text: &str) -> Markup {
        html! {
            @if can && self.fields.is_some() {
                a href=(link("telemetry", &[("f", &format!("{}:{field}", self.name))])) title=(format!("Plot {}", shown(field))) { (text) }
            } @else { (text) }
        }
    }

    fn partitions(&self) -> Markup {
        html! {
            table {
                thead { tr { th.number scope="col" { "Partition" } th.number scope="col" { "Oldest" } th.number scope="col" { "Next" } th.number scope="col" { "Messages" } } }
                tbody {
                    @for partition in self.offsets.partitions.iter().take(200) {
                        tr {
                            td.number { a href=(link("messages", &[("topic", self.name), ("partition", &partition.offsets.partition.to_string())])) { (partition.offsets.partition) } }
                            td.number { (count(partition.offsets.oldest)) } td.number { (count(partition.offsets.newest)) } td.number { (count(partition.count)) }
                        }
                    }
                }
            }
            @if !self.offsets.unknown.is_empty() { p.problem { "Nobody leads " (plural(self.offsets.unknown.len(), "partition")) "." } }
        }
    }

    fn settings(&self) -> Markup {
        let Some(settings) = self.settings else {
            return html! { p.nothing { "They are not known: this user may not read them, or no broker has answered." } };
        };
        if settings.is_empty() {
            return html! { p.nothing { "All as the brokers set them." } };
        }
        html! {
            table {
                tbody { @for setting in settings { tr { th scope="row" { (shown(&setting.key)) } td.code { (setting.value.as_deref().map(shown).unwrap_or_default()) } } } }
            }
        }
    }
}

/// Whether the value has a place on an axis.
fn has_place(value: &Value, field: Option<&Field>) -> bool {
    match field.map(|field| field.plot) {
        Some(FieldKind::Name) => value.is_string(),
        None | Some(FieldKind::Number) => is_number(value),
        Some(FieldKind::Numbers | FieldKind::Text) => false,
    }
}

fn is_number(value: &Value) -> bool {
    value.is_number() || value.is_boolean()
}

/// A value as people read it: times beside their numbers.
fn text(value: &Value, field: Option<&Field>) -> String {
    let kind = field.map(|field| field.kind.as_str()).unwrap_or_default();
    match (value, kind) {
        (Value::String(text), _) => shown(text),
        (Value::Number(number), "timestamp-millis" | "timestamp-micros") => match number.as_i64() {
            Some(number) => time(
                if kind == "timestamp-micros" {
                    number.div_euclid(1_000)
                } else {
                    number
                },
                true,
            ),
            None => number.to_string(),
        },
        (value, _) => shown(value),
    }
}
