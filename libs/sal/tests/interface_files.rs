//! Turns synthetic interface files into schemas: both layouts, generics, indexed components, the options, and
//! every error with its text.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

use sal::avro::{Options, TopicSchema, map};
use sal::interface::{Interfaces, SourceFile};
use sal::name::Dialect;
use serde_json::json;

fn read(files: &[(&str, &str)]) -> Interfaces {
    let files: Vec<SourceFile> = files
        .iter()
        .map(|(path, text)| SourceFile {
            path: (*path).to_owned(),
            bytes: text.as_bytes().to_vec(),
        })
        .collect();
    Interfaces::read(&files)
}

fn read_errors(files: &[(&str, &str)]) -> Vec<String> {
    read(files).errors.iter().map(ToString::to_string).collect()
}

fn map_errors(interfaces: &Interfaces, dialect: Dialect) -> Vec<String> {
    let mapping = map(
        interfaces,
        &Options {
            dialect,
            ..Options::default()
        },
    );
    mapping.errors.iter().map(ToString::to_string).collect()
}

fn topics(schemas: &[TopicSchema]) -> Vec<&str> {
    schemas.iter().map(|schema| schema.topic.as_str()).collect()
}

/// One event with the given items.
fn event(items: &str) -> String {
    format!(
        "<SALEventSet><SALEvent><EFDB_Topic>T_logevent_e</EFDB_Topic>\n{items}\n</SALEvent></SALEventSet>"
    )
}

const LISTED_2019: &str = "<SALSubsystems>
  <Subsystem><Name>T</Name><Enumeration>any</Enumeration><Generics>yes</Generics></Subsystem>
  <Subsystem><Name>U</Name><Enumeration> </Enumeration><Generics>no</Generics></Subsystem>
</SALSubsystems>";

const LISTED: &str = "<SALSubsystemSet>
  <SALSubsystem><Name>T</Name><IndexEnumeration>One,Two</IndexEnumeration>
    <AddedGenerics>csc, logevent_extra</AddedGenerics></SALSubsystem>
  <SALSubsystem><Name>U</Name><IndexEnumeration>no</IndexEnumeration><AddedGenerics>csc</AddedGenerics></SALSubsystem>
</SALSubsystemSet>";

const GENERICS: &str = "<SALObjects>
 <SALCommandSet>
  <SALCommand><EFDB_Topic>SALGeneric_command_start</EFDB_Topic><Category>csc</Category></SALCommand>
  <SALCommand><EFDB_Topic>SALGeneric_command_abort</EFDB_Topic></SALCommand>
 </SALCommandSet>
 <SALEventSet>
  <SALEvent><EFDB_Topic>SALGeneric_logevent_heartbeat</EFDB_Topic><Category>mandatory</Category></SALEvent>
  <SALEvent><EFDB_Topic>SALGeneric_logevent_extra</EFDB_Topic></SALEvent>
 </SALEventSet>
</SALObjects>";

const TELEMETRY: &str = "<SALTelemetrySet><SALTelemetry><EFDB_Topic>T_position</EFDB_Topic>
  <item><EFDB_Name>angle</EFDB_Name><IDL_Type>double</IDL_Type><Units>deg</Units><Count>1</Count></item>
</SALTelemetry></SALTelemetrySet>";

#[test]
fn a_file_that_is_not_well_formed_is_left_out_alone() {
    let interfaces = read(&[
        (
            "sal_interfaces/T/T_Events.xml",
            "<SALEventSet>\n<SALEvent>\n</SALEventSet>",
        ),
        ("sal_interfaces/T/T_Telemetry.xml", TELEMETRY),
    ]);
    let [error] = interfaces.errors.as_slice() else {
        panic!("{:?}", interfaces.errors)
    };
    assert_eq!(
        error.to_string(),
        "sal_interfaces/T/T_Events.xml:3: not well-formed XML, the file was left out: ill-formed document: \
         expected `</SALEvent>`, but `</SALEventSet>` was found"
    );
    assert_eq!((error.place.line, &error.topic), (3, &None));
    assert_eq!(interfaces.components[0].topics[0].name.as_str(), "T_position");
}

#[test]
fn a_topic_with_an_error_is_left_out_alone() {
    let text = "<SALEventSet>
<SALEvent><Alias>x</Alias></SALEvent>
<SALEvent><EFDB_Topic>T_logevent_a</EFDB_Topic>
  <item><EFDB_Name> </EFDB_Name><IDL_Type>int</IDL_Type></item>
</SALEvent>
<SALEvent><EFDB_Topic>T_logevent_b</EFDB_Topic>
  <item><EFDB_Name>x</EFDB_Name></item>
</SALEvent>
<SALEvent><EFDB_Topic>T_logevent_good</EFDB_Topic></SALEvent>
<SALEvent><EFDB_Topic>T_logevent_good</EFDB_Topic></SALEvent>
<SALEvent><EFDB_Topic>T-logevent</EFDB_Topic></SALEvent>
</SALEventSet>";
    let interfaces = read(&[("T_Events.xml", text)]);
    let errors: Vec<String> = interfaces.errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "T_Events.xml:2: <SALEvent> needs a <EFDB_Topic> with text; add it",
            "T_Events.xml:4: T_logevent_a: <item> needs a <EFDB_Name> with text; add it",
            "T_Events.xml:7: T_logevent_b: <item> needs a <IDL_Type> with text; add it",
            "T_Events.xml:10: T_logevent_good: the topic is already defined; only the first definition counts",
            "T_Events.xml:11: T-logevent: <EFDB_Topic>: a topic name has ASCII letters, digits and '_' only, not '-': \
             'T-logevent'",
        ]
    );
    assert_eq!(interfaces.components.len(), 1);
    assert_eq!(interfaces.components[0].topics.len(), 1);
}

#[test]
fn errors_of_items_say_what_was_expected() {
    let item = |rest: &str| format!("<item><EFDB_Name>x</EFDB_Name><IDL_Type>int</IDL_Type>{rest}</item>");
    for (items, expected) in [
        (
            "<item><EFDB_Name>a b</EFDB_Name><IDL_Type>int</IDL_Type></item>".to_owned(),
            "<EFDB_Name> is a letter or '_', then letters, digits and '_', not 'a b'",
        ),
        (
            "<item><EFDB_Name>x</EFDB_Name><IDL_Type>integer</IDL_Type></item>".to_owned(),
            "field 'x': <IDL_Type> is one of boolean, byte, octet, char, short, unsigned short, int, unsigned int, \
             long, unsigned long, long long, unsigned long long, float, double, string, not 'integer'",
        ),
        (
            item("<Count>0</Count>"),
            "field 'x': <Count> is an integer from 1 to 100000, not '0'",
        ),
        (
            item("<Count>two</Count>"),
            "field 'x': <Count> is an integer from 1 to 100000, not 'two'",
        ),
        (
            item("<Frequency>often</Frequency>"),
            "field 'x': <Frequency> is a number, not 'often'",
        ),
        (
            item("<Publishers>1.5</Publishers>"),
            "field 'x': <Publishers> is an integer, not '1.5'",
        ),
        (
            item("<Needed_by_OCS>no</Needed_by_OCS>"),
            "field 'x': <Needed_by_OCS> is true or false, not 'no'",
        ),
        (
            item("<Enumeration>A,b-c</Enumeration>"),
            "<Enumeration> lists names of letters, digits and '_', or name=value, not 'b-c'",
        ),
        (
            item("") + &item(""),
            "field 'x' is there twice; rename or remove one",
        ),
    ] {
        let errors = read_errors(&[("T_Events.xml", &event(&items))]);
        assert_eq!(errors, [format!("T_Events.xml:2: T_logevent_e: {expected}")]);
    }
}

#[test]
fn a_file_of_another_kind_is_named() {
    assert_eq!(
        read_errors(&[("a.xml", "<html/>")]),
        [
            "a.xml:1: expected a SAL interface file with root element SALTelemetrySet, SALEventSet, SALCommandSet, \
          SALObjects, SALSubsystems or SALSubsystemSet, found <html>; the file was left out"
        ]
    );
    for (text, expected) in [
        (
            "{\n!",
            "interfaces/T/t.avsc:2: expected an Avro record as JSON, the file was left out: key must be a string at line 2 column 1",
        ),
        (
            "[]",
            "interfaces/T/t.avsc:1: expected an Avro record as JSON, the file was left out: the document is not a JSON object",
        ),
        (
            r#"{"type":"enum"}"#,
            "interfaces/T/t.avsc:1: expected an Avro record as JSON, the file was left out: \"type\" is not \"record\"",
        ),
        (
            r#"{"type":"record","fields":[{}]}"#,
            "interfaces/T/t.avsc:1: expected an Avro record as JSON, the file was left out: \"fields\" is not an array of objects with a \"name\"",
        ),
    ] {
        assert_eq!(read_errors(&[("interfaces/T/t.avsc", text)]), [expected]);
    }
    assert_eq!(
        read_errors(&[("t.avsc", "{}")]),
        [
            "t.avsc:1: expected an Avro record as JSON, the file was left out: its path is <component>/<topic>.avsc, but a \
          topic name starts with an ASCII letter: '_t'"
        ]
    );
}

#[test]
fn enumerations_of_items_and_of_sets() {
    let text = "<SALEventSet><Enumeration>Zero=0,\n One=1</Enumeration><Enumeration/>
<SALEvent><EFDB_Topic>T_logevent_e</EFDB_Topic>
 <item><EFDB_Name>plain</EFDB_Name><IDL_Type>int</IDL_Type><Enumeration>A, B</Enumeration></item>
 <item><EFDB_Name>valued</EFDB_Name><IDL_Type>int</IDL_Type><Enumeration>C=0,D=0x10</Enumeration></item>
</SALEvent></SALEventSet>";
    let interfaces = read(&[("T_Events.xml", text)]);
    assert_eq!(interfaces.errors, []);
    let [of_set] = interfaces.components[0].enumerations.as_slice() else {
        panic!()
    };
    assert_eq!(
        (of_set.symbols[1].name.as_str(), of_set.values()),
        ("One", vec![0, 1])
    );
    let schemas = map(&interfaces, &Options::default()).schemas;
    let fields = &schemas[0].schema["fields"];
    assert_eq!(
        fields[7]["type"],
        json!({"type": "enum", "name": "plain", "symbols": ["A", "B"]})
    );
    assert_eq!(
        fields[8]["type"],
        json!({"type": "enum", "name": "valued", "symbols": ["C", "D"], "sal_values": [0, 16]})
    );
    assert_eq!(
        read_errors(&[("T_Events.xml", &text.replace("One=1", "One=x"))]),
        [
            "T_Events.xml:1: <Enumeration>: the value of 'One' is a decimal or 0x… integer without leading zeros, not 'x'"
        ]
    );
}

#[test]
fn indexed_components_of_both_layouts() {
    for (file, text) in [("SALSubsystems.xml", LISTED_2019), ("SALSubsystems.xml", LISTED)] {
        let interfaces = read(&[
            (file, text),
            ("T_Telemetry.xml", TELEMETRY),
            ("U_Telemetry.xml", &TELEMETRY.replace("T_", "U_")),
            ("V_Telemetry.xml", &TELEMETRY.replace("T_", "V_")),
        ]);
        let indexed: Vec<_> = interfaces
            .components
            .iter()
            .map(|component| component.indexed())
            .collect();
        assert_eq!(indexed, [Some(true), Some(false), None]);
        assert_eq!(
            map_errors(&interfaces, Dialect::TsXml).last().unwrap(),
            "V_Telemetry.xml:1: V_position: component 'V' is not listed in SALSubsystems.xml; dialect ts_xml needs its \
             entry there"
        );
    }
    assert_eq!(
        read_errors(&[(
            "SALSubsystems.xml",
            &LISTED.replace("<IndexEnumeration>no</IndexEnumeration>", "")
        )]),
        ["SALSubsystems.xml:4: <SALSubsystem> needs a <IndexEnumeration> with text; add it"]
    );
    assert_eq!(
        read_errors(&[("SALSubsystems.xml", &LISTED_2019.replace("<Name>U", "<Name>T"))]),
        ["SALSubsystems.xml:3: subsystem 'T' is already listed; only the first entry counts"]
    );
}

#[test]
fn generics_by_category_by_name_and_ackcmd() {
    let interfaces = read(&[
        ("SALGenerics.xml", GENERICS),
        ("SALSubsystems.xml", LISTED),
        ("T_Telemetry.xml", TELEMETRY),
        ("U_Telemetry.xml", &TELEMETRY.replace("T_", "U_")),
    ]);
    assert_eq!(interfaces.errors, []);
    let mapping = map(
        &interfaces,
        &Options {
            dialect: Dialect::TsXml,
            ..Options::default()
        },
    );
    assert_eq!(mapping.errors, []);
    assert_eq!(
        topics(&mapping.schemas),
        [
            "T_position",
            "T_logevent_heartbeat",
            "T_command_start",
            "T_logevent_extra",
            "T_ackcmd",
            "U_position",
            "U_logevent_heartbeat",
            "U_command_start",
            "U_ackcmd"
        ]
    );
    let first = |at: usize| mapping.schemas[at].field_names().next().unwrap();
    assert_eq!((first(4), first(8)), ("salIndex", "private_sndStamp"));
    let ackcmd: Vec<&str> = mapping.schemas[8].field_names().skip(8).collect();
    assert_eq!(
        ackcmd,
        [
            "ack", "error", "result", "identity", "origin", "cmdtype", "timeout"
        ]
    );

    // Dialect efd takes only a component's own topics.
    let efd = map(
        &interfaces,
        &Options {
            subsystems: vec!["T".to_owned()],
            ..Options::default()
        },
    );
    assert_eq!(topics(&efd.schemas), ["T_position"]);
}

#[test]
fn generics_that_do_not_fit_are_named() {
    let interfaces = read(&[
        ("SALGenerics.xml", GENERICS),
        (
            "SALSubsystems.xml",
            &LISTED.replace(">csc<", ">csc, spare, command_none, command_start<"),
        ),
        ("U_Telemetry.xml", &TELEMETRY.replace("T_", "U_")),
    ]);
    assert_eq!(
        map_errors(&interfaces, Dialect::TsXml),
        [
            "SALSubsystems.xml:4: <AddedGenerics> of 'U': SALGenerics.xml has no topic or category 'spare'",
            "SALSubsystems.xml:4: <AddedGenerics> of 'U': SALGenerics.xml has no topic or category 'command_none'",
            "SALSubsystems.xml:4: U_command_start: the topic is already defined; only the first definition counts",
        ]
    );
    // The layout of 2019 takes all of them, except those that the component defines itself.
    let interfaces = read(&[
        ("SALGenerics.xml", GENERICS),
        ("SALSubsystems.xml", LISTED_2019),
        (
            "T_Events.xml",
            &event("").replace("logevent_e<", "logevent_extra<"),
        ),
    ]);
    let mapping = map(
        &interfaces,
        &Options {
            dialect: Dialect::TsXml,
            ..Options::default()
        },
    );
    assert_eq!(mapping.errors, []);
    assert_eq!(
        topics(&mapping.schemas),
        [
            "T_logevent_extra",
            "T_command_start",
            "T_command_abort",
            "T_logevent_heartbeat",
            "T_ackcmd"
        ]
    );
}

#[test]
fn a_topic_without_subsystem_tag_belongs_to_the_component_of_its_name() {
    let interfaces = read(&[("sal_interfaces/T/T_Telemetry.xml", TELEMETRY)]);
    assert_eq!(interfaces.component("T").unwrap().topics.len(), 1);
    let schema = &map(&interfaces, &Options::default()).schemas[0];
    assert_eq!(schema.schema.get("sal_subsystem"), None);
    assert_eq!(schema.kafka_topic, "lsst.sal.T_position");
}

#[test]
fn topics_that_a_dialect_cannot_express_are_named() {
    let avsc = r#"{"type":"record","name":"x","fields":[{"name":"timestamp","type":"long"}]}"#;
    let reserved = "<item><EFDB_Name>private_origin</EFDB_Name><IDL_Type>int</IDL_Type></item>";
    let interfaces = read(&[
        ("SALSubsystems.xml", LISTED_2019),
        ("interfaces/U/ats.avsc", avsc),
        (
            "interfaces/U/bad.avsc",
            &avsc.replace("timestamp", "private_seqNum"),
        ),
        (
            "U_Telemetry.xml",
            &TELEMETRY.replace("T_", "U_").replace("double", "unsigned long"),
        ),
        ("U_Events.xml", &event(reserved).replace("T_", "U_")),
        (
            "U_Commands.xml",
            &event(&reserved.replace("private_origin", "sal_host")).replace("T_logevent_e", "U_logevent_f"),
        ),
    ]);
    assert_eq!(interfaces.errors, []);
    assert_eq!(
        map_errors(&interfaces, Dialect::TsXml),
        [
            "U_Events.xml:1: U_logevent_e: field 'private_origin' has the name of a field that dialect ts_xml adds to \
             every topic; rename it",
            "U_Telemetry.xml:1: U_position: field 'angle': dialect ts_xml has no Avro type for 'unsigned long'",
            "interfaces/U/bad.avsc:1: U_bad: field 'private_seqNum' has the name of a field that dialect ts_xml adds to \
             every topic; rename it",
        ]
    );
    assert_eq!(
        map_errors(&interfaces, Dialect::Efd),
        [
            "U_Commands.xml:1: U_logevent_f: field 'sal_host' has the name of a field that dialect efd adds to every \
             topic; rename it",
            "interfaces/U/ats.avsc:1: U_ats: dialect efd has no .avsc topics; use dialect ts_xml",
            "interfaces/U/bad.avsc:1: U_bad: dialect efd has no .avsc topics; use dialect ts_xml",
        ]
    );
}

#[test]
fn an_avro_file_gets_the_private_fields_after_its_own() {
    let avsc =
        r#"{"type":"record","name":"x","fields":[{"name":"temp","type":["null","double"],"default":null}]}"#;
    let interfaces = read(&[
        ("SALSubsystems.xml", LISTED_2019),
        ("interfaces/T/ats.avsc", avsc),
    ]);
    let mapping = map(
        &interfaces,
        &Options {
            dialect: Dialect::TsXml,
            ..Options::default()
        },
    );
    let schema = &mapping.schemas[0];
    assert_eq!(
        (schema.kafka_topic.as_str(), schema.rev_code.as_deref()),
        ("lsst.sal.T.ats", None)
    );
    assert_eq!(
        (&schema.schema["name"], &schema.schema["namespace"]),
        (&json!("ats"), &json!("lsst.sal.T"))
    );
    let names: Vec<&str> = schema.field_names().collect();
    assert_eq!(names[..3], ["temp", "salIndex", "private_sndStamp"]);
    assert_eq!(names.len(), 10);
}

#[test]
fn wire_extras_describe_everything_on_the_wire() {
    let commands = "<SALCommandSet><SALCommand><EFDB_Topic>T_command_go</EFDB_Topic></SALCommand>
<SALCommand><EFDB_Topic>T_command_set</EFDB_Topic>
 <item><EFDB_Name>action</EFDB_Name><IDL_Type>unsigned int</IDL_Type></item>
 <item><EFDB_Name>mode</EFDB_Name><IDL_Type>octet</IDL_Type><Enumeration>A,B</Enumeration></item>
</SALCommand></SALCommandSet>";
    let interfaces = read(&[
        ("SALSubsystems.xml", LISTED_2019),
        ("T_Commands.xml", commands),
        ("T_Events.xml", &event("")),
        ("U_Telemetry.xml", &TELEMETRY.replace("T_", "U_")),
    ]);
    let extras = |dialect| {
        let options = Options {
            dialect,
            wire_extras: true,
            ..Options::default()
        };
        map(&interfaces, &options)
            .schemas
            .into_iter()
            .filter(|schema| !["ackcmd"].contains(&schema.topic.sal_name()))
            .collect::<Vec<_>>()
    };
    let efd = extras(Dialect::Efd);
    let names = |schema: &TopicSchema| {
        schema
            .field_names()
            .skip(7)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&efd[0]),
        ["TID", "device", "property", "action", "itemValue", "state"]
    );
    assert_eq!(
        names(&efd[1]),
        ["action", "mode", "TID", "device", "property", "itemValue"]
    );
    assert_eq!(names(&efd[2]), ["TID", "priority"]);
    assert_eq!(names(&efd[3]), ["angle"]);
    assert_eq!(
        (&efd[0].schema["sal_indexed"], &efd[3].schema["sal_indexed"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(efd[1].schema["fields"][7]["sal_idl_type"], "unsigned int");
    assert_eq!(
        efd[1].schema["fields"][8],
        json!({"name": "mode", "sal_index": 1, "sal_idl_type": "octet", "default": null,
               "type": ["null", {"type": "enum", "name": "mode", "symbols": ["A", "B"]}]})
    );
    assert_eq!(
        (
            &efd[2].schema["fields"][7]["type"],
            &efd[2].schema["fields"][7]["default"]
        ),
        (&json!("int"), &json!(0))
    );

    let ts_xml = extras(Dialect::TsXml);
    let go = ts_xml
        .iter()
        .find(|schema| schema.topic.as_str() == "T_command_go")
        .unwrap();
    let names: Vec<&str> = go.field_names().skip(9).collect();
    assert_eq!(names, ["device", "property", "action", "itemValue", "state"]);
    assert_eq!(go.schema["sal_indexed"], true);
}

#[test]
fn a_file_cut_or_damaged_anywhere_does_not_affect_the_others() {
    for text in [LISTED_2019, LISTED, GENERICS, TELEMETRY] {
        for cut in 0..text.len() {
            let files = [("a.xml", &text[..cut]), ("b.xml", TELEMETRY)];
            let interfaces = read(&files);
            assert_eq!(interfaces.errors.len(), 1, "cut at {cut}: {text}");
            assert!(
                interfaces.errors[0]
                    .to_string()
                    .contains(": not well-formed XML, the file was left out: ")
            );
            assert_eq!(
                interfaces.component("T").map(|component| component.topics.len()),
                Some(1)
            );
        }
        for at in 0..text.len() {
            for damage in [b'<', b'>', b'&', b'/', b'"', b' ', 0, 0xff] {
                let mut bytes = text.as_bytes().to_vec();
                bytes[at] = damage;
                let damaged = SourceFile {
                    path: "U/U.xml".to_owned(),
                    bytes,
                };
                let whole = SourceFile {
                    path: "V/V.xml".to_owned(),
                    bytes: TELEMETRY.replace("T_", "V_").into(),
                };
                assert!(Interfaces::read(&[damaged, whole]).component("V").is_some());
            }
        }
    }
}

#[test]
fn a_listed_component_without_files_is_converted_if_its_folder_is_there_or_it_is_named() {
    let files = [
        ("sal_interfaces/SALSubsystems.xml", LISTED),
        ("sal_interfaces/SALGenerics.xml", GENERICS),
        ("sal_interfaces/U/", ""),
    ];
    let interfaces = read(&files);
    assert_eq!(interfaces.errors, []);
    let of = |subsystems: &[&str]| {
        let options = Options {
            dialect: Dialect::TsXml,
            subsystems: subsystems.iter().map(|name| (*name).to_owned()).collect(),
            ..Options::default()
        };
        let mapping = map(&interfaces, &options);
        assert_eq!(mapping.errors, []);
        topics(&mapping.schemas).join(" ")
    };
    let of_u = "U_logevent_heartbeat U_command_start U_ackcmd";
    assert_eq!(of(&[]), of_u, "T has no folder: its own topics may be elsewhere");
    assert_eq!(of(&["U"]), of_u);
    assert_eq!(
        of(&["T"]),
        "T_logevent_heartbeat T_command_start T_logevent_extra T_ackcmd"
    );
    assert!(interfaces.component("T").is_some() && interfaces.component("V").is_none());
}

#[test]
fn a_file_is_read_in_the_encoding_that_it_declares() {
    let text = event(
        "<item><EFDB_Name>x</EFDB_Name><IDL_Type>float</IDL_Type><Units>\u{b0}C</Units><Count>1</Count></item>",
    );
    let latin: Vec<u8> = format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n{text}")
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    let wide: Vec<u8> = format!("\u{feff}<?xml version='1.0' encoding='UTF-16'?>{text}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for bytes in [latin, wide] {
        let file = SourceFile {
            path: "T/T_Events.xml".to_owned(),
            bytes,
        };
        let interfaces = Interfaces::read(&[file]);
        assert_eq!(interfaces.errors, []);
        let [schema] = &map(&interfaces, &Options::default()).schemas[..] else {
            panic!()
        };
        let fields = schema.schema["fields"].as_array().unwrap();
        assert_eq!(fields.last().unwrap()["sal_units"], "\u{b0}C");
    }
    let declared_wrongly = SourceFile {
        path: "T/T_Events.xml".to_owned(),
        bytes: b"<?xml version='1.0' encoding='klingon'?>\n<a/>".to_vec(),
    };
    assert_eq!(
        Interfaces::read(&[declared_wrongly]).errors[0].to_string(),
        "T/T_Events.xml:1: not well-formed XML, the file was left out: the XML declaration names the encoding 'klingon', \
         which is not known; save the file as UTF-8"
    );
}
