//! When SAL's text messages were written to Kafka, which no record holds. It separates SAL's time from saltransform's. A
//! record is matched to its text by topic, sequence number and time of creation.

use std::collections::HashMap;

use confluent_avro::point::time;
use sal::time::tai_minus_utc_at_tai;
use sal::wire::Message;

/// The suffixes of SAL's text topics; those of 2019 differ from the generator's.
const ENDS: [&str; 6] = [
    "_telemetry",
    "_logevent",
    "_event",
    "_events",
    "_command",
    "_commands",
];
/// Records of 2019 hold milliseconds, the texts microseconds.
const ROUNDING: i64 = 1_500;

/// Kafka's timestamps of the texts of one window, by topic of SAL and sequence number.
#[derive(Default)]
pub(super) struct Texts(HashMap<String, HashMap<i64, Text>>);

#[derive(Clone, Copy)]
struct Text {
    /// As SAL wrote it, in microseconds, UTC or TAI.
    created: i64,
    produced: i64,
}

impl Texts {
    /// Adds a text with Kafka's timestamp of it, in microseconds; what is not a text of SAL is ignored.
    pub(super) fn add(&mut self, payload: &[u8], produced: i64) {
        let Some((topic, created, sequence)) = head(payload) else {
            return;
        };
        let text = Text { created, produced };
        match self.0.get_mut(topic) {
            Some(texts) => {
                texts.insert(sequence, text);
            }
            None => {
                self.0.insert(topic.to_owned(), HashMap::from([(sequence, text)]));
            }
        }
    }

    /// When the text of a record was written to Kafka, if it was read.
    pub(super) fn produced(&self, avro_topic: &str, created: i64, sequence: i64) -> Option<i64> {
        let text = self.0.get(&sal_topic(avro_topic)?)?.get(&sequence)?;
        let in_tai = tai_minus_utc_at_tai(text.created as f64 / 1e6) * 1_000_000;
        let is_same = |time: i64| (time - created).abs() <= ROUNDING;
        (is_same(text.created) || is_same(text.created - in_tai)).then_some(text.produced)
    }
}

/// Topic, time of creation and sequence number: `topic:( 'revision' , created , received , number , …`.
fn head(payload: &[u8]) -> Option<(&str, i64, i64)> {
    let topic = Message::parse(payload).ok()?.topic();
    let after = |bytes: &'_ [u8], text: &[u8]| {
        let at = bytes.windows(text.len()).position(|window| window == text)?;
        Some(at + text.len())
    };
    let values = payload.get(after(payload, b":(")?..)?;
    // SAL's revision holds no quotes, and the numbers after it are short.
    let numbers = values.get(after(values, b"' , ")?..)?;
    let numbers = numbers.get(..numbers.len().min(200))?;
    let mut numbers = numbers.split(|byte| *byte == b',');
    let mut next = || std::str::from_utf8(numbers.next()?).ok().map(str::trim);
    let (created, _received, sequence) = (next()?, next()?, next()?);
    let created: f64 = created.parse().ok()?;
    Some((topic, time::from_seconds(created).ok()?, sequence.parse().ok()?))
}

/// The component of a text topic: `Test` of `Test_telemetry`, and of `prefix.Test_telemetry`.
pub(super) fn component(text_topic: &str) -> Option<&str> {
    let name = text_topic.rsplit('.').next()?;
    let component = ENDS.iter().find_map(|end| name.strip_suffix(end))?;
    (!component.is_empty()).then_some(component)
}

/// SAL's name for an Avro topic of either dialect: `lsst.sal.Test_scalars` and `lsst.sal.Test.scalars` are `Test_scalars`.
pub(super) fn sal_topic(avro_topic: &str) -> Option<String> {
    let (_, name) = avro_topic.strip_prefix("lsst.")?.split_once('.')?;
    Some(name.replacen('.', "_", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] =
        b"Test_telemetry Test_scalars:( 'a1b2' , 1700000037.123456 , 1700000037.2 , 42 , 1 , 2 , 'x' , 7 )";

    #[test]
    fn a_record_finds_its_text() {
        let mut texts = Texts::default();
        texts.add(TEXT, 5);
        let created = 1_700_000_037_123_000;
        assert_eq!(texts.produced("lsst.sal.Test_scalars", created, 42), Some(5));
        let utc = created - 37_000_000;
        assert_eq!(
            texts.produced("lsst.other.Test.scalars", utc, 42),
            Some(5),
            "in TAI"
        );
        assert_eq!(
            texts.produced("lsst.sal.Test_scalars", created + 2_000_000, 42),
            None
        );
        assert_eq!(texts.produced("lsst.sal.Test_scalars", created, 41), None);
        assert_eq!(texts.produced("lsst.sal.Test_arrays", created, 42), None);
    }

    #[test]
    fn what_is_not_a_text_is_ignored() {
        for length in 0..70 {
            assert_eq!(head(&TEXT[..length]), None, "{length}");
        }
        assert_eq!(head(b"Test_scalars:( \xff' , \xff , 1 , 2 , "), None);
    }

    #[test]
    fn components_and_topics_are_found_in_names() {
        assert_eq!(component("eqiad.MTMount_telemetry"), Some("MTMount"));
        assert_eq!(component("Test_commands"), Some("Test"));
        assert_eq!(component("_telemetry"), None);
        assert_eq!(component("lsst.sal.Test_scalars"), None);
        assert_eq!(
            sal_topic("lsst.sal.Test.logevent_x"),
            Some("Test_logevent_x".to_owned())
        );
    }
}
