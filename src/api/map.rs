//! The coverage map over HTTP: what is in force, the sealed record for edges, and the operator's
//! brake.

use super::auth::Caller;
use super::body::{JsonBody, patience};
use super::fault::Fault;
use super::view;
use crate::config::Role;
use crate::control::ControlHandle;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use coverage::{Digest, MapVersion};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use utoipa::ToSchema;

/// Longest time that an edge's question may stay open.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// Longest name of an edge, in bytes.
const EDGE_BYTES_MAX: usize = 128;
/// Longest reason of a pin, in bytes.
const REASON_BYTES_MAX: usize = 1024;
/// Type of binary answers.
const OCTETS: [(header::HeaderName, &str); 1] =
    [(header::CONTENT_TYPE, "application/octet-stream")];

/// An edge's question for a newer map.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    /// Version that the edge serves, `EPOCH.VERSION`; 0.0 at first.
    after: Option<String>,
    /// Longest wait for a newer one, at most 60s.
    wait: Option<String>,
    /// Name of the edge: its versions confirm that a drain has reached every edge.
    edge: Option<String>,
}

/// A pin, with the reason for which the map is to stay.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// For people and the audit log.
    #[schema(example = "investigating an incident")]
    pub reason: String,
}

/// A way back to an earlier map.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// `EPOCH.VERSION` of a kept map; the one before the map in force when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "3.1207")]
    pub to: Option<String>,
}

/// The map in force and what the newest tick thought of it.
#[utoipa::path(get, path = "/v1/map", tag = "map",
    responses((status = 200, body = view::Map), (status = 401, body = view::Fault)))]
pub(super) async fn show(State(control): State<ControlHandle>) -> Json<serde_json::Value> {
    let snapshot = control.snapshot();
    let cycle = control.cycle().borrow().clone();
    let text = |show: fn(&coverage::Snapshot) -> String| snapshot.as_deref().map(show);
    Json(serde_json::json!({
        "version": text(|snapshot| snapshot.version.to_string()),
        "digest": text(|snapshot| snapshot.digest.to_string()),
        "created_at": snapshot.as_ref().map(|snapshot| snapshot.created_at),
        "area_table": Digest(control.table().digest()).to_string(),
        "cycle": *cycle,
    }))
}

/// The sealed record of the newest map, when it is newer than `after`.
#[utoipa::path(get, path = "/v1/map/record", tag = "map",
    params(("after" = Option<String>, Query, description = "version that is served, EPOCH.VERSION", example = "3.1207"),
        ("wait" = Option<String>, Query, description = "how long to wait for a newer one, at most 60s", example = "20s"),
        ("edge" = Option<String>, Query, description = "name of the edge that asks")),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>),
        (status = 204, description = "nothing newer"), (status = 400, body = view::Fault),
        (status = 401, body = view::Fault)))]
pub(super) async fn record(
    State(control): State<ControlHandle>,
    Extension(newest): Extension<Arc<Newest>>,
    Query(asked): Query<After>,
) -> Result<Response, Fault> {
    let after: MapVersion = asked
        .after
        .as_deref()
        .map(version)
        .transpose()?
        .unwrap_or_default();
    let wait = patience("wait", asked.wait.as_deref(), WAIT_MAX)?;
    if let Some(edge) = asked.edge.filter(|edge| !edge.is_empty()) {
        let fits = edge.len() <= EDGE_BYTES_MAX && !edge.contains(char::is_control);
        if !fits {
            return Err(Fault::invalid(
                "edge: too long, or with control characters",
                "send at most 128 bytes",
            ));
        }
        control.edge_seen(&edge, after);
    }
    // When time runs out, or the control plane ends, there is nothing newer.
    let found = tokio::time::timeout(wait, newest.after(&control, after))
        .await
        .ok()
        .flatten();
    Ok(found.map_or_else(
        || StatusCode::NO_CONTENT.into_response(),
        |record| (OCTETS, Body::from(Bytes::from_owner(Shared(record)))).into_response(),
    ))
}

/// The record that was shown last and the version inside it, found out once for all edges that
/// wait.
#[derive(Debug, Default)]
pub(super) struct Newest(Mutex<Option<(Arc<Vec<u8>>, MapVersion)>>);

impl Newest {
    /// Waits for a record newer than `after`; `None` when the control plane has ended.
    async fn after(&self, control: &ControlHandle, after: MapVersion) -> Option<Arc<Vec<u8>>> {
        let mut records = control.record();
        loop {
            let record = records.borrow_and_update().clone();
            if let Some(record) = record
                && self.version(control, &record).await > Some(after)
            {
                return Some(record);
            }
            records.changed().await.ok()?;
        }
    }

    /// The version inside a record. The snapshot does not tell: it is swapped in a moment before
    /// its record is shown.
    async fn version(&self, control: &ControlHandle, record: &Arc<Vec<u8>>) -> Option<MapVersion> {
        let mut known = self.0.lock().await;
        if let Some((last, version)) = &*known
            && Arc::ptr_eq(last, record)
        {
            return Some(*version);
        }
        let (key, sealed) = (control.map_key(), Arc::clone(record));
        let open = move || {
            coverage::record::open(&sealed, &[key])
                .map(|opened| opened.header.version)
                .ok()
        };
        // Hashing megabytes is work for a thread of its own.
        let version = tokio::task::spawn_blocking(open).await.ok().flatten()?;
        *known = Some((Arc::clone(record), version));
        Some(version)
    }
}

/// A record as the body of many answers at once, without a copy for each.
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The public key that map records are signed with, in hex.
#[utoipa::path(get, path = "/v1/map/key", tag = "map",
    responses((status = 200, body = view::MapKey), (status = 401, body = view::Fault)))]
pub(super) async fn key(State(control): State<ControlHandle>) -> Json<view::MapKey> {
    Json(view::MapKey {
        key: Digest(control.map_key().to_bytes()).to_string(),
    })
}

/// The area table that maps are made for.
#[utoipa::path(get, path = "/v1/areas/{digest}", tag = "map", params(("digest" = String, Path, description = "SHA-256, hex")),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>),
        (status = 401, body = view::Fault), (status = 404, body = view::Fault)))]
pub(super) async fn areas(
    State(control): State<ControlHandle>,
    Path(digest): Path<String>,
) -> Result<Response, Fault> {
    let table = Arc::clone(control.table());
    let own = Digest(table.digest()).to_string();
    if digest != own {
        let hint = "ask for the table that GET /v1/map names";
        return Err(Fault::not_found(
            "this control plane does not use that area table",
            hint,
        ));
    }
    // A large table takes a moment to encode; the runtime goes on meanwhile.
    let bytes = tokio::task::spawn_blocking(move || table.encode())
        .await
        .map_err(|fault| {
            Fault::busy(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("the area table was not encoded: {fault}"),
            )
        })?;
    Ok((OCTETS, bytes).into_response())
}

/// Holds the map: nothing is published until it is unpinned.
#[utoipa::path(post, path = "/v1/map/pin", tag = "map", request_body = Pin,
    responses((status = 200, body = view::Done), (status = 400, body = view::Fault), (status = 401, body = view::Fault),
        (status = 403, body = view::Fault, description = "needs the role operator")))]
pub(super) async fn pin(
    State(control): State<ControlHandle>,
    caller: Caller,
    JsonBody(pin): JsonBody<Pin>,
) -> Result<Json<view::Done>, Fault> {
    caller.must_be(Role::Operator, "pinning the map")?;
    if !(1..=REASON_BYTES_MAX).contains(&pin.reason.trim().len()) {
        return Err(Fault::invalid(
            "reason must have 1 to 1024 bytes",
            "say why, for whoever comes next",
        ));
    }
    control.pin(&caller.name, &pin.reason).await?;
    Ok(Json(view::Done {
        done: format!("the map is pinned: {}", pin.reason),
    }))
}

/// Lets the map move again.
#[utoipa::path(post, path = "/v1/map/unpin", tag = "map",
    responses((status = 200, body = view::Done), (status = 401, body = view::Fault),
        (status = 403, body = view::Fault, description = "needs the role operator")))]
pub(super) async fn unpin(
    State(control): State<ControlHandle>,
    caller: Caller,
) -> Result<Json<view::Done>, Fault> {
    caller.must_be(Role::Operator, "unpinning the map")?;
    control.unpin(&caller.name).await?;
    Ok(Json(view::Done {
        done: "the map may move again".to_owned(),
    }))
}

/// Publishes an earlier map again, under a new version, and pins it.
#[utoipa::path(post, path = "/v1/map/rollback", tag = "map", request_body = Rollback,
    responses((status = 200, body = view::Done), (status = 400, body = view::Fault), (status = 401, body = view::Fault),
        (status = 403, body = view::Fault, description = "needs the role operator"),
        (status = 404, body = view::Fault, description = "that map is not kept")))]
pub(super) async fn rollback(
    State(control): State<ControlHandle>,
    caller: Caller,
    JsonBody(rollback): JsonBody<Rollback>,
) -> Result<Json<view::Done>, Fault> {
    caller.must_be(Role::Operator, "a rollback")?;
    let to = rollback.to.as_deref().map(version).transpose()?;
    control.rollback(&caller.name, to).await?;
    let in_force = control
        .snapshot()
        .map(|snapshot| snapshot.version.to_string())
        .unwrap_or_default();
    let from = to.map_or_else(|| "the map before".to_owned(), |to| format!("map {to}"));
    Ok(Json(view::Done {
        done: format!("{from} is in force again, as {in_force}, and pinned"),
    }))
}

/// Reads a map version.
fn version(text: &str) -> Result<MapVersion, Fault> {
    text.parse()
        .map_err(|fault: coverage::BadVersion| Fault::invalid(fault.to_string(), "see GET /v1/map"))
}
