//! Values by their kind: lists, maps, structs and what they hold.
//!
//! Follows Go 1.26 `fmt/print.go`, `printArg` and `printValue`.

use super::Printer;
use crate::limits::{MAX_DEPTH, deep};
use crate::value::{Elem, Kind, List, Map, MapKind, Object, Value};

/// Stands for every address.
const ADDRESS: u64 = 0xc0_0000_0000;

impl Printer<'_> {
    /// `%!d(string=hi)`: a verb that does not suit the value.
    pub(super) fn bad_verb(&mut self, verb: char, value: &Value) {
        self.in_error = true;
        self.bytes(format!("%!{verb}(").as_bytes());
        if value.is_nil() {
            self.bytes(b"<nil>");
        } else {
            self.bytes(value.type_name().as_bytes());
            self.out.push(b'=');
            self.arg(value, 'v');
        }
        self.out.push(b')');
        self.in_error = false;
    }

    /// An operand of a print function.
    pub(super) fn arg(&mut self, value: &Value, verb: char) {
        match (value, verb) {
            (Value::Nil, 'T' | 'v') => self.pad(b"<nil>"),
            (Value::Nil, _) => self.bad_verb(verb, value),
            (Value::List(_) | Value::Map(_) | Value::Object(_), 'w') => self.bad_verb(verb, value),
            (_, 'T') => self.string(value.type_name().as_bytes(), 's', value),
            (_, 'p') => self.pointer(value),
            (Value::Bytes(bytes), _) => self.byte_slice(bytes, verb, "[]byte"),
            _ => self.value(value, verb, 0),
        }
    }

    /// `%p`: the address of what is behind a value. Those of Go differ from run to run.
    fn pointer(&mut self, value: &Value) {
        let address = match value {
            Value::List(list) if list.is_nil() => 0,
            Value::Map(map) if map.is_nil() => 0,
            Value::List(_) | Value::Map(_) | Value::Bytes(_) => ADDRESS,
            Value::Object(object)
                if matches!(object.kind(), Kind::Ptr | Kind::Map | Kind::Slice) =>
            {
                ADDRESS
            }
            _ => return self.bad_verb('p', value),
        };
        self.hex(address, !self.flags.sharp);
    }

    /// A value at a depth; only at depth 0 a pointer shows what it points to.
    fn value(&mut self, value: &Value, verb: char, depth: usize) {
        if depth > MAX_DEPTH || self.out.len() > self.limit {
            self.failed = true;
            return;
        }
        match value {
            Value::Nil if self.flags.sharp_v => self.bytes(b"interface {}(nil)"),
            Value::Nil => self.bytes(b"<nil>"),
            Value::Bool(flag) => self.boolean(*flag, verb),
            Value::Int(number, _) => {
                self.integer(*number < 0, number.unsigned_abs(), verb, value);
            }
            Value::Uint(number, _) => self.integer(false, *number, verb, value),
            Value::Float(number) => self.float(*number, verb, value),
            Value::Complex(real, imaginary) => self.complex(*real, *imaginary, verb),
            Value::Str(text) => self.string(text, verb, value),
            Value::Bytes(bytes) => self.byte_slice(bytes, verb, "[]uint8"),
            Value::List(list) => self.nested(|printer| printer.list(list, verb, depth)),
            Value::Map(map) => self.nested(|printer| printer.map(map, verb, depth)),
            Value::Object(object) => {
                self.nested(|printer| printer.object(&**object, value, verb, depth));
            }
        }
    }

    fn nested(&mut self, part: impl FnOnce(&mut Self)) {
        deep(|| part(self));
    }

    fn list(&mut self, list: &List, verb: char, depth: usize) {
        let sharp_v = self.flags.sharp_v;
        if sharp_v {
            self.bytes(list.elem().slice_type().as_bytes());
            if list.is_nil() {
                return self.bytes(b"(nil)");
            }
        }
        self.out.push(if sharp_v { b'{' } else { b'[' });
        // An empty interface costs a level of its own.
        let depth = depth + if list.elem() == Elem::Any { 2 } else { 1 };
        for (i, item) in list.items().iter().enumerate() {
            self.separator(i);
            self.value(item, verb, depth);
            if self.failed {
                return;
            }
        }
        self.out.push(if sharp_v { b'}' } else { b']' });
    }

    fn separator(&mut self, index: usize) {
        match (index, self.flags.sharp_v) {
            (0, _) => {}
            (_, true) => self.bytes(b", "),
            (_, false) => self.out.push(b' '),
        }
    }

    fn map(&mut self, map: &Map, verb: char, depth: usize) {
        let sharp_v = self.flags.sharp_v;
        if sharp_v {
            self.bytes(map.kind().type_name().as_bytes());
            if map.is_nil() {
                return self.bytes(b"(nil)");
            }
            self.out.push(b'{');
        } else {
            self.bytes(b"map[");
        }
        let any = !matches!(map.kind(), MapKind::Str | MapKind::Files);
        for (i, (key, item)) in map.entries().into_iter().enumerate() {
            self.separator(i);
            self.string(&key, verb, &Value::Str(key.clone()));
            self.out.push(b':');
            self.value(&item, verb, depth + if any { 2 } else { 1 });
            if self.failed {
                return;
            }
        }
        self.out.push(if sharp_v { b'}' } else { b']' });
    }

    fn object(&mut self, object: &dyn Object, value: &Value, verb: char, depth: usize) {
        let stringable = matches!(verb, 'v' | 's' | 'x' | 'X' | 'q');
        if !self.in_error
            && !self.flags.sharp_v
            && stringable
            && let Some(text) = object.to_str()
        {
            return self.string(&text, verb, &Value::Str(text.clone()));
        }
        if let Some(plain) = object.underlying() {
            if self.flags.sharp_v && matches!(plain, Value::List(_) | Value::Map(_)) {
                return self.named_plain(object, &plain, verb, depth);
            }
            match plain {
                Value::Bytes(_) | Value::List(_) | Value::Map(_) | Value::Object(_) => {
                    self.value(&plain, verb, depth);
                }
                _ => self.named_scalar(&plain, value, verb),
            }
            return;
        }
        if object.kind() == Kind::Ptr {
            if depth > 0 {
                return match verb {
                    // Go prints an address here, which no second run would repeat.
                    'v' | 'p' => self.bytes(b"0xc000000000"),
                    'b' | 'o' | 'd' | 'x' | 'X' => self.integer(false, ADDRESS, verb, value),
                    _ => self.bad_verb(verb, value),
                };
            }
            self.out.push(b'&');
        }
        self.fields(object, verb, depth);
    }

    /// A number or text of a named type: a bad verb shows the name of that type.
    fn named_scalar(&mut self, plain: &Value, value: &Value, verb: char) {
        match plain {
            Value::Int(number, _) => {
                self.integer(*number < 0, number.unsigned_abs(), verb, value);
            }
            Value::Uint(number, _) => self.integer(false, *number, verb, value),
            Value::Float(number) => self.float(*number, verb, value),
            Value::Str(text) => self.string(text, verb, value),
            _ => self.value(plain, verb, 0),
        }
    }

    fn named_plain(&mut self, object: &dyn Object, plain: &Value, verb: char, depth: usize) {
        let start = self.out.len();
        self.value(plain, verb, depth);
        let plain_name = plain.type_name();
        if self.out[start..].starts_with(plain_name.as_bytes()) {
            let name = object.type_name();
            self.out
                .splice(start..start + plain_name.len(), name.bytes());
        }
    }

    /// The fields of a struct in braces.
    pub(super) fn fields(&mut self, object: &dyn Object, verb: char, depth: usize) {
        let (sharp_v, plus_v) = (self.flags.sharp_v, self.flags.plus_v);
        if sharp_v {
            self.bytes(object.type_name().trim_start_matches('*').as_bytes());
        }
        self.out.push(b'{');
        for (i, (name, field)) in object.fields().into_iter().enumerate() {
            self.separator(i);
            if sharp_v || plus_v {
                self.bytes(name.as_bytes());
                self.out.push(b':');
            }
            self.value(&field, verb, depth + 1);
        }
        self.out.push(b'}');
    }
}
