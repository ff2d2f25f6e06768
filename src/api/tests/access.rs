//! Rights of each role on each route.

use super::*;
use axum::body::to_bytes;
use serde_json::{Value, json};

/// Every route that needs a token, with a body that is good enough to come past decoding, and the
/// least role.
const ROUTES: [(&str, &str, &str, &str); 19] = [
    ("GET", "/v1/drains", "", "viewer"),
    ("GET", "/v1/drains/d9", "", "viewer"),
    (
        "GET",
        "/v1/explain?name=live.cdn.example&client=1.0.0.1",
        "",
        "viewer",
    ),
    ("GET", "/v1/map", "", "viewer"),
    ("GET", "/v1/map/record?after=9999.0", "", "viewer"),
    ("GET", "/v1/map/key", "", "viewer"),
    ("GET", "/v1/areas/00", "", "viewer"),
    ("GET", "/v1/inventory", "", "viewer"),
    ("GET", "/v1/instance", "", "viewer"),
    ("GET", "/v1/audit?limit=1", "", "viewer"),
    ("GET", "/v1/openapi.json", "", "viewer"),
    ("POST", "/v1/telemetry", "", "rollout"),
    (
        "POST",
        "/v1/drains",
        r#"{"target":"site:none","lease":"1m","reason":"x"}"#,
        "rollout",
    ),
    ("PATCH", "/v1/drains/d9", r#"{"lease":"1m"}"#, "rollout"),
    ("DELETE", "/v1/drains/d9", "", "rollout"),
    (
        "POST",
        "/v1/drains",
        r#"{"target":"site:none","lease":"1m","reason":"x","force":true}"#,
        "operator",
    ),
    ("POST", "/v1/map/pin", r#"{"reason":"x"}"#, "operator"),
    ("POST", "/v1/map/unpin", "", "operator"),
    ("POST", "/v1/map/rollback", r#"{"to":"9999.9"}"#, "operator"),
];

const ROLES: [&str; 4] = ["viewer", "rollout", "operator", "admin"];

#[tokio::test(flavor = "multi_thread")]
async fn each_route_wants_a_token_and_its_role() {
    let world = World::new().await;
    world.ready().await;
    let routes = router(world.control.clone(), auth(), Metrics::of_process());
    for (method, path, body, least) in ROUTES {
        for token in [None, Some("wrong"), Some("")] {
            let response = call(routes.clone(), bare(method, path, token)).await;
            assert_eq!(response.status(), 401, "{method} {path} {token:?}");
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
        }
        let least = ROLES.iter().position(|role| *role == least).unwrap();
        for (rank, role) in ROLES.iter().enumerate() {
            let (parts, _) = bare(method, path, Some(role)).into_parts();
            let response = call(routes.clone(), Request::from_parts(parts, Body::from(body))).await;
            let status = response.status().as_u16();
            assert_eq!(
                status == 403,
                rank < least,
                "{method} {path} as {role}: {status}"
            );
            assert_ne!(status, 401, "{method} {path} as {role}");
            if status >= 400 {
                let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
                let fault: Value = serde_json::from_slice(&bytes).unwrap();
                assert!(
                    fault["error"].is_string() && fault["hint"].is_string(),
                    "{method} {path}: {fault}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_open_and_readiness_follows_the_map() {
    let ready = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = Arc::clone(&ready);
    let probe = move || seen.load(std::sync::atomic::Ordering::Relaxed);
    let edge = super::super::edge_router(Metrics::of_process(), probe);
    let status = |path| {
        let edge = edge.clone();
        async move { call(edge, bare("GET", path, None)).await.status().as_u16() }
    };
    assert_eq!(
        (
            status("/healthz").await,
            status("/readyz").await,
            status("/metrics").await
        ),
        (200, 503, 200)
    );
    ready.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(
        (status("/readyz").await, status("/v1/map").await),
        (200, 404)
    );

    let world = World::new().await;
    world.ready().await;
    let open = ApiClient::new(&world.url, None).unwrap();
    for (path, text) in [
        ("/healthz", "ok"),
        ("/readyz", "ready"),
        ("/metrics", "watershed_"),
    ] {
        let page = open
            .get_bytes(path, Duration::from_secs(10))
            .await
            .unwrap()
            .unwrap();
        assert!(String::from_utf8(page).unwrap().contains(text), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_are_answered_in_the_same_form() {
    let world = World::new().await;
    let client = world.client("admin");
    let fault = client.get_json::<Value>("/v1/nothing").await.unwrap_err();
    assert_eq!(
        (fault.status(), fault.to_string().contains("openapi")),
        (Some(404), true)
    );
    let fault = client
        .post_json::<Value>("/v1/inventory", &json!({}))
        .await
        .unwrap_err();
    assert_eq!(
        (fault.status(), fault.to_string().contains("method")),
        (Some(405), true)
    );
}
