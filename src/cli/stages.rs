//! The first stages of the line, shared by every subcommand that has a chart: load, render, lock,
//! and the objects that come out. Reads files; knows no cluster.

use super::locking::{Locking, Unlocked};
use super::project::Request;
use super::{Context, Error, Exit, flags, repeat, values_key};
use crate::image::Locks;
use crate::inventory::ImageSource;
use crate::object::{Lines, Manifest, Source, manifest};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use windlass_helm::chart::{
    self, Capabilities, Chart, Document, Options, Overrides, Profile, Release, Rendered,
};
use windlass_helm::template::World;

/// How the chart is rendered, from flags alone: as `helm template` would offline.
pub(super) fn options(render: &flags::Render) -> Options {
    Options {
        profile: if render.helm_version == "3" {
            Profile::Helm3
        } else {
            Profile::Helm4
        },
        kube_version: render.kube_version.clone(),
        api_versions: render.api_versions.clone(),
        no_hooks: render.no_hooks,
        skip_schema_validation: render.skip_schema_validation,
        include_crds: true,
        ..Options::default()
    }
}

/// As what the chart is rendered.
pub(super) fn release(app: &str, namespace: &str, is_upgrade: bool, revision: i64) -> Release {
    Release {
        name: app.to_owned(),
        namespace: namespace.to_owned(),
        revision,
        is_upgrade,
        is_install: !is_upgrade,
        ..Release::default()
    }
}

/// Loads and renders the chart of a request. What Helm would warn of is printed.
pub(super) fn render(
    request: &Request,
    values: &flags::Values,
    release: &Release,
    options: &Options,
    context: &Context,
) -> Result<Rendered, Error> {
    let mut world = repeat::world(&repeat::Flags::default(), context)?;
    let rendered = render_in(&mut world, request, values, release, options)?;
    warn(&rendered, context);
    Ok(rendered)
}

/// Prints what Helm would warn of.
pub(super) fn warn(rendered: &Rendered, context: &Context) {
    for warning in &rendered.warnings {
        context.ui.warning(warning);
    }
}

/// Loads and renders the chart of a request in a world of its own choice.
pub(super) fn render_in(
    world: &mut World,
    request: &Request,
    values: &flags::Values,
    release: &Release,
    options: &Options,
) -> Result<Rendered, Error> {
    let chart = load(request, options)?;
    let overrides = overrides(request, values)?;
    chart::render(&chart, &overrides, release, options, world).map_err(|error| {
        let hint = values_key::hint(&error, &overrides);
        Error::from(error).hinted_if(hint)
    })
}

/// What each template of the chart wrote, by its path, whatever that is.
pub(super) fn outputs(
    world: &mut World,
    request: &Request,
    values: &flags::Values,
    release: &Release,
    options: &Options,
) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let chart = load(request, options)?;
    let values = chart::compose(&overrides(request, values)?, options.profile)?;
    let prepared = chart::prepare(&chart, &values, options)?;
    Ok(chart::execute(&prepared, release, options.profile, world)?)
}

fn load(request: &Request, options: &Options) -> Result<Chart, Error> {
    let path = request.chart()?;
    if !path.exists() {
        return Err(
            Error::usage(format!("chart {} does not exist", path.display()))
                .hinted("name a folder with a Chart.yaml, or a .tgz"),
        );
    }
    Ok(chart::load(path, options.profile)?)
}

/// Replaces images by what the locks say, in place, and returns where they come from.
pub(super) fn rewrite(
    rendered: &mut Rendered,
    request: &Request,
    unlocked: Unlocked,
    context: &Context,
) -> Result<Vec<ImageSource>, Error> {
    let has_locks = !request.locks.is_empty() || request.image_map.is_some();
    if !has_locks && unlocked == Unlocked::Allowed {
        return Ok(Vec::new());
    }
    let mut locking = Locking::new(request)?;
    for document in &mut rendered.documents {
        document.text = locking.text(&document.text, lines(document), context)?;
    }
    locking.finish(unlocked, request, context)
}

/// The locks of a request.
pub(super) fn locks(request: &Request) -> Result<Locks, Error> {
    let mut locks = Locks::load(&request.locks)?;
    if let Some(map) = &request.image_map {
        locks.add_image_map(map)?;
    }
    Ok(locks)
}

/// Where the lines of a document stand in its template.
pub(super) fn lines(document: &Document) -> Lines<'_> {
    Lines {
        file: &document.template,
        first: document.first_line,
        written: &document.lines,
    }
}

/// The objects of a rendered chart. Every document that is no object is named.
pub(super) fn manifests(rendered: &Rendered) -> Result<Vec<Manifest>, Error> {
    let mut found = Vec::new();
    for document in &rendered.documents {
        found.extend(manifest::parse(&document.text, lines(document))?);
    }
    Ok(found)
}

/// The objects of manifest files, with their images locked, and where those come from.
pub(super) fn manifests_of_files(
    paths: &[PathBuf],
    request: &Request,
    context: &Context,
) -> Result<(Vec<Manifest>, Vec<ImageSource>), Error> {
    let (files, images) = files(paths, request, context)?;
    let mut found = Vec::new();
    for (source, text) in &files {
        found.extend(manifest::parse(text, source)?);
    }
    Ok((found, images))
}

/// Files and their texts.
type Files = Vec<(Source, Vec<u8>)>;

/// Manifest files, with their images locked, and where those come from. They are given by hand: only
/// who says so wants them frozen.
pub(super) fn files(
    paths: &[PathBuf],
    request: &Request,
    context: &Context,
) -> Result<(Files, Vec<ImageSource>), Error> {
    let mut files = read_all(paths)?;
    let mut locking = Locking::new(request)?;
    for (source, text) in &mut files {
        *text = locking.text(text, &*source, context)?;
    }
    let unlocked = Unlocked::of(request, Unlocked::Allowed);
    let images = locking.finish(unlocked, request, context)?;
    Ok((files, images))
}

/// The manifest files below the paths, in order; `-` is stdin.
pub(super) fn read_all(paths: &[PathBuf]) -> Result<Vec<(Source, Vec<u8>)>, Error> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut inside: Vec<PathBuf> = std::fs::read_dir(path)
                .map_err(|error| unreadable("folder", path, error))?
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|file| file.is_dir() || is_manifest(file))
                .collect();
            inside.sort();
            found.extend(read_all(&inside)?);
        } else {
            let source = Source {
                file: path.display().to_string(),
                line: 1,
            };
            found.push((source, read(path)?));
        }
    }
    Ok(found)
}

fn is_manifest(file: &Path) -> bool {
    file.extension()
        .is_some_and(|ending| ["yaml", "yml", "json"].iter().any(|known| ending == *known))
}

/// Reads a file that the user named; `-` is stdin.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    if path.as_os_str() == "-" {
        let mut text = Vec::new();
        std::io::stdin().read_to_end(&mut text)?;
        return Ok(text);
    }
    std::fs::read(path).map_err(|error| unreadable("file", path, error))
}

/// The error for a file or folder that the user named and that cannot be read.
pub(super) fn unreadable(what: &str, path: &Path, error: std::io::Error) -> Error {
    let missing = error.kind() == std::io::ErrorKind::NotFound;
    let source = anyhow::Error::new(error).context(format!("read {what} {}", path.display()));
    let wrapped = Error::new(Exit::Usage, source);
    if missing && path.is_relative() {
        return wrapped.hinted(
            "paths of flags begin in the working directory, those of windlass.yaml in its folder",
        );
    }
    wrapped
}

fn overrides(request: &Request, values: &flags::Values) -> Result<Overrides, Error> {
    let mut overrides = Overrides {
        set: values.set.clone(),
        set_string: values.set_string.clone(),
        set_json: values.set_json.clone(),
        set_file: values.set_file.clone(),
        set_literal: values.set_literal.clone(),
        ..Overrides::default()
    };
    for path in request.values.iter().chain(&values.values) {
        overrides
            .files
            .push((path.display().to_string(), read(path)?));
    }
    for argument in &values.set_file {
        for path in chart::set_file_paths(argument)? {
            let content = read(Path::new(&path))?;
            overrides.contents.insert(path, content);
        }
    }
    Ok(overrides)
}

/// What a cluster can do, as charts see it.
pub(super) fn capabilities(
    version: &str,
    api_versions: Vec<String>,
    profile: Profile,
) -> Result<Capabilities, Error> {
    Ok(Capabilities {
        kube_version: chart::KubeVersion::parse(version, profile)?,
        api_versions,
    })
}

/// Writes data to a file, or to stdout when none is named.
pub(super) fn emit(output: Option<&Path>, data: &[u8], context: &Context) -> Result<(), Error> {
    match output.filter(|path| path.as_os_str() != "-") {
        Some(file) => write_file(file, data),
        None => Ok(context.ui.data(data)?),
    }
}

/// Writes a file and the folders above it, whole or not at all. Links and devices such as
/// `/dev/stdout` are written to and stay what they are.
pub(super) fn write_file(file: &Path, text: &[u8]) -> Result<(), Error> {
    let failed = |error: std::io::Error| {
        Error::new(
            Exit::Failed,
            anyhow::Error::new(error).context(format!("write {}", file.display())),
        )
    };
    if file.symlink_metadata().is_ok_and(|data| !data.is_file()) {
        return std::fs::write(file, text).map_err(failed);
    }
    if let Some(folder) = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut half = file.as_os_str().to_owned();
    half.push(".tmp");
    let written = std::fs::write(&half, text).and_then(|()| std::fs::rename(&half, file));
    if written.is_err() {
        // The first error tells more than that of cleaning up.
        drop(std::fs::remove_file(&half));
    }
    written.map_err(failed)
}
