//! The labels and annotations of an ApplySet.
//!
//! Follows kubectl's `pkg/cmd/apply/applyset.go`, which is what kubectl understands; the text of
//! KEP-3659 differs from it.

use crate::object::ObjectRef;
use base64::Engine as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fmt;

/// The label of a parent: the id of its set.
pub const ID: &str = "applyset.kubernetes.io/id";
/// The label of a member: the id of the set it belongs to.
pub const PART_OF: &str = "applyset.kubernetes.io/part-of";
/// The annotation of a parent: which tool manages the set, `<tool>/<version>`.
pub const TOOLING: &str = "applyset.kubernetes.io/tooling";
/// The annotation of a parent: the kinds of its members.
pub(super) const GROUP_KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";
/// The annotation of a parent: namespaces of its members besides its own.
pub(super) const NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";

/// The id of the set whose parent is the Secret of this name.
#[must_use]
pub fn set_id(name: &str, namespace: &str) -> String {
    let hash = Sha256::digest(format!("{name}.{namespace}.Secret."));
    format!(
        "applyset-{}-v1",
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(hash)
    )
}

/// A kind without its version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupKind {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
}

impl GroupKind {
    /// The kind of an object.
    #[must_use]
    pub fn of(object: &ObjectRef) -> Self {
        Self {
            group: object.group.clone(),
            kind: object.kind.clone(),
        }
    }
}

impl fmt::Display for GroupKind {
    /// `Deployment.apps`; `Secret` for the core group.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group.as_str() {
            "" => f.write_str(&self.kind),
            group => write!(f, "{}.{group}", self.kind),
        }
    }
}

/// `ConfigMap,Deployment.apps` → its kinds.
pub(super) fn parse_kinds(annotation: &str) -> BTreeSet<GroupKind> {
    let split = |text: &str| {
        let (kind, group) = text.split_once('.').unwrap_or((text, ""));
        GroupKind {
            group: group.to_owned(),
            kind: kind.to_owned(),
        }
    };
    annotation
        .split(',')
        .filter(|text| !text.is_empty())
        .map(split)
        .collect()
}

/// The reverse, sorted as text.
pub(super) fn write_kinds(kinds: &BTreeSet<GroupKind>) -> String {
    let mut texts: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    texts.sort();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_the_id_that_kubectl_makes() {
        // As in kubectl's `apply_test.go`.
        assert_eq!(
            set_id("my-set", "test"),
            "applyset-0eFHV8ySqp7XoShsGvyWFQD3s96yqwHmzc4e0HR1dsY-v1"
        );
    }

    #[test]
    fn writes_and_reads_kinds() {
        let kinds = parse_kinds("ConfigMap,Deployment.apps,Certificate.cert-manager.io");
        assert_eq!(
            write_kinds(&kinds),
            "Certificate.cert-manager.io,ConfigMap,Deployment.apps"
        );
        assert!(parse_kinds("").is_empty());
    }
}
