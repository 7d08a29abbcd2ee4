//! `kafkaefd top`: the pipeline, live. [`operator::stages`] watches it; `draw` shows a frame, `state` holds what the keys chose.

mod draw;
#[cfg(test)]
mod draw_tests;
mod state;

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use operator::failure::Failure;
use operator::stages::{BrokersWatcher, Snapshot, StageWatcher, Watch, sample};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use regex::Regex;
use stage::config::{KafkaArgs, seconds};
use tokio::signal::unix::{SignalKind, signal};

use crate::commands::trouble;
use crate::exit::Done;
use crate::terminal::{json, out};
use state::State;

const KEY_TIMEOUT: Duration = Duration::from_millis(100);
/// The width of a printed frame.
const WIDTH: u16 = 140;

/// Watch the pipeline live: rates, lag, times and dead letters
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Exit code 1 of --once and --json says that something that was asked did not answer.\n\n\
                  Example: kafkaefd top --metrics localhost:9092 --metrics localhost:9093 --filter efd"
)]
pub struct TopArgs {
    /// Where the metrics of a stage are: HOST:PORT or a URL, as often as needed
    #[arg(long = "metrics", value_name = "URL")]
    metrics: Vec<String>,
    /// Only groups whose names match
    #[arg(long, value_name = "REGEX")]
    filter: Option<Regex>,
    /// Seconds between two looks
    #[arg(long, default_value = "2", value_name = "S", value_parser = seconds)]
    interval: Duration,
    /// Print one frame as text and end; its rates are of one interval
    #[arg(long)]
    once: bool,
    /// Print one sample as a JSON document and end, for programs
    #[arg(long, conflicts_with = "once")]
    json: bool,
    #[command(flatten)]
    kafka: KafkaArgs,
}

impl TopArgs {
    /// Watches until a key or a signal ends it.
    pub async fn run(self) -> Result<Done, Failure> {
        // Invalid flags are reported before the screen is taken.
        self.kafka.client_config(&[])?;
        let stages = self
            .metrics
            .iter()
            .map(|address| StageWatcher::at(address))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|why| Failure::Usage(format!("--metrics {why}")))?;
        let brokers = BrokersWatcher::new(self.kafka.clone(), self.filter.clone(), trouble);
        if self.once || self.json {
            let snapshot = sample(stages, brokers, self.interval).await;
            if self.json {
                json(&snapshot)?;
            } else {
                out(&printed(&snapshot)?)?;
            }
            return Ok(if snapshot.is_whole() {
                Done::All
            } else {
                Done::Partly
            });
        }
        if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            return Err(Failure::Usage(
                "this is no terminal: --once prints one frame, --json one sample".to_owned(),
            ));
        }
        let watch = Watch::start(stages, brokers, self.interval);
        let stop = stop_on_signals().map_err(Failure::io("waiting for signals"))?;
        tokio::task::block_in_place(|| show(&watch, &stop))
    }
}

/// Draws until a key or a signal ends it. The terminal is restored in any case: here, and by ratatui's hook after a panic.
fn show(watch: &Watch, stop: &AtomicBool) -> Result<Done, Failure> {
    let mut terminal = ratatui::try_init().map_err(Failure::io("taking the terminal"))?;
    let mut state = State::default();
    let mut snapshot = Snapshot::default();
    let mut each = || -> std::io::Result<bool> {
        if !state.paused || snapshot.at.is_empty() {
            snapshot = watch.latest();
            // To the second.
            snapshot.at = snapshot.at.chars().take(19).chain(['Z']).collect();
        }
        terminal.draw(|frame| draw::draw(frame, &snapshot, &state))?;
        if event::poll(KEY_TIMEOUT)?
            && let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
        {
            state.press(key, draw::group_rows(&snapshot));
        }
        Ok(!state.quit && !stop.load(Ordering::Relaxed))
    };
    let result = loop {
        match each() {
            Ok(true) => {}
            Ok(false) => break Ok(Done::All),
            Err(error) => break Err(Failure::io("drawing")(error)),
        }
    };
    ratatui::restore();
    result
}

/// Becomes true when a signal asks the process to end, or its terminal is closed.
fn stop_on_signals() -> std::io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for kind in [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
    ] {
        let mut signal = signal(kind)?;
        let stop = Arc::clone(&stop);
        tokio::spawn(async move {
            signal.recv().await;
            stop.store(true, Ordering::Relaxed);
        });
    }
    Ok(stop)
}

/// One frame as text, as high as it needs to be.
fn printed(snapshot: &Snapshot) -> Result<String, Failure> {
    let backend = TestBackend::new(WIDTH, draw::height(snapshot).clamp(10, 1_000));
    let drawing = || Failure::Usage("this frame cannot be drawn".to_owned());
    let mut terminal = Terminal::new(backend).map_err(|_| drawing())?;
    let state = State {
        printed: true,
        ..State::default()
    };
    terminal
        .draw(|frame| draw::draw(frame, snapshot, &state))
        .map_err(|_| drawing())?;
    Ok(text(terminal.backend().buffer()).trim_end().to_owned())
}

/// The characters of a frame, without trailing blanks.
fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let lines: Vec<String> = buffer
        .content()
        .chunks(width)
        .map(|cells| {
            let line: String = cells.iter().map(|cell| cell.symbol()).collect();
            line.trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}
