//! What can be wrong with locks and with the images of manifests, always with its place.

use super::{Found, ReferenceError};
use crate::object::manifest::discreet;
use crate::object::{Lines, Source};
use std::fmt;
use std::path::{Path, PathBuf};
use thiserror::Error;
use windlass_helm::yaml;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file as the user named it, or the template of a rendered manifest.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A lock file, a Config or an image of a manifest that cannot be used.
#[derive(Debug, Error)]
pub enum Error {
    /// A lock file or folder cannot be read.
    #[error("read locks {}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A lock file cannot be written.
    #[error("write lock {}", path.display())]
    Write {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The text is not YAML.
    #[error("{place}: {message}")]
    Yaml {
        /// Where reading stopped.
        place: Place,
        /// What is wrong there.
        message: String,
    },
    /// A document of a lock file is something else.
    #[error("{place}: {found} is not a kbld Config")]
    NotConfig {
        /// Where the document begins.
        place: Place,
        /// Its kind and apiVersion.
        found: String,
    },
    /// A key that kbld Configs do not have.
    #[error("{place}: unknown key `{key}` in {within}")]
    UnknownKey {
        /// Where the key stands.
        place: Place,
        /// The key.
        key: String,
        /// The map it stands in.
        within: String,
        /// The known key most like it.
        nearest: Option<String>,
    },
    /// A value of the wrong type.
    #[error("{place}: {what} has to be {expected}")]
    WrongType {
        /// Where the value stands.
        place: Place,
        /// The key.
        what: String,
        /// What is expected.
        expected: &'static str,
    },
    /// Something that must be there is missing.
    #[error("{place}: {within} needs {what}")]
    Missing {
        /// Where the map begins.
        place: Place,
        /// The map.
        within: String,
        /// What is missing.
        what: &'static str,
    },
    /// `minimumRequiredVersion` is no version, or one of a format that is not known.
    #[error("{place}: minimumRequiredVersion {version} {problem}")]
    Version {
        /// Where it stands.
        place: Place,
        /// The version asked for.
        version: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A range of versions that cannot be read.
    #[error("{place}: range of versions `{range}` {problem}")]
    Range {
        /// Where it stands.
        place: Place,
        /// The range.
        range: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An image of a lock is not a valid reference.
    #[error("{place}: {source}")]
    Reference {
        /// Where it stands.
        place: Place,
        /// What is wrong with it.
        source: ReferenceError,
    },
    /// A lock that may give another image tomorrow.
    #[error("{place}: `{image}` is locked to `{new_image}`, which has no digest")]
    Mutable {
        /// Where the entry stands.
        place: Place,
        /// The image.
        image: String,
        /// What it is locked to.
        new_image: String,
    },
    /// Two entries for one image.
    #[error("`{image}` is locked twice: to `{}` at {}, to `{}` at {}", first.0, first.1, second.0, second.1)]
    Disagree {
        /// The image.
        image: String,
        /// The new image of the first entry, and its place.
        first: Box<(String, Place)>,
        /// The new image of the second entry, and its place.
        second: Box<(String, Place)>,
    },
    /// Something that kbld has and windlass does not.
    #[error("{place}: {what} is not supported yet")]
    Unsupported {
        /// Where it stands.
        place: Place,
        /// What it is.
        what: String,
    },
    /// An image inside an embedded text whose spelling cannot be changed in one place.
    #[error(
        "{place}: {path} holds images, but is written over several lines in a way that cannot be changed in place"
    )]
    NotInPlace {
        /// Where the text begins.
        place: Place,
        /// Its field.
        path: String,
    },
    /// `--images-annotation`, and an object that no line can be added to.
    #[error(
        "{place}: the metadata of this object is written in a way that no annotation can be added"
    )]
    Annotation {
        /// Where the object begins.
        place: Place,
    },
    /// `--frozen`, and some images are not locked.
    #[error("{}", unlocked_text(images))]
    Unlocked {
        /// All of them, in the order of the manifests.
        images: Vec<Found>,
    },
}

impl Error {
    pub(super) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read {
            path: path.to_owned(),
            source,
        }
    }

    /// A text that is not YAML.
    pub(super) fn yaml<'a>(text: &[u8], lines: impl Into<Lines<'a>>, error: &yaml::Error) -> Self {
        let Source { file, line } = lines.into().at(error.line);
        let column = error.column.max(1);
        Self::Yaml {
            place: Place { file, line, column },
            message: discreet(&error.message, text).into_owned(),
        }
    }

    /// What the user can do about it, if there is something.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::UnknownKey {
                nearest: Some(nearest),
                ..
            } => format!("did you mean `{nearest}`?"),
            Self::Mutable { image, .. } => {
                format!("`windlass lock resolve {image}` prints an entry with a digest")
            }
            Self::Disagree { .. } => "remove one of the two entries".to_owned(),
            Self::Unlocked { .. } => {
                "`windlass lock` with the same chart and values locks every image".to_owned()
            }
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                "`windlass lock` writes the first lock file".to_owned()
            }
            Self::NotConfig { found, .. } if found.ends_with("of no apiVersion") => format!(
                "a lock file begins with `apiVersion: {}` and `kind: Config`",
                super::API_VERSION
            ),
            Self::NotConfig { .. } => {
                "lock folders hold kbld lock files only; manifests belong into the chart".to_owned()
            }
            _ => return None,
        })
    }
}

/// How many places of one image are named.
const PLACES_SHOWN: usize = 3;

/// Every unlocked image once, with the places where it stands.
fn unlocked_text(found: &[Found]) -> String {
    let images = group(found.iter().map(|found| (found.image.as_str(), found)));
    let mut lines = vec![match images.len() {
        1 => "1 image is not locked".to_owned(),
        count => format!("{count} images are not locked"),
    }];
    for (image, places) in images {
        lines.push(format!("  {image}{}", places_text(&places)));
    }
    lines.join("\n")
}

/// Groups by the first member, in order of first appearance.
fn group<'a>(pairs: impl Iterator<Item = (&'a str, &'a Found)>) -> Vec<(&'a str, Vec<&'a Found>)> {
    let mut groups: indexmap::IndexMap<&str, Vec<&Found>> = indexmap::IndexMap::new();
    for (key, found) in pairs {
        groups.entry(key).or_default().push(found);
    }
    groups.into_iter().collect()
}

/// The places where an image stands, each on a line of its own, for a message that lists images.
#[must_use]
pub fn places_text(places: &[&Found]) -> String {
    let line = |found: &&Found| format!("\n    at {} ({})", found.place, found.path);
    let text: String = places.iter().take(PLACES_SHOWN).map(line).collect();
    match places.len().saturating_sub(PLACES_SHOWN) {
        0 => text,
        more => format!("{text}\n    and {more} more"),
    }
}
