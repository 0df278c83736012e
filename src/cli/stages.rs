//! The first stages of the line, shared by every subcommand that has a chart: load, render, lock,
//! and the objects that come out. Reads files; knows no cluster.

use super::locking::{Locking, Unlocked};
use super::project::Request;
use super::{Context, Error, Exit, deps, flags, repeat, values_key};
use crate::file::{self, Kind};
use crate::image::{self, Edits, Locks};
use crate::inventory::ImageSource;
use crate::kapp::{self, Rules};
use crate::object::{self, Lines, Manifest, Source, manifest};
use crate::plan::hook;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::ops::Range;
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
    deps::ensure(request, context)?;
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
    render_chart(world, &chart, request, values, release, options)
}

/// Renders a chart with the values of a request.
pub(super) fn render_chart(
    world: &mut World,
    chart: &Chart,
    request: &Request,
    values: &flags::Values,
    release: &Release,
    options: &Options,
) -> Result<Rendered, Error> {
    let overrides = overrides(request, values)?;
    chart::render(chart, &overrides, release, options, world).map_err(|error| {
        let hint = values_key::hint(&error, &overrides);
        Error::from(error).hinted_if(hint)
    })
}

/// What each template of the chart wrote, by its path, whatever that is; nothing when one failed.
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
    Ok(chart::execute(&prepared, release, options.profile, world).unwrap_or_default())
}

/// The charts of a chart that a value decides about, with the path of the value.
pub(super) fn conditions(chart: &Chart) -> BTreeMap<String, String> {
    let dependencies = chart.metadata.dependencies.iter().flatten();
    let name = |dependency: &chart::Dependency| match dependency.alias.as_str() {
        "" => dependency.name.clone(),
        alias => alias.to_owned(),
    };
    dependencies
        .filter(|dependency| !dependency.condition.is_empty())
        .map(|dependency| (name(dependency), dependency.condition.clone()))
        .collect()
}

/// Loads the chart of a request.
pub(super) fn load(request: &Request, options: &Options) -> Result<Chart, Error> {
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
    let mut locking = Locking::new(request, unlocked)?;
    take_configs(rendered, &mut locking.locks)?;
    for document in &mut rendered.documents {
        let edits = locking.edits(&document.text, lines(document), context)?;
        if edits.is_empty() {
            continue;
        }
        let moved = edits.lines(&document.text, lines(document));
        document.text = edits.apply(&document.text).into_owned().into();
        if !moved.is_empty() {
            document.lines = moved;
        }
    }
    let command = &request.lock_command;
    let advice = format!("`{command}` locks every image; give it the same values");
    locking.finish(&advice, context)
}

/// Takes the kbld Configs out of a rendered chart and adds them to the locks, as kbld does with its
/// input.
pub(super) fn take_configs(rendered: &mut Rendered, locks: &mut Locks) -> Result<(), Error> {
    let mut taken = Ok(());
    rendered.documents.retain(|document| {
        if !image::is_config(&document.text) {
            return true;
        }
        let added = image::config(&document.template, &document.text)
            .and_then(|config| locks.add_config(config));
        if taken.is_ok() {
            taken = added;
        }
        false
    });
    Ok(taken?)
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

/// What is desired: objects, and the rules that the Config documents of kapp among them hold.
#[derive(Default)]
pub(super) struct Desired {
    /// The objects.
    pub(super) manifests: Vec<Manifest>,
    /// The rules.
    pub(super) rules: Rules,
    /// The charts that a value decides about, with the path of the value.
    pub(super) conditions: BTreeMap<String, String>,
}

impl Desired {
    /// Adds what a text holds. Every document that is no object is named.
    pub(super) fn add<'a>(
        &mut self,
        text: &[u8],
        lines: impl Into<Lines<'a>>,
    ) -> Result<(), Error> {
        let lines = lines.into();
        self.manifests.extend(manifest::parse(text, lines)?);
        self.rules.extend(kapp::read(text, lines)?);
        Ok(())
    }

    /// Adds what a file holds with its edits.
    pub(super) fn add_file(&mut self, file: &ManifestFile) -> Result<(), Error> {
        let written = &file.edits.lines(&file.text, file.lines());
        let lines = Lines {
            written,
            ..file.lines()
        };
        self.add(&file.edits.apply(&file.text), lines)
    }
}

/// The objects of a rendered chart.
pub(super) fn desired(rendered: &Rendered) -> Result<Desired, Error> {
    let mut found = Desired::default();
    for document in &rendered.documents {
        found.add(&document.text, lines(document))?;
    }
    Ok(found)
}

/// The objects of manifest files, with their images locked, and where those come from.
pub(super) fn desired_of_files(
    wish: &flags::Wish,
    request: &Request,
    unlocked: Unlocked,
    context: &Context,
) -> Result<(Desired, Vec<ImageSource>), Error> {
    let paths = &wish.manifests.manifests;
    let (files, images) = files(paths, request, unlocked, context)?;
    let mut found = Desired::default();
    for file in files {
        found.add_file(&file)?;
    }
    if wish.render.no_hooks {
        let is_hook = |manifest: &Manifest| hook::of(&manifest.object).is_some();
        found.manifests.retain(|manifest| !is_hook(manifest));
    }
    Ok((found, images))
}

/// A manifest file.
pub(super) struct ManifestFile {
    /// Its name.
    pub(super) name: String,
    /// Its text as it was read.
    pub(super) text: Vec<u8>,
    /// What is done to it: the kbld Configs are taken out, and images are locked.
    pub(super) edits: Edits,
}

impl ManifestFile {
    /// Where its lines stand.
    pub(super) fn lines(&self) -> Lines<'_> {
        Lines {
            file: &self.name,
            first: 1,
            written: &[],
        }
    }
}

/// Manifest files, with their images locked, and where those come from. They are given by hand.
pub(super) fn files(
    paths: &[PathBuf],
    request: &Request,
    unlocked: Unlocked,
    context: &Context,
) -> Result<(Vec<ManifestFile>, Vec<ImageSource>), Error> {
    let mut locking = Locking::new(request, Unlocked::by_hand(request, unlocked))?;
    let mut files = files_and_configs(paths, &mut locking.locks)?;
    for file in &mut files {
        let edits = locking.edits(&file.text, file.lines(), context)?;
        file.edits.add(edits);
    }
    let advice = format!("`{}` locks every image", lock_command(paths, request));
    let images = locking.finish(&advice, context)?;
    Ok((files, images))
}

/// What to type to lock the images of manifest files.
fn lock_command(paths: &[PathBuf], request: &Request) -> String {
    let mut words = vec![request.lock_command.clone()];
    words.extend(paths.iter().map(|path| format!("-m {}", path.display())));
    if request.locks.is_empty() {
        words.push("-o FILE".to_owned());
    }
    words.join(" ")
}

/// Manifest files; the kbld Configs in them are taken out and added to the locks, as kbld does with
/// its input.
pub(super) fn files_and_configs(
    paths: &[PathBuf],
    locks: &mut Locks,
) -> Result<Vec<ManifestFile>, Error> {
    let mut files = Vec::new();
    for (source, text) in read_all(paths)? {
        let name = source.file;
        let edits = without_configs(&text);
        if !edits.is_empty() {
            locks.add_config(image::config(&name, &text)?)?;
        }
        files.push(ManifestFile { name, text, edits });
    }
    Ok(files)
}

/// What takes the kbld Configs out of a text.
fn without_configs(text: &[u8]) -> Edits {
    let mut edits = Edits::default();
    if !image::names_config(text) {
        return edits;
    }
    let mut take = |document: Range<usize>| {
        if image::is_config(&text[document.clone()]) {
            edits.cut(document);
        }
    };
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b"---") {
            take(start..at);
            start = at;
        }
        at += line.len();
    }
    take(start..at);
    edits
}

/// The manifest files below the paths, in order, JSON so that YAML reads the same in it; `-` is stdin.
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
            found.push((source, object::readable_as_yaml(read(path)?)));
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
        io::stdin().read_to_end(&mut text)?;
        return Ok(text);
    }
    std::fs::read(path).map_err(|error| unreadable("file", path, error))
}

/// The error for a file or folder that the user named and that cannot be read.
pub(super) fn unreadable(what: &str, path: &Path, error: io::Error) -> Error {
    let missing = error.kind() == io::ErrorKind::NotFound;
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
    emit_pieces(output, context, |out| out.write_all(data))
}

/// As [`emit`], piece by piece.
pub(super) fn emit_pieces(
    output: Option<&Path>,
    context: &Context,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    match output.filter(|path| path.as_os_str() != "-") {
        Some(file) => write_pieces(file, write),
        None => Ok(context.ui.stream(|out| write(out))?),
    }
}

/// Writes a file that was asked for ([`Kind::Output`]).
pub(super) fn write_file(path: &Path, text: &[u8]) -> Result<(), Error> {
    write_pieces(path, |out| out.write_all(text))
}

fn write_pieces(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    file::write_with(path, Kind::Output, fill).map_err(|error| {
        let error = anyhow::Error::new(error).context(format!("write {}", path.display()));
        Error::new(Exit::Failed, error)
    })
}
