//! Wrong bodies are refused with a reason, and too large ones early.

use super::super::view::Taken;
use super::*;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_say_what_to_send() {
    let world = World::new().await;
    let client = world.client("operator");
    let good = json!({"target": "site:gz1", "lease": "30m", "reason": "x"});
    for (key, value, word) in [
        ("target", json!("gz1"), "node:NAME"),
        ("target", json!("rack:gz1"), "node:NAME"),
        ("lease", json!("soon"), "30m"),
        ("lease", json!("1000h"), "lease"),
        ("reason", json!(""), "reason"),
        ("ramp", json!("x"), "ramp"),
        ("colour", json!("red"), "colour"),
        ("force", json!("yes"), "boolean"),
    ] {
        let mut body = good.clone();
        body[key] = value.clone();
        let fault = client
            .post_json::<Value>("/v1/drains", &body)
            .await
            .unwrap_err();
        assert_eq!(fault.status(), Some(400), "{key} {value}: {fault}");
        assert!(fault.to_string().contains(word), "{key} {value}: {fault}");
    }
    for path in [
        "/v1/drains/d1?wait=gone",
        "/v1/drains/d1?wait=drained&timeout=x",
        "/v1/map/record?after=7",
        "/v1/map/record?after=0.0&wait=-1s",
        "/v1/explain?name=live.cdn.example&client=1.2.3",
        "/v1/explain?name=&client=1.2.3.4",
        "/v1/explain?client=1.2.3.4",
        "/v1/audit?limit=-1",
        "/v1/instance?fresh=maybe",
    ] {
        let fault = client.get_json::<Value>(path).await.unwrap_err();
        assert_eq!(fault.status(), Some(400), "{path}: {fault}");
    }
    let long = format!("/v1/map/record?edge={}", "e".repeat(200));
    assert_eq!(status(client.get_json::<Value>(&long).await), 400);
    assert_eq!(
        status(
            client
                .post_json::<Value>("/v1/map/pin", &json!({"reason": " "}))
                .await
        ),
        400
    );
    assert_eq!(
        status(
            client
                .post_json::<Value>("/v1/map/rollback", &json!({"to": "x"}))
                .await
        ),
        400
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn telemetry_is_refused_line_by_line() {
    let world = World::new().await;
    let client = world.client("rollout");
    let good = r#"{"kind":"demand","area":"cn","service":"live","mbps":10}"#;
    let bad = r#"{"kind":"demand","area":"atlantis","service":"live","mbps":10}"#;
    let push = |text: String| client.post_lines::<Taken>("/v1/telemetry", text.into_bytes());
    let taken = push(format!("{good}\nnot json\n{bad}\n{good}\n"))
        .await
        .unwrap();
    assert_eq!((taken.accepted, taken.refused_total), (2, 2));
    assert_eq!(
        taken
            .refused
            .iter()
            .map(|refused| refused.line)
            .collect::<Vec<_>>(),
        [2, 3]
    );
    assert!(taken.refused[1].reason.contains("atlantis"), "{taken:?}");
    let taken = push(String::new()).await.unwrap();
    assert_eq!((taken.accepted, taken.refused_total), (0, 0));
    let fault = push(format!("{bad}\n\u{0}\n")).await.unwrap_err();
    let ClientError::Answered {
        status: 400, body, ..
    } = fault
    else {
        panic!("{fault}")
    };
    assert_eq!(
        (&body["accepted"], &body["refused_total"]),
        (&json!(0), &json!(2))
    );
    let page = Metrics::of_process().render();
    assert!(
        page.contains(r#"watershed_telemetry_accepted_total{kind="demand"}"#),
        "{page}"
    );
    assert!(
        page.contains(r#"watershed_telemetry_refused_total{reason="name"}"#),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_of_links_come_as_late_as_bills_count_them() {
    let world = World::new().await;
    let client = world.client("rollout");
    let push = |text: String| client.post_lines::<Taken>("/v1/telemetry", text.into_bytes());
    let link =
        |at: u64| format!("{{\"kind\":\"link\",\"link\":\"gz1/ct\",\"mbps\":1,\"at\":{at}}}\n");
    let now = crate::clock::now().0;
    let demand = format!(
        r#"{{"kind":"demand","area":"cn","service":"live","mbps":1,"at":{}}}"#,
        now - 700_000
    );
    // Twelve slots of five minutes, less what the way here takes.
    let (late, too_late) = (link(now - 3_590_000), link(now - 3_600_001));
    let taken = push(format!("{late}{too_late}{demand}\n")).await.unwrap();
    let refused: Vec<usize> = taken.refused.iter().map(|refused| refused.line).collect();
    assert_eq!((taken.accepted, refused), (1, vec![2, 3]), "{taken:?}");
}

/// More than a batch of telemetry may have.
const TOO_MANY_BYTES: usize = super::super::TELEMETRY_BYTES_MAX as usize + 1;

/// A connection on which so many bytes of telemetry were announced.
async fn announced(world: &World, bytes: usize) -> TcpStream {
    let address = world.url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/telemetry HTTP/1.1\r\nhost: x\r\nauthorization: Bearer admin\r\ncontent-length: {bytes}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_bounded_by_kind() {
    let world = World::new().await;
    let client = world.client("admin");
    let reason = "x".repeat(super::super::BODY_BYTES_MAX as usize);
    let fault = client
        .post_json::<Value>("/v1/map/pin", &json!({ "reason": reason }))
        .await
        .unwrap_err();
    assert_eq!(fault.status(), Some(413), "{fault}");
    // The same size is no burden for telemetry, whose own bound is announced without sending the
    // body.
    let batch = vec![b'\n'; super::super::BODY_BYTES_MAX as usize * 2];
    assert_eq!(
        client
            .post_lines::<Taken>("/v1/telemetry", batch)
            .await
            .unwrap()
            .refused_total,
        0
    );
    let mut socket = announced(&world, TOO_MANY_BYTES).await;
    let mut answer = vec![0; 2048];
    let count = socket.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..count]);
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_much_still_reads_why() {
    let world = World::new().await;
    let mut socket = announced(&world, TOO_MANY_BYTES).await;
    // Our end of the connection is closed behind the answer, but theirs is read until they close
    // it.
    socket
        .write_all(&vec![b'\n'; TOO_MANY_BYTES])
        .await
        .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}
