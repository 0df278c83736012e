//! `lock build`: images built from `sources`, pushed to `destinations`, locked by the digests that
//! their registries tell.

use super::chart::report;
use super::origin;
use super::resolving::{Registry, Resolve, registry_error, resolve};
use super::target;
use super::{Context, Error, Exit, flags};
use crate::build::{self, Builder, Built, Program, Push, Task};
use crate::cli::interrupt::Interrupt;
use crate::cli::stages::read_all;
use crate::image::lock::{self, Basis};
use crate::image::{self, Destination, Found, ImageMatcher, Locks, Override, Question, Reference};
use crate::registry::is_local;
use crate::ui::count;
use futures::StreamExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use windlass_helm::yaml;

/// Build images from sources, push them, and print their lock
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass lock build -f kbld.yaml -o demo.lock.yml   # build, push, lock
  windlass lock build -f kbld.yaml --push=false       # leave the images on this machine
  windlass lock build -f kbld.yaml --builder buildah  # without a docker daemon")]
pub(super) struct Args {
    /// Config with `sources` and `destinations`, or a directory of them
    #[arg(
        short = 'f',
        long = "file",
        value_name = "PATH",
        required = true,
        help_heading = "Build"
    )]
    files: Vec<PathBuf>,
    /// Program for Dockerfiles [default: the first that is installed]
    #[arg(long, value_name = "NAME", value_parser = program, help_heading = "Build")]
    builder: Option<Program>,
    /// Push images to their destinations
    #[arg(
        long,
        value_name = flags::SWITCH,
        default_value_t = true,
        action = clap::ArgAction::Set,
        help_heading = "Build"
    )]
    push: bool,
    /// How many images are built at once
    #[arg(long, value_name = "N", default_value_t = 4, help_heading = "Build")]
    build_concurrency: usize,
    #[command(flatten)]
    registry: Registry,
    #[command(flatten)]
    output: flags::Output,
}

/// The program of that name.
fn program(name: &str) -> Result<Program, String> {
    let found = Program::ALL
        .into_iter()
        .find(|program| program.name() == name);
    found.ok_or_else(|| "docker, podman and buildah build Dockerfiles".to_owned())
}

/// One build, and the images that it is for.
struct Job<'a> {
    task: Task,
    images: Vec<String>,
    destination: Option<&'a Destination>,
}

/// Runs `lock build`.
pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let (config, found) = read(&args.files)?;
    let basis = Basis {
        locks: &config,
        file: "",
        update: false,
        complete: true,
        map: None,
    };
    let plan = lock::plan(&found, &basis);
    let scratch = tempfile::Builder::new().prefix("windlass-").tempdir()?;
    let jobs = jobs(args, &config, plan.built, scratch.path(), context)?;
    if jobs.is_empty() && plan.resolve.is_empty() && plan.kept.is_empty() {
        return Err(Error::usage("nothing to build in these files").hinted(
            "`sources` says what is built; a source of an `imageRepo` also needs a document that names the image",
        ));
    }
    let interrupt = Interrupt::listen();
    let built = build_all(args, &jobs, scratch.path(), &interrupt, context).await;
    let locked = async {
        let built = built?;
        let mut wanted = plan.resolve;
        wanted.extend(pushed(&jobs, &built));
        let flags = Resolve::by(&args.registry);
        let digests = resolve(&wanted, &found, &config, &flags, context).await?;
        tag(&jobs, &digests, &args.registry, context).await?;
        Ok::<_, Error>(entries(&jobs, &built, digests, context))
    };
    let Some(entries) = interrupt.unless(locked).await else {
        context.ui.note("Stopped; no lock was written.");
        return Ok(interrupt.exit());
    };
    let mut entries = entries?;
    entries.extend(plan.kept);
    write(args, &config, entries, jobs.len(), context)
}

/// The Configs of the files, and the images of their other documents: those tell kbld what to build.
fn read(files: &[PathBuf]) -> Result<(Locks, Vec<Found>), Error> {
    let files = read_all(files)?;
    let mut config = Locks::default();
    for (source, text) in &files {
        config.add_config(image::config(&source.file, text)?)?;
    }
    let mut found = Vec::new();
    for (mut source, text) in files {
        // That it is YAML has been seen by now.
        for document in yaml::split_documents(&text).unwrap_or_default() {
            if !image::is_config(document) {
                found.extend(image::find(document, &source, &config.search_rules)?.images);
            }
            // The separator is a line too.
            source.line += 1 + document.iter().filter(|byte| **byte == b'\n').count();
        }
    }
    Ok((config, found))
}

/// The builds of all images that have a source. Tags of one repository are built once.
fn jobs<'a>(
    args: &Args,
    config: &'a Locks,
    mut images: BTreeSet<String>,
    scratch: &Path,
    context: &Context,
) -> Result<Vec<Job<'a>>, Error> {
    let exact = config
        .sources
        .iter()
        .filter_map(|source| match &source.matcher {
            ImageMatcher::Image(image) => Some(image.clone()),
            ImageMatcher::Repository(_) => None,
        });
    images.extend(exact);
    let program = args.builder.or_else(|| installed(context));
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for image in images {
        let Some(source) = config.source(&image) else {
            continue;
        };
        let mut destinations = config.destinations.iter();
        let destination = destinations.find(|entry| args.push && entry.matcher.matches(&image));
        let same = jobs.iter_mut().find(|job| {
            image::repository_text(&job.task.image) == image::repository_text(&image)
                && job.task.place == source.place
                && job.destination == destination
        });
        if let Some(job) = same {
            job.images.push(image);
            continue;
        }
        let builder = Builder::of(source)?;
        jobs.push(Job {
            task: Task {
                image: image.clone(),
                builder: match program {
                    Some(program) => builder.by(program),
                    None => builder,
                },
                path: source.path.clone(),
                place: source.place.clone(),
                push: destination
                    .map(|entry| Push::to(entry, trust(&entry.new_image, args, scratch)?))
                    .transpose()?,
                unique: unique(context)?,
            },
            images: vec![image],
            destination,
        });
    }
    Ok(jobs)
}

/// The first program for Dockerfiles that is on the search path.
fn installed(context: &Context) -> Option<Program> {
    let is_there = |program: &Program| {
        let folders = &context.environment.search_path;
        folders
            .iter()
            .any(|folder| folder.join(program.name()).is_file())
    };
    Program::ALL.into_iter().find(is_there)
}

/// A name that no other build has: the time, for sorting, and a random number.
fn unique(context: &Context) -> Result<String, Error> {
    let random =
        getrandom::u32().map_err(|error| Error::failed(format!("random numbers: {error}")))?;
    Ok(format!("{}-{random:08x}", context.now().as_second()))
}

/// How podman and buildah are told what windlass itself trusts.
fn trust(repository: &str, args: &Args, scratch: &Path) -> Result<Vec<String>, build::Error> {
    let flags = &args.registry;
    let registry = Reference::parse(repository)
        .map(|parsed| parsed.registry)
        .unwrap_or_default();
    let without_tls = flags.registry_insecure || !flags.registry_verify_certs;
    if without_tls || (flags.registry_ca_cert_path.is_empty() && is_local(&registry)) {
        return Ok(vec!["--tls-verify=false".to_owned()]);
    }
    if flags.registry_ca_cert_path.is_empty() {
        return Ok(Vec::new());
    }
    let folder = scratch.join("certificates");
    let copied = (|| {
        std::fs::create_dir_all(&folder)?;
        for (number, file) in flags.registry_ca_cert_path.iter().enumerate() {
            std::fs::copy(file, folder.join(format!("{number}.crt")))?;
        }
        Ok(())
    })();
    copied.map_err(build::Error::Scratch)?;
    Ok(vec!["--cert-dir".to_owned(), folder.display().to_string()])
}

/// Builds everything, and goes on when a build fails. Every failure is told.
async fn build_all(
    args: &Args,
    jobs: &[Job<'_>],
    scratch: &Path,
    interrupt: &Interrupt,
    context: &Context,
) -> Result<Vec<Built>, Error> {
    let builds = jobs.iter().enumerate().map(|(number, job)| async move {
        let folder = scratch.join(number.to_string());
        std::fs::create_dir(&folder).map_err(build::Error::Scratch)?;
        let log = |line: &str| context.ui.note(&format!("{} | {line}", job.task.image));
        build::build(&job.task, &folder, &log, &interrupt.stop).await
    });
    let outcomes: Vec<_> = futures::stream::iter(builds)
        .buffered(args.build_concurrency.max(1))
        .collect()
        .await;
    let (mut built, mut failures) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(image) => built.push(image),
            Err(error) => failures.push(error),
        }
    }
    match failures.len() {
        0 => Ok(built),
        1 => Err(failures.remove(0).into()),
        failed => {
            let mut lines = vec![format!(
                "{failed} of {} not built",
                count(jobs.len(), "image")
            )];
            lines.extend(failures.iter().map(|error| format!("  {error}")));
            let hints: BTreeSet<String> = failures.iter().filter_map(build::Error::hint).collect();
            Err(Error {
                hints: hints.into_iter().collect(),
                ..Error::failed(lines.join("\n"))
            })
        }
    }
}

/// The references under which images were pushed: their registries are asked for the digests.
fn pushed(jobs: &[Job<'_>], built: &[Built]) -> BTreeMap<String, Question> {
    let mut wanted = BTreeMap::new();
    for (job, built) in jobs.iter().zip(built) {
        if let Built::Pushed(reference) = built {
            let images = job.images.iter().cloned();
            wanted.extend(images.map(|image| (image, Question::of(reference))));
        }
    }
    wanted
}

/// Writes the further tags of destinations.
async fn tag(
    jobs: &[Job<'_>],
    resolved: &[Override],
    flags: &Registry,
    context: &Context,
) -> Result<(), Error> {
    let tagged = jobs.iter().filter_map(|job| {
        let tags = &job.destination?.tags;
        let mut entries = resolved.iter();
        let entry = entries.find(|entry| entry.matcher.text() == job.task.image)?;
        (!tags.is_empty()).then_some((&entry.new_image, tags))
    });
    for (reference, tags) in tagged {
        let client = flags.client(&context.environment)?;
        let image = Reference::parse(reference).map_err(|error| registry_error(error.into()))?;
        client.tag(&image, tags).await.map_err(registry_error)?;
    }
    Ok(())
}

/// The entries of the lock: the built images with their origins, and those that were resolved.
fn entries(
    jobs: &[Job<'_>],
    built: &[Built],
    resolved: Vec<Override>,
    context: &Context,
) -> Vec<Override> {
    let by_image = |entry: Override| (entry.matcher.text().to_owned(), entry);
    let mut resolved: BTreeMap<String, Override> = resolved.into_iter().map(by_image).collect();
    let mut entries = Vec::new();
    for (job, built) in jobs.iter().zip(built) {
        let origins = origin::origins(&job.task, job.destination, context);
        for image in &job.images {
            let (Built::Local(reference) | Built::Pushed(reference)) = built;
            let entry = resolved.remove(image);
            entries.push(Override {
                origins: Some(origins.clone()),
                ..entry.unwrap_or_else(|| lock::locked(image, reference))
            });
        }
    }
    entries.extend(resolved.into_values());
    entries
}

/// Writes the lock. An entry whose image is the same as before keeps its origins, so that the file
/// does not change when no image did.
fn write(
    args: &Args,
    config: &Locks,
    mut entries: Vec<Override>,
    built: usize,
    context: &Context,
) -> Result<Exit, Error> {
    let file = args.output.file();
    let old = match file.filter(|file| file.exists()) {
        Some(file) => Locks::load(&[file.to_owned()])?,
        None => Locks::default(),
    };
    for entry in &mut entries {
        let before = old
            .overrides()
            .iter()
            .find(|old| old.matcher == entry.matcher);
        if let Some(before) = before.filter(|before| before.agrees_with(entry)) {
            entry.origins.clone_from(&before.origins);
        }
    }
    report(&entries, &old, context);
    let built = count(built, "image");
    let Some(file) = file else {
        context
            .ui
            .data(lock::text(&entries, &config.search_rules, "")?.as_bytes())?;
        context.ui.note(&format!("Built {built}."));
        return Ok(Exit::Done);
    };
    let text = lock::text(&entries, &config.search_rules, &target::text_of(file)?)?;
    let verb = if lock::write(file, &text)? {
        "wrote"
    } else {
        "nothing to change in"
    };
    context
        .ui
        .note(&format!("Built {built}, {verb} {}.", file.display()));
    Ok(Exit::Done)
}
