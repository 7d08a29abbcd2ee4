//! The course of one value: samples of a fixed stretch of time, of which the oldest are dropped.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Samples, oldest first; none where the value was not known.
#[derive(Debug, Clone)]
pub(crate) struct Course {
    span: Duration,
    /// A sample that follows its predecessor sooner is merged with it: the larger value stays.
    step: Duration,
    samples: VecDeque<(Instant, Option<f64>)>,
}

impl Course {
    /// Keeps `span`, in at most `most` samples.
    pub(crate) fn new(span: Duration, most: u32) -> Self {
        Self {
            span,
            step: span / most.max(1),
            samples: VecDeque::new(),
        }
    }

    /// Adds a sample.
    pub(crate) fn push(&mut self, now: Instant, value: Option<f64>) {
        match self.samples.back_mut() {
            Some((then, last)) if now.duration_since(*then) < self.step => {
                *last = match (*last, value) {
                    (Some(last), Some(value)) => Some(last.max(value)),
                    (last, value) => value.or(last),
                };
            }
            _ => self.samples.push_back((now, value)),
        }
        while self
            .samples
            .front()
            .is_some_and(|(then, _)| now.duration_since(*then) > self.span)
        {
            self.samples.pop_front();
        }
    }

    /// Each sample as its place in the span, or in what there is of it yet: from 0 (oldest) to 1 (now); and its value.
    pub(crate) fn places(&self) -> Vec<(f64, Option<f64>)> {
        let (Some((first, _)), Some((now, _))) = (self.samples.front(), self.samples.back()) else {
            return Vec::new();
        };
        // A course that has just begun fills the plot, too.
        let age = now.duration_since(*first).max(self.span / 10);
        let span = age.min(self.span).as_secs_f64();
        let place = |then: Instant| 1.0 - now.duration_since(then).as_secs_f64() / span;
        self.samples
            .iter()
            .map(|(then, value)| (place(*then), *value))
            .collect()
    }

    /// The newest value that is known.
    pub(crate) fn last(&self) -> Option<f64> {
        self.samples.back().and_then(|(_, value)| *value)
    }

    /// The largest value.
    pub(crate) fn most(&self) -> Option<f64> {
        self.values().reduce(f64::max)
    }

    /// Whether it has risen steadily over the last `stretch`: the least of its second half is above the most of its first.
    pub(crate) fn grows_over(&self, stretch: Duration) -> bool {
        let Some((now, _)) = self.samples.back().copied() else {
            return false;
        };
        let age = |then: &Instant| now.duration_since(*then);
        let covers = self
            .samples
            .front()
            .is_some_and(|(then, _)| age(then) >= stretch.mul_f64(0.9));
        let within = self.samples.iter().filter(|(then, _)| age(then) <= stretch);
        let (old, new): (Vec<_>, Vec<_>) = within
            .filter_map(|(then, value)| Some((*then, (*value)?)))
            .partition(|(then, _)| age(then) > stretch / 2);
        let most = old.iter().map(|(_, value)| *value).reduce(f64::max);
        let least = new.iter().map(|(_, value)| *value).reduce(f64::min);
        covers && matches!((most, least), (Some(most), Some(least)) if least > most)
    }

    /// How much a counter has grown over the span; a restart counts from 0.
    pub(crate) fn growth(&self) -> f64 {
        let values: Vec<f64> = self.values().collect();
        let steps = values.iter().zip(values.iter().skip(1));
        steps
            .map(|(before, after)| if after < before { *after } else { after - before })
            .sum()
    }

    /// The growth of a counter per second; none before there are two samples.
    pub(crate) fn growth_per_second(&self) -> Option<f64> {
        let ((first, _), (last, _)) = (self.samples.front()?, self.samples.back()?);
        let seconds = last.duration_since(*first).as_secs_f64();
        (seconds > 0.0).then(|| self.growth() / seconds)
    }

    /// The known values of the last samples, newest first.
    pub(crate) fn newest(&self, count: usize) -> impl Iterator<Item = f64> {
        self.samples
            .iter()
            .rev()
            .take(count)
            .filter_map(|(_, value)| *value)
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        self.samples.iter().filter_map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_span_is_kept() {
        let start = Instant::now();
        let mut course = Course::new(Duration::from_secs(10), 10);
        for second in 0..30 {
            course.push(start + Duration::from_secs(second), Some(second as f64));
        }
        let places = course.places();
        assert_eq!(places.len(), 11);
        assert_eq!(places.last(), Some(&(1.0, Some(29.0))));
        assert_eq!(places.first(), Some(&(0.0, Some(19.0))));
        assert_eq!((course.most(), course.last()), (Some(29.0), Some(29.0)));
        assert_eq!(course.growth(), 10.0);
        assert!(course.grows_over(Duration::from_secs(10)));
        course.push(start + Duration::from_secs(30), Some(3.0));
        assert!(!course.grows_over(Duration::from_secs(10)));
        assert_eq!(course.growth(), 12.0, "after a restart a counter begins at 0");
    }

    #[test]
    fn samples_that_come_too_often_are_merged() {
        let start = Instant::now();
        let mut course = Course::new(Duration::from_secs(10), 10);
        for (millis, value) in [(0, Some(1.0)), (100, Some(3.0)), (200, None), (300, Some(2.0))] {
            course.push(start + Duration::from_millis(millis), value);
        }
        assert_eq!(course.places(), [(1.0, Some(3.0))]);
    }
}
