//! `lock publish`: a lock file committed and pushed to the config repository.

use super::repository::{Pushed, Repository};
use super::{Context, Error, Exit, flags, project};
use crate::cli::git;
use crate::cli::interrupt::Interrupt;
use crate::cli::remote::Address;
use crate::image::{Locks, Override, lock};
use crate::ui::count;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a push is tried when others push at the same time.
const ATTEMPTS: u32 = 20;
/// The longest wait before the next try; the real one is a random part of it.
const WAIT: Duration = Duration::from_millis(500);

/// Commit a lock and push it to the config repository
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass lock publish demo.lock.yml --config-repo git@example.com:ops/config.git
  windlass lock publish demo.lock.yml --config-repo $URL --branch demo-1.4   # for a pull request
  windlass lock publish demo.lock.yml --config-repo ../config                # in a working copy")]
pub(super) struct Args {
    /// Lock file, for example from `lock build`
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Config repository: an address to clone, or a working copy
    #[arg(
        long,
        value_name = "URL|DIR",
        env = "WINDLASS_CONFIG_REPO",
        hide_env = true,
        help_heading = "Config repository"
    )]
    config_repo: Option<String>,
    /// Branch to push to; a new one begins at the default branch
    #[arg(long, value_name = "NAME", help_heading = "Config repository")]
    branch: Option<String>,
    /// Project file there, whose `locks` says where locks are [default: windlass.yaml]
    #[arg(long, value_name = "FILE", help_heading = "Config repository")]
    project: Option<PathBuf>,
    /// Environment of the project file [default: by the branch]
    #[arg(
        short,
        long,
        value_name = "NAME",
        env = "WINDLASS_ENV",
        hide_env = true,
        help_heading = "Config repository"
    )]
    env: Option<String>,
    /// Who commits: `Name <address>` [default: whom git is told, else windlass]
    #[arg(
        long,
        value_name = "WHO",
        env = "WINDLASS_GIT_AUTHOR",
        hide_env = true,
        help_heading = "Config repository"
    )]
    author: Option<String>,
    /// Publish a lock over a newer one, to roll back
    #[arg(long, help_heading = "Config repository")]
    force: bool,
}

/// A lock that is to be published.
struct Lock {
    /// The name of its file.
    name: String,
    text: String,
    locks: Locks,
}

/// Where it goes, and what becomes of it there.
struct Place {
    /// The app of the project file.
    app: String,
    /// The file in the repository.
    path: String,
    file: PathBuf,
    /// The folder of the working copy.
    root: PathBuf,
    /// All locks of the project.
    folder: PathBuf,
}

/// Runs `lock publish`.
pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let lock = read(&args.file)?;
    let repo = args.config_repo.as_deref().ok_or_else(|| {
        Error::usage("no config repository is named")
            .hinted("name it: `--config-repo URL`, or set WINDLASS_CONFIG_REPO")
    })?;
    let interrupt = Interrupt::listen();
    let work = async {
        let local = Path::new(repo);
        if local.is_dir()
            && let Some(repository) = Repository::existing(local, context).await
        {
            return in_working_copy(args, &lock, repository, context).await;
        }
        // A relative path would be looked for in the clone.
        let path = local
            .canonicalize()
            .ok()
            .map(|path| path.display().to_string());
        let address = Address::new(path.as_deref().unwrap_or(repo));
        let repository = Repository::temporary(address, context).await?;
        in_clone(args, &lock, repository, context).await
    };
    match interrupt.unless(work).await {
        Some(done) => done,
        None => {
            context.ui.note("Stopped.");
            Ok(interrupt.exit())
        }
    }
}

/// The file, which has to be a lock and nothing else.
fn read(path: &Path) -> Result<Lock, Error> {
    let locks = Locks::load(&[path.to_owned()])?;
    let open = locks.overrides().iter().find(|entry| !entry.preresolved);
    if !locks.sources.is_empty() || !locks.destinations.is_empty() || open.is_some() {
        return Err(Error::usage(format!(
            "{} is no lock: not all of it is resolved",
            path.display()
        ))
        .hinted("`windlass lock build -f FILE -o LOCK` makes a lock of it"));
    }
    Ok(Lock {
        name: path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        text: std::fs::read_to_string(path)?,
        locks,
    })
}

/// Commits on top of what the remote has, again as often as somebody else was faster.
async fn in_clone(
    args: &Args,
    lock: &Lock,
    mut repository: Repository,
    context: &Context,
) -> Result<Exit, Error> {
    repository.choose_author(args.author.as_deref()).await?;
    let mut first = None;
    for attempt in 0..ATTEMPTS {
        let branches = repository.branches(args.branch.as_deref()).await?;
        let target = args
            .branch
            .clone()
            .unwrap_or_else(|| branches.default.clone());
        let base = if branches.has_wanted {
            &target
        } else {
            &branches.default
        };
        repository.check_out(base).await?;
        let place = place(args, lock, &repository, &target, context)?;
        let old = repository.committed(&place.path).await;
        if old.as_ref() == Some(&lock.text) {
            return Ok(nothing_to_do(&place, base, &repository, context));
        }
        // In a second try another run may have published the same file meanwhile.
        if first.get_or_insert_with(|| old.clone()) != &old {
            let message = format!(
                "another run changed {} of {target} at the same time",
                place.path
            );
            return Err(Error::new(Exit::Unsafe, anyhow::Error::msg(message))
                .hinted("run it again to put this lock over it"));
        }
        let message = put(args, lock, &place, old.as_deref(), context)?;
        repository.commit(&place.path, &message).await?;
        if repository.push(&target).await? == Pushed::Yes {
            tell(&place, &target, &repository, context).await?;
            if target != branches.default {
                propose(&repository, &branches.default, &target, context);
            }
            return Ok(Exit::Done);
        }
        context
            .ui
            .detail("somebody else pushed meanwhile; trying again");
        pause(attempt).await?;
    }
    Err(crowded(&repository))
}

/// Commits in the working copy that the user named, and pushes its branch.
async fn in_working_copy(
    args: &Args,
    lock: &Lock,
    mut repository: Repository,
    context: &Context,
) -> Result<Exit, Error> {
    if args.branch.is_some() {
        return Err(Error::usage(
            "`--branch` needs the address of the repository, not a working copy",
        )
        .hinted("switch the branch there, or name the address: `--config-repo URL`"));
    }
    let Some(branch) = repository.branch().await else {
        return Err(
            Error::usage("the working copy of the config repository is on no branch")
                .hinted("check a branch out there, or name the address: `--config-repo URL`"),
        );
    };
    repository.choose_author(args.author.as_deref()).await?;
    let place = place(args, lock, &repository, &branch, context)?;
    let old = repository.committed(&place.path).await;
    if old.as_ref() == Some(&lock.text) {
        return Ok(nothing_to_do(&place, &branch, &repository, context));
    }
    let message = put(args, lock, &place, old.as_deref(), context)?;
    repository.commit(&place.path, &message).await?;
    if !repository.has_remote().await {
        context.ui.note(&format!(
            "Committed {}; there is no remote to push to.",
            place.path
        ));
        return Ok(Exit::Done);
    }
    for attempt in 0..ATTEMPTS {
        if repository.push(&branch).await? == Pushed::Yes {
            tell(&place, &branch, &repository, context).await?;
            return Ok(Exit::Done);
        }
        pause(attempt).await?;
        repository.rebase().await?;
    }
    Err(crowded(&repository))
}

/// Where the lock belongs, by the project file of the working copy.
fn place(
    args: &Args,
    lock: &Lock,
    repository: &Repository,
    branch: &str,
    context: &Context,
) -> Result<Place, Error> {
    let project = args
        .project
        .clone()
        .unwrap_or_else(|| PathBuf::from("windlass.yaml"));
    let file = repository.folder.join(&project);
    if !file.is_file() {
        let (clean, project) = (&repository.address.clean, project.display());
        return Err(
            Error::usage(format!("config repository {clean} has no {project}"))
                .hinted("its `locks` says where locks are; `--project FILE` names another one"),
        );
    }
    let project = flags::Project {
        file: flags::ProjectFile {
            project: Some(file),
            env: args.env.clone(),
            ..flags::ProjectFile::default()
        },
        ..flags::Project::default()
    };
    // The branch that counts is that of the config repository, not the one that CI builds.
    let mut environment = context.environment.clone();
    environment.ci_branch = Some(branch.to_owned());
    let request = project::resolve(&project, &flags::Locks::default(), &environment)?;
    let locks = request.locks.first().cloned().ok_or_else(|| {
        Error::usage("windlass.yaml of the config repository does not say where locks are")
            .hinted("set `locks` there, for example `locks: app-locks`")
    })?;
    let is_file = locks.extension().is_some() && !locks.is_dir();
    let file = if is_file {
        locks.clone()
    } else {
        locks.join(&lock.name)
    };
    if is_file && file.file_name() != Some(lock.name.as_ref()) {
        let (name, wanted) = (&lock.name, locks.file_name().unwrap_or_default().display());
        return Err(Error::usage(format!(
            "the config repository has one lock file, {wanted}, and not {name}"
        ))
        .hinted("give the lock that name, or let `locks` there be a folder"));
    }
    let path = inside(&repository.folder, &file)?;
    Ok(Place {
        app: request.app,
        path,
        file,
        root: repository.folder.clone(),
        folder: locks,
    })
}

/// The path of a file in the working copy; links must not lead out of it.
fn inside(folder: &Path, file: &Path) -> Result<String, Error> {
    let root = folder.canonicalize()?;
    let existing = file
        .ancestors()
        .find(|path| path.symlink_metadata().is_ok());
    let real = existing.and_then(|path| path.canonicalize().ok());
    let plain = file.strip_prefix(folder).ok().filter(|path| {
        path.components().all(|part| {
            matches!(
                part,
                std::path::Component::Normal(_) | std::path::Component::CurDir
            )
        })
    });
    match (real, plain) {
        (Some(real), Some(plain)) if real.starts_with(&root) => {
            let parts = plain
                .components()
                .filter(|part| *part != std::path::Component::CurDir);
            Ok(parts.collect::<PathBuf>().display().to_string())
        }
        _ => Err(Error::usage(
            "`locks` of the config repository leads out of it",
        )),
    }
}

/// Writes the file, sees that no other lock contradicts it, and gives the message of the commit.
fn put(
    args: &Args,
    lock: &Lock,
    place: &Place,
    old: Option<&str>,
    context: &Context,
) -> Result<String, Error> {
    let mut before = Locks::default();
    if let Some(old) = old {
        before.add(&place.path, old.as_bytes())?;
    }
    if !args.force {
        refuse_older(lock, place, &before)?;
    }
    lock::write(&place.file, &lock.text)?;
    Locks::load(std::slice::from_ref(&place.folder)).map_err(|error| {
        // Paths of a clone tell nothing.
        let folder = format!("{}/", place.root.display());
        Error::failed(error.to_string().replace(&folder, ""))
            .hinted("nothing was pushed: remove one of the two entries first")
    })?;
    Ok(message(lock, place, &before, context))
}

/// Refuses a lock of which an image is older than the one that it would replace: a pipeline of an
/// older commit that took longer, or was run again.
fn refuse_older(lock: &Lock, place: &Place, before: &Locks) -> Result<(), Error> {
    for entry in lock.locks.overrides() {
        let mut known = before.overrides().iter();
        let Some(old) = known.find(|old| old.matcher == entry.matcher) else {
            continue;
        };
        if old.new_image == entry.new_image {
            continue;
        }
        if let Some(reason) = older(entry, old) {
            let message = format!(
                "{} is older than {} in the config repository: `{}` {reason}",
                lock.name,
                place.path,
                entry.matcher.text()
            );
            return Err(Error::new(Exit::Unsafe, anyhow::Error::msg(message))
                .hinted("add `--force` to publish it all the same, for example to roll back"));
        }
    }
    Ok(())
}

/// Why an entry is older than another, as far as its origins and the repository here tell: commits
/// that follow each other say more than the times of builds.
fn older(new: &Override, old: &Override) -> Option<String> {
    let commits = (origin(new, "git", "sha"), origin(old, "git", "sha"));
    if let (Some(new), Some(old)) = commits {
        let is_ancestor = |a, b| git::is_ancestor(Path::new("."), a, b) == Some(true);
        if new != old && is_ancestor(old, new) {
            return None;
        }
        if new != old && is_ancestor(new, old) {
            return Some(format!(
                "is of commit {new}, there it is of its descendant {old}"
            ));
        }
    }
    let time = |entry| {
        origin(entry, "built", "time")?
            .parse::<jiff::Timestamp>()
            .ok()
    };
    let (new, old) = (time(new)?, time(old)?);
    (new < old).then(|| format!("was built at {new}, there it was built at {old}"))
}

/// A field of an origin of an entry.
fn origin<'a>(entry: &'a Override, kind: &str, key: &str) -> Option<&'a str> {
    let mut origins = entry.origins.as_ref()?.as_array()?.iter();
    origins
        .find_map(|origin| origin.get(kind))?
        .get(key)?
        .as_str()
}

/// What changes: each image, old → new, and where the new one comes from.
fn message(lock: &Lock, place: &Place, before: &Locks, context: &Context) -> String {
    let (mut names, mut lines, mut origins) = (Vec::new(), Vec::new(), Vec::new());
    for entry in lock.locks.overrides() {
        let image = entry.matcher.text();
        let old = before
            .overrides()
            .iter()
            .find(|old| old.matcher == entry.matcher);
        let old = old.map_or("none", |old| old.new_image.as_str());
        if old == entry.new_image {
            continue;
        }
        names.push(image);
        lines.push(format!("{image}\n  old: {old}\n  new: {}", entry.new_image));
        for (kind, keys) in [("git", ["remoteURL", "sha"]), ("built", ["run", "time"])] {
            let text = |key| origin(entry, kind, key);
            let words: Vec<&str> = keys.into_iter().filter_map(text).collect();
            let label = if kind == "git" { "Source" } else { "Built" };
            let line = format!("{label}: {}", words.join(" "));
            if !words.is_empty() && !origins.contains(&line) {
                origins.push(line);
            }
        }
    }
    let gone = before.overrides().iter().filter(|old| {
        !lock
            .locks
            .overrides()
            .iter()
            .any(|entry| entry.matcher == old.matcher)
    });
    lines.extend(gone.map(|old| {
        format!(
            "{}\n  old: {}\n  new: none",
            old.matcher.text(),
            old.new_image
        )
    }));
    if let Some(url) = &context.environment.ci_url {
        origins.push(format!("Published-by: {url}"));
    }
    let what = match names.as_slice() {
        [] => lock.name.clone(),
        [one] => (*one).to_owned(),
        [one, rest @ ..] => format!("{one} and {}", count(rest.len(), "more image")),
    };
    let head = format!("{}: lock {what}", place.app);
    [vec![head], lines, vec![origins.join("\n")]]
        .concat()
        .join("\n\n")
        .trim_end()
        .to_owned()
}

fn nothing_to_do(place: &Place, branch: &str, repository: &Repository, context: &Context) -> Exit {
    context.ui.note(&format!(
        "Nothing to publish: {} of {branch} in {} is this lock.",
        place.path, repository.address.clean
    ));
    Exit::Done
}

async fn tell(
    place: &Place,
    branch: &str,
    repository: &Repository,
    context: &Context,
) -> Result<(), Error> {
    let commit = repository.head().await?;
    context.ui.note(&format!(
        "Published {} to {branch} of {} as {commit}.",
        place.path, repository.address.clean
    ));
    Ok(())
}

fn propose(repository: &Repository, base: &str, branch: &str, context: &Context) {
    if let Some(page) = repository.address.pull_request(base, branch) {
        context.ui.note(&format!("Open a pull request: {page}"));
    }
}

/// A random wait, longer with every try, so that two runs do not meet again.
async fn pause(attempt: u32) -> Result<(), Error> {
    let random =
        getrandom::u32().map_err(|error| Error::failed(format!("random numbers: {error}")))?;
    let most = WAIT.min(Duration::from_millis(20) * 2_u32.saturating_pow(attempt.min(16)));
    tokio::time::sleep(most.mul_f64(f64::from(random) / f64::from(u32::MAX))).await;
    Ok(())
}

fn crowded(repository: &Repository) -> Error {
    let clean = &repository.address.clean;
    Error::failed(format!(
        "{clean} was pushed to by others {ATTEMPTS} times in a row"
    ))
    .hinted("run it again")
}
