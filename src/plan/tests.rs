//! Tests of the order as a whole: small inputs, the plan as text.

mod sound;

use super::{Phase, Plan, Progress, Step, Wait, order};
use crate::diff::{Change, Masker, Op, change, removal};
use crate::kapp::Rules;
use crate::object::{Manifest, Source, manifest};
use std::fmt::Write;

fn manifests(text: &str) -> Vec<Manifest> {
    manifest::parse(
        text.as_bytes(),
        &Source {
            file: "t.yaml".to_owned(),
            line: 1,
        },
    )
    .unwrap()
}

fn masker() -> Masker {
    Masker::new([0; 32], false)
}

fn upserts(text: &str) -> Vec<Change> {
    manifests(text)
        .iter()
        .map(|manifest| change(manifest, None, None, &masker()))
        .collect()
}

fn deletes(text: &str) -> Vec<Change> {
    manifests(text)
        .iter()
        .map(|manifest| removal(&manifest.object, &masker()))
        .collect()
}

/// The steps a line each, with the steps they wait for.
fn shown(plan: &Plan) -> String {
    let name = |step: &Step| step.change.target.to_string();
    let mut text = String::new();
    for (i, step) in plan.steps.iter().enumerate() {
        let op = if step.change.op == Op::Delete {
            "- "
        } else {
            ""
        };
        writeln!(text, "{op}{}", name(step)).unwrap();
        for line in plan.explain(i) {
            writeln!(text, "    {line}").unwrap();
        }
    }
    text
}

fn names(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|step| step.change.target.to_string())
        .collect()
}

const APP: &str = "
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {template: {metadata: {labels: {app: web}}, spec: {serviceAccountName: web, containers: [{name: web, envFrom: [{configMapRef: {name: web}}]}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {selector: {app: web}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: shop}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: web, namespace: shop}, roleRef: {kind: Role, name: web}, subjects: [{kind: ServiceAccount, name: web}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: web, namespace: shop}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: shop.io/v1, kind: Offer, metadata: {name: cheap, namespace: shop}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: offers.shop.io}, spec: {group: shop.io, scope: Namespaced, names: {kind: Offer}}}
---
{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: shop}, webhooks: [{name: a.shop.io, clientConfig: {service: {name: web, namespace: shop}}, rules: [{apiGroups: [shop.io]}]}]}
";

#[test]
fn an_app_is_made_from_the_ground_up() {
    let plan = order(upserts(APP), Phase::Install, &Rules::default()).unwrap();
    insta::assert_snapshot!(shown(&plan), @"
    Namespace/shop
    ServiceAccount/web (shop)
        after Namespace/shop: it lives there
    ConfigMap/web (shop)
        after Namespace/shop: it lives there
    CustomResourceDefinition/offers.shop.io
    Role/web (shop)
        after Namespace/shop: it lives there
    RoleBinding/web (shop)
        after Namespace/shop: it lives there
        after ServiceAccount/web (shop): subjects names it
        after Role/web (shop): roleRef names it
    Service/web (shop)
        after Namespace/shop: it lives there
        after ServiceAccount/web (shop): pods need them
        after ConfigMap/web (shop): pods need them
        after Role/web (shop): pods need their permissions
        after RoleBinding/web (shop): pods need their permissions
    Deployment/web (shop)
        after Namespace/shop: it lives there
        after ServiceAccount/web (shop): serviceAccountName names it
        after ConfigMap/web (shop): envFrom names it
        after Role/web (shop): pods need their permissions
        after RoleBinding/web (shop): pods need their permissions
    ValidatingWebhookConfiguration/shop
        after Service/web (shop): webhooks.clientConfig.service names it
        after Deployment/web (shop): it answers for webhooks.clientConfig.service
    Offer.shop.io/cheap (shop)
        after Namespace/shop: it lives there
        after ServiceAccount/web (shop): pods need them
        after ConfigMap/web (shop): pods need them
        after CustomResourceDefinition/offers.shop.io: it defines the kind
        after Role/web (shop): pods need their permissions
        after RoleBinding/web (shop): pods need their permissions
        after ValidatingWebhookConfiguration/shop: it is checked or completed by them
    ");
}

#[test]
fn an_app_is_taken_down_backwards() {
    let plan = order(deletes(APP), Phase::Delete, &Rules::default()).unwrap();
    insta::assert_snapshot!(names(&plan).join("\n"), @"
    Offer.shop.io/cheap (shop)
    CustomResourceDefinition/offers.shop.io
    ValidatingWebhookConfiguration/shop
    Deployment/web (shop)
    Service/web (shop)
    RoleBinding/web (shop)
    Role/web (shop)
    ConfigMap/web (shop)
    ServiceAccount/web (shop)
    Namespace/shop
    ");
}

#[test]
fn prunes_come_after_everything_else() {
    let mut changes =
        deletes("{apiVersion: v1, kind: ConfigMap, metadata: {name: old, namespace: x}}");
    changes.extend(upserts(APP));
    let plan = order(changes, Phase::Upgrade, &Rules::default()).unwrap();
    let last = plan.steps.last().unwrap();
    assert_eq!(last.change.op, Op::Delete);
    assert!(plan.explain(plan.steps.len() - 1)[0].contains("10 changes"));
}

#[test]
fn kapp_annotations_order_what_nothing_else_does() {
    let text = "
{apiVersion: batch/v1, kind: Job, metadata: {name: migrate, namespace: x, annotations: {kapp.k14s.io/change-group: 'db/{name}', kapp.k14s.io/change-rule.a: upsert after upserting db}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: app, namespace: x, annotations: {kapp.k14s.io/change-rule: upsert after upserting db/migrate}}}
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db, namespace: x, annotations: {kapp.k14s.io/change-group: db}}}
";
    let plan = order(upserts(text), Phase::Install, &Rules::default()).unwrap();
    insta::assert_snapshot!(shown(&plan), @"
    StatefulSet/db (x)
    Job/migrate (x)
        after StatefulSet/db (x): kapp.k14s.io/change-rule.a: upsert after upserting db
    Deployment/app (x)
        after Job/migrate (x): kapp.k14s.io/change-rule: upsert after upserting db/migrate
    ");
}

#[test]
fn an_annotation_wins_over_a_default() {
    // The ConfigMap is made by hand to come after the Deployment, which is against the default.
    let text = "
{apiVersion: v1, kind: ConfigMap, metadata: {name: late, namespace: x, annotations: {kapp.k14s.io/change-rule: upsert after upserting app}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: x}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: x}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: d, namespace: x}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: app, namespace: x, annotations: {kapp.k14s.io/change-group: app}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: other, namespace: x}}
";
    let plan = order(upserts(text), Phase::Install, &Rules::default()).unwrap();
    assert_eq!(
        names(&plan),
        [
            "ConfigMap/b (x)",
            "ConfigMap/c (x)",
            "ConfigMap/d (x)",
            "Deployment/app (x)",
            "ConfigMap/late (x)",
            "Deployment/other (x)"
        ]
    );
}

#[test]
fn a_cycle_of_rules_is_told_with_its_reasons() {
    let text = "
{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: x, annotations: {kapp.k14s.io/change-group: a, kapp.k14s.io/change-rule: upsert after upserting b}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: x, annotations: {kapp.k14s.io/change-group: b, config.kubernetes.io/depends-on: /namespaces/x/ConfigMap/c}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: x, annotations: {kapp.k14s.io/change-rule: upsert after upserting a}}}
";
    let error = order(upserts(text), Phase::Install, &Rules::default()).unwrap_err();
    insta::assert_snapshot!(error, @"
    changes wait for each other:
      ConfigMap/a (x) waits for ConfigMap/b (x): kapp.k14s.io/change-rule: upsert after upserting b
      ConfigMap/b (x) waits for ConfigMap/c (x): config.kubernetes.io/depends-on
      ConfigMap/c (x) waits for ConfigMap/a (x): kapp.k14s.io/change-rule: upsert after upserting a
    ");
}

#[test]
fn annotations_that_cannot_be_read_name_their_place() {
    for (annotation, shown) in [
        (
            "kapp.k14s.io/change-rule: upsert behind upserting b",
            "change-rule",
        ),
        ("kapp.k14s.io/change-group.x: a b", "change-group.x"),
        ("config.kubernetes.io/depends-on: ConfigMap/a", "depends-on"),
    ] {
        let text = format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: a, annotations: {{{annotation}}}}}}}"
        );
        let error = order(upserts(&text), Phase::Install, &Rules::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("t.yaml:1: ConfigMap/a: annotation") && error.contains(shown),
            "{error}"
        );
    }
}

#[test]
fn hooks_run_around_the_rest_in_their_phase() {
    let hook = |name: &str, hook: &str, weight: &str| {
        format!(
            "{{apiVersion: batch/v1, kind: Job, metadata: {{name: {name}, namespace: x, annotations: {{helm.sh/hook: '{hook}', helm.sh/hook-weight: '{weight}'}}}}}}\n---\n"
        )
    };
    let text = [
        hook("late", "post-install,post-upgrade", "0"),
        hook("second", "pre-install", "5"),
        hook("first", "pre-install", "-5"),
        hook("upgrade", "pre-upgrade", "0"),
        hook("test", "test", "0"),
        "{apiVersion: v1, kind: Namespace, metadata: {name: x}}\n---\n".to_owned(),
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: x}}\n---\n".to_owned(),
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: app, namespace: x}}".to_owned(),
    ]
    .concat();
    let install = order(upserts(&text), Phase::Install, &Rules::default()).unwrap();
    insta::assert_snapshot!(shown(&install), @"
    Namespace/x
    Job/first (x)
        after Namespace/x: it lives there
    Job/second (x)
        after Namespace/x: it lives there
        after Job/first (x): hooks run one by one (weight 5)
    ConfigMap/a (x)
        after Namespace/x: it lives there
        after Job/first (x): hooks run before the rest
        after Job/second (x): hooks run before the rest
    Deployment/app (x)
        after Namespace/x: it lives there
        after Job/first (x): hooks run before the rest
        after Job/second (x): hooks run before the rest
        after ConfigMap/a (x): pods need them
    Job/late (x)
        after Namespace/x: it lives there
        after ConfigMap/a (x): hooks run after the rest
        after Deployment/app (x): hooks run after the rest
    ");
    let upgrade = names(&order(upserts(&text), Phase::Upgrade, &Rules::default()).unwrap());
    assert_eq!(
        upgrade,
        [
            "Namespace/x",
            "Job/upgrade (x)",
            "ConfigMap/a (x)",
            "Deployment/app (x)",
            "Job/late (x)"
        ]
    );
}

#[test]
fn a_hook_may_need_what_is_no_hook() {
    let text = "
{apiVersion: v1, kind: Pod, metadata: {name: hook, namespace: x, annotations: {helm.sh/hook: pre-install}}, spec: {serviceAccountName: sa}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: sa, namespace: x}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: app, namespace: x}}
";
    let plan = order(upserts(text), Phase::Install, &Rules::default()).unwrap();
    assert_eq!(
        names(&plan),
        [
            "ServiceAccount/sa (x)",
            "Pod/hook (x)",
            "Deployment/app (x)"
        ]
    );
}

#[test]
fn claims_and_services_release_what_follows_when_applied() {
    let text = "
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: x}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: x}, spec: {volumes: [{name: d, persistentVolumeClaim: {claimName: data}}]}}
";
    let plan = order(upserts(text), Phase::Install, &Rules::default()).unwrap();
    let mut progress = Progress::new(&plan);
    assert_eq!(progress.start(), [0]);
    assert_eq!(plan.steps[0].wait, Wait::Reconcile);
    assert_eq!(progress.applied(0), [1]);
    assert!(progress.done(0).is_empty());
}

#[test]
fn what_needs_a_failed_step_is_skipped() {
    let plan = order(upserts(APP), Phase::Install, &Rules::default()).unwrap();
    let mut progress = Progress::new(&plan);
    let start = progress.start();
    let names: Vec<_> = start
        .iter()
        .map(|i| plan.steps[*i].change.target.to_string())
        .collect();
    assert_eq!(
        names,
        ["Namespace/shop", "CustomResourceDefinition/offers.shop.io"]
    );
    let skipped = progress.failed(start[0]);
    assert_eq!(skipped.len(), 8);
    assert!(skipped.iter().all(|skipped| skipped.cause == start[0]));
}

#[test]
fn thousands_of_changes_are_ordered_with_few_edges() {
    let mut text = String::from("{apiVersion: v1, kind: Namespace, metadata: {name: x}}\n");
    for i in 0..1250 {
        write!(
            text,
            "---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c{i}, namespace: x}}}}
---\n{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: s{i}, namespace: x}}}}
---\n{{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {{name: r{i}, namespace: x}}}}
---\n{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: d{i}, namespace: x, annotations: {{kapp.k14s.io/change-group: all}}}}, spec: {{template: {{spec: {{serviceAccountName: s{i}}}}}}}}}\n"
        )
        .unwrap();
    }
    let mut changes = upserts(&text);
    changes.extend(deletes(&text.replace("name: ", "name: old-")));
    let plan = order(changes, Phase::Upgrade, &Rules::default()).unwrap();
    let edges: usize = plan.steps.iter().map(|step| step.after.len()).sum();
    let members: usize = plan.gates.iter().map(|gate| gate.steps.len()).sum();
    assert!(edges < 80_000 && members < 60_000, "{edges} {members}");
}

fn rules(text: &str) -> Rules {
    let source = Source {
        file: "c.yml".to_owned(),
        line: 1,
    };
    let text = format!("apiVersion: kapp.k14s.io/v1alpha1\nkind: Config\n{text}");
    crate::kapp::read(text.as_bytes(), &source).unwrap()
}

const THREE: &str = "
{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: x}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: x}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: x, annotations: {last: \"\"}}}
";

#[test]
fn bindings_of_the_user_put_objects_into_groups_and_in_order() {
    let rules = rules(
        "changeGroupBindings:
- name: test/{kind}-{name}
  resourceMatchers: [{allMatcher: {}}]
changeRuleBindings:
- rules: [upsert after upserting test/ConfigMap-c]
  resourceMatchers: [{notMatcher: {matcher: {hasAnnotationMatcher: {keys: [last]}}}}]
",
    );
    let plan = order(upserts(THREE), Phase::Install, &rules).unwrap();
    insta::assert_snapshot!(shown(&plan), @"
    ConfigMap/c (x)
    ConfigMap/a (x)
        after ConfigMap/c (x): changeRuleBindings: upsert after upserting test/ConfigMap-c
    ConfigMap/b (x)
        after ConfigMap/c (x): changeRuleBindings: upsert after upserting test/ConfigMap-c
    ");
    let gone = order(deletes(THREE), Phase::Delete, &rules).unwrap();
    assert_eq!(names(&gone).last().unwrap(), "ConfigMap/c (x)");
}

#[test]
fn bindings_that_may_be_dropped_are_dropped_in_a_cycle_and_others_tell_it() {
    let circle = |if_possible: bool| {
        rules(&format!(
            "changeGroupBindings:
- name: test/{{name}}
  resourceMatchers: [{{allMatcher: {{}}}}]
changeRuleBindings:
- rules: [upsert after upserting test/b]
  resourceMatchers: [{{kindNamespaceNameMatcher: {{kind: ConfigMap, namespace: x, name: a}}}}]
- rules: [upsert after upserting test/a]
  ignoreIfCyclical: {if_possible}
  resourceMatchers: [{{kindNamespaceNameMatcher: {{kind: ConfigMap, namespace: x, name: b}}}}]
"
        ))
    };
    let plan = order(upserts(THREE), Phase::Install, &circle(true)).unwrap();
    let order_of = names(&plan);
    assert_eq!(order_of[0], "ConfigMap/b (x)");
    let error = order(upserts(THREE), Phase::Install, &circle(false)).unwrap_err();
    insta::assert_snapshot!(error, @"
    changes wait for each other:
      ConfigMap/a (x) waits for ConfigMap/b (x): changeRuleBindings: upsert after upserting test/b
      ConfigMap/b (x) waits for ConfigMap/a (x): changeRuleBindings: upsert after upserting test/a
    ");
}

#[test]
fn one_object_is_explained_from_both_sides() {
    let text = "
{apiVersion: v1, kind: Namespace, metadata: {name: x}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: sa, namespace: x}}
---
{apiVersion: v1, kind: Secret, metadata: {name: token, namespace: x, annotations: {kubernetes.io/service-account.name: sa}}, type: kubernetes.io/service-account-token}
";
    let plan = order(upserts(text), Phase::Install, &Rules::default()).unwrap();
    let steps = plan.steps_of("serviceaccount/sa");
    assert_eq!(steps.len(), 1);
    let lines = [plan.explain(steps[0]), plan.followers(steps[0])].concat();
    insta::assert_snapshot!(lines.join("\n"), @"
    after Namespace/x: it lives there
    before Secret/token (x): the token of an account that is not there is deleted
    they begin as soon as it is applied
    ");
    assert!(plan.steps_of("nothing").is_empty());
}

#[test]
fn claims_come_after_storage_classes_that_they_do_not_name() {
    let text = "
{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: fast}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: x}}
";
    let plan = order(upserts(text), Phase::Install, &Rules::default()).unwrap();
    insta::assert_snapshot!(shown(&plan), @"
    StorageClass/fast
    PersistentVolumeClaim/data (x)
        after StorageClass/fast: volumes need them
    ");
}

#[test]
fn an_object_may_opt_out_of_the_default_rules() {
    let text = "
{apiVersion: v1, kind: Namespace, metadata: {name: x}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: a, namespace: x, annotations: {kapp.k14s.io/disable-default-change-group-and-rules: \"\"}}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: b, namespace: x}}
";
    let plan = order(upserts(text), Phase::Install, &Rules::default()).unwrap();
    insta::assert_snapshot!(shown(&plan), @"
    Namespace/x
    ServiceAccount/a (x)
    ServiceAccount/b (x)
        after Namespace/x: it lives there
    ");
}
