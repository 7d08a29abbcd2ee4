//! Kafka Connect's REST API, as much of it as operators need (Kafka 4.1's documentation, "Connect: REST API").

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Method, Response, StatusCode, redirect};
use serde::{Deserialize, Serialize};
use serde_json::json;
use stage::address::{Address, redacted};
use stage::config::Secret;
use stage::tls;

use super::ConnectorStatus;
use super::request::in_path;
use crate::failure::{Failure, nearest};

/// Workers answer quickly, or pass the request on to their leader.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A connector's settings, by key.
pub type Config = BTreeMap<String, String>;

/// How to reach Kafka Connect.
#[derive(Debug, Clone)]
pub struct ConnectSettings {
    /// The address of its REST API.
    pub url: Address,
    /// User and password for basic authentication.
    pub login: Option<(String, Option<Secret>)>,
    /// PEM file of the authorities that may have signed its certificate, instead of the system's.
    pub ca_file: Option<PathBuf>,
}

/// Kafka Connect: any of its workers answers for all.
pub struct Connect {
    pub(super) client: reqwest::Client,
    pub(super) url: Address,
    pub(super) login: Option<(String, Option<Secret>)>,
}

/// A command to a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Begin again, with its tasks.
    Restart,
    /// Keep its tasks and carry nothing.
    Pause,
    /// Go on after a pause.
    Resume,
}

/// What became of a connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Its name.
    pub connector: String,
    /// `created`, `updated`, `restarted`, `paused`, `resumed`, `deleted`.
    pub result: &'static str,
}

/// The settings of any connector without its secrets, to be shown.
pub fn without_secrets(config: &Config) -> Config {
    let is_secret = |key: &str| {
        let key = key.to_lowercase();
        ["password", "secret", "token", "credential"]
            .iter()
            .any(|word| key.contains(word))
    };
    config
        .iter()
        .map(|(key, value)| match is_secret(key) {
            true => (key.clone(), "(hidden)".to_owned()),
            false if value.contains("://") => (key.clone(), redacted(value).into_owned()),
            false => (key.clone(), value.clone()),
        })
        .collect()
}

impl Connect {
    /// A client; nothing is asked yet.
    pub fn new(settings: ConnectSettings) -> Result<Self, Failure> {
        let usage = |error: &dyn std::error::Error| Failure::Usage(stage::chain(error));
        let builder = tls::trusting(reqwest::Client::builder(), settings.ca_file.as_deref())
            .map_err(|error| usage(&error))?;
        let client = builder
            .timeout(REQUEST_TIMEOUT)
            // A redirected PUT or DELETE arrives as a GET, whose answer would look like success.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build();
        Ok(Self {
            client: client.map_err(|error| usage(&error))?,
            url: settings.url.reveal().trim_end_matches('/').into(),
            login: settings.login,
        })
    }

    /// All connectors, by name.
    pub async fn states(&self) -> Result<Vec<ConnectorStatus>, Failure> {
        #[derive(Deserialize)]
        struct Expanded {
            status: ConnectorStatus,
        }
        let answer = self.ask(Method::GET, "connectors?expand=status", None).await?;
        let found: BTreeMap<String, Expanded> = self.read(answer).await?;
        Ok(found.into_values().map(|connector| connector.status).collect())
    }

    /// One connector.
    pub async fn state(&self, name: &str) -> Result<ConnectorStatus, Failure> {
        self.read(self.of(Method::GET, name, "/status").await?).await
    }

    /// A connector's settings.
    pub async fn config(&self, name: &str) -> Result<Config, Failure> {
        self.read(self.of(Method::GET, name, "/config").await?).await
    }

    /// Creates a connector, or gives one that exists other settings: `created`, `updated`.
    pub async fn put(&self, name: &str, config: &Config) -> Result<Changed, Failure> {
        let path = format!("connectors/{}/config", in_path(name));
        let answer = self.ask(Method::PUT, &path, Some(json!(config))).await?;
        if answer.status().is_success() {
            let is_new = answer.status() == StatusCode::CREATED;
            return Ok(Changed::new(name, if is_new { "created" } else { "updated" }));
        }
        let refused = self.refused(format!("the configuration of {name}"), answer).await;
        Err(self.without_plugins(refused).await)
    }

    /// A worker that lacks a connector's class lists all that it has, each in a line of Java; the names are enough.
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

    /// Restarts, pauses or resumes a connector: `restarted`, `paused`, `resumed`.
    pub async fn change(&self, name: &str, change: Change) -> Result<Changed, Failure> {
        let (method, path, result) = match change {
            Change::Restart => (Method::POST, "/restart?includeTasks=true", "restarted"),
            Change::Pause => (Method::PUT, "/pause", "paused"),
            Change::Resume => (Method::PUT, "/resume", "resumed"),
        };
        self.of(method, name, path).await?;
        Ok(Changed::new(name, result))
    }

    /// Ends a connector and forgets its settings: `deleted`.
    pub async fn delete(&self, name: &str) -> Result<Changed, Failure> {
        self.of(Method::DELETE, name, "").await?;
        Ok(Changed::new(name, "deleted"))
    }

    /// A request about one connector, which has to exist.
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
}

impl Changed {
    fn new(connector: &str, result: &'static str) -> Self {
        Self {
            connector: connector.to_owned(),
            result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_not_shown() {
        let config = Config::from(
            [
                ("connect.influx.password", "s3cr3t"),
                ("connect.influx.url", "http://user:s3cr3t@influxdb:8086"),
                ("connect.influx.kcql", "INSERT INTO a SELECT * FROM a"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        let shown = without_secrets(&config);
        assert_eq!(shown["connect.influx.password"], "(hidden)");
        assert_eq!(shown["connect.influx.url"], "http://(hidden)@influxdb:8086");
        assert_eq!(shown["connect.influx.kcql"], config["connect.influx.kcql"]);
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
            url: url.into(),
            login: None,
        }
    }

    #[tokio::test]
    async fn a_page_is_not_a_change_that_was_made() {
        for page in [
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 7\r\nConnection: close\r\n\r\nsign in",
            "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ] {
            let connect = server(page).await;
            for done in [
                connect.change("sink", Change::Pause).await,
                connect.change("sink", Change::Restart).await,
                connect.delete("sink").await,
                connect.put("sink", &Config::new()).await,
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
            connect.change("sink", Change::Pause).await.unwrap();
            connect.delete("sink").await.unwrap();
        }
    }
}
