//! Log lines: lower case, fields instead of interpolation, to stderr, so that stdout stays a program's output. A log
//! line is always one line, and no value controls a terminal (see [`crate::sanitize`]).

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;

use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, ServiceArgs};
use crate::sanitize::{self, Printable};
use crate::stderr;

/// The log filter cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "--log-level {filter:?} is not a filter; expected one of error, warn, info, debug, trace or target=level pairs"
)]
pub struct LogError {
    filter: String,
    #[source]
    source: tracing_subscriber::filter::ParseError,
}

/// Held until the process ends; dropping it writes the last lines.
#[derive(Debug)]
#[must_use = "dropped at the end of main, it waits for the last lines"]
pub struct Logging(());

impl Drop for Logging {
    fn drop(&mut self) {
        stderr::flush();
    }
}

/// Starts logging for the process. A second call leaves the first in place.
pub fn init_logging(args: &ServiceArgs) -> Result<Logging, LogError> {
    let filter = EnvFilter::try_new(&args.log_level).map_err(|source| LogError {
        filter: args.log_level.clone(),
        source,
    })?;
    let colours =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    stderr::start();
    let _ = log_to(filter, args.log_format, colours, || stderr::Lines).try_init();
    std::panic::set_hook(Box::new(log_panic));
    Ok(Logging(()))
}

/// Logs a panic like any other line: the standard library's own report would wait for a pipe that nobody reads, and so
/// would the process.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let place = panic.location().map(ToString::to_string);
    // Only with RUST_BACKTRACE.
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(
        thread = thread.name().unwrap_or("unnamed"),
        place = place.unwrap_or_default(),
        backtrace,
        "panic: {}",
        panic.payload_as_str().unwrap_or("without a message")
    );
}

fn log_to<W>(
    filter: EnvFilter,
    format: LogFormat,
    colours: bool,
    writer: fn() -> W,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: io::Write + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    match format {
        LogFormat::Text => {
            let builder = builder.with_ansi(colours).with_target(false);
            Box::new(builder.fmt_fields(PrintableFields).with_writer(writer).finish())
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true);
            Box::new(builder.with_writer(move || PrintableJson(writer())).finish())
        }
    }
}

/// Fields as `tracing_subscriber` writes them, `name=value`, but [`Printable`]: it writes displayed values unchanged,
/// including line breaks.
struct PrintableFields;

impl<'w> FormatFields<'w> for PrintableFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line {
            writer,
            separator: "",
            written: Ok(()),
        };
        fields.record(&mut line);
        line.written
    }
}

struct Line<'w> {
    writer: Writer<'w>,
    separator: &'static str,
    written: fmt::Result,
}

impl Line<'_> {
    fn write(&mut self, name: &str, value: &dyn fmt::Debug) -> fmt::Result {
        self.writer
            .write_str(std::mem::replace(&mut self.separator, " "))?;
        let value = Printable(format_args!("{value:?}"));
        match name {
            "message" => write!(self.writer, "{value}"),
            // Italic and dimmed.
            name if self.writer.has_ansi_escapes() => {
                write!(self.writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{value}")
            }
            name => write!(self.writer, "{name}={value}"),
        }
    }
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.record_debug(field, &format_args!("{value}")),
            _ => self.record_debug(field, &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // The origin of a line of the crate `log`.
        if field.name().starts_with("log.") || self.written.is_err() {
            return;
        }
        self.written = self.write(field.name(), value);
    }
}

/// Escapes in JSON what JSON itself does not require. Each event is one write.
struct PrintableJson<W>(W);

impl<W: io::Write> io::Write for PrintableJson<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        self.0.write_all(sanitize::json(&text).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::RefCell;

    use super::*;

    const HOSTILE: &str = "a\nb \x1b[31mred\u{9b}2J \u{202e}txet\r\x7f";

    thread_local! {
        static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }

    struct ToThread;

    impl io::Write for ToThread {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            LOGGED.with_borrow_mut(|logged| logged.write(bytes))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What `act` logs on this thread.
    pub(crate) fn logged_by(filter: &str, format: LogFormat, colours: bool, act: impl FnOnce()) -> String {
        let subscriber = log_to(EnvFilter::new(filter), format, colours, || ToThread);
        tracing::subscriber::with_default(subscriber, act);
        String::from_utf8(LOGGED.take()).unwrap()
    }

    /// What is logged, once as a field, once in debug form, once displayed and once as the message itself.
    fn logged(format: LogFormat, colours: bool) -> String {
        logged_by("debug", format, colours, || {
            let error = std::io::Error::other(HOSTILE);
            tracing::warn!(topic = HOSTILE, debug = ?HOSTILE, error = %error, "{}", HOSTILE);
            tracing::info!(long = %"x".repeat(100_000), "second");
        })
    }

    fn is_harmless(line: &str) -> bool {
        !line.contains(|c: char| {
            c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        })
    }

    #[test]
    fn what_is_logged_begins_no_line_and_colours_none() {
        let text = logged(LogFormat::Text, false);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text:?}");
        assert!(lines.iter().all(|line| is_harmless(line)), "{text:?}");
        assert_eq!(
            lines[0].matches(r"\u{1b}[31mred\u{9b}2J \u{202e}txet\r").count(),
            4,
            "{text}"
        );
        assert!(lines[1].len() < 10_000, "a long text is cut");
    }

    #[test]
    fn colours_are_ours_alone() {
        let text = logged(LogFormat::Text, true);
        assert_eq!(text.lines().count(), 2, "{text:?}");
        assert!(text.contains("\x1b["), "{text:?}");
        let ours = ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[3m", "\x1b[32m", "\x1b[33m"];
        let left = ours
            .iter()
            .fold(text.clone(), |text, code| text.replace(code, ""));
        assert!(left.lines().all(is_harmless), "{left:?}");
    }

    #[test]
    fn json_is_escaped_as_json() {
        let text = logged(LogFormat::Json, false);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text:?}");
        assert!(lines.iter().all(|line| is_harmless(line)), "{text:?}");
        let event: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
        assert_eq!(
            (&event["topic"], &event["message"]),
            (&HOSTILE.into(), &HOSTILE.into())
        );
    }
}
