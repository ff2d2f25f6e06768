//! `watershed explain`: why a client gets its answer, and why not another one.

use super::connect::{connect, converse};
use super::{CommandError, output};
use crate::args::{ExplainArgs, Global};
use serde::Deserialize as _;
use serde_json::Value;
use std::fmt::Write as _;
use watershed::api::view::{Explanation, PolicyStory};
use watershed::clock::now;

/// Asks the control plane and shows its story.
pub(super) fn explain(global: &Global, args: &ExplainArgs) -> Result<(), CommandError> {
    let client = connect(global)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._*".contains(c);
    if args.name.is_empty() || !args.name.chars().all(plain) {
        return Err(CommandError::Usage(format!(
            "{:?} is no domain name",
            args.name
        )));
    }
    let path = format!("/v1/explain?name={}&client={}", args.name, args.client);
    let answer: Value = converse(async { Ok(client.get_json(&path).await?) })?;
    if global.json {
        return Ok(output::json(&answer)?);
    }
    let story = Explanation::deserialize(&answer).map_err(anyhow::Error::from)?;
    output::say(&summary(&story))?;
    let table = story
        .policy
        .as_ref()
        .map_or_else(|| candidates(&story), pools);
    Ok(output::show(&table)?)
}

/// The answer in sentences.
fn summary(story: &Explanation) -> String {
    let Explanation {
        name,
        service,
        client,
        area,
        area_why,
        answer,
        ..
    } = story;
    let mut text = format!("{name} (service {service}) for {client} in area {area}: {area_why}\n");
    let addresses = answer.addresses.join(" ");
    let given = answer.alias.as_ref().unwrap_or(&addresses);
    let _ = match &story.policy {
        None => writeln!(
            text,
            "answer: {} over {} at {}: {given}",
            answer.group, answer.link, answer.site
        ),
        Some(policy) if policy.policy.is_empty() => {
            writeln!(text, "answer: pool {}: {given}", answer.group)
        }
        Some(policy) => writeln!(
            text,
            "answer: pool {} by policy {}: {given}",
            answer.group, policy.policy
        ),
    };
    let age = output::since(story.map_created_at_ms, now());
    let _ = writeln!(
        text,
        "ECS scope /{}; map {}{}, {age} old",
        story.scope,
        story.map_version,
        story
            .tier
            .as_ref()
            .map(|tier| format!(" ({tier})"))
            .unwrap_or_default()
    );
    for drain in story
        .drains
        .iter()
        .filter(|drain| drain.touches_this_answer)
    {
        let _ = writeln!(
            text,
            "drain {} on {} ({}): {}",
            drain.id, drain.target, drain.state, drain.reason
        );
    }
    text.trim_end().to_owned()
}

/// The pools of a policy in order.
fn pools(story: &PolicyStory) -> comfy_table::Table {
    let mut table = output::table(&["label", "pool", "state", "because", "verdict"]);
    for pool in &story.pools {
        table.add_row([
            pool.label.as_str(),
            &pool.pool,
            if pool.up { "up" } else { "down" },
            &pool.because,
            &pool.verdict,
        ]);
    }
    table
}

/// Table of all endpoints that could answer.
fn candidates(story: &Explanation) -> comfy_table::Table {
    let heading = [
        "link",
        "share",
        "ms",
        "from",
        "capacity",
        "money",
        "extra CNY/Mbps",
        "verdict",
    ];
    let mut table = output::table(&heading);
    for candidate in &story.candidates {
        table.add_row([
            candidate.link.clone(),
            output::percent(candidate.share),
            format!("{:.1}", candidate.quality_ms),
            candidate.quality_source.clone(),
            format!("{:.5}", candidate.capacity_price_cny_per_mbps),
            format!("{:.5}", candidate.money_cny_per_mbps),
            format!("{:+.5}", candidate.reduced_cost_cny_per_mbps),
            candidate.verdict.clone(),
        ]);
    }
    table
}
