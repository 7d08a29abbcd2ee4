//! The reference pages of the book, from what the code says: docs/reference/ has the commands and flags of each binary, from
//! clap, and docs/metrics.md the type, labels and label values of each metric, from the registries of the binaries.
//!
//! `make reference` (`RECORD_REFERENCE=1 cargo test --workspace --test reference`) writes them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

#[allow(dead_code, reason = "another test uses the rest")]
mod containers;
mod generated;

use std::fs;

use system_tests::root;

/// The page is what the code says now; with `RECORD_REFERENCE`, it becomes that.
fn hold(path: &str, now: &str) {
    let file = root().join(path);
    if std::env::var_os("RECORD_REFERENCE").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, now).unwrap();
        return;
    }
    let page = fs::read_to_string(&file).unwrap_or_default();
    let differs = page.lines().zip(now.lines()).position(|(page, now)| page != now);
    let at = differs.unwrap_or_else(|| page.lines().count().min(now.lines().count()));
    assert!(
        page == now,
        "{path}:{}: the code says {:?}; `make reference` writes the page",
        at + 1,
        now.lines().nth(at).unwrap_or("nothing")
    );
}

#[test]
fn the_pages_of_the_commands_are_what_clap_says() {
    for (name, command) in containers::binaries() {
        hold(
            &format!("docs/reference/{name}.md"),
            &generated::commands::page(command),
        );
    }
    hold(
        "docs/reference/shared-flags.md",
        &generated::commands::shared_page(),
    );
}

#[test]
fn the_table_of_metrics_is_what_the_binaries_expose() {
    let page = fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    hold("docs/metrics.md", &generated::metrics::page(&page));
}

#[test]
fn the_pages_say_what_a_reader_looks_for() {
    let page = |name: &str| fs::read_to_string(root().join("docs/reference").join(name)).unwrap();
    for (name, text) in [
        ("influxsink.md", "| `--max-memory` "),
        ("influxsink.md", "`INFLUXDB_TOKEN_FILE`"),
        ("influxsink.md", "[Kafka](shared-flags.md#kafka)"),
        ("saltransform.md", "## saltransform init"),
        ("salmock.md", "## salmock produce"),
        ("kafkaefd.md", "## kafkaefd dead-letters replay"),
        ("kafkaefd.md", "Example: kafkaefd "),
        (
            "shared-flags.md",
            "| `--broker`, `-b` | `BROKER` | `localhost:9092` |",
        ),
    ] {
        assert!(page(name).contains(text), "{name} lacks {text}");
    }
}
