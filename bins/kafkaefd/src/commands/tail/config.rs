//! The configuration of an output, and the TOML file of several outputs.

use std::path::Path;

use operator::failure::Failure;
use operator::messages::filter::Filter;
use operator::messages::sample::Sample;
use serde::Deserialize;

use super::format::Format;

/// One output, from the flags or the file.
#[derive(Debug, Clone)]
pub(super) struct OutputConfig {
    /// A file, `|command`, or `-`.
    pub(super) to: String,
    pub(super) filter: Option<Filter>,
    pub(super) sample: Sample,
    pub(super) format: Format,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    output: Vec<OutputTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutputTable {
    to: String,
    filter: Option<String>,
    #[serde(default)]
    sample: Sample,
    format: Option<String>,
}

/// Reads the outputs from a file.
pub(super) fn read(path: &Path) -> Result<Vec<OutputConfig>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?;
    parse(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}

fn parse(text: &str) -> Result<Vec<OutputConfig>, String> {
    let file: ConfigFile = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| before.matches('\n').count() + 1);
        let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        format!("{place}{}", error.message())
    })?;
    if file.output.is_empty() {
        return Err("it contains no [[output]] table".to_owned());
    }
    file.output
        .into_iter()
        .map(|table| {
            let invalid = |key: &str, error: String| format!("{key} of the output to {}: {error}", table.to);
            let filter = table
                .filter
                .as_ref()
                .map(|filter| filter.parse::<Filter>())
                .transpose()
                .map_err(|error| invalid("filter", error.to_string()))?;
            let format = table
                .format
                .as_deref()
                .unwrap_or("text")
                .parse()
                .map_err(|error| invalid("format", error))?;
            Ok(OutputConfig {
                filter,
                format,
                sample: table.sample,
                to: table.to,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_read_from_toml() {
        let outputs = parse(
            "[[output]]\nto = \"a\"\n[[output]]\nto = \"|b\"\nfilter = \"x > 1\"\nsample = \"1/2\"\nformat = \"raw\"\n",
        )
        .unwrap();
        assert_eq!(outputs.len(), 2);
        assert_eq!(
            (outputs[0].format.clone(), outputs[1].format.clone()),
            (Format::Text, Format::Raw)
        );
        assert!(outputs[0].filter.is_none() && outputs[1].filter.is_some());
        assert!(!outputs[1].sample.takes(1));
    }

    #[test]
    fn errors_name_the_line_or_the_output() {
        for (text, expected) in [
            ("", "missing field `output`"),
            ("output = []", "it contains no [[output]] table"),
            (
                "[[output]]\nto = \"a\"\nfilter = \"x = 1\"",
                "filter of the output to a: expected == ",
            ),
            (
                "[[output]]\nto = \"a\"\nformat = \"%q\"",
                "format of the output to a: %q is not one of",
            ),
            ("[[output]]\nto = \"a\"\nsample = \"2\"", "line 3: expected 1/N"),
            (
                "[[output]]\nto = \"a\"\nwhere = 1",
                "line 3: unknown field `where`",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
