//! Drains over HTTP: ask, look, wait, renew, end.

use super::auth::Caller;
use super::body::{JsonBody, duration, patience};
use super::fault::Fault;
use super::view;
use crate::config::Role;
use crate::control::ControlHandle;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::drain::{Drain, Request, State as DrainState};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;

/// Longest time that a poll for a drain may stay open.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// Asks for a drain.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DrainRequest {
    /// `node:NAME`, `group:NAME`, `site:NAME`, `link:NAME` or `service:NAME@GROUP`.
    #[schema(example = "group:gz1-a")]
    pub target: String,
    /// Length of the lease, at most 72 h. The drain ends by itself unless renewed.
    #[schema(example = "30m")]
    pub lease: String,
    /// Reason, for people and the audit log.
    #[schema(example = "upgrade to 2.4")]
    pub reason: String,
    /// Time over which the traffic is moved; the configured ramp when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "5m")]
    pub ramp: Option<String>,
    /// Skips budgets and proof; needs the role operator.
    #[serde(default)]
    pub force: bool,
    /// Key under which the request may be repeated without making a second drain.
    #[serde(default)]
    pub idempotency_key: String,
}

/// A new lease, counted from now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Renewal {
    /// Length of the lease.
    #[schema(example = "30m")]
    pub lease: String,
}

/// State to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Milestone {
    /// Traffic is being moved.
    Shifting,
    /// The target is measured to be empty.
    Drained,
    /// The target has all of its capacity back.
    Serving,
}

/// State to wait for, and the longest wait.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wait {
    /// Answer when the drain has come this far, or can no longer come there; at once when absent.
    wait: Option<Milestone>,
    /// Longest time to wait, at most 300s; then the drain is shown as it stands.
    timeout: Option<String>,
}

impl Milestone {
    /// Tells whether a drain in `state` has come this far, or never will.
    const fn settled(self, state: DrainState) -> bool {
        match state {
            DrainState::Requested | DrainState::Queued => false,
            DrainState::Shifting => matches!(self, Self::Shifting),
            DrainState::Drained | DrainState::Refilling => !matches!(self, Self::Serving),
            DrainState::Refused | DrainState::Serving => true,
        }
    }
}

/// All drains, oldest first: those in force, those that wait, and the latest that ended.
#[utoipa::path(get, path = "/v1/drains", tag = "drains",
    responses((status = 200, body = [view::Drain]), (status = 401, body = view::Fault)))]
pub(super) async fn list(State(control): State<ControlHandle>) -> Json<Vec<Drain>> {
    let drains = control.drains();
    let shown = drains.borrow().as_ref().clone();
    Json(shown)
}

/// Asks for a drain. It is proved that the rest can carry the load; otherwise it waits or is
/// refused.
#[utoipa::path(post, path = "/v1/drains", tag = "drains", request_body = DrainRequest,
    responses(
        (status = 201, body = view::Drain, description = "admitted, or queued; see its state",
            headers(("Location" = String, description = "path of the drain"))),
        (status = 200, body = view::Drain, description = "repeated: the drain was there already, and its lease is extended",
            headers(("Location" = String, description = "path of the drain"))),
        (status = 400, body = view::Fault), (status = 401, body = view::Fault),
        (status = 403, body = view::Fault, description = "force without the role operator"),
        (status = 404, body = view::Fault, description = "the inventory has no such target"),
        (status = 409, body = view::RefusedDrain, description = "refused by a guard; the bottleneck is named")))]
pub(super) async fn request(
    State(control): State<ControlHandle>,
    caller: Caller,
    JsonBody(asked): JsonBody<DrainRequest>,
) -> Result<Response, Fault> {
    if asked.force {
        caller.must_be(Role::Operator, "force")?;
    }
    let target = asked
        .target
        .parse()
        .map_err(|fault: engine::drain::TargetError| {
            Fault::invalid(fault.to_string(), "names are those of GET /v1/inventory")
        })?;
    let request = Request {
        target,
        requester: caller.name.to_string(),
        reason: asked.reason,
        lease: duration("lease", &asked.lease)?,
        ramp: asked.ramp.map(|ramp| duration("ramp", &ramp)).transpose()?,
        force: asked.force,
        idempotency_key: asked.idempotency_key,
    };
    let before = Arc::clone(&control.drains().borrow());
    let drain = control.request_drain(&caller.name, request).await?;
    let status = if before.iter().any(|known| known.id == drain.id) {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let location = [(header::LOCATION, format!("/v1/drains/{}", drain.id))];
    Ok((status, location, Json(drain)).into_response())
}

/// One drain; with `wait`, as soon as it has come that far.
#[utoipa::path(get, path = "/v1/drains/{id}", tag = "drains",
    params(("id" = String, Path,),
        ("wait" = inline(Option<Milestone>), Query, description = "answer when it has come this far, or never will"),
        ("timeout" = Option<String>, Query, description = "longest time to wait, at most 300s", example = "300s")),
    responses((status = 200, body = view::Drain, description = "as it stands; look at its state"),
        (status = 400, body = view::Fault), (status = 401, body = view::Fault), (status = 404, body = view::Fault)))]
pub(super) async fn get(
    State(control): State<ControlHandle>,
    Path(id): Path<String>,
    Query(wait): Query<Wait>,
) -> Result<Json<Drain>, Fault> {
    let timeout = match wait.timeout.as_deref() {
        Some(text) => patience("timeout", Some(text), WAIT_MAX)?,
        None => WAIT_MAX,
    };
    let mut drains = control.drains();
    let unknown = || Fault::not_found(format!("there is no drain {id:?}"), "see GET /v1/drains");
    if let Some(milestone) = wait.wait {
        let settled = |drains: &Arc<Vec<Drain>>| {
            let found = drains.iter().find(|drain| drain.id == id);
            found.is_none_or(|drain| milestone.settled(drain.state))
        };
        // The drain is shown as it was seen last, also when time ran out or the control plane
        // ended.
        let _ = tokio::time::timeout(timeout, drains.wait_for(settled)).await;
    }
    let found = drains.borrow().iter().find(|drain| drain.id == id).cloned();
    found.map(Json).ok_or_else(unknown)
}

/// Renews the lease of a drain, from now.
#[utoipa::path(patch, path = "/v1/drains/{id}", tag = "drains", params(("id" = String, Path,)), request_body = Renewal,
    responses((status = 200, body = view::Drain), (status = 400, body = view::Fault),
        (status = 401, body = view::Fault), (status = 403, body = view::Fault), (status = 404, body = view::Fault),
        (status = 409, body = view::Fault, description = "it has ended")))]
pub(super) async fn renew(
    State(control): State<ControlHandle>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBody(renewal): JsonBody<Renewal>,
) -> Result<Json<Drain>, Fault> {
    let lease = duration("lease", &renewal.lease)?;
    Ok(Json(control.renew_drain(&caller.name, &id, lease).await?))
}

/// Ends a drain: its target gets its capacity back step by step.
#[utoipa::path(delete, path = "/v1/drains/{id}", tag = "drains", params(("id" = String, Path,)),
    responses((status = 200, body = view::Drain), (status = 401, body = view::Fault),
        (status = 403, body = view::Fault), (status = 404, body = view::Fault)))]
pub(super) async fn cancel(
    State(control): State<ControlHandle>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Drain>, Fault> {
    Ok(Json(control.cancel_drain(&caller.name, &id).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_when_the_milestone_is_reached_or_out_of_reach() {
        use DrainState::{Drained, Queued, Refilling, Refused, Requested, Serving, Shifting};
        for state in [Requested, Queued, Shifting] {
            assert!(!Milestone::Drained.settled(state), "{state}");
        }
        for state in [Drained, Refilling, Serving, Refused] {
            assert!(Milestone::Drained.settled(state), "{state}");
        }
        assert!(!Milestone::Serving.settled(Refilling) && Milestone::Shifting.settled(Shifting));
    }
}
