//! Helm's `lookup`, answered by the cluster. Reads only.
//!
//! The engine knows no network: a render that asks for something not yet read is answered with nothing
//! and thrown away, the objects are read, and the chart is rendered again in the same world. Each object
//! is read once, so all templates see the same.

use super::Error;
use crate::cluster::{Cluster, Selector};
use crate::diff::Masker;
use crate::object::{Gvk, Object, ObjectRef};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use windlass_helm::chart::Rendered;
use windlass_helm::template::{Query, World};

/// How often what is read may make a chart ask for more.
const MAX_ROUNDS: usize = 50;

/// What is known so far, and what was asked beyond it.
#[derive(Default)]
struct Answers {
    known: BTreeMap<Query, Result<Value, String>>,
    wanted: BTreeSet<Query>,
}

impl Answers {
    fn answer(&mut self, query: &Query) -> Result<Value, String> {
        if let Some(known) = self.known.get(query) {
            return known.clone();
        }
        self.wanted.insert(query.clone());
        Ok(json!({}))
    }
}

/// Renders until everything that the templates look up was read. Secrets among it are masked from then
/// on, also in the error of the render.
pub(super) async fn render(
    cluster: &Cluster,
    masker: &Masker,
    world: &World,
    mut render: impl FnMut(&mut World) -> Result<Rendered, Error>,
) -> Result<Rendered, Error> {
    let answers = Rc::new(RefCell::new(Answers::default()));
    for _ in 0..MAX_ROUNDS {
        let mut world = world.again();
        let asked = Rc::clone(&answers);
        world.lookup = Some(Box::new(move |query| asked.borrow_mut().answer(query)));
        let rendered = render(&mut world);
        let wanted = std::mem::take(&mut answers.borrow_mut().wanted);
        if wanted.is_empty() {
            return rendered.map_err(|error| error.scrubbed(&|text| masker.scrub(text)));
        }
        for query in wanted {
            let answer = read(cluster, masker, &query).await;
            answers.borrow_mut().known.insert(query, answer);
        }
    }
    Err(Error::failed(format!(
        "the chart looks up other objects after each of {MAX_ROUNDS} renders"
    )))
}

/// What `lookup` gives for a query. Follows helm v4 `pkg/engine/lookup_func.go`: nothing found is an empty
/// object, and so is a kind that the group does not have.
async fn read(cluster: &Cluster, masker: &Masker, query: &Query) -> Result<Value, String> {
    let text = |error: crate::cluster::Error| error.to_string();
    let gvk = Gvk::new(&query.api_version, &query.kind);
    let discovery = cluster.discovery().await.map_err(text)?;
    let Some(kind) = discovery.find(&gvk) else {
        if discovery.api_versions().contains(&query.api_version) {
            return Ok(json!({}));
        }
        let (version, kind) = (&query.api_version, &query.kind);
        return Err(format!(
            "unable to get apiresource from unstructured: {version}, Kind={kind}: \
             the server could not find the requested resource"
        ));
    };
    let namespace = Some(query.namespace.as_str()).filter(|name| !name.is_empty());
    if query.name.is_empty() {
        let namespace = namespace.filter(|_| kind.namespaced);
        let selector = Selector::default();
        let found = cluster
            .list(kind, namespace, &selector)
            .await
            .map_err(text)?;
        found
            .iter()
            .for_each(|object| masker.mask_everywhere(object));
        let items: Vec<Value> = found.into_iter().map(Object::into_tree).collect();
        let (version, kind) = (&query.api_version, format!("{}List", query.kind));
        return Ok(json!({"apiVersion": version, "kind": kind, "metadata": {}, "items": items}));
    }
    if kind.namespaced && namespace.is_none() {
        return Ok(json!({}));
    }
    let object = ObjectRef {
        group: gvk.group,
        kind: gvk.kind,
        namespace: namespace.filter(|_| kind.namespaced).map(str::to_owned),
        name: query.name.clone(),
    };
    let found = cluster.get_as(kind, &object).await.map_err(text)?;
    Ok(match found {
        Some(found) => {
            masker.mask_everywhere(&found);
            found.into_tree()
        }
        None => json!({}),
    })
}
