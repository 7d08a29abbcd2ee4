//! Tables with aligned columns and without borders, so that tools such as cut and grep can process them.

use std::fmt::{self, Display};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement};
use stage::sanitize::Printable;

use super::{count, strong};

/// A table. Each cell holds one line.
pub struct Table(comfy_table::Table);

/// The sanitized text of a cell; numbers are right-aligned.
pub struct Cell {
    cell: comfy_table::Cell,
    is_right: bool,
}

impl Table {
    /// An empty table with these headings, which are in capitals.
    pub fn new<const N: usize>(headings: [&str; N]) -> Self {
        let mut table = comfy_table::Table::new();
        table
            .load_preset(NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(headings.map(|heading| comfy_table::Cell::new(strong(heading))));
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        Self(table)
    }

    /// Adds a row. A column with right-aligned cells has a right-aligned heading.
    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        for (index, _) in cells.iter().enumerate().filter(|(_, cell)| cell.is_right) {
            if let Some(column) = self.0.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        self.0.add_row(cells.map(|cell| cell.cell));
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.0.lines().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

impl Cell {
    /// Text that may come from the network and is sanitized.
    pub fn text(text: impl Display) -> Self {
        Self::left(comfy_table::Cell::new(Printable(text)))
    }

    /// Trusted text, which may be styled.
    pub fn styled(text: impl Display) -> Self {
        Self::left(comfy_table::Cell::new(text))
    }

    /// A number with thousands separators.
    pub fn count(number: impl Into<i128>) -> Self {
        Self::right(count(number))
    }

    /// Trusted text, right-aligned as numbers are.
    pub fn right(text: impl Display) -> Self {
        Self {
            cell: comfy_table::Cell::new(text).set_alignment(CellAlignment::Right),
            is_right: true,
        }
    }

    fn left(cell: comfy_table::Cell) -> Self {
        Self {
            cell: cell.set_alignment(CellAlignment::Left),
            is_right: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_control_characters_escaped() {
        let mut table = Table::new(["TOPIC", "MESSAGES"]);
        table.row([Cell::text("a"), Cell::count(1_234)]);
        table.row([Cell::text("long\u{1b}[2J"), Cell::count(5)]);
        let shown = anstream::adapter::strip_str(&table.to_string()).to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[0], "TOPIC          MESSAGES");
        assert_eq!(lines[1], "a                 1,234");
        assert_eq!(lines[2], r"long\u{1b}[2J         5");
    }
}
