//! YAML into typed fields, as Helm gets them from sigs.k8s.io/yaml and `encoding/json`: field names
//! without regard to case, numbers and booleans as text where text is wanted, Go's error texts.

use crate::value::number::format_float;
use crate::value::{Map, Value};

/// Where in a Go structure a value stands, for error texts.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The innermost struct type, without its package.
    record: &'static str,
    /// The names of the fields from the outside, joined by dots.
    path: String,
}

impl Place {
    /// The outside of a struct type.
    pub(super) fn root(record: &'static str) -> Self {
        Self {
            record,
            path: String::new(),
        }
    }

    fn field(&self, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self {
            record: self.record,
            path: format!("{}{dot}{name}", self.path),
        }
    }

    /// The same place, inside of a struct type.
    fn inside(&self, record: &'static str) -> Self {
        Self {
            record,
            path: self.path.clone(),
        }
    }
}

/// A struct value: its fields by name.
pub(super) struct Fields {
    map: Map,
    place: Place,
}

impl Fields {
    /// The fields of a whole document; `None` when it is null.
    pub(super) fn document(
        value: &Value,
        record: &'static str,
        go_type: &str,
    ) -> Result<Option<Self>, String> {
        match value {
            Value::Nil => Ok(None),
            Value::Map(map) => Ok(Some(Self {
                map: map.clone(),
                place: Place::root(record),
            })),
            other => Err(mismatch_value(other, go_type)),
        }
    }

    /// Whether a field is there and not null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !value.is_nil())
    }

    /// The field of that name; of several that differ in case only the last in order counts.
    fn get(&self, name: &str) -> Option<Value> {
        self.map
            .rfind(|key| key.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// A field as text; missing and null are empty.
    pub(super) fn text(&self, name: &str) -> Result<String, String> {
        match self.get(name) {
            None => Ok(String::new()),
            Some(value) => text_of(&value, &self.place.field(name)),
        }
    }

    /// A field as a boolean.
    pub(super) fn flag(&self, name: &str) -> Result<bool, String> {
        match self.get(name) {
            None | Some(Value::Nil) => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(mismatch(&other, &self.place.field(name), "bool")),
        }
    }

    /// A field as a list of text.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        let place = self.place.field(name);
        self.items(name, "[]string")?
            .iter()
            .map(|item| text_of(item, &place))
            .collect()
    }

    /// A field as a list of anything.
    pub(super) fn items(&self, name: &str, go_type: &str) -> Result<Vec<Value>, String> {
        match self.get(name) {
            None | Some(Value::Nil) => Ok(Vec::new()),
            Some(Value::List(list)) => Ok(list.items().to_vec()),
            Some(other) => Err(mismatch(&other, &self.place.field(name), go_type)),
        }
    }

    /// A field as a list of structs; null items are `None`.
    pub(super) fn records(
        &self,
        name: &str,
        record: &'static str,
        package: &str,
    ) -> Result<Vec<Option<Self>>, String> {
        let place = self.place.field(name);
        let go_type = format!("{package}.{record}");
        let one = |item: Value| match item {
            Value::Nil => Ok(None),
            Value::Map(map) => Ok(Some(Self {
                map,
                place: place.inside(record),
            })),
            other => Err(mismatch(&other, &place, &go_type)),
        };
        self.items(name, &format!("[]*{go_type}"))?
            .into_iter()
            .map(one)
            .collect()
    }

    /// A field that is a struct; `None` when it is missing or null.
    pub(super) fn record(
        &self,
        name: &str,
        record: &'static str,
        go_type: &str,
    ) -> Result<Option<Self>, String> {
        let place = self.place.field(name);
        match self.get(name) {
            None | Some(Value::Nil) => Ok(None),
            Some(Value::Map(map)) => Ok(Some(Self {
                map,
                place: place.inside(record),
            })),
            Some(other) => Err(mismatch(&other, &place, go_type)),
        }
    }

    /// A field as a map of text; `None` when it is missing or null.
    pub(super) fn text_map(&self, name: &str) -> Result<Option<Vec<(String, String)>>, String> {
        let place = self.place.field(name);
        match self.get(name) {
            None | Some(Value::Nil) => Ok(None),
            Some(Value::Map(map)) => {
                let entries = map.entries();
                let pair = |(key, value): &(crate::value::Str, Value)| {
                    Ok((key.to_text().into_owned(), text_of(value, &place)?))
                };
                entries
                    .iter()
                    .map(pair)
                    .collect::<Result<_, String>>()
                    .map(Some)
            }
            Some(other) => Err(mismatch(&other, &place, "map[string]string")),
        }
    }
}

/// A scalar as text. Floats are written with 32 bits, which is what sigs.k8s.io/yaml does.
fn text_of(value: &Value, place: &Place) -> Result<String, String> {
    match value {
        Value::Nil => Ok(String::new()),
        Value::Str(text) => Ok(text.to_text().into_owned()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Int(number, _) => Ok(number.to_string()),
        Value::Uint(number, _) => Ok(number.to_string()),
        Value::Float(number) => Ok(format_float(*number, b'g', -1, 32)),
        other => Err(mismatch(other, place, "string")),
    }
}

/// Go's name for what a JSON value is.
fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "null",
        Value::Bool(_) => "bool",
        Value::Str(_) | Value::Bytes(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) | Value::Object(_) => "object",
        Value::Int(..) | Value::Uint(..) | Value::Float(_) | Value::Complex(..) => "number",
    }
}

fn mismatch(value: &Value, place: &Place, go_type: &str) -> String {
    format!(
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go struct \
         field {}.{} of type {go_type}",
        json_kind(value),
        place.record,
        place.path
    )
}

fn mismatch_value(value: &Value, go_type: &str) -> String {
    format!(
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value of \
         type {go_type}",
        json_kind(value)
    )
}
