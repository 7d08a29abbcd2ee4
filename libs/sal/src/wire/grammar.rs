//! The grammar of SAL's values as nom parsers: one per kind of scalar and one per separator. encode's record
//! reader calls them in the order of the topic's plan.

use nom::{IResult, Parser};

use super::error::{Fault, Problem};
use super::number::{self, Real};

/// The result of a parser: the rest of the input and a value, or a fault and its place.
pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, Fault<'a>>;

/// A recoverable failure at `rest`.
#[inline]
pub(crate) fn fail<T>(problem: Problem, rest: &[u8]) -> Parsed<'_, T> {
    Err(nom::Err::Error(Fault { problem, rest }))
}

/// Exactly `text`, or `problem`. Like nom's `tag`, but compares whole words of memory.
#[inline(always)]
fn exactly<'a, const N: usize>(
    text: &'static [u8; N],
    problem: Problem,
) -> impl Parser<&'a [u8], Output = (), Error = Fault<'a>> {
    move |input: &'a [u8]| match input.split_first_chunk::<N>() {
        Some((head, rest)) if head == text => Ok((rest, ())),
        _ => fail(problem, input),
    }
}

/// ` , ` between two fields.
#[inline(always)]
pub(crate) fn field_separator(input: &[u8]) -> Parsed<'_, ()> {
    exactly(b" , ", Problem::FieldSeparator).parse(input)
}

/// `, ` between two items of an array.
#[inline(always)]
pub(crate) fn item_separator(input: &[u8]) -> Parsed<'_, ()> {
    exactly(b", ", Problem::ItemSeparator).parse(input)
}

/// `'` at the start of a string. Its end depends on the rest of the record: see `encode/string_end.rs`.
#[inline]
pub(crate) fn opening_quote(input: &[u8]) -> Parsed<'_, ()> {
    exactly(b"'", Problem::OpeningQuote).parse(input)
}

/// `)`, followed by nothing.
pub(crate) fn record_end(input: &[u8]) -> Parsed<'_, ()> {
    let (rest, ()) = exactly(b")", Problem::RecordEnd).parse(input)?;
    if rest.is_empty() {
        Ok((rest, ()))
    } else {
        fail(Problem::MessageEnd, rest)
    }
}

/// A `%f` number as the nearest `double`, with the sign of zero; `nan`, `inf`, `-inf`.
#[inline(always)]
pub(crate) fn double(input: &[u8]) -> Parsed<'_, f64> {
    leaf(input, number::real(input), Problem::Number)
}

/// A `%f` number as the nearest `float`.
#[inline(always)]
pub(crate) fn float(input: &[u8]) -> Parsed<'_, f32> {
    leaf(input, number::real(input), Problem::Number)
}

/// The first items of an array of `%f` numbers, at most `max_items`, handed to `write`; stops before the last item
/// and before any item of an unusual shape. Returns their number and the text after the last separator.
/// [`double`] reports what is wrong with the rest.
#[inline(always)]
pub(crate) fn usual_items<R: Real>(input: &[u8], max_items: u32, write: impl FnMut(R)) -> (u32, &[u8]) {
    number::reals(input, max_items, write)
}

/// A `%d` or `%ld` integer; `None` if 64 bits cannot hold it.
#[inline]
pub(crate) fn integer(input: &[u8]) -> Parsed<'_, Option<i64>> {
    leaf(input, number::integer(input), Problem::Integer)
}

/// An enumeration's value: an integer, or a symbol with or without quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol<'a> {
    /// By value; `None` if 64 bits cannot hold it.
    Value(Option<i64>),
    /// By name.
    Name(&'a [u8]),
}

/// Parses a [`Symbol`].
pub(crate) fn symbol(input: &[u8]) -> Parsed<'_, Symbol<'_>> {
    if let Some((value, len)) = number::integer(input) {
        return leaf(input, Some((Symbol::Value(value), len)), Problem::Symbol);
    }
    let quoted = input.first() == Some(&b'\'');
    let name_at = input.get(usize::from(quoted)..).unwrap_or_default();
    let len = name_at
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
        .count();
    let (name, rest) = name_at.split_at_checked(len).unwrap_or_default();
    match (quoted, rest) {
        _ if name.is_empty() => fail(Problem::Symbol, input),
        (false, _) => Ok((rest, Symbol::Name(name))),
        (true, [b'\'', rest @ ..]) => Ok((rest, Symbol::Name(name))),
        (true, _) => fail(Problem::Symbol, input),
    }
}

#[inline(always)]
fn leaf<T>(input: &[u8], read: Option<(T, usize)>, problem: Problem) -> Parsed<'_, T> {
    match read.and_then(|(value, len)| Some((input.get(len..)?, value))) {
        Some(parsed) => Ok(parsed),
        None => fail(problem, input),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_exact() {
        assert_eq!(field_separator(b" , 1"), Ok((&b"1"[..], ())));
        assert_eq!(item_separator(b", 1"), Ok((&b"1"[..], ())));
        assert_eq!(opening_quote(b"''"), Ok((&b"'"[..], ())));
        assert_eq!(record_end(b")"), Ok((&b""[..], ())));
        for (input, problem) in [
            (&b",1"[..], Problem::FieldSeparator),
            (b" ,1", Problem::FieldSeparator),
        ] {
            assert_eq!(field_separator(input), fail(problem, input));
        }
        assert_eq!(item_separator(b" , 1"), fail(Problem::ItemSeparator, b" , 1"));
        assert_eq!(record_end(b" )"), fail(Problem::RecordEnd, b" )"));
        assert_eq!(record_end(b")\n"), fail(Problem::MessageEnd, b"\n"));
    }

    #[test]
    fn scalars_stop_where_they_end() {
        assert_eq!(double(b"22.500000, 1"), Ok((&b", 1"[..], 22.5)));
        assert_eq!(float(b"-0.250000)"), Ok((&b")"[..], -0.25)));
        assert_eq!(integer(b"42 , 1"), Ok((&b" , 1"[..], Some(42))));
        assert_eq!(integer(b"4.5"), Ok((&b".5"[..], Some(4))));
        assert_eq!(integer(b"'4'"), fail(Problem::Integer, b"'4'"));
    }

    #[test]
    fn an_enumeration_comes_as_value_or_as_symbol() {
        assert_eq!(symbol(b"3)"), Ok((&b")"[..], Symbol::Value(Some(3)))));
        assert_eq!(symbol(b"Running)"), Ok((&b")"[..], Symbol::Name(b"Running"))));
        assert_eq!(
            symbol(b"'Running' , 1"),
            Ok((&b" , 1"[..], Symbol::Name(b"Running")))
        );
        for input in [&b""[..], b"''", b"'Running", b"(", b"'a b'"] {
            assert_eq!(symbol(input), fail(Problem::Symbol, input));
        }
    }
}
