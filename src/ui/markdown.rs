//! The changes as a comment of a pull request: a table, then each object folded.

use super::plan::summary;
use crate::diff::text::{LineKind, unified};
use crate::diff::{Change, Op};
use std::fmt::Write;

/// GitHub refuses comments of 65,536 characters; this leaves room for the closing note.
const MAX_COMMENT: usize = 64_000;

/// The comment; without an app, of changes that are of none. Objects whose diff would make it too long are named in the table only.
#[must_use]
pub fn diff_comment(app: &str, namespace: &str, changes: &[&Change]) -> String {
    let shown: Vec<&Change> = changes
        .iter()
        .copied()
        .filter(|c| c.op != Op::Noop)
        .collect();
    let place = if app.is_empty() {
        String::new()
    } else {
        format!("{app} in `{namespace}`: ")
    };
    let mut out = format!("### {place}{}\n\n", summary(changes.iter().copied()));
    if shown.is_empty() {
        out.push_str("No changes.\n");
        return out;
    }
    out.push_str("| op | object | fields |\n|---|---|---|\n");
    for change in &shown {
        let fields = change.fields.len();
        let _ = writeln!(
            out,
            "| {} | `{}` | {fields} |",
            change.op.word(),
            change.target
        );
    }
    let mut left_out = 0;
    for change in shown {
        let block = folded(change);
        if out.len() + block.len() > MAX_COMMENT {
            left_out += 1;
        } else {
            out.push_str(&block);
        }
    }
    if left_out > 0 {
        let _ = writeln!(
            out,
            "\n{} too long to show here; `windlass diff` shows them.",
            super::count(left_out, "object")
        );
    }
    out
}

/// One object as a folded block. The fence is longer than any run of backticks inside, so that the
/// content of an object cannot end it.
fn folded(change: &Change) -> String {
    let mut body = String::new();
    for line in unified(change, 3) {
        let sign = match line.kind {
            LineKind::Added => '+',
            LineKind::Removed => '-',
            LineKind::Context | LineKind::Header | LineKind::Skipped => ' ',
        };
        let _ = writeln!(body, "{sign} {}", line.text);
    }
    let fence = "`".repeat(longest_run(&body, '`').max(2) + 1);
    format!(
        "\n<details><summary>{} <code>{}</code></summary>\n\n{fence}diff\n{body}{fence}\n\n</details>\n",
        change.op.word(),
        change.target
    )
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

#[cfg(test)]
mod tests {
    use super::longest_run;

    #[test]
    fn a_fence_is_longer_than_the_backticks_inside() {
        assert_eq!(longest_run("a ``` b `` c", '`'), 3);
        assert_eq!(longest_run("none", '`'), 0);
    }
}
