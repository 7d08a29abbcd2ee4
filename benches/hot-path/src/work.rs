//! The hot paths as the benchmarks run them: one message in, bytes out, reusing everything that the binaries
//! reuse.

use std::error::Error;

use sal::encode::Encoder;
use sal::plan::Plan;
use sal::time::TimeScale;
use sal::wire::Message;

use crate::Sample;

/// A time for `kafka_timestamp`, microseconds since 1970.
const NOW: i64 = 1_700_000_000_000_000;

/// The transform of one message: header, values, frame.
#[derive(Debug)]
pub struct Transform<'a> {
    plan: Plan,
    encoder: Encoder,
    text: &'a [u8],
    frame: Vec<u8>,
}

impl<'a> Transform<'a> {
    /// Creates it with buffers that have grown; fails if message and schema do not match.
    pub fn new(sample: &'a Sample) -> Result<Self, Box<dyn Error>> {
        let mut transform = Self {
            plan: Plan::compile(&sample.schema, TimeScale::Utc)?,
            encoder: Encoder::new(),
            text: &sample.text,
            frame: Vec::new(),
        };
        let message = Message::parse(transform.text)?;
        transform
            .encoder
            .encode(&transform.plan, &message, 1, NOW, &mut transform.frame)?;
        Ok(transform)
    }

    /// The last frame.
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Transforms the message; returns the frame's length, or 0 if it is refused.
    pub fn once(&mut self) -> usize {
        let text = std::hint::black_box(self.text);
        if let Ok(message) = Message::parse(text) {
            let _ = self.encoder.encode(&self.plan, &message, 1, NOW, &mut self.frame);
        }
        std::hint::black_box(&self.frame).len()
    }
}
