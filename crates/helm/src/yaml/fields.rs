//! A few fields of a document: the others are read, but nothing is made of them.

use super::convert::{read_whole, whole};
use super::error::Error;
use super::events::{EventKind, Parser};
use super::node::{Builder, Document, document_start};
use super::resolve::{Scalar, resolve_plain};
use super::scan::Scanner;
use super::source::Source;
use crate::limits::MAX_VALUES;
use crate::value::Value;

/// As [`super::from_yaml_whole`], for callers that look at a few fields of the top mapping only: those whose
/// names are among `wanted`, in any case. Others may be missing, but their mistakes are found.
///
/// # Errors
/// As [`super::from_yaml`].
pub(crate) fn some_fields(text: &[u8], wanted: &[&str]) -> Result<Value, Error> {
    let read = || -> Result<Value, Error> {
        let Some(document) = parse_wanted(text, wanted)? else {
            return read_whole(text);
        };
        whole(&document, document.root())
    };
    read().map_err(|error| error.prefixed("error converting YAML to JSON: "))
}

/// Reads the first document without the values of its top mapping whose keys are not among `wanted`, in
/// any case. `None` when the document has no top mapping, or something that the decoder has to see whole:
/// anchors, tags, merge keys, and keys and numbers that JSON does not have.
///
/// # Errors
/// The first mistake, in go-yaml's words.
fn parse_wanted(text: &[u8], wanted: &[&str]) -> Result<Option<Document>, Error> {
    let source = Source::new(text);
    let mut parser = Parser::new(Scanner::new(&source));
    let Some(start) = document_start(&mut parser)? else {
        return Ok(None);
    };
    let mut builder = Builder::default();
    // For each open collection what comes next in it.
    let mut open: Vec<Next> = Vec::new();
    let mut is_wanted = true;
    for _ in 0..MAX_VALUES {
        let event = parser.next()?;
        if event.anchor.is_some() || event.tag.is_some() {
            return Ok(None);
        }
        let next = open.last().copied();
        match &event.kind {
            EventKind::DocumentEnd | EventKind::StreamEnd => {
                return Ok(Some(builder.finish(start, event.end)));
            }
            EventKind::Scalar { text, implicit, .. } => {
                if next.is_none() || !is_harmless(text, *implicit, next) {
                    return Ok(None);
                }
                if open.len() == 1 && next == Some(Next::Key) {
                    is_wanted = wanted.iter().any(|name| text.eq_ignore_ascii_case(name));
                }
            }
            EventKind::MappingStart if next != Some(Next::Key) => open.push(Next::Key),
            EventKind::SequenceStart if !matches!(next, None | Some(Next::Key)) => {
                open.push(Next::Item);
            }
            EventKind::MappingEnd | EventKind::SequenceEnd => drop(open.pop()),
            _ => return Ok(None),
        }
        let is_complete = !matches!(
            event.kind,
            EventKind::MappingStart | EventKind::SequenceStart
        );
        let is_root = next.is_none() || open.is_empty();
        if is_wanted || is_root {
            builder.take(event)?;
        }
        if is_complete && let Some(next) = open.last_mut() {
            *next = next.after();
        }
    }
    Ok(None)
}

/// What comes next in a collection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Item,
    Key,
    Value,
}

impl Next {
    fn after(self) -> Self {
        match self {
            Self::Item => Self::Item,
            Self::Key => Self::Value,
            Self::Value => Self::Key,
        }
    }
}

/// Whether the decoder can have nothing against a scalar.
fn is_harmless(text: &str, implicit: bool, next: Option<Next>) -> bool {
    if next == Some(Next::Key) {
        let refused = || matches!(resolve_plain(text), Scalar::Null | Scalar::Uint(_));
        return text != "<<" && !(implicit && refused());
    }
    let is_number = || text.starts_with(|first| matches!(first, '.' | '+' | '-' | '0'..='9'));
    let refused = || matches!(resolve_plain(text), Scalar::Float(number) if !number.is_finite());
    !(implicit && is_number() && refused())
}

#[cfg(test)]
mod tests {
    use super::some_fields;
    use crate::value::Value;
    use crate::yaml::{Error, from_yaml_whole};

    #[test]
    fn some_fields_are_those_of_the_whole_document() {
        for text in [
            "kind: A\nspec: {a: [1, {b: c}], d: [[]]}\nKind: B\nmetadata: {name: x}\n",
            "spec:\n- 1\n- - a: b\n    c: |\n      d\nmetadata:\n  name: 7\n---\nkind: C\n",
            "kind: a\n? [x]\n: 1\n",
            "spec: &x {a: 1}\nmetadata: *x\n",
            "spec: *unknown\n",
            "spec: {<<: {a: 1}}\n<<: {kind: M}\n",
            "spec: {a: .inf}\nkind: a\n",
            "spec: {~: 1}\n",
            "spec: {18446744073709551615: 1}\n",
            "spec: !!int x\nkind: a\n",
            "spec: {a: 1\nkind: a\n",
            "kind: a\nspec: [a\n",
            "- kind: a\n",
            "kind",
            "",
            "# nothing\n",
        ] {
            let fields = |read: Result<Value, Error>| match read {
                Ok(Value::Map(map)) => {
                    let wanted = |name: &[u8]| {
                        [&b"kind"[..], b"metadata"].contains(&&*name.to_ascii_lowercase())
                    };
                    let mut entries = map.entries();
                    entries.retain(|(name, _)| wanted(name));
                    format!("{entries:?}")
                }
                other => format!("{other:?}"),
            };
            let some = some_fields(text.as_bytes(), &["kind", "metadata"]);
            assert_eq!(
                fields(some),
                fields(from_yaml_whole(text.as_bytes())),
                "{text}"
            );
        }
    }
}
