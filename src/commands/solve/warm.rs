//! An earlier plan to start a solve from: rows `unit,link,share` of `--assign`, or JSON with `shares` as `--report` has them.
//!
//! Indices must mean what they meant then. Nothing else is asked of it: a plan that is out of date costs pivots, not
//! quality, so rows beyond the instance are passed over instead of refused.

use super::super::CommandError;
use engine::plan::{Instance, Plan};
use serde::Deserialize;
use std::fs;
use std::path::Path;

/// A plan as JSON; only the shares matter.
#[derive(Deserialize)]
struct Shares {
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
    Ok(plan(triples.map_err(usage)?, instance))
}

/// Unit, link, share.
type Triple = (usize, u32, f64);

fn from_json(text: &str) -> Result<Vec<Triple>, String> {
    let read: Shares = serde_json::from_str(text)
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

/// What of it speaks of this instance.
fn plan(triples: Vec<Triple>, instance: &Instance) -> Plan {
    let mut plan = Plan {
        shares: vec![Vec::new(); instance.units.len()],
        input_digest: String::new(),
    };
    let known = |link: u32| (link as usize) < instance.links.len();
    for (unit, link, share) in triples {
        if let Some(shares) = plan.shares.get_mut(unit)
            && known(link)
            && share > 0.0
            && share <= 1.0
        {
            shares.push((link, share));
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
