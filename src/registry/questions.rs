//! Many images at once: each question asked one time, all answers and all failures kept.

use super::{Client, Error};
use crate::image::{Digest, Question, Reference, TagSelection, select_tag};
use futures::StreamExt as _;
use std::collections::{BTreeMap, BTreeSet};

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

/// Answers questions, each once, at most [`Settings::concurrency`](super::Settings::concurrency) at a
/// time, and keeps going when one fails. The answers have the order of the questions. Registries may
/// state any digest in a header: the manifest of each that is not `known` is read and hashed.
pub async fn resolve_all(
    client: &Client,
    questions: &[Question],
    known: &BTreeSet<&str>,
) -> Vec<Result<Answer, Error>> {
    let mut distinct: BTreeMap<String, &Question> = BTreeMap::new();
    for question in questions {
        distinct.entry(question.key()).or_insert(question);
    }
    let answers: BTreeMap<String, Result<Answer, Error>> = futures::stream::iter(distinct)
        .map(|(key, question)| async move { (key, client.answer(question).await) })
        .buffer_unordered(client.concurrency())
        .collect()
        .await;
    let stated = answers.values().flatten().filter(|answer| {
        let was_asked = answer.tag.is_some() || answer.index.is_some();
        was_asked && !known.contains(answer.reference.as_str())
    });
    let stated: BTreeSet<&str> = stated.map(|answer| answer.reference.as_str()).collect();
    let wrong: BTreeMap<&str, Error> = futures::stream::iter(stated)
        .map(|reference| async move { Some((reference, client.read(reference).await.err()?)) })
        .buffer_unordered(client.concurrency())
        .filter_map(|wrong| async { wrong })
        .collect()
        .await;
    let of = |question: &Question| {
        let answer = answers[&question.key()].clone()?;
        match wrong.get(answer.reference.as_str()) {
            Some(error) => Err(error.clone()),
            None => Ok(answer),
        }
    };
    questions.iter().map(of).collect()
}

impl Client {
    /// Answers one question.
    ///
    /// # Errors
    ///
    /// An [`Error`] that says why there is no answer.
    pub async fn answer(&self, question: &Question) -> Result<Answer, Error> {
        let mut image = match question.reference() {
            Some(image) => image,
            None => Reference::parse(&question.image)?,
        };
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
