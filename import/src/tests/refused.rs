//! Tests of what is no configuration at all: gdnsd refuses these, too.

use super::Source;
use super::faults::geo;
use crate::ImportError;

/// Asserts that an installation is refused at a place, as `place why`, and where that is.
fn check(config: &str, records: &str, place: &str, why: &str) {
    let fault = Source::new(config, records).import().unwrap_err();
    assert!(
        matches!(fault, ImportError::Invalid { .. }),
        "{config} {records}: {fault}"
    );
    let fault = fault.to_string();
    let has = fault.contains(&format!("{place}: ")) && fault.contains(why);
    assert!(has, "{config} {records}: {fault}");
}

#[test]
fn options_and_checks_that_make_no_sense() {
    let checks = |text: &str| format!("service_types => {{\n{text} }}");
    check("a = {", "", "config:1", "\"}\" is missing");
    check("\nstrange => {}", "", "config:2", "none of options");
    check("options => {\ndns_port => x }", "", "config:2", "a port");
    check("options => { listen => x }", "", "config:1", "addresses");
    check(
        "options => { min_ttl => 9 max_ttl => 8 }",
        "",
        "config:1",
        "max_ttl",
    );
    check(
        &checks("up => { plugin => null }"),
        "",
        "config:2",
        "built in",
    );
    check(&checks("x => {}"), "", "config:2", "no plugin");
    check(
        &checks("x => { plugin => tcp_connect }"),
        "",
        "config:2",
        "no port",
    );
    check(
        &checks("x => { plugin => http_status timeout => 10 }"),
        "",
        "config:2",
        "less than interval",
    );
    check(
        &checks("x => { plugin => http_status interval => 0 }"),
        "",
        "config:2",
        "1 to 255",
    );
}

#[test]
fn resources_that_make_no_sense() {
    let refuse = |plugin: &str, resource: &str, why: &str| {
        let config = format!("plugins => {{ {plugin} => {{\nm => {{ {resource} }} }} }}");
        check(&config, &format!("x DYNC {plugin}!m"), "config:2", why);
    };
    refuse("multifo", "up_thresh => 0 a => 192.0.2.1", "above 0");
    refuse("multifo", "a => b", "address");
    refuse(
        "multifo",
        "service_types => no a => 192.0.2.1",
        "not defined",
    );
    refuse(
        "multifo",
        "addrs_v4 => 192.0.2.1 a => 192.0.2.2",
        "beside addrs_v4",
    );
    refuse("weighted", "a => [ 192.0.2.1, 0 ]", "weight");
    refuse("simplefo", "primary => 192.0.2.1", "no secondary");
    check(
        "plugins => { static => { m => www.example } }",
        "x DYNC static!m",
        "config:1",
        "dot at its end",
    );
    check(
        "plugins => { multifo => {} }",
        "x DYNA multifo!m",
        "zones/example.com:4",
        "no resource",
    );
}

#[test]
fn maps_that_make_no_sense() {
    let both = "dcmap => { a => 192.0.2.1 b => 192.0.2.2 }";
    let refuse = |map: &str, resource: &str, line: u32, why: &str| {
        check(
            &geo(map, resource),
            "x DYNC geoip!r",
            &format!("config:{line}"),
            why,
        );
    };
    refuse("map => { EU => a }", both, 2, "needs geoip2_db");
    refuse("geoip2_db => x map => { EU => c }", both, 2, "\"c\"");
    refuse("geoip2_db => x", both, 2, "no such file");
    refuse("nets => { 10.0.0.0 => a }", both, 2, "no network");
    refuse("auto_dc_coords => { a => [ 91, 0 ] }", both, 2, "degrees");
    refuse("auto_dc_coords => { c => [ 1, 0 ] }", both, 2, "not among");
    refuse("", "dcmap => { c => 192.0.2.1 }", 3, "not among");
    refuse(
        "",
        "dcmap => { a => %geoip!r b => 192.0.2.1 }",
        3,
        "refers to itself",
    );
    refuse(
        "",
        "dcmap => { a => www.example b => 192.0.2.1 }",
        3,
        "dot at its end",
    );
    let undefined = geo("", "dcmap => { a => 192.0.2.1 }").replace("ok => true", "ok => false");
    check(
        &undefined,
        "x DYNA geoip!r",
        "config:3",
        "does not define datacenter \"b\"",
    );
}

#[test]
fn zones_that_make_no_sense() {
    for (records, line, why) in [
        ("x A", ":4", "no data"),
        ("x 300/30 A 192.0.2.1", ":4", "shortest TTL"),
        ("\n\nx.example.net. A 192.0.2.1", ":6", "outside the zone"),
        ("$ORIGIN example.net.", ":4", "within the zone"),
        ("$GENERATE 1-2 x A 192.0.2.$", ":4", "no directive"),
        ("$INCLUDE nowhere", ":4", "no file"),
        ("x CH A 192.0.2.1", ":4", "class CH"),
        ("x (A 192.0.2.1", ":4", "never closed"),
        ("@ SOA a b 1 2 3 4 5", "", "2 records of type SOA"),
        ("x DYNA null\nX DYNA null", ":5", "two dynamic"),
    ] {
        check("", records, &format!("zones/example.com{line}"), why);
    }
}

#[test]
fn forced_states_that_make_no_sense() {
    for (text, why) in [
        ("x/up => MAYBE", "UP or DOWN"),
        ("x/up => UP/x", "number"),
        ("x/up", "must follow"),
    ] {
        let source = Source::new("", "");
        source.file("state/admin_state", &format!("\n{text}\n"));
        let fault = source.import().unwrap_err().to_string();
        assert!(
            fault.contains("admin_state:") && fault.contains(why),
            "{fault}"
        );
    }
}

#[test]
fn a_directory_without_a_configuration_is_none() {
    let empty = tempfile::tempdir().unwrap();
    let fault = crate::gdnsd(empty.path()).unwrap_err();
    assert!(matches!(fault, ImportError::Unreadable { .. }), "{fault}");
    let source = Source::new("", "");
    std::fs::remove_file(source.path().join("config")).unwrap();
    assert_eq!(source.import().unwrap().summary.zones, 1);
}
