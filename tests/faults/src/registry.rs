//! The harness's own access to the schema registry, and a record of what it did there.
//!
//! The registry in these tests keeps its schemas only in memory. After a kill, every action is repeated in
//! the same order, which gives the same ids, before the stages can reach it: to them it was unavailable and
//! came back with its data.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use stage::lock;

use crate::failure::{Failure, Outcome, until};

/// One action.
#[derive(Debug, Clone)]
enum Deed {
    Register {
        subject: String,
        schema: String,
        id: u64,
    },
    DeleteNewest {
        subject: String,
    },
    Compatibility {
        subject: String,
        level: &'static str,
    },
}

/// A registry client that records its actions.
#[derive(Debug)]
pub(crate) struct RegistryLog {
    http: reqwest::Client,
    url: String,
    deeds: Mutex<Vec<Deed>>,
}

impl RegistryLog {
    /// For an empty registry.
    pub(crate) fn new(url: &str) -> Outcome<Self> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .no_proxy();
        Ok(Self {
            http: client.build().map_err(Failure::http("make an HTTP client"))?,
            url: url.to_owned(),
            deeds: Mutex::default(),
        })
    }

    /// Registers a schema; `None` if the registry refuses it as incompatible.
    pub(crate) async fn register(&self, subject: &str, schema: &str) -> Outcome<Option<u64>> {
        let id = self.post_schema(subject, schema).await?;
        if let Some(id) = id {
            lock(&self.deeds).push(Deed::Register {
                subject: subject.to_owned(),
                schema: schema.to_owned(),
                id,
            });
        }
        Ok(id)
    }

    /// Deletes the newest version of a subject.
    pub(crate) async fn delete_newest(&self, subject: &str) -> Outcome<()> {
        lock(&self.deeds).push(Deed::DeleteNewest {
            subject: subject.to_owned(),
        });
        self.delete(subject).await
    }

    /// Sets a subject's compatibility level.
    pub(crate) async fn set_compatibility(&self, subject: &str, level: &'static str) -> Outcome<()> {
        lock(&self.deeds).push(Deed::Compatibility {
            subject: subject.to_owned(),
            level,
        });
        self.put_level(subject, level).await
    }

    /// After a restart: waits until the registry answers and repeats all actions.
    pub(crate) async fn restore(&self) -> Outcome<()> {
        until("the registry answers", 30, || async {
            let answer = self.http.get(format!("{}/subjects", self.url)).send().await;
            answer.map(drop).map_err(|error| error.to_string())
        })
        .await?;
        let deeds = lock(&self.deeds).clone();
        for deed in deeds {
            match deed {
                Deed::Register { subject, schema, id } => {
                    let now = self.post_schema(&subject, &schema).await?;
                    if now != Some(id) {
                        return Err(Failure::Unexpected(format!(
                            "the restarted registry gives {subject} id {now:?}, it was {id} before"
                        )));
                    }
                }
                Deed::DeleteNewest { subject } => self.delete(&subject).await?,
                Deed::Compatibility { subject, level } => self.put_level(&subject, level).await?,
            }
        }
        Ok(())
    }

    async fn post_schema(&self, subject: &str, schema: &str) -> Outcome<Option<u64>> {
        let doing = || format!("register a schema of {subject}");
        let request = self
            .http
            .post(format!("{}/subjects/{subject}/versions", self.url))
            .json(&json!({ "schema": schema }));
        let answer = request.send().await.map_err(Failure::http(doing()))?;
        if answer.status().as_u16() == 409 {
            return Ok(None);
        }
        let answer = answer.error_for_status().map_err(Failure::http(doing()))?;
        let answer: Value = answer.json().await.map_err(Failure::http(doing()))?;
        answer["id"]
            .as_u64()
            .map(Some)
            .ok_or_else(|| Failure::Unexpected(format!("the registry gives no id: {answer}")))
    }

    async fn delete(&self, subject: &str) -> Outcome<()> {
        let url = format!("{}/subjects/{subject}/versions/latest", self.url);
        let answer = self.http.delete(url).send().await;
        answer
            .and_then(reqwest::Response::error_for_status)
            .map(drop)
            .map_err(Failure::http(format!("delete the newest version of {subject}")))
    }

    async fn put_level(&self, subject: &str, level: &str) -> Outcome<()> {
        let request = self
            .http
            .put(format!("{}/config/{subject}", self.url))
            .json(&json!({ "compatibility": level }));
        let answer = request.send().await;
        answer
            .and_then(reqwest::Response::error_for_status)
            .map(drop)
            .map_err(Failure::http(format!("set the compatibility of {subject}")))
    }
}
