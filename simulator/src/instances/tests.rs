//! Instances are what their names say, and the same every time.

use super::*;
use coverage::AreaTable;
use optimizer::{FeasibilityOptions, SolveOptions, feasibility, solve};

/// From Madrid, Oslo is nearer than Madrid itself: what only a measurement can say.
const CITIES: &str = "from,to,km,avg_ms\nOslo,\"Madrid Spain, Eurasia\",2390,200\n\
                      Madrid,\"Oslo Norway, Eurasia\",2390,0.1\n";

fn table() -> AreaTable {
    AreaTable::decode(include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../data/geo/areas.wsa"
    )))
    .unwrap()
}

#[test]
fn names_are_read_as_they_are_written() {
    for name in NAMES {
        assert_eq!(name.to_string().parse::<Name>().unwrap(), name);
    }
    assert!("ecs".parse::<Name>().is_err());
}

#[test]
fn equal_seeds_give_equal_instances_of_the_promised_size() {
    let table = table();
    let sources = Sources {
        table: &table,
        round_trips_csv: None,
    };
    for (name, units, sites) in [
        (Name::Cn488, 1_464..1_465, 300),
        (Name::Cn488Requests, 1_464..1_465, 300),
        (Name::World242, 242..243, 339),
        (Name::InfeasibleEast, 20_000..20_001, 300),
    ] {
        let make = |seed| generate(name, seed, &sources).unwrap();
        let instance = make(1);
        assert!(
            units.contains(&instance.units.len()),
            "{name}: {}",
            instance.units.len()
        );
        assert_eq!(instance.sites.len(), sites, "{name}");
        assert_eq!(instance.digest(), make(1).digest(), "{name}");
        assert_ne!(instance.digest(), make(2).digest(), "{name}");
    }
}

#[test]
fn what_the_east_lacks_is_all_that_is_unserved() {
    let table = table();
    let sources = Sources {
        table: &table,
        round_trips_csv: None,
    };
    let instance = generate(Name::InfeasibleEast, 1, &sources).unwrap();
    let short = feasibility(&instance, &FeasibilityOptions::default());
    let solved = solve(&instance, &SolveOptions::default(), None);
    let unserved_mbps = solved.certificate.levels.unserved_mbps;
    assert!(short.unserved_mbps > 0.0);
    assert!((unserved_mbps - short.unserved_mbps).abs() < 1e-6 * unserved_mbps);
    let missing = short.bottleneck.unwrap().missing_by_region;
    let east: f64 = (missing.iter().filter(|(region, _)| region == "east"))
        .map(|(_, mbps)| mbps)
        .sum();
    // Some who are nearest to other places depend on the east as well.
    assert!(east > 0.95 * unserved_mbps, "{missing:?}");
}

#[test]
fn other_sizes_keep_the_load() {
    let table = table();
    let sources = Sources {
        table: &table,
        round_trips_csv: None,
    };
    let instance = generate_sized(3_000, 40, 1, &sources).unwrap();
    assert_eq!((instance.units.len(), instance.sites.len()), (3_000, 40));
    let demand: f64 = instance.units.iter().map(|unit| unit.mbps).sum();
    let capacity: f64 = instance.sites.iter().map(|site| site.capacity_mbps).sum();
    assert!(
        (0.7..0.95).contains(&(demand / capacity)),
        "{}",
        demand / capacity
    );
}

#[test]
fn measured_times_are_used_where_they_are_given() {
    let table = table();
    let sources = Sources {
        table: &table,
        round_trips_csv: Some(CITIES),
    };
    let instance = generate(Name::World242, 1, &sources).unwrap();
    assert_eq!((instance.units.len(), instance.sites.len()), (2, 339));
    assert_eq!(instance.units[0].area, "Madrid");
    let best = instance.units[0].cand[0].0.index();
    assert_eq!(instance.links[best].site, "osl");
}

#[test]
fn one_contract_has_all_ports_of_an_isp_in_a_region() {
    let table = table();
    let sources = Sources {
        table: &table,
        round_trips_csv: None,
    };
    let mut instance = generate(Name::Cn488, 1, &sources).unwrap();
    across::share_contracts(&mut instance, 1);
    instance.validate().unwrap();
    let region = |site: &str| {
        let site = instance.sites.iter().find(|s| s.id == site).unwrap();
        site.region.as_str()
    };
    for contract in &instance.contracts {
        let links = instance
            .links
            .iter()
            .filter(|link| link.contract == contract.id);
        let ports_mbps: f64 = links.clone().map(|link| link.capacity_mbps).sum();
        assert!(contract.free_below_mbps < ports_mbps);
        for link in links {
            let isp = link.id.rsplit('/').next().unwrap();
            assert_eq!(contract.id, format!("{}/{isp}", region(&link.site)));
        }
    }
}
