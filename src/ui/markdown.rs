//! The changes as a comment of a pull request: a table, then each object folded. What does not fit a
//! comment goes to the rest.

use super::plan::{about, fold, owner_notes};
use super::row::{Row, Tense, concern_words, mark, sum, untried, warnings, word};
use crate::diff::text::{LineKind, unified};
use crate::diff::{Change, Op, concerns};
use crate::object::visible::is_hidden;
use std::fmt::Write;

/// GitHub refuses comments of 65,536 characters; bytes are at least as many. The difference is for
/// the closing note.
const MAX_COMMENT: usize = 64_000;
/// How much of a comment the table may fill.
const MAX_TABLE: usize = 24_000;
/// How many lines stay of an object that does not fit whole.
const SHORT: usize = 40;

/// A comment and what did not fit it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// The comment, short enough for GitHub.
    pub text: String,
    /// All that was cut from it, as markdown; empty when nothing was.
    pub rest: String,
    cut: usize,
}

impl Comment {
    /// The comment with more before it: a head that stays, and lines of a table, as many as fit.
    pub(super) fn before(&mut self, head: &str, lines: &str) {
        let mut text = head.to_owned();
        let mut left = String::new();
        for line in lines.split_inclusive('\n') {
            if left.is_empty() && text.len() + line.len() <= MAX_COMMENT {
                text.push_str(line);
            } else {
                left.push_str(line);
                self.cut += 1;
            }
        }
        if text.len() + self.text.len() > MAX_COMMENT {
            left.push_str(&self.text);
            self.cut += 1;
        } else if !self.text.is_empty() {
            text.push('\n');
            text.push_str(&self.text);
        }
        self.text = text;
        self.rest.insert_str(0, &left);
    }

    /// The comment with the closing note on what was cut and where it is.
    #[must_use]
    pub fn closed(mut self, rest_file: Option<&str>) -> Self {
        if self.cut > 0 {
            let objects = super::count(self.cut, "object");
            let place = match rest_file {
                Some(file) => format!("they are whole in {}", code(file)),
                None => "`--rest-file FILE` writes them to a file".to_owned(),
            };
            let _ = writeln!(
                self.text,
                "\n**Cut to the length of a comment: {objects} shown in part or not at all; {place}.**"
            );
        }
        self
    }
}

/// The comment; without an app, of changes that are of none.
#[must_use]
pub fn diff_comment(app: &str, namespace: &str, rows: &[Row<'_>], tense: Tense) -> Comment {
    let changes: Vec<&Change> = rows.iter().map(|(change, _)| *change).collect();
    let place = match app {
        "" => String::new(),
        app => format!("{app} in {}: ", code(namespace)),
    };
    let mut comment = Comment {
        text: format!("### {place}{}\n\n", sum(changes.iter().copied(), tense)),
        rest: String::new(),
        cut: 0,
    };
    let shown: Vec<&Row<'_>> = rows
        .iter()
        .filter(|(change, _)| change.op != Op::Noop)
        .collect();
    if shown.is_empty() {
        comment.text.push_str(match tense {
            Tense::Plan => "No changes.\n",
            Tense::Drift => "No drift.\n",
        });
        return comment;
    }
    let warnings = warnings(&changes);
    if !warnings.is_empty() {
        let _ = writeln!(comment.text, "> **Mind:** {warnings}\n");
    }
    let untried = untried(&changes);
    if !untried.is_empty() {
        let _ = writeln!(comment.text, "Not tried on the server: {untried}\n");
    }
    table(&mut comment, &shown, tense);
    for row in shown {
        let whole = folded(row, tense, 0);
        let short = || folded(row, tense, SHORT);
        if comment.text.len() + whole.len() <= MAX_COMMENT {
            comment.text.push_str(&whole);
            continue;
        }
        comment.cut += 1;
        comment.rest.push_str(&whole);
        let short = short();
        if comment.text.len() + short.len() <= MAX_COMMENT {
            comment.text.push_str(&short);
        }
    }
    comment
}

fn table(comment: &mut Comment, rows: &[&Row<'_>], tense: Tense) {
    const HEAD: &str = "| | object | labels | why | template |\n|---|---|---|---|---|\n";
    comment.text.push_str(HEAD);
    let mut left_out = String::new();
    let mut count = 0;
    for (change, _) in rows {
        let source = change.source.as_ref();
        let source = source.map(|source| code(&source.to_string()));
        let line = format!(
            "| {} {} | {} | {} | {} | {} |\n",
            mark(change).1,
            word(change, tense),
            code(&change.target.to_string()),
            concern_words(&concerns(change)),
            escaped(&short(&change.why())),
            source.unwrap_or_default()
        );
        if comment.text.len() + line.len() <= MAX_TABLE && left_out.is_empty() {
            comment.text.push_str(&line);
        } else {
            left_out.push_str(&line);
            count += 1;
        }
    }
    if count > 0 {
        let _ = writeln!(
            comment.text,
            "\n… and {} more.",
            super::count(count, "object")
        );
        comment.rest = format!("{HEAD}{left_out}");
    }
}

/// The beginning of a text that is too long for a table.
fn short(text: &str) -> String {
    const MOST: usize = 200;
    let mut kept: String = text.chars().take(MOST).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept
}

/// One object as a folded block, with at most so many lines unless 0. The fence is longer than any
/// run of backticks inside, so that the content of an object cannot end it.
fn folded((change, wait): &Row<'_>, tense: Tense, most: usize) -> String {
    let mut body = String::new();
    let lines = unified(change, 3);
    let (lines, hidden) = fold(&lines, most);
    for line in lines {
        let sign = match line.kind {
            LineKind::Added => '+',
            LineKind::Removed => '-',
            LineKind::Context => ' ',
            LineKind::Header => '@',
            LineKind::Skipped => '…',
        };
        let _ = writeln!(body, "{sign} {}", line.text);
    }
    if hidden > 0 {
        let _ = writeln!(body, "… {hidden} more lines");
    }
    let mut notes = String::new();
    let about = about(change, *wait, tense);
    for note in Some(about)
        .filter(|about| !about.is_empty())
        .into_iter()
        .chain(owner_notes(change))
    {
        let _ = writeln!(notes, "- {}", escaped(&note));
    }
    let gap = if notes.is_empty() { "" } else { "\n" };
    let fence = "`".repeat(longest_run(&body, '`').max(2) + 1);
    format!(
        "\n<details><summary>{} {}</summary>\n\n{notes}{gap}{fence}diff\n{body}{fence}\n\n</details>\n",
        word(change, tense),
        code(&change.target.to_string())
    )
}

/// A text as code within a line, whatever it consists of: names come from charts, and a comment is
/// read with the rights of its writer.
pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

/// A text that is no markdown, HTML or mention.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            ' ' | '-' | '.' | '/' | '(' | ')' | ',' | ':' | ';' | '=' => out.push(char),
            char if is_hidden(char) => out.push(' '),
            char if char.is_ascii_punctuation() => {
                let _ = write!(out, "&#{};", u32::from(char));
            }
            char => out.push(char),
        }
    }
    out
}

fn longest_run(text: &str, sought: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == sought { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}
