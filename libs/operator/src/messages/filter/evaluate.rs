//! Whether a filter holds for a message.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::{Comparison, Expression, Filter, Literal, Operator, Root, Step, Test};
use crate::messages::decode::Decoded;
use crate::messages::message::{Message, shown};

impl Filter {
    /// Whether it holds.
    pub fn holds(&self, message: &Message, decoded: &Decoded) -> bool {
        self.0.holds(message, decoded)
    }
}

impl Expression {
    fn holds(&self, message: &Message, decoded: &Decoded) -> bool {
        match self {
            Self::Any(inner) => inner.iter().any(|inner| inner.holds(message, decoded)),
            Self::All(inner) => inner.iter().all(|inner| inner.holds(message, decoded)),
            Self::Not(inner) => !inner.holds(message, decoded),
            Self::Holds(comparison) => comparison.holds(message, decoded),
        }
    }
}

impl Comparison {
    fn holds(&self, message: &Message, decoded: &Decoded) -> bool {
        let of_message = match self.root {
            Root::Value => return self.holds_at(walk(&decoded.value, &self.steps)),
            Root::Headers => {
                let Some((Step::Name(name), steps)) = self.steps.split_first() else {
                    return self.holds_at(None);
                };
                let value = message.header(name).map(shown).unwrap_or_default();
                return self.holds_at(walk(&value, steps));
            }
            Root::Key => decoded.key_json(message),
            Root::Topic => Value::from(message.topic.as_str()),
            Root::Partition => message.partition.into(),
            Root::Offset => message.offset.into(),
            Root::Timestamp => message.timestamp.into(),
        };
        self.holds_at(walk(&of_message, &self.steps))
    }

    fn holds_at(&self, found: Option<&Value>) -> bool {
        let found = found.unwrap_or(&Value::Null);
        match &self.test {
            Test::Matches(regex) => found.as_str().is_some_and(|text| regex.is_match(text)),
            Test::Is(Operator::Equal, literal) => compare(found, literal) == Some(Ordering::Equal),
            Test::Is(Operator::Unequal, literal) => compare(found, literal) != Some(Ordering::Equal),
            Test::Is(operator, literal) => {
                let ordered = matches!(
                    literal,
                    Literal::Integer(_) | Literal::Number(_) | Literal::Text(_)
                );
                let ordering = compare(found, literal).filter(|_| ordered);
                match operator {
                    Operator::Less => ordering.is_some_and(Ordering::is_lt),
                    Operator::AtMost => ordering.is_some_and(Ordering::is_le),
                    Operator::More => ordering.is_some_and(Ordering::is_gt),
                    _ => ordering.is_some_and(Ordering::is_ge),
                }
            }
        }
    }
}

fn walk<'v>(value: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Name(name) => value.get(name),
        Step::Index(index) => value.get(index),
    })
}

/// None between different kinds.
fn compare(found: &Value, literal: &Literal) -> Option<Ordering> {
    match (found, literal) {
        (Value::Null, Literal::Null) => Some(Ordering::Equal),
        (Value::Bool(found), Literal::Boolean(wanted)) => Some(found.cmp(wanted)),
        (Value::String(found), Literal::Text(wanted)) => Some(found.as_str().cmp(wanted)),
        (Value::Number(found), Literal::Integer(wanted)) => match whole(found) {
            Some(found) => Some(found.cmp(wanted)),
            None => compare_exactly(found.as_f64()?, *wanted),
        },
        (Value::Number(found), Literal::Number(wanted)) => match whole(found) {
            Some(found) => compare_exactly(*wanted, found).map(Ordering::reverse),
            None => found.as_f64()?.partial_cmp(wanted),
        },
        _ => None,
    }
}

fn whole(number: &Number) -> Option<i128> {
    let signed = number.as_i64().map(i128::from);
    signed.or_else(|| number.as_u64().map(i128::from))
}

/// A float against a whole number, without rounding the latter to a float. Floats beyond 128 bits saturate, which is beyond
/// every whole number that a message can have.
fn compare_exactly(float: f64, whole: i128) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    let floor = float.floor();
    Some((floor as i128).cmp(&whole).then(match float > floor {
        true => Ordering::Greater,
        false => Ordering::Equal,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::decode::Form;
    use serde_json::json;

    #[test]
    fn filters_hold() {
        let message = Message {
            topic: "t".to_owned(),
            partition: 2,
            offset: 7,
            timestamp: Some(86_400_000),
            key: Some(b"M1M3".to_vec()),
            value: None,
            headers: Some(vec![("replayed-from".to_owned(), Some(b"d".to_vec()))]),
        };
        let decoded = Decoded {
            form: Form::Avro,
            value: json!({"x": 1.5, "n": 3, "big": u64::MAX, "id": 9_007_199_254_740_993_i64, "least": i64::MIN,
                "float": 9_007_199_254_740_992.0_f64, "s": "Fault", "a": [1, {"b c": null}], "yes": true, "key": 1}),
            problem: None,
            key: None,
            key_problem: None,
        };
        for (text, holds) in [
            ("x > 1", true),
            ("x >= 1.5 and x <= 1.5 and not x < 1.5", true),
            ("n == 3 and n == 3.0", true),
            ("n != 3 or big > 5", true),
            ("s =~ '^F.*t$'", true),
            ("s == \"Fault\" and s < 'G'", true),
            ("s > 5 or s < 5 or s == 5", false),
            ("s != 5", true),
            ("a[0] == 1 and a[1]['b c'] == null", true),
            ("a[9] == null and missing.far[0] == null", true),
            ("missing != 5", true),
            ("missing < 5 or missing > 5 or missing =~ ''", false),
            ("yes == true", true),
            ("yes < true", false),
            ("key == 'M1M3' and value.key == 1", true),
            ("topic == 't' and partition == 2 and offset >= 7", true),
            ("timestamp < '1970-01-03' and timestamp >= '1970-01-02'", true),
            ("headers['replayed-from'] == 'd' and headers.other == null", true),
            ("n == 1 or n == 2 and n == 3", false),
            ("(n == 1 or n == 3) and n == 3", true),
            ("not not n == 3", true),
            ("x > 1 && n == 3 || n == 4", true),
            ("!(n == 3) || n != 3", false),
            ("!s.matches('^F')", false),
            ("s.startsWith('Fa') && s.endsWith('lt') && s.contains('ul')", true),
            ("s.startsWith('a') or s.endsWith('.') or s.contains('.')", false),
            ("n.contains('3') or missing.contains('')", false),
            ("record.value.s == 'Fault' && record.key == 'M1M3'", true),
            ("record.offset >= 7 && record.timestampMs >= 86400000", true),
            ("record.headers['replayed-from'].startsWith('d')", true),
            ("record.other == null && timestampMs == null", true),
            ("not (n == 3)", false),
            (
                "big == 18446744073709551615 and big != 18446744073709551614",
                true,
            ),
            ("big > 9223372036854775807 and big < 18446744073709551616", true),
            (
                "id == 9007199254740993 and id != 9007199254740992 and id != 9007199254740994",
                true,
            ),
            ("id == 9007199254740993.0 and id > 9007199254740992.0", true),
            ("id > 9007199254740992.5 and id < 9.1e15", true),
            (
                "least == -9223372036854775808 and least < -9223372036854775807",
                true,
            ),
            ("float == 9007199254740992 and float < 9007199254740993", true),
            ("x > 1 and x < 2 and x != 1", true),
        ] {
            let filter: Filter = text.parse().unwrap();
            assert_eq!(filter.holds(&message, &decoded), holds, "{text}");
        }
    }
}
