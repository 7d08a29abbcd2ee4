//! The outputs: one from the flags, or those of a TOML file.

use std::path::Path;

use operator::failure::Failure;
use operator::messages::filter::Filter;
use operator::messages::sample::Sample;
use serde::Deserialize;

use super::format::Layout;

/// One output.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// A file, `|command`, or `-`.
    pub(super) to: String,
    pub(super) filter: Option<Filter>,
    pub(super) sample: Sample,
    pub(super) format: Layout,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    output: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    to: String,
    filter: Option<String>,
    #[serde(default)]
    sample: Sample,
    format: Option<String>,
}

/// Reads a file of outputs.
pub(super) fn read(path: &Path) -> Result<Vec<Plan>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?;
    parse(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}

fn parse(text: &str) -> Result<Vec<Plan>, String> {
    let file: File = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| before.matches('\n').count() + 1);
        let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        format!("{place}{}", error.message())
    })?;
    if file.output.is_empty() {
        return Err("it holds no [[output]]".to_owned());
    }
    file.output
        .into_iter()
        .map(|table| {
            let wrong = |key: &str, error: String| format!("{key} of the output to {}: {error}", table.to);
            let filter = table
                .filter
                .as_ref()
                .map(|filter| filter.parse::<Filter>())
                .transpose()
                .map_err(|error| wrong("filter", error.to_string()))?;
            let format = table
                .format
                .as_deref()
                .unwrap_or("text")
                .parse()
                .map_err(|error| wrong("format", error))?;
            Ok(Plan {
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
    fn outputs_are_read() {
        let plans = parse(
            "[[output]]\nto = \"a\"\n[[output]]\nto = \"|b\"\nfilter = \"x > 1\"\nsample = \"1/2\"\nformat = \"raw\"\n",
        )
        .unwrap();
        assert_eq!(plans.len(), 2);
        assert_eq!(
            (plans[0].format.clone(), plans[1].format.clone()),
            (Layout::Text, Layout::Raw)
        );
        assert!(plans[0].filter.is_none() && plans[1].filter.is_some());
        assert!(!plans[1].sample.takes(1));
    }

    #[test]
    fn what_is_wrong_has_its_place() {
        for (text, said) in [
            ("", "missing field `output`"),
            ("output = []", "it holds no [[output]]"),
            (
                "[[output]]\nto = \"a\"\nfilter = \"x = 1\"",
                "filter of the output to a: expected == ",
            ),
            (
                "[[output]]\nto = \"a\"\nformat = \"%q\"",
                "format of the output to a: %q is none of",
            ),
            ("[[output]]\nto = \"a\"\nsample = \"2\"", "line 3: expected 1/N"),
            (
                "[[output]]\nto = \"a\"\nwhere = 1",
                "line 3: unknown field `where`",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }
}
