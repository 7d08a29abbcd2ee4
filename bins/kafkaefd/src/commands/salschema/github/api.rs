//! The requests of GitHub's REST API that are used: a commit, a tree, a file.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{ACCEPT, HeaderMap};
use reqwest::{Client, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use stage::config::Secret;
use stage::sanitize::Printable;

use super::args::{GithubArgs, Repository};
use super::layout::Entry;
use crate::terminal::span;
use operator::failure::Failure;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const JSON: &str = "application/vnd.github+json";
const RAW: &str = "application/vnd.github.raw+json";
/// GitHub requires a user agent.
const USER_AGENT: &str = concat!("kafkaefd/", env!("CARGO_PKG_VERSION"));

/// A client for one repository.
pub(super) struct Api {
    client: Client,
    base: Url,
    repository: Repository,
    user: Option<String>,
    token: Option<Secret>,
}

/// The hashes of a commit and of its tree.
pub(super) struct Commit {
    pub(super) sha: String,
    pub(super) tree: String,
}

/// The contents of a folder, including subfolders if the request was recursive.
#[derive(Deserialize)]
pub(super) struct Tree {
    tree: Vec<Node>,
    /// Whether GitHub left entries out.
    #[serde(default)]
    pub(super) truncated: bool,
}

#[derive(Deserialize)]
struct Node {
    path: String,
    #[serde(rename = "type")]
    kind: String,
    sha: String,
    #[serde(default)]
    size: u64,
}

#[derive(Deserialize)]
struct CommitAnswer {
    sha: String,
    commit: CommitDetails,
}

#[derive(Deserialize)]
struct CommitDetails {
    tree: TreeHash,
}

#[derive(Deserialize)]
struct TreeHash {
    sha: String,
}

#[derive(Deserialize, Default)]
struct ErrorBody {
    #[serde(default)]
    message: String,
}

/// An answer that cannot be used.
#[derive(Debug, thiserror::Error)]
enum BadAnswer {
    #[error("it answered {0}: {1}")]
    Status(StatusCode, Printable<String>),
    #[error("{path} has {actual} bytes instead of {expected}")]
    Length {
        path: String,
        actual: usize,
        expected: u64,
    },
}

impl Tree {
    pub(super) fn files(self) -> impl Iterator<Item = Entry> {
        let files = self.tree.into_iter().filter(|node| node.kind == "blob");
        files.map(|node| Entry {
            path: node.path,
            sha: node.sha,
            size: node.size,
        })
    }

    /// The hash of the tree's folder with this name.
    pub(super) fn folder(&self, name: &str) -> Option<String> {
        let mut folders = self.tree.iter().filter(|node| node.kind == "tree");
        folders
            .find(|node| node.path == name)
            .map(|node| node.sha.clone())
    }
}

impl Api {
    pub(super) fn new(args: &GithubArgs) -> Result<Self, Failure> {
        let Some(repository) = args.xml_repo.clone() else {
            return Err(Failure::Usage("--xml-repo ORG/REPO is missing".to_owned()));
        };
        let token = args.token()?;
        let invalid = |reason: &str| Failure::Usage(format!("--github-api {}: {reason}", args.github_api));
        let base = Url::parse(args.github_api.reveal()).map_err(|error| invalid(&error.to_string()))?;
        if base.cannot_be_a_base() || !matches!(base.scheme(), "http" | "https") {
            return Err(invalid("expected an address such as https://api.github.com"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(Failure::Usage(
                "--github-api contains a user or token, which process lists show: use --github-user and --github-token-file"
                    .to_owned(),
            ));
        }
        let is_loopback = matches!(base.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if token.is_some() && base.scheme() == "http" && !is_loopback {
            return Err(invalid("a token is not sent without TLS"));
        }
        let client = Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .user_agent(USER_AGENT)
            .build();
        Ok(Self {
            client: client.map_err(|error| invalid(&stage::chain(&error)))?,
            base,
            repository,
            user: args.github_user.clone(),
            token,
        })
    }

    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Resolves a branch, tag or hash, or without one the default branch, to a commit.
    pub(super) async fn commit(&self, reference: Option<&str>) -> Result<Commit, Failure> {
        let answer = self
            .get(&["commits", reference.unwrap_or("HEAD")], false, JSON)
            .await?;
        let answer = match answer.status() {
            StatusCode::NOT_FOUND => {
                return Err(Failure::Refused {
                    what: format!("reading {}", self.repository),
                    reason: "GitHub has no such repository, or it is private".to_owned(),
                    hint: match &self.token {
                        Some(_) => "use --xml-repo ORG/REPO as in the address of its page, and a token that may read it",
                        None => {
                            "use --xml-repo ORG/REPO as in the address of its page; a private repository needs \
                             --github-token-file or GITHUB_TOKEN"
                        }
                    }
                    .to_owned(),
                });
            }
            StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => {
                return Err(Failure::Refused {
                    what: format!(
                        "reading {} at {}",
                        self.repository,
                        reference.unwrap_or("its default branch")
                    ),
                    reason: "it has no such branch, tag or commit".to_owned(),
                    hint: "its page on GitHub lists them; without a reference the default branch is used"
                        .to_owned(),
                });
            }
            _ => self.checked(answer).await?,
        };
        let found: CommitAnswer = self.json(answer).await?;
        Ok(Commit {
            sha: found.sha,
            tree: found.commit.tree.sha,
        })
    }

    /// The contents of a folder, with `recursive` including its subfolders.
    pub(super) async fn tree(&self, sha: &str, recursive: bool) -> Result<Tree, Failure> {
        let answer = self.get(&["git", "trees", sha], recursive, JSON).await?;
        self.json(self.checked(answer).await?).await
    }

    pub(super) async fn file(&self, entry: &Entry) -> Result<Vec<u8>, Failure> {
        let answer = self.get(&["git", "blobs", &entry.sha], false, RAW).await?;
        let bytes = self.checked(answer).await?.bytes().await;
        let bytes = bytes.map_err(|error| self.unreachable(error))?;
        if bytes.len() as u64 != entry.size {
            return Err(self.unreachable(BadAnswer::Length {
                path: entry.path.clone(),
                actual: bytes.len(),
                expected: entry.size,
            }));
        }
        Ok(bytes.to_vec())
    }

    async fn get(&self, path: &[&str], recursive: bool, accept: &str) -> Result<Response, Failure> {
        let mut url = self.base.clone();
        let repository = ["repos", &self.repository.organisation, &self.repository.name];
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(repository).extend(path);
        }
        let mut request = self.client.get(url).header(ACCEPT, accept);
        if recursive {
            request = request.query(&[("recursive", "1")]);
        }
        request = match (&self.user, &self.token) {
            (Some(user), token) => request.basic_auth(user, token.as_ref().map(Secret::reveal)),
            (None, Some(token)) => request.bearer_auth(token.reveal()),
            (None, None) => request,
        };
        request.send().await.map_err(|error| self.unreachable(error))
    }

    async fn json<T: DeserializeOwned>(&self, answer: Response) -> Result<T, Failure> {
        answer.json().await.map_err(|error| self.unreachable(error))
    }

    /// Turns an answer without success into a failure.
    async fn checked(&self, answer: Response) -> Result<Response, Failure> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let limited_until = limited_until(status, answer.headers());
        let message = answer.json::<ErrorBody>().await.unwrap_or_default().message;
        let (reason, hint) = match (status.as_u16(), limited_until) {
            (_, Some(again)) => (
                format!("the rate limit is exceeded; try again {again}"),
                match &self.token {
                    Some(_) => "run it again later: files that were read are cached".to_owned(),
                    None => "use a token (--github-token-file or GITHUB_TOKEN), which allows 5,000 requests an hour \
                             instead of 60; files that were read are cached"
                        .to_owned(),
                },
            ),
            (401, None) => (
                "it refuses the token (401)".to_owned(),
                "use a token that has not expired in --github-token-file or GITHUB_TOKEN; public repositories need none"
                    .to_owned(),
            ),
            (403, None) => (
                format!("{message} (403)"),
                "use a token that may read the repository's contents".to_owned(),
            ),
            _ => return Err(self.unreachable(BadAnswer::Status(status, Printable(message)))),
        };
        Err(Failure::Denied {
            service: "github",
            url: self.base.to_string(),
            reason,
            hint,
        })
    }

    fn unreachable(&self, source: impl std::error::Error + Send + Sync + 'static) -> Failure {
        Failure::Away {
            service: "github",
            url: self.base.to_string(),
            flag: "--github-api URL",
            source: Box::new(source),
        }
    }
}

/// When GitHub accepts requests again, if the answer reports an exceeded rate limit.
fn limited_until(status: StatusCode, headers: &HeaderMap) -> Option<String> {
    if !matches!(status.as_u16(), 403 | 429) {
        return None;
    }
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<i64>().ok();
    if let Some(wait) = number("retry-after") {
        return Some(format!("in {}", span(wait.max(0) as f64)));
    }
    if number("x-ratelimit-remaining") != Some(0) {
        return None;
    }
    let Some(reset) = number("x-ratelimit-reset") else {
        return Some("within the hour".to_owned());
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let wait = reset.saturating_sub(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    let at = jiff::Timestamp::from_second(reset).map(|at| at.to_string());
    Some(match at {
        Ok(at) => format!("in {} (at {at})", span(wait.max(0) as f64)),
        Err(_) => "within the hour".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, pairs: &[(&'static str, String)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        limited_until(StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn an_exceeded_rate_limit_reports_when_it_is_reset() {
        let remaining = ("x-ratelimit-remaining", "0".to_owned());
        let reset = ("x-ratelimit-reset", "1".to_owned());
        let past = answer(403, &[remaining.clone(), reset]).unwrap();
        assert!(past.ends_with("(at 1970-01-01T00:00:01Z)"), "{past}");
        assert_eq!(answer(403, &[remaining]).unwrap(), "within the hour");
        assert_eq!(
            answer(429, &[("retry-after", "200".to_owned())]).unwrap(),
            "in 3 min 20 s"
        );
        assert_eq!(answer(403, &[]), None);
        assert_eq!(answer(404, &[("retry-after", "200".to_owned())]), None);
    }
}
