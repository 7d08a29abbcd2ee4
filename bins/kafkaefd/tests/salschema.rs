//! `kafkaefd salschema` as a process: schemas equal the published ones, errors in files are reported, and missing
//! schemas are uploaded to the registry.
#![allow(clippy::expect_used, clippy::panic, reason = "a failed step is a failed test")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Runs `kafkaefd salschema convert ARGS` in the repository's root, without kafkaefd's environment variables.
fn convert(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kafkaefd"));
    for variable in [
        "XML_DIR",
        "DIALECT",
        "SUBNAME",
        "WIRE_EXTRAS",
        "SUBSYSTEM",
        "WRITE_DIR",
        "SCHEMAREGISTRY",
    ] {
        command.env_remove(variable);
    }
    command
        .current_dir(root())
        .args(["salschema", "convert"])
        .args(args)
        .output()
        .unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn shared(release: &str) -> Option<PathBuf> {
    let path = root().join("../shared/sal").join(release);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: {} is absent", path.display());
    None
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn files(dir: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(dir).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (stem, fs::read_to_string(path).unwrap())
    });
    files.collect()
}

#[test]
fn written_files_equal_those_published_in_2019() {
    let Some(release) = shared("ts_xml-2019-01") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let written = dir.path().join("avro");
    let output = convert(&[
        "--xml-dir",
        release.to_str().unwrap(),
        "--write",
        written.to_str().unwrap(),
    ]);
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""));
    let mut published = files(&release.join("avro"));
    // It was published from an older XML file than the one that is available.
    published.remove("ATHexapod_command_setMaxSpeeds");
    assert!(files(&written) == published, "the files differ");
    assert!(
        out(&output).contains("\nMTM1M3TS             1       6        10     143\n"),
        "{}",
        out(&output)
    );
    assert!(out(&output).ends_with(&format!(
        "225 schemas in dialect efd, written to {}\n",
        written.display()
    )));
}

#[test]
fn written_files_equal_current_schemas_and_rev_codes() {
    let Some(release) = shared("ts_xml-v28") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().to_str().unwrap();
    let xml = release.join("sal_interfaces");
    let args = [
        "--xml-dir",
        xml.to_str().unwrap(),
        "--dialect",
        "ts_xml",
        "--write",
        to,
        "--json",
    ];
    let output = convert(&args);
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""));
    let summary: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(
        (&summary["written_to"], &summary["errors"]),
        (&to.into(), &serde_json::json!([]))
    );
    assert_eq!(summary["subsystems"]["ATCamera"]["telemetry"], 31);
    let mut written = files(dir.path());
    for published in files(&release.join("avro")).into_values() {
        for (topic, published) in serde_json::from_str::<BTreeMap<String, Value>>(&published).unwrap() {
            let name = topic.strip_prefix("lsst.sal.").unwrap().replacen('.', "_", 1);
            let text = written
                .remove(&name)
                .unwrap_or_else(|| panic!("{name} was not written"));
            assert_eq!(
                serde_json::from_str::<Value>(&text).unwrap(),
                published["schema"],
                "{name}"
            );
        }
    }
    assert!(written.is_empty(), "{:?}", written.keys());
}

fn broken_directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let component = dir.path().join("sal_interfaces/T");
    fs::create_dir_all(&component).unwrap();
    fs::write(
        component.join("T_Events.xml"),
        "<SALEventSet>\n<SALEvent>\n</SALEventSet>",
    )
    .unwrap();
    let topics = "<SALTelemetrySet><SALTelemetry><EFDB_Topic>T_good</EFDB_Topic></SALTelemetry>\n\
        <SALTelemetry><EFDB_Topic>T_bad</EFDB_Topic>\n<item><EFDB_Name>x</EFDB_Name></item></SALTelemetry></SALTelemetrySet>";
    fs::write(component.join("T_Telemetry.xml"), topics).unwrap();
    fs::create_dir_all(dir.path().join("sal_interfaces/U")).unwrap();
    fs::write(
        dir.path().join("sal_interfaces/U/U_Telemetry.xml"),
        topics.replace("T_", "U_").replace("x<", "x<!"),
    )
    .unwrap();
    dir
}

#[test]
fn errors_in_files_are_reported_and_the_rest_is_converted() {
    let dir = broken_directory();
    let path = dir.path().to_str().unwrap();
    let output = convert(&["--xml-dir", path, "--subsystem", "T"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        out(&output),
        "subsystem  telemetry  events  commands  fields\n\
         T                  1       0         0       7\n\
         total              1       0         0       7\n\
         1 schema in dialect efd; 2 left out\n"
    );
    assert_eq!(
        err(&output),
        "sal_interfaces/T/T_Events.xml:3: not well-formed XML, the file was left out: ill-formed document: expected \
         `</SALEvent>`, but `</SALEventSet>` was found\n\
         sal_interfaces/T/T_Telemetry.xml:3: T_bad: <item> needs a <IDL_Type> with text; add it\n"
    );
    let output = convert(&["--xml-dir", path, "--print", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let summary: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(summary["errors"].as_array().unwrap().len(), 3);
    assert_eq!(summary["schemas"]["lsst.sal.T_good"]["name"], "T_good");
}

#[test]
fn print_writes_only_schemas_to_stdout() {
    let output = convert(&[
        "--xml-dir",
        "schemas",
        "-s",
        "LinearStage",
        "--print",
        "--wire-extras",
    ]);
    assert_eq!(output.status.code(), Some(0));
    let schemas: Vec<Value> = serde_json::Deserializer::from_str(&out(&output))
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(schemas.len(), 5);
    assert!(schemas.iter().all(|schema| schema["sal_indexed"] == false));
    assert!(err(&output).ends_with("5 schemas in dialect efd\n"));
}

#[test]
fn errors_name_the_invalid_flag() {
    let empty = tempfile::tempdir().unwrap();
    let empty = empty.path().to_str().unwrap();
    for (args, expected) in [
        (
            vec!["--xml-dir", empty],
            format!("kafkaefd: cannot use --interfaces: no schemas in {empty}: expected a folder"),
        ),
        (
            vec!["--interfaces", "schemas", "-s", "Nope"],
            "kafkaefd: --subsystem Nope: no such subsystem in --interfaces; it has ATDome ATHexapod"
                .to_owned(),
        ),
        (
            vec!["--xml-dir", "schemas", "--dialect", "x"],
            "error: invalid value 'x' for '--dialect <efd|ts_xml>': a dialect is efd or ts_xml, not 'x'"
                .to_owned(),
        ),
        (
            vec!["--xml-dir", "schemas", "--subname", "a b"],
            "error: invalid value 'a b' for '--subname <NAME>': a subname has 1 to 40 ASCII letters"
                .to_owned(),
        ),
        (
            vec!["--xml-dir", "schemas", "--upload", "--schema-registry", "nowhere"],
            "kafkaefd: cannot make a client of the schema registry at nowhere: expected an address"
                .to_owned(),
        ),
    ] {
        let output = convert(&args);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(err(&output).starts_with(&expected), "{}", err(&output));
    }
    let help = out(&convert(&["--help"]));
    assert!(
        help.contains("Example: kafkaefd salschema convert --interfaces schemas"),
        "{help}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_registers_missing_schemas() {
    let registry = devstack::RegistryServer::start().await.unwrap();
    let upload = |args: &[&str]| {
        let url = registry.url().to_string();
        let mut all = vec![
            "--xml-dir",
            "schemas",
            "--upload",
            "--json",
            "--schema-registry",
            url.as_str(),
        ];
        all.extend(args);
        let output = convert(&all);
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        let summary: Value = serde_json::from_str(&out(&output)).unwrap();
        ["new", "changed", "unchanged"].map(|count| summary["uploaded"][count].as_u64().unwrap())
    };
    assert_eq!(upload(&["-s", "Test", "Script"]), [20, 0, 0]);
    assert_eq!(upload(&["-s", "Test", "LinearStage"]), [5, 0, 8]);
    // The extra fields have defaults, so the change is compatible.
    assert_eq!(upload(&["-s", "Test", "--wire-extras"]), [0, 8, 0]);
    let refused = |flag: &[&str]| {
        let url = registry.url();
        let flags = [
            "--xml-dir",
            "schemas",
            "-s",
            "Test",
            "--upload",
            "--schema-registry",
            &url,
        ];
        let output = convert(&[&flags[..], flag].concat());
        assert_eq!(output.status.code(), Some(1), "{}", out(&output));
        assert!(out(&output).contains("8 refused"), "{}", out(&output));
        err(&output)
    };
    let text = refused(&[]);
    assert!(
        text.contains("lose") && text.contains("--drop-wire-extras"),
        "{text}"
    );
    // Registering an older version again does not make it the latest.
    let text = refused(&["--drop-wire-extras"]);
    assert!(
        text.contains("kafkaefd registry delete lsst.sal.Test_scalars-value --version 2"),
        "{text}"
    );
    assert_eq!(upload(&["-s", "Test", "--wire-extras"]), [0, 0, 8]);
}

#[test]
fn an_unavailable_registry_ends_the_upload() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let output = convert(&[
        "--xml-dir",
        "schemas",
        "-s",
        "Test",
        "--upload",
        "--schema-registry",
        &url,
    ]);
    assert_eq!(output.status.code(), Some(69));
    let expected = format!(
        "the upload stopped; uploaded schemas remain, and another run continues\nkafkaefd: the schema registry at {url} does not \
         answer"
    );
    assert!(err(&output).starts_with(&expected), "{}", err(&output));
}

#[test]
fn control_characters_in_interface_files_are_escaped() {
    let hostile = "\u{9b}31m\u{202e}txet\u{7f}\u{2028}";
    let topic = |name: &str, item: &str| {
        format!(
            "<SALTelemetrySet><SALTelemetry><Subsystem>Test</Subsystem><EFDB_Topic>{name}</EFDB_Topic><item>\
             <EFDB_Name>{item}</EFDB_Name><IDL_Type>int</IDL_Type><Description>{hostile}</Description><Count>1</Count>\
             </item></SALTelemetry></SALTelemetrySet>"
        )
    };
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("sal_interfaces/Test");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("Test_Telemetry.xml"), topic("Test_good", "value")).unwrap();
    fs::write(
        folder.join("Test_Events.xml"),
        topic(&format!("Test_{hostile}"), "value"),
    )
    .unwrap();
    fs::write(folder.join("Test_Commands.xml"), topic("Test_bad", hostile)).unwrap();
    let xml_dir = dir.path().to_str().unwrap();
    let mut printed = String::new();
    for flags in [&["--print"][..], &["--json"], &["--json", "--print"], &[]] {
        let output = convert(&[&["--xml-dir", xml_dir, "--dialect", "efd"], flags].concat());
        for text in [out(&output), err(&output)] {
            let is_active = |c: char| {
                c != '\n'
                    && (c.is_control()
                        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'))
            };
            assert!(!text.contains(is_active), "{flags:?}: {text:?}");
            printed += &text;
        }
    }
    assert!(printed.contains(r"\u{202e}txet"), "escaped in errors: {printed}");
    assert!(printed.contains(r"\u202etxet"), "escaped in JSON: {printed}");
}

#[test]
fn two_directories_are_compared() {
    let diff = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_kafkaefd"))
            .current_dir(root())
            .env_remove("DIALECT")
            .env_remove("SUBSYSTEM")
            .args(["salschema", "diff"])
            .args(args)
            .output()
            .unwrap();
        (output.status.code(), out(&output), err(&output))
    };
    let same = (
        Some(0),
        "no changes from schemas to schemas\n".to_owned(),
        String::new(),
    );
    assert_eq!(diff(&["schemas", "schemas", "--fail-on-incompatible=FULL"]), same);

    let dir = tempfile::tempdir().unwrap();
    let test = dir.path().join("sal_interfaces/Test");
    fs::create_dir_all(&test).unwrap();
    let file = "sal_interfaces/Test/Test_Telemetry.xml";
    let text = fs::read_to_string(root().join("schemas").join(file)).unwrap();
    let text = text.replacen("<EFDB_Name>short0<", "<EFDB_Name>short1<", 1);
    fs::write(dir.path().join(file), text).unwrap();
    let new = dir.path().to_str().unwrap();
    let (code, shown, stderr) = diff(&["schemas", new, "--subsystem", "Test", "--fail-on-incompatible"]);
    assert_eq!(code, Some(1), "{stderr}");
    let row = |words: &[&str]| {
        let found = shown
            .lines()
            .any(|line| line.split_whitespace().eq(words.iter().copied()));
        assert!(found, "{words:?}: {shown}");
    };
    row(&["Test_scalars", "short1", "added,", "int", "no", "yes"]);
    row(&["Test_scalars", "short0", "removed,", "int", "yes", "no"]);
    row(&["Test_logevent_scalars", "removed", "-", "-"]);
    assert_eq!(stderr, "Test_scalars: not compatible\n");

    // The topics of an unreadable file do not count as removed.
    fs::write(dir.path().join(file), "<SALTelemetrySet>").unwrap();
    let (code, _, stderr) = diff(&["schemas", new, "-s", "Test"]);
    assert!(
        code == Some(1) && stderr.contains("Test_Telemetry.xml"),
        "{stderr}"
    );
    let (code, _, stderr) = diff(&["schemas", "nowhere"]);
    assert_eq!(code, Some(64), "{stderr}");
    let (code, _, stderr) = diff(&["schemas", "schemas", "-s", "Nope"]);
    assert!(
        code == Some(64) && stderr.contains("no such subsystem in either"),
        "{stderr}"
    );
}
