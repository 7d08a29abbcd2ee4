//! The page that a person opens first: whether all is well, the data flow, lag, dead letters, and whether counts add up.

use maud::{Markup, html};
use operator::stages::NOTABLE_LAG;

use super::flow::flow;
use super::sparkline::sparkline;
use crate::format::{bytes, count, plural, shown, span};
use crate::live::{Overview, Severity, StageKind};

/// The parts that move, by the id under which the page shows them.
pub(crate) fn parts(view: &Overview, database: &str) -> Vec<(&'static str, Markup)> {
    vec![
        ("verdict", verdict(view)),
        ("flow", flow(view, database)),
        ("lag", lag(view)),
        ("counts", counts(view)),
        ("refused", refused(view)),
        ("times", times(view)),
    ]
}

/// The whole content.
pub(crate) fn overview(view: &Overview, database: &str) -> Markup {
    let titles = [
        ("lag", "Lag"),
        ("counts", "Do the counts add up?"),
        ("refused", "Dead letters"),
        ("times", "Processes"),
    ];
    let mut parts = parts(view, database).into_iter();
    html! {
        h1.visually-hidden { "Overview" }
        @if let Some((id, part)) = parts.next() { div #(id) role="status" { (part) } }
        @if let Some((id, part)) = parts.next() { div #(id) .panel { (part) } }
        div.columns {
            @for ((id, part), (_, title)) in parts.zip(titles) {
                section.panel aria-labelledby=(format!("{id}-title")) {
                    h2 #(format!("{id}-title")) { (title) }
                    div #(id) { (part) }
                }
            }
        }
    }
}

fn verdict(view: &Overview) -> Markup {
    let is_unknown = view.brokers.is_none() && view.brokers_away.is_none();
    let worst = view.troubles.first().map(|trouble| trouble.severity);
    let (class, text) = match worst {
        None if is_unknown => ("unknown", "Asking the pipeline …".to_owned()),
        None => ("good", "All is well".to_owned()),
        Some(Severity::Warning) => ("warning", plural(view.troubles.len(), "thing") + " to look at"),
        Some(Severity::Bad) => ("bad", plural(view.troubles.len(), "thing") + " wrong"),
    };
    html! {
        div class=(format!("verdict {class}")) {
            p.word { span class=(format!("dot {class}")) {} (text) }
            @if !view.troubles.is_empty() {
                ul {
                    @for trouble in view.troubles.iter().take(12) {
                        li {
                            span class=(match trouble.severity { Severity::Bad => "dot bad", Severity::Warning => "dot warning" }) {}
                            a href=(trouble.page) { (trouble.what) } " " (trouble.text)
                        }
                    }
                    @if view.troubles.len() > 12 { li { "and " (view.troubles.len() - 12) " more" } }
                }
            }
        }
    }
}

fn lag(view: &Overview) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Lag of the groups" {
            table {
                thead { tr { th scope="col" { "Stage or group" } th.number scope="col" { "Messages" } th.number scope="col" { "Time" } th scope="col" { "Last hour" } } }
                tbody {
                    @for (kind, stage) in &view.stages {
                        @if let Some(lag) = stage.lag {
                            tr .is-behind[lag >= NOTABLE_LAG as f64] {
                                th scope="row" { (kind.name()) small { " stage" } }
                                td.number { (count(lag.round() as i64)) }
                                td.number { (span(stage.lag_seconds)) }
                                td.course { @if let Some(course) = &stage.lags { (sparkline(course)) } }
                            }
                        }
                    }
                    @for group in view.groups.iter().take(20) {
                        tr .is-behind[group.lag >= NOTABLE_LAG] {
                            th scope="row" { a href=(crate::params::link("group", &[("name", &group.name)])) { (shown(&group.name)) } small { " group" } }
                            td.number { (count(group.lag)) }
                            td.number { (span(group.seconds)) }
                            td.course { @if let Some(course) = &group.course { (sparkline(course)) } }
                        }
                    }
                }
            }
        }
        @if view.groups.is_empty() && !view.lists_no_groups { p.note { "No consumer groups." } }
        @if view.groups.len() > 20 { p { a href="groups" { "All " (view.groups.len()) " groups" } } }
    }
}

fn counts(view: &Overview) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Counts of the stages" {
            table {
                thead {
                    tr {
                        th scope="col" { "Since the start" } th.number scope="col" { "Consumed" } th.number scope="col" { "Finished" }
                        th.number scope="col" { "Dead" } th.number scope="col" { "Skipped" } th.number scope="col" { "In flight" }
                        th scope="col" { "Sum" }
                    }
                }
                tbody {
                    @for (kind, stage) in &view.stages {
                        @if let Some(counts) = stage.counts {
                            tr {
                                th scope="row" { (kind.name()) }
                                td.number { (count(counts.consumed)) } td.number { (count(counts.finished)) }
                                td.number { (count(counts.dead_letters)) } td.number { (count(counts.skipped)) }
                                td.number {
                                    @match stage.adds_up {
                                        Some(true) => (count(counts.unfinished())),
                                        _ => (count(counts.in_flight)),
                                    }
                                }
                                td.sum {
                                    @match stage.adds_up {
                                        Some(false) => { span.dot.bad {} (count(counts.unaccounted())) " missing" },
                                        Some(true) => { span.dot.good {} "adds up" },
                                        None => (crate::format::UNKNOWN),
                                    }
                                }
                            }
                        }
                    }
                    @if view.stages.values().all(|stage| stage.counts.is_none()) {
                        tr { td colspan="7" { "No stage is watched: name their metrics with --metrics." } }
                    }
                }
            }
        }
    }
}

fn refused(view: &Overview) -> Markup {
    let found: Vec<_> = view
        .stages
        .iter()
        .flat_map(|(kind, stage)| stage.dead_letters.iter().map(move |found| (kind.name(), found)))
        .collect();
    if found.is_empty() {
        return html! { p.nothing { span.dot.good {} "None since the stages started." } };
    }
    html! {
        table {
            thead { tr { th scope="col" { "Stage" } th scope="col" { "Step" } th scope="col" { "Reason" } th.number scope="col" { "Messages" } } }
            tbody {
                @for (stage, found) in found {
                    tr {
                        td { (stage) }
                        td { (shown(&found.step)) }
                        td { a href=(crate::params::link("dead-letters", &[("step", &found.step), ("reason", &found.reason)])) { (shown(&found.reason)) } }
                        td.number { (count(found.count)) }
                    }
                }
            }
        }
    }
}

fn times(view: &Overview) -> Markup {
    let sink = view.stage(StageKind::Influxsink);
    html! {
        table {
            thead { tr { th scope="col" { "Process" } th.number scope="col" { "Memory" } th scope="col" { "State" } } }
            tbody {
                @for (kind, stage) in &view.stages {
                    tr {
                        th scope="row" { (kind.name()) }
                        td.number { (stage.memory.map_or_else(|| crate::format::UNKNOWN.to_owned(), bytes)) }
                        td {
                            @if stage.is_well() { span.dot.good {} "ready" }
                            @for waiting in &stage.waiting { span.dot.bad {} "waits for " (shown(waiting)) br; }
                            @for (url, why) in &stage.away { span.dot.bad {} (shown(url)) ": " (shown(why)) br; }
                            @if stage.paused > 0 { span.dot.warning {} "paused" }
                        }
                    }
                }
                tr {
                    th scope="row" { "this console" }
                    td.number { (view.own_memory.map_or_else(|| crate::format::UNKNOWN.to_owned(), bytes)) }
                    td { span.dot.good {} "at " (view.at.get(..19).unwrap_or_default().replace('T', " ")) " UTC" }
                }
                tr {
                    th scope="row" { "Kafka" }
                    td.number { (crate::format::UNKNOWN) }
                    td {
                        @match (&view.brokers_away, view.brokers) {
                            (Some(why), _) => { span.dot.bad {} (shown(why)) },
                            (None, Some(brokers)) => { span.dot.good {} (plural(brokers, "broker")) " at " (shown(&view.broker)) },
                            (None, None) => { "asking " (shown(&view.broker)) },
                        }
                    }
                }
            }
        }
        @if let Some(ages) = sink.and_then(|sink| sink.ages.as_ref()) {
            figure.age {
                figcaption { "Age of points at the database, p99, last ten minutes: now " (span(ages.last())) ", at most " (span(ages.most())) }
                (sparkline(ages))
            }
        }
    }
}
