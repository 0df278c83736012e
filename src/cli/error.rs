//! The one error of the command line: what failed, which exit code it has, and what to do.
//!
//! Every core error becomes one here, and only here are exit code and hint decided.

use super::excerpt;
use super::exit::Exit;
use crate::{build, cluster, config, deploy, deps, image, object};
use windlass_helm::chart;

/// What went wrong, as the person at the terminal needs it.
#[derive(Debug)]
pub struct Error {
    /// The exit code.
    pub exit: Exit,
    /// The cause, with its chain of causes.
    pub source: anyhow::Error,
    /// The lines of the input that it is about, with their numbers; empty when there are none to show.
    pub excerpt: String,
    /// What to type or edit.
    pub hints: Vec<String>,
}

impl Error {
    /// A wrong command line or configuration.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, anyhow::Error::msg(message.into()))
    }

    /// Work that failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, anyhow::Error::msg(message.into()))
    }

    /// An error with this exit code.
    pub fn new(exit: Exit, source: impl Into<anyhow::Error>) -> Self {
        Self {
            exit,
            source: source.into(),
            excerpt: String::new(),
            hints: Vec::new(),
        }
    }

    /// Adds the lines of the input that it is about.
    #[must_use]
    pub fn shown(mut self, excerpt: String) -> Self {
        self.excerpt = excerpt;
        self
    }

    /// Replaces what must not be seen in it.
    #[must_use]
    pub(super) fn scrubbed(mut self, scrub: &dyn Fn(&str) -> String) -> Self {
        self.source = anyhow::Error::msg(scrub(&format!("{:#}", self.source)));
        self.excerpt = scrub(&self.excerpt);
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds what to do about it, where that is known.
    pub(super) fn hinted_if(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.hinted(hint),
            None => self,
        }
    }

    /// The lines to print: `error:`, its causes, the excerpt, which has no head, `hint:` lines. A
    /// cause that the line above already says is left out.
    #[must_use]
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("error", self.source.to_string())];
        for cause in self.source.chain().skip(1) {
            let text = cause.to_string();
            if !lines.iter().any(|(_, said)| said.contains(&text)) {
                lines.push(("  caused by", text));
            }
        }
        if !self.excerpt.is_empty() {
            lines.push(("", self.excerpt.clone()));
        }
        lines.extend(self.hints.iter().map(|hint| ("hint", hint.clone())));
        lines
    }
}

impl Error {
    /// Whether the reader of our output went away, which is no error of ours.
    pub(super) fn is_broken_pipe(&self) -> bool {
        self.source.chain().any(|cause| {
            cause
                .downcast_ref::<std::io::Error>()
                .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
        })
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl From<config::Error> for Error {
    fn from(error: config::Error) -> Self {
        let hint = error.hint.clone();
        let shown = excerpt::of_project(&error);
        Self::new(Exit::Usage, error).shown(shown).hinted_if(hint)
    }
}

impl From<object::Error> for Error {
    fn from(error: object::Error) -> Self {
        let mut hints: Vec<String> = error
            .problems
            .iter()
            .filter_map(|p| p.hint.clone())
            .collect();
        hints.dedup();
        Self {
            hints,
            ..Self::new(Exit::Failed, error)
        }
    }
}

impl From<cluster::Error> for Error {
    fn from(error: cluster::Error) -> Self {
        let (exit, hint) = advice(&error);
        Self::new(exit, error).hinted_if(hint)
    }
}

/// The exit code of a cluster error, and what to do about it.
fn advice(error: &cluster::Error) -> (Exit, Option<String>) {
    use cluster::Error as E;
    match error {
        E::NoKubeconfig { .. } => (
            Exit::Usage,
            Some("name one: `--kubeconfig FILE` or KUBECONFIG".to_owned()),
        ),
        E::Kubeconfig { .. } => (
            Exit::Usage,
            Some("name another one: `--kubeconfig FILE` or KUBECONFIG".to_owned()),
        ),
        E::UnknownContext { .. } => (Exit::Usage, Some("choose one: `--context NAME`".to_owned())),
        E::Credentials { .. } | E::Unauthorized { .. } => (
            Exit::Failed,
            Some("log in again, or choose another context: `--context NAME`".to_owned()),
        ),
        E::Unreachable { .. } => (
            Exit::Failed,
            Some("is the server up, and is this the right `--context`?".to_owned()),
        ),
        E::Forbidden { message, .. } if message.contains("being terminated") => (
            Exit::Failed,
            Some("run it again once the namespace is gone".to_owned()),
        ),
        E::Forbidden { .. } => (
            Exit::Failed,
            Some("the user needs a Role that allows this: `kubectl auth can-i --list`".to_owned()),
        ),
        E::UnknownKind { nearest, .. } => (
            Exit::Failed,
            nearest
                .first()
                .map(|near| format!("did you mean `{near}`?")),
        ),
        E::Conflict { .. } => (
            Exit::Unsafe,
            Some(
                "leave the field out of the chart, or take it over: `--force-conflicts`".to_owned(),
            ),
        ),
        E::Stale { .. } => (
            Exit::Unsafe,
            Some("run it again: the diff is then of what is there now".to_owned()),
        ),
        E::NotFound { message, .. } if message.starts_with("namespaces ") => (
            Exit::Failed,
            Some("create the namespace, or add `--create-namespace`".to_owned()),
        ),
        _ => (Exit::Failed, None),
    }
}

impl From<chart::Error> for Error {
    fn from(error: chart::Error) -> Self {
        use chart::Error as E;
        let (exit, hint) = match &error {
            E::Load(message) if message.starts_with("unable to detect chart") => (
                Exit::Usage,
                Some("name a folder with a Chart.yaml, or a .tgz".to_owned()),
            ),
            E::Values(message) if message.starts_with("failed parsing --set") => (
                Exit::Usage,
                Some("write `a.b[0]=x,c=y`; a comma within a value is written `\\,`".to_owned()),
            ),
            E::Values(_) | E::Option(_) => (Exit::Usage, None),
            E::ShowOnly(_) => (
                Exit::Usage,
                Some(
                    "name it as its `# Source:` line does, without the name of the chart"
                        .to_owned(),
                ),
            ),
            E::Chart(message) if message.contains("missing in charts/") => (
                Exit::Failed,
                Some("fetch them: `windlass deps build CHART`".to_owned()),
            ),
            E::Schema(_) => (
                Exit::Failed,
                Some(
                    "change the values, or leave the check out: `--skip-schema-validation`"
                        .to_owned(),
                ),
            ),
            _ => (Exit::Failed, None),
        };
        // The engine's error shares strings of one thread; its text says all of it.
        let message = match &error {
            E::Manifest { message, text, .. } => {
                let discreet = object::manifest::discreet(message, text);
                error.to_string().replace(message.as_str(), &discreet)
            }
            other => other.to_string(),
        };
        Self::new(exit, anyhow::Error::msg(message))
            .shown(excerpt::of_chart(&error))
            .hinted_if(hint)
    }
}

impl From<image::Error> for Error {
    fn from(error: image::Error) -> Self {
        let hint = error.hint();
        let exit = match error {
            image::Error::Read { .. } => Exit::Usage,
            _ => Exit::Failed,
        };
        Self::new(exit, error).hinted_if(hint)
    }
}

impl From<deps::Error> for Error {
    fn from(error: deps::Error) -> Self {
        use deps::Error as E;
        let hint = error.hint();
        let cause = match &error {
            E::Placed { source, .. } => source,
            error => error,
        };
        let exit = match cause {
            E::Changed { .. }
            | E::Unlisted { .. }
            | E::WrongDigest { .. }
            | E::Unverified { .. } => Exit::Unsafe,
            E::OutOfSync { .. }
            | E::UnknownRepository(_)
            | E::Outside { .. }
            | E::Keyring { .. } => Exit::Usage,
            _ => Exit::Failed,
        };
        Self::new(exit, error).hinted_if(hint)
    }
}

impl From<build::Error> for Error {
    fn from(error: build::Error) -> Self {
        use build::Error as E;
        let hint = error.hint();
        let exit = match error {
            E::Options { .. }
            | E::Folder { .. }
            | E::Destination { .. }
            | E::NotInstalled { .. } => Exit::Usage,
            _ => Exit::Failed,
        };
        Self::new(exit, error).hinted_if(hint)
    }
}

impl From<deploy::Error> for Error {
    fn from(error: deploy::Error) -> Self {
        use deploy::Error as E;
        let (exit, hint) = match &error {
            E::Cluster(_) | E::Object(_) => return of_stage(error),
            E::Lacking { roles, .. } => {
                let roles = roles.clone();
                return Self::new(Exit::Failed, error).shown(roles).hinted(
                    "this is what the user lacks: somebody who may gives it, with a binding to the user; `kubectl auth can-i VERB RESOURCE -n NAMESPACE` tells when it is enough",
                );
            }
            E::Owned(owned) => {
                let hint = take_over(owned);
                return Self::new(Exit::Unsafe, error).hinted(hint);
            }
            E::Contested(_) => (
                Exit::Unsafe,
                "leave the fields out of the chart, leave them to their owners: `--conflicts PATH=yield`, \
                 or take them over: `--conflicts PATH=force`, `--force-conflicts` for all",
            ),
            E::Locked { .. } => (
                Exit::Locked,
                "wait for it: `--lock-wait 10m`; the lock of a dead holder ends by itself, `windlass unlock` takes it from one that lives",
            ),
            E::LockLost { .. } => (Exit::Locked, "run it again once the other deploy has ended"),
            E::Stale { .. } | E::Overtaken { .. } => (
                Exit::Unsafe,
                "run it again: the diff is then of what is there now",
            ),
            E::NoNamespace { .. } => (Exit::Failed, "create it, or add `--create-namespace`"),
            E::NamespaceGoes { .. } => (
                Exit::Failed,
                "run it again once the namespace is gone: what holds it has to be removed by whoever put it there",
            ),
            E::NotDeployed { .. } => (Exit::Failed, "`windlass list -A` shows all apps"),
            E::OtherNamespace { .. } => (Exit::Usage, "name its namespace: `-n NAMESPACE`"),
            E::Immutable(_) => (
                Exit::Unsafe,
                "if that is meant, annotate the object: `kapp.k14s.io/update-strategy: fallback-on-replace`",
            ),
            E::Unlistable { .. } | E::Unanswered(_) => (
                Exit::Unsafe,
                "mend that server, or delete its APIService if nobody needs the group: `kubectl get apiservices`",
            ),
            E::NotReplaced { .. }
            | E::Plan(_)
            | E::Inventory(_)
            | E::Refused(_)
            | E::MayNot { .. }
            | E::Adopt { .. } => {
                return Self::new(Exit::Failed, error);
            }
        };
        Self::new(exit, error).hinted(hint)
    }
}

/// How to make objects ours: whole apps of other deployers can be adopted.
fn take_over(owned: &[deploy::Owned]) -> String {
    let owner = owned.first().map(|owned| &owned.owner);
    let name = owner.map_or("NAME", |owner| {
        owner.name.rsplit('/').next().unwrap_or_default()
    });
    let some = format!("`--take-ownership {name}` takes these objects over");
    match owner.is_some_and(deploy::Owner::is_adoptable) {
        true => format!("`windlass adopt {name}` takes it over whole, {some}"),
        false => format!("if this app is to own them: {some}"),
    }
}

/// An error that an earlier stage raised within the deploy stage.
fn of_stage(error: deploy::Error) -> Error {
    match error {
        deploy::Error::Cluster(error) => error.into(),
        deploy::Error::Object(error) => error.into(),
        other => Error::new(Exit::Failed, other),
    }
}
