//! `watershed drain`, `undrain` and `drains`.

use super::connect::{connect, converse};
use super::{CommandError, output};
use crate::args::{DrainArgs, Global, UndrainArgs};
use indicatif::ProgressBar;
use serde::Deserialize as _;
use serde_json::{Value, json};
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};
use watershed::api::DrainRequest;
use watershed::api::view::{Bottleneck, Drain, Map, RefusedDrain};
use watershed::client::{ApiClient, ClientError};
use watershed::clock::now;

/// Time between two looks at a drain that is waited for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time that a look may fail for, such as while the control plane restarts, before the command
/// gives up.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Asks for a drain; with `--wait`, stays until the target is empty.
pub(super) fn drain(global: &Global, args: &DrainArgs) -> Result<(), CommandError> {
    let request = DrainRequest {
        target: args.target.clone(),
        lease: args.lease.clone(),
        reason: args.reason.clone(),
        ramp: args.ramp.clone(),
        force: args.force,
        idempotency_key: String::new(),
    };
    let client = connect(global)?;
    converse(async {
        let mut answer: Value = client
            .post_json("/v1/drains", &request)
            .await
            .map_err(|fault| refused(global, fault))?;
        if args.wait {
            answer = wait(&client, read(&answer)?).await?;
        }
        let drain = read(&answer)?;
        if global.json {
            output::json(&answer)?;
        } else {
            output::say(&sentence(&drain))?;
        }
        if args.wait && drain.state != "drained" {
            let why = drain.history.last().map_or("", |event| &event.why);
            let (target, state) = (&drain.target, &drain.state);
            return Err(anyhow::anyhow!("{target} is {state} and was not drained: {why}").into());
        }
        Ok(())
    })
}

/// Tells why a drain was refused: the bottleneck, when capacity is the reason.
fn refused(global: &Global, fault: ClientError) -> CommandError {
    let ClientError::Answered {
        status: 409, body, ..
    } = &fault
    else {
        return fault.into();
    };
    if global.json
        && let Err(fault) = output::json(body)
    {
        return fault.into();
    }
    match RefusedDrain::deserialize(&**body) {
        Ok(refusal) => CommandError::Refused(explain_refusal(&refusal)),
        Err(_) => fault.into(),
    }
}

fn explain_refusal(refusal: &RefusedDrain) -> String {
    let mut text = format!("refused: {}", refusal.error);
    if let Some(Bottleneck {
        regions,
        saturated,
        missing_mbps,
    }) = &refusal.bottleneck
    {
        let regions = if regions.is_empty() {
            "all regions".to_owned()
        } else {
            regions.join(", ")
        };
        let full = if saturated.is_empty() {
            "nothing".to_owned()
        } else {
            saturated.join(", ")
        };
        let missing = output::mbps(*missing_mbps);
        text += &format!("\nbottleneck: {missing} would be missing in {regions}; full: {full}");
    }
    text + &format!("\n{}", refusal.hint)
}

/// Looks at a drain until it is settled, and shows how it goes. A control plane that is away for a
/// moment is forgiven.
async fn wait(client: &ApiClient, mut drain: Drain) -> Result<Value, CommandError> {
    let progress = Progress::new();
    let path = format!(
        "/v1/drains/{}?wait=drained&timeout={}s",
        drain.id,
        LOOK_EVERY.as_secs()
    );
    let mut heard = Instant::now();
    loop {
        let held = held(client, &drain).await;
        progress.say(&progress_line(&drain, held.as_deref()));
        let answer = client
            .get_json_within::<Value>(&path, LOOK_EVERY + Duration::from_secs(10))
            .await;
        match answer {
            Ok(answer) => {
                heard = Instant::now();
                drain = read(&answer)?;
                if !matches!(drain.state.as_str(), "requested" | "queued" | "shifting") {
                    progress.say(&progress_line(&drain, None));
                    progress.finish();
                    return Ok(answer);
                }
            }
            Err(fault)
                if fault.status().is_none_or(|status| status >= 429)
                    && heard.elapsed() < SILENCE_MAX =>
            {
                progress.say(&format!("waiting for the control plane: {fault}"));
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Err(fault) => return Err(fault.into()),
        }
    }
}

/// Reason for which the map stays as it is, when a drain needs another one to go on; `None` as well
/// when that cannot be told.
async fn held(client: &ApiClient, drain: &Drain) -> Option<String> {
    if drain.state != "shifting" || drain.ttl_tail_left_ms.is_some() {
        return None;
    }
    let map: Map = client.get_json("/v1/map").await.ok()?;
    let moving = matches!(map.cycle.outcome.as_str(), "" | "published" | "no-gain");
    (!moving).then_some(map.cycle.detail)
}

/// Progress on standard error: one line that changes on a terminal, a line per change elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    last: std::cell::RefCell<String>,
}

impl Progress {
    fn new() -> Self {
        let bar = stderr().is_terminal().then(|| output::spinner("asking"));
        Self {
            bar,
            last: std::cell::RefCell::default(),
        }
    }

    fn say(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_owned());
        } else if self.last.replace(text.to_owned()) != text {
            // Progress is a courtesy: a closed standard error ends nothing.
            let _ = writeln!(stderr().lock(), "{text}");
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Progress of a drain: planned share, observed traffic, TTL tail, and what holds the map.
fn progress_line(drain: &Drain, held: Option<&str>) -> String {
    let mut parts = vec![
        format!("{} {}: {}", drain.id, drain.target, drain.state),
        format!("planned share {}", output::percent(drain.planned_share)),
        drain.observed_mbps.map_or_else(
            || "not measured".to_owned(),
            |seen| format!("observed {}", output::mbps(seen)),
        ),
    ];
    if let Some(tail_ms) = drain.ttl_tail_left_ms {
        parts.push(format!("TTL tail {} s", tail_ms.div_ceil(1000)));
    }
    if drain.state == "queued"
        && let Some(refusal) = &drain.refusal
    {
        parts.push(refusal.text.clone());
    }
    parts.extend(held.map(|held| format!("the map stays: {held}")));
    parts.extend(drain.warnings.iter().cloned());
    parts.join(", ")
}

/// A drain in a sentence.
fn sentence(drain: &Drain) -> String {
    let lease = output::until(drain.expires_at, now());
    let waits = drain.refusal.as_ref().filter(|_| drain.state == "queued");
    let why = waits
        .map(|refusal| format!("; it waits: {}", refusal.text))
        .unwrap_or_default();
    format!(
        "{} {}: {}, lease {lease}{why}",
        drain.id, drain.target, drain.state
    )
}

/// Ends a drain, or all drains of a target.
pub(super) fn undrain(global: &Global, args: &UndrainArgs) -> Result<(), CommandError> {
    let client = connect(global)?;
    let ended: Vec<Value> = converse(async {
        let mut ended = Vec::new();
        for id in meant(&client, &args.what).await? {
            ended.push(client.delete(&format!("/v1/drains/{id}")).await?);
        }
        Ok(ended)
    })?;
    if global.json {
        return Ok(output::json(&ended)?);
    }
    for answer in &ended {
        let drain = read(answer)?;
        output::say(&format!("{} {}: {}", drain.id, drain.target, drain.state))?;
    }
    Ok(())
}

/// The drains that are meant: the one with that identifier, or all in force on that target.
async fn meant(client: &ApiClient, what: &str) -> Result<Vec<String>, CommandError> {
    if !what.contains(':') {
        let plain = !what.is_empty() && what.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let usage = || {
            CommandError::Usage(format!(
                "{what:?} is neither a target, such as group:gz1-a, nor a drain, such as d17"
            ))
        };
        return if plain {
            Ok(vec![what.to_owned()])
        } else {
            Err(usage())
        };
    }
    let drains: Vec<Drain> = client.get_json("/v1/drains").await?;
    let leased = |drain: &Drain| matches!(drain.state.as_str(), "queued" | "shifting" | "drained");
    let meant: Vec<String> = drains
        .into_iter()
        .filter(|drain| drain.target == what && leased(drain))
        .map(|drain| drain.id)
        .collect();
    if meant.is_empty() {
        return Err(CommandError::Usage(format!(
            "no drain of {what} is in force; see `watershed drains`"
        )));
    }
    Ok(meant)
}

/// Lists drains.
pub(super) fn list(global: &Global) -> Result<(), CommandError> {
    let client = connect(global)?;
    let answer: Value = converse(async { Ok(client.get_json("/v1/drains").await?) })?;
    if global.json {
        return Ok(output::json(&answer)?);
    }
    let drains = Vec::<Drain>::deserialize(&answer).map_err(anyhow::Error::from)?;
    let heading = [
        "id",
        "target",
        "state",
        "share",
        "observed",
        "lease ends in",
        "who",
        "reason",
    ];
    let mut table = output::table(&heading);
    for drain in drains {
        let over = matches!(drain.state.as_str(), "refused" | "refilling" | "serving");
        table.add_row([
            drain.id,
            drain.target,
            [drain.state]
                .into_iter()
                .chain(drain.warnings)
                .collect::<Vec<_>>()
                .join(", "),
            output::percent(drain.planned_share),
            drain
                .observed_mbps
                .map_or_else(|| "-".to_owned(), output::mbps),
            if over {
                "-".to_owned()
            } else {
                output::until(drain.expires_at, now())
            },
            drain.requester,
            drain.reason,
        ]);
    }
    if table.is_empty() {
        return Ok(output::say("no drains")?);
    }
    Ok(output::show(&table)?)
}

/// Reads a drain out of an answer.
fn read(answer: &Value) -> anyhow::Result<Drain> {
    Drain::deserialize(answer)
        .map_err(|fault| anyhow::anyhow!("the answer is no drain: {fault}; {}", json!(answer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_bottleneck() {
        let refusal: RefusedDrain = serde_json::from_value(json!({
            "error": "the rest cannot carry it", "hint": "drain less", "drain": null,
            "bottleneck": { "regions": ["south"], "saturated": ["link:gz1/ct"], "missing_mbps": 120.0 },
        }))
        .unwrap();
        let text = explain_refusal(&refusal);
        assert!(
            text.contains("120.0 Mbps would be missing in south; full: link:gz1/ct"),
            "{text}"
        );
        let body = json!({ "error": "x", "hint": "y", "bottleneck": null, "drain": null });
        let fault = ClientError::Answered {
            status: 409,
            error: "x".into(),
            hint: "y".into(),
            body: body.into(),
        };
        assert_eq!(refused(&Global::default(), fault).exit_code(), 3);
    }

    #[test]
    fn progress_tells_share_traffic_and_tail() {
        let drain = read(&json!({
            "id": "d1", "target": "site:a", "requester": "ci", "reason": "r", "state": "shifting", "ended_by": null,
            "requested_at": 1, "lease_ms": 1000, "expires_at": 2, "ramp_ms": 5, "planned_share": 0.25,
            "observed_mbps": 12.34, "ttl_tail_left_ms": 2100, "proof": null, "refusal": null, "force": false,
            "warnings": ["at-risk"], "history": [],
        }))
        .unwrap();
        let wanted =
            "d1 site:a: shifting, planned share 25.0 %, observed 12.3 Mbps, TTL tail 3 s, at-risk";
        assert_eq!(progress_line(&drain, None), wanted);
        let held = progress_line(&drain, Some("it is pinned"));
        assert!(
            held.ends_with("the map stays: it is pinned, at-risk"),
            "{held}"
        );
    }
}
