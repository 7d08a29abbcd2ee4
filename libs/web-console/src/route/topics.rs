//! The list of topics, a topic, and its messages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::Response;
use maud::Markup;
use operator::cluster::Cluster;
use operator::failure::Failure;
use operator::messages::decode::{Decoded, Needs};
use operator::messages::filter::{Filter, filter};
use operator::messages::message::Message;
use operator::messages::reader::{Met, Reader, Start, Stop};
use operator::telemetry::{RecordFields, last_message};
use operator::topics::{self, Setting, TopicFilter, TopicOffsets};

use super::{failed, framed, html};
use crate::events::stream;
use crate::page::layout::Frame;
use crate::page::messages::{self, Search};
use crate::page::topic::Topic;
use crate::page::topics::{ROWS, Row, Rows, page as list_page, table};
use crate::params::{Params, link};
use crate::state::State;

const READ_INTERVAL: Duration = Duration::from_secs(2);
const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// How long a search may take, and how many messages it looks at unless more are asked for.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(10);
const SEARCHED: usize = 5_000;
const MAX_SEARCHED: usize = 1_000_000;
const MAX_SHOWN: usize = 500;

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
    let words: Vec<String> = params
        .get("q")
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_lowercase)
        .collect();
    let internal = params.get("internal").is_some();
    let page = params.number("page", 0, 100_000);
    state
        .ask(move |cluster| {
            let filter = TopicFilter { internal, name: None };
            let all = topics::list(cluster, &filter);
            let matching: Vec<_> = all
                .iter()
                .filter(|topic| {
                    let name = topic.topic.to_lowercase();
                    words.iter().all(|word| name.contains(word.as_str()))
                })
                .collect();
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
                ..Frame::default()
            };
            framed(&state, &headers, frame, &content)
        }
        Err(failure) => failed(&state, &headers, "topics", &failure),
    }
}

async fn topic_content(state: &State, name: &str) -> Result<Markup, Failure> {
    type Told = (Option<Message>, TopicOffsets, Vec<Setting>);
    let (asked, is_demo) = (name.to_owned(), state.is_demo);
    let told: Told = state
        .ask(move |cluster| {
            let offsets = offsets(cluster, &asked)?;
            let newest = if offsets.total > 0 {
                last_message(cluster, &asked)?
            } else {
                None
            };
            // Not every user may read settings; the embedded broker of the demo has none and does not answer.
            let settings = if is_demo {
                Vec::new()
            } else {
                topics::settings(cluster, &asked, false).unwrap_or_default()
            };
            Ok((newest, offsets, settings))
        })
        .await?;
    let (newest, offsets, settings) = told;
    let newest = decoded(state, newest).await;
    let fields = fields(state, name).await;
    let topic = Topic {
        name,
        newest: newest.as_ref(),
        fields: fields.as_ref(),
        offsets: &offsets,
        settings: &settings,
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
                settings: &[],
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

pub(super) async fn messages(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    params: Params,
) -> Response {
    let topic = params.get("topic").unwrap_or_default().to_owned();
    let result = match Query::read(&params) {
        Ok(query) => match search(&state, &topic, query).await {
            Ok(search) => messages::found(&search, &params),
            Err(failure @ Failure::Unknown { .. }) => return failed(&state, &headers, "topics", &failure),
            Err(failure) => crate::page::problem::problem(&failure),
        },
        Err(problem) => messages::unusable(&problem),
    };
    let frame = Frame {
        title: "Messages",
        page: "topics",
        ..Frame::default()
    };
    framed(&state, &headers, frame, &messages::page(&topic, &params, &result))
}

/// What is searched for.
struct Query {
    start: Start,
    partition: Option<i32>,
    key: Option<String>,
    filter: Option<Filter>,
    count: usize,
    most: usize,
}

impl Query {
    fn read(params: &Params) -> Result<Self, String> {
        let number = |text: &str| {
            text.parse()
                .map_err(|_| format!("{text} is not the number of a partition"))
        };
        Ok(Self {
            start: params.get("start").unwrap_or("-20").parse()?,
            partition: params.get("partition").map(number).transpose()?,
            key: params.get("key").map(str::to_owned),
            filter: params.get("filter").map(filter).transpose()?,
            count: params.number("n", 50, MAX_SHOWN).max(1),
            most: params.number("most", SEARCHED, MAX_SEARCHED),
        })
    }
}

/// Reads and decodes until enough is found, enough is searched, or it takes too long.
async fn search(state: &Arc<State>, topic: &str, query: Query) -> Result<Search, Failure> {
    let began = Instant::now();
    let (state, topic) = (Arc::clone(state), topic.to_owned());
    let runtime = tokio::runtime::Handle::current();
    let asking = Arc::clone(&state);
    asking
        .ask(move |cluster| {
            let found = cluster.topic(&topic)?;
            let mut reader = Reader::open(cluster, found, query.partition, query.start, Stop::AtEnd)?;
            let mut search = Search {
                total: reader.remaining(),
                ..Search::default()
            };
            loop {
                if search.found.len() >= query.count
                    || search.searched >= query.most as u64
                    || began.elapsed() > SEARCH_TIMEOUT
                {
                    search.is_cut = search.searched < search.total;
                    break;
                }
                match reader.next(POLL_TIMEOUT)? {
                    Met::Message(message) => {
                        search.searched += 1;
                        let needs = Needs {
                            key: true,
                            value: true,
                        };
                        let decoded = runtime.block_on(async {
                            state.decoder.lock().await.decode_message(&message, needs).await
                        });
                        let is_key = |key: &String| decoded.key_text(&message) == *key;
                        let is_wanted = query.key.as_ref().is_none_or(is_key)
                            && query
                                .filter
                                .as_ref()
                                .is_none_or(|filter| filter.holds(&message, &decoded));
                        if is_wanted {
                            search.found.push((*message, decoded));
                        }
                    }
                    Met::Nothing => {}
                    Met::End => break,
                }
            }
            search
                .found
                .sort_by_key(|(message, _)| std::cmp::Reverse(message.timestamp));
            Ok(search)
        })
        .await
}
