//! Tests of the population: honest prefixes, sane shares, repeatable draws.

use super::*;
use coverage::area::AreaTableBuilder;
use proptest::prelude::*;

/// Guangdong and Beijing, two ISPs, and Germany with IPv4 only.
pub(crate) fn table() -> AreaTable {
    let attrs = |country: &str, province: &str, isp: &str, (latitude, longitude)| AreaAttrs {
        country: country.into(),
        province: province.into(),
        isp: isp.into(),
        latitude: Some(latitude),
        longitude: Some(longitude),
        ..AreaAttrs::default()
    };
    let (south, north, europe) = ((23.1, 113.3), (39.9, 116.4), (51.0, 10.0));
    let mut builder = AreaTableBuilder::new();
    builder.add_v4(0x0e00_0000, 0x0e0f_ffff, &attrs("cn", "44", "ct", south));
    builder.add_v4(0x0e10_0000, 0x0e10_007f, &attrs("cn", "44", "cu", south));
    builder.add_v4(0x0e10_0080, 0x0e1f_ffff, &attrs("cn", "44", "cu", south));
    builder.add_v4(0x0e20_0000, 0x0e2f_ffff, &attrs("cn", "11", "ct", north));
    builder.add_v4(0x5000_0000, 0x500f_ff7f, &attrs("de", "", "", europe));
    builder.add_v4(0x500f_ff80, 0x500f_ffff, &attrs("cn", "11", "cu", north));
    builder.add_v6(
        0x240e_0000_0000_0000,
        0x240e_00ff_ffff_ffff,
        &attrs("cn", "44", "ct", south),
    );
    builder.add_v6(
        0x2408_0000_0000_0000,
        0x2408_00ff_ffff_ffff,
        &attrs("cn", "11", "ct", north),
    );
    builder.finish().unwrap()
}

fn check(population: &Population, table: &AreaTable) {
    for client in &population.clients {
        let area = &population.areas[client.area];
        for addr in [client.addr, client.source.addr()] {
            assert_eq!(
                table.lookup(addr).area,
                area.id,
                "{addr} is of {}",
                area.name
            );
        }
        assert!(client.source.covers(client.addr));
        assert!(client.resolver < population.resolvers.len());
    }
    for index in 0..population.areas.len() {
        let own = population
            .clients
            .iter()
            .filter(|client| client.area == index);
        let total: f64 = own.map(|client| client.share).sum();
        assert!(
            (total - 1.0).abs() < 1e-9,
            "{}: {total}",
            population.areas[index].name
        );
    }
    let total: f64 = population.areas.iter().map(|area| area.share).sum();
    assert!((total - 1.0).abs() < 1e-9, "{total}");
}

#[test]
fn clients_live_where_the_table_says() {
    let table = table();
    let population = Population::draw(&table, &PopulationOptions::default(), 1);
    check(&population, &table);
    let names: Vec<_> = population
        .areas
        .iter()
        .map(|area| area.name.as_str())
        .collect();
    // The last half of a /24 that begins abroad has no prefix of its own to be told by.
    assert_eq!(names, ["cn/11/ct", "cn/44/ct", "cn/44/cu", "de"]);
    assert!(
        population
            .clients
            .iter()
            .any(|client| client.addr.is_ipv6())
    );
}

#[test]
fn options_are_followed() {
    let options = PopulationOptions {
        areas_max: 1,
        ipv6_share: 1.0,
        without_ecs_share: 1.0,
        overstay_share: 1.0,
        ..PopulationOptions::default()
    };
    let population = Population::draw(&table(), &options, 1);
    assert_eq!(population.areas.len(), 1);
    assert!(
        population
            .clients
            .iter()
            .all(|client| client.addr.is_ipv6())
    );
    assert!(
        population
            .resolvers
            .iter()
            .all(|r| !r.sends_ecs && (2.0..=10.0).contains(&r.overstay))
    );
}

proptest! {
    #[test]
    fn any_seed_draws_an_honest_population(seed in any::<u64>(), per_resolver in 0_usize..6) {
        let table = table();
        let options = PopulationOptions { clients_per_resolver: per_resolver, ..PopulationOptions::default() };
        let population = Population::draw(&table, &options, seed);
        check(&population, &table);
        prop_assert_eq!(population, Population::draw(&table, &options, seed));
    }
}
