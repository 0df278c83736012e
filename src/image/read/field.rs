//! Reading fields of YAML nodes, every mistake with its place.

use super::super::{Error, Place};
use serde_json::Value;
use windlass_helm::yaml::{self, Document, Mark, NodeId, NodeKind, Scalar};

/// One document that is being read.
pub(super) struct Reader<'a> {
    pub(super) file: &'a str,
    pub(super) document: &'a Document,
}

/// One entry of a map.
pub(super) struct Entry<'a> {
    pub(super) key: &'a str,
    pub(super) value: NodeId,
}

impl<'a> Reader<'a> {
    /// The entries of a map whose keys must all be known.
    pub(super) fn entries(
        &self,
        node: NodeId,
        within: &str,
        known: &[&str],
    ) -> Result<Vec<Entry<'a>>, Error> {
        if !matches!(self.kind(node), NodeKind::Mapping(_)) {
            return Err(self.wrong(node, within, "a map"));
        }
        let mut found: Vec<Entry<'a>> = Vec::new();
        for &(key_node, value) in self.document.entries(node) {
            let key = self.document.text(key_node).unwrap_or_default();
            if !known.contains(&key) {
                return Err(Error::UnknownKey {
                    place: self.place(key_node),
                    key: key.to_owned(),
                    within: within.to_owned(),
                    nearest: nearest(key, known),
                });
            }
            found.retain(|entry| entry.key != key);
            found.push(Entry { key, value });
        }
        Ok(found)
    }

    pub(super) fn list<T>(
        &self,
        node: NodeId,
        key: &str,
        read: impl Fn(NodeId) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        if self.is_null(node) {
            return Ok(Vec::new());
        }
        if !matches!(self.kind(node), NodeKind::Sequence(_)) {
            return Err(self.wrong(node, &format!("`{key}`"), "a list"));
        }
        self.document
            .items(node)
            .iter()
            .map(|&item| read(item))
            .collect()
    }

    pub(super) fn kind(&self, node: NodeId) -> &'a NodeKind {
        &self.document.node(self.document.follow(node)).kind
    }

    pub(super) fn scalar(&self, node: NodeId) -> Option<Scalar> {
        let node = self.document.node(self.document.follow(node));
        let NodeKind::Scalar { text, implicit, .. } = &node.kind else {
            return None;
        };
        yaml::resolve(text, node.tag.as_deref(), *implicit).ok()
    }

    pub(super) fn is_null(&self, node: NodeId) -> bool {
        self.scalar(node) == Some(Scalar::Null)
    }

    pub(super) fn text(&self, node: NodeId, what: &str) -> Result<String, Error> {
        match (self.scalar(node), self.document.text(node)) {
            (Some(Scalar::Str | Scalar::Timestamp), Some(text)) => Ok(text.to_owned()),
            _ => Err(self.wrong(node, what, "text")),
        }
    }

    pub(super) fn boolean(&self, node: NodeId, what: &str) -> Result<bool, Error> {
        match self.scalar(node) {
            Some(Scalar::Bool(value)) => Ok(value),
            _ => Err(self.wrong(node, what, "true or false")),
        }
    }

    pub(super) fn optional_text(
        &self,
        entries: &[Entry<'_>],
        key: &str,
    ) -> Result<Option<String>, Error> {
        match find(entries, key) {
            Some(node) if !self.is_null(node) => self.text(node, &format!("`{key}`")).map(Some),
            _ => Ok(None),
        }
    }

    /// What is read from the value of a key, if there is one.
    pub(super) fn optional<T>(
        &self,
        entries: &[Entry<'_>],
        key: &str,
        read: impl Fn(&Self, NodeId) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match find(entries, key) {
            Some(node) if !self.is_null(node) => read(self, node).map(Some),
            _ => Ok(None),
        }
    }

    /// The value of a text of YAML.
    pub(super) fn embedded_yaml(&self, node: NodeId, what: &str) -> Result<Option<Value>, Error> {
        let text = self.text(node, what)?;
        let wrong = |_| self.wrong(node, what, "YAML");
        let Some(document) = yaml::parse_first(text.as_bytes()).map_err(wrong)? else {
            return Ok(None);
        };
        let value = yaml::to_json_value(&document, document.root()).map_err(wrong)?;
        Ok((!value.is_null()).then_some(value))
    }

    pub(super) fn json(&self, node: NodeId) -> Result<Value, Error> {
        yaml::to_json_value(self.document, node).map_err(|error| Error::Yaml {
            place: self.place(node),
            message: error.message,
        })
    }

    pub(super) fn wrong(&self, node: NodeId, what: &str, expected: &'static str) -> Error {
        Error::WrongType {
            place: self.place(node),
            what: what.to_owned(),
            expected,
        }
    }

    pub(super) fn place(&self, node: NodeId) -> Place {
        let Mark { line, column, .. } = self.document.node(node).start;
        Place {
            file: self.file.to_owned(),
            line,
            column,
        }
    }
}

pub(super) fn find(entries: &[Entry<'_>], key: &str) -> Option<NodeId> {
    entries
        .iter()
        .find(|entry| entry.key == key)
        .map(|entry| entry.value)
}

/// The known key most like an unknown one, if any is near.
fn nearest(key: &str, known: &[&str]) -> Option<String> {
    known
        .iter()
        .map(|known| {
            (
                strsim::damerau_levenshtein(&key.to_lowercase(), &known.to_lowercase()),
                known,
            )
        })
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
        .min()
        .map(|(_, known)| (*known).to_owned())
}
