//! Finds Config documents in YAML text and reads them, every mistake with its line.

use super::Rules;
use super::decode::{Mistake, decode};
use super::path::Part;
use crate::object::{Error, Lines, Object, Problem, Source};
use windlass_helm::yaml::{self, Document, NodeId};

/// The API group of kapp's documents. They configure the deploy and are no objects of a cluster.
pub const API_GROUP: &str = "kapp.k14s.io";
/// The label of ConfigMaps that hold a Config.
const LABEL: &str = "kapp.k14s.io/config";
/// The key under which they hold it.
const KEY: &str = "config.yml";

/// The rules of all Config documents of a text, and of the ConfigMaps that hold one. Text that is no
/// YAML has none: whoever reads its objects tells of it.
///
/// # Errors
/// Everything that is wrong with them, each document's first mistake with file and line.
pub fn read<'a>(text: &[u8], lines: impl Into<Lines<'a>>) -> Result<Rules, Error> {
    let mut reader = Reader {
        lines: lines.into(),
        rules: Rules::default(),
        problems: Vec::new(),
    };
    // Most texts have none, and need not be read twice.
    if holds(text, API_GROUP.as_bytes()) {
        for document in yaml::parse(text).unwrap_or_default() {
            reader.object(&document, document.root());
        }
    }
    Error::check(reader.problems)?;
    Ok(reader.rules)
}

/// The rules that the live ConfigMaps of an app hold. What cannot be read any more is passed over: it
/// was read when it was deployed.
#[must_use]
pub fn of_live<'a>(objects: impl Iterator<Item = &'a Object>) -> Rules {
    let mut rules = Rules::default();
    for object in objects.filter(|object| object.label(LABEL).is_some()) {
        let source = Source {
            file: object.reference().to_string(),
            line: 1,
        };
        let found = read(object.text(&["data", KEY]).as_bytes(), &source);
        rules.extend(found.unwrap_or_default());
    }
    rules
}

struct Reader<'a> {
    lines: Lines<'a>,
    rules: Rules,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn object(&mut self, document: &Document, node: NodeId) {
        let text = |path: &[&str]| text_at(document, node, path);
        let group = text(&["apiVersion"]).and_then(|version| version.split('/').next());
        let labeled = at(document, node, &["metadata", "labels", LABEL]).is_some();
        if group == Some(API_GROUP) {
            self.config(document, node, &|document, place| {
                line(document, node, place)
            });
        } else if labeled {
            self.config_map(document, node);
        } else if text(&["kind"]).is_some_and(|kind| kind.ends_with("List")) {
            let items = document.get(node, "items");
            for item in items.map(|items| document.items(items)).unwrap_or_default() {
                self.object(document, document.follow(*item));
            }
        }
    }

    /// Reads a document; `line` tells where a place of it stands in the text.
    fn config(
        &mut self,
        document: &Document,
        node: NodeId,
        line: &dyn Fn(&Document, &[Part]) -> usize,
    ) {
        let Ok(tree) = yaml::to_json_value(document, node) else {
            return;
        };
        match decode(&tree) {
            Ok(rules) => self.rules.extend(rules),
            Err(mistakes) => {
                for mistake in mistakes {
                    let source = self.lines.at(line(document, &mistake.place));
                    self.problem(source, mistake);
                }
            }
        }
    }

    fn problem(&mut self, source: Source, mistake: Mistake) {
        let mut problem = Problem::new(source, mistake.message);
        problem.hint = mistake.hint;
        self.problems.push(problem);
    }

    /// Reads the text in a ConfigMap. As a block it has lines of its own in the file.
    fn config_map(&mut self, document: &Document, node: NodeId) {
        let begin = line(document, node, &[]);
        let Some(value) = at(document, node, &["data", KEY]) else {
            let message =
                format!("a ConfigMap with the label {LABEL} holds a kapp Config in data[{KEY}]");
            let problem = Problem::new(self.lines.at(begin), message);
            return self.problems.push(problem);
        };
        let first = document.node(value).value_start.line;
        let text = document.text(value).unwrap_or_default();
        match yaml::parse(text.as_bytes()) {
            Ok(inner) => {
                for inner in &inner {
                    self.config(inner, inner.root(), &|inner, place| {
                        first + line(inner, inner.root(), place)
                    });
                }
            }
            Err(error) => {
                let message = format!("data[{KEY}] is invalid YAML: {}", error.message);
                let problem = Problem::new(self.lines.at(first), message);
                self.problems.push(problem);
            }
        }
    }
}

fn at(document: &Document, node: NodeId, path: &[&str]) -> Option<NodeId> {
    path.iter()
        .try_fold(node, |node, key| document.get(node, key))
}

fn text_at<'a>(document: &'a Document, node: NodeId, path: &[&str]) -> Option<&'a str> {
    document.text(at(document, node, path)?)
}

/// The line of a place: of its key where it is a field.
fn line(document: &Document, root: NodeId, place: &[Part]) -> usize {
    let (mut node, mut line) = (root, document.node(root).value_start.line);
    for part in place {
        let found = match part {
            Part::Key(key) => {
                let mut entries = document.entries(node).iter();
                entries.find(|(name, _)| document.text(*name) == Some(key))
            }
            Part::Item(index) => {
                let item = document.items(node).get(*index);
                let Some(item) = item else { break };
                line = document.node(*item).start.line;
                node = document.follow(*item);
                continue;
            }
        };
        let Some((name, value)) = found else { break };
        line = document.node(*name).start.line;
        node = document.follow(*value);
    }
    line
}

fn holds(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kapp::{Matcher, RebaseAction};

    fn source() -> Source {
        Source {
            file: "config.yml".to_owned(),
            line: 1,
        }
    }

    fn config(rules: &str) -> Result<Rules, Error> {
        let text = format!("apiVersion: kapp.k14s.io/v1alpha1\nkind: Config\n{rules}");
        read(text.as_bytes(), &source())
    }

    fn mistake(rules: &str) -> String {
        let error = config(rules).unwrap_err();
        let hint = error.problems[0].hint.clone();
        format!("{error}; {}", hint.unwrap_or_default())
    }

    #[test]
    fn every_kind_of_rule_is_read() {
        let rules = config(include_str!("../../tests/fixtures/kapp/rules.yml")).unwrap();
        assert_eq!(rules.rebase.len(), 2);
        assert_eq!(rules.rebase[1].action, RebaseAction::Remove);
        assert_eq!(rules.rebase[0].paths.len(), 2);
        assert_eq!(rules.wait[0].conditions.len(), 3);
        let timeout = rules.wait[0].conditions[2].timeout;
        assert_eq!(timeout.map(|t| t.as_secs()), Some(90));
        assert_eq!(rules.mask[0].path.to_string(), "data");
        assert_eq!(rules.template[0].references[0].name_key, "configName");
        assert_eq!(rules.groups[0].name, "apps.example.com/db-{name}");
        assert!(rules.order[0].if_possible);
        assert_eq!(rules.labels["team"], "shop");
        assert!(rules.safe_crds);
        assert_eq!((rules.no_reason.len(), rules.left_to_others.len()), (1, 1));
        assert!(matches!(rules.label_places[0].of[0], Matcher::And(_)));
        insta::assert_snapshot!(rules.notes.join("\n"), @"
        labelScopingRules are not needed: an app is known by a label on its objects alone, selectors stay as they are
        PermissionValidation is not needed: the server tries creations and updates before the first write
        ");
    }

    #[test]
    fn mistakes_have_a_line_and_a_hint() {
        let all = "resourceMatchers: [{allMatcher: {}}]";
        let cases = [
            "rebaseRule: []".to_owned(),
            format!("rebaseRules:\n- path: [spec]\n  typ: copy\n  {all}"),
            format!("rebaseRules:\n- path: [spec]\n  type: kopy\n  {all}"),
            format!("rebaseRules:\n- {all}\n  ytt: {{overlayContractV1: {{overlay.yml: x}}}}"),
            format!("rebaseRules:\n- path: [spec, {{indexes: true}}]\n  type: remove\n  {all}"),
            format!("waitRules:\n- ytt: {{funcContractV1: {{}}}}\n  {all}"),
            format!("waitRules:\n- conditionMatchers: [{{type: Ready, status: True}}]\n  {all}"),
            "diffMaskRules:\n- path: [data]".to_owned(),
            "diffMaskRules:\n- path: [data]\n  resourceMatchers:\n  - alMatcher: {}".to_owned(),
            "diffMaskRules:\n- path: [data]\n  resourceMatchers:\n  - {}".to_owned(),
            format!("changeRuleBindings:\n- rules: [upsert after x]\n  {all}"),
            "preflightRules:\n- name: Nothing".to_owned(),
            "minimumRequiredVersion: 1.2.0".to_owned(),
        ];
        let found: Vec<String> = cases.iter().map(|case| mistake(case)).collect();
        insta::assert_snapshot!(found.join("\n"), @r#"
        config.yml:3: unknown key `rebaseRule`; did you mean `rebaseRules`?
        config.yml:5: unknown key `typ`; did you mean `type`?
        config.yml:5: unknown type `kopy`; did you mean `copy`?
        config.yml:5: ytt overlays are not supported; say it with `type: copy` and `sources: [existing]` to leave fields to the live object, or with `type: remove`
        config.yml:4: unknown key `indexes`; known are allIndexes, index, regex
        config.yml:4: ytt functions are not supported; say it with `conditionMatchers`
        config.yml:4: expected a text: quote it; 
        config.yml:4: the rule is about no object: `resourceMatchers` is missing; `resourceMatchers: [{allMatcher: {}}]` is about every object
        config.yml:6: unknown key `alMatcher`; did you mean `allMatcher`?
        config.yml:6: a matcher without a condition; `allMatcher: {}` matches every object
        config.yml:4: "upsert after x": expected the form `(upsert|delete) (before|after) (upserting|deleting) <group>`; 
        config.yml:4: unknown preflight check `Nothing`; known are PermissionValidation, CRDUpgradeSafety
        config.yml:3: kapp 1.2.0 is required, but the rules of kapp 0.64.0 are the newest known here;
        "#);
    }

    #[test]
    fn all_wrong_rules_are_told_at_once() {
        let all = "resourceMatchers: [{allMatcher: {}}]";
        let text = format!(
            "rebaseRules:\n- ytt: {{}}\n  {all}\n- path: [a]\n  type: copy\n  {all}\nwaitRules:\n- ytt: {{}}\n  {all}\nchangeRuleBindings: 1"
        );
        insta::assert_snapshot!(config(&text).unwrap_err(), @"
        config.yml:4: ytt overlays are not supported
        config.yml:6: a rebase rule that copies has `sources`
        config.yml:10: ytt functions are not supported
        config.yml:12: expected a list
        ");
    }

    #[test]
    fn keys_are_read_in_any_case_as_kapp_does() {
        let rules =
            config("DiffMaskRules:\n- Path: [data]\n  resourcematchers: [{AllMatcher: {}}]");
        assert_eq!(rules.unwrap().mask.len(), 1);
    }

    #[test]
    fn other_kinds_and_versions_of_kapp_are_refused() {
        let text = b"a: 1\n---\napiVersion: kapp.k14s.io/v1\nkind: Config\n---\napiVersion: kapp.k14s.io/v1alpha1\nkind: Konfig\n";
        let error = read(text, &source()).unwrap_err();
        insta::assert_snapshot!(error, @r#"
        config.yml:3: apiVersion of a kapp Config must be `kapp.k14s.io/v1alpha1`
        config.yml:7: kind of a kapp Config must be `Config`
        "#);
    }

    #[test]
    fn a_labeled_config_map_holds_rules_and_its_mistakes_their_line() {
        let map = |rules: &str| {
            let text = format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n  labels: {{kapp.k14s.io/config: \"\"}}\ndata:\n  config.yml: |\n    apiVersion: kapp.k14s.io/v1alpha1\n    kind: Config\n    {rules}\n"
            );
            read(text.as_bytes(), &source())
        };
        assert_eq!(map("additionalLabels: {a: b}").unwrap().labels["a"], "b");
        insta::assert_snapshot!(map("additionalLabel: {a: b}").unwrap_err(), @"config.yml:10: unknown key `additionalLabel`");
    }

    #[test]
    fn texts_without_kapp_have_no_rules() {
        assert_eq!(read(b"a: [", &source()).unwrap(), Rules::default());
    }
}
