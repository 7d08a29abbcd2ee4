//! Messages of a topic: from an offset or a time, with a key or a filter, decoded; and how many of how many were searched.

use maud::{Markup, html};
use operator::messages::decode::{Decoded, Form};
use operator::messages::message::{Message, shown_text};

use super::problem::text;
use crate::format::{count, plural, shown, time};
use crate::params::{Params, link};
use crate::search::{End, FoundMessage, Progress};

/// Characters of a message that are shown while it is folded.
const PREVIEW_CHARS: usize = 160;

/// The whole content; `result` is what was found, or why nothing can be.
pub(crate) fn page(params: &Params, result: &Markup) -> Markup {
    let topic = params.get("topic").unwrap_or_default();
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

/// What a page has found. If it may not search on, the script does, and says so in its place.
pub(crate) fn found(found: &[FoundMessage], progress: Progress, params: &Params) -> Markup {
    let is_cut = progress.end == Some(End::Limit);
    let events = is_cut.then(|| format!("messages-events?{}", params.with("long", None).encoded()));
    let long = is_cut.then(|| format!("messages?{}", params.with("long", Some("1")).encoded()));
    html! {
        section aria-label="Messages found" data-search=[events] {
            div.row {
                div.note #searched { (searched(progress, long.as_deref())) }
                button.plain.stop type="button" hidden { "Stop" }
            }
            div #results { (messages(found)) }
        }
    }
}

/// How far a search has come, and where it goes on.
pub(crate) fn searched(progress: Progress, long: Option<&str>) -> Markup {
    html! {
        span role=[progress.end.map(|_| "status")] {
            (plural(progress.found, "message")) " found, searched " (count(progress.searched)) " of " (count(progress.total)) "."
            @if progress.searched < progress.total {
                @match progress.end {
                    Some(End::Enough) => { " There may be more." }
                    Some(End::Full) => { " They are as large as a page may be. Search on from the next offset." }
                    _ => {}
                }
            }
        }
        @if let Some(long) = long { " " a href=(long) { "Search on" } }
        @if progress.end.is_none() {
            progress max=(progress.total.max(1)) value=(progress.searched) aria-label="Searched" {}
        }
    }
}

/// Messages, each folded if it is long.
pub(crate) fn messages(found: &[FoundMessage]) -> Markup {
    html! { @for (message, decoded) in found { (one(message, decoded)) } }
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
