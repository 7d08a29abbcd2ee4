//! The registry's client against the embedded registry: what it asks, how often, and what it makes of the answers.
#![allow(clippy::expect_used, clippy::panic, reason = "a failed step is a failed test")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use devstack::RegistryServer;
use stage::config::RegistryArgs;
use stage::registry::{PublishRules, Published, Registry, RegistryError};
use stage::retry::Verdict;

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
async fn a_registry_that_is_busy_for_a_moment_does_not_end_a_thousand_registrations() {
    let (server, client) = start().await;
    server.fail_next(2, 503);
    client.register("s-value", SCHEMA).await.unwrap();
    server.fail_next(u32::MAX, 503);
    let away = client.register("s-value", SCHEMA).await.unwrap_err();
    assert!(matches!(away, RegistryError::Away { .. }), "{away}");
    assert_eq!(server.requests_of("/subjects/s-value/versions"), 6, "three each");
}

#[tokio::test]
async fn what_is_missing_differs_from_what_is_unavailable() {
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

#[tokio::test]
async fn a_subject_is_asked_for_changed_and_deleted() {
    let (_server, client) = start().await;
    assert_eq!(client.subjects().await.unwrap(), Vec::<String>::new());
    let id = client.register("s/value", SCHEMA).await.unwrap();
    assert_eq!(
        client.subjects().await.unwrap(),
        ["s/value"],
        "a name is one part of a path"
    );
    let found = client.find("s/value", SCHEMA).await.unwrap().unwrap();
    assert_eq!((found.version, found.id), (1, id));
    let wider = SCHEMA.replace("int", "long");
    assert_eq!(client.find("s/value", &wider).await.unwrap(), None);
    assert!(client.judge("s/value", None, &wider).await.unwrap().compatible);

    assert_eq!(client.level(None).await.unwrap().as_deref(), Some("BACKWARD"));
    assert_eq!(client.level(Some("s/value")).await.unwrap(), None);
    assert_eq!(client.set_level(Some("s/value"), "FULL").await.unwrap(), "FULL");
    assert_eq!(
        client.level(Some("s/value")).await.unwrap().as_deref(),
        Some("FULL")
    );
    let judgement = client.judge("s/value", Some(1), &wider).await.unwrap();
    assert!(
        !judgement.compatible && !judgement.reasons.is_empty(),
        "{judgement:?}"
    );
    let refused = client.set_level(None, "SOME").await.unwrap_err();
    assert!(matches!(refused, RegistryError::Refused { .. }), "{refused}");

    assert_eq!(client.version("s/value", None).await.unwrap().schema, SCHEMA);
    let missing = client.version("s/value", Some(2)).await.unwrap_err();
    assert_eq!(
        missing.to_string(),
        "the schema registry knows no version 2 of subject s/value"
    );
    assert_eq!(client.delete_subject("s/value", false).await.unwrap(), [1]);
    assert!(matches!(
        client.versions("s/value", false).await,
        Err(RegistryError::Missing { .. })
    ));
    assert_eq!(client.versions("s/value", true).await.unwrap(), [1]);
    assert_eq!(client.delete_subject("s/value", true).await.unwrap(), [1]);
    assert!(client.versions("s/value", true).await.is_err());
}

#[tokio::test]
async fn a_schema_that_is_published_is_the_latest_or_an_error() {
    let (server, client) = start().await;
    client.set_level(None, "NONE").await.unwrap();
    let rules = PublishRules::default();
    let other = SCHEMA.replace("int", "string");
    let publish = |schema: String, rules| {
        let client = &client;
        async move { client.publish("s-value", &schema, rules).await }
    };
    assert_eq!(publish(SCHEMA.to_owned(), rules).await.unwrap(), Published::New);
    let spaced = SCHEMA.replace(':', " : ");
    assert_eq!(publish(spaced, rules).await.unwrap(), Published::Unchanged);
    assert_eq!(publish(other.clone(), rules).await.unwrap(), Published::Changed);
    let refused = publish(SCHEMA.to_owned(), rules).await.unwrap_err();
    assert!(
        matches!(&refused, RegistryError::NotLatest { newer, .. } if *newer == [2]),
        "{refused}"
    );
    assert_eq!(refused.verdict(), Verdict::Fatal);
    assert_eq!(client.version("s-value", None).await.unwrap().schema, other);
    let make_latest = PublishRules {
        make_latest: true,
        ..rules
    };
    server.fail_next(2, 503);
    assert_eq!(
        publish(SCHEMA.to_owned(), make_latest).await.unwrap(),
        Published::Changed,
        "whatever is busy for a moment"
    );
    assert_eq!(client.version("s-value", None).await.unwrap().schema, SCHEMA);
    assert_eq!(
        client.schema_by_id_now(2).await.unwrap().raw.as_ref(),
        other,
        "records with it can be read"
    );
}

#[tokio::test]
async fn an_id_says_which_subjects_have_it() {
    let (_server, client) = start().await;
    let id = client.register("s-value", SCHEMA).await.unwrap();
    client.register("t-value", SCHEMA).await.unwrap();
    client.delete_subject("t-value", false).await.unwrap();
    let subjects = client.subjects_of_id(id).await.unwrap().unwrap();
    assert_eq!(subjects, ["s-value", "t-value"], "deleted ones, too");
}

#[tokio::test]
async fn what_operators_ask_says_who_has_to_act() {
    let (server, client) = start().await;
    for (status, text) in [
        (401, "refuses our user or password"),
        (403, "does not give our user this right"),
    ] {
        server.fail_next(1, status);
        let denied = client.subjects().await.unwrap_err();
        assert!(matches!(denied, RegistryError::Denied { .. }), "{denied}");
        assert!(denied.to_string().contains(text), "{denied}");
    }
    server.fail_next(1, 503);
    let away = client.level(None).await.unwrap_err();
    assert!(matches!(away, RegistryError::Away { .. }), "{away}");
    let elsewhere = Registry::new(&RegistryArgs::at(format!("{}/elsewhere", server.url()))).unwrap();
    let away = elsewhere.subjects().await.unwrap_err();
    assert!(matches!(away, RegistryError::Away { .. }), "{away}");
}

/// Each character that has a meaning in an address.
#[tokio::test]
async fn a_subject_has_any_name() {
    let (_server, client) = start().await;
    for subject in [
        "a?b=c&d-value",
        "50%-value",
        "a%2Fb",
        "a#b",
        "a/b c",
        "lsst.sal.Test_ä-value",
    ] {
        let id = client.register(subject, SCHEMA).await.unwrap();
        assert_eq!(client.latest(subject).await.unwrap().id, id, "{subject}");
        assert_eq!(client.schema_by_subject(subject).await.unwrap().id, id);
        assert_eq!(client.version(subject, Some(1)).await.unwrap().subject, subject);
        assert_eq!(client.versions(subject, false).await.unwrap(), [1]);
        client.set_level(Some(subject), "NONE").await.unwrap();
        assert_eq!(
            client.level(Some(subject)).await.unwrap().as_deref(),
            Some("NONE")
        );
        assert!(client.find(subject, SCHEMA).await.unwrap().is_some());
        assert_eq!(client.delete_subject(subject, false).await.unwrap(), [1]);
    }
}

#[tokio::test]
async fn no_secret_of_an_address_is_in_an_error() {
    for address in [
        "htp://user:s3cr3t@host:8081",
        "user:s3cr3t@host:8081",
        "http://user:s3cr3t@host:8081",
        "http://user:s3cr3t@[::1:8081",
        "http://user:s3cr3t@host:port",
        "http://user:s3@cr3t@host",
    ] {
        let error = Registry::new(&RegistryArgs::at(address)).unwrap_err();
        let shown = format!("{} {error:?}", stage::chain(&error));
        assert!(!shown.contains("s3cr3t") && !shown.contains("cr3t"), "{shown}");
    }
    let client = Registry::new(&RegistryArgs::at("http://127.0.0.1:1?token=s3cr3t")).unwrap();
    let error = client.subjects().await.unwrap_err();
    let shown = format!("{} {error:?} {client:?}", stage::chain(&error));
    assert!(!shown.contains("s3cr3t"), "{shown}");
}

/// Two registries with the same schema, a client of both, and the schema's id.
async fn two() -> ([RegistryServer; 2], Registry, u32) {
    let servers = [
        RegistryServer::start().await.unwrap(),
        RegistryServer::start().await.unwrap(),
    ];
    let mut id = 0;
    for server in &servers {
        let client = Registry::new(&RegistryArgs::at(server.url())).unwrap();
        id = client.register("s-value", SCHEMA).await.unwrap();
    }
    let both = format!("{}/, {}", servers[0].url(), servers[1].url());
    (servers, Registry::new(&RegistryArgs::at(both)).unwrap(), id)
}

#[tokio::test]
async fn another_address_is_asked_when_the_first_is_dead() {
    let ([mut first, second], client, id) = two().await;
    first.down().await;
    assert_eq!(client.schema_by_id(id).await.unwrap().id, id);
    assert_eq!(client.latest("s-value").await.unwrap().id, id);
    assert_eq!(client.register("s-value", SCHEMA).await.unwrap(), id);
    assert_eq!(client.subjects().await.unwrap(), ["s-value"]);
    first.up().await.unwrap();
    let before = first.requests();
    client.subjects().await.unwrap();
    assert_eq!(first.requests(), before, "the one that answered is asked first");
    let missing = client.latest("unheard-of").await.unwrap_err();
    assert!(
        matches!(missing, RegistryError::Missing { .. }),
        "an answer: {missing}"
    );
    assert!(second.requests() > 0);
}

#[tokio::test]
async fn another_address_is_asked_when_one_dies_or_has_errors() {
    let ([first, mut second], client, id) = two().await;
    assert_eq!(client.latest("s-value").await.unwrap().id, id);
    first.fail_next(u32::MAX, 500);
    assert_eq!(client.latest("s-value").await.unwrap().id, id, "the second");
    first.fail_next(0, 500);
    second.down().await;
    assert_eq!(client.latest("s-value").await.unwrap().id, id, "the first again");
    first.fail_next(u32::MAX, 500);
    let away = client.latest("s-value").await.unwrap_err();
    assert_eq!(away.verdict(), Verdict::Retry(None));
    let text = stage::chain(&away);
    for url in [first.url(), second.url()] {
        assert!(
            text.matches(&url).count() >= 2,
            "each address with its cause: {text}"
        );
    }
}

#[tokio::test]
async fn another_address_is_asked_when_one_takes_connections_and_says_nothing() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = RegistryServer::start().await.unwrap();
    let both = format!("http://{},{}", silent.local_addr().unwrap(), server.url());
    let client = Registry::new(&RegistryArgs::at(both)).unwrap();
    let begun = std::time::Instant::now();
    let id = client.register("s-value", SCHEMA).await.unwrap();
    let once = begun.elapsed();
    for _ in 0..10 {
        assert_eq!(client.latest("s-value").await.unwrap().id, id);
    }
    assert!(once < std::time::Duration::from_secs(9), "{once:?}");
    assert!(begun.elapsed() < once * 2, "it is not waited for again");
}

#[test]
fn every_address_is_checked() {
    let error = |urls: &str| Registry::new(&RegistryArgs::at(urls)).unwrap_err().to_string();
    assert!(error("http://a:8081,b:8081").contains("b:8081"));
    assert!(error("http://a:8081,").contains("expected an address"));
    assert!(!error("http://a:8081,http://me:s3cr3t@b").contains("s3cr3t"));
}
