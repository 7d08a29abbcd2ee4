//! The addresses of one registry: its replicas, or ways to it. The one that answered last is asked first; if it does not
//! answer, the others are asked in turn, once each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use schema_registry_converter::async_impl::schema_registry::SrSettings;
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::RawError;

use super::RegistryError;
use super::odd::Odd;
use crate::address::Address;

/// How long an address may take while there are others to ask. The last one has the whole time of a request.
const ASK_ANOTHER_AFTER: Duration = Duration::from_secs(3);

/// All addresses; at least one.
pub(super) struct Addresses {
    all: Vec<Arc<RegistryAddress>>,
    /// The position of the one that answered last.
    current: AtomicUsize,
}

/// One address.
pub(super) struct RegistryAddress {
    /// Without a slash at its end.
    pub(super) url: Address,
    pub(super) settings: SrSettings,
}

/// No address answers.
#[derive(Debug, thiserror::Error)]
#[error("none of its addresses answers: {}", _0.join("; "))]
struct NoneAnswers(Vec<String>);

/// An address did not answer before another was asked.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} s", ASK_ANOTHER_AFTER.as_secs())]
struct TooSlow;

impl Addresses {
    pub(super) fn new(all: Vec<RegistryAddress>) -> Self {
        Self {
            all: all.into_iter().map(Arc::new).collect(),
            current: AtomicUsize::new(0),
        }
    }

    /// The answer of the first address that has one, whatever it is; `what` is asked for.
    pub(super) async fn ask<T, F>(
        &self,
        what: &str,
        ask: impl Fn(Arc<RegistryAddress>) -> F,
    ) -> Result<T, RegistryError>
    where
        F: Future<Output = Result<T, RegistryError>>,
    {
        let first = self.current.load(Ordering::Relaxed);
        let positions = (0..self.all.len()).map(|step| (first + step) % self.all.len());
        let mut failures = Vec::new();
        for (position, address) in positions.filter_map(|at| Some((at, self.all.get(at)?))) {
            let is_last = failures.len() + 1 == self.all.len();
            let asked = ask(Arc::clone(address));
            let answer = match is_last {
                true => asked.await,
                false => match tokio::time::timeout(ASK_ANOTHER_AFTER, asked).await {
                    Ok(answer) => answer,
                    Err(_) => Err(address.unreachable(None, Arc::new(TooSlow), what.to_owned())),
                },
            };
            match answer {
                Err(error @ (RegistryError::Away { .. } | RegistryError::Denied { .. })) => {
                    failures.push(error)
                }
                answer => {
                    if !failures.is_empty() {
                        let causes: Vec<String> = failures.iter().map(|error| crate::chain(error)).collect();
                        tracing::warn!(
                            now = %address.url,
                            ?causes,
                            "schema registry is asked at another address"
                        );
                        self.current.store(position, Ordering::Relaxed);
                    }
                    return answer;
                }
            }
        }
        Err(self.none_answers(what, failures))
    }

    fn none_answers(&self, what: &str, mut failures: Vec<RegistryError>) -> RegistryError {
        // Alike means that each was asked and answers in the same way, which says more than that none does.
        let is_alike = |error: &RegistryError| match error {
            RegistryError::Away { source, .. } => source.is::<Odd>(),
            error => matches!(error, RegistryError::Denied { .. }),
        };
        if (failures.len() == 1 || failures.iter().all(is_alike))
            && let Some(last) = failures.pop()
        {
            return last;
        }
        let urls: Vec<String> = self.all.iter().map(|address| address.url.to_string()).collect();
        RegistryError::Away {
            url: urls.join(", "),
            what: what.to_owned(),
            source: Arc::new(NoneAnswers(failures.iter().map(cause).collect())),
        }
    }
}

/// An address and what is wrong with it.
fn cause(error: &RegistryError) -> String {
    match error {
        RegistryError::Away { url, source, .. } => format!("{url}: {}", crate::chain(&**source)),
        error => crate::chain(error),
    }
}

impl RegistryAddress {
    pub(super) fn new(url: &str, settings: SrSettings) -> Self {
        Self {
            url: url.into(),
            settings,
        }
    }

    /// Classifies an error by the registry's own error code (Confluent's: 404xx missing, 409 and 422xx refused).
    /// Everything else, including a refused login, is waited for: that loses nothing, skipping would.
    pub(super) fn classify(&self, error: SRCError, what: String) -> RegistryError {
        let raw = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<RawError>());
        match raw.map(|raw| (raw.error_code, raw.message.clone())) {
            Some((40401..=40403, _)) => RegistryError::Missing { what },
            Some((409 | 42201..=42299, reason)) => RegistryError::Refused { what, reason },
            raw => {
                // Registries answer 401 or 40101.
                let code = raw.map(|(code, _)| if code > 9_999 { code / 100 } else { code });
                let status = [401, 403].into_iter().find(|status| {
                    code == Some(*status) || error.error.contains(&format!("status {status}"))
                });
                self.unreachable(status, Arc::new(error), what)
            }
        }
    }

    /// An error that may be transient, classified by who has to act.
    pub(super) fn unreachable(
        &self,
        status: Option<u32>,
        source: Arc<dyn std::error::Error + Send + Sync>,
        what: String,
    ) -> RegistryError {
        let advice = match status {
            Some(401) => {
                "refuses our user or password (401): check --schema-registry-user and --schema-registry-password-file"
            }
            Some(403) => {
                "does not give our user this right (403): it has to read schemas, and `init` has to write them"
            }
            _ if crate::chain(&*source).contains("certificate verify failed") => {
                "has a certificate that is not trusted: check --schema-registry-ca-file, the certificate's dates, and that \
                 the address is one that it was made for"
            }
            _ => {
                return RegistryError::Away {
                    url: self.url.to_string(),
                    what,
                    source,
                };
            }
        };
        RegistryError::Denied {
            url: self.url.to_string(),
            advice,
            source,
        }
    }
}
