//! What needs attention, from the model of the Overview: each with what is wrong and where to look.

use std::time::{Duration, Instant};

use operator::groups::GroupState;
use operator::stages::{NOTABLE_LAG, Snapshot};

use super::course::Course;
use super::overview::{GroupView, Overview, Severity, StageKind, StageView, Trouble, since};
use crate::format::{plural, processes, shown, span};
use crate::params::link;

/// A lag that grows for this long is not a burst.
const GROWTH_DURATION: Duration = Duration::from_secs(300);
/// Points that reach the database later than this are late.
const MAX_AGE_SECONDS: f64 = 60.0;

impl Trouble {
    fn bad(what: &str, text: impl Into<String>, page: &str) -> Self {
        Self {
            severity: Severity::Bad,
            what: shown(what),
            text: text.into(),
            page: page.to_owned(),
        }
    }

    fn warning(what: &str, text: impl Into<String>, page: &str) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::bad(what, text, page)
        }
    }
}

/// Everything that needs attention, the worst first.
pub(super) fn find(view: &Overview, snapshot: &Snapshot, now: Instant) -> Vec<Trouble> {
    let mut found = Vec::new();
    if let Some(why) = &view.brokers_away {
        found.push(Trouble::bad("Kafka", shown(why), "groups"));
    } else if let Some(kafka) = &snapshot.kafka
        && snapshot.silence(kafka.answered).is_some()
    {
        let text = format!("no answer {}", since(now, kafka.answered));
        found.push(Trouble::bad("Kafka", text, "groups"));
    }
    for (url, why) in &view.unknown {
        found.push(Trouble::bad(url, shown(why), "groups"));
    }
    for (kind, stage) in &view.stages {
        of_stage(*kind, stage, &view.page_of(*kind), &mut found);
    }
    for group in &view.groups {
        of_group(group, &mut found);
    }
    found.sort_by_key(|trouble| trouble.severity);
    found
}

fn of_stage(kind: StageKind, stage: &StageView, page: &str, found: &mut Vec<Trouble>) {
    let name = kind.name();
    for (url, why) in &stage.away {
        let text = format!("{} does not answer: {}", shown(url), shown(why));
        found.push(Trouble::bad(name, text, page));
    }
    for waiting in &stage.waiting {
        let text = format!("is not ready: waits for {}", shown(waiting));
        found.push(Trouble::bad(name, text, page));
    }
    if stage.paused > 0 {
        let text = format!(
            "{} paused: what it writes to cannot keep up",
            processes(stage.paused)
        );
        found.push(Trouble::warning(name, text, page));
    }
    if stage.adds_up == Some(false) {
        let missing = stage
            .counts
            .map(|counts| counts.unaccounted())
            .unwrap_or_default();
        let text = format!(
            "counts do not add up: {} unaccounted for",
            plural(missing, "message")
        );
        found.push(Trouble::bad(name, text, page));
    }
    if stage.recent_dead_letters >= 1.0 {
        let text = format!(
            "{} in the last ten minutes",
            plural(stage.recent_dead_letters as i64, "dead letter")
        );
        found.push(Trouble::warning(name, text, "dead-letters"));
    }
    if stage.age.1.is_some_and(|age| age > MAX_AGE_SECONDS) {
        let text = format!(
            "points reach the database {} after their time (p99)",
            span(stage.age.1)
        );
        found.push(Trouble::warning(name, text, page));
    }
    let was_flowing = stage
        .output
        .as_ref()
        .and_then(|output| output.most())
        .is_some_and(|most| most > 0.0);
    let is_still = stage
        .output
        .as_ref()
        .is_some_and(|output| output.newest(15).count() == 15 && output.newest(15).all(|rate| rate == 0.0));
    if was_flowing && is_still && stage.away.is_empty() {
        found.push(Trouble::warning(name, "nothing flows any more", page));
    }
}

fn of_group(group: &GroupView, found: &mut Vec<Trouble>) {
    let page = link("group", &[("name", &group.name)]);
    let grows = |course: &Course| course.grows_over(GROWTH_DURATION);
    if group.lag >= NOTABLE_LAG && group.course.as_ref().is_some_and(grows) {
        let text = format!(
            "falls behind: {} to read, more each minute",
            plural(group.lag, "message")
        );
        found.push(Trouble::warning(&group.name, text, &page));
    } else if group.state == GroupState::Empty && group.lag >= NOTABLE_LAG {
        let text = format!("has no members and {} to read", plural(group.lag, "message"));
        found.push(Trouble::warning(&group.name, text, &page));
    }
}

#[cfg(test)]
mod tests {
    use operator::stages::{BrokersRow, StageCounts};

    use super::*;

    /// What is changed, and what is then found.
    type Case = (fn(&mut StageView), Severity, &'static str);

    fn stage() -> StageView {
        StageView {
            processes: 1,
            counts: Some(StageCounts {
                consumed: 10,
                finished: 7,
                ..StageCounts::default()
            }),
            adds_up: Some(true),
            ..StageView::default()
        }
    }

    fn texts(view: &Overview) -> Vec<(Severity, String)> {
        let found = find(view, &Snapshot::default(), Instant::now());
        found
            .into_iter()
            .map(|trouble| (trouble.severity, trouble.text))
            .collect()
    }

    fn with(stage: StageView) -> Overview {
        Overview {
            brokers: Some(1),
            stages: [(StageKind::Saltransform, stage)].into(),
            ..Overview::default()
        }
    }

    #[test]
    fn each_thing_that_is_wrong_is_named() {
        use Severity::{Bad, Warning};
        assert_eq!(texts(&with(stage())), []);
        let cases: [Case; 6] = [
            (
                |stage| stage.away.push(("h:1".to_owned(), "refused\u{202e}".to_owned())),
                Bad,
                r"h:1 does not answer: refused\u{202e}",
            ),
            (
                |stage| stage.waiting.push("kafka: no broker".to_owned()),
                Bad,
                "waits for kafka: no broker",
            ),
            (
                |stage| stage.adds_up = Some(false),
                Bad,
                "3 messages unaccounted for",
            ),
            (|stage| stage.paused = 1, Warning, "1 process paused"),
            (
                |stage| stage.recent_dead_letters = 2.0,
                Warning,
                "2 dead letters in the last ten minutes",
            ),
            (
                |stage| stage.age.1 = Some(90.0),
                Warning,
                "90.0 s after their time",
            ),
        ];
        for (change, severity, text) in cases {
            let mut changed = stage();
            change(&mut changed);
            let found = texts(&with(changed));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].0 == severity && found[0].1.contains(text), "{found:?}");
        }
    }

    #[test]
    fn what_is_wrong_leads_to_another_page() {
        let mut waiting = stage();
        waiting.waiting.push("kafka: no broker".to_owned());
        let mut view = with(waiting);
        view.unknown.push(("h:1".to_owned(), "refused".to_owned()));
        view.groups.push(GroupView {
            name: "a-saltransform".to_owned(),
            state: GroupState::Empty,
            members: None,
            lag: NOTABLE_LAG,
            seconds: None,
            course: None,
        });
        let found = find(&view, &Snapshot::default(), Instant::now());
        let pages: Vec<&str> = found.iter().map(|trouble| trouble.page.as_str()).collect();
        assert_eq!(
            pages,
            ["groups", "group?name=a-saltransform", "group?name=a-saltransform"]
        );
    }

    #[test]
    fn brokers_that_only_list_no_groups_are_well() {
        let away = |lists_no_groups: bool| Snapshot {
            kafka: Some(BrokersRow {
                away: Some("why".to_owned()),
                lists_no_groups,
                ..BrokersRow::default()
            }),
            ..Snapshot::default()
        };
        let troubles = |snapshot: &Snapshot| find(&Overview::of(snapshot), snapshot, Instant::now()).len();
        assert_eq!((troubles(&away(true)), troubles(&away(false))), (0, 1));
    }
}
