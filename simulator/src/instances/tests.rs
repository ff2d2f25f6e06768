//! Instances are what their names say, and the same every time.

use super::*;
use coverage::AreaTable;

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
fn measured_times_are_used_where_they_are_given() {
    let table = table();
    let sources = Sources {
        table: &table,
        round_trips_csv: Some(CITIES),
    };
    let instance = generate(Name::World242, 1, &sources).unwrap();
    assert_eq!((instance.units.len(), instance.sites.len()), (2, 339));
    assert_eq!(instance.units[0].area, "Madrid");
    let best = instance.units[0].cand[0].0 as usize;
    assert_eq!(instance.links[best].site, "osl");
}
