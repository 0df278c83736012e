//! The words of schema errors. What is checked is in `schema.rs`.
//!
//! Follows github.com/santhosh-tekuri/jsonschema v6.0.3 `output.go` and `kind/kind.go`; numbers are
//! written as golang.org/x/text does for English.

use crate::re2::translate;
use crate::value::number::format_float;
use crate::value::quote::quoted;
use boon::{ErrorKind, InstanceLocation, ValidationError};
use serde_json::{Number, Value};
use std::fmt::Display;

/// An error with everything below it, one line each; `schema` is the document that was checked against.
pub(super) fn error(error: &ValidationError<'_, '_>, schema: &Value) -> String {
    let mut out = String::new();
    let root = Place {
        url: error.schema_url,
        depth: 0,
        indent: 0,
    };
    write(error, root, schema, &mut out);
    out
}

/// The schema whose failure is told just above an error.
#[derive(Clone, Copy)]
struct Place<'a> {
    url: &'a str,
    /// How many keys and indices lead to the value it was held against.
    depth: usize,
    /// How far its errors are indented.
    indent: usize,
}

fn write(error: &ValidationError<'_, '_>, above: Place<'_>, schema: &Value, out: &mut String) {
    let causes = causes(error);
    if let (ErrorKind::Group, [cause]) = (&error.kind, &*causes) {
        return write(cause, above, schema, out);
    }
    let mut indent = above.indent;
    for (depth, words) in combinators(error.schema_url, above.url) {
        let tokens = &error.instance_location.tokens;
        let tokens = tokens[..tokens.len().min(above.depth + depth)].to_vec();
        start_line(indent, out);
        let place = quote(InstanceLocation { tokens }.to_string());
        out.extend(["at ", &place, ": ", words]);
        indent += 1;
    }
    if causes.len() != 1 || !matches!(error.kind, ErrorKind::Reference { .. }) {
        start_line(indent, out);
        write_line(error, schema, out);
        indent += 1;
    }
    for cause in causes {
        let url = match error.kind {
            ErrorKind::Reference { url, .. } | ErrorKind::Schema { url } => url,
            ErrorKind::AllOf | ErrorKind::AnyOf | ErrorKind::OneOf(None) => {
                branch(error.schema_url, cause.schema_url)
            }
            _ => error.schema_url,
        };
        let depth = error.instance_location.tokens.len();
        write(cause, Place { url, depth, indent }, schema, out);
    }
}

fn start_line(indent: usize, out: &mut String) {
    if indent > 0 {
        out.push('\n');
        out.push_str(&"  ".repeat(indent - 1));
        out.push_str("- ");
    }
}

fn write_line(error: &ValidationError<'_, '_>, schema: &Value, out: &mut String) {
    if let ErrorKind::Schema { url } = &error.kind {
        let fragment = if url.contains('#') { "" } else { "#" };
        out.push_str("jsonschema validation failed with ");
        out.push_str(&quote(format!("{url}{fragment}")));
        return;
    }
    let place = match &error.kind {
        ErrorKind::PropertyName { .. } => object_place(error.schema_url),
        _ => None,
    };
    let place = quote(place.unwrap_or_else(|| error.instance_location.to_string()));
    let words = match &error.kind {
        ErrorKind::Pattern { got, want } => {
            let want = written_pattern(error.schema_url, schema).unwrap_or(want);
            format!("{} does not match pattern {}", quote(got), quote(want))
        }
        other => kind(other),
    };
    out.extend(["at ", &place, ": ", &words]);
}

/// The causes that Go's library has too: it holds a value that fails a schema's `format` against
/// nothing else of that schema.
fn causes<'a, 's, 'v>(error: &'a ValidationError<'s, 'v>) -> Vec<&'a ValidationError<'s, 'v>> {
    let all = || error.causes.iter();
    let formats: Vec<_> = all()
        .filter(|cause| matches!(cause.kind, ErrorKind::Format { .. }))
        .map(|cause| (cause.schema_url, cause.instance_location.to_string()))
        .collect();
    let is_hidden = |cause: &&ValidationError<'_, '_>| {
        formats.iter().any(|(url, place)| {
            let way = cause.schema_url.strip_prefix(url);
            let is_below = way.is_some_and(|way| way.is_empty() || way.starts_with('/'));
            let is_format = matches!(cause.kind, ErrorKind::Format { .. });
            is_below && !is_format && cause.instance_location.to_string() == *place
        })
    };
    all().filter(|cause| !is_hidden(cause)).collect()
}

/// Every `allOf`, `anyOf` and `oneOf` on the way from one schema to another below it, and how many
/// keys and indices lead to its value. Go's library tells them also where only one branch failed,
/// boon leaves them out.
fn combinators(url: &str, above: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    let mut depth = 0;
    let Some(way) = url.strip_prefix(above) else {
        return found;
    };
    let mut keywords = way.split('/').skip(1).peekable();
    while let Some(keyword) = keywords.next() {
        let words = match keyword {
            "allOf" => Some("'allOf' failed"),
            "anyOf" => Some("'anyOf' failed"),
            "oneOf" => Some("'oneOf' failed, none matched"),
            _ => None,
        };
        found.extend(words.map(|words| (depth, words)));
        depth += usize::from(matches!(
            keyword,
            "properties"
                | "patternProperties"
                | "additionalProperties"
                | "unevaluatedProperties"
                | "items"
                | "prefixItems"
                | "additionalItems"
                | "unevaluatedItems"
                | "contains"
        ));
        let is_index = |next: &&str| next.bytes().all(|byte| byte.is_ascii_digit());
        match keyword {
            "items" => drop(keywords.next_if(is_index)),
            "properties" | "patternProperties" | "prefixItems" | "dependencies"
            | "dependentSchemas" => drop(keywords.next()),
            _ if words.is_some() => drop(keywords.next()),
            _ => {}
        }
    }
    found
}

/// The place of an object of which a key is refused, as far as the way to its schema tells it; boon
/// knows no place for it.
fn object_place(url: &str) -> Option<String> {
    let pointer = decode(url.split_once('#')?.1)?;
    let mut place = String::new();
    let mut keywords = pointer.split('/').skip(1);
    while let Some(keyword) = keywords.next() {
        match keyword {
            "properties" => place.extend(["/", keywords.next()?]),
            "allOf" | "anyOf" | "oneOf" => drop(keywords.next()?),
            "if" | "then" | "else" | "not" => {}
            _ => return None,
        }
    }
    Some(place)
}

/// The URL of the branch of a combinator that an error is of: its schema, the keyword and the index.
fn branch<'a>(schema: &str, url: &'a str) -> &'a str {
    let Some(way) = url.strip_prefix(schema) else {
        return url;
    };
    let end = way
        .match_indices('/')
        .nth(2)
        .map_or(way.len(), |(at, _)| at);
    url.get(..schema.len() + end).unwrap_or(url)
}

/// A `pattern` as the schema has it; boon tells what it made of it.
fn written_pattern<'a>(url: &str, schema: &'a Value) -> Option<&'a str> {
    let (document, pointer) = url.split_once('#')?;
    if document != super::schema::URL {
        return None;
    }
    let pointer = decode(pointer)?;
    schema.pointer(&pointer)?.get("pattern")?.as_str()
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?];
        out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(out).ok()
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
            format!("got {got}, want {}", want.join(" or "))
        }
        ErrorKind::Enum { want } => one_of(want),
        ErrorKind::Const { want } if is_plain(want) => format!("value must be {}", show(want)),
        ErrorKind::Const { .. } => "'const' failed".to_owned(),
        ErrorKind::Format { got, want, err } => {
            let go = match &**got {
                Value::String(pattern) if *want == "regex" => translate(pattern.as_bytes()).err(),
                _ => None,
            };
            let err = go.map_or_else(|| err.to_string(), |go| go.to_string());
            format!("{} is not valid {want}: {err}", show(got))
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
