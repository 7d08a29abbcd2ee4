//! A SAL XML repository on GitHub instead of a directory, read by GitHub's API at one commit.
//!
//! ```text
//! ref ─▶ commit ─▶ tree: which files ─▶ cache, or ten downloads at a time ─▶ interface files
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

/// Downloads at a time: GitHub asks for few, a file is small, and the way is long.
const AT_ONCE: usize = 10;

/// What a repository holds at a commit.
pub(super) struct Checkout {
    pub(super) files: Vec<SourceFile>,
    /// `ORG/REPO at 0123456789ab`
    pub(super) name: String,
}

/// A repository that was asked once, for as many commits as are wanted.
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

    /// The interface files at a branch, tag or commit; at the default branch without one.
    pub(super) async fn checkout(&self, reference: Option<&str>) -> Result<Checkout, Failure> {
        // A whole hash says all that the API would, as long as its list of files is known.
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
                reason: "it has no sal_interfaces with XML files, neither at its top nor below python/lsst/ts/xml/data"
                    .to_owned(),
                hint: "--xml-repo of a repository of SAL's interface files, such as lsst-ts/ts_xml".to_owned(),
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
            self.walk(&commit.tree).await?
        } else {
            layout::interface_files(tree.files())
        };
        self.cache.keep_entries(&commit.sha, &entries);
        Ok(entries)
    }

    /// Of a tree that is too large for one answer, only the folders that hold interface files.
    async fn walk(&self, top: &str) -> Result<Vec<Entry>, Failure> {
        let mut found = Vec::new();
        for root in layout::ROOTS {
            let mut tree = self.api.tree(top, false).await?;
            let mut there = true;
            for folder in root.split_terminator('/') {
                match tree.folder(folder) {
                    Some(sha) => tree = self.api.tree(&sha, false).await?,
                    None => {
                        there = false;
                        break;
                    }
                }
            }
            if !there {
                continue;
            }
            for folder in layout::FOLDERS {
                let Some(sha) = tree.folder(folder) else { continue };
                let inside = self.api.tree(&sha, true).await?;
                if inside.truncated {
                    return Err(Failure::Refused {
                        what: format!("listing {root}{folder} of {}", self.api.repository()),
                        reason: "it has more files than GitHub lists".to_owned(),
                        hint: "clone the repository, and --xml-dir".to_owned(),
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
        let mut kept: HashMap<String, Vec<u8>> = HashMap::new();
        let mut missing = Vec::new();
        for entry in &entries {
            match self.cache.file(entry) {
                Some(bytes) => drop(kept.insert(entry.path.clone(), bytes)),
                None => missing.push(entry.clone()),
            }
        }
        let progress = bar(missing.len() as u64, "files");
        let downloaded: Result<Vec<(String, Vec<u8>)>, Failure> = stream::iter(missing)
            .map(|entry| async move {
                let bytes = self.api.file(&entry).await?;
                // Each at once, so that a run that is ended goes on from here.
                self.cache.keep_file(&entry, &bytes);
                Ok::<_, Failure>((entry.path, bytes))
            })
            .buffer_unordered(AT_ONCE)
            .inspect(|_| progress.inc(1))
            .try_collect()
            .await;
        progress.finish_and_clear();
        kept.extend(downloaded?);
        let mut files: Vec<SourceFile> = kept
            .into_iter()
            .map(|(path, bytes)| SourceFile { path, bytes })
            .collect();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(files)
    }
}
