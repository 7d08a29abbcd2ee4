//! `saltransform check` as a person starts it: files in, one JSON object a message out, and the exit code.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const PREAMBLE: &str = "'rev' , 1556000000.125000 , 1556000000.127185 , 17 , 4321 , 77";

fn check(input: &str, flags: &[&str]) -> Output {
    let schemas = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas");
    check_with(Path::new(schemas), input, flags)
}

fn check_with(interfaces: &Path, input: &str, flags: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_saltransform"))
        .args(["check", "--interfaces"])
        .arg(interfaces)
        .args(flags)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_message_becomes_its_record() {
    let text = format!(
        "Hexapod_telemetry Hexapod_Actuators:( {PREAMBLE} , 2 , 0.1, -0.0, nan, inf, -inf, 1.5 , 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)\n"
    );
    let output = check(&text, &["--wire-extras"]);
    assert!(output.status.success(), "{output:?}");
    let [line] = lines(&output).try_into().unwrap();
    assert_eq!(line["topic"], "Hexapod_Actuators");
    assert_eq!(line["record"]["sal_created"], "2019-04-23T06:13:20.125Z");
    assert_eq!(
        (&line["record"]["sal_origin"], &line["record"]["sal_host"]),
        (&json!(4321), &json!(77))
    );
    assert_eq!(
        line["record"]["Calibrated"],
        json!([0.1, -0.0, "NaN", "Infinity", "-Infinity", 1.5])
    );
    assert_eq!(line["record"]["HexapodID"], 2);
}

#[test]
fn blocks_may_hold_line_ends_and_failures_say_where() {
    let good = format!(
        "Script_command Script_command_configure:( {PREAMBLE} , 9 , '' , '' , '' , '' , 'a: 1\nb: it's')"
    );
    let bad = format!("ATDome_telemetry ATDome_position:( {PREAMBLE} , oops)");
    let output = check(
        &format!("----\n# one\n{good}\n----\n{bad}\n----\nTest_telemetry Test_no:( 1)\n"),
        &["--wire-extras"],
    );
    assert_eq!(output.status.code(), Some(1));
    let [record, wrong, unknown] = lines(&output).try_into().unwrap();
    assert_eq!(record["record"]["config"], "a: 1\nb: it's");
    assert_eq!(
        (&wrong["stage"], &wrong["byte"]),
        (&json!("parse"), &json!(bad.find("oops").unwrap()))
    );
    assert!(
        wrong["field"].is_string() && wrong["error"].as_str().unwrap().contains("expected"),
        "{wrong}"
    );
    assert_eq!(
        (&unknown["stage"], &unknown["byte"]),
        (&json!("schema"), &Value::Null)
    );
}

#[test]
fn what_cannot_be_checked_at_all_is_a_usage_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_saltransform"))
        .args(["check", "--schemas", "/nowhere", "-"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr).lines().count(),
        1,
        "{output:?}"
    );
}

/// What a terminal would act on: all that is no letter, digit or sign of its own.
fn acts_on_a_terminal(text: &str) -> bool {
    let acts = |c: char| {
        c != '\n'
            && (c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'))
    };
    text.contains(acts)
}

#[test]
fn nothing_in_a_message_reaches_the_terminal_as_more_than_text() {
    let hostile = "\x1b]0;title\x07\x1b[2J\u{9b}31m\u{202e}txet\r\n\x7f\u{2066}";
    let good = format!(
        "Script_command Script_command_configure:( {PREAMBLE} , 9 , '' , '' , '' , '' , '{hostile}')"
    );
    let bad = format!("ATDome_telemetry ATDome_position:( {PREAMBLE} , {hostile}");
    let unknown = format!("ATDome_{hostile}:( {PREAMBLE})");
    let output = check(
        &format!("----\n{good}\n----\n{bad}\n----\n{unknown}\n----\n"),
        &["--wire-extras"],
    );
    let (out, err) = (
        String::from_utf8(output.stdout.clone()).unwrap(),
        String::from_utf8(output.stderr.clone()).unwrap(),
    );
    assert!(!acts_on_a_terminal(&out), "{out:?}");
    assert!(!acts_on_a_terminal(&err), "{err:?}");
    let lines = lines(&output);
    assert_eq!(lines.len(), 3);
    let values: Vec<_> = lines[0]["record"].as_object().unwrap().values().collect();
    assert!(
        values.iter().any(|value| **value == hostile),
        "the record itself is as it was: {values:?}"
    );
    assert!(lines[1]["error"].is_string() && lines[2]["error"].is_string());
}

/// SAL does not send `byte`; the published schema of dialect ts_xml does not say which of the ints it is, the interface does.
#[test]
fn a_message_with_a_byte_is_carried_in_both_dialects() {
    let text = format!("Script_command Script_command_run:( {PREAMBLE} , 9)\n");
    for (dialect, omitted) in [("efd", json!("")), ("ts_xml", json!(0))] {
        let output = check(&text, &["--dialect", dialect]);
        assert!(output.status.success(), "{dialect}: {output:?}");
        let [run] = lines(&output).try_into().unwrap();
        assert_eq!(run["record"]["ignored"], omitted, "{dialect}");
    }
    let text = format!("Script_logevent Script_logevent_state:( {PREAMBLE} , 9 , 'why' , 'here' , 0)\n");
    let output = check(&text, &["--dialect", "ts_xml"]);
    let [state] = lines(&output).try_into().unwrap();
    assert_eq!(
        (&state["record"]["state"], &state["record"]["reason"]),
        (&json!(0), &json!("why"))
    );
}

/// As the header services of today: a folder without files, and generic topics because `SALSubsystems.xml` lists it.
#[test]
fn a_component_that_has_generic_topics_only_is_transformed() {
    let folder = tempfile::tempdir().unwrap();
    let interfaces = folder.path().join("sal_interfaces");
    std::fs::create_dir_all(interfaces.join("ATHeaderService")).unwrap();
    let listed = "<SALSubsystemSet><SALSubsystem><Name>ATHeaderService</Name>
      <IndexEnumeration>no</IndexEnumeration><AddedGenerics>csc</AddedGenerics></SALSubsystem></SALSubsystemSet>";
    let generics = "<SALObjects><SALEventSet><SALEvent>
      <EFDB_Topic>SALGeneric_logevent_heartbeat</EFDB_Topic><Category>mandatory</Category>
      <item><EFDB_Name>heartbeat</EFDB_Name><IDL_Type>boolean</IDL_Type><Count>1</Count></item>
      </SALEvent></SALEventSet></SALObjects>";
    std::fs::write(interfaces.join("SALSubsystems.xml"), listed).unwrap();
    std::fs::write(interfaces.join("SALGenerics.xml"), generics).unwrap();
    let text = format!("ATHeaderService_logevent ATHeaderService_logevent_heartbeat:( {PREAMBLE} , 1 , 0)\n");
    let output = check_with(folder.path(), &text, &["--dialect", "ts_xml"]);
    assert!(output.status.success(), "{output:?}");
    let [line] = lines(&output).try_into().unwrap();
    assert_eq!(line["record"]["heartbeat"], true);
}
