//! TOML text to values: tables, keys and arrays. Scalars are in `scan.rs`.
//!
//! Follows github.com/BurntSushi/toml v1.6.0 `parse.go`.

use super::scan::{Cursor, Problem, Scanned};
use crate::chart::values::deep;
use crate::value::quote::quoted;
use crate::value::{Elem, List, Map, MapKind, Str, Value};
use std::collections::{BTreeMap, BTreeSet};

/// How deep arrays and inline tables may nest.
const MAX_DEPTH: usize = 1_000;

type Key = Vec<Str>;

/// Reads a document.
///
/// # Errors
/// Go's text: `toml: line 1 (last key "a"): …`.
pub(in crate::chart) fn decode(text: &[u8]) -> Result<Map, String> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if text.iter().take(6).any(|&byte| byte == 0) {
        return Err(
            "toml: line 1: files cannot contain NULL bytes; probably using UTF-16; TOML \
                    files must be UTF-8"
                .to_owned(),
        );
    }
    let mut parser = Parser {
        cursor: Cursor::new(text),
        root: Map::new(MapKind::Any),
        context: Key::new(),
        current: None,
        implicit: BTreeSet::new(),
        arrays: BTreeMap::new(),
        line: 1,
        depth: 0,
    };
    match parser.document() {
        Ok(()) => Ok(parser.root),
        Err(Problem { line, message }) => {
            let mut key = parser.context;
            key.extend(parser.current);
            if key.is_empty() {
                return Err(format!("toml: line {line}: {message}"));
            }
            Err(format!(
                "toml: line {line} (last key {}): {message}",
                quoted(show(&key))
            ))
        }
    }
}

struct Parser<'t> {
    cursor: Cursor<'t>,
    root: Map,
    /// The table in which keys are set.
    context: Key,
    /// The last part of the key whose value is read.
    current: Option<Str>,
    /// Tables that exist only because of the keys below them.
    implicit: BTreeSet<String>,
    /// Whether the last value of a key was an array.
    arrays: BTreeMap<String, bool>,
    /// The line of the last key.
    line: usize,
    depth: usize,
}

impl Parser<'_> {
    fn document(&mut self) -> Scanned<()> {
        loop {
            self.cursor.skip_lines()?;
            match self.cursor.peek()? {
                None => return Ok(()),
                Some('[') => {
                    self.cursor.next()?;
                    let array = self.cursor.accept('[')?;
                    self.header(array)?;
                }
                Some(_) => self.pair()?,
            }
            self.cursor.skip_blanks()?;
            match self.cursor.peek()? {
                None => return Ok(()),
                Some('#' | '\n' | '\r') => {}
                found => {
                    self.cursor.next()?;
                    return self.cursor.instead(
                        "expected a top-level item to end with a newline, comment, or EOF, but got",
                        found,
                    );
                }
            }
        }
    }

    /// `[a.b]` or `[[a.b]]`, whose opening brackets are consumed.
    fn header(&mut self, array: bool) -> Scanned<()> {
        let mut key = Key::new();
        loop {
            self.cursor.skip_blanks()?;
            match self.cursor.peek()? {
                None | Some(']') => {
                    return self
                        .cursor
                        .fail("unexpected end of table name (table names cannot be empty)");
                }
                Some('.') => {
                    return self
                        .cursor
                        .fail("unexpected table separator (table names cannot be empty)");
                }
                _ => key.push(self.cursor.key_part()?),
            }
            if key.len() == 1 {
                self.line = self.cursor.line;
            }
            self.cursor.skip_blanks()?;
            match self.cursor.next()? {
                Some('.') => {}
                Some(']') => break,
                found => {
                    return self
                        .cursor
                        .instead("expected '.' or ']' to end table name, but got", found);
                }
            }
        }
        if array && !self.cursor.accept(']')? {
            let found = self.cursor.next()?;
            return self.cursor.instead(
                "expected end of table array name delimiter ']', but got",
                found,
            );
        }
        self.add_context(&key, array)?;
        self.arrays.insert(show(&self.context), false);
        Ok(())
    }

    /// The parts of a key up to `=`, which is consumed.
    fn key(&mut self) -> Scanned<Key> {
        self.cursor.skip_blanks()?;
        match self.cursor.peek()? {
            None | Some('=') => return self.cursor.fail("unexpected '=': key name appears blank"),
            Some('.') => {
                return self
                    .cursor
                    .fail("unexpected '.': keys cannot start with a '.'");
            }
            _ => {}
        }
        let mut key = Key::new();
        loop {
            self.cursor.skip_blanks()?;
            key.push(self.cursor.key_part()?);
            if key.len() == 1 {
                self.line = self.cursor.line;
            }
            self.cursor.skip_blanks()?;
            match self.cursor.next()? {
                Some('.') => {}
                Some('=') => return Ok(key),
                None => {
                    return self
                        .cursor
                        .fail("unexpected EOF; expected key separator '='");
                }
                found => return self.cursor.instead("expected '.' or '=', but got", found),
            }
        }
    }

    /// `key = value` at the top or below a header.
    fn pair(&mut self) -> Scanned<()> {
        let outer = self.context.clone();
        let key = self.key()?;
        self.assign(key)?;
        self.context = outer;
        self.current = None;
        Ok(())
    }

    /// Reads the value of a key and sets it; returns it with the key's last part. The context stays
    /// that of the last part.
    fn assign(&mut self, mut key: Key) -> Scanned<(Str, Value)> {
        let last = key.pop().unwrap_or_else(|| Str::from(""));
        self.current = Some(last.clone());
        for part in key {
            let mut context = self.context.clone();
            context.push(part);
            self.implicit.insert(show(&context));
            self.add_context(&context, false)?;
        }
        let (value, is_array) = self.value(false)?;
        self.set(&last, value.clone())?;
        self.mark(&last, is_array);
        Ok((last, value))
    }

    fn mark(&mut self, key: &Str, is_array: bool) {
        let mut context = self.context.clone();
        if !key.is_empty() || context.is_empty() {
            context.push(key.clone());
        }
        self.arrays.insert(show(&context), is_array);
    }

    /// A value, and whether it is an array.
    fn value(&mut self, in_array: bool) -> Scanned<(Value, bool)> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.cursor.fail("values nest too deeply");
        }
        self.cursor.skip_blanks()?;
        let value = deep(|| match self.cursor.peek()? {
            Some('[') => Ok((self.array()?, true)),
            Some('{') => Ok((self.inline_table(in_array)?, false)),
            _ => Ok((self.cursor.scalar()?, false)),
        });
        self.depth -= 1;
        value
    }

    fn array(&mut self) -> Scanned<Value> {
        self.cursor.next()?;
        let current = self.current.clone().unwrap_or_else(|| Str::from(""));
        self.mark(&current, true);
        let mut items = Vec::new();
        loop {
            self.cursor.skip_lines()?;
            match self.cursor.peek()? {
                Some(',') => return self.cursor.fail("unexpected comma"),
                Some(']') => break,
                _ => items.push(self.value(true)?.0),
            }
            self.cursor.skip_lines()?;
            match self.cursor.next()? {
                Some(',') => {}
                Some(']') => return Ok(Value::list(items)),
                found => {
                    let found = shown(found);
                    return self.cursor.fail(format!(
                        "expected a comma (',') or array terminator (']'), but got {found}"
                    ));
                }
            }
        }
        self.cursor.next()?;
        Ok(Value::list(items))
    }

    fn inline_table(&mut self, in_array: bool) -> Scanned<Value> {
        self.cursor.next()?;
        let table = Map::new(MapKind::Any);
        let (outer, outer_key) = (self.context.clone(), self.current.take());
        let mut context = outer.clone();
        context.extend(outer_key.clone());
        self.implicit.insert(show(&context));
        self.add_context(&context, in_array)?;
        let inside = self.context.clone();
        loop {
            self.cursor.skip_lines()?;
            match self.cursor.peek()? {
                Some(',') => return self.cursor.fail("unexpected comma"),
                Some('}') => break,
                _ => {}
            }
            let key = self.key()?;
            let parents = key[..key.len() - 1].to_vec();
            let (last, value) = self.assign(key)?;
            let mut target = table.clone();
            for part in parents {
                target = match target.get(&part) {
                    Some(Value::Map(map)) => map,
                    Some(_) => {
                        return self.defined(format!("{} is not a table", quoted(show(&inside))));
                    }
                    None => {
                        let map = Map::new(MapKind::Any);
                        target.insert(part, Value::Map(map.clone()));
                        map
                    }
                };
            }
            target.insert(last, value);
            self.context.clone_from(&inside);
            self.cursor.skip_lines()?;
            match self.cursor.peek()? {
                Some(',') => {
                    self.cursor.next()?;
                }
                Some('}') => {}
                found => {
                    let found = shown(found);
                    return self.cursor.fail(format!(
                        "expected a comma or an inline table terminator '}}', but got {found} instead"
                    ));
                }
            }
        }
        self.cursor.next()?;
        self.context = outer;
        self.current = outer_key;
        Ok(Value::Map(table))
    }

    /// Makes a table (or one more table of a list) the context.
    fn add_context(&mut self, key: &Key, array: bool) -> Scanned<()> {
        let Some((last, parents)) = key.split_last() else {
            return Ok(());
        };
        let mut table = self.root.clone();
        for (at, part) in parents.iter().enumerate() {
            if !table.contains(part) {
                self.implicit.insert(show(&key[..=at]));
                table.insert(part.clone(), Value::empty_map());
            }
            table = match below(&table, part) {
                Some(table) => table,
                None => {
                    let key = show(&key[..=at]);
                    return self.defined(format!("Key '{key}' was already created as a hash."));
                }
            };
        }
        self.context = parents.to_vec();
        if array {
            let entry = Value::empty_map();
            match table.remove(last) {
                None => {
                    table.insert(last.clone(), Value::List(List::new(vec![entry], Elem::Map)));
                }
                Some(Value::List(mut list)) if list.elem() == Elem::Map => {
                    list.make_mut().push(entry);
                    table.insert(last.clone(), Value::List(list));
                }
                Some(_) => {
                    let key = show(key);
                    return self.defined(format!(
                        "Key '{key}' was already created and cannot be used as an array."
                    ));
                }
            }
        } else {
            self.set(last, Value::empty_map())?;
        }
        self.context.push(last.clone());
        Ok(())
    }

    /// Sets a key of the context; it may be there already only as an implicit table.
    fn set(&mut self, key: &Str, value: Value) -> Scanned<()> {
        let mut table = self.root.clone();
        for (at, part) in self.context.iter().enumerate() {
            let Some(next) = below(&table, part) else {
                let key = show(&self.context[..=at]);
                return self.defined(format!("Key '{key}' has already been defined."));
            };
            table = next;
        }
        let mut full = self.context.clone();
        full.push(key.clone());
        let name = show(&full);
        if table.contains(key) {
            let implicit = self.implicit.remove(&name);
            if !implicit {
                return self.defined(format!("Key '{name}' has already been defined."));
            }
            if self.arrays.get(&name) == Some(&true) {
                table.insert(key.clone(), value);
            }
            return Ok(());
        }
        table.insert(key.clone(), value);
        Ok(())
    }

    /// Fails at the line of the last key.
    fn defined<T>(&self, message: String) -> Scanned<T> {
        Err(Problem {
            line: self.line,
            message,
        })
    }
}

/// The table of a key, of a list of tables the last.
fn below(table: &Map, key: &Str) -> Option<Map> {
    match table.get(key) {
        Some(Value::Map(map)) => Some(map),
        Some(Value::List(list)) if list.elem() == Elem::Map => {
            list.items().last().and_then(Value::as_map).cloned()
        }
        _ => None,
    }
}

fn shown(found: Option<char>) -> String {
    found.map_or_else(|| "end of file".to_owned(), |c| format!("'{c}'"))
}

/// A key as it is written, its odd parts quoted.
fn show(key: &[Str]) -> String {
    let part = |part: &Str| {
        let bare = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !part.is_empty() && part.iter().all(bare) {
            part.to_text().into_owned()
        } else {
            quoted(part)
        }
    };
    key.iter().map(part).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::decode;
    use crate::json;
    use crate::value::Value;

    fn read(text: &str) -> String {
        match decode(text.as_bytes()) {
            Ok(map) => json::to_json(&Value::Map(map))
                .unwrap()
                .to_text()
                .into_owned(),
            Err(error) => error,
        }
    }

    #[test]
    fn reads_tables_keys_and_values() {
        insta::assert_snapshot!(
            read("a.b = 1 # c\n'x y' = 1_000\n[t]\ns = \"q\\u00e9\\n\"\nr = 'r\\'\nm = \"\"\"\nl1\n  l2 \\\n   l3\"\"\"\n[t.u]\nf = -1.5e3\nh = 0xFF\n[[l]]\nk = true\n[[l]]\nk = [1, [2, 'x'],\n 3,]\n[l.z]\ni = {p = 1, q.r = 2}\n"),
            @r#"{"a":{"b":1},"l":[{"k":true},{"k":[1,[2,"x"],3],"z":{"i":{"p":1,"q":{"r":2}}}}],"t":{"m":"l1\n  l2 l3","r":"r\\","s":"qé\n","u":{"f":-1500,"h":255}},"x y":1000}"#
        );
    }

    #[test]
    fn words_errors_as_go_does() {
        for (text, message) in [
            (
                "bad",
                "toml: line 1: unexpected EOF; expected key separator '='",
            ),
            (
                "a = 1\na = 2",
                "toml: line 2 (last key \"a\"): Key 'a' has already been defined.",
            ),
            (
                "a = \n",
                "toml: line 1 (last key \"a\"): expected value but found '\\n' instead",
            ),
            (
                "a = foo",
                "toml: line 1 (last key \"a\"): expected value but found \"foo\" instead",
            ),
            (
                "a = \"x",
                "toml: line 1 (last key \"a\"): unexpected EOF; expected '\"'",
            ),
            (
                "a = 08",
                "toml: line 1 (last key \"a\"): Invalid integer \"08\": cannot have leading zeroes",
            ),
            (
                "a = 1 b",
                "toml: line 1: expected a top-level item to end with a newline, comment, or EOF, but got 'b' instead",
            ),
            (
                "[a]\n[a]",
                "toml: line 2: Key 'a' has already been defined.",
            ),
            (
                "a = [1 2]",
                "toml: line 1 (last key \"a\"): expected a comma (',') or array terminator (']'), but got '2'",
            ),
            (
                "[",
                "toml: line 1: unexpected end of table name (table names cannot be empty)",
            ),
            (
                "a = 99999999999999999999",
                "toml: line 1 (last key \"a\"): 99999999999999999999 is out of range for int64",
            ),
        ] {
            assert_eq!(read(text), message, "{text}");
        }
    }

    #[test]
    fn ends_on_deep_nesting() {
        assert!(read(&format!("a = {}", "[".repeat(100_000))).contains("too deeply"));
    }
}
