//! From what was typed to what is meant: flags, variables and `windlass.yaml` become one request.

use super::environment::Environment;
use super::error::Error;
use super::{Context, flags, git, stages};
use crate::config::{self, Project};
use std::path::{Path, PathBuf};

/// The file that makes flags unnecessary.
const PROJECT_FILE: &str = "windlass.yaml";
/// The namespace when nothing says another, as kubectl and Helm have it.
const DEFAULT_NAMESPACE: &str = "default";

/// Which app is meant, and what it is made of.
#[derive(Debug)]
pub(super) struct Request {
    /// The app, which is Helm's release name.
    pub(super) app: String,
    /// The namespace, unless nothing names one: then the kubeconfig's context decides.
    pub(super) namespace: Option<String>,
    /// The chart.
    pub(super) chart: Option<PathBuf>,
    /// The values files of the project, in order; those of flags come after.
    pub(super) values: Vec<PathBuf>,
    /// The lock files and folders.
    pub(super) locks: Vec<PathBuf>,
    /// Whether an image that no lock names is an error.
    pub(super) frozen: bool,
    /// The kubeconfig context.
    pub(super) context: Option<String>,
    /// The folder of the project.
    pub(super) folder: PathBuf,
}

impl Request {
    /// The namespace for a render without a cluster.
    pub(super) fn offline_namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
    }

    /// The chart, which a render cannot do without.
    pub(super) fn chart(&self) -> Result<&Path, Error> {
        self.chart.as_deref().ok_or_else(|| {
            Error::usage("no chart is named").hinted(format!(
                "name it: `windlass COMMAND {} CHART`, or set `chart` in {PROJECT_FILE}",
                self.app
            ))
        })
    }
}

/// Puts together what is meant. Flags win over variables, those over the environment's entry, that
/// over the top level of the project file; values files add up in the same order.
pub(super) fn resolve(
    project: &flags::Project,
    locks: &flags::Locks,
    environment: &Environment,
) -> Result<Request, Error> {
    let (file, folder) = read(&project.file)?;
    let entry = choose(&file, &project.file, environment, &folder)?;
    let app = project
        .app
        .clone()
        .or_else(|| project.app_flag.clone())
        .or_else(|| entry.and_then(|e| e.name.clone()))
        .or_else(|| file.name.clone())
        .ok_or_else(|| {
            Error::usage("no app is named").hinted(format!(
                "name it as the first argument, or set `name` in {PROJECT_FILE}"
            ))
        })?;
    check_name(&app)?;
    let pick = |of_entry: Option<&String>, of_file: Option<&String>| {
        of_entry.or(of_file).map(|path| folder.join(path))
    };
    let lock_paths = if locks.no_locks {
        Vec::new()
    } else if locks.locks.is_empty() {
        pick(entry.and_then(|e| e.locks.as_ref()), file.locks.as_ref())
            .into_iter()
            .collect()
    } else {
        locks.locks.clone()
    };
    // A chart on the command line stands alone: the project's values belong to the project's chart.
    let own_values = project.chart.is_none();
    let values = file
        .values
        .iter()
        .chain(entry.iter().flat_map(|e| &e.values));
    Ok(Request {
        app,
        namespace: project
            .file
            .namespace
            .clone()
            .or_else(|| entry.and_then(|e| e.namespace.clone()))
            .or_else(|| file.namespace.clone()),
        chart: project
            .chart
            .clone()
            .or_else(|| pick(entry.and_then(|e| e.chart.as_ref()), file.chart.as_ref())),
        values: values
            .filter(|_| own_values)
            .map(|path| folder.join(path))
            .collect(),
        locks: lock_paths,
        frozen: !locks.no_locks
            && (locks.frozen
                || entry
                    .and_then(|e| e.frozen)
                    .or(file.frozen)
                    .unwrap_or(false)),
        context: entry
            .and_then(|e| e.context.clone())
            .or_else(|| file.context.clone()),
        folder,
    })
}

/// The request of a subcommand that needs no chart, only to know which app.
pub(super) fn of_app(name: &flags::Name, context: &Context) -> Result<Request, Error> {
    let project = flags::Project {
        app: name.app.clone().or_else(|| name.app_flag.clone()),
        file: name.file.clone(),
        ..flags::Project::default()
    };
    resolve(&project, &flags::Locks::default(), &context.environment)
}

/// The project file that is meant.
fn project_path(flags: &flags::ProjectFile) -> PathBuf {
    flags
        .project
        .clone()
        .unwrap_or_else(|| PathBuf::from(PROJECT_FILE))
}

/// Reads the project file. Without one, and none asked for, the project is empty.
fn read(flags: &flags::ProjectFile) -> Result<(Project, PathBuf), Error> {
    let path = project_path(flags);
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if flags.project.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok((Project::default(), folder));
        }
        Err(error) => {
            return Err(stages::unreadable("project file", &path, error));
        }
    };
    Ok((config::parse(&text, &path.display().to_string())?, folder))
}

/// The environment asked for, else the one whose branch is checked out.
fn choose<'a>(
    project: &'a Project,
    flags: &flags::ProjectFile,
    environment: &Environment,
    folder: &Path,
) -> Result<Option<&'a config::Environment>, Error> {
    if let Some(name) = &flags.env {
        return project.environments.get(name).map(Some).ok_or_else(|| {
            let known: Vec<&str> = project.environments.keys().map(String::as_str).collect();
            let path = project_path(flags);
            let error = Error::usage(format!("environment `{name}` is not in {}", path.display()));
            match config::nearest(name, known.iter().copied()) {
                Some(near) => error.hinted(format!("did you mean `{near}`?")),
                None if !path.exists() => error.hinted(
                    "there is no such file here: go to its folder, or name it with `--project FILE`",
                ),
                None if known.is_empty() => error.hinted("it has no `environments`"),
                None => error.hinted(format!("it has {}", known.join(", "))),
            }
        });
    }
    if !project
        .environments
        .values()
        .any(|entry| entry.branch.is_some())
    {
        return Ok(None);
    }
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let branch = environment
        .ci_branch
        .clone()
        .or_else(|| git::branch(folder));
    Ok(project
        .environments
        .values()
        .find(|entry| branch.is_some() && entry.branch == branch))
}

/// The rule for names, which is Helm's for releases: a DNS name of at most 53 characters.
fn check_name(app: &str) -> Result<(), Error> {
    let label = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    if app.len() <= 53 && app.split('.').all(label) {
        return Ok(());
    }
    let error = Error::usage(format!("app name `{app}` is not a name for Kubernetes"));
    if Path::new(app).exists() {
        return Err(error.hinted(format!("the app comes before its chart: `APP {app}`")));
    }
    Err(error.hinted(
        "use at most 53 lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit",
    ))
}
