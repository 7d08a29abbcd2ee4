//! Which fields of a filter no message has: most likely misspelt, as a field that is missing compares to nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Comparison, Expression, Filter, Literal, Root, Step, Test};
use crate::failure::nearest;
use crate::messages::decode::Decoded;

/// No more names are kept: they are for suggestions only, and come from outside.
const MAX_NAMES: usize = 1_000;

/// The fields of decoded values that a filter compares, as long as no value has them.
#[derive(Debug, Clone, Default)]
pub struct AbsentFields {
    fields: Vec<Field>,
    /// Whether it has looked at any value.
    looked: bool,
}

#[derive(Debug, Clone)]
struct Field {
    steps: Vec<Step>,
    /// The names that there are where the field was looked for.
    names: BTreeSet<String>,
}

impl Filter {
    /// Its fields, without those that are compared with null: such a comparison is about their absence.
    pub fn fields(&self) -> AbsentFields {
        let mut fields = Vec::new();
        collect(&self.0, &mut fields);
        AbsentFields {
            fields,
            looked: false,
        }
    }
}

impl AbsentFields {
    /// Looks for them in a value.
    pub fn look(&mut self, decoded: &Decoded) {
        self.looked = true;
        self.fields.retain_mut(|field| !field.is_in(&decoded.value));
    }

    /// A sentence for each field that no value had; none before the first value.
    pub fn sentences(&self) -> Vec<String> {
        let fields = self.fields.iter().filter(|_| self.looked);
        fields
            .map(|field| {
                let path = path(&field.steps);
                let last = match field.steps.last() {
                    Some(Step::Name(name)) => name.as_str(),
                    _ => "",
                };
                let near = nearest(last, field.names.iter().map(String::as_str));
                match near.is_empty() {
                    true => format!("no message that was read has the field {path}"),
                    false => format!(
                        "no message that was read has the field {path}; did you mean {}?",
                        near.join(", ")
                    ),
                }
            })
            .collect()
    }
}

impl Field {
    fn is_in(&mut self, value: &Value) -> bool {
        let (mut value, last) = (value, self.steps.len().saturating_sub(1));
        for (index, step) in self.steps.iter().enumerate() {
            let found = match step {
                Step::Name(name) => value.get(name),
                Step::Index(index) => value.get(index),
            };
            let Some(found) = found else {
                if let (Value::Object(fields), Step::Name(_)) = (value, step)
                    && index == last
                    && self.names.len() < MAX_NAMES
                {
                    self.names.extend(fields.keys().cloned());
                }
                return false;
            };
            value = found;
        }
        true
    }
}

fn collect(expression: &Expression, fields: &mut Vec<Field>) {
    match expression {
        Expression::Any(inner) | Expression::All(inner) => {
            inner.iter().for_each(|inner| collect(inner, fields))
        }
        Expression::Not(inner) => collect(inner, fields),
        Expression::Holds(Comparison {
            test: Test::Is(_, Literal::Null),
            ..
        }) => {}
        Expression::Holds(Comparison {
            root: Root::Value,
            steps,
            ..
        }) => fields.push(Field {
            steps: steps.clone(),
            names: BTreeSet::new(),
        }),
        Expression::Holds(_) => {}
    }
}

/// As a filter spells it.
fn path(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Name(name) if path.is_empty() => path.push_str(name),
            Step::Name(name) => path.extend([".", name]),
            Step::Index(index) => path.extend(["[", &index.to_string(), "]"]),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::messages::decode::Form;

    fn absent(filter: &str) -> Vec<String> {
        let mut fields = filter.parse::<Filter>().unwrap().fields();
        for value in [
            json!({"float0": 1, "a": [1, 2]}),
            json!({"float0": 1, "inner": {"x": 1}}),
        ] {
            fields.look(&Decoded::new(Form::Avro, value));
        }
        fields.sentences()
    }

    #[test]
    fn only_fields_that_no_value_has_are_absent() {
        assert!(absent("float0 > 0.5 and inner.x == 2 or a[1] == 3 and key == 'x'").is_empty());
        assert_eq!(
            absent("flaot0 > 0.5"),
            ["no message that was read has the field flaot0; did you mean float0?"]
        );
        assert_eq!(
            absent("not (inner.zzz == 1 or a[9] == 1)"),
            [
                "no message that was read has the field inner.zzz",
                "no message that was read has the field a[9]"
            ]
        );
        assert!(absent("flaot0 == null or flaot0 != null").is_empty());
    }

    #[test]
    fn nothing_is_absent_before_there_is_a_message() {
        assert!("x > 1".parse::<Filter>().unwrap().fields().sentences().is_empty());
    }
}
