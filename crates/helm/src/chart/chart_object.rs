//! `.Chart` of Helm 3: a struct, in which a field that does not exist is an error.
//!
//! Follows helm v3 `pkg/engine/engine.go` and `pkg/chart/metadata.go`. Helm 4 has a map: `context.rs`.

use super::metadata::{Dependency, Maintainer, Metadata};
use crate::value::{Elem, Kind, List, Object, Value};
use std::any::Any;
use std::borrow::Cow;
use std::rc::Rc;

/// `.Chart` of a chart.
pub(super) fn value(metadata: &Metadata, is_root: bool) -> Value {
    Value::Object(Rc::new(Root {
        metadata: Rc::new(fields_of(metadata)),
        is_root,
    }))
}

/// The anonymous struct around the metadata.
#[derive(Debug)]
struct Root {
    metadata: Rc<Record>,
    is_root: bool,
}

impl Object for Root {
    fn type_name(&self) -> Cow<'static, str> {
        "struct { chart.Metadata; IsRoot bool }".into()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let metadata: Rc<dyn Object> = Rc::clone(&self.metadata) as Rc<dyn Object>;
        vec![
            ("Metadata", Value::Object(metadata)),
            ("IsRoot", Value::Bool(self.is_root)),
        ]
    }

    fn promoted_fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields = self.metadata.fields();
        fields.push(("IsRoot", Value::Bool(self.is_root)));
        fields
    }

    fn field(&self, name: &[u8]) -> Option<Value> {
        let own = self
            .fields()
            .into_iter()
            .find(|(n, _)| n.as_bytes() == name);
        own.map(|(_, value)| value)
            .or_else(|| self.metadata.field(name))
    }

    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        let mut fields = self.metadata.json_fields()?;
        fields.push(("IsRoot", Value::Bool(self.is_root)));
        Some(fields)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A struct of the chart package, or a pointer to one.
#[derive(Debug)]
struct Record {
    type_name: &'static str,
    kind: Kind,
    /// Go name, JSON name and value of each field.
    fields: Vec<(&'static str, &'static str, Value)>,
    /// The JSON names of fields that are written also when they are empty.
    always: &'static [&'static str],
}

impl Object for Record {
    fn type_name(&self) -> Cow<'static, str> {
        self.type_name.into()
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        self.fields
            .iter()
            .map(|(name, _, value)| (*name, value.clone()))
            .collect()
    }

    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        let written = self
            .fields
            .iter()
            .filter(|(_, name, value)| value.is_true() || self.always.contains(name));
        Some(written.map(|(_, name, v)| (*name, v.clone())).collect())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn text(text: &str) -> Value {
    Value::from(text)
}

/// A slice of the metadata; nil when empty.
fn slice(items: Vec<Value>, elem: Elem) -> Value {
    Value::List(if items.is_empty() {
        List::nil(elem)
    } else {
        List::new(items, elem)
    })
}

fn texts(texts: &[String]) -> Value {
    slice(texts.iter().map(|one| text(one)).collect(), Elem::Str)
}

fn fields_of(metadata: &Metadata) -> Record {
    let pointers = |records: Vec<Record>, elem: &'static str| {
        let objects = records
            .into_iter()
            .map(|record| Value::Object(Rc::new(record)));
        slice(objects.collect(), Elem::Object(elem))
    };
    let dependencies = metadata.dependencies.iter().flatten();
    let fields = vec![
        ("Name", "name", text(&metadata.name)),
        ("Home", "home", text(&metadata.home)),
        ("Sources", "sources", texts(&metadata.sources)),
        ("Version", "version", text(&metadata.version)),
        ("Description", "description", text(&metadata.description)),
        ("Keywords", "keywords", texts(&metadata.keywords)),
        (
            "Maintainers",
            "maintainers",
            pointers(
                metadata.maintainers.iter().map(maintainer).collect(),
                "[]*chart.Maintainer",
            ),
        ),
        ("Icon", "icon", text(&metadata.icon)),
        ("APIVersion", "apiVersion", text(&metadata.api_version)),
        ("Condition", "condition", text(&metadata.condition)),
        ("Tags", "tags", text(&metadata.tags)),
        ("AppVersion", "appVersion", text(&metadata.app_version)),
        ("Deprecated", "deprecated", Value::Bool(metadata.deprecated)),
        (
            "Annotations",
            "annotations",
            Value::Map(metadata.annotations_map()),
        ),
        ("KubeVersion", "kubeVersion", text(&metadata.kube_version)),
        (
            "Dependencies",
            "dependencies",
            pointers(
                dependencies.map(dependency).collect(),
                "[]*chart.Dependency",
            ),
        ),
        ("Type", "type", text(&metadata.kind)),
    ];
    Record {
        type_name: "chart.Metadata",
        kind: Kind::Struct,
        fields,
        always: &[],
    }
}

fn maintainer(maintainer: &Maintainer) -> Record {
    let fields = vec![
        ("Name", "name", text(&maintainer.name)),
        ("Email", "email", text(&maintainer.email)),
        ("URL", "url", text(&maintainer.url)),
    ];
    Record {
        type_name: "*chart.Maintainer",
        kind: Kind::Ptr,
        fields,
        always: &[],
    }
}

fn dependency(dependency: &Dependency) -> Record {
    let fields = vec![
        ("Name", "name", text(&dependency.name)),
        ("Version", "version", text(&dependency.version)),
        ("Repository", "repository", text(&dependency.repository)),
        ("Condition", "condition", text(&dependency.condition)),
        ("Tags", "tags", texts(&dependency.tags)),
        ("Enabled", "enabled", Value::Bool(dependency.enabled)),
        (
            "ImportValues",
            "import-values",
            Value::list(dependency.import_values.clone()),
        ),
        ("Alias", "alias", text(&dependency.alias)),
    ];
    Record {
        type_name: "*chart.Dependency",
        kind: Kind::Ptr,
        fields,
        always: &["name", "repository"],
    }
}
