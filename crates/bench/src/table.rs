//! Tables that can be read in a terminal and pasted into a document.

use std::fmt;

/// Rows below a heading; the first column is text, the others are figures.
#[derive(Debug, Clone)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    #[must_use]
    pub fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|&heading| heading.to_owned()).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: &[String]) {
        self.rows.push(cells.to_vec());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.first().map_or(0, Vec::len);
        let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
        let width = |column| self.rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(|column| width(column).max(3)).collect();
        for (number, row) in self.rows.iter().enumerate() {
            for (column, width) in widths.iter().enumerate() {
                let text = cell(row, column);
                match column {
                    0 => write!(formatter, "| {text:<width$} ")?,
                    _ => write!(formatter, "| {text:>width$} ")?,
                }
            }
            writeln!(formatter, "|")?;
            if number == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let line = "-".repeat(width + 1);
                    write!(formatter, "|{line}{}", if column == 0 { '-' } else { ':' })?;
                }
                writeln!(formatter, "|")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_a_short_row_is_filled_up() {
        let mut table = Table::new(&["What", "µs"]);
        table.row(&["submit".to_owned(), "12".to_owned()]);
        table.row(&["x".to_owned()]);
        assert_eq!(
            table.to_string(),
            "| What   |  µs |\n|--------|----:|\n| submit |  12 |\n| x      |     |\n"
        );
    }
}
