//! Reads single values of Prometheus' text format, as the stages' `/metrics` answer it, for tests and benches. It shares no
//! code with the reader of `operator::stages`.

/// The labels, verbatim and without their braces, and the value of each sample of this name.
pub fn samples<'t>(text: &'t str, name: &str) -> impl Iterator<Item = (&'t str, f64)> {
    text.lines().filter_map(move |line| {
        let rest = line.strip_prefix(name)?;
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once("} ")?,
            None => ("", rest.strip_prefix(' ')?),
        };
        Some((labels, value.trim().parse().ok()?))
    })
}

/// The sum of a counter or gauge over its labels; none if there is none of this name.
pub fn sum(text: &str, name: &str) -> Option<f64> {
    samples(text, name)
        .map(|(_, value)| value)
        .reduce(|sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP a_total what it is\n# TYPE a_total counter\na_total{reason=\"x\"} 1\n\
                        a_total{reason=\"} 5\"} 2\na_total_more 7\nplain 1.5\n";

    #[test]
    fn labels_are_kept_apart_and_summed() {
        let found: Vec<_> = samples(TEXT, "a_total").collect();
        assert_eq!(found, [("reason=\"x\"", 1.0), ("reason=\"} 5\"", 2.0)]);
        assert_eq!(sum(TEXT, "a_total"), Some(3.0));
        assert_eq!(sum(TEXT, "plain"), Some(1.5));
    }

    #[test]
    fn what_is_not_there_has_no_sum() {
        for name in ["a", "plai", "a_total{", "# HELP"] {
            assert_eq!(sum(TEXT, name), None, "{name}");
        }
    }
}
