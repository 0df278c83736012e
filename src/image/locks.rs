//! The locks of an app: files and folders of kbld Configs, merged, none contradicting another.

use super::config::{BuildSource, Config, Destination, ImageMatcher, Override, SearchRule};
use super::{Error, read, repository_text};
use indexmap::IndexMap;
use std::path::{Path, PathBuf};

/// How deep folders of lock files may be.
const MAX_FOLDER_DEPTH: usize = 16;
/// The files of a folder that are read, as in kbld.
const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];

/// What all lock files together say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Locks {
    overrides: Vec<Override>,
    /// The entries about an image or repository, so that finding one needs no search.
    index: IndexMap<ImageMatcher, Entries>,
    /// The rules of the files, before the rule for the key `image`.
    pub search_rules: Vec<SearchRule>,
    /// Images that are built.
    pub sources: Vec<BuildSource>,
    /// Where built images are pushed.
    pub destinations: Vec<Destination>,
    /// The files that were read, in order.
    pub files: Vec<PathBuf>,
}

/// Where among the entries the first about one image or repository are. A new name and the digest
/// that it was resolved to may stand beside each other.
#[derive(Clone, Debug, Default, PartialEq)]
struct Entries {
    renamed: Option<usize>,
    locked: Option<usize>,
}

impl Locks {
    /// Reads files, and folders with the files in them (`.json`, `.yaml`, `.yml`, at any depth, in
    /// the order of their paths).
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is no lock, and two entries that lock one image differently.
    pub fn load(paths: &[PathBuf]) -> Result<Self, Error> {
        let mut files = Vec::new();
        for path in paths {
            collect(path, 0, true, &mut files)?;
        }
        let mut locks = Self::default();
        for path in files {
            let text = std::fs::read(&path).map_err(|error| Error::read(&path, error))?;
            locks.add(&path.display().to_string(), &text)?;
            locks.files.push(path);
        }
        Ok(locks)
    }

    /// Adds the Configs of one text. `file` is its name in messages.
    ///
    /// # Errors
    ///
    /// A text that is no lock, and an entry that contradicts another.
    pub fn add(&mut self, file: &str, text: &[u8]) -> Result<(), Error> {
        self.add_config(read::lock(file, text)?)
    }

    /// Adds what a Config says.
    ///
    /// # Errors
    ///
    /// An entry that contradicts another.
    pub fn add_config(&mut self, config: Config) -> Result<(), Error> {
        self.sources.extend(config.sources);
        self.destinations.extend(config.destinations);
        for rule in config.search_rules {
            if !self.search_rules.contains(&rule) {
                self.search_rules.push(rule);
            }
        }
        config
            .overrides
            .into_iter()
            .try_for_each(|entry| self.add_entry(entry))
    }

    /// Adds the entries of an image map, a JSON file of references and what stands for them.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is no image map, and an entry that contradicts another.
    pub fn add_image_map(&mut self, path: &Path) -> Result<(), Error> {
        let text = std::fs::read(path).map_err(|error| Error::read(path, error))?;
        let overrides = read::image_map(&path.display().to_string(), &text)?;
        self.add_config(Config {
            overrides,
            ..Config::default()
        })
    }

    /// Adds one entry.
    ///
    /// # Errors
    ///
    /// [`Error::Disagree`] when an entry locks the same image to another one.
    pub fn add_entry(&mut self, entry: Override) -> Result<(), Error> {
        let entries = self.index.entry(entry.matcher.clone()).or_default();
        let first = match entry.preresolved {
            true => &mut entries.locked,
            false => &mut entries.renamed,
        };
        let first = &self.overrides[..].get(*first.get_or_insert(self.overrides.len()));
        if let Some(first) = first.filter(|first| !first.agrees_with(&entry)) {
            let told = |entry: &Override| Box::new((entry.new_image.clone(), entry.place.clone()));
            return Err(Error::Disagree {
                image: entry.matcher.text().to_owned(),
                first: told(first),
                second: told(&entry),
            });
        }
        self.overrides.push(entry);
        Ok(())
    }

    /// Images and what stands for them, in the order of the files.
    #[must_use]
    pub fn overrides(&self) -> &[Override] {
        &self.overrides
    }

    /// The entry for an image as it stands in a manifest: the first that matches, as in kbld, but an
    /// entry that locks just this image goes before one that only renames it.
    #[must_use]
    pub fn find(&self, image: &str) -> Option<&Override> {
        let of = |matcher| self.index.get(&matcher).cloned().unwrap_or_default();
        let exact = of(ImageMatcher::Image(image.to_owned()));
        let repository = of(ImageMatcher::Repository(repository_text(image).to_owned()));
        let places = [
            exact.locked,
            exact.renamed,
            repository.locked,
            repository.renamed,
        ];
        let first = &self.overrides[places.into_iter().flatten().min()?];
        match exact.locked {
            Some(locked) if !first.preresolved => Some(&self.overrides[locked]),
            _ => Some(first),
        }
    }

    /// Whether an image is built from sources.
    #[must_use]
    pub fn source(&self, image: &str) -> Option<&BuildSource> {
        self.sources
            .iter()
            .find(|source| source.matcher.matches(image))
    }
}

/// Gathers the lock files at a path: itself, or what is in the folder.
fn collect(path: &Path, depth: usize, named: bool, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let wrong = |error| Error::read(path, error);
    if !std::fs::metadata(path).map_err(wrong)?.is_dir() {
        let extension = path.extension().and_then(|extension| extension.to_str());
        if named || extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) {
            files.push(path.to_owned());
        }
        return Ok(());
    }
    if depth == MAX_FOLDER_DEPTH {
        let message = format!("folders are deeper than {MAX_FOLDER_DEPTH}");
        return Err(wrong(std::io::Error::other(message)));
    }
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        // Hidden files are those of editors and of a lock that is being written.
        if !entry.file_name().to_string_lossy().starts_with('.') {
            entries.push(entry.path());
        }
    }
    entries.sort();
    entries
        .iter()
        .try_for_each(|entry| collect(entry, depth + 1, false, files))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:f798cfd4c6a6a1d1d1e2d3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";

    fn lock(image: &str, new_image: &str, preresolved: bool) -> String {
        format!(
            "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\noverrides:\n- image: {image}\n  \
             newImage: {new_image}\n  preresolved: {preresolved}\n"
        )
    }

    #[test]
    fn a_folder_is_read_in_the_order_of_its_paths() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, image: &str| {
            let text = lock(image, &format!("a.io/{image}@{DIGEST}"), true);
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        std::fs::create_dir(folder.path().join("b")).unwrap();
        write("c.yml", "third");
        write("b/x.yaml", "second");
        write("a.json", "first");
        write(".hidden.yml", "hidden");
        write("notes.txt", "notes");
        let locks = Locks::load(&[folder.path().to_owned()]).unwrap();
        let images: Vec<_> = locks
            .overrides()
            .iter()
            .map(|entry| entry.matcher.text())
            .collect();
        assert_eq!(images, ["first", "second", "third"]);
        assert_eq!(locks.overrides()[1].place.line, 4);
    }

    #[test]
    fn two_files_that_disagree_are_both_named() {
        let mut locks = Locks::default();
        let other = DIGEST.replace('f', "0");
        locks
            .add(
                "a.yml",
                lock("web", &format!("a.io/web@{DIGEST}"), true).as_bytes(),
            )
            .unwrap();
        locks
            .add(
                "b.yml",
                lock("web", &format!("a.io/web@{DIGEST}"), true).as_bytes(),
            )
            .unwrap();
        let error = locks
            .add(
                "c.yml",
                lock("web", &format!("a.io/web@{other}"), true).as_bytes(),
            )
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "`web` is locked twice: to `a.io/web@{DIGEST}` at a.yml:4:3, \
                 to `a.io/web@{other}` at c.yml:4:3"
            )
        );
    }

    #[test]
    fn a_digest_goes_before_the_new_name_it_was_resolved_from() {
        let mut locks = Locks::default();
        locks
            .add("a.yml", lock("web", "a.io/web:1", false).as_bytes())
            .unwrap();
        assert_eq!(locks.find("web").unwrap().new_image, "a.io/web:1");
        locks
            .add(
                "b.yml",
                lock("web", &format!("a.io/web@{DIGEST}"), true).as_bytes(),
            )
            .unwrap();
        assert_eq!(
            locks.find("web").unwrap().new_image,
            format!("a.io/web@{DIGEST}")
        );
        assert!(locks.find("web:1").is_none());
    }

    #[test]
    fn a_missing_folder_is_told_with_the_way_to_make_it() {
        let error = Locks::load(&[PathBuf::from("no/such/folder")]).unwrap_err();
        assert_eq!(error.to_string(), "read locks no/such/folder");
        assert_eq!(
            error.hint().as_deref(),
            Some("`windlass lock` writes the first lock file")
        );
    }
}
