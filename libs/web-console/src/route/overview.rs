//! The Overview and its events.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::Response;

use super::framed;
use crate::events::stream;
use crate::page::layout::Frame;
use crate::page::overview::{overview, parts};
use crate::state::State;

pub(super) async fn page(Shared(state): Shared<Arc<State>>, headers: HeaderMap) -> Response {
    let view = state.hub.latest();
    let frame = Frame {
        title: "Overview",
        page: "./",
        events: Some("overview-events".to_owned()),
        has_no_form: true,
        ..Frame::default()
    };
    framed(&state, &headers, frame, &overview(&view, &state.database_name()))
}

pub(super) async fn events(Shared(state): Shared<Arc<State>>) -> Response {
    let models = Arc::new(tokio::sync::Mutex::new(state.hub.subscribe()));
    stream(&state, move |state| {
        let models = Arc::clone(&models);
        async move {
            let mut models = models.lock().await;
            models.changed().await.ok()?;
            let view = Arc::clone(&models.borrow_and_update());
            Some(parts(&view, &state.database_name()))
        }
    })
}
