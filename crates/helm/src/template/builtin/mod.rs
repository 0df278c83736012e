//! The functions of the language itself. `and`, `or` and the calling of `call` are the evaluator's.
//!
//! [`compare`] holds `eq` and its relatives, [`index`] what looks into values, [`escape`] the escapers.
//! Follows Go 1.26 `text/template/funcs.go`.

mod compare;
mod escape;
mod index;

use super::eval::{Slot, is_true};
use super::fmt;
use super::function::{Fault, Param};
use crate::value::Value;

/// A function of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builtin {
    And,
    Call,
    Eq,
    Ge,
    Gt,
    Html,
    Index,
    Js,
    Le,
    Len,
    Lt,
    Ne,
    Not,
    Or,
    Print,
    Printf,
    Println,
    Slice,
    UrlQuery,
}

/// What a builtin returns.
type Result<T = Slot> = std::result::Result<T, Fault>;

impl Builtin {
    /// All of them.
    pub(super) const ALL: [Self; 19] = [
        Self::And,
        Self::Call,
        Self::Eq,
        Self::Ge,
        Self::Gt,
        Self::Html,
        Self::Index,
        Self::Js,
        Self::Le,
        Self::Len,
        Self::Lt,
        Self::Ne,
        Self::Not,
        Self::Or,
        Self::Print,
        Self::Printf,
        Self::Println,
        Self::Slice,
        Self::UrlQuery,
    ];

    /// The name that templates call it by.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::And => "and",
            Self::Call => "call",
            Self::Eq => "eq",
            Self::Ge => "ge",
            Self::Gt => "gt",
            Self::Html => "html",
            Self::Index => "index",
            Self::Js => "js",
            Self::Le => "le",
            Self::Len => "len",
            Self::Lt => "lt",
            Self::Ne => "ne",
            Self::Not => "not",
            Self::Or => "or",
            Self::Print => "print",
            Self::Printf => "printf",
            Self::Println => "println",
            Self::Slice => "slice",
            Self::UrlQuery => "urlquery",
        }
    }

    /// The types of its parameters, and whether the last one repeats.
    pub(super) fn signature(self) -> (&'static [Param], bool) {
        match self {
            Self::Len | Self::Not => (&[Param::Reflect], false),
            Self::Ge | Self::Gt | Self::Le | Self::Lt | Self::Ne => {
                (&[Param::Reflect, Param::Reflect], false)
            }
            Self::And | Self::Or | Self::Call | Self::Eq | Self::Index | Self::Slice => {
                (&[Param::Reflect, Param::Reflect], true)
            }
            Self::Html | Self::Js | Self::UrlQuery | Self::Print | Self::Println => {
                (&[Param::Any], true)
            }
            Self::Printf => (&[Param::Str, Param::Any], true),
        }
    }

    /// Calls it with arguments that fit its signature.
    pub(super) fn apply(self, args: &[Slot]) -> Result {
        let value = match (self, args) {
            (Self::Eq, [first, rest @ ..]) => compare::eq(first, rest)?.into(),
            (Self::Ne, [a, b]) => (!compare::eq(a, std::slice::from_ref(b))?).into(),
            (Self::Lt, [a, b]) => compare::lt(a, b)?.into(),
            (Self::Le, [a, b]) => compare::le(a, b)?.into(),
            (Self::Gt, [a, b]) => (!compare::le(a, b)?).into(),
            (Self::Ge, [a, b]) => (!compare::lt(a, b)?).into(),
            (Self::Not, [arg]) => (!is_true(&arg.value)).into(),
            (Self::Len, [arg]) => index::len(arg)?,
            (Self::Index, [item, keys @ ..]) => return index::index(item, keys),
            (Self::Slice, [item, bounds @ ..]) => index::slice(item, bounds)?,
            (Self::Html, _) => Value::str(escape::html(&escape::text_of(args)?)),
            (Self::Js, _) => Value::str(escape::js(&escape::text_of(args)?)),
            (Self::UrlQuery, _) => Value::str(escape::url_query(&escape::text_of(args)?)),
            (Self::Print, _) => Value::Str(fmt::sprint(values(args))?),
            (Self::Println, _) => Value::Str(fmt::sprintln(values(args))?),
            (Self::Printf, [format, rest @ ..]) => {
                let rest: Vec<Value> = values(rest).cloned().collect();
                let format = format.value.as_str().ok_or("printf without a format")?;
                Value::Str(fmt::sprintf(format, &rest)?)
            }
            _ => return Err(Fault::new("wrong number of args")),
        };
        Ok(Slot::plain(value))
    }
}

fn values(args: &[Slot]) -> impl Iterator<Item = &Value> {
    args.iter().map(|slot| &slot.value)
}

/// Why `call` fails: no value of a template is a function. `name` is the first argument as written;
/// without one the function would come from the pipe.
pub(super) fn call(name: Option<String>, args: &[Slot]) -> Fault {
    match args.first() {
        Some(slot) if !slot.value.is_nil() => {
            let type_name = slot.value.type_name();
            let name = name.unwrap_or_else(|| match &slot.value {
                Value::Str(text) => text.to_text().into_owned(),
                _ => format!("<{type_name} Value>"),
            });
            Fault::new(format!("non-function {name} of type {type_name}"))
        }
        _ => Fault::new("call of nil"),
    }
}
