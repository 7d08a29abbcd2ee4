//! The reverse direction: values to SAL text, exactly as SAL's generator prints them. Used by salmock and by
//! tests. Source: `writetokafka` in `genkafkaefd.tcl` of SAL 3.9; the printed forms are those of C's
//! `sprintf`.

use std::io::Write as _;

use crate::name::{Kind, TopicName};

/// The six values at the start of every message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preamble<'a> {
    /// The revision code of the interface.
    pub rev_code: &'a str,
    /// When the message was sent, in seconds since 1970 in the wire's time scale.
    pub snd_stamp: f64,
    /// When the message was received, in the same scale.
    pub rcv_stamp: f64,
    /// The sequence number.
    pub seq_num: i32,
    /// The id of the sending process.
    pub origin: i32,
    /// The id of the sending host.
    pub host: i32,
}

/// Writes one message, value by value: [`Printer::new`], the values in wire order, [`Printer::finish`].
/// Nothing is checked: the caller's values are printed as they are, as the generator does.
#[derive(Debug)]
pub struct Printer<'o> {
    out: &'o mut Vec<u8>,
    lead: &'static [u8],
}

impl<'o> Printer<'o> {
    /// Replaces `out` with a message's header, `S_kind topic:( `, and its first six values.
    pub fn new(out: &'o mut Vec<u8>, topic: &TopicName, preamble: &Preamble<'_>) -> Self {
        out.clear();
        for part in [
            topic.component(),
            "_",
            wire_word(topic),
            " ",
            topic.as_str(),
            ":( ",
        ] {
            out.extend_from_slice(part.as_bytes());
        }
        let mut printer = Self { out, lead: b"" };
        printer
            .text(preamble.rev_code.as_bytes())
            .double(preamble.snd_stamp)
            .double(preamble.rcv_stamp)
            .integer(preamble.seq_num.into())
            .integer(preamble.origin.into())
            .integer(preamble.host.into());
        printer
    }

    /// A boolean as `1` or `0`.
    pub fn boolean(&mut self, value: bool) -> &mut Self {
        self.integer(value.into())
    }

    /// A signed integer as `%d` and `%ld` print it.
    pub fn integer(&mut self, value: i64) -> &mut Self {
        self.lead();
        integer(self.out, value);
        self
    }

    /// An unsigned 32-bit integer printed with `%d`: negative from 2³¹ up.
    pub fn unsigned(&mut self, value: u32) -> &mut Self {
        self.integer(value.cast_signed().into())
    }

    /// An unsigned 64-bit integer printed with `%ld`: negative from 2⁶³ up.
    pub fn unsigned_long_long(&mut self, value: u64) -> &mut Self {
        self.integer(value.cast_signed())
    }

    /// A `double` as `%lf` prints it: six decimals, no exponent, `nan`, `inf`.
    pub fn double(&mut self, value: f64) -> &mut Self {
        self.lead();
        double(self.out, value);
        self
    }

    /// A `float` as `%f` prints it; C passes it as the `double` of the same value.
    pub fn float(&mut self, value: f32) -> &mut Self {
        self.double(value.into())
    }

    /// A string, a char, or an array of char: one quoted value, nothing escaped.
    pub fn text(&mut self, value: &[u8]) -> &mut Self {
        self.lead();
        self.out.push(b'\'');
        self.out.extend_from_slice(value);
        self.out.push(b'\'');
        self
    }

    /// An array; `each` prints one item with the same functions as for a scalar.
    pub fn array<T: Copy>(&mut self, items: &[T], each: impl Fn(&mut Self, T)) -> &mut Self {
        for (position, item) in items.iter().enumerate() {
            if position > 0 {
                self.lead = b", ";
            }
            each(self, *item);
        }
        self
    }

    /// Appends the closing parenthesis.
    pub fn finish(self) {
        self.out.push(b')');
    }

    fn lead(&mut self) {
        self.out.extend_from_slice(self.lead);
        self.lead = b" , ";
    }
}

fn wire_word(topic: &TopicName) -> &'static str {
    match topic.kind() {
        // Acknowledgements are never sent; the header has only three words.
        Kind::Ackcmd => Kind::Telemetry.wire_word(),
        kind => kind.wire_word(),
    }
}

fn integer(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn double(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        let sign: &[u8] = if value.is_sign_negative() { b"-" } else { b"" };
        out.extend_from_slice(sign);
        out.extend_from_slice(b"nan");
    } else if write!(out, "{value:.6}").is_err() {
        // Writing to memory does not fail.
        out.push(b'0');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREAMBLE: Preamble<'_> = Preamble {
        rev_code: "d7bf9a83",
        snd_stamp: 1_556_000_000.125,
        rcv_stamp: 1_556_000_000.127_185,
        seq_num: 17,
        origin: 4321,
        host: 77,
    };

    fn printed(topic: &str, values: impl Fn(&mut Printer<'_>)) -> String {
        let mut out = b"what was there".to_vec();
        let topic = TopicName::new(topic).unwrap();
        let mut printer = Printer::new(&mut out, &topic, &PREAMBLE);
        values(&mut printer);
        printer.finish();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_message_is_printed_as_the_generator_does() {
        let text = printed("Test_logevent_arrays", |printer| {
            printer
                .array(&[true, false], |printer, item| {
                    printer.boolean(item);
                })
                .text(b"can't, or (won't)")
                .unsigned(u32::MAX)
                .unsigned_long_long(u64::MAX)
                .array(&[1.5f32, -0.0], |printer, item| {
                    printer.float(item);
                })
                .double(1e22)
                .integer(-7);
        });
        assert_eq!(
            text,
            "Test_logevent Test_logevent_arrays:( 'd7bf9a83' , 1556000000.125000 , 1556000000.127185 , 17 , 4321 , 77 \
             , 1, 0 , 'can't, or (won't)' , -1 , -1 , 1.500000, -0.000000 , 10000000000000000000000.000000 , -7)"
        );
    }

    #[test]
    fn numbers_are_printed_as_c_does() {
        for (value, text) in [
            (0.0, "0.000000"),
            (-0.0, "-0.000000"),
            (0.1, "0.100000"),
            // Half-way cases go to the even neighbour; these are exact in binary.
            (0.0078125, "0.007812"),
            (0.0234375, "0.023438"),
            (-0.0000001, "-0.000000"),
            (f64::NAN, "nan"),
            (-f64::NAN, "-nan"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (2.718281628459045, "2.718282"),
            (9_007_199_254_740_993.0, "9007199254740992.000000"),
        ] {
            let mut out = Vec::new();
            double(&mut out, value);
            assert_eq!(out, text.as_bytes());
        }
        let mut out = Vec::new();
        double(&mut out, f64::MAX);
        assert_eq!(out.len(), 316);
    }

    #[test]
    fn the_header_names_component_and_kind() {
        let header = |topic| printed(topic, |_| {}).split('(').next().unwrap().to_owned();
        assert_eq!(header("Test_scalars"), "Test_telemetry Test_scalars:");
        assert_eq!(
            header("Script_command_stop"),
            "Script_command Script_command_stop:"
        );
    }
}
