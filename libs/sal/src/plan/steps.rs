//! The steps for single fields: those that read and write a value, and those that write a field without a
//! value. Part of the second step of compiling a plan; also collects the plan's enumerations and literals.

use super::error::PlanError;
use super::literal;
use super::op::{Act, Count, Enumeration, Lead, Op, Sign};
use super::schema::{Field, Scalar};
use crate::avro_binary as avro;

/// The largest number of fields and of steps in a plan.
pub(super) const MAX_NUMBERED: usize = u16::MAX as usize;

/// Steps for one field: a union's branch, the value or its replacement.
pub(super) type Steps = Vec<Op>;

pub(super) struct Maker<'r> {
    pub(super) record: &'r str,
    pub(super) enumerations: Vec<Enumeration>,
    pub(super) literals: Vec<u8>,
}

impl Maker<'_> {
    /// The steps that write a field without a value on the wire.
    pub(super) fn absent(&mut self, position: usize, field: &Field) -> Result<Steps, PlanError> {
        let bytes = literal::absent(field).ok_or_else(|| PlanError::NoDefault {
            record: self.record.to_owned(),
            field: field.name.clone(),
        })?;
        Ok(vec![made_op(position, self.literal(&bytes))])
    }

    fn literal(&mut self, bytes: &[u8]) -> Act {
        let start = self.literals.len() as u32;
        self.literals.extend_from_slice(bytes);
        Act::Literal {
            start,
            len: bytes.len() as u32,
        }
    }

    /// The steps that read a field's value and write it.
    pub(super) fn read(&mut self, position: usize, field: &Field) -> Result<Steps, PlanError> {
        let mut steps = Vec::new();
        let mut number = Vec::new();
        if let Some(union) = field.avro.union {
            avro::long(&mut number, i64::from(union.value));
            steps.push(made_op(position, self.literal(&number)));
        }
        let count = match field.avro.array {
            None => Count::Scalar,
            Some(None) => Count::Some,
            Some(Some(items)) => Count::Items(items),
        };
        let act = self.act(field);
        let op = |lead, count| Op {
            lead,
            field: position as u16,
            count,
            act,
        };
        match (act, count) {
            (Act::Text, Count::Items(items)) => {
                if items as usize > MAX_NUMBERED {
                    let record = self.record.to_owned();
                    return Err(PlanError::TooLarge {
                        record,
                        what: "strings in an array",
                        max: MAX_NUMBERED,
                    });
                }
                number.clear();
                avro::long(&mut number, i64::from(items));
                steps.push(made_op(position, self.literal(&number)));
                steps.extend(
                    (0..items)
                        .map(|item| op(if item == 0 { Lead::Field } else { Lead::Item }, Count::Scalar)),
                );
                if items > 0 {
                    steps.push(made_op(position, self.literal(&[0])));
                }
            }
            (Act::Text, Count::Some) => {
                let (record, found) = (
                    self.record.to_owned(),
                    "array of string without sal_count".to_owned(),
                );
                return Err(PlanError::Type {
                    record,
                    field: field.name.clone(),
                    found,
                });
            }
            // A char array is one quoted value, regardless of the number of items.
            (Act::Bytes, Count::Items(_) | Count::Some) => {
                steps.push(Op {
                    act: Act::Chars,
                    ..op(Lead::Field, Count::Scalar)
                });
            }
            (_, count) => steps.push(op(Lead::Field, count)),
        }
        Ok(steps)
    }

    fn act(&mut self, field: &Field) -> Act {
        let sign = match field.sal_type.as_deref() {
            Some("unsigned short") => Sign::Restored(16),
            // CORBA's unsigned long has 32 bits and is printed with %d.
            Some("unsigned int" | "unsigned long") => Sign::Restored(32),
            Some("unsigned long long") => Sign::Restored(64),
            _ => Sign::Kept,
        };
        match &field.avro.scalar {
            Scalar::Boolean => Act::Boolean,
            Scalar::Int => Act::Int(sign),
            Scalar::Long | Scalar::TimestampMillis => Act::Long(sign),
            Scalar::Float => Act::Float,
            Scalar::Double => Act::Double,
            Scalar::String => Act::Text,
            Scalar::Bytes => Act::Bytes,
            Scalar::Enum(symbols) => {
                let symbols = symbols
                    .iter()
                    .map(|(name, value)| (name.as_str().into(), *value))
                    .collect();
                self.enumerations.push(Enumeration { symbols });
                Act::Enum((self.enumerations.len() - 1) as u16)
            }
        }
    }
}

/// A step that reads nothing.
pub(super) fn made_op(field: usize, act: Act) -> Op {
    Op {
        lead: Lead::Nothing,
        field: field as u16,
        count: Count::Scalar,
        act,
    }
}
