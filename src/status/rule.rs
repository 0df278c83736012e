//! Readiness by rules that somebody wrote down: kapp's `waitRules`, and conditions that an
//! annotation names.
//!
//! Which object a rule is for is decided by whoever hands it in.

use super::{Condition, Doom, Status, condition};
use crate::kapp;
use crate::object::Object;
use serde::{Deserialize, Serialize};

/// The annotation, on an object or on the definition of its kind, that names the condition to wait
/// for, for example `Ready`.
const WAIT_FOR: &str = "windlass.dev/wait-for";

/// When an object is ready. Follows kapp's `waitRules` (`pkg/kapp/resourcesmisc/custom_waiting_resource.go`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Whether `status.observedGeneration` must be that of the object.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observed_generation: bool,
    /// The conditions, in order.
    pub conditions: Vec<ConditionRule>,
}

/// What a condition means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConditionRule {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its status: `True`, `False` or `Unknown`.
    pub status: String,
    /// What it means when it has that status.
    pub meaning: Meaning,
    /// Whether it counts only when its own `observedGeneration` is that of the object.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observed_generation: bool,
}

/// What a condition means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Meaning {
    /// The object is ready.
    Success,
    /// It will not become ready.
    Failure,
    /// It will not become ready when this lasts for so long.
    FailureAfter {
        /// So many seconds.
        seconds: u64,
    },
    /// It is not ready, but what comes after it may begin.
    Unblocks,
}

impl Rule {
    /// The first of kapp's rules that is about an object.
    #[must_use]
    pub fn of(rules: &[kapp::Wait], object: &Object) -> Option<Self> {
        let mut rules = rules.iter();
        let rule = rules.find(|rule| kapp::matches_any(&rule.of, object))?;
        let each = |condition: &kapp::Condition| {
            let lasting = condition.timeout.map(|borne| Meaning::FailureAfter {
                seconds: borne.as_secs(),
            });
            let meanings = [
                (condition.failure && condition.timeout.is_none()).then_some(Meaning::Failure),
                lasting,
                condition.success.then_some(Meaning::Success),
                condition.unblocks.then_some(Meaning::Unblocks),
            ];
            meanings.map(|meaning| {
                Some(ConditionRule {
                    kind: condition.kind.clone(),
                    status: condition.status.clone(),
                    meaning: meaning?,
                    observed_generation: condition.observed,
                })
            })
        };
        let conditions = rule.conditions.iter().flat_map(each).flatten();
        Some(Self {
            observed_generation: rule.observed,
            conditions: conditions.collect(),
        })
    }

    /// The rule that an object, or the definition of its kind, asks for by an annotation.
    #[must_use]
    pub fn annotated(object: &Object) -> Option<Self> {
        let kind = object.annotation(WAIT_FOR)?.trim();
        let rule = |kind: &str, meaning| ConditionRule {
            kind: kind.to_owned(),
            status: "True".to_owned(),
            meaning,
            observed_generation: false,
        };
        let conditions = vec![
            rule(kind, Meaning::Success),
            rule("Stalled", Meaning::Failure),
        ];
        (!kind.is_empty()).then_some(Self {
            observed_generation: true,
            conditions,
        })
    }
}

/// The status of an object by a rule. Failures count before successes, whatever their order.
pub(super) fn status(rule: &Rule, object: &Object) -> Status {
    let generation = object.int(&["metadata", "generation"]).unwrap_or_default();
    let observed = object.int(&["status", "observedGeneration"]);
    if rule.observed_generation && observed.is_some_and(|observed| observed != generation) {
        return Status::in_progress(format!("generation {generation} is not observed yet"));
    }
    let mut stale = false;
    let mut found = |meaning: fn(Meaning) -> bool| -> Option<(Meaning, Condition<'_>)> {
        let rules = rule.conditions.iter().filter(|rule| meaning(rule.meaning));
        for wanted in rules {
            let matching = condition::all(object)
                .find(|found| found.kind == wanted.kind && found.status == wanted.status);
            let Some(matching) = matching else { continue };
            let seen = matching.observed_generation;
            if wanted.observed_generation && seen.is_some_and(|seen| seen != generation) {
                stale = true;
                continue;
            }
            return Some((wanted.meaning, matching));
        }
        None
    };
    if let Some((_, failed)) = found(|meaning| meaning == Meaning::Failure) {
        return Status::failed(failed.text());
    }
    let lasting = found(|meaning| matches!(meaning, Meaning::FailureAfter { .. }));
    if let Some((Meaning::FailureAfter { seconds }, lasting)) = lasting {
        return Status {
            doomed: Some(Doom::Lasts { seconds }),
            ..Status::in_progress(lasting.text())
        };
    }
    if let Some((_, ready)) = found(|meaning| meaning == Meaning::Success) {
        return Status::current(ready.text());
    }
    if let Some((_, unblocks)) = found(|meaning| meaning == Meaning::Unblocks) {
        return Status {
            unblocks: true,
            ..Status::in_progress(unblocks.text())
        };
    }
    if stale {
        return Status::in_progress(format!(
            "generation {generation} is not observed by its conditions yet"
        ));
    }
    Status::in_progress(told(rule, object))
}

/// What the conditions that are waited for say now.
fn told(rule: &Rule, object: &Object) -> String {
    let wanted = rule
        .conditions
        .iter()
        .filter(|rule| rule.meaning == Meaning::Success);
    let mut missing = Vec::new();
    for wanted in wanted {
        match condition::find(object, &wanted.kind) {
            Some(found) => return format!("{} is {}: {}", found.kind, found.status, found.text()),
            None => missing.push(wanted.kind.as_str()),
        }
    }
    format!("no condition {} yet", missing.join(" or "))
}

/// The doom of an object that somebody else stopped: its manifest does not ask for it, and nobody
/// queues it.
#[must_use]
pub fn stopped(desired: Option<&Object>, live: &Object) -> Option<(Doom, &'static str)> {
    let (field, text) = match live.kind() {
        "Job" => (
            "suspend",
            "it is suspended, and its manifest does not ask for that",
        ),
        "Deployment" => (
            "paused",
            "its rollout is paused, and its manifest does not ask for that",
        ),
        _ => return None,
    };
    let is_set = |object: &Object| object.get(&["spec", field]).is_some_and(|set| set == true);
    let queued = live.label("kueue.x-k8s.io/queue-name").is_some();
    (is_set(live) && !queued && !desired.is_some_and(is_set)).then_some((Doom::Suspended, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{State, by};
    use serde_json::json;

    fn rule(kind: &str, status: &str, meaning: Meaning) -> ConditionRule {
        ConditionRule {
            kind: kind.to_owned(),
            status: status.to_owned(),
            meaning,
            observed_generation: true,
        }
    }

    fn object(conditions: &serde_json::Value) -> Object {
        Object::new(json!({"kind": "Backup", "metadata": {"generation": 2},
            "status": {"observedGeneration": 2, "conditions": conditions}}))
        .unwrap()
    }

    #[test]
    fn failures_count_before_successes_and_stale_conditions_not_at_all() {
        let rule = Rule {
            observed_generation: true,
            conditions: vec![
                rule("Ready", "True", Meaning::Success),
                rule("Failed", "True", Meaning::Failure),
                rule("Progressing", "True", Meaning::Unblocks),
            ],
        };
        let state = |conditions| by(Some(&rule), &object(&conditions)).state;
        let ready = json!({"type": "Ready", "status": "True"});
        assert_eq!(state(json!([ready])), State::Current);
        let failed = json!({"type": "Failed", "status": "True"});
        assert_eq!(state(json!([ready, failed])), State::Failed);
        let stale = json!({"type": "Ready", "status": "True", "observedGeneration": 1});
        assert_eq!(state(json!([stale])), State::InProgress);
        let going = json!([{"type": "Progressing", "status": "True"}]);
        let status = by(Some(&rule), &object(&going));
        assert_eq!((status.state, status.unblocks), (State::InProgress, true));
        assert_eq!(
            by(Some(&rule), &object(&json!([]))).message,
            "no condition Ready yet"
        );
    }

    #[test]
    fn an_annotation_names_the_condition_to_wait_for() {
        let mut object = object(&json!([{"type": "Synced", "status": "False", "message": "no"}]));
        assert_eq!(Rule::annotated(&object), None);
        object.set_metadata("annotations", WAIT_FOR, "Synced");
        let rule = Rule::annotated(&object).unwrap();
        assert_eq!(by(Some(&rule), &object).message, "Synced is False: no");
    }

    #[test]
    fn a_suspended_job_is_stopped_unless_its_manifest_says_so_or_it_is_queued() {
        let job = |suspend: bool| {
            Object::new(json!({"kind": "Job", "spec": {"suspend": suspend}})).unwrap()
        };
        assert!(stopped(Some(&job(false)), &job(true)).is_some());
        assert!(stopped(Some(&job(true)), &job(true)).is_none());
        let mut queued = job(true);
        queued.set_metadata("labels", "kueue.x-k8s.io/queue-name", "q");
        assert!(stopped(Some(&job(false)), &queued).is_none());
    }

    #[test]
    fn rules_of_kapp_are_found_by_their_matchers() {
        let text = "apiVersion: kapp.k14s.io/v1alpha1\nkind: Config\nwaitRules:\n- supportsObservedGeneration: true\n  conditionMatchers:\n  - {type: Broken, status: 'True', failure: true}\n  - {type: Slow, status: 'True', failure: true, timeout: 30s}\n  - {type: Ready, status: 'True', success: true}\n  resourceMatchers: [{apiVersionKindMatcher: {apiVersion: x.io/v1, kind: Db}}]\n";
        let source = crate::object::Source {
            file: "c.yml".to_owned(),
            line: 1,
        };
        let rules = kapp::read(text.as_bytes(), &source).unwrap().wait;
        let object = |kind: &str, conditions: &[&str]| {
            let conditions: Vec<_> = conditions
                .iter()
                .map(|kind| serde_json::json!({"type": kind, "status": "True"}))
                .collect();
            let tree = serde_json::json!({"apiVersion": "x.io/v1", "kind": kind,
                "metadata": {"name": "a"}, "status": {"conditions": conditions}});
            Object::new(tree).unwrap()
        };
        assert_eq!(Rule::of(&rules, &object("Other", &[])), None);
        let told = |conditions: &[&str]| {
            let object = object("Db", conditions);
            let status = status(&Rule::of(&rules, &object).unwrap(), &object);
            (status.state, status.doomed)
        };
        use crate::status::State;
        assert_eq!(told(&["Ready"]), (State::Current, None));
        assert_eq!(told(&["Ready", "Broken"]), (State::Failed, None));
        let lasts = Some(Doom::Lasts { seconds: 30 });
        assert_eq!(told(&["Ready", "Slow"]), (State::InProgress, lasts));
    }
}
