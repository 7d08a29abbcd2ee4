//! Waiting until something is so: it is looked at again and again, and where it does not become so in time, the error
//! says what is there instead.

use std::time::{Duration, Instant};

/// The first pause between two looks, doubled each time; and the longest.
const FIRST_LOOK_AFTER: Duration = Duration::from_millis(5);
const MAX_LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Waits until `get` returns a value.
///
/// # Panics
/// When it does not within these seconds: with its last error.
pub fn until<T>(what: &str, seconds: u64, mut get: impl FnMut() -> Result<T, String>) -> T {
    let mut pauses = Pauses::new(seconds);
    loop {
        match get() {
            Ok(value) => return value,
            Err(state) => std::thread::sleep(pauses.next(what, &state)),
        }
    }
}

/// Waits until a condition is true.
///
/// # Panics
/// As [`until`].
pub fn until_true(what: &str, seconds: u64, is: impl Fn() -> bool) {
    until(what, seconds, || {
        is().then_some(()).ok_or_else(|| "it is not".to_owned())
    });
}

/// [`until`] in a runtime, whose other tasks go on.
///
/// # Panics
/// As [`until`].
pub async fn until_async<T>(what: &str, seconds: u64, mut get: impl FnMut() -> Result<T, String>) -> T {
    let mut pauses = Pauses::new(seconds);
    loop {
        match get() {
            Ok(value) => return value,
            Err(state) => tokio::time::sleep(pauses.next(what, &state)).await,
        }
    }
}

struct Pauses {
    start: Instant,
    seconds: u64,
    next: Duration,
}

impl Pauses {
    fn new(seconds: u64) -> Self {
        Self {
            start: Instant::now(),
            seconds,
            next: FIRST_LOOK_AFTER,
        }
    }

    fn next(&mut self, what: &str, state: &str) -> Duration {
        let seconds = self.seconds;
        assert!(
            self.start.elapsed() < Duration::from_secs(seconds),
            "{what}: not within {seconds} s; {state}"
        );
        let pause = self.next;
        self.next = MAX_LOOK_INTERVAL.min(2 * pause);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_with_the_value_or_with_what_was_there_instead() {
        let mut looks = 0;
        let mut third = || {
            looks += 1;
            (looks == 3).then_some(looks).ok_or(format!("{looks} of 3"))
        };
        assert_eq!(until("three looks", 60, &mut third), 3);
        let late = std::panic::catch_unwind(|| until("it", 0, || Err::<(), _>("nothing".to_owned())));
        let said = late.unwrap_err();
        let said = said.downcast_ref::<String>().unwrap();
        assert_eq!(said, "it: not within 0 s; nothing");
    }
}
