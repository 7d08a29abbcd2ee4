//! The states and settings of connectors as tables.

use stage::sanitize::Printable;

use operator::connectors::{Config, ConnectorStatus, PartStatus};

use crate::terminal::{Cell, Table, bad, good, warn};

pub(super) fn list(states: &[ConnectorStatus]) -> Table {
    let mut table = Table::new(["CONNECTOR", "TYPE", "STATE", "TASKS RUNNING"]);
    for state in states {
        let running = state.tasks.iter().filter(|task| task.state == "RUNNING").count();
        table.row([
            Cell::text(&state.name),
            Cell::text(&state.kind),
            coloured(state.state()),
            Cell::right(format!("{running} of {}", state.tasks.len())),
        ]);
    }
    table
}

/// A row for the connector and each of its tasks, followed by the causes of failures.
pub(super) fn one(state: &ConnectorStatus) -> String {
    let mut table = Table::new(["PART", "STATE", "WORKER"]);
    for part in state.parts() {
        table.row([
            Cell::text(name(part)),
            coloured(&part.state),
            Cell::text(&part.worker_id),
        ]);
    }
    let mut text = table.to_string();
    for part in state.parts() {
        for line in part
            .trace
            .iter()
            .flat_map(|trace| trace.lines())
            .filter(|line| is_cause(line))
        {
            text.push_str(&format!("\n{}: {}", name(part), Printable(line)));
        }
    }
    text
}

pub(super) fn config(config: &Config) -> Table {
    let mut table = Table::new(["SETTING", "VALUE"]);
    for (key, value) in config {
        table.row([Cell::text(key), Cell::text(value)]);
    }
    table
}

fn name(part: &PartStatus) -> String {
    part.id
        .map_or_else(|| "connector".to_owned(), |id| format!("task {id}"))
}

/// Whether a line of a Java stack trace is a message rather than a location.
fn is_cause(line: &str) -> bool {
    !line.starts_with('\t') && !line.trim_start().starts_with("at ")
}

fn coloured(state: &str) -> Cell {
    Cell::styled(match state {
        "RUNNING" => good("RUNNING"),
        "FAILED" => bad("FAILED"),
        other => warn(Printable(other)),
    })
}
