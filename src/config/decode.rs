//! Text → [`Project`], with the place of everything that is wrong.

use super::{Environment, Error, Project, Settings};
use std::collections::BTreeMap;
use windlass_helm::yaml::{self, Document, NodeId, NodeKind};

/// The version of the file's form that this program reads.
const VERSION: &str = "1";

/// The keys of [`Settings`], which stand at the top level and in each environment.
const SETTINGS: [&str; 10] = [
    "name",
    "namespace",
    "chart",
    "values",
    "locks",
    "frozen",
    "lookup",
    "conflicts",
    "mask",
    "context",
];

/// Reads the text of a project file; `file` names it in errors.
///
/// # Errors
/// The first mistake with its place: bad YAML, an unknown key, a value of the wrong type.
pub fn parse(text: &str, file: &str) -> Result<Project, Error> {
    let documents = yaml::parse(text.as_bytes()).map_err(|error| {
        let place = (error.line.max(1), error.column.max(1));
        mistake(text, file, place, without_place(&error.message))
    })?;
    let Some(document) = documents.first() else {
        return Ok(Project::default());
    };
    let reader = Reader {
        document,
        text,
        file,
    };
    if let Some(second) = documents.get(1) {
        let reader = Reader {
            document: second,
            ..reader
        };
        let message = "a project file is one document, and this is another";
        return Err(reader.error(second.root(), message));
    }
    reader.project(document.root())
}

/// The known word most like the given one, if one is near enough to be meant.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3)
        .map(|(_, candidate)| candidate)
}

/// The text of a YAML error without the line that it begins with: the true one is told beside it.
fn without_place(message: &str) -> &str {
    let text = message.strip_prefix("yaml: ").unwrap_or(message);
    match text.split_once(": ") {
        Some((place, rest)) if place.starts_with("line ") => rest,
        _ => text,
    }
}

/// What is wrong at a line and a column of the file.
fn mistake(text: &str, file: &str, (line, column): (usize, usize), message: &str) -> Error {
    Error {
        file: file.to_owned(),
        line,
        column,
        message: message.to_owned(),
        source_line: text.lines().nth(line - 1).unwrap_or_default().to_owned(),
        hint: None,
    }
}

struct Reader<'a> {
    document: &'a Document,
    text: &'a str,
    file: &'a str,
}

impl Reader<'_> {
    fn project(&self, root: NodeId) -> Result<Project, Error> {
        let mut project = Project::default();
        let mut version = None;
        for (key, at, value) in self.mapping(root, "the project file")? {
            match key.as_str() {
                "version" => version = Some(self.text(value)?),
                "environments" => project.environments = self.environments(value)?,
                other if self.setting(&mut project.settings, other, value)? => {}
                other => return Err(self.unknown(at, other, &["version", "environments"])),
            }
        }
        match version.as_deref() {
            Some(VERSION) => Ok(project),
            None => Err(self
                .error(root, "`version` is missing")
                .with_hint(format!("begin the file with `version: {VERSION}`"))),
            Some(other) => Err(self
                .error(
                    root,
                    &format!("version {other} of the project file is not known"),
                )
                .with_hint(format!("this windlass reads version {VERSION}"))),
        }
    }

    fn environments(&self, node: NodeId) -> Result<BTreeMap<String, Environment>, Error> {
        let mut environments: BTreeMap<String, Environment> = BTreeMap::new();
        for (name, _, value) in self.mapping(node, "`environments`")? {
            let entry = self.environment(value)?;
            let same = environments
                .iter()
                .find(|(_, other)| other.branch.is_some() && other.branch == entry.branch);
            if let Some((other, _)) = same {
                let message = format!("environment `{other}` is deployed from the same `branch`");
                let key = self.key(value, "branch").unwrap_or(value);
                return Err(self.error(key, &message));
            }
            environments.insert(name, entry);
        }
        Ok(environments)
    }

    /// Where a key of a mapping stands.
    fn key(&self, node: NodeId, name: &str) -> Option<NodeId> {
        let mut keys = self.document.entries(node).iter().map(|(key, _)| *key);
        keys.find(|key| self.document.text(*key) == Some(name))
    }

    fn environment(&self, node: NodeId) -> Result<Environment, Error> {
        let mut entry = Environment::default();
        for (key, at, value) in self.mapping(node, "an environment")? {
            match key.as_str() {
                "branch" => entry.branch = Some(self.text(value)?),
                other if self.setting(&mut entry.settings, other, value)? => {}
                other => return Err(self.unknown(at, other, &["branch"])),
            }
        }
        Ok(entry)
    }

    /// Reads the value of one of [`SETTINGS`]; false if the key is none of them.
    fn setting(&self, settings: &mut Settings, key: &str, value: NodeId) -> Result<bool, Error> {
        match key {
            "name" => settings.name = Some(self.text(value)?),
            "namespace" => settings.namespace = Some(self.text(value)?),
            "chart" => settings.chart = Some(self.text(value)?),
            "values" => settings.values = self.texts(value)?,
            "locks" => settings.locks = Some(self.text(value)?),
            "frozen" => settings.frozen = Some(self.flag(value)?),
            "lookup" => settings.lookup = Some(self.flag(value)?),
            "conflicts" => settings.conflicts = self.texts(value)?,
            "mask" => settings.mask = self.texts(value)?,
            "context" => settings.context = Some(self.text(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The entries of a mapping: name, key and value. A key that stands twice is a mistake here,
    /// unlike in values.
    fn mapping(&self, node: NodeId, what: &str) -> Result<Vec<(String, NodeId, NodeId)>, Error> {
        if self.is_null(node) {
            return Ok(Vec::new());
        }
        if !matches!(
            self.document.node(self.document.follow(node)).kind,
            NodeKind::Mapping(_)
        ) {
            return Err(self.error(node, &format!("{what} must be a mapping")));
        }
        let mut entries: Vec<(String, NodeId, NodeId)> = Vec::new();
        for (key, value) in self.document.entries(node) {
            let name = self.text(*key)?;
            if entries.iter().any(|(seen, ..)| *seen == name) {
                return Err(self.error(*key, &format!("key `{name}` stands here twice")));
            }
            entries.push((name, *key, *value));
        }
        Ok(entries)
    }

    fn text(&self, node: NodeId) -> Result<String, Error> {
        match self.document.text(node) {
            Some(text) if !self.is_null(node) => Ok(text.to_owned()),
            _ => Err(self.error(node, "expected a text")),
        }
    }

    /// A list of texts; a single text is a list of one.
    fn texts(&self, node: NodeId) -> Result<Vec<String>, Error> {
        match self.document.node(self.document.follow(node)).kind {
            NodeKind::Sequence(_) => self
                .document
                .items(node)
                .iter()
                .map(|item| self.text(*item))
                .collect(),
            _ => Ok(vec![self.text(node)?]),
        }
    }

    fn flag(&self, node: NodeId) -> Result<bool, Error> {
        match self.document.text(node) {
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            _ => Err(self.error(node, "expected true or false")),
        }
    }

    fn is_null(&self, node: NodeId) -> bool {
        matches!(
            &self.document.node(self.document.follow(node)).kind,
            NodeKind::Scalar { text, implicit: true, .. } if matches!(text.as_str(), "" | "~" | "null")
        )
    }

    /// An unknown key, which stands at `at` beside [`SETTINGS`] and the keys of its level.
    fn unknown(&self, at: NodeId, key: &str, of_level: &[&str]) -> Error {
        let known: Vec<&str> = of_level.iter().chain(&SETTINGS).copied().collect();
        let error = self.error(at, &format!("unknown key `{key}`"));
        match nearest(key, known.iter().copied()) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None => error.with_hint(format!("known keys are {}", known.join(", "))),
        }
    }

    fn error(&self, node: NodeId, message: &str) -> Error {
        let start = self.document.node(node).start;
        mistake(
            self.text,
            self.file,
            (start.line.max(1), start.column),
            message,
        )
    }
}

impl Error {
    fn with_hint(mut self, hint: String) -> Self {
        self.hint = Some(hint);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        let error = parse(text, "windlass.yaml").unwrap_err();
        format!("{error}; {}", error.hint.clone().unwrap_or_default())
    }

    #[test]
    fn a_project_with_environments_is_read() {
        let project = parse(
            "version: 1\nname: my-app\nvalues: [a.yaml, b.yaml]\nenvironments:\n  staging: {branch: main, values: c.yaml, frozen: true}\n",
            "windlass.yaml",
        )
        .unwrap();
        assert_eq!(project.settings.values, ["a.yaml", "b.yaml"]);
        let staging = &project.environments["staging"];
        assert_eq!(staging.settings.values, ["c.yaml"]);
        assert_eq!(
            (staging.branch.as_deref(), staging.settings.frozen),
            (Some("main"), Some(true))
        );
    }

    #[test]
    fn an_unknown_key_names_its_place_and_the_nearest_one() {
        assert_eq!(
            mistake("version: 1\nenvironments:\n  staging:\n    namespce: x\n"),
            "windlass.yaml:4:5: unknown key `namespce`; did you mean `namespace`?"
        );
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        assert_eq!(
            mistake("version: 1\nname: [a]\n"),
            "windlass.yaml:2:7: expected a text; "
        );
        assert_eq!(
            mistake("version: 1\nfrozen: maybe\n"),
            "windlass.yaml:2:9: expected true or false; "
        );
        assert_eq!(
            mistake("- a\n"),
            "windlass.yaml:1:1: the project file must be a mapping; "
        );
    }

    #[test]
    fn a_branch_of_two_environments_and_a_second_document_are_refused() {
        let twice =
            "version: 1\nenvironments:\n  a: {branch: main}\n  b:\n    name: x\n    branch: main\n";
        assert_eq!(
            mistake(twice),
            "windlass.yaml:6:5: environment `a` is deployed from the same `branch`; "
        );
        assert_eq!(
            mistake("version: 1\n---\nname: x\n"),
            "windlass.yaml:3:1: a project file is one document, and this is another; "
        );
    }

    #[test]
    fn a_file_of_another_version_is_refused() {
        assert!(mistake("version: 7\n").starts_with("windlass.yaml:1:1: version 7"));
        assert!(mistake("name: a\n").contains("begin the file with `version: 1`"));
    }
}
