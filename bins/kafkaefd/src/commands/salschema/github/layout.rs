//! Where an XML repository holds its interface files: in `sal_interfaces/` and `interfaces/`, until 2023 at the top
//! level and since then in `python/lsst/ts/xml/data/`.

use serde::{Deserialize, Serialize};

/// Folders that may contain [`FOLDERS`]; the first that does is used.
pub(super) const ROOTS: [&str; 2] = ["", "python/lsst/ts/xml/data/"];
/// The folder of the XML files, and that of the cameras' Avro files.
pub(super) const FOLDERS: [&str; 2] = ["sal_interfaces", "interfaces"];

/// A file of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// For interface files relative to the folder that contains `sal_interfaces`; a folder without them ends in `/`.
    pub(super) path: String,
    /// The hash of its contents, which identifies it in requests.
    pub(super) sha: String,
    /// In bytes.
    pub(super) size: u64,
}

impl Entry {
    /// The same file with its path relative to a parent of `folder`.
    pub(super) fn below(self, folder: &str) -> Self {
        Self {
            path: format!("{folder}{}", self.path),
            ..self
        }
    }

    /// Whether it stands for a component's folder.
    pub(super) fn is_folder(&self) -> bool {
        self.path.ends_with('/')
    }

    /// An interface file; of another file beside them only its component's folder, which has no size. `None` for all
    /// others.
    fn of_interfaces(self) -> Option<Self> {
        let parts: Vec<&str> = self.path.split('/').collect();
        let is_hidden = |part: &&str| part.starts_with('.');
        match parts.as_slice() {
            parts if parts.iter().rev().skip(1).any(is_hidden) => None,
            ["sal_interfaces", .., file] if file.ends_with(".xml") && !is_hidden(file) => Some(self),
            ["interfaces", .., file] if file.ends_with(".avsc") && !is_hidden(file) => Some(self),
            ["sal_interfaces", component, _, ..] => Some(Self {
                path: format!("sal_interfaces/{component}/"),
                size: 0,
                ..self
            }),
            _ => None,
        }
    }
}

/// The entries without the folders that have interface files.
fn without_filled_folders(entries: Vec<Entry>) -> Vec<Entry> {
    let is_filled = |folder: &Entry| {
        let mut others = entries.iter().filter(|entry| !entry.is_folder());
        others.any(|entry| entry.path.starts_with(&folder.path))
    };
    let kept = entries
        .iter()
        .filter(|entry| !entry.is_folder() || !is_filled(entry));
    kept.cloned().collect()
}

/// Selects a commit's interface files, with paths relative to their root.
pub(super) fn interface_files(all: impl Iterator<Item = Entry>) -> Vec<Entry> {
    let all: Vec<Entry> = all.collect();
    for root in ROOTS {
        let mut found: Vec<Entry> = all
            .iter()
            .filter_map(|entry| {
                let path = entry.path.strip_prefix(root)?.to_owned();
                Some(Entry {
                    path,
                    ..entry.clone()
                })
            })
            .filter_map(Entry::of_interfaces)
            .collect();
        if found
            .iter()
            .any(|entry| entry.path.starts_with("sal_interfaces/") && !entry.is_folder())
        {
            found.sort_by(|one, other| one.path.cmp(&other.path));
            found.dedup_by(|one, other| one.path == other.path);
            return without_filled_folders(found);
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(paths: &[&str]) -> Vec<String> {
        let all = paths.iter().map(|path| Entry {
            path: (*path).to_owned(),
            sha: String::new(),
            size: 0,
        });
        interface_files(all).into_iter().map(|entry| entry.path).collect()
    }

    #[test]
    fn both_layouts_are_recognized() {
        let old = [
            "README.md",
            "sal_interfaces/Test/Test_Events.xml",
            "sal_interfaces/SALSubsystems.xml",
        ];
        assert_eq!(
            found(&old),
            [
                "sal_interfaces/SALSubsystems.xml",
                "sal_interfaces/Test/Test_Events.xml"
            ]
        );
        let new = [
            "doc/x.xml",
            "python/lsst/ts/xml/data/interfaces/ATCamera/ats.avsc",
            "python/lsst/ts/xml/data/sal_interfaces/Test/Test_Events.xml",
            "python/lsst/ts/xml/data/sal_interfaces/Test/.hidden.xml",
            "python/lsst/ts/xml/data/sal_interfaces/Test/README.md",
            "python/lsst/ts/xml/data/sal_interfaces/ATHeaderService/README.md",
            "python/lsst/ts/xml/data/sal_interfaces/ATHeaderService/doc/a.md",
            "python/lsst/ts/xml/data/sal_interfaces/README.md",
        ];
        assert_eq!(
            found(&new),
            [
                "interfaces/ATCamera/ats.avsc",
                "sal_interfaces/ATHeaderService/",
                "sal_interfaces/Test/Test_Events.xml"
            ]
        );
    }

    #[test]
    fn other_repositories_have_no_interface_files() {
        assert!(found(&["src/main.rs", "interfaces/a/b.avsc", "sal_interfaces.xml"]).is_empty());
    }
}
