//! What another deployer has deployed, as it wrote it down: a Helm release or a kapp app, whole.

use super::{App, Error};
use crate::cluster::{self, Cluster, Kind, Selector};
use crate::kapp;
use crate::object::{Manifest, Object, Source, manifest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::{Map, Value, json};
use std::io::Read as _;

/// More than this no release may unpack to; Helm itself cannot store more than 1 MiB packed.
const MOST: u64 = 128 * 1024 * 1024;
const CONCURRENCY: usize = 16;
/// What kapp puts on objects, on pod templates and into selectors.
const KAPP_LABELS: [&str; 2] = ["kapp.k14s.io/app", "kapp.k14s.io/association"];
/// Who deployed an app that is to be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployer {
    /// Helm, 3 or 4.
    Helm,
    /// kapp.
    Kapp,
}

/// What another deployer has deployed.
#[derive(Clone, Debug)]
pub struct Adoptable {
    /// Who.
    pub deployer: Deployer,
    /// What it is called there, for people.
    pub name: String,
    /// By what its objects name their owner.
    pub owner: String,
    /// Its objects as they were asked for.
    pub manifests: Vec<Manifest>,
    /// The hooks that run when it is deleted.
    pub hooks: Vec<Manifest>,
    /// The objects in which the deployer keeps its record.
    pub records: Vec<Object>,
}

/// Looks for a Helm release, or a kapp app, with the name and in the namespace of an app; `None`
/// when there is none.
///
/// # Errors
/// When the server refuses or a record cannot be read.
pub async fn adoptable(
    cluster: &Cluster,
    app: &App,
    deployer: Option<Deployer>,
) -> Result<Option<Adoptable>, Error> {
    if deployer != Some(Deployer::Kapp)
        && let Some(release) = helm(cluster, app).await?
    {
        return Ok(Some(release));
    }
    if deployer != Some(Deployer::Helm) {
        return kapp(cluster, app).await;
    }
    Ok(None)
}

/// Removes the record of another deployer.
///
/// # Errors
/// When the server refuses.
pub async fn forget(cluster: &Cluster, adopted: &Adoptable) -> Result<(), Error> {
    for record in &adopted.records {
        cluster
            .delete(&record.reference(), record.uid(), None)
            .await?;
    }
    Ok(())
}

/// The release of this name: its newest revision, which must have been deployed to the end. Of one that
/// was not, Helm's record does not tell what is live.
async fn helm(cluster: &Cluster, app: &App) -> Result<Option<Adoptable>, Error> {
    let selector = Selector {
        labels: format!("owner=helm,name={}", app.name),
        fields: String::new(),
    };
    let mut records = Vec::new();
    let discovery = cluster.discovery().await?;
    let config_maps = discovery.preferred("", "ConfigMap").cloned();
    for kind in [Some(Kind::secret()), config_maps].into_iter().flatten() {
        let found = cluster.list(&kind, Some(&app.namespace), &selector).await?;
        records.extend(found);
        if !records.is_empty() {
            break;
        }
    }
    let version = |record: &&Object| -> u64 {
        let text = record.label("version").unwrap_or_default();
        text.parse().unwrap_or_default()
    };
    let Some(newest) = records.iter().max_by_key(version) else {
        return Ok(None);
    };
    let status = newest.label("status").unwrap_or("unknown");
    if status == "uninstalled" {
        return Ok(None);
    }
    let unreadable = |reason: String| Error::Adopt {
        record: newest.reference(),
        reason,
    };
    if status != "deployed" {
        let name = &app.name;
        return Err(unreadable(format!(
            "revision {} of Helm release `{name}` is {status}: bring it to an end with Helm (`helm upgrade`, \
             `helm rollback`) before it is adopted, or `windlass deploy` your chart with `--take-ownership {name}`",
            version(&newest)
        )));
    }
    let release = release(newest).map_err(unreadable)?;
    let text = release["manifest"].as_str();
    let text = text.ok_or_else(|| unreadable("it holds no manifest".to_owned()))?;
    let source = Source {
        file: format!("{} of Helm", newest.name()),
        line: 1,
    };
    Ok(Some(Adoptable {
        deployer: Deployer::Helm,
        name: format!("Helm release {}, revision {}", app.name, version(&newest)),
        owner: format!("{}/{}", app.namespace, app.name),
        manifests: manifest::parse(text.as_bytes(), &source)?,
        hooks: deletion_hooks(&release, &source)?,
        records,
    }))
}

/// The hooks of a release that run when it is deleted, marked for nothing else.
fn deletion_hooks(release: &Value, source: &Source) -> Result<Vec<Manifest>, Error> {
    let hooks = release["hooks"].as_array().into_iter().flatten();
    let mut kept = Vec::new();
    for text in hooks.filter_map(|hook| hook["manifest"].as_str()) {
        for mut manifest in manifest::parse(text.as_bytes(), source)? {
            let events = manifest.object.annotation("helm.sh/hook");
            let events = events.unwrap_or_default().split(',').map(str::trim);
            let events: Vec<&str> = events
                .filter(|event| ["pre-delete", "post-delete"].contains(event))
                .collect();
            let events = events.join(",");
            if !events.is_empty() {
                let object = &mut manifest.object;
                object.set_metadata("annotations", "helm.sh/hook", &events);
                kept.push(manifest);
            }
        }
    }
    Ok(kept)
}

/// A release as Helm stores it: JSON, gzipped, in base64 (helm v4
/// `pkg/storage/driver/util.go`), which a Secret has in base64 once more.
fn release(record: &Object) -> Result<Value, String> {
    let stored = record.text(&["data", "release"]);
    let decode = |text: &[u8]| STANDARD.decode(text).map_err(|error| error.to_string());
    let packed = match record.kind() {
        "Secret" => decode(&decode(stored.as_bytes())?)?,
        _ => decode(stored.as_bytes())?,
    };
    // Releases of old are not packed.
    let mut text = Vec::new();
    if packed.starts_with(&[0x1f, 0x8b]) {
        let unpacked = flate2::read::GzDecoder::new(packed.as_slice()).take(MOST);
        let mut unpacked = unpacked;
        unpacked
            .read_to_end(&mut text)
            .map_err(|error| error.to_string())?;
    } else {
        text = packed;
    }
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

/// The kapp app of this name, with all that its label finds.
async fn kapp(cluster: &Cluster, app: &App) -> Result<Option<Adoptable>, Error> {
    let discovery = cluster.discovery().await?;
    let Some(kind) = discovery.preferred("", "ConfigMap") else {
        return Ok(None);
    };
    let namespace = Some(app.record_namespace());
    let apps = Selector {
        labels: "kapp.k14s.io/is-app".to_owned(),
        fields: String::new(),
    };
    let qualified = format!("{}.apps.k14s.io", app.name);
    let apps = cluster.list(kind, namespace, &apps).await?;
    let is_meant = |record: &&Object| record.name() == app.name || record.name() == qualified;
    let Some(record) = apps.iter().find(is_meant) else {
        return Ok(None);
    };
    let unreadable = |reason: String| Error::Adopt {
        record: record.reference(),
        reason,
    };
    let spec: Value = serde_json::from_str(record.text(&["data", "spec"]))
        .map_err(|error| unreadable(error.to_string()))?;
    let label = spec["labelValue"].as_str().unwrap_or_default();
    if label.is_empty() {
        return Err(unreadable("it holds no label".to_owned()));
    }
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let used = spec["usedGKs"].as_array().map_or(&[][..], Vec::as_slice);
    let kinds = used
        .iter()
        .filter_map(|used| discovery.preferred(&text(used, "Group"), &text(used, "Kind")));
    let members = Selector::label(KAPP_LABELS[0], label);
    let lists: Vec<Vec<Object>> = stream::iter(kinds)
        .map(|kind| everywhere(cluster, kind, &app.namespace, &members))
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    let members = lists.into_iter().flatten().filter(is_kapps_own);
    let manifests = members.map(|live| asked_of_kapp(&live)).collect();
    let changes = Selector::label("kapp.k14s.io/app-change-app-label", label);
    let mut records = cluster.list(kind, namespace, &changes).await?;
    records.push(record.clone());
    Ok(Some(Adoptable {
        deployer: Deployer::Kapp,
        name: format!("kapp app {}", app.name),
        owner: label.to_owned(),
        manifests,
        hooks: Vec::new(),
        records,
    }))
}

/// Lists in the whole cluster; whoever may not, in one namespace.
async fn everywhere(
    cluster: &Cluster,
    kind: &Kind,
    namespace: &str,
    selector: &Selector,
) -> Result<Vec<Object>, cluster::Error> {
    match cluster.list(kind, None, selector).await {
        Err(cluster::Error::Forbidden { .. }) if kind.namespaced => {
            cluster.list(kind, Some(namespace), selector).await
        }
        other => other,
    }
}

/// Whether kapp applied an object itself: controllers copy its label, and not the identity.
fn is_kapps_own(live: &Object) -> bool {
    let target = live.reference();
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let own = format!(
        "v1;{namespace}/{}/{}/{};",
        target.group, target.kind, target.name
    );
    live.annotation(kapp::IDENTITY)
        .is_some_and(|identity| identity.starts_with(&own))
}

/// An object as kapp was asked for it: its own copy, else the live one without what the server adds.
fn asked_of_kapp(live: &Object) -> Manifest {
    let original = live.annotation(kapp::ORIGINAL);
    let original = original.and_then(|text| serde_json::from_str(text).ok());
    let mut object = original.and_then(Object::new).unwrap_or_else(|| bare(live));
    for (field, keys) in [
        ("labels", &KAPP_LABELS[..]),
        ("annotations", &kapp::NOTES[..]),
    ] {
        let map = object.tree_mut()["metadata"][field].as_object_mut();
        if let Some(map) = map {
            map.retain(|key, _| !keys.contains(&key.as_str()));
        }
        if object.tree()["metadata"][field] == json!({})
            || object.tree()["metadata"][field].is_null()
        {
            drop(
                object.tree_mut()["metadata"]
                    .as_object_mut()
                    .and_then(|map| map.remove(field)),
            );
        }
    }
    Manifest {
        source: Source {
            file: format!("{} of kapp", live.reference()),
            line: 1,
        },
        object,
    }
}

/// A live object without what the server put on it.
fn bare(live: &Object) -> Object {
    let mut bare = live.clone();
    if let Some(root) = bare.tree_mut().as_object_mut() {
        root.remove("status");
    }
    if let Some(metadata) = bare.tree_mut()["metadata"].as_object_mut() {
        metadata.retain(|key, _| {
            ["name", "namespace", "labels", "annotations", "finalizers"].contains(&key.as_str())
        });
    }
    bare
}

/// Keeps kapp's labels where they cannot go: in selectors, which cannot change, and in templates,
/// whose pods would be restarted. What kapp put on the object itself goes.
pub(super) fn keep_scope(desired: &mut Object, live: &Object) {
    if let (Some(desired), Some(live)) = (desired.tree_mut().get_mut("spec"), live.get(&["spec"])) {
        keep_labels(desired, live);
    }
}

fn keep_labels(desired: &mut Value, live: &Value) {
    match (desired, live) {
        (Value::Object(desired), Value::Object(live)) => {
            keep_own(desired, live);
            for (key, desired) in desired {
                if let Some(live) = live.get(key) {
                    keep_labels(desired, live);
                }
            }
        }
        (Value::Array(desired), Value::Array(live)) => {
            for (desired, live) in desired.iter_mut().zip(live) {
                keep_labels(desired, live);
            }
        }
        _ => {}
    }
}

fn keep_own(desired: &mut Map<String, Value>, live: &Map<String, Value>) {
    for key in KAPP_LABELS {
        if let (Some(value), false) = (live.get(key), desired.contains_key(key)) {
            desired.insert(key.to_owned(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn packed(release: &Value) -> String {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(release.to_string().as_bytes()).unwrap();
        STANDARD.encode(packer.finish().unwrap())
    }

    #[test]
    fn a_release_is_unpacked_with_its_hooks_of_the_deletion() {
        let inner = packed(&json!({"name": "web", "manifest": "kind: A\n"}));
        let secret = json!({"kind": "Secret", "data": {"release": STANDARD.encode(&inner)}});
        let read = |tree: Value| release(&Object::new(tree).unwrap());
        assert_eq!(read(secret).unwrap()["manifest"], "kind: A\n");
        let map = json!({"kind": "ConfigMap", "data": {"release": inner}});
        assert_eq!(read(map).unwrap()["manifest"], "kind: A\n");
        assert!(read(json!({"kind": "Secret", "data": {"release": "***"}})).is_err());
        assert!(read(json!({"kind": "Secret"})).is_err());
        let hook = |name: &str, events: &str| {
            let text = format!(
                "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  annotations: {{helm.sh/hook: '{events}'}}\n"
            );
            json!({"manifest": text})
        };
        let release =
            json!({"hooks": [hook("a", "pre-install"), hook("b", "pre-install, post-delete")]});
        let source = Source {
            file: "release".to_owned(),
            line: 1,
        };
        let kept = deletion_hooks(&release, &source).unwrap();
        assert_eq!(kept.len(), 1);
        assert_eq!(
            kept[0].object.annotation("helm.sh/hook"),
            Some("post-delete")
        );
    }

    #[test]
    fn what_kapp_put_on_an_object_goes_and_what_it_scoped_stays() {
        let live = Object::new(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "n", "uid": "1",
                "labels": {"kapp.k14s.io/app": "17", "kapp.k14s.io/association": "v1.x", "a": "b"},
                "annotations": {"kapp.k14s.io/identity": "v1;n/apps/Deployment/web;apps/v1"}},
            "spec": {"selector": {"matchLabels": {"app": "web", "kapp.k14s.io/app": "17"}},
                "template": {"metadata": {"labels": {"app": "web", "kapp.k14s.io/app": "17"}}}},
            "status": {}}))
        .unwrap();
        assert!(is_kapps_own(&live));
        let asked = asked_of_kapp(&live).object;
        assert_eq!(
            asked.tree()["metadata"],
            json!({"name": "web", "namespace": "n", "labels": {"a": "b"}})
        );
        let mut desired = Object::new(json!({"kind": "Deployment",
            "spec": {"selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}}}}))
        .unwrap();
        keep_scope(&mut desired, &live);
        assert_eq!(desired.tree()["spec"], live.tree()["spec"]);
    }

    #[test]
    fn what_a_controller_made_is_not_kapps() {
        let copy = Object::new(json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": "web-1", "namespace": "n",
                "annotations": {"kapp.k14s.io/identity": "v1;n/apps/Deployment/web;apps/v1"}}}))
        .unwrap();
        assert!(!is_kapps_own(&copy));
    }
}
