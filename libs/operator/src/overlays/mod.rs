//! Overlays of k8s-apps/: one folder for each subsystem, or group of subsystems, that has Deployments of its own.
//!
//! An overlay contains names, partitions and replicas only; all else is in the bases and components that it refers to.

mod kustomization;
mod name;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::failure::{Failure, nearest};
pub use kustomization::FILE;

/// What an overlay says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Overlay {
    /// Its folder's name, and the ending of the names of all that it creates.
    pub name: String,
    /// The SAL components that it carries.
    pub subsystems: Vec<String>,
    /// The partitions of each new topic.
    pub partitions: u32,
    /// The pods of each stage.
    pub replicas: u32,
}

/// An overlay that has been written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Its folder, for `kubectl apply -k`.
    pub folder: PathBuf,
    /// What it says.
    #[serde(flatten)]
    pub overlay: Overlay,
    /// Other overlays that carry one of its subsystems: applied together, both would carry its messages.
    pub also_carried_by: Vec<String>,
}

impl Overlay {
    /// An overlay of subsystems that are among `known`. Without a name it has that of its only subsystem; without a number
    /// of replicas, one for each partition.
    ///
    /// # Errors
    /// When a subsystem is unknown or given twice, or the name is not one that Kubernetes accepts.
    pub fn new(
        name: Option<&str>,
        subsystems: &[String],
        known: &[String],
        partitions: u32,
        replicas: Option<u32>,
    ) -> Result<Self, Failure> {
        for (index, subsystem) in subsystems.iter().enumerate() {
            if !known.contains(subsystem) {
                return Err(Failure::Unknown {
                    kind: "subsystem",
                    name: subsystem.clone(),
                    nearest: nearest(subsystem, known.iter().map(String::as_str)),
                    list: "kafkaefd salschema convert --interfaces schemas --print",
                });
            }
            if subsystems[..index].contains(subsystem) {
                return Err(Failure::Usage(format!("{subsystem} is given twice")));
            }
        }
        let name = match (name, subsystems) {
            (Some(name), _) => name.to_owned(),
            (None, [only]) => only.to_ascii_lowercase(),
            (None, _) => {
                return Err(Failure::Usage(
                    "an overlay of several subsystems needs a name of its own: give --name".to_owned(),
                ));
            }
        };
        name::check(&name)?;
        Ok(Self {
            name,
            subsystems: subsystems.to_vec(),
            partitions,
            replicas: replicas.unwrap_or(partitions),
        })
    }

    /// Writes the overlay into a folder of overlays, which has the bases beside it. An existing overlay is left unchanged.
    ///
    /// # Errors
    /// When there is one of this name, when the folder is not one of overlays, or when it cannot be written.
    pub fn write(self, into: &Path) -> Result<Written, Failure> {
        let base = into.join("../base").join(FILE);
        if !base.is_file() {
            return Err(Failure::Usage(format!(
                "{} is not a folder of overlays: {} does not exist. Give the folder overlays of a copy of k8s-apps/ with \
                 --into",
                into.display(),
                base.display()
            )));
        }
        let folder = into.join(&self.name);
        let also_carried_by = carriers(into, &self)?;
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(Failure::Refused {
                    what: format!("the overlay {}", self.name),
                    reason: format!("{} exists", folder.display()),
                    hint: "change its kustomization.yaml, or choose another name with --name".to_owned(),
                });
            }
            made => made.map_err(Failure::file(format!("creating {}", folder.display())))?,
        }
        let file = folder.join(FILE);
        fs::write(&file, self.kustomization())
            .map_err(Failure::file(format!("writing {}", file.display())))?;
        Ok(Written {
            folder,
            overlay: self,
            also_carried_by,
        })
    }
}

/// The names of the overlays in a folder that carry a subsystem of this one.
fn carriers(into: &Path, overlay: &Overlay) -> Result<Vec<String>, Failure> {
    let reading = || Failure::file(format!("reading {}", into.display()));
    let mut found = Vec::new();
    for entry in fs::read_dir(into).map_err(reading())? {
        let folder = entry.map_err(reading())?.path();
        let Ok(text) = fs::read_to_string(folder.join(FILE)) else {
            continue;
        };
        let carried = kustomization::subsystems(&text);
        if carried.iter().any(|name| overlay.subsystems.contains(name)) {
            found.extend(folder.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<String> {
        ["ATDome", "MTMount", "Test"].map(str::to_owned).to_vec()
    }

    fn overlay(name: Option<&str>, subsystems: &[&str]) -> Result<Overlay, Failure> {
        let subsystems: Vec<String> = subsystems.iter().map(|name| (*name).to_owned()).collect();
        Overlay::new(name, &subsystems, &known(), 2, None)
    }

    /// A copy of k8s-apps/ as far as the command looks at it.
    fn apps() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        for folder in ["base", "overlays"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("base").join(FILE), "").unwrap();
        let overlays = root.path().join("overlays");
        (root, overlays)
    }

    #[test]
    fn a_subsystem_names_its_overlay_and_has_a_replica_for_each_partition() {
        let found = overlay(None, &["ATDome"]).unwrap();
        assert_eq!((found.name.as_str(), found.replicas), ("atdome", 2));
        let found = Overlay::new(Some("auxtel"), &["ATDome".to_owned()], &known(), 6, Some(3)).unwrap();
        assert_eq!((found.name.as_str(), found.replicas), ("auxtel", 3));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let text = |made: Result<Overlay, Failure>| {
            let failure = made.unwrap_err();
            (failure.to_string(), failure.hint().unwrap_or_default())
        };
        let (unknown, hint) = text(overlay(None, &["ATDoem"]));
        assert_eq!(unknown, "there is no subsystem ATDoem");
        assert!(hint.starts_with("did you mean ATDome?"), "{hint}");
        assert_eq!(text(overlay(None, &["Test", "Test"])).0, "Test is given twice");
        let (nameless, _) = text(overlay(None, &["Test", "ATDome"]));
        assert!(nameless.ends_with("give --name"), "{nameless}");
        let (name, _) = text(overlay(Some("AT_dome"), &["ATDome"]));
        assert!(
            name.starts_with("\"AT_dome\" cannot be part of a name in Kubernetes"),
            "{name}"
        );
    }

    #[test]
    fn an_overlay_that_exists_is_left_unchanged() {
        let (_root, overlays) = apps();
        let written = overlay(None, &["Test"]).unwrap().write(&overlays).unwrap();
        let file = written.folder.join(FILE);
        let before = fs::read_to_string(&file).unwrap();
        let failure = Overlay::new(None, &["Test".to_owned()], &known(), 5, None)
            .unwrap()
            .write(&overlays)
            .unwrap_err();
        assert!(
            failure.to_string().starts_with("the overlay test was refused"),
            "{failure}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), before);
    }

    #[test]
    fn overlays_with_the_same_subsystem_are_named() {
        let (_root, overlays) = apps();
        overlay(Some("all"), &["Test", "MTMount", "ATDome"])
            .unwrap()
            .write(&overlays)
            .unwrap();
        overlay(None, &["Test"]).unwrap().write(&overlays).unwrap();
        let written = overlay(None, &["ATDome"]).unwrap().write(&overlays).unwrap();
        assert_eq!(written.also_carried_by, ["all"]);
    }

    #[test]
    fn a_folder_without_bases_is_refused() {
        let elsewhere = tempfile::tempdir().unwrap();
        let failure = overlay(None, &["Test"])
            .unwrap()
            .write(elsewhere.path())
            .unwrap_err();
        assert!(
            failure.to_string().contains("is not a folder of overlays"),
            "{failure}"
        );
    }
}
