//! Reads an Avro schema from a file.

use std::path::Path;

use serde_json::Value;

use operator::failure::Failure;

/// The schema in a file, or in stdin for `-`, as JSON on one line, because whitespace is not part of a schema.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    let name = path.display();
    let doing = || format!("reading the schema in {name}");
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(Failure::file(doing()))?;
    match serde_json::from_str::<Value>(&text) {
        Ok(schema) => Ok(schema.to_string()),
        Err(error) => Err(Failure::Usage(format!(
            "{name} is not the JSON text of an Avro schema: {error}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_a_file_that_is_not_json() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{\"type\": \"int\"\n}").unwrap();
        assert_eq!(read(file.path()).unwrap(), r#"{"type":"int"}"#);
        std::fs::write(file.path(), "{").unwrap();
        let failure = read(file.path()).unwrap_err().to_string();
        assert!(
            failure.contains("is not the JSON text of an Avro schema"),
            "{failure}"
        );
    }
}
