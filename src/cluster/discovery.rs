//! Which kinds the server has: aggregated discovery in two requests, kept on disk by ETag; one
//! request per group-version for servers that do not know it.

use super::request::{Request, Verb};
use super::{Cluster, Error};
use crate::file;
use crate::object::Gvk;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                      application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,\
                      application/json";

/// One kind as the server serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Group, version and kind; the version is one that the server serves.
    pub gvk: Gvk,
    /// The name in URLs, for example `deployments`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether they can be listed.
    pub can_list: bool,
    /// Whether they can be deleted.
    pub can_delete: bool,
}

impl Kind {
    /// Secrets, which every server has: reading one need not wait for discovery.
    #[must_use]
    pub fn secret() -> Self {
        Self {
            gvk: Gvk::new("v1", "Secret"),
            plural: "secrets".to_owned(),
            namespaced: true,
            can_list: true,
            can_delete: true,
        }
    }

    /// The path of the kind's collection, in a namespace or for all of them.
    #[must_use]
    pub fn path(&self, namespace: Option<&str>) -> String {
        let Gvk { group, version, .. } = &self.gvk;
        let root = if group.is_empty() {
            format!("/api/{version}")
        } else {
            format!("/apis/{group}/{version}")
        };
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{}", self.plural),
            None => format!("{root}/{}", self.plural),
        }
    }
}

/// All kinds of a server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Discovery {
    /// In the server's order, so that the first version of a group-kind is the preferred one.
    kinds: Vec<Kind>,
    /// Where the kinds of a name stand in `kinds`.
    by_name: HashMap<String, Vec<usize>>,
    /// Groups whose server did not answer: their kinds may be missing.
    stale_groups: BTreeSet<String>,
}

impl Discovery {
    /// The kind in exactly this version, or in the preferred one when the version is not served.
    #[must_use]
    pub fn find(&self, gvk: &Gvk) -> Option<&Kind> {
        self.versions(&gvk.group, &gvk.kind)
            .find(|kind| kind.gvk.version == gvk.version)
    }

    /// The kind in the version that the server prefers.
    #[must_use]
    pub fn preferred(&self, group: &str, kind: &str) -> Option<&Kind> {
        self.versions(group, kind).next()
    }

    /// A kind in all its versions, the preferred one first.
    fn versions(&self, group: &str, kind: &str) -> impl Iterator<Item = &Kind> {
        let named = self.by_name.get(kind).into_iter().flatten();
        let named = named.map(move |index| &self.kinds[*index]);
        named.filter(move |known| known.gvk.group == group)
    }

    /// Notes where each kind stands, once all are there.
    fn indexed(mut self) -> Self {
        for (index, kind) in self.kinds.iter().enumerate() {
            let named = self.by_name.entry(kind.gvk.kind.clone()).or_default();
            named.push(index);
        }
        self
    }

    /// All kinds, each in the version that the server prefers.
    pub fn kinds(&self) -> impl Iterator<Item = &Kind> {
        let mut seen = BTreeSet::new();
        self.kinds
            .iter()
            .filter(move |kind| seen.insert((&kind.gvk.group, &kind.gvk.kind)))
    }

    /// Whether the server of a group did not answer, so that its kinds may be missing.
    #[must_use]
    pub fn is_stale(&self, group: &str) -> bool {
        self.stale_groups.contains(group)
    }

    /// The groups whose server did not answer.
    pub fn stale_groups(&self) -> impl Iterator<Item = &str> {
        self.stale_groups.iter().map(String::as_str)
    }

    /// `group/version` and `group/version/Kind` of everything served: Helm's `APIVersions`.
    #[must_use]
    pub fn api_versions(&self) -> Vec<String> {
        let mut all = BTreeSet::new();
        for kind in &self.kinds {
            all.insert(kind.gvk.api_version());
            all.insert(format!("{}/{}", kind.gvk.api_version(), kind.gvk.kind));
        }
        all.into_iter().collect()
    }

    /// Served kinds like this one: the same kind elsewhere, or a similar name in the same group.
    #[must_use]
    pub fn nearest(&self, gvk: &Gvk) -> Vec<String> {
        let mut near: Vec<String> = self
            .kinds
            .iter()
            .filter(|kind| {
                kind.gvk.kind == gvk.kind
                    || (kind.gvk.group == gvk.group
                        && strsim::jaro(&kind.gvk.kind, &gvk.kind) > 0.85)
            })
            .map(|kind| format!("{} of {}", kind.gvk.kind, kind.gvk.api_version()))
            .collect();
        near.dedup();
        near.truncate(3);
        near
    }

    /// Reads an `APIGroupDiscoveryList`.
    fn add_aggregated(&mut self, list: &Value) {
        for group in array(&list["items"]) {
            let name = text(&group["metadata"]["name"]);
            for version in array(&group["versions"]) {
                if version["freshness"] == "Stale" {
                    self.stale_groups.insert(name.to_owned());
                }
                for resource in array(&version["resources"]) {
                    let response = &resource["responseKind"];
                    let kind = text(&response["kind"]);
                    if kind.is_empty() {
                        continue;
                    }
                    self.kinds.push(Kind {
                        gvk: Gvk {
                            group: name.to_owned(),
                            version: text(&version["version"]).to_owned(),
                            kind: kind.to_owned(),
                        },
                        plural: text(&resource["resource"]).to_owned(),
                        namespaced: resource["scope"] == "Namespaced",
                        can_list: has(&resource["verbs"], "list"),
                        can_delete: has(&resource["verbs"], "delete"),
                    });
                }
            }
        }
    }

    /// Reads an `APIResourceList`, the older form.
    fn add_legacy(&mut self, list: &Value) {
        let at = text(&list["groupVersion"]);
        for resource in array(&list["resources"]) {
            let plural = text(&resource["name"]);
            if plural.contains('/') {
                continue;
            }
            self.kinds.push(Kind {
                gvk: Gvk::new(at, text(&resource["kind"])),
                plural: plural.to_owned(),
                namespaced: resource["namespaced"] == true,
                can_list: has(&resource["verbs"], "list"),
                can_delete: has(&resource["verbs"], "delete"),
            });
        }
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn has(verbs: &Value, verb: &str) -> bool {
    array(verbs).iter().any(|known| known == verb)
}

/// What one discovery answer was, as kept on disk: little beside names, since a cluster may have
/// thousands of kinds and each run reads them all.
///
/// The first line is [`CACHE_FORMAT`], the second the ETag. Then follows a line for each kind, `Kind
/// plural flags`, after a line `=group/version` where that is another one than before.
struct Cached {
    etag: String,
    discovery: Discovery,
}

const CACHE_FORMAT: &str = "windlass discovery 2";
const NAMESPACED: char = 'n';
const CAN_LIST: char = 'l';
const CAN_DELETE: char = 'd';

impl Cached {
    fn write(&self) -> String {
        let mut text = format!("{CACHE_FORMAT}\n{}\n", self.etag);
        let mut at = None;
        for kind in &self.discovery.kinds {
            let Gvk { group, version, .. } = &kind.gvk;
            if at != Some((group, version)) {
                at = Some((group, version));
                text.extend(["=", group, "/", version, "\n"]);
            }
            text.extend([&kind.gvk.kind, " ", &kind.plural, " "]);
            let flags = [
                (NAMESPACED, kind.namespaced),
                (CAN_LIST, kind.can_list),
                (CAN_DELETE, kind.can_delete),
            ];
            text.extend(
                flags
                    .into_iter()
                    .filter_map(|(flag, is)| is.then_some(flag)),
            );
            text.push('\n');
        }
        text
    }

    /// `None` for what no windlass of this format wrote.
    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != CACHE_FORMAT {
            return None;
        }
        let etag = lines.next()?.to_owned();
        let mut discovery = Discovery::default();
        let mut at = ("", "");
        for line in lines {
            if let Some(place) = line.strip_prefix('=') {
                at = place.rsplit_once('/')?;
                continue;
            }
            let (kind, rest) = line.split_once(' ')?;
            let (plural, flags) = rest.split_once(' ')?;
            discovery.kinds.push(Kind {
                gvk: Gvk {
                    group: at.0.to_owned(),
                    version: at.1.to_owned(),
                    kind: kind.to_owned(),
                },
                plural: plural.to_owned(),
                namespaced: flags.contains(NAMESPACED),
                can_list: flags.contains(CAN_LIST),
                can_delete: flags.contains(CAN_DELETE),
            });
        }
        Some(Self { etag, discovery })
    }
}

/// Asks the server for its kinds, or learns that what the disk has is still true.
pub(super) async fn discover(cluster: &Cluster) -> Result<Discovery, Error> {
    let (core, groups) =
        futures::future::try_join(part(cluster, "/api"), part(cluster, "/apis")).await?;
    let mut all = core;
    all.kinds.extend(groups.kinds);
    all.stale_groups.extend(groups.stale_groups);
    Ok(all.indexed())
}

async fn part(cluster: &Cluster, path: &str) -> Result<Discovery, Error> {
    let file = cache_file(cluster, path);
    let cached = file.as_deref().and_then(read_cache);
    let mut request = Request::get(
        Verb::Discover,
        "read the kinds of the server",
        path.to_owned(),
    );
    request.headers.push((http::header::ACCEPT, ACCEPT));
    if let Some(cached) = &cached {
        request
            .headers
            .push((http::header::IF_NONE_MATCH, &cached.etag));
    }
    let answer = cluster.send(request).await?;
    if answer.status == 304
        && let Some(cached) = cached
    {
        return Ok(cached.discovery);
    }
    let list: Value = serde_json::from_slice(&answer.body).map_err(|error| Error::Answer {
        action: "read the kinds of the server".to_owned(),
        reason: error.to_string(),
    })?;
    let mut discovery = Discovery::default();
    if list["kind"] != "APIGroupDiscoveryList" {
        return legacy(cluster, &list).await;
    }
    discovery.add_aggregated(&list);
    let etag = answer
        .headers
        .get(http::header::ETAG)
        .and_then(|value| value.to_str().ok());
    // An incomplete answer must be asked for again.
    if let (Some(file), Some(etag), true) = (file, etag, discovery.stale_groups.is_empty()) {
        let cached = Cached {
            etag: etag.to_owned(),
            discovery,
        };
        write_cache(&file, &cached.write());
        return Ok(cached.discovery);
    }
    Ok(discovery)
}

/// One request per group-version, preferred versions first.
async fn legacy(cluster: &Cluster, root: &Value) -> Result<Discovery, Error> {
    let mut paths: Vec<(String, String)> = array(&root["versions"])
        .iter()
        .map(|version| (String::new(), format!("/api/{}", text(version))))
        .collect();
    for group in array(&root["groups"]) {
        let preferred = text(&group["preferredVersion"]["groupVersion"]);
        let mut versions: Vec<&str> = array(&group["versions"])
            .iter()
            .map(|version| text(&version["groupVersion"]))
            .collect();
        versions.sort_by_key(|version| *version != preferred);
        let name = text(&group["name"]).to_owned();
        paths.extend(
            versions
                .into_iter()
                .map(|version| (name.clone(), format!("/apis/{version}"))),
        );
    }
    let lists = futures::future::join_all(paths.iter().map(|(_, path)| async move {
        let request = Request::get(Verb::Discover, "read the kinds of the server", path.clone());
        cluster.send(request).await
    }))
    .await;
    let mut discovery = Discovery::default();
    for ((group, _), answer) in paths.iter().zip(lists) {
        match answer.map(|answer| serde_json::from_slice::<Value>(&answer.body)) {
            Ok(Ok(list)) => discovery.add_legacy(&list),
            // One broken extension server must not stop everything else.
            _ => drop(discovery.stale_groups.insert(group.clone())),
        }
    }
    Ok(discovery)
}

fn cache_file(cluster: &Cluster, path: &str) -> Option<PathBuf> {
    let server: String = cluster
        .inner
        .url
        .chars()
        .map(|char| {
            if char.is_ascii_alphanumeric() {
                char
            } else {
                '_'
            }
        })
        .collect();
    Some(
        cluster
            .inner
            .cache_dir
            .as_ref()?
            .join(server)
            .join(format!("discovery{}.txt", path.replace('/', "-"))),
    )
}

fn read_cache(file: &Path) -> Option<Cached> {
    Cached::read(&std::fs::read_to_string(file).ok()?)
}

/// A cache that cannot be written costs a request next time and is no error.
fn write_cache(path: &Path, text: &str) {
    let written = file::write(path, file::Kind::Inner, text.as_bytes());
    if let Err(error) = written {
        tracing::debug!(%error, "discovery cache not written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Discovery {
        let mut discovery = Discovery::default();
        discovery.add_aggregated(&json!({"items": [
            {"metadata": {}, "versions": [{"version": "v1", "resources": [
                {"resource": "secrets", "scope": "Namespaced", "responseKind": {"kind": "Secret"}, "verbs": ["list"]},
                {"resource": "namespaces", "scope": "Cluster", "responseKind": {"kind": "Namespace"}, "verbs": ["list"]}]}]},
            {"metadata": {"name": "autoscaling"}, "versions": [
                {"version": "v2", "freshness": "Current", "resources": [
                    {"resource": "horizontalpodautoscalers", "scope": "Namespaced",
                     "responseKind": {"kind": "HorizontalPodAutoscaler"}, "verbs": []}]},
                {"version": "v1", "freshness": "Stale", "resources": [
                    {"resource": "horizontalpodautoscalers", "scope": "Namespaced",
                     "responseKind": {"kind": "HorizontalPodAutoscaler"}, "verbs": []}]}]}]}));
        discovery.indexed()
    }

    #[test]
    fn what_is_kept_on_disk_is_read_again() {
        let kept = Cached {
            etag: "\"E\"".to_owned(),
            discovery: sample(),
        };
        insta::assert_snapshot!(kept.write(), @r#"
        windlass discovery 2
        "E"
        =/v1
        Secret secrets nl
        Namespace namespaces l
        =autoscaling/v2
        HorizontalPodAutoscaler horizontalpodautoscalers n
        =autoscaling/v1
        HorizontalPodAutoscaler horizontalpodautoscalers n
        "#);
        let read = Cached::read(&kept.write()).unwrap();
        assert_eq!(read.etag, kept.etag);
        assert_eq!(read.discovery.kinds, kept.discovery.kinds);
        for other in [
            "",
            "{\"format_version\":1}",
            "windlass discovery 2\n\"E\"\nKind",
        ] {
            assert!(Cached::read(other).is_none());
        }
    }

    #[test]
    fn prefers_the_first_version_and_finds_the_others() {
        let discovery = sample();
        let preferred = discovery
            .preferred("autoscaling", "HorizontalPodAutoscaler")
            .unwrap();
        assert_eq!(preferred.gvk.version, "v2");
        let old = discovery
            .find(&Gvk::new("autoscaling/v1", "HorizontalPodAutoscaler"))
            .unwrap();
        assert_eq!(
            old.path(Some("x")),
            "/apis/autoscaling/v1/namespaces/x/horizontalpodautoscalers"
        );
        assert!(discovery.is_stale("autoscaling"));
    }

    #[test]
    fn makes_paths_of_core_and_cluster_kinds() {
        let discovery = sample();
        let secret = discovery.preferred("", "Secret").unwrap();
        assert_eq!(secret.path(None), "/api/v1/secrets");
        let namespace = discovery.preferred("", "Namespace").unwrap();
        assert_eq!(namespace.path(Some("ignored")), "/api/v1/namespaces");
    }

    #[test]
    fn offers_kinds_with_a_similar_name() {
        assert_eq!(
            sample().nearest(&Gvk::new("v1", "Secrets")),
            ["Secret of v1"]
        );
    }
}
