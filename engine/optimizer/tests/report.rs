//! Keys of reports: the names that are written, and the newer ones that are read as well.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

#[path = "../../tests/plan_support/mod.rs"]
mod support;

use optimizer::{Report, SolveOptions, report, solve};
use support::{Shape, random_instance};

#[test]
fn a_report_is_read_under_both_names_and_written_under_the_old_one() {
    let instance = random_instance(Shape::Medium, 3);
    let solved = solve(&instance, &SolveOptions::default(), None);
    let written = serde_json::to_string(&report(&instance, &solved)).unwrap();
    assert!(!written.contains("late_mbps"), "{written}");
    assert!(!written.contains("\"late\""), "{written}");
    let old: Report = serde_json::from_str(&written).unwrap();
    // The report has the key itself, and its bound has it once more.
    assert_eq!(written.matches("\"below_floor_mbps\"").count(), 2);
    let renamed = written
        .replace("\"below_floor_mbps\"", "\"late_mbps\"")
        .replace("\"below_floor\"", "\"late\"")
        .replace("\"meter\"", "\"contract\"");
    assert_eq!(serde_json::from_str::<Report>(&renamed).unwrap(), old);
    let both = written.replacen('{', "{\"late_mbps\": 1.0, ", 1);
    let error = serde_json::from_str::<Report>(&both)
        .unwrap_err()
        .to_string();
    let expected = "duplicate field `below_floor_mbps` or `late_mbps`";
    assert!(error.contains(expected), "{error}");
}
