//! Creates a database or bucket that does not exist yet (`--create-database`). Like one that is created by hand without
//! options, it keeps its points without an end.

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use serde_json::json;

use super::answer::one_line;
use super::exchange::{Place, address, beginning};

/// It cannot be created.
#[derive(Debug, thiserror::Error)]
pub(super) enum CreateError {
    #[error("--create-database cannot create it: no answer to {request} ({source})")]
    Request {
        request: &'static str,
        source: reqwest::Error,
    },
    #[error("--create-database cannot create it: {request} is answered with {status} {said}")]
    Refused {
        request: &'static str,
        status: StatusCode,
        said: String,
    },
    #[error("--create-database cannot create the bucket: there is no organisation {0:?}, check --org")]
    NoOrganisation(String),
}

/// The longest part of an answer that is shown, in characters.
const MAX_SHOWN: usize = 200;

#[derive(Deserialize)]
struct Organisations {
    orgs: Vec<Organisation>,
}

#[derive(Deserialize)]
struct Organisation {
    id: String,
    name: String,
}

/// Creates the place. If another process was faster, that is success as well.
pub(super) async fn place(
    client: &Client,
    base: &Url,
    place: &Place,
    authorization: Option<&HeaderValue>,
) -> Result<(), CreateError> {
    let influx = Influx {
        client,
        base,
        authorization,
    };
    match place {
        Place::V1 { database } => influx.database(database).await?,
        Place::V2 { org, bucket } => influx.bucket(org, bucket).await?,
    }
    tracing::info!(?place, "database is created");
    Ok(())
}

struct Influx<'a> {
    client: &'a Client,
    base: &'a Url,
    authorization: Option<&'a HeaderValue>,
}

impl Influx<'_> {
    /// InfluxDB 1.
    async fn database(&self, name: &str) -> Result<(), CreateError> {
        let name = name.replace('\\', "\\\\").replace('"', "\\\"");
        let statement = format!("CREATE DATABASE \"{name}\"");
        let request = self
            .client
            .post(address(self.base, "/query", &[("q", &statement)]));
        let (status, said) = self.answer("CREATE DATABASE", request).await?;
        // Version 1 reports a failed statement with 200.
        if status.is_success() && !said.contains("\"error\"") {
            return Ok(());
        }
        Err(refused("CREATE DATABASE", status, &said))
    }

    /// InfluxDB 2; in 1.8, whose interface of this version has no buckets, a database.
    async fn bucket(&self, org: &str, bucket: &str) -> Result<(), CreateError> {
        const ORGANISATIONS: &str = "GET /api/v2/orgs";
        const BUCKETS: &str = "POST /api/v2/buckets";
        let request = self
            .client
            .get(address(self.base, "/api/v2/orgs", &[("org", org)]));
        let (status, said) = self.answer(ORGANISATIONS, request).await?;
        if status == StatusCode::NOT_FOUND && !said.contains("organization") {
            let database = bucket.split_once('/').map_or(bucket, |(database, _)| database);
            return self.database(database).await;
        }
        let found = match serde_json::from_str::<Organisations>(&said) {
            Ok(found) if status.is_success() => found.orgs,
            _ if status == StatusCode::NOT_FOUND => Vec::new(),
            _ => return Err(refused(ORGANISATIONS, status, &said)),
        };
        let Some(found) = found.into_iter().find(|found| found.name == org) else {
            return Err(CreateError::NoOrganisation(org.to_owned()));
        };
        let wanted = json!({ "orgID": found.id, "name": bucket, "retentionRules": [] });
        let request = self
            .client
            .post(address(self.base, "/api/v2/buckets", &[]))
            .json(&wanted);
        let (status, said) = self.answer(BUCKETS, request).await?;
        // The answer if another process was faster.
        let exists = status == StatusCode::UNPROCESSABLE_ENTITY && said.contains("already exists");
        match status.is_success() || exists {
            true => Ok(()),
            false => Err(refused(BUCKETS, status, &said)),
        }
    }

    async fn answer(
        &self,
        name: &'static str,
        mut request: RequestBuilder,
    ) -> Result<(StatusCode, String), CreateError> {
        let failed = |source: reqwest::Error| CreateError::Request {
            request: name,
            // The address may hold the statement, which the message names already.
            source: source.without_url(),
        };
        if let Some(authorization) = self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        let said = beginning(response).await.map_err(failed)?;
        Ok((status, String::from_utf8_lossy(&said).into_owned()))
    }
}

fn refused(request: &'static str, status: StatusCode, said: &str) -> CreateError {
    CreateError::Refused {
        request,
        status,
        said: one_line(said, MAX_SHOWN),
    }
}
