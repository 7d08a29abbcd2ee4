//! What the ledger must detect.

use std::collections::BTreeMap;

use std::time::Duration;

use super::*;

fn origin(topic: &str, offset: i64) -> Origin {
    Origin {
        topic: topic.into(),
        partition: 0,
        offset,
    }
}

/// A ledger with one message, named (0, 7), with time 1,000 ms.
fn with_one(due: Due) -> Ledger {
    let mut ledger = Ledger::default();
    let number = ledger.begin(Some(((0, 7), 1_000)), due);
    ledger.acknowledge(number, origin("in", 3));
    ledger
}

fn dead_letter(by: Stage, stage: &str, reason: &str) -> DeadLetter {
    DeadLetter {
        by,
        origin: origin("in", 3),
        stage: stage.to_owned(),
        reason: reason.to_owned(),
        detail: String::new(),
        length: 9,
        name: None,
    }
}

#[test]
fn a_message_without_a_point_is_outstanding_until_it_has_one() {
    let mut ledger = with_one(Due::Stored);
    assert_eq!(ledger.outstanding(1), 1);
    ledger.point((0, 7), 1_000);
    assert_eq!(ledger.outstanding(1), 0);
    assert!(ledger.complaints().0.is_empty());
}

#[test]
fn a_message_that_is_given_up_is_no_longer_waited_for_but_lost() {
    let mut ledger = with_one(Due::Stored);
    ledger.begin(Some(((0, 8), 1_001)), Due::Stored);
    assert_eq!((ledger.give_up(1), ledger.outstanding(2)), (1, 1));
    assert!(!ledger.entries[0].stored);
    ledger.point((0, 7), 1_000);
    assert!(ledger.entries[0].stored, "it arrived after all");
}

#[test]
fn a_point_at_another_time_is_a_duplicate() {
    let mut ledger = with_one(Due::Stored);
    ledger.point((0, 7), 1_000);
    ledger.point((0, 7), 1_001);
    assert_eq!(ledger.entries[0].wrong, 1);
    assert_eq!(ledger.complaints().0.len(), 1);
}

#[test]
fn a_dead_letter_must_have_the_expected_stage_and_reason() {
    let due = Due::Dead(Stage::Sink, &[("write", "rejected")]);
    for (by, stage, reason, is_right) in [
        (Stage::Sink, "write", "rejected", true),
        (Stage::Sink, "write", "other", false),
        (Stage::Transform, "write", "rejected", false),
    ] {
        let mut ledger = with_one(due);
        ledger.dead_letter(dead_letter(by, stage, reason));
        assert_eq!(ledger.outstanding(1) == 0, is_right, "{by:?} {stage} {reason}");
        assert_eq!(ledger.complaints().0.is_empty(), is_right);
    }
}

#[test]
fn a_dead_letter_and_a_point_contradict_each_other() {
    let mut ledger = with_one(Due::Stored);
    ledger.point((0, 7), 1_000);
    ledger.dead_letter(dead_letter(Stage::Sink, "write", "rejected"));
    assert_eq!(ledger.entries[0].wrong, 1);
}

#[test]
fn a_dead_letter_is_complete() {
    for (sent, is_whole) in [(9, true), (10, false)] {
        let mut ledger = Ledger::default();
        let due = Due::Dead(Stage::Transform, &[("parse", "bad_header")]);
        let number = ledger.begin_bytes(sent, due);
        ledger.acknowledge(number, origin("in", 3));
        ledger.dead_letter(dead_letter(Stage::Transform, "parse", "bad_header"));
        assert_eq!(ledger.complaints().0.is_empty(), is_whole);
    }
}

#[test]
fn one_of_the_messages_that_share_a_time_is_a_point() {
    let mut ledger = Ledger::default();
    for (number, sequence) in [7, 8, 9].into_iter().enumerate() {
        ledger.begin(Some(((0, sequence), 1_000)), Due::Shares);
        ledger.acknowledge(number, origin("in", sequence));
        ledger.record((0, sequence), origin("out", sequence));
    }
    let at = |offset| BTreeMap::from([(("out".to_owned(), 0), offset)]);
    ledger.committed(Stage::Sink, &at(10));
    assert_eq!(ledger.outstanding(3), 3, "none is a point");
    ledger.point((0, 8), 1_000);
    ledger.committed(Stage::Sink, &at(8));
    assert_eq!(ledger.outstanding(3), 1, "the last one is not read yet");
    // It took the first one's place.
    ledger.point((0, 9), 1_000);
    assert_eq!(ledger.outstanding(3), 0);
    let outcomes = ledger
        .entries
        .iter()
        .map(|entry| (entry.stored, entry.overwritten));
    assert!(outcomes.eq([(false, true), (false, true), (true, false)]));
    assert!(ledger.complaints().0.is_empty());
}

#[test]
fn a_message_that_carries_nothing_is_passed_by_its_group() {
    let mut ledger = with_one(Due::Skipped(Stage::Sink));
    let at = |offset| BTreeMap::from([(("in".to_owned(), 0), offset)]);
    ledger.committed(Stage::Sink, &at(3));
    ledger.committed(Stage::Transform, &at(9));
    assert_eq!(ledger.outstanding(1), 1);
    ledger.committed(Stage::Sink, &at(4));
    assert_eq!(ledger.outstanding(1), 0);
}

#[test]
fn nothing_is_expected_of_messages_deleted_by_retention() {
    let gone = BTreeMap::from([(("in".to_owned(), 0), 0..4)]);
    let mut ledger = with_one(Due::Stored);
    assert_eq!(ledger.taken(Stage::Transform, &gone), 1);
    assert_eq!(ledger.outstanding(1), 0);
    // Its record is elsewhere: saltransform had read it.
    let mut ledger = with_one(Due::Stored);
    ledger.record((0, 7), origin("out", 0));
    assert_eq!(ledger.taken(Stage::Sink, &gone), 0);
    assert_eq!(ledger.outstanding(1), 1);
}

#[test]
fn offsets_of_a_recreated_topic_are_other_messages() {
    let due = Due::Dead(Stage::Transform, &[("parse", "bad_header")]);
    let mut ledger = with_one(due);
    ledger.dead_letter(dead_letter(Stage::Transform, "parse", "bad_header"));
    ledger.topic_recreated("in");
    let second = ledger.begin(None, due);
    ledger.acknowledge(second, origin("in", 3));
    assert_eq!(ledger.outstanding(2), 1);
    ledger.dead_letter(dead_letter(Stage::Transform, "parse", "bad_header"));
    assert_eq!(ledger.outstanding(2), 0);
    assert_eq!(ledger.repeated_letters, 0);
}

#[test]
fn bytes_that_look_like_a_record_are_known_after_their_topic_was_recreated() {
    let mut ledger = Ledger::default();
    let number = ledger.begin_bytes(40, Due::Dead(Stage::Sink, &[("frame", "value_unframed")]));
    ledger.acknowledge(number, origin("out", 3));
    ledger.record((0, -46), origin("out", 3));
    ledger.topic_recreated("out");
    ledger.record((0, -1), origin("out", 3));
    ledger.complain_of_strangers();
    let (complaints, _) = ledger.complaints();
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].contains("-1"), "{complaints:?}");
}

#[test]
fn messages_sent_before_a_recreation_is_noticed_may_repeat() {
    let mut ledger = with_one(Due::Stored);
    ledger.recreated_unnoticed(&[0]);
    let second = ledger.begin(Some(((0, 8), 1_001)), Due::Stored);
    let other = ledger.begin(Some(((1, 8), 1_001)), Due::Stored);
    let may_repeat = [0, second, other].map(|number| ledger.entries[number].may_repeat);
    assert_eq!(may_repeat, [false, true, false]);
}

#[test]
fn a_partition_in_which_messages_wait_is_named_with_its_stage() {
    let mut ledger = with_one(Due::Stored);
    assert!(
        ledger.overdue(Duration::ZERO).is_empty(),
        "no undisturbed time has passed"
    );
    ledger.clock.start();
    std::thread::sleep(Duration::from_millis(2));
    let limit = Duration::from_millis(1);
    let places: Vec<_> = ledger.overdue(limit).into_keys().collect();
    assert_eq!(places, [(Stage::Transform, "in[0]".to_owned())]);
    ledger.record((0, 7), origin("out", 0));
    let places: Vec<_> = ledger.overdue(limit).into_keys().collect();
    assert_eq!(places, [(Stage::Sink, "out[0]".to_owned())]);
    ledger.point((0, 7), 1_000);
    assert!(ledger.overdue(limit).is_empty());
}
