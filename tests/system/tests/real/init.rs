//! `saltransform init` on the real registries, which differ in when two schemas count as the same.

use std::process;

use clap::Parser;
use saltransform::config::{Cli, Command};
use saltransform::init::{InitError, Prepared, register_schemas};
use stage::config::RegistryArgs;
use stage::registry::Registry;

use super::{Services, root, unique};

#[test]
fn the_latest_version_is_the_requested_one_on_each_registry() {
    const REGISTRIES: [&str; 2] = ["SCHEMAREGISTRY", "APICURIO"];
    let Some(services) = Services::with(&REGISTRIES) else {
        return;
    };
    for key in REGISTRIES {
        let url = services.get(key);
        crate::runtime().block_on(from_the_first_to_the_mended_version(url));
    }
}

async fn init(url: &str, subname: &str, flags: &[&str]) -> Result<Prepared, InitError> {
    let dir = root().join("schemas").display().to_string();
    let line = [
        "saltransform",
        "init",
        "--subsystem",
        "Test",
        "--subname",
        subname,
    ];
    let places = ["--xml-dir", &dir, "--schema-registry", url];
    let line = line.iter().chain(&places).chain(flags);
    let Command::Init(args) = Cli::try_parse_from(line).unwrap().command else {
        panic!("init is parsed as init")
    };
    register_schemas(&args).await
}

async fn from_the_first_to_the_mended_version(url: &str) {
    let subname = unique("init");
    let subject = format!("lsst.{subname}.Test_scalars-value");
    let registry = Registry::new(&RegistryArgs::at(url)).unwrap();
    let counts = async |flags: &[&str]| {
        let prepared = init(url, &subname, flags).await;
        let registered = prepared
            .unwrap_or_else(|error| panic!("{url} {flags:?}: {error}"))
            .registered;
        (registered.new, registered.changed, registered.unchanged)
    };
    let has_extras = async || {
        let latest = registry.version(&subject, None).await.unwrap();
        sal::avro::has_wire_extras(&serde_json::from_str(&latest.schema).unwrap())
    };
    let (all, ..) = counts(&["--wire-extras"]).await;
    assert!(all > 3, "{url}");
    assert_eq!(counts(&["--wire-extras"]).await, (0, 0, all), "{url}");
    let refused = init(url, &subname, &[]).await.unwrap_err().to_string();
    assert!(refused.contains("--drop-wire-extras"), "{url}: {refused}");
    assert!(has_extras().await, "{url}");

    let (new, changed, unchanged) = counts(&["--drop-wire-extras"]).await;
    assert_eq!((new, changed + unchanged), (0, all), "{url}");
    assert!(!has_extras().await, "{url}");
    let refused = init(url, &subname, &["--wire-extras"])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("kafkaefd registry delete") && refused.contains("--version 2"),
        "{url}: {refused}"
    );
    counts(&["--wire-extras", "--make-latest"]).await;
    assert!(has_extras().await, "{url}");
    assert_eq!(counts(&["--wire-extras"]).await, (0, 0, all), "{url}");
}

/// The service has one broker. The flag is named, and the registry is as it was.
#[test]
fn more_copies_than_brokers_are_refused_before_anything_is_changed() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let subname = unique("copies");
    let dir = root().join("schemas");
    let init = |replication: &str| {
        let mut command = process::Command::new(system_tests::binary("saltransform"));
        command
            .args(["init", "--subsystem", "Test", "--subname", &subname])
            .args(["--replication", replication, "--xml-dir"])
            .arg(&dir)
            .env("BROKER", services.get("BROKER"))
            .env("SCHEMAREGISTRY", services.get("SCHEMAREGISTRY"));
        let ran = command.output().unwrap();
        (
            ran.status.code(),
            String::from_utf8_lossy(&ran.stderr).into_owned(),
        )
    };
    let subjects = || {
        let registry = Registry::new(&RegistryArgs::at(services.get("SCHEMAREGISTRY"))).unwrap();
        let subjects = crate::runtime().block_on(registry.subjects()).unwrap();
        let prefix = format!("lsst.{subname}.");
        subjects.iter().filter(|name| name.starts_with(&prefix)).count()
    };
    let (code, stderr) = init("7");
    assert_eq!(code, Some(64), "{stderr}");
    assert!(
        stderr.contains("nothing was changed: --replication (REPLICATION) is 7"),
        "{stderr}"
    );
    assert!(stderr.contains("has 1 broker"), "{stderr}");
    assert_eq!(subjects(), 0);
    let (code, stderr) = init("1");
    assert_eq!(code, Some(0), "{stderr}");
    assert!(subjects() > 3);
    // What exists needs no copies.
    let (code, stderr) = init("7");
    assert_eq!(code, Some(0), "{stderr}");
}
