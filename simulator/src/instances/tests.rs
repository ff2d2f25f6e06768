//! Instances are what their names say, and the same every time.

use super::*;
use coverage::AreaTable;

const CITIES: &str = "from,to,km,avg_ms\nLima,\"Oslo Norway, Eurasia\",1,200\nOslo,\"Lima Peru, South America\",1,210\n";

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
        (Name::Cn488, 400..1_500, 300),
        (Name::World242, 242..243, 242),
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
    assert_eq!((instance.units.len(), instance.sites.len()), (2, 2));
    let far = instance.units[0]
        .cand
        .iter()
        .map(|c| c.1)
        .fold(0.0, f64::max);
    assert!(far > 100.0, "{far}");
}
