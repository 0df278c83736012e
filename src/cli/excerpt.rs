//! The lines of the input that an error is about. Where a secret could stand in them, only their
//! place is told.

use crate::config;
use crate::object::manifest::may_be_secret;
use crate::ui::{Mark, excerpt};
use std::borrow::Cow;
use windlass_helm::{chart, template, yaml};

/// How many lines are shown before and after the one that is meant.
const AROUND: usize = 2;

/// The line of the project file.
pub(super) fn of_project(error: &config::Error) -> String {
    let mark = Mark {
        line: error.line,
        column: Some(error.column),
    };
    excerpt(&error.file, error.line, &[&error.source_line], mark)
}

/// The line of the template that failed, or the lines of the rendered text that are no YAML.
pub(super) fn of_chart(error: &chart::Error) -> String {
    match error {
        chart::Error::Template { source, .. } => of_template(source),
        chart::Error::Manifest {
            path,
            message,
            first_line,
            lines,
            text,
        } => of_rendered(path, message, *first_line, lines, text),
        _ => String::new(),
    }
}

/// The innermost template that stands in a file of the chart. The text given to `tpl` is a value,
/// and may be secret.
fn of_template(error: &template::Error) -> String {
    let mut meant = error;
    while let Some(inner) = meant.inner()
        && inner.line() > 0
        && !meant.cause().starts_with("error calling tpl")
    {
        meant = inner;
    }
    if meant.line() == 0 {
        return String::new();
    }
    let bytes_before = meant.column();
    let line = meant.source_line();
    let column = bytes_before.map(|bytes| {
        let before = line.as_bytes().get(..bytes).unwrap_or_default();
        String::from_utf8_lossy(before).chars().count() + 1
    });
    let mark = Mark {
        line: meant.line(),
        column,
    };
    around(meant.file(), meant.text(), 1, mark, 0)
}

/// The lines of the document around the one where the reader stopped, counted as in the output of
/// the template.
fn of_rendered(
    path: &str,
    message: &str,
    first_line: usize,
    lines: &[usize],
    text: &[u8],
) -> String {
    let line = match yaml::parse(text) {
        Err(error) => error.line.max(1),
        Ok(_) => line_in(message).unwrap_or(1),
    };
    let mark = Mark {
        line: first_line + line - 1,
        column: None,
    };
    let written = lines.get(line - 1).or(lines.last());
    let written = written.map(|line| format!(":{line}")).unwrap_or_default();
    around(
        &format!("{path}{written}, in its output"),
        text,
        first_line,
        mark,
        AROUND,
    )
}

/// The number after `line ` in a message.
fn line_in(message: &str) -> Option<usize> {
    let (_, rest) = message.split_once("line ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|line| *line > 0)
}

/// The marked line of a text and some before and after it. The first line of the text has the number
/// `first`.
fn around(file: &str, text: &[u8], first: usize, mark: Mark, after: usize) -> String {
    if may_be_secret(text) {
        return format!(
            "{} (a Secret: its lines are not shown)",
            excerpt(file, 1, &[], mark).trim_end()
        );
    }
    let lines: Vec<Cow<'_, str>> = text
        .strip_suffix(b"\n")
        .unwrap_or(text)
        .split(|byte| *byte == b'\n')
        .map(String::from_utf8_lossy)
        .collect();
    let index = mark
        .line
        .saturating_sub(first)
        .min(lines.len().saturating_sub(1));
    let start = index.saturating_sub(AROUND);
    let end = (index + after + 1).min(lines.len());
    let shown: Vec<&str> = lines[start..end].iter().map(AsRef::as_ref).collect();
    excerpt(file, first + start, &shown, mark)
}

#[cfg(test)]
mod tests {
    use super::line_in;

    #[test]
    fn the_line_of_a_message_is_found() {
        assert_eq!(line_in("yaml: line 12: mapping values"), Some(12));
        assert_eq!(line_in("json: cannot unmarshal array"), None);
    }
}
