//! `kafkaefd registry` with two registries that differ where Confluent's API leaves room: one returns `null`
//! for an empty list and gives reasons; the other gives none and reports an unknown subject if it has no
//! level of its own.

use serde_json::{Value, json};

use super::{Ran, kafkaefd};
use crate::real::{Services, unique};

const REGISTRIES: [&str; 2] = ["SCHEMAREGISTRY", "APICURIO"];

/// One registry and a folder for schemas.
struct Cli<'s> {
    services: &'s Services,
    url: &'s str,
    folder: tempfile::TempDir,
}

impl Cli<'_> {
    /// Runs `kafkaefd registry ARGUMENTS`.
    fn run(&self, arguments: &[&str]) -> Ran {
        let line = [&["registry"], arguments, &["--schema-registry", self.url]].concat();
        kafkaefd(self.services, &line)
    }

    /// The JSON output and the exit code.
    fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let ran = self.run(&[arguments, &["--json"]].concat());
        let answer = serde_json::from_str(&ran.stdout);
        let answer =
            answer.unwrap_or_else(|error| panic!("{arguments:?}: {error}; {}{}", ran.stdout, ran.stderr));
        (ran.code, answer)
    }

    /// A file with a record schema that has these fields.
    fn schema(&self, name: &str, fields: Value) -> String {
        let path = self.folder.path().join(name);
        let schema = json!({"type": "record", "name": "R", "fields": fields});
        std::fs::write(&path, schema.to_string()).unwrap();
        path.display().to_string()
    }
}

fn on_each_registry(test: impl Fn(&Cli<'_>, &str)) {
    let Some(services) = Services::with(&[&["BROKER"], &REGISTRIES[..]].concat()) else {
        return;
    };
    for key in REGISTRIES {
        let cli = Cli {
            services: &services,
            url: services.get(key),
            folder: tempfile::tempdir().unwrap(),
        };
        test(&cli, &unique("operator-"));
    }
}

#[test]
fn a_subject_from_its_first_version_to_its_deletion() {
    on_each_registry(|cli, subject| {
        let first = cli.schema("first.json", json!([{"name": "a", "type": "int"}]));
        let second = cli.schema(
            "second.json",
            json!([{"name": "a", "type": "int"}, {"name": "b", "type": "int", "default": 0}]),
        );
        let wrong = cli.schema("wrong.json", json!([{"name": "a", "type": "string"}]));

        let (code, uploaded) = cli.json(&["upload", subject, &first]);
        assert_eq!(
            (code, &uploaded["result"], &uploaded["version"]),
            (0, &json!("new"), &json!(1))
        );
        let (code, again) = cli.json(&["upload", subject, &first]);
        assert_eq!(
            (code, &again["result"], &again["id"]),
            (0, &json!("unchanged"), &uploaded["id"])
        );

        let (code, set) = cli.json(&["compat", "--subject", subject, "--set", "backward", "--yes"]);
        assert_eq!((code, &set["level"]), (0, &json!("BACKWARD")));
        assert_eq!(cli.json(&["compat", "--subject", subject]).1["level"], "BACKWARD");

        let (code, tested) = cli.json(&["test", subject, &wrong]);
        assert_eq!(
            (code, &tested["compatible"], &tested["version"]),
            (1, &json!(false), &json!(1))
        );
        // The reason is the registry's, or ours if the registry gives none.
        assert_ne!(tested["reasons"], json!([]), "{}", cli.url);
        let (code, tested) = cli.json(&["test", subject, &second, "--version", "1"]);
        assert_eq!((code, &tested["compatible"]), (0, &json!(true)));
        let refused = cli.run(&["upload", subject, &wrong]);
        assert_eq!(refused.code, 1, "{}", refused.stderr);
        assert!(refused.stderr.contains("was refused: "), "{}", refused.stderr);
        assert_eq!(cli.json(&["upload", subject, &second]).1["version"], 2);

        let pattern = format!("^{subject}$");
        let (code, listed) = cli.json(&["list", "--version", "--compatibility", "--filter", &pattern]);
        let expected = json!([{
            "subject": subject,
            "versions": [1, 2],
            "compatibility": {"level": "BACKWARD", "inherited": false},
        }]);
        assert_eq!((code, listed), (0, expected));
        let shown = cli.run(&["show", subject, "--version", "1"]);
        let schema: Value = serde_json::from_str(&shown.stdout).unwrap();
        assert_eq!(schema["fields"], json!([{"name": "a", "type": "int"}]));
        assert!(shown.stdout.contains("\n  \"name\": \"R\""), "{}", shown.stdout);
        assert_eq!(cli.json(&["show", subject]).1["version"], 2);

        let deleted = cli.json(&["delete", subject, "--version", "1", "--yes"]);
        assert_eq!(
            deleted,
            (
                0,
                json!({"subject": subject, "versions": [1], "permanent": false})
            )
        );
        assert_eq!(
            cli.json(&["list", "--version", "--filter", &pattern]).1[0]["versions"],
            json!([2])
        );
        let (code, _) = cli.json(&["delete", subject, "--version", "1", "--permanent", "--yes"]);
        assert_eq!(code, 0, "a soft-deleted subject is deleted permanently");
        assert_eq!(cli.json(&["delete", subject, "--yes"]).1["versions"], json!([2]));
        assert_eq!(cli.json(&["list", "--filter", &pattern]), (0, json!([])));
        assert_eq!(cli.json(&["delete", subject, "--permanent", "--yes"]).0, 0);
    });
}

#[test]
fn an_upload_that_would_not_be_the_latest_is_refused_with_the_command_that_makes_it_so() {
    on_each_registry(|cli, subject| {
        let first = cli.schema("first.json", json!([{"name": "a", "type": "int"}]));
        let second = cli.schema(
            "second.json",
            json!([{"name": "a", "type": "int"}, {"name": "b", "type": "int", "default": 0}]),
        );
        assert_eq!(cli.json(&["upload", subject, &first]).0, 0);
        assert_eq!(cli.json(&["upload", subject, &second]).1["version"], 2);
        let refused = cli.run(&["upload", subject, &first]);
        assert_eq!(refused.code, 1, "{}", refused.stdout);
        let command = format!("kafkaefd registry delete {subject} --version 2");
        assert!(refused.stderr.contains(&command), "{}", refused.stderr);
        assert_eq!(
            cli.json(&["show", subject]).1["version"],
            2,
            "nothing was changed"
        );
        assert_eq!(cli.run(&["delete", subject, "--version", "2", "--yes"]).code, 0);
        let (code, uploaded) = cli.json(&["upload", subject, &first]);
        assert_eq!((code, &uploaded["result"]), (0, &json!("unchanged")));
    });
}

#[test]
fn missing_subjects_are_named_and_nothing_is_done_without_consent() {
    on_each_registry(|cli, subject| {
        let schema = cli.schema("schema.json", json!([{"name": "a", "type": "int"}]));
        assert_eq!(cli.run(&["upload", subject, &schema]).code, 0);

        let mistyped = format!("{subject}x");
        for command in [
            vec!["show", &mistyped],
            vec!["test", &mistyped, &schema],
            vec!["delete", &mistyped, "--yes"],
            vec!["compat", "--subject", &mistyped],
        ] {
            let ran = cli.run(&command);
            assert_eq!(ran.code, 1, "{command:?}: {}", ran.stderr);
            assert!(
                ran.stderr.contains(&format!("there is no subject {mistyped}")),
                "{}",
                ran.stderr
            );
            assert!(
                ran.stderr.contains(&format!("did you mean {subject}")),
                "{}",
                ran.stderr
            );
        }
        for command in [
            vec!["show", subject, "--version", "7"],
            vec!["delete", subject, "--version", "7", "-y"],
        ] {
            let ran = cli.run(&command);
            assert_eq!(ran.code, 1, "{command:?}: {}", ran.stderr);
            assert!(ran.stderr.contains("a version that"), "{}", ran.stderr);
        }

        // No terminal and no --yes.
        for command in [
            vec!["delete", subject],
            vec!["compat", "--subject", subject, "--set", "FULL"],
        ] {
            let ran = cli.run(&command);
            assert_eq!(ran.code, 2, "{command:?}: {}", ran.stderr);
            assert!(ran.stderr.contains("nothing was changed"), "{}", ran.stderr);
        }
        let ran = cli.run(&["show", subject]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(cli.run(&["delete", subject, "--permanent", "--yes"]).code, 0);
    });
}

#[test]
fn an_unusable_file_or_registry_has_its_own_exit_code() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("schema.json");
    std::fs::write(&file, "{\"type\":").unwrap();
    let ran = kafkaefd(&services, &["registry", "test", "s", &file.display().to_string()]);
    assert_eq!(ran.code, 64, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("is not the JSON text of an Avro schema"),
        "{}",
        ran.stderr
    );
    // Nothing listens on port 1.
    let ran = kafkaefd(
        &services,
        &["registry", "list", "--schema-registry", "http://127.0.0.1:1"],
    );
    assert_eq!(ran.code, 69, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("--schema-registry URL or SCHEMAREGISTRY"),
        "{}",
        ran.stderr
    );
}
