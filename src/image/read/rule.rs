//! Reading `searchRules`.

use super::super::Error;
use super::super::config::{ImageMatcher, KeyMatcher, PathPart, SearchRule, Strategy};
use super::field::{Reader, find};
use windlass_helm::yaml::{NodeId, NodeKind, Scalar};

/// How deep rules may stand inside the strategies of other rules.
const MAX_RULE_DEPTH: usize = 8;

impl Reader<'_> {
    pub(super) fn rule(&self, node: NodeId, depth: usize) -> Result<SearchRule, Error> {
        let within = "an entry of `searchRules`";
        let entries = self.entries(
            node,
            within,
            &["keyMatcher", "valueMatcher", "updateStrategy"],
        )?;
        let some = |key| find(&entries, key).filter(|&value| !self.is_null(value));
        let rule = SearchRule {
            key: some("keyMatcher")
                .map(|n| self.key_matcher(n))
                .transpose()?,
            value: some("valueMatcher")
                .map(|n| self.value_matcher(n))
                .transpose()?,
            strategy: match some("updateStrategy") {
                Some(value) => self.strategy(value, depth)?,
                None => Strategy::EntireValue,
            },
            raw: self.json(node)?,
        };
        if rule.key.is_none() && rule.value.is_none() {
            return Err(Error::Missing {
                place: self.place(node),
                within: within.to_owned(),
                what: "`keyMatcher` or `valueMatcher`",
            });
        }
        Ok(rule)
    }

    fn key_matcher(&self, node: NodeId) -> Result<KeyMatcher, Error> {
        let entries = self.entries(node, "`keyMatcher`", &["name", "path"])?;
        if let Some(name) = self
            .optional_text(&entries, "name")?
            .filter(|name| !name.is_empty())
        {
            return Ok(KeyMatcher::Name(name));
        }
        let path = match find(&entries, "path") {
            Some(path) => self.list(path, "path", |n| self.path_part(n))?,
            None => Vec::new(),
        };
        if path.is_empty() {
            let (place, within) = (self.place(node), "`keyMatcher`".to_owned());
            return Err(Error::Missing {
                place,
                within,
                what: "`name` or `path`",
            });
        }
        Ok(KeyMatcher::Path(path))
    }

    fn path_part(&self, node: NodeId) -> Result<PathPart, Error> {
        let wrong = || {
            self.wrong(
                node,
                "an entry of `path`",
                "a key, `index: N` or `allIndexes: true`",
            )
        };
        if let NodeKind::Scalar { .. } = self.kind(node) {
            return self.text(node, "an entry of `path`").map(PathPart::Key);
        }
        let entries = self.entries(node, "an entry of `path`", &["index", "allIndexes"])?;
        if let Some(all) = find(&entries, "allIndexes") {
            return if self.boolean(all, "`allIndexes`")? {
                Ok(PathPart::AllIndexes)
            } else {
                Err(wrong())
            };
        }
        let index = find(&entries, "index").ok_or_else(wrong)?;
        match self.scalar(index) {
            Some(Scalar::Int(index)) => usize::try_from(index)
                .map(PathPart::Index)
                .map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }

    fn value_matcher(&self, node: NodeId) -> Result<ImageMatcher, Error> {
        let entries = self.entries(node, "`valueMatcher`", &["image", "imageRepo"])?;
        self.matcher(&entries)?.ok_or_else(|| Error::Missing {
            place: self.place(node),
            within: "`valueMatcher`".to_owned(),
            what: "`image` or `imageRepo`",
        })
    }

    fn strategy(&self, node: NodeId, depth: usize) -> Result<Strategy, Error> {
        let known = ["none", "entireValue", "json", "yaml"];
        let entries = self.entries(node, "`updateStrategy`", &known)?;
        // kbld asks in this order when several are given.
        let some = |key| find(&entries, key).filter(|&value| !self.is_null(value));
        if some("none").is_some() {
            return Ok(Strategy::None);
        }
        if some("entireValue").is_some() {
            return Ok(Strategy::EntireValue);
        }
        let (json, yaml) = (some("json"), some("yaml"));
        let Some(embedded) = json.or(yaml) else {
            let expected = "one of none, entireValue, json and yaml";
            return Err(self.wrong(node, "`updateStrategy`", expected));
        };
        if depth == MAX_RULE_DEPTH {
            let what = format!("a rule inside more than {MAX_RULE_DEPTH} others");
            return Err(Error::Unsupported {
                place: self.place(node),
                what,
            });
        }
        let entries = self.entries(embedded, "`json` or `yaml`", &["searchRules"])?;
        let rules = match find(&entries, "searchRules") {
            Some(rules) => self.list(rules, "searchRules", |n| self.rule(n, depth + 1))?,
            None => Vec::new(),
        };
        Ok(match json {
            Some(_) => Strategy::Json(rules),
            None => Strategy::Yaml(rules),
        })
    }
}
