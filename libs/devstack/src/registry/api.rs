//! The registry's HTTP API: Confluent's paths, queries and bodies on top of the store.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Path, Query, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Shared;
use super::problem::Problem;
use super::reply::{MEDIA_TYPE, Reply};
use super::store::{Given, Registered};
use super::version::{Extras, VersionId, VersionSet};

/// The longest request body. The largest known SAL schema has 214 fields with 14,494 defaults, about 300 kB.
pub(super) const BODY_LIMIT: usize = 4 * 1024 * 1024;

const MEDIA_TYPES: [&str; 4] = [
    MEDIA_TYPE,
    "application/vnd.schemaregistry+json",
    "application/json",
    "application/octet-stream",
];

/// All routes of the registry.
pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/", get(async || Reply(json!({}))))
        .route("/mode", get(async || Reply(json!({"mode": "READWRITE"}))))
        .route("/subjects", get(subjects))
        .route("/subjects/{subject}", post(lookup).delete(delete_subject))
        .route("/subjects/{subject}/versions", get(versions).post(register))
        .route(
            "/subjects/{subject}/versions/{version}",
            get(version).delete(delete_version),
        )
        .route(
            "/subjects/{subject}/versions/{version}/schema",
            get(version_schema),
        )
        .route(
            "/subjects/{subject}/versions/{version}/referencedby",
            get(async || Reply(json!([]))),
        )
        .route("/schemas", get(schemas))
        .route("/schemas/types", get(async || Reply(json!(["AVRO"]))))
        .route("/schemas/ids/{id}", get(schema))
        .route("/schemas/ids/{id}/schema", get(schema_text))
        .route("/schemas/ids/{id}/subjects", get(schema_subjects))
        .route("/schemas/ids/{id}/versions", get(schema_versions))
        .route("/config", get(config).put(set_config).delete(delete_config))
        .route(
            "/config/{subject}",
            get(subject_config)
                .put(set_subject_config)
                .delete(delete_subject_config),
        )
        .route(
            "/compatibility/subjects/{subject}/versions",
            post(compatible_with_all),
        )
        .route(
            "/compatibility/subjects/{subject}/versions/{version}",
            post(compatible_with),
        )
        .fallback(async || Problem::NoSuchPath)
        .method_not_allowed_fallback(async || Problem::NoSuchMethod)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}

/// A JSON body in any media type that Confluent's registry accepts; also accepted without one.
struct Body<T>(T);

impl<T: DeserializeOwned> FromRequest<Shared> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, Problem> {
        if let Some(given) = request.headers().get(header::CONTENT_TYPE) {
            let given = given.to_str().unwrap_or_default();
            let essence = given.split(';').next().unwrap_or_default().trim();
            if !MEDIA_TYPES
                .iter()
                .any(|known| known.eq_ignore_ascii_case(essence))
            {
                return Err(Problem::BadMediaType(given.to_owned()));
            }
        }
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|_| Problem::BodyTooLong(BODY_LIMIT))?;
        serde_json::from_slice(&bytes)
            .map(Body)
            .map_err(|error| Problem::BadBody(error.to_string()))
    }
}

/// The query flags of all requests; each handler uses its own.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Flags {
    deleted: bool,
    permanent: bool,
    verbose: bool,
    default_to_global: bool,
    subject_prefix: String,
}

/// A schema in a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchemaBody {
    #[serde(default)]
    schema: String,
    schema_type: Option<String>,
}

impl SchemaBody {
    fn parse(&self) -> Result<Given, Problem> {
        Given::parse(&self.schema, self.schema_type.as_deref())
    }
}

#[derive(Debug, Deserialize)]
struct ConfigBody {
    #[serde(default)]
    compatibility: String,
}

type Answer = Result<Reply<Value>, Problem>;

fn reply(value: impl Into<Value>) -> Answer {
    Ok(Reply(value.into()))
}

fn show(found: Registered) -> Value {
    let known =
        json!({"subject": found.subject, "version": found.version, "id": found.id, "schema": found.text});
    with_extras(known, &found.extras)
}

/// The answer about a schema, with its type and references if it has any that are worth a word.
fn with_extras(mut answer: Value, extras: &Extras) -> Value {
    if let Some(kind) = &extras.kind {
        answer["schemaType"] = json!(kind);
    }
    if !extras.references.is_empty() {
        let reference = |(name, subject, version): &(String, String, u32)| json!({"name": name, "subject": subject, "version": version});
        answer["references"] = extras.references.iter().map(reference).collect();
    }
    answer
}

async fn subjects(State(shared): State<Shared>, Query(flags): Query<Flags>) -> Answer {
    let mut subjects = shared.lock().store.subjects(flags.deleted);
    subjects.retain(|subject| subject.starts_with(&flags.subject_prefix));
    reply(subjects)
}

async fn register(
    State(shared): State<Shared>,
    Path(subject): Path<String>,
    Body(body): Body<SchemaBody>,
) -> Answer {
    let given = body.parse()?;
    let id = shared.lock().store.register(&subject, given)?;
    reply(json!({"id": id}))
}

async fn lookup(
    State(shared): State<Shared>,
    Path(subject): Path<String>,
    Query(flags): Query<Flags>,
    Body(body): Body<SchemaBody>,
) -> Answer {
    let given = body.parse()?;
    let found = shared.lock().store.find(&subject, &given, flags.deleted)?;
    reply(show(found))
}

async fn delete_subject(
    State(shared): State<Shared>,
    Path(subject): Path<String>,
    Query(flags): Query<Flags>,
) -> Answer {
    reply(shared.lock().store.delete_subject(&subject, flags.permanent)?)
}

async fn versions(
    State(shared): State<Shared>,
    Path(subject): Path<String>,
    Query(flags): Query<Flags>,
) -> Answer {
    reply(shared.lock().store.versions(&subject, flags.deleted)?)
}

async fn version(
    State(shared): State<Shared>,
    Path((subject, version)): Path<(String, String)>,
    Query(flags): Query<Flags>,
) -> Answer {
    reply(show(shared.lock().store.version(
        &subject,
        version.parse()?,
        flags.deleted,
    )?))
}

async fn version_schema(
    State(shared): State<Shared>,
    Path((subject, version)): Path<(String, String)>,
    Query(flags): Query<Flags>,
) -> Result<Response, Problem> {
    let found = shared
        .lock()
        .store
        .version(&subject, version.parse()?, flags.deleted)?;
    Ok(plain(found.text))
}

async fn delete_version(
    State(shared): State<Shared>,
    Path((subject, version)): Path<(String, String)>,
    Query(flags): Query<Flags>,
) -> Answer {
    reply(
        shared
            .lock()
            .store
            .delete_version(&subject, version.parse()?, flags.permanent)?,
    )
}

async fn schemas(State(shared): State<Shared>, Query(flags): Query<Flags>) -> Answer {
    let mut all = shared.lock().store.all();
    all.retain(|registered| registered.subject.starts_with(&flags.subject_prefix));
    reply(all.into_iter().map(show).collect::<Vec<_>>())
}

async fn schema(State(shared): State<Shared>, Path(id): Path<String>) -> Answer {
    let (shared, id) = (shared.lock(), schema_id(id)?);
    let text = json!({"schema": shared.store.schema(id)?});
    reply(with_extras(text, shared.store.extras(id)?))
}

async fn schema_text(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(plain(shared.lock().store.schema(schema_id(id)?)?.to_owned()))
}

async fn schema_subjects(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(flags): Query<Flags>,
) -> Answer {
    let users = shared.lock().store.users(schema_id(id)?, flags.deleted)?;
    let mut subjects: Vec<String> = users.into_iter().map(|(subject, _)| subject).collect();
    subjects.dedup();
    reply(subjects)
}

async fn schema_versions(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(flags): Query<Flags>,
) -> Answer {
    let users = shared.lock().store.users(schema_id(id)?, flags.deleted)?;
    let pairs = users
        .into_iter()
        .map(|(subject, version)| json!({"subject": subject, "version": version}));
    reply(pairs.collect::<Vec<_>>())
}

async fn config(State(shared): State<Shared>) -> Answer {
    reply(json!({"compatibilityLevel": shared.lock().store.level().to_string()}))
}

async fn set_config(State(shared): State<Shared>, Body(body): Body<ConfigBody>) -> Answer {
    let level = body.compatibility.parse()?;
    shared.lock().store.set_level(level);
    reply(json!({"compatibility": level.to_string()}))
}

async fn delete_config(State(shared): State<Shared>) -> Answer {
    let mut state = shared.lock();
    let before = state.store.level();
    state.store.set_level(super::compatibility::Level::BACKWARD);
    reply(json!({"compatibilityLevel": before.to_string()}))
}

async fn subject_config(
    State(shared): State<Shared>,
    Path(subject): Path<String>,
    Query(flags): Query<Flags>,
) -> Answer {
    let state = shared.lock();
    let global = flags.default_to_global.then(|| state.store.level());
    let level = state.store.subject_level(&subject).or(global);
    let level = level.ok_or(Problem::NoSubjectConfig(subject))?;
    reply(json!({"compatibilityLevel": level.to_string()}))
}

async fn set_subject_config(
    State(shared): State<Shared>,
    Path(subject): Path<String>,
    Body(body): Body<ConfigBody>,
) -> Answer {
    let level = body.compatibility.parse()?;
    shared.lock().store.set_subject_level(&subject, Some(level));
    reply(json!({"compatibility": level.to_string()}))
}

async fn delete_subject_config(State(shared): State<Shared>, Path(subject): Path<String>) -> Answer {
    let before = shared.lock().store.set_subject_level(&subject, None);
    let before = before.ok_or(Problem::NoSubject(subject))?;
    reply(json!({"compatibilityLevel": before.to_string()}))
}

async fn compatible_with(
    State(shared): State<Shared>,
    Path((subject, version)): Path<(String, String)>,
    Query(flags): Query<Flags>,
    Body(body): Body<SchemaBody>,
) -> Answer {
    let against = match version.parse()? {
        // A subject that does not exist yet accepts anything.
        VersionId::Latest => VersionSet::Latest,
        VersionId::Number(number) => {
            // Confluent's registry reports a missing version even if the subject does not exist.
            let found = shared
                .lock()
                .store
                .version(&subject, VersionId::Number(number), false);
            found.map_err(|_| Problem::NoVersion(number))?;
            VersionSet::One(number)
        }
    };
    check(&shared, &subject, against, &flags, &body)
}

async fn compatible_with_all(
    State(shared): State<Shared>,
    Path(subject): Path<String>,
    Query(flags): Query<Flags>,
    Body(body): Body<SchemaBody>,
) -> Answer {
    check(&shared, &subject, VersionSet::All, &flags, &body)
}

fn check(shared: &Shared, subject: &str, against: VersionSet, flags: &Flags, body: &SchemaBody) -> Answer {
    let given = body.parse()?;
    let objections = shared.lock().store.objections(subject, against, &given);
    let mut answer = json!({"is_compatible": objections.is_empty()});
    if flags.verbose {
        answer["messages"] = json!(objections);
    }
    reply(answer)
}

fn schema_id(id: String) -> Result<u32, Problem> {
    id.parse().map_err(|_| Problem::NoSchemaId(id))
}

/// The JSON text of a schema.
fn plain(text: String) -> Response {
    (
        [(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE))],
        text,
    )
        .into_response()
}
