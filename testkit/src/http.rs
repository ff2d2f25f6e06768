//! A client of HTTP/1.1 that sends what it is told and shows what comes back.

use crate::PATIENCE;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status code; 0 when there is none.
    pub status: u16,
    /// Status line and fields.
    pub head: String,
    /// The body, put together if it came in chunks.
    pub body: String,
}

/// A connection that fails, rather than hangs, when nothing comes.
///
/// # Panics
/// When nobody listens.
#[must_use]
pub fn connect(at: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// All that a connection answers to these bytes until it is closed.
///
/// # Panics
/// When it is not closed in time.
#[must_use]
pub fn exchange(at: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect(at);
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is as good a close as any; a timeout is not.
    if let Err(fault) = stream.read_to_end(&mut answer) {
        assert_eq!(fault.kind(), ErrorKind::ConnectionReset, "{fault}");
    }
    String::from_utf8(answer).unwrap()
}

/// One request on a connection of its own. `headers` are whole lines, each with its end.
///
/// # Panics
/// When nobody listens, or the answer does not end in time.
#[must_use]
pub fn send(at: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let host = if headers.to_ascii_lowercase().contains("host:") {
        String::new()
    } else {
        format!("Host: {at}\r\n")
    };
    // A body on a request that may have none would be refused, so its length is told only where
    // there is one.
    let length = if body.is_empty() {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\n{host}{headers}{length}Connection: close\r\n\r\n{body}"
    );
    let mut stream = connect(at);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let is_chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    Answer {
        status: code(head).unwrap_or(0),
        head: head.to_owned(),
        body: if is_chunked {
            unchunk(body)
        } else {
            body.to_owned()
        },
    }
}

/// The status code of a response.
///
/// # Panics
/// When it has none.
#[must_use]
pub fn status(response: &str) -> u16 {
    code(response).unwrap_or_else(|| panic!("no status: {response:?}"))
}

fn code(response: &str) -> Option<u16> {
    let code = response.strip_prefix("HTTP/1.")?.get(2..5)?;
    code.parse().ok()
}

/// The only value of a field; `None` when absent.
///
/// # Panics
/// When it comes twice.
#[must_use]
pub fn field<'r>(response: &'r str, name: &str) -> Option<&'r str> {
    let head = response.split("\r\n\r\n").next()?;
    let fields = head.lines().skip(1);
    let mut values = fields
        .filter_map(|line| line.split_once(": "))
        .filter(|(key, _)| key.eq_ignore_ascii_case(name));
    let value = values.next().map(|(_, value)| value);
    assert!(values.next().is_none(), "{name} comes twice: {response}");
    value
}

/// The content of a body in chunks, as far as they are whole.
fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || rest.len() < size {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn an_answer_in_chunks_is_put_together() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 1024];
            let length = stream.read(&mut asked).unwrap();
            let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        let answer = send(at, "GET", "/x", "A: b\r\n", "");
        assert_eq!((answer.status, answer.body.as_str()), (200, "abcde"));
        assert_eq!(field(&answer.head, "transfer-encoding"), Some("chunked"));
        assert_eq!(
            served.join().unwrap(),
            format!("GET /x HTTP/1.1\r\nHost: {at}\r\nA: b\r\nConnection: close\r\n\r\n")
        );
    }
}
