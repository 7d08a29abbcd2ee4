//! A stage's `/metrics`: counters, and quantiles of histograms.

use testkit::prometheus::{samples, sum};

use crate::bench::Bench;
use crate::failure::{Doing, Outcome};
use crate::process::Process;

/// One reading.
#[derive(Debug, Default)]
pub(crate) struct Metrics(String);

impl Metrics {
    /// Queries a stage.
    pub(crate) async fn of(bench: &Bench, stage: &Process) -> Outcome<Self> {
        let doing = || format!("ask {} for metrics", stage.name());
        let url = format!("http://127.0.0.1:{}/metrics", stage.port);
        let answer = bench.http.get(url).send().await.doing(doing())?;
        Ok(Self(answer.text().await.doing(doing())?))
    }

    /// A counter or gauge, summed over its labels.
    pub(crate) fn get(&self, name: &str) -> f64 {
        sum(&self.0, name).unwrap_or_default()
    }

    /// A quantile of the observations since an earlier reading. They are assumed to be distributed evenly
    /// within a bucket, so the result is as exact as the buckets are fine.
    pub(crate) fn quantile_since(&self, earlier: &Self, name: &str, share: f64) -> f64 {
        let bucket = format!("{name}_bucket");
        let before: Vec<f64> = samples(&earlier.0, &bucket).map(|(_, count)| count).collect();
        let buckets: Vec<(f64, f64)> = samples(&self.0, &bucket)
            .enumerate()
            .filter_map(|(at, (labels, count))| {
                let edge = labels.strip_prefix("le=\"")?.strip_suffix('"')?;
                Some((
                    edge.parse().ok()?,
                    count - before.get(at).copied().unwrap_or_default(),
                ))
            })
            .collect();
        let wanted = share * buckets.last().map_or(0.0, |(_, all)| *all);
        let (mut lower, mut below) = (0.0, 0.0);
        for (edge, count) in buckets {
            if count >= wanted && count > below {
                return lower + (edge - lower) * (wanted - below) / (count - below);
            }
            (lower, below) = (edge, count);
        }
        lower
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_cover_the_time_between_two_readings() {
        let text = |counts: [u32; 3]| {
            let [a, b, c] = counts;
            Metrics(format!(
                "x_bucket{{le=\"1\"}} {a}\nx_bucket{{le=\"2\"}} {b}\nx_bucket{{le=\"+Inf\"}} {c}\nx_count {c}\n"
            ))
        };
        let (before, after) = (text([10, 10, 10]), text([10, 110, 110]));
        assert_eq!(after.quantile_since(&before, "x", 0.5), 1.5);
        assert_eq!(after.get("x_count"), 110.0);
    }
}
