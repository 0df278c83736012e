//! What a person or a script gets to see. Data goes to stdout, everything else to stderr; text is
//! labeled, and only here do labels become colours.
//!
//! It knows events, changes and reports, never requests or flags.

mod downloads;
mod drift;
mod excerpt;
mod json;
mod label;
mod markdown;
mod plan;
mod progress;
mod requests;
mod row;
mod table;
#[cfg(test)]
mod tests;

pub use downloads::Downloads;
pub use drift::{DriftReport, drift_comment, drift_document, drift_summary, show_drift};
pub use excerpt::{Mark, excerpt};
pub use json::diff_document;
pub use label::{Label, paint};
pub use markdown::{Comment, diff_comment};
pub use plan::{Shown, explain, explain_only, show_changes};
pub use progress::{LogFormat, Progress};
pub use requests::show_requests;
pub use row::{Row, Tense, sum, summary};
pub use table::{plain_table, seconds};

use crate::object::visible;
use std::io::{self, BufRead, IsTerminal, Write};

/// How many bytes of data are written at once, unless a piece is larger.
const BUFFER: usize = 64 << 10;

/// Whether output is coloured, as `--color`, `NO_COLOR` and the terminal decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Colors {
    /// Colour on stdout.
    pub stdout: bool,
    /// Colour on stderr.
    pub stderr: bool,
}

/// The terminal, or what stands in its place.
#[derive(Clone, Copy, Debug)]
pub struct Ui {
    /// Where colour may be used.
    pub colors: Colors,
    /// Only errors and data.
    pub quiet: bool,
    /// How much to tell beside the usual: 0, 1, 2.
    pub verbose: u8,
}

impl Ui {
    /// Writes data to stdout.
    ///
    /// # Errors
    /// The reader is gone or the disk is full.
    pub fn data(&self, bytes: &[u8]) -> io::Result<()> {
        self.stream(|stdout| stdout.write_all(bytes))
    }

    /// Writes data to stdout piece by piece.
    ///
    /// # Errors
    /// As [`Self::data`].
    pub fn stream(
        &self,
        write: impl FnOnce(&mut io::BufWriter<io::StdoutLock<'static>>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut stdout = io::BufWriter::with_capacity(BUFFER, io::stdout().lock());
        write(&mut stdout)?;
        stdout.flush()
    }

    /// Writes a line about the run to stderr.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            drop(writeln!(io::stderr().lock(), "{text}"));
        }
    }

    /// Writes a line that only `-v` shows.
    pub fn detail(&self, text: &str) {
        if self.verbose > 0 {
            self.note(&paint(self.colors.stderr, Label::Dim, text));
        }
    }

    /// Writes a warning to stderr.
    pub fn warning(&self, text: &str) {
        let head = paint(self.colors.stderr, Label::Warning, "warning:");
        self.note(&format!("{head} {}", visible::lines(text)));
    }

    /// Writes the lines of an error to stderr, also when quiet. A line without a head is an excerpt.
    pub fn error(&self, lines: &[(&str, String)]) {
        let mut stderr = io::stderr().lock();
        for (head, text) in lines {
            let text = visible::lines(text.trim_end());
            if head.is_empty() {
                drop(writeln!(stderr, "{text}"));
                continue;
            }
            let label = if *head == "hint" {
                Label::Hint
            } else {
                Label::Error
            };
            let head = paint(self.colors.stderr, label, &format!("{head}:"));
            drop(writeln!(stderr, "{head} {text}"));
        }
    }

    /// How wide the terminal is that data goes to; `None` when it goes elsewhere.
    #[must_use]
    pub fn width(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
    }

    /// Whether somebody is there to answer a question.
    #[must_use]
    pub fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks a question that is answered by `y` or `yes`; everything else is no.
    ///
    /// # Errors
    /// Stdin cannot be read.
    pub fn ask(&self, question: &str) -> io::Result<bool> {
        let mut stderr = io::stderr().lock();
        write!(
            stderr,
            "{} [y/N]: ",
            paint(self.colors.stderr, Label::Heading, question)
        )?;
        stderr.flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(matches!(
            answer.trim().to_ascii_lowercase().as_str(),
            "y" | "yes"
        ))
    }
}

/// `1 object`, `2 objects`: the one place where a count gets its plural.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}
