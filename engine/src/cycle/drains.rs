//! Drains as the engine hears of them, and the world that they are judged by.

use super::Engine;
use crate::drain::{self, Drain, Drains};
use crate::health::Health;
use crate::world::World;
use coverage::Timestamp;
use std::time::Duration;

/// Longest time from publishing to serving on an edge that is not heard from: two of its polls.
const EDGE_LAG_MAX: Duration = Duration::from_secs(40);

impl Engine {
    /// Asks for a drain: admitted, queued or refused, with the proof.
    ///
    /// # Errors
    /// [`drain::RequestError`] when the request itself is wrong; a refusal by proof is a drain in
    /// state `refused`.
    pub fn request_drain(
        &mut self,
        request: drain::Request,
        now: Timestamp,
    ) -> Result<Drain, drain::RequestError> {
        let health = self.health(now);
        self.judge_drains(&health, now, |drains, world| {
            drains.request(request, world, now).cloned()
        })
    }

    /// Renews a drain's lease from now.
    ///
    /// # Errors
    /// [`drain::ChangeError`].
    pub fn renew_drain(
        &mut self,
        id: &str,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Drain, drain::ChangeError> {
        self.drains.renew(id, lease, now).cloned()
    }

    /// Ends a drain; its target refills.
    ///
    /// # Errors
    /// [`drain::ChangeError`].
    pub fn cancel_drain(&mut self, id: &str, now: Timestamp) -> Result<Drain, drain::ChangeError> {
        self.drains.cancel(id, now).cloned()
    }

    /// Runs `judge` on the drains with the world as it is now.
    pub(super) fn judge_drains<T>(
        &mut self,
        health: &Health,
        now: Timestamp,
        judge: impl FnOnce(&mut Drains, &drain::World<'_>) -> T,
    ) -> T {
        let mut drains = self.drains.clone();
        let serving = self.in_force.snapshot.as_deref();
        let facts = World::new(self.facts(health, None), serving, now);
        let world = drain::World {
            inventory: &self.inventory,
            facts: &facts,
            demand_mbps: facts.demand_mbps(),
            published: serving.map(|snapshot| drain::Published {
                version: snapshot.version,
                at: snapshot.created_at.min(now),
                holds_as_of: self.in_force.holds_as_of,
            }),
            edges_confirmed: self.edges_confirmed,
            ttl_max: self.inventory.ttl_max(),
            edge_lag_max: EDGE_LAG_MAX,
        };
        let judged = judge(&mut drains, &world);
        self.drains = drains;
        judged
    }
}
