//! How a function is offered to templates: its Go signature as data, and a plain Rust function.

use super::{Error, World};
use crate::value::{Str, Value};

/// The Go type of a parameter; the evaluator checks and converts arguments before the call, as
/// `reflect` does for Go, with Go's error texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Param {
    /// `interface {}`: anything.
    Any,
    /// `string`.
    Str,
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `int64`.
    Int64,
    /// `uint32`.
    Uint32,
    /// `float64`.
    Float64,
    /// `[]interface {}`.
    List,
    /// `map[string]interface {}`; `common.Values` is assignable to it.
    Map,
    /// `[]string`.
    Strings,
    /// `[]byte`.
    Bytes,
    /// A named Go type, for example `time.Time`.
    Named(&'static str),
    /// `reflect.Value`: as `Any`, but a missing value arrives as [`Value::Nil`] (Go's builtins).
    Reflect,
}

impl Param {
    /// The parameter of a Go type given by name, as [`Method`](crate::value::Method) lists them.
    #[must_use]
    pub fn named(name: &'static str) -> Self {
        match name {
            "interface {}" | "any" => Self::Any,
            "string" => Self::Str,
            "bool" => Self::Bool,
            "int" => Self::Int,
            "int64" => Self::Int64,
            "uint32" => Self::Uint32,
            "float64" => Self::Float64,
            "[]interface {}" => Self::List,
            "map[string]interface {}" => Self::Map,
            "[]string" => Self::Strings,
            "[]uint8" | "[]byte" => Self::Bytes,
            _ => Self::Named(name),
        }
    }

    /// The name of the Go type, as error messages show it.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Str => "string",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Uint32 => "uint32",
            Self::Float64 => "float64",
            Self::List => "[]interface {}",
            Self::Map => "map[string]interface {}",
            Self::Strings => "[]string",
            Self::Bytes => "[]uint8",
            Self::Named(name) => name,
            Self::Reflect => "reflect.Value",
        }
    }
}

/// A function of the template language.
///
/// Tables of functions are constants, and a body is a plain function pointer: what a function needs from
/// outside it takes from the [`Runtime`].
///
/// ```
/// use windlass_helm::template::{Function, Param, Templates, World};
/// use windlass_helm::value::Value;
///
/// static TABLE: &[Function] = &[Function {
///     name: "twice",
///     params: &[Param::Str],
///     variadic: false,
///     body: |run, args| {
///         let text = args[0].as_str().ok_or("no text")?;
///         run.work(text.len() as u64)?;
///         Ok(Value::str([text.as_bytes(), text.as_bytes()].concat()))
///     },
/// }];
///
/// let mut templates = Templates::new(&[TABLE]);
/// templates.parse("t", r#"{{ "ab" | twice }}"#)?;
/// templates.parse("u", "{{ twice 1 }}")?;
/// let mut world = World::new("2026-01-01T00:00:00Z".parse()?, [0; 32]);
/// assert_eq!(templates.execute("t", &Value::Nil, &mut world)?, b"abab");
/// let error = templates.execute("u", &Value::Nil, &mut world).unwrap_err();
/// assert_eq!(error.cause(), "expected string; found 1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Function {
    /// The name templates call it by.
    pub name: &'static str,
    /// The types of its parameters; the last one repeats when `variadic`.
    pub params: &'static [Param],
    /// Whether the last parameter takes any number of arguments.
    pub variadic: bool,
    /// The function. Its arguments fit `params`.
    pub body: fn(&mut dyn Runtime, &[Value]) -> Result<Value, Fault>,
}

/// Why a function failed. Returned errors and Go panics read the same in a template's error
/// (`error calling NAME: TEXT`), so one type serves both.
///
/// A text becomes one by `?`, so a body returns `Err("…".into())`.
#[derive(Debug)]
pub struct Fault {
    /// The text after `error calling NAME: `, up to the text of `inner`.
    pub message: String,
    /// The template error underneath, when a template called by `include` or `tpl` failed.
    pub inner: Option<Error>,
}

impl Fault {
    /// A fault with this text.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            inner: None,
        }
    }
}

impl<T: Into<String>> From<T> for Fault {
    fn from(message: T) -> Self {
        Self::new(message)
    }
}

/// What a function may ask of the run that called it.
///
/// The evaluator implements it; functions get it as their first argument. Methods may be added.
pub trait Runtime {
    /// Time, randomness, cluster: everything that is not in the chart.
    fn world(&mut self) -> &mut World;

    /// Counts work against the budget of steps: a step is about what one simple call takes.
    ///
    /// # Errors
    /// When the budget is used up.
    fn work(&mut self, steps: u64) -> Result<(), Fault>;

    /// Runs a named template and returns its output.
    ///
    /// # Errors
    /// The template's error.
    fn include(&mut self, name: &Str, data: &Value) -> Result<Str, Fault>;

    /// Parses and runs a text as a template of its own.
    ///
    /// # Errors
    /// The parse error or the template's error.
    fn tpl(&mut self, text: &Str, data: &Value) -> Result<Str, Fault>;
}
