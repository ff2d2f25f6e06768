//! An earlier plan to start a solve from: rows `unit,link,share` of `--assign`, or JSON with
//! `shares` as `--report` has them.
//!
//! Indices must mean what they meant then. A plan that is out of date costs pivots, not quality, so
//! rows beyond the instance are passed over; shares that never were any are refused.

use super::super::CommandError;
use coverage::LinkId;
use instance::{Instance, Plan, Shares};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A plan as JSON; only the shares matter.
#[derive(Deserialize)]
struct PlanFile {
    /// `[unit]` -> (link, share).
    shares: Vec<Vec<(u32, f64)>>,
}

/// Reads an earlier plan for `instance`.
pub(super) fn read(path: &Path, instance: &Instance) -> Result<Plan, CommandError> {
    let usage = |why: String| CommandError::Usage(format!("{}: {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|fault| usage(fault.to_string()))?;
    let triples = if text.trim_start().starts_with('{') {
        from_json(&text)
    } else {
        from_rows(&text)
    };
    let triples = triples.map_err(usage)?;
    check(&triples).map_err(usage)?;
    Ok(plan(triples, instance))
}

/// Unit, link, share.
type Triple = (usize, u32, f64);

fn from_json(text: &str) -> Result<Vec<Triple>, String> {
    let read: PlanFile = serde_json::from_str(text)
        .map_err(|fault| format!("not a plan: {fault}; give what --assign or --report wrote"))?;
    let of_unit = |(unit, shares): (usize, Vec<(u32, f64)>)| {
        shares
            .into_iter()
            .map(move |(link, share)| (unit, link, share))
    };
    Ok(read
        .shares
        .into_iter()
        .enumerate()
        .flat_map(of_unit)
        .collect())
}

fn from_rows(text: &str) -> Result<Vec<Triple>, String> {
    let mut lines = text.lines().enumerate();
    if lines
        .next()
        .is_none_or(|(_, heading)| heading.trim() != "unit,link,share")
    {
        return Err(
            "line 1: not a plan: the first line must be `unit,link,share`, as --assign writes it"
                .to_owned(),
        );
    }
    let triple = |line: &str| {
        let mut fields = line.split(',').map(str::trim);
        let triple = (
            fields.next()?.parse().ok()?,
            fields.next()?.parse().ok()?,
            fields.next()?.parse().ok()?,
        );
        fields.next().is_none().then_some(triple)
    };
    let row = |(index, line): (usize, &str)| {
        triple(line).ok_or_else(|| format!("line {}: {line:?} is no `unit,link,share`", index + 1))
    };
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(row)
        .collect()
}

/// Excess over 1 that rounding may give the shares of a unit.
const SHARE_SUM_TOLERANCE: f64 = 1e-6;

/// Refuses what is no share, and shares of more than all of a unit.
fn check(triples: &[Triple]) -> Result<(), String> {
    let mut sums: BTreeMap<usize, f64> = BTreeMap::new();
    for &(unit, link, share) in triples {
        let sum = sums.entry(unit).or_default();
        *sum += share;
        let limit = 1.0 + SHARE_SUM_TOLERANCE;
        if !(0.0..=limit).contains(&share) {
            return Err(format!(
                "unit {unit}, link {link}: {share} is no share; one is from 0 to 1"
            ));
        }
        if *sum > limit {
            return Err(format!("unit {unit}: its shares sum to {sum}, more than 1"));
        }
    }
    Ok(())
}

/// The part of it that speaks of this instance.
fn plan(triples: Vec<Triple>, instance: &Instance) -> Plan {
    let mut plan = Plan {
        shares: vec![Shares::new(); instance.units.len()],
        input_digest: String::new(),
    };
    let known = |link: u32| (link as usize) < instance.links.len();
    for (unit, link, share) in triples {
        if let Some(shares) = plan.shares.get_mut(unit)
            && known(link)
            && share > 0.0
        {
            shares.push((LinkId(link), share));
        }
    }
    for shares in &mut plan.shares {
        shares.sort_by_key(|(link, _)| *link);
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_alike() {
        let rows = from_rows("unit,link,share\n0,3,0.5\n0,1,0.5\n\n2,0,1\n").unwrap();
        let json =
            from_json(r#"{"shares": [[[3, 0.5], [1, 0.5]], [], [[0, 1.0]]], "input_digest": ""}"#)
                .unwrap();
        assert_eq!(rows, json);
    }

    #[test]
    fn what_is_no_share_is_named() {
        let fault = |rows: &str| check(&from_rows(&format!("unit,link,share\n{rows}")).unwrap());
        for row in ["4,1,NaN", "4,1,inf", "4,1,-0.5", "4,1,1.5"] {
            let why = fault(row).unwrap_err();
            assert!(why.starts_with("unit 4, link 1"), "{why}");
        }
        assert!(
            fault("4,1,0.7\n4,2,0.7")
                .unwrap_err()
                .contains("sum to 1.4")
        );
        assert_eq!(fault("4,1,0.7\n4,2,0.3\n5,1,1"), Ok(()));
    }

    #[test]
    fn faults_name_the_line() {
        assert!(from_rows("0,1,1\n").unwrap_err().starts_with("line 1"));
        assert!(
            from_rows("unit,link,share\n0,1,1\n0,x,1\n")
                .unwrap_err()
                .starts_with("line 3")
        );
        assert!(
            from_rows("unit,link,share\n0,1,1,2\n")
                .unwrap_err()
                .starts_with("line 2")
        );
        assert!(
            from_json(r#"{"objective": 1.0}"#)
                .unwrap_err()
                .contains("report")
        );
    }
}
