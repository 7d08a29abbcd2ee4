//! What the forms that change something have in common: each has two steps, a plan that changes nothing and its execution;
//! both are for those who may. An execution runs to its end, whatever becomes of the request, and what it fails with is logged
//! with the user.

use std::sync::Arc;
use std::time::Duration;

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

/// How long an execution is waited for: less than a page may take.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(15);

/// A form that was sent, and by whom.
pub(super) struct Form {
    pub(super) params: Params,
    pub(super) user: User,
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
    F: Future<Output = Result<Markup, Failure>> + Send + 'static,
{
    let params = Params::read(&body);
    let Some(user) = sender(&state, &headers, &params) else {
        return refused(&state, &headers);
    };
    let who = user.name.clone();
    let form = Form { params, user };
    let act = act(Arc::clone(&state), form);
    let answer = if is_executed {
        let change = async move {
            let answer = act.await;
            if let Err(failure) = &answer {
                let error = stage::chain(failure);
                tracing::warn!(user = who, error, page = frame.page, "the change failed");
            }
            answer
        };
        match to_its_end(change, CHANGE_TIMEOUT).await {
            Some(answer) => answer,
            None => return goes_on(&state, &headers, frame),
        }
    } else {
        act.await
    };
    match answer {
        Ok(content) => framed(&state, &headers, frame, &content),
        Err(failure) => failed(&state, &headers, frame.page, &failure),
    }
}

/// Runs a change to its end, also if whoever waits for it goes away. None if it goes on after `wait`.
async fn to_its_end<T: Send + 'static>(
    change: impl Future<Output = T> + Send + 'static,
    wait: Duration,
) -> Option<T> {
    match tokio::time::timeout(wait, tokio::spawn(change)).await.ok()? {
        Ok(answer) => Some(answer),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends.
            Err(_) => None,
        },
    }
}

fn goes_on(state: &State, headers: &HeaderMap, frame: Frame<'_>) -> Response {
    let text = "This takes a while, and goes on. The log of the console says when it has ended, and how; do not send the form \
                again before that.";
    let mut response = framed(state, headers, frame, &problem::text(text, None));
    *response.status_mut() = StatusCode::ACCEPTED;
    response
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// What a change takes, and how long it is waited for.
    const LONG: Duration = Duration::from_millis(300);
    const SHORT: Duration = Duration::from_millis(10);

    /// A change that takes long, and whether it has come to its end.
    fn change() -> (Arc<AtomicBool>, impl Future<Output = u8> + Send + 'static) {
        let has_ended = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&has_ended);
        let change = async move {
            tokio::time::sleep(LONG).await;
            ends.store(true, Ordering::Relaxed);
            7
        };
        (has_ended, change)
    }

    async fn goes_on(has_ended: Arc<AtomicBool>) {
        assert!(!has_ended.load(Ordering::Relaxed));
        let end = async {
            while !has_ended.load(Ordering::Relaxed) {
                tokio::time::sleep(SHORT).await;
            }
        };
        tokio::time::timeout(100 * LONG, end).await.expect("it goes on");
    }

    #[tokio::test]
    async fn a_change_goes_on_when_nobody_waits_for_it() {
        let (_, waited_for) = change();
        assert_eq!(to_its_end(waited_for, 100 * LONG).await, Some(7));

        let (has_ended, slow) = change();
        assert_eq!(to_its_end(slow, SHORT).await, None);
        goes_on(has_ended).await;

        // As the server drops a request whose time is over.
        let (has_ended, left) = change();
        let dropped = tokio::time::timeout(SHORT, to_its_end(left, 100 * LONG));
        assert!(dropped.await.is_err());
        goes_on(has_ended).await;
    }
}
