//! When points arrive, by measurement: the longest time that each measurement had to wait for its next point.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The arrivals at an endpoint.
#[derive(Debug, Default)]
pub(crate) struct Arrivals(HashMap<Vec<u8>, Arrival>);

#[derive(Debug, Clone, Copy)]
struct Arrival {
    last: Instant,
    longest: Duration,
}

impl Arrivals {
    /// Notes the lines of a request that arrived at `now`.
    pub(crate) fn note(&mut self, lines: &[u8], now: Instant) {
        for line in lines.split(|byte| *byte == b'\n') {
            let Some(measurement) = measurement(line) else {
                continue;
            };
            match self.0.get_mut(measurement) {
                Some(arrival) => {
                    arrival.longest = arrival.longest.max(now.saturating_duration_since(arrival.last));
                    arrival.last = now;
                }
                None => {
                    let first = Arrival {
                        last: now,
                        longest: Duration::ZERO,
                    };
                    self.0.insert(measurement.to_owned(), first);
                }
            }
        }
    }

    /// The longest wait of each measurement since the last call, shortest first. A wait that has not ended counts
    /// until `now`; the next call counts what remains of it.
    pub(crate) fn take_waits(&mut self, now: Instant) -> Vec<Duration> {
        let waits = self.0.values_mut().map(|arrival| {
            let open = now.saturating_duration_since(arrival.last);
            arrival.last = now;
            std::mem::take(&mut arrival.longest).max(open)
        });
        let mut waits: Vec<Duration> = waits.collect();
        waits.sort();
        waits
    }
}

/// A line's measurement; nothing for an empty line. The bench's names hold neither commas nor spaces.
fn measurement(line: &[u8]) -> Option<&[u8]> {
    let end = line.iter().position(|byte| matches!(byte, b',' | b' '))?;
    line.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wait_of_each_measurement_counts() {
        let begun = Instant::now();
        let at = |milliseconds| begun + Duration::from_millis(milliseconds);
        let mut arrivals = Arrivals::default();
        arrivals.note(b"a v=1 1\nb,tag=x v=1 1\n", at(0));
        arrivals.note(b"a v=1 2\n", at(10));
        arrivals.note(b"b,tag=y v=1 2\n", at(70));
        arrivals.note(b"a v=1 3\n", at(40));
        let waits = arrivals.take_waits(at(60));
        assert_eq!(waits, [Duration::from_millis(30), Duration::from_millis(70)]);
        assert_eq!(arrivals.take_waits(at(65)), [Duration::from_millis(5); 2]);
    }
}
