//! The control API: HTTP and JSON under `/v1/`, described by the OpenAPI document that it serves.
//!
//! ```text
//!   connection --serve--> bounds (places, time, bytes) --> auth (token -> caller)
//!                                                               '--> handler --> ControlHandle
//! ```
//! Handlers decode, ask the control plane, and encode. There is no state here besides the bounds.
//! What serving needs never passes through here: an edge that cannot reach this API goes on
//! answering.

mod auth;
mod body;
mod bounds;
mod drains;
mod events;
mod fault;
mod insight;
mod map;
mod probes;
mod serve;
mod telemetry;
#[cfg(test)]
mod tests;
mod unread;
pub mod view;

pub(crate) use auth::Auth;
pub use drains::DrainRequest;
pub use map::{Pin, Rollback};
pub(crate) use serve::serve;

use crate::control::ControlHandle;
use crate::metrics::Metrics;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::{Extension, Router};
use bounds::Bounds;
use std::sync::Arc;
use std::time::Duration;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Largest body of an ordinary request, in bytes.
const BODY_BYTES_MAX: u32 = 64 << 10;
/// Largest batch of telemetry, in bytes.
const TELEMETRY_BYTES_MAX: u32 = 16 << 20;
/// Bounds of ordinary requests.
const QUICK: Bounds = Bounds {
    places: 256,
    time: Duration::from_secs(20),
    bytes: BODY_BYTES_MAX as u64,
};
/// Bounds of answers that may have many megabytes, each made on its own.
const LARGE: Bounds = Bounds {
    places: 8,
    time: Duration::from_secs(60),
    bytes: BODY_BYTES_MAX as u64,
};
/// Bounds of telemetry: each place may hold a whole batch in memory.
const BULK: Bounds = Bounds {
    places: 16,
    time: Duration::from_secs(60),
    bytes: TELEMETRY_BYTES_MAX as u64,
};
/// Bounds of requests that wait for something to happen: one per edge, and one per rollout.
const WAITING: Bounds = Bounds {
    places: 8192,
    time: Duration::from_secs(330),
    bytes: BODY_BYTES_MAX as u64,
};

/// Head of the document: title, description and tags.
#[derive(OpenApi)]
#[openapi(
    info(title = "Watershed control API", description = "Drains, maps, telemetry and explanations of a GSLB for CDNs."),
    security(("token" = []))
)]
struct Described;

/// The control API as a router, with its bounds and permissions.
pub(crate) fn router(handle: ControlHandle, auth: Auth, metrics: Metrics) -> Router {
    let (routes, document) = described_routes();
    let document = Arc::new(document);
    let openapi = move || {
        let document = Arc::clone(&document);
        async move { axum::Json((*document).clone()) }
    };
    let public = probes::control_routes(handle.clone(), metrics);
    routes
        .route("/v1/openapi.json", axum::routing::get(openapi))
        .fallback(fault::no_such_route)
        .method_not_allowed_fallback(fault::no_such_method)
        .layer(from_fn_with_state(Arc::new(auth), auth::authenticate))
        .with_state(handle)
        .merge(public)
        .layer(from_fn(fault::uniform))
        .layer(from_fn(unread::close_behind))
}

/// Routes of an edge: liveness, readiness and metrics.
///
/// `ready` tells whether a map is in service.
pub(crate) fn edge_router(
    metrics: Metrics,
    ready: impl Fn() -> bool + Clone + Send + Sync + 'static,
) -> Router {
    probes::routes(metrics, ready)
        .fallback(fault::no_such_route)
        .layer(from_fn(fault::uniform))
}

/// All routes that need a token, and their description.
fn described_routes() -> (Router<ControlHandle>, Document) {
    let quick = OpenApiRouter::new()
        .routes(routes!(drains::list, drains::request))
        .routes(routes!(drains::renew, drains::cancel))
        .routes(routes!(map::show))
        .routes(routes!(map::key))
        .routes(routes!(map::pin))
        .routes(routes!(map::unpin))
        .routes(routes!(map::rollback))
        .routes(routes!(insight::explain))
        .routes(routes!(insight::inventory))
        .routes(routes!(insight::audit))
        .routes(routes!(insight::bills))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX as usize))
        .layer(from_fn_with_state(QUICK.gate(), bounds::bound));
    let large = OpenApiRouter::new()
        .routes(routes!(map::areas))
        .routes(routes!(insight::instance))
        .layer(from_fn_with_state(LARGE.gate(), bounds::bound));
    let bulk = OpenApiRouter::new()
        .routes(routes!(telemetry::push))
        .layer(DefaultBodyLimit::max(TELEMETRY_BYTES_MAX as usize))
        .layer(from_fn_with_state(BULK.gate(), bounds::bound));
    let waiting = OpenApiRouter::new()
        .routes(routes!(drains::get))
        .routes(routes!(map::record))
        .routes(routes!(events::stream))
        .layer(Extension(Arc::new(map::Newest::default())))
        .layer(from_fn_with_state(WAITING.gate(), bounds::bound));
    let all = OpenApiRouter::with_openapi(Described::openapi());
    let (routes, mut document) = all
        .merge(quick)
        .merge(large)
        .merge(bulk)
        .merge(waiting)
        .split_for_parts();
    describe_open(&mut document);
    (routes, document)
}

/// Adds what the routes without a token look like, the document itself, and how a token is sent.
fn describe_open(document: &mut Document) {
    document.merge(probes::Described::openapi());
    let token = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    document
        .components
        .get_or_insert_default()
        .add_security_scheme("token", token);
}
