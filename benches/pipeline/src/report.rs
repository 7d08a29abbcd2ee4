//! The measurements: tables for people, one line per row, and the files that contain both.

use std::path::Path;

use serde_json::{Value, json};

use crate::config::RunArgs;
use crate::failure::{Doing, Failure, Outcome};
use crate::provenance;

/// The target of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// At least this.
    Least(f64),
    /// At most this.
    Most(f64),
}

/// A row: one number and its target.
#[derive(Debug, Clone)]
pub(crate) struct Ratio {
    pub(crate) row: &'static str,
    pub(crate) value: f64,
    pub(crate) target: Target,
}

/// One section of the report: a Markdown table and the rows derived from it.
#[derive(Debug)]
pub(crate) struct Section {
    /// The name in its markers.
    pub(crate) name: &'static str,
    pub(crate) text: String,
    pub(crate) ratios: Vec<Ratio>,
    pub(crate) json: Value,
}

impl Ratio {
    /// Whether the target is met.
    pub(crate) fn is_met(&self) -> bool {
        match self.target {
            Target::Least(least) => self.value >= least,
            Target::Most(most) => self.value <= most,
        }
    }

    /// The summary line.
    fn line(&self) -> String {
        let target = match self.target {
            Target::Least(least) => format!(">={least}"),
            Target::Most(most) => format!("<={most}"),
        };
        let verdict = if self.is_met() { "ok" } else { "short" };
        format!("RATIO {} {} {target} {verdict}", self.row, number(self.value))
    }
}

impl Section {
    /// Prints it on the terminal.
    pub(crate) fn print(&self) {
        println!("\n{}", self.text);
        for ratio in &self.ratios {
            println!("{}", ratio.line());
        }
    }

    /// The text between its markers.
    fn between_marks(&self, provenance: &str) -> String {
        let lines: Vec<String> = self.ratios.iter().map(Ratio::line).collect();
        format!(
            "{}\n```text\n{}\n```\n\n{provenance}\n",
            self.text,
            lines.join("\n")
        )
    }
}

/// Writes the requested files and prints all rows once more at the end.
pub(crate) fn write(args: &RunArgs, sections: &[Section]) -> Outcome<()> {
    if let Some(path) = &args.report {
        let doing = || format!("write {}", path.display());
        let mut text = std::fs::read_to_string(path).doing(doing())?;
        let provenance = provenance::line(args.quick);
        for section in sections {
            text = put_between_marks(&text, section, &provenance, path)?;
        }
        std::fs::write(path, text).doing(doing())?;
    }
    if let Some(path) = &args.json {
        let sections: Vec<Value> = sections
            .iter()
            .map(|section| {
                let ratios = section.ratios.iter().map(
                    |ratio| json!({"row": ratio.row, "value": ratio.value, "line": ratio.line(), "met": ratio.is_met()}),
                );
                let ratios: Vec<Value> = ratios.collect();
                json!({"name": section.name, "quick": args.quick, "ratios": ratios, "measured": section.json})
            })
            .collect();
        std::fs::write(path, format!("{:#}\n", Value::from(sections)))
            .doing(format!("write {}", path.display()))?;
    }
    println!();
    for ratio in sections.iter().flat_map(|section| &section.ratios) {
        println!("{}", ratio.line());
    }
    Ok(())
}

/// Three significant digits.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn put_between_marks(text: &str, section: &Section, provenance: &str, path: &Path) -> Outcome<String> {
    let [begin, end] = ["begin", "end"].map(|which| format!("<!-- measured {}: {which} -->", section.name));
    let missing = || Failure::Unexpected(format!("{} must hold {begin} and then {end}", path.display()));
    let (head, rest) = text.split_once(&begin).ok_or_else(missing)?;
    let (_, tail) = rest.split_once(&end).ok_or_else(missing)?;
    Ok(format!(
        "{head}{begin}\n{}{end}{tail}",
        section.between_marks(provenance)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_whether_its_target_is_met() {
        let line = |value, target| {
            Ratio {
                row: "row",
                value,
                target,
            }
            .line()
        };
        assert_eq!(line(0.912, Target::Least(0.9)), "RATIO row 0.91 >=0.9 ok");
        assert_eq!(line(20.6, Target::Most(20.0)), "RATIO row 20.6 <=20 short");
    }
}
