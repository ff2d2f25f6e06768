//! Addresses of resources, and what is said of their states.

use super::checks::{Monitor, Services};
use super::scope::Scope;
use super::states::States;
use crate::fault::{Effect, Faults, ImportError, Place};
use crate::vscf::Node;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Monitors of the addresses of one family.
#[derive(Clone, Debug)]
pub(super) struct Watch<'a> {
    /// Names of service types.
    services: Vec<&'a str>,
    /// Monitors that probe.
    pub(super) checks: BTreeSet<String>,
}

impl<'a> Watch<'a> {
    /// Reads `service_types` of a scope.
    ///
    /// # Errors
    /// [`ImportError::Invalid`] for a service type that is not defined.
    pub(super) fn read(scope: &Scope<'a>, services: &Services) -> Result<Self, ImportError> {
        let node = scope.get("service_types");
        let names = node.map_or_else(|| Ok(vec!["up"]), |node| node.texts("service_types"))?;
        let mut checks = BTreeSet::new();
        for name in &names {
            match (services.get(name), node) {
                (Some(Monitor::Check(check)), _) => {
                    checks.insert(check.name.clone());
                }
                (None, Some(node)) => {
                    return Err(node.wrong(
                        "service_types",
                        &format!("names {name:?}, which is not defined"),
                    ));
                }
                _ => {}
            }
        }
        Ok(Self {
            services: names,
            checks,
        })
    }

    /// The state that a thing has whatever checks say; `None` when they decide. `thing` is its name
    /// in `admin_state`, where addresses stand in their shortest form. `checks` are those that its
    /// pool will have, which may be more than its own.
    pub(super) fn state(
        &self,
        thing: &str,
        place: &Place,
        checks: &BTreeSet<String>,
        services: &Services,
        states: &States,
        faults: &mut Faults,
    ) -> Option<bool> {
        let (mut down, mut open, mut forced_up) = (false, false, false);
        for name in &self.services {
            match (
                states.forced(&format!("{thing}/{name}")),
                services.get(name),
            ) {
                (Some(false), _) | (None, Some(Monitor::Fixed(false))) => down = true,
                (None, Some(Monitor::Check(_))) => open = true,
                (Some(true), Some(Monitor::Check(_))) => forced_up = true,
                _ => {}
            }
        }
        if down {
            return Some(false);
        }
        if open && (forced_up || self.checks != *checks) {
            faults.add(
                place,
                Effect::Changed,
                format!("service_types of {thing}"),
                format!(
                    "all checks of a pool hold for all its addresses, so this one must pass {}",
                    checks.iter().cloned().collect::<Vec<_>>().join(", ")
                ),
            );
        }
        (!open && !checks.is_empty()).then_some(true)
    }
}

/// An address of a resource.
///
/// # Errors
/// [`ImportError::Invalid`] for other text.
pub(super) fn address(node: &Node) -> Result<IpAddr, ImportError> {
    node.parsed("an address", "an IPv4 or IPv6 address")
}
