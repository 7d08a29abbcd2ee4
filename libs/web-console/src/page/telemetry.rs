//! Fields over time: found by typing, plotted together, live or over a fixed stretch, with an address that reproduces it.

use std::sync::Arc;

use maud::{Markup, html};
use operator::telemetry::{Point, TimeRange};

use super::problem::{problem, text};
use crate::catalogue::{Found, FoundField};
use crate::format::{UNKNOWN, count, number, shown, time, topic_name};
use crate::params::{Params, link};
use crate::plot::{Curve, Format, draw};
use crate::selection::{MAX_FIELDS, Selection};
use crate::values::{Answer, MAX_ROWS, rows_each};

/// Stretches that end now: address, name.
const LASTS: [(&str, &str); 7] = [
    ("1m", "1 min"),
    ("5m", "5 min"),
    ("1h", "1 h"),
    ("6h", "6 h"),
    ("1d", "1 day"),
    ("7d", "7 days"),
    ("30d", "30 days"),
];

/// What stands around the plot.
pub(crate) struct Telemetry<'a> {
    pub(crate) selection: &'a Selection,
    pub(crate) range: TimeRange,
    pub(crate) answers: &'a [Answer],
    pub(crate) found: Option<&'a Found>,
    /// Fields to begin with, where none is chosen.
    pub(crate) examples: &'a [FoundField],
    /// Where the values come from.
    pub(crate) source: &'a str,
    /// Whether the fields are examples and nobody chose them.
    pub(crate) is_example: bool,
}

impl Telemetry<'_> {
    /// The whole content.
    pub(crate) fn page(&self) -> Markup {
        let params = &self.selection.params;
        html! {
            h1 { "Telemetry" }
            form.find role="search" action="telemetry" method="get" {
                label for="q" { "Find a topic or field" }
                input #q type="search" name="q" value=[params.get("q")] placeholder="azimuth position" autocomplete="off" spellcheck="false"
                    data-find="telemetry-found" maxlength="100";
                (hidden(params, &["q"]))
                button { "Find" }
            }
            div #found aria-live="polite" { @if let Some(found) = self.found { (found_list(found, self.selection)) } }
            @if let Some(problem) = &self.selection.problem { (text(problem, None)) }
            @if self.selection.chosen.is_empty() { (self.beginning()) }
            @else { (self.plotted()) }
        }
    }

    /// The parts that move.
    pub(crate) fn parts(&self) -> Vec<(&'static str, Markup)> {
        vec![("plot", self.plot()), ("values", self.values())]
    }

    fn beginning(&self) -> Markup {
        html! {
            section.panel {
                p {
                    @if self.found.is_some_and(|found| found.total > 0) { "Choose a field above to plot it." }
                    @else { "Type a part of a topic's or a field's name above." }
                }
                @if !self.examples.is_empty() {
                    ul.results {
                        @for field in self.examples {
                            li { a href=(format!("telemetry?{}", self.selection.with(&field.topic, &field.field).encoded())) { (shown(&field.topic)) " · " b { (shown(&field.field)) } } }
                        }
                    }
                }
            }
        }
    }

    fn plotted(&self) -> Markup {
        html! {
            section.panel aria-label="Plot" {
                @if self.is_example { p.note { "An example. Find your own above, or " a href="topics" { "browse the topics" } "." } }
                (self.controls())
                figure.plot #plot tabindex="0" aria-label="Plot; arrow keys read the values" data-telemetry=(self.selection.params.with("from", None).with("to", None).with("last", None).with("q", None).encoded()) {
                    (self.plot())
                }
                div #values { (self.values()) }
                p.note {
                    "From " (shown(self.source)) ". Times are UTC. Drag over the plot to zoom in. "
                    a href=(format!("telemetry.csv?{}", self.selection.over(self.range).encoded())) download { "CSV" } " · "
                    a href=(format!("telemetry.svg?{}", self.selection.over(self.range).encoded())) download { "SVG" } " · "
                    // The browser draws it from the SVG.
                    button.plain.png type="button" hidden data-png=(format!("telemetry.svg?{}", self.selection.over(self.range).encoded())) { "PNG" } " "
                    a href=(format!("telemetry?{}", self.selection.over(self.range).encoded())) { "Link to this time" }
                }
                @if self.has_too_many_for_a_file() {
                    p.note {
                        "The CSV has means of stretches, with the least and most of each, and is called telemetry-means.csv: a file has at most "
                        (count(MAX_ROWS)) " rows, as many for each field. A shorter time or fewer fields have each value."
                    }
                }
            }
        }
    }

    /// Whether a field has more values than a file has rows for it.
    fn has_too_many_for_a_file(&self) -> bool {
        let most = rows_each(self.selection.chosen.len()) as u64;
        let mut curves = self
            .answers
            .iter()
            .filter_map(|answer| answer.curve.as_ref().ok());
        // Of an enumeration, a file has the changes.
        curves.any(|curve| curve.symbols.is_empty() && curve.series.count > most)
    }

    fn controls(&self) -> Markup {
        let length = self.range.length();
        let moved = |from: i64, to: i64| {
            let range = TimeRange {
                from: self.range.from + from,
                to: self.range.to + to,
            };
            format!("telemetry?{}", self.selection.over(range).encoded())
        };
        let current = self
            .selection
            .last
            .map(|_| self.selection.params.get("last").unwrap_or("5m"));
        html! {
            div.controls {
                nav.lasts aria-label="Length of time" {
                    @for (last, name) in LASTS {
                        a href=(format!("telemetry?{}", self.selection.over_last(last).encoded())) aria-current=[(current == Some(last)).then_some("true")] { (name) }
                    }
                }
                nav.moves aria-label="Move in time" {
                    a href=(moved(-length / 2, -length / 2)) { "← earlier" }
                    a href=(moved(length / 2, length / 2)) { "later →" }
                    a href=(moved(length / 4, -length / 4)) { "zoom in" }
                    a href=(moved(-length / 2, length / 2)) { "zoom out" }
                }
                form.between action="telemetry" method="get" {
                    (hidden(&self.selection.params, &["q", "last", "from", "to"]))
                    label { "From " input name="from" required size="19" value=(form_time(self.range.from)); }
                    label { "to " input name="to" required size="19" value=(form_time(self.range.to)); }
                    "UTC"
                    button { "Show" }
                }
            }
        }
    }

    fn plot(&self) -> Markup {
        let curves: Vec<Curve> = self
            .answers
            .iter()
            .filter_map(|answer| answer.curve.as_ref().ok().cloned())
            .collect();
        let mut failures: Vec<_> = self
            .answers
            .iter()
            .filter_map(|answer| answer.curve.as_ref().err())
            .collect();
        // What fields of one topic share is said once.
        failures.dedup_by(|one, other| Arc::ptr_eq(one, other));
        html! {
            @for failure in failures { (problem(failure)) }
            @if !curves.is_empty() {
                div.wide { (draw(&curves, self.range, Format::WIDE)) }
                div.narrow { (draw(&curves, self.range, Format::NARROW)) }
            }
        }
    }

    fn values(&self) -> Markup {
        let curves: Vec<_> = self
            .answers
            .iter()
            .filter_map(|answer| Some((&answer.chosen, answer.curve.as_ref().ok()?)))
            .collect();
        html! {
            div.scroll tabindex="0" role="region" aria-label="Values of the fields" {
                table.legend {
                    thead {
                        tr {
                            th scope="col" { "Field" } th scope="col" { "Unit" } th.number scope="col" { "Last" } th.number scope="col" { "Least" }
                            th.number scope="col" { "Mean" } th.number scope="col" { "Most" } th.number scope="col" { "Values" } th scope="col" { span.visually-hidden { "Remove" } }
                        }
                    }
                    tbody {
                        @for (index, (chosen, curve)) in curves.into_iter().enumerate() {
                            @let points = &curve.series.points;
                            tr {
                                th scope="row" {
                                    span class=(format!("swatch s{index}")) {}
                                    a href=(link("topic", &[("name", &chosen.topic)])) { (topic_name(&chosen.topic)) } " · " b { (shown(&chosen.field)) }
                                }
                                td { (curve.unit.as_deref().map_or_else(|| UNKNOWN.to_owned(), shown)) }
                                td.number { (curve.last()) }
                                @if curve.symbols.is_empty() {
                                    td.number { (value(points.iter().map(|point| point.low).reduce(f64::min))) }
                                    td.number { (value(mean(points))) }
                                    td.number { (value(points.iter().map(|point| point.high).reduce(f64::max))) }
                                } @else { @for _ in 0..3 { td.number { (UNKNOWN) } } }
                                td.number {
                                    (count(curve.series.count))
                                    @if let Some(all) = curve.series.out_of { small { " (newest messages of " (count(all)) ")" } }
                                }
                                td {
                                    a href=(format!("telemetry?{}", self.selection.params.without("f", &chosen.text()).with("q", None).encoded())) aria-label=(format!("Remove {}", shown(&chosen.field))) { "✕" }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What a search found, as links that add it to the plot.
pub(crate) fn found_list(found: &Found, selection: &Selection) -> Markup {
    let is_full = selection.chosen.len() >= MAX_FIELDS;
    html! {
        div.panel {
            @if found.total == 0 {
                p.nothing {
                    @if found.searched == 0 { "The schemas have not been read yet." }
                    @else { "Nothing found in " (count(found.searched)) " topics." }
                }
            } @else {
                p.note { (count(found.total)) " found in " (count(found.searched)) " topics" @if is_full { ". A plot shows at most " (MAX_FIELDS) " fields" } }
                @if !found.fields.is_empty() {
                    h2 { "Fields" }
                    ul.results {
                        @for field in &found.fields {
                            li {
                                @if is_full { (shown(&field.topic)) " · " (shown(&field.field)) }
                                @else {
                                    a href=(format!("telemetry?{}", selection.with(&field.topic, &field.field).encoded())) {
                                        (shown(&field.topic)) " · " b { (shown(&field.field)) }
                                    }
                                }
                                @if let Some(unit) = &field.unit { small { " " (shown(unit)) } }
                            }
                        }
                    }
                }
                @if !found.topics.is_empty() {
                    h2 { "Topics" }
                    ul.results {
                        @for topic in &found.topics { li { a href=(link("topic", &[("name", topic)])) { (shown(topic)) } } }
                    }
                }
            }
        }
    }
}

/// The parameters of an address as hidden inputs of a form, without some.
fn hidden(params: &Params, without: &[&str]) -> Markup {
    html! {
        @for name in ["f", "last", "from", "to"] {
            @if !without.contains(&name) {
                @for value in params.all(name) { input type="hidden" name=(name) value=(value); }
            }
        }
    }
}

impl Curve {
    /// The last value, or the last name.
    fn last(&self) -> String {
        let last = self.series.points.last().map(|point| point.value);
        let name = last.and_then(|last| self.symbol(last));
        name.map_or_else(|| value(last), shown)
    }
}

fn value(value: Option<f64>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), number)
}

fn mean(points: &[Point]) -> Option<f64> {
    (!points.is_empty()).then(|| points.iter().map(|point| point.value).sum::<f64>() / points.len() as f64)
}

fn form_time(micros: i64) -> String {
    time(micros / 1_000, false)
}
