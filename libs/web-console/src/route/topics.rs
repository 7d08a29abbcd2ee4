//! The list of topics, and a topic.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::Response;
use maud::Markup;
use operator::cluster::Cluster;
use operator::failure::Failure;
use operator::messages::decode::{Decoded, Needs};
use operator::messages::message::Message;
use operator::telemetry::{RecordFields, last_message};
use operator::topics::{self, TopicFilter, TopicOffsets};

use super::{failed, framed, html};
use crate::events::stream;
use crate::page::layout::Frame;
use crate::page::topic::Topic;
use crate::page::topics::{ROWS, Row, Rows, page as list_page, table};
use crate::params::{Params, link};
use crate::state::State;

const READ_INTERVAL: Duration = Duration::from_secs(2);
/// How long a page waits for settings, without which it is still useful.
const SETTINGS_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) async fn list(Shared(state): Shared<Arc<State>>, headers: HeaderMap, params: Params) -> Response {
    let frame = Frame {
        title: "Topics",
        page: "topics",
        ..Frame::default()
    };
    match rows(&state, &params).await {
        Ok(found) => framed(
            &state,
            &headers,
            frame,
            &list_page(&table(&found, &params), &params),
        ),
        Err(failure) => failed(&state, &headers, "topics", &failure),
    }
}

pub(super) async fn found(Shared(state): Shared<Arc<State>>, params: Params) -> Response {
    match rows(&state, &params).await {
        Ok(found) => html(&table(&found, &params)),
        Err(failure) => html(&crate::page::problem::problem(&failure)),
    }
}

async fn rows(state: &State, params: &Params) -> Result<Rows, Failure> {
    let words = params.words();
    let internal = params.get("internal").is_some();
    let page = params.number("page", 0, 100_000);
    state
        .ask(move |cluster| {
            let filter = TopicFilter { internal, name: None };
            let all = topics::list(cluster, &filter);
            let matching: Vec<_> = all.iter().filter(|topic| words.all_in(&topic.topic)).collect();
            let page = page.min(matching.len().saturating_sub(1) / ROWS);
            let in_sight: Vec<_> = matching.iter().skip(page * ROWS).take(ROWS).collect();
            let named: Vec<_> = in_sight
                .iter()
                .filter_map(|topic| cluster.find_topic(&topic.topic))
                .collect();
            // Without the offsets, the list is still there.
            let mut offsets = topics::offsets_of_all(cluster, &named).unwrap_or_default();
            let mut offsets_of = |name: &str| {
                let at = offsets.iter().position(|offsets| offsets.topic == name)?;
                Some(offsets.swap_remove(at))
            };
            let rows = in_sight
                .iter()
                .map(|topic| Row {
                    name: topic.topic.clone(),
                    partitions: topic.partitions,
                    replication: topic.replication,
                    behind: topic.behind,
                    leaderless: topic.leaderless,
                    offsets: offsets_of(&topic.topic),
                })
                .collect();
            Ok(Rows {
                rows,
                matching: matching.len(),
                all: all.len(),
                page,
            })
        })
        .await
}

pub(super) async fn topic(Shared(state): Shared<Arc<State>>, headers: HeaderMap, params: Params) -> Response {
    let name = params.get("name").unwrap_or_default().to_owned();
    match topic_content(&state, &name).await {
        Ok(content) => {
            let frame = Frame {
                title: &crate::format::shown(&name),
                page: "topics",
                events: Some(link("topic-events", &[("name", &name)])),
                has_no_form: true,
                ..Frame::default()
            };
            framed(&state, &headers, frame, &content)
        }
        Err(failure) => failed(&state, &headers, "topics", &failure),
    }
}

async fn topic_content(state: &State, name: &str) -> Result<Markup, Failure> {
    let asked = || name.to_owned();
    let (topic, newest, of_settings) = (asked(), asked(), asked());
    let offsets = state.ask(move |cluster| offsets(cluster, &topic));
    let newest = state.ask(move |cluster| last_message(cluster, &newest));
    let settings = async {
        // The embedded broker of the demo has none and does not answer.
        if state.is_demo {
            return Ok(Vec::new());
        }
        let asking = state.ask(move |cluster| topics::settings(cluster, &of_settings, false));
        tokio::time::timeout(SETTINGS_TIMEOUT, asking)
            .await
            .unwrap_or(Err(Failure::Cancelled))
    };
    let (offsets, newest, settings, fields) = tokio::join!(offsets, newest, settings, fields(state, name));
    let offsets = offsets?;
    let newest = decoded(state, newest?).await;
    let topic = Topic {
        name,
        newest: newest.as_ref(),
        fields: fields.as_ref(),
        offsets: &offsets,
        settings: settings.as_deref().ok(),
    };
    Ok(topic.page())
}

fn offsets(cluster: &Cluster, name: &str) -> Result<TopicOffsets, Failure> {
    let topic = cluster.topic(name)?;
    Ok(topics::offsets_of_all(cluster, &[topic])?
        .pop()
        .unwrap_or_else(|| TopicOffsets {
            topic: name.to_owned(),
            total: 0,
            partitions: Vec::new(),
            unknown: Vec::new(),
        }))
}

pub(super) async fn topic_events(Shared(state): Shared<Arc<State>>, params: Params) -> Response {
    let name = params.get("name").unwrap_or_default().to_owned();
    stream(&state, move |state| {
        let name = name.clone();
        async move {
            tokio::time::sleep(READ_INTERVAL).await;
            let asked = name.clone();
            let Ok(newest) = state.ask(move |cluster| last_message(cluster, &asked)).await else {
                return Some(Vec::new());
            };
            let newest = decoded(&state, newest).await;
            let fields = fields(&state, &name).await;
            let nowhere = TopicOffsets {
                topic: String::new(),
                total: 0,
                partitions: Vec::new(),
                unknown: Vec::new(),
            };
            let topic = Topic {
                name: &name,
                newest: newest.as_ref(),
                fields: fields.as_ref(),
                offsets: &nowhere,
                settings: None,
            };
            Some(vec![("newest", topic.newest())])
        }
    })
}

async fn decoded(state: &State, message: Option<Message>) -> Option<(Message, Decoded)> {
    let message = message?;
    let needs = Needs {
        key: true,
        value: true,
    };
    let decoded = state.decoder.lock().await.decode_message(&message, needs).await;
    Some((message, decoded))
}

/// What the registry says of a topic's fields; none where it says nothing.
async fn fields(state: &State, topic: &str) -> Option<RecordFields> {
    let schema = state.registry.latest(&format!("{topic}-value")).await.ok()?;
    RecordFields::read(&schema.raw)
}
