//! Faults of requests, all in one form: a status and `{error, hint}`.

use super::view;
use crate::control::{ControlError, QueueFull};
use axum::Json;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use engine::drain::Drain;
use serde_json::{Value, json};

/// Seconds after which a busy control plane may be asked again.
const RETRY_AFTER_S: &str = "1";
/// Most bytes that are read of an answer that a library made.
const PLAIN_BYTES_MAX: usize = 4096;

/// A request that was not done.
#[derive(Debug)]
pub(super) struct Fault {
    status: StatusCode,
    body: Box<Value>,
}

impl Fault {
    /// A fault with what is wrong and what to do.
    pub(super) fn new(
        status: StatusCode,
        error: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let body = view::Fault {
            error: error.into(),
            hint: hint.into(),
        };
        Self {
            status,
            body: Box::new(json!(body)),
        }
    }

    /// No token, or none that is known. Both look alike.
    pub(super) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "this needs a known token",
            "send Authorization: Bearer TOKEN; make one with `watershed token new`",
        )
    }

    /// A token whose role is not enough.
    pub(super) fn forbidden(error: impl Into<String>, hint: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, error, hint)
    }

    /// The request itself is wrong.
    pub(super) fn invalid(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, hint)
    }

    /// There is no such thing.
    pub(super) fn not_found(error: impl Into<String>, hint: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, error, hint)
    }

    /// Too much at once; come again.
    pub(super) fn busy(status: StatusCode, error: impl Into<String>) -> Self {
        Self::new(status, error, "send it again in a second")
    }

    /// A guard refused a drain: its proof goes along.
    fn refused(text: String, drain: Option<Box<Drain>>) -> Self {
        let hint = "wait until other drains have ended, drain less at once, or add capacity where it is short";
        let mut fault = Self::new(StatusCode::CONFLICT, text, hint);
        if let Some(drain) = drain {
            fault.body["bottleneck"] = json!(
                drain
                    .refusal
                    .as_ref()
                    .and_then(|refusal| refusal.bottleneck.as_ref())
            );
            fault.body["drain"] = json!(drain);
        }
        fault
    }
}

impl From<ControlError> for Fault {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::NotFound(text) => {
                Self::not_found(text, "see GET /v1/inventory and GET /v1/drains")
            }
            ControlError::Refused(text, drain) => Self::refused(text, drain),
            ControlError::Invalid(text) => Self::invalid(text, "see GET /v1/openapi.json"),
            ControlError::Unavailable(text) => Self::busy(StatusCode::SERVICE_UNAVAILABLE, text),
        }
    }
}

impl From<QueueFull> for Fault {
    fn from(full: QueueFull) -> Self {
        Self::busy(StatusCode::TOO_MANY_REQUESTS, full.to_string())
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        let headers = response.headers_mut();
        match self.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
            }
            // RFC 9110 section 11.6.1: a 401 says which scheme is wanted.
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}

/// Answers a path that does not exist.
pub(super) async fn no_such_route() -> Fault {
    Fault::not_found(
        "there is no such path",
        "see GET /v1/openapi.json for all there are",
    )
}

/// Answers a method that a path does not have.
pub(super) async fn no_such_method() -> Fault {
    let hint = "see GET /v1/openapi.json for the methods of each path";
    Fault::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path does not have that method",
        hint,
    )
}

/// Puts the plain-text refusals of the HTTP library (bad query, body too large) into our form.
pub(super) async fn uniform(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let plain = content_type.is_none_or(|value| value.as_bytes().starts_with(b"text/plain"));
    let status = response.status();
    if !status.is_client_error() || !plain {
        return response;
    }
    let text = to_bytes(response.into_body(), PLAIN_BYTES_MAX)
        .await
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    let error = if text.is_empty() {
        status.to_string()
    } else {
        text
    };
    Fault::new(status, error, "see GET /v1/openapi.json").into_response()
}
