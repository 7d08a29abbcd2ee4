//! The distributions as a ridge plot: one ridge per topic over a logarithmic time axis, with its median and p99.

use operator::latency::{Quantiles, Spans, Step, Window};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::terminal::{plural, span};

/// The plot's width, the margins around the ridges, and a ridge's height; in pixels.
const WIDTH: u32 = 1_000;
const LEFT: i32 = 330;
const RIGHT: i32 = 110;
const TOP: i32 = 84;
const BOTTOM: i32 = 56;
const ROW: i32 = 34;
/// Number of bins on the time axis.
const BINS: usize = 96;
/// Of more topics, those with the longest p99 are shown.
const MAX_ROWS: usize = 60;

const INK: RGBColor = RGBColor(38, 50, 56);
const FAINT: RGBColor = RGBColor(144, 164, 174);
const GRID: RGBColor = RGBColor(226, 232, 236);
const RIDGE: RGBColor = RGBColor(38, 139, 160);
const MEDIAN: RGBColor = RGBColor(13, 71, 90);
const TAIL: RGBColor = RGBColor(216, 97, 60);

/// The plot as an SVG document; `None` if no record has the timestamps.
pub(super) fn draw(window: &Window, from: &str, to: &str) -> Option<String> {
    let mut rows: Vec<Ridge<'_>> = window
        .topics
        .iter()
        .filter_map(|(topic, spans)| Ridge::of(topic, spans))
        .collect();
    rows.sort_by(|one, other| other.found.p99.total_cmp(&one.found.p99));
    let all = rows.len();
    rows.truncate(MAX_ROWS);
    let axis = Axis::over(&rows)?;
    let height = TOP + ROW * i32::try_from(rows.len()).ok()? + BOTTOM;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height.unsigned_abs())).into_drawing_area();
        let shown = match all {
            more if more > MAX_ROWS => format!("slowest {MAX_ROWS} of {}", plural(more, "topic")),
            all => plural(all, "topic"),
        };
        let subtitle = format!("{shown}, {from} to {to}; dark line: median, red line: p99");
        paint(&area, &axis, &rows, &subtitle, height).ok()?;
    }
    Some(svg)
}

/// A topic's row.
struct Ridge<'w> {
    topic: &'w str,
    spans: &'w Spans,
    found: Quantiles,
}

impl<'w> Ridge<'w> {
    fn of(topic: &'w str, spans: &'w Spans) -> Option<Self> {
        let found = spans.quantiles(Step::Total)?;
        Some(Self { topic, spans, found })
    }

    /// The number of messages in each bin relative to the fullest bin, smoothed over neighbouring bins.
    fn heights(&self, axis: &Axis) -> Vec<f64> {
        let counts: Vec<f64> = (0..BINS)
            .map(|bin| {
                let (from, to) = (axis.seconds(bin), axis.seconds(bin + 1));
                let from = if bin == 0 { 0.0 } else { from };
                self.spans.between(Step::Total, from, to) as f64
            })
            .collect();
        let at = |index: Option<usize>| index.and_then(|index| counts.get(index)).copied().unwrap_or(0.0);
        let smooth: Vec<f64> = (0..BINS)
            .map(|bin| (at(bin.checked_sub(1)) + 2.0 * at(Some(bin)) + at(Some(bin + 1))) / 4.0)
            .collect();
        let max = smooth.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        smooth.into_iter().map(|height| height / max).collect()
    }
}

/// A logarithmic time axis between two powers of ten, in seconds.
struct Axis {
    min_power: i32,
    max_power: i32,
}

impl Axis {
    /// From the power of ten below the shortest median to that above the longest span.
    fn over(rows: &[Ridge<'_>]) -> Option<Self> {
        let shortest = rows.iter().map(|row| row.found.p50).reduce(f64::min)?.max(1e-4) / 2.0;
        let longest = rows
            .iter()
            .map(|row| row.found.max)
            .reduce(f64::max)?
            .max(shortest);
        let min_power = shortest.log10().floor() as i32;
        Some(Self {
            min_power,
            max_power: (longest.log10().ceil() as i32).max(min_power + 1),
        })
    }

    /// The time at which a bin begins.
    fn seconds(&self, bin: usize) -> f64 {
        let decades = f64::from(self.max_power - self.min_power);
        10f64.powf(f64::from(self.min_power) + decades * bin as f64 / BINS as f64)
    }

    /// The x coordinate of a time, in pixels.
    fn x(&self, seconds: f64) -> i32 {
        let decades = f64::from(self.max_power - self.min_power);
        let part = ((seconds.max(1e-9).log10() - f64::from(self.min_power)) / decades).clamp(0.0, 1.0);
        let width = WIDTH.cast_signed() - LEFT - RIGHT;
        LEFT + (part * f64::from(width)).round() as i32
    }
}

type Area<'s> = DrawingArea<SVGBackend<'s>, plotters::coord::Shift>;
type Painted = Result<(), Box<dyn std::error::Error>>;

fn paint(area: &Area<'_>, axis: &Axis, rows: &[Ridge<'_>], subtitle: &str, height: i32) -> Painted {
    area.fill(&WHITE)?;
    write(area, "From SAL to the Avro topic", (24, 18), 22, INK, HPos::Left)?;
    write(area, subtitle, (24, 48), 13, FAINT, HPos::Left)?;
    let floor = height - BOTTOM;
    for power in axis.min_power..=axis.max_power {
        let seconds = 10f64.powi(power);
        let x = axis.x(seconds);
        area.draw(&PathElement::new(
            vec![(x, TOP - 8), (x, floor)],
            GRID.stroke_width(1),
        ))?;
        let label = if seconds < 1.0 {
            format!("{} ms", seconds * 1e3)
        } else {
            format!("{seconds} s")
        };
        write(area, &label, (x, floor + 10), 13, FAINT, HPos::Center)?;
    }
    for (index, row) in (0..).zip(rows) {
        ridge(area, axis, row, TOP + ROW * (index + 1))?;
    }
    area.present()?;
    Ok(())
}

/// Draws a topic's name, its ridge on the line at `base`, and its p99.
fn ridge(area: &Area<'_>, axis: &Axis, row: &Ridge<'_>, base: i32) -> Painted {
    let heights = row.heights(axis);
    let point = |(bin, height): (usize, &f64)| {
        let up = (height * f64::from(ROW) * 0.92).round() as i32;
        (axis.x(axis.seconds(bin)), base - up)
    };
    let line: Vec<(i32, i32)> = heights.iter().enumerate().map(point).collect();
    let end = WIDTH.cast_signed() - RIGHT;
    let mut filled = vec![(LEFT, base)];
    filled.extend(&line);
    filled.push((end, base));
    area.draw(&Polygon::new(filled, RIDGE.mix(0.35).filled()))?;
    area.draw(&PathElement::new(line, RIDGE.stroke_width(1)))?;
    area.draw(&PathElement::new(
        vec![(LEFT, base), (end, base)],
        GRID.stroke_width(1),
    ))?;
    for (seconds, colour) in [(row.found.p50, MEDIAN), (row.found.p99, TAIL)] {
        let x = axis.x(seconds);
        area.draw(&PathElement::new(
            vec![(x, base), (x, base - ROW * 2 / 3)],
            colour.stroke_width(2),
        ))?;
    }
    write(
        area,
        &label(row.topic),
        (LEFT - 14, base - 16),
        13,
        INK,
        HPos::Right,
    )?;
    write(
        area,
        &span(row.found.p99),
        (end + 14, base - 16),
        13,
        TAIL,
        HPos::Left,
    )
}

/// A topic's name without the common prefix, cut at its start to fit.
fn label(topic: &str) -> String {
    const MAX_CHARS: usize = 40;
    let name = topic.strip_prefix("lsst.sal.").unwrap_or(topic);
    let length = name.chars().count();
    if length <= MAX_CHARS {
        return name.to_owned();
    }
    let tail: String = name.chars().skip(length - MAX_CHARS + 1).collect();
    format!("…{tail}")
}

fn write(area: &Area<'_>, text: &str, place: (i32, i32), size: u32, colour: RGBColor, from: HPos) -> Painted {
    let style = TextStyle::from(("sans-serif", size).into_font())
        .color(&colour)
        .pos(Pos::new(from, VPos::Top));
    area.draw_text(text, &style, place)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use operator::latency::Timestamps;

    use super::*;

    #[test]
    fn every_topic_has_a_ridge() {
        let mut window = Window::default();
        assert_eq!(draw(&window, "a", "b"), None);
        for (topic, millis) in [
            ("lsst.sal.Test_<scalars>", 3),
            ("lsst.sal.MTMount_elevation", 700),
        ] {
            let spans = window.topics.entry(topic.to_owned()).or_default();
            for part in 1..=50 {
                spans.add(&Timestamps {
                    created: Some(1_000_000),
                    produced: Some(1_000_000 + millis * part * 100),
                    ..Timestamps::default()
                });
            }
        }
        let svg = draw(&window, "2026-11-21T10:00:00Z", "2026-11-21T10:05:00Z").unwrap();
        assert!(
            svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"),
            "{svg}"
        );
        assert!(svg.contains("Test_&lt;scalars&gt;"), "names are escaped: {svg}");
        assert_eq!(svg.matches("<polygon").count(), 2);
        assert!(
            svg.find("MTMount").unwrap() < svg.find("Test_").unwrap(),
            "the slowest first"
        );
    }

    #[test]
    fn long_names_are_cut_at_the_start() {
        assert_eq!(label("lsst.sal.Test_scalars"), "Test_scalars");
        let cut = label(&"x".repeat(60));
        assert_eq!(cut.chars().count(), 40);
    }
}
