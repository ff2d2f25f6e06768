//! Questions of people to the engine: what would be solved, and why a client gets its answer.

use super::{Engine, Steering};
use crate::explain::{self, ExplainError, Explanation};

use coverage::Timestamp;
use instance::Instance;
use std::net::IpAddr;

impl Engine {
    /// The instance that the next tick would solve; `fresh` as if no map were in force, so that
    /// nothing costs a move.
    #[must_use]
    pub fn instance(&self, fresh: bool, now: Timestamp) -> Instance {
        let health = self.known.health(now);
        let incumbent = self.in_force.plan.as_deref().filter(|_| !fresh);
        let facts = self.known.facts(&health, incumbent);
        facts.instance(&self.drains.limits(now, &self.known.inventory), now)
    }

    /// Tells why `client` gets its answer for `name`.
    ///
    /// # Errors
    /// [`ExplainError`].
    pub fn explain(
        &self,
        name: &str,
        client: IpAddr,
        now: Timestamp,
    ) -> Result<Explanation, ExplainError> {
        let snapshot = self.in_force.snapshot.as_ref().ok_or(ExplainError::NoMap)?;
        let health = self.known.health(now);
        let facts = self.known.facts(&health, None);
        let limits = self.drains.limits(now, &self.known.inventory);
        let solved = self.last.as_ref().map(|last| explain::Solved {
            instance: &last.instance,
            plan: &last.plan,
            certificate: &last.certificate,
        });
        let story = explain::Story {
            facts: &facts,
            limits: &limits,
            snapshot,
            solved,
            now,
        };
        let mut told = story.explain(name, client)?;
        told.tier = self.in_force.tier;
        let Steering { policies, areas } = &*self.steering;
        let area = snapshot.table.lookup(client.to_canonical()).area;
        // A map made for another table has other areas.
        if snapshot.table.digest() == self.known.table.digest() {
            let (service, group) = (&told.service, &told.answer.group);
            told.policy = policies.explain(areas, &self.checks, service, area, group);
        }
        Ok(told)
    }
}
