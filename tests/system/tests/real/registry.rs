//! The schema registry, accessed over plain HTTP.

use serde_json::{Value, json};

use super::Services;

/// The latest schema of a subject.
pub(crate) async fn latest(services: &Services, subject: &str) -> Value {
    let url = format!(
        "{}/subjects/{subject}/versions/latest",
        services.get("SCHEMAREGISTRY")
    );
    let answer = reqwest::get(url).await.unwrap().error_for_status().unwrap();
    let version: Value = answer.json().await.unwrap();
    serde_json::from_str(version["schema"].as_str().unwrap()).unwrap()
}

/// Registers a version of a subject.
pub(crate) async fn register(services: &Services, subject: &str, schema: &Value) {
    register_with(services, subject, schema, json!([])).await;
}

/// The same of one that refers to others.
pub(crate) async fn register_with(services: &Services, subject: &str, schema: &Value, references: Value) {
    let url = format!("{}/subjects/{subject}/versions", services.get("SCHEMAREGISTRY"));
    let mut body = json!({ "schema": schema.to_string() });
    if references
        .as_array()
        .is_some_and(|references| !references.is_empty())
    {
        body["references"] = references;
    }
    reqwest::Client::new()
        .post(url)
        .json(&body)
        .send()
        .await
        .unwrap()
        .error_for_status()
        .unwrap();
}

/// The id of a subject's latest schema.
pub(crate) async fn id(services: &Services, subject: &str) -> u32 {
    let url = format!(
        "{}/subjects/{subject}/versions/latest",
        services.get("SCHEMAREGISTRY")
    );
    let answer = reqwest::get(url).await.unwrap().error_for_status().unwrap();
    let version: Value = answer.json().await.unwrap();
    version["id"].as_u64().unwrap().try_into().unwrap()
}
