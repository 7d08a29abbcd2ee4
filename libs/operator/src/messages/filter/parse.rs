//! The filter's grammar, as nom parsers. What was expected at the farthest place is the error.

use std::str::FromStr;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{char, multispace0};
use nom::combinator::{cut, map, value};
use nom::error::ErrorKind;
use nom::multi::{fold_many0, many0, many0_count};
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};
use regex::Regex;
use stage::config::parse_timestamp;

use super::{Comparison, Expression, Filter, FilterError, Literal, Operator, Root, Step, Test};

/// Parentheses within each other: more are a mistake, and would end the stack.
const MAX_DEPTH: usize = 50;

/// What was expected, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault<'a> {
    expected: String,
    rest: &'a str,
}

type Parsed<'a, T> = IResult<&'a str, T, Fault<'a>>;

impl<'a> nom::error::ParseError<&'a str> for Fault<'a> {
    fn from_error_kind(rest: &'a str, _: ErrorKind) -> Self {
        Self {
            expected: "a filter".to_owned(),
            rest,
        }
    }

    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let fault = match preceded(multispace0, any(0)).parse(text) {
            Ok(("", expression)) => return Ok(Self(expression)),
            Ok((rest, _)) => Fault {
                expected: "and, or, or the end".to_owned(),
                rest,
            },
            Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => fault,
            Err(nom::Err::Incomplete(_)) => Fault {
                expected: "more".to_owned(),
                rest: "",
            },
        };
        let before = text.len().saturating_sub(fault.rest.len());
        Err(FilterError {
            at: text.get(..before).unwrap_or_default().chars().count() + 1,
            expected: fault.expected,
            found: match fault.rest.split_whitespace().next() {
                Some(word) => format!("`{word}`"),
                None => "the end".to_owned(),
            },
            text: text.to_owned(),
        })
    }
}

fn fail<T>(expected: impl Into<String>, rest: &str) -> Parsed<'_, T> {
    Err(nom::Err::Error(Fault {
        expected: expected.into(),
        rest,
    }))
}

/// `parser`, or that it was expected here; and the space behind it.
fn token<'a, T>(
    expected: &'static str,
    mut parser: impl Parser<&'a str, Output = T, Error = Fault<'a>>,
) -> impl FnMut(&'a str) -> Parsed<'a, T> {
    move |input| match parser.parse(input) {
        Ok((rest, value)) => Ok((rest.trim_start(), value)),
        Err(nom::Err::Error(_)) => fail(expected, input),
        Err(other) => Err(other),
    }
}

/// A whole word.
fn word<'a>(wanted: &'static str) -> impl FnMut(&'a str) -> Parsed<'a, ()> {
    move |input| match name(input) {
        Ok((rest, found)) if found == wanted => Ok((rest.trim_start(), ())),
        _ => fail(wanted, input),
    }
}

/// A word, or what CEL has for it.
fn word_or_symbol<'a>(wanted: &'static str, symbol: &'static str) -> impl FnMut(&'a str) -> Parsed<'a, ()> {
    move |input| match input.strip_prefix(symbol) {
        Some(rest) if !rest.starts_with('=') => Ok((rest.trim_start(), ())),
        _ => word(wanted)(input),
    }
}

fn any<'a>(depth: usize) -> impl FnMut(&'a str) -> Parsed<'a, Expression> {
    move |input| {
        let (rest, first) = all(depth)(input)?;
        let more = preceded(word_or_symbol("or", "||"), cut(all(depth)));
        map(
            fold_many0(more, move || vec![first.clone()], pushed),
            |mut found| match (found.pop(), found.is_empty()) {
                (Some(only), true) => only,
                (last, _) => Expression::Any(found.into_iter().chain(last).collect()),
            },
        )
        .parse(rest)
    }
}

fn all<'a>(depth: usize) -> impl FnMut(&'a str) -> Parsed<'a, Expression> {
    move |input| {
        let (rest, first) = one(depth)(input)?;
        let more = preceded(word_or_symbol("and", "&&"), cut(one(depth)));
        map(
            fold_many0(more, move || vec![first.clone()], pushed),
            |mut found| match (found.pop(), found.is_empty()) {
                (Some(only), true) => only,
                (last, _) => Expression::All(found.into_iter().chain(last).collect()),
            },
        )
        .parse(rest)
    }
}

fn pushed(mut found: Vec<Expression>, next: Expression) -> Vec<Expression> {
    found.push(next);
    found
}

fn one<'a>(depth: usize) -> impl FnMut(&'a str) -> Parsed<'a, Expression> {
    move |input| {
        let (rest, nots) = many0_count(word_or_symbol("not", "!")).parse(input)?;
        let (rest, inner) = match char::<_, Fault<'_>>('(').parse(rest) {
            Ok((rest, _)) if depth < MAX_DEPTH => {
                let mut closed = token("`)`, and or or", char(')'));
                let (rest, inner) = cut(any(depth + 1)).parse(rest.trim_start())?;
                let (rest, _) = cut(&mut closed).parse(rest)?;
                (rest, inner)
            }
            Ok(_) => {
                return Err(nom::Err::Failure(Fault {
                    expected: format!("no more than {MAX_DEPTH} parentheses within each other"),
                    rest,
                }));
            }
            Err(_) => map(comparison, Expression::Holds).parse(rest)?,
        };
        Ok((
            rest,
            match nots % 2 {
                1 => Expression::Not(Box::new(inner)),
                _ => inner,
            },
        ))
    }
}

fn comparison(input: &str) -> Parsed<'_, Comparison> {
    let (rest, first) = token("a field, not or `(`", name).parse(input)?;
    let (rest, mut steps) = many0(step).parse(rest)?;
    let root = match (first, steps.first()) {
        // `record.key`, as Kafbat's filters have it.
        ("record", Some(Step::Name(name))) if root_of(name).is_some() => {
            let root = root_of(name).unwrap_or(Root::Value);
            steps.remove(0);
            root
        }
        _ => root_of(first)
            .filter(|_| first != "timestampMs")
            .unwrap_or_else(|| {
                steps.insert(0, Step::Name(first.to_owned()));
                Root::Value
            }),
    };
    if let Some(called) = rest.strip_prefix('(')
        && let Some(pattern) = pattern_of(&steps)
    {
        steps.pop();
        let argument = called.trim_start();
        let (rest, text) = cut(token("a 'text' in quotes", quoted)).parse(argument)?;
        let (rest, _) = cut(token("`)`", char(')'))).parse(rest)?;
        let test = Test::Matches(regex(&pattern(text), argument)?);
        return Ok((rest, Comparison { root, steps, test }));
    }
    let (rest, operator) = cut(token("== != < <= > >= or =~", operator)).parse(rest)?;
    let (rest_after, literal) = cut(token(
        "a number, a 'text' in quotes, true, false or null",
        literal,
    ))
    .parse(rest)?;
    let wrong = |expected: String| Err(nom::Err::Failure(Fault { expected, rest }));
    let test = match (operator, literal) {
        (None, Literal::Text(pattern)) => Test::Matches(regex(&pattern, rest)?),
        (None, _) => return wrong("a regular expression in quotes".to_owned()),
        (Some(operator), Literal::Text(text)) if root == Root::Timestamp => match parse_timestamp(&text) {
            Ok(moment) => Test::Is(operator, Literal::Integer(moment.0.into())),
            Err(error) => return wrong(error.trim_start_matches("expected ").to_owned()),
        },
        (Some(operator), literal) => Test::Is(operator, literal),
    };
    Ok((rest_after, Comparison { root, steps, test }))
}

/// What of the message a name means; none for a field of the value.
fn root_of(name: &str) -> Option<Root> {
    Some(match name {
        "key" => Root::Key,
        "topic" => Root::Topic,
        "partition" => Root::Partition,
        "offset" => Root::Offset,
        "timestamp" | "timestampMs" => Root::Timestamp,
        "headers" => Root::Headers,
        "value" => Root::Value,
        _ => return None,
    })
}

/// The regular expression that CEL's function of the last step means.
fn pattern_of(steps: &[Step]) -> Option<fn(&str) -> String> {
    let Some(Step::Name(name)) = steps.last() else {
        return None;
    };
    Some(match name.as_str() {
        "matches" => str::to_owned,
        "contains" => regex::escape,
        "startsWith" => |text| format!("^{}", regex::escape(text)),
        "endsWith" => |text| format!("{}$", regex::escape(text)),
        _ => return None,
    })
}

fn regex<'a>(pattern: &str, at: &'a str) -> Result<Regex, nom::Err<Fault<'a>>> {
    Regex::new(pattern).map_err(|error| {
        nom::Err::Failure(Fault {
            expected: format!("a regular expression: {}", last_line(&error)),
            rest: at,
        })
    })
}

/// What is wrong; the lines before it draw the pattern.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

fn step(input: &str) -> Parsed<'_, Step> {
    let named = preceded(
        char('.'),
        cut(token(
            "a field's name",
            map(name, |name| Step::Name(name.to_owned())),
        )),
    );
    let inside = token(
        "an index, or a name in quotes",
        alt((
            map(quoted, |name| Step::Name(name.to_owned())),
            |input| match take_while1(|c: char| c.is_ascii_digit()).parse(input) {
                Ok((rest, digits)) => match str::parse(digits) {
                    Ok(index) => Ok((rest, Step::Index(index))),
                    Err(_) => fail("an index", input),
                },
                Err(error) => Err(error),
            },
        )),
    );
    let indexed = delimited(char('['), cut(inside), cut(token("`]`", char(']'))));
    alt((token("a step", indexed), token("a step", named))).parse(input)
}

fn name(input: &str) -> Parsed<'_, &str> {
    let (_, _) = take_while1(|c: char| c.is_alphabetic() || c == '_').parse(input)?;
    take_while(|c: char| c.is_alphanumeric() || c == '_').parse(input)
}

/// None for `=~`.
fn operator(input: &str) -> Parsed<'_, Option<Operator>> {
    alt((
        value(None, tag("=~")),
        value(Some(Operator::Equal), tag("==")),
        value(Some(Operator::Unequal), tag("!=")),
        value(Some(Operator::AtMost), tag("<=")),
        value(Some(Operator::AtLeast), tag(">=")),
        value(Some(Operator::Less), tag("<")),
        value(Some(Operator::More), tag(">")),
    ))
    .parse(input)
}

fn literal(input: &str) -> Parsed<'_, Literal> {
    alt((
        map(quoted, |text| Literal::Text(text.to_owned())),
        value(Literal::Null, word("null")),
        value(Literal::Boolean(true), word("true")),
        value(Literal::Boolean(false), word("false")),
        number,
    ))
    .parse(input)
}

fn quoted(input: &str) -> Parsed<'_, &str> {
    let closed = |quote: char| {
        delimited(
            char(quote),
            take_while(move |c| c != quote),
            cut(token(
                if quote == '\'' {
                    "the closing '"
                } else {
                    "the closing \""
                },
                char(quote),
            )),
        )
    };
    alt((closed('\''), closed('"'))).parse(input)
}

fn number(input: &str) -> Parsed<'_, Literal> {
    let (rest, digits) =
        take_while1(|c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')).parse(input)?;
    let plain = digits.bytes().any(|byte| byte.is_ascii_digit());
    // `5.0` is as whole as `5`.
    let whole = match digits.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0') => {
            whole
        }
        _ => digits,
    };
    match (whole.parse(), digits.parse()) {
        (Ok(integer), _) => Ok((rest, Literal::Integer(integer))),
        (_, Ok(number)) if plain => Ok((rest, Literal::Number(number))),
        _ => fail("a number", input),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        text.parse::<Filter>().unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        for (text, said) in [
            ("", "expected a field, not or `(` at character 1, found the end"),
            (
                "a = 5",
                "expected == != < <= > >= or =~ at character 3, found `=`",
            ),
            (
                "state == Fault",
                "expected a number, a 'text' in quotes, true, false or null at character 10, found `Fault`",
            ),
            (
                "a == 5 b",
                "expected and, or, or the end at character 8, found `b`",
            ),
            (
                "a == 5 and",
                "expected a field, not or `(` at character 11, found the end",
            ),
            (
                "a == 5 or or",
                "expected == != < <= > >= or =~ at character 13, found the end",
            ),
            ("(a == 5", "expected `)`, and or or at character 8, found the end"),
            (
                "a[x] == 5",
                "expected an index, or a name in quotes at character 3, found `x]`",
            ),
            ("a[1 == 5", "expected `]` at character 5, found `==`"),
            ("a. == 5", "expected a field's name at character 3, found `==`"),
            ("a == 'x", "expected the closing ' at character 8, found the end"),
            (
                "a == 5 && || b",
                "expected a field, not or `(` at character 11, found `||`",
            ),
            (
                "a.matches('[')",
                "expected a regular expression: unclosed character class at character 11, found `'[')`",
            ),
            (
                "a.startsWith(5)",
                "expected a 'text' in quotes at character 14, found `5)`",
            ),
            ("a.endsWith('x'", "expected `)` at character 15, found the end"),
            (
                "a.size() > 1",
                "expected == != < <= > >= or =~ at character 7, found `()`",
            ),
            (
                "a =~ 5",
                "expected a regular expression in quotes at character 6, found `5`",
            ),
            (
                "a =~ '['",
                "expected a regular expression: unclosed character class at character 6, found `'['`",
            ),
        ] {
            assert_eq!(error(text), said, "{text}");
        }
        assert!(error("timestamp > 'then'").contains("2026-11-21T10:00:00Z"));
        let pointing = "ä = 5".parse::<Filter>().unwrap_err().pointing();
        assert_eq!(pointing, "\n  ä = 5\n    ^ expected == != < <= > >= or =~");
    }

    #[test]
    fn depth_has_a_limit_and_length_has_none() {
        let deep = |count: usize| format!("{}a == 1{}", "(".repeat(count), ")".repeat(count));
        assert!(deep(MAX_DEPTH).parse::<Filter>().is_ok());
        assert!(error(&deep(100_000)).contains("50 parentheses"));
        let long = vec!["not not a.b[0]['c d'] != -1.5e3"; 10_000].join(" and ");
        assert!(long.parse::<Filter>().is_ok());
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(text in "[a-c0-9 '\"()\\[\\].=<>!~&|ä-]{0,40}|.{0,40}") {
            let _ = text.parse::<Filter>().map_err(|error| error.pointing());
        }
    }
}
