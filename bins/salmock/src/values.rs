//! Plausible values: slow random walks around a centre suggested by the unit, enumerations in range, the message's own
//! time where an item holds a time; the same seed gives the same values.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};
use sal::name::TopicName;

use crate::timestamp::Timestamp;
use crate::topic_schema::{Form, Item, TopicShape};

/// One value; an array has several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    /// `boolean`
    Boolean(bool),
    /// Every integer type; fits in 16 bits.
    Integer(i64),
    /// `float`, with three decimals: it is unchanged by printing with six.
    Float(f32),
    /// `double`, likewise.
    Double(f64),
    /// `string`
    Text(&'static str),
    /// One byte of a `char` or `char[N]`.
    Byte(u8),
    /// The index of an enumeration's symbol, and its integer on the wire.
    Symbol(u32, i64),
}

/// Texts as control systems write them, including those that are difficult because SAL does not escape
/// strings.
const TEXTS: [&str; 8] = [
    "nominal",
    "STANDBY",
    "",
    "moving to target",
    "can't reach host, retry (3)",
    "r, 0.62 micron",
    "wait_time: 5\nname: O'Brien, \"x\" (y)",
    "v1.4.2",
];

/// The values of one topic, message after message.
#[derive(Debug)]
pub struct Values {
    random: Xoshiro256PlusPlus,
    items: Vec<(Item, Vec<Scalar>)>,
}

impl Values {
    /// The same `seed` gives the same values for a topic, regardless of the other topics.
    pub fn new(shape: &TopicShape, seed: u64) -> Values {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ hash(&shape.name));
        let start = |item: &Item| {
            let count = item.count.unwrap_or(1);
            (
                item.clone(),
                (0..count).map(|_| first(item, &mut random)).collect(),
            )
        };
        let items = shape.items.iter().map(start).collect();
        Values { random, items }
    }

    /// The values of the next message, which is sent at `timestamp`: one slice per item, in the shape's order.
    pub fn advance(&mut self, timestamp: &Timestamp) -> impl Iterator<Item = (&Item, &[Scalar])> {
        for (item, values) in &mut self.items {
            match time(&item.form, timestamp) {
                Some(time) => values.fill(Scalar::Double(time)),
                None => {
                    for value in values {
                        *value = step(item, *value, &mut self.random);
                    }
                }
            }
        }
        self.items.iter().map(|(item, values)| (item, values.as_slice()))
    }
}

/// The time in an item that holds one; `None` for others.
fn time(form: &Form, timestamp: &Timestamp) -> Option<f64> {
    match form {
        Form::TaiSeconds => Some(timestamp.tai_seconds()),
        Form::UtcSeconds => Some(timestamp.utc_seconds()),
        Form::Mjd => Some(rounded_to(timestamp.mjd(), 1e6)),
        _ => None,
    }
}

/// The centre of a walk and its reach.
fn range(unit: &str) -> (f64, f64) {
    let unit = unit.to_ascii_lowercase();
    match unit.as_str() {
        "celsius" | "degree celsius" | "deg_c" | "degc" | "degreescelsius" => (12.0, 6.0),
        "volt" | "volts" | "v" => (24.0, 1.0),
        "ampere" | "amp" | "a" => (2.0, 1.0),
        "pascal" | "pa" => (75_000.0, 300.0),
        "bar" => (6.0, 0.5),
        "percent" | "%" => (40.0, 20.0),
        "degree" | "degrees" | "deg" => (45.0, 40.0),
        "newton" | "n" => (0.0, 500.0),
        _ => (0.0, 100.0),
    }
}

fn first(item: &Item, random: &mut Xoshiro256PlusPlus) -> Scalar {
    let (centre, reach) = range(&item.unit);
    let spread = random.random_range(-0.5..0.5) * reach;
    match &item.form {
        Form::Boolean => Scalar::Boolean(random.random()),
        Form::Integer => Scalar::Integer(random.random_range(0..1000)),
        Form::Float => Scalar::Float(rounded(centre + spread) as f32),
        Form::Double => Scalar::Double(rounded(centre + spread)),
        Form::TaiSeconds | Form::UtcSeconds | Form::Mjd => Scalar::Double(0.0),
        Form::Text => text(random),
        Form::Bytes => Scalar::Byte(random.random_range(b'A'..=b'Z')),
        Form::Enumeration(values) => symbol(values, random),
    }
}

/// Numbers move by at most a hundredth of their reach and are pulled towards their centre; other values
/// change now and then.
fn step(item: &Item, value: Scalar, random: &mut Xoshiro256PlusPlus) -> Scalar {
    let (centre, reach) = range(&item.unit);
    let mut walk = |at: f64| rounded(at + random.random_range(-0.01..0.01) * reach - (at - centre) * 0.001);
    match (value, &item.form) {
        (Scalar::Float(at), _) => return Scalar::Float(walk(at.into()) as f32),
        (Scalar::Double(at), _) => return Scalar::Double(walk(at)),
        (Scalar::Integer(at), _) => {
            return Scalar::Integer((at + random.random_range(-1..=1)).clamp(0, 30_000));
        }
        _ => {}
    }
    if random.random_range(0..20) > 0 {
        return value;
    }
    match &item.form {
        Form::Boolean => Scalar::Boolean(random.random()),
        Form::Text => text(random),
        Form::Enumeration(values) => symbol(values, random),
        _ => value,
    }
}

fn text(random: &mut Xoshiro256PlusPlus) -> Scalar {
    let position = random.random_range(0..TEXTS.len());
    Scalar::Text(TEXTS.get(position).copied().unwrap_or_default())
}

fn symbol(values: &[i64], random: &mut Xoshiro256PlusPlus) -> Scalar {
    let position = random.random_range(0..values.len().max(1));
    Scalar::Symbol(
        u32::try_from(position).unwrap_or_default(),
        values.get(position).copied().unwrap_or(1),
    )
}

fn rounded(value: f64) -> f64 {
    rounded_to(value, 1e3)
}

fn rounded_to(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

/// FNV-1a: the hash of a topic's name, the same on every machine.
fn hash(name: &TopicName) -> u64 {
    name.as_str().bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"type":"record","namespace":"lsst.sal","name":"NAME","fields":[
        {"name":"kafka_timestamp","type":"long"},
        {"name":"t","type":{"type":"array","items":"double","sal_count":2},"sal_units":"Celsius"},
        {"name":"f","type":"float","sal_units":"Pascal"},{"name":"i","type":"int"},
        {"name":"e","type":{"type":"enum","name":"e","symbols":["A","B"],"sal_values":[3,9]}},
        {"name":"s","type":"string"},{"name":"b","type":"boolean"}]}"#;

    fn values(name: &str, seed: u64) -> Values {
        Values::new(
            &TopicShape::read(&SCHEMA.replace("NAME", name), "t").unwrap(),
            seed,
        )
    }

    fn at_second(second: usize) -> Timestamp {
        Timestamp {
            utc_micros: 1_758_000_000_123_457 + 1_000_000 * second as i64,
            sequence: 1,
            scale: sal::time::TimeScale::Utc,
        }
    }

    fn run(values: &mut Values, messages: usize) -> Vec<Vec<Scalar>> {
        (0..messages)
            .map(|at| {
                values
                    .advance(&at_second(at))
                    .flat_map(|(_, values)| values.to_vec())
                    .collect()
            })
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_values() {
        let first = run(&mut values("Test_a", 1), 50);
        assert_eq!(first, run(&mut values("Test_a", 1), 50));
        assert_ne!(first, run(&mut values("Test_a", 2), 50));
        assert_ne!(first, run(&mut values("Test_b", 1), 50));
    }

    #[test]
    fn values_walk_slowly_and_stay_in_range() {
        let run = run(&mut values("Test_a", 7), 5000);
        let mut previous: Option<f64> = None;
        let mut symbols = [0, 0];
        for message in run {
            let [
                Scalar::Double(t),
                Scalar::Double(_),
                Scalar::Float(f),
                Scalar::Integer(i),
                Scalar::Symbol(p, e),
                ..,
            ] = message[..]
            else {
                panic!("{message:?}")
            };
            assert!((-10.0..35.0).contains(&t), "{t}");
            assert!((70_000.0..80_000.0).contains(&f), "{f}");
            assert!((0..=30_000).contains(&i), "{i}");
            assert_eq!(e, [3, 9][p as usize]);
            symbols[p as usize] += 1;
            assert!(
                previous.is_none_or(|previous| (t - previous).abs() < 0.1),
                "{previous:?} {t}"
            );
            previous = Some(t);
        }
        assert!(symbols[0] > 0 && symbols[1] > 0);
    }

    /// With names and units as the interface files have them.
    #[test]
    fn items_that_hold_a_time_hold_the_messages_own() {
        let field = |name: &str, unit: &str, of: &str, doc: &str| {
            format!(r#",{{"name":"{name}","type":{of},"sal_units":"{unit}","doc":"{doc}"}}"#)
        };
        let double = r#""double""#;
        let fields = [
            field("cRIO_timestamp", "second", double, "Time for the first sample"),
            field("timestamp", "Seconds", double, ""),
            field(
                "actualPositionTimestamp",
                "second",
                r#"{"type":"array","items":"double","sal_count":2}"#,
                "",
            ),
            field("taiTime", "second", double, ""),
            field(
                "currentTime",
                "second",
                double,
                "UTC timestamp when the estimation was done (seconds).",
            ),
            field("requestMjd", "day", double, ""),
            field("exposureTime", "second", double, "The requested exposure time"),
            field("watchdogTimestampOffset", "ms", double, ""),
        ]
        .concat();
        let schema = format!(
            r#"{{"type":"record","namespace":"lsst.sal","name":"Test_a","fields":[
            {{"name":"kafka_timestamp","type":"long"}}{fields}]}}"#
        );
        let mut values = Values::new(&TopicShape::read(&schema, "t").unwrap(), 1);
        let run = run(&mut values, 3);
        for (second, message) in run.iter().enumerate() {
            let tai = Scalar::Double(1_758_000_037.123_457 + second as f64);
            assert_eq!(message[..5], [tai; 5], "{message:?}");
            assert_eq!(message[5], Scalar::Double(1_758_000_000.123_457 + second as f64));
            let Scalar::Double(mjd) = message[6] else {
                panic!("{message:?}")
            };
            assert!((60_934.0..60_935.0).contains(&mjd), "{mjd}");
            for other in &message[7..] {
                assert!(
                    matches!(other, Scalar::Double(value) if value.abs() < 1e3),
                    "{other:?}"
                );
            }
        }
    }

    #[test]
    fn numbers_survive_six_decimals() {
        for message in run(&mut values("Test_a", 3), 500) {
            for value in message {
                match value {
                    Scalar::Double(value) => assert_eq!(format!("{value:.6}").parse(), Ok(value)),
                    Scalar::Float(value) => assert_eq!(format!("{:.6}", f64::from(value)).parse(), Ok(value)),
                    _ => {}
                }
            }
        }
    }
}
