//! Turns failures into errors: byte offsets in the message, field names for steps, and counts for missing or
//! surplus values. Only messages that become dead letters reach this code.

use super::record::Failure;
use super::value::items;
use crate::plan::{Count, Layout, Plan};
use crate::wire::{Message, Problem, WireError};

const MAY_LACK_A_BYTE: &str = "if the topic has a byte, which SAL does not send, the schema does not tell it from an int, and here \
                               the number of values does not either: run saltransform with --interfaces";

/// The error for the layout that got furthest.
pub(super) fn error(plan: &Plan, message: &Message<'_>, failure: &Failure<'_>) -> WireError {
    let byte = message.input().len() - failure.fault.rest.len();
    let name = plan.names.get(usize::from(failure.field));
    let problem = plan
        .layouts
        .get(failure.layout)
        .and_then(|layout| counted(plan, layout, failure))
        .unwrap_or(failure.fault.problem);
    let error = WireError::new(problem, message.input(), byte, name.map(|name| &**name));
    // Errors are about the layouts with all ints.
    let (_, most) = plan.value_counts();
    let lacks_one = || problem == Problem::UnclearPriority || number_of_values(message) < most;
    if plan.may_have_bytes && lacks_one() {
        return error.with_hint(MAY_LACK_A_BYTE);
    }
    error
}

/// The number of values, assuming that strings end at the first quote.
fn number_of_values(message: &Message<'_>) -> u32 {
    let mut values = b" , ".to_vec();
    values.extend_from_slice(message.values());
    surplus(&values).unwrap_or(u32::MAX)
}

/// The number of items or values, if that is the problem.
fn counted(plan: &Plan, layout: &Layout, failure: &Failure<'_>) -> Option<Problem> {
    let rest = failure.fault.rest;
    if !matches!(
        failure.fault.problem,
        Problem::FieldSeparator | Problem::RecordEnd
    ) {
        return None;
    }
    let before = layout.ops.get(..failure.op).unwrap_or(&layout.ops);
    let read = before.iter().filter(|op| op.starts_value());
    if let [b',', b' ', ..] = rest {
        let array = before.iter().rfind(|op| op.act.is_read())?;
        let Count::Items(expected) = array.count else {
            return None;
        };
        let surplus = items(rest.get(2..).unwrap_or_default());
        return Some(Problem::ItemCount {
            expected,
            found: expected.saturating_add(surplus),
        });
    }
    let found = read.count() as u32 + if rest == b")" { 0 } else { surplus(rest)? };
    let (min, max) = plan.value_counts();
    (found < min || found > max).then_some(Problem::ValueCount { min, max, found })
}

/// The number of values after the last expected one, assuming that strings end at the first quote.
fn surplus(mut rest: &[u8]) -> Option<u32> {
    let mut values = 0;
    while let Some(value) = rest.strip_prefix(b" , ") {
        values += 1;
        let text = value.strip_prefix(b"'");
        let text_len = text.map_or(0, |text| {
            memchr::memchr(b'\'', text).map_or(value.len(), |len| len + 2)
        });
        let after = value.get(text_len..)?;
        rest = after.get(memchr::memmem::find(after, b" , ").unwrap_or(after.len())..)?;
    }
    (values > 0).then_some(values)
}
