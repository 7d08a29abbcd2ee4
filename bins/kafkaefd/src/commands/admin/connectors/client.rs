//! Kafka Connect's REST API, as much of it as the commands need (Kafka 4.1's documentation, "Connect: REST API").

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, Response, StatusCode, redirect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stage::config::Secret;
use stage::tls;

use super::ConnectArgs;
use operator::failure::{Failure, nearest};

/// Workers answer quickly, or pass the request on to their leader.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a request is made again while the workers share out their tasks.
const TRIES: usize = 40;
const WAIT: Duration = Duration::from_millis(500);

/// A connector's settings, by key.
pub(super) type Config = BTreeMap<String, String>;

/// Kafka Connect, as one of its workers answers for all.
pub(super) struct Connect {
    client: reqwest::Client,
    url: String,
    login: Option<(String, Option<Secret>)>,
}

/// How a connector and its tasks are.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct State {
    pub(super) name: String,
    pub(super) connector: Part,
    #[serde(default)]
    pub(super) tasks: Vec<Part>,
    /// `source` or `sink`.
    #[serde(default, rename = "type")]
    pub(super) kind: String,
}

/// How a connector, or one of its tasks, is.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Part {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<u32>,
    /// RUNNING, PAUSED, FAILED, UNASSIGNED, STOPPED, RESTARTING.
    pub(super) state: String,
    pub(super) worker_id: String,
    /// Why it failed: a Java stack trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trace: Option<String>,
}

impl State {
    /// The connector's own.
    pub(super) fn state(&self) -> &str {
        &self.connector.state
    }

    pub(super) fn has_failed(&self) -> bool {
        self.parts().any(|part| part.state == "FAILED")
    }

    /// The connector, then its tasks.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        std::iter::once(&self.connector).chain(&self.tasks)
    }
}

impl Connect {
    /// A client; nothing is asked yet.
    pub(super) fn new(args: &ConnectArgs) -> Result<Self, Failure> {
        let usage = |error: &dyn std::error::Error| Failure::Usage(stage::chain(error));
        let builder = tls::trusting(reqwest::Client::builder(), args.kafka_connect_ca_file.as_deref())
            .map_err(|error| usage(&error))?;
        let client = builder
            .timeout(REQUEST_TIMEOUT)
            // A redirected PUT or DELETE arrives as a GET, whose answer would look like success.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build();
        let password = match &args.kafka_connect_password_file {
            Some(path) => Some(Secret::from_file(path).map_err(|error| usage(&error))?),
            None => std::env::var("KAFKA_CONNECT_PASSWORD").ok().map(Secret::new),
        };
        Ok(Self {
            client: client.map_err(|error| usage(&error))?,
            url: args.kafka_connect.trim_end_matches('/').to_owned(),
            login: args.kafka_connect_user.clone().map(|user| (user, password)),
        })
    }

    /// All connectors, by name.
    pub(super) async fn states(&self) -> Result<Vec<State>, Failure> {
        #[derive(Deserialize)]
        struct Expanded {
            status: State,
        }
        let answer = self.ask(Method::GET, "connectors?expand=status", None).await?;
        let found: BTreeMap<String, Expanded> = self.read(answer).await?;
        Ok(found.into_values().map(|connector| connector.status).collect())
    }

    /// One connector.
    pub(super) async fn state(&self, name: &str) -> Result<State, Failure> {
        self.read(self.of(Method::GET, name, "/status").await?).await
    }

    /// A connector's settings.
    pub(super) async fn config(&self, name: &str) -> Result<Config, Failure> {
        self.read(self.of(Method::GET, name, "/config").await?).await
    }

    /// Makes a connector, or gives it other settings; whether it is new.
    pub(super) async fn put(&self, name: &str, config: &Config) -> Result<bool, Failure> {
        let path = format!("connectors/{}/config", in_path(name));
        let answer = self.ask(Method::PUT, &path, Some(json!(config))).await?;
        if answer.status().is_success() {
            return Ok(answer.status() == StatusCode::CREATED);
        }
        let refused = self.refused(format!("the configuration of {name}"), answer).await;
        Err(self.without_plugins(refused).await)
    }

    /// A worker that lacks a connector's class lists all that it has, each in a line of Java: said in fewer words.
    async fn without_plugins(&self, refused: Failure) -> Failure {
        #[derive(Deserialize)]
        struct Plugin {
            class: String,
        }
        let Failure::Refused { what, reason, hint } = refused else {
            return refused;
        };
        let Some((reason, _)) = reason.split_once(", available connectors are") else {
            return Failure::Refused { what, reason, hint };
        };
        let classes: Vec<String> = match self.ask(Method::GET, "connector-plugins", None).await {
            Ok(answer) => answer.json::<Vec<Plugin>>().await.unwrap_or_default(),
            Err(_) => Vec::new(),
        }
        .into_iter()
        .map(|plugin| plugin.class)
        .collect();
        Failure::Refused {
            what,
            reason: reason.to_owned(),
            hint: format!(
                "install its plugin on the workers; they have {}",
                classes.join(", ")
            ),
        }
    }

    /// `restart`, `pause` or `resume`.
    pub(super) async fn change(&self, name: &str, verb: &str) -> Result<(), Failure> {
        let (method, path) = match verb {
            "restart" => (Method::POST, "/restart?includeTasks=true".to_owned()),
            verb => (Method::PUT, format!("/{verb}")),
        };
        self.of(method, name, &path).await.map(drop)
    }

    /// Ends a connector.
    pub(super) async fn delete(&self, name: &str) -> Result<(), Failure> {
        self.of(Method::DELETE, name, "").await.map(drop)
    }

    /// Something of one connector, which has to be there.
    async fn of(&self, method: Method, name: &str, path: &str) -> Result<Response, Failure> {
        let answer = self
            .ask(
                method.clone(),
                &format!("connectors/{}{path}", in_path(name)),
                None,
            )
            .await?;
        match answer.status() {
            status if status.is_success() => Ok(answer),
            StatusCode::NOT_FOUND => {
                let names: Vec<String> = self.states().await?.into_iter().map(|state| state.name).collect();
                Err(Failure::Unknown {
                    kind: "connector",
                    name: name.to_owned(),
                    nearest: nearest(name, names.iter().map(String::as_str)),
                    list: "kafkaefd admin connectors list",
                })
            }
            _ => Err(self.refused(format!("{method} of {name}"), answer).await),
        }
    }

    /// Asks, again and again while the workers are sharing out their tasks (409).
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Response, Failure> {
        let mut tries = 0;
        loop {
            let mut request = self
                .client
                .request(method.clone(), format!("{}/{path}", self.url));
            if let Some(body) = &body {
                request = request.json(body);
            }
            let answer = self
                .login(request)
                .send()
                .await
                .map_err(|error| self.away(error.without_url()))?;
            if is_foreign(&answer) {
                let error = NotConnect(
                    answer.status(),
                    content_type(&answer).unwrap_or("no content").to_owned(),
                );
                return Err(self.away(error));
            }
            tries += 1;
            if answer.status() != StatusCode::CONFLICT || tries == TRIES {
                return Ok(answer);
            }
            tokio::time::sleep(WAIT).await;
        }
    }

    fn login(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.login {
            Some((user, password)) => request.basic_auth(user, password.as_ref().map(Secret::reveal)),
            None => request,
        }
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, answer: Response) -> Result<T, Failure> {
        if !answer.status().is_success() {
            return Err(self.refused("the request".to_owned(), answer).await);
        }
        answer
            .json()
            .await
            .map_err(|error| self.away(error.without_url()))
    }

    fn away(&self, error: impl std::error::Error + Send + Sync + 'static) -> Failure {
        Failure::Away {
            service: "kafka connect",
            url: self.url.clone(),
            flag: "--kafka-connect URL or KAFKA_CONNECT",
            source: Box::new(error),
        }
    }

    async fn refused(&self, what: String, answer: Response) -> Failure {
        #[derive(Deserialize)]
        struct Refusal {
            message: String,
        }
        let status = answer.status();
        let reason = match answer.json::<Refusal>().await {
            Ok(refusal) => refusal.message,
            Err(_) => status.to_string(),
        };
        let hint = match status {
            StatusCode::CONFLICT => "once more in a minute: the workers are still sharing out their tasks",
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "--kafka-connect-user and --kafka-connect-password-file"
            }
            StatusCode::BAD_REQUEST => "another configuration; --dry-run shows it without sending it",
            _ => "the worker's own log",
        };
        Failure::Refused {
            what,
            reason,
            hint: hint.to_owned(),
        }
    }
}

/// An answer that a worker does not give.
#[derive(Debug, thiserror::Error)]
#[error("this is not Kafka Connect: it answered {0}, {1}")]
struct NotConnect(StatusCode, String);

/// Whether a success or redirect comes from something else, such as a proxy's page: a worker redirects nobody, and
/// answers JSON, or nothing with 202 and 204.
fn is_foreign(answer: &Response) -> bool {
    match answer.status() {
        status if status.is_redirection() => true,
        status if !status.is_success() => false,
        StatusCode::NO_CONTENT => false,
        StatusCode::ACCEPTED if content_type(answer).is_none() => false,
        _ => !content_type(answer).is_some_and(|name| name.starts_with("application/json")),
    }
}

fn content_type(answer: &Response) -> Option<&str> {
    answer.headers().get(CONTENT_TYPE)?.to_str().ok()
}

/// A name as one step of an address.
fn in_path(name: &str) -> String {
    let mut url = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_step_of_the_address() {
        assert_eq!(in_path("influxdb-sink"), "influxdb-sink");
        assert_eq!(in_path("a/b c?"), "a%2Fb%20c%3F");
    }
    /// A server that gives this answer to every request.
    async fn server(answer: &'static str) -> Connect {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let client = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build();
        Connect {
            client: client.unwrap(),
            url,
            login: None,
        }
    }

    #[tokio::test]
    async fn a_page_is_no_change_made() {
        for page in [
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 7\r\nConnection: close\r\n\r\nsign in",
            "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ] {
            let connect = server(page).await;
            for done in [
                connect.change("sink", "pause").await,
                connect.change("sink", "restart").await,
                connect.delete("sink").await,
                connect.put("sink", &Config::new()).await.map(drop),
            ] {
                let error = done.expect_err(page);
                assert!(
                    stage::chain(&error).contains("this is not Kafka Connect"),
                    "{error}"
                );
            }
        }
    }

    #[tokio::test]
    async fn a_workers_answers_without_a_body_are_successes() {
        for answer in [
            "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        ] {
            let connect = server(answer).await;
            connect.change("sink", "pause").await.unwrap();
            connect.delete("sink").await.unwrap();
        }
    }
}
