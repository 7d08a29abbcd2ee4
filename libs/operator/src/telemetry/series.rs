//! A field's values over a stretch of time.

use serde::Serialize;

/// What is asked for: a field of a measurement.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Quantity {
    /// The measurement, which is the full name of the records.
    pub measurement: String,
    /// The field, flattened: `position`, `temperature3`.
    pub field: String,
    /// Of an enumeration, its names in their order: a value is the place of its name. Of all else, none.
    pub symbols: Vec<String>,
}

/// How many values of an enumeration are read, the newest: their names cannot be reduced by a database.
pub(super) const MAX_NAMES: usize = 20_000;

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

    /// The length of stretches of which `most` cover it.
    pub(super) fn stretch(self, most: usize) -> i64 {
        let most = i64::try_from(most.max(1)).unwrap_or(i64::MAX);
        // Rounded up: otherwise there is one more, or many more of short ones.
        (self.length() - 1) / most + 1
    }
}

impl Quantity {
    /// The place of a name.
    pub(super) fn place(&self, name: &str) -> Option<f64> {
        let place = self.symbols.iter().position(|symbol| symbol == name)?;
        Some(place as f64)
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
    /// Of an enumeration's names, the newest [`MAX_NAMES`] of `count`, in the order of time. A name that stands between two
    /// of the same is left out; of more than `most` others, the last of each stretch stands for it.
    pub(super) fn of_names(
        of: &Quantity,
        names: &[(i64, String)],
        count: u64,
        range: TimeRange,
        most: usize,
    ) -> Self {
        let places = names.iter();
        let places: Vec<(i64, f64)> = places
            .filter_map(|(time, name)| Some((*time, of.place(name)?)))
            .collect();
        let at = |index: Option<usize>| index.and_then(|index| places.get(index)).map(|(_, place)| *place);
        let changes = places.iter().enumerate().filter(|(index, (_, place))| {
            let (before, after) = (at(index.checked_sub(1)), at(Some(index + 1)));
            before != Some(*place) || after != Some(*place)
        });
        let changes = changes.map(|(_, change)| *change).collect();
        Self {
            count,
            out_of: (count > names.len() as u64).then_some(count),
            ..Self::reduced(changes, range, most, |_, last, _| last)
        }
    }

    /// Of single values, in the order of time; if there are more than `most`, of stretches.
    pub(super) fn of_values(values: Vec<(i64, f64)>, range: TimeRange, most: usize) -> Self {
        Self::reduced(values, range, most, |mean, value, number| {
            mean + (value - mean) / number
        })
    }

    /// `merge` takes what the values of a stretch come to so far, the next one, and its number.
    fn reduced(
        values: Vec<(i64, f64)>,
        range: TimeRange,
        most: usize,
        merge: impl Fn(f64, f64, f64) -> f64,
    ) -> Self {
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
                    point.value = merge(point.value, value, number);
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
            [1, 3, 60, 99, 100, 101].map(|most| range.stretch(most)),
            [100, 34, 2, 2, 1, 1]
        );
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

    #[test]
    fn names_are_kept_where_they_change() {
        let of = Quantity {
            measurement: "m".to_owned(),
            field: "f".to_owned(),
            symbols: ["OFF", "ON"].map(str::to_owned).to_vec(),
        };
        let range = TimeRange { from: 0, to: 100 };
        let names = ["OFF", "OFF", "OFF", "none of them", "ON", "OFF", "OFF"];
        let names: Vec<(i64, String)> = (0..).zip(names.map(str::to_owned)).collect();
        let series = Series::of_names(&of, &names, 7, range, 10);
        let found: Vec<(i64, f64)> = series
            .points
            .iter()
            .map(|point| (point.time, point.value))
            .collect();
        assert_eq!(found, [(0, 0.0), (2, 0.0), (4, 1.0), (5, 0.0), (6, 0.0)]);
        assert_eq!((series.count, series.out_of), (7, None));
        let few = Series::of_names(&of, &names, 9, range, 1);
        assert_eq!((few.points.len(), few.out_of), (1, Some(9)));
        assert_eq!(
            (few.points[0].low, few.points[0].value, few.points[0].high),
            (0.0, 0.0, 1.0)
        );
    }
}
