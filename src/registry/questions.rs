//! Many images at once: each question asked one time, all answers and all failures kept.

use super::{Client, Error};
use crate::image::{Digest, Platform, Reference, TagSelection, select_tag};
use futures::StreamExt as _;
use std::collections::BTreeMap;

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

/// What an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The image by digest (`index.docker.io/library/nginx@sha256:…`).
    pub reference: String,
    /// The tag that names it; `None` for a question with a digest.
    pub tag: Option<String>,
    /// The index from which it was selected, by digest, when a platform was asked for.
    pub index: Option<String>,
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

    /// A text that is the same for the same question, however the image is written.
    #[must_use]
    pub fn key(&self) -> String {
        let image = match Reference::parse(&self.image) {
            Ok(reference) => normal(reference, self.tag.is_some()).to_string(),
            Err(_) => self.image.clone(),
        };
        let tag = self.tag.as_ref().map(range_text).unwrap_or_default();
        let prereleases = self.tag.as_ref().and_then(|tag| tag.prereleases.as_ref());
        match (&self.tag, &self.platform) {
            (None, None) => image,
            _ => format!("{image} {tag} {prereleases:?} {:?}", self.platform),
        }
    }
}

/// Answers questions, each once, at most [`Settings::concurrency`](super::Settings::concurrency) at a
/// time, and keeps going when one fails. The answers have the order of the questions.
pub async fn resolve_all(client: &Client, questions: &[Question]) -> Vec<Result<Answer, Error>> {
    let mut distinct: BTreeMap<String, &Question> = BTreeMap::new();
    for question in questions {
        distinct.entry(question.key()).or_insert(question);
    }
    let answers: BTreeMap<String, Result<Answer, Error>> = futures::stream::iter(distinct)
        .map(|(key, question)| async move { (key, client.answer(question).await) })
        .buffer_unordered(client.concurrency())
        .collect()
        .await;
    let of = |question: &Question| answers[&question.key()].clone();
    questions.iter().map(of).collect()
}

impl Client {
    /// Answers one question.
    ///
    /// # Errors
    ///
    /// An [`Error`] that says why there is no answer.
    pub async fn answer(&self, question: &Question) -> Result<Answer, Error> {
        let mut image = normal(Reference::parse(&question.image)?, question.tag.is_some());
        if let Some(selection) = &question.tag {
            let tags = self.tags(&image).await?;
            let selected = select_tag(tags.iter().map(String::as_str), selection);
            let selected = selected.ok_or_else(|| Error::NoVersion {
                repository: image.name(),
                range: range_text(selection),
                tags: tags.len(),
            })?;
            image.tag = Some(selected.to_owned());
        }
        let named = self.resolve(&image, question.platform.as_ref()).await?;
        let pinned = |digest: &Digest| image.pinned(digest);
        Ok(Answer {
            reference: pinned(&named.digest),
            index: named.index.as_ref().map(pinned),
            tag: image.tag,
        })
    }
}

fn range_text(selection: &TagSelection) -> String {
    let range = selection.constraints.as_ref();
    range.map(ToString::to_string).unwrap_or_default()
}

/// The same reference for the same question: `latest` where tag and digest are missing, and neither
/// where the tag is to be selected.
fn normal(mut reference: Reference, selects: bool) -> Reference {
    if selects {
        (reference.tag, reference.digest) = (None, None);
    } else if reference.digest.is_some() {
        reference.tag = None;
    } else {
        reference.tag = Some(reference.tag_or_latest().to_owned());
    }
    reference
}
