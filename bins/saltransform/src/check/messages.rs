//! The messages in a file: its lines, or blocks between lines of `----`.

use std::io::{self, Read};
use std::path::Path;

/// The line that separates messages with line breaks.
const SEPARATOR: &[u8] = b"----";

/// A file's content; `-` is standard input.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    if path.as_os_str() == "-" {
        let mut content = Vec::new();
        io::stdin().read_to_end(&mut content)?;
        return Ok(content);
    }
    std::fs::read(path)
}

/// The messages of a file: its lines, or, if any line is `----`, the blocks between those lines, without leading
/// comments (`#`).
pub(super) fn messages(content: &[u8]) -> Vec<&[u8]> {
    let lines: Vec<&[u8]> = content.split(|byte| *byte == b'\n').collect();
    if !lines.iter().any(|line| line.trim_ascii_end() == SEPARATOR) {
        let messages = lines
            .into_iter()
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        return messages
            .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
            .collect();
    }
    let (mut blocks, mut start, mut at) = (Vec::new(), 0, 0);
    for line in lines {
        if line.trim_ascii_end() == SEPARATOR {
            blocks.push(content.get(start..at).unwrap_or_default());
            start = at + line.len() + 1;
        }
        at += line.len() + 1;
    }
    blocks.push(content.get(start.min(content.len())..).unwrap_or_default());
    blocks
        .into_iter()
        .map(without_comments)
        .filter(|block| !block.is_empty())
        .collect()
}

fn without_comments(mut block: &[u8]) -> &[u8] {
    while block.starts_with(b"#") {
        let end = block
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(block.len(), |end| end + 1);
        block = block.get(end..).unwrap_or_default();
    }
    block.strip_suffix(b"\n").unwrap_or(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_messages_unless_blocks_are_marked() {
        assert_eq!(messages(b"a\n\nb\r\n# no\nc"), [&b"a"[..], b"b", b"c"]);
        assert_eq!(
            messages(b"# head\n----\n# A1\none\n----\n# B\ntwo\nlines\n----\n"),
            [&b"one"[..], b"two\nlines"]
        );
        assert_eq!(messages(b"----\nlast"), [&b"last"[..]]);
    }
}
