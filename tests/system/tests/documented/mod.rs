//! The lines in README.md and docs/ that a user types: the blocks that are marked as shell or as Python, and those among them
//! that no test runs.

use std::path::Path;

/// A block of lines that a user types.
#[derive(Debug)]
pub(crate) struct Block {
    /// Such as `docs/operations.md`.
    #[allow(dead_code, reason = "not every test shows it")]
    pub(crate) document: String,
    /// Of its first line, from 1.
    #[allow(dead_code, reason = "not every test shows it")]
    pub(crate) line: usize,
    pub(crate) text: String,
    #[allow(dead_code, reason = "not every test tells them apart")]
    pub(crate) language: Language,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Shell,
    Python,
}

/// The pages whose blocks `real_services` runs: the tutorial by itself, the others in this order, as one shell.
#[allow(dead_code, reason = "not every test runs them")]
pub(crate) const RUN: [&str; 11] = [
    "docs/deploy.md",
    "docs/operations.md",
    "docs/add-a-subsystem.md",
    "docs/new-interface-release.md",
    "docs/repair-a-gap.md",
    "docs/dead-letters.md",
    "docs/move-offsets.md",
    "docs/salmock.md",
    "docs/sizing.md",
    "docs/upgrade.md",
    "docs/shut-down.md",
];

pub(crate) const TUTORIAL: &str = "docs/tutorial.md";

/// Blocks that no test runs as written, by their first line, and why.
pub(crate) const NOT_RUN: [(&str, &str); 34] = [
    (
        "kafkaefd console --broker",
        "serves until it is ended; `make test-browser` opens its pages",
    ),
    (
        "make demo     # needs Rust",
        "a release build; `stdout` and the tutorial's test run the demo",
    ),
    (
        "kubectl apply -f k8s-apps/namespace.yaml",
        "`make test-kubernetes` applies them to a real Kubernetes",
    ),
    ("kubectl apply -f k8s-apps/saltransformer-config.yaml", "as above"),
    ("kubectl apply -f k8s-apps/saltransformer-init.yaml", "as above"),
    (
        "kubectl apply -f k8s-apps/saltransformer-deployment.yaml",
        "as above",
    ),
    (
        "kubectl apply -f k8s-apps/salmock-1node-100topic-1hz.yaml",
        "as above",
    ),
    ("kubectl exec deployment/saltransform-all", "as above"),
    (
        "kubectl delete -f k8s-apps/salmock-1node-100topic-1hz.yaml",
        "as above",
    ),
    ("kubectl create secret generic influxdb-read-token", "as above"),
    ("kubectl port-forward service/console-site 8088:80", "as above"),
    (
        "kubectl delete -f k8s-apps/saltransformer-deployment.yaml",
        "`make test-kubernetes` applies them to a real Kubernetes",
    ),
    (
        "kafkaefd k8s new MTVMS",
        "writes into the clone; `manifests` runs it, and `make test-kubernetes` applies what it writes",
    ),
    (
        "curl --silent \"$INFLUXDB_URL/api/v2/query?org=efd\"",
        "needs the token's file of that cluster",
    ),
    (
        "influxsink run --group influxsink-summit",
        "two sites: `make test-mirror`",
    ),
    (
        "SUMMIT=http://registry.summit:8081",
        "two sites: `make test-mirror`",
    ),
    (
        "export BROKER=kafka-bootstrap:9092",
        "names of an observatory's hosts; `real/telegraf.rs` and `real/outputs.rs` use these flags",
    ),
    (
        "influxsink run --topic-regex '^lsst\\.sal\\.' --database efd",
        "as above",
    ),
    ("influxsink run --group influxsink-mtmount", "as above"),
    (
        "export KAFKA_CONNECT=http://connect:8083",
        "needs that connector; `operator/connectors.rs` runs these commands on another one",
    ),
    ("kafkaefd admin connectors pause influxdb-sink", "as above"),
    (
        "influxsink run --group influxsink-efd",
        "names of an observatory's hosts; `real/shapes.rs` and `real/replay.rs` run these flags",
    ),
    (
        "influxsink run --group influxsink-metrics",
        "`real/shapes.rs` and `real/telegraf.rs` run these flags",
    ),
    ("influxsink run metrics --format json", "as above"),
    ("make bench ", "measures for half an hour"),
    ("make test-faults ", "breaks a cluster for an hour"),
    ("curl -s HOST:9464/ready", "the reader fills in the host"),
    (
        "saltransform run --subsystem Test --broker kafka:9095",
        "names of another site's hosts",
    ),
    (
        "saltransform run --subsystem Test --schema-registry https://registry:8081",
        "as above",
    ),
    (
        "influxsink run --topic-regex '^lsst\\.sal\\.' --into https://influxdb:8086",
        "as above",
    ),
    (
        "make demo ARGS=\"--database",
        "a release build; `the_tutorials_demo_ends_with_a_query_that_finds_rows` and the tutorial's test run it without make",
    ),
    (
        "python3 -m venv /tmp/notebook",
        "`scripts/services install` has installed these packages for the test",
    ),
    ("scripts/services install", "the test has its services"),
    ("scripts/services stop", "other tests use the services"),
];

impl Block {
    /// Why no test runs it as it is written; none if one does.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        let listed = NOT_RUN.iter().find(|(start, _)| self.text.starts_with(start));
        listed.map(|(_, reason)| *reason)
    }

    /// Its commands as words, without comments, assignments and redirections of the shell; lines that end with `\` continue.
    #[allow(dead_code, reason = "not every test parses them")]
    pub(crate) fn commands(&self) -> Vec<Vec<String>> {
        let lines = self.text.replace("\\\n", " ");
        let mut commands = Vec::new();
        let mut words = Vec::new();
        let mut word: Option<String> = None;
        let mut quote = None;
        let mut letters = lines.chars().peekable();
        let mut end = |words: &mut Vec<String>| {
            if !words.is_empty() {
                commands.push(std::mem::take(words));
            }
        };
        while let Some(letter) = letters.next() {
            match (quote, letter) {
                (Some(open), letter) if letter == open => quote = None,
                (Some(_), letter) => word.get_or_insert_default().push(letter),
                (None, '\'' | '"') => {
                    quote = Some(letter);
                    word.get_or_insert_default();
                }
                (None, '#') if word.is_none() => while letters.next_if(|letter| *letter != '\n').is_some() {},
                (None, '>') => {
                    words.extend(word.take());
                    while letters.next_if(|letter| *letter == ' ').is_some() {}
                    while letters.next_if(|letter| !letter.is_whitespace()).is_some() {}
                }
                (None, '\n' | ';' | '&' | '|') => {
                    words.extend(word.take());
                    end(&mut words);
                }
                (None, letter) if letter.is_whitespace() => words.extend(word.take()),
                (None, letter) => word.get_or_insert_default().push(letter),
            }
        }
        words.extend(word.take());
        end(&mut words);
        commands
    }
}

/// README.md and the pages of docs/.
fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned()];
    collect(&system_tests::root(), "docs", &mut pages);
    pages.sort();
    pages
}

/// What is between backticks in the text of the pages and begins with one of these words.
#[allow(dead_code, reason = "not every test reads all pages")]
pub(crate) fn inline(begin: &[&str]) -> Vec<Block> {
    let mut found = Vec::new();
    for document in pages() {
        let page = std::fs::read_to_string(system_tests::root().join(&document)).unwrap();
        // A span may go on in the next line; blocks are not text.
        let text: Vec<&str> = page.split("```").step_by(2).collect();
        for span in text.join(" ").split('`').skip(1).step_by(2) {
            let text = span.split_whitespace().collect::<Vec<_>>().join(" ");
            if begin.iter().any(|word| text.starts_with(&format!("{word} "))) {
                found.push(Block {
                    document: document.clone(),
                    line: 0,
                    text,
                    language: Language::Shell,
                });
            }
        }
    }
    found
}

/// All blocks of shell in README.md and docs/.
#[allow(dead_code, reason = "not every test reads all pages")]
pub(crate) fn blocks() -> Vec<Block> {
    let pages = pages();
    let blocks = pages.iter().flat_map(|page| blocks_of(page));
    blocks.filter(|block| block.language == Language::Shell).collect()
}

/// The pages below a folder, but for the notes, which no user follows.
fn collect(root: &Path, folder: &str, pages: &mut Vec<String>) {
    for entry in std::fs::read_dir(root.join(folder)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = format!("{folder}/{name}");
        if root.join(&path).is_dir() {
            if name != "notes" {
                collect(root, &path, pages);
            }
        } else if name.ends_with(".md") {
            pages.push(path);
        }
    }
}

/// The blocks of a page, of shell and of Python, in their order.
pub(crate) fn blocks_of(document: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(system_tests::root().join(document)).unwrap();
    let mut blocks = Vec::new();
    let mut block: Option<(usize, usize, Language, Vec<&str>)> = None;
    for (index, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        match &mut block {
            None => {
                let language = match line.trim_start() {
                    "```sh" => Language::Shell,
                    "```python" => Language::Python,
                    _ => continue,
                };
                block = Some((index + 2, indent, language, Vec::new()));
            }
            Some((_, indent, _, lines)) if line.trim_start() != "```" => {
                lines.push(line.get(*indent..).unwrap_or_default());
            }
            Some(_) => {
                let (line, _, language, lines) = block.take().unwrap();
                blocks.push(Block {
                    document: document.to_owned(),
                    line,
                    text: lines.join("\n"),
                    language,
                });
            }
        }
    }
    blocks
}
