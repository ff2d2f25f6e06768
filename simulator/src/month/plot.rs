//! Plots of a month as SVG, drawn by hand: no library, readable in light and dark, equal bytes for equal figures.

use super::bill::Month;
use engine::inventory::BillingModel;
use std::fmt::Write as _;

/// Width of a plot, px.
const WIDTH: f64 = 960.0;
/// Height of a plot, px.
const HEIGHT: f64 = 420.0;
/// Room for names on the left, px.
const LEFT: f64 = 190.0;
/// Room for the title above and the axis below, px.
const EDGE: f64 = 48.0;
/// Colours of series, told apart also without red and green (Okabe and Ito 2008).
const COLOURS: [&str; 8] = [
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999", "#b8a900",
];

/// A named plot: its file name and its SVG.
pub type Plot = (&'static str, String);

/// All plots of these months.
#[must_use]
pub fn plots(months: &[Month]) -> Vec<Plot> {
    let series = |pick: fn(&Month) -> &Vec<f64>, scale: f64| -> Vec<(String, Vec<f64>)> {
        let of = |month: &Month| {
            (
                month.policy.name().to_owned(),
                pick(month).iter().map(|v| v * scale).collect(),
            )
        };
        months.iter().map(of).collect()
    };
    vec![
        ("cost-by-contract.svg", costs(months)),
        (
            "utilisation.svg",
            lines(
                "Load of all links, % of capacity, by hour",
                &series(|month| &month.utilisation, 100.0),
            ),
        ),
        ("latency.svg", latencies(months)),
        (
            "latency-by-hour.svg",
            lines(
                "Mean latency, ms, by hour",
                &series(|month| &month.latency_ms, 1.0),
            ),
        ),
        (
            "moved.svg",
            lines(
                "Traffic that changes its link per slot, %, by hour",
                &series(|month| &month.moved, 100.0),
            ),
        ),
        (
            "certain-bill.svg",
            lines(
                "Bill that is certain, million CNY, by day",
                &series(|month| &month.certain_cny, 1e-6),
            ),
        ),
    ]
}

fn frame(title: &str) -> String {
    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/><text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{}</text>",
        escaped(title)
    );
    svg
}

/// Names may come from a configuration.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[expect(clippy::cast_precision_loss, reason = "positions on a plot")]
const fn real(n: usize) -> f64 {
    n as f64
}

/// Bars of named parts, one bar per row; with a legend of the parts.
fn bars(
    title: &str,
    parts: &[&str],
    rows: &[(String, Vec<f64>)],
    unit: &str,
    stacked: bool,
) -> String {
    let mut svg = frame(title);
    let value = |values: &Vec<f64>| {
        if stacked {
            values.iter().sum()
        } else {
            values.iter().copied().fold(0.0, f64::max)
        }
    };
    let most = rows
        .iter()
        .map(|(_, values)| value(values))
        .fold(f64::MIN_POSITIVE, f64::max);
    let step = (HEIGHT - 2.0 * EDGE) / real(rows.len().max(1));
    let scale = (WIDTH - LEFT - 90.0) / most;
    for (row, (name, values)) in rows.iter().enumerate() {
        let y = step.mul_add(real(row), EDGE);
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            y + step * 0.5,
            escaped(name)
        );
        let mut x = LEFT;
        for (part, amount) in values.iter().enumerate() {
            let thick = if stacked {
                step * 0.7
            } else {
                step * 0.7 / real(values.len().max(1))
            };
            let top = if stacked {
                y
            } else {
                thick.mul_add(real(part), y)
            };
            let _ = write!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{thick:.1}\" fill=\"{}\"><title>{}: {amount:.2} {unit}</title></rect>",
                amount * scale,
                COLOURS[part % COLOURS.len()],
                escaped(parts[part])
            );
            if stacked {
                x += amount * scale;
            }
        }
        let end = value(values).mul_add(scale, LEFT) + 6.0;
        let _ = write!(
            svg,
            "<text x=\"{end:.1}\" y=\"{:.1}\">{:.2} {unit}</text>",
            y + step * 0.5,
            value(values)
        );
    }
    legend(&mut svg, parts.iter().copied());
    svg.push_str("</svg>\n");
    svg
}

fn legend<'a>(svg: &mut String, names: impl Iterator<Item = &'a str>) {
    let mut x = 12.0;
    for (index, name) in names.enumerate() {
        let _ = write!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"10\" height=\"10\" fill=\"{}\"/><text x=\"{:.1}\" y=\"{:.1}\" font-size=\"10\">{}</text>",
            HEIGHT - 20.0,
            COLOURS[index % COLOURS.len()],
            x + 14.0,
            HEIGHT - 11.0,
            escaped(name)
        );
        x += real(name.len()).mul_add(5.2, 26.0);
    }
}

fn costs(months: &[Month]) -> String {
    let row = |month: &Month| {
        let of = |model| {
            month
                .bills
                .iter()
                .filter(|bill| bill.model == model)
                .map(|bill| bill.cny)
                .sum::<f64>()
                / 1e6
        };
        (
            month.policy.name().to_owned(),
            BillingModel::ALL.map(of).to_vec(),
        )
    };
    let rows: Vec<(String, Vec<f64>)> = months.iter().map(row).collect();
    bars(
        "Bill of the month by kind of contract, million CNY",
        &BillingModel::ALL.map(BillingModel::as_str),
        &rows,
        "M",
        true,
    )
}

fn latencies(months: &[Month]) -> String {
    let row = |month: &Month| {
        (
            month.policy.name().to_owned(),
            month.percentiles_ms.to_vec(),
        )
    };
    let rows: Vec<(String, Vec<f64>)> = months.iter().map(row).collect();
    bars(
        "Latency over traffic, ms: 50th, 90th, 99th percentile",
        &["p50", "p90", "p99"],
        &rows,
        "ms",
        false,
    )
}

fn lines(title: &str, series: &[(String, Vec<f64>)]) -> String {
    let mut svg = frame(title);
    let most = series
        .iter()
        .flat_map(|(_, values)| values)
        .copied()
        .fold(f64::MIN_POSITIVE, f64::max);
    let (left, bottom) = (56.0, HEIGHT - EDGE);
    for tick in 0..=4 {
        let part = f64::from(tick) / 4.0;
        let y = (bottom - EDGE).mul_add(-part, bottom);
        let _ = write!(
            svg,
            "<line x1=\"{left}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#dddddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.2}</text>",
            left - 6.0,
            y + 4.0,
            most * part
        );
    }
    for (index, (name, values)) in series.iter().enumerate() {
        let x = |place: usize| (WIDTH - left) / real(values.len().max(2) - 1) * real(place) + left;
        let point = |(place, value): (usize, &f64)| {
            format!(
                "{:.1},{:.1}",
                x(place),
                bottom - (bottom - EDGE) * value / most
            )
        };
        let points: Vec<String> = values.iter().enumerate().map(point).collect();
        let _ = write!(
            svg,
            "<polyline fill=\"none\" stroke-width=\"1.2\" stroke=\"{}\" points=\"{}\"><title>{}</title></polyline>",
            COLOURS[index % COLOURS.len()],
            points.join(" "),
            escaped(name)
        );
    }
    legend(&mut svg, series.iter().map(|(name, _)| name.as_str()));
    svg.push_str("</svg>\n");
    svg
}
