//! TOML to values. Follows BurntSushi/toml 1.6 parse.go, with its messages.

mod scalar;

use super::datetime::{Datetime, parse_datetime};
use super::encode::tables;
use super::lex::{Item, ItemKind, Lexer};
use super::write_path;
use crate::limits::{MAX_DEPTH, MAX_KEY_PIECES, MAX_VALUES, TOO_MANY_VALUES, deep};
use crate::value::quote::quoted;
use crate::value::{Elem, Map, MapKind, Value};
use scalar::strip_first_line_end;
use std::collections::{HashMap, HashSet};

/// Reads a document into a `map[string]interface {}`. `datetime` makes values of dates and times.
///
/// ```
/// use windlass_helm::json::to_json;
/// use windlass_helm::toml::{from_toml, DatetimeKind};
/// use windlass_helm::value::Value;
///
/// let map = from_toml(b"day = 2026-01-02", &|datetime| {
///     assert_eq!(datetime.kind, DatetimeKind::Date);
///     Value::int(i64::from(datetime.day))
/// })?;
/// assert_eq!(to_json(&Value::Map(map))?.to_text(), r#"{"day":2}"#);
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// Go's text: `toml: line 2 (last key "a"): …`.
pub fn from_toml(text: &[u8], datetime: &dyn Fn(&Datetime) -> Value) -> Result<Map, String> {
    let text = match text {
        [0xff, 0xfe, rest @ ..] | [0xfe, 0xff, rest @ ..] | [0xef, 0xbb, 0xbf, rest @ ..] => rest,
        rest => rest,
    };
    if text.iter().take(6).any(|byte| *byte == 0) {
        return Err(
            "toml: line 1: files cannot contain NULL bytes; probably using UTF-16; \
             TOML files must be UTF-8"
                .into(),
        );
    }
    let root = Map::new(MapKind::Any);
    let mut parser = Parser {
        lexer: Lexer::new(text),
        datetime,
        root: root.clone(),
        context: Vec::new(),
        key: String::new(),
        line: 0,
        values: 0,
        arrays: HashMap::new(),
        implicit: HashSet::new(),
    };
    loop {
        let item = parser.next()?;
        if item.kind == ItemKind::Eof {
            return Ok(root);
        }
        parser.top_level(&item)?;
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    datetime: &'a dyn Fn(&Datetime) -> Value,
    root: Map,
    /// The table in scope, from the root.
    context: Vec<String>,
    /// The key at hand within it.
    key: String,
    /// The line of the last table name or key.
    line: usize,
    /// How many values, and pieces of keys, there were so far.
    values: usize,
    /// Whether a path is an array.
    arrays: HashMap<String, bool>,
    /// The paths that exist because something below them does.
    implicit: HashSet<String>,
}

/// A path with dots, parts in quotes where they need them, as messages have it.
fn path_text(path: &[String]) -> String {
    let mut out = Vec::new();
    write_path(path.iter().map(String::as_bytes), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

impl Parser<'_> {
    /// Go's `ParseError`: the line, the last key and the message.
    fn error(&self, line: usize, message: &str) -> String {
        let context = path_text(&self.context);
        let last = match (self.key.is_empty(), context.is_empty()) {
            (true, _) => context,
            (false, true) => self.key.clone(),
            (false, false) => format!("{context}.{}", self.key),
        };
        if last.is_empty() {
            return format!("toml: line {line}: {message}");
        }
        format!("toml: line {line} (last key {}): {message}", quoted(&last))
    }

    /// A fault at the key at hand.
    fn error_here(&self, message: &str) -> String {
        self.error(self.line, message)
    }

    /// Counts what takes memory.
    fn count(&mut self, line: usize, values: usize) -> Result<(), String> {
        self.values += values;
        if self.values > MAX_VALUES {
            return Err(self.error(line, TOO_MANY_VALUES));
        }
        Ok(())
    }

    /// The next item; faults of the lexer become errors here.
    fn next(&mut self) -> Result<Item, String> {
        let item = self.lexer.next_item();
        if item.kind == ItemKind::Error {
            return Err(self.error(item.line, &item.text));
        }
        Ok(item)
    }

    /// A table, an array of tables, a key with its value, or a comment.
    fn top_level(&mut self, item: &Item) -> Result<(), String> {
        match item.kind {
            ItemKind::CommentStart => {
                self.next()?;
            }
            ItemKind::TableStart => {
                let key = self.read_key(ItemKind::TableEnd)?;
                self.add_context(&key, false)?;
                self.set_type("", false);
            }
            ItemKind::ArrayTableStart => {
                let key = self.read_key(ItemKind::ArrayTableEnd)?;
                self.add_context(&key, true)?;
                self.set_type("", false);
            }
            _ => {
                let outer = self.context.clone();
                self.enter_key()?;
                let value = self.next()?;
                let (value, array) = self.value(&value, false, 0)?;
                self.set_value(&self.key.clone(), value)?;
                self.set_type(&self.key.clone(), array);
                self.context = outer;
                self.key.clear();
            }
        }
        Ok(())
    }

    /// Reads the pieces of a name up to its end.
    fn read_key(&mut self, end: ItemKind) -> Result<Vec<String>, String> {
        let mut item = self.next()?;
        self.line = item.line;
        let mut key = Vec::new();
        while item.kind != end && item.kind != ItemKind::Eof {
            key.push(match item.kind {
                ItemKind::StrWithEscapes | ItemKind::MultilineStr => self.string(&item)?,
                _ => item.text,
            });
            if key.len() > MAX_KEY_PIECES {
                return Err(self.error(item.line, "key has too many pieces"));
            }
            item = self.next()?;
        }
        Ok(key)
    }

    /// Reads `a.b.c =`, makes the tables before the last piece and that piece the key at hand.
    fn enter_key(&mut self) -> Result<Vec<String>, String> {
        let mut parents = self.read_key(ItemKind::KeyEnd)?;
        self.key = parents.pop().unwrap_or_default();
        for piece in &parents {
            let mut path = self.context.clone();
            path.push(piece.clone());
            let text = path_text(&path);
            // The path is kept, which may be long.
            self.count(self.line, 1 + text.len() / 16)?;
            self.implicit.insert(text);
            self.add_context(&path, false)?;
        }
        Ok(parents)
    }

    // Tables.

    /// The table inside a value on the way down a path: an array of tables stands for its last one.
    fn table_of(value: Option<Value>) -> Option<Map> {
        match value {
            Some(Value::Map(map)) => Some(map),
            Some(Value::List(list)) if list.elem() == Elem::Map => {
                list.items().last().and_then(Value::as_map).cloned()
            }
            _ => None,
        }
    }

    /// Makes a path the table in scope.
    fn add_context(&mut self, path: &[String], array: bool) -> Result<(), String> {
        let Some((last, parents)) = path.split_last() else {
            return Ok(());
        };
        let mut table = self.root.clone();
        for (index, piece) in parents.iter().enumerate() {
            let so_far = &parents[..=index];
            if !table.contains(piece) {
                self.implicit.insert(path_text(so_far));
                table.insert(piece.as_str(), Value::empty_map());
            }
            table = Self::table_of(table.get(piece)).ok_or_else(|| {
                let name = path_text(so_far);
                self.error_here(&format!("Key '{name}' was already created as a hash."))
            })?;
        }
        self.context = parents.to_vec();
        if array {
            let mut maps = match table.get(last) {
                None => Vec::new(),
                Some(Value::List(list)) if list.elem() == Elem::Map => list.items().to_vec(),
                Some(_) => {
                    let name = path_text(path);
                    return Err(self.error_here(&format!(
                        "Key '{name}' was already created and cannot be used as an array."
                    )));
                }
            };
            maps.push(Value::empty_map());
            table.insert(last.as_str(), tables(maps));
        } else {
            self.set_value(last, Value::empty_map())?;
        }
        self.context.push(last.clone());
        Ok(())
    }

    /// Sets a key in the table in scope. A key that exists is an error, unless it exists only
    /// because
    /// of what was set below it.
    fn set_value(&mut self, key: &str, value: Value) -> Result<(), String> {
        let mut table = self.root.clone();
        for index in 0..self.context.len() {
            table = Self::table_of(table.get(&self.context[index])).ok_or_else(|| {
                let name = path_text(&self.context[..=index]);
                self.error_here(&format!("Key '{name}' has already been defined."))
            })?;
        }
        let mut path = self.context.clone();
        path.push(key.to_owned());
        let name = path_text(&path);
        if table.contains(key) {
            let implicit = self.implicit.remove(&name);
            if !implicit {
                return Err(self.error_here(&format!("Key '{name}' has already been defined.")));
            }
            if self.arrays.get(&name) != Some(&true) {
                return Ok(());
            }
        }
        table.insert(key, value);
        Ok(())
    }

    /// Notes whether a key is an array.
    fn set_type(&mut self, key: &str, array: bool) {
        let mut path = self.context.clone();
        if !key.is_empty() || path.is_empty() {
            path.push(key.to_owned());
        }
        self.arrays.insert(path_text(&path), array);
    }

    // Values.

    /// The value, and whether it is an array.
    fn value(
        &mut self,
        item: &Item,
        in_array: bool,
        depth: usize,
    ) -> Result<(Value, bool), String> {
        if depth > MAX_DEPTH {
            return Err(self.error(item.line, "value is nested too deeply"));
        }
        deep(|| self.value_inner(item, in_array, depth))
    }

    fn value_inner(
        &mut self,
        item: &Item,
        in_array: bool,
        depth: usize,
    ) -> Result<(Value, bool), String> {
        self.count(item.line, 1)?;
        let value = match item.kind {
            ItemKind::Str | ItemKind::RawStr => Value::str(&item.text),
            ItemKind::RawMultilineStr => Value::str(strip_first_line_end(&item.text)),
            ItemKind::StrWithEscapes | ItemKind::MultilineStr => Value::str(self.string(item)?),
            ItemKind::Integer => self.integer(item)?,
            ItemKind::Float => self.float(item)?,
            ItemKind::Bool => Value::Bool(item.text == "true"),
            ItemKind::Datetime => {
                let text = item.text.replace('z', "Z").replace(['t', ' '], "T");
                match parse_datetime(&text) {
                    Some(datetime) => (self.datetime)(&datetime),
                    None => {
                        let message = format!("invalid datetime: {}", quoted(&text));
                        return Err(self.error(item.line, &message));
                    }
                }
            }
            ItemKind::Array => return Ok((self.array(depth)?, true)),
            ItemKind::InlineTableStart => self.inline_table(in_array, depth)?,
            _ => return Err(self.error(item.line, "unexpected item")),
        };
        Ok((value, false))
    }

    /// An array; elements may be of several types.
    fn array(&mut self, depth: usize) -> Result<Value, String> {
        self.set_type(&self.key.clone(), true);
        let mut items = Vec::new();
        loop {
            let item = self.next()?;
            match item.kind {
                ItemKind::ArrayEnd | ItemKind::Eof => return Ok(Value::list(items)),
                ItemKind::CommentStart => {
                    self.next()?;
                }
                _ => items.push(self.value(&item, true, depth + 1)?.0),
            }
        }
    }

    /// An inline table: keys of its own, closed for later additions.
    fn inline_table(&mut self, in_array: bool, depth: usize) -> Result<Value, String> {
        let top = Map::new(MapKind::Any);
        let outer_context = self.context.clone();
        let outer_key = std::mem::take(&mut self.key);
        let mut context = outer_context.clone();
        context.push(outer_key.clone());
        self.context.clone_from(&context);
        self.implicit.insert(path_text(&context));
        self.add_context(&context, in_array)?;
        loop {
            let item = self.next()?;
            match item.kind {
                ItemKind::InlineTableEnd | ItemKind::Eof => break,
                ItemKind::CommentStart => {
                    self.next()?;
                    continue;
                }
                _ => {}
            }
            let parents = self.enter_key()?;
            let item = self.next()?;
            let (value, array) = self.value(&item, false, depth + 1)?;
            self.set_value(&self.key.clone(), value.clone())?;
            self.set_type(&self.key.clone(), array);
            let mut table = top.clone();
            for piece in &parents {
                if !table.contains(piece) {
                    table.insert(piece.as_str(), Value::empty_map());
                }
                let Some(Value::Map(inner)) = table.get(piece) else {
                    let name = path_text(&self.context);
                    return Err(self.error_here(&format!("{} is not a table", quoted(&name))));
                };
                table = inner;
            }
            table.insert(self.key.as_str(), value);
            self.context.clone_from(&context);
        }
        self.context = outer_context;
        self.key = outer_key;
        Ok(Value::Map(top))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::to_json;

    fn read(text: &str) -> String {
        let datetime = |datetime: &Datetime| Value::str(format!("{:?}", datetime.kind));
        match from_toml(text.as_bytes(), &datetime) {
            Ok(map) => to_json(&Value::Map(map)).unwrap().to_text().into_owned(),
            Err(error) => error,
        }
    }

    /// Recorded from BurntSushi/toml 1.6.0.
    #[test]
    fn documents_become_what_burnt_sushi_reads() {
        for (text, wanted) in [
            ("", "{}"),
            (
                "a = 1\nb = 1.5 # c\n[f]\ng.h = 'x'",
                r#"{"a":1,"b":1.5,"f":{"g":{"h":"x"}}}"#,
            ),
            (
                "[[a]]\nb = 1\n[[a]]\n[a.c]\nd = 2",
                r#"{"a":[{"b":1},{"c":{"d":2}}]}"#,
            ),
            (
                "a = [1, [2, {b = 3, c.d = 4}],\n]",
                r#"{"a":[1,[2,{"b":3,"c":{"d":4}}]]}"#,
            ),
            (
                "a = \"\\u00e9\\t\\\\\"\nb = '\\n'",
                r#"{"a":"é\t\\","b":"\\n"}"#,
            ),
            (
                "a = \"\"\"\nx \\\n   y\"\"\"\nb = '''\n'a''''",
                r#"{"a":"x y","b":"'a'"}"#,
            ),
            (
                "\"a.b\".c = 0x_f",
                "toml: line 1 (last key \"\\\"a.b\\\".c\"): \
                not a hexadecimal number: '0x_'",
            ),
            (
                "a = 0xf_f\nb = +1_0\nc = 1e3",
                r#"{"a":255,"b":10,"c":1000}"#,
            ),
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
    }

    /// Recorded from BurntSushi/toml 1.6.0.
    #[test]
    fn errors_read_like_burnt_sushi() {
        for (text, wanted) in [
            ("bad", "line 1: unexpected EOF; expected key separator '='"),
            (
                "a = 1\na = 2",
                "line 2 (last key \"a\"): Key 'a' has already been defined.",
            ),
            (
                "a = \n",
                "line 1 (last key \"a\"): expected value but found '\\n' instead",
            ),
            (
                "a = 01",
                "line 1 (last key \"a\"): Invalid integer \"01\": cannot have leading zeroes",
            ),
            (
                "a = [1 2]",
                "line 1 (last key \"a\"): \
                expected a comma (',') or array terminator (']'), but got '2'",
            ),
            (
                "a = 2024-13-01",
                "line 1 (last key \"a\"): invalid datetime: \"2024-13-01\"",
            ),
            ("[a]\n[a]", "line 2: Key 'a' has already been defined."),
        ] {
            assert_eq!(read(text), format!("toml: {wanted}"), "{text}");
        }
    }

    #[test]
    fn dates_and_times_keep_their_kind() {
        assert_eq!(
            read(
                "a = 2024-01-02T03:04:05.5+01:00\nb = 2024-01-02 03:04\nc = 2024-01-02\nd = 03:04"
            ),
            r#"{"a":"Offset(3600)","b":"Local","c":"Date","d":"Time"}"#
        );
    }

    #[test]
    fn deep_arrays_are_refused() {
        assert!(read(&("a = ".to_owned() + &"[".repeat(100_000))).contains("too deeply"));
    }
}
