//! What a piece of text is, and how that looks. Meaning never hangs on the colour alone.

use crate::object::visible;
use anstyle::{AnsiColor, Style};

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// Something new, or good.
    Added,
    /// Something that goes away.
    Removed,
    /// Something that becomes different.
    Changed,
    /// A title or a question.
    Heading,
    /// Of less importance.
    Dim,
    /// An error.
    Error,
    /// A warning.
    Warning,
    /// What to do about an error.
    Hint,
    /// Nothing special.
    Plain,
}

fn style(label: Label) -> Style {
    let color = |color: AnsiColor| Style::new().fg_color(Some(anstyle::Color::Ansi(color)));
    match label {
        Label::Added => color(AnsiColor::Green),
        Label::Removed => color(AnsiColor::Red),
        Label::Changed => color(AnsiColor::Yellow),
        Label::Heading => Style::new().bold(),
        Label::Dim => Style::new().dimmed(),
        Label::Error => color(AnsiColor::Red).bold(),
        Label::Warning => color(AnsiColor::Yellow).bold(),
        Label::Hint => color(AnsiColor::Cyan).bold(),
        Label::Plain => Style::new(),
    }
}

/// The text in the look of its label, without anything else that would act on a terminal.
#[must_use]
pub fn paint(colored: bool, label: Label, text: &str) -> String {
    let text = visible::lines(text);
    if !colored || label == Label::Plain {
        return text.into_owned();
    }
    let style = style(label);
    format!("{style}{text}{style:#}")
}
