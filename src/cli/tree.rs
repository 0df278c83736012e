//! A render as a tree of files, in a folder that holds renders and nothing else.

use super::{Context, Error, stages};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use windlass_helm::chart::Rendered;

/// What a chart's folder of a render may hold.
const OF_CHARTS: &[&str] = &["templates", "crds", "charts"];

/// Empties the folder, writes Helm's tree of files and reports each as Helm does.
pub(super) fn write(
    rendered: &Rendered,
    folder: &Path,
    project: &Path,
    context: &Context,
) -> Result<(), Error> {
    empty(folder, project)?;
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (path, text) in rendered.to_files() {
        let file = folder.join(&path);
        let whole = files.entry(path).or_default();
        whole.extend(text);
        stages::write_file(&file, whole)?;
        context
            .ui
            .data(format!("wrote {}\n", file.display()).as_bytes())?;
    }
    Ok(())
}

/// Removes the last render. A folder that holds the project itself, or something that no render
/// wrote, is refused: nobody means to delete that.
fn empty(folder: &Path, project: &Path) -> Result<(), Error> {
    let Ok(target) = folder.canonicalize() else {
        return Ok(());
    };
    let project = if project.as_os_str().is_empty() {
        Path::new(".")
    } else {
        project
    };
    let around = project
        .canonicalize()
        .is_ok_and(|project| project.starts_with(&target));
    if around {
        return Err(refusal(folder, "the project is inside it"));
    }
    let charts = entries(&target)?;
    for chart in &charts {
        if let Some(foreign) = foreign(chart)? {
            let path = foreign.strip_prefix(&target).unwrap_or(&foreign);
            let why = format!("`{}` is not of a render", path.display());
            return Err(refusal(folder, &why));
        }
    }
    charts.iter().try_for_each(|chart| {
        std::fs::remove_dir_all(chart)
            .map_err(|error| Error::failed(format!("empty folder {}: {error}", folder.display())))
    })
}

fn refusal(folder: &Path, why: &str) -> Error {
    Error::usage(format!("folder {} is not emptied: {why}", folder.display()))
        .hinted("name a folder that only holds renders, for example `.release`")
}

/// What no render wrote into the folder of a chart: anything but its templates and CRDs, and those
/// of its sub-charts. Sub-charts lie below each other, so that a list of those to be looked at is
/// needed.
fn foreign(chart: &Path) -> Result<Option<PathBuf>, Error> {
    let mut charts = vec![chart.to_owned()];
    while let Some(chart) = charts.pop() {
        if !is_folder(&chart) {
            return Ok(Some(chart));
        }
        for inside in entries(&chart)? {
            let known = inside
                .file_name()
                .is_some_and(|name| OF_CHARTS.iter().any(|known| name == *known));
            if !known || !is_folder(&inside) {
                return Ok(Some(inside));
            }
            if inside.ends_with("charts") {
                charts.extend(entries(&inside)?);
            }
        }
    }
    Ok(None)
}

/// Whether this is a folder itself, not a link to one.
fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|data| data.is_dir())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed =
        |error: std::io::Error| Error::failed(format!("read folder {}: {error}", folder.display()));
    let mut found = std::fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<PathBuf>, _>>()
        .map_err(failed)?;
    found.sort();
    Ok(found)
}
