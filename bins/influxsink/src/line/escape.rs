//! Escaping in line protocol (InfluxData's line protocol reference, "Special characters"), and the refusal of what
//! cannot be escaped: line breaks in tags, and a backslash at the end of a tag.

use super::Refusal;

/// Writes a string field's value without its quotes: `"` and `\` get a backslash; everything else, including line
/// breaks, is unchanged.
pub(super) fn text(value: &str, out: &mut Vec<u8>) {
    let mut rest = value.as_bytes();
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        out.push(b'\\');
        // The special character itself, so that the search continues after it.
        let (one, after) = special.split_at(1);
        out.extend_from_slice(one);
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// Writes a tag's value: comma, equals sign and space get a backslash.
///
/// Refused are: an empty value (InfluxDB rejects the line as malformed), control characters (a line break would start
/// another line, under another measurement), and a backslash at the end or before one of the three (parsers disagree on
/// its meaning).
pub(super) fn tag(tag: &str, value: &str, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let refuse = |refusal: fn(String) -> Refusal| Err(refusal(tag.to_owned()));
    if value.is_empty() {
        return refuse(|tag| Refusal::TagEmpty { tag });
    }
    let mut after_backslash = false;
    for c in value.chars() {
        let is_special = matches!(c, ',' | '=' | ' ');
        if c.is_control() {
            return refuse(|tag| Refusal::TagControl { tag });
        }
        if is_special && after_backslash {
            return refuse(|tag| Refusal::TagBackslash { tag });
        }
        if is_special {
            out.push(b'\\');
        }
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        after_backslash = c == '\\';
    }
    if after_backslash {
        refuse(|tag| Refusal::TagBackslash { tag })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &str) -> Result<String, Refusal> {
        let mut out = Vec::new();
        tag("t", value, &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn strings_are_escaped() {
        let mut out = Vec::new();
        text("a \"quoted\\\" line\n, = é", &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "a \\\"quoted\\\\\\\" line\n, = é"
        );
    }

    #[test]
    fn tags_are_escaped_or_refused() {
        assert_eq!(written("a b,c=d").unwrap(), "a\\ b\\,c\\=d");
        assert_eq!(written("C:\\dir").unwrap(), "C:\\dir");
        assert_eq!(written(""), Err(Refusal::TagEmpty { tag: "t".into() }));
        for line_break in ["a\nother x=1", "a\r", "\u{85}", "\0"] {
            assert_eq!(
                written(line_break),
                Err(Refusal::TagControl { tag: "t".into() }),
                "{line_break:?}"
            );
        }
        for backslash in ["a\\", "a\\,b", "a\\ b", "a\\=b", "\\\\"] {
            assert_eq!(
                written(backslash),
                Err(Refusal::TagBackslash { tag: "t".into() }),
                "{backslash:?}"
            );
        }
    }
}
