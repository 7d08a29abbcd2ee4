//! Lines of standard input, read by their own thread, so that Ctrl-C is noticed while a terminal is idle.

use std::io::{self, BufRead};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

const MAX_LINES_AHEAD: usize = 1_000;

pub(super) struct Lines(Receiver<io::Result<Vec<u8>>>);

pub(super) enum Came {
    /// A line without its end.
    Line(Vec<u8>),
    Nothing,
    End,
}

impl Lines {
    pub(super) fn of_stdin() -> Self {
        let (lines, read) = sync_channel(MAX_LINES_AHEAD);
        std::thread::spawn(move || {
            let mut stdin = io::stdin().lock();
            loop {
                let mut line = Vec::new();
                let came = match stdin.read_until(b'\n', &mut line) {
                    Ok(0) => return,
                    Ok(_) => {
                        line.pop_if(|last| *last == b'\n');
                        Ok(line)
                    }
                    Err(error) => Err(error),
                };
                let failed = came.is_err();
                if lines.send(came).is_err() || failed {
                    return;
                }
            }
        });
        Self(read)
    }

    pub(super) fn next(&self, wait: Duration) -> io::Result<Came> {
        match self.0.recv_timeout(wait) {
            Ok(line) => line.map(Came::Line),
            Err(RecvTimeoutError::Timeout) => Ok(Came::Nothing),
            Err(RecvTimeoutError::Disconnected) => Ok(Came::End),
        }
    }
}
