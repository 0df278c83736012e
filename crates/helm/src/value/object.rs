//! Go structs that templates meet: their fields, methods and printed forms.

use super::{Kind, Map, MapKind, Str, Value};
use std::any::Any;
use std::borrow::Cow;
use std::fmt::Debug;

/// A method of a Go type, as the evaluator needs to know it for checking arguments.
///
/// The parameters are names of Go types, so that errors can show them and [`Param::named`] finds them:
/// `wrong type for value; expected string; got int`.
///
/// [`Param::named`]: crate::template::Param::named
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// The parameter types as Go writes them (`string`, `int`, `interface {}`, …).
    pub params: &'static [&'static str],
    /// Whether the last parameter takes any number of arguments.
    pub variadic: bool,
}

impl Method {
    /// The method of that name in a table of names and parameter types, none of them variadic.
    #[must_use]
    pub fn among(table: &[(&'static str, &'static [&'static str])], name: &[u8]) -> Option<Self> {
        let (name, params) = table.iter().find(|(known, _)| known.as_bytes() == name)?;
        Some(Self {
            name,
            params,
            variadic: false,
        })
    }
}

/// A Go struct or pointer: `.Capabilities`, a time, a version, a certificate.
///
/// Everything but [`Object::type_name`] and [`Object::as_any`] has a default, so that an object with fields alone
/// is short. The evaluator looks for a name among the methods, then among the fields, as Go does:
///
/// ```
/// use std::{any::Any, borrow::Cow, rc::Rc};
/// use windlass_helm::template::{Templates, World};
/// use windlass_helm::value::{Object, Value};
///
/// #[derive(Debug)]
/// struct Node {
///     name: &'static str,
/// }
///
/// impl Object for Node {
///     fn type_name(&self) -> Cow<'static, str> {
///         "main.Node".into()
///     }
///     fn fields(&self) -> Vec<(&'static str, Value)> {
///         vec![("Name", self.name.into())]
///     }
///     fn as_any(&self) -> &dyn Any {
///         self
///     }
/// }
///
/// let mut templates = Templates::new(&[]);
/// templates.parse("t", "{{ .Name }} {{ . }}")?;
/// let node = Value::Object(Rc::new(Node { name: "a" }));
/// let mut world = World::new("2026-01-01T00:00:00Z".parse()?, [0; 32]);
/// assert_eq!(templates.execute("t", &node, &mut world)?, b"a {a}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Object: Debug {
    /// The type as `%T` prints it, for example `*semver.Version`.
    fn type_name(&self) -> Cow<'static, str>;

    /// [`Kind::Struct`] or [`Kind::Ptr`]; for a named type the kind of [`Object::underlying`].
    fn kind(&self) -> Kind {
        Kind::Struct
    }

    /// The fields in order of declaration. Those whose name begins with a small letter are not
    /// exported: only printing shows them.
    fn fields(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    /// The exported fields in order of declaration.
    fn exported_fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields = self.fields();
        fields.retain(|(name, _)| name.starts_with(|first: char| first.is_ascii_uppercase()));
        fields
    }

    /// The exported fields with those of embedded structs in their place, as TOML writes them.
    fn promoted_fields(&self) -> Vec<(&'static str, Value)> {
        self.exported_fields()
    }

    /// One field, exported or not.
    fn field(&self, name: &[u8]) -> Option<Value> {
        self.fields()
            .into_iter()
            .find(|(n, _)| n.as_bytes() == name)
            .map(|(_, v)| v)
    }

    /// The method of that name.
    fn method(&self, _name: &[u8]) -> Option<Method> {
        None
    }

    /// Calls a method with arguments already checked against [`Method::params`].
    ///
    /// # Errors
    /// The text of the error that the Go method returns, or of its panic.
    fn call(&self, name: &str, _args: &[Value]) -> Result<Value, String> {
        Err(format!("no method {name}"))
    }

    /// What `String()` or `Error()` gives, where the type has one: `%v` and `toString` use it.
    fn to_str(&self) -> Option<Str> {
        None
    }

    /// What `String()` gives when only the pointer type has the method: an action that prints a
    /// field of an addressable struct calls it, `printf` and functions do not.
    fn pointer_to_str(&self) -> Option<Str> {
        None
    }

    /// The plain value underneath, for a named type over a scalar, slice or map
    /// (`time.Duration` over `int64`, a version set over `[]string`).
    fn underlying(&self) -> Option<Value> {
        None
    }

    /// What `encoding/json` writes of a struct: JSON names and values, in order of declaration.
    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        None
    }

    /// What `encoding/json` makes of the value, as plain maps, lists and scalars.
    fn to_json(&self) -> Value {
        let Some(fields) = self.json_fields() else {
            return Value::Nil;
        };
        let entries = fields.into_iter().map(|(name, v)| (name.into(), plain(&v)));
        Value::Map(Map::from_entries(MapKind::Any, entries.collect()))
    }

    /// `reflect.DeepEqual` with another object.
    fn equals(&self, other: &dyn Object) -> bool {
        self.type_name() == other.type_name() && self.to_str() == other.to_str()
    }

    /// What copystructure makes of it where that is not the same: what is not exported comes out empty.
    fn deep_copy(&self) -> Option<Value> {
        None
    }

    /// For the functions that take this very type (`dateInZone`, `genSignedCert`).
    fn as_any(&self) -> &dyn Any;
}

/// The value of a field without structs in it.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(object) => object.to_json(),
        Value::List(list) => Value::list(list.items().iter().map(plain).collect()),
        other => other.clone(),
    }
}
