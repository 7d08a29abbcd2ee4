//! Regular expressions of topics, in a form that means the same to all their readers.
//!
//! There are three: librdkafka (POSIX extended expressions, found anywhere in a name), a broker with the group protocol
//! `consumer` (RE2, KIP-848, which must match the whole name) and this process (the crate `regex`, found anywhere). An
//! operator's expression is read in the crate's syntax and rewritten with what all three share: literals, sets, groups,
//! repetitions, and an expression for the whole name. So `^lsst\.sal\.` becomes `^(lsst\.sal\..*)$`, and `\d`, which
//! POSIX does not know, becomes `[0-9]`.

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

/// The characters of topic names other than letters and digits.
const OTHERS: &str = "._-";
/// The highest repetition count that all libraries support.
const MAX_REPETITIONS: u32 = 255;

/// The expression for whole names. It starts with `^`, by which librdkafka distinguishes an expression from a name;
/// none if it cannot be expressed with what all share.
pub(super) fn whole_name(expression: &str) -> Option<String> {
    let parsed = regex_syntax::parse(expression).ok()?;
    let mut top = &parsed;
    while let HirKind::Capture(group) = top.kind() {
        top = &group.sub;
    }
    let alternatives = match top.kind() {
        HirKind::Alternation(alternatives) => alternatives.as_slice(),
        _ => std::slice::from_ref(top),
    };
    let names: Option<Vec<String>> = alternatives.iter().map(whole_alternative).collect();
    Some(format!("^({})$", names?.join("|")))
}

fn whole_alternative(alternative: &Hir) -> Option<String> {
    let mut parts = match alternative.kind() {
        HirKind::Concat(parts) => parts.as_slice(),
        _ => std::slice::from_ref(alternative),
    };
    let is_look =
        |part: &Hir, looks: [Look; 3]| matches!(part.kind(), HirKind::Look(look) if looks.contains(look));
    let (mut before, mut behind) = (".*", ".*");
    while let [first, rest @ ..] = parts
        && is_look(first, [Look::Start, Look::StartLF, Look::StartCRLF])
    {
        (before, parts) = ("", rest);
    }
    while let [rest @ .., last] = parts
        && is_look(last, [Look::End, Look::EndLF, Look::EndCRLF])
    {
        (behind, parts) = ("", rest);
    }
    let body: Option<String> = parts.iter().map(atoms).collect();
    Some(format!("{before}{}{behind}", body?))
}

/// As part of a sequence.
fn atoms(hir: &Hir) -> Option<String> {
    Some(match hir.kind() {
        HirKind::Empty => "()".to_owned(),
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0)
            .ok()?
            .chars()
            .map(escaped)
            .collect(),
        HirKind::Class(Class::Unicode(class)) => set(|c| {
            class
                .ranges()
                .iter()
                .any(|range| (range.start()..=range.end()).contains(&c))
        }),
        HirKind::Class(Class::Bytes(class)) => set(|c| {
            class
                .ranges()
                .iter()
                .any(|range| (char::from(range.start())..=char::from(range.end())).contains(&c))
        }),
        HirKind::Look(Look::Start | Look::StartLF | Look::StartCRLF) => "^".to_owned(),
        HirKind::Look(Look::End | Look::EndLF | Look::EndCRLF) => "$".to_owned(),
        // The edges of words are not POSIX.
        HirKind::Look(_) => return None,
        HirKind::Repetition(repetition) => format!("({}){}", atoms(&repetition.sub)?, count(repetition)?),
        HirKind::Capture(group) => format!("({})", inside(&group.sub)?),
        HirKind::Concat(parts) => parts.iter().map(atoms).collect::<Option<String>>()?,
        HirKind::Alternation(_) => format!("({})", inside(hir)?),
    })
}

/// As the content of a group.
fn inside(hir: &Hir) -> Option<String> {
    let HirKind::Alternation(alternatives) = hir.kind() else {
        return atoms(hir);
    };
    let alternatives: Option<Vec<String>> = alternatives.iter().map(atoms).collect();
    Some(alternatives?.join("|"))
}

fn count(repetition: &Repetition) -> Option<String> {
    if repetition.min.max(repetition.max.unwrap_or(0)) > MAX_REPETITIONS {
        return None;
    }
    Some(match (repetition.min, repetition.max) {
        (0, None) => "*".to_owned(),
        (1, None) => "+".to_owned(),
        (0, Some(1)) => "?".to_owned(),
        (least, None) => format!("{{{least},}}"),
        (least, Some(most)) if least == most => format!("{{{least}}}"),
        (least, Some(most)) => format!("{{{least},{most}}}"),
    })
}

fn escaped(c: char) -> String {
    let is_plain = c.is_alphanumeric() || matches!(c, '_' | '-') || !c.is_ascii();
    if is_plain { c.to_string() } else { format!("\\{c}") }
}

/// The characters of topic names in a set. A hyphen comes last, where it stands for itself.
fn set(contains: impl Fn(char) -> bool) -> String {
    let all = ('0'..='9')
        .chain('A'..='Z')
        .chain('a'..='z')
        .chain(OTHERS.chars());
    let (inside, outside): (Vec<char>, Vec<char>) = all.partition(|c| contains(*c));
    match inside.as_slice() {
        // A name has no character before its start.
        [] => "(a^)".to_owned(),
        [one] => escaped(*one),
        _ if outside.is_empty() => ".".to_owned(),
        _ => format!("[{}]", inside.iter().collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    #[test]
    fn what_operators_write() {
        for (written, whole) in [
            (r"^lsst\.sal\.", r"^(lsst\.sal\..*)$"),
            (r"MTMount", r"^(.*MTMount.*)$"),
            (r"^a|b$", r"^(a.*|.*b)$"),
            (r"^Test_\d+$", r"^(Test_([0123456789])+)$"),
            (
                "^(Test|ATMCS)_(telemetry|logevents?)$",
                "^((Test|ATMCS)_(telemetry|logevent(s)?))$",
            ),
            ("", "^(.*().*)$"),
        ] {
            assert_eq!(whole_name(written).as_deref(), Some(whole), "{written}");
        }
        assert_eq!(whole_name(r"(a)\1"), None, "no expression of ours");
        assert_eq!(whole_name(r"\bTest\b"), None, "not for POSIX");
    }

    proptest! {
        /// The rewritten expression matches the whole name if and only if the original is found in it.
        #[test]
        fn means_the_same(
            expression in r"(\^|)(a|b|_|\.|\\\.|[a-c]|\[ab\]|\[\^a\]|\(a\|bc\)|\(\^b\|c\)|\\d|\\w|\(\?i\)A|b\?|c\*|a\{2\}|\||x\$){0,6}(\$|)",
            name in r"[abcA1_.-]{0,6}",
        ) {
            let Ok(written) = Regex::new(&expression) else { return Ok(()) };
            let whole = whole_name(&expression).unwrap();
            let ours = Regex::new(&whole).unwrap();
            prop_assert_eq!(written.is_match(&name), ours.is_match(&name), "{} as {} on {}", expression, whole, name);
        }
    }
}
