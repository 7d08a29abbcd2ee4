//! One request to a worker of Kafka Connect, and what its answer means.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use stage::config::Secret;

use super::Connect;
use crate::failure::Failure;

/// How often a request is made again while the workers share out their tasks.
const MAX_TRIES: usize = 40;
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

impl Connect {
    /// Asks, again and again while the workers are sharing out their tasks (409).
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Response, Failure> {
        let mut tries = 0;
        loop {
            let mut request = self
                .client
                .request(method.clone(), format!("{}/{path}", self.url.reveal()));
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
            if answer.status() != StatusCode::CONFLICT || tries == MAX_TRIES {
                return Ok(answer);
            }
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }

    fn login(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.login {
            Some((user, password)) => request.basic_auth(user, password.as_ref().map(Secret::reveal)),
            None => request,
        }
    }

    pub(super) async fn read<T: serde::de::DeserializeOwned>(&self, answer: Response) -> Result<T, Failure> {
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
            url: self.url.to_string(),
            flag: "--kafka-connect URL or KAFKA_CONNECT",
            source: Box::new(error),
        }
    }

    pub(super) async fn refused(&self, what: String, answer: Response) -> Failure {
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
pub(super) fn in_path(name: &str) -> String {
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
}
