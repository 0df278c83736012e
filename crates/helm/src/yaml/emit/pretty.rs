//! `toYamlPretty`: yaml.v3 with an indentation of 2, without the way through JSON.

use super::order::Order;
use super::writer::{Context, Flavor, Writer};
use crate::limits::{MAX_DEPTH, deep};
use crate::value::number::format_float;
use crate::value::{Map, MapKind, Str, Value};

/// Writes a value as `toYamlPretty` does, without the line break at its end.
///
/// ```
/// use windlass_helm::yaml::{emit::to_yaml_pretty, from_yaml};
///
/// let value = from_yaml(b"{b: [1, '2']}")?;
/// assert_eq!(to_yaml_pretty(&value)?.to_text(), "b:\n  - 1\n  - \"2\"");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The text of Go's panic for a value without YAML form.
pub fn to_yaml_pretty(value: &Value) -> Result<Str, String> {
    let mut writer = Writer::new(Flavor::V3);
    emit(&mut writer, value, Context::Root, -1, 0)?;
    Ok(writer.finish())
}

fn emit(
    writer: &mut Writer,
    value: &Value,
    context: Context,
    indent: isize,
    depth: usize,
) -> Result<(), String> {
    deep(|| emit_inner(writer, value, context, indent, depth))
}

fn emit_inner(
    writer: &mut Writer,
    value: &Value,
    context: Context,
    indent: isize,
    depth: usize,
) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err("yaml: exceeded max depth of 10000".into());
    }
    writer.check()?;
    match value {
        Value::Nil => writer.plain("null", indent),
        Value::Bool(flag) => writer.plain(if *flag { "true" } else { "false" }, indent),
        Value::Int(number, _) => writer.plain(&number.to_string(), indent),
        Value::Uint(number, _) => writer.plain(&number.to_string(), indent),
        Value::Float(number) => writer.plain(&float_text(*number), indent),
        Value::Complex(..) => return Err("cannot marshal type: complex128".into()),
        Value::Str(text) => writer.string(text, indent),
        // A slice of bytes is a slice of numbers to yaml.v3.
        Value::Bytes(bytes) if bytes.is_empty() => writer.empty("[]"),
        Value::Bytes(bytes) => {
            let inner = writer.sequence_indent(context, indent);
            for byte in bytes.as_bytes() {
                writer.item(inner);
                writer.plain(&byte.to_string(), inner);
            }
        }
        Value::List(list) if list.is_empty() => writer.empty("[]"),
        Value::List(list) => {
            let inner = writer.sequence_indent(context, indent);
            for item in list.items() {
                writer.item(inner);
                emit(writer, item, Context::Item, inner, depth + 1)?;
            }
        }
        Value::Map(map) => emit_map(writer, map, indent, depth)?,
        Value::Object(object) => match object.to_json() {
            Value::Str(text) => writer.string(&text, indent),
            _ => {
                let fields = object.exported_fields();
                let entries = fields
                    .into_iter()
                    .map(|(n, v)| (Str::from(n.to_lowercase()), v));
                emit_entries(writer, entries.collect(), indent, depth)?;
            }
        },
    }
    Ok(())
}

fn emit_map(writer: &mut Writer, map: &Map, indent: isize, depth: usize) -> Result<(), String> {
    let mut entries = map.entries();
    if map.kind() == MapKind::Files {
        for (_, value) in &mut entries {
            if let Value::Str(text) = value {
                *value = Value::Bytes(text.clone());
            }
        }
    }
    emit_entries(writer, Order::V3.sort(entries), indent, depth)
}

fn emit_entries(
    writer: &mut Writer,
    entries: Vec<(Str, Value)>,
    indent: isize,
    depth: usize,
) -> Result<(), String> {
    if entries.is_empty() {
        writer.empty("{}");
        return Ok(());
    }
    let inner = writer.mapping_indent(indent);
    for (key, value) in entries {
        let simple = writer.key(&key, inner);
        writer.colon(simple, inner);
        emit(writer, &value, Context::Value, inner, depth + 1)?;
    }
    Ok(())
}

fn float_text(number: f64) -> String {
    match format_float(number, b'g', -1, 64).as_str() {
        "+Inf" => ".inf".into(),
        "-Inf" => "-.inf".into(),
        "NaN" => ".nan".into(),
        text => text.into(),
    }
}
