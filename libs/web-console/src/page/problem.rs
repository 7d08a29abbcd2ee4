//! What a page shows in place of an answer that it has not: why, and what to try.

use axum::http::StatusCode;
use maud::{Markup, html};
use operator::failure::Failure;

use crate::format::shown;

/// A box that says what failed.
pub(crate) fn problem(failure: &Failure) -> Markup {
    text(&stage::chain(failure), failure.hint().as_deref())
}

/// The same from texts.
pub(crate) fn text(what: &str, hint: Option<&str>) -> Markup {
    html! {
        div.problem role="alert" {
            p { (shown(what)) }
            @if let Some(hint) = hint { p.hint { "Try: " (shown(hint)) } }
        }
    }
}

/// The status of a response that has only a problem to show.
pub(crate) fn status(failure: &Failure) -> StatusCode {
    match failure {
        Failure::Usage(_) => StatusCode::BAD_REQUEST,
        Failure::Unknown { .. } => StatusCode::NOT_FOUND,
        Failure::Refused { .. } | Failure::Declined { .. } => StatusCode::CONFLICT,
        _ => StatusCode::BAD_GATEWAY,
    }
}
