//! `kafkaefd top`: the pipeline at work, live: rates, lag, times and dead letters.
//!
//! ```text
//!  /metrics of each stage ─▶ stage ──┐
//!                                    ├─▶ view ─▶ draw ─▶ terminal      (state: what the keys chose)
//!  brokers ────────────────▶ brokers ┘
//! ```
//! Each source is asked by a task or thread of its own, so that one which is away keeps no other from being shown.

mod brokers;
mod draw;
#[cfg(test)]
mod draw_tests;
mod process;
mod prometheus_text;
mod state;
mod view;

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Args;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use regex::Regex;
use stage::config::{KafkaArgs, Moment, seconds};
use stage::lock;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Done;
use crate::terminal::{json, out};
use brokers::Brokers;
use operator::failure::Failure;
use process::Stage;
pub(crate) use process::point_age;
use state::State;
use view::View;

/// How soon a key is seen.
const KEYS: Duration = Duration::from_millis(100);
/// How wide a frame is that is printed.
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
    /// Watches until somebody has seen enough.
    pub async fn run(self) -> Result<Done, Failure> {
        // What is wrong with the flags is said before the screen is taken.
        self.kafka.client_config(&[])?;
        let stages = self
            .metrics
            .iter()
            .map(|address| Stage::at(address))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|why| Failure::Usage(format!("--metrics {why}")))?;
        let brokers = Brokers::new(self.kafka.clone(), self.filter.clone());
        if self.once || self.json {
            return self.look_once(stages, brokers).await;
        }
        if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            return Err(Failure::Usage(
                "this is no terminal: --once prints one frame, --json one sample".to_owned(),
            ));
        }
        let shared = self.watch(stages, brokers);
        let stop = stop_on_signals().map_err(Failure::io("waiting for signals"))?;
        tokio::task::block_in_place(|| show(&shared, &stop))
    }

    async fn look_once(&self, mut stages: Vec<Stage>, mut brokers: Brokers) -> Result<Done, Failure> {
        let kafka = tokio::task::spawn_blocking(move || brokers.look());
        for stage in &mut stages {
            stage.look().await;
        }
        tokio::time::sleep(self.interval).await;
        let mut view = View {
            broker: self.kafka.broker.clone(),
            ..View::default()
        };
        for stage in &mut stages {
            view.stages.push(stage.look().await);
        }
        view.kafka = kafka.await.ok();
        view.at = Moment::now().to_string();
        if self.json {
            json(&view)?;
        } else {
            out(&printed(&view)?)?;
        }
        Ok(if view.is_whole() { Done::All } else { Done::Partly })
    }

    /// Starts whoever asks, each on its own; they end with the process.
    fn watch(&self, stages: Vec<Stage>, mut brokers: Brokers) -> Arc<Mutex<View>> {
        let shared = Arc::new(Mutex::new(View {
            broker: self.kafka.broker.clone(),
            stages: stages.iter().map(Stage::unknown).collect(),
            ..View::default()
        }));
        let interval = self.interval;
        for (index, mut stage) in stages.into_iter().enumerate() {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                loop {
                    let row = stage.look().await;
                    if let Some(place) = lock(&shared).stages.get_mut(index) {
                        *place = row;
                    }
                    tokio::time::sleep(interval).await;
                }
            });
        }
        let of_brokers = Arc::clone(&shared);
        std::thread::spawn(move || {
            loop {
                let seen = brokers.look();
                lock(&of_brokers).kafka = Some(seen);
                std::thread::sleep(interval);
            }
        });
        shared
    }
}

/// Draws until a key or a signal ends it. The terminal is given back whatever happens: here, and by ratatui's hook if
/// something panics.
fn show(shared: &Mutex<View>, stop: &AtomicBool) -> Result<Done, Failure> {
    let mut terminal = ratatui::try_init().map_err(Failure::io("taking the terminal"))?;
    let mut state = State::default();
    let mut view = View::default();
    let mut each = || -> std::io::Result<bool> {
        if !state.paused || view.at.is_empty() {
            view.clone_from(&lock(shared));
            view.at = Moment::now().to_string().chars().take(19).chain(['Z']).collect();
        }
        terminal.draw(|frame| draw::draw(frame, &view, &state))?;
        if event::poll(KEYS)?
            && let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
        {
            state.press(key, draw::group_rows(&view));
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

/// Becomes true when the process is asked to end, or its terminal is gone.
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
fn printed(view: &View) -> Result<String, Failure> {
    let backend = TestBackend::new(WIDTH, draw::height(view).clamp(10, 1_000));
    let drawing = || Failure::Usage("this frame cannot be drawn".to_owned());
    let mut terminal = Terminal::new(backend).map_err(|_| drawing())?;
    let state = State {
        printed: true,
        ..State::default()
    };
    terminal
        .draw(|frame| draw::draw(frame, view, &state))
        .map_err(|_| drawing())?;
    Ok(text(terminal.backend().buffer()).trim_end().to_owned())
}

/// The letters of a frame, without the blanks at the ends of its lines.
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
