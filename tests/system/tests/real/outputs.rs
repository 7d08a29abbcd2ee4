//! One sink into two databases of different versions, neither of which has a place for it yet.

use serde_json::json;

use super::influx::{Influx1, Influx2};
use super::kafka::{create_topics, produce};
use super::{Services, registry, stages, unique, until};
use crate::{runtime, token_file};

const RECORDS: u64 = 50;

#[test]
fn two_outputs_create_their_databases_and_hold_the_same_points() {
    let needed = ["BROKER", "SCHEMAREGISTRY", "INFLUXDB", "INFLUXDB1"];
    let Some(services) = Services::with(&needed) else {
        return;
    };
    let runtime = runtime();
    let _inside = runtime.enter();
    let name = unique("outputs");
    let measurement = format!("lsst.{name}.Test");
    let folder = tempfile::tempdir().unwrap();
    let token = token_file(&services, &folder).display().to_string();
    let schema = json!({
        "type": "record", "namespace": format!("lsst.{name}"), "name": "Test",
        "fields": [{"name": "private_efdStamp", "type": "double"}],
    });
    let id = runtime.block_on(async {
        create_topics(&services, std::slice::from_ref(&measurement), 2).await;
        registry::register(&services, &format!("{measurement}-value"), &schema).await;
        registry::id(&services, &format!("{measurement}-value")).await
    });
    let frame = |at: u64| {
        let stamp = 1_796_000_000.5 + at as f64;
        (
            measurement.clone(),
            [&[0][..], &id.to_be_bytes(), &stamp.to_le_bytes()].concat(),
        )
    };
    produce(&services, &(0..RECORDS).map(frame).collect::<Vec<_>>());

    // The second has no token, and its API is that of version 1.
    let tokens = format!("{token},");
    let places = [
        "--into",
        services.get("INFLUXDB"),
        "--into",
        services.get("INFLUXDB1"),
        "--api",
        "v2,v1",
    ];
    let names = [
        "--org",
        services.get("INFLUXDB_ORG"),
        "--bucket",
        &name,
        "--database",
        &name,
    ];
    let others = [
        "--token-file",
        &tokens,
        "--create-database",
        "--group",
        &name,
        &measurement,
    ];
    let sink = stages::influxsink_with(&services, &[&places[..], &names, &others].concat());
    sink.wait_until_written(2 * RECORDS);
    sink.stop();
    let (in_2, in_1) = runtime.block_on(async {
        let (influx2, influx1) = (Influx2::of(&services, &name), Influx1::of(&services, &name));
        (
            influx2.points(&measurement).await,
            influx1.points(&measurement).await,
        )
    });
    assert_eq!(in_2.len() as u64, RECORDS);
    assert_eq!(in_2, in_1);
}

/// An organisation that does not exist cannot get a bucket: `/ready` says so, and nothing is lost.
#[test]
fn a_database_that_cannot_be_created_is_waited_for_with_the_reason() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY", "INFLUXDB"]) else {
        return;
    };
    let runtime = runtime();
    let _inside = runtime.enter();
    let name = unique("nobody");
    let folder = tempfile::tempdir().unwrap();
    let token = token_file(&services, &folder).display().to_string();
    runtime.block_on(create_topics(&services, std::slice::from_ref(&name), 1));
    let place = [
        "--into",
        services.get("INFLUXDB"),
        "--org",
        &name,
        "--bucket",
        &name,
    ];
    let others = [
        "--token-file",
        &token,
        "--create-database",
        "--group",
        &name,
        &name,
    ];
    let sink = stages::influxsink_with(&services, &[&place[..], &others].concat());
    until("the reason shows", 60, || {
        let state = sink.state();
        let is_told = state.contains("there is no organisation") && state.contains("check --org");
        is_told.then_some(()).ok_or(state)
    });
    sink.stop();
}
