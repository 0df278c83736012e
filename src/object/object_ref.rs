//! The identity of an object: group, kind, namespace and name, without the version.

use super::visible::inline;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Group, version and kind of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Gvk {
    /// The API group; empty for the core group.
    pub group: String,
    /// The API version, for example `v1`.
    pub version: String,
    /// The kind, for example `Deployment`.
    pub kind: String,
}

impl Gvk {
    /// Takes `apiVersion` apart: `apps/v1` → group `apps`, version `v1`.
    #[must_use]
    pub fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
        }
    }

    /// The `apiVersion` of a manifest.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `Kind.group`, ApplySet's and kubectl's name for a group-kind; `Kind` alone for the core group.
    #[must_use]
    pub fn group_kind(&self) -> String {
        if self.group.is_empty() {
            self.kind.clone()
        } else {
            format!("{}.{}", self.kind, self.group)
        }
    }
}

/// Which object of the cluster is meant. The version is left out: `apps/v1` and `apps/v1beta1`
/// name the same object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace; `None` for an object of the cluster.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl fmt::Display for ObjectRef {
    /// `Deployment/web (staging)`, as messages name objects; the group only where it is not one of
    /// Kubernetes' own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&inline(&self.kind))?;
        if self.group.contains('.') && !self.group.ends_with(".k8s.io") {
            write!(f, ".{}", inline(&self.group))?;
        }
        write!(f, "/{}", inline(&self.name))?;
        match &self.namespace {
            Some(namespace) => write!(f, " ({})", inline(namespace)),
            None => Ok(()),
        }
    }
}
