//! Rendered files to ordered documents.
//!
//! Follows helm v4 `pkg/release/v1/util/{manifest_sorter,kind_sorter}.go`.

use super::decode::Fields;
use super::hook::{Hook, HookEvent, Role, role};
use super::render::Output;
use super::rendered::{Document, Text};
use super::split::documents;
use super::{Chart, Error, Profile};
use crate::template::Place;
use crate::template::origin::Origin;
use crate::threads;
use crate::value::Str;
use crate::yaml;
use memchr::memchr_iter;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

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
            let text = Text::of(&whole, range);
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
    use super::{Output, Select, assemble};
    use crate::chart::{Chart, Error, Profile, Rendered};
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
