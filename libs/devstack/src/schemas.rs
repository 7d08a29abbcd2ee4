//! The SAL interfaces of the repository's `schemas/` folder, embedded: the demo runs without any file beside it.

use sal::interface::SourceFile;

/// (path relative to `schemas/`, content), by path; written by `build.rs`.
const FILES: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/schemas.rs"));

/// Every file of `schemas/sal_interfaces`, as `schema-dir` would read it from that folder.
pub fn schemas() -> Vec<SourceFile> {
    FILES
        .iter()
        .map(|(path, bytes)| SourceFile {
            path: (*path).to_owned(),
            bytes: bytes.to_vec(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use sal::interface::Interfaces;

    use super::*;

    #[test]
    fn every_embedded_file_is_a_sal_interface() {
        let interfaces = Interfaces::read(&schemas());
        assert!(interfaces.errors.is_empty(), "{:?}", interfaces.errors);
        let topics: usize = interfaces
            .components
            .iter()
            .map(|component| component.topics.len())
            .sum();
        assert!(
            interfaces.components.len() >= 8,
            "{} components",
            interfaces.components.len()
        );
        assert!(topics >= 100, "{topics} topics");
    }
}
