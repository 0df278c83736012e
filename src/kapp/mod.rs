//! kapp's vocabulary as data: its Config documents, its annotations, its versioned resources. Pure;
//! the stages that use a rule (diff, plan, status, deploy) look it up here.
//!
//! Follows kapp v0.64 `pkg/kapp/config` and `pkg/kapp/diff`.

mod crd;
mod decode;
mod mark;
mod matcher;
mod path;
mod read;
mod rebase;
mod template;
mod versioned;

pub use crd::dangers;
pub(crate) use mark::{COPIES, IDENTITY, NOTES, ORIGINAL};
pub use mark::{check, renew, renew_nonce};
pub use matcher::{Matcher, is_custom, matches_any};
pub use path::{Part, Path, Place, Step, at, at_mut, take};
pub use read::{API_GROUP, of_live, read};
pub use rebase::{label, rebase};
pub use versioned::{
    Versioned, base_name, is_versioned, kept, ready, rewrite, take_versioned, version_name,
    versions,
};

use crate::object::Object;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// All rules of the Config documents of an input, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// `rebaseRules`: what becomes of desired fields in view of the live object.
    pub rebase: Vec<Rebase>,
    /// `waitRules`: when objects are ready. The first that matches decides.
    pub wait: Vec<Wait>,
    /// `diffMaskRules`: fields whose values are hidden.
    pub mask: Vec<Field>,
    /// `templateRules`: where versioned objects are named.
    pub template: Vec<Template>,
    /// `changeGroupBindings`.
    pub groups: Vec<Group>,
    /// `changeRuleBindings`.
    pub order: Vec<Order>,
    /// `diffAgainstExistingFieldExclusionRules`: fields that alone are no reason to update.
    pub no_reason: Vec<Field>,
    /// `diffAgainstLastAppliedFieldExclusionRules`: fields that others may change.
    pub left_to_others: Vec<Field>,
    /// `ownershipLabelRules`: further places for `additionalLabels`.
    pub label_places: Vec<Field>,
    /// `additionalLabels`.
    pub labels: BTreeMap<String, String>,
    /// `preflightRules`: CRD upgrades that could lose data are refused.
    pub safe_crds: bool,
    /// What is accepted and not needed, and why: a sentence each.
    pub notes: Vec<String>,
}

/// Fields of some objects.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Where they are.
    pub path: Path,
    /// The objects, by matchers of which one must hold.
    pub of: Vec<Matcher>,
}

/// A rebase rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rebase {
    /// The fields.
    pub paths: Vec<Path>,
    /// What is done to them.
    pub action: RebaseAction,
    /// The objects.
    pub of: Vec<Matcher>,
}

/// What a rebase rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RebaseAction {
    /// The value comes from the first of these that has one.
    Copy(Vec<CopySource>),
    /// The value goes.
    Remove,
}

/// Where a rebase rule copies from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopySource {
    /// The manifest.
    New,
    /// The live object.
    Existing,
}

/// A wait rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// Whether `status.observedGeneration` must have caught up first.
    pub observed: bool,
    /// What conditions mean.
    pub conditions: Vec<Condition>,
    /// The objects.
    pub of: Vec<Matcher>,
}

/// What a condition of an object means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The type, for example `Ready`.
    pub kind: String,
    /// The status: `True`, `False` or `Unknown`.
    pub status: String,
    /// The object will not become ready.
    pub failure: bool,
    /// The object is ready.
    pub success: bool,
    /// The condition counts only when it is about the newest generation.
    pub observed: bool,
    /// What waits for the object may go on, although it is not ready.
    pub unblocks: bool,
    /// The object has failed when the condition stays for so long.
    pub timeout: Option<Duration>,
}

/// Where objects are named by others.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The objects that are named.
    pub of: Vec<Matcher>,
    /// The places that name them.
    pub references: Vec<Reference>,
}

/// A place that names an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// The map that is the reference.
    pub path: Path,
    /// The key of the name in it.
    pub name_key: String,
    /// The objects that have it.
    pub of: Vec<Matcher>,
}

/// Objects that belong to a change group.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The name, placeholders in it.
    pub name: String,
    /// The objects.
    pub of: Vec<Matcher>,
}

/// Rules of order for some objects.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The rules: `upsert after upserting GROUP`, placeholders in them.
    pub rules: Vec<String>,
    /// Whether they are dropped where they would close a cycle.
    pub if_possible: bool,
    /// The objects.
    pub of: Vec<Matcher>,
}

impl Rules {
    /// Adds the rules of a further document.
    pub fn extend(&mut self, other: Self) {
        self.rebase.extend(other.rebase);
        self.wait.extend(other.wait);
        self.mask.extend(other.mask);
        self.template.extend(other.template);
        self.groups.extend(other.groups);
        self.order.extend(other.order);
        self.no_reason.extend(other.no_reason);
        self.left_to_others.extend(other.left_to_others);
        self.label_places.extend(other.label_places);
        self.labels.extend(other.labels);
        self.safe_crds |= other.safe_crds;
        self.notes.extend(other.notes);
    }

    /// The tree of an object without the fields that alone are no reason to update it.
    #[must_use]
    pub fn without_no_reason(&self, object: &Object, mut tree: Value) -> Value {
        for place in places(&self.no_reason, object, &tree) {
            take(&mut tree, &place);
        }
        tree
    }
}

/// The places of an object's tree that are meant by rules, the last of a list first, so that they
/// can be taken out one by one.
#[must_use]
pub fn places(fields: &[Field], object: &Object, tree: &Value) -> Vec<Place> {
    let mut found: Vec<Place> = fields
        .iter()
        .filter(|field| matches_any(&field.of, object))
        .flat_map(|field| field.path.places(tree))
        .collect();
    found.reverse();
    found
}
