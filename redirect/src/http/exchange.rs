//! One request and its response: from HTTP's terms into ours, and back.

use super::Shared;
use crate::client::client_address;
use crate::config::{AnswerConfig, Scheme};
use crate::counters::Event;
use crate::decide::{Method, Outcome, Redirect, Request, TARGET_BYTES_MAX, decide};
use crate::host::{BadHost, Host};
use crate::httpdns::{self, Caller, Reply};
use crate::view::HttpView;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode, Version};
use std::net::IpAddr;

/// Names the map that decided, so that an answer can be explained later.
const MAP_HEADER: HeaderName = HeaderName::from_static("watershed-map");
/// Set by proxies: the scheme that the client used.
const PROTO_HEADER: &str = "x-forwarded-proto";

/// The two ends of a connection, and who serves it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) worker: usize,
    pub(super) peer: IpAddr,
    pub(super) local: IpAddr,
}

/// Response with its whole body, besides fixed fields.
type Answer = Response<Full<Bytes>>;

/// Answers a request. The body is never read: a request that has one is answered, and the
/// connection closed, so that no byte of it can be taken for a request of its own.
pub(super) fn exchange<B, S: AsRef<HttpView>>(
    request: &hyper::Request<B>,
    ends: &Ends,
    shared: &Shared<S>,
) -> Answer {
    let held = shared.view.load();
    let view = (**held).as_ref();
    let counters = &shared.counters;
    let mut answer = match read(request, ends, &shared.config.answer) {
        Err(Malformed) => refuse(counters_event(&Outcome::BadRequest), ends, shared),
        Ok(asked) if asked.is_httpdns => {
            let reply = answer_httpdns(view, &asked, request.headers(), &shared.config.answer);
            counters.count(ends.worker, reply.event);
            if let Some(service) = reply.service {
                counters.count_service(view.services[service.index()].slot);
            }
            httpdns_response(reply)
        }
        Ok(asked) => match decide(view, &asked.request(), &shared.loads) {
            Outcome::Redirect(redirect) => {
                count_redirect(&redirect, view, ends, shared);
                redirect_response(redirect)
            }
            outcome => refuse(counters_event(&outcome), ends, shared),
        },
    };
    let fields = answer.headers_mut();
    fields.insert(MAP_HEADER, view.map_version.clone());
    if has_body(request.headers()) {
        fields.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// A request that HTTP/1.1 says to refuse.
#[derive(Debug)]
struct Malformed;

impl From<BadHost> for Malformed {
    fn from(_: BadHost) -> Self {
        Self
    }
}

/// A request in our terms.
struct Asked<'r> {
    method: Method,
    host: Host,
    target: &'r str,
    client: IpAddr,
    scheme: Scheme,
    is_httpdns: bool,
}

impl Asked<'_> {
    fn request(&self) -> Request<'_> {
        Request {
            method: self.method,
            host: &self.host,
            target: self.target,
            client: self.client,
            scheme: self.scheme,
        }
    }
}

/// Reads what counts of a request.
fn read<'r, B>(
    request: &'r hyper::Request<B>,
    ends: &Ends,
    config: &AnswerConfig,
) -> Result<Asked<'r>, Malformed> {
    let fields = request.headers();
    // Nothing here takes a body. Whoever frames one by Transfer-Encoding, perhaps beside a
    // Content-Length, wants two parsers to disagree (RFC 9112 section 11.2).
    if fields.contains_key(header::TRANSFER_ENCODING) {
        return Err(Malformed);
    }
    let host = host_of(request)?;
    let method = match *request.method() {
        hyper::Method::GET => Method::Get,
        hyper::Method::HEAD => Method::Head,
        _ => Method::Other,
    };
    let is_httpdns = config.httpdns_hosts.contains(&host) || host == Host::Address(ends.local);
    let header = config.forwarded_header;
    let lines = fields
        .get_all(header.name())
        .iter()
        .map(HeaderValue::as_bytes);
    let proxied = config.trusted_proxies.contains(ends.peer);
    Ok(Asked {
        method,
        host,
        target: request
            .uri()
            .path_and_query()
            .map_or("", |target| target.as_str()),
        client: client_address(ends.peer, lines, header, &config.trusted_proxies),
        scheme: forwarded_scheme(fields)
            .filter(|_| proxied)
            .unwrap_or(config.scheme),
        is_httpdns,
    })
}

/// The host that is asked for. RFC 9112 section 3.2: a request without exactly one valid Host is
/// refused. Where the target names an authority too, both must agree: one of them was meant for
/// somebody else's eyes.
fn host_of<B>(request: &hyper::Request<B>) -> Result<Host, Malformed> {
    let mut lines = request.headers().get_all(header::HOST).iter();
    let line = match (lines.next(), lines.next()) {
        (Some(line), None) => Some(Host::parse(line.as_bytes())?),
        (None, None) if request.version() == Version::HTTP_10 => None,
        _ => return Err(Malformed),
    };
    let authority = request.uri().authority();
    let target = authority
        .map(|authority| Host::parse(authority.as_str().as_bytes()))
        .transpose()?;
    match (line, target) {
        (Some(line), Some(target)) if line != target => Err(Malformed),
        (line, target) => line.or(target).ok_or(Malformed),
    }
}

/// The scheme that a proxy saw, if it says so exactly once.
fn forwarded_scheme(fields: &HeaderMap) -> Option<Scheme> {
    let mut lines = fields.get_all(PROTO_HEADER).iter();
    match (lines.next()?.as_bytes(), lines.next()) {
        (b"http", None) => Some(Scheme::Http),
        (b"https", None) => Some(Scheme::Https),
        _ => None,
    }
}

/// Tells whether a request announces a body.
fn has_body(fields: &HeaderMap) -> bool {
    let length = fields
        .get(header::CONTENT_LENGTH)
        .map(HeaderValue::as_bytes);
    fields.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length != b"0")
}

/// Asks HTTPDNS.
fn answer_httpdns(
    view: &HttpView,
    asked: &Asked<'_>,
    fields: &HeaderMap,
    config: &AnswerConfig,
) -> Reply {
    if asked.method == Method::Other {
        return Reply::fixed(Event::MethodNotAllowed, fixed(Event::MethodNotAllowed));
    }
    if asked.target.len() > TARGET_BYTES_MAX {
        return Reply::fixed(Event::TargetTooLong, fixed(Event::TargetTooLong));
    }
    let credentials = fields.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let caller = Caller {
        client: asked.client,
        trusted: config.trusted_proxies.contains(asked.client),
        bearer: credentials.and_then(|value| value.strip_prefix(b"Bearer ")),
    };
    httpdns::answer(view, &caller, asked.target, config.httpdns_token.as_ref())
}

/// Counts a redirect with all that was special about it.
fn count_redirect<S>(redirect: &Redirect<'_>, view: &HttpView, ends: &Ends, shared: &Shared<S>) {
    let notable = [
        (true, Event::Redirect),
        (redirect.runner_up, Event::RunnerUp),
        (redirect.failed_open, Event::FailedOpen),
        (redirect.spilled, Event::Spilled),
    ];
    for (happened, event) in notable {
        if happened {
            shared.counters.count(ends.worker, event);
        }
    }
    shared
        .counters
        .count_service(view.services[redirect.service.index()].slot);
}

/// A 302.
fn redirect_response(redirect: Redirect<'_>) -> Answer {
    let mut answer = with_status(StatusCode::FOUND, Bytes::from_static(b"see Location\n"));
    // Only ASCII without control bytes is ever written into a location, so this cannot fail; if it
    // did, the client must not be told to go nowhere.
    match HeaderValue::from_maybe_shared(Bytes::from(redirect.location)) {
        Ok(location) => {
            let fields = answer.headers_mut();
            fields.insert(header::LOCATION, location);
            fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        Err(_) => *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
    }
    answer
}

/// An HTTPDNS answer.
fn httpdns_response(reply: Reply) -> Answer {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = with_status(status, Bytes::from(reply.body));
    let fields = answer.headers_mut();
    fields.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(reply.content_type),
    );
    let cache = match reply.max_age_s {
        Some(seconds) => HeaderValue::try_from(format!("private, max-age={seconds}")),
        None => Ok(HeaderValue::from_static("no-store")),
    };
    fields.insert(
        header::CACHE_CONTROL,
        cache.unwrap_or(HeaderValue::from_static("no-store")),
    );
    extras(reply.event, fields);
    answer
}

/// Counts and writes a refusal.
fn refuse<S>(event: Event, ends: &Ends, shared: &Shared<S>) -> Answer {
    shared.counters.count(ends.worker, event);
    httpdns_response(Reply::fixed(event, fixed(event)))
}

/// Fields that a status asks for.
fn extras(event: Event, fields: &mut HeaderMap) {
    let (name, value) = match event {
        // RFC 9110 section 15.5.6 requires it.
        Event::MethodNotAllowed => (header::ALLOW, "GET, HEAD"),
        Event::Unavailable => (header::RETRY_AFTER, "1"),
        // The next bytes of whoever sent this are not to be trusted either.
        Event::BadRequest => (header::CONNECTION, "close"),
        _ => return,
    };
    fields.insert(name, HeaderValue::from_static(value));
}

/// Returns what an outcome that is no redirect counts as.
fn counters_event(outcome: &Outcome<'_>) -> Event {
    match outcome {
        Outcome::Redirect(_) => Event::Redirect,
        Outcome::NotOurHost => Event::NotOurHost,
        Outcome::BadRequest => Event::BadRequest,
        Outcome::TargetTooLong => Event::TargetTooLong,
        Outcome::MethodNotAllowed => Event::MethodNotAllowed,
        Outcome::Unavailable => Event::Unavailable,
    }
}

/// Status and text of refusals; nothing of the request is repeated.
const fn fixed(event: Event) -> (u16, &'static str) {
    match event {
        Event::NotOurHost => (
            421,
            "this host is not served here: check the name and where it points\n",
        ),
        Event::TargetTooLong => (
            414,
            "the path and query are too long: send at most 8192 bytes\n",
        ),
        Event::MethodNotAllowed => (405, "only GET and HEAD are answered here\n"),
        Event::Unavailable => (503, "no node can take this request: try again\n"),
        _ => (
            400,
            "malformed request: send one valid Host, an absolute path, and no body\n",
        ),
    }
}

/// A response with a body.
fn with_status(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer
}
