//! What a plot shows, as its address says it: fields, and a stretch of time that is fixed or ends now.

use operator::telemetry::TimeRange;
use stage::config::{Timestamp, parse_timestamp};

use crate::params::Params;

/// Fields of one plot.
pub(crate) const MAX_FIELDS: usize = 8;
/// Shown unless the address says something else.
const DEFAULT_LAST: &str = "5m";
const MICROS: i64 = 1_000;
/// Years are more than any database keeps.
const MAX_MILLIS: i64 = 20 * 366 * 86_400_000;

/// A field of a topic's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) topic: String,
    pub(crate) field: String,
}

/// What a plot shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) chosen: Vec<Chosen>,
    /// As the address has it.
    pub(crate) params: Params,
    /// How long before now it begins, if it ends now.
    pub(crate) last: Option<i64>,
    fixed: TimeRange,
    /// What of the address cannot be meant.
    pub(crate) problem: Option<String>,
}

impl Chosen {
    /// `TOPIC:FIELD`, as an address has it.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (topic, field) = text.rsplit_once(':')?;
        (!topic.is_empty() && !field.is_empty()).then(|| Self {
            topic: topic.to_owned(),
            field: field.to_owned(),
        })
    }

    pub(crate) fn text(&self) -> String {
        format!("{}:{}", self.topic, self.field)
    }
}

impl Selection {
    /// Reads `f=TOPIC:FIELD` (several), `last=10m`, or `from=…` and `to=…`.
    pub(crate) fn read(params: Params) -> Self {
        let mut chosen: Vec<Chosen> = Vec::new();
        for found in params.all("f").filter_map(Chosen::read) {
            if !chosen.contains(&found) && chosen.len() < MAX_FIELDS {
                chosen.push(found);
            }
        }
        let mut selection = Self {
            chosen,
            last: None,
            fixed: TimeRange { from: 0, to: 0 },
            problem: None,
            params,
        };
        match selection.times() {
            Ok((from, Some(to))) if from < to && to - from <= MAX_MILLIS => {
                selection.fixed = TimeRange {
                    from: from * MICROS,
                    to: to * MICROS,
                };
            }
            Ok((from, None)) => {
                // Of whole seconds, as the address has it.
                let length = (Timestamp::now().0 - from + 500) / 1_000 * 1_000;
                selection.last = Some(length.clamp(1_000, MAX_MILLIS));
            }
            Ok(_) => selection.problem = Some("The time ends before it begins, or is too long.".to_owned()),
            Err(problem) => selection.problem = Some(problem),
        }
        if selection.problem.is_some() {
            selection.last = Some(300_000);
        }
        selection
    }

    /// Beginning and end in milliseconds; no end where it is now.
    fn times(&self) -> Result<(i64, Option<i64>), String> {
        let time = |name: &str| self.params.get(name).map(parse_time).transpose();
        match (time("from")?, time("to")?) {
            (Some(from), to) => Ok((from, Some(to.unwrap_or_else(|| Timestamp::now().0)))),
            (None, _) => {
                let last = self.params.get("last").unwrap_or(DEFAULT_LAST);
                let from = parse_timestamp(&format!("-{last}"))
                    .map_err(|_| format!("{last} is not a length of time: expected 90s, 10m, 2h or 7d"))?;
                Ok((from.0, None))
            }
        }
    }

    /// The stretch of time, as of now.
    pub(crate) fn range(&self) -> TimeRange {
        match self.last {
            Some(last) => {
                let now = Timestamp::now().0;
                TimeRange {
                    from: (now - last) * MICROS,
                    to: now * MICROS,
                }
            }
            None => self.fixed,
        }
    }

    /// The address of the same with other times.
    pub(crate) fn over(&self, range: TimeRange) -> Params {
        let text = |micros: i64| Timestamp(micros / MICROS).to_string();
        let params = self.params.with("last", None).with("q", None);
        params
            .with("from", Some(&text(range.from)))
            .with("to", Some(&text(range.to)))
    }

    /// The address of the same that ends now.
    pub(crate) fn over_last(&self, last: &str) -> Params {
        let params = self.params.with("from", None).with("to", None).with("q", None);
        params.with("last", Some(last))
    }

    /// The address of the same with one more field.
    pub(crate) fn with(&self, topic: &str, field: &str) -> Params {
        self.params.with("q", None).and("f", &format!("{topic}:{field}"))
    }
}

/// A time as forms and people write it: also without its zone, which is UTC.
fn parse_time(text: &str) -> Result<i64, String> {
    let with_zone = format!("{}Z", text.replacen(' ', "T", 1));
    let found = parse_timestamp(text).or_else(|why| parse_timestamp(&with_zone).map_err(|_| why))?;
    Ok(found.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Selection {
        Selection::read(Params::read(text.as_bytes()))
    }

    #[test]
    fn fields_and_times_are_read() {
        let selection = read("f=lsst.sal.A:x&f=lsst.sal.A:x&f=nonsense&f=b:y&last=10m");
        assert_eq!(selection.chosen.len(), 2);
        assert_eq!(selection.last, Some(600_000));
        assert_eq!(selection.range().length(), 600_000_000);
        let fixed = read("f=a:x&from=2026-11-30T08:00:00Z&to=2026-11-30+08:00:10");
        assert_eq!((fixed.last, fixed.range().length()), (None, 10_000_000));
        assert_eq!(
            read(&fixed.over(fixed.range()).encoded()).range(),
            fixed.range(),
            "an address reproduces it"
        );
    }

    #[test]
    fn what_cannot_be_meant_is_said() {
        for wrong in [
            "last=soon",
            "from=yesterday",
            "from=2026-11-30&to=2026-11-29",
            "last=9999999999999d",
        ] {
            let selection = read(wrong);
            assert!(selection.problem.is_some(), "{wrong}");
            assert!(selection.range().length() > 0);
        }
    }
}
