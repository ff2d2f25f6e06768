//! The problem in random parts, each solved by itself (POP: Narayanan et al., SOSP 2021).

use super::Baseline;
use checker::CheckFailure;
use coverage::split::scatter;
use instance::Instance;
use instance::Shares;
use optimizer::{SolveOptions, solve};

/// Units drawn into `parts` parts of equal capacity, each solved to its optimum with that part of
/// every limit and of every free level. Fast, because parts are small and could be solved beside
/// each other; worse, because what one part has to spare no other may use.
///
/// # Errors
/// [`CheckFailure`] when the instance is not valid.
pub fn pop(instance: &Instance, parts: u32, seed: u64) -> Result<Baseline, CheckFailure> {
    let parts = parts.max(1);
    let part_of = |unit: usize| scatter(seed ^ scatter(unit as u64)) % u64::from(parts);
    let mut shares = vec![Shares::new(); instance.units.len()];
    for part in 0..parts {
        let members: Vec<usize> = (0..instance.units.len())
            .filter(|unit| part_of(*unit) == u64::from(part))
            .collect();
        let part = cut(instance, &members, f64::from(parts));
        let solved = solve(&part, &SolveOptions::default(), None);
        for (unit, share) in members.into_iter().zip(solved.plan.shares) {
            shares[unit] = share;
        }
    }
    Baseline::of(instance, shares)
}

/// The problem of some units with one of `parts` parts of everything.
fn cut(instance: &Instance, members: &[usize], parts: f64) -> Instance {
    let mut cut = Instance {
        units: members
            .iter()
            .map(|unit| instance.units[*unit].clone())
            .collect(),
        links: instance.links.clone(),
        sites: instance.sites.clone(),
        regions: instance.regions.clone(),
        contracts: instance.contracts.clone(),
        ..*instance
    };
    let less = |mbps: &mut f64| *mbps /= parts;
    for link in &mut cut.links {
        less(&mut link.capacity_mbps);
        link.watermark_mbps.iter_mut().for_each(less);
    }
    for site in &mut cut.sites {
        less(&mut site.capacity_mbps);
        site.watermark_mbps.iter_mut().for_each(less);
        if let Some(rps) = &mut site.capacity_rps {
            *rps /= parts;
        }
    }
    for region in &mut cut.regions {
        less(&mut region.capacity_mbps);
        region.watermark_mbps.iter_mut().for_each(less);
    }
    for contract in &mut cut.contracts {
        less(&mut contract.free_below_mbps);
    }
    cut
}
