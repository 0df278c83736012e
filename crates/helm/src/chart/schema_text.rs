//! The words of schema errors. What is checked is in `schema.rs`.
//!
//! Follows github.com/santhosh-tekuri/jsonschema v6.0.3 `output.go` and `kind/kind.go`; numbers are
//! written as golang.org/x/text does for English.

use crate::value::number::format_float;
use crate::value::quote::quoted;
use boon::{ErrorKind, ValidationError};
use serde_json::{Number, Value};
use std::fmt::Display;

/// An error with everything below it, one line each.
pub(super) fn error(error: &ValidationError<'_, '_>) -> String {
    let mut out = String::new();
    write(error, 0, &mut out);
    out
}

fn write(error: &ValidationError<'_, '_>, indent: usize, out: &mut String) {
    let skip = error.causes.len() == 1 && matches!(error.kind, ErrorKind::Reference { .. });
    let mut below = indent;
    if !skip {
        if indent > 0 {
            out.push('\n');
            out.push_str(&"  ".repeat(indent - 1));
            out.push_str("- ");
        }
        below += 1;
        if let ErrorKind::Schema { url } = &error.kind {
            let url = if url.contains('#') {
                (*url).to_owned()
            } else {
                format!("{url}#")
            };
            out.push_str("jsonschema validation failed with ");
            out.push_str(&quote(&url));
        } else {
            let place = quote(error.instance_location.to_string());
            for part in ["at ", &place, ": ", &kind(&error.kind)] {
                out.push_str(part);
            }
        }
    }
    for cause in &error.causes {
        write(cause, below, out);
    }
}

/// The message of one broken rule.
fn kind(kind: &ErrorKind<'_, '_>) -> String {
    match kind {
        ErrorKind::Group | ErrorKind::Schema { .. } | ErrorKind::Reference { .. } => {
            "validation failed".to_owned()
        }
        ErrorKind::FalseSchema => "false schema".to_owned(),
        ErrorKind::Type { got, want } => {
            let want: Vec<_> = want.iter().map(|kind| kind.to_string()).collect();
            let mut want = want;
            want.sort();
            format!("got {got}, want {}", want.join(" or "))
        }
        ErrorKind::Enum { want } => one_of(want),
        ErrorKind::Const { want } if is_plain(want) => format!("value must be {}", show(want)),
        ErrorKind::Const { .. } => "'const' failed".to_owned(),
        ErrorKind::Format { got, want, err } => {
            format!("{} is not valid {want}: {err}", show(got))
        }
        ErrorKind::Pattern { got, want } => {
            format!("{} does not match pattern {}", quote(got), quote(want))
        }
        ErrorKind::ContentEncoding { want, err } => {
            format!("value is not {} encoded: {err}", quote(want))
        }
        ErrorKind::ContentMediaType { want, err, .. } => {
            format!("value is not of mediatype {}: {err}", quote(want))
        }
        ErrorKind::ContentSchema => "'contentSchema' failed".to_owned(),
        ErrorKind::Not => "'not' failed".to_owned(),
        ErrorKind::AllOf => "'allOf' failed".to_owned(),
        ErrorKind::AnyOf => "'anyOf' failed".to_owned(),
        ErrorKind::OneOf(None) => "'oneOf' failed, none matched".to_owned(),
        ErrorKind::OneOf(Some((a, b))) => {
            format!("'oneOf' failed, subschemas {a}, {b} matched")
        }
        ErrorKind::RefCycle {
            url,
            kw_loc1,
            kw_loc2,
        } => {
            format!("both {kw_loc1} and {kw_loc2} resolve to {url:?} causing reference cycle")
        }
        other => sized(other),
    }
}

/// The kinds about properties, items, lengths and numbers.
fn sized(kind: &ErrorKind<'_, '_>) -> String {
    match kind {
        ErrorKind::PropertyName { prop } => format!("invalid propertyName {}", quote(prop)),
        ErrorKind::MinProperties { got, want } => counts("minProperties", *got, *want),
        ErrorKind::MaxProperties { got, want } => counts("maxProperties", *got, *want),
        ErrorKind::MinItems { got, want } => counts("minItems", *got, *want),
        ErrorKind::MaxItems { got, want } => counts("maxItems", *got, *want),
        ErrorKind::MinLength { got, want } => counts("minLength", *got, *want),
        ErrorKind::MaxLength { got, want } => counts("maxLength", *got, *want),
        ErrorKind::AdditionalProperties { got } => {
            format!("additional properties {} not allowed", quote_all(got))
        }
        ErrorKind::AdditionalItems { got } => {
            format!("last {} additionalItem(s) not allowed", count(*got))
        }
        ErrorKind::Required { want } if want.len() == 1 => {
            format!("missing property {}", quote_all(want))
        }
        ErrorKind::Required { want } => format!("missing properties {}", quote_all(want)),
        ErrorKind::Dependency { prop, missing }
        | ErrorKind::DependentRequired { prop, missing } => {
            format!(
                "properties {} required, if {} exists",
                quote_all(missing),
                quote(prop)
            )
        }
        ErrorKind::UniqueItems { got: [a, b] } => {
            format!("items at {} and {} are equal", count(*a), count(*b))
        }
        ErrorKind::Contains => "no items match contains schema".to_owned(),
        ErrorKind::MinContains { got, want } if got.is_empty() => {
            let want = count(*want);
            format!("min {want} items required to match contains schema, but none matched")
        }
        ErrorKind::MinContains { got, want } => contains("min", got, *want),
        ErrorKind::MaxContains { got, want } => contains("max", got, *want),
        ErrorKind::Minimum { got, want } => numbers("minimum", got, want),
        ErrorKind::Maximum { got, want } => numbers("maximum", got, want),
        ErrorKind::ExclusiveMinimum { got, want } => numbers("exclusiveMinimum", got, want),
        ErrorKind::ExclusiveMaximum { got, want } => numbers("exclusiveMaximum", got, want),
        ErrorKind::MultipleOf { got, want } => numbers("multipleOf", got, want),
        other => other.to_string(),
    }
}

/// The message of `contains`, `minContains` and `maxContains`.
fn contains(which: &str, got: &[usize], want: usize) -> String {
    let places: Vec<_> = got.iter().map(usize::to_string).collect();
    format!(
        "{which} {} items required to match contains schema, but matched {} items at {}",
        count(want),
        count(got.len()),
        places.join(" ")
    )
}

fn counts(keyword: &str, got: usize, want: usize) -> String {
    format!("{keyword}: got {}, want {}", count(got), count(want))
}

fn numbers(keyword: &str, got: &Number, want: &Number) -> String {
    format!("{keyword}: got {}, want {}", number(got), number(want))
}

fn one_of(want: &[Value]) -> String {
    match want {
        _ if !want.iter().all(is_plain) => "'enum' failed".to_owned(),
        [one] => format!("value must be {}", show(one)),
        _ => {
            let want: Vec<_> = want.iter().map(show).collect();
            format!("value must be one of {}", want.join(", "))
        }
    }
}

/// Whether a value is neither a list nor an object: those are not shown.
fn is_plain(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Object(_))
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        Value::Array(_) | Value::Object(_) => "value".to_owned(),
        Value::Null => "<nil>".to_owned(),
        other => other.to_string(),
    }
}

/// A text in single quotes.
fn quote(text: impl AsRef<str>) -> String {
    let text = quoted(text.as_ref())
        .replace("\\\"", "\"")
        .replace('\'', "\\'");
    format!("'{}'", text.get(1..text.len() - 1).unwrap_or_default())
}

/// Texts in quotes with commas between them.
fn quote_all(texts: &[impl AsRef<str>]) -> String {
    let texts: Vec<_> = texts.iter().map(quote).collect();
    texts.join(", ")
}

/// A whole number with commas between the thousands.
fn count(number: impl Display) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with commas, or as a power of ten from a million on.
fn number(number: &Number) -> String {
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let text = format_float(number.as_f64().unwrap_or_default(), b'g', -1, 64);
    let (sign, text) = text
        .strip_prefix('-')
        .map_or(("", text.as_str()), |rest| ("-", rest));
    if let Some((mantissa, exponent)) = text.split_once('e') {
        let raise = |c: char| match c {
            '+' => None,
            '-' => Some('⁻'),
            digit => digit.to_digit(10).map(|digit| RAISED[digit as usize]),
        };
        let exponent: String = exponent.chars().filter_map(raise).collect();
        return format!("{sign}{mantissa}×10{exponent}");
    }
    match text.split_once('.') {
        Some((whole, fraction)) => format!("{sign}{}.{fraction}", count(whole)),
        None => format!("{sign}{}", count(text)),
    }
}
