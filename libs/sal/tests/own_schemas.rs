//! The interfaces in `schemas/`, which the demo uses, are complete and numerous enough.
#![allow(clippy::expect_used, clippy::panic, reason = "a failed step is a failed test")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sal::avro::{Options, map};
use sal::interface::{Interfaces, SourceFile};
use sal::name::{Dialect, Kind};

fn files() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/sal_interfaces");
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let relative = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                files.push(SourceFile {
                    path: relative,
                    bytes: fs::read(&path).unwrap(),
                });
            }
        }
    }
    files
}

#[test]
fn the_demo_has_its_topics() {
    let interfaces = Interfaces::read(&files());
    assert_eq!(interfaces.errors, []);
    assert!(interfaces.components.len() >= 8);
    assert!(
        interfaces
            .components
            .iter()
            .all(|component| component.indexed().is_some())
    );
    for wire_extras in [false, true] {
        let mapping = map(
            &interfaces,
            &Options {
                wire_extras,
                ..Options::default()
            },
        );
        assert_eq!(mapping.errors, []);
        let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
        for schema in &mapping.schemas {
            *kinds.entry(schema.kind).or_default() += 1;
        }
        assert!(kinds[&Kind::Telemetry] >= 100 && kinds[&Kind::Event] > 50 && kinds[&Kind::Command] > 50);
    }
}

#[test]
fn the_captured_thermal_message_has_its_fields() {
    let mapping = map(&Interfaces::read(&files()), &Options::default());
    let thermal = mapping
        .schemas
        .iter()
        .find(|schema| schema.topic.as_str() == "MTM1M3TS_thermalData")
        .unwrap();
    let items: Vec<&str> = thermal.field_names().skip(7).collect();
    assert_eq!(
        items,
        [
            "timestamp",
            "thermocoupleScanner1",
            "thermocoupleScanner2",
            "thermocoupleScanner3",
            "thermocoupleScanner4"
        ]
    );
    assert_eq!(thermal.schema["fields"][8]["type"]["sal_count"], 95);
    assert_eq!(thermal.dialect, Dialect::Efd);
}
