//! The groups, a group, and its reset: planned with one form, carried out with another.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::Response;
use maud::Markup;
use operator::failure::Failure;
use operator::groups::{self, ResetRequest, describe};

use super::action::{Form, answer};
use super::{failed, framed};
use crate::events::stream;
use crate::page::groups::{Known, Next, group, list, list_page, reset};
use crate::page::layout::Frame;
use crate::params::Params;
use crate::state::State;

const RESET: Frame<'static> = Frame::of("Reset", "groups");

pub(super) async fn page(Shared(state): Shared<Arc<State>>, headers: HeaderMap, params: Params) -> Response {
    let frame = Frame {
        title: "Groups",
        page: "groups",
        events: Some(format!("groups-events?{}", params.encoded())),
        ..Frame::default()
    };
    framed(&state, &headers, frame, &list_page(&state.hub.latest(), &params))
}

pub(super) async fn events(Shared(state): Shared<Arc<State>>, params: Params) -> Response {
    let models = Arc::new(tokio::sync::Mutex::new(state.hub.subscribe()));
    stream(&state, move |_| {
        let (models, params) = (Arc::clone(&models), params.clone());
        async move {
            let mut models = models.lock().await;
            models.changed().await.ok()?;
            let view = Arc::clone(&models.borrow_and_update());
            Some(vec![("groups", list(&view, &params))])
        }
    })
}

pub(super) async fn one(Shared(state): Shared<Arc<State>>, headers: HeaderMap, params: Params) -> Response {
    let name = params.get("name").unwrap_or_default().to_owned();
    match state.ask(move |cluster| describe(cluster, &name)).await {
        Ok(found) => {
            let view = state.hub.latest();
            let watched = view.groups.iter().find(|group| group.name == found.group);
            let frame = Frame {
                title: "Group",
                page: "groups",
                ..Frame::default()
            };
            framed(
                &state,
                &headers,
                frame,
                &group(&found, watched, state.gate.user(&headers).as_ref()),
            )
        }
        Err(failure) => failed(&state, &headers, "groups", &failure),
    }
}

pub(super) async fn plan(state: Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Response {
    answer(state, headers, body, false, RESET, |state, form| {
        planned(state, form, Known::No)
    })
    .await
}

pub(super) async fn execute(state: Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Response {
    answer(state, headers, body, true, RESET, moved).await
}

/// Shows what a form asks for; nothing is changed.
async fn planned(state: Arc<State>, form: Form, is_known: Known) -> Result<Markup, Failure> {
    let text = |name: &str| form.params.get(name).unwrap_or_default().to_owned();
    let (name, to) = (text("name"), text("to"));
    let request = ResetRequest {
        to: to.parse().map_err(Failure::Usage)?,
        topics: form.params.get("topic").map(str::to_owned).into_iter().collect(),
    };
    let plan = state
        .ask(move |cluster| {
            let group = cluster.group(&name)?;
            let plan = groups::plan(cluster, &group, &request)?;
            plan.refuse_empty()?;
            Ok(plan)
        })
        .await?;
    let found = plan.clone().into_reset();
    let next = Next {
        id: state.resets.keep(&form.user.name, (text("to"), plan)),
        is_known,
    };
    Ok(reset(&found, Some(&next), &form.params, &form.user))
}

/// Carries out the plan that was shown.
async fn moved(state: Arc<State>, form: Form) -> Result<Markup, Failure> {
    let Some((to, plan)) = state.resets.take(&form.user.name, form.params.get("plan")) else {
        return planned(state, form, Known::Forgotten).await;
    };
    let who = form.user.name.clone();
    let moved = state
        .ask_at_length(move |cluster| {
            cluster.group(&plan.group)?.refuse_active("moving it")?;
            let (group, partitions) = (plan.group.clone(), plan.moves.len());
            tracing::warn!(user = who, group, to, partitions, "resetting a group's offsets");
            let reset = groups::execute(cluster, plan)?;
            let moved = reset.moves.iter().filter(|row| row.moved == Some(true)).count();
            tracing::info!(
                user = who,
                group,
                moved,
                of = partitions,
                "a group's offsets are reset"
            );
            Ok(reset)
        })
        .await?;
    Ok(reset(&moved, None, &form.params, &form.user))
}
