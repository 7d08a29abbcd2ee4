//! Messages of a topic: from an offset or a time, with a key or a filter, decoded; and how many of how many were searched.

use maud::{Markup, html};
use operator::messages::decode::{Decoded, Form};
use operator::messages::message::{Message, shown_text};

use super::problem::text;
use crate::format::{count, plural, shown, time};
use crate::params::{Params, link};

/// Characters of a message that are shown while it is folded.
const PREVIEW_CHARS: usize = 160;

/// What was found.
#[derive(Default)]
pub(crate) struct Search {
    pub(crate) found: Vec<(Message, Decoded)>,
    pub(crate) searched: u64,
    pub(crate) total: u64,
    /// Whether it ended before all was searched.
    pub(crate) is_cut: bool,
}

/// The whole content; `result` is what was found, or why nothing can be.
pub(crate) fn page(topic: &str, params: &Params, result: &Markup) -> Markup {
    let value = |name: &str| params.get(name).unwrap_or_default().to_owned();
    html! {
        h1 { "Messages of " a href=(link("topic", &[("name", topic)])) { (shown(topic)) } }
        form.panel.row action="messages" method="get" {
            input type="hidden" name="topic" value=(topic);
            label { "From " input name="start" value=(params.get("start").unwrap_or("-20")) size="14" list="starts" aria-describedby="start-help"; }
            datalist #starts { option value="-20" {} option value="beginning" {} option value="-5m" {} option value="-1h" {} }
            label { "Partition " input name="partition" value=(value("partition")) size="4" inputmode="numeric"; }
            label { "Key " input name="key" value=(value("key")) size="12"; }
            label { "Filter " input name="filter" value=(value("filter")) size="28" placeholder="temperature > 30" spellcheck="false"; }
            label { "Show " input name="n" value=(params.get("n").unwrap_or("50")) size="4" inputmode="numeric"; }
            button { "Search" }
            p.note #start-help { "From: an offset, -20 for the last 20, beginning, or a time such as -5m or 2026-11-30T08:00:00Z. Filters: temperature > 30 and not (state =~ '^Fault')." }
        }
        (result)
    }
}

pub(crate) fn unusable(problem: &str) -> Markup {
    text(problem, None)
}

/// What a search found, and how far it came.
pub(crate) fn found(search: &Search, params: &Params) -> Markup {
    html! {
        p.note #searched role="status" {
            (plural(search.found.len(), "message")) " found, searched " (count(search.searched)) " of " (count(search.total)) "."
            @if search.is_cut {
                " " a href=(format!("messages?{}", params.with("most", Some("1000000")).encoded())) { "Search all" }
            }
        }
        @for (message, decoded) in &search.found { (one(message, decoded)) }
    }
}

fn one(message: &Message, decoded: &Decoded) -> Markup {
    html! {
        details.panel open[decoded.text().len() < 400] {
            summary {
                @match message.timestamp { Some(millis) => (time(millis, true)), None => "no time" }
                " · " (message.partition) ":" (count(message.offset))
                @if message.key.is_some() { " · key " span.code { (shown(decoded.key_text(message))) } }
                " · " (decoded.form.name())
                span.code.preview { (shown(decoded.text().chars().take(PREVIEW_CHARS).collect::<String>())) }
            }
            @if let Some(problem) = &decoded.problem { p.problem { "Not decoded: " (shown(problem)) } }
            @if decoded.form == Form::Nothing { p.nothing { "A tombstone: no value." } }
            @else { p.code { (body(decoded)) } }
            @if let Some(headers) = message.headers.as_ref().filter(|headers| !headers.is_empty()) {
                table {
                    tbody { @for (name, value) in headers { tr { th scope="row" { (shown(name)) } td.code { (shown(shown_text(value.as_deref().unwrap_or_default()))) } } } }
                }
            }
        }
    }
}

/// Records over several lines.
fn body(decoded: &Decoded) -> String {
    if decoded.value.is_object() || decoded.value.is_array() {
        let text = serde_json::to_string_pretty(&decoded.value).unwrap_or_default();
        // Lines are ours; what stands in them is escaped.
        return text.lines().map(shown).collect::<Vec<_>>().join("\n");
    }
    shown(decoded.text())
}
