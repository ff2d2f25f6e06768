//! A server of a few lines on port 0, and the client against it.

use super::*;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// A request as the server saw it: method and path, host, forwarded client or token, body.
pub(crate) type Seen = (String, String, String, String);

/// Starts a server that redirects to `authority`, answers HTTPDNS with `address`, and takes
/// telemetry.
pub(crate) async fn server(
    authority: &str,
    address: IpAddr,
) -> (SocketAddr, Arc<Mutex<Vec<Seen>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let location = format!("http://{authority}/x");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (log, location) = (Arc::clone(&log), location.clone());
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let (log, location) = (Arc::clone(&log), location.clone());
                async move { Ok::<_, Infallible>(answer(request, &log, &location, address).await) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (at, seen)
}

async fn answer(
    request: Request<hyper::body::Incoming>,
    log: &Mutex<Vec<Seen>>,
    location: &str,
    address: IpAddr,
) -> Response<Full<Bytes>> {
    let header = |name: &str| {
        let value = request
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned());
        value.unwrap_or_default()
    };
    let (host, client) = (
        header("host"),
        header("x-forwarded-for") + &header("authorization"),
    );
    let target = format!("{} {}", request.method(), request.uri());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    log.lock()
        .unwrap()
        .push((target.clone(), host, client, body));
    let response = Response::builder();
    match target.split(['?', '/']).nth(1) {
        Some("httpdns") => response.body(Full::from(format!("{address},60"))),
        Some("v1") => response.body(Full::from(r#"{"accepted":0,"refused_total":1}"#)),
        Some("full") => response.status(429).body(Full::default()),
        Some("nowhere") => response.status(302).body(Full::default()),
        _ => response
            .status(302)
            .header("location", location)
            .body(Full::default()),
    }
    .unwrap()
}

#[tokio::test]
async fn redirects_carry_the_client_and_return_the_authority() {
    let (at, seen) = server("GZ1-a-1.example:8080", [192, 0, 2, 1].into()).await;
    let http = HttpClient::new(Duration::from_secs(5));
    let client = IpAddr::from([198, 51, 100, 7]);
    let authority = http
        .redirect(at, "static.example", "/o/1", client)
        .await
        .unwrap();
    assert_eq!(authority, "gz1-a-1.example:8080");
    let expected = ("GET /o/1", "static.example", "198.51.100.7", "");
    let (target, host, forwarded, body) = seen.lock().unwrap()[0].clone();
    assert_eq!(
        (
            target.as_str(),
            host.as_str(),
            forwarded.as_str(),
            body.as_str()
        ),
        expected
    );
    let full = http
        .redirect(at, "static.example", "/full", client)
        .await
        .unwrap_err();
    assert_eq!(full.label(), "status-429");
    let nowhere = http
        .redirect(at, "static.example", "/nowhere", client)
        .await
        .unwrap_err();
    assert_eq!(nowhere.label(), "malformed");
}

#[tokio::test]
async fn telemetry_is_posted_with_its_token() {
    let (at, seen) = server("a", [192, 0, 2, 1].into()).await;
    let http = HttpClient::new(Duration::from_secs(5));
    http.post_lines(at, "secret", b"{}\n".to_vec())
        .await
        .unwrap();
    let expected = (
        "POST /v1/telemetry".into(),
        at.to_string(),
        "Bearer secret".into(),
        "{}\n".into(),
    );
    assert_eq!(seen.lock().unwrap()[0], expected);
}

#[tokio::test]
async fn a_closed_port_is_a_connection_error() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    drop(listener);
    let http = HttpClient::new(Duration::from_secs(5));
    let error = http.post_lines(at, "t", Vec::new()).await.unwrap_err();
    assert_eq!(error.label(), "connection");
}

#[test]
fn both_forms_of_httpdns_answers() {
    let expected = |ttl_s| Resolved {
        addresses: vec![[192, 0, 2, 1].into(), [192, 0, 2, 2].into()],
        ttl_s,
    };
    assert_eq!(
        parse_resolved(b"192.0.2.1;192.0.2.2,60"),
        Some(expected(60))
    );
    let json = br#"{"host":"a.example","ips":["192.0.2.1","192.0.2.2"],"ttl":30,"client_ip":"198.51.100.7"}"#;
    assert_eq!(parse_resolved(json), Some(expected(30)));
    for bad in ["", "0", "x,60", "192.0.2.1,", "{}", "\u{0}"] {
        assert_eq!(parse_resolved(bad.as_bytes()), None, "{bad}");
    }
}
