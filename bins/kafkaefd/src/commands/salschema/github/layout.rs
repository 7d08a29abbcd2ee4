//! Where an XML repository has its interface files: `sal_interfaces/` and `interfaces/` at its top until 2023, below
//! `python/lsst/ts/xml/data/` since.

use serde::{Deserialize, Serialize};

/// Folders that may hold [`FOLDERS`]; the first that does counts.
pub(super) const ROOTS: [&str; 2] = ["", "python/lsst/ts/xml/data/"];
/// The folder of the XML files, and that of the cameras' Avro files.
pub(super) const FOLDERS: [&str; 2] = ["sal_interfaces", "interfaces"];

/// A file of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Of an interface file: from the folder that holds `sal_interfaces`.
    pub(super) path: String,
    /// The hash of its contents, by which it is asked for.
    pub(super) sha: String,
    /// Its length in bytes.
    pub(super) size: u64,
}

impl Entry {
    /// The same file, seen from further up.
    pub(super) fn below(self, folder: &str) -> Self {
        Self {
            path: format!("{folder}{}", self.path),
            ..self
        }
    }

    fn is_interface_file(&self) -> bool {
        let hidden = self.path.split('/').any(|part| part.starts_with('.'));
        let is = |folder: &str, ending: &str| {
            let inside = self
                .path
                .strip_prefix(folder)
                .is_some_and(|rest| rest.starts_with('/'));
            inside && self.path.ends_with(ending)
        };
        !hidden && (is("sal_interfaces", ".xml") || is("interfaces", ".avsc"))
    }
}

/// Of all files of a commit, the interface files, by path from their root.
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
            .filter(Entry::is_interface_file)
            .collect();
        if found
            .iter()
            .any(|entry| entry.path.starts_with("sal_interfaces/"))
        {
            found.sort_by(|one, other| one.path.cmp(&other.path));
            return found;
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
    fn both_layouts_are_known() {
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
        ];
        assert_eq!(
            found(&new),
            [
                "interfaces/ATCamera/ats.avsc",
                "sal_interfaces/Test/Test_Events.xml"
            ]
        );
    }

    #[test]
    fn a_repository_of_something_else_has_none() {
        assert!(found(&["src/main.rs", "interfaces/a/b.avsc", "sal_interfaces.xml"]).is_empty());
    }
}
