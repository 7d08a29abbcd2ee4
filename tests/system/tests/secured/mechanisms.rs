//! Each authentication mechanism, from salmock to the database, with exactly the permissions in
//! docs/security.md.

use super::program::Program;
use super::rights::Names;
use super::stack::{Mechanism, Secured, words};
use crate::real::{root, until};

/// The number of messages per topic.
const COUNT: &str = "20";

/// How the three binaries authenticate: the flags of each, by its name.
type Login<'a> = &'a dyn Fn(&Secured, &str) -> Vec<String>;

#[test]
fn client_certificates_reach_the_database() {
    let login = |secured: &Secured, binary: &str| {
        secured.client(Mechanism::Mtls, &format!("{binary}.conf"), &secured.mtls(binary))
    };
    let topics = ["Test_scalars", "Test_arrays"];
    messages_reach_the_database("mtls", "Test", &topics, &[], &login, &|_, binary| {
        binary.to_owned()
    });
}

/// With transactions, which need one more permission.
#[test]
fn scram_passwords_reach_the_database() {
    let user = |secured: &Secured, binary: &str| format!("{}.{binary}", secured.name);
    let login = |secured: &Secured, binary: &str| {
        let user = user(secured, binary);
        secured.set_password(&user, "it is long enough");
        let settings = secured.scram(&user, "it is long enough");
        secured.client(Mechanism::Scram, &format!("{binary}.conf"), &settings)
    };
    let topics = ["ATDome_position", "ATDome_loopTime"];
    messages_reach_the_database("scram", "ATDome", &topics, &["--exactly-once"], &login, &user);
}

#[test]
fn tokens_reach_the_database() {
    let user = |secured: &Secured, binary: &str| format!("{}.{binary}", secured.name);
    let login = |secured: &Secured, binary: &str| {
        let token = secured.file(
            &format!("{binary}.token"),
            &secured.token(&user(secured, binary), 60),
        );
        let mut flags = secured.client(
            Mechanism::Oauth,
            &format!("{binary}.conf"),
            &format!("ssl.ca.location={}\n", secured.cert("ca.pem")),
        );
        flags.extend(words(&["--kafka-token-file", &token.display().to_string()]));
        flags
    };
    messages_reach_the_database("oauth", "MTVMS", &["MTVMS_M2"], &[], &login, &user);
}

fn messages_reach_the_database(
    prefix: &str,
    component: &str,
    topics: &[&str],
    transform: &[&str],
    login: Login<'_>,
    user: &dyn Fn(&Secured, &str) -> String,
) {
    let Some(secured) = Secured::with(prefix) else {
        return;
    };
    let subname = secured.name.clone();
    let schemas = root().join("schemas").display().to_string();
    // Topics are created by the administrator, and a token cannot do it.
    let init = words(&[
        "init",
        "--subsystem",
        component,
        "--xml-dir",
        &schemas,
        "--wire-extras",
        "--replication",
        "1",
        "--subname",
        &subname,
    ]);
    let admin = secured.client(Mechanism::Mtls, "admin.conf", &secured.mtls("admin"));
    let prepared = [init, admin, secured.registry()].concat();
    let mut init = Program::start_bare(&secured, "saltransform", &prepared, &[]);
    assert!(init.wait_end(), "{}", init.output());

    let input = format!("{component}_telemetry");
    let names = |group: &str| Names {
        input: input.clone(),
        output: format!("+lsst.{subname}."),
        group: format!("{subname}.{group}"),
    };
    let dead = ["transform", "sink"].map(|group| format!("{subname}.{group}.dead-letter"));
    secured.create_topics(&[&dead[0], &dead[1]]);
    for (binary, group) in [
        ("salmock", ""),
        ("saltransform", "transform"),
        ("influxsink", "sink"),
    ] {
        secured.allow(binary, &user(&secured, binary), &names(group), &[]);
    }
    let group = names("transform").group;
    let flags = words(&[
        "run",
        "--subsystem",
        component,
        "--subname",
        &subname,
        "--group",
        &group,
        "--auto-offset-reset",
        "latest",
    ]);
    let transform = Program::start(
        &secured,
        "saltransform",
        &[
            flags,
            words(transform),
            login(&secured, "saltransform"),
            secured.registry(),
        ],
    );
    // Only what is written from now on: the input topic may contain messages of other runs against the same
    // services.
    transform.wait_ready("ready");

    let bucket = secured.bucket();
    let token = secured.write_token(&bucket);
    let pattern = format!("^lsst\\.{subname}\\.");
    let mut flags = secured.sink("", &bucket, &token.text);
    flags.splice(1..2, words(&["--topic-regex", &pattern]));
    let sink = Program::start(
        &secured,
        "influxsink",
        &[flags, login(&secured, "influxsink"), secured.registry()],
    );
    sink.wait_ready("ready");

    let mut flags = words(&[
        "produce",
        "--schemas",
        &schemas,
        "--count",
        COUNT,
        "--period",
        "0.05",
    ]);
    flags.extend(topics.iter().flat_map(|topic| words(&["--topic", topic])));
    let mut mock = Program::start(&secured, "salmock", &[flags, login(&secured, "salmock")]);
    assert!(mock.wait_end(), "{}", mock.output());

    let sent = topics.len() as u64 * COUNT.parse::<u64>().unwrap();
    transform.wait_count("saltransform_produced_total", sent);
    sink.wait_count("influxsink_written_total", sent);
    until("all points are in the database", 30, || {
        let (_, points) = secured.sequences(&bucket);
        if points as u64 == sent {
            Ok(())
        } else {
            Err(format!("{points} of {sent}"))
        }
    });
    for (stage, name) in [(transform, "saltransform"), (sink, "influxsink")] {
        assert_eq!(
            stage.count(&format!("{name}_dead_letters_total")),
            0,
            "{}",
            stage.output()
        );
        assert!(!stage.output().contains("ERROR"), "{}", stage.output());
        assert!(stage.stop(), "{name} left work behind");
    }
}
