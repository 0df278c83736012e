//! What reading YAML can say: go-yaml's texts, with the true place beside them.

use super::scan::{Fault, Position};
use std::borrow::Cow;

/// What stands in messages before something of the text.
const QUOTES: [&str; 6] = [
    "anchor '",
    "cannot decode ",
    "invalid map key: ",
    "key of type: ",
    "separator: ",
    "unsupported value: ",
];

/// What kind of mistake it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text is not YAML, or a scalar does not fit its tag.
    Syntax,
    /// The document is YAML but has no form in JSON, for example a list as a key.
    Convert,
    /// The document is not of the wanted type.
    Decode,
}

/// Why a text could not be read.
///
/// Go's text and the true place are kept apart: people who know Helm search for the first, editors jump to
/// the second.
///
/// ```
/// use windlass_helm::yaml;
///
/// let error = yaml::parse(b"a: 1\nb: [\n").unwrap_err();
/// assert!(error.message.starts_with("yaml: ") && error.line > 0);
/// assert_eq!(error.kind, yaml::ErrorKind::Syntax);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The kind of mistake.
    pub kind: ErrorKind,
    /// The whole text, as Go's libraries print it: their line number is often one too small.
    pub message: String,
    /// The line of the mistake, from 1; 0 when it has none.
    pub line: usize,
    /// The column of the mistake in characters, from 1; 0 when it has none.
    pub column: usize,
}

impl Error {
    /// A mistake in a scalar, an anchor or a merge, for which go-yaml names no line.
    pub(super) fn at(kind: ErrorKind, message: String, at: Option<Position>) -> Self {
        let (line, column) = at.map_or((0, 0), |at| (at.line + 1, at.column + 1));
        Self {
            kind,
            message,
            line,
            column,
        }
    }

    /// Puts text before the message.
    pub(super) fn prefixed(mut self, prefix: &str) -> Self {
        self.message.insert_str(0, prefix);
        self
    }
}

/// The message of an [`Error`] without what it quotes of the text, for texts that may be secret.
///
/// ```
/// use windlass_helm::yaml;
///
/// let error = yaml::parse(b"password: *hunter2").unwrap_err();
/// assert_eq!(yaml::without_quotes(&error.message), "yaml: unknown anchor …");
/// ```
#[must_use]
pub fn without_quotes(message: &str) -> Cow<'_, str> {
    let quotes = QUOTES.iter().filter_map(|mark| {
        let at = message.find(mark)?;
        Some(at + mark.trim_end_matches('\'').len())
    });
    match quotes.min() {
        Some(end) => format!("{}…", &message[..end]).into(),
        None => message.into(),
    }
}

impl From<Fault> for Error {
    /// Words a fault as go-yaml v2 decode.go does: the line of the problem, or else that of the
    /// context, counted from 0 by the parser and from 1 by the scanner; none for line 0.
    fn from(fault: Fault) -> Self {
        let (problem, at, context, scanner) = match fault {
            Fault::Reader(problem) => {
                return Self::at(ErrorKind::Syntax, format!("yaml: {problem}"), None);
            }
            Fault::Scanner {
                problem,
                at,
                context,
            } => (problem, at, context, true),
            Fault::Parser {
                problem,
                at,
                context,
            } => (problem, at, context, false),
        };
        let line = if at.line != 0 {
            at.line + usize::from(scanner)
        } else {
            context.line
        };
        let message = if line == 0 {
            format!("yaml: {problem}")
        } else {
            format!("yaml: line {line}: {problem}")
        };
        Self::at(ErrorKind::Syntax, message, Some(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{from_yaml, split_documents};

    #[test]
    fn what_is_quoted_of_a_text_can_be_left_out() {
        let texts = [
            "a: *hunter2",
            "a: &hunter2 [*hunter2]",
            "a: !!int hunter2",
            "a: !!float hunter2",
            "{a: 1}: hunter2",
            "? [hunter2]\n: 1",
            "a: {{ hunter2 }}",
            "~: hunter2",
            "18446744073709551615: hunter2",
            "a: !!binary hunter2",
            "a: %hunter2",
            "a: 'hunter2",
            "a: hunter2: b",
            "{hunter2: 1, hunter2: 2",
        ];
        let mut messages: Vec<String> = texts
            .iter()
            .filter_map(|text| Some(from_yaml(text.as_bytes()).err()?.message))
            .collect();
        assert_eq!(messages.len(), texts.len(), "{messages:#?}");
        messages.push(split_documents(b"a: 1\n---hunter2\n").unwrap_err().message);
        let shown: Vec<_> = messages.iter().map(|text| without_quotes(text)).collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        error converting YAML to JSON: yaml: unknown anchor …
        error converting YAML to JSON: yaml: anchor …
        error converting YAML to JSON: yaml: cannot decode …
        error converting YAML to JSON: yaml: cannot decode …
        error converting YAML to JSON: yaml: invalid map key: …
        error converting YAML to JSON: yaml: invalid map key: …
        error converting YAML to JSON: yaml: invalid map key: …
        error converting YAML to JSON: unsupported map key of type: …
        error converting YAML to JSON: unsupported map key of type: …
        error converting YAML to JSON: yaml: !!binary value contains invalid base64 data
        error converting YAML to JSON: yaml: found character that cannot start any token
        error converting YAML to JSON: yaml: found unexpected end of stream
        error converting YAML to JSON: yaml: mapping values are not allowed in this context
        error converting YAML to JSON: yaml: line 1: did not find expected ',' or '}'
        invalid Yaml document separator: …
        ");
    }
}
