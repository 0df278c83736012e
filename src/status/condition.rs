//! `status.conditions`, as most kinds have them.

use crate::object::Object;
use serde_json::Value;

/// One condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition<'a> {
    /// `Ready`, `Available`, …
    pub(super) kind: &'a str,
    /// `True`, `False` or `Unknown`.
    pub(super) status: &'a str,
    /// One word why.
    pub(super) reason: &'a str,
    /// A sentence for people.
    pub(super) message: &'a str,
    /// The generation that it speaks of, where it says so.
    pub(super) observed_generation: Option<i64>,
}

impl Condition<'_> {
    /// Reason and message, as far as there are any.
    pub(super) fn text(&self) -> String {
        match (self.reason, self.message) {
            ("", "") => format!("{} is {}", self.kind, self.status),
            ("", text) | (text, "") => text.to_owned(),
            (reason, message) => format!("{reason}: {message}"),
        }
    }
}

/// All conditions of an object, in its order.
pub(super) fn all(object: &Object) -> impl Iterator<Item = Condition<'_>> {
    object
        .list(&["status", "conditions"])
        .iter()
        .map(|condition| {
            let text = |key: &str| {
                condition
                    .get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            Condition {
                kind: text("type"),
                status: text("status"),
                reason: text("reason"),
                message: text("message"),
                observed_generation: condition.get("observedGeneration").and_then(Value::as_i64),
            }
        })
}

/// One condition of an object.
pub(super) fn find<'a>(object: &'a Object, kind: &str) -> Option<Condition<'a>> {
    all(object).find(|condition| condition.kind == kind)
}
