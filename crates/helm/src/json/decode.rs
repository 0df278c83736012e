//! JSON to values, with the messages of Go's scanner.

use crate::limits::{MAX_DEPTH, MAX_VALUES, TOO_MANY_VALUES, deep};
use crate::value::number::parse_float;
use crate::value::{Elem, List, Map, MapKind, Str, Value};
use std::collections::BTreeMap;

/// Reads JSON into an `any`: every number a `float64`.
///
/// ```
/// use windlass_helm::json::{from_json, to_json};
///
/// let value = from_json(br#"{"b": [1, null], "a": "\u00e9"}"#)?;
/// assert_eq!(to_json(&value)?.to_text(), r#"{"a":"é","b":[1,null]}"#);
/// let error = from_json(b"{").unwrap_err();
/// assert_eq!(error, "unexpected end of JSON input");
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// Go's text: `invalid character 'o' in literal null (expecting 'u')`.
pub fn from_json(text: &[u8]) -> Result<Value, String> {
    let (value, overflow) = read(text)?;
    overflow.map_or(Ok(value), Err)
}

/// The value, and what Go says of the first number too large for a `float64`.
fn read(text: &[u8]) -> Result<(Value, Option<String>), String> {
    let mut decoder = Decoder {
        text,
        at: 0,
        overflow: None,
        values: 0,
    };
    decoder.skip_blanks();
    let value = decoder.value(0)?;
    decoder.skip_blanks();
    if let Some(byte) = decoder.peek() {
        return Err(decoder.invalid(byte, "after top-level value"));
    }
    Ok((value, decoder.overflow))
}

/// Reads JSON into a `map[string]interface {}`; `null` gives the nil map.
///
/// `fromJson` puts the error under the key `Error` of an empty map; here it is an error.
///
/// ```
/// use windlass_helm::json::from_json_map;
///
/// assert!(from_json_map(b"null")?.is_nil());
/// let error = from_json_map(b"[1]").unwrap_err();
/// assert_eq!(error, "json: cannot unmarshal array into Go value of type map[string]interface {}");
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// As [`from_json`], and when the text is no object.
pub fn from_json_map(text: &[u8]) -> Result<Map, String> {
    match read(text)? {
        (Value::Map(_), Some(overflow)) => Err(overflow),
        (Value::Map(map), None) => Ok(map),
        (Value::Nil, _) => Ok(Map::nil(MapKind::Any)),
        (other, _) => Err(mismatch(&other, "map[string]interface {}")),
    }
}

/// Reads JSON into a `[]interface {}`; `null` gives the nil slice.
///
/// # Errors
/// As [`from_json`], and when the text is no array.
pub fn from_json_list(text: &[u8]) -> Result<List, String> {
    match read(text)? {
        (Value::List(_), Some(overflow)) => Err(overflow),
        (Value::List(list), None) => Ok(list),
        (Value::Nil, _) => Ok(List::nil(Elem::Any)),
        (other, _) => Err(mismatch(&other, "[]interface {}")),
    }
}

fn mismatch(value: &Value, target: &str) -> String {
    let kind = match value {
        Value::Bool(_) => "bool",
        Value::Float(_) => "number",
        Value::Str(_) => "string",
        Value::List(_) => "array",
        _ => "object",
    };
    format!("json: cannot unmarshal {kind} into Go value of type {target}")
}

/// Reads one JSON text from left to right. Its faults are the texts of Go's `SyntaxError`.
struct Decoder<'a> {
    text: &'a [u8],
    at: usize,
    /// The first number too large for a `float64`; reading goes on.
    overflow: Option<String>,
    /// How many values there were so far.
    values: usize,
}

impl Decoder<'_> {
    /// The next byte; `None` at the end.
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Passes space, tab, line feed and carriage return, which alone are blanks in JSON.
    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The fault for a byte that cannot stand here; `context` is Go's: `after object key`, ….
    fn invalid(&self, byte: u8, place: &str) -> String {
        let shown = match byte {
            b'\'' => "\\'".into(),
            b'"' => "\"".into(),
            b'\\' => "\\\\".into(),
            0x07 => "\\a".into(),
            0x08 => "\\b".into(),
            0x0c => "\\f".into(),
            b'\n' => "\\n".into(),
            b'\r' => "\\r".into(),
            b'\t' => "\\t".into(),
            0x0b => "\\v".into(),
            0..=0x1f | 0x7f => format!("\\x{byte:02x}"),
            0x80..=0xa0 | 0xad => format!("\\u{byte:04x}"),
            _ => char::from(byte).to_string(),
        };
        format!("invalid character '{shown}' {place}")
    }

    /// The message when something else was expected inside a word: Go ends its input with a blank.
    fn unexpected_inside(&self, place: &str) -> String {
        self.invalid(self.peek().unwrap_or(b' '), place)
    }

    /// The message when something else was expected between words.
    fn unexpected(&self, place: &str) -> String {
        match self.peek() {
            Some(byte) => self.invalid(byte, place),
            None => "unexpected end of JSON input".into(),
        }
    }

    /// One value at a depth; grows the stack, so that depth is bounded by the limit alone.
    fn value(&mut self, depth: usize) -> Result<Value, String> {
        deep(|| self.value_inner(depth))
    }

    fn value_inner(&mut self, depth: usize) -> Result<Value, String> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(format!("json: {TOO_MANY_VALUES}"));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Value::Str(self.string()?)),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Nil),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    /// `true`, `false` or `null`, byte by byte, since Go names the first byte that is wrong.
    fn literal(&mut self, word: &str, value: Value) -> Result<Value, String> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                let expected = char::from(expected);
                return Err(
                    self.unexpected_inside(&format!("in literal {word} (expecting '{expected}')"))
                );
            }
            self.at += 1;
        }
        Ok(value)
    }

    /// Goes one level down, up to Go's limit of 10 000.
    fn enter(&mut self, depth: usize) -> Result<(), String> {
        if depth >= MAX_DEPTH {
            return Err("exceeded max depth".into());
        }
        self.at += 1;
        self.skip_blanks();
        Ok(())
    }

    /// An object; the last of equal keys wins.
    fn object(&mut self, depth: usize) -> Result<Value, String> {
        self.enter(depth)?;
        let mut entries = BTreeMap::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Map(Map::from_entries(MapKind::Any, entries)));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("looking for beginning of object key string"));
            }
            let key = self.string()?;
            self.skip_blanks();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("after object key"));
            }
            self.at += 1;
            self.skip_blanks();
            let value = self.value(depth + 1)?;
            entries.insert(key, value);
            self.skip_blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Map(Map::from_entries(MapKind::Any, entries)));
                }
                _ => return Err(self.unexpected("after object key:value pair")),
            }
            self.skip_blanks();
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, String> {
        self.enter(depth)?;
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::list(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::list(items));
                }
                _ => return Err(self.unexpected("after array element")),
            }
            self.skip_blanks();
        }
    }

    /// A number as `float64`, which is what `interface {}` gets.
    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.unexpected_inside("in numeric literal")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits("in exponent of numeric literal")?;
        }
        let text = &self.text[start..self.at];
        Ok(match parse_float(text, 64) {
            Ok(number) => Value::Float(number),
            Err(_) => {
                let text = String::from_utf8_lossy(text);
                self.overflow.get_or_insert_with(|| {
                    format!("json: cannot unmarshal number {text} into Go value of type float64")
                });
                Value::Float(f64::INFINITY)
            }
        })
    }

    /// Digits, perhaps none.
    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    /// At least one digit.
    fn some_digits(&mut self, place: &str) -> Result<(), String> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.unexpected_inside(place));
        }
        self.digits();
        Ok(())
    }

    /// A string; halves of surrogate pairs and broken UTF-8 become U+FFFD, as in Go.
    fn string(&mut self) -> Result<Str, String> {
        self.at += 1;
        let start = self.at;
        let mut text = Vec::new();
        loop {
            match self.peek() {
                Some(b'"') => {
                    let raw = &self.text[start..self.at];
                    self.at += 1;
                    // Without escapes the text is a piece of the input.
                    let bytes = if text.is_empty() && !raw.contains(&b'\\') {
                        raw
                    } else {
                        &text
                    };
                    return Ok(super::valid_text(bytes));
                }
                Some(b'\\') => {
                    if text.is_empty() {
                        text.extend_from_slice(&self.text[start..self.at]);
                    }
                    self.at += 1;
                    self.escape(&mut text)?;
                    let rest = self.text[self.at..]
                        .iter()
                        .take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20))
                        .count();
                    text.extend_from_slice(&self.text[self.at..self.at + rest]);
                    self.at += rest;
                }
                None | Some(0..0x20) => return Err(self.unexpected("in string literal")),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), String> {
        let plain = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                self.at += 1;
                let first = self.hex()?;
                let character = self.character(first)?;
                text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(self.unexpected_inside("in string escape code")),
        };
        self.at += 1;
        text.push(plain);
        Ok(())
    }

    /// The character of a `\u` escape, with the next one when both are a surrogate pair.
    fn character(&mut self, first: u32) -> Result<char, String> {
        if let Some(character) = char::from_u32(first) {
            return Ok(character);
        }
        if first < 0xdc00 && self.text[self.at..].starts_with(b"\\u") {
            let before = self.at;
            self.at += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or('\u{fffd}'));
            }
            self.at = before;
        }
        Ok('\u{fffd}')
    }

    /// The four digits of `\u`.
    fn hex(&mut self) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.unexpected_inside("in \\u hexadecimal character escape"));
            };
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        from_json(text.as_bytes()).unwrap_err()
    }

    /// Recorded from Go 1.26.
    #[test]
    fn errors_read_like_go() {
        for (text, wanted) in [
            ("", "unexpected end of JSON input"),
            (
                "nol",
                "invalid character 'o' in literal null (expecting 'u')",
            ),
            ("[1", "unexpected end of JSON input"),
            (
                "nul",
                "invalid character ' ' in literal null (expecting 'l')",
            ),
            ("-", "invalid character ' ' in numeric literal"),
            ("\"a", "unexpected end of JSON input"),
            ("[1 2]", "invalid character '2' after array element"),
            (
                "{a",
                "invalid character 'a' looking for beginning of object key string",
            ),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            (
                "{\"a\":1 \"b\"",
                "invalid character '\"' after object key:value pair",
            ),
            (
                "[1,]",
                "invalid character ']' looking for beginning of value",
            ),
            ("01", "invalid character '1' after top-level value"),
            ("-x", "invalid character 'x' in numeric literal"),
            (
                "1.x",
                "invalid character 'x' after decimal point in numeric literal",
            ),
            (
                "1ex",
                "invalid character 'x' in exponent of numeric literal",
            ),
            ("\"\n\"", "invalid character '\\n' in string literal"),
            ("\"\\q\"", "invalid character 'q' in string escape code"),
            (
                "\"\\u12g4\"",
                "invalid character 'g' in \\u hexadecimal character escape",
            ),
            (
                "'a'",
                "invalid character '\\'' looking for beginning of value",
            ),
            ("é", "invalid character 'Ã' looking for beginning of value"),
            (
                "1e400",
                "json: cannot unmarshal number 1e400 into Go value of type float64",
            ),
        ] {
            assert_eq!(error(text), wanted, "{text}");
        }
    }

    #[test]
    fn strings_are_unescaped() {
        let read = |text: &str| from_json(text.as_bytes()).unwrap();
        let text = |value: Value| value.as_str().unwrap().to_text().into_owned();
        assert_eq!(text(read(r#""a\u00e9\ud83d\ude00\n\/""#)), "aé😀\n/");
        assert_eq!(text(read(r#""\ud83dx\ude00""#)), "\u{fffd}x\u{fffd}");
        assert_eq!(text(read("\"a\u{7f}\"")), "a\u{7f}");
        assert_eq!(
            from_json(b"\"\xff\"").unwrap().as_str().unwrap().to_text(),
            "\u{fffd}"
        );
    }

    #[test]
    fn targets_are_checked() {
        assert_eq!(
            from_json_map(b"[1]").unwrap_err(),
            "json: cannot unmarshal array into Go value of type map[string]interface {}"
        );
        assert!(from_json_map(b"null").unwrap().is_nil());
        assert!(from_json_list(b" null ").unwrap().is_nil());
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = "[".repeat(100_000);
        assert_eq!(error(&deep), "exceeded max depth");
    }
}
