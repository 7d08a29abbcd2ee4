//! A registry and a database that refuse access, and secrets that are replaced at run time.

use std::time::{Duration, Instant};

use serde_json::json;

use super::program::Program;
use super::rights::Names;
use super::stack::{Mechanism, Secured, message, words};
use crate::real::until;

const MESSAGES: usize = 20;

/// Flags of saltransform with the administrator's certificate, for which Kafka refuses nothing.
fn transform(secured: &Secured, input: &str) -> Vec<String> {
    let admin = secured.client(Mechanism::Mtls, "admin.conf", &secured.mtls("admin"));
    [secured.transform(input), admin].concat()
}

impl Secured {
    /// Creates a user of the registry.
    fn registry_user(&self, name: &str, password: &str, role: &str) {
        let email = format!("{name}@localhost");
        let user =
            json!({"username": name, "email": email, "password": password, "role": role, "enabled": true});
        self.ask_registry("/admin/users", &user);
    }
}

#[test]
fn a_registry_that_refuses_access_is_named_and_waited_for() {
    let Some(secured) = Secured::with("registry") else {
        return;
    };
    let (input, output) = secured.mocked();
    secured.produce(&input, (0..MESSAGES).map(message));
    let reader = format!("{}-reader", secured.name);
    secured.registry_user(&reader, "the right one!", "readonly");
    let [right, wrong] =
        ["the right one!", "a wrong one"].map(|text| secured.file(&text.replace(' ', "-"), text));
    let flags = transform(&secured, &input);

    let refused = Program::start(
        &secured,
        "saltransform",
        &[flags.clone(), secured.registry_as(&reader, &wrong)],
    );
    let ready = refused.wait_ready("refuses our user or password (401)");
    assert!(
        ready.contains("waiting for registry") && ready.contains("--schema-registry-password-file"),
        "{ready}"
    );
    std::thread::sleep(Duration::from_secs(5));
    assert!(refused.output().lines().count() <= 20, "{}", refused.output());
    assert!(refused.count("saltransform_schema_lookups_total") < 30);

    let mut untrusting = secured.registry_as(&reader, &right);
    untrusting.pop();
    untrusting.push(secured.cert("wrong-ca.pem"));
    let untrusting = Program::start(&secured, "saltransform", &[flags.clone(), untrusting]);
    let ready = untrusting.wait_ready("has a certificate that is not trusted");
    assert!(ready.contains("--schema-registry-ca-file"), "{ready}");
    for stage in [refused, untrusting] {
        assert_eq!(stage.count("saltransform_dead_letters_total"), 0);
        let _ = stage.stop();
    }
    assert_eq!(
        secured.committed(&format!("{}.transform", secured.name), &input),
        None
    );

    let corrected = Program::start(
        &secured,
        "saltransform",
        &[flags, secured.registry_as(&reader, &right)],
    );
    corrected.wait_count("saltransform_produced_total", MESSAGES as u64);
    assert_eq!(secured.values(&output).len(), MESSAGES);
    assert!(corrected.stop());
}

#[test]
fn registering_without_permission_says_so() {
    let Some(secured) = Secured::with("register") else {
        return;
    };
    let reader = format!("{}-reader", secured.name);
    secured.registry_user(&reader, "the right one!", "readonly");
    let password = secured.file("password", "the right one!");
    let schemas = crate::real::root().join("schemas").display().to_string();
    let init = words(&[
        "init",
        "--subsystem",
        "Test",
        "--xml-dir",
        &schemas,
        "--replication",
        "1",
        "--subname",
        &secured.name,
    ]);
    let admin = secured.client(Mechanism::Mtls, "admin.conf", &secured.mtls("admin"));
    let flags = [init, admin, secured.registry_as(&reader, &password)].concat();
    let mut init = Program::start_bare(&secured, "saltransform", &flags, &[]);
    assert!(!init.wait_end());
    assert!(
        init.output().contains("does not give our user this right (403)"),
        "{}",
        init.output()
    );
}

/// Runs influxsink on the output of saltransform for mocked messages, while its token is replaced and
/// revoked.
#[test]
fn a_replaced_database_token_is_used_without_a_restart() {
    let Some(secured) = Secured::with("rotate") else {
        return;
    };
    let (input, output) = secured.mocked();
    let stage = Program::start(
        &secured,
        "saltransform",
        &[transform(&secured, &input), secured.registry()],
    );
    let bucket = secured.bucket();
    let first = secured.write_token(&bucket);
    let admin = secured.client(Mechanism::Mtls, "admin.conf", &secured.mtls("admin"));
    let sink = Program::start(
        &secured,
        "influxsink",
        &[
            secured.sink(&output, &bucket, &first.text),
            admin,
            secured.registry(),
        ],
    );
    let arrive = |numbers: std::ops::Range<usize>| {
        let wanted = numbers.end;
        secured.produce(&input, numbers.map(message));
        until("the points are in the database", 60, || {
            let (found, points) = secured.sequences(&bucket);
            assert_eq!(found.len(), points, "each point once");
            if points == wanted {
                Ok(())
            } else {
                Err(format!("{points} of {wanted}; {}", sink.output()))
            }
        });
    };
    arrive(0..MESSAGES);

    // Replaced in time: nothing is refused. The sink checks the file when it writes, at most once a second.
    let second = secured.write_token(&bucket);
    secured.file("token", &second.text);
    let mut sent = MESSAGES;
    while !sink.output().contains("token's file has changed") {
        arrive(sent..sent + 1);
        sent += 1;
    }
    secured.revoke(&first);
    arrive(sent..sent + MESSAGES);
    sent += MESSAGES;
    let refused = r#"influxsink_retries_total{reason="unauthorized"}"#;
    assert_eq!(sink.count(refused), 0, "nothing was refused");

    // Revoked too early: the sink waits, reports it, and resumes with the next token.
    secured.revoke(&second);
    secured.produce(&input, (sent..sent + MESSAGES).map(message));
    let ready = sink.wait_ready("401: ");
    assert!(
        ready.contains("waiting for database") && ready.contains("--token-file"),
        "{ready}"
    );
    assert_ne!(sink.count(refused), 0, "refusals are counted");
    let third = secured.write_token(&bucket);
    secured.file("token", &third.text);
    sink.wait_ready("ready\n");
    arrive(sent + MESSAGES..sent + 2 * MESSAGES);
    assert_eq!(sink.count("influxsink_dead_letters_total"), 0);
    assert!(sink.stop() && stage.stop());
}

#[test]
fn an_untrusted_database_is_named() {
    let Some(secured) = Secured::with("untrusted") else {
        return;
    };
    let (_, output) = secured.mocked();
    let bucket = secured.bucket();
    let admin = secured.client(Mechanism::Mtls, "admin.conf", &secured.mtls("admin"));
    let mut flags = secured.sink(&output, &bucket, "any");
    flags.pop();
    let with = |ca: &str| {
        [
            flags.clone(),
            vec![ca.to_owned()],
            admin.clone(),
            secured.registry(),
        ]
    };
    let sink = Program::start(&secured, "influxsink", &with(&secured.cert("wrong-ca.pem")));
    let ready = sink.wait_ready("its certificate is not trusted");
    assert!(
        ready.contains("waiting for database") && ready.contains("--influxdb-ca-file"),
        "{ready}"
    );
    assert!(sink.stop());
    let mut missing = Program::start(&secured, "influxsink", &with("/nowhere/ca.pem"));
    assert!(!missing.wait_end());
    assert!(
        missing.output().contains("--influxdb-ca-file: cannot read"),
        "{}",
        missing.output()
    );
}

/// A Kafka session ends with its token, whose file is read again before that. A token that was not renewed in
/// time is reported, and with the next one everything arrives. (librdkafka checks once a second; it renews
/// the token a fifth of its lifetime and the session a tenth before the end, so shorter lifetimes than this
/// one would be too short.)
#[test]
fn a_renewed_kafka_token_is_used_without_a_restart() {
    const LIVES: i64 = 30;
    let Some(secured) = Secured::with("renew") else {
        return;
    };
    let (input, output) = secured.mocked();
    let user = format!("{}.user", secured.name);
    let group = format!("{}.transform", secured.name);
    secured.create_topics(&[&format!("{group}.dead-letter")]);
    let names = Names {
        input: input.clone(),
        output: output.clone(),
        group,
    };
    secured.allow("saltransform", &user, &names, &[]);
    let write = |seconds| secured.file("kafka-token", &secured.token(&user, seconds));
    let file = write(LIVES).display().to_string();
    let since = Instant::now();
    let ca = format!("ssl.ca.location={}\n", secured.cert("ca.pem"));
    let client = secured.client(Mechanism::Oauth, "user.conf", &ca);
    let token = words(&["--kafka-token-file", &file]);
    let stage = Program::start(
        &secured,
        "saltransform",
        &[secured.transform(&input), client, token, secured.registry()],
    );
    stage.wait_ready("ready\n");
    write(2 * LIVES);
    // After the first token's lifetime, messages are carried without interruption.
    let mut sent = 0;
    while since.elapsed() < Duration::from_secs(LIVES as u64 + 2) {
        secured.produce(&input, (sent..sent + MESSAGES).map(message));
        sent += MESSAGES;
        stage.wait_count("saltransform_produced_total", sent as u64);
        std::thread::sleep(Duration::from_secs(2));
    }
    assert!(!stage.output().contains("kafka refuses us"), "{}", stage.output());
    write(-5);
    let ready = stage.wait_ready("expired");
    assert!(ready.contains(&file), "{ready}");
    secured.produce(&input, (sent..sent + MESSAGES).map(message));
    sent += MESSAGES;
    write(3600);
    stage.wait_count("saltransform_produced_total", sent as u64);
    stage.wait_ready("ready\n");
    assert_eq!(secured.values(&output).len(), sent);
    assert!(stage.stop());
}
