//! No secret appears anywhere except where it was configured: every binary runs with one in each place that
//! takes one, in good and in bad cases, with the most verbose logging; then everything it printed, showed on
//! its port and has as arguments is searched.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::program::Program;
use super::stack::{Mechanism, Secured, words};
use crate::real::root;

/// What a process must not reveal, each with its name for the message of a failing test.
type Hidden = Vec<(&'static str, String)>;

fn assert_hidden(what: &str, shown: &str, hidden: &Hidden) {
    for (name, secret) in hidden {
        let found = shown.find(secret.as_str());
        // The message must not reveal it either, but its context helps.
        let before = found.map(|at| shown[..at].chars().rev().take(200).collect::<String>());
        let before = before.map(|before| before.chars().rev().collect::<String>());
        assert!(found.is_none(), "{what} reveals the {name} after: {before:?}");
    }
}

/// Everything that a process reveals to others.
fn shown(program: &Program) -> String {
    let mut all = program.output();
    all.extend(
        ["ready", "metrics", "live"]
            .iter()
            .filter_map(|path| program.get(path)),
    );
    all.extend(program.arguments());
    all
}

/// The most verbose logging, for us and for every library.
const TALKATIVE: &[&str] = &["-X", "debug=all"];

#[test]
fn services_in_good_and_bad_cases_show_no_secret() {
    let Some(secured) = Secured::with("secret") else {
        return;
    };
    let (input, output) = secured.mocked();
    let bucket = secured.bucket();
    let token = secured.write_token(&bucket);
    let user = format!("{}.user", secured.name);
    let password = format!("Pw{}good", secured.name);
    let wrong_password = format!("Pw{}wrong", secured.name);
    let wrong_token = format!("Tk{}wrong", secured.name);
    secured.set_password(&user, &password);
    let (good_jwt, bad_jwt) = (secured.token(&user, 3600), secured.token(&user, -60));
    let signature = |jwt: &str| jwt.rsplit('.').next().unwrap().to_owned();
    let registry_password = secured.services.get("SECURED_SCHEMAREGISTRY_PASSWORD");
    // As it is sent in a header.
    let basic = |password: &str| STANDARD.encode(format!("admin:{password}"));
    let hidden: Hidden = vec![
        ("SCRAM password", password.clone()),
        ("wrong SCRAM password", wrong_password.clone()),
        (
            "key password",
            secured.services.get("SECURED_KEY_PASSWORD").to_owned(),
        ),
        ("registry password", registry_password.to_owned()),
        ("registry password in a header", basic(registry_password)),
        ("wrong registry password in a header", basic(&wrong_token)),
        ("database token", token.text.clone()),
        ("wrong token or password", wrong_token.clone()),
        ("Kafka token", signature(&good_jwt)),
        ("expired Kafka token", signature(&bad_jwt)),
    ];
    let ca = format!("ssl.ca.location={}\n", secured.cert("ca.pem"));
    let with_token = |name: &str, jwt: &str| {
        let file = secured.file(&format!("{name}.jwt"), jwt).display().to_string();
        [
            secured.client(Mechanism::Oauth, &format!("{name}.conf"), &ca),
            words(&["--kafka-token-file", &file]),
        ]
        .concat()
    };
    let key_password = secured.services.get("SECURED_KEY_PASSWORD");
    let kafka = [
        secured.client(Mechanism::Mtls, "mtls.conf", &secured.mtls("saltransform")),
        secured.client(Mechanism::Scram, "good.conf", &secured.scram(&user, &password)),
        secured.client(
            Mechanism::Scram,
            "bad.conf",
            &secured.scram(&user, &wrong_password),
        ),
        secured.client(
            Mechanism::Mtls,
            "key.conf",
            &secured
                .mtls("saltransform")
                .replace(key_password, &wrong_password),
        ),
        with_token("good", &good_jwt),
        with_token("expired", &bad_jwt),
    ];
    let wrong_file = secured.file("wrong-registry-password", &wrong_token);
    let registries = [secured.registry(), secured.registry_as("admin", &wrong_file)];
    let tokens = [&token.text, &wrong_token];
    let schemas = root().join("schemas").display().to_string();
    let talkative = [words(TALKATIVE), words(&["--log-level", "trace"])].concat();

    let mut programs = Vec::new();
    for (index, kafka) in kafka.iter().enumerate() {
        let registry = registries[index % 2].clone();
        let stage = [
            secured.transform(&input),
            kafka.clone(),
            registry.clone(),
            talkative.clone(),
        ];
        programs.push(Program::start(&secured, "saltransform", &stage));
        let sink = secured.sink(&output, &bucket, tokens[index % 2]);
        let sink = [sink, kafka.clone(), registry.clone(), talkative.clone()];
        programs.push(Program::start(&secured, "influxsink", &sink));
        // The others in one good and one bad case: what they share with these has been covered in all.
        if ![1, 2].contains(&index) {
            continue;
        }
        let flags = words(&[
            "produce",
            "--schemas",
            &schemas,
            "--topic",
            "Test_scalars",
            "--format",
            "avro",
        ]);
        programs.push(Program::start(
            &secured,
            "salmock",
            &[flags, kafka.clone(), registry.clone(), talkative.clone()],
        ));
        let flags = [
            words(&["consume", &output, "--count", "1"]),
            kafka.clone(),
            registry.clone(),
            talkative.clone(),
        ];
        programs.push(Program::start_bare(&secured, "salmock", &flags.concat(), &[]));
        let flags = words(&[
            "init",
            "--subsystem",
            "Test",
            "--xml-dir",
            &schemas,
            "--subname",
            &secured.name,
        ]);
        let flags = [flags, kafka.clone(), registry.clone(), words(TALKATIVE)];
        programs.push(Program::start_bare(
            &secured,
            "saltransform",
            &flags.concat(),
            &[],
        ));
        let flags = words(&["salschema", "convert", "--xml-dir", &schemas, "--upload"]);
        programs.push(Program::start_bare(
            &secured,
            "kafkaefd",
            &[flags, registry].concat(),
            &[],
        ));
    }
    // Long enough for logins, refusals and retries; there is no condition for something that must not be
    // printed.
    std::thread::sleep(std::time::Duration::from_secs(15));
    let printed: usize = programs.iter().map(|program| program.output().len()).sum();
    assert!(
        printed > 100_000,
        "only {printed} bytes were printed: the logging is not verbose"
    );
    for program in &programs {
        assert_hidden("a process", &shown(program), &hidden);
    }
    // They got far enough to use the secrets.
    let all: String = programs.iter().map(Program::output).collect();
    for seen in [
        "SCRAM-SHA-512",
        "OAUTHBEARER",
        "refuses our user or password (401)",
        "SSL",
    ] {
        assert!(all.contains(seen), "no process got as far as {seen}");
    }
}

#[test]
fn help_and_errors_show_no_secret() {
    let Some(secured) = Secured::with("help") else {
        return;
    };
    let secret = format!("S{}", secured.name);
    let hidden: Hidden = vec![("secret", secret.clone())];
    let url = format!("http://user:{secret}@127.0.0.1:9");
    let setting = format!("sasl.password={secret}");
    let (not_a_pair, unknown) = (
        format!("sasl.password:{secret}"),
        format!("sasl.pasword={secret}"),
    );
    let environment = [
        ("KAFKA_CONFIG", setting.as_str()),
        ("INFLUXDB_TOKEN", &secret),
        ("SCHEMAREGISTRY_PASSWORD", &secret),
        ("SCHEMAREGISTRY", &url),
        ("INFLUXDB_URL", &url),
    ];
    let file = |name: &str, text: &str| secured.file(name, text).display().to_string();
    let files = [file("a", &not_a_pair), file("b", &unknown), file("c", &secret)];
    let commands: [(&'static str, &[&str]); 7] = [
        ("saltransform", &["run", "--topic", "t"]),
        ("saltransform", &["init", "--subsystem", "Test"]),
        ("influxsink", &["run", "t"]),
        ("influxsink", &["run", "t", "--into", "sqlite:/nowhere/efd.db"]),
        ("salmock", &["produce"]),
        ("salmock", &["consume", "t"]),
        (
            "kafkaefd",
            &["salschema", "convert", "--xml-dir", "/nowhere", "--upload"],
        ),
    ];
    for (name, command) in commands {
        for more in [&["--help"][..], &["--no-such-flag"], &[]] {
            let arguments = words(&[command, more].concat());
            let mut program = Program::start_bare(&secured, name, &arguments, &environment);
            program.wait_end();
            let shown = program.output();
            assert!(!shown.is_empty(), "{name} {arguments:?} says something");
            assert_hidden(&format!("{name} {arguments:?}"), &shown, &hidden);
        }
        if name == "kafkaefd" {
            continue;
        }
        for wrong in [&not_a_pair, &unknown, &format!("enable.idempotence={secret}")] {
            let arguments = [words(command), words(&["-X", wrong])].concat();
            let mut program = Program::start_bare(&secured, name, &arguments, &[]);
            assert!(!program.wait_end(), "{name} {command:?}: {}", program.output());
            // A value that librdkafka rejects is not a secret, because secrets can be any text: it may be
            // shown.
            if !wrong.starts_with("enable.") {
                assert_hidden(&format!("{name} -X"), &program.output(), &hidden);
            }
        }
        for path in &files {
            let arguments = [words(command), words(&["--kafka-config-file", path])].concat();
            let mut program = Program::start_bare(&secured, name, &arguments, &[]);
            assert!(!program.wait_end(), "{name} {command:?}: {}", program.output());
            assert_hidden(&format!("{name} --kafka-config-file"), &program.output(), &hidden);
        }
    }
}

#[test]
fn a_secret_among_the_arguments_causes_a_warning_and_is_not_repeated() {
    let Some(secured) = Secured::with("argument") else {
        return;
    };
    let (input, _) = secured.mocked();
    let secret = format!("S{}", secured.name);
    let settings = secured.scram("nobody", "");
    let client = secured.client(Mechanism::Scram, "client.conf", &settings);
    let password = words(&["-X", &format!("sasl.password={secret}"), "--log-level", "trace"]);
    let stage = [
        secured.transform(&input),
        client,
        password,
        words(TALKATIVE),
        secured.registry(),
    ];
    let stage = Program::start(&secured, "saltransform", &stage);
    stage.wait_ready("SASL: user or password is wrong");
    let output = stage.output();
    assert!(
        output.starts_with("warning: sasl.password is an argument"),
        "{output}"
    );
    let ports = ["ready", "metrics"]
        .iter()
        .filter_map(|path| stage.get(path))
        .collect::<String>();
    assert_hidden("saltransform", &(output + &ports), &vec![("secret", secret)]);
    assert!(stage.stop());
}
