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

/// Writes a name that has the keys of maps in it: comma, equals sign and space get a backslash.
pub(super) fn name(name: &str, out: &mut Vec<u8>) {
    for byte in name.bytes() {
        if matches!(byte, b',' | b'=' | b' ') {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

/// The refusal of a tag of this name.
pub(super) type Refuse = fn(String) -> Refusal;

/// Writes a tag's value, which is not empty: comma, equals sign and space get a backslash.
///
/// Refused are control characters (a line break would start another line, under another measurement), and a backslash
/// at the end or before one of the three (parsers disagree on its meaning).
pub(super) fn tag(value: &str, out: &mut Vec<u8>) -> Result<(), Refuse> {
    let mut after_backslash = false;
    for c in value.chars() {
        let is_special = matches!(c, ',' | '=' | ' ');
        if c.is_control() {
            return Err(|tag| Refusal::TagControl { tag });
        }
        if is_special && after_backslash {
            return Err(|tag| Refusal::TagBackslash { tag });
        }
        if is_special {
            out.push(b'\\');
        }
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        after_backslash = c == '\\';
    }
    if after_backslash {
        Err(|tag| Refusal::TagBackslash { tag })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &str) -> Result<String, Refusal> {
        let mut out = Vec::new();
        tag(value, &mut out).map_err(|refusal| refusal("t".into()))?;
        Ok(String::from_utf8(out).unwrap())
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
