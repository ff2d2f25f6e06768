//! Time against size: how a cold solve grows with the units.

use super::measure::Times;
use instance::Instance;
use optimizer::{SolveOptions, solve};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Units on the plot.
pub(super) const UNITS: [usize; 6] = [25_000, 50_000, 100_000, 200_000, 350_000, 500_000];
/// Sites grow with the units, as in the named instances.
pub(super) const UNITS_PER_SITE: usize = 100;

/// Cold solves of one size with two threads.
pub(super) fn measure(instance: &Instance, runs: usize) -> Value {
    let mut times = Times::default();
    let options = SolveOptions {
        threads: 2,
        ..SolveOptions::default()
    };
    let mut gap = 0.0;
    for _ in 0..runs {
        gap = times
            .of_fresh(instance, |instance| solve(instance, &options, None))
            .certificate
            .gap;
    }
    let mut figures = times.figures();
    figures["units"] = json!(instance.units.len());
    figures["sites"] = json!(instance.sites.len());
    figures["gap"] = json!(gap);
    figures
}

/// The sizes and the exponent that fits them: 1 is linear.
pub(super) fn figures(sizes: Vec<Value>) -> Value {
    let points = points(&sizes, "cpu_ms");
    json!({ "exponent": exponent(&points), "sizes": sizes })
}

/// (units, ms) of each size.
fn points(sizes: &[Value], key: &str) -> Vec<(f64, f64)> {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let point = |size: &Value| (number(&size["units"]), number(&size[key]));
    sizes.iter().map(point).collect()
}

/// Slope of the regression line through the logarithms.
fn exponent(points: &[(f64, f64)]) -> f64 {
    let count = f64::from(u32::try_from(points.len()).unwrap_or(u32::MAX));
    let logs: Vec<(f64, f64)> = points.iter().map(|p| (p.0.ln(), p.1.ln())).collect();
    let mean_x = logs.iter().map(|log| log.0).sum::<f64>() / count;
    let mean_y = logs.iter().map(|log| log.1).sum::<f64>() / count;
    let along: f64 = logs.iter().map(|l| (l.0 - mean_x) * (l.1 - mean_y)).sum();
    along / logs.iter().map(|l| (l.0 - mean_x).powi(2)).sum::<f64>()
}

/// Seconds against units, both linear, with the line through the origin and the largest size.
pub(super) fn plot(growth: &Value) -> String {
    const WIDTH: f64 = 640.0;
    const HEIGHT: f64 = 400.0;
    const LEFT: f64 = 60.0;
    const BOTTOM: f64 = 350.0;
    let empty = Vec::new();
    let sizes = growth["sizes"].as_array().unwrap_or(&empty);
    let points = points(sizes, "ms");
    let most = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).fold(1.0, f64::max) * 1.08;
    let (most_units, most_ms) = (most(|p| p.0), most(|p| p.1));
    let x = |units: f64| (WIDTH - LEFT - 20.0).mul_add(units / most_units, LEFT);
    let y = |ms: f64| (BOTTOM - 40.0).mul_add(-ms / most_ms, BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"14\">Cold solve, 2 threads, 20 candidates, 1 site for 100 units</text>\n\
         <path d=\"M{LEFT} 40V{BOTTOM}H{}\" fill=\"none\" stroke=\"black\"/>\n",
        WIDTH - 20.0
    );
    if let Some(&(units, ms)) = points.last() {
        let _ = writeln!(
            svg,
            "<path d=\"M{:.1} {:.1}L{:.1} {:.1}\" stroke=\"#999\" stroke-dasharray=\"4\"/>",
            x(0.0),
            y(0.0),
            x(units),
            y(ms)
        );
    }
    let way: Vec<String> = points
        .iter()
        .map(|p| format!("{:.1},{:.1}", x(p.0), y(p.1)))
        .collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#06c\" stroke-width=\"2\"/>",
        way.join(" ")
    );
    for &(units, ms) in &points {
        let (x, y) = (x(units), y(ms));
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"#06c\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.2} s</text>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{:.0}k</text>",
            x - 6.0,
            y - 6.0,
            ms / 1e3,
            BOTTOM + 18.0,
            units / 1e3
        );
    }
    let exponent = growth["exponent"].as_f64().unwrap_or(f64::NAN);
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{}\">units; processor time grows as units to the {exponent:.2}; dashed: linear through the largest</text>\n</svg>",
        HEIGHT - 12.0
    );
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponent_of_a_square_is_two() {
        let points: Vec<(f64, f64)> = [1.0, 2.0, 5.0].map(|x: f64| (x, 3.0 * x * x)).to_vec();
        assert!((exponent(&points) - 2.0).abs() < 1e-9);
    }
}
