//! Rendered files to ordered documents, and documents to the text that `helm template` prints.
//!
//! Follows helm v4 `pkg/release/v1/util/{manifest_sorter,kind_sorter}.go`, `pkg/action/action.go` and
//! `pkg/cmd/template.go`.

use super::decode::Fields;
use super::hook::{Hook, HookEvent, Role, role};
use super::path_match::path_match;
use super::render::Output;
use super::split::{documents, trim};
use super::{Chart, Error, Profile};
use crate::template::origin::Origin;
use crate::template::{Call, Place};
use crate::threads;
use crate::value::Str;
use crate::yaml;
use memchr::memchr_iter;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::ops::{Deref, Range};

/// The text of a document: a piece of what its template wrote, which all documents of the template share.
#[derive(Clone)]
pub struct Text {
    whole: Str,
    range: Range<usize>,
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.whole[self.range.clone()]
    }
}

impl From<Str> for Text {
    fn from(whole: Str) -> Self {
        let range = 0..whole.len();
        Self { whole, range }
    }
}

impl From<Vec<u8>> for Text {
    fn from(text: Vec<u8>) -> Self {
        Str::from(text).into()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text {}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self))
    }
}

/// One document of a rendered chart.
///
/// `first_line`, `places` and `lines` map each line back to where it was written. A mistake that a server finds in
/// line 7 of the text is told by them as one of a template:
///
/// ```
/// use windlass_helm::chart::{self, Chart, Options, Overrides, Profile, Release};
/// use windlass_helm::template::World;
///
/// let files = [
///     ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0"),
///     ("templates/_parts.tpl", "{{ define \"labels\" }}\na: b\nc: d\n{{- end }}"),
///     ("templates/a.yaml", "# A comment.\n\nkind: Pod\nlabels: {{ include \"labels\" . | nindent 2 }}\n"),
/// ];
/// let files = files.map(|(path, text)| (path.to_owned(), text.into()));
/// let chart = Chart::from_files(files.into(), Profile::Helm4)?;
/// let mut world = World::new("2026-01-01T00:00:00Z".parse()?, [0; 32]);
/// let overrides = Overrides::default();
/// let (release, options) = (Release::default(), Options::default());
/// let rendered = chart::render(&chart, &overrides, &release, &options, &mut world)?;
///
/// let document = &rendered.documents[0];
/// let text = String::from_utf8_lossy(&document.text);
/// let line = text.lines().position(|line| line.contains("c: d")).expect("it is there") + 1;
/// assert_eq!(document.template_line(line), 4);
/// assert_eq!((document.kind.as_str(), document.hook.is_some()), ("Pod", false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Document {
    /// The path of its template, as in `# Source:`.
    pub template: String,
    /// The text, without separator and `# Source:` line.
    pub text: Text,
    /// What makes it a hook, if it is one.
    pub hook: Option<Hook>,
    /// Whether it is a file of `crds/`; such a file is not rendered and may hold several objects.
    pub is_crd: bool,
    /// `apiVersion` as written; empty for files of `crds/`.
    pub api_version: String,
    /// `kind` as written; empty for files of `crds/`.
    pub kind: String,
    /// `metadata.name` as written; empty for files of `crds/`.
    pub name: String,
    /// The line of the template's output where the document begins, from 1.
    pub first_line: usize,
    /// Where the document's first line was written: in the template, then in each template that it
    /// called for that.
    pub places: Vec<Place>,
    /// The line of the template behind each line of the text. A text written by a call has the line of
    /// the call; files of `crds/` have none.
    pub lines: Vec<usize>,
}

/// A rendered chart.
///
/// [`Rendered::to_text`] is what `helm template` prints, byte for byte. Whoever applies the documents takes them from
/// here instead: hooks are told apart, and no text has to be split again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rendered {
    /// The documents in the order in which they are printed: files of `crds/`, objects in the order of
    /// their kinds, hooks.
    pub documents: Vec<Document>,
    /// The text of `NOTES.txt` of the chart itself.
    pub notes: String,
    /// What Helm would warn of.
    pub warnings: Vec<String>,
    /// The patterns of `--show-only`.
    pub show_only: Vec<String>,
    /// The calls whose result a second render need not repeat, in their order.
    pub calls: Vec<Call>,
}

impl Document {
    /// The line of the template behind a line of the text, both from 1.
    #[must_use]
    pub fn template_line(&self, line: usize) -> usize {
        let at = line.saturating_sub(1);
        let found = self.lines.get(at).or(self.lines.last());
        found.copied().unwrap_or(line)
    }

    /// Prints the document: separator, source and text.
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for part in ["---\n# Source: ", &self.template, "\n"] {
            out.write_all(part.as_bytes())?;
        }
        out.write_all(&self.text)?;
        out.write_all(b"\n")
    }

    fn printed(&self) -> Vec<u8> {
        let mut text = Vec::new();
        // Nothing fails to be written to memory.
        drop(self.write(&mut text));
        text
    }
}

impl Rendered {
    /// Writes what `helm template` prints, document by document.
    ///
    /// Each document begins with `---` and its `# Source:`. Notes are not in it: Helm prints them only after an
    /// install.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let hooks = self
            .documents
            .iter()
            .position(|document| document.hook.is_some());
        let (objects, hooks) = self
            .documents
            .split_at(hooks.unwrap_or(self.documents.len()));
        // Helm trims the objects as one text.
        if let Some((last, others)) = objects.split_last() {
            others.iter().try_for_each(|document| document.write(out))?;
            out.write_all(trim(&last.printed()))?;
        }
        out.write_all(b"\n")?;
        hooks.iter().try_for_each(|document| document.write(out))
    }

    /// The bytes that `helm template` prints.
    #[must_use]
    pub fn to_text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Nothing fails to be written to memory.
        drop(self.write(&mut out));
        out
    }

    /// The bytes that `helm template --show-only` prints for the patterns given to the render; those of
    /// [`Rendered::to_text`] when there are none.
    ///
    /// # Errors
    /// A pattern matches nothing.
    pub fn to_selected_text(&self, profile: Profile) -> Result<Vec<u8>, Error> {
        let text = self.to_text();
        if self.show_only.is_empty() {
            return Ok(text);
        }
        let parts = documents(&text, profile);
        let mut out = Vec::new();
        for pattern in &self.show_only {
            let mut missing = true;
            for part in parts.iter().map(|range| &text[range.clone()]) {
                let path = source_path(part);
                if path.is_some_and(|path| path_match(pattern, &path).unwrap_or(false)) {
                    out.extend_from_slice(b"---\n");
                    out.extend_from_slice(part);
                    out.push(b'\n');
                    missing = false;
                }
            }
            if missing {
                return Err(Error::ShowOnly(pattern.clone()));
            }
        }
        Ok(out)
    }

    /// The documents of the templates that `--show-only` names; all when it names none.
    #[must_use]
    pub fn selected(&self) -> Vec<&Document> {
        let is_named = |document: &Document, pattern: &str| {
            let path = document.template.split_once('/');
            path.is_some_and(|(_, path)| path_match(pattern, path).unwrap_or(false))
        };
        if self.show_only.is_empty() {
            return self.documents.iter().collect();
        }
        let mut found = Vec::new();
        for pattern in &self.show_only {
            let documents = self.documents.iter();
            found.extend(documents.filter(|document| is_named(document, pattern)));
        }
        found
    }

    /// What `helm template --output-dir` writes, in order: path below the directory and text to append.
    #[must_use]
    pub fn to_files(&self) -> Vec<(String, Vec<u8>)> {
        let one = |document: &Document| (document.template.clone(), document.printed());
        self.documents.iter().map(one).collect()
    }
}

/// The path after the chart's name in the first `# Source:` line that has one.
fn source_path(document: &[u8]) -> Option<String> {
    String::from_utf8_lossy(document).lines().find_map(|line| {
        let (_, path) = line.split_once("# Source: ")?.1.split_once('/')?;
        (!path.is_empty()).then(|| path.to_owned())
    })
}

/// What [`assemble`] leaves out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Select {
    pub(super) profile: Profile,
    pub(super) include_crds: bool,
    pub(super) no_hooks: bool,
    pub(super) skip_tests: bool,
}

/// Sorts rendered files into documents.
///
/// # Errors
/// A document is not YAML, or its head is not that of an object.
pub(super) fn assemble(
    chart: &Chart,
    files: BTreeMap<String, Output>,
    select: Select,
) -> Result<Vec<Document>, Error> {
    let (mut objects, mut hooks) = (Vec::new(), Vec::new());
    let files: Vec<_> = files.into_iter().filter(is_manifest).collect();
    let texts: Vec<&[u8]> = files.iter().map(|(_, file)| &*file.text).collect();
    let heads = threads::map(&texts, |text| text, |text| heads(text, select.profile));
    for ((path, Output { text, origin }), heads) in files.into_iter().zip(heads) {
        let whole = Str::from(text);
        let mut lines = LineCounter::default();
        for (range, head) in heads {
            let first_line = lines.at(&whole, range.start);
            let text = Text {
                whole: whole.clone(),
                range,
            };
            let (document, role) = read(text, head, &path, first_line, &origin)?;
            match role {
                Role::Object => objects.push(document),
                Role::Hook(hook) => hooks.push(Document {
                    hook: Some(hook),
                    ..document
                }),
                Role::Unknown => {}
            }
        }
    }
    let by_kind = |a: &Document, b: &Document| compare_kinds(&a.kind, &b.kind, select.profile);
    objects.sort_by(by_kind);
    hooks.sort_by(by_kind);
    if select.no_hooks {
        hooks.clear();
    } else if select.skip_tests {
        let is_test = |hook: &Hook| hook.events.contains(&HookEvent::Test);
        hooks.retain(|document| !document.hook.as_ref().is_some_and(is_test));
    }
    let mut out = Vec::new();
    if select.include_crds {
        crds(chart, chart.name(), &mut out);
    }
    out.append(&mut objects);
    out.append(&mut hooks);
    Ok(out)
}

/// Whether documents are looked for in a file: neither in notes nor in partials.
fn is_manifest((path, _): &(String, Output)) -> bool {
    let base = path.rsplit('/').next().unwrap_or(path);
    !path.ends_with("NOTES.txt") && !base.starts_with('_')
}

/// Counts lines up to ascending positions.
#[derive(Default)]
struct LineCounter {
    position: usize,
    breaks: usize,
}

impl LineCounter {
    fn at(&mut self, text: &[u8], position: usize) -> usize {
        let passed = &text[self.position..position];
        self.breaks += memchr_iter(b'\n', passed).count();
        self.position = position;
        self.breaks + 1
    }
}

fn read(
    text: Text,
    head: Result<Head, String>,
    path: &str,
    first_line: usize,
    origin: &Origin,
) -> Result<(Document, Role), Error> {
    let count = memchr_iter(b'\n', &text).count() + 1;
    let lines: Vec<usize> = (first_line..first_line + count)
        .map(|line| origin.line(line))
        .collect();
    let head = head.map_err(|message| Error::Manifest {
        path: path.to_owned(),
        message,
        first_line,
        lines: lines.clone(),
        text: text.to_vec(),
    })?;
    let document = Document {
        template: path.to_owned(),
        text,
        hook: None,
        is_crd: false,
        api_version: head.api_version,
        kind: head.kind,
        name: head.name,
        first_line,
        places: origin.places(first_line),
        lines,
    };
    Ok((document, role(&head.annotations)))
}

/// What Helm reads of a document.
#[derive(Default)]
struct Head {
    api_version: String,
    kind: String,
    name: String,
    annotations: Vec<(String, String)>,
}

/// Where the documents of a text are, and their heads.
fn heads(text: &[u8], profile: Profile) -> Vec<(Range<usize>, Result<Head, String>)> {
    let found = documents(text, profile).into_iter();
    found
        .map(|range| (range.clone(), head(&text[range], profile)))
        .collect()
}

fn head(text: &[u8], profile: Profile) -> Result<Head, String> {
    let package = if profile.is_helm3() {
        "releaseutil"
    } else {
        "util"
    };
    let value = yaml::some_fields(text, &["apiVersion", "kind", "metadata"])
        .map_err(|error| error.to_string())?;
    let fields = Fields::document(&value, "SimpleHead", &format!("{package}.SimpleHead"))?;
    let Some(fields) = fields else {
        return Ok(Head::default());
    };
    let mut head = Head {
        api_version: fields.text("apiVersion")?,
        kind: fields.text("kind")?,
        ..Head::default()
    };
    const METADATA: &str = "struct { Name string \"json:\\\"name\\\"\"; Annotations \
                            map[string]string \"json:\\\"annotations\\\"\" }";
    if let Some(metadata) = fields.record("metadata", "", METADATA)? {
        head.annotations = metadata.text_map("annotations")?.unwrap_or_default();
        head.name = metadata.text("name")?;
    }
    Ok(head)
}

/// The files of `crds/` of a chart and of those below it.
fn crds(chart: &Chart, path: &str, out: &mut Vec<Document>) {
    out.extend(chart.crds().map(|file| Document {
        template: format!("{path}/{}", file.name),
        text: file.data.clone().into(),
        hook: None,
        is_crd: true,
        api_version: String::new(),
        kind: String::new(),
        name: String::new(),
        first_line: 1,
        places: vec![Place {
            file: format!("{path}/{}", file.name),
            line: 1,
        }],
        lines: Vec::new(),
    }));
    for sub in &chart.dependencies {
        crds(sub, &chart.path_of(sub, path), out);
    }
}

/// The order in which kinds are installed; the last two in Helm 4 only.
const INSTALL_ORDER: [&str; 38] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// Kinds in the order of installation, those not in the list after it by name.
fn compare_kinds(a: &str, b: &str, profile: Profile) -> Ordering {
    let known = if profile.is_helm3() {
        INSTALL_ORDER.len() - 2
    } else {
        INSTALL_ORDER.len()
    };
    let place = |kind: &str| {
        INSTALL_ORDER[..known]
            .iter()
            .position(|known| *known == kind)
    };
    match (place(a), place(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (None, None) => a.cmp(b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
    }
}

#[cfg(test)]
mod tests {
    use super::{Output, Rendered, Select, assemble};
    use crate::chart::{Chart, Error, Profile};
    use crate::value::Str;

    fn rendered(files: &[(&str, &str)], profile: Profile) -> Result<Rendered, Error> {
        let chart = vec![
            (
                "Chart.yaml".to_owned(),
                Str::from("apiVersion: v2\nname: web\nversion: 1.0.0\n"),
            ),
            (
                "crds/a.yaml".to_owned(),
                Str::from("kind: CustomResourceDefinition\n"),
            ),
        ];
        let chart = Chart::from_files(chart, profile).unwrap();
        let files = files
            .iter()
            .map(|(name, text)| (format!("web/templates/{name}"), text.as_bytes().to_vec()));
        let files = files.map(|(path, text)| {
            let origin = Default::default();
            (path, Output { text, origin })
        });
        let select = Select {
            profile,
            include_crds: true,
            no_hooks: false,
            skip_tests: false,
        };
        let documents = assemble(&chart, files.collect(), select)?;
        Ok(Rendered {
            documents,
            notes: String::new(),
            warnings: Vec::new(),
            show_only: vec!["templates/*.yaml".to_owned()],
            calls: Vec::new(),
        })
    }

    const FILES: &[(&str, &str)] = &[
        ("a.yaml", "\n---\nkind: Zebra\n\n---\nkind: Service\n"),
        ("b.yaml", "kind: Namespace\n---\n# only a comment\n"),
        (
            "c.yaml",
            "kind: Job\nmetadata: {annotations: {helm.sh/hook: test}}\n",
        ),
        (
            "d.yaml",
            "kind: Job\nmetadata: {annotations: {helm.sh/hook: nope}}\n",
        ),
        ("e.yaml", "kind: MutatingWebhookConfiguration"),
        ("NOTES.txt", "not: [yaml"),
        ("_x.tpl", "x"),
    ];

    #[test]
    fn prints_crds_objects_by_kind_and_hooks() {
        let text = rendered(FILES, Profile::Helm4).unwrap().to_text();
        insta::assert_snapshot!(String::from_utf8(text).unwrap(), @r#"
        ---
        # Source: web/crds/a.yaml
        kind: CustomResourceDefinition

        ---
        # Source: web/templates/b.yaml
        kind: Namespace

        ---
        # Source: web/templates/a.yaml
        kind: Service

        ---
        # Source: web/templates/e.yaml
        kind: MutatingWebhookConfiguration
        ---
        # Source: web/templates/b.yaml
        # only a comment

        ---
        # Source: web/templates/a.yaml
        kind: Zebra
        ---
        # Source: web/templates/c.yaml
        kind: Job
        metadata: {annotations: {helm.sh/hook: test}}
        "#);
        let text = rendered(FILES, Profile::Helm3).unwrap().to_text();
        insta::assert_snapshot!(String::from_utf8(text).unwrap(), @r#"
        ---
        # Source: web/crds/a.yaml
        kind: CustomResourceDefinition

        ---
        # Source: web/templates/b.yaml
        kind: Namespace
        ---
        # Source: web/templates/a.yaml
        kind: Service
        ---
        # Source: web/templates/b.yaml
        # only a comment
        ---
        # Source: web/templates/e.yaml
        kind: MutatingWebhookConfiguration
        ---
        # Source: web/templates/a.yaml
        kind: Zebra
        ---
        # Source: web/templates/c.yaml
        kind: Job
        metadata: {annotations: {helm.sh/hook: test}}
        "#);
    }

    #[test]
    fn knows_the_line_of_each_document() {
        let rendered = rendered(FILES, Profile::Helm4).unwrap();
        let line = |kind: &str| {
            let found = rendered
                .documents
                .iter()
                .find(|document| document.kind == kind);
            found.map(|document| document.first_line)
        };
        assert_eq!((line("Zebra"), line("Service")), (Some(3), Some(6)));
    }

    #[test]
    fn names_the_file_that_is_not_yaml() {
        for (text, message) in [
            (
                "kind: [x]",
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go struct field SimpleHead.kind of type string",
            ),
            (
                "metadata: {annotations: {a: [x]}}",
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go struct field .metadata.annotations of type string",
            ),
            (
                "metadata: x",
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go struct field SimpleHead.metadata of type struct { Name string \"json:\\\"name\\\"\"; Annotations map[string]string \"json:\\\"annotations\\\"\" }",
            ),
            (
                "x",
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go value of type util.SimpleHead",
            ),
        ] {
            let error = rendered(&[("a.yaml", text)], Profile::Helm4)
                .unwrap_err()
                .to_string();
            assert_eq!(
                error,
                format!("YAML parse error on web/templates/a.yaml: {message}")
            );
        }
    }

    #[test]
    fn empty_render_is_one_line_break() {
        let mut rendered = rendered(&[], Profile::Helm4).unwrap();
        rendered.documents.clear();
        assert_eq!(rendered.to_text(), b"\n");
    }

    #[test]
    fn shows_only_what_is_asked_for() {
        let mut rendered = rendered(FILES, Profile::Helm4).unwrap();
        rendered.show_only = vec!["templates/b.*".to_owned(), "crds/*".to_owned()];
        let text = rendered.to_selected_text(Profile::Helm4).unwrap();
        insta::assert_snapshot!(String::from_utf8(text).unwrap(), @r#"
        ---
        # Source: web/templates/b.yaml
        kind: Namespace


        ---
        # Source: web/templates/b.yaml
        # only a comment


        ---
        # Source: web/crds/a.yaml
        kind: CustomResourceDefinition
        "#);
        rendered.show_only = vec!["nope".to_owned()];
        let error = rendered.to_selected_text(Profile::Helm4).unwrap_err();
        assert_eq!(error.to_string(), "could not find template nope in chart");
    }
}
