//! Reading: one object, or all of a kind that carry a label.

use super::request::{Request, Verb};
use super::{Cluster, Error, Kind, action, parse};
use crate::object::{Object, ObjectRef};
use crate::percent::encode;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// How many objects one answer holds.
const PAGE: usize = 500;

const METADATA_ONLY: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// Which objects of a collection are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// A label selector; empty for all.
    pub labels: String,
    /// A field selector; empty for all.
    pub fields: String,
}

impl Selector {
    /// Objects with a label of this value.
    #[must_use]
    pub fn label(key: &str, value: &str) -> Self {
        Self {
            labels: format!("{key}={value}"),
            fields: String::new(),
        }
    }

    /// The query of a URL, beginning with `?` or `&`.
    pub(super) fn query(&self) -> String {
        let mut query = String::new();
        for (key, value) in [
            ("labelSelector", &self.labels),
            ("fieldSelector", &self.fields),
        ] {
            if !value.is_empty() {
                query.extend(["&", key, "=", &encode(value)]);
            }
        }
        query
    }
}

/// A list with the version of the collection that it shows.
pub(super) struct Listed {
    pub(super) objects: Vec<Object>,
    pub(super) resource_version: String,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMeta,
    #[serde(default)]
    items: Option<Vec<Value>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PageMeta {
    resource_version: String,
    r#continue: String,
}

impl Cluster {
    /// One object, `None` when it does not exist.
    ///
    /// # Errors
    /// When the kind is unknown or the server refuses.
    pub async fn get(&self, object: &ObjectRef) -> Result<Option<Object>, Error> {
        let kind = self.kind_of(object).await?;
        self.get_as(&kind, object).await
    }

    /// One object in the version of `kind`.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn get_as(&self, kind: &Kind, object: &ObjectRef) -> Result<Option<Object>, Error> {
        let action = action(Verb::Get, object);
        let path = format!(
            "{}/{}",
            kind.path(object.namespace.as_deref()),
            encode(&object.name)
        );
        match self.send(Request::get(Verb::Get, &action, path)).await {
            Ok(answer) => Ok(Some(read_object(&action, &answer.body)?)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All objects of a kind that match, in one namespace or in the whole cluster.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn list(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        selector: &Selector,
    ) -> Result<Vec<Object>, Error> {
        Ok(self.list_at(kind, namespace, selector).await?.objects)
    }

    pub(super) async fn list_at(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        selector: &Selector,
    ) -> Result<Listed, Error> {
        let action = list_action(Verb::List, kind, namespace);
        let mut objects = Vec::new();
        let mut from = String::new();
        loop {
            let path = format!(
                "{}?limit={PAGE}{}{}",
                kind.path(namespace),
                selector.query(),
                continued(&from)
            );
            let answer = match self.send(Request::get(Verb::List, &action, path)).await {
                // The next page is too old by now: begin again.
                Err(Error::Api { code: 410, .. }) if !from.is_empty() => {
                    objects.clear();
                    from.clear();
                    continue;
                }
                other => other?,
            };
            let page: Page = parse(&action, &answer.body)?;
            for item in page.items.unwrap_or_default() {
                objects.extend(complete(item, kind));
            }
            from = page.metadata.r#continue;
            if from.is_empty() {
                return Ok(Listed {
                    objects,
                    resource_version: page.metadata.resource_version,
                });
            }
        }
    }
}

impl Cluster {
    /// The metadata of the objects of a kind that match: no more than one page of them.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn metadata(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        selector: &Selector,
    ) -> Result<Vec<Object>, Error> {
        let action = list_action(Verb::List, kind, namespace);
        let path = kind.path(namespace);
        let path = format!("{path}?limit={PAGE}{}", selector.query());
        let mut request = Request::get(Verb::List, &action, path);
        request.headers.push((http::header::ACCEPT, METADATA_ONLY));
        let page: Page = parse(&action, &self.send(request).await?.body)?;
        let items = page.items.unwrap_or_default().into_iter();
        Ok(items.filter_map(|item| complete(item, kind)).collect())
    }

    /// The names of all objects of a kind in a namespace, without their content; `None` when there
    /// are more than `pages` pages of them.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn names(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        pages: usize,
    ) -> Result<Option<BTreeSet<String>>, Error> {
        let action = list_action(Verb::List, kind, namespace);
        let mut names = BTreeSet::new();
        let mut from = String::new();
        for _ in 0..pages {
            let path = format!("{}?limit={PAGE}{}", kind.path(namespace), continued(&from));
            let mut request = Request::get(Verb::List, &action, path);
            request.headers.push((http::header::ACCEPT, METADATA_ONLY));
            let page: Page = parse(&action, &self.send(request).await?.body)?;
            for item in page.items.unwrap_or_default() {
                names.extend(item["metadata"]["name"].as_str().map(str::to_owned));
            }
            from = page.metadata.r#continue;
            if from.is_empty() {
                return Ok(Some(names));
            }
        }
        Ok(None)
    }
}

fn continued(from: &str) -> String {
    if from.is_empty() {
        String::new()
    } else {
        format!("&continue={}", encode(from))
    }
}

/// `list deployments in namespace staging`.
pub(super) fn list_action(verb: Verb, kind: &Kind, namespace: Option<&str>) -> String {
    let place = match namespace.filter(|_| kind.namespaced) {
        Some(namespace) => format!("namespace {namespace}"),
        None => "the cluster".to_owned(),
    };
    format!("{} {} in {place}", verb.word(), kind.plural)
}

/// Items of a list carry neither `apiVersion` nor `kind`.
fn complete(mut item: Value, kind: &Kind) -> Option<Object> {
    let map = item.as_object_mut()?;
    map.insert("apiVersion".to_owned(), Value::from(kind.gvk.api_version()));
    map.insert("kind".to_owned(), Value::from(kind.gvk.kind.as_str()));
    Object::new(item)
}

pub(super) fn read_object(action: &str, body: &[u8]) -> Result<Object, Error> {
    Object::new(parse(action, body)?).ok_or_else(|| Error::Answer {
        action: action.to_owned(),
        reason: "it is not an object".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_selectors_for_a_query() {
        let selector = Selector {
            labels: "a/b=c".to_owned(),
            fields: "x.y=1".to_owned(),
        };
        assert_eq!(
            selector.query(),
            "&labelSelector=a%2Fb%3Dc&fieldSelector=x.y%3D1"
        );
    }
}
