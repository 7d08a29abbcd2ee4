//! One message: from SAL text to a Confluent Avro frame, or to the reason why not.

use std::sync::Arc;

use sal::encode::Encoder;
use sal::wire::{Message, WireError};
use stage::reason::Reason;
use stage::registry::RegistryError;
use stage::unix_micros;

use crate::schema_cache::{Lookup, SchemaCache};
use crate::schema_cache_entry::Target;

/// Turns messages into frames. Each worker has one and reuses its buffers.
pub(crate) struct Transformer {
    schema_cache: SchemaCache,
    encoder: Encoder,
    frame: Vec<u8>,
    /// Empty if the record keeps its message's key.
    key: Vec<u8>,
    notes: Vec<(&'static str, u64)>,
}

/// The result for a message.
pub(crate) enum Outcome {
    /// A record for this target; its bytes are [`Transformer::frame`].
    Record(Arc<Target>),
    /// It carries nothing.
    Skipped(&'static str),
    /// It cannot be carried.
    Refused(Reason),
    /// The registry is unavailable or does not have the right schema yet: undecided.
    Wait(RegistryError),
}

impl Transformer {
    pub(crate) fn new(schema_cache: SchemaCache) -> Self {
        Self {
            schema_cache,
            encoder: Encoder::new(),
            frame: Vec::with_capacity(4096),
            key: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The frame of the last [`Outcome::Record`].
    pub(crate) fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// The key of the last [`Outcome::Record`]; `None` if it keeps its message's key.
    pub(crate) fn key(&self) -> Option<&[u8]> {
        Some(self.key.as_slice()).filter(|key| !key.is_empty())
    }

    /// What was skipped, omitted or ambiguous in carried messages since the last call, by reason.
    pub(crate) fn take_notes(&mut self) -> std::vec::Drain<'_, (&'static str, u64)> {
        self.notes.drain(..)
    }

    /// Transforms the value of one message of Kafka topic `input`.
    pub(crate) fn transform(&mut self, value: Option<&[u8]>, input: &str) -> Outcome {
        let text = match value {
            None => return Outcome::Skipped("tombstone"),
            Some([]) => return Outcome::Skipped("empty"),
            Some(text) => text,
        };
        let message = match Message::parse(text) {
            Ok(message) => message,
            Err(error) => return Outcome::Refused(dead(&error)),
        };
        let target = match self.schema_cache.get(message.topic(), input) {
            Lookup::Found(target) => target,
            Lookup::Refused(reason) => return Outcome::Refused(reason),
            Lookup::Away(error) => return Outcome::Wait(error),
        };
        let error = match self.encode(&message, &target) {
            Ok(()) => return Outcome::Record(target),
            Err(error) => error,
        };
        // The sender may use a newer schema than this process: ask, and let the newest decide.
        match self.schema_cache.renew(message.topic(), input, target.schema_id) {
            Some(newer) => match self.encode(&message, &newer) {
                Ok(()) => Outcome::Record(newer),
                Err(error) => Outcome::Refused(dead(&error)),
            },
            None => Outcome::Refused(dead(&error)),
        }
    }

    fn encode(&mut self, message: &Message<'_>, target: &Target) -> Result<(), WireError> {
        let notes = self.encoder.encode(
            &target.plan,
            message,
            target.schema_id,
            unix_micros(),
            &mut self.frame,
        )?;
        self.key.clear();
        if let Some(key) = &target.key {
            key.write(self.encoder.index(), &mut self.key);
        }
        for (reason, count) in notes.iter() {
            // A list of a few reasons is faster than a map.
            match self.notes.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, sum)) => *sum += u64::from(count),
                None => self.notes.push((reason, u64::from(count))),
            }
        }
        Ok(())
    }
}

fn dead(error: &WireError) -> Reason {
    Reason {
        step: error.step(),
        reason: error.reason(),
        detail: stage::chain(error),
    }
}
