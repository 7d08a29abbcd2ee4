//! Where an axis has its marks, and what stands at them.

use crate::format::{shown, strftime};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Steps of a time axis, in milliseconds: those that a clock has.
const TIME_STEPS: [i64; 26] = [
    1,
    10,
    100,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    30 * DAY,
    90 * DAY,
    365 * DAY,
];

/// An axis of values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ValueAxis {
    pub(super) low: f64,
    pub(super) high: f64,
    /// The marks and what stands at them.
    pub(super) ticks: Vec<(f64, String)>,
    /// The power of ten by which the labels are divided.
    pub(super) power: i32,
}

impl ValueAxis {
    /// Covers `low` to `high` with about `most` marks at round values.
    pub(super) fn cover(low: f64, high: f64, most: usize) -> Self {
        let (low, high) = widened(low, high);
        let step = round_step((high - low) / most.max(1) as f64);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        let size = low.abs().max(high.abs());
        let power = match size.log10().floor() {
            power if power >= 6.0 || (power < -3.0 && power.is_finite()) => (power / 3.0).floor() as i32 * 3,
            _ => 0,
        };
        let unit = 10_f64.powi(power);
        let decimals = (-(step / unit).log10().floor()).clamp(0.0, 12.0) as usize;
        let count = ((high - low) / step).round() as usize;
        let ticks = (0..=count.min(50)).map(|index| {
            let value = low + step * index as f64;
            let text = format!("{:.decimals$}", value / unit);
            // Not -0.
            let is_zero = text
                .trim_start_matches('-')
                .chars()
                .all(|c| matches!(c, '0' | '.'));
            let text = if is_zero {
                text.trim_start_matches('-').to_owned()
            } else {
                text.replace('-', "−")
            };
            (value, text)
        });
        Self {
            low,
            high,
            ticks: ticks.collect(),
            power,
        }
    }

    /// Has the names of an enumeration, from the place `low` to the place `high` and a little beyond; of very many, some.
    pub(super) fn name(symbols: &[String], low: f64, high: f64, format: Names) -> Self {
        let last = symbols.len().saturating_sub(1);
        let place = |value: f64| (value.max(0.0).round() as usize).min(last);
        let (first, last) = if low.is_finite() && high.is_finite() {
            (place(low), place(high))
        } else {
            (0, last)
        };
        let step = (last - first) / format.most.max(1) + 1;
        let ticks = symbols
            .iter()
            .enumerate()
            .take(last + 1)
            .skip(first)
            .step_by(step);
        Self {
            low: first as f64 - 0.5,
            high: last as f64 + 0.5,
            ticks: ticks
                .map(|(index, name)| (index as f64, shortened(&shown(name), format.chars)))
                .collect(),
            power: 0,
        }
    }

    /// How many characters the longest label has.
    pub(super) fn label_chars(&self) -> usize {
        self.ticks
            .iter()
            .map(|(_, text)| text.chars().count())
            .max()
            .unwrap_or_default()
    }
}

/// How many names an axis has room for, and how many characters each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    pub(super) most: usize,
    pub(super) chars: usize,
}

fn shortened(name: &str, chars: usize) -> String {
    if name.chars().count() <= chars {
        return name.to_owned();
    }
    let kept: String = name.chars().take(chars.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// A range that is not empty: a constant stands in its middle.
fn widened(low: f64, high: f64) -> (f64, f64) {
    if !low.is_finite() || !high.is_finite() {
        return (0.0, 1.0);
    }
    let size = low.abs().max(high.abs());
    if high - low > size * 1e-12 {
        return (low, high);
    }
    let half = if size > 0.0 { size * 0.01 } else { 1.0 };
    (low - half, high + half)
}

/// 1, 2 or 5 times a power of ten, at least as large.
fn round_step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|factor| factor * power >= rough * 0.999_999);
    factor.unwrap_or(10.0) * power
}

/// The marks of a time axis, in milliseconds since 1970 UTC, and what stands at them.
pub(super) fn time_ticks(from: i64, to: i64, most: usize) -> Vec<(i64, String)> {
    let rough = (to - from).max(1) / i64::try_from(most.max(1)).unwrap_or(i64::MAX);
    let step = TIME_STEPS
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(3_650 * DAY);
    let first = from.div_euclid(step) * step + if from.rem_euclid(step) == 0 { 0 } else { step };
    let times = std::iter::successors(Some(first), |time| time.checked_add(step));
    times
        .take_while(|time| *time <= to)
        .take(50)
        .map(|time| {
            let pattern = match step {
                _ if step >= DAY => "%b %-d",
                _ if time.rem_euclid(DAY) == 0 => "%b %-d",
                _ if step >= MINUTE => "%H:%M",
                _ if step >= SECOND => "%H:%M:%S",
                _ => "%H:%M:%S%.3f",
            };
            (time, strftime(time, pattern))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64) -> Vec<String> {
        ValueAxis::cover(low, high, 5)
            .ticks
            .into_iter()
            .map(|(_, text)| text)
            .collect()
    }

    #[test]
    fn values_are_round() {
        assert_eq!(labels(0.0, 9.3), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(
            labels(-0.11, 0.09),
            ["−0.15", "−0.10", "−0.05", "0.00", "0.05", "0.10"]
        );
        assert_eq!(labels(20.0, 20.0), ["19.8", "19.9", "20.0", "20.1", "20.2"]);
        let large = ValueAxis::cover(0.0, 4.2e7, 5);
        assert_eq!((large.power, large.ticks[1].1.as_str()), (6, "10"));
        assert_eq!(labels(f64::NAN, 1.0).len(), 6);
    }

    #[test]
    fn names_stand_at_their_places() {
        let symbols: Vec<String> = (0..40).map(|index| format!("STATE_{index}")).collect();
        let names = Names { most: 8, chars: 20 };
        let axis = ValueAxis::name(&symbols, 2.0, 4.0, names);
        assert_eq!((axis.low, axis.high), (1.5, 4.5));
        assert_eq!(axis.ticks[1], (3.0, "STATE_3".to_owned()));
        assert!(ValueAxis::name(&symbols, 0.0, 39.0, names).ticks.len() <= 9);
        let short = ValueAxis::name(&symbols, 0.0, 0.0, Names { most: 8, chars: 4 });
        assert_eq!(short.ticks, [(0.0, "STA…".to_owned())]);
        assert_eq!(
            ValueAxis::name(&symbols, f64::INFINITY, f64::NEG_INFINITY, names).high,
            39.5
        );
    }

    #[test]
    fn times_are_those_of_a_clock() {
        let start = 1_796_028_019_250;
        let texts = |length: i64| -> Vec<String> {
            time_ticks(start, start + length, 6)
                .into_iter()
                .map(|(_, text)| text)
                .collect()
        };
        assert_eq!(texts(60 * SECOND)[..2], ["08:40:20", "08:40:30"]);
        assert_eq!(texts(10 * MINUTE).first().map(String::as_str), Some("08:42"));
        assert_eq!(texts(24 * HOUR), ["12:00", "18:00", "Dec 1", "06:00"]);
    }
}
