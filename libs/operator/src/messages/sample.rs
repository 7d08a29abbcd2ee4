//! `1/N`: the first of every N messages. They are counted, so that the same messages are taken each time.

use std::str::FromStr;

use serde::Deserialize;

/// One of every N messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Sample(u64);

impl Sample {
    /// Whether it takes the message that follows `passed` others.
    pub fn takes(self, passed: u64) -> bool {
        passed.is_multiple_of(self.0)
    }
}

impl Default for Sample {
    fn default() -> Self {
        Self(1)
    }
}

impl FromStr for Sample {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.strip_prefix("1/")
            .and_then(|every| every.parse().ok())
            .filter(|every| *every > 0)
            .map(Self)
            .ok_or_else(|| "expected 1/N, for example 1/100".to_owned())
    }
}

impl TryFrom<String> for Sample {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_every_n_is_taken() {
        let sample: Sample = "1/3".parse().unwrap();
        let taken: Vec<u64> = (0..8).filter(|passed| sample.takes(*passed)).collect();
        assert_eq!(taken, [0, 3, 6]);
        assert!((0..8).all(|passed| Sample::default().takes(passed)));
        for wrong in ["", "1/", "1/0", "2/3", "0.1", "1/-1"] {
            assert!(wrong.parse::<Sample>().is_err(), "{wrong}");
        }
    }
}
