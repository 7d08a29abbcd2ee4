//! The path of a series, its band between least and most, and its gaps.

use std::fmt::Write as _;

use operator::telemetry::Point;

/// A distance between two points that exceeds the usual one by this factor is a gap.
const GAP: f64 = 3.5;
/// With fewer points than this, each is a dot.
const MAX_DOTS: usize = 80;

/// What is drawn of a series.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Paths {
    pub(super) line: String,
    /// Empty where each point is a value.
    pub(super) band: String,
    /// Points that stand alone, or all where they are few.
    pub(super) dots: Vec<(f64, f64)>,
}

/// How the points of a series are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joint {
    /// By straight lines, except over gaps.
    Line,
    /// Each value holds until the next.
    Step,
}

/// Draws points through the scales of both axes.
pub(super) fn paths(
    points: &[Point],
    stretch: Option<i64>,
    joint: Joint,
    x: impl Fn(i64) -> f64,
    y: impl Fn(f64) -> f64,
) -> Paths {
    let mut paths = Paths::default();
    let runs = match joint {
        Joint::Line => runs(points, stretch),
        Joint::Step => points.chunks(points.len().max(1)).collect(),
    };
    for run in &runs {
        for (index, point) in run.iter().enumerate() {
            // A `String` can always be written to.
            let _ = match (index, joint) {
                (0, _) => write!(paths.line, "M{:.1} {:.1}", x(point.time), y(point.value)),
                (_, Joint::Line) => write!(paths.line, "L{:.1} {:.1}", x(point.time), y(point.value)),
                (_, Joint::Step) => write!(paths.line, "H{:.1}V{:.1}", x(point.time), y(point.value)),
            };
        }
        if stretch.is_some() && run.len() > 1 {
            let there = run.iter().map(|point| (point.time, point.high));
            let back = run.iter().rev().map(|point| (point.time, point.low));
            for (index, (time, value)) in there.chain(back).enumerate() {
                let letter = if index == 0 { 'M' } else { 'L' };
                let _ = write!(paths.band, "{letter}{:.1} {:.1}", x(time), y(value));
            }
            paths.band.push('Z');
        }
        if run.len() == 1 || points.len() <= MAX_DOTS {
            paths
                .dots
                .extend(run.iter().map(|point| (x(point.time), y(point.value))));
        }
    }
    paths
}

/// The points between two gaps.
fn runs(points: &[Point], stretch: Option<i64>) -> Vec<&[Point]> {
    let distances = |points: &[Point]| -> Vec<i64> {
        points
            .iter()
            .zip(points.iter().skip(1))
            .map(|(one, next)| next.time - one.time)
            .collect()
    };
    let mut all = distances(points);
    all.sort_unstable();
    let usual = all.get(all.len() / 2).copied().unwrap_or_default();
    let most = (usual.max(stretch.unwrap_or_default()) as f64 * GAP) as i64;
    points
        .chunk_by(|one, next| next.time - one.time <= most)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_gaps() {
        let points: Vec<Point> = [0, 1, 2, 10, 11, 12, 30]
            .map(|time| Point::single(time, 1.0))
            .to_vec();
        let lengths: Vec<usize> = runs(&points, None).iter().map(|run| run.len()).collect();
        assert_eq!(lengths, [3, 3, 1]);
        let drawn = paths(&points, None, Joint::Line, |time| time as f64, |value| value);
        assert_eq!(drawn.line.matches('M').count(), 3);
        assert!(drawn.band.is_empty());
        assert_eq!(drawn.dots.len(), 7);
        assert_eq!(paths(&[], None, Joint::Step, |_| 0.0, |_| 0.0), Paths::default());
        let held = paths(&points[..3], None, Joint::Step, |time| time as f64, |value| value);
        assert_eq!(held.line, "M0.0 1.0H1.0V1.0H2.0V1.0");
        let coarse = paths(&points, Some(10), Joint::Line, |time| time as f64, |value| value);
        assert_eq!(
            coarse.line.matches('M').count(),
            1,
            "no stretch without a value lies between"
        );
    }
}
