//! `kafkaefd salschema` on a repository on GitHub: a loopback server answers as GitHub's API does for a repository
//! created from `schemas/`, and counts requests.
#![allow(clippy::expect_used, clippy::panic, reason = "a failed step is a failed test")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

mod recorded;

use std::path::{Path, PathBuf};
use std::process::Command;

use recorded::{GitHub, Refusal};
use serde_json::Value;

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

/// A user with a separate cache folder.
struct User {
    home: tempfile::TempDir,
    api: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl User {
    fn of(github: &GitHub) -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            api: github.url(),
        }
    }

    /// Runs `kafkaefd salschema ARGUMENTS`.
    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kafkaefd"));
        for variable in [
            "XML_DIR",
            "DIALECT",
            "SUBSYSTEM",
            "GITHUB_TOKEN",
            "HTTP_PROXY",
            "http_proxy",
            "ALL_PROXY",
            "all_proxy",
        ] {
            command.env_remove(variable);
        }
        let output = command
            .current_dir(root())
            .env("XDG_CACHE_HOME", self.home.path())
            .arg("salschema")
            .args(arguments)
            .args(["--github-api", &self.api])
            .output()
            .unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn convert(&self, arguments: &[&str]) -> Ran {
        let line = ["convert", "--xml-repo", "lsst-ts/ts_xml", "--print", "--json"];
        self.run(&[&line, arguments].concat())
    }
}

fn schemas(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    serde_json::from_str::<Value>(&ran.stdout).unwrap()["schemas"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_layouts_give_the_schemas_of_a_directory_and_the_second_run_downloads_nothing() {
    for layout in ["", "python/lsst/ts/xml/data/"] {
        let github = GitHub::with_schemas(layout).await;
        let user = User::of(&github);
        let expected = schemas(&user.run(&["convert", "--xml-dir", "schemas", "--print", "--json"]));
        assert_eq!(github.requests(), Vec::<String>::new());

        let first = user.convert(&[]);
        assert_eq!(schemas(&first), expected, "layout {layout:?}");
        assert!(first.stderr.starts_with("lsst-ts/ts_xml at "), "{}", first.stderr);
        let summary: Value = serde_json::from_str(&first.stdout).unwrap();
        let source = format!("lsst-ts/ts_xml at {}", &github.commit("main")[..12]);
        assert_eq!(summary["source"], source, "the summary names the commit");
        let files = github.files("HEAD");
        assert_eq!(github.count("/git/blobs/"), files, "each file is downloaded once");
        assert_eq!(github.agents(), ["kafkaefd"], "GitHub requires a user agent");

        let second = user.convert(&["--xml-repo-ref", "main"]);
        assert_eq!(schemas(&second), expected);
        assert_eq!(github.count("/git/blobs/"), files, "from the cache");
        assert_eq!(github.count("/git/trees/"), 1, "from the cache");

        let commit = github.commit("main");
        github.refuse(Some(Refusal::Broken));
        assert_eq!(
            schemas(&user.convert(&["--xml-repo-ref", &commit])),
            expected,
            "without any request"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_that_is_too_large_is_listed_by_folder() {
    for layout in ["", "python/lsst/ts/xml/data/"] {
        let github = GitHub::with_schemas(layout).await;
        github.truncate();
        let user = User::of(&github);
        let expected = schemas(&user.run(&["convert", "--xml-dir", "schemas", "--print", "--json"]));
        assert_eq!(schemas(&user.convert(&[])), expected, "layout {layout:?}");
        assert_eq!(github.count("/git/blobs/"), github.files("HEAD"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_github_suggest_what_to_try() {
    let github = GitHub::with_schemas("").await;
    let user = User::of(&github);
    let refused = |ran: Ran, code: i32, texts: &[&str]| {
        assert_eq!(ran.code, code, "{}", ran.stderr);
        for text in texts {
            assert!(ran.stderr.contains(text), "{text}: {}", ran.stderr);
        }
    };
    let other = user.run(&["convert", "--xml-repo", "lsst-ts/nothing"]);
    refused(
        other,
        1,
        &["lsst-ts/nothing", "no such repository", "--github-token-file"],
    );
    let reference = user.convert(&["--xml-repo-ref", "v0"]);
    refused(reference, 1, &["at v0", "no such branch, tag or commit"]);
    refused(
        user.convert(&["--xml-repo-ref", "empty"]),
        1,
        &["no sal_interfaces"],
    );

    github.refuse(Some(Refusal::Token));
    refused(
        user.convert(&[]),
        69,
        &["refuses the token (401)", "has not expired"],
    );
    github.refuse(Some(Refusal::Limit));
    refused(
        user.convert(&[]),
        69,
        &[
            "the rate limit is exceeded; try again in 19 min",
            "(at 2",
            "5,000 requests an hour",
        ],
    );
    github.refuse(Some(Refusal::Broken));
    refused(user.convert(&[]), 69, &["cannot be reached", "500"]);
    drop(github);
    refused(user.convert(&[]), 69, &["--github-api URL"]);
    refused(
        user.run(&["convert"]),
        64,
        &["--interfaces DIR or --xml-repo ORG/REPO"],
    );
    refused(
        user.run(&["convert", "--xml-repo", "ts_xml"]),
        64,
        &["expected ORG/REPO"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_after_an_exceeded_rate_limit_continues_where_the_first_one_ended() {
    let github = GitHub::with_schemas("").await;
    let user = User::of(&github);
    // The commit, the tree and twelve files.
    github.limit(14);
    let ran = user.convert(&[]);
    assert_eq!(ran.code, 69, "{}", ran.stderr);
    let files = github.files("HEAD");
    let cached = 12;
    assert!(files > cached, "{files}");
    let before = github.count("/git/blobs/");
    github.refuse(None);
    let ran = user.convert(&[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let requested = github.count("/git/blobs/") - before;
    // Of the twelve, those in flight at the first refusal may be requested again.
    assert!(
        requested >= files - cached && requested <= files,
        "{requested} of {files}"
    );
    assert!(requested < files, "some files were cached");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_releases_are_compared_and_share_their_files() {
    let github = GitHub::with_schemas("").await;
    let user = User::of(&github);
    let line = ["diff", "main", "next", "--xml-repo", "lsst-ts/ts_xml", "--json"];
    let ran = user.run(&line);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let topic = &report["topics"][0];
    assert_eq!(report["topics"].as_array().unwrap().len(), 1, "{report}");
    assert_eq!(
        (&topic["topic"], &topic["change"]),
        (&"Test_scalars".into(), &"changed".into())
    );
    assert_eq!(topic["fields"][0]["attributes"][0]["attribute"], "type");
    assert_eq!(topic["compatible"]["forward"], false);
    assert_eq!(
        github.count("/git/blobs/"),
        github.files("main") + 1,
        "one file differs"
    );

    let ran = user.run(&[&line[..5], &["--fail-on-incompatible=forward"]].concat());
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.contains("int → long"), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("Test_scalars: not compatible"),
        "{}",
        ran.stderr
    );
    let ran = user.run(&[&line[..5], &["--fail-on-incompatible"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_sent_in_the_authorization_header_and_never_without_tls() {
    let github = GitHub::with_schemas("").await;
    let user = User::of(&github);
    let file = user.home.path().join("token");
    std::fs::write(&file, "s3cr3t\n").unwrap();
    let file = file.display().to_string();
    assert_eq!(user.convert(&["--github-token-file", &file]).code, 0);
    assert_eq!(github.logins(), ["Bearer s3cr3t"]);

    let ran = user.convert(&["--github-user", "me", "--github-token", "s3cr3t"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("warning: --github-token is an argument"),
        "{}",
        ran.stderr
    );
    // me:s3cr3t
    assert_eq!(github.logins(), ["Basic bWU6czNjcjN0", "Bearer s3cr3t"]);

    let elsewhere = User {
        api: "http://github.example".to_owned(),
        ..user
    };
    let ran = elsewhere.convert(&["--github-token-file", &file]);
    assert_eq!(ran.code, 64, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("without TLS") && !ran.stderr.contains("s3cr3t"),
        "{}",
        ran.stderr
    );
}
