//! Plots of a month as SVG, drawn by hand: no library, readable in light and dark, equal bytes for
//! equal figures.

use super::bill::Month;
use instance::ContractModel;
use std::fmt::Write as _;

/// Width of a plot, px.
const WIDTH: f64 = 960.0;
/// Height of a plot without its legend, px.
const HEIGHT: f64 = 420.0;
/// Room for names on the left of bars, px.
const LEFT: f64 = 190.0;
/// Room for the numbers on the left of lines, px.
const TICKS_LEFT: f64 = 56.0;
/// Room for the title above and the axis below, px.
const EDGE: f64 = 48.0;
/// Height of a row of the legend, px.
const LEGEND_ROW: f64 = 18.0;
/// Colours of series, told apart also without red and green (Okabe and Ito 2008). Further series
/// repeat them, dashed if they are lines and paler if they are bars.
const COLOURS: [&str; 8] = [
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999", "#b8a900",
];
/// Contracts that are shown each; the others are shown together.
const CONTRACTS_SHOWN: usize = 12;
/// Hours of a day.
const HOURS: usize = 24;
/// Most numbers on the axis of days.
const DAY_TICKS_MAX: usize = 16;
/// Spaces between the lines behind a plot, about.
const GRID: f64 = 5.0;

/// A named plot: its file name and its SVG.
pub type Plot = (&'static str, String);

/// Position of values on the axis of days.
#[derive(Clone, Copy)]
struct Times {
    /// Values of a day.
    per_day: usize,
    /// Day of the first one, from the start of the month.
    first: f64,
}

impl Times {
    /// Hours, each in its middle.
    const HOURLY: Self = Self {
        per_day: HOURS,
        first: 0.5 / 24.0,
    };
    /// Means of days, each in its middle.
    const DAILY: Self = Self {
        per_day: 1,
        first: 0.5,
    };
    /// Values at the end of each day.
    const DAY_ENDS: Self = Self {
        per_day: 1,
        first: 1.0,
    };

    fn day(self, place: usize) -> f64 {
        real(place) / real(self.per_day) + self.first
    }
}

/// All plots of these months.
#[must_use]
pub fn plots(months: &[Month]) -> Vec<Plot> {
    let series = |pick: fn(&Month) -> Vec<f64>, scale: f64| -> Vec<(String, Vec<f64>)> {
        let of = |month: &Month| {
            (
                month.policy.name().to_owned(),
                pick(month).iter().map(|v| v * scale).collect(),
            )
        };
        months.iter().map(of).collect()
    };
    vec![
        ("cost-by-contract.svg", costs_by_contract(months)),
        ("cost-by-model.svg", costs_by_model(months)),
        (
            "utilisation.svg",
            lines(
                "Load of links, % of capacity: 99th percentile over links, by hour",
                Times::HOURLY,
                &series(|month| month.fullest.clone(), 100.0),
            ),
        ),
        ("latency.svg", latencies(months)),
        (
            "latency-by-hour.svg",
            lines(
                "Mean latency, ms, by hour",
                Times::HOURLY,
                &series(|month| month.latency_ms.clone(), 1.0),
            ),
        ),
        (
            "moved.svg",
            lines(
                "Traffic that changes its link per slot, %, mean of each day",
                Times::DAILY,
                &series(|month| daily_means(&month.moved), 100.0),
            ),
        ),
        (
            "certain-bill.svg",
            lines(
                "Bill that is certain, million CNY, at the end of each day",
                Times::DAY_ENDS,
                &series(|month| month.certain_cny.clone(), 1e-6),
            ),
        ),
    ]
}

fn daily_means(hours: &[f64]) -> Vec<f64> {
    hours
        .chunks(HOURS)
        .map(|day| day.iter().sum::<f64>() / real(day.len()))
        .collect()
}

/// Opens a plot with room for its legend, and draws both heading and legend.
fn frame(title: &str, names: &[&str], mark: Mark) -> String {
    let mut legend = String::new();
    let height = legend_into(&mut legend, names, mark);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/><text x=\"12\" y=\"22\" font-size=\"15\">{}</text>{legend}",
        escaped(title)
    )
}

/// Mark of a series.
#[derive(Clone, Copy)]
enum Mark {
    Line,
    Bar,
}

const fn colour(series: usize) -> &'static str {
    COLOURS[series % COLOURS.len()]
}

/// Attributes of a line beside its colour.
const fn dash(series: usize) -> &'static str {
    if series < COLOURS.len() {
        ""
    } else {
        " stroke-dasharray=\"6 3\""
    }
}

/// Attributes of a bar beside its colour.
const fn pale(series: usize) -> &'static str {
    if series < COLOURS.len() {
        ""
    } else {
        " fill-opacity=\"0.45\""
    }
}

/// Names below a plot, in as many rows as they need. Returns the height of it all, px.
fn legend_into(svg: &mut String, names: &[&str], mark: Mark) -> f64 {
    let (mut x, mut y) = (12.0, HEIGHT);
    for (index, name) in names.iter().enumerate() {
        // Wider than most letters are.
        let width = real(name.chars().count()).mul_add(6.2, 40.0);
        if x + width > WIDTH && x > 12.0 {
            (x, y) = (12.0, y + LEGEND_ROW);
        }
        let sign = match mark {
            Mark::Line => format!(
                "<line x1=\"{x:.1}\" x2=\"{:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke-width=\"2\" stroke=\"{}\"{}/>",
                x + 20.0,
                y + 5.0,
                y + 5.0,
                colour(index),
                dash(index)
            ),
            Mark::Bar => format!(
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"20\" height=\"10\" fill=\"{}\"{}/>",
                colour(index),
                pale(index)
            ),
        };
        // Writing to a string cannot fail.
        let _ = write!(
            svg,
            "{sign}<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"11\">{}</text>",
            x + 24.0,
            y + 9.0,
            escaped(name)
        );
        x += width;
    }
    y + LEGEND_ROW
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
    let mut svg = frame(title, parts, Mark::Bar);
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
                "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{thick:.1}\" fill=\"{}\"{}><title>{}: {amount:.2} {unit}</title></rect>",
                amount * scale,
                colour(part),
                pale(part),
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
    svg.push_str("</svg>\n");
    svg
}

fn costs_by_model(months: &[Month]) -> String {
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
            ContractModel::ALL.map(of).to_vec(),
        )
    };
    let rows: Vec<(String, Vec<f64>)> = months.iter().map(row).collect();
    bars(
        "Bill of the month by kind of contract, million CNY",
        &ContractModel::ALL.map(ContractModel::as_str),
        &rows,
        "M",
        true,
    )
}

/// The contracts that cost most over all policies, and the others together.
fn costs_by_contract(months: &[Month]) -> String {
    let contracts = months.first().map_or(0, |month| month.bills.len());
    let total =
        |contract: usize| -> f64 { months.iter().map(|month| month.bills[contract].cny).sum() };
    let mut order: Vec<usize> = (0..contracts).collect();
    order.sort_by(|a, b| total(*b).total_cmp(&total(*a)).then(a.cmp(b)));
    let (shown, others) = order.split_at(contracts.min(CONTRACTS_SHOWN));
    let name = |contract: &usize| {
        let bill = &months[0].bills[*contract];
        format!("{} ({})", bill.contract, bill.model.as_str())
    };
    let mut names: Vec<String> = shown.iter().map(name).collect();
    if !others.is_empty() {
        names.push(format!("{} others", others.len()));
    }
    let row = |month: &Month| {
        let cny = |contract: &usize| month.bills[*contract].cny / 1e6;
        let mut values: Vec<f64> = shown.iter().map(cny).collect();
        if !others.is_empty() {
            values.push(others.iter().map(cny).sum());
        }
        (month.policy.name().to_owned(), values)
    };
    let rows: Vec<(String, Vec<f64>)> = months.iter().map(row).collect();
    let parts: Vec<&str> = names.iter().map(String::as_str).collect();
    bars(
        "Bill of the month by contract, million CNY: those that cost most, and the others together",
        &parts,
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

/// A step of 1, 2 or 5 times a power of ten, by which an axis up to `most` has about `spaces`
/// spaces.
fn round_step(most: f64, spaces: f64) -> f64 {
    let rough = most / spaces;
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0].map(|factor| factor * power);
    let enough = |step: &f64| *step >= rough * (1.0 - 1e-9);
    steps.into_iter().find(enough).unwrap_or(10.0 * power)
}

/// The lines behind a plot with their numbers. Returns the value at its top.
fn grid_into(svg: &mut String, most: f64) -> f64 {
    let step = round_step(most, GRID);
    let digits = if step < 1.0 {
        format!("{step}").len().saturating_sub(2)
    } else {
        0
    };
    let spaces = (most / step).ceil().max(1.0);
    let mut tick = 0.0;
    while tick <= spaces {
        let y = (HEIGHT - 2.0 * EDGE).mul_add(-tick / spaces, HEIGHT - EDGE);
        let _ = write!(
            svg,
            "<line x1=\"{TICKS_LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#dddddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.digits$}</text>",
            TICKS_LEFT - 6.0,
            y + 4.0,
            tick * step
        );
        tick += 1.0;
    }
    spaces * step
}

/// Returns where a day lies from left to right, px.
fn day_x(day: f64, days: usize) -> f64 {
    // Room for the last number.
    (WIDTH - TICKS_LEFT - 12.0) / real(days.max(1)) * day + TICKS_LEFT
}

/// Numbers of days below a plot, and what they are.
fn days_into(svg: &mut String, days: usize) {
    let step = [1, 2, 5]
        .into_iter()
        .find(|step| days / step < DAY_TICKS_MAX)
        .unwrap_or(10);
    for day in (0..=days).step_by(step) {
        let x = day_x(real(day), days);
        let (bottom, text) = (HEIGHT - EDGE, HEIGHT - EDGE + 16.0);
        let _ = write!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom:.1}\" y2=\"{:.1}\" stroke=\"#666666\"/><text x=\"{x:.1}\" y=\"{text:.1}\" text-anchor=\"middle\">{day}</text>",
            bottom + 4.0
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">days since the start of the month</text>",
        day_x(real(days) / 2.0, days),
        HEIGHT - EDGE + 32.0
    );
}

fn lines(title: &str, times: Times, series: &[(String, Vec<f64>)]) -> String {
    let names: Vec<&str> = series.iter().map(|(name, _)| name.as_str()).collect();
    let mut svg = frame(title, &names, Mark::Line);
    let most = series
        .iter()
        .flat_map(|(_, values)| values)
        .copied()
        .fold(1e-9, f64::max);
    let days = series
        .iter()
        .map(|(_, values)| values.len().div_ceil(times.per_day))
        .max()
        .unwrap_or(1);
    let top = grid_into(&mut svg, most);
    days_into(&mut svg, days);
    let at = |day: f64, value: f64| {
        let y = HEIGHT - EDGE - (HEIGHT - 2.0 * EDGE) * value / top;
        format!("{:.1},{y:.1}", day_x(day, days))
    };
    for (index, (name, values)) in series.iter().enumerate() {
        let point = |(place, value): (usize, &f64)| at(times.day(place), *value);
        let mut points: Vec<String> = values.iter().enumerate().map(point).collect();
        if let [value] = values.as_slice() {
            // A line needs two ends: a day alone is level all through.
            points = vec![at(0.0, *value), at(real(days), *value)];
        }
        let _ = write!(
            svg,
            "<polyline fill=\"none\" stroke-width=\"1.2\" stroke=\"{}\"{} points=\"{}\"><title>{}</title></polyline>",
            colour(index),
            dash(index),
            points.join(" "),
            escaped(name)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_few_round_numbers() {
        for (most, step) in [(100.0, 20.0), (7.3, 2.0), (0.04, 0.01), (12e6, 5e6)] {
            let found = round_step(most, GRID);
            assert!((found / step - 1.0).abs() < 1e-9, "{most}: {found}");
        }
    }

    #[test]
    fn series_differ_and_their_legend_stays_inside() {
        let names: Vec<String> = (0..13).map(|n| format!("a policy of number {n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut svg = String::new();
        assert!(legend_into(&mut svg, &names, Mark::Line) > HEIGHT + LEGEND_ROW);
        let starts = svg.split("<text x=\"").skip(1);
        let starts = starts.filter_map(|text| text.split('"').next()?.parse::<f64>().ok());
        assert!(starts.clone().count() == 13 && starts.clone().all(|x| x < WIDTH - 100.0));
        let looks: std::collections::BTreeSet<_> =
            (0..13).map(|n| (colour(n), dash(n), pale(n))).collect();
        assert_eq!(looks.len(), 13);
    }
}
