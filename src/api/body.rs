//! Content of requests: JSON bodies and durations, with faults that say what to send.

use super::fault::Fault;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// A JSON body, whatever the content type says: scripts rarely set it.
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(IntoResponse::into_response)?;
        let content: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        match serde_json::from_slice(content) {
            Ok(value) => Ok(Self(value)),
            Err(fault) => {
                let hint = "send a JSON object as GET /v1/openapi.json describes it";
                Err(Fault::invalid(format!("the body is refused: {fault}"), hint).into_response())
            }
        }
    }
}

/// Reads a duration as people write it, such as `30m`.
pub(super) fn duration(field: &str, text: &str) -> Result<Duration, Fault> {
    humantime::parse_duration(text).map_err(|fault| {
        let text: String = text.chars().take(40).collect();
        Fault::invalid(
            format!("{field}: {text:?} is no duration: {fault}"),
            "write it like 30m, 300s or 1h30m",
        )
    })
}

/// Reads how long a poll may stay open; longer than `most` is cut to that.
pub(super) fn patience(field: &str, text: Option<&str>, most: Duration) -> Result<Duration, Fault> {
    let asked = text.map(|text| duration(field, text)).transpose()?;
    Ok(asked.unwrap_or_default().min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_bounded() {
        assert_eq!(
            duration("lease", "1h30m").unwrap(),
            Duration::from_secs(5400)
        );
        for bad in ["", "x", "30", "-5m", "99999999999999999999s"] {
            assert!(duration("lease", bad).is_err(), "{bad}");
        }
        let most = Duration::from_secs(20);
        assert_eq!(patience("wait", None, most).unwrap(), Duration::ZERO);
        assert_eq!(patience("wait", Some("1day"), most).unwrap(), most);
    }
}
