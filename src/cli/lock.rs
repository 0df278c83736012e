//! `lock`: every image of the rendered chart → its digest → the lock file.

use super::environment::Environment;
use super::project::{self, Request};
use super::{Context, Error, Exit, flags, stages};
use crate::image::lock::{self, Basis, Plan};
use crate::image::{self, Found, Locks, Override, Place};
use crate::registry::{self, Client, Settings};
use crate::ui::{count, plain_table};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Resolve every image of the chart to its digest and write the lock file
#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  windlass lock                                # lock what is not locked yet
  windlass lock --update                       # ask again which digest each tag names
  windlass lock my-app ./umbrella-chart -o -   # print a lock of all images
  windlass lock resolve nginx:1.29             # print the lock of one image
  windlass lock list                           # what is locked, and where"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    project: flags::Project,
    #[command(flatten)]
    values: flags::Values,
    #[command(flatten)]
    render: flags::Render,
    /// Lock file or a directory of them
    #[arg(long, value_name = "PATH", help_heading = "Locks")]
    locks: Vec<PathBuf>,
    /// Resolve the images of this lock file again
    #[arg(long, help_heading = "Locks")]
    update: bool,
    #[command(flatten)]
    registry: Registry,
    /// Write the lock to this file (`-` = stdout) [default: LOCKS/APP.lock.yml]
    #[arg(
        short,
        long,
        visible_alias = "lock-output",
        value_name = "FILE",
        help_heading = "Output"
    )]
    output: Option<PathBuf>,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Print a lock of these images
    Resolve(ResolveArgs),
    /// List what the locks say
    List(ListArgs),
}

#[derive(clap::Args, Debug)]
struct ResolveArgs {
    /// Images, for example nginx:1.29; NAME=IMAGE locks the name that manifests use to that image
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    #[command(flatten)]
    registry: Registry,
    /// Write the lock to this file in place of stdout
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
}

#[derive(clap::Args, Debug)]
struct ListArgs {
    /// Lock file or directory [default: `locks` of windlass.yaml]
    #[arg(value_name = "LOCKS")]
    locks: Vec<PathBuf>,
    #[command(flatten)]
    project: flags::ProjectFile,
}

/// How registries are reached.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Registry")]
struct Registry {
    /// PEM certificates of authorities to trust besides those of the system
    #[arg(long, value_name = "FILE")]
    registry_ca_cert_path: Vec<PathBuf>,
    /// Check the certificates of registries
    #[arg(
        long,
        value_name = "BOOL",
        default_value_t = true,
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = clap::ArgAction::Set,
        hide_default_value = true
    )]
    registry_verify_certs: bool,
    /// Allow plain http for every registry, not only for local ones
    #[arg(long)]
    registry_insecure: bool,
}

/// Runs `lock` and its subcommands.
pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    match &args.command {
        Some(Command::Resolve(args)) => resolve_images(args, context).await,
        Some(Command::List(args)) => list(args, context),
        None => lock_chart(args, context).await,
    }
}

async fn lock_chart(args: &Args, context: &Context) -> Result<Exit, Error> {
    let flags = flags::Locks {
        locks: args.locks.clone(),
        ..flags::Locks::default()
    };
    let request = project::resolve(&args.project, &flags, &context.environment)?;
    let target = Target::new(args.output.as_deref(), &request)?;
    let (locks, own) = load(&request, &target)?;
    let found = find_images(args, &request, &locks, context)?;
    let basis = Basis {
        locks: &locks,
        file: &target.name(&locks),
        update: args.update,
        complete: target.stands_alone,
    };
    let plan = lock::plan(&found, &basis)?;
    refuse_built(&plan, &found)?;
    for image in &plan.fixed {
        context.ui.warning(&format!(
            "`{image}` stays as it is: its lock names another repository, so its tag is not known"
        ));
    }
    let resolved = resolve(&plan.resolve, &found, &args.registry, context).await?;
    let mut entries = plan.kept;
    entries.extend(
        resolved
            .iter()
            .map(|(image, new_image)| lock::locked(image, new_image)),
    );
    let rules = if target.stands_alone {
        &locks.search_rules
    } else {
        &own.search_rules
    };
    let text = lock::text(&entries, rules, &target.comments()?)?;
    let Some(file) = &target.file else {
        context.ui.data(text.as_bytes())?;
        return Ok(Exit::Done);
    };
    let written = lock::write(file, &text)?;
    report(&resolved, &locks, context);
    let verb = if written {
        "Wrote"
    } else {
        "Nothing to change in"
    };
    context.ui.note(&format!(
        "{verb} {}: {} of {} resolved.",
        file.display(),
        resolved.len(),
        count(distinct(&found).len(), "image")
    ));
    Ok(Exit::Done)
}

/// Where the lock goes.
struct Target {
    /// `None` is stdout.
    file: Option<PathBuf>,
    /// Whether the file is not among the locks of the project, so that it has to hold everything.
    stands_alone: bool,
}

impl Target {
    fn new(output: Option<&Path>, request: &Request) -> Result<Self, Error> {
        if output == Some(Path::new("-")) {
            return Ok(Self {
                file: None,
                stands_alone: true,
            });
        }
        let file = match (output, request.locks.first()) {
            (Some(file), _) => file.to_owned(),
            (None, Some(locks)) if is_file(locks) => locks.clone(),
            (None, Some(folder)) => folder.join(format!("{}.lock.yml", request.app)),
            (None, None) => {
                return Err(Error::usage("nothing says where the lock is written")
                    .hinted("name the file: `-o FILE`, or set `locks` in windlass.yaml"));
            }
        };
        let stands_alone = !request.locks.iter().any(|locks| is_inside(&file, locks));
        Ok(Self {
            file: Some(file),
            stands_alone,
        })
    }

    /// The name that the file has among the loaded locks.
    fn name(&self, locks: &Locks) -> String {
        let Some(file) = &self.file else {
            return String::new();
        };
        let same = |other: &&PathBuf| absolute(other) == absolute(file);
        locks
            .files
            .iter()
            .find(same)
            .unwrap_or(file)
            .display()
            .to_string()
    }

    /// The comments at the top of the file as it is.
    fn comments(&self) -> Result<String, Error> {
        let Some(file) = self.file.as_deref().filter(|file| file.exists()) else {
            return Ok(String::new());
        };
        let text = std::fs::read_to_string(file)
            .map_err(|error| Error::failed(format!("read lock {}: {error}", file.display())))?;
        Ok(lock::leading_comments(&text).to_owned())
    }
}

/// Whether a path of locks is one file: it is there as one, or is named like one.
fn is_file(locks: &Path) -> bool {
    let named = locks
        .extension()
        .is_some_and(|ending| ["yml", "yaml", "json"].iter().any(|e| ending == *e));
    locks.is_file() || (named && !locks.is_dir())
}

fn is_inside(file: &Path, locks: &Path) -> bool {
    absolute(file).starts_with(absolute(locks))
}

/// The path without links and dots, also when the file itself is not there yet.
fn absolute(path: &Path) -> PathBuf {
    if let Ok(found) = path.canonicalize() {
        return found;
    }
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new(".")).canonicalize();
    match (folder, path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
    }
}

/// All locks of the project, and those of the file that is written. Paths that are not there yet
/// hold no locks.
fn load(request: &Request, target: &Target) -> Result<(Locks, Locks), Error> {
    let paths: Vec<PathBuf> = request
        .locks
        .iter()
        .filter(|path| path.exists())
        .cloned()
        .collect();
    let mut locks = Locks::load(&paths)?;
    let own = match target.file.as_ref().filter(|file| file.exists()) {
        Some(file) => Locks::load(std::slice::from_ref(file))?,
        None => Locks::default(),
    };
    if !own.sources.is_empty() || !own.destinations.is_empty() {
        let file = target.file.clone().unwrap_or_default();
        return Err(
            Error::usage(format!("{} says how images are built", file.display()))
                .hinted("write the lock to another file: `-o FILE`"),
        );
    }
    if target.stands_alone {
        let known: BTreeSet<_> = locks
            .overrides
            .iter()
            .map(|entry| entry.matcher.clone())
            .collect();
        let further = own
            .overrides
            .iter()
            .filter(|entry| !known.contains(&entry.matcher));
        locks.overrides.extend(further.cloned());
        locks.files.extend(own.files.iter().cloned());
    }
    Ok((locks, own))
}

/// Renders the chart and finds its images.
fn find_images(
    args: &Args,
    request: &Request,
    locks: &Locks,
    context: &Context,
) -> Result<Vec<Found>, Error> {
    let options = stages::options(&args.render);
    let release = stages::release(&request.app, request.offline_namespace(), false, 1);
    let rendered = stages::render(request, &args.values, &release, &options, context)?;
    let mut found = Vec::new();
    for document in &rendered.documents {
        let source = crate::object::Source {
            file: document.template.clone(),
            line: document.first_line,
        };
        let search = image::find(&document.text, &source, &locks.search_rules)?;
        for warning in &search.warnings {
            context.ui.warning(&warning.to_string());
        }
        found.extend(search.images);
    }
    Ok(found)
}

fn refuse_built(plan: &Plan, found: &[Found]) -> Result<(), Error> {
    if plan.built.is_empty() {
        return Ok(());
    }
    let mut lines = vec![match plan.built.len() {
        1 => "1 image is built from sources".to_owned(),
        images => format!("{images} images are built from sources"),
    }];
    for image in &plan.built {
        lines.push(format!(
            "  {image}{}",
            image::places_text(&places(image, found))
        ));
    }
    Err(Error::failed(lines.join("\n"))
        .hinted("put the lock that its build writes into the lock folder"))
}

/// Asks the registries for the digests of the planned images. Every failure is shown.
async fn resolve(
    wanted: &BTreeMap<String, String>,
    found: &[Found],
    flags: &Registry,
    context: &Context,
) -> Result<BTreeMap<String, String>, Error> {
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let client = Client::new(settings(flags, &context.environment)).map_err(registry_error)?;
    let references: BTreeSet<String> = wanted.values().cloned().collect();
    context
        .ui
        .detail(&format!("asking for {}", count(references.len(), "digest")));
    let answers = registry::resolve_all(&client, &references).await;
    let mut resolved = BTreeMap::new();
    let mut failures: Vec<(String, registry::Error)> = Vec::new();
    for (image, reference) in wanted {
        match answers.get(reference) {
            Some(Ok(new_image)) => {
                resolved.insert(image.clone(), new_image.clone());
            }
            Some(Err(error)) => failures.push((image.clone(), error.clone())),
            None => {}
        }
    }
    if failures.is_empty() {
        Ok(resolved)
    } else {
        Err(unresolved(&failures, wanted.len(), found))
    }
}

/// One error for all images without an answer; a cause that several share is said once.
fn unresolved(failures: &[(String, registry::Error)], wanted: usize, found: &[Found]) -> Error {
    let mut causes: indexmap::IndexMap<String, Vec<&str>> = indexmap::IndexMap::new();
    for (image, cause) in failures {
        causes.entry(cause.to_string()).or_default().push(image);
    }
    let failed = failures.len();
    let mut lines = vec![format!(
        "{failed} of {} not resolved",
        count(wanted, "image")
    )];
    for (cause, images) in &causes {
        lines.push(format!("  {cause}"));
        for image in images {
            let places = image::places_text(&places(image, found)).replace('\n', "\n  ");
            lines.push(format!("    {image}{places}"));
        }
    }
    let mut hints: Vec<String> = failures
        .iter()
        .filter_map(|(_, cause)| cause.hint())
        .collect();
    let mut seen = BTreeSet::new();
    hints.retain(|hint| seen.insert(hint.clone()));
    Error {
        hints,
        ..Error::failed(lines.join("\n"))
    }
}

fn places<'a>(image: &str, found: &'a [Found]) -> Vec<&'a Found> {
    found.iter().filter(|found| found.image == image).collect()
}

fn distinct(found: &[Found]) -> BTreeSet<&str> {
    found.iter().map(|found| found.image.as_str()).collect()
}

/// Says which images got which digest.
fn report(resolved: &BTreeMap<String, String>, locks: &Locks, context: &Context) {
    for (image, new_image) in resolved {
        let before = locks.find(image).filter(|entry| entry.preresolved);
        let state = match before {
            Some(entry) if entry.new_image == *new_image => "same",
            Some(_) => "changed",
            None => "new",
        };
        context
            .ui
            .note(&format!("  {image} → {new_image} ({state})"));
    }
}

async fn resolve_images(args: &ResolveArgs, context: &Context) -> Result<Exit, Error> {
    let wanted = args
        .images
        .iter()
        // No image reference holds a `=`.
        .map(|image| image.split_once('=').unwrap_or((image, image)))
        .map(|(name, image)| (name.to_owned(), image.to_owned()))
        .collect();
    let resolved = resolve(&wanted, &[], &args.registry, context).await?;
    let entries: Vec<Override> = resolved
        .iter()
        .map(|(image, new_image)| lock::locked(image, new_image))
        .collect();
    let text = lock::text(&entries, &[], "")?;
    match &args.output {
        Some(file) if file.as_os_str() != "-" => {
            lock::write(file, &text)?;
        }
        _ => context.ui.data(text.as_bytes())?,
    }
    Ok(Exit::Done)
}

fn list(args: &ListArgs, context: &Context) -> Result<Exit, Error> {
    let locks = if args.locks.is_empty() {
        let project = flags::Project {
            // A list needs no app; the name is only asked for by the project's rules.
            app: Some("list".to_owned()),
            file: args.project.clone(),
            ..flags::Project::default()
        };
        project::resolve(&project, &flags::Locks::default(), &context.environment)?.locks
    } else {
        args.locks.clone()
    };
    if locks.is_empty() {
        return Err(Error::usage("no locks are named")
            .hinted("name them: `windlass lock list LOCKS`, or set `locks` in windlass.yaml"));
    }
    let mut entries = Locks::load(&locks)?.overrides;
    entries.sort_by(|a, b| a.matcher.cmp(&b.matcher).then(a.place.cmp(&b.place)));
    let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
    context
        .ui
        .data(plain_table(&["IMAGE", "LOCKED TO", "BY"], &rows).as_bytes())?;
    Ok(Exit::Done)
}

fn row(entry: &Override) -> Vec<String> {
    let Place { file, line, .. } = &entry.place;
    let image = match &entry.matcher {
        image::ImageMatcher::Image(image) => image.clone(),
        image::ImageMatcher::Repository(repository) => format!("{repository} (any tag)"),
    };
    let state = if entry.preresolved {
        ""
    } else {
        " (not final)"
    };
    vec![
        image,
        format!("{}{state}", entry.new_image),
        format!("{file}:{line}"),
    ]
}

/// How registries are reached, from flags and the environment.
fn settings(flags: &Registry, environment: &Environment) -> Settings {
    let docker = environment
        .docker_config
        .clone()
        .or_else(|| environment.home.as_ref().map(|home| home.join(".docker")))
        .map(|folder| folder.join("config.json"));
    let podman = environment
        .runtime_dir
        .as_ref()
        .map(|folder| folder.join("containers/auth.json"));
    Settings {
        docker_configs: docker.into_iter().chain(podman).collect(),
        ca_files: flags.registry_ca_cert_path.clone(),
        verify_certificates: flags.registry_verify_certs,
        insecure: flags.registry_insecure,
        proxies: environment.proxies.clone(),
        ..Settings::default()
    }
}

fn registry_error(error: registry::Error) -> Error {
    let hint = error.hint();
    let wrapped = Error::new(Exit::Usage, error);
    match hint {
        Some(hint) => wrapped.hinted(hint),
        None => wrapped,
    }
}
