//! Logging in with the token, and out.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::framed;
use crate::page::layout::Frame;
use crate::page::problem::text;
use crate::params::Params;
use crate::state::State;

pub(super) async fn page(Shared(state): Shared<Arc<State>>, headers: HeaderMap) -> Response {
    if !state.gate.takes_a_token() {
        return super::missing(Shared(state), headers).await;
    }
    framed(&state, &headers, frame(), &form(None))
}

pub(super) async fn log_in(Shared(state): Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Response {
    let params = Params::read(&body);
    match state.gate.log_in(params.get("token").unwrap_or_default()) {
        Some(cookie) => {
            tracing::info!("somebody logged in with the token");
            (
                StatusCode::SEE_OTHER,
                [(header::LOCATION, "./".to_owned()), (header::SET_COOKIE, cookie)],
            )
                .into_response()
        }
        None => {
            tracing::warn!("a wrong token was given");
            // Whoever tries many has to wait for each.
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            let problem = text("This is not the token.", None);
            let mut response = framed(&state, &headers, frame(), &form(Some(problem)));
            *response.status_mut() = StatusCode::FORBIDDEN;
            response
        }
    }
}

pub(super) async fn log_out(Shared(state): Shared<Arc<State>>, headers: HeaderMap) -> Response {
    state.gate.log_out(&headers);
    (StatusCode::SEE_OTHER, [(header::LOCATION, "./")]).into_response()
}

fn form(problem: Option<Markup>) -> Markup {
    html! {
        h1 { "Log in" }
        @if let Some(problem) = problem { (problem) }
        form.panel.row action="login" method="post" {
            label { "Token " input type="password" name="token" required autocomplete="current-password"; }
            button { "Log in" }
            p.note { "With the token, offsets can be reset and dead letters replayed. Reading needs none." }
        }
    }
}

fn frame() -> Frame<'static> {
    Frame {
        title: "Log in",
        ..Frame::default()
    }
}
