//! Values: reading them, composing what the user gives, finding one by its path.
//!
//! Follows helm v4 `pkg/cli/values/options.go`, in both profiles. What the charts' defaults add is in
//! `coalesce.rs`.

use super::strvals::{self, Mode};
use super::{Error, Profile};
use crate::limits::deep;
use crate::value::{List, Map, MapKind, Value};
use crate::yaml;
use std::collections::BTreeMap;

/// What the user gives beyond the chart's defaults, in Helm's order of precedence from low to high.
///
/// Within one list the last wins, and lists lower in the order below win over those above. Nothing is read from
/// the disk: the caller brings the texts of `-f` and `--set-file`.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `-f`: name (for messages) and text of each file.
    pub files: Vec<(String, Vec<u8>)>,
    /// `--set-json`.
    pub set_json: Vec<String>,
    /// `--set`.
    pub set: Vec<String>,
    /// `--set-string`.
    pub set_string: Vec<String>,
    /// `--set-file`; the files' contents are in `contents`, see [`set_file_paths`].
    pub set_file: Vec<String>,
    /// The files that `set_file` names, by path as written there.
    pub contents: BTreeMap<String, Vec<u8>>,
    /// `--set-literal`.
    pub set_literal: Vec<String>,
}

/// The paths of the files that a `--set-file` argument names.
///
/// The caller reads them into [`Overrides::contents`]:
///
/// ```
/// use windlass_helm::chart::{Overrides, Profile, compose, set_file_paths};
///
/// let argument = "tls.key=key.pem,tls.crt=crt.pem".to_owned();
/// let paths = set_file_paths(&argument)?;
/// assert_eq!(paths, ["key.pem", "crt.pem"]);
///
/// let contents = paths.into_iter().map(|path| (path, b"PEM".to_vec())).collect();
/// let overrides = Overrides { set_file: vec![argument], contents, ..Overrides::default() };
/// assert!(compose(&overrides, Profile::Helm4)?.contains("tls"));
/// # Ok::<(), windlass_helm::chart::Error>(())
/// ```
///
/// # Errors
/// The argument is malformed.
pub fn set_file_paths(argument: &str) -> Result<Vec<String>, Error> {
    let mut paths = Vec::new();
    let mut record = |path: &str| {
        paths.push(path.to_owned());
        Ok(Vec::new())
    };
    strvals::parse_into(argument, &Map::new(MapKind::Any), Mode::File(&mut record))
        .map_err(|error| Error::Values(format!("failed parsing --set-file data: {error}")))?;
    Ok(paths)
}

/// The user's values as one map.
///
/// ```
/// use windlass_helm::chart::{compose, Overrides, Profile};
/// use windlass_helm::json::to_json;
/// use windlass_helm::value::Value;
///
/// let overrides = Overrides {
///     files: vec![("prod.yaml".to_owned(), b"image: {tag: v1}".to_vec())],
///     set: vec!["image.tag=v2,ports[0]=80".to_owned()],
///     ..Overrides::default()
/// };
/// let values = compose(&overrides, Profile::Helm4)?;
/// let text = to_json(&Value::Map(values))?;
/// assert_eq!(text.to_text(), r#"{"image":{"tag":"v2"},"ports":[80]}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A file that is no map, or a malformed argument, with Helm's texts.
pub fn compose(overrides: &Overrides, profile: Profile) -> Result<Map, Error> {
    let mut base = Map::new(MapKind::Any);
    for (name, text) in &overrides.files {
        let file = read(text, profile)
            .map_err(|error| Error::Values(format!("failed to parse {name}: {error}")))?;
        base = overlay(&base, &file);
    }
    for argument in &overrides.set_json {
        base = set_json(base, argument, profile)?;
    }
    let mut read_file = |path: &str| {
        let content = overrides.contents.get(path).cloned();
        content.ok_or_else(|| format!("open {path}: no such file or directory"))
    };
    let flag = |flag: &'static str| {
        move |error: String| Error::Values(format!("failed parsing {flag} data: {error}"))
    };
    for argument in &overrides.set {
        strvals::parse_into(argument, &base, Mode::Typed).map_err(flag("--set"))?;
    }
    for argument in &overrides.set_string {
        strvals::parse_into(argument, &base, Mode::Text).map_err(flag("--set-string"))?;
    }
    for argument in &overrides.set_file {
        let mode = Mode::File(&mut read_file);
        strvals::parse_into(argument, &base, mode).map_err(flag("--set-file"))?;
    }
    for argument in &overrides.set_literal {
        strvals::parse_into(argument, &base, Mode::Literal).map_err(flag("--set-literal"))?;
    }
    Ok(base)
}

/// One `--set-json`: in Helm 4 also a whole object.
fn set_json(base: Map, argument: &str, profile: Profile) -> Result<Map, Error> {
    if argument.trim().starts_with('{') && !profile.is_helm3() {
        return match serde_json::from_str(argument.trim()).map(strvals::from_json) {
            Ok(Value::Map(object)) => Ok(overlay(&base, &object)),
            _ => Err(Error::Values(format!(
                "failed parsing --set-json data JSON: {argument}"
            ))),
        };
    }
    strvals::parse_into(argument, &base, Mode::Json)
        .map_err(|_| Error::Values(format!("failed parsing --set-json data {argument}")))?;
    Ok(base)
}

/// Reads a values file. Helm 4 merges all documents of it, Helm 3 sees only the first.
pub(super) fn read(text: &[u8], profile: Profile) -> Result<Map, String> {
    if profile.is_helm3() {
        return table(text);
    }
    let mut values = Map::new(MapKind::Any);
    for document in documents(text)? {
        let table =
            table(&document).map_err(|error| format!("cannot unmarshal yaml document: {error}"))?;
        values = overlay(&values, &table);
    }
    Ok(values)
}

fn table(text: &[u8]) -> Result<Map, String> {
    yaml::from_yaml_map(text).map_err(|error| error.to_string())
}

/// Splits a values file at lines that begin with `---`.
///
/// Follows k8s.io/apimachinery `pkg/util/yaml/decoder.go`, `YAMLReader`.
fn documents(text: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut out = Vec::new();
    let mut document = Vec::new();
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut is_separator = false;
        if let Some(rest) = line.strip_prefix(b"---") {
            let rest = String::from_utf8_lossy(rest);
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                return Err(format!(
                    "error reading yaml document: invalid Yaml document separator: {rest}"
                ));
            }
            is_separator = !document.is_empty();
        }
        if is_separator {
            out.push(std::mem::take(&mut document));
        } else {
            document.extend_from_slice(line);
            document.push(b'\n');
        }
    }
    if !document.is_empty() {
        out.push(document);
    }
    Ok(out)
}

/// `over` laid over `base`: maps are merged, everything else is replaced, also by null.
fn overlay(base: &Map, over: &Map) -> Map {
    deep(|| {
        let out = base.shallow_copy();
        for (key, value) in over.entries() {
            let merged = match (out.get(&key), &value) {
                (Some(Value::Map(below)), Value::Map(above)) => Value::Map(overlay(&below, above)),
                _ => value,
            };
            out.insert(key, merged);
        }
        out
    })
}

/// A copy that shares no map with the original.
pub(super) fn deep_copy(map: &Map) -> Map {
    deep(|| {
        let out = Map::new(MapKind::Any);
        for (key, value) in map.entries() {
            out.insert(key, copy_value(&value));
        }
        out
    })
}

/// A copy whose maps and lists are its own all the way down.
pub(super) fn copy_value(value: &Value) -> Value {
    match value {
        Value::Map(map) if !map.is_nil() => Value::Map(deep_copy(map)),
        Value::List(list) if !list.is_nil() => {
            let items = deep(|| list.items().iter().map(copy_value).collect());
            Value::List(List::new(items, list.elem()))
        }
        other => other.clone(),
    }
}

/// The table at a dotted path.
pub(super) fn table_at(values: &Map, path: &str) -> Option<Map> {
    let mut table = values.clone();
    for name in path.split('.') {
        match table.get(name) {
            Some(Value::Map(next)) => table = next,
            _ => return None,
        }
    }
    Some(table)
}

/// The value at a dotted path, unless it is a table.
pub(super) fn value_at(values: &Map, path: &str) -> Option<Value> {
    let (table, key) = match path.rsplit_once('.') {
        Some((table, key)) => (table_at(values, table)?, key),
        None => (values.clone(), path),
    };
    table
        .get(key)
        .filter(|value| !matches!(value, Value::Map(_)))
}

#[cfg(test)]
mod tests {
    use super::{Overrides, compose};
    use crate::chart::Profile;
    use crate::value::Value;

    #[test]
    fn later_sources_win() {
        let overrides = Overrides {
            files: vec![
                ("a".into(), b"x: {a: 1, b: 2}\nk: 1\n---\nk: 2\n".to_vec()),
                ("b".into(), b"x: {b: 3}\nz: null\n".to_vec()),
            ],
            set_json: vec![r#"x.c={"d":1}"#.into(), r#"{"w": [1]}"#.into()],
            set: vec!["x.a=s".into()],
            set_string: vec!["n=1".into()],
            set_file: vec!["f=p.txt".into()],
            contents: [("p.txt".to_owned(), b"text".to_vec())].into(),
            set_literal: vec!["l={a,b}".into()],
        };
        let composed = compose(&overrides, Profile::Helm4).unwrap();
        insta::assert_snapshot!(
            crate::yaml::emit::to_yaml(&Value::Map(composed)).unwrap().to_text(),
            @r#"
        f: text
        k: 2
        l: '{a,b}'
        "n": "1"
        w:
        - 1
        x:
          a: s
          b: 3
          c:
            d: 1
        z: null
        "#
        );
    }
}
