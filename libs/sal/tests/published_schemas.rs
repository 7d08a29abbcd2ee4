//! Every schema that the owners of the interfaces published is reproduced from their XML: `../shared/sal`. If
//! that folder is absent, the tests print so and do nothing.
#![allow(clippy::expect_used, clippy::panic, reason = "a failed step is a failed test")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use md5::{Digest, Md5};
use sal::avro::{Options, TopicSchema, map};
use sal::interface::{Interfaces, SourceFile};
use sal::name::{Dialect, Kind};
use serde_json::Value;

fn shared(release: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/sal")
        .join(release);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: {} is absent", path.display());
    None
}

fn read_files(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_files(root, &path, files);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "xml" || extension == "avsc")
        {
            let relative = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .replace('\\', "/");
            files.push(SourceFile {
                path: relative,
                bytes: fs::read(&path).unwrap(),
            });
        }
    }
}

fn mapped(root: &Path, dialect: Dialect) -> BTreeMap<String, TopicSchema> {
    let mut files = Vec::new();
    read_files(root, root, &mut files);
    let interfaces = Interfaces::read(&files);
    assert_eq!(interfaces.errors, []);
    let mapping = map(
        &interfaces,
        &Options {
            dialect,
            ..Options::default()
        },
    );
    assert_eq!(mapping.errors, []);
    mapping
        .schemas
        .into_iter()
        .map(|schema| (schema.kafka_topic.clone(), schema))
        .collect()
}

#[test]
fn dialect_efd_gives_what_was_published_in_2019() {
    let Some(root) = shared("ts_xml-2019-01") else {
        return;
    };
    let mut ours = mapped(&root, Dialect::Efd);
    let mut published = 0;
    for entry in fs::read_dir(root.join("avro")).unwrap() {
        let path = entry.unwrap().path();
        let topic = path.file_stem().unwrap().to_str().unwrap();
        // A command that its component had removed from its XML; its schema was published from an older XML.
        if topic == "ATHexapod_command_setMaxSpeeds" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let schema = ours
            .remove(&format!("lsst.sal.{topic}"))
            .unwrap_or_else(|| panic!("no {topic}"));
        assert_eq!(
            schema.schema,
            serde_json::from_str::<Value>(&text).unwrap(),
            "{topic}"
        );
        assert_eq!(schema.text(), text, "{topic}, as text");
        assert_eq!(schema.subject, format!("lsst.sal.{topic}-value"));
        published += 1;
    }
    assert_eq!(published, 225);
    assert_eq!(
        ours.into_keys().collect::<Vec<_>>(),
        Vec::<String>::new(),
        "not published"
    );
}

#[test]
fn dialect_ts_xml_gives_the_rev_code_of_every_topic() {
    let Some(root) = shared("ts_xml-v28") else { return };
    let mut ours = mapped(&root, Dialect::TsXml);
    let (mut with_rev_code, mut avro_files) = (0, 0);
    for entry in fs::read_dir(root.join("avro")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let published: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
        for (topic, published) in published {
            let schema = ours.remove(&topic).unwrap_or_else(|| panic!("no {topic}"));
            assert_eq!(schema.schema, published["schema"], "{topic}");
            assert_eq!(schema.subject, published["subject"]);
            match &schema.rev_code {
                Some(rev_code) => {
                    assert_eq!(*rev_code, published["rev_code"], "{topic}");
                    let digest: String = Md5::digest(schema.text())
                        .iter()
                        .map(|byte| format!("{byte:02x}"))
                        .collect();
                    assert!(digest.starts_with(rev_code));
                    with_rev_code += 1;
                }
                None => avro_files += 1,
            }
        }
    }
    assert_eq!((with_rev_code, avro_files), (656, 22));
    assert_eq!(
        ours.into_keys().collect::<Vec<_>>(),
        Vec::<String>::new(),
        "not published"
    );
}

#[test]
fn a_component_without_a_file_of_its_own_has_the_published_generics() {
    let Some(root) = shared("ts_xml-v28-generics-only") else {
        return;
    };
    let mut files = Vec::new();
    read_files(&root, &root, &mut files);
    let options = |subsystems: &[&str]| Options {
        dialect: Dialect::TsXml,
        subsystems: subsystems.iter().map(|name| (*name).to_owned()).collect(),
        ..Options::default()
    };
    let text = fs::read_to_string(root.join("avro/ATHeaderService.json")).unwrap();
    let published: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(published.len(), 15);
    let named = map(&Interfaces::read(&files), &options(&["ATHeaderService"])).schemas;
    files.push(SourceFile {
        path: "sal_interfaces/ATHeaderService/".to_owned(),
        bytes: Vec::new(),
    });
    let of_its_folder = map(&Interfaces::read(&files), &options(&[])).schemas;
    for schemas in [named, of_its_folder] {
        assert_eq!(schemas.len(), published.len());
        for schema in schemas {
            let published = &published[&schema.kafka_topic];
            assert_eq!(schema.schema, published["schema"]);
            assert_eq!(schema.subject, published["subject"]);
            assert_eq!(schema.rev_code.unwrap(), published["rev_code"]);
        }
    }
}

#[test]
fn wire_extras_leave_every_published_field_where_it_is() {
    for (release, dialect) in [("ts_xml-2019-01", Dialect::Efd), ("ts_xml-v28", Dialect::TsXml)] {
        let Some(root) = shared(release) else { return };
        let mut files = Vec::new();
        read_files(&root, &root, &mut files);
        let interfaces = Interfaces::read(&files);
        let plain = map(
            &interfaces,
            &Options {
                dialect,
                ..Options::default()
            },
        )
        .schemas;
        let extra = map(
            &interfaces,
            &Options {
                dialect,
                wire_extras: true,
                ..Options::default()
            },
        )
        .schemas;
        assert_eq!(plain.len(), extra.len());
        for (plain, extra) in plain.iter().zip(&extra) {
            assert_eq!(plain.topic, extra.topic);
            let more = extra.field_names().skip(plain.field_names().count()).count();
            assert!(
                plain
                    .field_names()
                    .eq(extra.field_names().take(plain.field_names().count()))
            );
            match plain.kind {
                Kind::Event => assert!(more > 0 || plain.field_names().any(|name| name == "priority")),
                Kind::Command => assert!((3..=6).contains(&more), "{} has {more} more", plain.topic),
                Kind::Telemetry | Kind::Ackcmd => assert!(more <= 1),
            }
            // SALSubsystems.xml of 2019 does not list MTM1M3TS, so nothing is known about it.
            let said = plain.kind != Kind::Ackcmd
                && plain.rev_code.is_some() == (dialect == Dialect::TsXml)
                && (plain.topic.component(), dialect) != ("MTM1M3TS", Dialect::Efd);
            assert_eq!(extra.schema.get("sal_indexed").is_some(), said, "{}", plain.topic);
        }
    }
}
