//! InfluxDB over HTTP: `POST /api/v2/write` (2.x, 3.x and 1.8) or `POST /write` (1.x), lines in microseconds,
//! gzipped if asked to.
//!
//! The crate `influxdb2` is not suitable: its write path drops the header `Retry-After`.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Url, redirect};
use tokio::runtime::Handle;

use stage::tls::{self, TlsError};

use super::answer::Reply;
use super::create;
use super::credentials::{Authorization, Credentials, CredentialsError};
use super::exchange::{Place, address, beginning};
use crate::line::Precision;
use crate::metrics::SinkMetrics;
use crate::write_result::WriteResult;

/// An InfluxDB, and the place in it.
#[derive(Clone, Debug)]
pub struct InfluxTarget {
    /// `http(s)://host:port`, with a path if a proxy needs one.
    pub base: Url,
    /// The interface and the place in the database.
    pub place: Place,
    /// Whether to create the place if there is none.
    pub create: bool,
    /// What to authenticate with.
    pub credentials: Credentials,
    /// Whether to compress requests.
    pub gzip: bool,
    /// The time for one request before the database counts as unavailable.
    pub timeout: Duration,
    /// The authorities that sign its certificate, instead of the system's.
    pub ca_file: Option<PathBuf>,
}

/// The client cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum InfluxSetupError {
    /// The token, or user and password.
    #[error("cannot use the InfluxDB token, or its user and password")]
    Credentials(#[from] CredentialsError),
    /// The authorities' file.
    #[error("cannot use --influxdb-ca-file")]
    Tls(#[from] TlsError),
    /// TLS, mostly.
    #[error("cannot create an HTTP client")]
    Client(#[from] reqwest::Error),
}

/// Posts lines. Its clones share connections and credentials.
#[derive(Clone, Debug)]
pub struct InfluxWriter {
    client: Client,
    url: Url,
    /// The place to create if there is none, and where.
    create: Option<(Url, Place)>,
    authorization: Authorization,
    gzip: bool,
    metrics: SinkMetrics,
    runtime: Handle,
}

impl InfluxTarget {
    /// The full address of the write endpoint.
    fn url(&self) -> Url {
        let (path, pairs): (&str, &[(&str, &str)]) = match &self.place {
            Place::V2 { org, bucket } => (
                "/api/v2/write",
                &[("org", org), ("bucket", bucket), ("precision", "us")],
            ),
            Place::V1 { database } => ("/write", &[("db", database), ("precision", "u")]),
        };
        address(&self.base, path, pairs)
    }

    /// Checks the certificates and the credentials without a connection.
    pub(crate) fn check(&self) -> Result<(), InfluxSetupError> {
        self.client()?;
        Authorization::new(self.credentials.clone())?;
        Ok(())
    }

    fn client(&self) -> Result<Client, InfluxSetupError> {
        let builder = tls::trusting(Client::builder(), self.ca_file.as_deref())?
            .timeout(self.timeout)
            // A redirected POST arrives as a GET, whose answer would look like success.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .user_agent(concat!("influxsink/", env!("CARGO_PKG_VERSION")));
        Ok(builder.build()?)
    }
}

impl InfluxWriter {
    /// Sends nothing yet. `runtime` runs the requests; [`InfluxWriter::write`] must be called outside of it.
    pub fn new(
        target: &InfluxTarget,
        metrics: SinkMetrics,
        runtime: Handle,
    ) -> Result<Self, InfluxSetupError> {
        Ok(Self {
            client: target.client()?,
            url: target.url(),
            create: target.create.then(|| (target.base.clone(), target.place.clone())),
            authorization: Authorization::new(target.credentials.clone())?,
            gzip: target.gzip,
            metrics,
            runtime,
        })
    }

    /// The same with times of another unit than microseconds.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        if precision == Precision::Nanos {
            let pairs: Vec<(String, String)> = self.url.query_pairs().into_owned().collect();
            let others = pairs.iter().filter(|(name, _)| name != "precision");
            // Both interfaces accept "ns" (1.8 since 1.0: "n", "ns").
            self.url
                .query_pairs_mut()
                .clear()
                .extend_pairs(others)
                .append_pair("precision", "ns");
        }
        self
    }

    /// Posts whole lines and waits for the answer.
    pub(super) fn write(&self, lines: Bytes) -> WriteResult {
        self.metrics.line_bytes.inc_by(lines.len() as u64);
        let body = if self.gzip { gzip(&lines).into() } else { lines };
        let authorization = self.authorization.header();
        let answer = self.post(body.clone(), authorization.as_ref());
        // The token may have been replaced since this request started: then nothing is wrong, and there is no wait.
        if answer.is_unauthorized()
            && let Some(authorization) = self.authorization.instead_of(authorization.as_ref())
        {
            return self.post(body, Some(&authorization));
        }
        match &self.create {
            Some((base, place)) if answer.is_not_found() => {
                let created = create::place(&self.client, base, place, authorization.as_ref());
                match self.runtime.block_on(created) {
                    Ok(()) => self.post(body, authorization.as_ref()),
                    Err(error) => answer.with_remark(&error.to_string()),
                }
            }
            _ => answer,
        }
    }

    fn post(&self, body: Bytes, authorization: Option<&HeaderValue>) -> WriteResult {
        self.metrics.sent_bytes.inc_by(body.len() as u64);
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "text/plain; charset=utf-8");
        if self.gzip {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let answer = self.runtime.block_on(async {
            let mut response = request.body(body).send().await?;
            let status = response.status().as_u16();
            let headers = std::mem::take(response.headers_mut());
            let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
            let body = beginning(response).await?;
            Ok(WriteResult::of_http(&Reply {
                status,
                content_type: header(CONTENT_TYPE),
                location: header(LOCATION),
                retry_after: header(RETRY_AFTER),
                body: &String::from_utf8_lossy(&body),
            }))
        });
        answer.unwrap_or_else(|error| away(&error))
    }
}

/// Level 1 of 9: lines of slow random walks shrink to 26 %; level 6 takes nine times as long for little more.
fn gzip(lines: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(lines.len() / 4), Compression::fast());
    match encoder.write_all(lines).and_then(|()| encoder.finish()) {
        Ok(body) => body,
        Err(never) => unreachable!("writing to a Vec failed: {never}"),
    }
}

/// A request without an answer.
fn away(error: &reqwest::Error) -> WriteResult {
    let message = stage::chain(error);
    if message.contains("certificate verify failed") {
        return WriteResult::Away {
            reason: "untrusted_certificate",
            message: format!(
                "its certificate is not trusted: check --influxdb-ca-file, the certificate's dates, and that the address is \
                 one that it was made for ({message})"
            ),
        };
    }
    let reason = if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "connect"
    } else {
        "broken_connection"
    };
    WriteResult::Away { reason, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(base: &str, place: Place) -> InfluxTarget {
        let base = Url::parse(base).unwrap();
        InfluxTarget {
            base,
            place,
            create: false,
            credentials: Credentials::None,
            gzip: true,
            timeout: Duration::from_secs(1),
            ca_file: None,
        }
    }

    #[test]
    fn addresses_are_put_together_and_escaped() {
        let v2 = Place::V2 {
            org: "my org".into(),
            bucket: "efd&precision=s".into(),
        };
        assert_eq!(
            target("http://host:8086", v2).url().as_str(),
            "http://host:8086/api/v2/write?org=my+org&bucket=efd%26precision%3Ds&precision=us"
        );
        let v1 = Place::V1 {
            database: "efd".into(),
        };
        assert_eq!(
            target("https://host/influx/", v1).url().as_str(),
            "https://host/influx/write?db=efd&precision=u"
        );
    }
}
