//! Generates the list behind `schemas()`: every file of the repository's `schemas/sal_interfaces`, embedded
//! with `include_bytes!`.
//!
//! Cargo runs it again when a file in that folder is added, removed or changed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let missing = |name: &str| io::Error::other(format!("cargo did not set {name}"));
    let package =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| missing("CARGO_MANIFEST_DIR"))?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| missing("OUT_DIR"))?);
    let schemas = package.join("../../schemas").canonicalize()?;
    let folder = schemas.join("sal_interfaces");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    walk(&folder, &mut files)?;
    files.sort();
    let mut list = String::from("[\n");
    for file in &files {
        let relative = file.strip_prefix(&schemas).map_err(io::Error::other)?;
        let relative = relative.to_string_lossy().replace('\\', "/");
        let _ = writeln!(list, "    ({relative:?}, include_bytes!({file:?}).as_slice()),");
    }
    list.push(']');
    fs::write(out.join("schemas.rs"), list)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
