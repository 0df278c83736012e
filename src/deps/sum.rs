//! `Chart.sum`: what each dependency held when it was first fetched.
//!
//! A line a chart, as in go.sum: name, version, source, `sha256:` of the archive, and the digest of the manifest
//! where the source is an OCI registry.

use super::Error;
use crate::image::Digest;
use std::collections::BTreeMap;
use std::path::Path;

/// The name of the file, beside `Chart.lock`.
const FILE: &str = "Chart.sum";
/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// What one chart holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Where it was fetched from, without secrets.
    pub source: String,
    /// The digest of its archive.
    pub archive: Digest,
    /// The digest of its manifest, from an OCI registry.
    pub manifest: Option<Digest>,
}

/// The file: by name and version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums(pub(super) BTreeMap<(String, String), Sum>);

impl Sums {
    /// Reads the file of a chart, if it has one.
    ///
    /// # Errors
    /// A file that cannot be read or understood, with its line.
    pub fn load(chart: &Path) -> Result<Option<Self>, Error> {
        let path = chart.join(FILE);
        let size = match std::fs::metadata(&path) {
            Ok(meta) if meta.is_file() => meta.len(),
            Ok(_) => return Err(Error::file(&path, "is no file")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error) => return Err(Error::file(&path, error)),
        };
        if size > MAX_FILE {
            return Err(Error::file(
                &path,
                format!("is larger than {MAX_FILE} bytes"),
            ));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| Error::file(&path, error))?;
        let mut sums = Self::default();
        let mut lines = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, sum) = entry(line).ok_or_else(|| {
                let cause = "a line has NAME VERSION SOURCE sha256:… [sha256:…]";
                Error::file(&path, format!("line {}: {cause}", number + 1))
            })?;
            let first = *lines.entry(key.clone()).or_insert(number + 1);
            if sums.0.get(&key).is_some_and(|known| *known != sum) {
                let (number, (name, version)) = (number + 1, key);
                let cause = format!("lines {first} and {number} differ about {name} {version}");
                return Err(Error::file(&path, cause));
            }
            sums.0.insert(key, sum);
        }
        Ok(Some(sums))
    }

    /// What a chart has to hold, if that is known.
    #[must_use]
    pub fn get(&self, name: &str, version: &str) -> Option<&Sum> {
        self.0.get(&(name.to_owned(), version.to_owned()))
    }

    /// Compares what a chart holds with what it has to hold. A manifest may be another one with the same archive: its
    /// annotations say when it was pushed.
    ///
    /// # Errors
    /// [`Error::Changed`] with both digests.
    pub fn check(&self, name: &str, version: &str, found: &Sum) -> Result<(), Error> {
        let Some(known) = self.get(name, version) else {
            return Ok(());
        };
        match known.archive == found.archive {
            true => Ok(()),
            false => Err(Error::Changed {
                chart: format!("{name} {version}"),
                place: found.source.clone(),
                difference: format!(
                    "its sha256 is {}, Chart.sum has {}",
                    found.archive, known.archive
                ),
            }),
        }
    }

    /// The text of the file.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text =
            "# What the dependencies hold. Written by `windlass deps`; commit it.\n".to_owned();
        for ((name, version), sum) in &self.0 {
            let Sum {
                source,
                archive,
                manifest,
            } = sum;
            text.push_str(&[name, " ", version, " ", source, " ", archive.as_str()].concat());
            if let Some(manifest) = manifest {
                text.push_str(&[" ", manifest.as_str()].concat());
            }
            text.push('\n');
        }
        text
    }

    /// Writes the file, or removes it when there is nothing to say. Links are replaced, not followed.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(super) fn save(&self, chart: &Path) -> Result<(), Error> {
        let path = chart.join(FILE);
        if self.0.is_empty() {
            return match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(Error::file(&path, error))
                }
                _ => Ok(()),
            };
        }
        let text = self.text();
        if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
            return Ok(());
        }
        super::stage::keep(&path, text.as_bytes())
    }
}

fn entry(line: &str) -> Option<((String, String), Sum)> {
    let mut words = line.split_whitespace();
    let mut next = || words.next().map(str::to_owned);
    let key = (next()?, next()?);
    let source = next()?;
    let archive = Digest::new(&next()?).ok()?;
    let manifest = match next() {
        Some(text) => Some(Digest::new(&text).ok()?),
        None => None,
    };
    let sum = Sum {
        source,
        archive,
        manifest,
    };
    next().is_none().then_some((key, sum))
}

#[cfg(test)]
mod tests {
    use super::{Sum, Sums};
    use crate::image::Digest;

    fn sum(archive: &[u8], manifest: &[u8]) -> Sum {
        Sum {
            source: "oci://a.io/charts".to_owned(),
            archive: Digest::of(archive),
            manifest: Some(Digest::of(manifest)),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut sums = Sums::default();
        assert_eq!(Sums::load(folder.path()).unwrap(), None);
        let key = ("web".to_owned(), "1.0.0+b".to_owned());
        sums.0.insert(key, sum(b"a", b"m"));
        sums.save(folder.path()).unwrap();
        assert_eq!(Sums::load(folder.path()).unwrap(), Some(sums));
        std::fs::write(folder.path().join("Chart.sum"), "web 1.0.0 x sha256:5\n").unwrap();
        let error = Sums::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
        let line = |of: &[u8]| format!("web 1.0.0 x {}\n", Digest::of(of));
        let write = |text: String| std::fs::write(folder.path().join("Chart.sum"), text).unwrap();
        write(line(b"a") + &line(b"a"));
        assert_eq!(Sums::load(folder.path()).unwrap().unwrap().0.len(), 1);
        write(format!("# two\n{}{}", line(b"a"), line(b"b")));
        let error = Sums::load(folder.path()).unwrap_err().to_string();
        assert!(
            error.ends_with("Chart.sum: lines 2 and 3 differ about web 1.0.0"),
            "{error}"
        );
    }

    #[test]
    fn changes_are_told_with_both_digests() {
        let mut sums = Sums::default();
        let key = ("web".to_owned(), "1.0.0".to_owned());
        sums.0.insert(key, sum(b"a", b"m"));
        assert!(sums.check("web", "1.0.0", &sum(b"a", b"m")).is_ok());
        assert!(sums.check("web", "1.0.1", &sum(b"b", b"m")).is_ok());
        let error = sums.check("web", "1.0.0", &sum(b"b", b"m")).unwrap_err();
        for digest in [Digest::of(b"a"), Digest::of(b"b")] {
            assert!(error.to_string().contains(digest.as_str()), "{error}");
        }
        assert!(sums.check("web", "1.0.0", &sum(b"a", b"n")).is_ok());
    }
}
