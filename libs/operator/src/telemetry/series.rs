//! A field's values over a stretch of time.

use serde::Serialize;

/// What is asked for: a field of a measurement.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Quantity {
    /// The measurement, which is the full name of the records.
    pub measurement: String,
    /// The field, flattened: `position`, `temperature3`.
    pub field: String,
}

/// From one time to another, in microseconds since 1970 UTC; the second is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TimeRange {
    /// The first microsecond.
    pub from: i64,
    /// The first that is too late.
    pub to: i64,
}

/// A value, or what several of them come to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Microseconds since 1970 UTC; of several values, the first's or the beginning of their stretch.
    pub time: i64,
    /// The value; of several, their mean.
    pub value: f64,
    /// The least of them.
    pub low: f64,
    /// The most of them.
    pub high: f64,
}

/// Points in the order of time.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Series {
    /// Values, or the mean, least and most of stretches.
    pub points: Vec<Point>,
    /// How many values there are in the range; of a topic, how many messages were read.
    pub count: u64,
    /// The length of the stretches, in microseconds; none where each point is a value.
    pub stretch: Option<i64>,
    /// Of a topic: how many messages there are in it, if not all were read.
    pub out_of: Option<u64>,
}

impl TimeRange {
    /// Its length in microseconds, at least one.
    pub fn length(self) -> i64 {
        self.to.saturating_sub(self.from).max(1)
    }

    /// The length of each of `most` stretches that cover it.
    pub(super) fn stretch(self, most: usize) -> i64 {
        let most = i64::try_from(most.max(1)).unwrap_or(i64::MAX);
        (self.length() / most).max(1)
    }
}

impl Point {
    /// A single value.
    pub fn single(time: i64, value: f64) -> Self {
        Self {
            time,
            value,
            low: value,
            high: value,
        }
    }
}

impl Series {
    /// Of single values, in the order of time; if there are more than `most`, of stretches.
    pub(super) fn of_values(values: Vec<(i64, f64)>, range: TimeRange, most: usize) -> Self {
        let count = values.len() as u64;
        if values.len() <= most {
            let points = values.into_iter().map(|(time, value)| Point::single(time, value));
            return Self {
                points: points.collect(),
                count,
                ..Self::default()
            };
        }
        let stretch = range.stretch(most);
        let mut points: Vec<Point> = Vec::new();
        let (mut current, mut number) = (None, 0.0);
        for (time, value) in values {
            let place = Some((time - range.from).div_euclid(stretch));
            match points.last_mut().filter(|_| place == current) {
                Some(point) => {
                    number += 1.0;
                    point.value += (value - point.value) / number;
                    point.low = point.low.min(value);
                    point.high = point.high.max(value);
                }
                None => {
                    points.push(Point::single(time, value));
                    (current, number) = (place, 1.0);
                }
            }
        }
        Self {
            points,
            count,
            stretch: Some(stretch),
            out_of: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_values_become_stretches() {
        let range = TimeRange { from: 0, to: 100 };
        let values: Vec<(i64, f64)> = (0..100).map(|time| (time, time as f64)).collect();
        let all = Series::of_values(values.clone(), range, 100);
        assert_eq!((all.points.len(), all.stretch), (100, None));
        let few = Series::of_values(values, range, 10);
        assert_eq!((few.points.len(), few.count, few.stretch), (10, 100, Some(10)));
        assert_eq!(
            few.points[1],
            Point {
                time: 10,
                value: 14.5,
                low: 10.0,
                high: 19.0
            }
        );
    }
}
