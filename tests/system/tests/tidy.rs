//! The project's conventions as tests, so that they do not decay.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use regex::Regex;
use stage::config::ServiceArgs;
use stage::service::Service;
use system_tests::root;

/// A file with more lines than this, without its tests, usually holds two ideas.
const MAX_LINES: usize = 400;

/// Files below `folder` with this extension, sorted by path, without cargo's build folders.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir()
            && path
                .file_name()
                .is_some_and(|name| name != "target" && name != "node_modules")
        {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// (path from the root, text) of every Rust file.
fn sources() -> Vec<(String, String)> {
    let root = root();
    let paths = ["bins", "libs", "benches", "tests", "fuzz"]
        .into_iter()
        .filter(|folder| root.join(folder).is_dir());
    paths
        .flat_map(|folder| files(&root.join(folder), "rs"))
        .map(|path| {
            (
                path.strip_prefix(&root).unwrap().display().to_string(),
                fs::read_to_string(&path).unwrap(),
            )
        })
        .collect()
}

/// The folders of the crates below these folders, from the root.
fn crates(parents: &[&str]) -> BTreeSet<String> {
    let root = root();
    let manifests = parents
        .iter()
        .flat_map(|parent| files(&root.join(parent), "toml"))
        .filter(|path| path.ends_with("Cargo.toml"));
    manifests
        .map(|path| {
            let krate = path.parent().unwrap().strip_prefix(&root).unwrap();
            krate.display().to_string()
        })
        .collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A file's text without its tests.
fn own(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default()
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

#[test]
fn every_file_says_what_it_is() {
    let bare: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| path)
        .collect();
    assert!(
        bare.is_empty(),
        "these files must open with `//! ` and say what they are: {bare:#?}"
    );
}

#[test]
fn no_file_is_longer_than_one_idea() {
    let mut long = Vec::new();
    for (path, text) in sources().into_iter().filter(|(path, _)| !is_test(path)) {
        let own = own(&text).lines().count();
        if own > MAX_LINES {
            long.push(format!("{path}: {own} lines"));
        }
    }
    assert!(
        long.is_empty(),
        "more than {MAX_LINES} lines without tests: {long:#?}"
    );
}

#[test]
fn nothing_is_left_to_do() {
    // Put together here, so that this file does not contain them.
    let words = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["to", "do!("],
        ["unimpl", "emented!("],
    ]
    .map(|parts| parts.concat());
    let mut found = Vec::new();
    for (path, text) in sources() {
        for (number, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
        {
            found.push(format!("{path}:{}: {}", number + 1, line.trim()));
        }
    }
    assert!(found.is_empty(), "finish or delete: {found:#?}");
}

/// A reader of a constant's name knows whether it is a bound, a pause or a period.
#[test]
fn durations_say_what_they_are() {
    let duration = Regex::new(r"(?m)^ *(?:pub(?:\([a-z]+\))? )?const ([A-Z_]+): Duration").unwrap();
    let shipped = Regex::new("^(bins|libs)/[a-z-]+/src/").unwrap();
    let kind = Regex::new(r"^(?:MAX|MIN)_|_(?:TIMEOUT|INTERVAL|DURATION|AFTER|WITHIN)$").unwrap();
    let mut found = Vec::new();
    for (path, text) in sources() {
        if !shipped.is_match(&path) || is_test(&path) {
            continue;
        }
        for name in duration.captures_iter(own(&text)) {
            if !kind.is_match(&name[1]) {
                found.push(format!("{path}: {}", &name[1]));
            }
        }
    }
    assert!(found.is_empty(), "end with _TIMEOUT, _INTERVAL, …: {found:#?}");
}

/// `eprintln!` panics if stderr is full and blocks if nobody reads it. Neither may end or stall a stage.
#[test]
fn nothing_that_is_shipped_writes_to_stderr_by_itself() {
    let writes = Regex::new(r"\beprint(ln)?!|\bdbg!").unwrap();
    let found = shipped_where(&writes, "libs/stage/src/stderr.rs");
    assert!(
        found.is_empty(),
        "use stage::stderr_line! or a log line: {found:?}"
    );
}

/// `println!` panics if stdout is full or closed. A failed write must be an error with exit code 1.
#[test]
fn nothing_that_is_shipped_writes_to_stdout_by_itself() {
    let writes = Regex::new(r"\bprint(ln)?!").unwrap();
    let found = shipped_where(&writes, "libs/stage/src/stdout.rs");
    assert!(
        found.is_empty(),
        "use stage::stdout or kafkaefd's screen: {found:?}"
    );
}

/// The files of the binaries and libraries, except one, whose text without tests matches.
fn shipped_where(written: &Regex, but: &str) -> Vec<String> {
    let shipped = Regex::new("^(bins|libs)/[a-z-]+/src/").unwrap();
    sources()
        .into_iter()
        .filter(|(path, text)| shipped.is_match(path) && !is_test(path) && written.is_match(own(text)))
        .map(|(path, _)| path)
        .filter(|path| path != but)
        .collect()
}

#[test]
fn every_crate_has_the_workspaces_lints() {
    let root = root();
    let manifests = ["bins", "libs", "benches", "tests"]
        .iter()
        .flat_map(|folder| files(&root.join(folder), "toml"));
    let manifests: Vec<_> = manifests.filter(|path| path.ends_with("Cargo.toml")).collect();
    assert!(manifests.len() >= 8, "{manifests:?}");
    for path in manifests {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("[lints]\nworkspace = true\n"),
            "{} must say [lints] workspace = true",
            path.display()
        );
    }
}

/// The dependencies that ARCHITECTURE.md draws. `[dev-dependencies]` are exempt.
#[test]
fn crates_depend_only_on_what_they_may() {
    const LIBRARIES: [&str; 3] = ["confluent-avro", "sal", "stage"];
    let with_schemas = [&LIBRARIES[..], &["schema-dir"]].concat();
    const STAGES: [&str; 3] = ["salmock", "saltransform", "influxsink"];
    let allowed: [(&str, Vec<&str>); 13] = [
        ("libs/confluent-avro", vec![]),
        ("libs/http-server", vec![]),
        ("libs/sal", vec!["confluent-avro"]),
        ("libs/schema-dir", vec!["sal"]),
        ("libs/devstack", vec!["http-server", "sal"]),
        ("libs/testkit", vec!["devstack"]),
        ("libs/stage", vec!["confluent-avro", "http-server"]),
        ("libs/operator", LIBRARIES.to_vec()),
        ("libs/web-console", vec!["http-server", "operator", "stage"]),
        ("bins/salmock", with_schemas.clone()),
        ("bins/saltransform", with_schemas.clone()),
        ("bins/influxsink", LIBRARIES.to_vec()),
        (
            "bins/kafkaefd",
            [
                &with_schemas[..],
                &STAGES,
                &["devstack", "operator", "web-console"],
            ]
            .concat(),
        ),
    ];
    let ours = Regex::new(
        r"(?m)^(confluent-avro|web-console|http-server|schema-dir|sal|devstack|testkit|operator|stage|salmock|saltransform|influxsink|kafkaefd)\b",
    )
    .unwrap();
    let listed: BTreeSet<String> = allowed.iter().map(|(krate, _)| (*krate).to_owned()).collect();
    assert_eq!(listed, crates(&["bins", "libs"]), "every crate needs a rule");
    let mut seen = 0;
    for (krate, allowed) in allowed {
        let manifest = read(&format!("{krate}/Cargo.toml"));
        let dependencies = manifest
            .split("\n[")
            .find_map(|part| part.strip_prefix("dependencies]\n"));
        for name in ours
            .find_iter(dependencies.unwrap_or_default())
            .map(|found| found.as_str())
        {
            assert!(allowed.contains(&name), "{krate} must not depend on {name}");
            seen += 1;
        }
    }
    assert!(seen >= 15, "{seen}");
}

/// A name in `[features]` or behind a `target` would ship it just as `[dependencies]` do.
#[test]
fn nothing_that_is_shipped_depends_on_the_test_kit() {
    let named = Regex::new(r#"(?m)^[^#\n]*\btestkit\b"#).unwrap();
    let mut developing = 0;
    for krate in crates(&["bins", "libs"]) {
        if krate == "libs/testkit" {
            continue;
        }
        let manifest = read(&format!("{krate}/Cargo.toml"));
        for section in manifest.split("\n[").filter(|section| named.is_match(section)) {
            let heading = section.split(']').next().unwrap_or_default();
            assert_eq!(heading, "dev-dependencies", "{krate} must not ship the test kit");
            developing += 1;
        }
    }
    assert!(developing >= 4, "{developing}");
}

/// Folders whose modules know each other in circles, the modules without which they would not, and the reason.
const CIRCLES: [(&str, &str, &[&str], &str); 1] = [(
    "libs/stage",
    "intake",
    &["assigned", "context"],
    "librdkafka calls one context for everything: it owns the state of these modules (`assigned`: for each partition), and \
     they take the consumer, whose type names the context",
)];

/// The modules of each folder of a crate have an order: none imports, over others, one that imports it.
#[test]
fn modules_do_not_import_each_other_in_circles() {
    let place = Regex::new("^([a-z]+/[a-z-]+)/src/(.+)$").unwrap();
    let mut crates: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (path, text) in sources().into_iter().filter(|(path, _)| !is_test(path)) {
        if let Some(found) = place.captures(&path) {
            let files = crates.entry(found[1].to_owned()).or_default();
            files.insert(found[2].to_owned(), own(&text).to_owned());
        }
    }
    assert!(crates.len() >= 12, "{}", crates.len());
    let mut found: BTreeMap<(String, String), _> = BTreeMap::new();
    for (krate, files) in crates {
        for (folder, imports) in imports::circles(&files) {
            found.insert((krate.clone(), folder), imports);
        }
    }
    for (krate, folder, hubs, reason) in CIRCLES {
        let place = (krate.to_owned(), folder.to_owned());
        let there = found.remove(&place);
        let there = there.unwrap_or_else(|| panic!("{krate}, {folder}: no circle is left, remove the entry"));
        let left = imports::without(there, hubs);
        assert!(
            left.is_empty(),
            "{krate}, {folder}: not because {reason}: {left:#?}"
        );
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// What an operator can ask has several faces: the library parses no flags, draws nothing and prints nothing.
#[test]
fn what_an_operator_asks_stands_apart_from_how_it_is_shown() {
    let shown = Regex::new(
        r"(?m)^(clap|clap_complete|clap_mangen|comfy-table|anstream|anstyle|indicatif|ratatui|plotters)\b",
    )
    .unwrap();
    let manifest = read("libs/operator/Cargo.toml");
    let found: Vec<_> = shown.find_iter(&manifest).map(|found| found.as_str()).collect();
    assert!(found.is_empty(), "{found:?}");
    let prints = Regex::new(r"\be?print(ln)?!|\bstderr_(line|text)!|\bstd(out|err)\(\)").unwrap();
    let printing: Vec<_> = sources()
        .into_iter()
        .filter(|(path, text)| path.starts_with("libs/operator/src/") && prints.is_match(own(text)))
        .map(|(path, _)| path)
        .collect();
    assert!(printing.is_empty(), "{printing:?}");
}

/// The operator's command works with stages that run elsewhere; only its demo contains some.
#[test]
fn only_the_demo_knows_the_stages() {
    let of_stages = Regex::new(r"\b(salmock|saltransform|influxsink|devstack)::").unwrap();
    let found = sources().into_iter().filter(|(path, text)| {
        path.starts_with("bins/kafkaefd/src/")
            && !path.starts_with("bins/kafkaefd/src/demo/")
            && of_stages.is_match(own(text))
    });
    let found: Vec<_> = found.map(|(path, _)| path).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// A default that two flags share is a constant that both name (`stage::config::defaults`, `sal::name`, the binary's own):
/// flags of one environment variable, and flags with one text.
#[test]
fn defaults_are_written_once() {
    // Flags of two binaries with one variable, and values that have nothing in common.
    const DIFFERENT: [&str; 1] = ["FORMAT"];
    let shipped = Regex::new("^(bins|libs)/[a-z-]+/src/").unwrap();
    let flag = Regex::new(r"(?s)#\[arg\((.*?)\)\]").unwrap();
    let variable = Regex::new(r#"\benv = "(\w+)""#).unwrap();
    let default = Regex::new(r#"\bdefault_values?(?:_t)? = ("[^"]*"|\[[^\]]*\]|[\w:.]+)"#).unwrap();
    let constant = Regex::new("^[A-Z][A-Z0-9_]+$").unwrap();
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut flags = 0;
    for (path, text) in sources() {
        if !shipped.is_match(&path) || is_test(&path) {
            continue;
        }
        let text = own(&text);
        for found in flag.captures_iter(text) {
            let Some(default) = default.captures(&found[1]) else {
                continue;
            };
            flags += 1;
            if constant.is_match(&default[1]) {
                continue;
            }
            let line = 1 + text[..found.get(0).unwrap().start()].matches('\n').count();
            let place = format!("{path}:{line}");
            if let Some(variable) = variable.captures(&found[1])
                && !DIFFERENT.contains(&&variable[1])
            {
                places
                    .entry(variable[1].to_owned())
                    .or_default()
                    .insert(place.clone());
            }
            let is_text = default[1].starts_with('"') && default[1].contains(char::is_alphabetic);
            if is_text {
                places.entry(default[1].to_owned()).or_default().insert(place);
            }
        }
    }
    assert!(flags > 60, "{flags}");
    places.retain(|_, places| places.len() > 1);
    assert!(places.is_empty(), "give these defaults a name: {places:#?}");
}

/// Phrases of a private dialect for which engineers in this field have standard terms. Each has a space in it, so that in
/// code only comments, texts and the names of tests can match.
const DIALECT: &str = concat!(
    r"(?i)\b(?:is|are) away\b|\bon (?:its|their) way\b|\bmade anew\b|\bthe data's way\b|\blets us not in\b",
    r"|\b(?:is|are) no [a-z]+",
    r"|\bso many (?:bytes|seconds|messages|more|times)\b|\bgoes on with\b|\bsaid in\b|\b(?:is|are) told\b",
    r"|\bas was asked for\b|\bwrong flags\b|\bfor those that\b|\bis the topic's doing\b|\bhas its fate\b",
);

/// Folders whose comments, texts and names of tests are held to it. Add a folder once its texts are rewritten.
const PLAIN_FOLDERS: [&str; 18] = [
    "benches/hot-path",
    "benches/pipeline",
    "bins/influxsink",
    "bins/kafkaefd",
    "bins/salmock",
    "bins/saltransform",
    "fuzz",
    "libs/confluent-avro",
    "libs/web-console",
    "libs/devstack",
    "libs/http-server",
    "libs/operator",
    "libs/sal",
    "libs/schema-dir",
    "libs/stage",
    "libs/testkit",
    "tests/faults",
    "tests/system",
];

/// Files that must contain such phrases: the phrases themselves, names of faults that a published
/// table has, and help texts of metrics, which stay as they were released.
const EXEMPT: [&str; 3] = [
    "libs/stage/src/metrics.rs",
    "tests/system/tests/tidy.rs",
    "tests/faults/src/kind.rs",
];

/// `path:line: phrase` for each line of the text that contains one.
fn dialect_in(path: &str, text: &str) -> Vec<String> {
    let dialect = Regex::new(DIALECT).unwrap();
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut line = line.to_owned();
        // The names of tests are sentences, too.
        if line.contains("fn ") {
            line = line.replace('_', " ");
        }
        // "There is no topic" and "it is no longer there" are plain English, "this is no topic" is not.
        for plain in ["here is no ", "here are no ", " no longer"] {
            line = line.replace(plain, "");
        }
        if let Some(phrase) = dialect.find(&line) {
            found.push(format!("{path}:{}: {}", number + 1, phrase.as_str()));
        }
    }
    found
}

/// A document without its tables of measurements, which contain names of faults and rows.
fn without_measurements(text: &str) -> String {
    let mut is_measured = false;
    let lines = text.lines().map(|line| {
        if line.starts_with("<!-- measured") {
            is_measured = line.ends_with(": begin -->");
        }
        if is_measured { "" } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn documents_are_written_in_plain_english() {
    let mut documents: Vec<PathBuf> = OTHER_FOLDERS
        .into_iter()
        .chain(["docs", "schemas", ".github"])
        .flat_map(|folder| files(&root().join(folder), "md"))
        .collect();
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ] {
        documents.push(root().join(name));
    }
    assert!(documents.len() > 40, "{documents:#?}");
    let mut found = Vec::new();
    for path in documents {
        let text = without_measurements(&fs::read_to_string(&path).unwrap());
        found.extend(dialect_in(&path.display().to_string(), &text));
    }
    assert!(found.is_empty(), "use standard terms: {found:#?}");
}

/// Folders of manifests, and of scripts that are not in Rust.
const OTHER_FOLDERS: [&str; 5] = ["k8s-apps", "k8s-cluster", "monitoring", "scripts", "tests"];

#[test]
fn manifests_and_scripts_are_written_in_plain_english() {
    let root = root();
    let mut paths: Vec<PathBuf> = [
        "compose.yaml",
        "compose.cluster.yaml",
        "Makefile",
        "Dockerfile",
        ".ci/run",
    ]
    .map(|name| root.join(name))
    .to_vec();
    for folder in OTHER_FOLDERS {
        for extension in ["yaml", "yml", "py", "mjs"] {
            paths.extend(files(&root.join(folder), extension));
        }
    }
    // Those of scripts/ have no extension.
    for entry in fs::read_dir(root.join("scripts")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.extension().is_none() {
            paths.push(path);
        }
    }
    assert!(paths.len() > 100, "{paths:#?}");
    let found: Vec<_> = paths
        .iter()
        .flat_map(|path| dialect_in(&path.display().to_string(), &fs::read_to_string(path).unwrap()))
        .collect();
    assert!(found.is_empty(), "use standard terms: {found:#?}");
}

#[test]
fn comments_and_messages_are_written_in_plain_english() {
    let sources = sources();
    for folder in PLAIN_FOLDERS {
        let prefix = format!("{folder}/");
        assert!(
            sources.iter().any(|(path, _)| path.starts_with(&prefix)),
            "there are no sources in {folder}"
        );
    }
    let is_held = |path: &str| {
        PLAIN_FOLDERS
            .iter()
            .any(|folder| path.starts_with(&format!("{folder}/")))
            && !EXEMPT.contains(&path)
    };
    let found: Vec<_> = sources
        .iter()
        .filter(|(path, _)| is_held(path))
        .flat_map(|(path, text)| dialect_in(path, text))
        .collect();
    assert!(found.is_empty(), "use standard terms: {found:#?}");
}

/// The files that name metrics: the runtime's, and one in each stage.
const METRICS: [&str; 4] = [
    "libs/stage/src/metrics.rs",
    "bins/salmock/src/metrics.rs",
    "bins/saltransform/src/metrics.rs",
    "bins/influxsink/src/metrics.rs",
];

#[test]
fn the_page_of_metrics_and_the_code_name_the_same_metrics() {
    // In the code a metric is created by one of a few functions; on the page it is in the first cell of a table row.
    let made =
        Regex::new(r#"\b(?:sampled_)?(?:counters?|gauges?|histogram)\(\s*r,\s*"([a-z0-9_]+)""#).unwrap();
    let named = Regex::new(r"`([a-z0-9_]+)`").unwrap();
    let names = |regex: &Regex, text: &str| -> BTreeSet<String> {
        regex
            .captures_iter(text)
            .map(|capture| capture[1].to_owned())
            .collect()
    };
    let code: BTreeSet<String> = METRICS
        .iter()
        .flat_map(|path| names(&made, &read(path)))
        .collect();
    let page = read("docs/metrics.md");
    let (_, table) = page.split_once("\n<!-- metrics: begin -->\n").unwrap();
    let first_cells: Vec<&str> = table
        .lines()
        .take_while(|line| !line.starts_with("<!--"))
        .filter_map(|line| line.strip_prefix('|')?.split('|').next())
        .collect();
    let page = names(&named, &first_cells.join("\n"));
    assert!(code.len() >= 10, "{code:?}");
    let (missing, stale): (Vec<_>, Vec<_>) =
        (code.difference(&page).collect(), page.difference(&code).collect());
    assert!(
        missing.is_empty() && stale.is_empty(),
        "docs/metrics.md lacks {missing:?} and names {stale:?} that do not exist"
    );
}

#[test]
fn metrics_are_named_in_one_file_only() {
    let made = Regex::new(r"\b(?:IntCounter|IntGauge|Histogram|Counter|Gauge)(?:Vec)?::(?:new|with_opts)\(")
        .unwrap();
    let named = Regex::new(r"\b(?:sampled_)?(?:counters?|gauges?|histogram)\(\s*r,").unwrap();
    let elsewhere: Vec<_> = sources()
        .into_iter()
        .filter(|(path, text)| {
            let (path, text) = (path.as_str(), own(text));
            let is_made = path != "libs/stage/src/metrics/register.rs" && made.is_match(text);
            let is_named = !METRICS.contains(&path) && named.is_match(text);
            !is_test(path) && (is_made || is_named)
        })
        .map(|(path, _)| path)
        .collect();
    assert!(
        elsewhere.is_empty(),
        "metrics belong in the crate's metrics.rs: {elsewhere:?}"
    );
}

/// Every reason that the code counts under exists from the start: the reasons in the sources are those in the
/// lists.
#[test]
fn counters_are_there_from_the_start_for_every_reason_in_the_code() {
    let before = [
        r"\breason: ",
        r"\bconst UNAUTHORIZED: &str = ",
        r"\bSkipped\(",
        r#"\bdead\("\w+", "#,
        r"\bself\.count\(",
        r"\brefused\(\s*",
        r"\(message, ",
        r"\bis_\w+\(\) \{\s*",
    ];
    let given = Regex::new(&format!(r#"(?:{})"([a-z][a-z0-9_]+)""#, before.join("|"))).unwrap();
    let named = Regex::new(r"(?s)fn reason\(.*?\n    \}\n").unwrap();
    let arm = Regex::new(r#"=> "([a-z0-9_]+)""#).unwrap();
    let left_out = Regex::new(r#"\("([a-z_]+)", left_out\."#).unwrap();
    let counted = |folders: &[&str]| -> BTreeSet<String> {
        let of_ours = sources()
            .into_iter()
            .filter(|(path, _)| !is_test(path) && folders.iter().any(|folder| path.starts_with(folder)));
        let mut found = BTreeSet::new();
        for (_, text) in of_ours {
            let text = own(&text).to_owned();
            for regex in [&given, &left_out] {
                found.extend(regex.captures_iter(&text).map(|capture| capture[1].to_owned()));
            }
            for body in named.find_iter(&text) {
                found.extend(
                    arm.captures_iter(body.as_str())
                        .map(|capture| capture[1].to_owned()),
                );
            }
        }
        found
    };
    let exposed = |register: &dyn Fn(&prometheus::Registry)| -> BTreeSet<String> {
        let registry = prometheus::Registry::new();
        register(&registry);
        let families = registry.gather();
        let labels = families
            .iter()
            .flat_map(|family| family.get_metric())
            .flat_map(|metric| metric.get_label());
        labels
            .filter(|label| matches!(label.name(), "reason" | "result"))
            .map(|label| label.value().to_owned())
            .collect()
    };
    let transform =
        exposed(&|registry| drop(saltransform::metrics::TransformMetrics::register(registry).unwrap()));
    let sink = exposed(&|registry| drop(influxsink::metrics::SinkMetrics::register(registry).unwrap()));
    for (folders, there) in [
        (
            &["bins/saltransform/src", "libs/sal/src/wire/error.rs"][..],
            &transform,
        ),
        (&["bins/influxsink/src", "libs/confluent-avro/src"], &sink),
    ] {
        let counted = counted(folders);
        assert!(counted.len() > 15, "{counted:?}");
        let missing: Vec<_> = counted.difference(there).collect();
        assert!(missing.is_empty(), "labels.rs of {folders:?} lacks {missing:?}");
    }
}

/// Only the service's flags, for their defaults.
#[derive(Debug, Parser)]
struct Flags {
    #[command(flatten)]
    service: ServiceArgs,
}

/// All values of a key in the manifests, in the forms `key: value` and `key: "value"`, also within `{…}`.
fn manifest_values(text: &str, key: &str) -> BTreeSet<String> {
    let pair = Regex::new(&format!(
        r#"(?:^|[\s{{-]){}:\s*"?([^\s",}}]+)"#,
        regex::escape(key)
    ))
    .unwrap();
    text.lines()
        .flat_map(|line| {
            pair.captures_iter(line)
                .map(|c| c[1].to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn manifests() -> String {
    let files = files(&root().join("k8s-apps"), "yaml");
    assert!(!files.is_empty());
    files
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_manifests_ports_are_the_codes_default() {
    let manifests = manifests();
    let port = Flags::try_parse_from(["tidy"])
        .unwrap()
        .service
        .prometheus_port
        .to_string();
    for key in ["prometheus.io/port", "PROMETHEUS_PORT"] {
        assert_eq!(
            manifest_values(&manifests, key),
            BTreeSet::from([port.clone()]),
            "{key}"
        );
    }
    // The console's pages have a port of their own.
    let command = kafkaefd::cli::Cli::command();
    let console = command.find_subcommand("console").unwrap();
    let pages = console
        .get_arguments()
        .find(|arg| arg.get_id() == "port")
        .unwrap();
    let pages = pages.get_default_values()[0].to_string_lossy().into_owned();
    assert_eq!(
        manifest_values(&manifests, "containerPort"),
        BTreeSet::from([port, pages])
    );
}

#[tokio::test]
async fn the_manifests_probe_paths_that_exist() {
    let manifests = manifests();
    let service = Service::start(&ServiceArgs::default()).await.unwrap();
    let address = service.address.unwrap();
    // The paths of JSON patches are places in a resource.
    let paths: BTreeSet<_> = manifest_values(&manifests, "path")
        .into_iter()
        .filter(|path| path.starts_with('/') && !path.starts_with("/spec/"))
        .collect();
    // Two that are probed, and the one that the PodMonitor names.
    let known = ["/live", "/metrics", "/ready"].map(str::to_owned);
    assert_eq!(paths, BTreeSet::from(known));
    for path in paths
        .into_iter()
        .chain(manifest_values(&manifests, "prometheus.io/path"))
    {
        let status = reqwest::get(format!("http://{address}{path}"))
            .await
            .unwrap()
            .status();
        assert_eq!(status, 200, "{path}");
    }
}

#[test]
fn the_config_map_sets_flags_that_exist() {
    let env = Regex::new(r#"\benv = "([A-Z0-9_]+)""#).unwrap();
    let sources = sources();
    let known: BTreeSet<&str> = sources
        .iter()
        .flat_map(|(_, text)| env.captures_iter(text).map(|c| c.get(1).unwrap().as_str()))
        .collect();
    let config_map = read("k8s-apps/saltransformer-config.yaml");
    let key = Regex::new(r"(?m)^  ([A-Z][A-Z0-9_]+):").unwrap();
    let keys: Vec<_> = key.captures_iter(&config_map).map(|c| c[1].to_owned()).collect();
    assert!(!keys.is_empty());
    // A key can also be used in an argument: `--to=$(INFLUXDB)`.
    let manifests = manifests();
    let is_used = |key: &str| known.contains(key) || manifests.contains(&format!("$({key})"));
    let unknown: Vec<_> = keys.iter().filter(|key| !is_used(key)).collect();
    assert!(unknown.is_empty(), "no flag reads {unknown:?}");
}

#[test]
fn the_page_of_kafkaefd_has_every_command() {
    let cell = Regex::new(r"`([a-z0-9-]+)`").unwrap();
    let page = read("docs/operations.md");
    let table = page.lines().skip_while(|line| !line.starts_with("|---"));
    let first_cells = table
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let (first, _) = line[1..].split_once('|').unwrap();
            first
        });
    let named: BTreeSet<String> = first_cells
        .flat_map(|first| cell.captures_iter(first).map(|found| found[1].to_owned()))
        .collect();
    let command = kafkaefd::cli::Cli::command();
    let there: BTreeSet<String> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    assert_eq!(named, there);
}

/// The pages name the test behind each of their promises: those tests exist, and the pages name all of them.
#[test]
fn the_operators_pages_and_the_operators_tests_name_each_other() {
    let named = Regex::new(r"`operator/([a-z_]+\.rs)`").unwrap();
    let pages = read("docs/operations.md") + &read("docs/then-and-now.md");
    let named: BTreeSet<String> = named
        .captures_iter(&pages)
        .map(|found| found[1].to_owned())
        .collect();
    let folder = root().join("tests/system/tests/operator");
    let there: BTreeSet<String> = files(&folder, "rs")
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "mod.rs")
        .collect();
    assert_eq!(named, there);
}
