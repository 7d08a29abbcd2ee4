//! JSON exactly as Python's `json.dumps(value, indent=…)` writes it: the published form, and the input of the
//! revCode digest.

use std::fmt::Write as _;

use serde_json::Value;

/// ASCII only, one entry per line, `": "` after keys, `[]` and `{}` for empty containers, no trailing
/// newline.
pub(super) fn python_dumps(value: &Value, indent: usize) -> String {
    let mut text = String::new();
    write_value(&mut text, value, indent, 0);
    text
}

fn write_value(text: &mut String, value: &Value, indent: usize, depth: usize) {
    match value {
        Value::Array(items) if !items.is_empty() => {
            let items = items.iter().map(|item| (None, item));
            write_entries(text, ['[', ']'], items, indent, depth);
        }
        Value::Object(map) if !map.is_empty() => {
            let entries = map.iter().map(|(key, item)| (Some(key.as_str()), item));
            write_entries(text, ['{', '}'], entries, indent, depth);
        }
        Value::Array(_) => text.push_str("[]"),
        Value::Object(_) => text.push_str("{}"),
        Value::String(string) => write_string(text, string),
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => text.push_str(&number.to_string()),
    }
}

fn write_entries<'v>(
    text: &mut String,
    brackets: [char; 2],
    entries: impl Iterator<Item = (Option<&'v str>, &'v Value)>,
    indent: usize,
    depth: usize,
) {
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.extend(std::iter::repeat_n(' ', indent * depth));
    };
    let [open, close] = brackets;
    text.push(open);
    for (position, (key, value)) in entries.enumerate() {
        if position > 0 {
            text.push(',');
        }
        line(text, depth + 1);
        if let Some(key) = key {
            write_string(text, key);
            text.push_str(": ");
        }
        write_value(text, value, indent, depth + 1);
    }
    line(text, depth);
    text.push(close);
}

fn write_string(text: &mut String, string: &str) {
    text.push('"');
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            ' '..='~' => text.push(c),
            _ => {
                // Python escapes a character above U+FFFF as a UTF-16 surrogate pair.
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_writes_what_python_writes() {
        let value = json!({
            "b": [0.0, 0.02, 1, null, true, [], {}],
            "a": {"k": "é\u{7f}\u{1F600} \"\\\n\t/"},
        });
        // json.dumps(value, indent=4) of Python 3.12
        let expected = "{\n    \"b\": [\n        0.0,\n        0.02,\n        1,\n        null,\n        true,\n        [],\n        {}\n    ],\n    \"a\": {\n        \"k\": \"\\u00e9\\u007f\\ud83d\\ude00 \\\"\\\\\\n\\t/\"\n    }\n}";
        assert_eq!(python_dumps(&value, 4), expected);
        assert_eq!(serde_json::from_str::<Value>(expected).unwrap(), value);
    }
}
