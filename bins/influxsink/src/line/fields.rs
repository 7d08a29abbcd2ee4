//! Which fields are written: a choice by the patterns of their flattened names, between the plan and the line. Tags and
//! the time of a point are not fields, and stay.

use confluent_avro::point::time::TimeFault;
use confluent_avro::point::time::TimeUnit;
use confluent_avro::point::{Name, PointSink};
use regex::Regex;

/// The patterns of the fields that are written.
#[derive(Clone, Debug)]
pub struct FieldFilter {
    include: Option<Regex>,
    exclude: Option<Regex>,
}

/// A pattern that is not a glob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a pattern of field names: expected letters, digits, '_', '-' and '.', with * for any characters, ? for one \
     and [0-9] for one of several"
)]
pub struct PatternError(pub String);

impl FieldFilter {
    /// Fields that match a pattern of `include` (all, if there is none) and none of `exclude`. None if that is all fields.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Option<Self>, PatternError> {
        let filter = Self {
            include: any_of(include)?,
            exclude: any_of(exclude)?,
        };
        let is_needed = filter.include.is_some() || filter.exclude.is_some();
        Ok(is_needed.then_some(filter))
    }

    /// Whether a field of this name is chosen.
    pub fn keeps(&self, name: &str) -> bool {
        self.include.as_ref().is_none_or(|include| include.is_match(name))
            && !self
                .exclude
                .as_ref()
                .is_some_and(|exclude| exclude.is_match(name))
    }
}

/// One expression for all patterns.
fn any_of(globs: &[String]) -> Result<Option<Regex>, PatternError> {
    if globs.is_empty() {
        return Ok(None);
    }
    let expressions: Vec<String> = globs
        .iter()
        .map(|glob| expression(glob))
        .collect::<Result<_, _>>()?;
    let all = format!("^(?:{})$", expressions.join("|"));
    match Regex::new(&all) {
        Ok(regex) => Ok(Some(regex)),
        Err(_) => Err(PatternError(globs.join(","))),
    }
}

fn expression(glob: &str) -> Result<String, PatternError> {
    let wrong = || PatternError(glob.to_owned());
    let mut expression = String::new();
    let mut rest = glob.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            '[' => {
                let (class, after) = rest.as_str().split_once(']').ok_or_else(wrong)?;
                let (negation, members) = match class.strip_prefix(['!', '^']) {
                    Some(members) => ("^", members),
                    None => ("", class),
                };
                if members.is_empty() || !members.chars().all(is_plain) {
                    return Err(wrong());
                }
                expression.push_str(&format!("[{negation}{members}]"));
                rest = after.chars();
            }
            '.' => expression.push_str("\\."),
            c if is_plain(c) => expression.push(c),
            _ => return Err(wrong()),
        }
    }
    match expression.is_empty() {
        true => Err(wrong()),
        false => Ok(expression),
    }
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// Passes the chosen fields on to a line.
pub(super) struct Chosen<'a, S> {
    pub(super) filter: &'a FieldFilter,
    pub(super) sink: &'a mut S,
    /// A buffer for names.
    pub(super) name: &'a mut String,
    /// Fields that were not passed on.
    pub(super) excluded: u64,
}

impl<S> Chosen<'_, S> {
    fn keeps(&mut self, name: Name<'_>) -> bool {
        name.flatten_into(self.name);
        let keeps = self.filter.keeps(self.name);
        self.excluded += u64::from(!keeps);
        keeps
    }
}

impl<S: PointSink> PointSink for Chosen<'_, S> {
    fn double(&mut self, name: Name<'_>, value: f64) {
        if self.keeps(name) {
            self.sink.double(name, value);
        }
    }

    fn float(&mut self, name: Name<'_>, value: f32) {
        if self.keeps(name) {
            self.sink.float(name, value);
        }
    }

    fn integer(&mut self, name: Name<'_>, value: i64) {
        if self.keeps(name) {
            self.sink.integer(name, value);
        }
    }

    fn boolean(&mut self, name: Name<'_>, value: bool) {
        if self.keeps(name) {
            self.sink.boolean(name, value);
        }
    }

    fn text(&mut self, name: Name<'_>, value: &str) {
        if self.keeps(name) {
            self.sink.text(name, value);
        }
    }

    fn tag(&mut self, name: Name<'_>, value: &str) {
        self.sink.tag(name, value);
    }

    fn time(&mut self, time: Result<i64, TimeFault>) {
        self.sink.time(time);
    }

    fn time_detail(&mut self, unit: TimeUnit, nanos: i16) {
        self.sink.time_detail(unit, nanos);
    }

    fn measurement(&mut self, name: &str) {
        self.sink.measurement(name);
    }

    fn tiebreaker(&mut self, value: i64) {
        self.sink.tiebreaker(value);
    }

    fn reserved_name(&mut self) {
        self.sink.reserved_name();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &[&str], exclude: &[&str]) -> Result<Option<FieldFilter>, PatternError> {
        let owned = |patterns: &[&str]| patterns.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        FieldFilter::new(&owned(include), &owned(exclude))
    }

    #[test]
    fn patterns_choose_whole_names() {
        let kept = |include: &[&str], exclude: &[&str]| {
            let filter = filter(include, exclude).unwrap().unwrap();
            let names = [
                "force",
                "force0",
                "force12",
                "outer_force",
                "private_sndStamp",
                "salIndex",
            ];
            names
                .into_iter()
                .filter(|name| filter.keeps(name))
                .collect::<Vec<_>>()
        };
        assert_eq!(kept(&["force"], &[]), ["force"]);
        assert_eq!(
            kept(&["force*", "salIndex"], &[]),
            ["force", "force0", "force12", "salIndex"]
        );
        assert_eq!(kept(&["force?"], &[]), ["force0"]);
        assert_eq!(kept(&["force[0-9]*"], &["force[!0]*"]), ["force0"]);
        assert_eq!(
            kept(&[], &["private_*", "*force*"]),
            ["salIndex"],
            "without --field-include all others"
        );
    }

    #[test]
    fn a_pattern_is_checked() {
        assert!(filter(&[], &[]).unwrap().is_none());
        for wrong in ["", "a b", "a(b", "a[", "a[]", "[z-a]", "a{b}"] {
            assert!(filter(&[wrong], &[]).is_err(), "{wrong}");
            assert!(filter(&[], &[wrong]).is_err(), "{wrong}");
        }
    }
}
