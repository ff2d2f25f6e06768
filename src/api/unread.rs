//! Ends the connection behind a request whose body was not read: whatever came next would meet a
//! connection that is about to close.

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

/// A body that tells when it was read to its end.
struct Watched {
    body: Body,
    ended: Arc<AtomicBool>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.ended.store(true, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Says `Connection: close` where the body is still on its way.
pub(super) async fn close_behind(request: Request, next: Next) -> Response {
    let ended = Arc::new(AtomicBool::new(request.body().is_end_stream()));
    let watched = Arc::clone(&ended);
    let request = request.map(|body| {
        Body::new(Watched {
            body,
            ended: watched,
        })
    });
    let mut response = next.run(request).await;
    if !ended.load(Ordering::Relaxed) {
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::{get, post};

    /// Tells whether the connection ends behind an answer to this request.
    async fn closes(path: &str, body: &'static str) -> bool {
        let read = |_: Bytes| async { axum::http::StatusCode::CONFLICT };
        let routes: Router = Router::new()
            .route("/read", post(read))
            .route("/unread", get(|| async { "ok" }).post(|| async { "ok" }))
            .layer(from_fn(close_behind));
        let request = Request::post(path).body(Body::from(body)).unwrap();
        let response = super::super::tests::call(routes, request).await;
        response.headers().contains_key(header::CONNECTION)
    }

    #[tokio::test]
    async fn only_bodies_that_were_not_read_end_a_connection() {
        assert!(!closes("/read", "x").await, "refused, but read");
        assert!(!closes("/unread", "").await, "nothing to be read");
        assert!(closes("/unread", "x").await, "answered well, but not read");
        assert!(closes("/nowhere", "x").await);
    }
}
