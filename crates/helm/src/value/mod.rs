//! The value model of the engine: what a Go template sees, with Go's kinds.
//!
//! Templates can tell `int` from `int64` from `float64`, a missing key from a typed nil, a nil list
//! from an empty one, and they change maps in place; strings are bytes. Every one of those
//! distinctions reaches the rendered text or an error message, so every one is kept here.
//!
//! This module does not know YAML, templates or functions.

mod entries;
mod list;
mod map;
pub(crate) mod number;
mod object;
mod printable;
pub(crate) mod quote;
pub(crate) mod rune;
mod string;

pub use list::{Elem, List};
pub use map::{Map, MapKind};
pub use object::{Method, Object};
pub(crate) use printable::is_print;
pub use string::Str;

use std::rc::Rc;

/// Go's signed integer types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IntKind {
    /// `int`: number literals, `len`, `until`.
    Int,
    /// `int8`.
    Int8,
    /// `int16`.
    Int16,
    /// `int32` (`rune`).
    Int32,
    /// `int64`: `--set`, `int64`, all Sprig arithmetic.
    Int64,
}

/// Go's unsigned integer types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UintKind {
    /// `uint`.
    Uint,
    /// `uint8` (`byte`): an index into a string.
    Uint8,
    /// `uint16`.
    Uint16,
    /// `uint32`.
    Uint32,
    /// `uint64`: semver's `Major`, `Minor`, `Patch`.
    Uint64,
}

/// One value of a template, with the Go type it has there.
///
/// Cloning is cheap: strings and lists are shared, maps and objects are references, as in Go.
///
/// Which variant a number is shows in output (`printf "%T"`, `kindOf`) and decides what compares: values files
/// and JSON give [`Value::Float`], `--set` gives `int64`, literals are `int`.
///
/// ```
/// use windlass_helm::value::{Kind, UintKind, Value};
///
/// let values = [
///     (Value::int(1), "int"),
///     (Value::int64(1), "int64"),
///     (Value::Uint(1, UintKind::Uint8), "uint8"),
///     (Value::from(1.0), "float64"),
///     (Value::from("1"), "string"),
///     (Value::strings(["a".into()]), "[]string"),
///     (Value::empty_map(), "map[string]interface {}"),
/// ];
/// for (value, name) in values {
///     assert_eq!(value.type_name(), name);
/// }
/// assert_eq!(Value::Nil.kind(), Kind::Invalid);
/// ```
#[derive(Clone, Debug)]
pub enum Value {
    /// The untyped nil, and an empty interface that holds nothing.
    Nil,
    /// `bool`.
    Bool(bool),
    /// A signed integer and its type.
    Int(i64, IntKind),
    /// An unsigned integer and its type.
    Uint(u64, UintKind),
    /// `float64`: every number of a values file.
    Float(f64),
    /// `complex128`: literals such as `1i` only.
    Complex(f64, f64),
    /// `string`: bytes, usually UTF-8.
    Str(Str),
    /// `[]byte`, as `.Files.GetBytes` gives it.
    Bytes(Str),
    /// A slice.
    List(List),
    /// A map: a reference, as in Go.
    Map(Map),
    /// A Go struct or pointer with fields and methods.
    Object(Rc<dyn Object>),
}

/// Go's `reflect.Kind`, as far as templates can observe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No value at all.
    Invalid,
    /// `bool`.
    Bool,
    /// Any signed integer.
    Int(IntKind),
    /// Any unsigned integer.
    Uint(UintKind),
    /// `float64`.
    Float64,
    /// `complex128`.
    Complex128,
    /// `string`.
    String,
    /// Any slice.
    Slice,
    /// Any map.
    Map,
    /// A struct.
    Struct,
    /// A pointer.
    Ptr,
    /// A function.
    Func,
}

impl Kind {
    /// The name `reflect.Kind.String` gives, as `kindOf` prints it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Bool => "bool",
            Self::Int(kind) => kind.name(),
            Self::Uint(kind) => kind.name(),
            Self::Float64 => "float64",
            Self::Complex128 => "complex128",
            Self::String => "string",
            Self::Slice => "slice",
            Self::Map => "map",
            Self::Struct => "struct",
            Self::Ptr => "ptr",
            Self::Func => "func",
        }
    }
}

impl IntKind {
    /// The Go name of the type.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
        }
    }
}

impl UintKind {
    /// The Go name of the type.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Uint => "uint",
            Self::Uint8 => "uint8",
            Self::Uint16 => "uint16",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
        }
    }
}

impl Value {
    /// A `string`.
    pub fn str(text: impl AsRef<[u8]>) -> Self {
        Self::Str(Str::from(text.as_ref()))
    }

    /// An `int`.
    #[must_use]
    pub fn int(number: i64) -> Self {
        Self::Int(number, IntKind::Int)
    }

    /// An `int64`.
    #[must_use]
    pub fn int64(number: i64) -> Self {
        Self::Int(number, IntKind::Int64)
    }

    /// A `[]interface {}`.
    #[must_use]
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(List::new(items, Elem::Any))
    }

    /// A `[]string`.
    #[must_use]
    pub fn strings(items: impl IntoIterator<Item = Str>) -> Self {
        Self::List(List::new(
            items.into_iter().map(Self::Str).collect(),
            Elem::Str,
        ))
    }

    /// An empty `map[string]interface {}`.
    #[must_use]
    pub fn empty_map() -> Self {
        Self::Map(Map::new(MapKind::Any))
    }

    /// Go's kind of the value.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Nil => Kind::Invalid,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_, kind) => Kind::Int(*kind),
            Self::Uint(_, kind) => Kind::Uint(*kind),
            Self::Float(_) => Kind::Float64,
            Self::Complex(..) => Kind::Complex128,
            Self::Str(_) => Kind::String,
            Self::Bytes(_) | Self::List(_) => Kind::Slice,
            Self::Map(_) => Kind::Map,
            Self::Object(object) => object.kind(),
        }
    }

    /// The Go type as `%T` prints it; `<nil>` for no value.
    #[must_use]
    pub fn type_name(&self) -> std::borrow::Cow<'static, str> {
        match self {
            Self::Nil => "<nil>".into(),
            Self::Bool(_) => "bool".into(),
            Self::Int(_, kind) => kind.name().into(),
            Self::Uint(_, kind) => kind.name().into(),
            Self::Float(_) => "float64".into(),
            Self::Complex(..) => "complex128".into(),
            Self::Str(_) => "string".into(),
            Self::Bytes(_) => "[]uint8".into(),
            Self::List(list) => list.elem().slice_type().into(),
            Self::Map(map) => map.kind().type_name().into(),
            Self::Object(object) => object.type_name(),
        }
    }

    /// Whether templates take the value for true (`text/template`'s `IsTrue`): not zero, not empty.
    ///
    /// Follows Go's `text/template`, `IsTrue`: zero, the empty string, nil, and empty lists and maps are false;
    /// a struct is always true.
    ///
    /// ```
    /// use windlass_helm::value::Value;
    ///
    /// assert!(!Value::from("").is_true() && !Value::empty_map().is_true());
    /// assert!(Value::from("false").is_true());
    /// ```
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(flag) => *flag,
            Self::Int(number, _) => *number != 0,
            Self::Uint(number, _) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Complex(re, im) => *re != 0.0 || *im != 0.0,
            Self::Str(text) | Self::Bytes(text) => !text.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Object(_) => true,
        }
    }

    /// The bytes of a `string`.
    #[must_use]
    pub fn as_str(&self) -> Option<&Str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The map, if it is one.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The list, if it is one.
    #[must_use]
    pub fn as_list(&self) -> Option<&List> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// The length of a text, list or map; 0 for everything else.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Str(text) | Self::Bytes(text) => text.len(),
            Self::List(list) => list.len(),
            Self::Map(map) => map.len(),
            _ => 0,
        }
    }

    /// About how much memory this value alone holds, in bytes: texts, lists and maps that nothing else
    /// refers to.
    pub(crate) fn own_size(&self) -> usize {
        match self {
            Self::Str(text) | Self::Bytes(text) => text.own_size(),
            Self::List(list) => list.own_size(),
            Self::Map(map) => map.own_size(),
            _ => 0,
        }
    }

    /// Whether the value can hold others.
    fn is_nested(&self) -> bool {
        matches!(self, Self::List(_) | Self::Map(_))
    }

    /// Whether this is the empty interface.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }
}

/// About what a text, list or map takes beside its content, in bytes.
const HEAD: usize = 64;

/// The memory that values hold alone, besides their own places.
fn own_size<'v>(values: impl Iterator<Item = &'v Value>) -> usize {
    crate::limits::deep(|| values.map(Value::own_size).sum())
}

/// Drops values without recursion, however deep they nest.
fn drop_flat(mut values: Vec<Value>) {
    if !values.iter().any(Value::is_nested) {
        return;
    }
    while let Some(value) = values.pop() {
        match value {
            Value::List(mut list) => values.extend(list.take_last().into_iter().flatten()),
            Value::Map(map) => values.extend(map.into_last()),
            _ => {}
        }
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<Str> for Value {
    fn from(text: Str) -> Self {
        Self::Str(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::str(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::str(text)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl From<List> for Value {
    fn from(list: List) -> Self {
        Self::List(list)
    }
}

#[cfg(test)]
mod tests {
    use super::{Map, MapKind, Value};

    #[test]
    fn drops_values_nested_deeper_than_the_stack() {
        let mut value = Value::Nil;
        for i in 0..1_000_000 {
            value = if i % 2 == 0 {
                Value::list(vec![value, Value::Nil])
            } else {
                let map = Map::new(MapKind::Any);
                map.insert("k", value);
                Value::Map(map)
            };
        }
        drop(value);
    }
}
