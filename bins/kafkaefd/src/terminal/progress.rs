//! Progress of long operations, shown on stderr if it is a terminal.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use operator::progress::Progress;

/// A progress bar; `unit` is a plural noun.
pub fn bar(length: u64, unit: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let template = format!("{{wide_bar}} {{human_pos}}/{{human_len}} {unit}, {{rate}}, {{eta}} left");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style.with_key("rate", rate));
    }
    bar
}

fn rate(state: &ProgressState, text: &mut dyn fmt::Write) {
    // What cannot be written is not shown.
    let _ = write!(text, "{:.0}/s", state.per_sec());
}

/// Shows progress that the library reports, with a bar for each pass that disappears at the end.
pub fn bars() -> impl Fn(Progress) + Send {
    let current: RefCell<Option<ProgressBar>> = RefCell::new(None);
    move |Progress { unit, done, total }| {
        let mut current = current.borrow_mut();
        current.get_or_insert_with(|| bar(total, unit)).set_position(done);
        if done == total {
            // A bar that is dropped clears its line.
            *current = None;
        }
    }
}

/// A spinner, for operations of unknown length.
pub fn spinner(message: impl Into<String>) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(message.into());
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}
