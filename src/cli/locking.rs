//! Locking the images of manifests on the way to `render`, `diff` and `deploy`: what is written in
//! place, what is not locked, and from which entry each image comes.

use super::project::Request;
use super::{Context, Error, stages};
use crate::image::{self, Found, Locks};
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
    unlocked: Vec<Found>,
    /// By image as deployed, as in the chart, and entry.
    images: BTreeMap<[String; 3], ImageSource>,
}

/// A text with its images locked.
pub(super) struct Locked {
    /// The text.
    pub(super) text: Vec<u8>,
    /// The line of the input behind each of its lines, where they moved.
    pub(super) lines: Vec<usize>,
}

impl Locking {
    /// Begins with the locks of a request.
    pub(super) fn new(request: &Request) -> Result<Self, Error> {
        Ok(Self {
            locks: stages::locks(request)?,
            annotates: request.images_annotation,
            unlocked: Vec::new(),
            images: BTreeMap::new(),
        })
    }

    /// The text with its images replaced by what the locks say.
    pub(super) fn text<'a>(
        &mut self,
        text: &[u8],
        lines: impl Into<Lines<'a>>,
        context: &Context,
    ) -> Result<Locked, Error> {
        let rewritten = match self.annotates {
            true => image::rewrite_annotated(text, lines, &self.locks)?,
            false => image::rewrite(text, lines, &self.locks)?,
        };
        for warning in &rewritten.warnings {
            context.ui.warning(&warning.to_string());
        }
        for replaced in rewritten.replaced {
            let entry = self.locks.find(&replaced.found.image);
            self.add(ImageSource {
                image: replaced.new_image,
                lock: format!("{}:{}", replaced.lock.file, replaced.lock.line),
                origins: entry.map(image::public_origins).unwrap_or_default(),
                from: replaced.found.image,
            });
        }
        for found in rewritten.unlocked.iter().chain(&rewritten.pinned) {
            self.add(ImageSource {
                image: found.image.clone(),
                from: found.image.clone(),
                ..ImageSource::default()
            });
        }
        self.unlocked.extend(rewritten.unlocked);
        Ok(Locked {
            text: rewritten.text,
            lines: rewritten.lines,
        })
    }

    fn add(&mut self, image: ImageSource) {
        let key = [&image.image, &image.from, &image.lock].map(Clone::clone);
        self.images.insert(key, image);
    }

    /// Ends with the images and where they come from, unless some are not locked and have to be.
    /// `advice` says what locks them.
    pub(super) fn finish(
        self,
        unlocked: Unlocked,
        advice: &str,
        context: &Context,
    ) -> Result<Vec<ImageSource>, Error> {
        let names: BTreeSet<&str> = self
            .unlocked
            .iter()
            .map(|found| found.image.as_str())
            .collect();
        let told = match names.len() {
            1 => "1 image is not locked".to_owned(),
            number => format!("{number} images are not locked"),
        };
        match unlocked {
            Unlocked::Warned if !names.is_empty() => {
                context.ui.warning(&format!("{told}; {advice}"));
            }
            Unlocked::Foretold if !names.is_empty() => context.ui.warning(&format!(
                "{told}, and `windlass deploy` would refuse that; {advice}"
            )),
            Unlocked::Refused => image::require_locked(self.unlocked).map_err(|error| {
                let mut error = Error::from(error);
                error.hints = vec![advice.to_owned()];
                error
            })?,
            _ => {}
        }
        Ok(self.images.into_values().collect())
    }
}
