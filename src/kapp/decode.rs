//! The tree of a Config document → [`Rules`]. Strict: what kapp would pass over in silence or stop at
//! in panic is a mistake with its place.
//!
//! Keys are matched as kapp matches them, in any case of letters.

use super::path::{Part, Path, Step};
use super::{
    Condition, CopySource, Field, Group, Matcher, Order, Rebase, RebaseAction, Reference, Rules,
    Template, Wait, mark,
};
use crate::config::nearest;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// The version of kapp whose rules are known here.
const KAPP: [u64; 3] = [0, 64, 0];

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Where in its tree.
    pub(super) place: Vec<Part>,
    /// What.
    pub(super) message: String,
    /// What to do, where that is known.
    pub(super) hint: Option<String>,
}

type Decoded<T> = Result<T, Mistake>;

/// Reads the tree of a Config document; of wrong rules it tells all.
pub(super) fn decode(tree: &Value) -> Result<Rules, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    match document(tree, &mut mistakes) {
        Ok(rules) if mistakes.is_empty() => Ok(rules),
        Ok(_) => Err(mistakes),
        Err(mistake) => {
            mistakes.insert(0, mistake);
            Err(mistakes)
        }
    }
}

fn document(tree: &Value, mistakes: &mut Vec<Mistake>) -> Decoded<Rules> {
    let root = Node {
        value: tree,
        place: Vec::new(),
    };
    let mut document = root.fields(&[
        "apiVersion",
        "kind",
        "metadata",
        "minimumRequiredVersion",
        "rebaseRules",
        "waitRules",
        "ownershipLabelRules",
        "labelScopingRules",
        "templateRules",
        "diffMaskRules",
        "preflightRules",
        "additionalLabels",
        "diffAgainstLastAppliedFieldExclusionRules",
        "diffAgainstExistingFieldExclusionRules",
        "changeGroupBindings",
        "changeRuleBindings",
    ])?;
    for (key, wanted) in [("apiVersion", "kapp.k14s.io/v1alpha1"), ("kind", "Config")] {
        let node = document.needed(key)?;
        if node.text()? != wanted {
            return Err(node.mistake(format!("{key} of a kapp Config must be `{wanted}`")));
        }
    }
    if let Some(node) = document.take("minimumRequiredVersion") {
        required_version(&node)?;
    }
    let mut rules = Rules {
        rebase: document.rules("rebaseRules", rebase, mistakes),
        wait: document.rules("waitRules", wait, mistakes),
        mask: document.rules("diffMaskRules", field, mistakes),
        template: document.rules("templateRules", template, mistakes),
        groups: document.rules("changeGroupBindings", group, mistakes),
        order: document.rules("changeRuleBindings", order, mistakes),
        no_reason: document.rules("diffAgainstExistingFieldExclusionRules", field, mistakes),
        left_to_others: document.rules(
            "diffAgainstLastAppliedFieldExclusionRules",
            field,
            mistakes,
        ),
        label_places: document.rules("ownershipLabelRules", field, mistakes),
        ..Rules::default()
    };
    if let Some(labels) = document.take("additionalLabels") {
        rules.labels = labels.texts_by_key()?;
    }
    let scoping = document.rules("labelScopingRules", scoping, mistakes);
    let preflight = document.rules("preflightRules", preflight, mistakes);
    rules.safe_crds = preflight.iter().any(|name| name == CRD_SAFETY);
    rules.notes = notes(&rules, !scoping.is_empty(), &preflight);
    Ok(rules)
}

/// What is accepted and changes nothing here, and why.
fn notes(rules: &Rules, scoping: bool, preflight: &[String]) -> Vec<String> {
    let mut notes = Vec::new();
    if scoping {
        notes.push(
            "labelScopingRules are not needed: an app is known by a label on its objects alone, selectors stay as they are",
        );
    }
    if !rules.label_places.is_empty() && rules.labels.is_empty() {
        notes.push(
            "ownershipLabelRules are not needed: an app is known by a label on its objects alone; they only say where additionalLabels go",
        );
    }
    if preflight.iter().any(|name| name == PERMISSIONS) {
        notes.push(
            "PermissionValidation is not needed: the server tries creations and updates before the first write",
        );
    }
    notes.into_iter().map(str::to_owned).collect()
}

fn required_version(node: &Node<'_>) -> Decoded<()> {
    let text = node.text()?;
    let numbers: Vec<u64> = text.split('.').map_while(|n| n.parse().ok()).collect();
    if numbers.len() != text.split('.').count() {
        return Err(node.mistake("expected a version such as 0.64.0, without a `v`"));
    }
    if numbers.as_slice() > KAPP.as_slice() {
        let [major, minor, patch] = KAPP;
        return Err(node.mistake(format!(
            "kapp {text} is required, but the rules of kapp {major}.{minor}.{patch} are the newest known here"
        )));
    }
    Ok(())
}

fn rebase(node: &Node<'_>) -> Decoded<Rebase> {
    let mut rule = node.fields(&[
        "resourceMatchers",
        "path",
        "paths",
        "type",
        "sources",
        "ytt",
    ])?;
    if let Some(ytt) = rule.take("ytt") {
        return Err(ytt.mistake("ytt overlays are not supported").hinted(
            "say it with `type: copy` and `sources: [existing]` to leave fields to the live object, or with `type: remove`",
        ));
    }
    let paths = match (rule.take("path"), rule.take("paths")) {
        (Some(one), None) => vec![one.path()?],
        (None, Some(many)) => many
            .items()?
            .iter()
            .map(Node::path)
            .collect::<Decoded<_>>()?,
        _ => return Err(node.mistake("a rebase rule has either `path` or `paths`")),
    };
    let kind = rule.needed("type")?;
    let sources = rule.list("sources", |source| match source.text()?.as_str() {
        "new" => Ok(CopySource::New),
        "existing" => Ok(CopySource::Existing),
        other => Err(source.unknown("source", other, &["new", "existing"])),
    })?;
    let action = match kind.text()?.as_str() {
        "copy" if sources.is_empty() => {
            return Err(node.mistake("a rebase rule that copies has `sources`"));
        }
        "copy" => RebaseAction::Copy(sources),
        "remove" => RebaseAction::Remove,
        other => return Err(kind.unknown("type", other, &["copy", "remove"])),
    };
    Ok(Rebase {
        paths,
        action,
        of: rule.matchers()?,
    })
}

fn wait(node: &Node<'_>) -> Decoded<Wait> {
    let mut rule = node.fields(&[
        "supportsObservedGeneration",
        "conditionMatchers",
        "resourceMatchers",
        "ytt",
    ])?;
    if let Some(ytt) = rule.take("ytt") {
        return Err(ytt
            .mistake("ytt functions are not supported")
            .hinted("say it with `conditionMatchers`"));
    }
    Ok(Wait {
        observed: rule.flag("supportsObservedGeneration")?,
        conditions: rule.list("conditionMatchers", condition)?,
        of: rule.matchers()?,
    })
}

fn condition(node: &Node<'_>) -> Decoded<Condition> {
    let mut matcher = node.fields(&[
        "type",
        "status",
        "failure",
        "success",
        "supportsObservedGeneration",
        "unblockChanges",
        "timeout",
    ])?;
    let timeout = match matcher.take("timeout") {
        Some(timeout) => Some(
            duration(&timeout.text()?)
                .ok_or_else(|| timeout.mistake("expected a duration such as 30s, 5m or 1h30m"))?,
        ),
        None => None,
    };
    Ok(Condition {
        kind: matcher.needed("type")?.text()?,
        status: matcher.needed("status")?.text()?,
        failure: matcher.flag("failure")?,
        success: matcher.flag("success")?,
        observed: matcher.flag("supportsObservedGeneration")?,
        unblocks: matcher.flag("unblockChanges")?,
        timeout,
    })
}

/// Reads a duration as Go writes it; `None` for one that is none, or below zero.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let read: jiff::SignedDuration = text.parse().ok()?;
    Duration::try_from(read).ok()
}

fn field(node: &Node<'_>) -> Decoded<Field> {
    let mut rule = node.fields(&["path", "resourceMatchers"])?;
    Ok(Field {
        path: rule.needed("path")?.path()?,
        of: rule.matchers()?,
    })
}

fn scoping(node: &Node<'_>) -> Decoded<()> {
    let mut rule = node.fields(&["path", "resourceMatchers", "isDefault"])?;
    rule.needed("path")?.path()?;
    rule.flag("isDefault")?;
    rule.matchers().map(drop)
}

fn template(node: &Node<'_>) -> Decoded<Template> {
    let mut rule = node.fields(&["resourceMatchers", "affectedResources"])?;
    let mut affected = rule
        .needed("affectedResources")?
        .fields(&["objectReferences"])?;
    let references = affected.list("objectReferences", |node| {
        let mut rule = node.fields(&["path", "resourceMatchers", "nameKey"])?;
        let name_key = rule.take("nameKey").map(|key| key.text()).transpose()?;
        Ok(Reference {
            path: rule.needed("path")?.path()?,
            name_key: name_key.unwrap_or_else(|| "name".to_owned()),
            of: rule.matchers()?,
        })
    })?;
    Ok(Template {
        of: rule.matchers()?,
        references,
    })
}

fn group(node: &Node<'_>) -> Decoded<Group> {
    let mut binding = node.fields(&["name", "resourceMatchers"])?;
    let name = binding.needed("name")?;
    let text = name.text()?;
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(name.mistake("a group is one word, for example `apps.example.com/db`"));
    }
    Ok(Group {
        name: text,
        of: binding.matchers()?,
    })
}

fn order(node: &Node<'_>) -> Decoded<Order> {
    let mut binding = node.fields(&["rules", "ignoreIfCyclical", "resourceMatchers"])?;
    let rules = binding.list("rules", |rule| {
        let text = rule.text()?;
        if mark::is_change_rule(&text) {
            Ok(text)
        } else {
            Err(rule.mistake(format!("{text:?}: expected {}", mark::CHANGE_RULE_FORM)))
        }
    })?;
    Ok(Order {
        rules,
        if_possible: binding.flag("ignoreIfCyclical")?,
        of: binding.matchers()?,
    })
}

const PERMISSIONS: &str = "PermissionValidation";
const CRD_SAFETY: &str = "CRDUpgradeSafety";

fn preflight(node: &Node<'_>) -> Decoded<String> {
    let mut rule = node.fields(&["name", "config"])?;
    let name = rule.needed("name")?;
    let text = name.text()?;
    if [PERMISSIONS, CRD_SAFETY].contains(&text.as_str()) {
        Ok(text)
    } else {
        Err(name.unknown("preflight check", &text, &[PERMISSIONS, CRD_SAFETY]))
    }
}

fn matcher(node: &Node<'_>) -> Decoded<Matcher> {
    const KNOWN: [&str; 11] = [
        "allMatcher",
        "anyMatcher",
        "andMatcher",
        "notMatcher",
        "apiGroupKindMatcher",
        "apiVersionKindMatcher",
        "kindNamespaceNameMatcher",
        "hasAnnotationMatcher",
        "hasNamespaceMatcher",
        "customResourceMatcher",
        "emptyFieldMatcher",
    ];
    let mut fields = node.fields(&KNOWN)?;
    let Some((name, inner)) = fields.found.pop_first() else {
        return Err(node
            .mistake("a matcher without a condition")
            .hinted("`allMatcher: {}` matches every object"));
    };
    if let Some(other) = fields.found.keys().next() {
        return Err(node
            .mistake(format!(
                "a matcher has one condition, not `{name}` and `{other}`"
            ))
            .hinted("put both into `andMatcher: {matchers: […]}`, or into `anyMatcher`"));
    }
    Ok(match name {
        "allMatcher" | "customResourceMatcher" => {
            inner.fields(&[])?;
            if name == "allMatcher" {
                Matcher::All
            } else {
                Matcher::Custom
            }
        }
        "anyMatcher" => Matcher::Any(inner.fields(&["matchers"])?.list("matchers", matcher)?),
        "andMatcher" => Matcher::And(inner.fields(&["matchers"])?.list("matchers", matcher)?),
        "notMatcher" => {
            let negated = inner.fields(&["matcher"])?.needed("matcher")?;
            Matcher::Not(Box::new(matcher(&negated)?))
        }
        "apiGroupKindMatcher" => {
            let mut fields = inner.fields(&["apiGroup", "kind"])?;
            Matcher::GroupKind {
                group: fields.text("apiGroup")?,
                kind: fields.needed("kind")?.text()?,
            }
        }
        "apiVersionKindMatcher" => {
            let mut fields = inner.fields(&["apiVersion", "kind"])?;
            Matcher::VersionKind {
                api_version: fields.needed("apiVersion")?.text()?,
                kind: fields.needed("kind")?.text()?,
            }
        }
        "kindNamespaceNameMatcher" => {
            let mut fields = inner.fields(&["kind", "namespace", "name"])?;
            Matcher::Name {
                kind: fields.needed("kind")?.text()?,
                namespace: fields.text("namespace")?,
                name: fields.needed("name")?.text()?,
            }
        }
        "hasAnnotationMatcher" => {
            Matcher::Annotated(inner.fields(&["keys"])?.list("keys", Node::text)?)
        }
        "hasNamespaceMatcher" => {
            Matcher::InNamespace(inner.fields(&["names"])?.list("names", Node::text)?)
        }
        _ => Matcher::Empty(inner.fields(&["path"])?.needed("path")?.path()?),
    })
}

/// A value of the document and where it stands.
struct Node<'a> {
    value: &'a Value,
    place: Vec<Part>,
}

/// The fields of a map by their known names.
struct Fields<'a> {
    found: BTreeMap<&'static str, Node<'a>>,
    place: Vec<Part>,
}

impl<'a> Node<'a> {
    fn mistake(&self, message: impl Into<String>) -> Mistake {
        Mistake {
            place: self.place.clone(),
            message: message.into(),
            hint: None,
        }
    }

    fn unknown(&self, what: &str, word: &str, known: &[&str]) -> Mistake {
        let hint = match nearest(word, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", known.join(", ")),
        };
        self.mistake(format!("unknown {what} `{word}`"))
            .hinted(&hint)
    }

    fn child(&self, part: Part, value: &'a Value) -> Self {
        let mut place = self.place.clone();
        place.push(part);
        Self { value, place }
    }

    /// The fields of a map; a key that is not known is a mistake. `null` is an empty map.
    fn fields(&self, known: &[&'static str]) -> Decoded<Fields<'a>> {
        let mut fields = Fields {
            found: BTreeMap::new(),
            place: self.place.clone(),
        };
        let map = match self.value {
            Value::Object(map) => map,
            Value::Null => return Ok(fields),
            _ => return Err(self.mistake("expected a map")),
        };
        for (key, value) in map {
            let node = self.child(Part::Key(key.clone()), value);
            match known.iter().find(|known| known.eq_ignore_ascii_case(key)) {
                Some(name) => drop(fields.found.insert(name, node)),
                None => return Err(node.unknown("key", key, known)),
            }
        }
        Ok(fields)
    }

    fn items(&self) -> Decoded<Vec<Self>> {
        match self.value {
            Value::Array(items) => Ok(items
                .iter()
                .enumerate()
                .map(|(index, item)| self.child(Part::Item(index), item))
                .collect()),
            Value::Null => Ok(Vec::new()),
            _ => Err(self.mistake("expected a list")),
        }
    }

    fn text(&self) -> Decoded<String> {
        match self.value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(_) | Value::Bool(_) => Err(self.mistake("expected a text: quote it")),
            _ => Err(self.mistake("expected a text")),
        }
    }

    fn texts_by_key(&self) -> Decoded<BTreeMap<String, String>> {
        let Value::Object(map) = self.value else {
            return Err(self.mistake("expected a map"));
        };
        map.iter()
            .map(|(key, value)| {
                let text = self.child(Part::Key(key.clone()), value).text()?;
                Ok((key.clone(), text))
            })
            .collect()
    }

    fn path(&self) -> Decoded<Path> {
        let steps: Vec<Step> = self
            .items()?
            .iter()
            .map(Node::step)
            .collect::<Decoded<_>>()?;
        if steps.is_empty() {
            return Err(self.mistake("the path is empty"));
        }
        Ok(Path(steps))
    }

    fn step(&self) -> Decoded<Step> {
        if let Value::String(key) = self.value {
            return Ok(Step::Key(key.clone()));
        }
        let mut fields = self.fields(&["allIndexes", "index", "regex"])?;
        let all = fields.flag("allIndexes")?;
        let index = fields.take("index");
        let pattern = fields.take("regex");
        match (all, index, pattern) {
            (true, None, None) => Ok(Step::All),
            (false, Some(index), None) => index
                .value
                .as_u64()
                .and_then(|n| usize::try_from(n).ok())
                .map(Step::Index)
                .ok_or_else(|| index.mistake("expected an index from 0 on")),
            (false, None, Some(pattern)) => Regex::new(&pattern.text()?)
                .map(Step::Matching)
                .map_err(|error| pattern.mistake(format!("not a regular expression: {error}"))),
            _ => Err(self.mistake("not a step of a path").hinted(
                "a step is a key, `{allIndexes: true}`, `{index: N}` or `{regex: PATTERN}`",
            )),
        }
    }
}

impl<'a> Fields<'a> {
    fn take(&mut self, key: &str) -> Option<Node<'a>> {
        self.found.remove(key).filter(|node| !node.value.is_null())
    }

    fn needed(&mut self, key: &str) -> Decoded<Node<'a>> {
        self.take(key).ok_or_else(|| Mistake {
            place: self.place.clone(),
            message: format!("`{key}` is missing"),
            hint: None,
        })
    }

    /// A text; empty where there is none.
    fn text(&mut self, key: &str) -> Decoded<String> {
        self.take(key).map_or(Ok(String::new()), |node| node.text())
    }

    fn flag(&mut self, key: &str) -> Decoded<bool> {
        match self.take(key) {
            None => Ok(false),
            Some(node) => node
                .value
                .as_bool()
                .ok_or_else(|| node.mistake("expected true or false")),
        }
    }

    fn list<T>(&mut self, key: &str, each: impl Fn(&Node<'a>) -> Decoded<T>) -> Decoded<Vec<T>> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(node) => node.items()?.iter().map(each).collect(),
        }
    }

    /// The rules of a list that are right; the mistakes of the others are collected.
    fn rules<T>(
        &mut self,
        key: &str,
        each: impl Fn(&Node<'a>) -> Decoded<T>,
        mistakes: &mut Vec<Mistake>,
    ) -> Vec<T> {
        let items = self.take(key).map_or(Ok(Vec::new()), |node| node.items());
        let items = items.unwrap_or_else(|mistake| {
            mistakes.push(mistake);
            Vec::new()
        });
        let mut found = Vec::new();
        for item in &items {
            match each(item) {
                Ok(rule) => found.push(rule),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        found
    }

    fn matchers(&mut self) -> Decoded<Vec<Matcher>> {
        let place = self.place.clone();
        let matchers = self.list("resourceMatchers", matcher)?;
        if matchers.is_empty() {
            let message = "the rule is about no object: `resourceMatchers` is missing".to_owned();
            let missing = Mistake {
                place,
                message,
                hint: None,
            };
            return Err(
                missing.hinted("`resourceMatchers: [{allMatcher: {}}]` is about every object")
            );
        }
        Ok(matchers)
    }
}

impl Mistake {
    fn hinted(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }
}
