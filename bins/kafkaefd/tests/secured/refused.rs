//! Wrong certificates, passwords, tokens and missing rights: what is said, how often it is tried, and that nothing is lost
//! once it is mended.

use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::program::Program;
use super::rights::Names;
use super::stack::{Mechanism, Secured, message, words};
use crate::real::root;

/// Messages in the input topic of each test.
const MESSAGES: usize = 20;
/// How long refused clients are watched.
const WATCHED: Duration = Duration::from_secs(15);
/// A process has four clients (consumer, two producers, and one that makes the dead-letter topic). librdkafka doubles their
/// waits up to 2 s, but after some failed handshakes it connects at once: one and a half times a second was seen.
const MOST_A_SECOND: usize = 4 * 2;
/// A start and a refusal are a dozen lines; each complaint is said once in that time.
const MOST_LINES: usize = 16;

/// A way to a broker that counts who comes.
struct Counted {
    address: String,
    connections: Arc<AtomicUsize>,
}

impl Counted {
    fn before(broker: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let connections = Arc::new(AtomicUsize::new(0));
        let (broker, counted) = (broker.to_owned(), Arc::clone(&connections));
        // Ends with the test's process: it holds nothing but a port.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::Relaxed);
                let Ok(server) = TcpStream::connect(&broker) else {
                    continue;
                };
                let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else {
                    continue;
                };
                for (mut from, mut to) in [(client, server), (server_too, client_too)] {
                    std::thread::spawn(move || {
                        let _ = copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Self { address, connections }
    }
}

/// What is wrong, the settings that are, the listener, and what `/ready` has to say.
struct Wrong {
    what: &'static str,
    settings: String,
    mechanism: Mechanism,
    said: &'static str,
}

#[test]
fn who_is_refused_says_why_and_does_not_storm() {
    let Some(secured) = Secured::with("refused") else {
        return;
    };
    let (input, _) = secured.mocked();
    let user = format!("{}.user", secured.name);
    secured.set_password(&user, "the right one");
    let (scram, mtls) = (
        secured.scram(&user, "the right one"),
        secured.mtls("saltransform"),
    );
    let (ours, wrong_ca) = (secured.cert("ca.pem"), secured.cert("wrong-ca.pem"));
    let token = secured.token(&user, 3600);
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    let token_file = secured.file("forged", &forged).display().to_string();
    let oauth = format!(
        "security.protocol=sasl_ssl\nsasl.mechanisms=OAUTHBEARER\nssl.ca.location={ours}\nsasl.oauthbearer.config=token-file={token_file}\n"
    );
    let wrong = |what, settings, mechanism, said| Wrong {
        what,
        settings,
        mechanism,
        said,
    };
    const OUR_CERTIFICATE: &str = "TLS: the broker refuses our certificate";
    let cases = [
        wrong(
            "an expired certificate",
            secured.mtls("expired"),
            Mechanism::Mtls,
            OUR_CERTIFICATE,
        ),
        wrong(
            "a certificate of another authority",
            secured.mtls("unknown"),
            Mechanism::Mtls,
            OUR_CERTIFICATE,
        ),
        wrong(
            "no certificate",
            format!("security.protocol=ssl\nssl.ca.location={ours}\n"),
            Mechanism::Mtls,
            OUR_CERTIFICATE,
        ),
        wrong(
            "a broker of another authority",
            mtls.replace(&ours, &wrong_ca),
            Mechanism::Mtls,
            "TLS: the broker's certificate is not trusted",
        ),
        wrong(
            "no TLS",
            "security.protocol=plaintext\n".to_owned(),
            Mechanism::Mtls,
            "TLS: the broker hangs up at once: if it is not just starting, check security.protocol",
        ),
        wrong(
            "a certificate where a login is wanted",
            mtls.clone(),
            Mechanism::Scram,
            "TLS: the broker hangs up at once: if it is not just starting, check security.protocol",
        ),
        wrong(
            "a wrong password",
            scram.replace("the right one", "a wrong one"),
            Mechanism::Scram,
            "SASL: user or password is wrong",
        ),
        wrong(
            "an unknown user",
            scram.replace(&user, "nobody"),
            Mechanism::Scram,
            "SASL: user or password is wrong",
        ),
        wrong(
            "another mechanism",
            scram.clone(),
            Mechanism::Oauth,
            "SASL: the broker does not offer this mechanism",
        ),
        wrong(
            "a forged token",
            oauth,
            Mechanism::Oauth,
            "SASL: the OAUTHBEARER token is refused",
        ),
    ];
    let registry = secured.registry();
    let start = |(number, case): (usize, &Wrong)| {
        let counted = Counted::before(secured.broker(case.mechanism));
        let file = secured
            .file(&format!("{number}.conf"), &case.settings)
            .display()
            .to_string();
        let broker = words(&["--broker", &counted.address, "--kafka-config-file", &file]);
        let program = Program::start(
            &secured,
            "saltransform",
            &[secured.transform(&input), broker, registry.clone()],
        );
        (program, counted)
    };
    let running: Vec<_> = cases.iter().enumerate().map(start).collect();
    let since = Instant::now();
    for (case, (program, _)) in cases.iter().zip(&running) {
        let ready = program.wait_ready(case.said);
        assert!(ready.contains("waiting for kafka"), "{}: {ready}", case.what);
    }
    // The watch is time itself: what must not happen has no end to wait for.
    std::thread::sleep(WATCHED.saturating_sub(since.elapsed()));
    for (case, (program, counted)) in cases.iter().zip(running) {
        let (what, output) = (case.what, program.output());
        assert!(
            output.contains(case.said.split(": ").nth(1).unwrap()),
            "{what}: {output}"
        );
        let attempts = counted.connections.load(Ordering::Relaxed);
        let most = MOST_A_SECOND * (since.elapsed().as_secs() as usize + 1);
        assert!(
            (2..=most).contains(&attempts),
            "{what}: {attempts} connections: {output}"
        );
        assert!(output.lines().count() <= MOST_LINES, "{what}: {output}");
        assert!(program.stop(), "{what}: a stage that took nothing stops in order");
    }
    assert_eq!(
        secured.committed(&format!("{}.transform", secured.name), &input),
        None
    );
}

/// Commands that do one thing and end say it too, and at once.
#[test]
fn commands_that_are_refused_say_why() {
    let Some(secured) = Secured::with("commands") else {
        return;
    };
    let (_, output) = secured.mocked();
    let schemas = root().join("schemas").display().to_string();
    let init = words(&[
        "init",
        "--subsystem",
        "Test",
        "--xml-dir",
        &schemas,
        "--subname",
        &secured.name,
    ]);
    let init = [init, secured.registry()].concat();
    let consume = [words(&["consume", &output]), secured.registry()].concat();
    let token = secured
        .file("expired", &secured.token("anybody", -60))
        .display()
        .to_string();
    let token = format!(
        "security.protocol=sasl_ssl\nsasl.mechanisms=OAUTHBEARER\nssl.ca.location={}\nsasl.oauthbearer.config=token-file={token}\n",
        secured.cert("ca.pem")
    );
    let cases = [
        (
            Mechanism::Mtls,
            secured.mtls("expired"),
            "TLS: the broker refuses our certificate",
        ),
        (
            Mechanism::Scram,
            secured.scram("nobody", "nothing"),
            "SASL: user or password is wrong",
        ),
        (Mechanism::Oauth, token, "expired"),
    ];
    for (mechanism, settings, said) in cases {
        let client = secured.client(mechanism, "client.conf", &settings);
        for (name, command) in [("saltransform", &init), ("salmock", &consume)] {
            let mut program =
                Program::start_bare(&secured, name, &[command.clone(), client.clone()].concat(), &[]);
            assert!(!program.wait_end());
            assert!(
                program.output().contains(said),
                "{name}: {said}: {}",
                program.output()
            );
        }
    }
}

#[test]
fn a_corrected_password_brings_all_messages() {
    let Some(secured) = Secured::with("password") else {
        return;
    };
    let (input, output) = secured.mocked();
    let names = names(&secured, &input, &output);
    let user = format!("{}.user", secured.name);
    secured.set_password(&user, "the right one");
    secured.allow("saltransform", &user, &names, &[]);
    secured.produce(&input, (0..MESSAGES).map(message));
    let registry = secured.registry();
    let run = |password| {
        let client = secured.client(Mechanism::Scram, "user.conf", &secured.scram(&user, password));
        Program::start(
            &secured,
            "saltransform",
            &[secured.transform(&input), client, registry.clone()],
        )
    };
    let refused = run("a wrong one");
    refused.wait_ready("SASL: user or password is wrong");
    assert!(refused.stop());
    assert_eq!(secured.committed(&names.group, &input), None);
    let corrected = run("the right one");
    corrected.wait_count("saltransform_produced_total", MESSAGES as u64);
    assert_eq!(secured.values(&output).len(), MESSAGES);
    assert!(corrected.stop());
    assert_eq!(secured.committed(&names.group, &input), Some(MESSAGES as i64));
}

#[test]
fn a_missing_right_is_named_and_waited_for() {
    // The right that is missing, and what `/ready` says of it.
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
        for (right, said, names_topic) in cases {
            scope.spawn(move || a_stage_waits_for(right, said, names_topic));
        }
    });
}

fn a_stage_waits_for(right: (&str, &str), said: &str, names_topic: bool) {
    let Some(secured) = Secured::with("right") else {
        return;
    };
    let (input, output) = secured.mocked();
    let names = names(&secured, &input, &output);
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
    let ready = stage.wait_ready(said);
    assert!(
        !names_topic || ready.contains(if right.0 == "read" { &input } else { &output }),
        "{ready}"
    );
    // It stays so, and says little: the watch is time itself.
    std::thread::sleep(WATCHED);
    assert!(
        stage.get("ready").unwrap().contains(said),
        "{right:?}: {}",
        stage.output()
    );
    assert!(
        stage.output().lines().count() <= 2 * MOST_LINES,
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
        "{right:?}: a missing right is no poison"
    );
    assert!(stage.stop());
    assert_eq!(
        secured.committed(&names.group, &input),
        Some(MESSAGES as i64),
        "{right:?}"
    );
}

#[test]
fn without_the_right_on_the_dead_letter_topic_nothing_is_passed_over() {
    let Some(secured) = Secured::with("dead") else {
        return;
    };
    let (input, output) = secured.mocked();
    let names = names(&secured, &input, &output);
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
    assert!(!refused.wait_end(), "it must not end well: {}", refused.output());
    let said = refused.output();
    assert!(
        said.contains("give this user the right WRITE") && said.contains(&dead),
        "{said}"
    );
    let committed = secured.committed(&names.group, &input);
    assert!(
        committed.unwrap_or_default() <= MESSAGES as i64,
        "passed over: {committed:?}"
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
    // What was behind the dead letter may have come out before the end, too, and then comes twice.
    let mut values: Vec<_> = secured.values(&output);
    values.sort_unstable();
    values.dedup();
    assert!(values.len() >= 2 * MESSAGES, "{} records", values.len());
}

/// A sink produces nothing but dead letters. Without the right to them it could lose the first one, so it does not start.
#[test]
fn a_sink_that_may_write_no_dead_letters_says_so_at_once() {
    let Some(secured) = Secured::with("sinkright") else {
        return;
    };
    let (input, output) = secured.mocked();
    let mut names = names(&secured, &input, &output);
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

fn names(secured: &Secured, input: &str, output: &str) -> Names {
    Names {
        input: input.to_owned(),
        output: output.to_owned(),
        group: format!("{}.transform", secured.name),
    }
}
