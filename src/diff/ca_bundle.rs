//! Certificates that a controller fills in: a manifest that only keeps their place gives way.
//!
//! Charts write `caBundle: Cg==` or an empty one where cert-manager or an operator puts the real one,
//! and becomes its owner. To apply the empty one again is a conflict; kapp copies the live one instead.

use crate::object::Object;
use crate::object::managed_fields::{self, FieldSet, MANAGER, Part};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Leaves out the bundles of a manifest that hold nothing and that somebody else has filled. Returns
/// whether the manifest was changed.
pub fn leave_ca_bundles(desired: &mut Object, live: &Object) -> bool {
    let mut changed = false;
    for path in paths(desired) {
        let mut at = Some(desired.tree());
        for part in &path {
            at = at.and_then(|value| part.of(value));
        }
        let is_empty = at.and_then(Value::as_str).is_some_and(is_placeholder);
        if is_empty && is_foreign(live, &path) {
            let (last, above) = path.split_last().unzip();
            let mut at = Some(desired.tree_mut());
            for part in above.unwrap_or_default() {
                at = at.and_then(|value| part.of_mut(value));
            }
            if let (Some(last), Some(at)) = (last, at) {
                last.remove_from(at);
                changed = true;
            }
        }
    }
    changed
}

/// Where an object may have bundles.
fn paths(object: &Object) -> Vec<Vec<Part>> {
    let fields = |names: &[&str]| -> Vec<Part> {
        names
            .iter()
            .map(|name| Part::Field((*name).to_owned()))
            .collect()
    };
    match object.kind() {
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => {
            let hooks = object.list(&["webhooks"]).iter();
            let names = hooks.filter_map(|hook| hook.get("name").cloned());
            names
                .map(|name| {
                    let key = [("name".to_owned(), name)].into_iter().collect();
                    let mut path = fields(&["webhooks"]);
                    path.push(Part::Key(key));
                    path.extend(fields(&["clientConfig", "caBundle"]));
                    path
                })
                .collect()
        }
        "APIService" => vec![fields(&["spec", "caBundle"])],
        "CustomResourceDefinition" => vec![fields(&[
            "spec",
            "conversion",
            "webhook",
            "clientConfig",
            "caBundle",
        ])],
        _ => Vec::new(),
    }
}

/// Whether a bundle is none: nothing, or no certificate.
fn is_placeholder(text: &str) -> bool {
    let decoded = STANDARD.decode(text.trim()).unwrap_or_default();
    !String::from_utf8_lossy(&decoded).contains("-----BEGIN")
}

/// Whether somebody owns a field, and not we.
fn is_foreign(live: &Object, path: &[Part]) -> bool {
    let owns = |set: &FieldSet| {
        let mut at = Some(set);
        for part in path {
            at = at.and_then(|set| set.part(part));
        }
        at.is_some()
    };
    let entries = managed_fields::entries(live);
    let mut owners = entries
        .iter()
        .filter(|entry| owns(&entry.fields))
        .peekable();
    owners.peek().is_some() && owners.all(|entry| entry.manager != MANAGER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn webhook(bundle: &str, manager: &str) -> Object {
        Object::new(json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "w", "managedFields": [{"manager": manager, "operation": "Update", "fieldsV1": {
                "f:webhooks": {"k:{\"name\":\"a\"}": {"f:clientConfig": {"f:caBundle": {}}}}}}]},
            "webhooks": [{"name": "a", "clientConfig": {"caBundle": bundle, "url": "u"}}]
        }))
        .unwrap()
    }

    #[test]
    fn an_empty_bundle_gives_way_to_the_one_of_a_controller() {
        let filled = webhook("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t", "cainjector");
        for empty in ["", "Cg==", "bm9uZQ=="] {
            let mut desired = webhook(empty, "");
            assert!(leave_ca_bundles(&mut desired, &filled));
            assert_eq!(
                desired.tree()["webhooks"],
                json!([{"name": "a", "clientConfig": {"url": "u"}}])
            );
        }
    }

    #[test]
    fn a_real_bundle_and_one_of_our_own_stay() {
        let mut real = webhook("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t", "");
        assert!(!leave_ca_bundles(&mut real, &webhook("Cg==", "cainjector")));
        let mut empty = webhook("Cg==", "");
        assert!(!leave_ca_bundles(&mut empty, &webhook("Cg==", MANAGER)));
    }
}
