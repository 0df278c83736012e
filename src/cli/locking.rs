//! Locking the images of manifests on the way to `render`, `diff` and `deploy`: what is written in
//! place, what is not locked, and from which entry each image comes.

use super::project::Request;
use super::{Context, Error, stages};
use crate::image::{self, Edits, Found, Locks, Notice, Override};
use crate::inventory::ImageSource;
use crate::object::Lines;
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of an image that no lock names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unlocked {
    /// It stays as it is.
    Allowed,
    /// It stays, with a warning.
    Warned,
    /// It stays, with a warning that a deploy would refuse it.
    Foretold,
    /// It is an error.
    Refused,
}

impl Unlocked {
    /// What flags and `windlass.yaml` say; where they do not, the default of the subcommand for what
    /// is made from `windlass.yaml` alone.
    pub(super) fn of(request: &Request, default: Self) -> Self {
        match request.frozen {
            None if request.is_project => default,
            _ => Self::by_hand(request, default),
        }
    }

    /// The same for what is given by hand, a chart or manifest files: only who says so wants that
    /// frozen, but who uses locks is told what they leave out.
    pub(super) fn by_hand(request: &Request, default: Self) -> Self {
        match request.frozen {
            Some(true) => Self::Refused,
            None if default != Self::Allowed && !request.locks.is_empty() => Self::Warned,
            _ => Self::Allowed,
        }
    }
}

/// The work on all texts of a render.
pub(super) struct Locking {
    /// The locks.
    pub(super) locks: Locks,
    /// Whether objects say in an annotation where their images come from.
    annotates: bool,
    /// What becomes of an image that no lock names.
    unlocked: Unlocked,
    /// The images that are not locked, by their names; with their places only when they are refused.
    left: BTreeSet<String>,
    refused: Vec<Found>,
    /// By image as deployed, as in the chart, and entry.
    images: BTreeMap<[String; 3], ImageSource>,
}

impl Locking {
    /// Begins with the locks of a request.
    pub(super) fn new(request: &Request, unlocked: Unlocked) -> Result<Self, Error> {
        Ok(Self {
            locks: stages::locks(request)?,
            annotates: request.images_annotation,
            unlocked,
            left: BTreeSet::new(),
            refused: Vec::new(),
            images: BTreeMap::new(),
        })
    }

    /// What replaces the images of a text by what the locks say.
    pub(super) fn edits<'a>(
        &mut self,
        text: &[u8],
        lines: impl Into<Lines<'a>>,
        context: &Context,
    ) -> Result<Edits, Error> {
        let tell = |notice: Notice<'_>| match notice {
            Notice::Warning(warning) => context.ui.warning(&warning.to_string()),
            Notice::Image {
                found,
                entry,
                is_locked,
            } => {
                let source = source(&found, entry);
                let key = [&source.image, &source.from, &source.lock].map(Clone::clone);
                self.images.entry(key).or_insert(source);
                match self.unlocked {
                    _ if is_locked => {}
                    Unlocked::Refused => self.refused.push(found),
                    _ => drop(self.left.insert(found.image)),
                }
            }
        };
        Ok(image::rewrite(
            text,
            lines,
            &self.locks,
            self.annotates,
            tell,
        )?)
    }

    /// Ends with the images and where they come from, unless some are not locked and have to be.
    /// `advice` says what locks them.
    pub(super) fn finish(self, advice: &str, context: &Context) -> Result<Vec<ImageSource>, Error> {
        let told = match self.left.len() {
            1 => "1 image is not locked".to_owned(),
            number => format!("{number} images are not locked"),
        };
        match self.unlocked {
            Unlocked::Warned if !self.left.is_empty() => {
                context.ui.warning(&format!("{told}; {advice}"));
            }
            Unlocked::Foretold if !self.left.is_empty() => context.ui.warning(&format!(
                "{told}, and `windlass deploy` would refuse that; {advice}"
            )),
            Unlocked::Refused => image::require_locked(self.refused).map_err(|error| {
                let mut error = Error::from(error);
                error.hints = vec![advice.to_owned()];
                error
            })?,
            _ => {}
        }
        Ok(self.images.into_values().collect())
    }
}

/// Where an image of a manifest comes from.
fn source(found: &Found, entry: Option<&Override>) -> ImageSource {
    let from = found.image.clone();
    match entry {
        Some(entry) => ImageSource {
            image: entry.new_image.clone(),
            lock: format!("{}:{}", entry.place.file, entry.place.line),
            origins: image::public_origins(entry),
            from,
        },
        None => ImageSource {
            image: from.clone(),
            from,
            ..ImageSource::default()
        },
    }
}
