//! Jobs and results that went wrong on the way, for tests of what refuses them.

use super::*;

impl Job {
    /// A full solve of another instance.
    pub(in crate::cycle) fn of_another(mut self, change: impl FnOnce(&mut Instance)) -> Self {
        let Work::Full { instance, .. } = &mut self.work else {
            panic!("a warm solve has no instance of its own");
        };
        change(instance);
        self
    }
}

impl Solved {
    /// Returns what comes of it when the solver finds something else: checked like all that it
    /// finds.
    pub(in crate::cycle) fn but_found(self, change: impl FnOnce(&mut optimizer::Solved)) -> Self {
        let found = *self.found.unwrap();
        let mut solved = optimizer::Solved {
            plan: found.plan,
            certificate: found.certificate,
            outcome: found.outcome,
            pivots: 0,
            threads: 1,
        };
        change(&mut solved);
        let in_force = InForce {
            plan: self.in_force.as_deref(),
            bands: Bands::default(),
        };
        let found = Found::new(found.instance, solved, found.tree, in_force);
        Self {
            found: Ok(Box::new(found)),
            ..self
        }
    }
}
