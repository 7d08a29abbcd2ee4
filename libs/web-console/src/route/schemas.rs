//! The subjects of the registry, and a subject; and the connectors of Kafka Connect.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::Response;
use maud::Markup;
use operator::failure::Failure;
use operator::subjects::show;

use super::{failed, framed, html};
use crate::page::layout::Frame;
use crate::page::schemas::{list, list_page, schema};
use crate::page::{connectors as connectors_page, problem::problem};
use crate::params::Params;
use crate::state::State;

pub(super) async fn page(Shared(state): Shared<Arc<State>>, headers: HeaderMap, params: Params) -> Response {
    match subjects(&state, &params).await {
        Ok(content) => framed(&state, &headers, frame(), &list_page(&content, &params)),
        Err(failure) => failed(&state, &headers, "schemas", &failure),
    }
}

pub(super) async fn found(Shared(state): Shared<Arc<State>>, params: Params) -> Response {
    match subjects(&state, &params).await {
        Ok(content) => html(&content),
        Err(failure) => html(&problem(&failure)),
    }
}

async fn subjects(state: &State, params: &Params) -> Result<Markup, Failure> {
    let mut subjects = state.registry.subjects().await?;
    let all = subjects.len();
    let words = params.words();
    subjects.retain(|subject| words.all_in(subject));
    subjects.sort();
    Ok(list(&subjects, all, params))
}

pub(super) async fn one(Shared(state): Shared<Arc<State>>, headers: HeaderMap, params: Params) -> Response {
    match content(&state, &params).await {
        Ok(content) => framed(&state, &headers, frame(), &content),
        Err(failure) => failed(&state, &headers, "schemas", &failure),
    }
}

async fn content(state: &State, params: &Params) -> Result<Markup, Failure> {
    let subject = params.get("subject").unwrap_or_default();
    let number = |name: &str| params.get(name).and_then(|text| text.parse::<u32>().ok());
    let shown = show(&state.registry, subject, number("version")).await?;
    let versions = state.registry.versions(subject, false).await?;
    let other = match number("with") {
        Some(version) => Some(show(&state.registry, subject, Some(version)).await?),
        None => None,
    };
    // A registry may answer no level to this user.
    let level = state.registry.level(Some(subject)).await.ok().flatten();
    Ok(schema(&shown, &versions, other.as_ref(), level.as_deref()))
}

pub(super) async fn connectors(Shared(state): Shared<Arc<State>>, headers: HeaderMap) -> Response {
    let Some(connect) = &state.connect else {
        return super::missing(Shared(Arc::clone(&state)), headers).await;
    };
    match connect.states().await {
        Ok(states) => {
            let frame = Frame {
                title: "Connectors",
                page: "connectors",
                ..Frame::default()
            };
            framed(&state, &headers, frame, &connectors_page::page(&states))
        }
        Err(failure) => failed(&state, &headers, "connectors", &failure),
    }
}

fn frame() -> Frame<'static> {
    Frame {
        title: "Schemas",
        page: "schemas",
        ..Frame::default()
    }
}
