//! Telemetry is read back by the decoder that the daemon uses.

use super::*;
use crate::population::tests::table;
use crate::population::{Population, PopulationOptions};
use crate::topology::{Target, Topology};
use crate::traffic::Offer;
use crate::world::tests::small;
use collectors::{Limits, decode_batch};
use coverage::observation::{Directory, Observation, Sample};
use coverage::{GroupId, LinkId, NodeId, ServiceId, SiteId, Timestamp};

fn directory(topology: &Topology) -> Directory {
    let sites = [("gz1", SiteId(0)), ("bj1", SiteId(1))];
    let link = |(at, link): (usize, &crate::topology::LinkFacts)| {
        let site = sites.iter().find(|(name, _)| *name == link.site).unwrap().1;
        (link.name.clone(), (LinkId::from_index(at), site))
    };
    let ids = |names: Vec<&String>| {
        names
            .into_iter()
            .cloned()
            .zip(0..)
            .collect::<Vec<(String, u32)>>()
    };
    let groups = ids(topology.groups.iter().map(|group| &group.name).collect());
    let nodes = ids(topology.nodes.iter().map(|node| &node.name).collect());
    let services = ids(topology
        .services
        .iter()
        .map(|service| &service.name)
        .collect());
    Directory {
        sites: sites
            .iter()
            .map(|(name, id)| ((*name).to_owned(), *id))
            .collect(),
        links: topology.links.iter().enumerate().map(link).collect(),
        groups: groups
            .into_iter()
            .map(|(name, id)| (name, GroupId(id)))
            .collect(),
        nodes: nodes
            .into_iter()
            .map(|(name, id)| (name, NodeId(id)))
            .collect(),
        services: services
            .into_iter()
            .map(|(name, id)| (name, ServiceId(id)))
            .collect(),
        ..Directory::default()
    }
}

/// Ticks with the given failures; what each was read back as.
fn run(ticks: &[Failures]) -> Vec<Vec<Observation>> {
    let topology = small().topology().unwrap();
    let population = Population::draw(&table(), &PopulationOptions::default(), 1);
    let paths = Paths::new(&population.areas, &topology);
    let demand = vec![100.0; population.areas.len() * 2];
    let mut reporter = Reporter::new((7, 2), (0.05, 1));
    let mut read = Vec::new();
    for (tick, failures) in (0..).zip(ticks) {
        let offers = [Offer {
            service: 0,
            mbps: 500.0,
            targets: &[Target {
                group: 0,
                link: 0,
                node: None,
            }],
        }];
        let loads = Loads::assign(&topology, failures, &offers);
        let view = View {
            topology: &topology,
            areas: &population.areas,
            paths: &paths,
            demand: &demand,
            loads: &loads,
            failures,
            tick,
        };
        let batches = reporter.tick(&view).unwrap();
        let mut samples = Vec::new();
        for batch in batches {
            assert!(batch.lines <= 7);
            let directory = directory(&topology);
            let decoded = decode_batch(
                &batch.bytes,
                &directory,
                &table(),
                Timestamp(0),
                &Limits::default(),
            );
            assert_eq!(decoded.refused, [], "every line is taken");
            assert_eq!(decoded.accepted.len(), batch.lines);
            samples.extend(decoded.accepted);
        }
        read.push(samples);
    }
    read
}

fn count(samples: &[Observation], kind: &str) -> usize {
    samples
        .iter()
        .filter(|seen| seen.sample.kind() == kind)
        .count()
}

#[test]
fn the_matrix_is_told_whole_and_then_in_turns() {
    let read = run(&[
        Failures::default(),
        Failures::default(),
        Failures::default(),
    ]);
    let kinds = ["node", "link", "group", "demand", "quality"];
    assert_eq!(kinds.map(|kind| count(&read[0], kind)), [4, 3, 4, 8, 12]);
    assert_eq!(kinds.map(|kind| count(&read[1], kind)), [4, 3, 4, 8, 2]);
    let paths = |samples: &[Observation]| -> Vec<_> {
        let path = |seen: &Observation| match &seen.sample {
            Sample::Quality { area, link, .. } => Some((*area, *link)),
            _ => None,
        };
        samples.iter().filter_map(path).collect()
    };
    assert_ne!(
        paths(&read[1]),
        paths(&read[2]),
        "another part in each tick"
    );
}

#[test]
fn deaths_are_told_at_once() {
    let failures = Failures {
        links: [2].into(),
        nodes: [0].into(),
    };
    let read = run(&[Failures::default(), Failures::default(), failures]);
    let lost = read[2].iter().filter(|seen| {
        matches!(seen.sample, Sample::Quality { link: Some(LinkId(2)), loss, .. } if loss >= 1.0)
    });
    assert_eq!(lost.count(), 4, "from all four areas");
    let sick = read[2]
        .iter()
        .filter(|seen| matches!(seen.sample, Sample::Node { healthy: false, .. }));
    assert_eq!(sick.count(), 1);
    assert!(read[2].iter().any(|seen| {
        matches!(seen.sample, Sample::Link { link: LinkId(0), mbps } if (mbps - 500.0).abs() < 1e-6)
    }));
}
