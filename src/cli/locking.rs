//! Locking the images of manifests on the way to `render`, `diff` and `deploy`: what is written in
//! place, what is not locked, and from which entry each image comes.

use super::project::Request;
use super::{Context, Error, stages};
use crate::image::{self, Found, Locks};
use crate::inventory::ImageSource;
use crate::object::Lines;
use std::collections::BTreeSet;

/// What becomes of an image that no lock names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unlocked {
    /// It stays as it is.
    Allowed,
    /// It stays, with a warning that a deploy would refuse it.
    Warned,
    /// It is an error.
    Refused,
}

impl Unlocked {
    /// What flags and `windlass.yaml` say; where they do not, the default of the subcommand for what
    /// is made from `windlass.yaml` alone.
    pub(super) fn of(request: &Request, default: Self) -> Self {
        match request.frozen {
            Some(true) => Self::Refused,
            Some(false) => Self::Allowed,
            None if request.is_project => default,
            None => Self::Allowed,
        }
    }
}

/// The work on all texts of a render.
pub(super) struct Locking {
    locks: Locks,
    /// Whether objects say in an annotation where their images come from.
    annotates: bool,
    unlocked: Vec<Found>,
    images: BTreeSet<ImageSource>,
}

impl Locking {
    /// Begins with the locks of a request.
    pub(super) fn new(request: &Request) -> Result<Self, Error> {
        Ok(Self {
            locks: stages::locks(request)?,
            annotates: request.images_annotation,
            unlocked: Vec::new(),
            images: BTreeSet::new(),
        })
    }

    /// The text with its images replaced by what the locks say.
    pub(super) fn text<'a>(
        &mut self,
        text: &[u8],
        lines: impl Into<Lines<'a>>,
        context: &Context,
    ) -> Result<Vec<u8>, Error> {
        let rewritten = match self.annotates {
            true => image::rewrite_annotated(text, lines, &self.locks)?,
            false => image::rewrite(text, lines, &self.locks)?,
        };
        for warning in &rewritten.warnings {
            context.ui.warning(&warning.to_string());
        }
        for replaced in rewritten.replaced {
            self.images.insert(ImageSource {
                image: replaced.new_image,
                from: replaced.found.image,
                lock: format!("{}:{}", replaced.lock.file, replaced.lock.line),
            });
        }
        for found in &rewritten.unlocked {
            self.images.insert(ImageSource {
                image: found.image.clone(),
                from: found.image.clone(),
                lock: String::new(),
            });
        }
        self.unlocked.extend(rewritten.unlocked);
        Ok(rewritten.text)
    }

    /// Ends with the images and where they come from, unless some are not locked and have to be.
    pub(super) fn finish(
        self,
        unlocked: Unlocked,
        request: &Request,
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
        let images: Vec<&str> = names.iter().copied().collect();
        let of_manifests = format!("windlass lock resolve {} -o FILE", images.join(" "));
        match unlocked {
            Unlocked::Warned if !names.is_empty() => context.ui.warning(&format!(
                "{told}, and `windlass deploy` would refuse that; `{}` locks every image",
                request.lock_command
            )),
            Unlocked::Refused => image::require_locked(self.unlocked).map_err(|error| {
                let mut error = Error::from(error);
                error.hints = vec![match request.chart {
                    Some(_) => {
                        let command = &request.lock_command;
                        format!("`{command}` locks every image; give it the same values")
                    }
                    None => format!("`{of_manifests}` writes a lock; name it with `--locks`"),
                }];
                error
            })?,
            _ => {}
        }
        Ok(self.images.into_iter().collect())
    }
}
