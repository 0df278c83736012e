//! Rights that come with a plan: what its own roles and bindings let the user do who carries it out.

use super::rights::lacks_rights;
use super::trial::Tried;
use crate::cluster::{Access, Cluster, Discovery, Rules, User};
use crate::diff::{Change, Op, Untried};
use crate::object::{Object, ObjectRef};
use std::collections::BTreeSet;

const GROUP: &str = "rbac.authorization.k8s.io";

/// What roles allow, each with the namespace in which it does, `None` for all.
#[derive(Debug, Default)]
pub(super) struct Given(Vec<(Option<String>, Rules)>);

impl Given {
    /// What changes give: all that their roles allow, since nobody may grant what he lacks but who may
    /// grant everything; and other roles that a binding among them gives to the user.
    pub(super) async fn of(cluster: &Cluster, changes: impl Iterator<Item = &Change>) -> Self {
        let objects: Vec<&Object> = changes
            .filter(|change| change.op != Op::Noop)
            .filter_map(|change| change.desired.as_ref())
            .filter(|object| object.group() == GROUP)
            .collect();
        let is_binding = |object: &&&Object| object.kind().ends_with("RoleBinding");
        let mut given = Self::default();
        for role in objects.iter().filter(|object| !is_binding(object)) {
            given.add(role.namespace(), role);
        }
        let foreign = objects
            .iter()
            .filter(is_binding)
            .map(|binding| (binding, role_of(binding)));
        let foreign =
            foreign.filter(|(_, role)| objects.iter().all(|own| own.reference() != *role));
        let foreign: Vec<_> = foreign.collect();
        if foreign.is_empty() {
            return given;
        }
        let Ok(user) = cluster.user().await else {
            return given;
        };
        for (binding, role) in foreign
            .into_iter()
            .filter(|(binding, _)| names(binding, &user))
        {
            if let Ok(Some(role)) = cluster.get(&role).await {
                given.add(binding.namespace(), &role);
            }
        }
        given
    }

    fn add(&mut self, namespace: Option<&str>, role: &Object) {
        let rules = Rules::of_role(role.list(&["rules"]));
        self.0.push((namespace.map(str::to_owned), rules));
    }

    /// Whether this comes with the plan.
    pub(super) fn allows(&self, access: &Access) -> bool {
        self.0.iter().any(|(namespace, rules)| {
            (namespace.is_none() || *namespace == access.namespace) && rules.allow(access)
        })
    }
}

/// The role that a binding is about.
fn role_of(binding: &Object) -> ObjectRef {
    let kind = binding.text(&["roleRef", "kind"]).to_owned();
    let own = binding.namespace().filter(|_| kind == "Role");
    ObjectRef {
        group: GROUP.to_owned(),
        namespace: own.map(str::to_owned),
        name: binding.text(&["roleRef", "name"]).to_owned(),
        kind,
    }
}

/// Whether a binding is for the user.
fn names(binding: &Object, user: &User) -> bool {
    binding.list(&["subjects"]).iter().any(|subject| {
        let text = |key: &str| subject[key].as_str().unwrap_or_default();
        match text("kind") {
            "User" => user.username == text("name"),
            "Group" => user.groups.iter().any(|group| group == text("name")),
            "ServiceAccount" => {
                let name = format!(
                    "system:serviceaccount:{}:{}",
                    text("namespace"),
                    text("name")
                );
                user.username == name
            }
            _ => false,
        }
    })
}

/// Whether a plan gives any rights that nobody has before.
pub(super) fn is_given<'a>(mut changes: impl Iterator<Item = &'a Change>) -> bool {
    changes.any(|change| change.op != Op::Noop && change.target.group == GROUP)
}

/// Takes back what trials were refused for want of rights that come with the plan itself.
pub(super) async fn excuse(cluster: &Cluster, discovery: &Discovery, tried: &mut Tried) {
    let refused = tried.obstacles.refused.iter();
    let lacking = refused.filter(|refusal| lacks_rights(&refusal.message));
    let lacking: BTreeSet<ObjectRef> = lacking.map(|refusal| refusal.target.clone()).collect();
    if lacking.is_empty() || !is_given(tried.changes.iter()) {
        return;
    }
    let given = Given::of(cluster, tried.changes.iter()).await;
    for change in &mut tried.changes {
        let target = &change.target;
        let needs = super::rights::of_change(change, discovery);
        if lacking.contains(target)
            && !needs.is_empty()
            && needs.iter().all(|need| given.allows(need))
        {
            tried
                .obstacles
                .refused
                .retain(|refusal| refusal.target != *target);
            change.untried = Some(Untried::NotNow);
            change.reason.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_binding_is_for_the_users_groups_and_accounts_that_it_names() {
        let user = User {
            username: "system:serviceaccount:ci:deployer".to_owned(),
            groups: vec!["system:serviceaccounts:ci".to_owned()],
        };
        let is_for = |kind: &str, namespace: &str, name: &str| {
            let subject = json!({"kind": kind, "namespace": namespace, "name": name});
            let binding =
                Object::new(json!({"kind": "RoleBinding", "subjects": [subject]})).unwrap();
            names(&binding, &user)
        };
        assert!(is_for("ServiceAccount", "ci", "deployer"));
        assert!(is_for("Group", "", "system:serviceaccounts:ci"));
        assert!(is_for("User", "", "system:serviceaccount:ci:deployer"));
        assert!(!is_for("ServiceAccount", "shop", "deployer"));
        assert!(!is_for("Group", "", "deployer"));
    }

    #[test]
    fn a_role_gives_in_its_namespace_and_one_of_the_cluster_everywhere() {
        let role = Object::new(json!({"kind": "Role", "rules":
            [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]}]}))
        .unwrap();
        let access = |namespace: &str, verb: &'static str| Access {
            namespace: Some(namespace.to_owned()),
            group: String::new(),
            resource: "configmaps".to_owned(),
            verb,
            name: None,
        };
        let mut given = Given::default();
        given.add(Some("shop"), &role);
        assert!(given.allows(&access("shop", "patch")));
        assert!(!given.allows(&access("shop", "delete")));
        assert!(!given.allows(&access("prod", "patch")));
        given.add(None, &role);
        assert!(given.allows(&access("prod", "patch")));
    }
}
