//! Lines of standard input, read by a separate thread so that Ctrl-C works while a terminal is idle.

use std::io::{self, BufRead};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Lines read ahead of the producer.
const MAX_LINES_AHEAD: usize = 1_000;

pub(super) struct Lines(Receiver<io::Result<Vec<u8>>>);

pub(super) enum Polled {
    /// A line without its line feed.
    Line(Vec<u8>),
    Timeout,
    End,
}

impl Lines {
    pub(super) fn of_stdin() -> Self {
        let (lines, receiver) = sync_channel(MAX_LINES_AHEAD);
        std::thread::spawn(move || {
            let mut stdin = io::stdin().lock();
            loop {
                let mut line = Vec::new();
                let read = match stdin.read_until(b'\n', &mut line) {
                    Ok(0) => return,
                    Ok(_) => {
                        line.pop_if(|last| *last == b'\n');
                        Ok(line)
                    }
                    Err(error) => Err(error),
                };
                let failed = read.is_err();
                if lines.send(read).is_err() || failed {
                    return;
                }
            }
        });
        Self(receiver)
    }

    pub(super) fn poll(&self, timeout: Duration) -> io::Result<Polled> {
        match self.0.recv_timeout(timeout) {
            Ok(line) => line.map(Polled::Line),
            Err(RecvTimeoutError::Timeout) => Ok(Polled::Timeout),
            Err(RecvTimeoutError::Disconnected) => Ok(Polled::End),
        }
    }
}
