//! The OpenAPI document describes all there is.

use super::*;
use serde_json::Value;
use std::collections::BTreeSet;

/// Every route there is.
const ROUTES: [&str; 23] = [
    "delete /v1/drains/{id}",
    "get /healthz",
    "get /metrics",
    "get /readyz",
    "get /v1/areas/{digest}",
    "get /v1/audit",
    "get /v1/bills",
    "get /v1/drains",
    "get /v1/drains/{id}",
    "get /v1/events",
    "get /v1/explain",
    "get /v1/instance",
    "get /v1/inventory",
    "get /v1/map",
    "get /v1/map/key",
    "get /v1/map/record",
    "get /v1/openapi.json",
    "patch /v1/drains/{id}",
    "post /v1/drains",
    "post /v1/map/pin",
    "post /v1/map/rollback",
    "post /v1/map/unpin",
    "post /v1/telemetry",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_document_lists_every_route() {
    let world = World::new().await;
    let document: Value = world
        .client("viewer")
        .get_json("/v1/openapi.json")
        .await
        .unwrap();
    let mut listed = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(
                operation["summary"].is_string() || operation["description"].is_string(),
                "{method} {path}"
            );
            assert!(
                operation["responses"]["200"].is_object()
                    || operation["responses"]["201"].is_object(),
                "{path}"
            );
            listed.insert(format!("{method} {path}"));
        }
    }
    let wanted: BTreeSet<String> = ROUTES.iter().map(|route| (*route).to_owned()).collect();
    assert_eq!(listed, wanted);
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            answers(&world, method, path).await;
        }
    }
    let query = |path: &str| {
        let parameters = document["paths"][path]["get"]["parameters"]
            .as_array()
            .unwrap();
        parameters
            .iter()
            .filter_map(|one| one["name"].as_str())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(query("/v1/explain"), BTreeSet::from(["client", "name"]));
    assert_eq!(
        query("/v1/map/record"),
        BTreeSet::from(["after", "edge", "wait"])
    );
    assert_eq!(
        query("/v1/drains/{id}"),
        BTreeSet::from(["id", "timeout", "wait"])
    );
    assert_eq!(
        document["components"]["securitySchemes"]["token"]["scheme"],
        "bearer"
    );
}

/// Asks for a described route and one with a method that is not: the router knows the first and not
/// the other.
async fn answers(world: &World, method: &str, path: &str) {
    let routes = router(world.control.clone(), auth(), Metrics::of_process());
    let concrete = path.replace("{id}", "d9").replace("{digest}", "00");
    let request = bare(&method.to_uppercase(), &concrete, Some("admin"));
    let response = call(routes.clone(), request).await;
    assert_ne!(response.status(), 405, "{method} {path}");
    if response.status() == 404 {
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 16)
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("no such path"), "{method} {path}: {text}");
    }
    let other = call(routes, bare("PUT", &concrete, Some("admin"))).await;
    assert_eq!(other.status(), 405, "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reference_of_the_document_resolves() {
    let world = World::new().await;
    let document: Value = world
        .client("viewer")
        .get_json("/v1/openapi.json")
        .await
        .unwrap();
    let text = document.to_string();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let references = text
        .split("\"#/components/schemas/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    for name in references {
        assert!(schemas.contains_key(name), "{name} is not described");
    }
    assert!(schemas.len() > 15);
}
