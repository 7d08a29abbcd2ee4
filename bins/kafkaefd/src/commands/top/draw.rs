//! Draws one frame: the stages at the top, the groups below them, the keys in the last line.

use std::time::Duration;

use operator::stages::{BrokersRow, Snapshot, StageRow};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row, Table, TableState, Wrap};
use stage::Printable;

use super::group_columns::GroupColumns;
use super::rows::{fitted, rows};
use super::state::State;
use super::style::{BAD, FAINT, GOOD, STRONG, WARN, lag_style, right};
use crate::terminal::{count, plural, span};

/// The smallest terminal, in columns and rows, that shows anything useful.
const MIN_SIZE: (u16, u16) = (60, 10);

/// From this width on, the stages' table shows all columns.
const MIN_WIDE_WIDTH: u16 = 124;

/// A shorter piece of an address says nothing.
const MIN_ADDRESS: usize = 9;

/// A column of the stages' table.
struct Column {
    name: &'static str,
    /// The width in characters; 0 takes the remaining width.
    wide: u16,
    /// The width on a narrow terminal; 0 hides the column.
    narrow: u16,
}

const fn column(name: &'static str, wide: u16, narrow: u16) -> Column {
    Column { name, wide, narrow }
}

const COLUMNS: [Column; 12] = [
    column("STAGE", 12, 12),
    column("IN/S", 9, 8),
    column("OUT/S", 9, 8),
    column("DEAD", 7, 5),
    column("LAG", 9, 7),
    column("LAG TIME", 11, 0),
    column("IN FLIGHT", 9, 0),
    column("WORK P50", 9, 8),
    column("P99", 9, 7),
    column("AGE P50", 9, 7),
    column("P99", 9, 7),
    column("AT", 0, 0),
];

/// The number of lines of a complete frame.
pub(super) fn height(snapshot: &Snapshot, state: &State) -> u16 {
    let lines = stage_lines(snapshot) + rows(snapshot, state).len().max(3) + 5;
    u16::try_from(lines).unwrap_or(u16::MAX)
}

fn stage_lines(snapshot: &Snapshot) -> usize {
    1 + snapshot.stages.len().max(1)
}

/// Draws a frame. Groups that do not fit are scrolled; everything else is cut.
pub(super) fn draw(frame: &mut Frame<'_>, snapshot: &Snapshot, state: &State) {
    let area = frame.area();
    if area.width < MIN_SIZE.0 || area.height < MIN_SIZE.1 {
        let text = format!(
            "this terminal is too small: it needs at least {} × {}; q quits",
            MIN_SIZE.0, MIN_SIZE.1
        );
        return frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
    }
    let stages = u16::try_from(stage_lines(snapshot)).unwrap_or(u16::MAX);
    let [head, above, _, below, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(stages.min(area.height / 2)),
        Constraint::Length(1),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(header(snapshot, state, area.width), head);
    stage_table(frame, above, snapshot);
    group_table(frame, below, snapshot, state);
    if !state.printed {
        frame.render_widget(footer(state), foot);
    }
    if state.help {
        help(frame, area);
    }
}

fn header(snapshot: &Snapshot, state: &State, width: u16) -> Paragraph<'static> {
    // What follows the address has at most as many characters.
    let address = usize::from(width).saturating_sub(66).max(14);
    let mut spans = vec![Span::styled("kafkaefd top", STRONG)];
    // On a narrow terminal, the name says more than the address.
    let mut left = address;
    if let Some(name) = &snapshot.cluster {
        let name = fitted(&Printable(name).to_string(), address);
        left = left.saturating_sub(name.chars().count() + 2);
        spans.push(Span::styled(format!("  {name}"), STRONG));
    }
    if left >= MIN_ADDRESS || snapshot.cluster.is_none() {
        let broker = fitted(&Printable(&snapshot.broker).to_string(), left);
        spans.push(Span::raw(format!("  {broker}")));
    }
    spans.push(Span::raw(format!("  {}", snapshot.at)));
    match &snapshot.kafka {
        None => {}
        Some(kafka) => match (snapshot.silence(kafka.answered), &kafka.away) {
            (Some(silence), _) => spans.push(Span::styled(format!("  {}", frozen(silence)), WARN)),
            (None, Some(_)) => spans.push(Span::styled("  unreachable", BAD)),
            (None, None) => spans.push(Span::raw(format!(
                "  {}, {}",
                plural(kafka.brokers, "broker"),
                plural(kafka.groups.len(), "group")
            ))),
        },
    }
    if state.paused {
        spans.push(Span::styled("  paused", WARN));
    }
    Paragraph::new(Line::from(spans))
}

fn footer(state: &State) -> Paragraph<'static> {
    if state.is_typing {
        let text = format!(
            "/{}█  Enter keeps the filter, Esc clears it",
            Printable(&state.filter)
        );
        return Paragraph::new(text).style(STRONG);
    }
    if !state.filter.is_empty() {
        let text = format!(
            "/{}  Esc shows everything  q quit  ? help",
            Printable(&state.filter)
        );
        return Paragraph::new(text).style(FAINT);
    }
    Paragraph::new("q quit  ↑ ↓ select  / filter  s sort by lag  i hide idle  p pause  ? help").style(FAINT)
}

fn stage_table(frame: &mut Frame<'_>, area: Rect, snapshot: &Snapshot) {
    if snapshot.stages.is_empty() {
        let text = "no stages: give the address of each stage's metrics with --metrics http://HOST:PORT";
        return frame.render_widget(Paragraph::new(text).style(FAINT), area);
    }
    let wide = area.width >= MIN_WIDE_WIDTH;
    let head = COLUMNS
        .iter()
        .filter(|column| wide || column.narrow > 0)
        .map(|column| match column.name {
            left @ ("STAGE" | "AT") => Cell::from(left),
            name => right(name.to_owned(), Style::new()),
        });
    let widths = COLUMNS
        .iter()
        .filter(|column| wide || column.narrow > 0)
        .map(|column| match column {
            Column { wide: 0, .. } => Constraint::Fill(1),
            column if wide => Constraint::Length(column.wide),
            column => Constraint::Length(column.narrow),
        });
    let rows = snapshot
        .stages
        .iter()
        .map(|row| stage_row(row, wide, snapshot.silence(row.answered)));
    let table = Table::new(rows, widths).header(Row::new(head).style(STRONG));
    frame.render_widget(table, area);
}

/// What was shown last is no longer true.
fn frozen(silence: Duration) -> String {
    format!("frozen: no answer for {} s", silence.as_secs())
}

fn stage_row(row: &StageRow, wide: bool, silence: Option<Duration>) -> Row<'static> {
    let url = Printable(short(&row.url)).to_string();
    let trouble = match (&row.away, silence) {
        (_, Some(silence)) => Some((frozen(silence), WARN)),
        (Some(why), None) if wide => Some((format!("unreachable: {}", Printable(why)), BAD)),
        (Some(why), None) => Some((format!("{url} is unreachable: {}", Printable(why)), BAD)),
        (None, None) => None,
    };
    if let Some((text, style)) = trouble {
        return Row::new([
            Cell::from(Span::styled(row.stage.clone(), style)),
            Cell::from(Span::styled(text, style)).column_span(if wide { 10 } else { 8 }),
            Cell::from(Span::styled(url, FAINT)),
        ]);
    }
    let rate = |rate: Option<f64>| right(rate.map_or("-".to_owned(), |rate| format!("{rate:.1}")), STRONG);
    let integer = |number: Option<f64>, style: fn(f64) -> Style| {
        let text = number.map_or("-".to_owned(), |number| count(number as i64));
        right(text, number.map_or(FAINT, style))
    };
    let time = |seconds: Option<f64>| right(seconds.map_or("-".to_owned(), span), Style::new());
    let style = if row.paused { WARN } else { GOOD };
    let mut cells = vec![
        Cell::from(Span::styled(row.stage.clone(), style)),
        rate(row.in_per_second),
        rate(row.out_per_second),
        integer(
            row.dead_letters,
            |dead| if dead > 0.0 { BAD } else { Style::new() },
        ),
        integer(row.lag, |lag| lag_style(lag as i64)),
    ];
    if wide {
        cells.push(time(row.lag_seconds));
        let style: fn(f64) -> Style = if row.paused { |_| WARN } else { |_| Style::new() };
        cells.push(integer(row.in_flight, style));
    }
    cells.extend([row.work_p50, row.work_p99, row.age_p50, row.age_p99].map(time));
    if wide {
        cells.push(Cell::from(Span::styled(url, FAINT)));
    }
    Row::new(cells)
}

/// The address without the scheme and path that most addresses have in common.
fn short(url: &str) -> &str {
    let url = url.strip_prefix("http://").unwrap_or(url);
    url.strip_suffix("/metrics").unwrap_or(url)
}

fn group_table(frame: &mut Frame<'_>, area: Rect, snapshot: &Snapshot, state: &State) {
    let message = |text: String, style| Paragraph::new(text).style(style).wrap(Wrap { trim: true });
    match &snapshot.kafka {
        None => return frame.render_widget(message("waiting for the brokers".to_owned(), FAINT), area),
        Some(BrokersRow { away: Some(why), .. }) => {
            return frame.render_widget(message(Printable(why).to_string(), BAD), area);
        }
        Some(kafka) if kafka.groups.is_empty() => {
            return frame.render_widget(message("no groups".to_owned(), FAINT), area);
        }
        Some(_) => {}
    }
    let shown = rows(snapshot, state);
    if shown.is_empty() {
        let text = "every group is hidden: i shows those without a lag, Esc clears the filter";
        return frame.render_widget(message(text.to_owned(), FAINT), area);
    }
    let columns = GroupColumns::of(area.width);
    let table = Table::new(shown.iter().map(|row| columns.row(row)), columns.widths())
        .header(columns.head().style(STRONG))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut selection = TableState::new().with_selected((!state.printed).then_some(state.selected));
    frame.render_stateful_widget(table, area, &mut selection);
}

fn help(frame: &mut Frame<'_>, area: Rect) {
    let text = [
        "q, Esc, Ctrl-C      quit",
        "↑ ↓, j k            select a row; the table scrolls",
        "PgUp PgDn Home End  move by a page, or to the start or end",
        "/                   show only names that contain a text",
        "s                   sort by lag, or as listed",
        "i                   hide or show what has no lag",
        "p, space            pause or resume updates",
        "?                   show or hide this help",
        "",
        "LAG TIME: age of the oldest message that is not finished",
        "WORK: transforming a message, or a request to the database",
        "AGE: from a point's own time to the database's answer",
    ];
    let width = (60 + 2).min(area.width);
    let height = (text.len() as u16 + 2).min(area.height);
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, place);
    let lines: Vec<Line<'_>> = text.into_iter().map(Line::from).collect();
    frame.render_widget(
        Paragraph::new(lines).block(Block::bordered().title(" keys ")),
        place,
    );
}
