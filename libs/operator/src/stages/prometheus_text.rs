//! Prometheus' text format, as the stages' `/metrics` answer it: each line has a name, labels and a value. Any other line is
//! ignored.

use std::collections::BTreeMap;

use crate::histogram::BucketHistogram;

/// The metrics of one or several processes at one time.
#[derive(Debug, Default, Clone)]
pub struct Metrics {
    /// Counters and gauges, summed over their labels.
    sums: BTreeMap<String, f64>,
    /// The largest value of each over its labels.
    largest: BTreeMap<String, f64>,
    /// The cumulative counts of histograms by upper bound, summed over their other labels.
    buckets: BTreeMap<String, Vec<(f64, u64)>>,
}

impl Metrics {
    /// Reads a whole answer.
    pub fn read(text: &str) -> Self {
        let mut metrics = Self::default();
        for (name, labels, value) in text.lines().filter_map(sample) {
            match (name.strip_suffix("_bucket"), bound(labels)) {
                (Some(histogram), Some(bound)) => {
                    let buckets = metrics.buckets.entry(histogram.to_owned()).or_default();
                    // Counts stay far below 2^53; the cast of any other number saturates.
                    let count = value as u64;
                    match buckets.iter_mut().find(|(known, _)| *known == bound) {
                        Some((_, known)) => *known = known.saturating_add(count),
                        None => buckets.push((bound, count)),
                    }
                }
                _ => {
                    *metrics.sums.entry(name.to_owned()).or_default() += value;
                    let largest = metrics.largest.entry(name.to_owned()).or_insert(value);
                    *largest = largest.max(value);
                }
            }
        }
        for buckets in metrics.buckets.values_mut() {
            buckets.sort_by(|(one, _), (other, _)| one.total_cmp(other));
            // Cumulative counts do not fall; an answer in which they do is repaired.
            let mut most = 0;
            for (_, count) in buckets {
                most = most.max(*count);
                *count = most;
            }
        }
        metrics
    }

    /// The sum of a counter or gauge over its labels; none if there is none of this name.
    pub fn sum(&self, name: &str) -> Option<f64> {
        self.sums.get(name).copied()
    }

    /// The largest value of a counter or gauge over its labels; none if there is none of this name.
    pub fn largest(&self, name: &str) -> Option<f64> {
        self.largest.get(name).copied()
    }

    /// Whether the name of any metric has this prefix.
    pub fn has(&self, prefix: &str) -> bool {
        self.sums.keys().any(|name| name.starts_with(prefix))
    }

    /// A histogram; an empty one if there is none of this name.
    pub fn histogram(&self, name: &str) -> BucketHistogram {
        BucketHistogram::new(self.buckets.get(name).cloned().unwrap_or_default())
    }
}

/// The values of two labels of each series of one name, and its value; without those that lack one of the labels.
pub(super) fn pairs(text: &str, name: &str, labels: [&str; 2]) -> Vec<([String; 2], f64)> {
    let of_name = text
        .lines()
        .filter_map(sample)
        .filter(|(found, ..)| *found == name);
    let pair = |(_, all, value): (&str, &str, f64)| {
        let [one, other] = labels.map(|label| label_value(all, label));
        Some(([one?, other?], value))
    };
    of_name.filter_map(pair).collect()
}

/// The value of a label that has neither quotes nor backslashes in it, as those of the stages' counters.
fn label_value(labels: &str, label: &str) -> Option<String> {
    let mut rest = labels;
    loop {
        let (name, value) = rest.split_once("=\"")?;
        let (value, after) = value.split_once('"')?;
        if name.trim_start_matches(',').trim() == label {
            return Some(value.to_owned());
        }
        rest = after;
    }
}

/// Name, labels without their braces, and value of a line.
fn sample(line: &str) -> Option<(&str, &str, f64)> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let name_end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, rest) = line.split_at(name_end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inner) => inner.split_at(labels_end(inner)?),
        None => ("", rest),
    };
    let value = rest.trim_start_matches('}').split_whitespace().next()?;
    let value: f64 = match value {
        "+Inf" => f64::INFINITY,
        value => value.parse().ok()?,
    };
    (!name.is_empty() && value.is_finite()).then_some((name, labels, value))
}

/// Where the closing brace is; one within a quoted value does not close.
fn labels_end(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '}' if !quoted => return Some(index),
            _ => {}
        }
    }
    None
}

/// The upper bound of a bucket: its label `le`, whose values contain neither quotes nor commas.
fn bound(labels: &str) -> Option<f64> {
    let value = labels
        .split(',')
        .find_map(|label| label.trim().strip_prefix("le=\""))?;
    match value.trim_end_matches('"') {
        "+Inf" => Some(f64::INFINITY),
        value => value.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# HELP a_total what it is
# TYPE a_total counter
a_total{stage="x",reason="} \" {"} 3
a_total{stage="y",reason=""} 4 1700000000
plain 1.5
t_seconds_bucket{le="0.1"} 50
t_seconds_bucket{le="0.2"} 100
t_seconds_bucket{le="+Inf"} 100
t_seconds_sum 7
nonsense
{x="y"} 5
broken{x="y 6
nan NaN
"#;

    #[test]
    fn labels_are_summed_and_buckets_kept() {
        let metrics = Metrics::read(TEXT);
        assert_eq!(metrics.sum("a_total"), Some(7.0));
        assert_eq!(metrics.sum("plain"), Some(1.5));
        assert_eq!(metrics.sum("t_seconds_sum"), Some(7.0));
        assert_eq!(metrics.histogram("t_seconds").quantile(0.5), Some(0.1));
        for none in ["nonsense", "broken", "nan", ""] {
            assert_eq!(metrics.sum(none), None, "{none}");
        }
        assert!(metrics.has("a_") && !metrics.has("b_"));
    }

    #[test]
    fn no_text_panics() {
        for text in [
            "",
            "\0",
            "a{",
            "a}",
            "a{} ",
            "a{\"} 1",
            "x_bucket{le=\"\"} 1",
            "é{ü=\"ö\"} 1e999",
        ] {
            assert_eq!(Metrics::read(text).histogram("x").quantile(0.5), None, "{text}");
        }
    }

    #[test]
    fn the_metrics_of_the_stages_are_read() {
        let registry = prometheus::Registry::new();
        let own = influxsink::metrics::SinkMetrics::register(&registry).unwrap();
        own.written.inc_by(12);
        own.dead_letters.with_label_values(&["decode", "x"]).inc();
        own.point_age_seconds.observe(0.3);
        let text = prometheus::TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap();
        let metrics = Metrics::read(&text);
        assert_eq!(metrics.sum("influxsink_written_total"), Some(12.0));
        assert_eq!(metrics.sum("influxsink_dead_letters_total"), Some(1.0));
        let age = metrics
            .histogram("influxsink_point_age_seconds")
            .quantile(0.5)
            .unwrap();
        assert!((0.256..0.512).contains(&age), "{age}");
    }
}
