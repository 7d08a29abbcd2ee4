//! Invalid certificates, passwords and tokens: what is reported, how often it is retried, and that nothing is
//! lost once it is corrected.

use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::program::Program;
use super::stack::{Mechanism, Secured, message, words};
use crate::real::root;

/// Messages in the input topic of each test.
pub(super) const MESSAGES: usize = 20;
/// How long refused clients are watched.
pub(super) const WATCHED: Duration = Duration::from_secs(15);
/// A process has four clients (consumer, two producers, and one that creates the dead-letter topic).
/// librdkafka doubles their backoff up to 2 s, but after some failed handshakes it connects immediately: one
/// and a half times a second was observed.
const MAX_PER_SECOND: usize = 4 * 2;
/// A start and a refusal take a dozen lines; each problem is logged once in that time.
pub(super) const MAX_LINES: usize = 16;

/// A proxy to a broker that counts connections.
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

/// What is wrong, the settings that cause it, the listener, and the expected text in `/ready`.
struct Wrong {
    what: &'static str,
    settings: String,
    mechanism: Mechanism,
    expected: &'static str,
}

#[test]
fn refused_clients_say_why_and_do_not_flood_the_broker() {
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
    let wrong = |what, settings, mechanism, expected| Wrong {
        what,
        settings,
        mechanism,
        expected,
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
            "hang-up: the broker ends the connection: if it is not just starting or stopping, check security.protocol",
        ),
        wrong(
            "a certificate where a login is wanted",
            mtls.clone(),
            Mechanism::Scram,
            "hang-up: the broker ends the connection: if it is not just starting or stopping, check security.protocol",
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
        let ready = program.wait_ready(case.expected);
        assert!(ready.contains("waiting for kafka"), "{}: {ready}", case.what);
    }
    // Watching takes time: there is no condition for something that must not happen.
    std::thread::sleep(WATCHED.saturating_sub(since.elapsed()));
    for (case, (program, counted)) in cases.iter().zip(running) {
        let (what, output) = (case.what, program.output());
        assert!(
            output.contains(case.expected.split(": ").nth(1).unwrap()),
            "{what}: {output}"
        );
        let attempts = counted.connections.load(Ordering::Relaxed);
        let most = MAX_PER_SECOND * (since.elapsed().as_secs() as usize + 1);
        assert!(
            (2..=most).contains(&attempts),
            "{what}: {attempts} connections: {output}"
        );
        assert!(output.lines().count() <= MAX_LINES, "{what}: {output}");
        assert!(program.stop(), "{what}: a stage without messages stops cleanly");
    }
    assert_eq!(
        secured.committed(&format!("{}.transform", secured.name), &input),
        None
    );
}

/// Commands that do one thing and end report it immediately.
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
    for (mechanism, settings, expected) in cases {
        let client = secured.client(mechanism, "client.conf", &settings);
        for (name, command) in [("saltransform", &init), ("salmock", &consume)] {
            let mut program =
                Program::start_bare(&secured, name, &[command.clone(), client.clone()].concat(), &[]);
            assert!(!program.wait_end());
            assert!(
                program.output().contains(expected),
                "{name}: {expected}: {}",
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
    let names = secured.names(&input, &output);
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
