//! The bytes of an XML file as text, in the encoding that the file declares: by a byte order mark, or in its XML
//! declaration. Without either it is UTF-8, as XML says. Nothing is replaced: bytes that the encoding does not have are an
//! error.

use std::borrow::Cow;

use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use memchr::memmem;

/// A declaration is in the file's first bytes.
const MAX_DECLARATION_BYTES: usize = 512;

/// Why bytes are not text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EncodingError {
    /// The text before the first byte that cannot be read.
    pub(super) before: String,
    /// What is wrong and what to do.
    pub(super) reason: String,
}

/// How a file says that its bytes are to be read.
enum Declared {
    Known(&'static Encoding),
    /// Each byte is the code point of that number. Browsers, and so `encoding_rs`, read windows-1252 instead.
    Latin1,
    /// As UTF-8, but for bytes above 127.
    Ascii,
}

/// The text of a file.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, EncodingError> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return exact(encoding, bytes.get(mark..).unwrap_or_default());
    }
    let refused = |reason: String| EncodingError {
        before: String::new(),
        reason,
    };
    let wide = match bytes {
        [0, b'<', 0, _, ..] => Some(UTF_16BE),
        [b'<', 0, _, 0, ..] => Some(UTF_16LE),
        _ => None,
    };
    if let Some(encoding) = wide {
        return exact(encoding, bytes);
    }
    let Some(label) = declared(bytes) else {
        return exact(UTF_8, bytes);
    };
    match known(label) {
        None => Err(refused(format!(
            "the XML declaration names the encoding '{label}', which is not known; save the file as UTF-8"
        ))),
        Some(Declared::Latin1) => Ok(encoding_rs::mem::decode_latin1(bytes)),
        Some(Declared::Ascii) => match bytes.iter().position(|byte| !byte.is_ascii()) {
            None => exact(UTF_8, bytes),
            Some(at) => Err(EncodingError {
                before: String::from_utf8_lossy(bytes.get(..at).unwrap_or_default()).into_owned(),
                reason: format!("expected {label} text, as the XML declaration says; save the file as UTF-8"),
            }),
        },
        Some(Declared::Known(encoding)) if encoding == UTF_16LE || encoding == UTF_16BE => {
            Err(refused(format!(
                "the XML declaration names the encoding '{label}', but the file is not written in it; save the file as UTF-8"
            )))
        }
        Some(Declared::Known(encoding)) => exact(encoding, bytes),
    }
}

fn known(label: &str) -> Option<Declared> {
    let lower = label.to_ascii_lowercase();
    match lower.as_str() {
        "iso-8859-1" | "iso8859-1" | "iso_8859-1" | "latin1" | "latin-1" | "l1" => Some(Declared::Latin1),
        "us-ascii" | "ascii" => Some(Declared::Ascii),
        _ => {
            let encoding = Encoding::for_label_no_replacement(label.as_bytes())?;
            Some(Declared::Known(encoding))
        }
    }
}

/// Decodes without a mark; fails at the first sequence that the encoding does not have.
fn exact<'b>(encoding: &'static Encoding, bytes: &'b [u8]) -> Result<Cow<'b, str>, EncodingError> {
    if encoding == UTF_8
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Ok(text.into());
    }
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let room = decoder.max_utf8_buffer_length_without_replacement(bytes.len());
    let mut text = String::with_capacity(room.unwrap_or(bytes.len()));
    match decoder.decode_to_string_without_replacement(bytes, &mut text, true) {
        (DecoderResult::InputEmpty, _) => Ok(text.into()),
        _ => Err(EncodingError {
            before: text,
            reason: format!("expected {} text; save the file as UTF-8", encoding.name()),
        }),
    }
}

/// The encoding in the XML declaration of a file whose first bytes are ASCII.
fn declared(bytes: &[u8]) -> Option<&str> {
    let start = bytes.get(..bytes.len().min(MAX_DECLARATION_BYTES))?;
    let declaration = start.strip_prefix(b"<?xml")?;
    let declaration = declaration.get(..memmem::find(declaration, b"?>")?)?;
    let (_, after) = declaration.split_at(memmem::find(declaration, b"encoding")?);
    let value = after.strip_prefix(b"encoding")?.trim_ascii_start();
    let (quote, value) = value.strip_prefix(b"=")?.trim_ascii_start().split_first()?;
    let end = value
        .iter()
        .position(|byte| byte == quote)
        .filter(|_| matches!(quote, b'"' | b'\''))?;
    let label = std::str::from_utf8(value.get(..end)?).ok()?.trim();
    (!label.is_empty() && label.bytes().all(|byte| byte.is_ascii_graphic())).then_some(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(label: &str, inner: &[u8]) -> Vec<u8> {
        let head = format!("<?xml version='1.0' encoding=\"{label}\"?>\n<a>");
        [head.as_bytes(), inner, b"</a>"].concat()
    }

    fn inner(bytes: &[u8]) -> String {
        let text = decode(bytes).unwrap();
        let (_, inner) = text.split_once("<a>").unwrap();
        inner.strip_suffix("</a>").unwrap().to_owned()
    }

    fn utf_16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(to_bytes).collect()
    }

    #[test]
    fn a_file_is_read_in_the_encoding_that_it_declares() {
        for (label, bytes, expected) in [
            ("ISO-8859-1", &b"\xb0C \xe4\x85"[..], "°C ä\u{85}"),
            ("windows-1252", b"\xb0C \x80\x96", "°C €–"),
            ("iso-8859-15", b"\xa4", "€"),
            ("Shift_JIS", b"\x93\xfa", "日"),
            ("utf-8", "µm".as_bytes(), "µm"),
            ("US-ASCII", b"m", "m"),
        ] {
            assert_eq!(inner(&file(label, bytes)), expected, "{label}");
        }
        let text = "<?xml version='1.0' encoding='UTF-16'?><a>µ°</a>";
        for (mark, to_bytes) in [
            (&b"\xff\xfe"[..], u16::to_le_bytes as fn(u16) -> [u8; 2]),
            (b"\xfe\xff", u16::to_be_bytes),
            (b"", u16::to_le_bytes),
            (b"", u16::to_be_bytes),
        ] {
            assert_eq!(inner(&[mark, &utf_16(text, to_bytes)].concat()), "µ°", "{mark:?}");
        }
        assert_eq!(inner("\u{feff}<a>µ</a>".as_bytes()), "µ");
    }

    #[test]
    fn what_an_encoding_does_not_have_is_an_error() {
        let reason = |bytes: &[u8]| decode(bytes).unwrap_err().reason;
        assert_eq!(
            reason(&file("x-unknown", b"")),
            "the XML declaration names the encoding 'x-unknown', which is not known; save the file as UTF-8"
        );
        assert_eq!(
            reason(&file("UTF-16", b"")),
            "the XML declaration names the encoding 'UTF-16', but the file is not written in it; save the file as UTF-8"
        );
        assert_eq!(
            reason(b"<a>\xff</a>"),
            "expected UTF-8 text; save the file as UTF-8"
        );
        assert_eq!(
            reason(&file("Shift_JIS", b"\x93")),
            "expected Shift_JIS text; save the file as UTF-8"
        );
        let ascii = decode(&file("us-ascii", b"\n\xb5")).unwrap_err();
        assert!(ascii.reason.starts_with("expected us-ascii text"), "{ascii:?}");
        assert_eq!(ascii.before.matches('\n').count(), 2);
        let odd = [b"\xff\xfe".as_slice(), &utf_16("<a/>", u16::to_le_bytes), b"x"].concat();
        assert_eq!(reason(&odd), "expected UTF-16LE text; save the file as UTF-8");
    }
}
