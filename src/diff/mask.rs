//! Hides the values of secrets before anything is shown.
//!
//! A value becomes a tag made with a key of this run: equal values have equal tags, and nobody can
//! find a value by trying.

use super::MaskPath;
use crate::kapp;
use crate::object::{Object, hex, hmac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Where client-side apply keeps a copy of the whole object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// How a tag begins.
const TAG: &str = "<masked ";

/// Texts shorter than this are not replaced in messages: they would hit ordinary words.
const MIN_SCRUBBED: usize = 4;

/// An annotation of a Secret that is longer than this may be a copy of it, whatever it looks like.
const MAX_READABLE: usize = 256;

/// So many characters of base64 on end, with capitals and digits among them, may be a packed copy. Names
/// have no capitals, nor have digests in hex.
const MIN_PACKED: usize = 40;

/// Lines of longer secrets (keys, certificates) are replaced on their own from this length on.
const MIN_SCRUBBED_LINE: usize = 16;

/// Masks secrets and remembers those it has seen.
pub struct Masker {
    run_key: [u8; 32],
    show_secrets: bool,
    /// What is hidden besides the values of Secrets.
    paths: Vec<MaskPath>,
    seen: Mutex<BTreeSet<String>>,
    /// What templates have read of Secrets, and may have written anywhere.
    read: Mutex<BTreeSet<String>>,
    /// What the Config documents of the input hide.
    rules: Mutex<Vec<kapp::Field>>,
}

impl fmt::Debug for Masker {
    /// Says nothing of what it has seen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masker")
            .field("show_secrets", &self.show_secrets)
            .finish_non_exhaustive()
    }
}

impl Masker {
    /// A masker with the random key of this run. With `show_secrets` nothing is masked.
    #[must_use]
    pub fn new(run_key: [u8; 32], show_secrets: bool) -> Self {
        Self {
            run_key,
            show_secrets,
            paths: Vec::new(),
            seen: Mutex::new(BTreeSet::new()),
            read: Mutex::new(BTreeSet::new()),
            rules: Mutex::new(Vec::new()),
        }
    }

    /// Hides what the `diffMaskRules` of the input name, from now on.
    pub fn obey(&self, rules: &[kapp::Field]) {
        let mut known = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.clone_into(&mut known);
    }

    /// Masks what the rules of the input name: of maps each value on its own. Tells whether there is
    /// anything of that.
    fn mask_by_rules(&self, object: &mut Object) -> bool {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let places = kapp::places(&rules, object, object.tree());
        for place in &places {
            let Some(found) = kapp::at_mut(object.tree_mut(), place) else {
                continue;
            };
            let values = match found {
                Value::Object(map) => map.values_mut().collect(),
                other => vec![other],
            };
            for value in values {
                if !is_masked(value) {
                    *value = self.take(value, false);
                }
            }
        }
        !places.is_empty()
    }

    /// The same masker that also hides what is at these paths.
    #[must_use]
    pub fn hiding(mut self, paths: Vec<MaskPath>) -> Self {
        self.paths = paths;
        self
    }

    /// Replaces the secrets of an object by their tags and remembers them for [`Masker::scrub`].
    pub fn mask(&self, object: &mut Object) {
        if self.show_secrets {
            return;
        }
        if self.take_all(object)
            && let Some(annotations) = annotations(object)
        {
            // They may quote what was, or is to be.
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            self.mask_read(&seen, annotations);
        }
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if !read.is_empty() {
            self.mask_read(&read, object.tree_mut());
        }
    }

    /// Masks and remembers what is secret of an object and every annotation that may hold a copy of
    /// it. Tells whether there is anything secret.
    fn take_all(&self, object: &mut Object) -> bool {
        let mut holds_secrets = is_secret(object);
        if holds_secrets {
            for field in ["data", "stringData"] {
                self.mask_field(object.tree_mut(), field);
            }
        }
        holds_secrets |= self.mask_by_rules(object);
        for path in &self.paths {
            if path.concerns(object) {
                path.each(object.tree_mut(), &mut |value| {
                    holds_secrets = true;
                    if !is_masked(value) {
                        *value = self.take(value, false);
                    }
                });
            }
        }
        let annotations = annotations(object).and_then(Value::as_object_mut);
        for (key, value) in annotations.into_iter().flatten() {
            if is_copy(key) || (holds_secrets && value.as_str().is_some_and(may_be_copy)) {
                self.mask_copy(value);
            }
        }
        holds_secrets
    }

    /// Masks the values of an object in all others too, if it is a Secret: what templates have read may
    /// come out anywhere.
    pub fn mask_everywhere(&self, object: &Object) {
        if self.show_secrets || !is_secret(object) {
            return;
        }
        self.learn(object);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let values = object.tree()["data"].as_object().into_iter().flatten();
        for text in values.filter_map(|(_, value)| value.as_str()) {
            let plain = STANDARD.decode(text.trim()).unwrap_or_default();
            let plain = String::from_utf8(plain).unwrap_or_default();
            let texts = [text, &plain, plain.trim()].map(str::to_owned);
            read.extend(texts.into_iter().filter(|text| text.len() >= MIN_SCRUBBED));
        }
    }

    /// Replaces what was read of Secrets within all texts of a tree by tags, longest first.
    fn mask_read(&self, read: &BTreeSet<String>, tree: &mut Value) {
        match tree {
            Value::String(text) => {
                let mut found: Vec<&String> = read.iter().filter(|r| text.contains(*r)).collect();
                found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
                for secret in found {
                    *text = text.replace(secret, &self.tag(secret.as_bytes()));
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_read(read, item)),
            Value::Object(map) => map.values_mut().for_each(|item| self.mask_read(read, item)),
            _ => {}
        }
    }

    /// Remembers the secrets of an object for [`Masker::scrub`]. To be done with everything that
    /// will be sent before the first request: the server's refusal of it may quote a value.
    pub fn learn(&self, object: &Object) {
        let annotations = object.get(&["metadata", "annotations"]);
        let mut annotations = annotations.and_then(Value::as_object).into_iter().flatten();
        let annotated = annotations.any(|(key, _)| is_copy(key));
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let ruled = rules.iter().any(|rule| kapp::matches_any(&rule.of, object));
        drop(rules);
        let named = ruled || self.paths.iter().any(|path| path.concerns(object));
        if !self.show_secrets && (is_secret(object) || annotated || named) {
            self.take_all(&mut object.clone());
        }
    }

    fn mask_field(&self, tree: &mut Value, field: &str) {
        match tree.get_mut(field) {
            Some(Value::Object(values)) => {
                for value in values.values_mut() {
                    *value = self.take(value, field == "data");
                }
            }
            Some(Value::Null) | None => {}
            Some(other) => *other = self.take(other, false),
        }
    }

    fn mask_copy(&self, value: &mut Value) {
        let Some(text) = value.as_str() else { return };
        if let Some(mut copy) = serde_json::from_str(text).ok().and_then(Object::new) {
            self.take_all(&mut copy);
        }
        *value = Value::from(self.tag(text.as_bytes()));
    }

    /// Remembers a value and gives its tag. The same bytes have the same tag in `data`, where they
    /// are in base64, and in `stringData`, where they are not.
    fn take(&self, value: &Value, encoded: bool) -> Value {
        self.remember_inner(value);
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let bytes = if encoded {
            STANDARD.decode(text.trim()).ok()
        } else {
            None
        };
        self.remember(&text);
        let tag = match &bytes {
            Some(bytes) => {
                if let Ok(plain) = std::str::from_utf8(bytes) {
                    self.remember(plain);
                }
                self.tag(bytes)
            }
            None => {
                self.remember(&STANDARD.encode(&text));
                self.tag(text.as_bytes())
            }
        };
        Value::from(tag)
    }

    /// Remembers the texts inside of a value that should have been a text itself: the server quotes
    /// them one by one when it refuses it.
    fn remember_inner(&self, value: &Value) {
        let mut todo = match value {
            Value::Object(map) => map.values().collect::<Vec<_>>(),
            Value::Array(items) => items.iter().collect(),
            _ => return,
        };
        while let Some(value) = todo.pop() {
            match value {
                Value::Object(map) => todo.extend(map.values()),
                Value::Array(items) => todo.extend(items),
                Value::String(text) => self.remember(text),
                Value::Number(number) => self.remember(&number.to_string()),
                Value::Bool(_) | Value::Null => {}
            }
        }
    }

    fn remember(&self, text: &str) {
        // Hiding these in messages would tell more than it hides.
        if ["true", "false"].contains(&text) {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut add = |text: &str, least: usize| {
            if text.len() >= least && !seen.contains(text) {
                seen.insert(text.to_owned());
            }
        };
        add(text, MIN_SCRUBBED);
        add(text.trim(), MIN_SCRUBBED);
        for line in text.lines() {
            add(line.trim(), MIN_SCRUBBED_LINE);
        }
        // As JSON and Go quote it in an error text.
        let quoted = Value::from(text).to_string();
        add(&quoted[1..quoted.len() - 1], MIN_SCRUBBED);
        add(&quoted_by_go(text), MIN_SCRUBBED);
    }

    fn tag(&self, bytes: &[u8]) -> String {
        format!("{TAG}{}>", hex(&hmac(&self.run_key, bytes)[..4]))
    }

    /// Replaces every secret seen so far in a text of somebody else (an error of the server) by
    /// `<masked>`, longest first.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        if self.show_secrets {
            return text.to_owned();
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<&String> = seen
            .iter()
            .filter(|secret| text.contains(secret.as_str()))
            .collect();
        found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        found.into_iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret, "<masked>")
        })
    }
}

/// Whether a value is, or holds, a tag in place of a secret.
pub(crate) fn is_masked(value: &Value) -> bool {
    let mut todo = vec![value];
    while let Some(value) = todo.pop() {
        match value {
            Value::String(text) if text.contains(TAG) => return true,
            Value::Array(items) => todo.extend(items),
            Value::Object(map) => todo.extend(map.values()),
            _ => {}
        }
    }
    false
}

/// A text as Go's `%q` writes it, without the quotes around it.
fn quoted_by_go(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            char if char.is_ascii_control() => {
                let code = u32::from(char);
                quoted.extend([format!("\\x{code:02x}")]);
            }
            char => quoted.push(char),
        }
    }
    quoted
}

/// Whether an annotation is a copy of the object that carries it, or of how it changed.
pub(super) fn is_copy(annotation: &str) -> bool {
    annotation == LAST_APPLIED || kapp::COPIES.contains(&annotation)
}

/// Whether the text of an annotation may be a copy of the object, as JSON, YAML or packed (as
/// `objectset.rio.cattle.io/applied` is): of former states too, whose values nobody here knows.
fn may_be_copy(text: &str) -> bool {
    let text = text.trim();
    text.len() > MAX_READABLE
        || text.starts_with(['{', '['])
        || text.contains('\n')
        || text
            .split(|char: char| !(char.is_ascii_alphanumeric() || "+/=-_".contains(char)))
            .any(is_packed)
}

fn is_packed(word: &str) -> bool {
    word.len() >= MIN_PACKED
        && word.contains(|char: char| char.is_ascii_uppercase())
        && word.contains(|char: char| char.is_ascii_digit())
}

fn annotations(object: &mut Object) -> Option<&mut Value> {
    object
        .tree_mut()
        .get_mut("metadata")?
        .get_mut("annotations")
}

fn is_secret(object: &Object) -> bool {
    object.kind() == "Secret" && object.group().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn masked(masker: &Masker, tree: Value) -> Value {
        let mut object = Object::new(tree).unwrap();
        masker.mask(&mut object);
        object.into_tree()
    }

    #[test]
    fn equal_values_have_equal_tags_in_every_form() {
        let masker = Masker::new([1; 32], false);
        let tree = masked(
            &masker,
            json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "aHVudGVyMg==", "b": "", "c": "b3RoZXI="}, "stringData": {"a": "hunter2", "n": 5}}),
        );
        assert_eq!(tree["data"]["a"], tree["stringData"]["a"]);
        assert_ne!(tree["data"]["a"], tree["data"]["c"]);
        insta::assert_snapshot!(tree, @r#"{"apiVersion":"v1","data":{"a":"<masked f26b5407>","b":"<masked 2e72eb66>","c":"<masked b3fc4ba4>"},"kind":"Secret","stringData":{"a":"<masked f26b5407>","n":"<masked e61e3e74>"}}"#);
    }

    #[test]
    fn another_run_has_other_tags() {
        let tree = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "aHVudGVyMg=="}});
        let one = masked(&Masker::new([1; 32], false), tree.clone());
        assert_ne!(one, masked(&Masker::new([2; 32], false), tree));
    }

    #[test]
    fn last_applied_is_masked_on_every_kind_and_searched_for_secrets() {
        let masker = Masker::new([1; 32], false);
        let applied = r#"{"apiVersion":"v1","kind":"Secret","stringData":{"p":"hunter2"}}"#;
        let tree = masked(
            &masker,
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"annotations": {LAST_APPLIED: applied}}}),
        );
        assert!(!tree.to_string().contains("hunter2"));
        assert_eq!(masker.scrub("bad hunter2"), "bad <masked>");
        let tree = masked(
            &masker,
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}, "metadata": {"annotations": {LAST_APPLIED: "{}"}}}),
        );
        assert_eq!(tree["data"]["a"], "b");
        assert!(
            tree["metadata"]["annotations"][LAST_APPLIED]
                .as_str()
                .unwrap()
                .starts_with("<masked")
        );
    }

    #[test]
    fn kapps_copies_are_masked_as_the_one_of_kubectl() {
        let masker = Masker::new([1; 32], false);
        let original = r#"{"apiVersion":"v1","kind":"Secret","stringData":{"p":"hunter2"}}"#;
        let tree = masked(
            &masker,
            json!({"apiVersion": "v1", "kind": "Deployment", "metadata": {"annotations": {"kapp.k14s.io/original": original,
                "kapp.k14s.io/original-diff": "p: x", "kapp.k14s.io/original-diff-full": "p: y", "kapp.k14s.io/original-diff-md5": "58e0"}}}),
        );
        insta::assert_snapshot!(tree["metadata"]["annotations"], @r#"{"kapp.k14s.io/original":"<masked 697befe0>","kapp.k14s.io/original-diff":"<masked 06455d3e>","kapp.k14s.io/original-diff-full":"<masked 7ed19a16>","kapp.k14s.io/original-diff-md5":"58e0"}"#);
        assert_eq!(masker.scrub("bad hunter2"), "bad <masked>");
    }

    #[test]
    fn annotations_of_what_holds_secrets_show_no_value_and_no_copy() {
        let masker =
            Masker::new([1; 32], false).hiding(vec![MaskPath::parse("ConfigMap:data.p").unwrap()]);
        let packed = "H4sIAAAAAAAA/6pWSspPqlSyUlAqLU4tKkpVqgUAAAD//w";
        let annotations = json!({"plain": "was hunter2, aHVudGVyMg== in base64", "json": r#"{"p":"older"}"#,
            "yaml": "data:\n  p: older", "packed": packed, "long": "x".repeat(300), "team": "a team/of-people",
            "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"});
        // What another state of the object held is hidden here, too.
        for kind in ["Secret", "ConfigMap"] {
            let data = json!({"p": "aHVudGVyMg=="});
            let tree = json!({"apiVersion": "v1", "kind": kind, "data": data, "stringData": {"p": "hunter2"}});
            masker.learn(&Object::new(tree).unwrap());
            let tree = masked(
                &masker,
                json!({"apiVersion": "v1", "kind": kind, "metadata": {"annotations": annotations}, "data": {"p": "bmV3"}}),
            );
            insta::allow_duplicates! {
                insta::assert_snapshot!(tree["metadata"]["annotations"], @r#"{"digest":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","json":"<masked 4f4f4dae>","long":"<masked bb332069>","packed":"<masked 2636026d>","plain":"was <masked f26b5407>, <masked f6dd0f8b> in base64","team":"a team/of-people","yaml":"<masked 404129e9>"}"#);
            }
        }
        let other = json!({"kind": "ConfigMap", "metadata": {"annotations": annotations}});
        assert_eq!(masked(&masker, other.clone()), other);
    }

    #[test]
    fn error_texts_lose_plain_encoded_and_quoted_values() {
        let masker = Masker::new([1; 32], false);
        let pem = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n-----END KEY-----\n";
        masked(
            &masker,
            json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "aHVudGVyMg=="}, "stringData": {"pem": pem, "short": "abc"}}),
        );
        let text = "value \"hunter2\" (aHVudGVyMg==) abc MIIEvQIBADANBgkqhkiG \\n-----END";
        insta::assert_snapshot!(masker.scrub(text), @r#"value "<masked>" (<masked>) abc <masked> \n-----END"#);
        let quoted = format!("invalid: {pem:?}");
        assert!(!masker.scrub(&quoted).contains("MIIE"));
    }

    #[test]
    fn texts_inside_of_a_value_that_is_none_are_hidden_too() {
        let masker = Masker::new([1; 32], false);
        let tree = json!({"apiVersion": "v1", "kind": "Secret",
            "data": {"a": {"b": ["hunter2", 123_456]}, "c": "bell\u{7}\u{1}"}});
        masker.learn(&Object::new(tree).unwrap());
        let text = r#"map[b:[hunter2 123456]] "bell\a\x01""#;
        assert_eq!(
            masker.scrub(text),
            r#"map[b:[<masked> <masked>]] "<masked>""#
        );
    }

    #[test]
    fn secrets_can_be_learned_before_anything_is_shown() {
        let masker = Masker::new([1; 32], false);
        let tree = json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "hunter2", "n": 12345}});
        masker.learn(&Object::new(tree).unwrap());
        assert_eq!(masker.scrub("hunter2 12345"), "<masked> <masked>");
        assert_eq!(format!("{masker:?}"), "Masker { show_secrets: false, .. }");
    }

    #[test]
    fn what_was_read_of_a_secret_is_masked_in_every_object() {
        let masker = Masker::new([1; 32], false);
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "aHVudGVyMg=="}});
        masker.mask_everywhere(&Object::new(secret).unwrap());
        let tree = json!({"kind": "ConfigMap", "data": {"url": "db://me:hunter2@x", "b": ["aHVudGVyMg=="]}});
        let shown = masked(&masker, tree).to_string();
        assert!(
            shown.contains("db://me:<masked ") && shown.contains("@x"),
            "{shown}"
        );
        assert!(
            !shown.contains("hunter2") && !shown.contains("aHVudGVyMg"),
            "{shown}"
        );
    }

    #[test]
    fn values_at_the_given_paths_are_masked_in_objects_and_texts() {
        let path = MaskPath::parse("ConfigMap:data.token").unwrap();
        let masker = Masker::new([1; 32], false).hiding(vec![path]);
        let tree = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"token": "hunter2", "a": "b"}});
        masker.learn(&Object::new(tree.clone()).unwrap());
        assert_eq!(masker.scrub("bad hunter2"), "bad <masked>");
        let shown = masked(&masker, tree);
        insta::assert_snapshot!(shown, @r#"{"apiVersion":"v1","data":{"a":"b","token":"<masked f26b5407>"},"kind":"ConfigMap"}"#);
        assert!(is_masked(&shown) && !is_masked(&shown["data"]["a"]));
    }

    #[test]
    fn show_secrets_shows_them() {
        let masker = Masker::new([1; 32], true);
        let tree = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "aHVudGVyMg=="}});
        assert_eq!(masked(&masker, tree.clone()), tree);
        assert_eq!(masker.scrub("hunter2"), "hunter2");
    }
}
