//! What git says about the project: the branch and the commit that a deploy is recorded with.

use std::path::Path;
use std::process::Command;

/// The current branch; `None` outside a repository and on a detached head.
pub(super) fn branch(folder: &Path) -> Option<String> {
    git(folder, &["symbolic-ref", "--quiet", "--short", "HEAD"])
}

/// The current commit, marked `-dirty` when files differ from it.
pub(super) fn commit(folder: &Path) -> Option<String> {
    let commit = git(folder, &["rev-parse", "HEAD"])?;
    let clean = git(folder, &["status", "--porcelain", "--untracked-files=no"]).is_none();
    Some(if clean {
        commit
    } else {
        format!("{commit}-dirty")
    })
}

/// What git prints, if it prints something. A missing git is no error: the record then has no commit.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
