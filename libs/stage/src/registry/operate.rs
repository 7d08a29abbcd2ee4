//! Requests for operators, beyond those of the stages: subjects, versions, compatibility, deletion. They follow
//! Confluent's API documentation, and tolerate where registries differ: `null` for an empty list, no reasons for
//! "incompatible", a subject without its own level answered as missing.

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::addresses::RegistryAddress;
use super::odd::Odd;
use super::{Registry, RegistryError, SchemaKind, SchemaReference};
use crate::config::Secret;

/// A version of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct VersionedSchema {
    /// The subject.
    pub subject: String,
    /// Its version, from 1.
    pub version: u32,
    /// The id that Confluent's framing puts before each record.
    pub id: u32,
    /// The schema's text.
    pub schema: String,
    /// Its language.
    #[serde(default, rename = "schemaType")]
    pub kind: SchemaKind,
    /// Those to which it refers.
    #[serde(default, deserialize_with = "or_none")]
    pub references: Vec<SchemaReference>,
}

/// The registry's judgement of a schema against an existing one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Judgement {
    /// Whether it is compatible at the subject's level.
    #[serde(rename = "is_compatible")]
    pub compatible: bool,
    /// Why not; some registries give no reasons.
    #[serde(default, rename = "messages", deserialize_with = "or_none")]
    pub reasons: Vec<String>,
}

#[derive(Deserialize)]
struct Level {
    #[serde(alias = "compatibilityLevel")]
    compatibility: String,
}

/// The body of every refusal.
#[derive(Deserialize)]
struct Refusal {
    error_code: u32,
    #[serde(default)]
    message: String,
}

/// `null` stands for an empty list.
fn or_none<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Registry {
    /// All subjects, sorted. Requested directly, because some registries answer `null` for none, which the crate
    /// rejects.
    pub async fn subjects(&self) -> Result<Vec<String>, RegistryError> {
        let found: Option<Vec<String>> = self
            .ask(
                Method::GET,
                &["subjects"],
                &[],
                None,
                "list of subjects".to_owned(),
            )
            .await?;
        let mut subjects = found.unwrap_or_default();
        subjects.sort();
        Ok(subjects)
    }

    /// A subject's versions, ascending; with `deleted`, including those that are softly deleted.
    pub async fn versions(&self, subject: &str, deleted: bool) -> Result<Vec<u32>, RegistryError> {
        let query: &[_] = if deleted { &[("deleted", "true")] } else { &[] };
        let what = format!("subject {subject}");
        let found: Option<Vec<u32>> = self
            .ask(Method::GET, &["subjects", subject, "versions"], query, None, what)
            .await?;
        let mut versions = found.unwrap_or_default();
        versions.sort_unstable();
        Ok(versions)
    }

    /// A version of a subject; without a number, the newest.
    pub async fn version(
        &self,
        subject: &str,
        version: Option<u32>,
    ) -> Result<VersionedSchema, RegistryError> {
        let path = ["subjects", subject, "versions", &name_of(version)];
        self.ask(Method::GET, &path, &[], None, about(subject, version))
            .await
    }

    /// A version to which another schema refers; deleted or not, because that one is still in use.
    pub(super) async fn referenced_version(
        &self,
        reference: &SchemaReference,
    ) -> Result<VersionedSchema, RegistryError> {
        let SchemaReference { subject, version, .. } = reference;
        let path = ["subjects", subject, "versions", &version.to_string()];
        let deleted = [("deleted", "true")];
        self.ask(Method::GET, &path, &deleted, None, about(subject, Some(*version)))
            .await
    }

    /// The subjects that use an id, including deleted ones; none if the registry does not support the request
    /// (Confluent does since 5.5).
    pub async fn subjects_of_id(&self, id: u32) -> Result<Option<Vec<String>>, RegistryError> {
        #[derive(Deserialize)]
        struct Use {
            subject: String,
        }
        let path = ["schemas", "ids", &id.to_string(), "versions"];
        let found: Result<Option<Vec<Use>>, _> = self
            .ask(
                Method::GET,
                &path,
                &[("deleted", "true")],
                None,
                format!("schema id {id}"),
            )
            .await;
        match found {
            Ok(uses) => Ok(Some(
                uses.unwrap_or_default()
                    .into_iter()
                    .map(|found| found.subject)
                    .collect(),
            )),
            Err(RegistryError::Refused { .. }) => Ok(None),
            Err(RegistryError::Away { source, .. })
                if matches!(source.downcast_ref(), Some(Odd::NoRegistry)) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Registers a schema, in one request.
    pub(super) async fn register_now(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        #[derive(Deserialize)]
        struct Registered {
            id: u32,
        }
        let (path, body) = (["subjects", subject, "versions"], json!({ "schema": schema }));
        let what = format!("schema for subject {subject}");
        let registered: Registered = self.ask(Method::POST, &path, &[], Some(&body), what).await?;
        Ok(registered.id)
    }

    /// The version of a subject that is this schema, if one is.
    pub async fn find(&self, subject: &str, schema: &str) -> Result<Option<VersionedSchema>, RegistryError> {
        let body = json!({ "schema": schema });
        let what = format!("schema for subject {subject}");
        match self
            .ask(Method::POST, &["subjects", subject], &[], Some(&body), what)
            .await
        {
            Err(RegistryError::Missing { .. }) => Ok(None),
            found => found.map(Some),
        }
    }

    /// Whether a schema is compatible with a version of the subject (without a number, the newest), at the subject's
    /// level.
    pub async fn judge(
        &self,
        subject: &str,
        version: Option<u32>,
        schema: &str,
    ) -> Result<Judgement, RegistryError> {
        let name = name_of(version);
        let path = ["compatibility", "subjects", subject, "versions", &name];
        let body = json!({ "schema": schema });
        let verbose = [("verbose", "true")];
        self.ask(
            Method::POST,
            &path,
            &verbose,
            Some(&body),
            about(subject, version),
        )
        .await
    }

    /// Deletes a subject with all its versions, and returns them. A soft deletion keeps the ids for readers of old
    /// records; `forever` also removes them, from a subject that is already softly deleted.
    pub async fn delete_subject(&self, subject: &str, forever: bool) -> Result<Vec<u32>, RegistryError> {
        let what = format!("subject {subject}");
        let deleted: Option<Vec<u32>> = self
            .ask(
                Method::DELETE,
                &["subjects", subject],
                permanent(forever),
                None,
                what,
            )
            .await?;
        Ok(deleted.unwrap_or_default())
    }

    /// Deletes one version of a subject, in the same two steps.
    pub async fn delete_version(
        &self,
        subject: &str,
        version: u32,
        forever: bool,
    ) -> Result<u32, RegistryError> {
        let path = ["subjects", subject, "versions", &version.to_string()];
        let what = about(subject, Some(version));
        self.ask(Method::DELETE, &path, permanent(forever), None, what)
            .await
    }

    /// The compatibility level of the registry, or of a subject; none if the subject has none of its own. Some
    /// registries answer their own level for such a subject, which is indistinguishable.
    pub async fn level(&self, subject: Option<&str>) -> Result<Option<String>, RegistryError> {
        let path: Vec<&str> = ["config"].into_iter().chain(subject).collect();
        match self
            .ask::<Level>(Method::GET, &path, &[], None, of_level(subject))
            .await
        {
            Ok(level) => Ok(Some(level.compatibility)),
            Err(RegistryError::Missing { .. }) if subject.is_some() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets the compatibility level of the registry, or of a subject.
    pub async fn set_level(&self, subject: Option<&str>, level: &str) -> Result<String, RegistryError> {
        let path: Vec<&str> = ["config"].into_iter().chain(subject).collect();
        let body = json!({ "compatibility": level });
        let set: Level = self
            .ask(Method::PUT, &path, &[], Some(&body), of_level(subject))
            .await?;
        Ok(set.compatibility)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
        what: String,
    ) -> Result<T, RegistryError> {
        // Errors are shown without the address, which a client would repeat with all that is secret in it.
        let (method, what) = (&method, what.as_str());
        let ask = |address: Arc<RegistryAddress>| async move {
            let away = |source: reqwest::Error| {
                address.unreachable(None, Arc::new(source.without_url()), what.to_owned())
            };
            let Some(url) = address.join(path) else {
                let odd = Odd::Address(address.url.clone());
                return Err(address.unreachable(None, Arc::new(odd), what.to_owned()));
            };
            let mut request = self.client.request(method.clone(), url).query(query);
            if let Some((user, password)) = &self.login {
                request = request.basic_auth(user, password.as_ref().map(Secret::reveal));
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = request.send().await.map_err(away)?;
            let status = answer.status();
            if status.is_success() {
                return answer.json().await.map_err(away);
            }
            let refusal = answer.json::<Refusal>().await.ok();
            Err(address.refusal(status, refusal, what.to_owned()))
        };
        self.addresses.ask(what, ask).await
    }
}

impl RegistryAddress {
    /// Each name is one segment of the path, whatever its characters.
    fn join(&self, path: &[&str]) -> Option<reqwest::Url> {
        let mut url = reqwest::Url::parse(self.url.reveal()).ok()?;
        url.path_segments_mut().ok()?.pop_if_empty().extend(path);
        Some(url)
    }

    /// Classified as in [`RegistryAddress::classify`]; what a retry cannot fix is refused.
    fn refusal(&self, status: StatusCode, refusal: Option<Refusal>, what: String) -> RegistryError {
        match (status.as_u16(), refusal) {
            (
                404,
                Some(Refusal {
                    error_code: 40400..=40499,
                    ..
                }),
            ) => RegistryError::Missing { what },
            (400 | 405 | 409 | 422, Some(Refusal { message, .. })) => RegistryError::Refused {
                what,
                reason: message,
            },
            (404, None) => self.unreachable(None, Arc::new(Odd::NoRegistry), what),
            (code, refusal) => {
                let odd = match refusal {
                    Some(Refusal { message, .. }) if !message.is_empty() => Odd::Refusal { status, message },
                    _ => Odd::Status(status),
                };
                self.unreachable(Some(u32::from(code)), Arc::new(odd), what)
            }
        }
    }
}

fn name_of(version: Option<u32>) -> String {
    version.map_or_else(|| "latest".to_owned(), |number| number.to_string())
}

fn about(subject: &str, version: Option<u32>) -> String {
    match version {
        Some(number) => format!("version {number} of subject {subject}"),
        None => format!("subject {subject}"),
    }
}

fn of_level(subject: Option<&str>) -> String {
    match subject {
        Some(subject) => format!("compatibility level of subject {subject}"),
        None => "compatibility level".to_owned(),
    }
}

fn permanent(forever: bool) -> &'static [(&'static str, &'static str)] {
    if forever { &[("permanent", "true")] } else { &[] }
}
