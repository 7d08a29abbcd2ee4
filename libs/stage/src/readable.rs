//! A message's key and headers as JSON, as `salmock consume` and the operator's commands print them.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// Text if the bytes are text, otherwise hexadecimal digits; and which of the two.
pub fn readable(bytes: &[u8]) -> (&'static str, Value) {
    match std::str::from_utf8(bytes) {
        Ok(text) => ("text", text.into()),
        Err(_) => (HEX, hex(bytes).into()),
    }
}

const HEX: &str = "hex";

/// Two digits per byte, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// Adds a message's key as `key`, and `"key_form": "hex"` if its bytes are not text.
pub fn add_key(object: &mut Map<String, Value>, key: &[u8]) {
    let (form, value) = readable(key);
    object.insert("key".into(), value);
    if form == HEX {
        object.insert("key_form".into(), form.into());
    }
}

/// Adds a message's headers, if there are any: as an object `headers`, with the last of equal names, and completely, in
/// their order, as a list `header_list` of `{"key", "value"}`, with `"form": "hex"` if the value's bytes are not text.
pub fn add_headers<'h>(
    object: &mut Map<String, Value>,
    headers: impl IntoIterator<Item = (&'h str, Option<&'h [u8]>)>,
) {
    let (mut named, mut list) = (Map::new(), Vec::new());
    for (key, value) in headers {
        let (form, value) = value.map_or(("null", Value::Null), readable);
        named.insert(key.to_owned(), value.clone());
        list.push(match form {
            HEX => json!({"key": key, "value": value, "form": form}),
            _ => json!({"key": key, "value": value}),
        });
    }
    if !list.is_empty() {
        object.insert("headers".into(), Value::Object(named));
        object.insert("header_list".into(), Value::Array(list));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_one_name_and_bytes_are_whole() {
        let mut object = Map::new();
        add_key(&mut object, b"\xff\x00");
        let headers: [(&str, Option<&[u8]>); 4] = [
            ("h", Some(b"1")),
            ("h", Some(b"ff")),
            ("b", Some(b"\xff")),
            ("n", None),
        ];
        add_headers(&mut object, headers);
        assert_eq!(
            Value::Object(object),
            json!({
                "key": "ff00",
                "key_form": "hex",
                "headers": {"h": "ff", "b": "ff", "n": null},
                "header_list": [
                    {"key": "h", "value": "1"},
                    {"key": "h", "value": "ff"},
                    {"key": "b", "value": "ff", "form": "hex"},
                    {"key": "n", "value": null},
                ],
            })
        );
        let mut object = Map::new();
        add_key(&mut object, b"ff00");
        add_headers(&mut object, []);
        assert_eq!(Value::Object(object), json!({"key": "ff00"}));
    }
}
