//! Rounds of questions over real sockets: so many in flight at most, no new ones after the round's
//! time is over.

use crate::config::{RunOptions, Servers};
use crate::dns_client::{self, AskError, Question, Reply};
use crate::http_client::{HttpClient, HttpError, Resolved};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Outcome of one question.
#[derive(Debug)]
pub(crate) struct Asked<T> {
    /// Index of the question in its round.
    pub(crate) index: usize,
    /// Time from question to answer, us.
    pub(crate) latency_us: u64,
    /// The answer.
    pub(crate) answer: T,
}

/// A question for the 302 server.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    /// Host of the service.
    pub(crate) host: Arc<str>,
    /// Path of the object.
    pub(crate) path: String,
    /// The client.
    pub(crate) client: IpAddr,
}

/// Sockets and connections of all clients.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    dns: Option<(SocketAddr, Arc<[UdpSocket]>)>,
    http: HttpClient,
    timeout: Duration,
    in_flight_max: usize,
}

impl Asker {
    /// Opens the sockets; each waits for one answer at a time.
    pub(crate) async fn open(servers: &Servers, run: &RunOptions) -> io::Result<Self> {
        let timeout = Duration::from_millis(run.timeout_ms.max(1));
        let in_flight_max = run.in_flight_max.clamp(1, 1024);
        let mut sockets = Vec::new();
        if let Some(server) = servers.dns {
            let any = if server.is_ipv4() {
                IpAddr::V4(Ipv4Addr::UNSPECIFIED)
            } else {
                IpAddr::V6(Ipv6Addr::UNSPECIFIED)
            };
            for _ in 0..in_flight_max {
                let socket = UdpSocket::bind((any, 0)).await?;
                socket.connect(server).await?;
                sockets.push(socket);
            }
        }
        let dns = servers.dns.map(|server| (server, Arc::from(sockets)));
        Ok(Self {
            dns,
            http: HttpClient::new(timeout),
            timeout,
            in_flight_max,
        })
    }

    /// For telemetry.
    pub(crate) const fn http(&self) -> &HttpClient {
        &self.http
    }

    /// Asks the DNS server; nothing when there is none.
    pub(crate) async fn dns(
        &self,
        questions: Vec<Question>,
        until: Instant,
    ) -> Vec<Asked<Result<Reply, AskError>>> {
        let Some((server, sockets)) = self.dns.clone() else {
            return Vec::new();
        };
        let timeout = self.timeout;
        let ask = move |worker: usize, question: Question| {
            let sockets = Arc::clone(&sockets);
            async move { dns_client::ask(&sockets[worker], server, &question, timeout).await }
        };
        spread(questions, self.in_flight_max, until, ask).await
    }

    /// Visits the 302 server; returns authorities.
    pub(crate) async fn redirect(
        &self,
        server: SocketAddr,
        visits: Vec<Visit>,
        until: Instant,
    ) -> Vec<Asked<Result<String, HttpError>>> {
        let http = self.http.clone();
        let ask = move |_, visit: Visit| {
            let http = http.clone();
            async move {
                http.redirect(server, &visit.host, &visit.path, visit.client)
                    .await
            }
        };
        spread(visits, self.in_flight_max, until, ask).await
    }

    /// Asks the HTTPDNS API.
    pub(crate) async fn httpdns(
        &self,
        server: SocketAddr,
        questions: Vec<(String, IpAddr)>,
        until: Instant,
    ) -> Vec<Asked<Result<Resolved, HttpError>>> {
        let http = self.http.clone();
        let ask = move |_, (path, client): (String, IpAddr)| {
            let http = http.clone();
            async move { http.resolve(server, &path, client).await }
        };
        spread(questions, self.in_flight_max, until, ask).await
    }
}

/// Works through `jobs` with so many workers; a worker takes no new job after `until`. Jobs that
/// were not begun are absent from what is returned, which is ordered by index.
async fn spread<J, T, F, A>(jobs: Vec<J>, workers: usize, until: Instant, ask: F) -> Vec<Asked<T>>
where
    J: Clone + Send + Sync + 'static,
    T: Send + 'static,
    F: Fn(usize, J) -> A + Clone + Send + 'static,
    A: Future<Output = T> + Send,
{
    let workers = workers.min(jobs.len());
    let (jobs, next) = (Arc::new(jobs), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for worker in 0..workers {
        let (jobs, next, ask) = (Arc::clone(&jobs), Arc::clone(&next), ask.clone());
        tasks.spawn(async move {
            let mut done = Vec::new();
            while Instant::now() < until {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(job) = jobs.get(index) else { break };
                let asked_at = Instant::now();
                let answer = ask(worker, job.clone()).await;
                let latency_us = u64::try_from(asked_at.elapsed().as_micros()).unwrap_or(u64::MAX);
                done.push(Asked {
                    index,
                    latency_us,
                    answer,
                });
            }
            done
        });
    }
    let mut all: Vec<Asked<T>> = tasks.join_all().await.into_iter().flatten().collect();
    all.sort_unstable_by_key(|asked| asked.index);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_jobs_are_done_once_and_in_order() {
        let until = Instant::now() + Duration::from_secs(60);
        let done = spread((0..100).collect(), 7, until, |_, job: u32| async move {
            tokio::task::yield_now().await;
            job * 2
        });
        let answers: Vec<u32> = done.await.into_iter().map(|asked| asked.answer).collect();
        assert_eq!(answers, (0..100).map(|job| job * 2).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn nothing_begins_after_the_time_is_over() {
        let done = spread(vec![1, 2, 3], 2, Instant::now(), |_, job: u32| async move {
            job
        })
        .await;
        assert!(done.is_empty());
    }
}
