//! What is asked of a registry about an image. The asking is in `registry/`.

use super::{Override, Platform, Reference, TagSelection};

/// An image whose digest is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// The image reference.
    pub image: String,
    /// Which tag of its repository is meant; `None` is its own.
    pub tag: Option<TagSelection>,
    /// For which platform; `None` is all, and the digest is that of the index.
    pub platform: Option<Platform>,
}

impl Question {
    /// The question about an image as it is.
    #[must_use]
    pub fn of(image: &str) -> Self {
        Self {
            image: image.to_owned(),
            ..Self::default()
        }
    }

    /// The question about what an entry of a Config puts in the place of an image.
    #[must_use]
    pub fn of_entry(entry: &Override) -> Self {
        Self {
            image: entry.new_image.clone(),
            tag: entry.tag_selection.clone(),
            platform: entry.platform_selection.clone(),
        }
    }

    /// The reference without what the answer does not depend on: `latest` where tag and digest are
    /// missing, and neither where the tag is to be selected. `None` for what is no reference.
    #[must_use]
    pub fn reference(&self) -> Option<Reference> {
        let mut reference = Reference::parse(&self.image).ok()?;
        if self.tag.is_some() {
            (reference.tag, reference.digest) = (None, None);
        } else if reference.digest.is_some() {
            reference.tag = None;
        } else {
            reference.tag = Some(reference.tag_or_latest().to_owned());
        }
        Some(reference)
    }

    /// A text that is the same for the same question, however the image is written.
    #[must_use]
    pub fn key(&self) -> String {
        let reference = self.reference().map(|reference| reference.to_string());
        let image = reference.unwrap_or_else(|| self.image.clone());
        match (&self.tag, &self.platform) {
            (None, None) => image,
            (tag, platform) => format!("{image} {tag:?} {platform:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Range;

    #[test]
    fn the_same_question_has_the_same_key() {
        let key = |image: &str| Question::of(image).key();
        assert_eq!(key("nginx"), key("docker.io/library/nginx:latest"));
        assert_ne!(key("nginx"), key("nginx:1"));
        let digest = format!("sha256:{}", "0".repeat(64));
        assert_eq!(
            key(&format!("nginx:1@{digest}")),
            key(&format!("nginx@{digest}"))
        );
        assert_eq!(key("Not An/Image"), "Not An/Image");
        let selecting = |image: &str, range: &str| {
            let tag = TagSelection {
                constraints: Some(Range::parse(range).unwrap()),
                prereleases: None,
            };
            let question = Question {
                tag: Some(tag),
                ..Question::of(image)
            };
            question.key()
        };
        assert_eq!(selecting("nginx:1", "1.x"), selecting("nginx:2", "1.x"));
        assert_ne!(selecting("nginx", "1.x"), selecting("nginx", "2.x"));
    }
}
