//! The Telemetry page, its events, its search, and its values as files.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use maud::html;
use operator::telemetry::Point;

use super::{framed, html};
use crate::catalogue::FoundField;
use crate::events::stream;
use crate::page::layout::Frame;
use crate::page::telemetry::{Telemetry, found_list};
use crate::params::Params;
use crate::plot::{Curve, Format, draw};
use crate::selection::Selection;
use crate::state::State;
use crate::values::{PLOT_POINTS, rows_each, values};

/// Fields and topics that a search shows.
const SHOWN: usize = 30;
const EXAMPLES: usize = 3;
/// How long the first page after the start waits for the schemas.
const CATALOGUE_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a plot is drawn again: from a database, or from the messages of a topic.
const DRAW_INTERVAL: Duration = Duration::from_secs(2);
const READ_INTERVAL: Duration = Duration::from_secs(5);

pub(super) async fn page(Shared(state): Shared<Arc<State>>, headers: HeaderMap, params: Params) -> Response {
    state.catalogue.filled_within(CATALOGUE_TIMEOUT).await;
    let query = params.get("q").map(str::to_owned);
    let found = query.map(|query| state.catalogue.search(&query, SHOWN));
    let (selection, examples, is_example) = chosen(&state, params);
    let range = selection.range();
    let answers = values(&state, &selection, range, PLOT_POINTS).await;
    let source = state.values_source();
    let telemetry = Telemetry {
        selection: &selection,
        range,
        answers: &answers,
        found: found.as_ref(),
        examples: &examples,
        source: &source,
        is_example,
    };
    let is_live = selection.last.is_some() && !selection.chosen.is_empty() && found.is_none();
    let events = format!("telemetry-events?{}", selection.params.with("q", None).encoded());
    let frame = Frame {
        title: "Telemetry",
        page: "telemetry",
        events: is_live.then_some(events),
        ..Frame::default()
    };
    framed(&state, &headers, frame, &telemetry.page())
}

pub(super) async fn events(Shared(state): Shared<Arc<State>>, params: Params) -> Response {
    let (selection, _, is_example) = chosen(&state, params);
    if selection.last.is_none() {
        return (axum::http::StatusCode::NO_CONTENT, ()).into_response();
    }
    let interval = if state.database.is_some() {
        DRAW_INTERVAL
    } else {
        READ_INTERVAL
    };
    stream(&state, move |state| {
        let selection = selection.clone();
        async move {
            tokio::time::sleep(interval).await;
            let range = selection.range();
            let answers = values(&state, &selection, range, PLOT_POINTS).await;
            let telemetry = Telemetry {
                selection: &selection,
                range,
                answers: &answers,
                found: None,
                examples: &[],
                source: "",
                is_example,
            };
            Some(telemetry.parts())
        }
    })
}

/// What the search finds while somebody types.
pub(super) async fn found(Shared(state): Shared<Arc<State>>, params: Params) -> Response {
    let query = params.get("q").unwrap_or_default().to_owned();
    let selection = Selection::read(params);
    if query.is_empty() {
        return html(&html! {});
    }
    html(&found_list(&state.catalogue.search(&query, SHOWN), &selection))
}

pub(super) async fn svg(Shared(state): Shared<Arc<State>>, params: Params) -> Response {
    let selection = Selection::read(params);
    match curves(&state, &selection, PLOT_POINTS).await {
        Ok(curves) => {
            let text = draw(&curves, selection.range(), Format::FILE).into_string();
            ([(header::CONTENT_TYPE, "image/svg+xml")], text).into_response()
        }
        Err(response) => response,
    }
}

pub(super) async fn csv(Shared(state): Shared<Arc<State>>, params: Params) -> Response {
    let selection = Selection::read(params);
    let curves = match curves(&state, &selection, rows_each(selection.chosen.len())).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    let mut text = String::from("time,topic,field,unit,value,least,most\n");
    for (chosen, curve) in selection.chosen.iter().zip(&curves) {
        let names = [
            &chosen.topic,
            &chosen.field,
            curve.unit.as_deref().unwrap_or_default(),
        ]
        .map(cell);
        for point in &curve.series.points {
            let Point {
                time,
                value,
                low,
                high,
            } = point;
            let time = jiff::Timestamp::from_microsecond(*time)
                .map(|time| time.to_string())
                .unwrap_or_default();
            let row = names.join(",");
            match curve.symbol(*value) {
                Some(symbol) => text.push_str(&format!("{time},{row},{},,\n", cell(symbol))),
                None => text.push_str(&format!("{time},{row},{value},{low},{high}\n")),
            }
        }
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{}\"", file_name(&curves)),
        ),
    ];
    (headers, text).into_response()
}

/// A file's name says where its rows are not all values of its time: `means` of stretches, of the `newest` messages.
fn file_name(curves: &[Curve]) -> &'static str {
    let are_means = curves.iter().any(|curve| curve.series.stretch.is_some());
    let are_newest = curves.iter().any(|curve| curve.series.out_of.is_some());
    match (are_means, are_newest) {
        (false, false) => "telemetry.csv",
        (true, false) => "telemetry-means.csv",
        (false, true) => "telemetry-newest.csv",
        (true, true) => "telemetry-means-newest.csv",
    }
}

/// The curves of a selection, for a file: all of them, or none.
async fn curves(state: &State, selection: &Selection, most: usize) -> Result<Vec<Curve>, Response> {
    let answers = values(state, selection, selection.range(), most).await;
    let curves: Result<Vec<Curve>, _> = answers.into_iter().map(|answer| answer.curve).collect();
    curves.map_err(|failure| {
        let status = crate::page::problem::status(&failure);
        let text = format!("{}\n", crate::format::shown(stage::chain(&*failure)));
        (status, text).into_response()
    })
}

/// The selection of an address; examples where it has none and nobody searches.
fn chosen(state: &State, params: Params) -> (Selection, Vec<FoundField>, bool) {
    let selection = Selection::read(params);
    if !selection.chosen.is_empty() || selection.params.get("q").is_some() {
        return (selection, Vec::new(), false);
    }
    let examples = state.catalogue.examples(EXAMPLES);
    let mut params = selection.params.clone();
    for field in &examples {
        params = params.and("f", &format!("{}:{}", field.topic, field.field));
    }
    let last = params.get("last").unwrap_or("1m").to_owned();
    (Selection::read(params.with("last", Some(&last))), examples, true)
}

/// A text in CSV. A spreadsheet takes one that begins with `=` for a formula.
fn cell(text: impl AsRef<str>) -> String {
    let text = text.as_ref();
    let mark = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        "'"
    } else {
        ""
    };
    if mark.is_empty() && !text.contains(['"', ',', '\n', '\r']) {
        return text.to_owned();
    }
    format!("\"{mark}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_texts() {
        assert_eq!(cell("lsst.sal.A"), "lsst.sal.A");
        assert_eq!(cell("=cmd()"), "\"'=cmd()\"");
        assert_eq!(cell("a\"b,c"), "\"a\"\"b,c\"");
    }
}
