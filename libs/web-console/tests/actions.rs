//! What is changed through the page is logged with the user who did it, and so is what could not be changed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

mod served;

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use console::{Access, Settings};
use devstack::{Broker, RegistryServer};
use reqwest::{Client, Response, StatusCode};
use testkit::raw::Batch;

use served::{Served, settings};

const DEAD_LETTERS: &str = "group.dead-letter";
/// What was replayed; the embedded broker is not asked to create it.
const REPLAYED: &str = "group.dead-letter.replayed";
const ORIGIN: &str = "Test_telemetry";

/// All that the process logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// The line that has all of these words, once there is one.
    async fn line(&self, words: &[&str]) -> String {
        let found = async {
            loop {
                let lines = self.lines();
                let line = lines
                    .iter()
                    .find(|line| words.iter().all(|word| line.contains(word)));
                if let Some(line) = line {
                    break line.clone();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(60), found).await;
        found.unwrap_or_else(|_| panic!("no line with {words:?} in {:#?}", self.lines()))
    }
}

struct Page {
    served: Served,
    broker: Broker,
    offset: AtomicU32,
    _registry: RegistryServer,
}

impl Page {
    /// A console of a broker that holds a dead letter.
    async fn start() -> Self {
        let broker = Broker::start().unwrap();
        for topic in [DEAD_LETTERS, REPLAYED, ORIGIN] {
            broker.create_topic(topic, 1).unwrap();
        }
        let registry = RegistryServer::start().await.unwrap();
        let settings = Settings {
            access: Access::UserHeader("x-user".parse().unwrap()),
            ..settings(broker.bootstrap_servers(), &registry)
        };
        let page = Self {
            served: Served::start(settings, Client::new()).await,
            broker,
            offset: AtomicU32::new(0),
            _registry: registry,
        };
        page.add_dead_letter();
        page
    }

    /// One more, of the next message.
    fn add_dead_letter(&self) {
        let offset = self.offset.fetch_add(1, Ordering::Relaxed).to_string();
        let headers: [(&[u8], &[u8]); 5] = [
            (b"topic", ORIGIN.as_bytes()),
            (b"partition", b"0"),
            (b"offset", offset.as_bytes()),
            (b"stage", b"parse"),
            (b"reason", b"bad_header"),
        ];
        let letter = Batch::new().record(b"x", &headers);
        letter
            .send(self.broker.bootstrap_servers(), DEAD_LETTERS, 0)
            .unwrap();
    }

    /// The token of the forms of a user.
    async fn form_token(&self, user: &str) -> String {
        let request = self
            .served
            .client
            .get(format!("{}dead-letters", self.served.address));
        let page = request.header("x-user", user).send().await.unwrap();
        let page = page.text().await.unwrap();
        let (_, rest) = page.split_once("name=\"form_token\" value=\"").expect(&page);
        rest.split('"').next().unwrap().to_owned()
    }

    /// Sends a user's form.
    fn send(&self, user: &str, action: &str, form: String) -> impl Future<Output = Response> + use<> {
        let request = self
            .served
            .client
            .post(format!("{}{action}", self.served.address));
        let sent = request.header("x-user", user).body(form).send();
        async { sent.await.unwrap() }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_logged_with_the_user() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone());
    subscriber.init();
    let page = Page::start().await;

    let nobodys = page.served.text("dead-letters").await;
    assert!(
        nobodys.contains("bad_header") && !nobodys.contains("form_token"),
        "{nobodys}"
    );
    let token = page.form_token("vera").await;
    let form = format!("form_token={token}&reason=bad_header");
    let planned = page.send("vera", "dead-letters-plan", form.clone()).await;
    assert_eq!(planned.status(), StatusCode::OK);
    let planned = planned.text().await.unwrap();
    let (_, id) = planned.split_once("name=\"plan\" value=\"").expect(&planned);
    let id = id.split('"').next().unwrap();
    let mentions = |word: &str| log.lines().into_iter().filter(|line| line.contains(word)).count();
    assert_eq!(mentions("vera"), 0, "a plan changes nothing");
    // What comes now is not in the plan that was shown, so that it is not replayed.
    page.add_dead_letter();
    let other = page.send("vera", "dead-letters-replay", format!("{form}&plan=other"));
    let anew = other.await.text().await.unwrap();
    assert!(
        anew.contains("Nothing has been changed") && anew.contains("<b>2 messages</b>"),
        "{anew}"
    );
    assert_eq!(
        mentions("vera"),
        0,
        "a plan that was not shown is not carried out"
    );
    let form = format!("{form}&plan={id}");
    let replay = tokio::spawn(page.send("vera", "dead-letters-replay", form));
    let line = log.line(&["replaying dead letters", "vera"]).await;
    assert!(
        line.contains("WARN") && line.contains("user=\"vera\"") && line.contains("letters=1"),
        "{line}"
    );
    assert!(line.contains("reason: Some(\"bad_header\")"), "{line}");
    replay.abort();

    // The embedded broker knows no such group.
    let token = page.form_token("rubin").await;
    let form = format!("form_token={token}&name=nobodys&to=earliest");
    let failed = page.send("rubin", "group-reset", form).await;
    assert!(!failed.status().is_success(), "{failed:?}");
    let line = log.line(&["the change failed", "rubin"]).await;
    assert!(line.contains("WARN") && line.contains("user=\"rubin\""), "{line}");
    assert!(line.contains("page=\"groups\""), "{line}");

    let refused = page.send("mallory", "group-reset", "name=nobodys&to=earliest".to_owned());
    assert_eq!(refused.await.status(), StatusCode::FORBIDDEN);
    log.line(&["a form that changes something was refused"]).await;
}
