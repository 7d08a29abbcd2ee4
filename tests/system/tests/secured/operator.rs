//! kafkaefd's commands where nobody gets in unasked: they work with the right credentials, and say which of TLS, SASL and
//! ACLs refuses the wrong ones, without a secret in what they say.

use super::program::Program;
use super::stack::{Mechanism, Secured, words};

/// Runs a command to its end: whether it ended well, and all that it printed.
fn kafkaefd(secured: &Secured, arguments: &[Vec<String>]) -> (bool, String) {
    let mut program = Program::start_bare(secured, "kafkaefd", &arguments.concat(), &[]);
    (program.wait_end(), program.output())
}

#[test]
fn an_operator_with_credentials_works_and_one_without_learns_why_not() {
    let Some(secured) = Secured::with("operator") else {
        return;
    };
    let topic = format!("{}.topic", secured.name);
    let user = format!("{}.user", secured.name);
    secured.create_topics(&[&topic]);
    secured.produce(&topic, [b"hello".to_vec()]);
    secured.set_password(&user, "the right one");

    let admin = secured.client(Mechanism::Mtls, "admin", &secured.mtls("admin"));
    let (well, said) = kafkaefd(
        &secured,
        &[words(&["admin", "topics", "offsets", &topic]), admin.clone()],
    );
    assert!(well && said.contains("total"), "{said}");
    let tail = words(&["tail", &topic, "-o", "beginning", "-e", "--format", "raw"]);
    let (well, said) = kafkaefd(&secured, &[tail, admin.clone(), secured.registry()]);
    assert!(well && said.contains("hello"), "{said}");
    let (well, said) = kafkaefd(&secured, &[words(&["groups", "list", "--json"]), admin]);
    assert!(well && said.starts_with('['), "{said}");

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
        let (well, said) = kafkaefd(&secured, &[list.clone(), client]);
        assert!(!well && said.contains(reason), "{reason}: {said}");
        assert!(said.contains("try: ") && !said.contains("wr0ng"), "{said}");
    }

    let without_rights = secured.client(Mechanism::Scram, "user", &secured.scram(&user, "the right one"));
    let create = words(&["admin", "topics", "create", &format!("{topic}-2")]);
    let (well, said) = kafkaefd(&secured, &[create, without_rights]);
    assert!(
        !well && said.contains("refused: topic authorization failed"),
        "{said}"
    );

    let wrong = secured.file("wrong-password", "wr0ng");
    let registry = secured.registry_as("admin", &wrong);
    let (well, said) = kafkaefd(&secured, &[words(&["registry", "list"]), registry]);
    assert!(
        !well && said.contains("refuses our user or password (401)"),
        "{said}"
    );
    assert!(!said.contains("wr0ng"), "{said}");
}
