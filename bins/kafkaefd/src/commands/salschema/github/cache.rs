//! What was read of GitHub, in the user's cache folder: files by the hash of their contents, and per commit the list of its
//! interface files. Both never change, so that nothing is ever out of date, and commits share what they have in common.
//!
//! The cache is a help, not a need: without a folder, or on a full disk, everything is downloaded.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::args::Repository;
use super::layout::Entry;

/// The cache of one repository.
pub(super) struct Cache {
    /// None where the user has no such folder.
    folder: Option<PathBuf>,
}

impl Cache {
    /// The cache of a repository of that GitHub.
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

    /// The interface files of a commit, if they were listed before.
    pub(super) fn entries(&self, commit: &str) -> Option<Vec<Entry>> {
        let text = fs::read(self.path("commits", commit)?).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// A file, if it was downloaded before and is whole.
    pub(super) fn file(&self, entry: &Entry) -> Option<Vec<u8>> {
        let bytes = fs::read(self.path("files", &entry.sha)?).ok()?;
        (bytes.len() as u64 == entry.size).then_some(bytes)
    }

    pub(super) fn keep_entries(&self, commit: &str, entries: &[Entry]) {
        if let Ok(text) = serde_json::to_vec(entries) {
            self.keep("commits", commit, &text);
        }
    }

    pub(super) fn keep_file(&self, entry: &Entry, bytes: &[u8]) {
        self.keep("files", &entry.sha, bytes);
    }

    fn keep(&self, kind: &str, hash: &str, bytes: &[u8]) {
        if let Some(path) = self.path(kind, hash)
            && let Err(error) = write_whole(&path, bytes)
        {
            tracing::debug!(%error, path = %path.display(), "not cached");
        }
    }

    /// None for what is no hash: it would name another file.
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

/// A file appears with all of its bytes, or not at all, whoever else writes it.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension(format!("{}.part", std::process::id()));
    let mut file = fs::File::create(&beside)?;
    file.write_all(bytes)?;
    drop(file);
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_there_and_what_is_not_whole_is_not() {
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
