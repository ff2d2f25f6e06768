//! Telemetry pushed over HTTP: JSON lines, refused one by one, the good ones kept.

use super::fault::Fault;
use super::view;
use crate::clock::now;
use crate::control::ControlHandle;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use collectors::{Batch, decode_batch};
use std::collections::BTreeMap;

/// Takes a batch of telemetry: one JSON object a line, of kind quality, node, group, link or
/// demand.
#[utoipa::path(post, path = "/v1/telemetry", tag = "telemetry",
    request_body(content = String, content_type = "application/x-ndjson", description = "JSON lines, at most 16 MiB"),
    responses(
        (status = 200, body = view::Taken, description = "something was accepted, or nothing was wrong"),
        (status = 400, body = view::Taken, description = "every line was refused"),
        (status = 401, body = view::Fault), (status = 403, body = view::Fault),
        (status = 413, body = view::Fault, description = "larger than 16 MiB"),
        (status = 429, body = view::Fault, description = "the control plane is busy; see Retry-After")))]
pub(super) async fn push(
    State(control): State<ControlHandle>,
    body: Bytes,
) -> Result<(StatusCode, Json<view::Taken>), Fault> {
    let decoder = control.clone();
    let decode = move || {
        decode_batch(
            &body,
            decoder.directory(),
            decoder.table(),
            now(),
            decoder.telemetry(),
        )
    };
    // A full batch takes tens of milliseconds to decode; the runtime goes on meanwhile.
    let batch = tokio::task::spawn_blocking(decode).await.map_err(|fault| {
        Fault::busy(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("the batch was not decoded: {fault}"),
        )
    })?;
    take(&control, batch)
}

/// Hands a decoded batch over, counts it, and tells the sender.
fn take(control: &ControlHandle, batch: Batch) -> Result<(StatusCode, Json<view::Taken>), Fault> {
    let answer = view::Taken {
        accepted: batch.accepted.len(),
        refused_total: batch.refused_total(),
        refused: batch.refused.iter().map(view::RefusedLine::of).collect(),
    };
    let mut kinds: BTreeMap<&'static str, u64> = BTreeMap::new();
    for observation in &batch.accepted {
        *kinds.entry(observation.sample.kind()).or_default() += 1;
    }
    if !batch.accepted.is_empty() {
        control.observe(batch.accepted)?;
    }
    // Counted only now: what was turned away by a full queue will be sent again.
    for (kind, count) in kinds {
        metrics::counter!("watershed_telemetry_accepted_total", "kind" => kind).increment(count);
    }
    for (reason, count) in batch.refused_by_label {
        metrics::counter!("watershed_telemetry_refused_total", "reason" => reason).increment(count);
    }
    let all_bad = answer.accepted == 0 && answer.refused_total > 0;
    let status = if all_bad {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    Ok((status, Json(answer)))
}
