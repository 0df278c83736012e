//! kapp's annotations: which there are, what is wrong with their values, and those that change with
//! time.

use super::decode::duration;
use crate::config::nearest;
use crate::object::{Manifest, Object, Problem};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use windlass_helm::yaml;

pub(super) const VERSIONED: &str = "kapp.k14s.io/versioned";
pub(super) const KEEP_ORIGINAL: &str = "kapp.k14s.io/versioned-keep-original";
pub(super) const NUM_VERSIONS: &str = "kapp.k14s.io/num-versions";
pub(super) const EXPLICIT_REFERENCE: &str = "kapp.k14s.io/versioned-explicit-ref";
/// How many live versions stay unless somebody says otherwise.
pub(super) const KEPT_BY_DEFAULT: usize = 5;
const NONCE: &str = "kapp.k14s.io/nonce";
const RENEW: &str = "kapp.k14s.io/renew-duration";
const RENEWED: &str = "kapp.k14s.io/last-renewed-time";
const PREFIX: &str = "kapp.k14s.io/";
/// What a change rule looks like.
pub(super) const CHANGE_RULE_FORM: &str =
    "the form `(upsert|delete) (before|after) (upserting|deleting) <group>`";

/// The strategies that exist.
const STRATEGIES: [(&str, &[&str]); 3] = [
    (
        "kapp.k14s.io/create-strategy",
        &["fallback-on-update", "fallback-on-update-or-noop"],
    ),
    (
        "kapp.k14s.io/update-strategy",
        &["fallback-on-replace", "always-replace", "skip"],
    ),
    ("kapp.k14s.io/delete-strategy", &["orphan"]),
];

/// The annotation by which kapp knows its own objects.
pub(crate) const IDENTITY: &str = "kapp.k14s.io/identity";
/// The annotation in which kapp keeps what it was asked for.
pub(crate) const ORIGINAL: &str = "kapp.k14s.io/original";
/// The annotations in which kapp keeps copies of the object, or of how it changed it.
pub(crate) const COPIES: [&str; 3] = [
    ORIGINAL,
    "kapp.k14s.io/original-diff",
    "kapp.k14s.io/original-diff-full",
];

/// The annotations that kapp writes itself.
pub(crate) const NOTES: [&str; 5] = [
    IDENTITY,
    COPIES[0],
    COPIES[1],
    COPIES[2],
    "kapp.k14s.io/original-diff-md5",
];

/// All annotations of kapp without their prefix.
const KNOWN: &[&str] = &[
    "apps-v1-deployment-wait-minimum-replicas-available",
    "change-group",
    "change-rule",
    "create-strategy",
    "delete-strategy",
    "deploy-logs",
    "deploy-logs-container-names",
    "disable-associated-resources-wait",
    "disable-default-change-group-and-rules",
    "disable-default-label-scoping-rules",
    "disable-default-ownership-label-rules",
    "disable-default-secretgen-rebase-rules",
    "disable-label-scoping",
    "disable-original",
    "disable-wait",
    "exists",
    "identity",
    "inoperable",
    "last-renewed-time",
    "nonce",
    "noop",
    "num-versions",
    "original",
    "original-diff",
    "original-diff-full",
    "original-diff-md5",
    "owned-for-deletion",
    "renew-duration",
    "update-strategy",
    "versioned",
    "versioned-explicit-ref",
    "versioned-keep-original",
];

/// What is wrong with kapp's annotations of the manifests, and warnings about those that nobody
/// knows.
#[must_use]
pub fn check(manifests: &[Manifest]) -> (Vec<Problem>, Vec<String>) {
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    for manifest in manifests {
        let annotations = manifest.object.get(&["metadata", "annotations"]);
        for (key, value) in annotations.and_then(Value::as_object).into_iter().flatten() {
            let (Some(name), Some(value)) = (key.strip_prefix(PREFIX), value.as_str()) else {
                continue;
            };
            let place = || format!("{}: annotation {key}", manifest.object.reference());
            if let Err(wrong) = check_value(key, value) {
                let message = format!("{} {value:?}: {wrong}", place());
                problems.push(Problem::new(manifest.source.clone(), message));
            }
            let name = name.split('.').next().unwrap_or(name);
            if !KNOWN.contains(&name) {
                let near = nearest(name, KNOWN.iter().copied());
                let hint = near.map(|near| format!(", did you mean {PREFIX}{near}?"));
                warnings.push(format!(
                    "{}: {} is not known{}",
                    manifest.source,
                    place(),
                    hint.unwrap_or_default()
                ));
            }
        }
    }
    (problems, warnings)
}

fn check_value(key: &str, value: &str) -> Result<(), String> {
    if let Some((_, known)) = STRATEGIES.iter().find(|(strategy, _)| *strategy == key) {
        return if value.is_empty() || known.contains(&value) {
            Ok(())
        } else {
            Err(format!("expected one of {}", known.join(", ")))
        };
    }
    let is = |right: bool, wanted: &str| {
        if right {
            Ok(())
        } else {
            Err(format!("expected {wanted}"))
        }
    };
    match key {
        NUM_VERSIONS => {
            let number = value.trim().parse::<usize>();
            is(number.is_ok_and(|number| number > 0), "a number from 1 on")
        }
        RENEW => is(
            duration(value).is_some(),
            "a duration such as 30m, 24h or 1h30m",
        ),
        NONCE | "kapp.k14s.io/disable-associated-resources-wait" => {
            is(value.is_empty(), "an empty value")
        }
        "kapp.k14s.io/apps-v1-deployment-wait-minimum-replicas-available" => is(
            value
                .strip_suffix('%')
                .unwrap_or(value)
                .parse::<u32>()
                .is_ok(),
            "a number such as 10, or a part such as 50%",
        ),
        _ if is_one_of(key, "kapp.k14s.io/change-rule") => {
            is(is_change_rule(value), CHANGE_RULE_FORM)
        }
        _ if is_one_of(key, "kapp.k14s.io/change-group") => is(
            value.split_whitespace().count() == 1,
            "one word, for example apps.example.com/db",
        ),
        _ if is_explicit(key) => is(
            explicit_reference(value).is_some(),
            "a map with apiVersion, kind and name",
        ),
        _ => Ok(()),
    }
}

/// Whether a key is a prefix, or the prefix, a dot and anything.
fn is_one_of(key: &str, prefix: &str) -> bool {
    key.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn is_explicit(key: &str) -> bool {
    is_one_of(key, EXPLICIT_REFERENCE)
}

/// Whether a text has the form of a change rule.
pub(super) fn is_change_rule(text: &str) -> bool {
    match text.split_whitespace().collect::<Vec<_>>()[..] {
        [class, side, target, _] => {
            ["upsert", "delete"].contains(&class)
                && ["before", "after"].contains(&side)
                && ["upserting", "deleting"].contains(&target)
        }
        _ => false,
    }
}

/// The references in annotations of an object, by their keys.
pub(super) fn explicit_references(object: &Object) -> Vec<(String, Value)> {
    let annotations = object.get(&["metadata", "annotations"]);
    let map = annotations.and_then(Value::as_object).into_iter().flatten();
    map.filter(|(key, _)| is_explicit(key))
        .filter_map(|(key, value)| Some((key.clone(), explicit_reference(value.as_str()?)?)))
        .collect()
}

fn explicit_reference(text: &str) -> Option<Value> {
    let document = yaml::parse_first(text.as_bytes()).ok()??;
    let reference = yaml::to_json_value(&document, document.root()).ok()?;
    ["apiVersion", "kind", "name"]
        .iter()
        .all(|key| reference.get(key).is_some_and(Value::is_string))
        .then_some(reference)
}

/// Gives an object with a nonce a value that no deploy before had, so that it is always updated.
pub fn renew_nonce(object: &mut Object, now: Timestamp) {
    if object.annotation(NONCE).is_some() {
        object.set_metadata("annotations", NONCE, &now.as_nanosecond().to_string());
    }
}

/// Notes on an object with a renewal duration when it was renewed last: now, when it is due; nothing
/// when it never was and is younger.
pub fn renew(desired: &mut Object, live: &Object, now: Timestamp) {
    let Some(every) = desired.annotation(RENEW).and_then(duration) else {
        return;
    };
    let time = |text: &str| text.parse::<Timestamp>().ok();
    let renewed = live.annotation(RENEWED);
    let created = time(live.text(&["metadata", "creationTimestamp"]));
    let last = renewed.and_then(time).max(created);
    let due = last.is_none_or(|last| {
        let every = SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX);
        last.checked_add(every).is_ok_and(|due| due <= now)
    });
    let seconds = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let value = if due {
        Some(seconds.to_string())
    } else {
        renewed.map(str::to_owned)
    };
    if let Some(value) = value {
        desired.set_metadata("annotations", RENEWED, &value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Source;
    use serde_json::json;

    fn object(annotations: &Value) -> Object {
        let tree = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata":
            {"name": "a", "annotations": annotations, "creationTimestamp": "2026-01-01T00:00:00Z"}});
        Object::new(tree).unwrap()
    }

    fn checked(annotations: &Value) -> String {
        let source = Source {
            file: "t.yaml".to_owned(),
            line: 3,
        };
        let manifest = Manifest {
            object: object(annotations),
            source,
        };
        let (problems, warnings) = check(&[manifest]);
        let problems = problems.iter().map(ToString::to_string);
        problems.chain(warnings).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn wrong_values_and_unknown_marks_are_told() {
        let all = json!({
            "kapp.k14s.io/update-strategy": "replace", "kapp.k14s.io/create-strategy": "",
            "kapp.k14s.io/num-versions": "0", "kapp.k14s.io/renew-duration": "soon",
            "kapp.k14s.io/nonce": "1", "kapp.k14s.io/versioned-explicit-ref.x": "{kind: ConfigMap}",
            "kapp.k14s.io/apps-v1-deployment-wait-minimum-replicas-available": "half",
            "kapp.k14s.io/change-rule.one": "anything", "kapp.k14s.io/change-group": "", "kapp.k14s.io/versoned": "",
        });
        insta::assert_snapshot!(checked(&all), @r#"
        t.yaml:3: ConfigMap/a: annotation kapp.k14s.io/apps-v1-deployment-wait-minimum-replicas-available "half": expected a number such as 10, or a part such as 50%
        t.yaml:3: ConfigMap/a: annotation kapp.k14s.io/change-group "": expected one word, for example apps.example.com/db
        t.yaml:3: ConfigMap/a: annotation kapp.k14s.io/change-rule.one "anything": expected the form `(upsert|delete) (before|after) (upserting|deleting) <group>`
        t.yaml:3: ConfigMap/a: annotation kapp.k14s.io/nonce "1": expected an empty value
        t.yaml:3: ConfigMap/a: annotation kapp.k14s.io/num-versions "0": expected a number from 1 on
        t.yaml:3: ConfigMap/a: annotation kapp.k14s.io/renew-duration "soon": expected a duration such as 30m, 24h or 1h30m
        t.yaml:3: ConfigMap/a: annotation kapp.k14s.io/update-strategy "replace": expected one of fallback-on-replace, always-replace, skip
        t.yaml:3: ConfigMap/a: annotation kapp.k14s.io/versioned-explicit-ref.x "{kind: ConfigMap}": expected a map with apiVersion, kind and name
        t.yaml:3: ConfigMap/a: annotation kapp.k14s.io/versoned is not known, did you mean kapp.k14s.io/versioned?
        "#);
    }

    #[test]
    fn a_nonce_is_new_at_each_deploy() {
        let mut marked = object(&json!({NONCE: ""}));
        renew_nonce(&mut marked, Timestamp::from_second(1).unwrap());
        assert_eq!(marked.annotation(NONCE), Some("1000000000"));
        let mut plain = object(&json!({}));
        renew_nonce(&mut plain, Timestamp::UNIX_EPOCH);
        assert_eq!(plain, object(&json!({})));
    }

    #[test]
    fn an_object_is_renewed_when_it_is_due() {
        let renewed = |live: &Value, now: &str| {
            let mut desired = object(&json!({RENEW: "24h"}));
            renew(&mut desired, &object(live), now.parse().unwrap());
            desired.annotation(RENEWED).map(str::to_owned)
        };
        let never = json!({});
        assert_eq!(renewed(&never, "2026-01-01T23:00:00Z"), None);
        let first = "2026-01-02T00:00:00.5Z";
        assert_eq!(
            renewed(&never, first).as_deref(),
            Some("2026-01-02T00:00:00Z")
        );
        let once = json!({RENEWED: "2026-01-05T00:00:00Z"});
        let same = renewed(&once, "2026-01-05T12:00:00Z");
        assert_eq!(same.as_deref(), Some("2026-01-05T00:00:00Z"));
        let again = renewed(&once, "2026-01-06T12:00:00Z");
        assert_eq!(again.as_deref(), Some("2026-01-06T12:00:00Z"));
    }
}
