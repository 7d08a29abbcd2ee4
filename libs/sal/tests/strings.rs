//! Where strings end: compared with a plain search through all splits, and in time that does not grow with
//! their number.
#![allow(clippy::expect_used, reason = "a failed step is a failed test")]
// The helpers of a test may panic like the test itself.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::{Duration, Instant};

use apache_avro::types::Value;
use common::*;
use proptest::prelude::*;

/// The parts of a record's values.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Integer,
}

/// All ways to split the values, as the texts of the strings; the one whose first string ends earliest comes
/// first.
fn splits<'a>(kinds: &[Kind], rest: &'a str, first: bool) -> Vec<Vec<&'a str>> {
    let Some((kind, kinds)) = kinds.split_first() else {
        return if rest == ")" { vec![vec![]] } else { vec![] };
    };
    let Some(rest) = (if first {
        Some(rest)
    } else {
        rest.strip_prefix(" , ")
    }) else {
        return vec![];
    };
    match kind {
        Kind::Integer => {
            let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            if digits.len() == rest.len() {
                vec![]
            } else {
                splits(kinds, digits, false)
            }
        }
        Kind::Text => {
            let Some(text) = rest.strip_prefix('\'') else {
                return vec![];
            };
            let ends = text.match_indices('\'');
            ends.flat_map(|(end, _)| {
                let after = splits(kinds, &text[end + 1..], false);
                after
                    .into_iter()
                    .map(move |strings| [&[&text[..end]], &strings[..]].concat())
            })
            .collect()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn the_split_is_the_leftmost_shortest_of_all(
        kinds in prop::collection::vec(prop_oneof![2 => Just(Kind::Text), 1 => Just(Kind::Integer)], 1..6),
        parts in prop::collection::vec(
            prop::sample::select(vec!["'", "' , '", "' , 1 , '", " , ", "1", "a", "' , 1", "1 , '"]), 0..12
        ),
        plausible: bool,
    ) {
        // Either any text, or one that fits at least once.
        let mut values = String::new();
        let mut parts = parts.into_iter();
        if plausible {
            for (position, kind) in kinds.iter().enumerate() {
                values += if position == 0 { "" } else { " , " };
                match kind {
                    Kind::Integer => values += "1",
                    Kind::Text => values += &format!("'{}'", parts.by_ref().take(3).collect::<String>()),
                }
            }
        } else {
            values = parts.collect();
        }
        values += ")";
        let fields: Vec<String> = kinds.iter().enumerate().map(|(index, kind)| match kind {
            Kind::Text => item(index, &format!("t{index}"), "\"string\"", "string"),
            Kind::Integer => item(index, &format!("i{index}"), "\"int\"", "int"),
        }).collect();
        let schema = efd("Test_strings", r#","sal_indexed":false"#, &fields);
        // The revision code is a string too: it is the first of the strings, and its fields are integers
        // here.
        let text = format!("{PREAMBLE} , {values}");
        let expected = splits(&kinds, &values, true);
        let result = encode(&schema, format!("Test_strings:( {text}").as_bytes());
        match (result, expected.first()) {
            (Ok((record, notes)), Some(first)) => {
                let strings: Vec<&str> = record[7..].iter().filter_map(|(_, value)| match value {
                    Value::String(text) => Some(text.as_str()),
                    _ => None,
                }).collect();
                prop_assert_eq!(&strings, first);
                prop_assert_eq!(notes.count("ambiguous_string") > 0, expected.len() > 1);
            }
            // An integer with more digits than Avro allows still has the right structure.
            (Err(error), _) if error.step() == "encode" => {}
            (Err(_), None) => {}
            (result, first) => prop_assert!(false, "{result:?} instead of {first:?}"),
        }
    }
}

#[test]
fn a_string_can_hold_anything_that_leaves_one_split() {
    let fields = [
        item(0, "a", "\"string\"", "string"),
        item(1, "n", "\"int\"", "int"),
    ];
    let schema = efd("Test_logevent_s", r#","sal_indexed":false"#, &fields);
    for text in [
        "it's",
        "a , b",
        "x)",
        ")",
        "'",
        "''",
        "' , ",
        "line\nline",
        "(\u{e9})",
        "' , 1 , 2 , 3) ",
    ] {
        let text_message = message("Test_logevent_s", &format!(" , '{text}' , 7 , 0"));
        let record = encoded(&schema, &text_message, &[("skipped_priority", 1)]);
        assert_eq!(record[7].1, Value::String(text.into()));
        assert_eq!(record[8].1, Value::Int(7));
    }
}

#[test]
fn two_strings_that_can_be_split_otherwise_are_counted() {
    let fields = [
        item(0, "a", "\"string\"", "string"),
        item(1, "b", "\"string\"", "string"),
    ];
    let schema = efd("Test_s", r#","sal_indexed":false"#, &fields);
    let record = encoded(
        &schema,
        &message("Test_s", " , 'x' , 'y' , 'z'"),
        &[("ambiguous_string", 1)],
    );
    assert_eq!(record[7].1, Value::String("x".into()));
    assert_eq!(record[8].1, Value::String("y' , 'z".into()));
}

#[test]
fn the_largest_messages_full_of_quotes_take_no_time() {
    let fields: Vec<String> = (0..100)
        .map(|index| item(index, &format!("t{index}"), "\"string\"", "string"))
        .collect();
    let schema = efd("Test_many", r#","sal_indexed":false"#, &fields);
    for part in ["'", "' , '", "' , ", "' , 1 , '"] {
        for end in ["'", " , 1"] {
            let text = format!(" , '{}{end}", part.repeat(99_000 / part.len()));
            let started = Instant::now();
            let _ = encode(&schema, &message("Test_many", &text));
            // Quadratic time would take minutes; a debug build on a busy machine gets a generous limit.
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "{part:?} {end:?}: {:?}",
                started.elapsed()
            );
        }
    }
}
