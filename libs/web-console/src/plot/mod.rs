//! Plots as SVG: series over time, one panel for each unit. Colours are attributes, which stand alone in a file, and
//! classes, which a page's style sheet overrides for the reader's scheme.

mod draw;
mod line;
mod ticks;

pub(crate) use draw::{Curve, Format, draw};
