//! As much of line protocol as is needed to identify a line's point; independent of the encoder under test.

/// The lines of a batch, including their line ends. A line end within a quoted string does not count.
pub(crate) fn split(batch: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = batch;
    std::iter::from_fn(move || {
        let (mut quoted, mut escaped) = (false, false);
        let end = rest.iter().position(|byte| {
            let is_end = *byte == b'\n' && !quoted;
            if escaped {
                escaped = false;
            } else {
                escaped = *byte == b'\\';
                quoted ^= *byte == b'"';
            }
            is_end
        });
        let line;
        (line, rest) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
        (!line.is_empty()).then_some(line)
    })
}

/// The measurement and the sequence number of a line.
pub(crate) fn name(line: &[u8]) -> Option<(String, i64)> {
    const FIELD: &[u8] = b"sal_sequence=";
    let end = line.iter().position(|byte| matches!(byte, b',' | b' '))?;
    let measurement = String::from_utf8(line.get(..end)?.to_vec()).ok()?;
    let at = line.windows(FIELD.len()).position(|window| window == FIELD)? + FIELD.len();
    let digits = line.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit());
    let sequence = String::from_utf8(digits.copied().collect()).ok()?;
    Some((measurement, sequence.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_outside_of_strings() {
        let batch = b"a s=\"x\ny\\\"\n\",sal_sequence=7i 1\nb sal_sequence=12i 2\n";
        let names: Vec<_> = split(batch).map(name).collect();
        assert_eq!(names, [Some(("a".to_owned(), 7)), Some(("b".to_owned(), 12))]);
    }
}
