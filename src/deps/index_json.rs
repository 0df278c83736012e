//! `index.yaml` in the form of JSON, which Helm reads too: of what it holds only the versions asked for are kept, however
//! much of it there is.

use super::index::{Entry, Found};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt::{Formatter, Result as FmtResult};
use windlass_helm::sprig::semver;

/// The most versions of one chart; the largest public repositories have some thousands.
const MAX_VERSIONS: usize = 100_000;

/// The API version, and the versions of the charts asked for in their order.
pub(super) fn read(text: &[u8], names: &[&str]) -> serde_json::Result<(String, Found)> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let index = Index(names).deserialize(&mut json)?;
    json.end()?;
    Ok(index)
}

struct Index<'a>(&'a [&'a str]);

impl<'de> DeserializeSeed<'de> for Index<'_> {
    type Value = (String, Found);

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Index<'_> {
    type Value = (String, Found);

    fn expecting(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str("an index of charts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut version, mut found) = Self::Value::default();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match key.as_ref() {
                "apiVersion" => version = map.next_value()?,
                "entries" => found = map.next_value_seed(Charts(self.0))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok((version, found))
    }
}

struct Charts<'a>(&'a [&'a str]);

impl<'de> DeserializeSeed<'de> for Charts<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Found, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Charts<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str("charts by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let mut found = Found::new();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if self.0.contains(&key.as_ref()) {
                let versions = map.next_value::<Option<Versions>>()?;
                found.insert(key.into_owned(), versions.unwrap_or_default().0);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// The entries of a chart that have a version.
#[derive(Default)]
struct Versions(Vec<Entry>);

impl<'de> Deserialize<'de> for Versions {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(Self::default())
    }
}

impl<'de> Visitor<'de> for Versions {
    type Value = Self;

    fn expecting(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str("a list of versions")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Self, A::Error> {
        while let Some(entry) = list.next_element::<Option<Entry>>()? {
            self.0
                .extend(entry.filter(|entry| semver::is_version(&entry.version)));
            if self.0.len() > MAX_VERSIONS {
                return Err(A::Error::custom(format!(
                    "a chart has more than {MAX_VERSIONS} versions"
                )));
            }
        }
        Ok(self)
    }
}
