//! Finding images in the text of manifests, with their places.
//!
//! The rules are kbld's (`pkg/kbld/search`): the given ones first, then every value under the key
//! `image`; the first rule that matches a value decides. Content behind an alias of a map or list is
//! found where its anchor stands, once.

use super::config::{ImageMatcher, KeyMatcher, PathPart, SearchRule, Strategy};
use super::{Error, Place, scalar};
use crate::object::Source;
use std::ops::Range;
use windlass_helm::yaml::{self, Document, Mark, NodeId, NodeKind, Scalar, Style};

/// An image in a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The reference as it stands there.
    pub image: String,
    /// Where it stands.
    pub place: Place,
    /// Its field, for example `spec.template.spec.containers[0].image`.
    pub path: String,
    /// The bytes of the text to replace.
    pub(super) span: Range<usize>,
    /// Whether the bytes are a whole scalar and not only the text inside one.
    pub(super) whole: bool,
    /// The scalars around the text, the outermost first, when it is embedded in another text.
    pub(super) around: Vec<Style>,
}

/// Something noticed at a place that does not stop the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// What is in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// The images in the order of the text.
    pub images: Vec<Found>,
    /// Fields that look like a mistake.
    pub warnings: Vec<Warning>,
}

/// Finds the images of a text of one or several YAML documents. `source` tells where the text
/// begins; `rules` stand before the rule for the key `image`.
///
/// # Errors
///
/// A text that is not YAML, and an embedded text with images that cannot be changed in place.
pub fn find(text: &[u8], source: &Source, rules: &[SearchRule]) -> Result<Search, Error> {
    let mut rules = rules.to_vec();
    rules.push(SearchRule::key("image"));
    let mut search = Search::default();
    let scope = Scope {
        text,
        source,
        path: String::new(),
    };
    search_text(&scope, &rules, &mut search)?;
    search.images.sort_by_key(|found| found.span.start);
    search.images.dedup_by(|a, b| a.span == b.span);
    Ok(search)
}

/// A text that is searched: a file, or what a scalar holds.
struct Scope<'a> {
    text: &'a [u8],
    source: &'a Source,
    /// The field that holds the text; empty for a file.
    path: String,
}

fn search_text(scope: &Scope<'_>, rules: &[SearchRule], search: &mut Search) -> Result<(), Error> {
    let documents = yaml::parse(scope.text).map_err(|error| Error::Yaml {
        place: scope.place(&Mark {
            offset: 0,
            line: error.line.max(1),
            column: error.column.max(1),
        }),
        message: error.message,
    })?;
    documents
        .iter()
        .try_for_each(|document| scope.document(document, rules, search))
}

/// A node on the way and the step that led to it.
struct Step {
    parent: Option<usize>,
    depth: usize,
    part: PathPart,
}

impl Scope<'_> {
    fn document(
        &self,
        document: &Document,
        rules: &[SearchRule],
        search: &mut Search,
    ) -> Result<(), Error> {
        let mut steps: Vec<Step> = Vec::new();
        let mut open: Vec<(NodeId, Option<usize>)> = vec![(document.root(), None)];
        while let Some((node, at)) = open.pop() {
            if let Some(at) = at
                && let Some(rule) = self.rule(document, node, &steps, at, rules)
                && self.apply(document, node, &steps, at, rule, search)?
            {
                continue;
            }
            let depth = at.map_or(0, |at| steps[at].depth + 1);
            let first = open.len();
            match &document.node(node).kind {
                NodeKind::Mapping(entries) => {
                    for &(key, value) in entries {
                        let part = PathPart::Key(document.text(key).unwrap_or_default().to_owned());
                        steps.push(Step {
                            parent: at,
                            depth,
                            part,
                        });
                        open.push((value, Some(steps.len() - 1)));
                    }
                }
                NodeKind::Sequence(items) => {
                    for (index, &item) in items.iter().enumerate() {
                        steps.push(Step {
                            parent: at,
                            depth,
                            part: PathPart::Index(index),
                        });
                        open.push((item, Some(steps.len() - 1)));
                    }
                }
                NodeKind::Scalar { .. } | NodeKind::Alias(_) => {}
            }
            open[first..].reverse();
        }
        Ok(())
    }

    fn rule<'r>(
        &self,
        document: &Document,
        node: NodeId,
        steps: &[Step],
        at: usize,
        rules: &'r [SearchRule],
    ) -> Option<&'r SearchRule> {
        rules.iter().find(|rule| {
            let key = match &rule.key {
                None => true,
                Some(KeyMatcher::Name(name)) => {
                    matches!(&steps[at].part, PathPart::Key(key) if key == name)
                }
                Some(KeyMatcher::Path(path)) => path_matches(path, steps, at),
            };
            key && rule
                .value
                .as_ref()
                .is_none_or(|value| value_matches(document, node, value))
        })
    }

    /// Does what the rule says. `false` when the node's children are still to be searched.
    fn apply(
        &self,
        document: &Document,
        node: NodeId,
        steps: &[Step],
        at: usize,
        rule: &SearchRule,
        search: &mut Search,
    ) -> Result<bool, Error> {
        let Some((text, style)) = string(document, node) else {
            return Ok(false);
        };
        let path = || self.path_text(steps, at);
        match &rule.strategy {
            Strategy::None => Ok(false),
            Strategy::EntireValue if text.is_empty() => {
                let message = format!("{} is empty, not an image", path());
                let place = self.place(&document.node(node).value_start);
                search.warnings.push(Warning { place, message });
                Ok(true)
            }
            Strategy::EntireValue => {
                let found = self.found(document, node, text, style, path());
                search.images.push(found);
                Ok(true)
            }
            // kbld leaves a value alone that is not of the expected form.
            Strategy::Json(_) if !is_json(text) => Ok(true),
            Strategy::Json(rules) | Strategy::Yaml(rules) => {
                self.embedded(document, node, (text, style), rules, path(), search)?;
                Ok(true)
            }
        }
    }

    fn found(
        &self,
        document: &Document,
        node: NodeId,
        text: &str,
        style: Style,
        path: String,
    ) -> Found {
        let span = self.span(document, node);
        let raw = std::str::from_utf8(&self.text[span.clone()]).unwrap_or_default();
        let alias = matches!(document.node(node).kind, NodeKind::Alias(_));
        let quoted = matches!(style, Style::SingleQuoted | Style::DoubleQuoted);
        // Quotes stay when nothing inside them is escaped or folded.
        let inside =
            quoted && !alias && raw.len() == text.len() + 2 && &raw[1..=text.len()] == text;
        Found {
            image: text.to_owned(),
            place: self.place(&document.node(node).value_start),
            path,
            span: if inside {
                span.start + 1..span.end - 1
            } else {
                span
            },
            whole: !inside,
            around: Vec::new(),
        }
    }

    /// Searches the text that a scalar holds and puts the places of its images into this text.
    fn embedded(
        &self,
        document: &Document,
        node: NodeId,
        (text, style): (&str, Style),
        rules: &[SearchRule],
        path: String,
        search: &mut Search,
    ) -> Result<(), Error> {
        let mut inner = Search::default();
        let scope = Scope {
            text: text.as_bytes(),
            source: self.source,
            path: path.clone(),
        };
        if let Err(Error::Yaml { .. }) = search_text(&scope, rules, &mut inner) {
            return Ok(());
        }
        if inner.images.is_empty() {
            return Ok(());
        }
        let spelling = document.node(node);
        let place = self.place(&spelling.value_start);
        let end = spelling.end.offset.min(self.text.len());
        let span = spelling.value_start.offset.min(end)..end;
        let raw = std::str::from_utf8(&self.text[span.clone()]).unwrap_or_default();
        let offsets = match spelling.kind {
            NodeKind::Alias(_) => None,
            _ => scalar::offsets(raw, style, text),
        };
        let Some(offsets) = offsets else {
            return Err(Error::NotInPlace { place, path });
        };
        inner.images.sort_by_key(|found| found.span.start);
        let mut mark = spelling.value_start;
        for mut found in inner.images {
            let start = span.start + offsets[found.span.start];
            let end = span.start + offsets[found.span.end];
            mark = mark_after(self.text, mark, start);
            found.place = self.place(&mark);
            found.span = start..end;
            found.around.insert(0, style);
            search.images.push(found);
        }
        search
            .warnings
            .extend(inner.warnings.into_iter().map(|warning| Warning {
                place: place.clone(),
                message: warning.message,
            }));
        Ok(())
    }

    /// The bytes of a scalar without what follows it: the breaks at the end of a block stay.
    fn span(&self, document: &Document, node: NodeId) -> Range<usize> {
        let node = document.node(node);
        let end = node.end.offset.min(self.text.len());
        let start = node.value_start.offset.min(end);
        let block = matches!(
            node.kind,
            NodeKind::Scalar {
                style: Style::Literal | Style::Folded,
                ..
            }
        );
        let kept = self.text[start..end].trim_ascii_end().len();
        start..if block { start + kept } else { end }
    }

    fn place(&self, mark: &Mark) -> Place {
        Place {
            file: self.source.file.clone(),
            line: self.source.line + mark.line - 1,
            column: mark.column,
        }
    }

    fn path_text(&self, steps: &[Step], at: usize) -> String {
        let mut parts = Vec::new();
        let mut next = Some(at);
        while let Some(step) = next.map(|at| &steps[at]) {
            parts.push(&step.part);
            next = step.parent;
        }
        let part = |part: &&PathPart| match part {
            PathPart::Key(key) if key.contains(['.', '/']) => format!("[{key}]"),
            PathPart::Key(key) => format!(".{key}"),
            PathPart::Index(index) => format!("[{index}]"),
            PathPart::AllIndexes => "[*]".to_owned(),
        };
        let own: String = parts.iter().rev().map(part).collect();
        if self.path.is_empty() {
            own.strip_prefix('.').unwrap_or(&own).to_owned()
        } else {
            format!("{}{own}", self.path)
        }
    }
}

fn path_matches(path: &[PathPart], steps: &[Step], at: usize) -> bool {
    if steps[at].depth + 1 != path.len() {
        return false;
    }
    let mut next = Some(at);
    path.iter().rev().all(|wanted| {
        let Some(step) = next.map(|at| &steps[at]) else {
            return false;
        };
        next = step.parent;
        match (wanted, &step.part) {
            (PathPart::AllIndexes, PathPart::Index(_)) => true,
            (wanted, part) => wanted == part,
        }
    })
}

fn value_matches(document: &Document, node: NodeId, matcher: &ImageMatcher) -> bool {
    string(document, node).is_some_and(|(text, _)| matcher.matches(text))
}

/// The text and style of a node that YAML reads as a string.
fn string(document: &Document, node: NodeId) -> Option<(&str, Style)> {
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

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Line and column of an offset, counted from a mark before it.
fn mark_after(text: &[u8], mark: Mark, offset: usize) -> Mark {
    let between = &text[mark.offset.min(offset)..offset];
    let characters = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().count();
    let lines = between.iter().filter(|&&b| b == b'\n').count();
    let column = match between.iter().rposition(|&b| b == b'\n') {
        Some(at) => characters(&between[at + 1..]) + 1,
        None => mark.column + characters(between),
    };
    Mark {
        offset,
        line: mark.line + lines,
        column,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::read;

    fn rules(text: &str) -> Vec<SearchRule> {
        let text = format!("apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\n{text}");
        read::lock("rules.yml", text.as_bytes())
            .unwrap()
            .search_rules
    }

    fn search(text: &str, rules: &[SearchRule]) -> Search {
        find(
            text.as_bytes(),
            &Source {
                file: "t.yaml".to_owned(),
                line: 10,
            },
            rules,
        )
        .unwrap()
    }

    fn told(text: &str, rules: &[SearchRule]) -> Vec<String> {
        let found = search(text, rules).images.into_iter();
        found
            .map(|found| format!("{} {} {}", found.image, found.place, found.path))
            .collect()
    }

    #[test]
    fn every_text_under_image_is_found_with_its_place() {
        let text = "spec:\n  containers:\n  - name: a\n    image: nginx:1\n  - {image: 'web'}\n\
                    ---\ndata:\n  x/y:\n    image: \"z\"\n";
        assert_eq!(
            told(text, &[]),
            [
                "nginx:1 t.yaml:13:12 spec.containers[0].image",
                "web t.yaml:14:13 spec.containers[1].image",
                "z t.yaml:18:12 data[x/y].image",
            ]
        );
    }

    #[test]
    fn other_types_are_not_images() {
        let text = "properties:\n  image: {type: string}\n---\na: {image: 5}\nb: {image: on}\n\
                    c: {image: null}\nd: {image: }\ne: {image: [image]}\n";
        assert_eq!(told(text, &[]), Vec::<String>::new());
    }

    #[test]
    fn an_empty_image_is_a_warning_with_its_place() {
        let found = search("spec:\n  image: \"\"\n", &[]);
        assert_eq!(found.images, []);
        let warnings: Vec<_> = found.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            warnings,
            ["t.yaml:11:10: spec.image is empty, not an image"]
        );
    }

    #[test]
    fn the_first_matching_rule_decides() {
        let rules = rules(
            "searchRules:\n\
             - keyMatcher: {path: [data, image]}\n  updateStrategy: {none: {}}\n\
             - keyMatcher: {path: [args, {allIndexes: true}]}\n  valueMatcher: {imageRepo: helper}\n\
             - valueMatcher: {image: 'exact:1'}\n",
        );
        let text = "data:\n  image: logo.png\nargs:\n- --verbose\n- helper:2\n\
                    other:\n- exact:1\n- exact:2\n";
        assert_eq!(
            told(text, &rules),
            [
                "helper:2 t.yaml:14:3 args[1]",
                "exact:1 t.yaml:16:3 other[0]"
            ]
        );
    }

    #[test]
    fn images_inside_embedded_texts_are_found_where_they_stand() {
        let rules = rules(
            "searchRules:\n- keyMatcher: {name: config.yaml}\n  \
             updateStrategy: {yaml: {searchRules: [{keyMatcher: {name: img}}]}}\n\
             - keyMatcher: {name: config.json}\n  \
             updateStrategy: {json: {searchRules: [{keyMatcher: {name: img}}]}}\n",
        );
        let text = "data:\n  config.yaml: |\n    # a\n    list:\n    - img: web:1 # c\n  \
                    config.json: \"{\\\"img\\\": \\\"api:2\\\"}\"\n  image: top\n";
        assert_eq!(
            told(text, &rules),
            [
                "web:1 t.yaml:14:12 data[config.yaml].list[0].img",
                "api:2 t.yaml:15:29 data[config.json].img",
                "top t.yaml:16:10 data.image",
            ]
        );
    }

    #[test]
    fn anchors_are_found_once_and_their_aliases_where_they_stand() {
        let text = "a: &all\n  image: &img web:1\nb: *all\nc:\n  image: *img\n";
        assert_eq!(
            told(text, &[]),
            ["web:1 t.yaml:11:15 a.image", "web:1 t.yaml:14:10 c.image"]
        );
    }

    #[test]
    fn text_that_is_not_yaml_has_a_place() {
        let source = Source {
            file: "t.yaml".to_owned(),
            line: 10,
        };
        let error = find(b"a: b\nc: [\n", &source, &[]).unwrap_err().to_string();
        assert!(error.starts_with("t.yaml:12:"), "{error}");
    }
}
