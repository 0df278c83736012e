//! Trees to values: what `sigs.k8s.io/yaml` makes of a document, for templates and for Kubernetes.
//!
//! Templates get Go's view of JSON: every number a `float64`, every key a string. Kubernetes gets
//! JSON itself, with exact integers. Follows go.yaml.in/yaml/v2 decode.go and sigs.k8s.io/yaml.

use super::error::{Error, ErrorKind};
use super::node::{Document, NodeId, NodeKind, parse_first, split_documents};
use super::resolve::{Scalar, TAG_PREFIX, resolve};
use super::target::{Exact, Shown, Target, Whole};
use crate::limits::{ALIAS_RANGE_HIGH, ALIAS_RANGE_LOW, deep};
use crate::value::number::format_float;
use crate::value::{List, Map, MapKind, Str, Value};

/// Reads the first document as `yaml.Unmarshal` of sigs.k8s.io/yaml does into an `any`.
///
/// Numbers become `float64`, as JSON has them, keys and dates strings:
///
/// ```
/// use windlass_helm::{json, yaml};
///
/// let value = yaml::from_yaml(b"{yes: 1, port: 0x50, at: 2001-01-01}")?;
/// let text = json::to_json(&value)?;
/// assert_eq!(text.to_text(), r#"{"at":"2001-01-01","port":80,"true":1}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The whole text that Go prints: `error converting YAML to JSON: yaml: line 1: …`.
pub fn from_yaml(text: &[u8]) -> Result<Value, Error> {
    read_first::<Value>(text).map_err(|error| error.prefixed("error converting YAML to JSON: "))
}

/// Reads the first document as `yaml.Unmarshal` of sigs.k8s.io/yaml does into a
/// `map[string]interface {}`; an empty document is an empty map.
///
/// ```
/// use windlass_helm::yaml::from_yaml_map;
///
/// assert!(from_yaml_map(b"# nothing")?.is_empty());
/// let error = from_yaml_map(b"[1]").unwrap_err();
/// assert!(error.message.ends_with("cannot unmarshal array into Go value of type map[string]interface {}"));
/// # Ok::<(), windlass_helm::yaml::Error>(())
/// ```
///
/// # Errors
/// As [`from_yaml`], and when the document is not a mapping.
pub fn from_yaml_map(text: &[u8]) -> Result<Map, Error> {
    match from_yaml(text)? {
        Value::Map(map) => Ok(map),
        Value::Nil => Ok(Map::new(MapKind::Any)),
        other => Err(mismatch(&other, "map[string]interface {}")),
    }
}

/// Reads the first document as `yaml.Unmarshal` of sigs.k8s.io/yaml does into a `[]interface {}`;
/// an empty document is an empty list.
///
/// # Errors
/// As [`from_yaml`], and when the document is not a sequence.
pub fn from_yaml_list(text: &[u8]) -> Result<List, Error> {
    match from_yaml(text)? {
        Value::List(list) => Ok(list),
        Value::Nil => Ok(List::new(Vec::new(), crate::value::Elem::Any)),
        other => Err(mismatch(&other, "[]interface {}")),
    }
}

/// Reads all documents of a stream into maps, split as [`split_documents`] does.
///
/// Helm 4 reads values files so and lays one over the other.
///
/// # Errors
/// As [`from_yaml_map`] and [`split_documents`].
pub fn documents(text: &[u8]) -> Result<Vec<Map>, Error> {
    split_documents(text)?
        .into_iter()
        .map(from_yaml_map)
        .collect()
}

fn mismatch(value: &Value, target: &str) -> Error {
    let kind = match value {
        Value::Bool(_) => "bool",
        Value::Float(_) => "number",
        Value::Str(_) => "string",
        Value::List(_) => "array",
        _ => "object",
    };
    let message = format!(
        "error unmarshaling JSON: while decoding JSON: \
         json: cannot unmarshal {kind} into Go value of type {target}"
    );
    Error {
        kind: ErrorKind::Decode,
        message,
        line: 1,
        column: 1,
    }
}

fn read_first<T: Target>(text: &[u8]) -> Result<T, Error> {
    match parse_first(text)? {
        Some(document) => convert(&document, document.root()),
        None => Ok(T::null()),
    }
}

/// The value of a node, as templates see it.
///
/// Aliases and merge keys are resolved, and the last of equal keys wins. Every number becomes a `float64`.
///
/// # Errors
/// A scalar that does not fit its tag, too many aliases, a key or number that JSON does not have.
pub fn to_value(document: &Document, node: NodeId) -> Result<Value, Error> {
    convert(document, node)
}

/// The JSON of a node, as kubectl sends it: whole numbers within 64 bits are integers, also when
/// they are written `1.0` or `1e3`.
///
/// ```
/// use windlass_helm::yaml;
///
/// let document = &yaml::parse(b"{port: 0x50, size: 1e3, ratio: 0.5, <<: {a: yes}}")?[0];
/// let json = yaml::to_json_value(document, document.root())?;
/// assert_eq!(json.to_string(), r#"{"a":true,"port":80,"ratio":0.5,"size":1000}"#);
/// # Ok::<(), yaml::Error>(())
/// ```
///
/// # Errors
/// As [`to_value`].
pub fn to_json_value(document: &Document, node: NodeId) -> Result<serde_json::Value, Error> {
    convert(document, node)
}

/// Reads the first document, integers as they are and without JSON in between.
pub(super) fn read_exact(text: &[u8]) -> Result<Value, Error> {
    Ok(read_first::<Exact>(text)?.0)
}

/// Reads the first document with whole numbers as integers, which is what JSON makes of it for Go's
/// structs.
///
/// # Errors
/// As [`from_yaml`].
pub(crate) fn from_yaml_whole(text: &[u8]) -> Result<Value, Error> {
    read_whole(text).map_err(|error| error.prefixed("error converting YAML to JSON: "))
}

/// As [`from_yaml_whole`], without a word about JSON in errors.
pub(super) fn read_whole(text: &[u8]) -> Result<Value, Error> {
    Ok(read_first::<Whole>(text)?.0)
}

/// The value of a node, whole numbers as integers.
pub(super) fn whole(document: &Document, node: NodeId) -> Result<Value, Error> {
    Ok(convert::<Whole>(document, node)?.0)
}

fn convert<T: Target>(document: &Document, node: NodeId) -> Result<T, Error> {
    let mut decoder = Decoder {
        document,
        count: 0,
        aliased: 0,
        alias_depth: 0,
        later: None,
    };
    let value = decoder.node(node)?;
    match decoder.later {
        Some((_, error)) => Err(error),
        None => Ok(value),
    }
}

/// The later of go-yaml's stages in which a document without JSON form is refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Keys,
    Numbers,
}

struct Decoder<'a> {
    document: &'a Document,
    /// How many nodes were decoded, and how many of them through aliases.
    count: usize,
    aliased: usize,
    alias_depth: usize,
    /// The mistake of the earliest later stage: reported when the whole document was decoded.
    later: Option<(Stage, Error)>,
}

/// Which part of all decoded nodes may come from aliases: 99 % up to 400 000 nodes, falling to 10 %
/// at
/// 4 000 000, as go-yaml has it against texts that grow without bound.
fn allowed_alias_ratio(count: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most four million")]
    match count {
        ..=ALIAS_RANGE_LOW => 0.99,
        ALIAS_RANGE_HIGH.. => 0.10,
        _ => {
            let range = (ALIAS_RANGE_HIGH - ALIAS_RANGE_LOW) as f64;
            0.99 - 0.89 * ((count - ALIAS_RANGE_LOW) as f64 / range)
        }
    }
}

impl Decoder<'_> {
    /// Decodes a node; grows the stack, so that depth is bounded by the reader's limit alone.
    fn node<T: Target>(&mut self, id: NodeId) -> Result<T, Error> {
        deep(|| self.node_inner(id))
    }

    fn node_inner<T: Target>(&mut self, id: NodeId) -> Result<T, Error> {
        self.visit(id)?;
        let document = self.document;
        match &document.node(id).kind {
            NodeKind::Alias(target) => {
                let target = self.enter_alias(id, *target)?;
                let value = self.node(target);
                self.alias_depth -= 1;
                value
            }
            NodeKind::Scalar { .. } => self.scalar(id),
            NodeKind::Sequence(items) => {
                let items: Result<Vec<T>, Error> = items.iter().map(|i| self.node(*i)).collect();
                Ok(T::list(items?))
            }
            NodeKind::Mapping(_) => {
                let mut entries = T::Entries::default();
                self.mapping::<T>(id, &mut entries)?;
                Ok(T::map(entries))
            }
        }
    }

    /// Counts a node; the guard against documents that grow by aliases.
    fn visit(&mut self, id: NodeId) -> Result<(), Error> {
        self.count += 1;
        if self.alias_depth > 0 {
            self.aliased += 1;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let ratio = self.aliased as f64 / self.count as f64;
        if self.aliased > 100 && self.count > 1000 && ratio > allowed_alias_ratio(self.count) {
            return Err(self.error(id, "document contains excessive aliasing"));
        }
        Ok(())
    }

    /// Follows an alias; one within the node that it names is an error.
    fn enter_alias(&mut self, id: NodeId, target: Option<NodeId>) -> Result<NodeId, Error> {
        let Some(target) = target else {
            let name = self.document.node(id).anchor.as_deref().unwrap_or_default();
            return Err(self.error(id, &format!("anchor '{name}' value contains itself")));
        };
        self.alias_depth += 1;
        Ok(target)
    }

    /// A fault at a node.
    fn error(&self, id: NodeId, problem: &str) -> Error {
        let mark = self.document.node(id).start;
        let message = format!("yaml: {problem}");
        Error {
            kind: ErrorKind::Syntax,
            message,
            line: mark.line,
            column: mark.column,
        }
    }

    /// Keeps a fault that Go finds in a later stage only; the earliest stage wins, and in it the first.
    fn complain_later(&mut self, stage: Stage, id: NodeId, message: String) {
        if self
            .later
            .as_ref()
            .is_some_and(|(known, _)| *known <= stage)
        {
            return;
        }
        let mark = self.document.node(id).start;
        let error = Error {
            kind: ErrorKind::Convert,
            message,
            line: mark.line,
            column: mark.column,
        };
        self.later = Some((stage, error));
    }

    /// The typed value of a scalar.
    fn resolve(&self, id: NodeId) -> Result<(Scalar, &str), Error> {
        let node = self.document.node(id);
        let NodeKind::Scalar { text, implicit, .. } = &node.kind else {
            return Ok((Scalar::Null, ""));
        };
        let scalar = resolve(text, node.tag.as_deref(), *implicit)
            .map_err(|problem| self.error(id, &problem))?;
        Ok((scalar, text))
    }

    fn scalar<T: Target>(&mut self, id: NodeId) -> Result<T, Error> {
        let (scalar, text) = self.resolve(id)?;
        Ok(match scalar {
            Scalar::Null => T::null(),
            Scalar::Bool(flag) => T::bool(flag),
            Scalar::Int(number) => T::int(number),
            Scalar::Uint(number) => T::uint(number),
            Scalar::Float(number) if !number.is_finite() => {
                let text = format_float(number, b'g', -1, 64);
                let message = format!("json: unsupported value: {text}");
                self.complain_later(Stage::Numbers, id, message);
                T::float(number)
            }
            Scalar::Float(number) => T::float(number),
            Scalar::Timestamp | Scalar::Str => T::text(text.as_bytes()),
            Scalar::Binary(bytes) => T::text(&bytes),
        })
    }

    /// Decodes a mapping entry by entry, merge keys where they stand.
    fn mapping<T: Target>(&mut self, id: NodeId, entries: &mut T::Entries) -> Result<(), Error> {
        let document = self.document;
        let NodeKind::Mapping(pairs) = &document.node(id).kind else {
            return Ok(());
        };
        for (key, value) in pairs {
            if is_merge(document, *key) {
                self.merge::<T>(*value, entries)?;
                continue;
            }
            let name = self.key(*key, *value)?;
            let value = self.node(*value)?;
            if let Some(name) = name {
                entries.extend([(name, value)]);
            }
        }
        Ok(())
    }

    /// The key as a string; `None` when JSON has no such key, which is reported later.
    fn key(&mut self, key: NodeId, value: NodeId) -> Result<Option<Str>, Error> {
        self.visit(key)?;
        let document = self.document;
        match &document.node(key).kind {
            NodeKind::Alias(target) => {
                let target = self.enter_alias(key, *target)?;
                let name = self.key(target, value);
                self.alias_depth -= 1;
                return name;
            }
            NodeKind::Sequence(_) | NodeKind::Mapping(_) => {
                let shown: Shown = self.node(key)?;
                return Err(self.error(key, &format!("invalid map key: {}", shown.0)));
            }
            NodeKind::Scalar { .. } => {}
        }
        let (scalar, text) = self.resolve(key)?;
        let name = match scalar {
            Scalar::Bool(flag) => Str::from(if flag { "true" } else { "false" }),
            Scalar::Int(number) => Str::from(number.to_string()),
            Scalar::Float(number) => Str::from(float_key(number)),
            Scalar::Timestamp | Scalar::Str => Str::from(text),
            Scalar::Binary(bytes) => crate::json::valid_text(&bytes),
            Scalar::Null | Scalar::Uint(_) => {
                let (kind, shown) = match scalar {
                    Scalar::Uint(number) => ("uint64", format!("{number:#x}")),
                    _ => ("%!s(<nil>)", "<nil>".into()),
                };
                if let Ok(value) = convert::<Shown>(document, value) {
                    let value = value.at_top();
                    let message = format!(
                        "unsupported map key of type: {kind}, key: {shown}, value: {value}"
                    );
                    self.complain_later(Stage::Keys, key, message);
                }
                return Ok(None);
            }
        };
        Ok(Some(name))
    }

    /// Takes over the entries of another mapping, or of several: of those the first wins.
    fn merge<T: Target>(&mut self, id: NodeId, entries: &mut T::Entries) -> Result<(), Error> {
        deep(|| self.merge_inner::<T>(id, entries))
    }

    fn merge_inner<T: Target>(
        &mut self,
        id: NodeId,
        entries: &mut T::Entries,
    ) -> Result<(), Error> {
        let document = self.document;
        match &document.node(id).kind {
            NodeKind::Sequence(items) => {
                for item in items.iter().rev() {
                    if matches!(document.node(*item).kind, NodeKind::Sequence(_)) {
                        return Err(self.error(*item, MERGE_WANTS_MAP));
                    }
                    self.merge::<T>(*item, entries)?;
                }
                Ok(())
            }
            NodeKind::Mapping(_) => {
                self.visit(id)?;
                self.mapping::<T>(id, entries)
            }
            NodeKind::Alias(target) => {
                if let Some(target) = target
                    && !matches!(document.node(*target).kind, NodeKind::Mapping(_))
                {
                    return Err(self.error(id, MERGE_WANTS_MAP));
                }
                self.visit(id)?;
                let target = self.enter_alias(id, *target)?;
                self.visit(target)?;
                let merged = self.mapping::<T>(target, entries);
                self.alias_depth -= 1;
                merged
            }
            NodeKind::Scalar { .. } => Err(self.error(id, MERGE_WANTS_MAP)),
        }
    }
}

const MERGE_WANTS_MAP: &str = "map merge requires map or sequence of maps as the value";

/// Whether a key is `<<`, written plainly or with its tag.
fn is_merge(document: &Document, key: NodeId) -> bool {
    let node = document.node(key);
    let tagged = node
        .tag
        .as_deref()
        .and_then(|tag| tag.strip_prefix(TAG_PREFIX))
        == Some("merge");
    matches!(&node.kind, NodeKind::Scalar { text, implicit, .. } if text == "<<" && (*implicit || tagged))
}

/// A float as a key: in 32 bits, as sigs.k8s.io/yaml prints it.
fn float_key(number: f64) -> String {
    match format_float(number, b'g', -1, 32).as_str() {
        "+Inf" => ".inf".into(),
        "-Inf" => "-.inf".into(),
        "NaN" => ".nan".into(),
        text => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match from_yaml(text.as_bytes()) {
            Ok(value) => crate::json::to_json(&value).unwrap().to_text().into_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// Recorded from sigs.k8s.io/yaml 1.6.0.
    #[test]
    fn documents_become_what_sigs_yaml_makes_of_them() {
        for (text, wanted) in [
            ("", "null"),
            (
                "{a: yes, b: 010, c: 1e3, d: 2024-2-9}",
                r#"{"a":true,"b":8,"c":1000,"d":"2024-2-9"}"#,
            ),
            (
                "{y: 1, 1: 2, 1.5: 3, 2024-1-1: 4}",
                r#"{"1":2,"1.5":3,"2024-1-1":4,"true":1}"#,
            ),
            ("a: 1\na: 2", r#"{"a":2}"#),
            ("9007199254740993", "9007199254740992"),
            (
                "x: &a {b: 1}\nz: {<<: *a, b: 2}",
                r#"{"x":{"b":1},"z":{"b":2}}"#,
            ),
            (
                "x: &a {b: 1}\nz: {b: 2, <<: *a}",
                r#"{"x":{"b":1},"z":{"b":1}}"#,
            ),
            ("{<<: [{a: 1}, {a: 2, b: 3}]}", r#"{"a":1,"b":3}"#),
            ("!!binary aGk=", r#""hi""#),
            ("! 12", r#""12""#),
            ("!x 12", r#""12""#),
            ("a: [b: c]", r#"{"a":[{"b":"c"}]}"#),
            ("\"a\n\n b\\\n  c\"", r#""a\nbc""#),
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
    }

    /// Recorded from sigs.k8s.io/yaml 1.6.0.
    #[test]
    fn errors_read_like_sigs_yaml() {
        for (text, wanted) in [
            (
                "a: b: c",
                "yaml: mapping values are not allowed in this context",
            ),
            (
                "a: 1\nb: c: d",
                "yaml: line 2: mapping values are not allowed in this context",
            ),
            ("a: [1", "yaml: line 1: did not find expected ',' or ']'"),
            ("\tx", "yaml: found character that cannot start any token"),
            (
                "a: |\n\tb",
                "yaml: line 2: found a tab character where an indentation space is expected",
            ),
            ("a: *b", "yaml: unknown anchor 'b' referenced"),
            ("a: &a [*a]", "yaml: anchor 'a' value contains itself"),
            ("!!int x", "yaml: cannot decode !!str `x` as a !!int"),
            (
                "<<: 1",
                "yaml: map merge requires map or sequence of maps as the value",
            ),
            ("[a]: b", "yaml: invalid map key: []interface {}{\"a\"}"),
            ("? [.inf]", "yaml: invalid map key: []interface {}{+Inf}"),
            (
                "~: d",
                "unsupported map key of type: %!s(<nil>), key: <nil>, value: \"d\"",
            ),
            (".nan", "json: unsupported value: NaN"),
            ("a: \u{1}", "yaml: control characters are not allowed"),
        ] {
            assert_eq!(
                read(text),
                format!("error converting YAML to JSON: {wanted}"),
                "{text}"
            );
        }
        assert_eq!(
            from_yaml_map(b"[1]").unwrap_err().to_string(),
            "error unmarshaling JSON: while decoding JSON: \
             json: cannot unmarshal array into Go value of type map[string]interface {}"
        );
    }

    #[test]
    fn kubernetes_gets_exact_integers() {
        let text =
            b"{a: 9007199254740993, b: 18446744073709551615, c: 1.0, d: 1.5, e: 1e3, f: 017}";
        let document = parse_first(text).unwrap().unwrap();
        assert_eq!(
            to_json_value(&document, document.root())
                .unwrap()
                .to_string(),
            r#"{"a":9007199254740993,"b":18446744073709551615,"c":1,"d":1.5,"e":1000,"f":15}"#
        );
    }

    #[test]
    fn growth_by_aliases_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let item = format!("*a{},", level - 1).repeat(9);
            text.push_str(
                &[
                    "a",
                    &level.to_string(),
                    ": &a",
                    &level.to_string(),
                    " [",
                    &item,
                    "]\n",
                ]
                .concat(),
            );
        }
        assert!(read(&text).ends_with("yaml: document contains excessive aliasing"));
    }

    #[test]
    fn deep_documents_neither_overflow_nor_hang() {
        let flow = "[".repeat(9_999) + &"]".repeat(9_999);
        assert!(from_yaml(flow.as_bytes()).is_ok());
        assert!(from_yaml("- ".repeat(9_999).as_bytes()).is_ok());
        for text in [
            "[".repeat(200_000),
            "- ".repeat(200_000),
            "{a: ".repeat(200_000),
        ] {
            assert!(read(&text).ends_with("exceeded max depth of 10000"));
        }
    }
}
