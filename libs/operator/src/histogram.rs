//! A histogram of a stage's metrics, and its quantiles as Prometheus estimates them.

/// Cumulative counts by upper bound.
#[derive(Clone, Default, Debug)]
pub struct BucketHistogram {
    buckets: Vec<(f64, u64)>,
}

impl BucketHistogram {
    /// Takes cumulative counts by upper bound, in the order of the bounds; the last bound is infinity.
    pub fn new(buckets: Vec<(f64, u64)>) -> Self {
        Self { buckets }
    }

    /// What was observed since an earlier sample; all of it if the process was restarted since.
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |index: usize| earlier.buckets.get(index).map_or(0, |bucket| bucket.1);
        let is_restarted = self
            .buckets
            .iter()
            .enumerate()
            .any(|(index, (_, count))| *count < before(index));
        let buckets = self.buckets.iter().enumerate().map(|(index, (bound, count))| {
            let before = if is_restarted { 0 } else { before(index) };
            (*bound, count - before)
        });
        Self {
            buckets: buckets.collect(),
        }
    }

    /// The value below which the share `q` of the observations lies, as Prometheus' `histogram_quantile` estimates it; `None`
    /// without observations.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let total = self
            .buckets
            .last()
            .map(|bucket| bucket.1)
            .filter(|total| *total > 0)?;
        let rank = q * total as f64;
        let mut lower = (0.0, 0);
        for &(bound, count) in &self.buckets {
            if count as f64 >= rank {
                if bound.is_infinite() {
                    return Some(lower.0);
                }
                let share = (rank - lower.1 as f64) / (count - lower.1).max(1) as f64;
                return Some(lower.0 + (bound - lower.0) * share);
            }
            lower = (bound, count);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated_as_prometheus_does() {
        let histogram = BucketHistogram {
            buckets: vec![(0.1, 50), (0.2, 100), (f64::INFINITY, 100)],
        };
        assert_eq!(histogram.quantile(0.5), Some(0.1));
        assert!((histogram.quantile(0.75).unwrap() - 0.15).abs() < 1e-12);
        assert_eq!(BucketHistogram::default().quantile(0.5), None);
        let beyond = BucketHistogram {
            buckets: vec![(0.1, 0), (f64::INFINITY, 5)],
        };
        assert_eq!(
            beyond.quantile(0.99),
            Some(0.1),
            "what lies above the last bound is at least that bound"
        );
    }
}
