//! Events as they happen, over server-sent events (WHATWG HTML, section 9.2).

use super::fault::Fault;
use super::view;
use crate::control::{ControlHandle, Event};
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as HttpBody, Bytes, Frame};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, broadcast, mpsc};

/// Most readers at once.
const READERS_MAX: usize = 256;
/// Chunks that wait for a slow reader.
const CHUNKS_MAX: usize = 16;
/// A comment is sent after this much silence, so that proxies and dead peers are noticed.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// Places for readers, in this process.
static READERS: Semaphore = Semaphore::const_new(READERS_MAX);

/// Streams events from now on: maps, drains, changes. Each event has a kind and JSON data.
#[utoipa::path(get, path = "/v1/events", tag = "insight",
    responses((status = 200, content_type = "text/event-stream", body = view::Event),
        (status = 401, body = view::Fault), (status = 503, body = view::Fault, description = "too many readers")))]
pub(super) async fn stream(State(control): State<ControlHandle>) -> Result<Response, Fault> {
    let place = READERS.try_acquire().map_err(|_| {
        Fault::busy(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many readers of events",
        )
    })?;
    let mut events = control.events();
    // The stream must not keep the control plane alive.
    drop(control);
    let (chunks, reader) = mpsc::channel(CHUNKS_MAX);
    tokio::spawn(async move {
        let _place = place;
        // Sent at once, so that the reader sees that it is connected.
        let mut chunk = Some(Bytes::from_static(b": connected\n\n"));
        while let Some(ready) = chunk.take() {
            if chunks.send(ready).await.is_err() {
                return;
            }
            chunk = tokio::select! {
                next = next(&mut events) => next,
                () = chunks.closed() => None,
            };
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::new(Chunks(reader))).into_response())
}

/// The next chunk to send; `None` when the control plane has ended.
async fn next(events: &mut broadcast::Receiver<Event>) -> Option<Bytes> {
    match tokio::time::timeout(SILENCE_MAX, events.recv()).await {
        Err(_) => Some(Bytes::from_static(b": still here\n\n")),
        Ok(Ok(event)) => Some(encode(&event.kind, &serde_json::json!(event))),
        Ok(Err(RecvError::Lagged(missed))) => Some(encode(
            "events.missed",
            &serde_json::json!({ "missed": missed }),
        )),
        Ok(Err(RecvError::Closed)) => None,
    }
}

/// One event on the wire. JSON has no raw line feed, so the data is one line.
fn encode(kind: &str, data: &serde_json::Value) -> Bytes {
    let kind: String = kind.chars().filter(|c| !c.is_control()).collect();
    Bytes::from(format!("event: {kind}\ndata: {data}\n\n"))
}

/// A body made of chunks as they come.
struct Chunks(mpsc::Receiver<Bytes>);

impl HttpBody for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(context)
            .map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coverage::Timestamp;

    #[tokio::test]
    async fn events_are_framed_and_losses_are_told() {
        let (sender, mut events) = broadcast::channel(2);
        let event = |detail: &str| Event {
            at: Timestamp(7),
            kind: "map.published".into(),
            detail: detail.into(),
        };
        sender.send(event("a\nb")).unwrap();
        let chunk = next(&mut events).await.unwrap();
        let text = "event: map.published\ndata: {\"at\":7,\"detail\":\"a\\nb\",\"kind\":\"map.published\"}\n\n";
        assert_eq!(chunk, text.as_bytes());
        for detail in ["1", "2", "3"] {
            sender.send(event(detail)).unwrap();
        }
        assert_eq!(
            next(&mut events).await.unwrap(),
            "event: events.missed\ndata: {\"missed\":1}\n\n"
        );
        drop(sender);
        assert!(next(&mut events).await.is_some() && next(&mut events).await.is_some());
        assert_eq!(next(&mut events).await, None);
    }
}
