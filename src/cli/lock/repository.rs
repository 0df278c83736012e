//! The config repository: a working copy of it, commits and pushes, by the git of the machine, so
//! that its credentials, ssh keys and signing work as ever.

use super::{Context, Error};
use crate::cli::remote::Address;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

/// Who commits when neither a flag nor git says who.
const BOT: &str = "windlass <windlass@localhost>";
/// How many lines of git an error shows.
const SHOWN: usize = 12;

/// A working copy.
pub(super) struct Repository {
    /// Its folder.
    pub(super) folder: PathBuf,
    /// Where it comes from.
    pub(super) address: Address,
    /// Whether somebody is there to answer git's questions.
    pub(super) can_ask: bool,
    /// Who commits: name and e-mail address; `None` is whoever git is told that it is.
    pub(super) author: Option<(String, String)>,
    /// Removes the folder at the end, when it is ours.
    pub(super) temporary: Option<tempfile::TempDir>,
}

/// What git said.
struct Said {
    success: bool,
    stdout: String,
    stderr: String,
}

/// How a push ended, when it is no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// The remote has the commit.
    Yes,
    /// Somebody else pushed before.
    Behind,
}

/// What a remote has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Branches {
    /// The branch that is checked out when nothing else is said.
    pub(super) default: String,
    /// Whether the branch asked for is there.
    pub(super) has_wanted: bool,
}

impl Repository {
    /// An empty working copy in a folder of its own, which goes with it.
    pub(super) async fn temporary(address: Address, context: &Context) -> Result<Self, Error> {
        let temporary = tempfile::Builder::new().prefix("windlass-").tempdir()?;
        let repository = Self {
            folder: temporary.path().to_owned(),
            address,
            can_ask: context.ui.can_ask(),
            author: None,
            temporary: Some(temporary),
        };
        repository
            .git("prepare a clone of", &["init", "-q"])
            .await?;
        let file = repository.folder.join(".git/config");
        let mut config = std::fs::read_to_string(&file)?;
        config.push_str(&repository.address.config());
        std::fs::write(&file, config)?;
        Ok(repository)
    }

    /// The working copy that the user named, if the path is one.
    pub(super) async fn existing(folder: &Path, context: &Context) -> Option<Self> {
        let mut repository = Self {
            folder: folder.to_owned(),
            address: Address::new(""),
            can_ask: context.ui.can_ask(),
            author: None,
            temporary: None,
        };
        let top = repository
            .say(&["rev-parse", "--show-toplevel"])
            .await
            .ok()?;
        if !top.success || top.stdout.is_empty() {
            return None;
        }
        repository.folder = PathBuf::from(top.stdout);
        let url = repository.say(&["ls-remote", "--get-url"]).await.ok()?;
        repository.address = Address::new(&url.stdout);
        Some(repository)
    }

    /// The branches of the remote.
    pub(super) async fn branches(&self, wanted: Option<&str>) -> Result<Branches, Error> {
        let wanted = wanted.map(|branch| format!("refs/heads/{branch}"));
        let mut arguments = vec!["ls-remote", "--symref", "origin", "HEAD"];
        arguments.extend(wanted.as_deref());
        let text = self.git("read", &arguments).await?;
        let head = text.lines().find_map(|line| {
            let (name, what) = line.strip_prefix("ref: refs/heads/")?.split_once('\t')?;
            (what == "HEAD").then(|| name.to_owned())
        });
        let default = head.ok_or_else(|| {
            Error::failed(format!(
                "config repository {} has no commit",
                self.address.clean
            ))
            .hinted("push a chart and a windlass.yaml to it first")
        })?;
        let is_wanted = |line: &str| {
            wanted
                .as_ref()
                .is_some_and(|name| line.ends_with(name.as_str()))
        };
        Ok(Branches {
            default,
            has_wanted: text.lines().any(is_wanted),
        })
    }

    /// Checks out what a branch of the remote is now.
    pub(super) async fn check_out(&self, branch: &str) -> Result<(), Error> {
        let reference = format!("refs/heads/{branch}");
        self.git(
            "fetch from",
            &[
                "fetch",
                "-q",
                "--depth",
                "1",
                "--no-tags",
                "origin",
                &reference,
            ],
        )
        .await?;
        self.git(
            "check out",
            &["checkout", "-q", "--force", "--detach", "FETCH_HEAD"],
        )
        .await?;
        Ok(())
    }

    /// The branch that is checked out.
    pub(super) async fn branch(&self) -> Option<String> {
        let said = self
            .say(&["symbolic-ref", "--quiet", "--short", "HEAD"])
            .await;
        said.ok()
            .filter(|said| said.success)
            .map(|said| said.stdout)
    }

    /// Whether there is a remote to push to.
    pub(super) async fn has_remote(&self) -> bool {
        let said = self.say(&["remote"]).await;
        said.is_ok_and(|said| !said.stdout.is_empty())
    }

    /// A file as it was committed last; `None` when it was not.
    pub(super) async fn committed(&self, path: &str) -> Option<String> {
        let said = self.raw(&["show", &format!("HEAD:{path}")]).await.ok()?;
        said.success.then_some(said.stdout)
    }

    /// Commits one file and nothing else.
    pub(super) async fn commit(&self, path: &str, message: &str) -> Result<(), Error> {
        self.git("add to", &["add", "--force", "--", path]).await?;
        let arguments = ["commit", "-q", "-m", message, "--only", "--", path];
        self.git("commit to", &arguments).await?;
        Ok(())
    }

    /// The name of the commit, short.
    pub(super) async fn head(&self) -> Result<String, Error> {
        self.git("read", &["rev-parse", "--short=12", "HEAD"]).await
    }

    /// Puts the commits of a working copy onto those of its remote.
    pub(super) async fn rebase(&self) -> Result<(), Error> {
        self.git("pull from", &["pull", "-q", "--rebase"]).await?;
        Ok(())
    }

    /// Pushes the commit to a branch, never by force.
    pub(super) async fn push(&self, branch: &str) -> Result<Pushed, Error> {
        let target = format!("HEAD:refs/heads/{branch}");
        let said = self
            .say(&["push", "--porcelain", "origin", &target])
            .await?;
        if said.success {
            return Ok(Pushed::Yes);
        }
        let refused = said
            .stdout
            .lines()
            .find_map(|line| line.strip_prefix("!\t"));
        let refused = refused
            .and_then(|line| line.split('\t').nth(1))
            .unwrap_or_default();
        // A ref that another push holds or has just moved is told in these words too.
        let behind = [
            "fetch first",
            "non-fast-forward",
            "cannot lock ref",
            "stale info",
            "failed to update ref",
            "incorrect old value",
            "reference already exists",
        ];
        if behind.iter().any(|words| refused.contains(words)) {
            return Ok(Pushed::Behind);
        }
        let clean = &self.address.clean;
        if refused.is_empty() {
            return Err(self.wrong("push to", &said));
        }
        let reason = refused
            .split_once('(')
            .map_or(refused, |(_, reason)| reason.trim_end_matches(')'));
        let message = format!(
            "{clean} refuses the push to {branch}: {reason}{}",
            remote_lines(&said.stderr)
        );
        Err(Error::failed(self.address.redact(&message))
            .hinted("push to a branch of its own, for a pull request: `--branch NAME`"))
    }

    /// Runs git. `verb` is what it does to the repository, for the error.
    async fn git(&self, verb: &str, arguments: &[&str]) -> Result<String, Error> {
        let said = self.say(arguments).await?;
        if said.success {
            Ok(said.stdout)
        } else {
            Err(self.wrong(verb, &said))
        }
    }

    async fn say(&self, arguments: &[&str]) -> Result<Said, Error> {
        let mut said = self.raw(arguments).await?;
        said.stdout.truncate(said.stdout.trim_end().len());
        Ok(said)
    }

    async fn raw(&self, arguments: &[&str]) -> Result<Said, Error> {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.folder).args(arguments);
        command
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .env("LC_ALL", "C");
        if self.temporary.is_some() {
            // In a hook of another repository they would lead there.
            for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
                command.env_remove(name);
            }
        }
        if !self.can_ask {
            command.env("GIT_TERMINAL_PROMPT", "0");
        }
        if let Some((name, email)) = &self.author {
            for who in ["AUTHOR", "COMMITTER"] {
                command.env(format!("GIT_{who}_NAME"), name);
                command.env(format!("GIT_{who}_EMAIL"), email);
            }
        }
        let output = command.output().await.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Error::usage("`git` is not installed").hinted("install git: `apt-get install git`")
            }
            _ => Error::failed(format!("run git: {error}")),
        })?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Said {
            success: output.status.success(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        })
    }

    /// Chooses who commits: the given author, whom git is told, or the bot.
    pub(super) async fn choose_author(&mut self, given: Option<&str>) -> Result<(), Error> {
        let own = [
            "-c",
            "user.useConfigOnly=true",
            "var",
            "GIT_COMMITTER_IDENT",
        ];
        if given.is_none() && self.say(&own).await?.success {
            return Ok(());
        }
        let text = given.unwrap_or(BOT);
        let parsed = text
            .strip_suffix('>')
            .and_then(|text| text.split_once(" <"));
        let (name, email) = parsed.filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
            Error::usage(format!("author `{text}` is not a name and an address"))
                .hinted("write it as git does: `Name <name@example.com>`")
        })?;
        self.author = Some((name.to_owned(), email.to_owned()));
        Ok(())
    }

    fn wrong(&self, verb: &str, said: &Said) -> Error {
        let lines: Vec<&str> = said
            .stderr
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let shown = &lines[lines.len().saturating_sub(SHOWN)..];
        let text: String = shown.iter().map(|line| format!("\n    {line}")).collect();
        let message = format!("{verb} config repository {}{text}", self.address.clean);
        let error = Error::failed(self.address.redact(&message));
        let has = |words: &[&str]| words.iter().any(|words| said.stderr.contains(words));
        if has(&[
            "Authentication failed",
            "could not read Username",
            "Permission denied",
            "HTTP 403",
            "error: 403",
        ]) {
            error.hinted("git needs credentials that may write: a token in the URL, a credential helper or an ssh key")
        } else if has(&[
            "not found",
            "does not appear to be a git repository",
            "does not exist",
        ]) {
            error.hinted("check the address, and whether the credentials may see it")
        } else {
            error
        }
    }
}

/// What the remote itself said, for example the text of a hook.
fn remote_lines(stderr: &str) -> String {
    let lines = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("remote:"));
    let lines = lines.map(str::trim).filter(|line| !line.is_empty());
    lines
        .take(SHOWN)
        .map(|line| format!("\n    {line}"))
        .collect()
}
