//! Helm's hooks: which objects are hooks, when they run and in what order.
//!
//! Follows helm v4 `pkg/release/v1/hook.go` and `pkg/action/hooks.go`.

use super::Phase;
use crate::object::Object;

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Before the first deploy.
    PreInstall,
    /// After the first deploy.
    PostInstall,
    /// Before a later deploy.
    PreUpgrade,
    /// After a later deploy.
    PostUpgrade,
    /// Before an older state is deployed again.
    PreRollback,
    /// After an older state is deployed again.
    PostRollback,
    /// Before everything is deleted.
    PreDelete,
    /// After everything is deleted.
    PostDelete,
    /// On `helm test` only.
    Test,
}

impl Event {
    /// Reads the name that the annotation has for it.
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "pre-install" => Self::PreInstall,
            "post-install" => Self::PostInstall,
            "pre-upgrade" => Self::PreUpgrade,
            "post-upgrade" => Self::PostUpgrade,
            "pre-rollback" => Self::PreRollback,
            "post-rollback" => Self::PostRollback,
            "pre-delete" => Self::PreDelete,
            "post-delete" => Self::PostDelete,
            "test" | "test-success" | "test-failure" => Self::Test,
            _ => return None,
        })
    }
}

/// When a hook of an earlier run is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletePolicy {
    /// Before the hook runs again.
    BeforeHookCreation,
    /// When it succeeded.
    HookSucceeded,
    /// When it failed.
    HookFailed,
}

/// What makes an object a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// When it runs; empty when none of the names is known.
    pub events: Vec<Event>,
    /// Its place among the hooks of one event: lighter ones first.
    pub weight: i64,
    /// When an earlier one is deleted: before it runs again, unless said otherwise.
    pub delete: Vec<DeletePolicy>,
}

/// On which side of the rest a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before everything else.
    Before,
    /// After everything else.
    After,
}

/// Reads the hook annotations of an object; `None` when it is no hook. `crd-install` is Helm 2's
/// and means an ordinary object, as in Helm.
#[must_use]
pub fn of(object: &Object) -> Option<Hook> {
    let text = object.annotation("helm.sh/hook")?;
    let words = |text: &str| -> Vec<String> {
        text.split(',')
            .map(|word| word.trim().to_lowercase())
            .filter(|w| !w.is_empty())
            .collect()
    };
    let names = words(text);
    if names.is_empty() || names.iter().any(|name| name == "crd-install") {
        return None;
    }
    let mut delete: Vec<DeletePolicy> = words(
        object
            .annotation("helm.sh/hook-delete-policy")
            .unwrap_or_default(),
    )
    .iter()
    .filter_map(|word| match word.as_str() {
        "before-hook-creation" => Some(DeletePolicy::BeforeHookCreation),
        "hook-succeeded" => Some(DeletePolicy::HookSucceeded),
        "hook-failed" => Some(DeletePolicy::HookFailed),
        _ => None,
    })
    .collect();
    if delete.is_empty() {
        delete.push(DeletePolicy::BeforeHookCreation);
    }
    let weight = object
        .annotation("helm.sh/hook-weight")
        .and_then(|w| w.trim().parse().ok());
    let events = names.iter().filter_map(|name| Event::parse(name)).collect();
    Some(Hook {
        events,
        weight: weight.unwrap_or_default(),
        delete,
    })
}

/// When a hook runs in a phase; `None` when it does not. One that would run before and after runs
/// before.
#[must_use]
pub fn moment(hook: &Hook, phase: Phase) -> Option<Moment> {
    let (before, after) = match phase {
        Phase::Install => (Event::PreInstall, Event::PostInstall),
        Phase::Upgrade => (Event::PreUpgrade, Event::PostUpgrade),
        Phase::Rollback => (Event::PreRollback, Event::PostRollback),
        Phase::Delete => (Event::PreDelete, Event::PostDelete),
    };
    if hook.events.contains(&before) {
        Some(Moment::Before)
    } else if hook.events.contains(&after) {
        Some(Moment::After)
    } else {
        None
    }
}

/// Whether an object takes part in a phase: it is no hook, or a hook of that phase. Hooks of tests
/// never do.
#[must_use]
pub fn takes_part(object: &Object, phase: Phase) -> bool {
    of(object).is_none_or(|hook| moment(&hook, phase).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hook(hook: &str, weight: &str) -> Option<Hook> {
        of(&Object::new(json!({"metadata": {"annotations": {"helm.sh/hook": hook, "helm.sh/hook-weight": weight}}}))
            .unwrap())
    }

    #[test]
    fn annotations_are_read_leniently_as_helm_does() {
        let found = hook(" Pre-Install, post-upgrade,nonsense", "-5").unwrap();
        assert_eq!(found.events, [Event::PreInstall, Event::PostUpgrade]);
        assert_eq!((found.weight, hook("test", "x").unwrap().weight), (-5, 0));
        assert_eq!(hook("crd-install", "1"), None);
    }

    #[test]
    fn each_phase_has_its_hooks_and_tests_have_none() {
        let found = hook("pre-install,post-upgrade", "0").unwrap();
        assert_eq!(moment(&found, Phase::Install), Some(Moment::Before));
        assert_eq!(moment(&found, Phase::Upgrade), Some(Moment::After));
        assert_eq!(moment(&found, Phase::Delete), None);
        let test = hook("test", "0").unwrap();
        for phase in [
            Phase::Install,
            Phase::Upgrade,
            Phase::Rollback,
            Phase::Delete,
        ] {
            assert_eq!(moment(&test, phase), None);
        }
    }
}
