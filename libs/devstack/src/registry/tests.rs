//! The registry over HTTP, through a client library and, for responses that the library hides, through plain
//! requests.

use reqwest::Method;
use schema_registry_converter::async_impl::schema_registry as client;
use schema_registry_converter::async_impl::schema_registry::SrSettings;
use schema_registry_converter::schema_registry_common::{SchemaType, SubjectNameStrategy, SuppliedSchema};
use serde_json::{Value, json};

use super::*;

const R1: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}"#;
const R1_OTHER_ORDER: &str = r#"{ "name": "R", "fields": [{"type":"int", "name":"a"}], "type": "record" }"#;
const R2: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int","default":0}]}"#;
const NO_DEFAULT: &str =
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"c","type":"int"}]}"#;

/// Sends a request and returns (status, body); `null` for a body that is not JSON.
async fn ask(server: &RegistryServer, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let mut request = reqwest::Client::new().request(method, server.url() + path);
    if let Some(body) = body {
        request = request
            .header("Content-Type", "application/vnd.schemaregistry.v1+json")
            .body(body.to_string());
    }
    let answer = request.send().await.unwrap();
    assert_eq!(
        answer.headers()["Content-Type"],
        "application/vnd.schemaregistry.v1+json",
        "{path}"
    );
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

async fn get(server: &RegistryServer, path: &str) -> (u16, Value) {
    ask(server, Method::GET, path, None).await
}

async fn delete(server: &RegistryServer, path: &str) -> (u16, Value) {
    ask(server, Method::DELETE, path, None).await
}

async fn post(server: &RegistryServer, path: &str, schema: &str) -> (u16, Value) {
    ask(server, Method::POST, path, Some(json!({"schema": schema}))).await
}

/// The status and Confluent's error code.
async fn refused(answer: impl Future<Output = (u16, Value)>) -> (u16, u64) {
    let (status, body) = answer.await;
    assert!(body["message"].is_string(), "{body}");
    (status, body["error_code"].as_u64().unwrap())
}

#[tokio::test]
async fn the_usual_client_registers_and_reads() {
    let server = RegistryServer::start().await.unwrap();
    let settings = SrSettings::new(server.url());
    let supplied = |schema: &str| SuppliedSchema::new(Some("R".into()), SchemaType::Avro, schema.into());
    let first = client::post_schema(&settings, "lsst.sal.R-value".into(), supplied(R1))
        .await
        .unwrap();
    let again = client::post_schema(&settings, "lsst.sal.R-value".into(), supplied(R1_OTHER_ORDER))
        .await
        .unwrap();
    assert_eq!((first.id, again.id), (1, 1));
    let second = client::post_schema(&settings, "lsst.sal.R-value".into(), supplied(R2))
        .await
        .unwrap();
    assert_eq!(second.id, 2);
    let read = client::get_schema_by_id(1, &settings).await.unwrap();
    assert_eq!((read.schema.as_str(), read.schema_type), (R1, SchemaType::Avro));
    let strategy = SubjectNameStrategy::TopicNameStrategy("lsst.sal.R".into(), false);
    assert_eq!(
        client::get_schema_by_subject(&settings, &strategy)
            .await
            .unwrap()
            .schema,
        R2
    );
    assert_eq!(
        client::get_all_subjects(&settings).await.unwrap(),
        ["lsst.sal.R-value"]
    );
    let versions = client::get_all_versions(&settings, "lsst.sal.R-value".into())
        .await
        .unwrap();
    assert_eq!(versions, [1, 2]);
    let compatible =
        |schema| client::is_compatible_schema(&settings, "lsst.sal.R-value".into(), supplied(schema));
    assert!(compatible(R1).await.unwrap());
    assert!(!compatible(NO_DEFAULT).await.unwrap());
    let error = client::get_schema_by_id(9, &settings).await.unwrap_err();
    assert!(!error.retriable, "{error}");
}

#[tokio::test]
async fn one_schema_has_one_id_across_subjects() {
    let server = RegistryServer::start().await.unwrap();
    assert_eq!(get(&server, "/subjects").await, (200, json!([])));
    assert_eq!(
        post(&server, "/subjects/s/versions", R1).await,
        (200, json!({"id": 1}))
    );
    assert_eq!(
        post(&server, "/subjects/a%2Fb/versions", R1_OTHER_ORDER).await,
        (200, json!({"id": 1}))
    );
    assert_eq!(get(&server, "/subjects").await, (200, json!(["a/b", "s"])));
    assert_eq!(
        get(&server, "/subjects?subjectPrefix=a").await,
        (200, json!(["a/b"]))
    );
    assert_eq!(get(&server, "/schemas/ids/1").await, (200, json!({"schema": R1})));
    assert_eq!(
        get(&server, "/schemas/ids/1/schema").await.1,
        serde_json::from_str::<Value>(R1).unwrap()
    );
    assert_eq!(
        get(&server, "/schemas/ids/1/subjects").await.1,
        json!(["a/b", "s"])
    );
    let users = json!([{"subject": "a/b", "version": 1}, {"subject": "s", "version": 1}]);
    assert_eq!(get(&server, "/schemas/ids/1/versions").await.1, users);
    let shown = json!({"subject": "s", "version": 1, "id": 1, "schema": R1});
    assert_eq!(
        get(&server, "/subjects/s/versions/latest").await,
        (200, shown.clone())
    );
    assert_eq!(post(&server, "/subjects/s", R1_OTHER_ORDER).await, (200, shown));
    assert_eq!(get(&server, "/schemas/types").await.1, json!(["AVRO"]));
}

#[tokio::test]
async fn refuses_with_confluents_codes() {
    let server = RegistryServer::start().await.unwrap();
    post(&server, "/subjects/s/versions", R1).await;
    for (path, code) in [
        ("/subjects/none/versions", 40401),
        ("/subjects/none/versions/latest", 40401),
        ("/subjects/s/versions/9", 40402),
        ("/subjects/s/versions/9/schema", 40402),
        ("/schemas/ids/9", 40403),
        ("/schemas/ids/9/subjects", 40403),
        ("/config/s", 40408),
        ("/subjects/s/versions/0", 42202),
        ("/subjects/s/versions/x", 42202),
        ("/nothere", 404),
    ] {
        let status = if code > 1000 { code / 100 } else { code };
        assert_eq!(
            refused(get(&server, path)).await,
            (u16::try_from(status).unwrap(), code),
            "{path}"
        );
    }
    assert_eq!(refused(post(&server, "/subjects/none", R1)).await, (404, 40401));
    assert_eq!(refused(post(&server, "/subjects/s", R2)).await, (404, 40403));
    assert_eq!(
        refused(post(&server, "/subjects/s/versions", NO_DEFAULT)).await,
        (409, 409)
    );
    for schema in ["", "{bad", r#"{"type":"nonsense"}"#] {
        assert_eq!(
            refused(post(&server, "/subjects/s/versions", schema)).await,
            (422, 42201),
            "{schema}"
        );
    }
    let protobuf = json!({"schema": "syntax=\"proto3\";", "schemaType": "PROTOBUF"});
    let answer = ask(&server, Method::POST, "/subjects/s/versions", Some(protobuf));
    assert_eq!(refused(answer).await, (422, 42201));
    let level = Some(json!({"compatibility": "SOME"}));
    assert_eq!(
        refused(ask(&server, Method::PUT, "/config", level)).await,
        (422, 42203)
    );
    assert_eq!(
        refused(ask(&server, Method::PUT, "/subjects", None)).await,
        (405, 405)
    );
    let list = Some(json!([1]));
    assert_eq!(
        refused(ask(&server, Method::POST, "/subjects/s", list)).await,
        (400, 400)
    );
    let long = format!("\"{}\"", "x".repeat(api::BODY_LIMIT));
    assert_eq!(
        refused(post(&server, "/subjects/s/versions", &long)).await,
        (413, 413)
    );
    let text = reqwest::Client::new()
        .post(server.url() + "/subjects/s")
        .header("Content-Type", "text/plain");
    assert_eq!(text.body("{}").send().await.unwrap().status(), 415);
}

#[tokio::test]
async fn a_subject_is_deleted_softly_first() {
    let server = RegistryServer::start().await.unwrap();
    post(&server, "/subjects/t/versions", R1).await;
    assert_eq!(
        refused(delete(&server, "/subjects/t?permanent=true")).await,
        (404, 40405)
    );
    assert_eq!(delete(&server, "/subjects/t").await, (200, json!([1])));
    assert_eq!(refused(delete(&server, "/subjects/t")).await, (404, 40404));
    assert_eq!(get(&server, "/subjects").await.1, json!([]));
    assert_eq!(get(&server, "/subjects?deleted=true").await.1, json!(["t"]));
    assert_eq!(refused(get(&server, "/subjects/t/versions")).await, (404, 40401));
    assert_eq!(
        get(&server, "/subjects/t/versions?deleted=true").await.1,
        json!([1])
    );
    assert_eq!(post(&server, "/subjects/t?deleted=true", R1).await.0, 200);
    assert_eq!(
        get(&server, "/schemas/ids/1").await.0,
        200,
        "data with this id may still exist"
    );
    assert_eq!(
        post(&server, "/subjects/t/versions", R1).await.1,
        json!({"id": 1})
    );
    assert_eq!(
        get(&server, "/subjects/t/versions").await.1,
        json!([2]),
        "numbers are not reused"
    );
    delete(&server, "/subjects/t").await;
    assert_eq!(
        delete(&server, "/subjects/t?permanent=true").await,
        (200, json!([1, 2]))
    );
    assert_eq!(refused(delete(&server, "/subjects/t")).await, (404, 40401));
}

#[tokio::test]
async fn a_version_is_deleted_softly_first() {
    let server = RegistryServer::start().await.unwrap();
    post(&server, "/subjects/t/versions", R1).await;
    post(&server, "/subjects/t/versions", R2).await;
    assert_eq!(
        refused(delete(&server, "/subjects/t/versions/9")).await,
        (404, 40402)
    );
    assert_eq!(
        refused(delete(&server, "/subjects/t/versions/1?permanent=true")).await,
        (404, 40407)
    );
    assert_eq!(delete(&server, "/subjects/t/versions/1").await, (200, json!(1)));
    assert_eq!(
        refused(delete(&server, "/subjects/t/versions/1")).await,
        (404, 40406)
    );
    assert_eq!(
        delete(&server, "/subjects/t/versions/1?permanent=true").await,
        (200, json!(1))
    );
    assert_eq!(
        delete(&server, "/subjects/t/versions/latest").await,
        (200, json!(2))
    );
    assert_eq!(refused(get(&server, "/subjects/t/versions")).await, (404, 40401));
}

#[tokio::test]
async fn a_subjects_level_overrides_the_global_one() {
    let server = RegistryServer::start().await.unwrap();
    let put = |path, level| ask(&server, Method::PUT, path, Some(json!({"compatibility": level})));
    assert_eq!(
        get(&server, "/config").await.1,
        json!({"compatibilityLevel": "BACKWARD"})
    );
    post(&server, "/subjects/s/versions", R1).await;
    assert_eq!(
        put("/config/s", "none").await,
        (200, json!({"compatibility": "NONE"}))
    );
    assert_eq!(
        get(&server, "/config/s").await.1,
        json!({"compatibilityLevel": "NONE"})
    );
    assert_eq!(post(&server, "/subjects/s/versions", NO_DEFAULT).await.0, 200);
    assert_eq!(
        delete(&server, "/config/s").await.1,
        json!({"compatibilityLevel": "NONE"})
    );
    assert_eq!(refused(delete(&server, "/config/s")).await, (404, 40401));
    put("/config", "FULL_TRANSITIVE").await;
    let global = get(&server, "/config/s?defaultToGlobal=true").await.1;
    assert_eq!(global, json!({"compatibilityLevel": "FULL_TRANSITIVE"}));
    // R2 is compatible with version 1 in both directions; version 2 has a `c` that R2 cannot provide.
    let check = async |path: &str| post(&server, path, R2).await.1;
    let yes = json!({"is_compatible": true});
    assert_eq!(check("/compatibility/subjects/s/versions/1").await, yes);
    assert_eq!(check("/compatibility/subjects/none/versions/latest").await, yes);
    let no = check("/compatibility/subjects/s/versions/latest?verbose=true").await;
    assert_eq!(no["is_compatible"], json!(false));
    assert!(
        no["messages"][0]
            .as_str()
            .unwrap()
            .starts_with("version 2: FORWARD compatibility:"),
        "{no}"
    );
    assert_eq!(
        check("/compatibility/subjects/s/versions").await["is_compatible"],
        json!(false)
    );
    assert_eq!(
        refused(post(&server, "/subjects/s/versions", R2)).await,
        (409, 409)
    );
    assert_eq!(
        refused(post(&server, "/compatibility/subjects/s/versions/9", R2)).await,
        (404, 40402)
    );
    assert_eq!(
        refused(post(&server, "/compatibility/subjects/none/versions/1", R2)).await,
        (404, 40402)
    );
    assert_eq!(
        delete(&server, "/config").await.1,
        json!({"compatibilityLevel": "FULL_TRANSITIVE"})
    );
    assert_eq!(
        get(&server, "/config").await.1,
        json!({"compatibilityLevel": "BACKWARD"})
    );
}

#[tokio::test]
async fn fails_on_request_and_counts() {
    let mut server = RegistryServer::start().await.unwrap();
    server.fail_next(2, 503);
    assert_eq!(refused(get(&server, "/subjects")).await, (503, 503));
    assert_eq!(refused(get(&server, "/config")).await, (503, 503));
    assert_eq!(get(&server, "/subjects?deleted=true").await.0, 200);
    assert_eq!((server.requests(), server.requests_of("/subjects")), (3, 2));
    server.down().await;
    let gone = reqwest::get(server.url() + "/subjects").await.unwrap_err();
    assert!(gone.is_connect());
    server.up().await.unwrap();
    assert_eq!(get(&server, "/subjects").await.0, 200);
    let url = server.url();
    server.stop().await;
    assert!(reqwest::get(url + "/subjects").await.unwrap_err().is_connect());
}

#[tokio::test]
async fn requests_rejected_by_axum_get_a_registry_error() {
    // Found by the fuzzer registry_api.
    let server = RegistryServer::start().await.unwrap();
    for path in ["/subjects/%ff/versions", "/config/%80", "/subjects?deleted=maybe"] {
        assert_eq!(refused(get(&server, path)).await, (400, 400), "{path}");
    }
}

#[tokio::test]
async fn a_request_is_answered_whatever_other_connections_are_open() {
    use tokio::io::AsyncWriteExt;
    let server = RegistryServer::start().await.unwrap();
    let address = server.url().replace("http://", "");
    let starts: [&[u8]; 3] = [
        b"",
        b"POST /subjects/a HTTP/1.1\r\nx: ",
        b"POST /subjects/a HTTP/1.1\r\ncontent-length: 9\r\n\r\n{",
    ];
    let mut held = std::collections::VecDeque::new();
    for start in starts.iter().cycle().take(1_000) {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let _ = stream.write_all(start).await;
        held.push_back(stream);
        if held.len() > 400 {
            held.pop_front();
        }
    }
    let answer = tokio::time::timeout(std::time::Duration::from_secs(1), get(&server, "/subjects"));
    assert_eq!(answer.await.unwrap(), (200, json!([])));
    let long = "x".repeat(super::api::BODY_LIMIT + 1);
    assert_eq!(
        refused(post(&server, "/subjects/a/versions", &long)).await,
        (413, 413)
    );
}
