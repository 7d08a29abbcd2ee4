//! Schemas that refer to others, against the embedded registry: what is asked, in which order the schemas come, and what
//! is refused.
#![allow(clippy::panic, reason = "a failed step is a failed test")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use devstack::RegistryServer;
use stage::config::RegistryArgs;
use stage::registry::{ReferenceProblem, Registry, RegistryError, SchemaKind};
use stage::retry::Verdict;

async fn start() -> (RegistryServer, Registry) {
    let server = RegistryServer::start().await.unwrap();
    let client = Registry::new(&RegistryArgs::at(server.url())).unwrap();
    (server, client)
}

fn named(name: &str) -> String {
    format!(r#"{{"type":"record","name":"{name}","fields":[]}}"#)
}

fn problem(error: RegistryError) -> ReferenceProblem {
    assert_eq!(error.verdict(), Verdict::DeadLetter, "{error}");
    match error {
        RegistryError::References { problem, .. } => problem,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn references_are_followed_and_come_before_those_that_need_them() {
    let (server, client) = start().await;
    server.hold("d", &named("D"), None, &[]);
    server.hold("b", &named("B"), None, &[("D", "d", 1)]);
    server.hold("c/c", &named("C"), None, &[("D", "d", 1)]);
    let id = server.hold(
        "a",
        &named("A"),
        None,
        &[("B", "b", 1), ("C", "c/c", 1), ("D", "d", 1)],
    );
    let schema = client.schema_by_id(id).await.unwrap();
    assert_eq!(
        (schema.id, &schema.kind, &*schema.raw),
        (id, &SchemaKind::Avro, &*named("A"))
    );
    let names = |schema: &stage::registry::RegisteredSchema| -> Vec<String> {
        let found = schema.referenced.iter();
        found.map(|found| found.reference.name.clone()).collect()
    };
    assert_eq!(names(&schema), ["D", "B", "C"]);
    assert_eq!(&*schema.referenced[0].raw, named("D"));
    assert_eq!(server.requests_of("/subjects/d/versions/1"), 1, "each once");
    client.schema_by_id(id).await.unwrap();
    assert_eq!(server.requests_of("/subjects/d/versions/1"), 1, "kept");
    assert_eq!(names(&client.latest("a").await.unwrap()), ["D", "B", "C"]);
    let again = client.schema_by_id_now(id).await.unwrap();
    assert!(schema.is_same(&again));
}

#[tokio::test]
async fn a_registry_that_fails_in_between_is_asked_again() {
    let (mut server, client) = start().await;
    server.hold("c", &named("C"), None, &[]);
    server.hold("b", &named("B"), None, &[("C", "c", 1)]);
    let id = server.hold("a", &named("A"), None, &[("B", "b", 1)]);
    server.down().await;
    let away = client.schema_by_id(id).await.unwrap_err();
    assert_eq!(away.verdict(), Verdict::Retry(None), "{away}");
    server.up().await.unwrap();
    assert_eq!(client.schema_by_id(id).await.unwrap().referenced.len(), 2);
    let second = RegistryServer::start().await.unwrap();
    second.hold("c", &named("C"), None, &[]);
    second.hold("b", &named("B"), None, &[("C", "c", 1)]);
    second.hold("a", &named("A"), None, &[("B", "b", 1)]);
    let both = Registry::new(&RegistryArgs::at(format!("{},{}", server.url(), second.url()))).unwrap();
    server.down().await;
    assert_eq!(
        both.schema_by_id(id).await.unwrap().referenced.len(),
        2,
        "at another address"
    );
}

#[tokio::test]
async fn a_reference_that_is_missing_may_come_later() {
    let (server, client) = start().await;
    let id = server.hold("a", &named("A"), None, &[("B", "b", 3)]);
    let missing = client.schema_by_id(id).await.unwrap_err();
    assert_eq!(
        missing.to_string(),
        format!("the schema registry knows no version 3 of subject b, to which schema id {id} refers")
    );
    assert!(matches!(missing, RegistryError::Missing { .. }));
}

#[tokio::test]
async fn a_deleted_version_is_still_in_use() {
    let (server, client) = start().await;
    server.hold("b", &named("B"), None, &[]);
    let id = server.hold("a", &named("A"), None, &[("B", "b", 1)]);
    client.delete_subject("b", false).await.unwrap();
    assert_eq!(client.schema_by_id(id).await.unwrap().referenced.len(), 1);
}

#[tokio::test]
async fn references_have_limits() {
    let (server, client) = start().await;
    let circle = server.hold("a", &named("A"), None, &[("B", "b", 1)]);
    server.hold("b", &named("B"), None, &[("A", "a", 1)]);
    let error = client.schema_by_id(circle).await.unwrap_err();
    assert!(error.to_string().contains("which refers to itself"), "{error}");
    assert_eq!(
        problem(error),
        ReferenceProblem::Circle {
            subject: "b".to_owned(),
            version: 1
        }
    );

    // A long chain.
    for at in 0..60 {
        let (subject, next) = (format!("chain{at}"), format!("chain{}", at + 1));
        server.hold(&subject, &named(&subject), None, &[("next", &next, 1)]);
    }
    let deep = server.hold("deep", &named("Deep"), None, &[("next", "chain0", 1)]);
    assert_eq!(
        problem(client.schema_by_id(deep).await.unwrap_err()),
        ReferenceProblem::TooDeep
    );

    let many: Vec<String> = (0..300).map(|at| format!("many{at}")).collect();
    for subject in &many {
        server.hold(subject, &named(subject), None, &[]);
    }
    let references: Vec<_> = many.iter().map(|subject| (&**subject, &**subject, 1)).collect();
    let wide = server.hold("wide", &named("Wide"), None, &references);
    assert_eq!(
        problem(client.schema_by_id(wide).await.unwrap_err()),
        ReferenceProblem::TooMany
    );
    let enough = server.hold("enough", &named("Enough"), None, &references[..200]);
    assert_eq!(client.schema_by_id(enough).await.unwrap().referenced.len(), 200);

    let long = format!("{}{}", named("Long"), " ".repeat(3 << 20));
    server.hold("long1", &long, None, &[]);
    server.hold("long2", &long, None, &[]);
    let heavy = server.hold(
        "heavy",
        &named("Heavy"),
        None,
        &[("L", "long1", 1), ("M", "long2", 1)],
    );
    assert_eq!(
        problem(client.schema_by_id(heavy).await.unwrap_err()),
        ReferenceProblem::TooLong
    );
}

#[tokio::test]
async fn a_schema_says_its_language() {
    let (server, client) = start().await;
    for (kind, shown) in [("PROTOBUF", "Protobuf"), ("JSON", "JSON Schema"), ("XML", "XML")] {
        let id = server.hold("other", "message A {}", Some(kind), &[]);
        let schema = client.schema_by_id(id).await.unwrap();
        let other = schema.check_is_avro().unwrap_err();
        assert_eq!(other.to_string(), format!("schema id {id} is {shown}"));
        assert_eq!(client.latest("other").await.unwrap().kind, schema.kind);
    }
}
