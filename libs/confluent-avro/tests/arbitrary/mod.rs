//! Random schemas, each with a record written as Avro's libraries write it. A schema is generated as a tree;
//! its record is then filled in from a tape of random bytes.

use proptest::prelude::*;
use serde_json::{Value, json};

/// A schema and the bytes of a record.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) schema: Value,
    pub(crate) avro: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Type {
    /// A named type by its JSON, with `{}` for the name to fill in.
    Plain(&'static str),
    Fixed(usize, &'static str),
    Enum(usize),
    Array(Box<Type>),
    Map(Box<Type>),
    Union(Vec<Type>),
    Record(Vec<Type>),
}

const PLAIN: [&str; 17] = [
    r#""null""#,
    r#""boolean""#,
    r#""int""#,
    r#""long""#,
    r#""float""#,
    r#""double""#,
    r#""bytes""#,
    r#""string""#,
    r#"{"type":"int","logicalType":"date"}"#,
    r#"{"type":"int","logicalType":"time-millis"}"#,
    r#"{"type":"long","logicalType":"time-micros"}"#,
    r#"{"type":"long","logicalType":"timestamp-millis"}"#,
    r#"{"type":"long","logicalType":"timestamp-micros"}"#,
    r#"{"type":"long","logicalType":"timestamp-nanos"}"#,
    r#"{"type":"long","logicalType":"local-timestamp-millis"}"#,
    r#"{"type":"string","logicalType":"uuid"}"#,
    r#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#,
];

pub(crate) fn any_case() -> impl Strategy<Value = Case> {
    let leaf = prop_oneof![
        6 => prop::sample::select(&PLAIN[..]).prop_map(Type::Plain),
        1 => prop::sample::select(vec![(0, ""), (1, ""), (3, "decimal"), (12, "duration"), (16, "uuid")])
            .prop_map(|(size, logical)| Type::Fixed(size, logical)),
        1 => (1usize..4).prop_map(Type::Enum),
    ];
    let tree = leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            inner.clone().prop_map(|of| Type::Array(Box::new(of))),
            inner.clone().prop_map(|of| Type::Map(Box::new(of))),
            prop::collection::vec(inner.clone(), 1..5).prop_map(Type::Union),
            prop::collection::vec(inner, 0..4).prop_map(Type::Record),
        ]
    });
    let fields = prop::collection::vec(tree, 1..5);
    (fields, prop::collection::vec(any::<u8>(), 0..400)).prop_map(|(fields, tape)| {
        let of = legal(Type::Record(fields));
        let mut avro = Vec::new();
        let mut tape = Tape(&tape);
        write(&of, &mut tape, &mut avro);
        Case {
            schema: schema(&of, &mut 0),
            avro,
        }
    })
}

/// Without what a schema must not have: a union within a union, and two branches with the same name.
fn legal(of: Type) -> Type {
    match of {
        Type::Array(of) => Type::Array(Box::new(legal(*of))),
        Type::Map(of) => Type::Map(Box::new(legal(*of))),
        Type::Record(fields) => Type::Record(fields.into_iter().map(legal).collect()),
        Type::Union(branches) => {
            let mut kept: Vec<Type> = Vec::new();
            for branch in branches.into_iter().map(legal) {
                let is_union = matches!(branch, Type::Union(_));
                if !is_union
                    && kept
                        .iter()
                        .all(|other| name(other).is_empty() || name(other) != name(&branch))
                {
                    kept.push(branch);
                }
            }
            match kept.is_empty() {
                true => Type::Plain(PLAIN[0]),
                false => Type::Union(kept),
            }
        }
        other => other,
    }
}

/// The name of a type that has none of its own.
fn name(of: &Type) -> String {
    match of {
        Type::Plain(json) => {
            let json: Value = serde_json::from_str(json).unwrap();
            json.get("type").unwrap_or(&json).as_str().unwrap().to_owned()
        }
        Type::Array(_) => "array".to_owned(),
        Type::Map(_) => "map".to_owned(),
        _ => String::new(),
    }
}

fn schema(of: &Type, names: &mut usize) -> Value {
    *names += 1;
    let named = format!("n.T{names}");
    match of {
        Type::Plain(json) => serde_json::from_str(json).unwrap(),
        Type::Fixed(size, logical) => {
            json!({"type": "fixed", "name": named, "size": size, "logicalType": logical, "precision": 6, "scale": 3})
        }
        Type::Enum(symbols) => {
            let symbols: Vec<String> = (0..*symbols).map(|n| format!("S{n}")).collect();
            json!({"type": "enum", "name": named, "symbols": symbols})
        }
        Type::Array(of) => json!({"type": "array", "items": schema(of, names)}),
        Type::Map(of) => json!({"type": "map", "values": schema(of, names)}),
        Type::Union(branches) => branches.iter().map(|branch| schema(branch, names)).collect(),
        Type::Record(fields) => {
            // Few names, some of which are those of branches, so that records look alike.
            let name = ["a", "string", "map", "b", "c"];
            let fields: Vec<Value> = fields
                .iter()
                .enumerate()
                .map(|(at, of)| json!({"name": name[at], "type": schema(of, names)}))
                .collect();
            json!({"type": "record", "name": named, "fields": fields})
        }
    }
}

/// Random bytes; zeros once they are used up.
struct Tape<'t>(&'t [u8]);

impl Tape<'_> {
    fn next(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    fn below(&mut self, end: usize) -> usize {
        usize::from(self.next()) % end
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next())
    }

    fn integer(&mut self) -> i64 {
        match self.below(6) {
            0 => i64::MAX,
            1 => i64::MIN,
            2 => i64::from(self.next()) - 128,
            3 => 1_795_946_580_123,
            4 => i64::from(i32::from_le_bytes(self.bytes())) * 1_000_000,
            _ => i64::from_le_bytes(self.bytes()),
        }
    }
}

pub(crate) fn long(value: i64) -> Vec<u8> {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    let mut bytes = Vec::new();
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

fn write(of: &Type, tape: &mut Tape<'_>, out: &mut Vec<u8>) {
    match of {
        Type::Plain(_) => plain(&name(of), tape, out),
        Type::Fixed(size, _) => out.extend((0..*size).map(|_| tape.next())),
        Type::Enum(symbols) => out.extend(long(tape.below(*symbols) as i64)),
        Type::Array(of) => {
            let count = tape.below(4);
            if count > 0 {
                out.extend(long(count as i64));
            }
            (0..count).for_each(|_| write(of, tape, out));
            out.push(0);
        }
        Type::Map(of) => {
            let count = tape.below(4);
            if count > 0 {
                out.extend(long(count as i64));
            }
            for _ in 0..count {
                text(tape, out);
                write(of, tape, out);
            }
            out.push(0);
        }
        Type::Union(branches) => {
            let branch = tape.below(branches.len());
            out.extend(long(branch as i64));
            write(&branches[branch], tape, out);
        }
        Type::Record(fields) => fields.iter().for_each(|of| write(of, tape, out)),
    }
}

fn plain(name: &str, tape: &mut Tape<'_>, out: &mut Vec<u8>) {
    match name {
        "null" => {}
        "boolean" => out.push(tape.next() & 1),
        "int" => out.extend(long(match tape.below(4) {
            0 => i64::from(i32::MIN),
            1 => i64::from(i32::MAX),
            2 => i64::from(tape.next()),
            _ => i64::from(i32::from_le_bytes(tape.bytes())),
        })),
        "long" => {
            let value = tape.integer();
            out.extend(long(value));
        }
        "float" => out.extend(match tape.below(6) {
            0 => f32::NAN.to_le_bytes(),
            1 => f32::INFINITY.to_le_bytes(),
            2 => (-0.0f32).to_le_bytes(),
            3 => [1, 0, 0, 0],
            _ => tape.bytes(),
        }),
        "double" => out.extend(match tape.below(6) {
            0 => (-f64::NAN).to_le_bytes(),
            1 => f64::NEG_INFINITY.to_le_bytes(),
            2 => (-0.0f64).to_le_bytes(),
            3 => f64::from(tape.next()).to_le_bytes(),
            _ => tape.bytes(),
        }),
        "bytes" => {
            let length = tape.below(6);
            out.extend(long(length as i64));
            out.extend((0..length).map(|_| tape.next()));
        }
        _ => text(tape, out),
    }
}

/// Texts that could be values of other types, and texts that need escaping.
fn text(tape: &mut Tape<'_>, out: &mut Vec<u8>) {
    const TEXTS: [&str; 14] = [
        "",
        "a",
        "map",
        "string",
        "NaN",
        "-inf",
        "S0",
        "12.34",
        "1970-01-01",
        "\"\\\u{0}\n",
        "ä\u{ff}",
        "\u{202e}✓",
        "2026-11-29T10:03:00.123Z",
        "00010203-0405-0607-0809-0a0b0c0d0e0f",
    ];
    let text = TEXTS[tape.below(TEXTS.len())];
    out.extend(long(text.len() as i64));
    out.extend(text.as_bytes());
}
