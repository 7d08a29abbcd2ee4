//! `saltransform init` against the registry: what it registers is the latest version, and a pipeline that runs keeps its wire
//! extras unless somebody asks for less.

use clap::Parser;
use devstack::RegistryServer;
use sal::avro::has_wire_extras;
use saltransform::config::{Cli, Command};
use saltransform::init::{InitError, Prepared, register_schemas};
use saltransform::register::RegisterError;
use stage::config::RegistryArgs;
use stage::registry::Registry;

const SUBJECT: &str = "lsst.sal.Test_scalars-value";

/// Runs the half of `init` that needs no broker.
async fn init(registry: &RegistryServer, flags: &[&str]) -> Result<Prepared, InitError> {
    let (url, dir) = (
        registry.url(),
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas"),
    );
    let line = [
        &["saltransform", "init", "--subsystem", "Test", "--xml-dir", dir],
        &["--schema-registry", url.as_str()][..],
        flags,
    ]
    .concat();
    let Command::Init(args) = Cli::try_parse_from(line).unwrap().command else {
        panic!("init is parsed as init")
    };
    register_schemas(&args).await
}

async fn counts(registry: &RegistryServer, flags: &[&str]) -> (usize, usize, usize) {
    let prepared = init(registry, flags).await.unwrap();
    let registered = prepared.registered;
    let sum = registered.new + registered.changed + registered.unchanged;
    assert_eq!(sum, prepared.subjects);
    (registered.new, registered.changed, registered.unchanged)
}

async fn latest_has_wire_extras(registry: &Registry) -> bool {
    let latest = registry.version(SUBJECT, None).await.unwrap();
    has_wire_extras(&serde_json::from_str(&latest.schema).unwrap())
}

#[tokio::test]
async fn a_pipeline_keeps_its_wire_extras_and_the_right_init_mends_one_that_lost_them() {
    let server = RegistryServer::start().await.unwrap();
    let client = Registry::new(&RegistryArgs::at(server.url())).unwrap();
    let (all, changed, unchanged) = counts(&server, &["--wire-extras"]).await;
    assert!(all > 3 && (changed, unchanged) == (0, 0), "{all} new");
    assert_eq!(counts(&server, &["--wire-extras"]).await, (0, 0, all));

    let refused = init(&server, &[]).await.unwrap_err();
    assert!(
        matches!(&refused, InitError::Register(RegisterError::LosesWireExtras { count, .. }) if *count == all),
        "{refused}"
    );
    let text = refused.to_string();
    assert!(
        text.contains("nothing was changed") && text.contains("--drop-wire-extras"),
        "{text}"
    );
    assert_eq!(client.versions(SUBJECT, true).await.unwrap(), [1]);

    assert_eq!(counts(&server, &["--drop-wire-extras"]).await, (0, all, 0));
    assert!(!latest_has_wire_extras(&client).await);

    // The registry has these schemas as older versions: registering them again would change nothing.
    let refused = init(&server, &["--wire-extras"]).await.unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("nothing was changed"), "{text}");
    assert!(
        text.contains("kafkaefd registry delete lsst.sal.Test_") && text.contains("-value --version 2"),
        "{text}"
    );
    assert!(!latest_has_wire_extras(&client).await);

    assert_eq!(
        counts(&server, &["--wire-extras", "--make-latest"]).await,
        (0, all, 0)
    );
    assert!(latest_has_wire_extras(&client).await);
    assert_eq!(
        client.versions(SUBJECT, true).await.unwrap(),
        [1, 2],
        "deleted softly"
    );
    assert_eq!(counts(&server, &["--wire-extras"]).await, (0, 0, all));
}

#[tokio::test]
async fn subjects_of_the_registry_are_found_and_not_registered() {
    let server = RegistryServer::start().await.unwrap();
    let (all, ..) = counts(&server, &["--wire-extras"]).await;
    let (url, line) = (server.url(), ["saltransform", "init", "--subsystem", "Test"]);
    let line = line.into_iter().chain(["--schema-registry", url.as_str()]);
    let Command::Init(args) = Cli::try_parse_from(line).unwrap().command else {
        panic!("init is parsed as init")
    };
    let prepared = register_schemas(&args).await.unwrap();
    assert_eq!(
        prepared.to_string(),
        format!("{all} subjects; 0 topics created, 0 existed")
    );
}
