//! The HTTP client of the control API, used by the command line and by edges.
//!
//! Plain HTTP: a control plane listens on a private network, or behind a terminator on the same
//! host. Every answer is bounded in bytes and in time.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::error::Error as _;
use std::time::Duration;

/// Largest answer that is read: as large as a map record may be.
pub(crate) const ANSWER_BYTES_MAX: usize = coverage::record::RECORD_MAX_BYTES;
/// Time for a request whose caller names none.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Time for a connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for which an idle connection is kept: shorter than the control API keeps it, so that no
/// request meets its end.
const IDLE: Duration = Duration::from_secs(3);
/// Most bytes of an answer that is no JSON which an error repeats.
const QUOTED_CHARS_MAX: usize = 200;

/// Reasons for which the control API did not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address cannot be used.
    #[error("{url:?} is no address of a control API: write http://HOST:PORT")]
    Address {
        /// As it was given.
        url: String,
    },
    /// The token cannot stand in a header.
    #[error("the token has characters that no token has: check the token file")]
    Token,
    /// The connection brought no answer.
    #[error(
        "no answer from {url}: {why}; check that the control plane runs and that the address is right"
    )]
    Unreachable {
        /// Address that was asked.
        url: String,
        /// Fault of the connection.
        why: String,
    },
    /// The answer took too long.
    #[error("{url} did not answer within {} s; try again, or look at the control plane's log", .after.as_secs_f64())]
    TimedOut {
        /// Address that was asked.
        url: String,
        /// Time that was waited.
        after: Duration,
    },
    /// The answer does not have the expected form.
    #[error(
        "the answer of {url} is not understood: {why}; check that both sides have the same version"
    )]
    NotUnderstood {
        /// Address that was asked.
        url: String,
        /// Fault of the answer.
        why: String,
    },
    /// The control plane said no.
    #[error("{error}{}", hint_of(.hint))]
    Answered {
        /// HTTP status.
        status: u16,
        /// Fault in words.
        error: String,
        /// Advice on what to do; may be empty.
        hint: String,
        /// The whole answer.
        body: Box<Value>,
    },
}

impl ClientError {
    /// HTTP status of the answer; `None` when there was none.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Answered { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// A hint as it follows an error.
fn hint_of(hint: &str) -> String {
    if hint.is_empty() {
        String::new()
    } else {
        format!("; {hint}")
    }
}

/// A way to one control API. Cheap to clone; connections are pooled.
#[derive(Clone, Debug)]
pub struct ApiClient {
    base: String,
    authorization: Option<HeaderValue>,
    http: Client<HttpConnector, Full<Bytes>>,
}

impl ApiClient {
    /// A client for `base_url`, such as `http://127.0.0.1:8080`. Nothing is connected yet.
    ///
    /// # Errors
    /// [`ClientError::Address`] or [`ClientError::Token`].
    pub fn new(base_url: &str, token: Option<String>) -> Result<Self, ClientError> {
        let address = || ClientError::Address {
            url: base_url.to_owned(),
        };
        let base = base_url.trim_end_matches('/');
        let uri: Uri = base.parse().map_err(|_| address())?;
        if uri.scheme_str() != Some("http") || uri.host().is_none() || uri.path() != "/" {
            return Err(address());
        }
        let authorization = token.map(|token| {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim()))
                .map_err(|_| ClientError::Token)?;
            value.set_sensitive(true);
            Ok(value)
        });
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let http = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Self {
            base: base.to_owned(),
            authorization: authorization.transpose()?,
            http,
        })
    }

    /// Address that it asks.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base
    }

    /// `GET`, with the usual time limit.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.get_json_within(path, TIMEOUT).await
    }

    /// `GET` of what may take long, such as a long poll.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_json_within<T: DeserializeOwned>(
        &self,
        path: &str,
        timeout: Duration,
    ) -> Result<T, ClientError> {
        let (_, bytes) = self.send(Method::GET, path, None, timeout).await?;
        self.decode(path, &bytes)
    }

    /// `POST` of a JSON body.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn post_json<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let (_, bytes) = self
            .send(Method::POST, path, Some(self.encode(path, body)?), TIMEOUT)
            .await?;
        self.decode(path, &bytes)
    }

    /// `PATCH` with a JSON body.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn patch_json<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let (_, bytes) = self
            .send(Method::PATCH, path, Some(self.encode(path, body)?), TIMEOUT)
            .await?;
        self.decode(path, &bytes)
    }

    /// `DELETE`; the answer tells what became of the thing.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let (_, bytes) = self.send(Method::DELETE, path, None, TIMEOUT).await?;
        self.decode(path, &bytes)
    }

    /// `POST` of telemetry: JSON lines.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn post_lines<T: DeserializeOwned>(
        &self,
        path: &str,
        lines: Vec<u8>,
    ) -> Result<T, ClientError> {
        let body = ("application/x-ndjson", Bytes::from(lines));
        let (_, bytes) = self.send(Method::POST, path, Some(body), TIMEOUT).await?;
        self.decode(path, &bytes)
    }

    /// `GET` of bytes; `None` when there is nothing (204).
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) async fn get_bytes(
        &self,
        path: &str,
        timeout: Duration,
    ) -> Result<Option<Vec<u8>>, ClientError> {
        let (status, bytes) = self.send(Method::GET, path, None, timeout).await?;
        Ok((status != StatusCode::NO_CONTENT).then(|| bytes.to_vec()))
    }

    /// One exchange; answers outside 2xx are errors.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Bytes)>,
        timeout: Duration,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let url = format!("{}{path}", self.base);
        let mut request = Request::builder().method(method).uri(&url);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some((content_type, _)) = &body {
            request = request.header(CONTENT_TYPE, *content_type);
        }
        let content = body.map(|(_, bytes)| bytes).unwrap_or_default();
        let request = request
            .body(Full::new(content))
            .map_err(|_| ClientError::Address { url: url.clone() })?;
        let exchange = tokio::time::timeout(timeout, self.exchange(&url, request)).await;
        let (status, bytes) = exchange.map_err(|_| ClientError::TimedOut {
            url,
            after: timeout,
        })??;
        if status.is_success() {
            Ok((status, bytes))
        } else {
            Err(answered(status, &bytes))
        }
    }

    async fn exchange(
        &self,
        url: &str,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let unreachable = |why: String| ClientError::Unreachable {
            url: url.to_owned(),
            why,
        };
        let answer = self.http.request(request).await.map_err(|fault| {
            // The outer error only says that connecting failed; the reason is its source.
            let why = fault
                .source()
                .and_then(|inner| inner.source().or(Some(inner)));
            unreachable(why.map_or_else(|| fault.to_string(), ToString::to_string))
        })?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await;
        Ok((
            status,
            body.map_err(|fault| unreachable(fault.to_string()))?
                .to_bytes(),
        ))
    }

    fn encode(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<(&'static str, Bytes), ClientError> {
        let bytes = serde_json::to_vec(body).map_err(|fault| self.not_understood(path, &fault))?;
        Ok(("application/json", bytes.into()))
    }

    fn decode<T: DeserializeOwned>(&self, path: &str, bytes: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(bytes).map_err(|fault| self.not_understood(path, &fault))
    }

    fn not_understood(&self, path: &str, fault: &serde_json::Error) -> ClientError {
        ClientError::NotUnderstood {
            url: format!("{}{path}", self.base),
            why: fault.to_string(),
        }
    }
}

/// The error that an answer outside 2xx stands for.
fn answered(status: StatusCode, bytes: &[u8]) -> ClientError {
    let body: Value = serde_json::from_slice(bytes).unwrap_or(Value::Null);
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
    let quoted = || {
        let text: String = String::from_utf8_lossy(bytes)
            .chars()
            .take(QUOTED_CHARS_MAX)
            .collect();
        format!("HTTP {status} {}", text.trim())
    };
    let error = text("error").unwrap_or_else(quoted);
    let hint = text("hint").unwrap_or_default();
    ClientError::Answered {
        status: status.as_u16(),
        error,
        hint,
        body: Box::new(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A server that reads one request head and answers with fixed bytes; returns its address and
    /// what it read.
    async fn answering(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut seen = vec![0; 4096];
            let count = socket.read(&mut seen).await.unwrap();
            socket.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&seen[..count]).into_owned()
        });
        (url, server)
    }

    #[test]
    fn only_plain_http_addresses_are_taken() {
        for bad in [
            "127.0.0.1:80",
            "https://x",
            "http://",
            "http://x/y",
            "ftp://x",
            "",
        ] {
            assert!(
                matches!(ApiClient::new(bad, None), Err(ClientError::Address { .. })),
                "{bad}"
            );
        }
        assert_eq!(
            ApiClient::new("http://x:1/", None).unwrap().base_url(),
            "http://x:1"
        );
        assert!(matches!(
            ApiClient::new("http://x", Some("a\nb".into())),
            Err(ClientError::Token)
        ));
    }

    #[tokio::test]
    async fn the_token_goes_along_and_204_is_nothing() {
        let (url, server) = answering("HTTP/1.1 204 No Content\r\n\r\n").await;
        let client = ApiClient::new(&url, Some("secret\n".into())).unwrap();
        let got = client
            .get_bytes("/v1/map/record?after=0.0", TIMEOUT)
            .await
            .unwrap();
        assert_eq!(got, None);
        let seen = server.await.unwrap().to_ascii_lowercase();
        assert!(
            seen.starts_with("get /v1/map/record?after=0.0 http/1.1"),
            "{seen}"
        );
        assert!(seen.contains("authorization: bearer secret\r\n"), "{seen}");
    }

    #[tokio::test]
    async fn a_refusal_tells_what_to_do() {
        let body = r#"{"error":"no","hint":"ask an admin"}"#;
        let answer = format!(
            "HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let (url, _server) = answering(answer.leak()).await;
        let client = ApiClient::new(&url, None).unwrap();
        let fault = client.delete::<Value>("/v1/drains/d1").await.unwrap_err();
        assert_eq!(fault.status(), Some(403));
        assert_eq!(fault.to_string(), "no; ask an admin");
    }

    #[tokio::test]
    async fn an_answer_that_is_no_json_is_quoted() {
        let (url, _server) =
            answering("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 4\r\n\r\noops").await;
        let client = ApiClient::new(&url, None).unwrap();
        let fault = client.get_json::<Value>("/v1/map").await.unwrap_err();
        assert_eq!(fault.to_string(), "HTTP 502 Bad Gateway oops");
    }

    #[tokio::test]
    async fn nobody_there_and_too_slow_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = ApiClient::new(&url, None).unwrap();
        let slow = client
            .get_bytes("/", Duration::from_millis(50))
            .await
            .unwrap_err();
        assert!(matches!(slow, ClientError::TimedOut { .. }), "{slow}");
        drop(listener);
        let client = ApiClient::new(&url, None).unwrap();
        let gone = client.get_json::<Value>("/").await.unwrap_err();
        assert!(matches!(gone, ClientError::Unreachable { .. }), "{gone}");
    }
}
