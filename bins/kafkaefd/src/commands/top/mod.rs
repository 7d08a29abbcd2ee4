//! `kafkaefd top`: shows the pipeline live. [`operator::stages`] watches it, `draw` draws a frame, and `state` is
//! changed by keys.

mod draw;
#[cfg(test)]
mod draw_tests;
mod group_columns;
mod rows;
mod state;
mod style;

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;
use operator::failure::Failure;
use operator::stages::{BrokersWatcher, Snapshot, StageSource, Watch, sample};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use regex::Regex;
use stage::config::{KafkaArgs, seconds};
use stage::service::Shutdown;

use crate::commands::{DEFAULT_INTERVAL, report_problem};
use crate::exit::Done;
use crate::terminal::{json, out};
use state::State;

const KEY_TIMEOUT: Duration = Duration::from_millis(100);
/// The time for the frame that is being drawn when the process has to end.
const LAST_FRAME_TIMEOUT: Duration = Duration::from_millis(500);
/// The width of a printed frame.
const PRINTED_WIDTH: u16 = 140;

/// Watch the pipeline live: rates, lag, times and dead letters
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "With --once and --json, exit code 1 means that a stage or the brokers did not answer.\n\n\
                  Example: kafkaefd top --metrics localhost:9464 --metrics localhost:9465 --filter efd"
)]
pub struct TopArgs {
    /// Address of a stage's metrics, HOST:PORT or a URL, or dns+HOST:PORT for a process at each address of a name; may be
    /// repeated
    #[arg(long = "metrics", value_name = "URL")]
    metrics: Vec<String>,
    /// Only groups whose names match this regular expression
    #[arg(long, value_name = "REGEX")]
    filter: Option<Regex>,
    /// Seconds between updates
    #[arg(long, default_value = DEFAULT_INTERVAL, value_name = "S", value_parser = seconds)]
    interval: Duration,
    /// Print one frame as text, with the rates over one interval, and exit
    #[arg(long)]
    once: bool,
    /// Print one sample as a JSON document for programs, and exit
    #[arg(long, conflicts_with = "once")]
    json: bool,
    #[command(flatten)]
    kafka: KafkaArgs,
}

impl TopArgs {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        // Invalid flags are reported before the terminal is taken over.
        self.kafka.client_config(&[])?;
        let stages = self
            .metrics
            .iter()
            .map(|address| StageSource::at(address))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|why| Failure::Usage(format!("--metrics {why}")))?;
        let brokers = BrokersWatcher::new(self.kafka.clone(), self.filter.clone(), report_problem);
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
                "this is not a terminal: --once prints one frame, --json one sample".to_owned(),
            ));
        }
        let watch = Watch::start(stages, brokers, self.interval);
        show(watch, Shutdown::of_command(Duration::ZERO)).await
    }
}

/// Shows frames until a key ends it or the process has to end.
///
/// A thread of its own draws them: crossterm reads a terminal that is closed without end, and whoever waits for that
/// thread waits for ever.
async fn show(watch: Watch, shutdown: Shutdown) -> Result<Done, Failure> {
    let (ended, mut end) = tokio::sync::oneshot::channel();
    let stop = shutdown.clone();
    // If nobody receives the result, the process is ending.
    let draw = move || drop(ended.send(draw_until(&watch, &stop)));
    std::thread::Builder::new()
        .name("screen".to_owned())
        .spawn(draw)
        .map_err(Failure::io("starting a thread"))?;
    let stopped = async {
        shutdown.wait().await;
        tokio::time::sleep(LAST_FRAME_TIMEOUT).await;
    };
    let result = tokio::select! {
        // A panic drops the sender.
        result = &mut end => result.unwrap_or(Ok(Done::Partly)),
        () = stopped => Ok(Done::All),
    };
    // Of a terminal that is gone there is nothing to restore.
    let _ = ratatui::try_restore();
    result
}

/// Draws frames until a key or the shutdown ends it.
fn draw_until(watch: &Watch, shutdown: &Shutdown) -> Result<Done, Failure> {
    let mut terminal = ratatui::try_init().map_err(Failure::io("taking over the terminal"))?;
    let mut state = State::default();
    let mut snapshot = Snapshot::default();
    let mut draw_and_poll = || -> std::io::Result<()> {
        if !state.paused || snapshot.at.is_empty() {
            snapshot = watch.latest();
            // Whole seconds are enough.
            snapshot.at = snapshot.at.chars().take(19).chain(['Z']).collect();
        }
        terminal.draw(|frame| draw::draw(frame, &snapshot, &state))?;
        if event::poll(KEY_TIMEOUT)?
            && let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
        {
            let shown = rows::rows(&snapshot, &state).len();
            state.press(key, shown);
        }
        if state.quit {
            shutdown.ask();
        }
        Ok(())
    };
    while !shutdown.is_set() {
        draw_and_poll().map_err(Failure::io("drawing"))?;
    }
    Ok(Done::All)
}

/// One frame as text, of the height that it needs.
fn printed(snapshot: &Snapshot) -> Result<String, Failure> {
    let drawing = || Failure::Usage("the frame cannot be drawn".to_owned());
    let state = State {
        printed: true,
        ..State::default()
    };
    let backend = TestBackend::new(PRINTED_WIDTH, draw::height(snapshot, &state).clamp(10, 1_000));
    let mut terminal = Terminal::new(backend).map_err(|_| drawing())?;
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
