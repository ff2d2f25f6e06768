//! Active checks: addresses are asked whether they serve, and what is found becomes observations.
//!
//! One task per (check, address) sleeps, probes and counts; a semaphore bounds how many probe at
//! once. Nothing is told but changes, after the thresholds of the check, so that one lost packet
//! moves nobody.

use coverage::observation::{Observation, Sample};
use coverage::{CheckId, Timestamp};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

/// Most probes under way at a time.
const CONCURRENT_MAX: usize = 256;

/// Check of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Name in configuration and telemetry.
    pub name: String,
    /// Kind of check.
    pub kind: CheckKind,
    /// TCP port.
    pub port: u16,
    /// Time between two probes of one address.
    pub interval: Duration,
    /// Longest time of one probe.
    pub timeout: Duration,
    /// Successes in a row that bring an address back.
    pub up_after: u32,
    /// Failures in a row that take an address away.
    pub down_after: u32,
}

/// Action of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckKind {
    /// Opens a connection.
    Tcp,
    /// Asks for a path and looks at the status.
    Http {
        /// Path and query.
        path: String,
        /// `Host` header; the address itself when absent.
        host: Option<String>,
        /// Statuses that count as success.
        ok_codes: Vec<u16>,
    },
}

/// State of one address, and how many results in a row speak against it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streak {
    up: Option<bool>,
    against: u32,
}

impl Streak {
    /// Takes a result; the state if it is new. The first result counts at once.
    pub fn take(&mut self, success: bool, check: &Check) -> Option<bool> {
        let Some(up) = self.up else {
            self.up = Some(success);
            return self.up;
        };
        if success == up {
            self.against = 0;
            return None;
        }
        self.against += 1;
        let needed = if success {
            check.up_after
        } else {
            check.down_after
        };
        if self.against < needed {
            return None;
        }
        *self = Self {
            up: Some(success),
            against: 0,
        };
        self.up
    }
}

/// Probes until `stop` turns true. `tell` gets every change; it returns whether it took it, and is
/// asked again with the next probe if not.
pub async fn run(
    targets: Vec<(CheckId, Check, Vec<IpAddr>)>,
    clock: fn() -> Timestamp,
    tell: impl Fn(Observation) -> bool + Send + Sync + 'static,
    mut stop: watch::Receiver<bool>,
) {
    let tell: Arc<Tell> = Arc::new(tell);
    let permits = Arc::new(Semaphore::new(CONCURRENT_MAX));
    let mut tasks = JoinSet::new();
    for (id, check, addresses) in targets {
        let check = Arc::new(check);
        let count = u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        for (at, address) in (0..).zip(addresses) {
            let prober = Prober {
                id,
                check: Arc::clone(&check),
                address,
                // Spread over the interval, so that probes do not come in bursts.
                first: Instant::now() + check.interval / count * at,
                permits: Arc::clone(&permits),
                tell: Arc::clone(&tell),
                clock,
            };
            tasks.spawn(prober.run());
        }
    }
    // A dropped sender means stop as well. Dropping the set ends its tasks.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Receiver of what is found.
type Tell = dyn Fn(Observation) -> bool + Send + Sync;

/// One address under one check.
struct Prober {
    id: CheckId,
    check: Arc<Check>,
    address: IpAddr,
    first: Instant,
    permits: Arc<Semaphore>,
    tell: Arc<Tell>,
    clock: fn() -> Timestamp,
}

impl Prober {
    async fn run(self) {
        let mut next = self.first.min(Instant::now() + self.check.interval);
        let mut streak = Streak::default();
        let mut untold = None;
        loop {
            sleep_until(next).await;
            next = Instant::now() + self.check.interval;
            let success = {
                let Ok(_permit) = self.permits.acquire().await else {
                    return;
                };
                self.probe().await
            };
            if let Some(up) = streak.take(success, &self.check).or(untold) {
                let sample = Sample::Check {
                    check: self.id,
                    address: self.address,
                    up,
                };
                let at = (self.clock)();
                untold = (!(self.tell)(Observation { at, sample })).then_some(up);
            }
        }
    }

    /// Tells whether the address serves.
    async fn probe(&self) -> bool {
        let at = SocketAddr::new(self.address, self.check.port);
        let all = async {
            let stream = TcpStream::connect(at).await.ok()?;
            match &self.check.kind {
                CheckKind::Tcp => Some(()),
                CheckKind::Http {
                    path,
                    host,
                    ok_codes,
                } => {
                    let host = host.clone().unwrap_or_else(|| at.to_string());
                    let status = status(stream, path, &host).await?;
                    ok_codes.contains(&status).then_some(())
                }
            }
        };
        matches!(timeout(self.check.timeout, all).await, Ok(Some(())))
    }
}

/// The status that a server gives to `GET path`; the body is not read.
async fn status(stream: TcpStream, path: &str, host: &str) -> Option<u16> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .ok()?;
    let request = Request::get(path.parse::<Uri>().ok()?)
        .header("host", host)
        .header("user-agent", "watershed-check")
        .header("connection", "close")
        .body(Empty::<Bytes>::new())
        .ok()?;
    let ask = sender.send_request(request);
    tokio::pin!(connection);
    tokio::select! {
        reply = ask => reply.ok().map(|reply| reply.status().as_u16()),
        _ = &mut connection => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn check(kind: CheckKind, port: u16) -> Check {
        Check {
            name: "web".into(),
            kind,
            port,
            interval: Duration::from_millis(20),
            timeout: Duration::from_millis(500),
            up_after: 2,
            down_after: 3,
        }
    }

    #[test]
    fn the_first_result_counts_at_once_and_later_ones_by_thresholds() {
        let check = check(CheckKind::Tcp, 1);
        let mut streak = Streak::default();
        let results = [
            true, false, false, true, false, false, false, true, false, true, true,
        ];
        let told: Vec<_> = results.map(|success| streak.take(success, &check)).into();
        let mut expected = vec![None; results.len()];
        (expected[0], expected[6], expected[10]) = (Some(true), Some(false), Some(true));
        assert_eq!(told, expected);
    }

    /// Serves status codes over HTTP from a real socket, changes them, and lists what the checks
    /// told.
    #[tokio::test]
    async fn a_server_that_fails_and_returns_is_told_of_once_each() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (code, codes) = watch::channel(200_u16);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 1024];
                let read = stream.read(&mut head).await.unwrap_or(0);
                assert!(
                    head[..read]
                        .starts_with(b"GET /health?x HTTP/1.1\r\nhost: www.example.com\r\n")
                );
                let code = *codes.borrow();
                let reply = format!("HTTP/1.1 {code} Some\r\nContent-Length: 9\r\n\r\nnot read");
                let _ = stream.write_all(reply.as_bytes()).await;
            }
        });
        let kind = CheckKind::Http {
            path: "/health?x".into(),
            host: Some("www.example.com".into()),
            ok_codes: vec![200, 201],
        };
        let told = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = watch::channel(false);
        let tell = {
            let told = Arc::clone(&told);
            move |observation: Observation| {
                told.lock().unwrap().push(observation.sample);
                true
            }
        };
        let targets = vec![(
            CheckId(3),
            check(kind, port),
            vec!["127.0.0.1".parse().unwrap()],
        )];
        let probing = tokio::spawn(run(targets, Timestamp::default, tell, stopped));
        let states = || -> Vec<bool> {
            let told = told.lock().unwrap();
            let up = |sample: &Sample| match sample {
                Sample::Check {
                    check: CheckId(3),
                    up,
                    ..
                } => *up,
                other => panic!("{other:?}"),
            };
            told.iter().map(up).collect()
        };
        for (next, expected) in [(500, 1), (201, 2), (201, 3)] {
            let deadline = Instant::now() + Duration::from_secs(10);
            while states().len() < expected {
                assert!(Instant::now() < deadline, "{:?}", states());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            code.send(next).unwrap();
        }
        assert_eq!(states(), [true, false, true]);
        stop.send(true).unwrap();
        probing.await.unwrap();
    }

    #[tokio::test]
    async fn nobody_there_is_down() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let (told, mut seen) = watch::channel(None);
        let (_stop, stopped) = watch::channel(false);
        let tell = move |observation: Observation| told.send(Some(observation.sample)).is_ok();
        let targets = vec![(
            CheckId(0),
            check(CheckKind::Tcp, port),
            vec!["127.0.0.1".parse().unwrap()],
        )];
        tokio::spawn(run(targets, Timestamp::default, tell, stopped));
        let first = seen.wait_for(Option::is_some).await.unwrap().clone();
        assert!(
            matches!(first, Some(Sample::Check { up: false, .. })),
            "{first:?}"
        );
    }
}
