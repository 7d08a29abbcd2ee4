//! Dead letters, and their replay: planned with one form, carried out with another.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use maud::Markup;
use operator::dead_letters::{Selection, plan as plan_replay, replay, survey};
use operator::failure::Failure;

use super::action::{Form, answer};
use super::{failed, framed};
use crate::page::dead_letters::{DeadLetters, Stage, page as content, plan as plan_page};
use crate::page::groups::{Known, Next};
use crate::page::layout::Frame;
use crate::params::Params;
use crate::state::State;

const FRAME: Frame<'static> = Frame::of("Dead letters", "dead-letters");
/// Dead letters that are shown with their bytes, and in a file.
const SHOWN: usize = 20;
const IN_FILE: usize = 1_000;
/// The size of the dead letters of a page or file: one may be as large as a broker takes.
const MAX_BYTES: usize = 4 << 20;
/// How many dead letters were selected, of which a file has the newest.
const TOTAL: HeaderName = HeaderName::from_static("x-total-count");
/// Dead letters of each partition that are counted, unless all are asked for: a page comes at once.
const COUNTED: i64 = 10_000;

pub(super) async fn page(Shared(state): Shared<Arc<State>>, headers: HeaderMap, params: Params) -> Response {
    match found(&state, &params, SHOWN).await {
        Ok(found) => {
            let user = state.gate.user(&headers);
            framed(&state, &headers, FRAME, &content(&found, &params, user.as_ref()))
        }
        Err(failure) => failed(&state, &headers, FRAME.page, &failure),
    }
}

pub(super) async fn json(Shared(state): Shared<Arc<State>>, headers: HeaderMap, params: Params) -> Response {
    match found(&state, &params, IN_FILE).await {
        Ok(found) => ([(TOTAL, found.selected.to_string())], Json(found.letters)).into_response(),
        Err(failure) => failed(&state, &headers, FRAME.page, &failure),
    }
}

async fn found(state: &State, params: &Params, most: usize) -> Result<DeadLetters, Failure> {
    let selection = selection(params);
    let counted = params.get("all").is_none().then_some(COUNTED);
    let survey = state
        .ask(move |cluster| survey(cluster, &selection, most, MAX_BYTES, counted))
        .await?;
    let selected = survey.newest.selected;
    let mut letters = survey.newest.decode(&mut *state.decoder.lock().await).await;
    letters.sort_by_key(|shown| {
        let message = &shown.letter.message;
        std::cmp::Reverse((message.timestamp, message.offset))
    });
    letters.truncate(most);
    Ok(DeadLetters {
        rows: survey.rows,
        letters,
        selected,
        read: survey.read,
        held: survey.held,
    })
}

pub(super) async fn plan(state: Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Response {
    answer(state, headers, body, false, FRAME, |state, form| {
        planned(state, form, Known::No)
    })
    .await
}

pub(super) async fn execute(state: Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Response {
    answer(state, headers, body, true, FRAME, replayed).await
}

/// Shows what a replay would send; nothing is changed.
async fn planned(state: Arc<State>, form: Form, is_known: Known) -> Result<Markup, Failure> {
    let selection = selection(&form.params);
    let (selection, plan) = state
        .ask(move |cluster| {
            let plan = plan_replay(cluster, &selection, false, &|_| ())?;
            Ok((selection, plan))
        })
        .await?;
    let next = Next {
        id: state.replays.keep(&form.user.name, (selection, plan.clone())),
        is_known,
    };
    Ok(plan_page(&plan, Stage::Planned(&next), &form.params, &form.user))
}

/// Carries out the plan that was shown: dead letters that came after it stay.
async fn replayed(state: Arc<State>, form: Form) -> Result<Markup, Failure> {
    let Some((selection, plan)) = state.replays.take(&form.user.name, form.params.get("plan")) else {
        return planned(state, form, Known::Forgotten).await;
    };
    let (who, shutdown) = (form.user.name.clone(), state.shutdown.clone());
    let (plan, replayed) = state
        .ask_at_length(move |cluster| {
            let letters = plan.replays();
            tracing::warn!(user = who, letters, ?selection, "replaying dead letters");
            let replayed = replay(cluster, &plan, &|| shutdown.is_set(), &|_| ())?;
            let (letters, refused) = (replayed.replayed, replayed.refused.len());
            tracing::info!(user = who, letters, refused, "dead letters are replayed");
            Ok((plan, replayed))
        })
        .await?;
    Ok(plan_page(
        &plan,
        Stage::Replayed(&replayed),
        &form.params,
        &form.user,
    ))
}

fn selection(params: &Params) -> Selection {
    let text = |name: &str| params.get(name).map(str::to_owned);
    Selection {
        topics: text("in").into_iter().collect(),
        stage: text("step"),
        reason: text("reason"),
        topic: text("topic"),
        ..Selection::default()
    }
}
