//! A month over a configured CDN: its real inventory, and the areas of its table that ask for most.

use super::MonthOptions;
use super::generated::template;
use super::scenario::{Scenario, UnitShape};
use crate::curve::Shape;
use crate::population::PopulationOptions;
use crate::weights::area_shares;
use coverage::{AreaTable, LinkId, ServiceId};
use engine::billing::UtcOffset;
use engine::estimate::priors;
use engine::inventory::{Contract, Inventory};
use instance::Shares;
use instance::Unit;

/// Areas kept; the others' demand is added to them in proportion.
const AREAS_MAX: usize = 64;
/// Candidates of a unit: the nearest links that may serve it.
const CANDIDATES: usize = 12;

/// Contracts that do not count their months by one clock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "meter {first:?} counts its months at {first_zone} and contract {other:?} at {other_zone}, but a month is played by one clock: give all contracts the same utc-offset"
)]
pub struct MixedZones {
    first: String,
    first_zone: UtcOffset,
    other: String,
    other_zone: UtcOffset,
}

/// A month over `inventory` and the areas of `table`, with as much demand in all as options or else
/// its services say. Areas ask as they do where a population drives a daemon.
///
/// # Errors
/// [`MixedZones`]: no month is the month of all contracts.
pub fn configured(
    inventory: &Inventory,
    table: &AreaTable,
    options: &MonthOptions,
) -> Result<Scenario, MixedZones> {
    one_zone(&inventory.contracts)?;
    let quality_ms = priors(inventory, table);
    let links = inventory.links.len();
    let (areas, areas_known) = heaviest(table);
    let assumed: f64 = inventory.services.iter().map(|it| it.initial_mbps).sum();
    let scale = options
        .peak_mbps
        .filter(|_| assumed > 0.0)
        .map_or(1.0, |mbps| mbps / assumed);
    let mut units = Vec::new();
    let mut shapes = Vec::new();
    for (service, asked) in inventory.services.iter().enumerate() {
        let id = ServiceId::from_index(service);
        let serves = |link: &usize| {
            inventory
                .endpoints_for(LinkId::from_index(*link), id)
                .next()
                .is_some()
        };
        let open: Vec<usize> = (0..links).filter(serves).collect();
        for &(area, share) in &areas {
            let mut cand: Vec<(LinkId, f64)> = open
                .iter()
                .map(|link| (LinkId::from_index(*link), quality_ms[area * links + link]))
                .collect();
            cand.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
            cand.truncate(CANDIDATES);
            units.push(Unit {
                area: table.areas()[area].name.clone(),
                service: asked.served.name.clone(),
                mbps: 0.0,
                rps: 0.0,
                latency_limit_ms: Some(asked.latency_limit_ms),
                incumbent: Shares::new(),
                cand,
            });
            shapes.push(UnitShape {
                peak_mbps: asked.initial_mbps * scale * share,
                longitude: table.areas()[area].attrs.longitude.map_or(110.0, f64::from),
                shape: if service % 2 == 0 {
                    Shape::Evening
                } else {
                    Shape::Daytime
                },
                service,
                area,
            });
        }
    }
    let instance = template(inventory, units);
    let mut scenario = Scenario::draw(
        "configured CDN",
        (instance, inventory.clone()),
        &shapes,
        options,
    );
    scenario.areas_known = areas_known;
    Ok(scenario)
}

/// The areas that ask for most, in the order of the table, with their shares of all they ask for;
/// and how many areas ask.
fn heaviest(table: &AreaTable) -> (Vec<(usize, f64)>, usize) {
    let population = PopulationOptions::default();
    let shares = area_shares(table.areas(), &population.home, population.home_share);
    let mut areas: Vec<(usize, f64)> = shares
        .into_iter()
        .enumerate()
        .filter(|(_, share)| *share > 0.0)
        .collect();
    let known = areas.len();
    areas.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    areas.truncate(AREAS_MAX);
    areas.sort_unstable_by_key(|(area, _)| *area);
    let total: f64 = areas.iter().map(|(_, share)| share).sum();
    for (_, share) in &mut areas {
        *share /= total;
    }
    (areas, known)
}

fn one_zone(contracts: &[Contract]) -> Result<(), MixedZones> {
    let differs = |pair: &&[Contract]| pair[0].utc_offset != pair[1].utc_offset;
    contracts.windows(2).find(differs).map_or(Ok(()), |pair| {
        Err(MixedZones {
            first: pair[0].name.clone(),
            first_zone: pair[0].utc_offset,
            other: pair[1].name.clone(),
            other_zone: pair[1].utc_offset,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use instance::ContractModel;

    #[test]
    fn contracts_that_count_by_several_clocks_are_refused() {
        let contract = |name: &str, minutes| Contract {
            name: name.to_owned(),
            model: ContractModel::Month95,
            price_cny_per_mbps_month: 1.0,
            price_cny_per_gb: 0.0,
            commit_mbps: 0.0,
            utc_offset: UtcOffset::from_minutes(minutes).unwrap(),
        };
        let china = [contract("gz", 480), contract("sh", 480)];
        assert_eq!(one_zone(&china), Ok(()));
        let fault = one_zone(&[contract("gz", 480), contract("ny", -300)]).unwrap_err();
        let text = fault.to_string();
        assert!(
            text.contains("\"gz\" counts its months at +08:00")
                && text.contains("\"ny\" at -05:00"),
            "{text}"
        );
    }
}
