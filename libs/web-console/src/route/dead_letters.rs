//! Dead letters, and their replay: planned with one form, carried out with another.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use operator::dead_letters::{
    Plan, Replayed, Row, Selection, Shown, list, newest, plan as plan_replay, replay,
};
use operator::failure::Failure;

use super::{authorised, failed, framed};
use crate::access::User;
use crate::page::dead_letters::{page as content, plan};
use crate::page::layout::Frame;
use crate::params::Params;
use crate::state::State;

/// Dead letters that are shown with their bytes, and in a file.
const SHOWN: usize = 20;
const IN_FILE: usize = 1_000;

pub(super) async fn page(Shared(state): Shared<Arc<State>>, headers: HeaderMap, params: Params) -> Response {
    match found(&state, &params, SHOWN).await {
        Ok((rows, letters, selected)) => {
            let user = state.gate.user(&headers);
            framed(
                &state,
                &headers,
                frame(),
                &content(&rows, &letters, selected, &params, user.as_ref()),
            )
        }
        Err(failure) => failed(&state, &headers, "dead-letters", &failure),
    }
}

pub(super) async fn json(Shared(state): Shared<Arc<State>>, headers: HeaderMap, params: Params) -> Response {
    match found(&state, &params, IN_FILE).await {
        Ok((_, letters, _)) => Json(letters).into_response(),
        Err(failure) => failed(&state, &headers, "dead-letters", &failure),
    }
}

async fn found(
    state: &State,
    params: &Params,
    most: usize,
) -> Result<(Vec<Row>, Vec<Shown>, usize), Failure> {
    let selection = selection(params);
    let (rows, newest) = state
        .ask(move |cluster| {
            Ok((
                list(cluster, &selection, &|_| ())?,
                newest(cluster, &selection, most, &|_| ())?,
            ))
        })
        .await?;
    let selected = newest.selected;
    let mut letters = newest.decode(&mut *state.decoder.lock().await).await;
    letters.sort_by_key(|shown| std::cmp::Reverse(shown.letter.message.timestamp));
    letters.truncate(most);
    Ok((rows, letters, selected))
}

pub(super) async fn planned(state: Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Response {
    answer(state, headers, body, false).await
}

pub(super) async fn replayed(state: Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Response {
    answer(state, headers, body, true).await
}

async fn answer(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    body: Bytes,
    is_executed: bool,
) -> Response {
    let params = Params::read(&body);
    let user = match authorised(&state, &headers, &params) {
        Ok(user) => user,
        Err(response) => return *response,
    };
    match carried_out(&state, &params, is_executed, &user).await {
        Ok((found, replayed)) => framed(
            &state,
            &headers,
            frame(),
            &plan(&found, replayed.as_ref(), &params, &user),
        ),
        Err(failure) => failed(&state, &headers, "dead-letters", &failure),
    }
}

async fn carried_out(
    state: &State,
    params: &Params,
    is_executed: bool,
    user: &User,
) -> Result<(Plan, Option<Replayed>), Failure> {
    let selection = selection(params);
    let (who, shutdown) = (user.name.clone(), state.shutdown.clone());
    let result = state
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
        .await;
    if let (true, Err(failure)) = (is_executed, &result) {
        tracing::warn!(
            user = user.name,
            error = stage::chain(failure),
            "the replay failed"
        );
    }
    result
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

fn frame() -> Frame<'static> {
    Frame {
        title: "Dead letters",
        page: "dead-letters",
        ..Frame::default()
    }
}
