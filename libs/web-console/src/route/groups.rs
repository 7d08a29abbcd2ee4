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
use crate::page::groups::{group, list, list_page, reset};
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
    answer(state, headers, body, false, RESET, moved).await
}

pub(super) async fn execute(state: Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Response {
    answer(state, headers, body, true, RESET, moved).await
}

async fn moved(state: Arc<State>, form: Form) -> Result<Markup, Failure> {
    let text = |name: &str| form.params.get(name).unwrap_or_default().to_owned();
    let (name, to, topic) = (text("name"), text("to"), text("topic"));
    let request = ResetRequest {
        to: to.parse().map_err(Failure::Usage)?,
        topics: form.params.get("topic").map(str::to_owned).into_iter().collect(),
    };
    let (who, is_executed, target) = (form.user.name.clone(), form.is_executed, to.clone());
    let found = state
        .ask(move |cluster| {
            let group = cluster.group(&name)?;
            if is_executed {
                group.refuse_active("moving it")?;
            }
            let plan = groups::plan(cluster, &group, &request)?;
            plan.refuse_empty()?;
            if !is_executed {
                return Ok(plan.into_reset());
            }
            tracing::warn!(
                user = who,
                group = name,
                to = target,
                partitions = plan.moves.len(),
                "resetting a group's offsets"
            );
            groups::execute(cluster, plan)
        })
        .await?;
    Ok(reset(&found, &to, &topic, &form.user))
}
