//! The schema registry, as the binaries use it: schemas by id and by subject.
//!
//! A schema's id never changes its meaning, so schemas are cached. Concurrent look-ups of one id share one request.
//! Failures are not cached: the next message asks again. `schema_registry_converter` asks for schemas by id; all requests
//! that name a subject, whose characters have to be encoded in an address, are in `operate.rs`. A registry may have several
//! addresses, of which one has to answer (`addresses.rs`).

mod addresses;
mod grace;
mod odd;
mod operate;
mod publish;
mod references;
mod schema;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use schema_registry_converter::async_impl::schema_registry::{SrSettings, get_schema_by_id};
use tokio::sync::OnceCell;

use crate::address::{self, Address};
use crate::config::{RegistryArgs, Secret, SecretError};
use crate::lock;
use crate::retry::{Backoff, Verdict};
use crate::service::Dependency;
use crate::tls::{self, TlsError};

use addresses::{Addresses, RegistryAddress};

pub use grace::Grace;
pub use operate::{Judgement, VersionedSchema};
pub use publish::{Objection, PublishRules, Published};
pub use references::ReferenceProblem;
pub use schema::{NotAvro, Referenced, RegisteredSchema, SchemaKind, SchemaReference};

/// A look-up failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegistryError {
    /// The registry answers that there is no such schema or subject.
    #[error("the schema registry knows no {what}")]
    Missing {
        /// What was looked for: `subject lsst.sal.Test_scalars-value`, `schema id 7`.
        what: String,
    },
    /// The registry is unavailable, busy, or its answer is invalid: a retry may succeed.
    #[error("the schema registry at {url} does not answer for {what}")]
    Away {
        /// Where it should be.
        url: String,
        /// What was looked for.
        what: String,
        /// Why.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The registry answers, but access is denied: wrong password, missing permission, untrusted certificate. A retry
    /// may succeed once that is corrected.
    #[error("the schema registry at {url} {advice}")]
    Denied {
        /// Where it is.
        url: String,
        /// What is wrong, and what to check.
        advice: &'static str,
        /// The underlying error.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// An id that was in use now belongs to another schema.
    #[error(
        "the schema registry gave schema id {id}, which was {was}, to another schema: it has lost its data; restore it, or \
         restart to take its ids as they are"
    )]
    Reassigned {
        /// The id.
        id: u32,
        /// What it was: `version 3 of subject lsst.sal.Test_scalars-value`.
        was: String,
    },
    /// The schema is an older version of its subject, and registering it again does not make it the latest.
    #[error(
        "the schema is an older version of subject {subject}: version {} is newer and stays the latest",
        newer.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
    )]
    NotLatest {
        /// The subject.
        subject: String,
        /// The newer versions, ascending.
        newer: Vec<u32>,
    },
    /// The caller's own rule forbids replacing the subject's latest schema.
    #[error("the latest schema of subject {subject} {objection}")]
    Objection {
        /// The subject.
        subject: String,
        /// The rest of the sentence.
        objection: String,
    },
    /// A schema refers to others in a way that cannot be followed.
    #[error("{what} {problem}")]
    References {
        /// The schema: `schema id 7`.
        what: String,
        /// What is wrong with its references.
        problem: ReferenceProblem,
    },
    /// The registry refuses what was sent (an incompatible schema).
    #[error("the schema registry refuses {what}: {reason}")]
    Refused {
        /// What was sent.
        what: String,
        /// The registry's message.
        reason: String,
    },
}

impl RegistryError {
    /// What to do with the message that needed it.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Missing { .. } | Self::References { .. } => Verdict::DeadLetter,
            Self::Away { .. } | Self::Denied { .. } | Self::Reassigned { .. } => Verdict::Retry(None),
            Self::Refused { .. } | Self::NotLatest { .. } | Self::Objection { .. } => Verdict::Fatal,
        }
    }

    /// Whether the registry is unreachable or refuses access.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Away { .. } | Self::Denied { .. })
    }
}

type Slots<K> = Mutex<HashMap<K, Arc<OnceCell<Arc<RegisteredSchema>>>>>;

/// The time for one request before the registry counts as unavailable.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a command retries a registry that does not answer.
const TRIES: usize = 3;
/// The first wait between attempts, doubled each time.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// A client of the registry. Share it by reference or in an `Arc`.
pub struct Registry {
    addresses: Addresses,
    client: reqwest::Client,
    login: Option<(String, Option<Secret>)>,
    /// All addresses, for people.
    url: Address,
    by_id: Slots<u32>,
    by_subject: Slots<String>,
}

/// The client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum RegistrySetupError {
    /// The password's file cannot be used.
    #[error("cannot use the schema registry's password")]
    Password(#[from] SecretError),
    /// The address holds a password.
    #[error(
        "--schema-registry holds a user or password, which process lists show: use --schema-registry-user and \
         --schema-registry-password-file"
    )]
    SecretInAddress,
    /// The authorities' file cannot be used.
    #[error("cannot use --schema-registry-ca-file")]
    Tls(#[from] TlsError),
    /// The address is invalid, or TLS cannot be initialised.
    #[error("cannot make a client of the schema registry at {url}: {reason}")]
    Client {
        /// The address as given.
        url: Address,
        /// Why.
        reason: String,
    },
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// A client of the registry that the flags name. Sends no request yet.
    pub fn new(args: &RegistryArgs) -> Result<Self, RegistrySetupError> {
        let given = args.schema_registry.reveal().split(',');
        let urls: Vec<&str> = given.map(|url| url.trim().trim_end_matches('/')).collect();
        // Libraries quote them.
        address::remember(urls.iter().copied());
        let failed = |url: &str, reason: String| RegistrySetupError::Client {
            url: url.into(),
            reason: address::masked(&reason).into_owned(),
        };
        for url in &urls {
            if !url.starts_with("http://") && !url.starts_with("https://") {
                let expected = "expected an address such as http://localhost:8081, or several with commas";
                return Err(failed(url, expected.to_owned()));
            }
            match reqwest::Url::parse(url) {
                Err(error) => return Err(failed(url, error.to_string())),
                Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                    return Err(RegistrySetupError::SecretInAddress);
                }
                Ok(_) => {}
            }
        }
        let ca_file = args.schema_registry_ca_file.as_deref();
        let login = match &args.schema_registry_user {
            Some(user) => Some((user.clone(), args.password()?)),
            None => None,
        };
        let with_settings = |url: &&str| {
            let mut builder = SrSettings::new_builder((*url).to_owned());
            builder.set_timeout(REQUEST_TIMEOUT).no_proxy();
            if let Some((user, password)) = &login {
                builder.set_basic_authorization(user, password.as_ref().map(Secret::reveal));
            }
            let settings = builder.build_with(tls::trusting(reqwest::Client::builder(), ca_file)?);
            let settings = settings.map_err(|error| failed(url, error.error))?;
            Ok::<_, RegistrySetupError>(RegistryAddress::new(url, settings))
        };
        let addresses = urls.iter().map(with_settings).collect::<Result<_, _>>()?;
        let shown: Vec<_> = urls.iter().map(|url| address::redacted(url)).collect();
        let url = shown.join(", ");
        let client = tls::trusting(reqwest::Client::builder(), ca_file)?
            .timeout(REQUEST_TIMEOUT)
            .no_proxy()
            .build();
        let client = client.map_err(|error| failed(&url, error.to_string()))?;
        Ok(Self {
            addresses: Addresses::new(addresses),
            client,
            login,
            url: url.into(),
            by_id: Slots::default(),
            by_subject: Slots::default(),
        })
    }

    /// Its address (of several, all).
    pub fn url(&self) -> &Address {
        &self.url
    }

    /// The schema that a record's frame names. Cached; concurrent calls share one request.
    pub async fn schema_by_id(&self, id: u32) -> Result<Arc<RegisteredSchema>, RegistryError> {
        once(&self.by_id, id, || self.schema_by_id_now(id)).await
    }

    /// The same without the cache, to check whether the id still means the same.
    pub async fn schema_by_id_now(&self, id: u32) -> Result<RegisteredSchema, RegistryError> {
        let ask = |address: Arc<RegistryAddress>| async move {
            let found = get_schema_by_id(id, &address.settings).await;
            found.map_err(|error| address.classify(error, format!("schema id {id}")))
        };
        let what = format!("schema id {id}");
        let schema = self.addresses.ask(&what, ask).await?;
        let references = schema.references.into_iter().map(Into::into).collect();
        Ok(RegisteredSchema {
            id,
            kind: schema.schema_type.into(),
            raw: schema.schema.into(),
            referenced: self.referenced(&what, references).await?,
        })
    }

    /// A subject's schema, the newest at the first call. Cached; concurrent calls share one request.
    pub async fn schema_by_subject(&self, subject: &str) -> Result<Arc<RegisteredSchema>, RegistryError> {
        once(&self.by_subject, subject.to_owned(), || self.latest(subject)).await
    }

    /// The newest schema of a subject, requested at each call.
    pub async fn latest(&self, subject: &str) -> Result<RegisteredSchema, RegistryError> {
        let latest = self.version(subject, None).await?;
        let what = format!("version {} of subject {subject}", latest.version);
        Ok(RegisteredSchema {
            id: latest.id,
            kind: latest.kind,
            raw: latest.schema.into(),
            referenced: self.referenced(&what, latest.references).await?,
        })
    }

    /// Registers a schema under a subject and returns its id. Registering the same text again returns the same id, so a
    /// busy registry is asked again, which keeps it from ending the registration of thousands of schemas.
    pub async fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        insist(|| self.register_now(subject, schema)).await
    }

    /// Asks until the registry answers once, so that `/ready` is correct before the first message needs a schema.
    pub async fn wait_until_it_answers(&self, dependency: &Dependency) {
        let mut backoff = Backoff::default();
        while let Err(error) = self.subjects().await {
            dependency.down(crate::chain(&error));
            tokio::time::sleep(backoff.next_wait(None)).await;
        }
        dependency.up();
    }
}

/// Whether two texts are the same schema: some registries change white space and the order of keys.
pub fn is_same_schema(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    matches!((parsed(one), parsed(other)), (Some(one), Some(other)) if one == other)
}

/// Retries a few times if the registry does not answer: it may be busy.
async fn insist<T, F>(ask: impl FnMut() -> F) -> Result<T, RegistryError>
where
    F: Future<Output = Result<T, RegistryError>>,
{
    let waits = ExponentialBuilder::default()
        .with_min_delay(TRY_AGAIN_AFTER)
        .with_max_times(TRIES - 1)
        .with_jitter();
    ask.retry(waits)
        .when(|error| matches!(error, RegistryError::Away { .. }))
        .await
}

/// The cached value, or the result of `fetch`: one call fetches, the others wait for it. A failure is not cached, so
/// that the next call tries again and invented names take no memory.
async fn once<K, F>(
    slots: &Slots<K>,
    key: K,
    fetch: impl FnOnce() -> F,
) -> Result<Arc<RegisteredSchema>, RegistryError>
where
    K: Hash + Eq + Clone,
    F: Future<Output = Result<RegisteredSchema, RegistryError>>,
{
    let slot = Arc::clone(lock(slots).entry(key.clone()).or_default());
    let fetched = slot
        .get_or_try_init(|| async { fetch().await.map(Arc::new) })
        .await
        .cloned();
    if fetched.is_err() {
        let mut slots = lock(slots);
        if slots.get(&key).is_some_and(|slot| !slot.initialized()) {
            slots.remove(&key);
        }
    }
    fetched
}
