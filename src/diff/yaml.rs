//! YAML for people: a tree as lines, each knowing where in the tree it stands.
//!
//! The lines are for reading and comparing, not for sending: maps are sorted with what names a
//! thing first, and nothing in a value can reach the terminal as a control character.

use crate::object::visible::is_hidden;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt::Write;

/// Keys that come before all others, in this order.
const FIRST: &[&str] = &["apiVersion", "kind", "metadata", "name"];

/// Words that YAML 1.1 or 1.2 would not read as a string.
const WORDS: &[&str] = &[
    "", "~", "null", "true", "false", "y", "n", "yes", "no", "on", "off", ".inf", ".nan", "=", "<<",
];

/// A tree as lines.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// The text of each line, without its end.
    pub(crate) lines: Vec<String>,
    /// The place each line belongs to: an index into `places`.
    owner: Vec<usize>,
    /// The maps and lists: the place they stand in, and their name there.
    places: Vec<(usize, String)>,
}

impl Document {
    /// Writes a tree.
    pub(crate) fn new(tree: &Value) -> Self {
        let mut document = Self {
            places: vec![(0, String::new())],
            ..Self::default()
        };
        match tree {
            Value::Object(map) if !map.is_empty() => document.map(map, 0, 0, ""),
            Value::Array(items) if !items.is_empty() => document.list(items, 0, 0),
            other => document.push(scalar(other).into_owned(), 0),
        }
        document
    }

    /// The path of the map or list that a line stands in, for example
    /// `spec.template.spec.containers[name=web]`.
    pub(crate) fn path(&self, line: usize) -> String {
        let mut names = Vec::new();
        let mut at = self.owner.get(line).copied().unwrap_or_default();
        while at != 0 {
            let (parent, name) = &self.places[at];
            names.push(name.as_str());
            at = *parent;
        }
        names.reverse();
        names.concat().trim_start_matches('.').to_owned()
    }

    fn push(&mut self, text: String, place: usize) {
        self.lines.push(text);
        self.owner.push(place);
    }

    fn open(&mut self, parent: usize, name: String) -> usize {
        self.places.push((parent, name));
        self.places.len() - 1
    }

    /// Writes a map. `lead` stands in place of the indent of its first line: the dash of a list
    /// item. Goes as deep as the tree, which the readers of trees bound.
    fn map(&mut self, map: &Map<String, Value>, indent: usize, place: usize, lead: &str) {
        let mut keys: Vec<&String> = map.keys().collect();
        keys.sort_by_key(|key| {
            FIRST
                .iter()
                .position(|first| first == key)
                .unwrap_or(FIRST.len())
        });
        for (i, key) in keys.into_iter().enumerate() {
            let value = &map[key];
            let start = if i == 0 && !lead.is_empty() {
                lead.to_owned()
            } else {
                " ".repeat(indent)
            };
            self.entry(&format!("{start}{}:", text(key)), key, value, indent, place);
        }
    }

    fn entry(&mut self, start: &str, key: &str, value: &Value, indent: usize, place: usize) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                self.push(start.to_owned(), place);
                let inner = self.open(place, field_name(key));
                self.map(map, indent + 2, inner, "");
            }
            Value::Array(items) if !items.is_empty() => {
                self.push(start.to_owned(), place);
                let inner = self.open(place, field_name(key));
                self.list(items, indent, inner);
            }
            Value::String(block) if is_block(block) => {
                let inner = self.open(place, field_name(key));
                self.block(&format!("{start} "), block, indent + 2, place, inner);
            }
            other => self.push(format!("{start} {}", scalar(other)), place),
        }
    }

    fn list(&mut self, items: &[Value], indent: usize, place: usize) {
        let dash = format!("{}- ", " ".repeat(indent));
        for (index, item) in items.iter().enumerate() {
            match item {
                Value::Object(map) if !map.is_empty() => {
                    let inner = self.open(place, item_name(index, item));
                    self.map(map, indent + 2, inner, &dash);
                }
                Value::Array(inner) if !inner.is_empty() => {
                    self.push(dash.trim_end().to_owned(), place);
                    let at = self.open(place, format!("[{index}]"));
                    self.list(inner, indent + 2, at);
                }
                Value::String(block) if is_block(block) => {
                    let inner = self.open(place, format!("[{index}]"));
                    self.block(&dash, block, indent + 2, place, inner);
                }
                other => self.push(format!("{dash}{}", scalar(other)), place),
            }
        }
    }

    /// Writes a text of several lines as a literal block.
    fn block(&mut self, start: &str, block: &str, indent: usize, place: usize, inner: usize) {
        let body = block.trim_end_matches('\n');
        let chomp = match block.len() - body.len() {
            0 => "-",
            1 => "",
            _ => "+",
        };
        let first = block
            .lines()
            .find(|line| !line.is_empty())
            .unwrap_or_default();
        let hint = if first.starts_with([' ', '\t']) {
            "2"
        } else {
            ""
        };
        self.push(format!("{start}|{hint}{chomp}"), place);
        let spaces = " ".repeat(indent);
        let lines = block.strip_suffix('\n').unwrap_or(block);
        for line in lines.split('\n') {
            let text = if line.is_empty() {
                String::new()
            } else {
                format!("{spaces}{line}")
            };
            self.push(text, inner);
        }
    }
}

fn field_name(key: &str) -> String {
    let plain = !key.is_empty()
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if plain {
        format!(".{key}")
    } else {
        format!("[{}]", text(key))
    }
}

fn item_name(index: usize, item: &Value) -> String {
    match item.get("name").and_then(Value::as_str) {
        Some(name) => format!("[name={}]", text(name)),
        None => format!("[{index}]"),
    }
}

fn scalar(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(string) => text(string),
        Value::Array(_) => "[]".into(),
        Value::Object(_) => "{}".into(),
        other => other.to_string().into(),
    }
}

/// Whether a text is written as a literal block: several lines of printable characters.
fn is_block(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
        && !text.chars().any(|c| is_hidden(c) && c != '\n' && c != '\t')
}

/// A text as a plain or double-quoted scalar.
fn text(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return text.into();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if is_hidden(c) => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted.into()
}

fn is_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else {
        return false;
    };
    let signed = first.is_ascii_digit() || matches!(first, '.' | '+' | '-');
    let like_number = signed
        && text
            .bytes()
            .all(|b| b.is_ascii_hexdigit() || b"xXoO_:.+-TZ ".contains(&b));
    let misread = like_number
        || "!&*-?|>@`\"'%#{}[],: ".contains(first)
        || text.ends_with([' ', ':'])
        || text.contains(": ")
        || text.contains(" #")
        || text.chars().any(is_hidden)
        || WORDS.contains(&text.to_ascii_lowercase().as_str());
    !misread
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(tree: &Value) -> String {
        Document::new(tree).lines.join("\n")
    }

    #[test]
    fn an_object_is_written_with_its_names_first() {
        insta::assert_snapshot!(written(&json!({
            "spec": {"containers": [{"image": "a:1", "name": "web", "args": ["-x", "y"], "env": []}], "empty": {}},
            "apiVersion": "v1", "metadata": {"labels": {"app.kubernetes.io/name": "x"}, "name": "web"}, "kind": "Pod"
        })), @r#"
        apiVersion: v1
        kind: Pod
        metadata:
          name: web
          labels:
            app.kubernetes.io/name: x
        spec:
          containers:
          - name: web
            args:
            - "-x"
            - "y"
            env: []
            image: a:1
          empty: {}
        "#);
    }

    #[test]
    fn texts_that_are_not_strings_in_yaml_are_quoted() {
        let texts = [
            "yes",
            "1",
            "1e3",
            "0x1f",
            "10.0.0.1",
            "100m",
            "",
            "a: b",
            "a #b",
            "- a",
            "true",
            "a b",
            "2024-01-01",
            "*a",
            "https://x/y?z=1#w",
            "<masked 1234>",
            "=",
            "a:",
            "\u{1b}[31m",
            "\u{202e}x",
        ];
        insta::assert_snapshot!(written(&json!(texts)), @r#"
        - "yes"
        - "1"
        - "1e3"
        - "0x1f"
        - "10.0.0.1"
        - 100m
        - ""
        - "a: b"
        - "a #b"
        - "- a"
        - "true"
        - a b
        - "2024-01-01"
        - "*a"
        - https://x/y?z=1#w
        - <masked 1234>
        - "="
        - "a:"
        - "\u001b[31m"
        - "\u202ex"
        "#);
    }

    #[test]
    fn blocks_keep_their_line_ends() {
        insta::assert_snapshot!(written(&json!({
            "a": "one\ntwo\n", "b": "one\ntwo", "c": "one\n\ntwo\n\n", "d": "  one\ntwo\n", "e": "one\r\ntwo", "f": "one\n",
            "g": ["x\ny"]
        })), @r#"
        a: |
          one
          two
        b: |-
          one
          two
        c: |+
          one

          two

        d: |2
            one
          two
        e: "one\r\ntwo"
        f: "one\n"
        g:
        - |-
          x
          y
        "#);
    }

    #[test]
    fn lines_know_their_place() {
        let document = Document::new(
            &json!({"spec": {"a.b": {"x": 1}, "containers": [{"name": "web", "ports": [[1]]}]}}),
        );
        let paths: Vec<_> = (0..document.lines.len())
            .map(|i| document.path(i))
            .collect();
        insta::assert_snapshot!(paths.join("\n"), @"
        spec
        spec[a.b]
        spec
        spec.containers[name=web]
        spec.containers[name=web]
        spec.containers[name=web].ports
        spec.containers[name=web].ports[0]
        ");
    }
}
