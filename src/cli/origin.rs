//! Where a deploy comes from, as its record and its lock keep it: who, where, commit, chart, locks.

use super::project::Request;
use super::{Context, git, stages};
use crate::image::Digest;
use crate::inventory::{LockFile, Origin};
use std::path::{Path, PathBuf};
use windlass_helm::chart;

/// How deep the folders of a chart are looked into.
const MAX_DEPTH: usize = 100;

/// Who runs windlass, where and for which commit.
pub(super) fn of_run(request: &Request, context: &Context) -> Origin {
    let environment = &context.environment;
    let folder = match request.folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => &request.folder,
    };
    let inputs = request.chart.iter().chain(&request.values);
    let inputs: Vec<&Path> = inputs.chain(&request.locks).map(PathBuf::as_path).collect();
    let commit = git::commit(folder, &inputs).or_else(|| environment.ci_commit.clone());
    let who = environment
        .ci_user
        .clone()
        .or_else(|| git::user(folder))
        .or_else(|| environment.user.clone());
    Origin {
        git_remote: git::remote(folder).unwrap_or_default(),
        git_commit: commit.unwrap_or_default(),
        who: who.unwrap_or_default(),
        host: environment.host.clone().unwrap_or_default(),
        ci_url: environment.ci_url.clone().unwrap_or_default(),
        ..Origin::default()
    }
}

/// The same, with what is deployed. What cannot be read any more is left out.
pub(super) fn of_deploy(request: &Request, is_chart: bool, context: &Context) -> Origin {
    let chart = request.chart.as_deref().filter(|_| is_chart);
    let files = stages::locks(request).map_or(Vec::new(), |locks| locks.files);
    let lock = |file: &PathBuf| {
        Some(LockFile {
            file: file.display().to_string(),
            digest: Digest::of(&std::fs::read(file).ok()?).to_string(),
        })
    };
    Origin {
        chart: chart.and_then(name_and_version).unwrap_or_default(),
        chart_digest: chart.and_then(digest).unwrap_or_default(),
        locks: files
            .iter()
            .chain(&request.image_map)
            .filter_map(lock)
            .collect(),
        ..of_run(request, context)
    }
}

fn name_and_version(path: &Path) -> Option<String> {
    let chart = chart::load(path, chart::Profile::Helm4).ok()?;
    Some(format!(
        "{}-{}",
        chart.metadata.name, chart.metadata.version
    ))
}

/// The digest of an archive, or of the names and contents of all files of a folder.
fn digest(path: &Path) -> Option<String> {
    if path.is_file() {
        return Some(Digest::of(&std::fs::read(path).ok()?).to_string());
    }
    let mut text = Vec::new();
    add(path, Path::new(""), 0, &mut text)?;
    Some(Digest::of(&text).to_string())
}

/// Adds a line of name and digest for each file, in the order of the names. Links to folders are
/// named by their target: they may lead anywhere.
fn add(folder: &Path, name: &Path, depth: usize, text: &mut Vec<u8>) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    let mut inside: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(PathBuf::from(entry.ok()?.file_name())))
        .filter(|file| file != Path::new(".git"))
        .collect();
    inside.sort();
    for file in inside {
        let (path, name) = (folder.join(&file), name.join(&file));
        if path.is_dir() && !path.is_symlink() {
            add(&path, &name, depth + 1, text)?;
            continue;
        }
        let content = match path.is_dir() {
            true => path.read_link().ok()?.into_os_string().into_encoded_bytes(),
            false => std::fs::read(&path).ok()?,
        };
        let line = format!("{}  {}\n", Digest::of(&content), name.display());
        text.extend_from_slice(line.as_bytes());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_the_digest_of_its_files_and_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        write("Chart.yaml", "name: web\n");
        write("templates/a.yaml", "a: 1\n");
        let first = digest(folder.path());
        assert!(first.as_ref().unwrap().starts_with("sha256:"));
        assert_eq!(digest(folder.path()), first);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
        let linked = digest(folder.path());
        assert_ne!(linked, first);
        write("templates/a.yaml", "a: 2\n");
        assert_ne!(digest(folder.path()), linked);
        assert_eq!(digest(&folder.path().join("nowhere")), None);
    }
}
