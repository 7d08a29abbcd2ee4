//! The documents as a book: docs/SUMMARY.md names every page, and each link in a Markdown file of the repository leads to a
//! file, and to a heading in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;
use system_tests::root;

static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\]\(([^)\s]+)\)").unwrap());
static NAMED_LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\[([^\]]*)\]\([^)]*\)").unwrap());

/// Folders that hold no document of ours.
const NOT_OURS: [&str; 5] = ["target", "node_modules", ".git", "corpus", "examples"];

/// Every Markdown file of the repository, by its path from the root.
fn documents() -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !NOT_OURS.contains(&name) {
                walk(&path, found);
            } else if name.ends_with(".md") {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path.strip_prefix(root()).unwrap().to_owned(), text);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&root(), &mut found);
    found
}

/// The lines outside of blocks of code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The anchors of a page's headings, as forges and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        let Some(heading) = line.trim_start_matches('#').strip_prefix(' ') else {
            continue;
        };
        if !line.starts_with('#') {
            continue;
        }
        // A link in a heading counts by its text.
        let heading = NAMED_LINK.replace_all(heading, "$1");
        let anchor: String = heading
            .to_lowercase()
            .chars()
            .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
            .map(|letter| if letter == ' ' { '-' } else { letter })
            .collect();
        // Of equal headings, the later ones are numbered.
        let mut numbered = anchor.clone();
        for number in 1.. {
            if anchors.insert(numbered) {
                break;
            }
            numbered = format!("{anchor}-{number}");
        }
    }
    anchors
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(plain.pop(), "{} leaves the repository", path.display()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

#[test]
fn every_link_leads_somewhere() {
    let documents = documents();
    let headings: BTreeMap<&PathBuf, BTreeSet<String>> = documents
        .iter()
        .map(|(path, text)| (path, anchors(text)))
        .collect();
    let mut checked = 0;
    let mut broken = Vec::new();
    for (path, text) in &documents {
        for (line, text) in prose(text) {
            for link in LINK.captures_iter(text) {
                let link = &link[1];
                if link.contains("://") || link.starts_with("mailto:") {
                    continue;
                }
                checked += 1;
                let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
                let target = match file {
                    "" => path.clone(),
                    file => plain(&path.parent().unwrap().join(file)),
                };
                let is_there = root().join(&target).exists();
                let has_heading =
                    anchor.is_empty() || headings.get(&target).is_some_and(|found| found.contains(anchor));
                if !is_there || !has_heading {
                    broken.push(format!("{}:{}: {link}", path.display(), line + 1));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(checked > 100, "{checked}");
}

/// A link whose text is a page's name leads to that page.
#[test]
fn links_lead_to_the_page_that_they_name() {
    let named_page = Regex::new(r"\[`?([^\]`]*\.md)`?\]\(([^)#]+)").unwrap();
    let (mut checked, mut wrong) = (0, Vec::new());
    for (path, text) in documents() {
        for (line, text) in prose(&text) {
            for link in named_page.captures_iter(text) {
                checked += 1;
                if Path::new(&link[1]).file_name() != Path::new(&link[2]).file_name() {
                    wrong.push(format!("{}:{}: {}", path.display(), line + 1, &link[0]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(checked > 20, "{checked}");
}

/// Every file and folder of the repository, by its path from the root; folders end with a slash.
fn everything() -> BTreeSet<String> {
    fn walk(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let shown = path.strip_prefix(root()).unwrap().display().to_string();
            if !path.is_dir() {
                found.insert(shown);
            } else if !["target", "node_modules", ".git"].contains(&name) {
                found.insert(format!("{shown}/"));
                walk(&path, found);
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(&root(), &mut found);
    found
}

/// A path on the map of the code is one from the root, or the end of one, as `intake/commits.rs` below a folder that the
/// sentence has named.
#[test]
fn the_paths_on_the_map_of_the_code_exist() {
    let quoted = Regex::new("`([^`]+)`").unwrap();
    let path = Regex::new(r"^[\w.*-]+/[\w./*-]*$|^[\w-]+\.(?:rs|md|toml|yaml|py|mjs)$").unwrap();
    let everything: Vec<String> = everything().into_iter().map(|path| format!("/{path}")).collect();
    let (mut checked, mut missing) = (0, Vec::new());
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for (line, text) in prose(&text) {
            for quoted in quoted.captures_iter(text) {
                // What follows a program's path are its arguments.
                let named = quoted[1].split(' ').next().unwrap();
                if !path.is_match(named) || named.starts_with("target/") {
                    continue;
                }
                checked += 1;
                let end = regex::escape(named.trim_end_matches('/')).replace(r"\*", "[^/]+");
                let is_end = Regex::new(&format!("/{end}/?$")).unwrap();
                if !everything.iter().any(|path| is_end.is_match(path)) {
                    missing.push(format!("{document}:{}: {named}", line + 1));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(checked > 100, "{checked}");
}

#[test]
fn the_summary_names_every_page_once() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let mut named = BTreeSet::new();
    for link in LINK.captures_iter(&summary) {
        assert!(
            named.insert(PathBuf::from("docs").join(&link[1])),
            "{} is named twice",
            &link[1]
        );
    }
    let there: BTreeSet<PathBuf> = documents()
        .into_keys()
        .filter(|path| path.starts_with("docs") && !path.ends_with("SUMMARY.md"))
        .collect();
    assert_eq!(named, there);
}

/// A reader who opens a page knows from its first line what it is.
#[test]
fn every_page_begins_with_its_title() {
    for (path, text) in documents() {
        // The table of contents has a title for each part.
        if path.starts_with("docs") && !path.ends_with("SUMMARY.md") {
            assert!(text.starts_with("# "), "{}", path.display());
            let titles = prose(&text).filter(|(_, line)| line.starts_with("# ")).count();
            assert_eq!(titles, 1, "{}", path.display());
        }
    }
}

/// What an operator finds on the page of symptoms is what the code says.
#[test]
fn the_texts_of_troubleshooting_are_those_of_the_code() {
    let mut code = String::new();
    for parent in ["bins", "libs"] {
        for entry in fs::read_dir(root().join(parent)).unwrap() {
            sources(&entry.unwrap().path().join("src"), &mut code);
        }
    }
    // A text of several lines is one line.
    let code = Regex::new(r"\\\n\s*").unwrap().replace_all(&code, "");
    let page = fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    let quoted = Regex::new("`([^`]+)`").unwrap();
    let mut is_of_texts = false;
    let mut checked = 0;
    for (number, line) in page.lines().enumerate() {
        if !line.starts_with('|') {
            is_of_texts = false;
        } else if ["| text |", "| the reason says |"]
            .iter()
            .any(|head| line.starts_with(head))
        {
            is_of_texts = true;
        } else if is_of_texts {
            let first = line.split('|').nth(1).unwrap();
            let parts = quoted.captures_iter(first).flat_map(|text| {
                let parts: Vec<String> = text[1].split('…').map(|part| part.trim().to_owned()).collect();
                parts
            });
            for part in parts.filter(|part| part.contains(' ')) {
                assert!(
                    code.contains(&part),
                    "docs/troubleshooting.md:{}: {part:?}",
                    number + 1
                );
                checked += 1;
            }
        }
    }
    assert!(checked >= 25, "{checked}");
}

fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}
