//! The registry's errors with Confluent's codes; the first three digits are the HTTP status.
//!
//! Source of the codes: Confluent's Schema Registry API reference. The body is `{"error_code": …, "message":
//! …}`.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::reply::Reply;

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("HTTP 404 Not Found")]
    NoSuchPath,
    #[error("HTTP 405 Method Not Allowed")]
    NoSuchMethod,
    #[error("the path or the query cannot be read")]
    BadRequest,
    #[error("the body is not the JSON object that was expected: {0}")]
    BadBody(String),
    #[error("the body is longer than {0} bytes")]
    BodyTooLong(usize),
    #[error("the content type must be application/vnd.schemaregistry.v1+json or another JSON type, not {0}")]
    BadMediaType(String),
    #[error("Subject '{0}' not found.")]
    NoSubject(String),
    #[error("Version {0} not found.")]
    NoVersion(u32),
    #[error("Schema not found")]
    NoSchema,
    #[error("Schema {0} not found")]
    NoSchemaId(String),
    #[error("Subject '{0}' was soft deleted. Set permanent=true to delete permanently")]
    SubjectSoftDeleted(String),
    #[error("Subject '{0}' was not deleted first before being permanently deleted")]
    SubjectNotSoftDeleted(String),
    #[error("Subject '{0}' Version {1} was soft deleted. Set permanent=true to delete permanently")]
    VersionSoftDeleted(String, u32),
    #[error("Subject '{0}' Version {1} was not deleted first before being permanently deleted")]
    VersionNotSoftDeleted(String, u32),
    #[error("Subject '{0}' does not have subject-level compatibility configured")]
    NoSubjectConfig(String),
    #[error(
        "Schema being registered is incompatible with an earlier schema for subject '{subject}': {details}"
    )]
    Incompatible { subject: String, details: String },
    #[error("Invalid schema: {0}")]
    InvalidSchema(String),
    #[error(
        "The specified version '{0}' is not a valid version id. \
         Allowed values are between [1, 2^31-1] and the string \"latest\""
    )]
    InvalidVersion(String),
    #[error(
        "Invalid compatibility level '{0}'. Valid values are NONE, BACKWARD, FORWARD, FULL, BACKWARD_TRANSITIVE, \
         FORWARD_TRANSITIVE and FULL_TRANSITIVE"
    )]
    InvalidCompatibility(String),
    #[error("answered with {0} because a test asked for it")]
    Injected(u16),
}

impl Problem {
    /// Confluent's `error_code`.
    pub(crate) fn code(&self) -> u32 {
        match self {
            Problem::BadBody(_) | Problem::BadRequest => 400,
            Problem::NoSuchPath => 404,
            Problem::NoSuchMethod => 405,
            Problem::Incompatible { .. } => 409,
            Problem::BodyTooLong(_) => 413,
            Problem::BadMediaType(_) => 415,
            Problem::NoSubject(_) => 40401,
            Problem::NoVersion(_) => 40402,
            Problem::NoSchema | Problem::NoSchemaId(_) => 40403,
            Problem::SubjectSoftDeleted(_) => 40404,
            Problem::SubjectNotSoftDeleted(_) => 40405,
            Problem::VersionSoftDeleted(..) => 40406,
            Problem::VersionNotSoftDeleted(..) => 40407,
            Problem::NoSubjectConfig(_) => 40408,
            Problem::InvalidSchema(_) => 42201,
            Problem::InvalidVersion(_) => 42202,
            Problem::InvalidCompatibility(_) => 42203,
            Problem::Injected(status) => u32::from(*status),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let code = self.code();
        let status = if code < 1000 { code } else { code / 100 };
        let status = u16::try_from(status)
            .ok()
            .and_then(|status| StatusCode::from_u16(status).ok());
        let body = Reply(json!({"error_code": code, "message": self.to_string()}));
        (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body).into_response()
    }
}
