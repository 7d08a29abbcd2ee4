//! Shared by the tests with real services: where the services are, the expected values, and independent peers
//! that share no code with the pipeline.

use std::collections::HashMap;

mod compacted;
mod documents;
mod efd_client;
mod exactly_once;
pub(crate) mod expected;
mod gone;
pub(crate) mod influx;
mod init;
pub(crate) mod kafka;
mod large_dead_letters;
mod memory;
mod mock_state;
mod outputs;
pub(crate) mod peers;
mod plots;
mod points_page;
mod refused;
pub(crate) mod registry;
mod replay;
mod shapes;
pub(crate) mod stages;
mod telegraf;
mod tutorial;
pub(crate) mod value;

pub(crate) use system_tests::root;
pub(crate) use testkit::until;

/// Real services, as started by `scripts/services`.
pub(crate) struct Services(HashMap<String, String>);

impl Services {
    /// The services, if all that the test needs are available; otherwise prints why the test is skipped (with
    /// CI=true it fails).
    pub(crate) fn with(needed: &[&str]) -> Option<Self> {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        let Ok(path) = std::env::var("KAFKA_EFD_SERVICES") else {
            assert!(
                !ci,
                "CI=true asks for real services: run `make test`, which starts them"
            );
            eprintln!("skipped: no real services; `make test` starts them");
            return None;
        };
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let services = Self(
            pairs
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        );
        let missing: Vec<_> = needed
            .iter()
            .filter(|key| !services.0.contains_key(**key))
            .collect();
        if missing.is_empty() {
            return Some(services);
        }
        assert!(!ci, "CI=true asks for all services, and {path} lacks {missing:?}");
        eprintln!("skipped: {path} lacks {missing:?}");
        None
    }

    /// A value of the env file that only some services have.
    pub(crate) fn find(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// A value of the env file that [`Services::with`] asked for.
    pub(crate) fn get(&self, key: &str) -> &str {
        &self.0[key]
    }
}

/// A name that no other test and no other run against the same services uses.
pub(crate) fn unique(prefix: &str) -> String {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    format!("{prefix}{:x}", since.as_nanos())
}
