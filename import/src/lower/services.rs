//! Dynamic records to services.

use super::model::{Plan, Service, Steering};
use super::names::Names;
use super::steer::Steerer;
use crate::fault::{Effect, ImportError};
use crate::gdnsd::{Dynamic, Installation, Leaf, Resources, Trouble};
use std::collections::{BTreeMap, BTreeSet};

/// Longest TTL of a service, in seconds.
const TTL_MAX_S: u32 = 86_400;

/// Translates all dynamic records. Those of one resource and TTL become one service.
///
/// # Errors
/// [`ImportError`] for references that lead nowhere.
pub(super) fn services(
    installation: &Installation,
    resources: &mut Resources<'_>,
) -> Result<Plan, ImportError> {
    let mut steerer = Steerer::default();
    let mut steered: BTreeMap<String, Result<Steering, String>> = BTreeMap::new();
    let mut services: Vec<Service> = Vec::new();
    let mut by_key: BTreeMap<(String, u32), usize> = BTreeMap::new();
    let mut names = Names::default();
    let mut domains = BTreeSet::new();
    let records = installation.zones.iter().flat_map(|zone| &zone.dynamic);
    for record in records {
        let full = format!("{}!{}", record.plugin, record.resource);
        if !steered.contains_key(&full) {
            let found = match steer(record, &full, &mut steerer, resources) {
                Ok(steering) => Ok(steering),
                Err(Trouble::Lost(why)) => Err(why),
                Err(Trouble::Invalid(error)) => return Err(error),
            };
            steered.insert(full.clone(), found);
        }
        let steering = match &steered[&full] {
            Ok(steering) => steering,
            Err(why) => {
                let what = format!("{} {full}", record.owner);
                resources
                    .faults()
                    .add(&record.place, Effect::Lost, what, why.clone());
                continue;
            }
        };
        let ttl_s = ttl_s(record, steering, &steerer, resources);
        let next = services.len();
        let index = *by_key.entry((full.clone(), ttl_s)).or_insert(next);
        if index == next {
            services.push(Service {
                name: names.take(&full),
                domains: Vec::new(),
                ttl_s,
                steering: steering.clone(),
            });
        }
        let domain = record.owner.clone();
        if !domains.insert(domain.to_ascii_lowercase()) {
            let why = format!("{domain} has two dynamic records");
            return Err(ImportError::invalid(&record.place, why));
        }
        services[index].domains.push(domain);
    }
    Ok(Plan {
        pools: steerer.pools.all,
        policies: steerer.policies,
        services,
        ..Plan::default()
    })
}

fn steer(
    record: &Dynamic,
    full: &str,
    steerer: &mut Steerer,
    resources: &mut Resources<'_>,
) -> Result<Steering, Trouble> {
    let resource = resources.find(&record.plugin, &record.resource, &record.place)?;
    steerer.steer(full, &resource, resources, &record.place)
}

/// The TTL of a record's service, and notes on what of it is lost.
fn ttl_s(
    record: &Dynamic,
    steering: &Steering,
    steerer: &Steerer,
    resources: &mut Resources<'_>,
) -> u32 {
    let ttl_s = record.ttl_s.clamp(1, TTL_MAX_S);
    let what = || format!("TTL of {}", record.owner);
    if ttl_s != record.ttl_s {
        let why = format!(
            "{} s becomes {ttl_s} s: a service has 1 s to {TTL_MAX_S} s",
            record.ttl_s
        );
        resources
            .faults()
            .add(&record.place, Effect::Changed, what(), why);
    }
    let pools: Vec<usize> = match steering {
        Steering::Pools(pools) => pools.clone(),
        Steering::Policy { pools, .. } => pools.concat(),
    };
    let is_checked = pools
        .iter()
        .any(|pool| match &steerer.pools.all[*pool].leaf {
            Leaf::Addresses { checks, .. } => !checks.is_empty(),
            Leaf::Alias(..) => false,
        });
    if is_checked && record.ttl_min_s < ttl_s {
        let why = format!(
            "gdnsd lowers it to {} s where a check may soon change its mind; here it is always {ttl_s} s",
            record.ttl_min_s
        );
        resources
            .faults()
            .add(&record.place, Effect::Changed, what(), why);
    }
    ttl_s
}
