//! Names and values from the network stay names and values, in line protocol and in SQL. This is checked by a reader of
//! line protocol that is independent of the encoder (fuzz/bodies/line_protocol.rs), and by SQLite itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

// The fuzz targets are crates of their own, where this is public.
#[path = "../../../fuzz/bodies/sink.rs"]
#[allow(unreachable_pub, dead_code, reason = "the fuzz targets use the rest")]
mod sink;

use influxsink::sqlite::SqliteWriter;
use influxsink::write::Destination;
use influxsink::write_result::WriteResult;
use proptest::prelude::*;
use rusqlite::Connection;
use sink::line_protocol;

/// Text with a meaning in line protocol, SQL, a shell or a terminal.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        "[a-zA-Z_][a-zA-Z0-9_]{0,5}",
        "[ ,=\\\\\"'`;()\\[\\]\n\r\t#/*%-]{1,4}",
        "\\PC",
        any::<char>().prop_map(String::from),
        proptest::sample::select(vec![
            "\"; DROP TABLE kept; --",
            "\nother x=1i 1",
            "\" 1\nother x=1i 1",
            "\\",
            "\\\\,",
            "time",
            "sqlite_master",
            "\u{1b}[2J",
            "\u{202e}",
            "\u{0}",
        ])
        .prop_map(str::to_owned),
    ];
    proptest::collection::vec(pieces, 0..4).prop_map(|pieces| pieces.concat())
}

/// A name, mostly one that a plan accepts, so that values are also tested.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[\\w-]{1,8}", 1 => hostile()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_line_says_what_its_record_says_and_nothing_else(
        measurement in prop_oneof![3 => "[\\w-]{1,6}(\\.[\\w-]{1,6}){0,2}", 1 => hostile()],
        tags in proptest::collection::vec((name(), hostile()), 0..3),
        texts in proptest::collection::vec((name(), hostile()), 1..3),
    ) {
        // As an input of the fuzz target, which reads every line back.
        let mut input = measurement.into_bytes();
        input.extend(b"\xffT=\x01\x02\x03\x04\x05");
        for (kind, (name, value)) in tags.iter().map(|tag| ('t', tag)).chain(texts.iter().map(|text| ('s', text))) {
            input.push(0xff);
            input.extend(format!("{kind}{name}={value}").bytes());
        }
        sink::line(&input);
    }
}

#[test]
fn the_judge_sees_an_injection() {
    // What encoders that do not refuse write for the tag "a\nother x=1i 1" and others (facts: influx-mapping).
    for line in [
        "m,t=a\nother x=1i 1 v=1i 1\n",
        "m,t=a\\ v=1i 1\n",
        "m,t= v=1i 1\n",
        "m v=\"a\" 1\nother x=1i\n",
        "m v=\"a\\\" 1\n",
        "m,t=a,t=b v=1i 1\n",
        "m v=1i,v=2i 1\n",
        "m time=1i 1\n",
        "m v=nan 1\n",
        "m v=1i\n",
        "#m v=1i 1\n",
    ] {
        assert!(line_protocol::read(line).is_err(), "{line:?}");
    }
    let two = line_protocol::read("m v=\"a\nb\" 1\nn,t=a\\,b\\ c v=-1.5e-7 -2\n").unwrap();
    assert_eq!(
        (two.len(), two[1].tags[0].1.as_str(), two[1].time),
        (2, "a,b c", -2)
    );
}

/// What SQLite says is in a file, apart from the table `kept` and from `of`'s own.
fn others(connection: &Connection, of: &str) -> Vec<String> {
    let sql = "SELECT type || ' ' || name || ' of ' || tbl_name FROM sqlite_schema WHERE tbl_name NOT IN ('kept', ?1)";
    let mut statement = connection.prepare(sql).unwrap();
    statement
        .query_map([of], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

fn columns(connection: &Connection, table: &str) -> Vec<String> {
    let mut statement = connection
        .prepare("SELECT name FROM pragma_table_xinfo(?1) ORDER BY cid")
        .unwrap();
    statement
        .query_map([table], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A plan would accept few of these names; the quoting must hold without it.
    #[test]
    fn no_name_and_no_value_is_more_to_sqlite(table in hostile(), tag in hostile(), field in hostile(), text in hostile()) {
        // A backslash at the end would escape what follows the name.
        let plain = |name: &str| {
            let name: String = name.chars().filter(|c| !",= \n".contains(*c)).collect();
            name.trim_end_matches('\\').to_owned()
        };
        let (table, tag, field) = (format!("t{}", plain(&table)), format!("g{}", plain(&tag)), format!("f{}", plain(&field)));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("efd.db");
        let destination = Destination::Sqlite(SqliteWriter::open(&path).unwrap());
        prop_assert_eq!(destination.write("kept v=7i 1\n".into()), WriteResult::Written);
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        let line = format!("{table},{tag}=x {field}=\"{escaped}\" 2\n");
        let answer = destination.write(line.clone().into());
        // Adding a column is another statement.
        let added = destination.write(format!("{table},{tag}=x {field}2=\"{escaped}\" 2\n").into());

        let connection = Connection::open(&path).unwrap();
        prop_assert_eq!(others(&connection, &table), Vec::<String>::new());
        let kept: (i64, i64) = connection.query_row("SELECT time, v FROM kept", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        prop_assert_eq!(kept, (1, 7));
        prop_assert_eq!(columns(&connection, "kept"), ["time", "v"]);
        let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        prop_assert_eq!(sound, "ok");
        // SQL ends at a NUL, so that such a name is refused; all others are accepted.
        let is_possible = ![&table, &tag, &field].iter().any(|name| name.contains('\0'));
        if is_possible {
            prop_assert_eq!(&answer, &WriteResult::Written);
            prop_assert_eq!(added, WriteResult::Written);
            prop_assert_eq!(columns(&connection, &table), ["time".to_owned(), tag, field.clone(), format!("{field}2")]);
            let column = |name: &str| name.replace('"', "\"\"");
            let sql = format!("SELECT \"{}\" FROM \"{}\"", column(&field), column(&table));
            let read: String = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
            prop_assert_eq!(read, text);
        } else {
            prop_assert!(matches!(answer, WriteResult::Rejected { .. }), "{:?}", answer);
            prop_assert_eq!(columns(&connection, &table), Vec::<String>::new());
        }
    }
}
