//! Untrusted text, made safe for log lines, terminals and responses. Topic names, registry answers, a database's errors
//! and messages come from the network: what could start a line, move a cursor, colour the screen or reverse the order
//! of letters is shown as `\n` or `\u{1b}`. The bytes themselves are kept only on purpose: in dead letters and in
//! databases.

use std::borrow::Cow;
use std::fmt::{self, Display, Write};

/// The maximum length of a shown text, in characters: a message of 100,000 bytes must not become a log line of that
/// length.
pub const MAX_CHARS: usize = 2_000;

/// Displays `T` with unprintable characters escaped, cut after [`MAX_CHARS`] characters.
///
/// ```
/// let topic = "S_telemetry\u{1b}[2J\nerror: \u{202e}lla";
/// let shown = stage::Printable(topic).to_string();
/// assert_eq!(shown, r"S_telemetry\u{1b}[2J\nerror: \u{202e}lla");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Printable<T>(pub T);

impl<T: Display> Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            Escaping {
                out: f,
                left: MAX_CHARS
            },
            "{}",
            self.0
        )
    }
}

struct Escaping<'f, 'o> {
    out: &'f mut fmt::Formatter<'o>,
    left: usize,
}

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match self.left {
                0 => return Ok(()),
                1 => self.out.write_char('…')?,
                _ if is_printable(c) => self.out.write_char(c)?,
                _ => write!(self.out, "{}", c.escape_debug())?,
            }
            self.left -= 1;
        }
        Ok(())
    }
}

/// Whether a terminal only shows the character. Combining marks are printable, because they belong to the letters of
/// many languages.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    // Alone, a combining mark would be escaped; after a letter, only characters without a shape of their own are.
    let mut after_a_letter = [0; 5];
    let length = 1 + c.encode_utf8(&mut after_a_letter[1..]).len();
    after_a_letter[0] = b'a';
    let pair = after_a_letter
        .get(..length)
        .and_then(|bytes| std::str::from_utf8(bytes).ok());
    pair.is_some_and(|pair| pair.escape_debug().count() == 2)
}

/// JSON text of the same value with everything unprintable escaped; JSON itself requires that only below U+0020. Line
/// breaks, which are never within a string, stay.
pub fn json(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| c == '\n' || is_printable(c)) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c == '\n' || is_printable(c) {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn letters_of_all_languages_stay_and_controls_do_not() {
        for plain in ["plain \"text\" \\ 1", "Größe µ°", "e\u{301}", "नमस्ते", "望遠鏡 🔭"]
        {
            assert_eq!(Printable(plain).to_string(), plain);
        }
        let hostile = "\r\n\t\0\x07\x1b[31m\x7f\u{9b}2J\u{200b}\u{202e}\u{2028}\u{2066}\u{feff}";
        let shown = Printable(hostile).to_string();
        assert!(
            shown.is_ascii() && !shown.contains(|c: char| c.is_control()),
            "{shown}"
        );
        assert_eq!(Printable(&shown).to_string(), shown, "twice is once");
    }

    #[test]
    fn long_text_is_cut() {
        let shown = Printable("x".repeat(100_000)).to_string();
        assert_eq!(shown.chars().count(), MAX_CHARS);
        assert!(shown.ends_with("x…"));
    }

    proptest! {
        #[test]
        fn json_keeps_its_value(text in any::<String>()) {
            let written = serde_json::to_string(&text).unwrap();
            let escaped = json(&written);
            prop_assert!(escaped.chars().all(is_printable), "{}", escaped);
            prop_assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
        }
    }
}
