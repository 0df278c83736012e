//! What can be typed: the groups of flags that the subcommands share. A flag means the same in
//! every subcommand that has it. What is meant by them is decided in `project.rs`.

use super::{Context, Error, stages};
use crate::deploy::{self, FieldPolicy};
use crate::object::Manifest;
use crate::ui::Shown;
use clap::ArgAction::Set;
use clap::Args;
use std::path::{Path, PathBuf};

/// The value name of a flag that is true alone, and takes `=true` or `=false`.
pub(super) const SWITCH: &str = "BOOL";

/// Teaches all flags with the value name [`SWITCH`] to stand alone.
pub(super) fn with_switches(command: clap::Command) -> clap::Command {
    let is_switch = |arg: &clap::Arg| {
        arg.get_value_names()
            .is_some_and(|names| matches!(names, [name] if name == SWITCH))
    };
    command.mut_subcommands(with_switches).mut_args(|arg| {
        if !is_switch(&arg) {
            return arg;
        }
        arg.num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .hide_default_value(true)
            .hide_possible_values(true)
    })
}

/// Where what is printed goes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub(super) struct Output {
    /// Write to this file in place of stdout
    #[arg(short, long, alias = "lock-output", value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

impl Output {
    /// The file; `None` is stdout.
    pub(super) fn file(&self) -> Option<&Path> {
        self.output
            .as_deref()
            .filter(|file| file.as_os_str() != "-")
    }
}

/// In which form a report is printed, and where to.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(super) struct Report {
    /// Form of the report
    #[arg(long, value_enum, default_value_t = Format::Text, hide_default_value = true)]
    format: Format,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text,
    Json,
}

impl Report {
    /// Prints it: the text for people, or the document for scripts.
    pub(super) fn print(
        &self,
        text: impl FnOnce() -> String,
        document: impl FnOnce() -> serde_json::Value,
        context: &Context,
    ) -> Result<(), Error> {
        let text = match self.format {
            Format::Text => text(),
            Format::Json => format!("{:#}\n", document()),
        };
        stages::emit(self.output.file(), text.as_bytes(), context)
    }
}

/// Which app, chart and project.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Project {
    /// Name of the app, which is Helm's release name [default: `name` of windlass.yaml]
    #[arg(value_name = "APP")]
    pub(super) app: Option<String>,
    /// Name of the app, as a flag
    #[arg(
        short = 'a',
        long = "app",
        value_name = "NAME",
        conflicts_with = "app",
        hide = true
    )]
    pub(super) app_flag: Option<String>,
    /// Chart: a directory or a .tgz [default: `chart` of windlass.yaml]
    #[arg(value_name = "CHART")]
    pub(super) chart: Option<PathBuf>,
    /// Do not fetch dependencies of the chart that are missing
    #[arg(long, hide_short_help = true)]
    pub(super) offline: bool,
    /// When dependencies of the chart are missing, choose the newest that fit, as `deps update`
    #[arg(long, conflicts_with = "offline", hide_short_help = true)]
    pub(super) dependency_update: bool,
    #[command(flatten)]
    pub(super) file: ProjectFile,
}

/// Which app, where no chart is needed.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Name {
    /// Name of the app [default: `name` of windlass.yaml]
    #[arg(value_name = "APP")]
    pub(super) app: Option<String>,
    /// Name of the app, as a flag
    #[arg(
        short = 'a',
        long = "app",
        value_name = "NAME",
        conflicts_with = "app",
        hide = true
    )]
    pub(super) app_flag: Option<String>,
    #[command(flatten)]
    pub(super) file: ProjectFile,
}

/// Where the project is described.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct ProjectFile {
    /// Project file [default: windlass.yaml of the working directory]
    #[arg(
        long,
        value_name = "FILE",
        env = "WINDLASS_PROJECT",
        hide_env = true,
        hide_short_help = true
    )]
    pub(super) project: Option<PathBuf>,
    /// Environment of windlass.yaml [default: by the git branch]
    #[arg(
        short,
        long,
        value_name = "NAME",
        env = "WINDLASS_ENV",
        hide_env = true
    )]
    pub(super) env: Option<String>,
    /// Namespace of the app
    #[arg(
        short,
        long,
        value_name = "NAME",
        env = "WINDLASS_NAMESPACE",
        hide_env = true
    )]
    pub(super) namespace: Option<String>,
}

/// Values for the chart, with Helm's grammar and order.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Values")]
pub(super) struct Values {
    /// Values file, later ones win (`-` = stdin)
    #[arg(
        short = 'f',
        long = "values",
        visible_alias = "file",
        value_name = "FILE",
        value_delimiter = ','
    )]
    pub(super) values: Vec<PathBuf>,
    /// Set a value: a.b[0]=x,c=y
    #[arg(long, value_name = "K=V")]
    pub(super) set: Vec<String>,
    /// Set a value that stays a string
    #[arg(long, value_name = "K=V", hide_short_help = true)]
    pub(super) set_string: Vec<String>,
    /// Set a value from JSON
    #[arg(long, value_name = "K=JSON", hide_short_help = true)]
    pub(super) set_json: Vec<String>,
    /// Set a value from a file's content
    #[arg(long, value_name = "K=FILE", hide_short_help = true)]
    pub(super) set_file: Vec<String>,
    /// Set a string with no escapes at all
    #[arg(long, value_name = "K=TEXT", hide_short_help = true)]
    pub(super) set_literal: Vec<String>,
}

impl Values {
    /// Whether anything is set.
    pub(super) fn any(&self) -> bool {
        let texts = [
            &self.set,
            &self.set_string,
            &self.set_json,
            &self.set_file,
            &self.set_literal,
        ];
        !self.values.is_empty() || texts.iter().any(|texts| !texts.is_empty())
    }
}

/// How the chart is rendered.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Render")]
pub(super) struct Render {
    /// Kubernetes version that templates see [default: the server's, offline that of Helm]
    #[arg(long, value_name = "VERSION", hide_short_help = true)]
    pub(super) kube_version: Option<String>,
    /// API version that templates see as present
    #[arg(
        long,
        value_name = "GROUP/VERSION",
        value_delimiter = ',',
        hide_short_help = true
    )]
    pub(super) api_versions: Vec<String>,
    /// Leave out Helm hooks
    #[arg(long, hide_short_help = true)]
    pub(super) no_hooks: bool,
    /// Do not check values against values.schema.json
    #[arg(long, hide_short_help = true)]
    pub(super) skip_schema_validation: bool,
    /// Helm version to render as
    #[arg(
        long,
        value_name = "4|3",
        default_value = "4",
        value_parser = ["4", "3"],
        hide_possible_values = true,
        hide_short_help = true
    )]
    pub(super) helm_version: String,
}

/// Image locks.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Locks")]
pub(super) struct Locks {
    /// Lock file or a directory of them
    #[arg(long, value_name = "PATH")]
    pub(super) locks: Vec<PathBuf>,
    /// Fail when an image is in no lock [default: in `deploy` from windlass.yaml]
    #[arg(long, value_name = SWITCH)]
    pub(super) frozen: Option<bool>,
    /// Use no locks, also none of windlass.yaml
    #[arg(long, conflicts_with_all = ["locks", "frozen"], hide_short_help = true)]
    pub(super) no_locks: bool,
    /// JSON file of images and what stands for them, besides the locks
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "no_locks",
        hide_short_help = true
    )]
    pub(super) image_map_file: Option<PathBuf>,
    /// Say in an annotation of each object where its locked images come from
    #[arg(
        long,
        value_name = "BOOL",
        default_value_t = false,
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = clap::ArgAction::Set,
        hide_default_value = true,
        hide_possible_values = true,
        hide_short_help = true
    )]
    pub(super) images_annotation: bool,
}

/// Which cluster.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Cluster")]
pub(super) struct Cluster {
    /// Kubeconfig file [default: $KUBECONFIG, ~/.kube/config, in-cluster]
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(
        long,
        alias = "kube-context",
        value_name = "NAME",
        env = "WINDLASS_CONTEXT",
        hide_env = true
    )]
    pub(super) context: Option<String>,
    /// Namespace of the deploy record [default: the app's namespace]
    #[arg(
        long,
        alias = "app-namespace",
        value_name = "NAME",
        hide_short_help = true
    )]
    pub(super) record_namespace: Option<String>,
    /// Upper bound of requests at the same time
    #[arg(
        long,
        value_name = "N",
        default_value_t = 16,
        hide_default_value = true,
        hide_short_help = true
    )]
    pub(super) concurrency: usize,
    /// How long the whole run may take, for example 30m [default: as long as it needs]
    #[arg(long, value_name = "DURATION", value_parser = duration, hide_short_help = true)]
    pub(super) timeout: Option<std::time::Duration>,
}

/// How differences are shown.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Diff")]
pub(super) struct Diff {
    /// Lines of context around a change
    #[arg(
        long,
        alias = "diff-context",
        value_name = "N",
        default_value_t = 3,
        hide_default_value = true,
        hide_short_help = true
    )]
    pub(super) context_lines: usize,
    /// Lines shown of each object, 0 for all
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        hide_default_value = true,
        hide_short_help = true
    )]
    pub(super) max_lines: usize,
    /// Show the values of secrets
    #[arg(long, hide_short_help = true)]
    pub(super) show_secrets: bool,
    /// Also name the objects that do not change
    #[arg(long, hide_short_help = true)]
    pub(super) all: bool,
}

impl Diff {
    /// How changes are shown on this terminal.
    pub(super) fn shown(&self, context: &Context) -> Shown {
        Shown {
            colored: context.ui.colors.stdout,
            width: context.ui.width(),
            context: self.context_lines,
            max_lines: self.max_lines,
            noops: self.all,
            whole_objects: context.ui.verbose > 0,
            ..Shown::default()
        }
    }
}

/// How a plan is carried out.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Apply")]
pub(super) struct Apply {
    /// Do not ask
    #[arg(short, long, env = "WINDLASS_YES", hide_env = true)]
    pub(super) yes: bool,
    /// Wait until the objects are ready
    #[arg(long, value_name = SWITCH, default_value_t = true, action = Set, hide_short_help = true)]
    pub(super) wait: bool,
    /// How long to wait for readiness, for example 90s or 10m
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "15m",
        value_parser = duration,
        hide_default_value = true
    )]
    pub(super) wait_timeout: std::time::Duration,
    /// How long to wait for each object [default: as long as for all]
    #[arg(long, alias = "wait-resource-timeout", value_name = "DURATION", value_parser = duration, hide_short_help = true)]
    pub(super) wait_object_timeout: Option<std::time::Duration>,
    /// Stop at the first failure; with `=false` go on with what does not depend on it
    #[arg(long, value_name = SWITCH, default_value_t = true, action = Set, hide_short_help = true)]
    pub(super) exit_early: bool,
    /// Tell the logs of new pods, Jobs and hooks while it goes on
    #[arg(long, hide_short_help = true)]
    pub(super) logs: bool,
    /// How long to wait for another deploy of the app to end
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "0s",
        value_parser = duration,
        hide_default_value = true,
        hide_short_help = true
    )]
    pub(super) lock_wait: std::time::Duration,
    /// Kinds whose deletion may take data or objects of others with it, or `all`
    #[arg(
        long,
        value_name = "KIND",
        value_delimiter = ',',
        hide_short_help = true
    )]
    pub(super) allow_delete: Vec<String>,
    /// Do not keep other deploys of the app out, nor wait for them
    #[arg(long, conflicts_with = "lock_wait", hide_short_help = true)]
    pub(super) no_lock: bool,
}

/// An app, what it is made of and where it is: what `diff` and `deploy` have in common.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Wish {
    #[command(flatten)]
    pub(super) project: Project,
    #[command(flatten)]
    pub(super) manifests: Manifests,
    #[command(flatten)]
    pub(super) values: Values,
    #[command(flatten)]
    pub(super) render: Render,
    #[command(flatten)]
    pub(super) locks: Locks,
    #[command(flatten)]
    pub(super) cluster: Cluster,
    #[command(flatten)]
    pub(super) diff: Diff,
    #[command(flatten)]
    pub(super) upsert: Upsert,
    /// Answer the `lookup` of templates from the cluster; without it the answer is always nothing
    #[arg(long, help_heading = "Render", hide_short_help = true)]
    pub(super) lookup: bool,
}

/// How live objects are brought to the desired state.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Apply")]
pub(super) struct Upsert {
    /// Delete objects of the app that are no longer rendered
    #[arg(long, value_name = SWITCH, default_value_t = true, action = Set, hide_short_help = true)]
    pub(super) prune: bool,
    /// Take fields over from other field managers
    #[arg(long, hide_short_help = true)]
    pub(super) force_conflicts: bool,
    /// What to do about fields of other managers: [KIND[/NAME]:]PATH=fail|force|yield
    #[arg(long, value_name = "POLICY", hide_short_help = true)]
    pub(super) conflicts: Vec<FieldPolicy>,
    /// Take objects over from this app, Helm release or owner
    #[arg(long, value_name = "APP", hide_short_help = true)]
    pub(super) take_ownership: Vec<String>,
    /// Create the namespace when it is missing
    #[arg(long)]
    pub(super) create_namespace: bool,
}

impl Upsert {
    /// What is asked of the deploy stage.
    pub(super) fn request(
        &self,
        app: deploy::App,
        manifests: Vec<Manifest>,
        cluster: &Cluster,
        project: &[FieldPolicy],
    ) -> deploy::Request {
        deploy::Request {
            take_from: self.take_ownership.clone(),
            force: self.force_conflicts,
            policies: [&self.conflicts, project].concat(),
            prune: self.prune,
            create_namespace: self.create_namespace,
            concurrency: cluster.concurrency.max(1),
            ..deploy::Request::new(app, manifests)
        }
    }
}

/// What stops a deploy before it deletes too much.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Apply")]
pub(super) struct Guards {
    /// Stop, with exit code 7, before more than this many objects are deleted, or this part of them
    #[arg(long, value_name = "N|P%", value_parser = bound, hide_short_help = true)]
    pub(super) max_prune: Option<Bound>,
    /// Let an app become empty: delete everything it owns
    #[arg(
        long,
        alias = "dangerous-allow-empty-list-of-resources",
        hide_short_help = true
    )]
    pub(super) allow_empty: bool,
}

/// Manifests in place of a chart.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Manifests {
    /// Manifest file or directory in place of a chart (`-` = stdin)
    #[arg(short, long, value_name = "PATH", conflicts_with_all = ["chart", "values"])]
    pub(super) manifests: Vec<PathBuf>,
}

/// How many of an app's objects may be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// This many.
    Objects(usize),
    /// This many of a hundred.
    Percent(usize),
}

impl Bound {
    /// Whether it lets so many of all objects be deleted.
    pub(super) fn allows(self, deleted: usize, all: usize) -> bool {
        match self {
            Self::Objects(most) => deleted <= most,
            Self::Percent(most) => deleted * 100 <= most * all,
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Objects(most) => write!(f, "{most}"),
            Self::Percent(most) => write!(f, "{most}%"),
        }
    }
}

/// Reads `5` or `20%`.
fn bound(text: &str) -> Result<Bound, String> {
    let wrong = |_| "expected a number of objects, or a part such as 20%".to_owned();
    match text.strip_suffix('%') {
        None => text.parse().map(Bound::Objects).map_err(wrong),
        Some(digits) => match digits.parse().map_err(wrong)? {
            part @ 0..=100 => Ok(Bound::Percent(part)),
            _ => Err("a part is at most 100%".to_owned()),
        },
    }
}

/// Reads `90s`, `10m`, `1h30m` or a bare number of seconds.
pub(super) fn duration(text: &str) -> Result<std::time::Duration, String> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(std::time::Duration::from_secs(seconds));
    }
    let span: jiff::SignedDuration = text
        .parse()
        .map_err(|_| "expected a duration such as 90s, 10m or 1h30m".to_owned())?;
    span.try_into()
        .map_err(|_| "a duration cannot be negative".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Bound, bound, duration};
    use std::time::Duration;

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("45"), Ok(Duration::from_secs(45)));
        assert!(duration("-5s").is_err());
        assert!(duration("soon").is_err());
    }

    #[test]
    fn a_bound_counts_objects_or_is_a_part_of_them() {
        assert_eq!(bound("5"), Ok(Bound::Objects(5)));
        assert_eq!(bound("20%"), Ok(Bound::Percent(20)));
        for wrong in ["", "%", "-1", "120%", "many"] {
            assert!(bound(wrong).is_err(), "{wrong}");
        }
        assert!(Bound::Objects(0).allows(0, 0) && !Bound::Objects(0).allows(1, 9));
        assert!(Bound::Percent(20).allows(2, 10) && !Bound::Percent(20).allows(3, 10));
    }
}
