//! Go's regular expressions (RE2 syntax): checked as Go checks them, and translated for the `regex`
//! crate.
//!
//! Follows Go 1.26 `regexp/syntax/parse.go` with the flags that `regexp.Compile` sets. The crate's own
//! syntax differs: its `\d`, `\w`, `\s` and `\b` know Unicode, brackets nest and have set operations,
//! `\Q` and doubled group names do not exist. The translation therefore spells everything out.

mod class;
mod escape;
mod parse;

use crate::limits::{MAX_PATTERN, MAX_PATTERN_HEIGHT};
use regex::{Regex, RegexBuilder};
use std::collections::BTreeMap;
use std::rc::Rc;

/// How much memory a compiled pattern may take to be kept, in bytes.
const MAX_KEPT_SIZE: usize = 1 << 20;

/// How many patterns are kept.
const MAX_KEPT: usize = 64;

/// A compiled pattern with the names of its groups; group 0 is the whole match.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) regex: Regex,
    /// The names, empty for groups that have none; doubled ones are allowed.
    pub(crate) names: Vec<String>,
    /// See [`Translated::weight`].
    pub(crate) weight: u64,
}

/// A pattern in the syntax of the crate.
pub(crate) struct Translated {
    pub(crate) text: String,
    /// The names of its groups, as in [`Pattern::names`].
    pub(crate) names: Vec<String>,
    /// About how many states it compiles to. For each byte searched in, each of them may be looked at.
    pub(crate) weight: u64,
}

/// Why a pattern is none; `expr` is the offending part.
#[derive(Debug)]
pub(crate) struct PatternError {
    code: &'static str,
    expr: String,
}

impl std::fmt::Display for PatternError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "error parsing regexp: {}: `{}`", self.code, self.expr)
    }
}

/// The error of a code and the part of the pattern that it is about.
fn error<T>(code: &'static str, expr: &str) -> Result<T, PatternError> {
    let expr = expr.to_owned();
    Err(PatternError { code, expr })
}

/// The patterns of one render, compiled: charts use the same few again and again, and compiling takes
/// many times as long as matching.
///
/// It keeps [`MAX_KEPT`] patterns of at most [`MAX_KEPT_SIZE`] bytes each, and starts anew when it is
/// full; larger ones are compiled at each use.
#[derive(Debug, Default)]
pub(crate) struct Patterns(BTreeMap<Box<[u8]>, Rc<Pattern>>);

impl Patterns {
    /// The pattern of a text, as `regexp.Compile` makes it.
    ///
    /// # Errors
    /// When the text is no pattern; the message is Go's.
    pub(crate) fn compile(&mut self, pattern: &[u8]) -> Result<Rc<Pattern>, PatternError> {
        match self.known(pattern) {
            Some(known) => Ok(known),
            None => self.add(pattern, translate(pattern)?),
        }
    }

    /// The pattern of a text, if it is kept.
    pub(crate) fn known(&self, pattern: &[u8]) -> Option<Rc<Pattern>> {
        self.0.get(pattern).cloned()
    }

    /// Compiles a pattern that is not kept.
    ///
    /// # Errors
    /// When it becomes too large.
    pub(crate) fn add(
        &mut self,
        pattern: &[u8],
        translated: Translated,
    ) -> Result<Rc<Pattern>, PatternError> {
        let small = build(&translated.text, MAX_KEPT_SIZE);
        let is_small = small.is_ok();
        let Ok(regex) = small.or_else(|_| build(&translated.text, MAX_PATTERN)) else {
            return error("expression too large", &String::from_utf8_lossy(pattern));
        };
        let (names, weight) = (translated.names, translated.weight);
        let new = Rc::new(Pattern {
            regex,
            names,
            weight,
        });
        if is_small {
            if self.0.len() >= MAX_KEPT {
                self.0.clear();
            }
            self.0.insert(pattern.into(), Rc::clone(&new));
        }
        Ok(new)
    }
}

/// The pattern in the syntax of the crate.
///
/// # Errors
/// When the text is no pattern; the message is Go's.
pub(crate) fn translate(pattern: &[u8]) -> Result<Translated, PatternError> {
    match std::str::from_utf8(pattern) {
        Ok(text) => parse::Parser::new(text).parse(),
        Err(_) => error("invalid UTF-8", &String::from_utf8_lossy(pattern)),
    }
}

/// Compiles a translated pattern within a size in bytes. The crate's parser recurses, hence the
/// stack.
fn build(translated: &str, size: usize) -> Result<Regex, regex::Error> {
    stacker::maybe_grow(1 << 20, 8 << 20, || {
        RegexBuilder::new(translated)
            .nest_limit(8 * MAX_PATTERN_HEIGHT as u32)
            .size_limit(size)
            .build()
    })
}

#[cfg(test)]
mod tests {
    use super::{MAX_KEPT, Pattern, PatternError, Patterns};
    use std::rc::Rc;

    fn compile(pattern: &[u8]) -> Result<Rc<Pattern>, PatternError> {
        Patterns::default().compile(pattern)
    }

    #[test]
    fn keeps_a_bounded_number_of_small_patterns() {
        let mut patterns = Patterns::default();
        let first = patterns.compile(b"a+").unwrap();
        assert!(Rc::ptr_eq(&first, &patterns.compile(b"a+").unwrap()));
        let large = br"(\pL{30}){30}";
        let first = patterns.compile(large).unwrap();
        assert!(!Rc::ptr_eq(&first, &patterns.compile(large).unwrap()));
        for count in 0..2 * MAX_KEPT {
            patterns
                .compile(format!("a{{{count}}}").as_bytes())
                .unwrap();
            assert!(patterns.0.len() <= MAX_KEPT);
        }
        assert!(patterns.compile(b"(").is_err());
    }

    fn message(pattern: &str) -> String {
        compile(pattern.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn names_what_is_wrong_as_go_does() {
        for (pattern, want) in [
            ("(", "missing closing ): `(`"),
            ("a)", "unexpected ): `a)`"),
            ("[", "missing closing ]: `[`"),
            ("[z-a]", "invalid character class range: `z-a`"),
            ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
            (r"\8", r"invalid escape sequence: `\8`"),
            (r"\1", r"invalid escape sequence: `\1`"),
            (r"\xzz", r"invalid escape sequence: `\xzz`"),
            (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
            (r"\pX", r"invalid character class range: `\pX`"),
            (
                r"\p{Alphabetic}",
                r"invalid character class range: `\p{Alphabetic}`",
            ),
            ("*a", "missing argument to repetition operator: `*`"),
            ("a|*?", "missing argument to repetition operator: `*?`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("(a{40}){40}", "invalid repeat count: `{40}`"),
            ("a{3,2}", "invalid repeat count: `{3,2}`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("(?x) a", "invalid or unsupported Perl syntax: `(?x`"),
            ("(?i-)", "invalid or unsupported Perl syntax: `(?i-)`"),
            ("(?P<n", "invalid named capture: `(?P<n`"),
            ("(?P<n!>a)", "invalid named capture: `(?P<n!>`"),
            ("\\", "trailing backslash at end of expression: ``"),
        ] {
            assert_eq!(
                message(pattern),
                format!("error parsing regexp: {want}"),
                "{pattern}"
            );
        }
        let deep = "(".repeat(2000) + &")".repeat(2000);
        assert!(message(&deep).starts_with("error parsing regexp: expression nests too deeply"));
    }

    #[test]
    fn matches_as_go_does() {
        for (pattern, text, found) in [
            (r"\d+", "٣4", Some("4")),
            (r"\bé", "é", None),
            (r"[a-z&&[^b]]", "b]", Some("b]")),
            (r"[[a]", "[", Some("[")),
            (r"\Qa.b\E+", "a.bb", Some("a.bb")),
            (r"a{,2}", "a{,2}", Some("a{,2}")),
            (r"x{2}?", "xxx", Some("xx")),
            (r"(?U)a+", "aaa", Some("a")),
            (r"(?i)k", "\u{212a}", Some("\u{212a}")),
            (r"(?s).", "\n", Some("\n")),
            (r"(?P<a>x)(?<a>y)", "xy", Some("xy")),
            (r"^*a", "a", Some("a")),
            (r"[^\D5]", "54", Some("4")),
            (r"[]a]", "]", Some("]")),
            (r"[a-]", "-", Some("-")),
            (r"\pN\p{^Greek}", "1α2b", Some("2b")),
            (r"(|a)*", "aa", Some("")),
            (r"c$", "c\n", None),
            (r"\x{d800}", "a", None),
        ] {
            let pattern = compile(pattern.as_bytes()).unwrap_or_else(|e| panic!("{pattern}: {e}"));
            let matched = pattern.regex.find(text).map(|m| m.as_str());
            assert_eq!(matched, found, "{}", pattern.regex);
        }
    }
}
