//! From what was typed to what is meant: flags, variables and `windlass.yaml` become one request.

use super::environment::Environment;
use super::error::Error;
use super::{Context, flags, git, stages};
use crate::config::{self, Project, Settings};
use crate::deploy::FieldPolicy;
use std::collections::BTreeMap;
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
    /// A JSON file of images and what stands for them.
    pub(super) image_map: Option<PathBuf>,
    /// Whether an image that no lock names is an error, when flags or the project file say so.
    pub(super) frozen: Option<bool>,
    /// Whether the chart is that of a project file.
    pub(super) is_project: bool,
    /// What to type to lock the images of this request.
    pub(super) lock_command: String,
    /// Whether `lookup` in templates asks the cluster.
    pub(super) lookup: bool,
    /// Paths of values that are hidden like those of Secrets.
    pub(super) mask: Vec<String>,
    /// Whether objects say in an annotation where their images come from.
    pub(super) images_annotation: bool,
    /// What is done about fields that other managers own.
    pub(super) conflicts: Vec<FieldPolicy>,
    /// The kubeconfig context.
    pub(super) context: Option<String>,
    /// Whether dependencies of the chart that are missing are not fetched.
    pub(super) offline: bool,
    /// Whether they are chosen anew then.
    pub(super) dependency_update: bool,
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
    resolve_or(None, project, locks, environment)
}

/// The same for work that needs no app: this is its name where nothing says another.
pub(super) fn resolve_or(
    nameless: Option<&str>,
    project: &flags::Project,
    locks: &flags::Locks,
    environment: &Environment,
) -> Result<Request, Error> {
    let (file, folder) = read(&project.file)?;
    let settings = choose(file, &project.file, environment, &folder)?;
    let app = project
        .app
        .clone()
        .or_else(|| project.app_flag.clone())
        .or(settings.name)
        .or_else(|| nameless.map(str::to_owned))
        .ok_or_else(|| {
            Error::usage("no app is named").hinted(format!(
                "name it as the first argument, or set `name` in {PROJECT_FILE}"
            ))
        })?;
    check_name(&app)?;
    let in_folder = |path: String| folder.join(path);
    Ok(Request {
        app,
        namespace: project.file.namespace.clone().or(settings.namespace),
        // A chart on the command line stands alone: the project's values belong to the project's chart.
        values: match project.chart {
            Some(_) => Vec::new(),
            None => settings.values.into_iter().map(in_folder).collect(),
        },
        chart: project.chart.clone().or(settings.chart.map(in_folder)),
        locks: match (locks.no_locks, locks.locks.is_empty()) {
            (true, _) => Vec::new(),
            (false, false) => locks.locks.clone(),
            (false, true) => settings.locks.map(in_folder).into_iter().collect(),
        },
        lookup: settings.lookup.unwrap_or(false),
        mask: settings.mask,
        image_map: locks.image_map_file.clone(),
        images_annotation: locks.images_annotation,
        frozen: match locks.no_locks {
            true => Some(false),
            false => locks.frozen.or(settings.frozen),
        },
        is_project: project.chart.is_none() && project_path(&project.file).exists(),
        lock_command: lock_command(project, locks),
        conflicts: conflicts(settings.conflicts)?,
        context: settings.context,
        offline: project.offline,
        dependency_update: project.dependency_update,
        folder,
    })
}

/// The policies that the project file names.
fn conflicts(texts: Vec<String>) -> Result<Vec<FieldPolicy>, Error> {
    let read = |text: String| {
        let wrong = |error| Error::usage(format!("{PROJECT_FILE}: conflicts: {error}"));
        text.parse().map_err(wrong)
    };
    texts.into_iter().map(read).collect()
}

/// The `windlass lock` of the same chart, project and locks.
fn lock_command(project: &flags::Project, locks: &flags::Locks) -> String {
    let mut words = vec!["windlass lock".to_owned()];
    words.extend(project.app.clone());
    words.extend(
        project
            .chart
            .iter()
            .map(|chart| chart.display().to_string()),
    );
    let path = |path: &PathBuf| path.display().to_string();
    let flags = [
        ("-a", project.app_flag.clone()),
        ("-e", project.file.env.clone()),
        ("--project", project.file.project.as_ref().map(path)),
        ("--locks", locks.locks.first().map(path)),
    ];
    for (flag, value) in flags {
        words.extend(value.map(|value| format!("{flag} {value}")));
    }
    words.join(" ")
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

/// What the project hides, which matters also where no app is named.
pub(super) fn mask(file: &flags::ProjectFile, context: &Context) -> Result<Vec<String>, Error> {
    let (project, folder) = read(file)?;
    Ok(choose(project, file, &context.environment, &folder)?.mask)
}

/// The names of the environments.
pub(super) fn environments(file: &flags::ProjectFile) -> Result<Vec<String>, Error> {
    let (project, _) = read(file)?;
    Ok(project.environments.into_keys().collect())
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

/// The settings of the environment asked for, else of the one whose branch is checked out, over those
/// of the top level.
fn choose(
    mut project: Project,
    flags: &flags::ProjectFile,
    environment: &Environment,
    folder: &Path,
) -> Result<Settings, Error> {
    let entry = match &flags.env {
        Some(name) => match project.environments.remove(name) {
            Some(entry) => Some(entry),
            None => return Err(unknown_environment(name, &project, &project_path(flags))),
        },
        None => of_branch(project.environments, environment, folder),
    };
    let settings = entry.map(|entry| entry.settings).unwrap_or_default();
    Ok(settings.over(project.settings))
}

fn unknown_environment(name: &str, project: &Project, path: &Path) -> Error {
    let known: Vec<&str> = project.environments.keys().map(String::as_str).collect();
    let error = Error::usage(format!("environment `{name}` is not in {}", path.display()));
    match config::nearest(name, known.iter().copied()) {
        Some(near) => error.hinted(format!("did you mean `{near}`?")),
        None if !path.exists() => error.hinted(
            "there is no such file here: go to its folder, or name it with `--project FILE`",
        ),
        None if known.is_empty() => error.hinted("it has no `environments`"),
        None => error.hinted(format!("it has {}", known.join(", "))),
    }
}

/// The environment whose branch is checked out. Git is asked only if some environment names a branch.
fn of_branch(
    environments: BTreeMap<String, config::Environment>,
    environment: &Environment,
    folder: &Path,
) -> Option<config::Environment> {
    if environments.values().all(|entry| entry.branch.is_none()) {
        return None;
    }
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let branch = environment
        .ci_branch
        .clone()
        .or_else(|| git::branch(folder))?;
    environments
        .into_values()
        .find(|entry| entry.branch.as_deref() == Some(&branch))
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
