//! A whole plot: panels one above the other over one axis of time.

use std::fmt::Write as _;

use maud::{Markup, html};
use operator::telemetry::{Series, TimeRange};

use super::line::{Joint, paths};
use super::ticks::{Names, ValueAxis, time_ticks};
use crate::format::shown;

/// Colours that differ for people with any colour vision, on white; the page has others for dark.
const COLOURS: [&str; 8] = [
    "#0b6fb8", "#c2510a", "#0a8a66", "#a8478f", "#8a6d00", "#5a54c4", "#b3261e", "#4a5560",
];
const INK: &str = "#3a424a";
const GRID: &str = "#e2e6ea";
const FONT: &str = "system-ui, sans-serif";
/// The width of a digit of the labels.
const DIGIT: f64 = 6.6;

/// A series with its name.
#[derive(Debug, Clone)]
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) unit: Option<String>,
    /// Of an enumeration, its names: a value is the place of one.
    pub(crate) symbols: Vec<String>,
    pub(crate) series: Series,
}

/// How large a plot is, and whether it stands alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Format {
    pub(crate) width: f64,
    pub(crate) panel: f64,
    /// With the names in it and a background, as a file of its own needs them.
    pub(crate) alone: bool,
}

impl Format {
    pub(crate) const WIDE: Self = Self {
        width: 1_080.0,
        panel: 230.0,
        alone: false,
    };
    pub(crate) const NARROW: Self = Self {
        width: 360.0,
        panel: 180.0,
        alone: false,
    };
    pub(crate) const FILE: Self = Self {
        alone: true,
        ..Self::WIDE
    };
}

/// The curves of one unit or one enumeration, each with its place among all, and their axis.
type Panel<'c> = (Measure<'c>, Vec<(usize, &'c Curve)>, ValueAxis);

/// What the values of a panel have in common.
type Measure<'c> = (Option<&'c str>, &'c [String]);

impl Curve {
    fn measure(&self) -> Measure<'_> {
        (self.unit.as_deref(), &self.symbols)
    }

    /// The name of a value of an enumeration.
    pub(crate) fn symbol(&self, value: f64) -> Option<&str> {
        let index = Some(value.round()).filter(|place| *place >= 0.0)? as usize;
        self.symbols.get(index).map(String::as_str)
    }
}

/// The edges of the panels, in the units of the drawing.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    height: f64,
    from: i64,
    to: i64,
}

impl Frame {
    fn x(&self, micros: i64) -> f64 {
        let share = (micros - self.from) as f64 / (self.to - self.from).max(1) as f64;
        self.left + share * (self.right - self.left)
    }
}

/// Draws curves, those of one unit or one enumeration in one panel, in the order in which these first occur.
pub(crate) fn draw(curves: &[Curve], range: TimeRange, format: Format) -> Markup {
    let mut measures: Vec<Measure<'_>> = Vec::new();
    for curve in curves {
        if !measures.contains(&curve.measure()) {
            measures.push(curve.measure());
        }
    }
    let panels: Vec<Panel<'_>> = measures
        .into_iter()
        .map(|measure| {
            let all = curves.iter().enumerate();
            let of_panel: Vec<_> = all.filter(|(_, curve)| curve.measure() == measure).collect();
            let axis = axis(&of_panel, measure.1, format);
            (measure, of_panel, axis)
        })
        .collect();
    let chars = panels
        .iter()
        .map(|(_, _, axis)| axis.label_chars())
        .max()
        .unwrap_or(1);
    let names = if format.alone {
        curves.len() as f64 * 18.0 + 14.0
    } else {
        0.0
    };
    let (header, gap, footer) = (26.0, 16.0, 34.0);
    let mut frame = Frame {
        left: (chars as f64 * DIGIT + 16.0).max(40.0),
        right: format.width - 14.0,
        top: names + header,
        height: format.panel - header - gap,
        from: range.from,
        to: range.to,
    };
    let count = panels.len().max(1) as f64;
    let height = names + count * format.panel + footer - gap;
    let ticks = time_ticks(
        range.from / 1_000,
        range.to / 1_000,
        if format.width > 600.0 { 8 } else { 4 },
    );
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {} {height}", format.width))
            width=[format.alone.then_some(format.width)] height=[format.alone.then_some(height)]
            role="img" aria-label=(summary(curves)) font-family=(FONT) font-size="12"
            data-from=(range.from / 1_000) data-to=(range.to / 1_000) data-left=(frame.left) data-right=(frame.right) {
            @if format.alone {
                rect width="100%" height="100%" fill="#ffffff" {}
                @for (index, curve) in curves.iter().enumerate() {
                    rect x=(frame.left) y=(index * 18 + 13) width="14" height="3" fill=(colour(index)) {}
                    text x=(frame.left + 22.0) y=(index * 18 + 19) fill=(INK) { (shown(&curve.name)) }
                }
            }
            @for (measure, of_panel, axis) in &panels {
                (panel(&frame, *measure, of_panel, axis, &ticks))
                ({ frame.top += format.panel; "" })
            }
            (time_axis(&frame, frame.top - format.panel + frame.height, &ticks))
        }
    }
}

fn axis(curves: &[(usize, &Curve)], symbols: &[String], format: Format) -> ValueAxis {
    let points = || curves.iter().flat_map(|(_, curve)| &curve.series.points);
    let low = points().map(|point| point.low).fold(f64::INFINITY, f64::min);
    let high = points().map(|point| point.high).fold(f64::NEG_INFINITY, f64::max);
    let is_wide = format.width > 600.0;
    if symbols.is_empty() {
        return ValueAxis::cover(low, high, if is_wide { 5 } else { 4 });
    }
    let (most, chars) = if is_wide { (9, 24) } else { (7, 12) };
    ValueAxis::name(symbols, low, high, Names { most, chars })
}

fn panel(
    frame: &Frame,
    (unit, symbols): Measure<'_>,
    curves: &[(usize, &Curve)],
    axis: &ValueAxis,
    ticks: &[(i64, String)],
) -> Markup {
    let (top, bottom) = (frame.top, frame.top + frame.height);
    let y = |value: f64| bottom - (value - axis.low) / (axis.high - axis.low) * frame.height;
    let is_empty = curves.iter().all(|(_, curve)| curve.series.points.is_empty());
    html! {
        g.panel data-top=(top) data-bottom=(bottom) data-low=(axis.low) data-high=(axis.high) {
            text.unit x=(frame.left) y=(top - 10.0) fill=(INK) font-weight="600" { @if symbols.is_empty() { (unit_label(unit, axis.power)) } @else { "by name" } }
            @for (value, text) in &axis.ticks {
                line.grid x1=(frame.left) x2=(frame.right) y1=(px(y(*value))) y2=(px(y(*value))) stroke=(GRID) {}
                @if !is_empty {
                    text.tick x=(frame.left - 8.0) y=(px(y(*value) + 4.0)) text-anchor="end" fill=(INK) { (text) }
                }
            }
            @for (time, _) in ticks {
                line.grid.down x1=(px(frame.x(time * 1_000))) x2=(px(frame.x(time * 1_000))) y1=(top) y2=(bottom) stroke=(GRID) {}
            }
            @if is_empty {
                text.tick x=(px((frame.left + frame.right) / 2.0)) y=(px((top + bottom) / 2.0)) text-anchor="middle" fill=(INK) {
                    "No values in this time"
                }
            }
            @for (index, curve) in curves {
                (drawn(frame, *index, curve, y))
            }
        }
    }
}

fn drawn(frame: &Frame, index: usize, curve: &Curve, y: impl Fn(f64) -> f64) -> Markup {
    let series = &curve.series;
    let joint = if curve.symbols.is_empty() {
        Joint::Line
    } else {
        Joint::Step
    };
    let paths = paths(&series.points, series.stretch, joint, |time| frame.x(time), y);
    let names: Vec<String> = curve.symbols.iter().map(shown).collect();
    let (mut times, mut values) = (String::new(), String::new());
    for point in &series.points {
        // A `String` can always be written to.
        let _ = write!(times, "{} ", (point.time - frame.from) / 1_000);
        let _ = write!(values, "{} ", point.value);
    }
    html! {
        g class=(format!("series s{}", index % COLOURS.len())) fill=(colour(index)) stroke=(colour(index))
            data-name=(shown(&curve.name)) data-unit=[curve.unit.as_deref().map(shown)] data-names=[(!names.is_empty()).then(|| names.join(" "))]
            data-t=(times.trim_end()) data-v=(values.trim_end()) {
            @if !paths.band.is_empty() { path.band d=(paths.band) stroke="none" fill-opacity="0.2" {} }
            path.line d=(paths.line) fill="none" stroke-width="1.6" stroke-linejoin="round" stroke-linecap="round" {}
            @for (x, y) in &paths.dots { circle cx=(px(*x)) cy=(px(*y)) r="2.1" stroke="none" {} }
        }
    }
}

fn time_axis(frame: &Frame, bottom: f64, ticks: &[(i64, String)]) -> Markup {
    html! {
        line.axis x1=(frame.left) x2=(frame.right) y1=(px(bottom)) y2=(px(bottom)) stroke=(INK) {}
        @for (time, text) in ticks {
            line.axis x1=(px(frame.x(time * 1_000))) x2=(px(frame.x(time * 1_000))) y1=(px(bottom)) y2=(px(bottom + 5.0)) stroke=(INK) {}
            @if frame.x(time * 1_000) < frame.right - 12.0 {
                text.tick x=(px(frame.x(time * 1_000))) y=(px(bottom + 20.0)) text-anchor="middle" fill=(INK) { (text) }
            }
        }
    }
}

fn unit_label(unit: Option<&str>, power: i32) -> String {
    let unit = unit.map_or_else(|| "no unit".to_owned(), shown);
    if power == 0 {
        unit
    } else {
        format!("{unit} × 10{}", superscript(power))
    }
}

fn superscript(number: i32) -> String {
    let raised = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '0' | '4'..='9' => char::from_u32('⁰' as u32 + (c as u32 - '0' as u32)).unwrap_or(c),
        c => c,
    };
    number.to_string().chars().map(raised).collect()
}

/// For a screen reader: the names; the values stand in the table below.
fn summary(curves: &[Curve]) -> String {
    let names: Vec<String> = curves.iter().map(|curve| shown(&curve.name)).collect();
    format!("Plot of {} over time", names.join(", "))
}

fn colour(index: usize) -> &'static str {
    COLOURS.get(index % COLOURS.len()).copied().unwrap_or(INK)
}

/// A coordinate with one decimal.
fn px(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use operator::telemetry::Point;

    use super::*;

    fn curve(name: &str, unit: Option<&str>, values: &[f64]) -> Curve {
        let point = |(index, value): (usize, &f64)| Point::single(index as i64 * 1_000_000, *value);
        Curve {
            name: name.to_owned(),
            unit: unit.map(str::to_owned),
            symbols: Vec::new(),
            series: Series {
                points: values.iter().enumerate().map(point).collect(),
                ..Series::default()
            },
        }
    }

    #[test]
    fn each_unit_has_a_panel() {
        let range = TimeRange {
            from: 0,
            to: 10_000_000,
        };
        let curves = [
            curve("a", Some("deg"), &[1.0, 2.0]),
            curve("b", None, &[]),
            curve("c", Some("deg"), &[3.0]),
        ];
        let drawn = draw(&curves, range, Format::WIDE).into_string();
        assert_eq!(drawn.matches("class=\"panel\"").count(), 2);
        assert_eq!(drawn.matches("class=\"series").count(), 3);
        assert!(drawn.contains("No values in this time"));
        assert!(drawn.contains(r#"data-t="0 1000" data-v="1 2""#), "{drawn}");
    }

    #[test]
    fn an_enumeration_has_its_names() {
        let range = TimeRange {
            from: 0,
            to: 10_000_000,
        };
        let state = Curve {
            symbols: ["OFFLINE", "<b>", "ENABLED"].map(str::to_owned).to_vec(),
            ..curve("state", None, &[0.0, 2.0])
        };
        assert_eq!(
            (state.symbol(2.0), state.symbol(3.0), state.symbol(-1.0)),
            (Some("ENABLED"), None, None)
        );
        let drawn = draw(&[curve("a", None, &[1.0]), state], range, Format::WIDE).into_string();
        assert_eq!(drawn.matches("class=\"panel\"").count(), 2, "{drawn}");
        assert!(
            drawn.contains(">OFFLINE</text>") && drawn.contains("&lt;b&gt;"),
            "{drawn}"
        );
        assert!(
            drawn.contains(r#"data-names="OFFLINE &lt;b&gt; ENABLED""#),
            "{drawn}"
        );
    }

    #[test]
    fn hostile_names_are_text() {
        let range = TimeRange { from: 0, to: 1 };
        let hostile = "</text><script>alert(1)</script>\"'\n\u{202e}";
        let drawn = draw(&[curve(hostile, Some(hostile), &[1.0])], range, Format::FILE).into_string();
        assert!(
            !drawn.contains("<script>") && !drawn.contains('\u{202e}') && !drawn.contains('\n'),
            "{drawn}"
        );
    }

    #[test]
    fn powers_are_raised() {
        assert_eq!(unit_label(Some("Hz"), 6), "Hz × 10⁶");
        assert_eq!(unit_label(None, -12), "no unit × 10⁻¹²");
    }
}
