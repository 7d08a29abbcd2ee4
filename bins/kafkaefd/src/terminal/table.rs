//! Tables for people: aligned columns without lines, so that they can be cut and searched with the usual tools.

use std::fmt::{self, Display};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement};
use stage::sanitize::Printable;

use super::{count, strong};

/// A table; its cells hold one line each.
pub struct Table(comfy_table::Table);

/// One cell's text: printable, and at the right if it is a number.
pub struct Cell {
    cell: comfy_table::Cell,
    is_right: bool,
}

impl Table {
    /// A table with these headings, in capitals.
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

    /// Adds a row. The heading stands where its numbers do.
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
    /// A text that may come over the wire.
    pub fn text(text: impl Display) -> Self {
        Self::left(comfy_table::Cell::new(Printable(text)))
    }

    /// A text of ours, which may be coloured.
    pub fn styled(text: impl Display) -> Self {
        Self::left(comfy_table::Cell::new(text))
    }

    /// A number, with its thousands apart.
    pub fn count(number: impl Into<i128>) -> Self {
        Self::right(count(number))
    }

    /// A text of ours at the right, where numbers stand.
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
    fn columns_line_up_and_nothing_moves_the_cursor() {
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
