//! Every page over an embedded broker and registry whose names and values are hostile: nothing of them is markup, no page
//! lacks the headers that keep a browser safe, and nothing can be changed by whoever may not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

mod served;

use std::time::Duration;

use console::{Access, Settings};
use devstack::{Broker, RegistryServer};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use regex::Regex;
use reqwest::{Client, Response, StatusCode};
use stage::config::{RegistryArgs, Secret};
use stage::registry::Registry;

use served::{Served, settings};

/// Kafka takes no such names of topics; whoever stands in its place may answer them, as the embedded broker does. Fields,
/// headers, keys and values are anybody's.
const HOSTILE: &str = "<script>alert(1)</script>\"'&\n\r\u{1b}[2J\u{202e}gnp";
const TOPIC: &str = "lsst.sal.Test_scalars";
/// Its newest message is JSON, whose fields have any name.
const JSON_TOPIC: &str = "any.json";
/// A subject whose schema refers to a hostile one.
const REFERRING: &str = "referring-value";

struct Page {
    served: Served,
    _broker: Broker,
    _registry: RegistryServer,
}

impl Page {
    async fn start(access: Access) -> Self {
        let broker = Broker::start().unwrap();
        broker.create_topic(TOPIC, 2).unwrap();
        for topic in ["group.dead-letter", JSON_TOPIC, HOSTILE] {
            broker.create_topic(topic, 1).unwrap();
        }
        let registry = RegistryServer::start().await.unwrap();
        let schema = serde_json::json!({
            "type": "record", "name": "Test_scalars", "namespace": "lsst.sal", "doc": HOSTILE,
            "fields": [{"name": "x", "type": "double", "sal_units": HOSTILE, "doc": HOSTILE}, {"name": "text", "type": "string"}],
        });
        let client = Registry::new(&RegistryArgs::at(registry.url())).unwrap();
        let id = client
            .register(&format!("{TOPIC}-value"), &schema.to_string())
            .await
            .unwrap();
        client
            .register(&format!("{HOSTILE}-value"), &schema.to_string())
            .await
            .unwrap();
        registry.hold(REFERRING, &schema.to_string(), None, &[(HOSTILE, HOSTILE, 1)]);
        let mut record = vec![0];
        record.extend(id.to_be_bytes());
        record.extend(1.5_f64.to_le_bytes());
        record.push(u8::try_from(HOSTILE.len() * 2).unwrap());
        record.extend(HOSTILE.as_bytes());
        send(&broker, TOPIC, &record);
        send(&broker, TOPIC, HOSTILE.as_bytes());
        let json = serde_json::json!({HOSTILE: {HOSTILE: HOSTILE}, "list": [HOSTILE]});
        send(&broker, JSON_TOPIC, json.to_string().as_bytes());
        send(&broker, "group.dead-letter", HOSTILE.as_bytes());

        let settings = Settings {
            metrics: vec!["127.0.0.1:1".to_owned()],
            access,
            interval: Duration::from_millis(100),
            is_demo: false,
            ..settings(broker.bootstrap_servers(), &registry)
        };
        let client = Client::builder().redirect(reqwest::redirect::Policy::none());
        Self {
            served: Served::start(settings, client.build().unwrap()).await,
            _broker: broker,
            _registry: registry,
        }
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], form: &str) -> Response {
        let url = format!("{}{path}", self.served.address);
        let mut request = self.served.client.post(url).body(form.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }
}

fn send(broker: &Broker, topic: &str, value: &[u8]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .create()
        .unwrap();
    // A dead letter has its origin in its headers.
    let headers = ["topic", "stage", "reason", "detail", "group", HOSTILE];
    let headers = headers.iter().fold(OwnedHeaders::new(), |headers, key| {
        headers.insert(Header {
            key,
            value: Some(HOSTILE),
        })
    });
    let headers = ["partition", "offset"].iter().fold(headers, |headers, key| {
        headers.insert(Header {
            key,
            value: Some("0"),
        })
    });
    let record = BaseRecord::to(topic)
        .payload(value)
        .key(HOSTILE)
        .partition(0)
        .headers(headers);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_secs(10)).unwrap();
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_from_the_wire_or_an_address_is_markup() {
    let page = Page::start(Access::ReadOnly).await;
    let hostile = encoded(HOSTILE);
    let paths = [
        String::new(),
        "telemetry".to_owned(),
        format!("telemetry?q={hostile}"),
        "telemetry-found?q=x".to_owned(),
        format!("telemetry?f={TOPIC}:x&last=1h"),
        format!("telemetry?f={hostile}:{hostile}&last={hostile}&from={hostile}"),
        format!("telemetry.svg?f={TOPIC}:x&f={hostile}:x&last=1h"),
        format!("topics?q={hostile}"),
        "topics".to_owned(),
        format!("topic?name={TOPIC}"),
        format!("topic?name={hostile}"),
        format!("topic?name={JSON_TOPIC}"),
        format!("messages?topic={JSON_TOPIC}&start=beginning"),
        format!("messages?topic={hostile}&start=beginning"),
        format!("messages?topic={TOPIC}&start=beginning"),
        format!("messages?topic={TOPIC}&start={hostile}&key={hostile}&filter={hostile}&partition={hostile}"),
        format!("messages?topic={TOPIC}&start=beginning&key={hostile}"),
        "groups".to_owned(),
        format!("group?name={hostile}"),
        "schemas".to_owned(),
        format!("schema?subject={hostile}-value"),
        format!("schema?subject={hostile}"),
        format!("schema?subject={REFERRING}"),
        "dead-letters".to_owned(),
        format!("dead-letters?reason={hostile}&step={hostile}"),
        hostile.clone(),
    ];
    let values = Regex::new(" (value=\"[^\"]*\")").unwrap();
    for path in paths {
        let response = page.served.get(&path).await;
        let policy = response
            .headers()
            .get("content-security-policy")
            .expect("a policy");
        assert!(!policy.to_str().unwrap().contains("unsafe"), "{path}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
        let text = response.text().await.unwrap();
        if content_type.starts_with("text/plain") {
            assert!(!text.contains(['\u{202e}', '\u{1b}']), "{path}: {text}");
            continue;
        }
        // What a form sends back is as it came; nobody sees it.
        let text = values.replace_all(&text, "");
        assert!(!text.contains("<script>"), "{path}: {text}");
        assert!(!text.contains(['\u{202e}', '\u{1b}']), "{path}: {text}");
        assert!(
            !text.contains("=\"<") && !text.contains(" style="),
            "{path}: {text}"
        );
    }
    let newest = page.served.text(&format!("topic?name={TOPIC}")).await;
    assert!(
        newest.contains("&lt;script&gt;"),
        "the value is there, as text: {newest}"
    );
    let fields = page.served.text(&format!("topic?name={JSON_TOPIC}")).await;
    let (_, fields) = fields.split_once("Fields of the newest message").expect(&fields);
    let (fields, _) = fields.split_once("</table>").unwrap();
    assert_eq!(
        fields.matches("&lt;script&gt;").count(),
        4,
        "two names of fields and two values, as text: {fields}"
    );
    let found = page
        .served
        .text(&format!("messages?topic={JSON_TOPIC}&start=beginning"))
        .await;
    // The key, the preview, the record and the headers.
    assert!(found.matches("&lt;script&gt;").count() > 8, "{found}");
    let topics = page.served.text("topics?q=script").await;
    assert!(
        topics.contains(&format!("topic?name={hostile}")) && topics.contains("&lt;script&gt;"),
        "the broker lists such a name: {topics}"
    );
    let letters = page.served.text("dead-letters").await;
    assert!(letters.matches("&lt;script&gt;").count() > 8, "{letters}");
    let referring = page.served.text(&format!("schema?subject={REFERRING}")).await;
    assert!(
        referring.contains(&format!("schema?subject={hostile}")),
        "{referring}"
    );
    let found = page
        .served
        .text(&format!("messages?topic={TOPIC}&start=beginning&long=1"))
        .await;
    assert!(found.contains("searched 2 of 2"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_part_of_the_data_flow_leads_to_what_it_is_made_of() {
    let page = Page::start(Access::ReadOnly).await;
    let overview = page.served.text("").await;
    let (_, flow) = overview.split_once("<ol class=\"flow\">").expect("a flow");
    let (flow, _) = flow.split_once("</ol>").unwrap();
    let parts: Vec<&str> = flow.split("<li class=\"node").skip(1).collect();
    assert_eq!(parts.len(), 6, "{flow}");
    for part in parts {
        let (_, link) = part.split_once("<h3><a href=\"").expect(part);
        let (link, name) = link.split_once("\">").unwrap();
        assert_ne!(link, "./", "{name}");
        assert_eq!(page.served.get(link).await.status(), StatusCode::OK, "{name}");
    }
    // Nobody listens where the metrics of a stage should be.
    let wrong = async {
        loop {
            let overview = page.served.text("").await;
            if let Some((_, list)) = overview.split_once("class=\"verdict bad\"") {
                break list.split_once("</ul>").expect("a list").0.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let wrong = tokio::time::timeout(Duration::from_secs(30), wrong)
        .await
        .unwrap();
    let links: Vec<&str> = wrong.split("href=\"").skip(1).collect();
    assert!(!links.is_empty(), "{wrong}");
    for link in links {
        let (link, what) = link.split_once("\">").unwrap();
        assert_ne!(link, "./", "{what}");
        assert_eq!(page.served.get(link).await.status(), StatusCode::OK, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_relative() {
    let page = Page::start(Access::ReadOnly).await;
    for path in [
        "",
        "telemetry",
        "topics",
        "groups",
        "schemas",
        "dead-letters",
        "login",
    ] {
        let text = page.served.text(path).await;
        for attribute in ["href=\"", "src=\"", "action=\"", "data-events=\""] {
            for rest in text.split(attribute).skip(1) {
                assert!(
                    !rest.starts_with(['/', 'h']) || rest.starts_with("http-equiv"),
                    "{path}: {attribute}{:.40}",
                    rest
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_changed_unless_somebody_may() {
    const FORM: &str = "name=g&to=earliest&topic=lsst.sal.Test_scalars";
    const ACTIONS: [&str; 4] = [
        "group-plan",
        "group-reset",
        "dead-letters-plan",
        "dead-letters-replay",
    ];
    let page = Page::start(Access::ReadOnly).await;
    for action in ACTIONS {
        let answer = page.post(action, &[("x-user", "root")], FORM).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{action}");
    }
    assert_eq!(
        page.served.get("login").await.status(),
        StatusCode::NOT_FOUND,
        "there is no token to give"
    );
    assert!(
        !page.served.text("dead-letters").await.contains("<form"),
        "what cannot be done is not shown"
    );

    let page = Page::start(Access::Token(Secret::new("s3cret"))).await;
    assert_eq!(
        page.post("login", &[], "token=guess").await.status(),
        StatusCode::FORBIDDEN
    );
    let answer = page.post("login", &[], "token=s3cret").await;
    assert_eq!(
        (answer.status(), &answer.headers()["location"]),
        (StatusCode::SEE_OTHER, &"./".parse().unwrap())
    );
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
    let cookie = cookie.split(';').next().unwrap();
    for action in ACTIONS {
        let answer = page.post(action, &[("cookie", cookie)], FORM).await;
        assert_eq!(
            answer.status(),
            StatusCode::FORBIDDEN,
            "{action} without the form's token"
        );
    }

    let page = Page::start(Access::UserHeader("x-user".parse().unwrap())).await;
    let shown = page
        .served
        .client
        .get(format!("{}dead-letters", page.served.address))
        .header("x-user", "vera")
        .send()
        .await
        .unwrap();
    let shown = shown.text().await.unwrap();
    let (_, rest) = shown
        .split_once("name=\"form_token\" value=\"")
        .expect("a form for who may");
    let token = rest.split('"').next().unwrap();
    let form = format!("form_token={token}");
    let planned = page.post("dead-letters-plan", &[("x-user", "vera")], &form).await;
    assert_eq!(planned.status(), StatusCode::OK);
    assert!(planned.text().await.unwrap().contains("Plan"));
    for headers in [
        &[("x-user", "rubin")][..],
        &[],
        &[("x-user", "vera"), ("sec-fetch-site", "cross-site")],
    ] {
        let refused = page.post("dead-letters-plan", headers, &form).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{headers:?}");
    }
    let large = format!("form_token={token}&x={}", "x".repeat(100_000));
    let refused = page
        .post("dead-letters-plan", &[("x-user", "vera")], &large)
        .await;
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_come_as_events_until_the_process_ends() {
    let page = Page::start(Access::ReadOnly).await;
    let mut events = page.served.get("overview-events").await;
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    while !["verdict", "flow", "lag"]
        .iter()
        .all(|part| text.contains(&format!("data: {part}\n")))
    {
        text.push_str(&String::from_utf8_lossy(
            &events.chunk().await.unwrap().expect("more events"),
        ));
    }
    page.served.shutdown.ask();
    let rest = async { while let Ok(Some(_)) = events.chunk().await {} };
    tokio::time::timeout(Duration::from_secs(5), rest)
        .await
        .expect("the stream ends");
}
