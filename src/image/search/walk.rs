//! Walking through documents and asking the rules about every value.

use super::super::config::{ImageMatcher, KeyMatcher, PathPart, SearchRule, Strategy};
use super::super::{Error, Place, read};
use super::Search;
use super::known::{self, Form, Known};
use crate::object::{Lines, Source};
use std::sync::Arc;
use windlass_helm::yaml::{self, Document, Mark, NodeId, NodeKind, Scalar, Style};

/// The rules that are asked, in order.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) given: &'a [SearchRule],
    /// Whether known fields and the key `image` come after them.
    pub(super) and_known: bool,
}

/// A text that is searched: a file, or what a scalar holds.
pub(super) struct Scope<'a> {
    pub(super) text: &'a [u8],
    pub(super) lines: Lines<'a>,
    /// The field that holds the text; empty for a file.
    pub(super) path: &'a str,
    /// The object that holds the text, when it is known already.
    pub(super) object: Option<Arc<str>>,
}

/// A step on the way to a value: the collection and the part of it.
pub(super) struct Step<'d> {
    parent: Option<usize>,
    /// How long the path is that rules see, this step included.
    length: usize,
    collection: NodeId,
    part: Part<'d>,
}

enum Part<'d> {
    Key(&'d str),
    Index(usize),
}

/// A value on the walk: its node, and the steps to it.
pub(super) struct Value<'w> {
    pub(super) document: &'w Document,
    pub(super) node: NodeId,
    pub(super) text: &'w str,
    pub(super) style: Style,
    steps: &'w [Step<'w>],
    at: usize,
    pub(super) object: &'w Arc<str>,
}

/// A failure of reading, and one of searching.
enum Stop {
    Syntax(yaml::Error),
    Found(Error),
}

impl From<yaml::Error> for Stop {
    fn from(error: yaml::Error) -> Self {
        Self::Syntax(error)
    }
}

impl<'a> Scope<'a> {
    pub(super) fn file(text: &'a [u8], lines: Lines<'a>) -> Self {
        Self {
            text,
            lines,
            path: "",
            object: None,
        }
    }

    /// Searches the documents one after another: what one holds can be dropped before the next is read.
    pub(super) fn search(
        &self,
        rules: Rules<'_>,
        mut visit: impl FnMut(&Document, Search) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let visit = |document: Document| {
            let mut search = Search::default();
            self.document(&document, rules, &mut search)
                .and_then(|()| visit(&document, search.sorted()))
                .map_err(Stop::Found)
        };
        yaml::parse_each(self.text, visit).map_err(|stop| match stop {
            Stop::Found(error) => error,
            Stop::Syntax(error) => Error::yaml(self.text, self.lines, &error),
        })
    }

    /// Searches a document. The items of a list are objects of their own, as in kbld.
    fn document(
        &self,
        document: &Document,
        rules: Rules<'_>,
        search: &mut Search,
    ) -> Result<(), Error> {
        let root = document.root();
        if self.path.is_empty() && read::is_config_document(document) {
            return Ok(());
        }
        let items = document.get(root, "items").filter(|_| self.path.is_empty());
        let is_list = |&node: &NodeId| {
            matches!(
                document.node(document.follow(node)).kind,
                NodeKind::Sequence(_)
            )
        };
        let Some(items) = items.filter(is_list) else {
            return self.object(document, root, Vec::new(), rules, search);
        };
        let step = |parent, collection, part| Step {
            parent,
            length: 0,
            collection,
            part,
        };
        for (index, &item) in document.items(items).iter().enumerate() {
            let steps = vec![
                step(None, root, Part::Key("items")),
                step(Some(0), items, Part::Index(index)),
            ];
            self.object(document, item, steps, rules, search)?;
        }
        Ok(())
    }

    fn object<'d>(
        &self,
        document: &'d Document,
        root: NodeId,
        mut steps: Vec<Step<'d>>,
        rules: Rules<'_>,
        search: &mut Search,
    ) -> Result<(), Error> {
        let object = match &self.object {
            Some(object) => Arc::clone(object),
            None => object_name(document, root),
        };
        let version = document.get(root, "apiVersion");
        let version = version.and_then(|node| document.text(node));
        let known = match rules.and_known {
            true => known::fields(version.unwrap_or_default()),
            false => Vec::new(),
        };
        let mut open = vec![(root, steps.len().checked_sub(1))];
        while let Some((node, at)) = open.pop() {
            if let Some(at) = at.filter(|_| node != root)
                && let Some((text, style)) = string(document, node)
            {
                let value = Value {
                    document,
                    node,
                    text,
                    style,
                    steps: &steps,
                    at,
                    object: &object,
                };
                self.value(&value, rules, &known, search)?;
                continue;
            }
            let length = at.map_or(0, |at| steps[at].length) + 1;
            let first = open.len();
            let mut push = |value, part| {
                steps.push(Step {
                    parent: at,
                    length,
                    collection: node,
                    part,
                });
                open.push((value, Some(steps.len() - 1)));
            };
            match &document.node(node).kind {
                NodeKind::Mapping(entries) => {
                    for &(key, value) in entries {
                        push(value, Part::Key(document.text(key).unwrap_or_default()));
                    }
                }
                NodeKind::Sequence(items) => {
                    for (index, &item) in items.iter().enumerate() {
                        push(item, Part::Index(index));
                    }
                }
                NodeKind::Scalar { .. } | NodeKind::Alias(_) => {}
            }
            open[first..].reverse();
        }
        Ok(())
    }

    /// Does with a text what the first rule says that matches it.
    fn value(
        &self,
        value: &Value<'_>,
        rules: Rules<'_>,
        known: &[&'static Known],
        search: &mut Search,
    ) -> Result<(), Error> {
        if let Some(rule) = rules.given.iter().find(|rule| value.is_meant_by(rule)) {
            return match &rule.strategy {
                Strategy::None => Ok(()),
                Strategy::EntireValue => self.field(value, IMAGE, search),
                // kbld leaves a value alone that is not of the expected form.
                Strategy::Json(_) if !is_json(value.text) => Ok(()),
                Strategy::Json(rules) | Strategy::Yaml(rules) => {
                    self.embedded(value, rules, search)
                }
            };
        }
        if !rules.and_known {
            return Ok(());
        }
        match known::form(known, value.text, &value.keys()) {
            Some(form) => self.field(value, form, search),
            None if matches!(value.steps[value.at].part, Part::Key("image")) => {
                self.field(value, IMAGE, search)
            }
            None => Ok(()),
        }
    }

    pub(super) fn place(&self, mark: &Mark) -> Place {
        let Source { file, line } = self.lines.at(mark.line);
        Place {
            file,
            line,
            column: mark.column,
        }
    }

    pub(super) fn path_of(&self, value: &Value<'_>) -> String {
        let mut parts: Vec<&Part<'_>> = value.way().map(|step| &step.part).collect();
        parts.reverse();
        let part = |part: &&Part<'_>| match part {
            Part::Key(key) if key.contains(['.', '/']) => format!("[{key}]"),
            Part::Key(key) => format!(".{key}"),
            Part::Index(index) => format!("[{index}]"),
        };
        let path: String = parts.iter().map(part).collect();
        match self.path {
            "" => path.strip_prefix('.').unwrap_or(&path).to_owned(),
            outer => format!("{outer}{path}"),
        }
    }
}

const IMAGE: Form = Form::Image { prefix: "" };

impl<'w> Value<'w> {
    /// The steps to the value, the last first.
    fn way(&self) -> impl Iterator<Item = &'w Step<'w>> + Clone + use<'w> {
        let steps = self.steps;
        std::iter::successors(Some(self.at), |&at| steps[at].parent).map(|at| &steps[at])
    }

    /// The keys that lead to the value, the last first.
    fn keys(&self) -> impl Iterator<Item = &'w str> + Clone + use<'w> {
        self.way().filter_map(|step| match step.part {
            Part::Key(key) => Some(key),
            Part::Index(_) => None,
        })
    }

    /// The text beside the value under another key of its map, unless it is empty.
    pub(super) fn beside(&self, key: &str) -> Option<Self> {
        let node = self.document.get(self.steps[self.at].collection, key)?;
        let (text, style) = string(self.document, node).filter(|(text, _)| !text.is_empty())?;
        Some(Self {
            node,
            text,
            style,
            ..*self
        })
    }

    fn is_meant_by(&self, rule: &SearchRule) -> bool {
        let key = match &rule.key {
            None => true,
            Some(KeyMatcher::Name(name)) => {
                matches!(self.steps[self.at].part, Part::Key(key) if key == name)
            }
            Some(KeyMatcher::Path(path)) => self.is_at(path),
        };
        let means = |matcher: &ImageMatcher| matcher.matches(self.text);
        key && rule.value.as_ref().is_none_or(means)
    }

    fn is_at(&self, path: &[PathPart]) -> bool {
        let matches = |(wanted, step): (&PathPart, &Step<'_>)| match (wanted, &step.part) {
            (PathPart::AllIndexes, Part::Index(_)) => true,
            (PathPart::Index(wanted), Part::Index(index)) => wanted == index,
            (PathPart::Key(wanted), Part::Key(key)) => wanted == key,
            _ => false,
        };
        self.steps[self.at].length == path.len() && path.iter().rev().zip(self.way()).all(matches)
    }
}

fn object_name(document: &Document, root: NodeId) -> Arc<str> {
    let text = |node, key| document.get(node, key).and_then(|node| document.text(node));
    let Some(kind) = text(root, "kind") else {
        return Arc::from("");
    };
    let metadata = document.get(root, "metadata");
    let name = |key| metadata.and_then(|metadata| text(metadata, key));
    match name("name").or_else(|| name("generateName")) {
        Some(name) => Arc::from(format!("{kind}/{name}")),
        None => Arc::from(kind),
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// The text and style of a node that YAML reads as a string.
pub(super) fn string(document: &Document, node: NodeId) -> Option<(&str, Style)> {
    let node = document.node(document.follow(node));
    let NodeKind::Scalar {
        text,
        style,
        implicit,
    } = &node.kind
    else {
        return None;
    };
    let scalar = yaml::resolve(text, node.tag.as_deref(), *implicit).ok()?;
    matches!(scalar, Scalar::Str | Scalar::Timestamp).then_some((text, *style))
}
