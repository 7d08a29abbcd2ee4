//! What the forms that change something have in common: each has two steps, a plan that changes nothing and its execution;
//! both are for those who may, and what an execution fails with is logged with the user.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use maud::Markup;
use operator::failure::Failure;

use super::{failed, framed};
use crate::access::User;
use crate::page::layout::Frame;
use crate::page::problem;
use crate::params::Params;
use crate::state::State;

/// A form that was sent, and by whom.
pub(super) struct Form {
    pub(super) params: Params,
    pub(super) user: User,
    /// Whether it carries out what another one has planned.
    pub(super) is_executed: bool,
}

/// Answers a form with what `act` makes of it.
pub(super) async fn answer<F>(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    body: Bytes,
    is_executed: bool,
    frame: Frame<'static>,
    act: impl FnOnce(Arc<State>, Form) -> F,
) -> Response
where
    F: Future<Output = Result<Markup, Failure>>,
{
    let params = Params::read(&body);
    let Some(user) = sender(&state, &headers, &params) else {
        return refused(&state, &headers);
    };
    let who = user.name.clone();
    let form = Form {
        params,
        user,
        is_executed,
    };
    match act(Arc::clone(&state), form).await {
        Ok(content) => framed(&state, &headers, frame, &content),
        Err(failure) => {
            if is_executed {
                let error = stage::chain(&failure);
                tracing::warn!(user = who, error, page = frame.page, "the change failed");
            }
            failed(&state, &headers, frame.page, &failure)
        }
    }
}

/// Who sent a form, if they may change something and sent it from a page of this console.
fn sender(state: &State, headers: &HeaderMap, form: &Params) -> Option<User> {
    let user = state.gate.user(headers)?;
    user.sent(headers, form.get("form_token")).then_some(user)
}

fn refused(state: &State, headers: &HeaderMap) -> Response {
    tracing::warn!("a form that changes something was refused");
    let refusal = problem::text(
        "This may only be done by somebody who is logged in, from a page of this console.",
        None,
    );
    let mut response = framed(state, headers, Frame::default(), &refusal);
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}
