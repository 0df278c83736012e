//! Helm hooks: which documents are hooks, when they run, and in which order.
//!
//! Follows helm v4 `pkg/release/v1/util/manifest_sorter.go`.

/// When a hook runs.
///
/// The names are those of the annotation `helm.sh/hook`; `test-success` of Helm 2 is [`HookEvent::Test`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum HookEvent {
    /// Before the first deploy.
    PreInstall,
    /// After the first deploy.
    PostInstall,
    /// Before the app is removed.
    PreDelete,
    /// After the app is removed.
    PostDelete,
    /// Before a later deploy.
    PreUpgrade,
    /// After a later deploy.
    PostUpgrade,
    /// Before a rollback.
    PreRollback,
    /// After a rollback.
    PostRollback,
    /// When tests are asked for.
    Test,
}

impl HookEvent {
    /// The event of that name in `helm.sh/hook`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "pre-install" => Self::PreInstall,
            "post-install" => Self::PostInstall,
            "pre-delete" => Self::PreDelete,
            "post-delete" => Self::PostDelete,
            "pre-upgrade" => Self::PreUpgrade,
            "post-upgrade" => Self::PostUpgrade,
            "pre-rollback" => Self::PreRollback,
            "post-rollback" => Self::PostRollback,
            "test" | "test-success" => Self::Test,
            _ => return None,
        })
    }
}

/// What makes a document a hook.
///
/// One document may run at several events. A document whose `helm.sh/hook` names no event that Helm knows is
/// dropped, as Helm drops it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hook {
    /// When it runs.
    pub events: Vec<HookEvent>,
    /// Hooks of one event run in ascending weight, then by name.
    pub weight: i64,
    /// `helm.sh/hook-delete-policy`, as written there.
    pub delete_policies: Vec<String>,
    /// `helm.sh/hook-output-log-policy`, as written there.
    pub output_log_policies: Vec<String>,
}

/// What the annotations of a document make of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// An object of the release.
    Object,
    /// A hook.
    Hook(Hook),
    /// A hook of a name that Helm does not know: it drops the document.
    Unknown,
}

/// Reads the annotations of a document.
pub(super) fn role(annotations: &[(String, String)]) -> Role {
    let get = |name: &str| {
        let found = annotations.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    let list = |name: &str| -> Vec<String> {
        let values = get(name)
            .map(|value| value.split(','))
            .into_iter()
            .flatten();
        values.map(|value| value.trim().to_lowercase()).collect()
    };
    if get("helm.sh/hook").is_none() {
        return Role::Object;
    }
    let events: Option<Vec<_>> = list("helm.sh/hook")
        .iter()
        .map(|name| HookEvent::named(name))
        .collect();
    let Some(events) = events else {
        return Role::Unknown;
    };
    Role::Hook(Hook {
        events,
        weight: get("helm.sh/hook-weight")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0),
        delete_policies: list("helm.sh/hook-delete-policy"),
        output_log_policies: list("helm.sh/hook-output-log-policy"),
    })
}

#[cfg(test)]
mod tests {
    use super::{HookEvent, Role, role};

    fn of(annotations: &[(&str, &str)]) -> Role {
        let owned = annotations
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        role(&owned.collect::<Vec<_>>())
    }

    #[test]
    fn reads_events_weight_and_policies() {
        let Role::Hook(hook) = of(&[
            ("helm.sh/hook", "Pre-Install, post-upgrade"),
            ("helm.sh/hook-weight", "-5"),
            (
                "helm.sh/hook-delete-policy",
                "hook-succeeded,before-hook-creation",
            ),
        ]) else {
            panic!("a hook");
        };
        assert_eq!(hook.events, [HookEvent::PreInstall, HookEvent::PostUpgrade]);
        assert_eq!(hook.weight, -5);
        assert_eq!(
            hook.delete_policies,
            ["hook-succeeded", "before-hook-creation"]
        );
        assert!(hook.output_log_policies.is_empty());
    }

    #[test]
    fn drops_hooks_of_unknown_names_and_bad_weights() {
        assert_eq!(of(&[("helm.sh/hook", "crd-install")]), Role::Unknown);
        assert_eq!(of(&[("helm.sh/hook", "")]), Role::Unknown);
        assert_eq!(of(&[("other", "x")]), Role::Object);
        let Role::Hook(hook) = of(&[
            ("helm.sh/hook", "test-success"),
            ("helm.sh/hook-weight", "x"),
        ]) else {
            panic!("a hook");
        };
        assert_eq!((hook.events, hook.weight), (vec![HookEvent::Test], 0));
    }
}
