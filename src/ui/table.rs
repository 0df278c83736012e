//! Tables of plain text: columns two spaces apart, no frames, so that `awk` and `cut` work too.

/// Lays rows out under their headings. The last column is not padded.
#[must_use]
pub fn plain_table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = headings.iter().map(|h| h.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    let heads: Vec<String> = headings.iter().map(|h| (*h).to_owned()).collect();
    for row in std::iter::once(&heads).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// `12 s`, `3 min 20 s`, `4 h 10 min`, `6 d`: a length of time for people.
#[must_use]
pub fn seconds(total: u64) -> String {
    match total {
        0..60 => format!("{total} s"),
        60..3600 => format!("{} min {} s", total / 60, total % 60),
        3600..86_400 => format!("{} h {} min", total / 3600, total % 3600 / 60),
        _ => format!("{} d", total / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![
            vec!["create".to_owned(), "ConfigMap/a".to_owned()],
            vec!["noop".to_owned(), "Deployment/web".to_owned()],
        ];
        assert_eq!(
            plain_table(&["OP", "OBJECT"], &rows),
            "OP      OBJECT\ncreate  ConfigMap/a\nnoop    Deployment/web\n"
        );
    }

    #[test]
    fn times_are_told_in_the_unit_that_matters() {
        assert_eq!(seconds(59), "59 s");
        assert_eq!(seconds(200), "3 min 20 s");
        assert_eq!(seconds(15_000), "4 h 10 min");
    }
}
