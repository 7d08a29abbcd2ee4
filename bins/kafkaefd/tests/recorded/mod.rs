//! A stand-in for GitHub's API with one repository: commits, trees, files and refusals.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

type Files = BTreeMap<String, Vec<u8>>;

/// How the next requests are refused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 401
    Token,
    /// 403 because of the rate limit
    Limit,
    /// 500
    Broken,
}

#[derive(Default)]
struct Contents {
    /// By name; `HEAD` is one of them.
    branches: BTreeMap<String, Files>,
    truncated: bool,
    refusal: Option<Refusal>,
    /// Requests that will still be answered.
    left: Option<usize>,
    requests: Vec<String>,
    logins: BTreeSet<String>,
    agents: BTreeSet<String>,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Contents>>);

/// The running API; it stops when it is dropped.
pub(crate) struct GitHub {
    shared: Shared,
    url: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for GitHub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl GitHub {
    /// `lsst-ts/ts_xml` with this repository's `schemas/` in the folder `layout` on the branches `HEAD` and `main`. On
    /// `next` a field is wider; `empty` has no interface files.
    pub(crate) async fn with_schemas(layout: &str) -> Self {
        let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
        let mut files = Files::from([("README.md".to_owned(), b"# XML".to_vec())]);
        let empty = files.clone();
        read(&schemas, layout, &mut files);
        let mut next = files.clone();
        let telemetry = next
            .get_mut(&format!("{layout}sal_interfaces/Test/Test_Telemetry.xml"))
            .unwrap();
        let text = String::from_utf8(telemetry.clone()).unwrap();
        let short = "<IDL_Type>short</IDL_Type>";
        assert!(text.contains(short));
        *telemetry = text.replacen(short, "<IDL_Type>long</IDL_Type>", 1).into_bytes();
        let shared = Shared::default();
        shared.lock().branches = BTreeMap::from([
            ("HEAD".to_owned(), files.clone()),
            ("main".to_owned(), files),
            ("next".to_owned(), next),
            ("empty".to_owned(), empty),
        ]);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { shared, url, task }
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.lock().requests.clone()
    }

    /// The number of requests whose path contains `part`.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.requests().iter().filter(|path| path.contains(part)).count()
    }

    /// The number of distinct interface files on a branch.
    pub(crate) fn files(&self, branch: &str) -> usize {
        let contents = self.shared.lock();
        let files = contents.branches[branch]
            .iter()
            .filter(|(path, _)| path.ends_with(".xml"));
        files.map(|(_, bytes)| hash(bytes)).collect::<BTreeSet<_>>().len()
    }

    pub(crate) fn commit(&self, branch: &str) -> String {
        hash(&self.shared.lock().branches[branch])
    }

    /// Truncates recursive listings, except those of the folders of interface files.
    pub(crate) fn truncate(&self) {
        self.shared.lock().truncated = true;
    }

    pub(crate) fn refuse(&self, refusal: Option<Refusal>) {
        let mut contents = self.shared.lock();
        contents.refusal = refusal;
        contents.left = None;
    }

    /// Answers this number of requests and refuses all later ones.
    pub(crate) fn limit(&self, requests: usize) {
        self.shared.lock().left = Some(requests);
    }

    pub(crate) fn logins(&self) -> Vec<String> {
        self.shared.lock().logins.iter().cloned().collect()
    }

    /// The user agents of all requests, without versions.
    pub(crate) fn agents(&self) -> Vec<String> {
        self.shared.lock().agents.iter().cloned().collect()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap()
    }
}

fn read(folder: &PathBuf, prefix: &str, files: &mut Files) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            read(&path, &format!("{name}/"), files);
        } else {
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

/// As long as git's hashes, and different for different values.
fn hash(thing: &impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    thing.hash(&mut hasher);
    format!("{:0<40x}", hasher.finish())
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let mut contents = shared.lock();
    let path = request.uri().path().to_owned();
    contents.requests.push(path.clone());
    let header = |name| Some(request.headers().get(name)?.to_str().ok()?.to_owned());
    contents.logins.extend(header(header::AUTHORIZATION));
    let agent = header(header::USER_AGENT).unwrap_or_default();
    let name = agent.split('/').next().unwrap_or_default().to_owned();
    contents.agents.insert(name);
    match contents.left.as_mut() {
        Some(0) => contents.refusal = Some(Refusal::Limit),
        Some(left) => *left -= 1,
        None => {}
    }
    if let Some(refusal) = contents.refusal {
        return refuse(refusal);
    }
    let recursive = request.uri().query() == Some("recursive=1");
    let raw = header(header::ACCEPT).is_some_and(|accept| accept.contains("raw"));
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["repos", "lsst-ts", "ts_xml", "commits", reference] => commit(&contents, reference),
        ["repos", "lsst-ts", "ts_xml", "git", "trees", sha] => tree(&contents, sha, recursive),
        ["repos", "lsst-ts", "ts_xml", "git", "blobs", sha] if raw => blob(&contents, sha),
        _ => not_found(),
    }
}

fn refuse(refusal: Refusal) -> Response {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    match refusal {
        Refusal::Token => {
            let body = axum::Json(json!({"message": "Bad credentials", "status": "401"}));
            (StatusCode::UNAUTHORIZED, body).into_response()
        }
        Refusal::Limit => {
            let headers = [
                ("x-ratelimit-limit", "60".to_owned()),
                ("x-ratelimit-remaining", "0".to_owned()),
                ("x-ratelimit-reset", (now + 20 * 60 - 1).to_string()),
            ];
            let body = axum::Json(json!({"message": "API rate limit exceeded for 127.0.0.1."}));
            (StatusCode::FORBIDDEN, headers, body).into_response()
        }
        Refusal::Broken => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn not_found() -> Response {
    let body = axum::Json(json!({"message": "Not Found", "status": "404"}));
    (StatusCode::NOT_FOUND, body).into_response()
}

fn commit(contents: &Contents, reference: &str) -> Response {
    let mut branches = contents.branches.iter();
    let found = branches.find(|(name, files)| *name == reference || hash(*files) == reference);
    let Some((_, files)) = found else {
        let body = axum::Json(json!({"message": format!("No commit found for SHA: {reference}")}));
        return (StatusCode::UNPROCESSABLE_ENTITY, body).into_response();
    };
    let tree = hash(&(hash(files), ""));
    axum::Json(json!({"sha": hash(files), "commit": {"tree": {"sha": tree}, "message": "XML"}}))
        .into_response()
}

/// A folder's hash is that of its commit and path.
fn tree(contents: &Contents, sha: &str, recursive: bool) -> Response {
    for files in contents.branches.values() {
        let commit = hash(files);
        let mut folders = BTreeSet::from([String::new()]);
        for path in files.keys() {
            folders.extend(path.match_indices('/').map(|(at, _)| path[..=at].to_owned()));
        }
        let Some(folder) = folders
            .iter()
            .find(|folder| hash(&(&commit, folder.as_str())) == sha)
        else {
            continue;
        };
        let is_direct = |path: &str| recursive || !path.trim_end_matches('/').contains('/');
        let below = folders.iter().filter_map(|path| {
            let rest = path
                .strip_prefix(folder.as_str())
                .filter(|rest| !rest.is_empty() && is_direct(rest))?;
            let sha = hash(&(&commit, path.as_str()));
            Some(json!({"path": rest.trim_end_matches('/'), "type": "tree", "sha": sha, "mode": "040000"}))
        });
        let inside = files.iter().filter_map(|(path, bytes)| {
            let rest = path.strip_prefix(folder.as_str()).filter(|rest| is_direct(rest))?;
            Some(json!({"path": rest, "type": "blob", "sha": hash(bytes), "size": bytes.len(), "mode": "100644"}))
        });
        let mut nodes: Vec<Value> = below.chain(inside).collect();
        let truncated = contents.truncated && recursive && !folder.ends_with("interfaces/");
        if truncated {
            nodes.truncate(3);
        }
        return axum::Json(json!({"sha": sha, "tree": nodes, "truncated": truncated})).into_response();
    }
    not_found()
}

fn blob(contents: &Contents, sha: &str) -> Response {
    let mut files = contents.branches.values().flatten();
    match files.find(|(_, bytes)| hash(*bytes) == sha) {
        Some((_, bytes)) => bytes.clone().into_response(),
        None => not_found(),
    }
}
