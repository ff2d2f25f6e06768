//! Requests as clients and agents send them: redirects, HTTPDNS questions, telemetry. Connections
//! are kept alive.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Longest body that is read, bytes.
const BODY_MAX: usize = 64 << 10;
/// Most idle connections that are kept to one server.
const IDLE_MAX: usize = 32;

/// Reason why a request brought nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection failed.
    #[error("connection: {0}")]
    Connection(#[from] hyper_util::client::legacy::Error),
    /// The request cannot be written.
    #[error("request: {0}")]
    Request(#[from] hyper::http::Error),
    /// The body is too long or was cut off.
    #[error("body is too long or was cut off")]
    Body,
    /// The server answered with another status than hoped for.
    #[error("server answered {0}")]
    Status(StatusCode),
    /// A redirect without a usable `Location`, or an HTTPDNS answer that does not parse.
    #[error("answer does not parse")]
    Malformed,
}

impl HttpError {
    /// Tells whether the server is away or broken, so that it may have forgotten what it was told.
    #[must_use]
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Connection(_) | Self::Body => true,
            Self::Status(status) => status.is_server_error(),
            Self::Request(_) | Self::Malformed => false,
        }
    }

    /// A short label for counters.
    #[must_use]
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "timeout",
            Self::Connection(_) => "connection",
            Self::Request(_) => "request",
            Self::Body => "body",
            Self::Status(StatusCode::TOO_MANY_REQUESTS) => "status-429",
            Self::Status(status) if status.as_u16() >= 500 => "status-5xx",
            Self::Status(_) => "status",
            Self::Malformed => "malformed",
        }
    }
}

/// An HTTPDNS answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// Addresses, in their order.
    pub addresses: Vec<IpAddr>,
    /// Time for which they hold, seconds.
    pub ttl_s: u32,
}

/// A client with a pool of connections; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct HttpClient {
    client: Client<HttpConnector, Full<Bytes>>,
    timeout: Duration,
}

impl HttpClient {
    /// A client that waits this long for each answer.
    #[must_use]
    pub(crate) fn new(timeout: Duration) -> Self {
        let mut builder = Client::builder(TokioExecutor::new());
        Self {
            client: builder.pool_max_idle_per_host(IDLE_MAX).build_http(),
            timeout,
        }
    }

    /// Asks where to fetch `path` of `host` for a client behind us; returns the authority of the
    /// `Location`.
    ///
    /// # Errors
    /// [`HttpError`]; any status but 302 and 307 is an error.
    pub(crate) async fn redirect(
        &self,
        server: SocketAddr,
        host: &str,
        path: &str,
        client: IpAddr,
    ) -> Result<String, HttpError> {
        let request = Request::builder()
            .uri(format!("http://{server}{path}"))
            .header(HOST, host)
            .header("x-forwarded-for", client.to_string())
            .body(Full::default())?;
        let (parts, _) = self.send(request).await?.into_parts();
        if parts.status != StatusCode::FOUND && parts.status != StatusCode::TEMPORARY_REDIRECT {
            return Err(HttpError::Status(parts.status));
        }
        let location = parts.headers.get(LOCATION).ok_or(HttpError::Malformed)?;
        let location = Uri::try_from(location.as_bytes()).map_err(|_| HttpError::Malformed)?;
        let authority = location.authority().ok_or(HttpError::Malformed)?;
        Ok(authority.as_str().to_ascii_lowercase())
    }

    /// Asks the HTTPDNS API for a client behind us.
    ///
    /// # Errors
    /// [`HttpError`]; any status but 200 is an error.
    pub(crate) async fn resolve(
        &self,
        server: SocketAddr,
        path: &str,
        client: IpAddr,
    ) -> Result<Resolved, HttpError> {
        let request = Request::builder()
            .uri(format!("http://{server}{path}"))
            .header("x-forwarded-for", client.to_string())
            .body(Full::default())?;
        let response = self.send(request).await?;
        if response.status() != StatusCode::OK {
            return Err(HttpError::Status(response.status()));
        }
        parse_resolved(response.body()).ok_or(HttpError::Malformed)
    }

    /// Posts telemetry lines with a bearer token; returns how many of them the server says it
    /// refused.
    ///
    /// # Errors
    /// [`HttpError`]; any status but 2xx is an error, 429 asks to come back later.
    pub(crate) async fn post_lines(
        &self,
        server: SocketAddr,
        token: &str,
        lines: Vec<u8>,
    ) -> Result<u64, HttpError> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://{server}/v1/telemetry"))
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header(CONTENT_TYPE, "application/x-ndjson")
            .body(Full::from(lines))?;
        let response = self.send(request).await?;
        if !response.status().is_success() {
            return Err(HttpError::Status(response.status()));
        }
        let taken = serde_json::from_slice::<Taken>(response.body());
        Ok(taken.map_or(0, |taken| taken.refused_total))
    }

    /// Sends a request and reads the body, so that the connection can be used again.
    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, HttpError> {
        let exchange = async {
            let (parts, body) = self.client.request(request).await?.into_parts();
            let body = Limited::new(body, BODY_MAX)
                .collect()
                .await
                .map_err(|_| HttpError::Body)?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        };
        let late = |_| HttpError::Timeout(self.timeout);
        tokio::time::timeout(self.timeout, exchange)
            .await
            .map_err(late)?
    }
}

/// Answer of a server to telemetry; a server that says nothing refused nothing.
#[derive(Deserialize)]
struct Taken {
    refused_total: u64,
}

/// The JSON form of an HTTPDNS answer; keys beside these are passed over.
#[derive(Deserialize)]
struct ResolvedJson {
    #[serde(default)]
    ips: Vec<IpAddr>,
    #[serde(default)]
    ipsv6: Vec<IpAddr>,
    ttl: u32,
}

/// Reads either form in use: JSON with `ips` and `ttl`, or text `address;address,ttl`.
fn parse_resolved(body: &[u8]) -> Option<Resolved> {
    if let Ok(json) = serde_json::from_slice::<ResolvedJson>(body) {
        return Some(Resolved {
            addresses: [json.ips, json.ipsv6].concat(),
            ttl_s: json.ttl,
        });
    }
    let text = std::str::from_utf8(body).ok()?.trim();
    let (addresses, ttl) = text.split_once(',')?;
    let addresses: Result<Vec<IpAddr>, _> = addresses.split(';').map(str::parse).collect();
    Some(Resolved {
        addresses: addresses.ok()?,
        ttl_s: ttl.trim().parse().ok()?,
    })
}

#[cfg(test)]
pub(crate) mod tests;
