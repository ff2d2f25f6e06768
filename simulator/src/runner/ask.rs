//! Asking for all answers that ran out, and booking what came.

use super::Runner;
use crate::asking::{Asked, Visit};
use crate::cache::Validity;
use crate::cells::{Due, asks_ipv6};
use crate::dns_client::{AskError, Question, Reply};
use crate::stats::Tally;
use crate::topology::{Target, Topology};
use std::net::IpAddr;
use std::sync::Arc;
use tokio::time::Instant;

/// Least TTL that is obeyed, ms: no resolver asks more often for one name.
const TTL_MS_MIN: u64 = 1_000;

impl Runner {
    /// Asks for all answers that ran out.
    pub(super) async fn ask(&mut self, due: Due, now_ms: u64, until: Instant) {
        let questions: Vec<Question> = due.dns.iter().map(|index| self.question(*index)).collect();
        let asked = self.asker.dns(questions, until).await;
        for asked in asked {
            self.book_dns(due.dns[asked.index], asked, now_ms);
        }
        if let Some(server) = self.servers.redirect {
            let visit = |index: &usize| {
                let cell = &self.cells.cells[*index];
                Visit {
                    host: Arc::clone(&self.hosts[cell.service]),
                    path: format!("/object/{}/{}", cell.client, cell.object),
                    client: self.facts.population.clients[cell.client].addr,
                }
            };
            let visits = due.redirect.iter().map(visit).collect();
            for asked in self.asker.redirect(server, visits, until).await {
                let index = due.redirect[asked.index];
                match asked.answer {
                    Ok(authority) => {
                        self.tallies.redirect.latency.record(asked.latency_us);
                        self.book_redirect(index, &authority, now_ms);
                    }
                    Err(error) => self.tallies.redirect.fail(error.label()),
                }
            }
        }
        if let Some(server) = self.servers.httpdns {
            let question = |index: &usize| {
                let cell = &self.cells.cells[*index];
                let client = self.facts.population.clients[cell.client].addr;
                let name = &self.facts.topology.services[cell.service].domain;
                let ipv6 = asks_ipv6(client, self.facts.topology.all_ipv6);
                let path = self.httpdns_path.replace("{name}", name);
                let path = path.replace("{family}", if ipv6 { "6" } else { "4" });
                (path.replace("{client}", &client.to_string()), client)
            };
            let questions = due.httpdns.iter().map(question).collect();
            for asked in self.asker.httpdns(server, questions, until).await {
                let index = due.httpdns[asked.index];
                match asked.answer {
                    Ok(found) => {
                        self.tallies.httpdns.latency.record(asked.latency_us);
                        self.book_httpdns(index, &found.addresses, found.ttl_s, now_ms);
                    }
                    Err(error) => self.tallies.httpdns.fail(error.label()),
                }
            }
        }
    }

    fn question(&mut self, index: usize) -> Question {
        let cell = &self.cells.cells[index];
        let client = &self.facts.population.clients[cell.client];
        let resolver = &self.facts.population.resolvers[client.resolver];
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a message id is any 16 bits"
        )]
        let id = self.random.bits() as u16;
        Question {
            name: self.names[cell.service].clone(),
            ipv6: asks_ipv6(client.addr, self.facts.topology.all_ipv6),
            subnet: resolver.sends_ecs.then_some(client.source),
            id,
        }
    }

    fn book_dns(&mut self, index: usize, asked: Asked<Result<Reply, AskError>>, now_ms: u64) {
        let reply = match asked.answer {
            Ok(reply) => reply,
            Err(error) => return self.tallies.dns.fail(error.label()),
        };
        self.tallies.dns.latency.record(asked.latency_us);
        let Some(targets) = targets(
            &self.facts.topology,
            &reply.addresses,
            &mut self.tallies.dns,
        ) else {
            return;
        };
        let facts = Arc::clone(&self.facts);
        let cell = &self.cells.cells[index];
        let (service, client) = (cell.service, &facts.population.clients[cell.client]);
        let key = (
            client.resolver,
            service,
            asks_ipv6(client.addr, facts.topology.all_ipv6),
        );
        let validity = Validity::of(client.source, reply.scope);
        let overstay = facts.population.resolvers[client.resolver].overstay;
        let until_ms = self.until(index, f64::from(reply.ttl_s) * overstay, now_ms);
        self.cells
            .answered_by_dns((index, key), (validity, targets), now_ms, until_ms);
    }

    fn book_redirect(&mut self, index: usize, authority: &str, now_ms: u64) {
        let Some(target) = self.facts.topology.by_authority(authority) else {
            self.tallies.redirect.unknown_address += 1;
            return;
        };
        let service = self.cells.cells[index].service;
        let session_s = self.facts.topology.services[service].session_s;
        let until_ms = self.until(index, session_s, now_ms);
        self.cells.answered(index, Arc::from([target]), until_ms);
    }

    fn book_httpdns(&mut self, index: usize, addresses: &[IpAddr], ttl_s: u32, now_ms: u64) {
        let found = targets(&self.facts.topology, addresses, &mut self.tallies.httpdns);
        if let Some(targets) = found {
            let until_ms = self.until(index, f64::from(ttl_s), now_ms);
            self.cells.answered(index, targets, until_ms);
        }
    }

    /// Time at which an answer runs out that holds for `span_s`. A first answer has been in use for
    /// a while: otherwise all would run out at one time for ever.
    fn until(&mut self, index: usize, span_s: f64, now_ms: u64) -> u64 {
        let left = if self.cells.is_new(index) {
            self.random.unit()
        } else {
            1.0
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates"
        )]
        let span_ms = (span_s.max(0.0) * 1000.0 * left) as u64;
        now_ms.saturating_add(span_ms.max(TTL_MS_MIN))
    }
}

/// Returns where addresses lead; `None` when the answer is of no use, which is counted.
fn targets(topology: &Topology, addresses: &[IpAddr], tally: &mut Tally) -> Option<Arc<[Target]>> {
    if addresses.is_empty() {
        tally.empty += 1;
        return None;
    }
    let found: Option<Vec<Target>> = addresses
        .iter()
        .map(|addr| topology.by_address(*addr))
        .collect();
    if found.is_none() {
        tally.unknown_address += 1;
    }
    found.map(Arc::from)
}
