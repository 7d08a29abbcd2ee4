//! A small plot of a course, without axes: its shape, with gaps where nothing was known.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::live::Course;

const WIDTH: f64 = 100.0;
const HEIGHT: f64 = 30.0;
/// The room above the largest value.
const MARGIN: f64 = 2.0;

/// Draws it from 0 to its largest value. It says nothing to a screen reader: the number beside it does.
pub(crate) fn sparkline(course: &Course) -> Markup {
    let most = course.most().unwrap_or_default();
    let (line, area) = paths(&course.places(), most);
    html! {
        svg.spark viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            path.spark-area d=(area) {}
            path.spark-line d=(line) vector-effect="non-scaling-stroke" {}
        }
    }
}

fn paths(places: &[(f64, Option<f64>)], most: f64) -> (String, String) {
    let (mut line, mut area) = (String::new(), String::new());
    let mut open: Option<(f64, f64)> = None;
    let close = |area: &mut String, open: &mut Option<(f64, f64)>| {
        if let Some((_, last)) = open.take() {
            let _ = write!(area, "L{last:.1} {HEIGHT}Z");
        }
    };
    for &(place, value) in places {
        let Some(value) = value else {
            close(&mut area, &mut open);
            continue;
        };
        let x = place * WIDTH;
        let share = if most > 0.0 {
            (value / most).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let y = HEIGHT - 1.0 - share * (HEIGHT - 1.0 - MARGIN);
        // A `String` can always be written to.
        match &mut open {
            Some((_, last)) => {
                let _ = write!(line, "L{x:.1} {y:.1}");
                let _ = write!(area, "L{x:.1} {y:.1}");
                *last = x;
            }
            None => {
                let _ = write!(line, "M{x:.1} {y:.1}");
                let _ = write!(area, "M{x:.1} {HEIGHT}L{x:.1} {y:.1}");
                open = Some((x, x));
            }
        }
    }
    close(&mut area, &mut open);
    (line, area)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_gaps() {
        let places = [(0.0, Some(1.0)), (0.5, Some(2.0)), (0.7, None), (1.0, Some(1.0))];
        let (line, area) = paths(&places, 2.0);
        assert_eq!(line.matches('M').count(), 2);
        assert_eq!(area.matches('Z').count(), 2);
        assert!(line.starts_with("M0.0 15.5L50.0 2.0M"), "{line}");
        assert_eq!(paths(&[], 0.0), (String::new(), String::new()));
    }
}
