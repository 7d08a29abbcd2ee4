//! Missing permissions: each is named and waited for, and nothing is lost once it is granted.

use super::program::Program;
use super::refused::{MAX_LINES, MESSAGES, WATCHED};
use super::stack::{Mechanism, Secured, message};

#[test]
fn a_missing_permission_is_named_and_waited_for() {
    // The missing permission, and what `/ready` says about it.
    let cases = [
        (
            ("read", "{input}"),
            "ACL: the user lacks a right on this topic",
            true,
        ),
        (
            ("read", "{group}"),
            "ACL: the user lacks the right READ on the consumer group",
            false,
        ),
        (
            ("write", "{output}"),
            "ACL: the user lacks a right on this topic",
            true,
        ),
    ];
    std::thread::scope(|scope| {
        for (right, expected, names_topic) in cases {
            scope.spawn(move || a_stage_waits_for(right, expected, names_topic));
        }
    });
}

fn a_stage_waits_for(right: (&str, &str), expected: &str, names_topic: bool) {
    let Some(secured) = Secured::with("right") else {
        return;
    };
    let (input, output) = secured.mocked();
    let names = secured.names(&input, &output);
    secured.create_topics(&[&format!("{}.dead-letter", names.group)]);
    let user = format!("{}.user", secured.name);
    secured.set_password(&user, "it is long enough");
    secured.allow("saltransform", &user, &names, &[right]);
    secured.produce(&input, (0..MESSAGES).map(message));
    let client = secured.client(
        Mechanism::Scram,
        "user.conf",
        &secured.scram(&user, "it is long enough"),
    );
    let stage = Program::start(
        &secured,
        "saltransform",
        &[secured.transform(&input), client, secured.registry()],
    );
    let ready = stage.wait_ready(expected);
    assert!(
        !names_topic || ready.contains(if right.0 == "read" { &input } else { &output }),
        "{ready}"
    );
    // The state is stable and the log is quiet. Watching takes time: there is no condition to wait for.
    std::thread::sleep(WATCHED);
    assert!(
        stage.get("ready").unwrap().contains(expected),
        "{right:?}: {}",
        stage.output()
    );
    assert!(
        stage.output().lines().count() <= 2 * MAX_LINES,
        "{right:?}: {}",
        stage.output()
    );
    assert_eq!(secured.committed(&names.group, &input), None, "{right:?}");
    secured.allow_one("saltransform", &user, &names, right);
    stage.wait_count("saltransform_produced_total", MESSAGES as u64);
    assert_eq!(secured.values(&output).len(), MESSAGES, "{right:?}");
    stage.wait_ready("ready\n");
    assert_eq!(
        stage.count("saltransform_dead_letters_total"),
        0,
        "{right:?}: a missing permission is not the message's fault"
    );
    assert!(stage.stop());
    assert_eq!(
        secured.committed(&names.group, &input),
        Some(MESSAGES as i64),
        "{right:?}"
    );
}

#[test]
fn without_permission_on_the_dead_letter_topic_nothing_is_skipped() {
    let Some(secured) = Secured::with("dead") else {
        return;
    };
    let (input, output) = secured.mocked();
    let names = secured.names(&input, &output);
    let dead = format!("{}.dead-letter", names.group);
    secured.create_topics(&[&dead]);
    let user = format!("{}.user", secured.name);
    secured.set_password(&user, "it is long enough");
    let right = ("write", "{dead letters}");
    secured.allow("saltransform", &user, &names, &[right]);
    secured.produce(&input, (0..MESSAGES).map(message));
    secured.produce(&input, [b"not SAL at all".to_vec()]);
    secured.produce(&input, (MESSAGES..2 * MESSAGES).map(message));
    let client = secured.client(
        Mechanism::Scram,
        "user.conf",
        &secured.scram(&user, "it is long enough"),
    );
    let registry = secured.registry();
    let run = || {
        Program::start(
            &secured,
            "saltransform",
            &[secured.transform(&input), client.clone(), registry.clone()],
        )
    };
    let mut refused = run();
    assert!(!refused.wait_end(), "it must not succeed: {}", refused.output());
    let log = refused.output();
    assert!(
        log.contains("give this user the right WRITE") && log.contains(&dead),
        "{log}"
    );
    let committed = secured.committed(&names.group, &input);
    assert!(
        committed.unwrap_or_default() <= MESSAGES as i64,
        "skipped: {committed:?}"
    );
    secured.allow_one("saltransform", &user, &names, right);
    let mended = run();
    mended.wait_count("saltransform_dead_letters_total", 1);
    assert_eq!(secured.values(&dead), [b"not SAL at all".to_vec()]);
    mended.wait_count("saltransform_produced_total", MESSAGES as u64);
    assert!(mended.stop());
    assert_eq!(
        secured.committed(&names.group, &input),
        Some(2 * MESSAGES as i64 + 1)
    );
    // Messages after the dead letter may already have been produced before the end, and are then produced
    // twice.
    let mut values: Vec<_> = secured.values(&output);
    values.sort_unstable();
    values.dedup();
    assert!(values.len() >= 2 * MESSAGES, "{} records", values.len());
}

/// A sink produces only dead letters. Without the permission it could lose the first one, so it does not
/// start.
#[test]
fn a_sink_that_cannot_write_dead_letters_says_so_immediately() {
    let Some(secured) = Secured::with("sinkright") else {
        return;
    };
    let (input, output) = secured.mocked();
    let mut names = secured.names(&input, &output);
    names.group = format!("{}.sink", secured.name);
    secured.create_topics(&[&format!("{}.dead-letter", names.group)]);
    let user = format!("{}.user", secured.name);
    secured.set_password(&user, "it is long enough");
    let right = ("write", "{dead letters}");
    secured.allow("influxsink", &user, &names, &[right]);
    let bucket = secured.bucket();
    let token = secured.write_token(&bucket);
    let client = secured.client(
        Mechanism::Scram,
        "user.conf",
        &secured.scram(&user, "it is long enough"),
    );
    let flags = [
        secured.sink(&output, &bucket, &token.text),
        client,
        secured.registry(),
    ];
    let mut refused = Program::start(&secured, "influxsink", &flags);
    assert!(!refused.wait_end());
    assert!(
        refused.output().contains("the user may produce nowhere"),
        "{}",
        refused.output()
    );
    secured.allow_one("influxsink", &user, &names, right);
    let mended = Program::start(&secured, "influxsink", &flags);
    mended.wait_ready("ready\n");
    assert!(mended.stop());
}
