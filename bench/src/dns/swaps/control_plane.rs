//! As much of a control plane as an edge asks for: the newest map record, again and again.

use anyhow::{Context as _, Result, bail};
use coverage::record::{self, Header};
use coverage::{Body, Digest, MapVersion};
use ed25519_dalek::{SigningKey, VerifyingKey};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Number of times that a waiting edge is looked at while swaps are off.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Longest head of a request.
const HEAD_BYTES_MAX: u64 = 16 << 10;
/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 1 << 30;

/// Serves one edge until the program ends.
pub(super) struct ControlPlane {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

/// State that the threads of connections share.
struct Shared {
    /// True when the map is swapped.
    swapping: AtomicBool,
    /// The version that the edge said it serves.
    taken: AtomicU64,
    every: Duration,
    key: SigningKey,
    bodies: [Body; 2],
    next: Mutex<Next>,
}

/// The next record.
struct Next {
    header: Header,
    at: Instant,
}

impl ControlPlane {
    /// Starts with the map after `first`; swaps are off, but the first map is given away at once.
    ///
    /// # Errors
    /// When `first` is no record of `key`, or no port can be had.
    pub(super) fn start(
        first: &[u8],
        bodies: [Body; 2],
        key: SigningKey,
        every: Duration,
    ) -> Result<Self> {
        let opened = record::open(first, &[key.verifying_key()])?;
        let header = following(opened.header, opened.digest);
        let shared = Arc::new(Shared {
            swapping: AtomicBool::new(false),
            taken: AtomicU64::new(0),
            every,
            key,
            bodies,
            next: Mutex::new(Next {
                header,
                at: Instant::now(),
            }),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
        let addr = listener.local_addr()?;
        let serving = Arc::clone(&shared);
        // These threads end with the program; the edge makes one connection at a time.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&serving);
                // An edge that goes away is no fault of ours.
                std::thread::spawn(move || shared.serve(stream).unwrap_or(()));
            }
        });
        Ok(Self { addr, shared })
    }

    /// Returns where it listens.
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The key that records are signed with.
    pub(super) fn public_key(&self) -> VerifyingKey {
        self.shared.key.verifying_key()
    }

    /// Turns swaps on or off.
    pub(super) fn swap(&self, on: bool) {
        self.shared.swapping.store(on, Ordering::Relaxed);
    }

    /// The version that the edge serves.
    pub(super) fn taken(&self) -> u64 {
        self.shared.taken.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// Answers the requests of one connection, one after the other.
    fn serve(&self, stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        let mut writer = stream.try_clone()?;
        let mut reader = BufReader::new(stream);
        while let Some(path) = request_path(&mut reader)? {
            let answer = self.answer(&path)?;
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n\
                 content-length: {}\r\n\r\n",
                answer.len()
            );
            let mut bytes = head.into_bytes();
            bytes.extend(answer);
            writer.write_all(&bytes)?;
        }
        Ok(())
    }

    /// The record after the one that the edge serves, at its time.
    fn answer(&self, path: &str) -> Result<Vec<u8>> {
        let after = path
            .split(['?', '&'])
            .find_map(|pair| pair.strip_prefix("after="));
        let after: MapVersion = after
            .and_then(|text| text.parse().ok())
            .with_context(|| format!("the edge asked for {path}"))?;
        self.taken.store(after.version, Ordering::Relaxed);
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        // The first map is not waited for, and neither is the pace of swaps that were missed while
        // they were off.
        if after.version > 0 {
            while !self.swapping.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK_EVERY);
            }
            std::thread::sleep(next.at.saturating_duration_since(Instant::now()));
        }
        next.at = (next.at + self.every).max(Instant::now());
        let generation = usize::from(next.header.version.version % 2 == 1);
        let record = record::seal(next.header.clone(), &self.bodies[generation], &self.key)?;
        let digest = record::open(&record, &[self.key.verifying_key()])?.digest;
        next.header = following(next.header.clone(), digest);
        Ok(record)
    }
}

/// The header of the map after the one with this header and digest.
fn following(header: Header, digest: Digest) -> Header {
    Header {
        version: MapVersion {
            version: header.version.version + 1,
            ..header.version
        },
        parent: digest,
        ..header
    }
}

/// The path of the next request; `None` when the other side is done.
fn request_path(reader: &mut BufReader<TcpStream>) -> Result<Option<String>> {
    let mut head = reader.take(HEAD_BYTES_MAX);
    let mut first = String::new();
    if head.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut line = String::new();
    // The head ends with an empty line; a GET has no body (RFC 9112 section 6).
    while head.read_line(&mut line)? > 0 && line.trim_end() != "" {
        line.clear();
    }
    let path = first.split(' ').nth(1).context("not a request")?;
    Ok(Some(path.to_owned()))
}

/// Gets something from a control API.
///
/// # Errors
/// When it does not answer, or not with 200.
pub(super) fn get(api: SocketAddr, path: &str, token: &str) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(api).with_context(|| format!("cannot reach {api}"))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {api}\r\nauthorization: Bearer {token}\r\n\
         connection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let end = end.context("the control API gave no answer")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    if !head.starts_with("http/1.1 200") || head.contains("transfer-encoding") {
        bail!("{path}: {}", head.lines().next().unwrap_or_default());
    }
    Ok(answer.split_off(end + 4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use coverage::Timestamp;
    use coverage::catalog::Catalog;
    use coverage::map::CoverageMapBuilder;

    fn body(name: &str) -> Body {
        Body {
            catalog: Catalog {
                retired_services: vec![name.into()],
                ..Catalog::default()
            },
            map: CoverageMapBuilder::new(0, 1).finish().unwrap(),
        }
    }

    /// Asks as an edge does, over one connection.
    fn ask(stream: &mut BufReader<TcpStream>, after: MapVersion) -> Vec<u8> {
        let path = format!("/v1/map/record?after={after}&wait=20s&edge=e");
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut len = 0;
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).unwrap();
            if let Some(value) = line.strip_prefix("content-length: ") {
                len = value.trim().parse().unwrap();
            }
        }
        let mut content = vec![0; len];
        stream.read_exact(&mut content).unwrap();
        content
    }

    #[test]
    fn generations_alternate_at_the_pace_and_each_is_newer() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let header = Header {
            version: MapVersion {
                epoch: 3,
                version: 10,
            },
            parent: Digest::default(),
            created_at: Timestamp::default(),
            table_digest: Digest::default(),
            input_digest: Digest::default(),
            body_bytes: 0,
        };
        let bodies = [body("lower"), body("upper")];
        let first = record::seal(header, &bodies[0], &key).unwrap();
        let every = Duration::from_millis(20);
        let control = ControlPlane::start(&first, bodies.clone(), key, every).unwrap();
        control.swap(true);
        let mut stream = BufReader::new(TcpStream::connect(control.addr()).unwrap());
        let mut after = MapVersion::default();
        let begun = Instant::now();
        for version in 11..=15 {
            let record = ask(&mut stream, after);
            let opened = record::open(&record, &[control.public_key()]).unwrap();
            assert_eq!(opened.header.version, MapVersion { epoch: 3, version });
            let generation = usize::try_from(version % 2).unwrap();
            assert_eq!(opened.body().unwrap(), bodies[generation]);
            assert_eq!(control.taken(), after.version);
            after = opened.header.version;
        }
        // The first is given at once, and so is the second, whose time has come by then or not.
        assert!(begun.elapsed() >= every * 3, "{:?}", begun.elapsed());
    }
}
