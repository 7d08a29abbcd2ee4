//! Tests of frames as text: their layout, and how unreachable stages and brokers are shown.

use std::time::{Duration, Instant};

use operator::groups::GroupState;
use operator::stages::{BrokersRow, GroupRow, PartitionRow, Snapshot, StageRow};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::draw::draw;
use super::state::State;
use super::text;

fn snapshot() -> Snapshot {
    let partition = |number, lag| PartitionRow {
        topic: "Test_telemetry\u{1b}[2J".to_owned(),
        partition: number,
        committed: Some(100 - lag),
        end: 100,
        lag: Some(lag),
    };
    Snapshot {
        at: "2026-11-21T10:00:00Z".to_owned(),
        broker: "localhost:9092".to_owned(),
        cluster: None,
        stages: vec![
            StageRow {
                stage: "saltransform".to_owned(),
                url: "http://localhost:9464/metrics".to_owned(),
                in_per_second: Some(100.25),
                out_per_second: Some(99.0),
                dead_letters: Some(2.0),
                lag: Some(1_234.0),
                lag_seconds: Some(98.5),
                work_p50: Some(0.000_012),
                ..StageRow::default()
            },
            StageRow {
                stage: "influxsink".to_owned(),
                url: "http://localhost:9465/metrics".to_owned(),
                away: Some("connection refused".to_owned()),
                ..StageRow::default()
            },
        ],
        taken: None,
        kafka: Some(BrokersRow {
            away: None,
            brokers: 3,
            lists_no_groups: false,
            answered: None,
            groups: vec![GroupRow {
                group: "efd.saltransform".to_owned(),
                state: GroupState::Stable,
                members: Some(2),
                lag: 30,
                partitions: (0..30)
                    .map(|number| partition(number, i64::from(number)))
                    .collect(),
            }],
        }),
    }
}

fn frame(snapshot: &Snapshot, state: &State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, snapshot, state)).unwrap();
    text(terminal.backend().buffer())
}

#[test]
fn a_frame_shows_stages_and_groups() {
    let shown = frame(&snapshot(), &State::default(), 140, 50);
    for part in [
        "3 brokers, 1 group",
        "saltransform",
        "100.2",
        "1,234",
        "LAG TIME",
        "1 min 38 s",
        "12 µs",
        "efd.saltransform",
        "members 2",
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(
        shown.contains(r"Test_telemetry\u{1b}[2J[0]"),
        "text from the network is sanitized:\n{shown}"
    );
    assert!(
        shown.contains("connection refused"),
        "why a stage is unreachable:\n{shown}"
    );
}

#[test]
fn a_narrow_terminal_shows_the_most_important_columns() {
    let shown = frame(&snapshot(), &State::default(), 80, 24);
    for part in [
        "saltransform",
        "WORK P50",
        "AGE P50",
        "localhost:9465 is unreachable",
        "q quit",
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
}

#[test]
fn a_narrow_terminal_shows_whole_names_and_lags() {
    let mut snapshot = snapshot();
    for group in snapshot.kafka.iter_mut().flat_map(|kafka| &mut kafka.groups) {
        group.group = "kafka-efd.influxsink-of-the-summit-and-of-the-base-with-a-name".to_owned();
        for row in &mut group.partitions {
            row.topic = "lsst.sal.MTHexapod_logevent_compensatedPosition".to_owned();
        }
    }
    let shown = frame(&snapshot, &State::default(), 80, 24);
    for part in [
        "kafka-efd.influxsink-…f-the-base-with-a-name",
        "stable, members 2",
        "  lsst.sal.MTHexapod_l…ompensatedPosition[0]",
        "/ filter",
        "? help",
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
}

#[test]
fn a_source_that_no_longer_answers_is_frozen() {
    let mut snapshot = snapshot();
    let now = Instant::now() + Duration::from_secs(60);
    snapshot.taken = Some((now, Duration::from_secs(2)));
    snapshot.stages[0].answered = Some(now - Duration::from_secs(14));
    snapshot.stages[1].answered = Some(now - Duration::from_secs(3));
    snapshot.kafka.as_mut().unwrap().answered = Some(now - Duration::from_secs(31));
    for width in [80, 140] {
        let shown = frame(&snapshot, &State::default(), width, 24);
        assert!(shown.contains("frozen: no answer for 14 s"), "{shown}");
        assert!(shown.contains("frozen: no answer for 31 s"), "{shown}");
        assert!(shown.contains("connection refused"), "that one answers:\n{shown}");
    }
}

#[test]
fn the_selected_row_is_on_the_screen() {
    let mut state = State::default();
    assert!(!frame(&snapshot(), &state, 100, 15).contains("[29]"));
    state.selected = 30;
    assert!(frame(&snapshot(), &state, 100, 15).contains("[29]"));
}

#[test]
fn pause_help_and_missing_stages_and_brokers_are_shown() {
    let state = State {
        paused: true,
        help: true,
        ..State::default()
    };
    let shown = frame(&snapshot(), &state, 100, 30);
    assert!(shown.contains("paused") && shown.contains("Ctrl-C"), "{shown}");
    let empty = Snapshot::default();
    assert!(frame(&empty, &State::default(), 100, 30).contains("--metrics"));
    let mut unreachable = snapshot();
    unreachable.kafka = Some(BrokersRow {
        away: Some("no broker answers".to_owned()),
        ..BrokersRow::default()
    });
    assert!(frame(&unreachable, &State::default(), 100, 30).contains("no broker answers"));
}

#[test]
fn terminals_of_any_size_work() {
    let state = State {
        help: true,
        selected: 1_000,
        ..State::default()
    };
    for (width, height) in [
        (0, 0),
        (1, 1),
        (20, 3),
        (59, 10),
        (60, 10),
        (61, 11),
        (300, 4),
        (80, 24),
    ] {
        frame(&snapshot(), &state, width, height);
    }
    assert!(frame(&snapshot(), &state, 50, 8).contains("too small"));
}

#[test]
fn the_name_of_the_cluster_is_shown() {
    let mut snapshot = snapshot();
    snapshot.cluster = Some("summit".to_owned());
    for width in [80, 140] {
        let shown = frame(&snapshot, &State::default(), width, 24);
        assert!(shown.starts_with("kafkaefd top  summit  "), "{shown}");
        assert!(shown.contains("3 brokers, 1 group"), "{shown}");
    }
    let wide = frame(&snapshot, &State::default(), 140, 24);
    assert!(wide.contains("summit  localhost:9092"), "{wide}");
}
