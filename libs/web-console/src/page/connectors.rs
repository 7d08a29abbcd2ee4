//! The connectors of Kafka Connect, their tasks, and why one failed.

use maud::{Markup, html};
use operator::connectors::ConnectorStatus;

use crate::format::shown;

pub(crate) fn page(connectors: &[ConnectorStatus]) -> Markup {
    html! {
        h1 { "Connectors" }
        @if connectors.is_empty() { p.nothing { "No connectors." } }
        @for connector in connectors {
            section.panel {
                h2 { (shown(&connector.name)) " " small { (shown(&connector.kind)) } }
                table {
                    thead { tr { th scope="col" { "Part" } th scope="col" { "State" } th scope="col" { "Worker" } } }
                    tbody {
                        @for part in connector.parts() {
                            tr {
                                th scope="row" { @match part.id { Some(id) => { "task " (id) }, None => "connector" } }
                                td { span class=(dot(&part.state)) {} (shown(part.state.to_lowercase())) }
                                td { (shown(&part.worker_id)) }
                            }
                            @if let Some(trace) = &part.trace {
                                tr { td colspan="3" { details { summary { "Why it failed" } p.code { (trace.lines().take(40).map(shown).collect::<Vec<_>>().join("\n")) } } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn dot(state: &str) -> &'static str {
    match state {
        "RUNNING" => "dot good",
        "FAILED" => "dot bad",
        _ => "dot warning",
    }
}
