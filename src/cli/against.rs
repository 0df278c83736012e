//! `diff --against REV`: the render of the working tree against that of a git revision of the same
//! project, without a cluster.

use super::files::{self, Side};
use super::locking::Unlocked;
use super::project::{self, Request};
use super::{Context, Error, deps, flags, git, repeat, stages};
use std::path::{Path, PathBuf};
use windlass_helm::chart::Options;
use windlass_helm::template::World;

/// The project file that is read where none is named.
const PROJECT_FILE: &str = "windlass.yaml";

/// The objects of the revision and of the working tree, and which app they are of.
pub(super) fn objects(
    rev: &str,
    wish: &flags::Wish,
    context: &Context,
) -> Result<(Request, Side, Side), Error> {
    let request = project::resolve(&wish.project, &wish.locks, &context.environment)?;
    // The same time and randomness on both sides: what is made up is no difference.
    let world = repeat::world(&repeat::Flags::default(), context)?;
    let new = rendered(&request, wish, &world, None, context)?;
    let folder = std::env::current_dir()?.canonicalize()?;
    let repository = git::root(&folder).ok_or_else(|| {
        Error::usage(format!("{} is in no git repository", folder.display()))
            .hinted("`--files OLD NEW` compares files that git does not know")
    })?;
    let copy = tempfile::tempdir()?;
    let tree = copy.path().canonicalize()?.join("tree");
    git::unpack(&repository, rev, &tree).map_err(|reason| {
        Error::usage(format!("revision `{rev}`: {reason}")).hinted(
            "name a branch, tag or commit that is here; `git fetch --unshallow` brings those that a CI job leaves out",
        )
    })?;
    let moved = Moved {
        repository: &repository,
        folder: &folder,
        tree: &tree,
        rev,
    };
    let old = moved
        .objects(&request, wish, &world, context)
        .map_err(|error| moved.explained(error))?;
    Ok((request, old, new))
}

fn rendered(
    request: &Request,
    wish: &flags::Wish,
    world: &World,
    fence: Option<&Path>,
    context: &Context,
) -> Result<Side, Error> {
    if !wish.manifests.manifests.is_empty() {
        let (desired, _) = stages::desired_of_files(wish, request, Unlocked::Foretold, context)?;
        return files::side(desired, context);
    }
    deps::ensure_within(request, fence, context)?;
    let options = Options {
        skip_tests: true,
        ..stages::options(&wish.render)
    };
    // Both as an upgrade, for that is what the next deploy will be.
    let release = stages::release(&request.app, request.offline_namespace(), true, 2);
    let world = &mut world.again();
    let mut rendered = stages::render_in(world, request, &wish.values, &release, &options)?;
    stages::warn(&rendered, context);
    let unlocked = Unlocked::of(request, Unlocked::Foretold);
    stages::rewrite(&mut rendered, request, unlocked, context)?;
    files::side(stages::desired(&rendered)?, context)
}

/// The working tree, and where its files lie as of a revision.
struct Moved<'a> {
    repository: &'a Path,
    folder: &'a Path,
    tree: &'a Path,
    rev: &'a str,
}

impl Moved<'_> {
    /// The objects of the revision. Its project file names chart, values and locks; app and
    /// environment are those of today. What it would warn of is not told: it is the past.
    fn objects(
        &self,
        request: &Request,
        wish: &flags::Wish,
        world: &World,
        context: &Context,
    ) -> Result<Side, Error> {
        let mut environment = context.environment.clone();
        environment.ci_branch = environment.ci_branch.or_else(|| git::branch(self.folder));
        let mut ui = context.ui;
        ui.quiet = true;
        let past = Context {
            ui,
            log_format: context.log_format,
            environment,
        };
        let mut wish = self.wish(wish)?;
        wish.project.app = Some(request.app.clone());
        let resolved = project::resolve(&wish.project, &wish.locks, &past.environment)?;
        let resolved = Request {
            namespace: request.namespace.clone(),
            ..resolved
        };
        rendered(&resolved, &wish, world, Some(self.tree), &past)
    }

    /// The same wish with its files taken from the revision.
    fn wish(&self, wish: &flags::Wish) -> Result<flags::Wish, Error> {
        let mut moved = wish.clone();
        let named = moved.project.file.project.is_some();
        let file = moved.project.file.project.take();
        let file = file.unwrap_or_else(|| PathBuf::from(PROJECT_FILE));
        // A project file of the working tree is not taken in place of one that the revision lacks.
        if named || file.exists() || self.path(&file).exists() {
            moved.project.file.project = Some(self.path(&file));
        }
        let files = moved.project.chart.iter_mut();
        for path in files.chain(&mut moved.manifests.manifests) {
            let inside = self.path(path);
            if inside == *path {
                return Err(Error::usage(format!(
                    "{} is not in the repository {}: it has no revision",
                    path.display(),
                    self.repository.display()
                )));
            }
            *path = inside;
        }
        // Values and locks from elsewhere are the same on both sides.
        let values = moved.values.values.iter_mut();
        let locks = moved.locks.locks.iter_mut();
        for path in values.chain(locks).chain(&mut moved.locks.image_map_file) {
            if path.as_os_str() == "-" {
                let message = "stdin can be read only once, and both renders need its values";
                return Err(Error::usage(message).hinted("write the values to a file"));
            }
            *path = self.path(path);
        }
        Ok(moved)
    }

    /// The place of a file of the working tree in the revision; a file from elsewhere stays.
    fn path(&self, path: &Path) -> PathBuf {
        let whole = self.folder.join(path);
        let whole = whole.canonicalize().unwrap_or(whole);
        match whole.strip_prefix(self.repository) {
            Ok(inside) if path.as_os_str() != "-" => self.tree.join(inside),
            _ => path.to_path_buf(),
        }
    }

    /// An error with the files of the revision named as git names them: `v1.2:chart/values.yaml`.
    fn explained(&self, error: Error) -> Error {
        let tree = format!("{}/", self.tree.display());
        let mut error = error.scrubbed(&|text| text.replace(&tree, &format!("{}:", self.rev)));
        error.hints.clear();
        error.hinted(format!(
            "this is about revision `{}`; compare with one that has it",
            self.rev
        ))
    }
}
