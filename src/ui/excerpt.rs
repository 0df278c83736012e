//! Some lines of a text with their numbers and a caret: where something is wrong. It knows no
//! errors, only places.

use crate::object::visible::is_hidden;
use std::fmt::Write;

/// How many characters of a line are shown; of a longer one, those around the mark.
const MAX_WIDTH: usize = 120;

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1; without one, no caret is drawn.
    pub column: Option<usize>,
}

/// Lines of a file, the first of which has the number `first`, with the marked one pointed at.
/// Characters that would move the cursor or change colours are replaced.
#[must_use]
pub fn excerpt(file: &str, first: usize, lines: &[&str], mark: Mark) -> String {
    let width = (first + lines.len()).to_string().len();
    let column = mark.column.map(|c| format!(":{c}")).unwrap_or_default();
    let mut out = format!("{:width$}   --> {file}:{}{column}\n", "", mark.line);
    for (number, line) in (first..).zip(lines) {
        let is_marked = number == mark.line;
        let column = mark.column.filter(|_| is_marked);
        let start = match column {
            Some(column) if line.chars().count() > MAX_WIDTH => {
                column.saturating_sub(MAX_WIDTH / 2)
            }
            _ => 0,
        };
        let text: String = line
            .chars()
            .skip(start)
            .take(MAX_WIDTH)
            .map(visible)
            .collect();
        let sign = if is_marked { '>' } else { ' ' };
        let row = format!("{sign} {number:>width$} | {text}");
        let _ = writeln!(out, "{}", row.trim_end());
        if let Some(column) = column {
            let before = column.saturating_sub(start).max(1);
            let _ = writeln!(out, "  {:width$} | {:>before$}", "", "^");
        }
    }
    out
}

/// A character that takes one cell and does nothing else. A tab is seen, since YAML forbids it.
fn visible(character: char) -> char {
    match character {
        '\t' => '→',
        c if is_hidden(c) => '\u{fffd}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_WIDTH, Mark, excerpt};

    #[test]
    fn the_caret_stands_below_the_place() {
        let mark = Mark {
            line: 10,
            column: Some(4),
        };
        insta::assert_snapshot!(excerpt("a.yaml", 9, &["first:", "\tb\u{1b}: c"], mark), @r"
             --> a.yaml:10:4
           9 | first:
        > 10 | →b�: c
             |    ^
        ");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let line = format!("{}x{}", "a".repeat(500), "b".repeat(500));
        let shown = excerpt(
            "a.yaml",
            1,
            &[&line],
            Mark {
                line: 1,
                column: Some(501),
            },
        );
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[1].find('x'), lines[2].find('^'));
        assert!(lines[1].len() < MAX_WIDTH + 10, "{shown}");
    }
}
