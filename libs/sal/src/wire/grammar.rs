//! The grammar of SAL's values, as nom parsers: one per kind of scalar and one per separator.
//! Second step of the transform: encode's record reader drives them in the order that the topic's plan gives.

use nom::{IResult, Parser};

use super::error::{Fault, Problem};
use super::number::{self, Real};

/// What each parser gives: the rest of the input and a value, or a fault at its place.
pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, Fault<'a>>;

/// A recoverable failure at `rest`.
#[inline]
pub(crate) fn fail<T>(problem: Problem, rest: &[u8]) -> Parsed<'_, T> {
    Err(nom::Err::Error(Fault { problem, rest }))
}

/// Exactly `text`, or `problem`. As nom's `tag`, but comparing whole words of memory.
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

/// `'` at a string's start. Where a string ends, only the rest of the record tells: see encode's record reader.
#[inline]
pub(crate) fn opening_quote(input: &[u8]) -> Parsed<'_, ()> {
    exactly(b"'", Problem::OpeningQuote).parse(input)
}

/// `)` and then nothing.
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

/// The first items of an array of `%f` numbers, up to one that is the last or not of the usual shape: at most `most`,
/// handed to `write`. How many there are, and the text after the last one's separator; what is wrong, [`double`] says.
#[inline(always)]
pub(crate) fn usual_items<R: Real>(input: &[u8], most: u32, write: impl FnMut(R)) -> (u32, &[u8]) {
    number::reals(input, most, write)
}

/// A `%d` or `%ld` integer; no value when 64 bits cannot hold it.
#[inline]
pub(crate) fn integer(input: &[u8]) -> Parsed<'_, Option<i64>> {
    leaf(input, number::integer(input), Problem::Integer)
}

/// An enumeration's value: an integer, or a symbol, bare or in quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol<'a> {
    /// By value; none when 64 bits cannot hold it.
    Value(Option<i64>),
    /// By name.
    Name(&'a [u8]),
}

/// See [`Symbol`].
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
