//! A query to an InfluxDB of either API, and what its answer means.

use reqwest::{RequestBuilder, Response};
use stage::address::Address;

use crate::failure::Failure;

/// No answer for a plot is larger.
const MAX_ANSWER_BYTES: usize = 32 << 20;

/// Sends a query and reads the whole answer, which a database says in the words of `url`.
pub(super) async fn answer(request: RequestBuilder, url: &Address) -> Result<String, Failure> {
    let away = |error: reqwest::Error| Failure::Away {
        service: "influxdb",
        url: url.to_string(),
        flag: "--influxdb",
        source: Box::new(error.without_url()),
    };
    let response = request.send().await.map_err(away)?;
    let status = response.status();
    let text = text(response).await.map_err(away)?;
    let text = text.ok_or_else(|| refused("answers more than a plot has room for", url))?;
    match status.as_u16() {
        200..=299 => Ok(text),
        401 | 403 => Err(Failure::Denied {
            service: "influxdb",
            url: url.to_string(),
            reason: format!("{status}: {}", excerpt(&text)),
            hint: "give a token or user that may read, see --help".to_owned(),
        }),
        _ => Err(refused(&format!("{status}: {}", excerpt(&text)), url)),
    }
}

/// InfluxDB says no.
pub(super) fn refused(reason: &str, url: &Address) -> Failure {
    Failure::Refused {
        what: format!("a query to InfluxDB at {url}"),
        reason: reason.to_owned(),
        hint: "check the name of the bucket or database".to_owned(),
    }
}

async fn text(mut response: Response) -> Result<Option<String>, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn excerpt(text: &str) -> String {
    text.chars().take(300).collect()
}
