//! Texts of others on their way to a terminal or the log of a CI system, where no character of them
//! may do anything.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Characters that are never written as they are: controls, and those that reorder text.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A text within a line: line breaks and tabs are escaped too.
pub(crate) fn inline(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// A text of several lines. A line break stays unless a CI system would take what follows for a command.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |rest| {
        let next = rest[1..].trim_start();
        rest.starts_with('\t') || !(next.starts_with("::") || next.starts_with("##["))
    })
}

/// Escapes what is hidden, except for line breaks and tabs at the beginning of a rest that `stays`.
fn escaped(text: &str, stays: impl Fn(&str) -> bool) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for (at, c) in text.char_indices() {
        match c {
            '\n' | '\t' if stays(&text[at..]) => out.push(c),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_hidden(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_steer_a_terminal_is_escaped() {
        let text = "a\u{1b}[31m\r\u{9b}\u{7f}\u{85}\u{202e}\u{2066}\tb\nc é";
        insta::assert_snapshot!(inline(text), @r"a\u001b[31m\r\u009b\u007f\u0085\u202e\u2066\tb\nc é");
        assert_eq!(inline("plain é"), "plain é");
        assert_eq!(lines("a\n\tb \u{1b}"), "a\n\tb \\u001b");
    }

    #[test]
    fn no_line_of_a_text_is_a_command_of_a_ci_system() {
        for command in ["::add-mask::x", "  ::error::x", "\n##[error]x"] {
            let text = format!("first\n{command}");
            let shown = lines(&text);
            let is_command = |line: &str| line.trim_start().starts_with(['#', ':']);
            assert!(!shown.lines().any(is_command), "{shown}");
        }
    }
}
