//! Dead letters, and their replay: planned with one form, carried out with another.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use maud::Markup;
use operator::dead_letters::{Selection, plan as plan_replay, replay, survey};
use operator::failure::Failure;

use super::action::{Form, answer};
use super::{failed, framed};
use crate::page::dead_letters::{DeadLetters, page as content, plan};
use crate::page::layout::Frame;
use crate::params::Params;
use crate::state::State;

const FRAME: Frame<'static> = Frame::of("Dead letters", "dead-letters");
/// Dead letters that are shown with their bytes, and in a file.
const SHOWN: usize = 20;
const IN_FILE: usize = 1_000;
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
        Ok(found) => Json(found.letters).into_response(),
        Err(failure) => failed(&state, &headers, FRAME.page, &failure),
    }
}

async fn found(state: &State, params: &Params, most: usize) -> Result<DeadLetters, Failure> {
    let selection = selection(params);
    let counted = params.get("all").is_none().then_some(COUNTED);
    let survey = state
        .ask(move |cluster| survey(cluster, &selection, most, counted))
        .await?;
    let selected = survey.newest.selected;
    let mut letters = survey.newest.decode(&mut *state.decoder.lock().await).await;
    letters.sort_by_key(|shown| std::cmp::Reverse(shown.letter.message.timestamp));
    letters.truncate(most);
    Ok(DeadLetters {
        rows: survey.rows,
        letters,
        selected,
        read: survey.read,
        held: survey.held,
    })
}

pub(super) async fn planned(state: Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Response {
    answer(state, headers, body, false, FRAME, carried_out).await
}

pub(super) async fn replayed(state: Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Response {
    answer(state, headers, body, true, FRAME, carried_out).await
}

async fn carried_out(state: Arc<State>, form: Form) -> Result<Markup, Failure> {
    let selection = selection(&form.params);
    let (who, shutdown) = (form.user.name.clone(), state.shutdown.clone());
    let is_executed = form.is_executed;
    let (found, replayed) = state
        .ask(move |cluster| {
            let plan = plan_replay(cluster, &selection, false, &|_| ())?;
            if !is_executed {
                return Ok((plan, None));
            }
            tracing::warn!(
                user = who,
                letters = plan.replays(),
                ?selection,
                "replaying dead letters"
            );
            let replayed = replay(cluster, &plan, &|| shutdown.is_set(), &|_| ())?;
            Ok((plan, Some(replayed)))
        })
        .await?;
    Ok(plan(&found, replayed.as_ref(), &form.params, &form.user))
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
