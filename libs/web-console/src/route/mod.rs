//! Which address is answered by which page.

mod action;
mod dead_letters;
mod groups;
mod login;
mod messages;
mod overview;
mod schemas;
mod telemetry;
mod topics;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::Markup;
use operator::failure::Failure;

use crate::assets;
use crate::page::layout::{self, Frame};
use crate::page::problem;
use crate::state::State;

pub(crate) fn routes(state: Arc<State>) -> Router {
    Router::new()
        .route("/", get(overview::page))
        .route("/overview-events", get(overview::events))
        .route("/telemetry", get(telemetry::page))
        .route("/telemetry-events", get(telemetry::events))
        .route("/telemetry-found", get(telemetry::found))
        .route("/telemetry.svg", get(telemetry::svg))
        .route("/telemetry.csv", get(telemetry::csv))
        .route("/topics", get(topics::list))
        .route("/topics-found", get(topics::found))
        .route("/topic", get(topics::topic))
        .route("/topic-events", get(topics::topic_events))
        .route("/messages", get(messages::page))
        .route("/messages-events", get(messages::events))
        .route("/groups", get(groups::page))
        .route("/groups-events", get(groups::events))
        .route("/group", get(groups::one))
        .route("/group-plan", post(groups::plan))
        .route("/group-reset", post(groups::execute))
        .route("/schemas", get(schemas::page))
        .route("/schemas-found", get(schemas::found))
        .route("/schema", get(schemas::one))
        .route("/connectors", get(schemas::connectors))
        .route("/dead-letters", get(dead_letters::page))
        .route("/dead-letters.json", get(dead_letters::json))
        .route("/dead-letters-plan", post(dead_letters::plan))
        .route("/dead-letters-replay", post(dead_letters::execute))
        .route("/login", get(login::page).post(login::log_in))
        .route("/logout", post(login::log_out))
        .merge(assets::routes())
        .fallback(missing)
        .with_state(state)
}

/// A page in its frame.
fn framed(state: &State, headers: &HeaderMap, frame: Frame<'_>, content: &Markup) -> Response {
    let frame = Frame {
        user: state.gate.user(headers),
        can_log_in: state.gate.takes_a_token(),
        is_demo: state.is_demo,
        has_connect: state.connect.is_some(),
        ..frame
    };
    html(&layout::page(&frame, content))
}

/// A page that has only a problem to show.
fn failed(state: &State, headers: &HeaderMap, page: &str, failure: &Failure) -> Response {
    let frame = Frame {
        title: "No answer",
        page,
        ..Frame::default()
    };
    let mut response = framed(state, headers, frame, &problem::problem(failure));
    *response.status_mut() = problem::status(failure);
    response
}

fn html(markup: &Markup) -> Response {
    (
        [(header::CONTENT_TYPE, "text/html; charset=utf-8")],
        markup.0.clone(),
    )
        .into_response()
}

async fn missing(
    axum::extract::State(state): axum::extract::State<Arc<State>>,
    headers: HeaderMap,
) -> Response {
    let frame = Frame {
        title: "Not found",
        ..Frame::default()
    };
    let mut response = framed(
        &state,
        &headers,
        frame,
        &problem::text("There is no such page.", None),
    );
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
