//! Digests that were asked for before, with the time of the question. Whoever uses one is told how
//! old it is; nothing here decides that an old answer is good enough.

use super::Error;
use crate::file::{self, Kind};
use crate::image::Digest;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The present form of the file. One of another form is forgotten.
const FORMAT: u32 = 1;
/// Answers older than this are forgotten.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The digests of tags, by question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cache {
    format_version: u32,
    digests: BTreeMap<String, Known>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The image by digest.
    pub reference: String,
    /// When the registry said so.
    pub asked: Timestamp,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            format_version: FORMAT,
            digests: BTreeMap::new(),
        }
    }
}

impl Cache {
    /// Reads the file. One that is missing or not understood holds no answers.
    #[must_use]
    pub fn load(path: &Path) -> Self {
        let text = std::fs::read(path).unwrap_or_default();
        serde_json::from_slice(&text)
            .ok()
            .filter(|cache: &Self| cache.format_version == FORMAT)
            .unwrap_or_default()
    }

    /// The answer to a question, when it is no older than `age`.
    #[must_use]
    pub fn find(&self, question: &str, age: SignedDuration, now: Timestamp) -> Option<&Known> {
        let known = self.digests.get(question)?;
        let passed = now.duration_since(known.asked);
        // An answer from the future tells of a clock that was wrong.
        let fresh = passed <= age && !passed.is_negative();
        let has_digest = || {
            known
                .reference
                .split_once('@')
                .map(|(_, digest)| Digest::new(digest))
        };
        (fresh && has_digest().is_some_and(|digest| digest.is_ok())).then_some(known)
    }

    /// Keeps an answer.
    pub fn put(&mut self, question: String, reference: String, asked: Timestamp) {
        self.digests.insert(question, Known { reference, asked });
    }

    /// Writes the file without the answers that are too old.
    ///
    /// # Errors
    ///
    /// [`Error::File`] with the path.
    pub fn save(&mut self, path: &Path, now: Timestamp) -> Result<(), Error> {
        self.digests
            .retain(|_, known| now.duration_since(known.asked) <= KEPT);
        let write = || file::write(path, Kind::Inner, &serde_json::to_vec(&self)?);
        write().map_err(|error| Error::File {
            file: path.display().to_string(),
            cause: error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_found_while_it_is_young_enough() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/digests.json");
        let at = |second| Timestamp::from_second(second).unwrap();
        let reference = format!("a.io/web@{}", Digest::of(b"x"));
        let mut cache = Cache::load(&path);
        cache.put("a.io/web:1".to_owned(), reference.clone(), at(1000));
        cache.put(
            "a.io/odd:1".to_owned(),
            "a.io/odd@sha256:5".to_owned(),
            at(1000),
        );
        cache.save(&path, at(1000)).unwrap();
        let mut cache = Cache::load(&path);
        let minute = SignedDuration::from_secs(60);
        let find = |cache: &Cache, question: &str, now| {
            let known = cache.find(question, minute, at(now));
            known.map(|known| known.reference.clone())
        };
        assert_eq!(find(&cache, "a.io/web:1", 1060), Some(reference));
        assert_eq!(find(&cache, "a.io/web:1", 1061), None);
        assert_eq!(find(&cache, "a.io/web:1", 999), None);
        assert_eq!(find(&cache, "a.io/web:2", 1000), None);
        assert_eq!(find(&cache, "a.io/odd:1", 1000), None);
        cache.save(&path, at(1000 + KEPT.as_secs() + 1)).unwrap();
        assert_eq!(Cache::load(&path), Cache::default());
    }

    #[test]
    fn a_file_that_is_not_understood_holds_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("digests.json");
        for text in ["", "{", "{\"formatVersion\":2,\"digests\":{}}"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(Cache::load(&path), Cache::default());
        }
    }
}
