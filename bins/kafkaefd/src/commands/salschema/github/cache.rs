//! A cache in the user's cache folder of what was read from GitHub: files by the hash of their contents, and for each
//! commit the list of its interface files. Neither ever changes, so no entry becomes stale, and commits share files.
//!
//! The cache is optional: without a folder, or on a full disk, everything is downloaded.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::args::Repository;
use super::layout::Entry;

/// The folder of the lists. The number changes with what they hold: now also folders without interface files.
const COMMITS: &str = "commits-2";

/// The cache of one repository.
pub(super) struct Cache {
    /// `None` if the user has no cache folder.
    folder: Option<PathBuf>,
}

impl Cache {
    /// The cache of a repository on the GitHub server at `base`.
    pub(super) fn of(base: &reqwest::Url, repository: &Repository) -> Self {
        let host = base.host_str().unwrap_or("github").replace(':', "_");
        let host = match base.port() {
            Some(port) => format!("{host}_{port}"),
            None => host,
        };
        let parts = [
            "kafka-efd",
            "github",
            &host,
            &repository.organisation,
            &repository.name,
        ];
        Self {
            folder: user_folder().map(|folder| folder.join(parts.iter().collect::<PathBuf>())),
        }
    }

    /// The cached list of a commit's interface files.
    pub(super) fn entries(&self, commit: &str) -> Option<Vec<Entry>> {
        let text = fs::read(self.path(COMMITS, commit)?).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// A cached file, if it is complete.
    pub(super) fn file(&self, entry: &Entry) -> Option<Vec<u8>> {
        let bytes = fs::read(self.path("files", &entry.sha)?).ok()?;
        (bytes.len() as u64 == entry.size).then_some(bytes)
    }

    pub(super) fn keep_entries(&self, commit: &str, entries: &[Entry]) {
        if let Ok(text) = serde_json::to_vec(entries) {
            self.keep(COMMITS, commit, &text);
        }
    }

    pub(super) fn keep_file(&self, entry: &Entry, bytes: &[u8]) {
        self.keep("files", &entry.sha, bytes);
    }

    fn keep(&self, kind: &str, hash: &str, bytes: &[u8]) {
        if let Some(path) = self.path(kind, hash)
            && let Err(error) = write_atomically(&path, bytes)
        {
            tracing::debug!(%error, path = %path.display(), "not cached");
        }
    }

    /// `None` if `hash` is not a hash, because it could name another file.
    fn path(&self, kind: &str, hash: &str) -> Option<PathBuf> {
        let is_hash = matches!(hash.len(), 40 | 64) && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        let folder = self.folder.as_ref().filter(|_| is_hash)?;
        Some(folder.join(kind).join(hash.to_ascii_lowercase()))
    }
}

/// The XDG base directory for caches.
fn user_folder() -> Option<PathBuf> {
    let absolute = |variable: &str| {
        let folder = PathBuf::from(std::env::var_os(variable)?);
        folder.is_absolute().then_some(folder)
    };
    absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))
}

/// Writes a file so that it appears complete or not at all, even with concurrent writers.
fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let partial = path.with_extension(format!("{}.part", std::process::id()));
    let mut file = fs::File::create(&partial)?;
    file.write_all(bytes)?;
    drop(file);
    fs::rename(&partial, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_files_are_found_and_incomplete_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache {
            folder: Some(folder.path().to_owned()),
        };
        let entry = Entry {
            path: "sal_interfaces/a.xml".to_owned(),
            sha: "0123456789abcdef0123456789abcdef01234567".to_owned(),
            size: 5,
        };
        assert_eq!(cache.file(&entry), None);
        cache.keep_file(&entry, b"hello");
        assert_eq!(cache.file(&entry).as_deref(), Some(&b"hello"[..]));
        cache.keep_file(&entry, b"hel");
        assert_eq!(cache.file(&entry), None);
        cache.keep_entries(&entry.sha, std::slice::from_ref(&entry));
        assert_eq!(cache.entries(&entry.sha), Some(vec![entry]));
        assert_eq!(cache.entries("../../etc/passwd"), None);
    }
}
