//! A chart's directory or archive into files in memory: the only part of the engine that touches the
//! file system, and only to read.
//!
//! Follows helm v4 `pkg/chart/v2/loader/directory.go`, except that a symbolic link may not lead out
//! of the chart and of the repository that holds it.

use super::{Chart, Error, Profile, archive, ignore::Rules};
use crate::limits::{MAX_CHART, MAX_DIRECTORIES, MAX_FILE_HELM3, MAX_FILES, MAX_IGNORED};
use crate::value::Str;
use std::fs::{File, FileType};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Loads a chart from its directory or its archive.
///
/// Follows helm v4 `pkg/chart/loader`: a directory is walked in order of names without what its `.helmignore`
/// leaves out, an archive is unpacked in memory. It is the only function of the crate that reads files, and reads
/// none outside of the path and of the git repository around it.
///
/// ```no_run
/// use windlass_helm::chart::{self, Profile};
///
/// let chart = chart::load("charts/web".as_ref(), Profile::Helm4)?;
/// println!("{} {}", chart.name(), chart.metadata.version);
/// # Ok::<(), chart::Error>(())
/// ```
///
/// # Errors
/// What cannot be read or is no chart, with Helm's texts.
pub fn load(path: &Path, profile: Profile) -> Result<Chart, Error> {
    let files = read(path, profile).map_err(Error::Load)?;
    Chart::from_files(files, profile)
}

/// Reads all files of a chart.
pub(super) fn read(path: &Path, profile: Profile) -> Result<Vec<(String, Str)>, String> {
    let shown = path.display();
    let meta = std::fs::metadata(path).map_err(|error| describe("stat", path, &error))?;
    if meta.is_dir() {
        return read_directory(path, profile);
    }
    if meta.len() > MAX_CHART {
        return Err(format!(
            "file '{shown}' is larger than the maximum size {MAX_CHART}"
        ));
    }
    let bytes = std::fs::read(path).map_err(|error| describe("open", path, &error))?;
    if !archive::is_gzip(&bytes) {
        if path
            .extension()
            .is_some_and(|ext| ext == "yaml" || ext == "yml")
        {
            return Err(format!(
                "file '{shown}' seems to be a YAML file, but expected a gzipped archive"
            ));
        }
        // Helm looks at 512 bytes, of which a short file leaves some zero.
        let kind = if bytes.len() >= 512 && std::str::from_utf8(&bytes).is_ok() {
            "text/plain; charset=utf-8"
        } else {
            "application/octet-stream"
        };
        return Err(format!(
            "file '{shown}' does not appear to be a gzipped archive; got '{kind}'"
        ));
    }
    let files = archive::unpack(&bytes)
        .map_err(|error| format!("unable to load chart archive: {error}"))?;
    if !profile.is_helm3() && !files.iter().any(|(name, _)| name == "Chart.yaml") {
        return Err("unable to detect chart version, no Chart.yaml found".to_owned());
    }
    Ok(files)
}

/// A walk through one chart's directory.
struct Walk {
    top: PathBuf,
    /// The directory that links must not leave.
    fence: PathBuf,
    rules: Rules,
    profile: Profile,
    files: Vec<(String, Str)>,
    /// How many files and directories there were, ignored ones too: links make loops of them.
    entries: usize,
    left: u64,
    /// What is read into.
    buffer: Vec<u8>,
}

fn read_directory(path: &Path, profile: Profile) -> Result<Vec<(String, Str)>, String> {
    let top = path
        .canonicalize()
        .map_err(|error| describe("open", path, &error))?;
    let manifest = top.join("Chart.yaml");
    if !profile.is_helm3()
        && let Err(error) = std::fs::metadata(&manifest)
    {
        let error = describe("open", &manifest, &error);
        return Err(format!(
            "unable to detect chart at {}: {error}",
            manifest.display()
        ));
    }
    let fence = top
        .ancestors()
        .find(|dir| dir.join(".git").exists())
        .unwrap_or(&top)
        .to_owned();
    let rules = Rules::parse(&ignored(&top, &fence)?)?;
    let mut walk = Walk {
        top: top.clone(),
        fence,
        rules,
        profile,
        files: Vec::new(),
        entries: 0,
        left: MAX_CHART,
        buffer: Vec::new(),
    };
    walk.directory(&top, "", 0)?;
    Ok(walk.files)
}

/// The text of `.helmignore`; nothing where there is none.
fn ignored(top: &Path, fence: &Path) -> Result<String, String> {
    let path = top.join(".helmignore");
    let Ok(target) = path.canonicalize() else {
        return Ok(String::new());
    };
    let size = std::fs::metadata(&target).map_or(0, |meta| meta.len());
    if !target.starts_with(fence) || size > MAX_IGNORED {
        return Err(format!(
            "{} leads out of the chart or is larger than {MAX_IGNORED} bytes",
            path.display()
        ));
    }
    let text = std::fs::read(target).unwrap_or_default();
    Ok(String::from_utf8_lossy(&text).into_owned())
}

impl Walk {
    fn directory(&mut self, dir: &Path, prefix: &str, depth: usize) -> Result<(), String> {
        if depth > MAX_DIRECTORIES {
            return Err(format!(
                "directories nest deeper than {MAX_DIRECTORIES} at {prefix}"
            ));
        }
        let entries = std::fs::read_dir(dir).map_err(|error| describe("open", dir, &error))?;
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| describe("read", dir, &error))?;
            let kind = entry.file_type();
            let kind = kind.map_err(|error| describe("lstat", &entry.path(), &error))?;
            found.push((entry.file_name(), kind));
        }
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (name, kind) in found {
            let relative = format!("{prefix}{}", name.to_string_lossy());
            self.entry(dir.join(&name), kind, &relative, depth)?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        mut path: PathBuf,
        mut kind: FileType,
        relative: &str,
        depth: usize,
    ) -> Result<(), String> {
        self.entries += 1;
        if self.entries > MAX_FILES {
            return Err(format!(
                "chart contains more than {MAX_FILES} files and directories, at {relative}"
            ));
        }
        if kind.is_symlink() {
            path = self.follow(&path)?;
            let meta = std::fs::metadata(&path).map_err(|error| describe("stat", &path, &error))?;
            kind = meta.file_type();
        }
        if self.rules.ignores(relative, kind.is_dir()) {
            return Ok(());
        }
        if kind.is_dir() {
            return self.directory(&path, &format!("{relative}/"), depth + 1);
        }
        if !kind.is_file() {
            return Err(format!(
                "cannot load irregular file {} as it has file mode type bits set",
                self.top.join(relative).display()
            ));
        }
        self.file(&path, relative)
    }

    /// Where a symbolic link leads, if it stays within the fence.
    fn follow(&self, path: &Path) -> Result<PathBuf, String> {
        let target = path
            .canonicalize()
            .map_err(|error| format!("error evaluating symlink {}: {error}", path.display()))?;
        if target.starts_with(&self.fence) {
            return Ok(target);
        }
        Err(format!(
            "symbolic link {} leads out of {}",
            path.display(),
            self.fence.display()
        ))
    }

    fn file(&mut self, path: &Path, relative: &str) -> Result<(), String> {
        let unreadable = |error: std::io::Error| describe("open", path, &error);
        let file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        if self.profile.is_helm3() && size > MAX_FILE_HELM3 {
            let name = relative.rsplit('/').next().unwrap_or(relative);
            return Err(format!(
                "chart file {name:?} is larger than the maximum file size {MAX_FILE_HELM3}"
            ));
        }
        let too_large = || {
            format!(
                "error reading {relative}: chart exceeds maximum decompressed size of {MAX_CHART} \
                 bytes"
            )
        };
        if size > self.left {
            return Err(too_large());
        }
        let data = &mut self.buffer;
        data.clear();
        let read = file.take(self.left + 1).read_to_end(data);
        let read = read.map_err(unreadable)? as u64;
        self.left = self.left.checked_sub(read).ok_or_else(too_large)?;
        self.files
            .push((relative.to_owned(), Str::from(without_bom(data))));
        Ok(())
    }
}

/// The bytes without a UTF-8 byte order mark.
pub(super) fn without_bom(data: &[u8]) -> &[u8] {
    data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data)
}

/// An I/O error as Go words it: `open PATH: no such file or directory`.
fn describe(verb: &str, path: &Path, error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    let lower = chars
        .next()
        .map(|c| c.to_ascii_lowercase())
        .into_iter()
        .chain(chars);
    format!("{verb} {}: {}", path.display(), lower.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::load;
    use crate::chart::Profile;
    use std::fs;

    fn chart(dir: &std::path::Path) {
        fs::create_dir_all(dir.join("templates")).unwrap();
        fs::write(
            dir.join("Chart.yaml"),
            "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        )
        .unwrap();
    }

    #[test]
    fn reads_a_directory_in_order_without_ignored_files() {
        let dir = tempfile::tempdir().unwrap();
        chart(dir.path());
        fs::write(dir.path().join(".helmignore"), "*.bak\n").unwrap();
        fs::write(dir.path().join("templates/b.yaml"), "b").unwrap();
        fs::write(dir.path().join("templates/a.yaml"), "a").unwrap();
        fs::write(dir.path().join("templates/.swp"), "").unwrap();
        fs::write(dir.path().join("x.bak"), "").unwrap();
        let chart = load(dir.path(), Profile::Helm4).unwrap();
        let names: Vec<_> = chart
            .templates
            .iter()
            .map(|file| file.name.as_str())
            .collect();
        assert_eq!(names, ["templates/a.yaml", "templates/b.yaml"]);
        let names: Vec<_> = chart.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, [".helmignore"]);
    }

    #[test]
    fn follows_links_only_within_the_repository() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("repo/chart"), dir.path().join("secret"));
        chart(&inside);
        fs::create_dir(dir.path().join("repo/.git")).unwrap();
        fs::write(dir.path().join("repo/shared.txt"), "shared").unwrap();
        fs::write(&outside, "secret").unwrap();
        std::os::unix::fs::symlink("../shared.txt", inside.join("s.txt")).unwrap();
        let loaded = load(&inside, Profile::Helm4).unwrap();
        assert_eq!(loaded.files[0].data.as_bytes(), b"shared");
        std::os::unix::fs::symlink(&outside, inside.join("t.txt")).unwrap();
        let error = load(&inside, Profile::Helm4).unwrap_err().to_string();
        assert!(error.contains("leads out of"), "{error}");
    }

    #[test]
    fn ends_loops_of_links() {
        let dir = tempfile::tempdir().unwrap();
        chart(dir.path());
        std::os::unix::fs::symlink(".", dir.path().join("loop")).unwrap();
        assert!(load(dir.path(), Profile::Helm4).is_err());
    }

    #[test]
    fn ends_loops_of_links_without_files() {
        let dir = tempfile::tempdir().unwrap();
        chart(dir.path());
        let loops = dir.path().join("templates/loops");
        fs::create_dir(&loops).unwrap();
        for name in ["a", "b"] {
            std::os::unix::fs::symlink(".", loops.join(name)).unwrap();
        }
        let error = load(dir.path(), Profile::Helm4).unwrap_err().to_string();
        let nested = error.contains("directories nest deeper than 100");
        assert!(
            nested || error.contains("more than 100000 files"),
            "{error}"
        );
    }

    #[test]
    fn reads_no_ignore_file_outside_of_the_chart() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("chart");
        chart(&inside);
        fs::write(dir.path().join("rules"), "*").unwrap();
        std::os::unix::fs::symlink("../rules", inside.join(".helmignore")).unwrap();
        let error = load(&inside, Profile::Helm4).unwrap_err().to_string();
        assert!(error.contains("leads out of the chart"), "{error}");
    }

    #[test]
    fn says_what_is_no_chart() {
        let dir = tempfile::tempdir().unwrap();
        let error = load(dir.path(), Profile::Helm4).unwrap_err().to_string();
        assert!(error.starts_with("unable to detect chart at "), "{error}");
        assert!(
            error.ends_with("Chart.yaml: no such file or directory"),
            "{error}"
        );
        let error = load(dir.path(), Profile::Helm3).unwrap_err().to_string();
        assert_eq!(error, "Chart.yaml file is missing");
        let file = dir.path().join("values.yaml");
        fs::write(&file, "a: 1").unwrap();
        let error = load(&file, Profile::Helm4).unwrap_err().to_string();
        assert!(error.contains("seems to be a YAML file"), "{error}");
    }
}
