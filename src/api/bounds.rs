//! Bounds on how many requests are worked on at once, and for how long.

use super::fault::Fault;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Bounds of one kind of request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Most requests at once; more are turned away, not queued.
    pub(super) places: usize,
    /// Longest time from the head of a request to the head of its answer.
    pub(super) time: Duration,
    /// Largest body, in bytes.
    pub(super) bytes: u64,
}

/// Gate that counts the requests inside.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    places: Arc<Semaphore>,
    bounds: Bounds,
}

impl Bounds {
    /// A gate with these bounds, empty.
    pub(super) fn gate(self) -> Gate {
        Gate {
            places: Arc::new(Semaphore::new(self.places)),
            bounds: self,
        }
    }
}

/// Lets a request in while there is a place, and gives up on it when its time is over.
pub(super) async fn bound(
    State(gate): State<Gate>,
    request: Request,
    next: Next,
) -> Result<Response, Fault> {
    let bytes_max = gate.bounds.bytes;
    if announced_bytes(&request) > bytes_max {
        // Told before the body is read; a body of unknown length is cut off by its reader at the
        // same bound.
        let error = format!("the body is larger than {bytes_max} bytes");
        return Err(Fault::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            error,
            "send less at once",
        ));
    }
    let Ok(place) = gate.places.try_acquire() else {
        metrics::counter!("watershed_api_turned_away_total").increment(1);
        return Err(Fault::busy(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many requests are being worked on",
        ));
    };
    let answer = tokio::time::timeout(gate.bounds.time, next.run(request)).await;
    drop(place);
    answer.map_err(|_| {
        Fault::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the request took too long",
            "look whether it was done before you send it again",
        )
    })
}

/// Length by `Content-Length`; 0 when it is absent. The HTTP library has refused one that is no
/// number.
fn announced_bytes(request: &Request) -> u64 {
    let length = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;

    /// Status of a request through a gate to a handler that takes `work`.
    async fn status(places: usize, work: Duration) -> StatusCode {
        let gate = Bounds {
            places,
            time: Duration::from_millis(50),
            bytes: 100,
        }
        .gate();
        let slow = get(move || async move { tokio::time::sleep(work).await });
        let routes: Router = Router::new()
            .route("/", slow)
            .layer(from_fn_with_state(gate, bound));
        let request = Request::builder()
            .uri("/")
            .body(axum::body::Body::empty())
            .unwrap();
        super::super::tests::call(routes, request).await.status()
    }

    #[test]
    fn only_a_length_that_is_said_counts() {
        let request = |length: Option<&str>| {
            let request = length.map_or_else(Request::builder, |length| {
                Request::builder().header(CONTENT_LENGTH, length)
            });
            request.body(axum::body::Body::empty()).unwrap()
        };
        let lengths = [None, Some("101"), Some("x")];
        assert_eq!(
            lengths.map(|length| announced_bytes(&request(length))),
            [0, 101, 0]
        );
    }

    #[tokio::test]
    async fn a_request_needs_a_place_and_must_end_in_time() {
        assert_eq!(status(1, Duration::ZERO).await, StatusCode::OK);
        assert_eq!(
            status(0, Duration::ZERO).await,
            StatusCode::SERVICE_UNAVAILABLE
        );
        assert_eq!(
            status(1, Duration::from_secs(5)).await,
            StatusCode::SERVICE_UNAVAILABLE
        );
    }
}
