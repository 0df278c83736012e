//! What git says about the project: the branch and the commit that a deploy is recorded with.

use super::remote::without_credentials;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The current branch; `None` outside a repository and on a detached head.
pub(super) fn branch(folder: &Path) -> Option<String> {
    git(folder, &["symbolic-ref", "--quiet", "--short", "HEAD"])
}

/// The current commit, marked `-dirty` when files differ from it, or one of the inputs is not in it.
pub(super) fn commit(folder: &Path, inputs: &[&Path]) -> Option<String> {
    let commit = git(folder, &["rev-parse", "HEAD"])?;
    let status = ["status", "--porcelain"];
    let is_new = |input: &&Path| {
        let input = input.canonicalize().unwrap_or_default();
        let input = input.display().to_string();
        git(folder, &[&status[..], &["--", &input]].concat()).is_some()
    };
    let is_dirty = git(folder, &[&status[..], &["--untracked-files=no"]].concat()).is_some()
        || inputs.iter().any(is_new);
    Some(match is_dirty {
        true => format!("{commit}-dirty"),
        false => commit,
    })
}

/// The address of the remote, without credentials.
pub(super) fn remote(folder: &Path) -> Option<String> {
    let remote = git(folder, &["ls-remote", "--get-url"]);
    // Without a remote, git prints the name of the default one.
    remote
        .filter(|url| url.contains([':', '/']))
        .map(|url| without_credentials(&url))
}

/// The name of whoever commits here.
pub(super) fn user(folder: &Path) -> Option<String> {
    git(folder, &["config", "user.name"])
}

/// Whether a commit comes before another; `None` where one of them is not known here.
pub(super) fn is_ancestor(folder: &Path, first: &str, then: &str) -> Option<bool> {
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_name(first) || !is_name(then) {
        return None;
    }
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["merge-base", "--is-ancestor", first, then])
        .output()
        .ok()?;
    match output.status.code() {
        Some(0) => Some(true),
        Some(1) => Some(false),
        _ => None,
    }
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

/// What git says about the sources of an image, as kbld asks it (`pkg/kbld/image/git.go`).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// The remote without credentials; `<unknown>` without one.
    pub(super) remote: String,
    /// The commit; `<no commits>` before the first.
    pub(super) commit: String,
    /// Whether files differ from the commit, or are new.
    pub(super) dirty: bool,
    /// The tags of the commit.
    pub(super) tags: Vec<String>,
}

/// The sources in a folder; `None` outside a repository.
pub(super) fn source(folder: &Path) -> Option<Source> {
    git(folder, &["rev-parse", "--git-dir"])?;
    let tags = git(folder, &["tag", "--points-at", "HEAD"]).unwrap_or_default();
    Some(Source {
        remote: remote(folder).unwrap_or_else(|| "<unknown>".to_owned()),
        commit: git(folder, &["rev-parse", "HEAD"]).unwrap_or_else(|| "<no commits>".to_owned()),
        dirty: git(folder, &["status", "--short"]).is_some(),
        tags: tags.lines().map(str::to_owned).collect(),
    })
}

/// The top folder of the repository that a folder is in.
pub(super) fn root(folder: &Path) -> Option<PathBuf> {
    let root = git(folder, &["rev-parse", "--show-toplevel"])?;
    PathBuf::from(root).canonicalize().ok()
}

/// Writes the files of a revision into a folder, without touching the working tree, its index or
/// anything that git keeps.
///
/// # Errors
/// What git says.
pub(super) fn unpack(repository: &Path, rev: &str, into: &Path) -> Result<(), String> {
    std::fs::create_dir_all(into).map_err(|error| error.to_string())?;
    let run = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(repository)
            .args(arguments)
            .env("GIT_INDEX_FILE", into.with_extension("index"))
            .output()
            .map_err(|error| format!("run git: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        let line = text.lines().find(|line| !line.trim().is_empty());
        let line = line.unwrap_or("git failed").trim();
        Err(line.strip_prefix("fatal: ").unwrap_or(line).to_owned())
    };
    let commit = format!("{rev}^{{commit}}");
    let known =
        !rev.starts_with('-') && run(&["rev-parse", "--verify", "--quiet", &commit]).is_ok();
    if !known {
        return Err("it is not a commit of this repository".to_owned());
    }
    run(&["read-tree", &commit])?;
    let prefix = format!("--prefix={}/", into.display());
    run(&["checkout-index", "--all", "--force", &prefix])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_dirty_when_an_input_is_changed_or_not_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let run = |arguments: &[&str]| {
            let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
            git(folder, &[&identity, arguments].concat());
        };
        let (chart, lock) = (folder.join("chart"), folder.join("lock.yml"));
        let is_dirty = || {
            let commit = commit(folder, &[&chart, &lock, Path::new("/")]).unwrap();
            commit.ends_with("-dirty")
        };
        std::fs::write(&chart, "a").unwrap();
        run(&["init", "-q"]);
        run(&["add", "chart"]);
        run(&["commit", "-q", "-m", "begin"]);
        std::fs::write(folder.join("notes"), "").unwrap();
        assert!(!is_dirty());
        std::fs::write(&lock, "").unwrap();
        assert!(is_dirty());
        std::fs::remove_file(&lock).unwrap();
        std::fs::write(&chart, "b").unwrap();
        assert!(is_dirty());
    }
}
