//! Reads the interface files of one commit of a SAL XML repository through GitHub's API.
//!
//! ```text
//! ref ─▶ commit ─▶ tree: list of files ─▶ cache, or ten concurrent downloads ─▶ interface files
//! ```

mod api;
mod args;
mod cache;
mod layout;

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt, stream};
use sal::interface::SourceFile;

pub use args::GithubArgs;

use crate::terminal::bar;
use api::{Api, Commit};
use cache::Cache;
use layout::Entry;
use operator::failure::Failure;

/// Enough to hide the latency of small requests; GitHub asks clients to send few at a time.
const MAX_CONCURRENT_DOWNLOADS: usize = 10;

/// The interface files of a commit.
pub(super) struct Checkout {
    pub(super) files: Vec<SourceFile>,
    /// `ORG/REPO at 0123456789ab`
    pub(super) name: String,
}

/// A repository from which several commits can be read.
pub(super) struct Github {
    api: Api,
    cache: Cache,
}

impl Github {
    pub(super) fn new(args: &GithubArgs) -> Result<Self, Failure> {
        let api = Api::new(args)?;
        let cache = Cache::of(api.base(), api.repository());
        Ok(Self { api, cache })
    }

    /// The interface files at a branch, tag or commit, or without one at the default branch.
    pub(super) async fn checkout(&self, reference: Option<&str>) -> Result<Checkout, Failure> {
        // For a full hash whose list of files is cached, no request is necessary.
        let known = reference.and_then(|reference| {
            let entries = self.cache.entries(reference)?;
            Some((reference.to_owned(), entries))
        });
        let (commit, entries) = match known {
            Some(known) => known,
            None => {
                let commit = self.api.commit(reference).await?;
                let entries = self.entries(&commit).await?;
                (commit.sha, entries)
            }
        };
        let short: String = commit.chars().take(12).collect();
        let name = format!("{} at {short}", self.api.repository());
        if entries.is_empty() {
            return Err(Failure::Refused {
                what: format!("reading {name}"),
                reason: "it has no sal_interfaces with XML files, neither at its top level nor in python/lsst/ts/xml/data"
                    .to_owned(),
                hint: "use --xml-repo with a repository of SAL interface files, such as lsst-ts/ts_xml".to_owned(),
            });
        }
        Ok(Checkout {
            files: self.files(entries).await?,
            name,
        })
    }

    async fn entries(&self, commit: &Commit) -> Result<Vec<Entry>, Failure> {
        if let Some(entries) = self.cache.entries(&commit.sha) {
            return Ok(entries);
        }
        let tree = self.api.tree(&commit.tree, true).await?;
        let entries = if tree.truncated {
            self.list_folders(&commit.tree).await?
        } else {
            layout::interface_files(tree.files())
        };
        self.cache.keep_entries(&commit.sha, &entries);
        Ok(entries)
    }

    /// Lists only the folders of interface files, for a tree that is too large for one answer.
    async fn list_folders(&self, top: &str) -> Result<Vec<Entry>, Failure> {
        let mut found = Vec::new();
        for root in layout::ROOTS {
            let mut tree = self.api.tree(top, false).await?;
            let mut exists = true;
            for folder in root.split_terminator('/') {
                match tree.folder(folder) {
                    Some(sha) => tree = self.api.tree(&sha, false).await?,
                    None => {
                        exists = false;
                        break;
                    }
                }
            }
            if !exists {
                continue;
            }
            for folder in layout::FOLDERS {
                let Some(sha) = tree.folder(folder) else { continue };
                let inside = self.api.tree(&sha, true).await?;
                if inside.truncated {
                    return Err(Failure::Refused {
                        what: format!("listing {root}{folder} of {}", self.api.repository()),
                        reason: "it has more files than GitHub lists in one answer".to_owned(),
                        hint: "clone the repository and use --interfaces".to_owned(),
                    });
                }
                found.extend(
                    inside
                        .files()
                        .map(|entry| entry.below(&format!("{root}{folder}/"))),
                );
            }
        }
        Ok(layout::interface_files(found.into_iter()))
    }

    async fn files(&self, entries: Vec<Entry>) -> Result<Vec<SourceFile>, Failure> {
        let mut found: HashMap<String, Vec<u8>> = HashMap::new();
        let mut missing = Vec::new();
        for entry in &entries {
            if entry.is_folder() {
                found.insert(entry.path.clone(), Vec::new());
                continue;
            }
            match self.cache.file(entry) {
                Some(bytes) => drop(found.insert(entry.path.clone(), bytes)),
                None => missing.push(entry.clone()),
            }
        }
        let progress = bar(missing.len() as u64, "files");
        let downloaded: Result<Vec<(String, Vec<u8>)>, Failure> = stream::iter(missing)
            .map(|entry| async move {
                let bytes = self.api.file(&entry).await?;
                // Cached immediately, so that an interrupted run can continue from here.
                self.cache.keep_file(&entry, &bytes);
                Ok::<_, Failure>((entry.path, bytes))
            })
            .buffer_unordered(MAX_CONCURRENT_DOWNLOADS)
            .inspect(|_| progress.inc(1))
            .try_collect()
            .await;
        progress.finish_and_clear();
        found.extend(downloaded?);
        let mut files: Vec<SourceFile> = found
            .into_iter()
            .map(|(path, bytes)| SourceFile { path, bytes })
            .collect();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(files)
    }
}
