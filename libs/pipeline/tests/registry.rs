//! The registry's client against the embedded registry: what it asks, how often, and what it makes of the answers.
#![allow(clippy::expect_used, clippy::panic, reason = "a failed step is a failed test")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use devstack::RegistryServer;
use pipeline::config::RegistryArgs;
use pipeline::registry::{Registry, RegistryError};
use pipeline::retry::Verdict;

const SCHEMA: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}"#;

async fn start() -> (RegistryServer, Registry) {
    let server = RegistryServer::start().await.unwrap();
    let client = Registry::new(&RegistryArgs::at(format!("{}/", server.url()))).unwrap();
    (server, client)
}

#[tokio::test]
async fn concurrent_questions_share_one_request_and_the_answer_is_kept() {
    let (server, client) = start().await;
    let id = client.register("s-value", SCHEMA).await.unwrap();
    for _ in 0..2 {
        let answers = futures::future::join_all((0..20).map(|_| client.schema_by_id(id))).await;
        assert!(answers.iter().all(|answer| answer.as_ref().unwrap().id == id));
        futures::future::join_all((0..20).map(|_| client.schema_by_subject("s-value"))).await;
    }
    assert_eq!(server.requests_of(&format!("/schemas/ids/{id}")), 1);
    assert_eq!(server.requests_of("/subjects/s-value/versions/latest"), 1);
}

#[tokio::test]
async fn failures_are_not_kept() {
    let (server, client) = start().await;
    let id = client.register("s-value", SCHEMA).await.unwrap();
    server.fail_next(1, 500);
    let error = client.schema_by_id(id).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Retry(None), "{error}");
    assert_eq!(client.schema_by_id(id).await.unwrap().id, id);
}

#[tokio::test]
async fn what_is_missing_is_told_from_what_is_away() {
    let (mut server, client) = start().await;
    let missing = client.schema_by_subject("unheard-of").await.unwrap_err();
    assert_eq!(
        missing.to_string(),
        "the schema registry knows no subject unheard-of"
    );
    assert_eq!(missing.verdict(), Verdict::DeadLetter);
    assert_eq!(
        client.schema_by_id(77).await.unwrap_err().verdict(),
        Verdict::DeadLetter
    );
    server.down().await;
    let away = client.latest("unheard-of").await.unwrap_err();
    assert!(matches!(away, RegistryError::Away { .. }), "{away}");
    assert_eq!(away.verdict(), Verdict::Retry(None));
}

#[tokio::test]
async fn a_refused_schema_keeps_the_registrys_words() {
    let (_server, client) = start().await;
    client.register("s-value", SCHEMA).await.unwrap();
    let other = SCHEMA.replace("int", "string");
    let refused = client.register("s-value", &other).await.unwrap_err();
    assert!(matches!(&refused, RegistryError::Refused { .. }), "{refused}");
    assert_eq!(refused.verdict(), Verdict::Fatal);
    let invalid = client.register("t-value", "{").await.unwrap_err();
    assert_eq!(invalid.verdict(), Verdict::Fatal, "{invalid}");
}

#[tokio::test]
async fn an_empty_registry_has_no_subjects() {
    let (_server, client) = start().await;
    assert!(client.subjects().await.unwrap().is_empty());
}
