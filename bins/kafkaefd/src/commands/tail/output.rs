//! One output: its filter, sample and format, and what it has written. One that ends does not end the others.

use std::io::{self, Write};

use operator::failure::Failure;
use operator::messages::decode::Decoded;
use operator::messages::message::Message;

use super::config::Plan;
use super::format::Medium;
use super::sink::Sink;
use crate::exit::Done;
use crate::terminal::{count, note, warn};

/// An output, open or ended.
pub(super) struct Output {
    plan: Plan,
    /// None once it has ended.
    sink: Option<Sink>,
    medium: Medium,
    /// Messages that passed its filter.
    passed: u64,
    written: u64,
    buffer: Vec<u8>,
    failed: bool,
}

/// Whether an output has written a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    No,
}

impl Output {
    pub(super) fn open(plan: Plan) -> Result<Self, Failure> {
        let sink = Sink::open(&plan.to)?;
        Ok(Self {
            plan,
            medium: sink.medium(),
            sink: Some(sink),
            passed: 0,
            written: 0,
            buffer: Vec::new(),
            failed: false,
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.sink.is_some()
    }

    pub(super) fn needs_decoded(&self) -> bool {
        self.is_open() && (self.plan.filter.is_some() || self.plan.format.shows_decoded())
    }

    /// Writes the message if it passes filter and sample.
    pub(super) fn offer(&mut self, message: &Message, decoded: &Decoded) -> Taken {
        let Some(sink) = &mut self.sink else {
            return Taken::No;
        };
        let filter = self.plan.filter.as_ref();
        if filter.is_some_and(|filter| !filter.holds(message, decoded)) {
            return Taken::No;
        }
        self.passed += 1;
        if !self.plan.sample.takes(self.passed - 1) {
            return Taken::No;
        }
        self.buffer.clear();
        self.plan
            .format
            .write(message, decoded, self.medium, &mut self.buffer);
        match sink.write_all(&self.buffer) {
            Ok(()) => {
                self.written += 1;
                Taken::Yes
            }
            Err(error) => {
                self.end(&error);
                Taken::No
            }
        }
    }

    /// Writes what is buffered.
    pub(super) fn flush(&mut self) {
        if let Some(Err(error)) = self.sink.as_mut().map(Write::flush) {
            self.end(&error);
        }
    }

    /// Notices a command that has ended while there was nothing to write to it.
    pub(super) fn look(&mut self) {
        if self.sink.as_mut().is_some_and(Sink::has_ended) {
            self.end(&io::ErrorKind::BrokenPipe.into());
        }
    }

    /// Closes it; with `several`, a line says what it wrote.
    pub(super) fn close(mut self, several: bool) -> Done {
        if let Some(sink) = self.sink.take() {
            match sink.close() {
                Ok(Some(status)) if !status.success() => {
                    self.failed = true;
                    note(&warn(format!("kafkaefd: {} ended with {status}", self.plan.to)));
                }
                Ok(_) => {}
                Err(error) => self.end(&error),
            }
        }
        if several {
            note(&format!(
                "{}: {} written of {} that passed its filter",
                self.plan.to,
                count(self.written),
                count(self.passed)
            ));
        }
        if self.failed { Done::Partly } else { Done::All }
    }

    fn end(&mut self, error: &io::Error) {
        let broken = error.kind() == io::ErrorKind::BrokenPipe;
        let sink = self.sink.take();
        // A reader that closed stdout, such as `head`, has read enough.
        if broken && self.plan.to == "-" {
            return;
        }
        self.failed = true;
        let why = match sink.map(Sink::close) {
            Some(Ok(Some(status))) => format!("the command ended: {status}"),
            _ => error.to_string(),
        };
        note(&warn(format!(
            "kafkaefd: nothing more is written to {}: {why}",
            self.plan.to
        )));
    }
}
