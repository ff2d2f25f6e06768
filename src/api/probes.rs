//! Routes without a token: liveness, readiness and metrics.

use super::view;
use crate::control::ControlHandle;
use crate::metrics::Metrics;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use std::sync::Arc;
use utoipa::OpenApi;

/// Description of these routes in the document; all of them are open.
#[derive(OpenApi)]
#[openapi(paths(healthz, readyz, metrics_page, openapi))]
pub(super) struct Described;

/// State that the probes need.
#[derive(Clone)]
struct Probed {
    metrics: Metrics,
    ready: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// The probes of a process; `ready` tells whether a map is in service.
pub(super) fn routes(metrics: Metrics, ready: impl Fn() -> bool + Send + Sync + 'static) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_page))
        .with_state(Probed {
            metrics,
            ready: Arc::new(ready),
        })
}

/// The probes of a control plane: it is ready once a map was published.
pub(super) fn control_routes(control: ControlHandle, metrics: Metrics) -> Router {
    routes(metrics, move || control.snapshot().is_some())
}

/// Tells that the process lives.
#[utoipa::path(get, path = "/healthz", tag = "probes", security(()),
    responses((status = 200, content_type = "text/plain", body = String)))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Tells whether a map is in service.
#[utoipa::path(get, path = "/readyz", tag = "probes", security(()),
    responses((status = 200, content_type = "text/plain", body = String), (status = 503, body = view::Fault)))]
async fn readyz(State(probed): State<Probed>) -> Response {
    if (probed.ready)() {
        return "ready\n".into_response();
    }
    let fault = view::Fault {
        error: "no map is in service yet".to_owned(),
        hint: "it comes with the first cycle; see the log if it does not".to_owned(),
    };
    (StatusCode::SERVICE_UNAVAILABLE, Json(fault)).into_response()
}

/// Counters, gauges and histograms in Prometheus text format.
#[utoipa::path(get, path = "/metrics", tag = "probes", security(()),
    responses((status = 200, content_type = "text/plain", body = String)))]
async fn metrics_page(State(probed): State<Probed>) -> Response {
    let headers = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (headers, probed.metrics.render()).into_response()
}

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "insight",
    responses((status = 200, body = Object), (status = 401, body = view::Fault)))]
#[expect(
    dead_code,
    reason = "described here, answered by a closure that holds the finished document"
)]
const fn openapi() {}
