//! The project's conventions as tests: what is checked here does not decay.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use regex::Regex;
use stage::config::ServiceArgs;
use stage::service::Service;
use system_tests::root;

/// A file longer than this without its tests is usually two ideas.
const MOST_LINES: usize = 400;

/// Files below `folder` with that extension, by path, without what cargo builds.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
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
        if own > MOST_LINES {
            long.push(format!("{path}: {own} lines"));
        }
    }
    assert!(
        long.is_empty(),
        "more than {MOST_LINES} lines without tests: {long:#?}"
    );
}

#[test]
fn nothing_is_left_to_do() {
    // Put together here, so that this file does not hold them.
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

/// `eprintln!` panics where stderr is full, and waits where nobody reads it. Neither may end or stop a stage.
#[test]
fn nothing_that_is_shipped_writes_to_stderr_by_itself() {
    let writes = Regex::new(r"\beprint(ln)?!|\bdbg!").unwrap();
    let found = shipped_where(&writes, "libs/stage/src/stderr.rs");
    assert!(
        found.is_empty(),
        "use stage::stderr_line! or a log line: {found:?}"
    );
}

/// `println!` panics where stdout is full or closed; what cannot be written is an error, with exit code 1.
#[test]
fn nothing_that_is_shipped_writes_to_stdout_by_itself() {
    let writes = Regex::new(r"\bprint(ln)?!").unwrap();
    let found = shipped_where(&writes, "libs/stage/src/stdout.rs");
    assert!(
        found.is_empty(),
        "use stage::stdout or kafkaefd's screen: {found:?}"
    );
}

/// The files of the binaries and libraries, but for one, whose text without its tests matches.
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

/// Who may know whom, as ARCHITECTURE.md draws it. What only tests know (`[dev-dependencies]`) is not held to it.
#[test]
fn crates_know_only_whom_they_may() {
    const LIBRARIES: [&str; 3] = ["confluent-avro", "sal", "stage"];
    const STAGES: [&str; 3] = ["salmock", "saltransform", "influxsink"];
    let allowed: [(&str, Vec<&str>); 10] = [
        ("libs/confluent-avro", vec![]),
        ("libs/http-server", vec![]),
        ("libs/sal", vec!["confluent-avro"]),
        ("libs/devstack", vec!["http-server", "sal"]),
        ("libs/stage", vec!["confluent-avro", "http-server", "sal"]),
        ("libs/operator", LIBRARIES.to_vec()),
        ("bins/salmock", LIBRARIES.to_vec()),
        ("bins/saltransform", LIBRARIES.to_vec()),
        ("bins/influxsink", LIBRARIES.to_vec()),
        (
            "bins/kafkaefd",
            [&LIBRARIES[..], &STAGES, &["devstack", "operator"]].concat(),
        ),
    ];
    let ours = Regex::new(
        r"(?m)^(confluent-avro|http-server|sal|devstack|operator|stage|salmock|saltransform|influxsink|kafkaefd)\b",
    )
    .unwrap();
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

/// The operator's command works with other people's stages; only its demo has some within it.
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

/// Words of a private dialect, where an engineer of this field has a word of their own.
#[test]
fn documents_are_written_in_plain_english() {
    let dialect = Regex::new(
        r"(?i)\b(is away|are away|on its way|on their way|made anew|the data's way|lets us not in|is no (?:topic|message|error)|so many (?:bytes|seconds|messages)|goes on with|said in|are told|as was asked for)",
    )
    .unwrap();
    let mut documents: Vec<PathBuf> = files(&root().join("docs"), "md");
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"] {
        documents.push(root().join(name));
    }
    let mut found = Vec::new();
    for path in documents {
        let text = fs::read_to_string(&path).unwrap();
        // Tables of measurements have the names of faults and rows.
        let lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.starts_with('|'));
        for (number, line) in lines {
            if let Some(words) = dialect.find(line) {
                found.push(format!("{}:{}: {}", path.display(), number + 1, words.as_str()));
            }
        }
    }
    assert!(found.is_empty(), "say it in standard terms: {found:#?}");
}

#[test]
fn the_readme_and_the_code_name_the_same_metrics() {
    // In the code a metric is made by one of five functions; in the README it is the first cell of a table's row.
    let made = Regex::new(r#"\b(?:counters?|gauges?|histogram)\(\s*r,\s*"([a-z0-9_]+)""#).unwrap();
    let row = Regex::new(r"(?m)^\|\s*`((?:kafka|log|salmock|saltransform|influxsink|kafkaefd)_[a-z0-9_]+)")
        .unwrap();
    let names = |regex: &Regex, text: &str| -> BTreeSet<String> {
        regex
            .captures_iter(text)
            .map(|capture| capture[1].to_owned())
            .collect()
    };
    let code = names(&made, &read("libs/stage/src/metrics.rs"));
    let readme = names(&row, &read("README.md"));
    assert!(code.len() >= 10, "{code:?}");
    let (missing, stale): (Vec<_>, Vec<_>) = (
        code.difference(&readme).collect(),
        readme.difference(&code).collect(),
    );
    assert!(
        missing.is_empty() && stale.is_empty(),
        "README.md lacks {missing:?} and names {stale:?} that do not exist"
    );
}

#[test]
fn metrics_are_named_in_one_file_only() {
    let made = Regex::new(r"\b(?:IntCounter|IntGauge|Histogram|Counter|Gauge)(?:Vec)?::(?:new|with_opts)\(")
        .unwrap();
    let elsewhere: Vec<_> = sources()
        .into_iter()
        .filter(|(path, text)| {
            // Where they are made, they have no names.
            !path.starts_with("libs/stage/src/metrics") && !is_test(path) && made.is_match(own(text))
        })
        .map(|(path, _)| path)
        .collect();
    assert!(
        elsewhere.is_empty(),
        "metrics belong in libs/stage/src/metrics.rs: {elsewhere:?}"
    );
}

/// Whatever the code counts by a reason of its own is there from the start: the reasons in the sources are those of the lists.
#[test]
fn counters_are_there_from_the_start_for_every_reason_in_the_code() {
    let before = [
        r"\breason: ",
        r"\bconst UNAUTHORIZED: &str = ",
        r"\bSkipped\(",
        r#"\bdead\("\w+", "#,
        r"\bself\.count\(",
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
    let transform = exposed(&|registry| drop(stage::metrics::TransformMetrics::register(registry).unwrap()));
    let sink = exposed(&|registry| drop(stage::metrics::SinkMetrics::register(registry).unwrap()));
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
        assert!(missing.is_empty(), "libs/stage/src/labels.rs lacks {missing:?}");
    }
}

/// The service's flags alone, for their defaults.
#[derive(Debug, Parser)]
struct Flags {
    #[command(flatten)]
    service: ServiceArgs,
}

/// All values that the manifests give to a key, in the forms `key: value` and `key: "value"`, also within `{…}`.
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
    for key in ["containerPort", "prometheus.io/port", "PROMETHEUS_PORT"] {
        assert_eq!(
            manifest_values(&manifests, key),
            BTreeSet::from([port.clone()]),
            "{key}"
        );
    }
}

#[tokio::test]
async fn the_manifests_probe_paths_that_exist() {
    let manifests = manifests();
    let service = Service::start(&ServiceArgs::default()).await.unwrap();
    let address = service.address.unwrap();
    let probes: BTreeSet<_> = manifest_values(&manifests, "path")
        .into_iter()
        .filter(|path| path.starts_with('/'))
        .collect();
    assert_eq!(probes, BTreeSet::from(["/live".to_owned(), "/ready".to_owned()]));
    for path in probes
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
    let config_map = read("k8s-apps/configmap.yaml");
    let key = Regex::new(r"(?m)^  ([A-Z][A-Z0-9_]+):").unwrap();
    let keys: Vec<_> = key.captures_iter(&config_map).map(|c| c[1].to_owned()).collect();
    assert!(!keys.is_empty());
    // A key can also be put into an argument: `--to=$(INFLUXDB)`.
    let manifests = manifests();
    let is_used = |key: &str| known.contains(key) || manifests.contains(&format!("$({key})"));
    let unknown: Vec<_> = keys.iter().filter(|key| !is_used(key)).collect();
    assert!(unknown.is_empty(), "no flag reads {unknown:?}");
}

#[test]
fn the_readme_has_every_command_of_kafkaefd() {
    let cell = Regex::new(r"`([a-z-]+)`").unwrap();
    let readme = read("README.md");
    let (_, rows) = readme.split_once("### kafkaefd").unwrap();
    let table = rows.lines().skip_while(|line| !line.starts_with("|---"));
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

/// The page says which test does what it promises: those tests are there, and what they do is named by it.
#[test]
fn the_operators_page_and_the_operators_tests_name_each_other() {
    let named = Regex::new(r"`operator/([a-z_]+\.rs)`").unwrap();
    let page = read("docs/operations.md");
    let named: BTreeSet<String> = named
        .captures_iter(&page)
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
