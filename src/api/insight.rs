//! Reads that explain: why an answer, what exists, what would be solved, who did what.

use super::fault::Fault;
use super::view;
use crate::control::{ControlHandle, Wanted};
use crate::store::AuditEntry;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use engine::billing::Bills;
use engine::explain::Explanation;
use serde::Deserialize;
use std::net::IpAddr;

/// Longest domain name, RFC 1035 section 2.3.4, with its final dot in text.
const NAME_BYTES_MAX: usize = 255;
/// Entries of the audit log when the caller names no number.
const AUDIT_ENTRIES: u32 = 100;
/// Most entries of the audit log in one answer.
const AUDIT_ENTRIES_MAX: u32 = 10_000;

/// Client and name whose answer is to be explained.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// Domain name, or host of a redirect.
    name: String,
    /// Address of the client, or network address of its prefix.
    client: String,
}

/// Choice of an instance.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// As if no map were in force, so that nothing costs a move.
    #[serde(default)]
    fresh: bool,
    /// True for what was solved last, in place of what would be solved now.
    #[serde(default)]
    last: bool,
}

/// Part of the audit log.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tail {
    /// Number of newest entries, at most 10000.
    limit: Option<u32>,
}

/// Tells why a client gets its answer: area, candidates, prices, drains, map version.
#[utoipa::path(get, path = "/v1/explain", tag = "insight",
    params(("name" = String, Query, description = "domain name, or host of a redirect"),
        ("client" = String, Query, description = "IP address of the client")),
    responses((status = 200, body = view::Explanation), (status = 400, body = view::Fault),
        (status = 401, body = view::Fault), (status = 404, body = view::Fault, description = "nobody answers for it")))]
pub(super) async fn explain(
    State(control): State<ControlHandle>,
    Query(question): Query<Question>,
) -> Result<Json<Explanation>, Fault> {
    let client: IpAddr = question.client.parse().map_err(|_| {
        Fault::invalid(
            "client: this is no IP address",
            "send an IPv4 or IPv6 address without a prefix length",
        )
    })?;
    if question.name.is_empty() || question.name.len() > NAME_BYTES_MAX {
        return Err(Fault::invalid(
            "name: no domain name has that length",
            "send 1 to 255 bytes",
        ));
    }
    Ok(Json(control.explain(&question.name, client).await?))
}

/// Lists what exists: sites, links, contracts, groups with their nodes, services.
#[utoipa::path(get, path = "/v1/inventory", tag = "insight",
    responses((status = 200, body = view::Inventory), (status = 401, body = view::Fault)))]
pub(super) async fn inventory(State(control): State<ControlHandle>) -> Json<view::Inventory> {
    Json(view::Inventory::of(control.inventory()))
}

/// Returns what the next tick would solve, or what was solved last, for `watershed solve`.
#[utoipa::path(get, path = "/v1/instance", tag = "insight",
    params(("fresh" = Option<bool>, Query, description = "as if no map were in force"),
        ("last" = Option<bool>, Query, description = "what was solved last; its digest is that of the newest plan")),
    responses((status = 200, body = Object, description = "instance file, version 1"),
        (status = 400, body = view::Fault), (status = 401, body = view::Fault),
        (status = 404, body = view::Fault, description = "nothing was solved since the start")))]
pub(super) async fn instance(
    State(control): State<ControlHandle>,
    Query(which): Query<Which>,
) -> Result<Response, Fault> {
    let wanted = match (which.fresh, which.last) {
        (false, false) => Wanted::Next,
        (true, false) => Wanted::Fresh,
        (false, true) => Wanted::Last,
        (true, true) => {
            return Err(Fault::invalid(
                "fresh, last: what was solved last has a map in force",
                "ask for one of the two",
            ));
        }
    };
    let instance = control.instance(wanted).await?;
    // A large instance takes a moment to encode; the runtime goes on meanwhile.
    tokio::task::spawn_blocking(move || Json(instance).into_response())
        .await
        .map_err(|fault| {
            Fault::busy(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("the instance was not encoded: {fault}"),
            )
        })
}

/// Running bills: what each contract comes to so far, what is certain, and which samples are not in
/// it.
#[utoipa::path(get, path = "/v1/bills", tag = "insight",
    responses((status = 200, body = view::Bills), (status = 401, body = view::Fault)))]
pub(super) async fn bills(State(control): State<ControlHandle>) -> Result<Json<Bills>, Fault> {
    Ok(Json(control.bills().await?))
}

/// The newest entries of the audit log, newest first.
#[utoipa::path(get, path = "/v1/audit", tag = "insight",
    params(("limit" = Option<u32>, Query, description = "how many of the newest, at most 10000")),
    responses((status = 200, body = [AuditEntry]), (status = 400, body = view::Fault), (status = 401, body = view::Fault)))]
pub(super) async fn audit(
    State(control): State<ControlHandle>,
    Query(tail): Query<Tail>,
) -> Result<Json<Vec<AuditEntry>>, Fault> {
    let limit = tail.limit.unwrap_or(AUDIT_ENTRIES).min(AUDIT_ENTRIES_MAX);
    Ok(Json(control.audit(limit).await?))
}
