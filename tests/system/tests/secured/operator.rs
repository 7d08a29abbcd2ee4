//! kafkaefd's commands on services with access control: they work with valid credentials, and say whether
//! TLS, SASL or an ACL rejects invalid ones, without printing a secret.

use super::program::Program;
use super::stack::{Mechanism, Secured, words};

/// Runs a command to its end; returns whether it succeeded and everything that it printed.
fn kafkaefd(secured: &Secured, arguments: &[Vec<String>]) -> (bool, String) {
    let mut program = Program::start_bare(secured, "kafkaefd", &arguments.concat(), &[]);
    (program.wait_end(), program.output())
}

#[test]
fn valid_credentials_work_and_invalid_ones_are_explained() {
    let Some(secured) = Secured::with("operator") else {
        return;
    };
    let topic = format!("{}.topic", secured.name);
    let user = format!("{}.user", secured.name);
    secured.create_topics(&[&topic]);
    secured.produce(&topic, [b"hello".to_vec()]);
    secured.set_password(&user, "the right one");

    let admin = secured.client(Mechanism::Mtls, "admin", &secured.mtls("admin"));
    let (ok, output) = kafkaefd(
        &secured,
        &[words(&["admin", "topics", "offsets", &topic]), admin.clone()],
    );
    assert!(ok && output.contains("total"), "{output}");
    let tail = words(&["tail", &topic, "-o", "beginning", "-e", "--format", "raw"]);
    let (ok, output) = kafkaefd(&secured, &[tail, admin.clone(), secured.registry()]);
    assert!(ok && output.contains("hello"), "{output}");
    let (ok, output) = kafkaefd(&secured, &[words(&["groups", "list", "--json"]), admin]);
    assert!(ok && output.starts_with('['), "{output}");

    let list = words(&["admin", "topics", "list"]);
    let ours = secured.cert("ca.pem");
    for (mechanism, settings, reason) in [
        (
            Mechanism::Scram,
            secured.scram(&user, "the wr0ng one"),
            "SASL: user or password is wrong",
        ),
        (
            Mechanism::Mtls,
            format!("security.protocol=ssl\nssl.ca.location={ours}\n"),
            "TLS: the broker refuses our certificate",
        ),
        (
            Mechanism::Mtls,
            secured
                .mtls("admin")
                .replace(&ours, &secured.cert("wrong-ca.pem")),
            "TLS: the broker's certificate is not trusted",
        ),
    ] {
        let client = secured.client(mechanism, "refused", &settings);
        let (ok, output) = kafkaefd(&secured, &[list.clone(), client]);
        assert!(!ok && output.contains(reason), "{reason}: {output}");
        assert!(output.contains("try: ") && !output.contains("wr0ng"), "{output}");
    }

    let without_rights = secured.client(Mechanism::Scram, "user", &secured.scram(&user, "the right one"));
    let create = words(&["admin", "topics", "create", &format!("{topic}-2")]);
    let (ok, output) = kafkaefd(&secured, &[create, without_rights]);
    assert!(
        !ok && output.contains("refused: topic authorization failed"),
        "{output}"
    );

    let wrong = secured.file("wrong-password", "wr0ng");
    let registry = secured.registry_as("admin", &wrong);
    let (ok, output) = kafkaefd(&secured, &[words(&["registry", "list"]), registry]);
    assert!(
        !ok && output.contains("refuses our user or password (401)"),
        "{output}"
    );
    assert!(!output.contains("wr0ng"), "{output}");
}
