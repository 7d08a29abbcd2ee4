//! Malformed messages. Each has a single outcome, known in advance.

use std::time::Duration;

use rand::RngExt as _;

use super::{Injected, Injection};
use crate::failure::Outcome;
use crate::ledger::{Due, Stage, Why};
use crate::traffic::Special;
use crate::world::WITH_STRING;

/// The number of messages per fault.
const HOW_MANY: usize = 6;

/// The longest message that SAL sends.
const LONGEST: usize = 100_000;

/// The longest value that a broker accepts by default: `message.max.bytes` without the batch around it.
const BROKERS_LONGEST: usize = 1_048_588 - 88;

/// The reasons for which saltransform refuses text of any length that is not a SAL message.
const NO_TEXT: &[Why] = &[("parse", "bad_header"), ("parse", "message_too_long")];

/// The reasons for which saltransform refuses a few bytes of text.
const NO_MESSAGE: &[Why] = &[("parse", "bad_header")];
/// The reasons for which influxsink refuses a few bytes: no frame, or an empty frame.
const NO_FRAME: &[Why] = &[
    ("frame", "value_short"),
    ("frame", "value_unframed"),
    ("schema", "schema_unknown"),
];

pub(super) fn tombstones(world: &mut Injection) -> Outcome<Injected> {
    raw(world, &mut |_, stage| (None, Due::Skipped(stage)))
}

/// To saltransform an empty value carries nothing; to influxsink it is not a record.
pub(super) fn empty(world: &mut Injection) -> Outcome<Injected> {
    raw(world, &mut |_, stage| {
        let due = match stage {
            Stage::Transform => Due::Skipped(stage),
            Stage::Sink => Due::Dead(stage, &[("frame", "value_empty")]),
        };
        (Some(Vec::new()), due)
    })
}

pub(super) fn short(world: &mut Injection) -> Outcome<Injected> {
    raw(world, &mut |world, stage| {
        let length = world.random.random_range(1..=5);
        let bytes: Vec<u8> = (0..length).map(|_| world.random.random()).collect();
        match stage {
            Stage::Transform => (Some(bytes), Due::Dead(stage, NO_MESSAGE)),
            // Half the time the first byte is zero: as much of a frame as fits.
            Stage::Sink => {
                let mut bytes = bytes;
                if world.random.random() {
                    bytes[0] = 0;
                }
                // Five bytes are a complete frame header; no schema has such a high id.
                if let [0, id, ..] = bytes.as_mut_slice() {
                    *id |= 0x40;
                }
                (Some(bytes), Due::Dead(stage, NO_FRAME))
            }
        }
    })
}

/// JSON or SAL text instead of a framed record.
pub(super) fn unframed(world: &mut Injection) -> Outcome<Injected> {
    for _ in 0..HOW_MANY {
        let topic = topic(world, Stage::Sink);
        let due = Due::Dead(Stage::Sink, &[("frame", "value_unframed")]);
        world
            .traffic
            .send_raw(&topic, Some(br#"{"private_seqNum": 7}"#), due);
    }
    Ok(Injected::now(world, "influxsink"))
}

pub(super) fn unknown_schema(world: &mut Injection) -> Outcome<Injected> {
    for _ in 0..HOW_MANY {
        let topic = topic(world, Stage::Sink);
        let mut bytes = vec![0, 0x7f];
        bytes.extend((0..40).map(|_| world.random.random::<u8>()));
        let due = Due::Dead(Stage::Sink, &[("schema", "schema_unknown")]);
        world.traffic.send_raw(&topic, Some(&bytes), due);
    }
    Ok(Injected::now(world, "influxsink"))
}

/// Exactly as long as SAL allows: they must arrive like any other message. One byte more is a dead letter.
pub(super) fn huge(world: &mut Injection) -> Outcome<Injected> {
    for number in 0..HOW_MANY {
        let length = if number == 0 { LONGEST + 1 } else { LONGEST };
        let due = if number == 0 {
            Due::Dead(Stage::Transform, &[("parse", "message_too_long")])
        } else {
            Due::Stored
        };
        let mut special = Special::due(due);
        let change = |text: &mut Vec<u8>| {
            let string = vec![b'x'; length.saturating_sub(with_string(text, b"").len())];
            *text = with_string(text, &string);
        };
        special.change = &change;
        world.traffic.send(WITH_STRING, &special);
    }
    Ok(Injected::now(world, format!("{HOW_MANY} messages")))
}

/// Junk of every size up to and including the broker's limit: each is a complete dead letter.
pub(super) fn poison(world: &mut Injection) -> Outcome<Injected> {
    let mut number = 0;
    raw(world, &mut |world, stage| {
        // Each power of two is equally likely.
        let length = match number {
            0 | 1 => BROKERS_LONGEST,
            _ => 1usize << world.random.random_range(3..20),
        };
        let length = length - world.pick(length.min(64));
        number += 1;
        let mut bytes = vec![0; length];
        world.random.fill(bytes.as_mut_slice());
        bytes[0] |= 0x80;
        let due = match stage {
            Stage::Transform => Due::Dead(stage, NO_TEXT),
            Stage::Sink => Due::Dead(stage, &[("frame", "value_unframed"), ("frame", "value_short")]),
        };
        (Some(bytes), due)
    })
}

pub(super) fn wrong_utf8(world: &mut Injection) -> Outcome<Injected> {
    for bytes in [
        &b"caf\xe9"[..],
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xf8\x88",
        b"ok, \xfe",
    ] {
        let mut special = Special::due(Due::Dead(Stage::Transform, &[("encode", "invalid_utf8")]));
        let change = |text: &mut Vec<u8>| *text = with_string(text, bytes);
        special.change = &change;
        world.traffic.send(WITH_STRING, &special);
    }
    Ok(Injected::now(world, format!("{HOW_MANY} messages")))
}

/// They are stored in the database at the time in the message.
pub(super) fn clock_off(world: &mut Injection) -> Outcome<Injected> {
    for number in 0..HOW_MANY {
        let line = world.pick(world.lines.len());
        let mut special = Special::due(Due::Stored);
        special.shift = Duration::from_secs(3600);
        special.back = number % 2 == 0;
        world.traffic.send(line, &special);
    }
    Ok(Injected::now(world, format!("{HOW_MANY} messages")))
}

/// A value that is not a message, and its expected outcome.
type Raw = (Option<Vec<u8>>, Due);

/// Sends a few values that are not messages to either stage.
fn raw(world: &mut Injection, make: &mut dyn FnMut(&mut Injection, Stage) -> Raw) -> Outcome<Injected> {
    for number in 0..HOW_MANY {
        let stage = if number % 2 == 0 {
            Stage::Transform
        } else {
            Stage::Sink
        };
        let topic = topic(world, stage);
        let (value, due) = make(world, stage);
        world.traffic.send_raw(&topic, value.as_deref(), due);
    }
    Ok(Injected::now(world, "both stages"))
}

fn topic(world: &mut Injection, read_by: Stage) -> String {
    let line = world.pick(world.lines.len());
    match read_by {
        Stage::Transform => world.lines[line].input.clone(),
        Stage::Sink => world.lines[line].output.clone(),
    }
}

/// The message with a different last value, which is a string.
fn with_string(text: &[u8], string: &[u8]) -> Vec<u8> {
    const LEAD: &[u8] = b" , '";
    let at = text.windows(LEAD.len()).rposition(|window| window == LEAD);
    let mut changed = text[..at.map_or(0, |at| at + LEAD.len())].to_vec();
    changed.extend_from_slice(string);
    changed.extend_from_slice(b"')");
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_string_is_replaced() {
        let text = b"MTM1M3TS_command MTM1M3TS_command_start:( 'r' , 1.0 , 'O'Brien, \"x\" (y)')";
        let changed = with_string(text, b"\xff");
        assert_eq!(
            changed,
            b"MTM1M3TS_command MTM1M3TS_command_start:( 'r' , 1.0 , '\xff')"
        );
    }
}
