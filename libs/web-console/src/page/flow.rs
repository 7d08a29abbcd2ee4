//! The data flow as it is: what stands at each end of an arrow, and what flows over it. Each part leads to what it is made
//! of.

use maud::{Markup, html};

use super::sparkline::sparkline;
use crate::format::{count, processes, rate, shown, span};
use crate::live::{Course, Overview, StageKind, StageView};

/// The whole row: SAL, Kafka, saltransform, Kafka, influxsink, the database.
pub(crate) fn flow(view: &Overview, database: &str) -> Markup {
    let transform = view.stage(StageKind::Saltransform);
    let sink = view.stage(StageKind::Influxsink);
    let mock = view.stage(StageKind::Salmock);
    let (source_rate, source) = match mock {
        Some(mock) => (mock.out_per_second, mock.output.as_ref()),
        None => (
            transform.and_then(|stage| stage.in_per_second),
            transform.and_then(|stage| stage.input.as_ref()),
        ),
    };
    html! {
        h2.visually-hidden { "Data flow" }
        ol.flow {
            li.node {
                h3 { a href=(view.page_of(StageKind::Salmock)) { "SAL" } }
                p { @if mock.is_some() { "salmock sends text" } @else { "sends text" } }
                @if let Some(mock) = mock { (state(mock)) }
            }
            (arrow("to Kafka", source_rate, source))
            (topics(view, "text topics", transform))
            (arrow("to saltransform", transform.and_then(|stage| stage.in_per_second), transform.and_then(|stage| stage.input.as_ref())))
            (stage(view, StageKind::Saltransform, "text → Avro", |stage| html! {
                dt { "time" } dd { (span(stage.work.0)) small { " p99 " (span(stage.work.1)) } }
            }))
            (arrow("to Kafka", transform.and_then(|stage| stage.out_per_second), transform.and_then(|stage| stage.output.as_ref())))
            (topics(view, "record topics", sink))
            (arrow("to influxsink", sink.and_then(|stage| stage.in_per_second), sink.and_then(|stage| stage.input.as_ref())))
            (stage(view, StageKind::Influxsink, "Avro → points", |stage| html! {
                dt { "write" } dd { (span(stage.work.0)) small { " p99 " (span(stage.work.1)) } }
            }))
            (arrow("to the database", sink.and_then(|stage| stage.out_per_second), sink.and_then(|stage| stage.output.as_ref())))
            li.node {
                h3 { a href="telemetry" { "Database" } }
                p { (shown(database)) }
                @if let Some(sink) = sink {
                    dl { dt { "age" } dd { (span(sink.age.0)) small { " p99 " (span(sink.age.1)) } } }
                }
            }
        }
    }
}

fn arrow(to: &str, value: Option<f64>, course: Option<&Course>) -> Markup {
    html! {
        li.arrow {
            span.rate { (rate(value)) }
            @if let Some(course) = course { (sparkline(course)) }
            svg.head viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                path d="M0 4H97" vector-effect="non-scaling-stroke" {}
            }
            span.visually-hidden { " messages per second " (to) }
        }
    }
}

fn topics(view: &Overview, what: &str, reader: Option<&StageView>) -> Markup {
    html! {
        li.node .kafka .is-bad[view.brokers_away.is_some()] {
            h3 { a href="topics" { "Kafka" } }
            p { (what) }
            @if let Some(reader) = reader {
                dl {
                    dt { "lag" }
                    dd {
                        @if let Some(lag) = reader.lag { (count(lag.round() as i64)) } @else { (crate::format::UNKNOWN) }
                        small { " " (span(reader.lag_seconds)) }
                    }
                }
            }
        }
    }
}

fn stage(view: &Overview, kind: StageKind, what: &str, more: impl Fn(&StageView) -> Markup) -> Markup {
    let stage = view.stage(kind);
    let is_bad = stage.is_none_or(|stage| !stage.away.is_empty() || !stage.waiting.is_empty());
    html! {
        li.node .stage .is-bad[is_bad] {
            h3 { a href=(view.page_of(kind)) { (kind.name()) } }
            p { (what) }
            @match stage {
                Some(stage) => { dl { (more(stage)) } (state(stage)) },
                None => p.state { span.dot.unknown {} "not watched" },
            }
        }
    }
}

fn state(stage: &StageView) -> Markup {
    let answering = stage.processes - stage.away.len();
    html! {
        p.state {
            @if !stage.away.is_empty() {
                span.dot.bad {} (answering) " of " (stage.processes) " answer"
            } @else if !stage.waiting.is_empty() {
                span.dot.bad {} "not ready"
            } @else if stage.paused > 0 {
                span.dot.warning {} "paused"
            } @else {
                span.dot.good {} (processes(stage.processes)) " ready"
            }
        }
    }
}
