//! Sets the revision that `kafka_efd_build_info` shows: KAFKA_EFD_REVISION if it is set, as in the Dockerfile, whose context
//! holds no history; otherwise git's commit in release builds; otherwise "unknown".
//!
//! A build for development does not ask git: this crate and all that depend on it would be compiled again after each commit.

use std::path::{Path, PathBuf};
use std::process::Command;

const VARIABLE: &str = "KAFKA_EFD_REVISION";

fn main() {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rerun-if-changed=build.rs");
    let given = std::env::var(VARIABLE)
        .ok()
        .filter(|given| !given.trim().is_empty());
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let revision = given.or_else(|| if is_release { commit() } else { None });
    let revision = revision.as_deref().and_then(|text| text.trim().lines().next());
    let revision = revision.unwrap_or("unknown");
    println!("cargo::rustc-env={VARIABLE}={revision}");
}

/// The checked-out commit of this repository, which is not that of a repository around it.
fn commit() -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .ok()?;
    let top = PathBuf::from(git(&root, &["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != root {
        return None;
    }
    // HEAD changes with the branch, its log with each commit.
    for file in ["HEAD", "logs/HEAD"] {
        let path = root.join(git(&root, &["rev-parse", "--git-path", file])?);
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    git(&root, &["rev-parse", "--short=12", "HEAD"])
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let answer = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(arguments)
        .output()
        .ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    answer.status.success().then(|| text.trim().to_owned())
}
