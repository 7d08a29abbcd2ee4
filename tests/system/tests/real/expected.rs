//! The sample messages and their expected records, written by hand from the interfaces and the rules of the
//! wire format: nothing here is computed by the pipeline.

use super::root;
use super::value::Value::{self, Bool, Bytes, Double, Int, List, Null, Single, Text};

/// A sample message and its expected record.
pub(crate) struct Sample {
    /// The sample's name in its file: `A1`, `B1`, …
    pub(crate) label: &'static str,
    /// The SAL component, which determines the input topics.
    pub(crate) component: &'static str,
    /// `telemetry`, `logevent` or `command`.
    pub(crate) kind: &'static str,
    /// The SAL topic.
    pub(crate) topic: &'static str,
    /// The message.
    pub(crate) text: Vec<u8>,
    /// The record's fields except `kafka_timestamp`, which is the time of the run.
    pub(crate) fields: Vec<(&'static str, Value)>,
}

impl Sample {
    /// The point's time in microseconds, from `sal_created`.
    pub(crate) fn time(&self) -> i64 {
        match self.fields.iter().find(|(name, _)| *name == "sal_created") {
            Some((_, Int(millis))) => millis * 1_000,
            other => panic!("{}: {other:?}", self.label),
        }
    }
}

/// The samples; prints that they are skipped and returns `None` if `../shared` is absent.
pub(crate) fn samples() -> Option<Vec<Sample>> {
    let path = root().join("../shared/sal/samples.txt");
    let Ok(file) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: no {}", path.display());
        return None;
    };
    let text = |label: &str| {
        let block = file
            .split("\n----\n")
            .find_map(|block| block.strip_prefix(&format!("# {label}\n")));
        block
            .unwrap_or_else(|| panic!("{} has no {label}", path.display()))
            .to_owned()
    };
    let sample = |label, component, kind, topic, fields| Sample {
        label,
        component,
        kind,
        topic,
        text: text(label).into_bytes(),
        fields,
    };
    let test_id = ("TestID", Int(1));
    Some(vec![
        sample(
            "A1",
            "MTM1M3TS",
            "telemetry",
            "MTM1M3TS_thermalData",
            thermal_data(&text("A1")),
        ),
        sample(
            "B1",
            "MTM1M3TS",
            "logevent",
            "MTM1M3TS_logevent_detailedState",
            derived([("detailedState", Int(2)), ("priority", Int(0))]),
        ),
        sample(
            "B2",
            "ATHexapod",
            "logevent",
            "ATHexapod_logevent_inPosition",
            derived([
                ("inPosition", Bool(true)),
                ("timestamp", Double(1_556_000_000.25)),
                ("priority", Int(1)),
            ]),
        ),
        sample(
            "B3",
            "Hexapod",
            "telemetry",
            "Hexapod_Actuators",
            derived([
                (
                    "Calibrated",
                    doubles([0.1, -0.25, 0.0, 123_456_789.125, 0.0, -0.0]),
                ),
                (
                    "Raw",
                    doubles([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e22, 0.0, 0.5]),
                ),
                ("HexapodID", Int(2)),
            ]),
        ),
        sample(
            "B4",
            "Script",
            "command",
            "Script_command_configure",
            command(
                100_042,
                "ScriptID",
                [("config", string("wait_time: 5\nname: O'Brien, \"x\" (y)"))],
            ),
        ),
        sample(
            "B5",
            "Script",
            "logevent",
            "Script_logevent_state",
            derived([
                // A byte: the generator omits it, and nothing is guessed.
                ("state", Null),
                ("reason", string("can't reach host, retry (3)")),
                ("lastCheckpoint", string("")),
                ("ScriptID", Int(100_042)),
                ("priority", Int(0)),
            ]),
        ),
        sample(
            "B6",
            "Test",
            "command",
            "Test_command_wait",
            command(1, "TestID", [("ack", Int(0)), ("duration", Double(5.5))]),
        ),
        sample(
            "B7",
            "Test",
            "telemetry",
            "Test_scalars",
            derived([
                ("boolean0", Bool(true)),
                ("byte0", bytes("")),
                ("char0", bytes("a")),
                ("short0", Int(-32_768)),
                ("int0", Int(-2_147_483_647)),
                ("long0", Int(42)),
                ("longLong0", Int(9_007_199_254_740_993)),
                ("octet0", bytes("")),
                ("unsignedShort0", Int(65_535)),
                // -1 and -1294967296 on the wire: the generator prints unsigned integers as signed ones.
                ("unsignedInt0", Int(4_294_967_295)),
                ("unsignedLong0", Int(3_000_000_000)),
                ("float0", Single(0.1)),
                ("double0", Double(3.141_593)),
                ("string0", string("plain text")),
                test_id.clone(),
            ]),
        ),
        sample(
            "B8",
            "Test",
            "logevent",
            "Test_logevent_scalars",
            derived([
                ("boolean0", Bool(false)),
                ("byte0", bytes("")),
                ("char0", bytes("é")),
                ("short0", Int(7)),
                ("int0", Int(8)),
                ("long0", Int(9)),
                ("longLong0", Int(-10)),
                ("octet0", bytes("")),
                ("unsignedShort0", Int(11)),
                ("unsignedInt0", Int(12)),
                ("unsignedLong0", Int(13)),
                ("float0", Single(f32::NAN)),
                ("double0", Double(f64::NEG_INFINITY)),
                ("string0", string("")),
                test_id.clone(),
                ("priority", Int(0)),
            ]),
        ),
        sample(
            "B9",
            "Test",
            "telemetry",
            "Test_arrays",
            derived([
                (
                    "boolean0",
                    List([true, false, true, false, true].map(Bool).to_vec()),
                ),
                ("byte0", List(Vec::new())),
                ("char0", List(["A", "B", "C", "D", "E"].map(bytes).to_vec())),
                ("short0", one_to_five()),
                ("int0", one_to_five()),
                ("long0", one_to_five()),
                ("longLong0", one_to_five()),
                ("octet0", List(Vec::new())),
                ("unsignedShort0", one_to_five()),
                ("unsignedInt0", one_to_five()),
                ("unsignedLong0", one_to_five()),
                ("float0", List([1.5, 2.5, 3.5, 4.5, 5.5].map(Single).to_vec())),
                ("double0", doubles([1.5, 2.5, 3.5, 4.5, 5.5])),
                test_id,
            ]),
        ),
    ])
}

/// The preamble that all derived samples share, followed by the topic's own fields. Milliseconds are
/// truncated, not rounded.
fn derived<const N: usize>(items: [(&'static str, Value); N]) -> Vec<(&'static str, Value)> {
    let preamble = [
        ("sal_revcode", string("d7bf9a83")),
        ("sal_created", Int(1_556_000_000_125)),
        ("sal_ingested", Int(1_556_000_000_127)),
        ("sal_sequence", Int(17)),
        ("sal_origin", Int(4321)),
        ("sal_host", Int(77)),
    ];
    preamble.into_iter().chain(items).collect()
}

/// A command of an indexed component: its items, then the index and the address, all empty in the samples.
fn command<const N: usize>(
    index: i64,
    index_name: &'static str,
    items: [(&'static str, Value); N],
) -> Vec<(&'static str, Value)> {
    let mut fields = derived(items);
    fields.push((index_name, Int(index)));
    fields.extend(["device", "property", "action", "itemValue"].map(|name| (name, string(""))));
    fields
}

/// A1 has no text except its revision code, so its values are simply separated by commas.
fn thermal_data(text: &str) -> Vec<(&'static str, Value)> {
    let values: Vec<&str> = text
        .split_once(":(")
        .unwrap()
        .1
        .trim_end_matches(')')
        .split(',')
        .map(str::trim)
        .collect();
    assert_eq!(values.len(), 7 + 4 * 95);
    let scanner = |number: usize| {
        let at = 7 + number * 95;
        List(
            values[at..at + 95]
                .iter()
                .map(|value| Single(value.parse().unwrap()))
                .collect(),
        )
    };
    vec![
        ("sal_revcode", string("LSST TEST REVCODE")),
        ("sal_created", Int(1_547_758_756_335)),
        ("sal_ingested", Int(1_547_758_754_901)),
        ("sal_sequence", Int(9940)),
        ("sal_origin", Int(1)),
        ("sal_host", Int(1)),
        ("timestamp", Double(1_547_758_756.332_947)),
        ("thermocoupleScanner1", scanner(0)),
        ("thermocoupleScanner2", scanner(1)),
        ("thermocoupleScanner3", scanner(2)),
        ("thermocoupleScanner4", scanner(3)),
    ]
}

fn string(text: &str) -> Value {
    Text(text.to_owned())
}

fn bytes(text: &str) -> Value {
    Bytes(text.as_bytes().to_vec())
}

fn doubles<const N: usize>(values: [f64; N]) -> Value {
    List(values.map(Double).to_vec())
}

fn one_to_five() -> Value {
    List([1, 2, 3, 4, 5].map(Int).to_vec())
}
