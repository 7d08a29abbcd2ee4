//! Who imports whom within a crate, read from its sources, and the circles among modules of one folder. Part of `tidy`.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

/// A module by the names of its path in the crate; none are the root.
type Module = Vec<String>;

/// For each folder of modules (by its path, `intake` or `commands::top`; empty at the top), those in circles: each with the
/// ones that it imports in them. `sources` are the files below `src/`, without tests. What a parent passes on with `pub use`
/// counts as the parent's.
pub(crate) fn circles(
    sources: &BTreeMap<String, String>,
) -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
    let modules: BTreeMap<Module, String> = sources
        .iter()
        .map(|(path, text)| (module(path), code(text)))
        .collect();
    let mut folders: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (from, code) in &modules {
        for to in imports(code)
            .iter()
            .filter_map(|path| target(&modules, from, path))
        {
            let common = from
                .iter()
                .zip(&to)
                .take_while(|(one, other)| one == other)
                .count();
            // A module and what is below it may know each other.
            if let (Some(one), Some(other)) = (from.get(common), to.get(common)) {
                let folder = folders.entry(to[..common].join("::")).or_default();
                folder.entry(other.clone()).or_default();
                folder.entry(one.clone()).or_default().insert(other.clone());
            }
        }
    }
    for imports in folders.values_mut() {
        only_circles(imports);
    }
    folders.retain(|_, imports| !imports.is_empty());
    folders
}

/// The same without these modules: what is left in circles.
pub(crate) fn without(
    mut imports: BTreeMap<String, BTreeSet<String>>,
    hubs: &[&str],
) -> BTreeMap<String, BTreeSet<String>> {
    imports.retain(|module, _| !hubs.contains(&module.as_str()));
    only_circles(&mut imports);
    imports
}

/// Removes what imports nothing that is left, and what nothing that is left imports, until neither exists.
fn only_circles(imports: &mut BTreeMap<String, BTreeSet<String>>) {
    loop {
        let left: BTreeSet<String> = imports.keys().cloned().collect();
        let imported: BTreeSet<String> = imports.values().flatten().cloned().collect();
        imports.retain(|module, of| {
            of.retain(|other| left.contains(other));
            !of.is_empty() && imported.contains(module)
        });
        if imports.len() == left.len() {
            return;
        }
    }
}

fn module(path: &str) -> Module {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "lib" | "main" => Vec::new(),
        path => path.split('/').map(str::to_owned).collect(),
    }
}

fn code(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Every path that begins with `crate`, `super`, `self` or a module's own child, each name of a `use` with braces apart.
fn imports(code: &str) -> BTreeSet<Vec<String>> {
    let uses = Regex::new(r"\buse\s+([^;]+);").unwrap();
    let inline = Regex::new(r"\b(?:crate|super)(?:::\w+)+").unwrap();
    let mut found = BTreeSet::new();
    for tree in uses.captures_iter(code) {
        branches(&[], &tree[1], &mut found);
    }
    for path in inline.find_iter(&uses.replace_all(code, "")) {
        found.insert(path.as_str().split("::").map(str::to_owned).collect());
    }
    found
}

fn branches(before: &[String], tree: &str, found: &mut BTreeSet<Vec<String>>) {
    let (mut depth, mut branch) = (0, String::new());
    let mut all = Vec::new();
    for letter in tree.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if letter == ',' && depth == 0 {
            all.push(std::mem::take(&mut branch));
        } else {
            branch.push(letter);
        }
    }
    all.push(branch);
    for branch in all
        .iter()
        .map(|branch| branch.trim())
        .filter(|branch| !branch.is_empty())
    {
        let names = |text: &str| -> Vec<String> {
            let text = text.split(" as ").next().unwrap_or_default();
            let names = text.split("::").map(str::trim).filter(|name| !name.is_empty());
            before.iter().cloned().chain(names.map(str::to_owned)).collect()
        };
        match branch.split_once('{') {
            Some((first, rest)) => {
                let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
                branches(&names(first), inner, found);
            }
            None => {
                found.insert(names(branch));
            }
        }
    }
}

/// The module that a path in a module leads to; none outside of the crate.
fn target(modules: &BTreeMap<Module, String>, from: &Module, path: &[String]) -> Option<Module> {
    let mut at = from.clone();
    let mut rest = path;
    match rest.first()?.as_str() {
        "crate" => (at, rest) = (Vec::new(), &rest[1..]),
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|name| name == "super") {
                at.pop();
                rest = &rest[1..];
            }
        }
        _ => {}
    }
    let start = at.len();
    for name in rest {
        at.push(name.clone());
        if !modules.contains_key(&at) {
            at.pop();
            break;
        }
    }
    let is_of_the_crate = matches!(path[0].as_str(), "crate" | "self" | "super") || at.len() > start;
    is_of_the_crate.then_some(at)
}

#[test]
fn a_circle_below_the_top_is_found_through_braces() {
    let sources = |texts: &[(&str, &str)]| -> BTreeMap<String, String> {
        let pairs = texts
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        pairs.collect()
    };
    let ordered = [
        ("lib.rs", "mod a;\npub use a::One;"),
        ("a/mod.rs", "mod b;\nmod c;\nuse b::{One, Two};"),
        ("a/b.rs", "use super::c::Three;\n// use crate::a::d;"),
        ("a/c.rs", "use std::fmt;"),
    ];
    assert_eq!(circles(&sources(&ordered)), BTreeMap::new());
    for back in [
        "use super::{Five, b::{One, Two}};",
        "fn f() -> crate::a::b::One {}",
    ] {
        let mut circular = ordered;
        circular[3].1 = back;
        let found = circles(&sources(&circular));
        let one = |name: &str| BTreeSet::from([name.to_owned()]);
        let both = BTreeMap::from([("b".to_owned(), one("c")), ("c".to_owned(), one("b"))]);
        assert_eq!(found, BTreeMap::from([("a".to_owned(), both)]), "{back}");
    }
}
