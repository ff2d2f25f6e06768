//! The daemon's own sections: addresses, workers, tokens, engine, drains.

use super::gates;
use super::section::Section;
use super::{Api, AreaSource, Config, Role, Token, Upstream};
use crate::keys::digest_of_hex;
use checker::Bands;
use coverage::PrefixSet;
use dns::{DnsConfig, EcsBits, EcsPolicy};
use engine::billing::ControlOptions;
use engine::cycle::EngineOptions;
use engine::drain::Rules;
use engine::estimate::EstimateOptions;
use engine::model::ModelOptions;
use engine::publish::PublishRules;
use redirect::{Host, RedirectConfig, Scheme};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);
/// Range of the spans that pace the engine and its estimates.
const PACE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);
/// Longest billing slot: what is usual is learnt by the half-hour.
const SLOT_MAX: Duration = Duration::from_secs(1800);

/// Reads everything but zones and inventory.
pub(super) fn read(root: &Section<'_>, dir: &Path) -> Config {
    if root.whole("version", 0, 0..=u32::MAX) != 1 {
        root.fault("version", "must be 1, the only format there is");
    }
    let empty = super::tree::Node::empty();
    let below = |key| {
        root.section(key)
            .unwrap_or_else(|| Section::new(&empty, key, root.sink()))
    };
    let dns = below("dns");
    let redirect = below("redirect");
    let api = below("api");
    let engine = below("engine");
    let drain = below("drain");
    let limits = below("gates");
    let (mut options, cycle) = read_engine(&engine, read_drain(&drain));
    options.publish.gates = gates::read(&limits, options.estimate.stale_after);
    let config = Config {
        data_dir: dir.join(root.text("data-dir")),
        audit_kept: root.span("audit-kept", 400 * DAY, DAY..=36_500 * DAY),
        dns: read_dns(&dns),
        redirect: read_redirect(&redirect),
        api: read_api(&api),
        control: root
            .section("control")
            .map(|control| read_control(control, dir)),
        engine: options,
        cycle,
        areas: AreaSource::Databases {
            city: None,
            asn: None,
        },
        inventory: engine::inventory::Inventory::default(),
        policies: engine::policy::Policies::default(),
        checks: Vec::new(),
        notices: Vec::new(),
    };
    [dns, redirect, api, engine, drain, limits]
        .into_iter()
        .for_each(Section::finish);
    config
}

fn read_dns(section: &Section<'_>) -> DnsConfig {
    let mut config = DnsConfig::new(section.list("listen"));
    config.udp_workers = section.whole("udp-workers", 1, 1..=256) as usize;
    config.pin = section.flag("pin-workers", true);
    let peers = section.texts("ecs-peers");
    let parsed = PrefixSet::parse(peers.iter().map(String::as_str));
    let parsed = parsed
        .map_err(|fault| section.fault("ecs-peers", fault.to_string()))
        .unwrap_or_default();
    let words = [
        ("all", EcsWord::All),
        ("peers", EcsWord::Peers),
        ("nobody", EcsWord::Nobody),
    ];
    config.reply.ecs = match section.choice("ecs", Some(EcsWord::All), &words) {
        Some(EcsWord::Peers) => EcsPolicy::Peers(parsed),
        Some(EcsWord::Nobody) => EcsPolicy::Nobody,
        _ => EcsPolicy::All,
    };
    let default = EcsBits::default();
    let bits = |key, default: u8, max| {
        let bits = section.whole(key, u32::from(default), 1..=max);
        u8::try_from(bits).unwrap_or(default)
    };
    config.reply.ecs_bits = EcsBits {
        v4: bits("ecs-v4-bits-max", default.v4, 32),
        v6: bits("ecs-v6-bits-max", default.v6, 64),
    };
    config.reply.nsid = section
        .text_or_none("nsid")
        .map(|nsid| nsid.into_bytes().into());
    config
}

/// Peers whose Client Subnet options count, as a word.
#[derive(Clone, Copy)]
enum EcsWord {
    All,
    Peers,
    Nobody,
}

fn read_redirect(section: &Section<'_>) -> RedirectConfig {
    let mut config = RedirectConfig::new(section.list("listen"));
    config.workers = section.whole("workers", 1, 1..=256) as usize;
    let proxies = section.texts("trusted-proxies");
    match PrefixSet::parse(proxies.iter().map(String::as_str)) {
        Ok(proxies) => config.answer.trusted_proxies = proxies,
        Err(fault) => section.fault("trusted-proxies", fault.to_string()),
    }
    for host in section.texts("httpdns-hosts") {
        match Host::parse(host.as_bytes()) {
            Ok(host) => config.answer.httpdns_hosts.push(host),
            Err(fault) => section.fault("httpdns-hosts", format!("{host:?}: {fault}")),
        }
    }
    let schemes = [("http", Scheme::Http), ("https", Scheme::Https)];
    if let Some(scheme) = section.choice("scheme", Some(Scheme::Http), &schemes) {
        config.answer.scheme = scheme;
    }
    config
}

fn read_api(section: &Section<'_>) -> Api {
    let roles = [
        ("viewer", Role::Viewer),
        ("rollout", Role::Rollout),
        ("operator", Role::Operator),
        ("admin", Role::Admin),
    ];
    let token = |token: Section<'_>| {
        let read = Token {
            name: token.name("name"),
            role: token.choice("role", None, &roles).unwrap_or(Role::Viewer),
            sha256: digest(&token, "sha256"),
        };
        token.finish();
        read
    };
    let listen = section
        .parsed("listen")
        .unwrap_or_else(|| ([127, 0, 0, 1], 8053).into());
    Api {
        listen,
        tokens: section.sections("tokens").into_iter().map(token).collect(),
    }
}

/// 64 hex digits; zeros on a fault, which nothing hashes to.
fn digest(section: &Section<'_>, key: &'static str) -> [u8; 32] {
    let Ok(digest) = digest_of_hex(&section.text(key)) else {
        section.fault(
            key,
            "must be the SHA-256 of the token in 64 hex digits; `watershed token new` prints both",
        );
        return [0; 32];
    };
    digest.0
}

fn read_control(section: Section<'_>, dir: &Path) -> Upstream {
    let upstream = Upstream {
        url: section.text("url"),
        token_file: section
            .text_or_none("token-file")
            .map(|file| dir.join(file)),
        edge: section.text_or_none("edge-name"),
    };
    if !upstream.url.starts_with("http://") {
        section.fault("url", "must begin with http://");
    }
    section.finish();
    upstream
}

fn read_engine(section: &Section<'_>, drain: Rules) -> (EngineOptions, Duration) {
    let cycle = section.span("cycle", 10 * SECOND, PACE);
    let slot = section.span("slot", 300 * SECOND, SECOND..=SLOT_MAX);
    if slot.subsec_nanos() != 0 || 86_400 % slot.as_secs().max(1) != 0 {
        section.fault(
            "slot",
            "must be whole seconds, and a day a whole number of slots",
        );
    }
    let share = |key, default| section.number_or_none(key, 0.0..=1.0).unwrap_or(default);
    let publish = PublishRules::default();
    let options = EngineOptions {
        estimate: EstimateOptions {
            quality_tau: section.span("quality-tau", 60 * SECOND, PACE),
            traffic_tau: section.span("traffic-tau", 30 * SECOND, PACE),
            stale_after: section.span("stale-after", 180 * SECOND, PACE),
        },
        model: ModelOptions {
            slot_seconds: u32::try_from(slot.as_secs()).unwrap_or(300),
            value_cny_per_gbps_ms_slot: section
                .number_or_none("value-cny-per-gbps-ms-slot", 0.0..=1e6)
                .unwrap_or(0.02),
            move_cost_ms: section
                .number_or_none("move-cost-ms", 0.0..=1e4)
                .unwrap_or(5.0),
            reserve_worst_site: section.flag("reserve-worst-site", true),
            candidates_max: section.whole("candidates-max", 20, 8..=256) as usize,
        },
        publish: PublishRules {
            stale_share_max: share("stale-share-max", publish.stale_share_max),
            gain_min: share("gain-min", publish.gain_min),
            relief_min: share("relief-min", publish.relief_min),
            bands: Bands {
                overload: share("overload-band", publish.bands.overload),
                level: share("level-band", publish.bands.level),
            },
            // Below this even an optimum has a gap, by rounding alone.
            gap_max: section
                .number_or_none("gap-max", 1e-6..=1.0)
                .unwrap_or(publish.gap_max),
            down_share_max: share("down-share-max", publish.down_share_max),
            ..publish
        },
        drain,
        slot,
        billing: ControlOptions {
            bursts: section.flag("bursts", true),
            ..ControlOptions::default()
        },
        threads: section.whole("threads", 1, 1..=256) as usize,
        seed: u64::from(section.whole("seed", 0, 0..=u32::MAX)),
    };
    (options, cycle)
}

fn read_drain(section: &Section<'_>) -> Rules {
    let known = Rules::default();
    let span = |key, default: Duration| {
        section.span(key, default, Duration::ZERO..=Duration::from_secs(86_400))
    };
    let count = |key, default: usize| {
        let default = u32::try_from(default).unwrap_or(u32::MAX);
        section.whole(key, default, 0..=100_000) as usize
    };
    let number = |key, range, default| section.number_or_none(key, range).unwrap_or(default);
    Rules {
        lease_max: section.span(
            "lease-max",
            known.lease_max,
            SECOND..=engine::drain::LEASE_MAX,
        ),
        ramp: span("ramp", known.ramp),
        refill_ramp: span("refill-ramp", known.refill_ramp),
        warm_up_share: number("warm-up-share", 0.0..=1.0, known.warm_up_share),
        drained_below_mbps: number("drained-below-mbps", 0.0..=1e9, known.drained_below_mbps),
        drained_below_share: number("drained-below-share", 0.0..=1.0, known.drained_below_share),
        observation_age_max: span("observation-age-max", known.observation_age_max),
        demand_headroom: number("demand-headroom", 1.0..=10.0, known.demand_headroom),
        reserve_worst_site: section.flag("reserve-worst-site", known.reserve_worst_site),
        recheck_every: span("recheck-every", known.recheck_every),
        nodes_per_group_share: number(
            "nodes-per-group-share",
            0.0..=1.0,
            known.nodes_per_group_share,
        ),
        groups_per_site: count("groups-per-site", known.groups_per_site),
        sites_per_region: count("sites-per-region", known.sites_per_region),
        world_max: count("world-max", known.world_max),
        queue_max: count("queue-max", known.queue_max),
        ..known
    }
}
