//! Go's `fmt` over the engine's values: `print`, `println` and `printf`.
//!
//! `value` prints values by their kind, `basic` pads and writes what has no parts, `directive` reads
//! format strings. Follows Go 1.26 `fmt/print.go`.

mod basic;
mod directive;
mod value;

use crate::limits::MAX_TEXT;
use crate::value::{Kind, Str, Value};
use basic::Flags;

/// A value has no finite or no sensible text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unprintable;

impl From<Unprintable> for super::Fault {
    fn from(_: Unprintable) -> Self {
        Self::new("value is nested too deeply or too large to print")
    }
}

/// Writes values into a buffer; holds the flags of the directive at work.
pub(super) struct Printer<'a> {
    out: &'a mut Vec<u8>,
    /// The length of `out` at which printing stops.
    limit: usize,
    flags: Flags,
    /// Whether the directive names its argument, as in `%[1]d`.
    reordered: bool,
    good_arg: bool,
    /// Set while an error is written, so that no method is called for its value.
    in_error: bool,
    failed: bool,
}

impl<'a> Printer<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        let limit = out.len() + MAX_TEXT;
        Self {
            out,
            limit,
            flags: Flags::default(),
            reordered: false,
            good_arg: true,
            in_error: false,
            failed: false,
        }
    }

    fn finish(self) -> Result<(), Unprintable> {
        if self.failed {
            Err(Unprintable)
        } else {
            Ok(())
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }
}

/// Appends a value as `%v` prints it.
///
/// # Errors
/// [`Unprintable`] when the value contains itself or its text exceeds a limit.
pub(crate) fn append(out: &mut Vec<u8>, value: &Value) -> Result<(), Unprintable> {
    if let Value::Str(text) = value {
        out.extend_from_slice(text);
        return Ok(());
    }
    let mut printer = Printer::new(out);
    printer.arg(value, 'v');
    printer.finish()
}

/// Appends a value as an action prints it: a pointer as what it points to, and an addressable
/// struct through the methods of its pointer.
pub(super) fn append_action(
    out: &mut Vec<u8>,
    value: &Value,
    is_addressable: bool,
) -> Result<(), Unprintable> {
    let Value::Object(object) = value else {
        return append(out, value);
    };
    if let (true, Some(text)) = (is_addressable, object.pointer_to_str()) {
        out.extend_from_slice(&text);
        return Ok(());
    }
    if object.kind() != Kind::Ptr || object.to_str().is_some() || object.underlying().is_some() {
        return append(out, value);
    }
    let mut printer = Printer::new(out);
    printer.fields(&**object, 'v', 0);
    printer.finish()
}

/// A value as `%v` prints it.
///
/// # Errors
/// As [`append`].
pub(crate) fn text(value: &Value) -> Result<Str, Unprintable> {
    if let Value::Str(text) = value {
        return Ok(text.clone());
    }
    let mut out = Vec::new();
    append(&mut out, value)?;
    Ok(out.into())
}

/// `fmt.Sprint`: a space between two operands when neither is a string.
///
/// # Errors
/// As [`append`].
pub(crate) fn sprint<'v>(args: impl IntoIterator<Item = &'v Value>) -> Result<Str, Unprintable> {
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out);
    let mut after_string = true;
    for arg in args {
        let is_string = matches!(arg, Value::Str(_));
        if !is_string && !after_string {
            printer.bytes(b" ");
        }
        printer.arg(arg, 'v');
        after_string = is_string;
    }
    printer.finish()?;
    Ok(out.into())
}

/// `fmt.Sprintln`: a space between all operands and a newline at the end.
///
/// # Errors
/// As [`append`].
pub(crate) fn sprintln<'v>(args: impl IntoIterator<Item = &'v Value>) -> Result<Str, Unprintable> {
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out);
    for (i, arg) in args.into_iter().enumerate() {
        printer.bytes(if i > 0 { b" " } else { b"" });
        printer.arg(arg, 'v');
    }
    printer.bytes(b"\n");
    printer.finish()?;
    Ok(out.into())
}

/// `fmt.Sprintf`.
///
/// # Errors
/// As [`append`].
pub(crate) fn sprintf(format: &[u8], args: &[Value]) -> Result<Str, Unprintable> {
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out);
    printer.printf(format, args);
    printer.finish()?;
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::{sprint, sprintf, sprintln, text};
    use crate::value::{Elem, List, Map, MapKind, Value};

    fn printf(format: &str, args: &[Value]) -> String {
        sprintf(format.as_bytes(), args)
            .unwrap()
            .to_text()
            .into_owned()
    }

    #[test]
    fn formats_numbers_with_flags_width_and_precision() {
        assert_eq!(
            printf("%5d|%-5d|%05d|%+d|% d", &vec![Value::int(42); 5]),
            "   42|42   |00042|+42| 42"
        );
        assert_eq!(
            printf("%x|%#X|%o|%#o|%O|%b", &vec![Value::int(200); 6]),
            "c8|0XC8|310|0310|0o310|11001000"
        );
        assert_eq!(
            printf("%.2f|%8.3f|%e|%g|%v", &vec![Value::Float(1_234_567.0); 5]),
            "1234567.00|1234567.000|1.234567e+06|1.234567e+06|1.234567e+06"
        );
        assert_eq!(
            printf("%c|%q|%U|%#U", &vec![Value::int(0x2603); 4]),
            "☃|'☃'|U+2603|U+2603 '☃'"
        );
    }

    #[test]
    fn formats_strings_and_bytes() {
        assert_eq!(
            printf("%5s|%-5s|%.2s|%q|%x|% X", &vec!["hé☃".into(); 6]),
            "  hé☃|hé☃  |hé|\"hé☃\"|68c3a9e29883|68 C3 A9 E2 98 83"
        );
        assert_eq!(
            printf("%v|%s|%x", &vec![Value::Bytes("ab".into()); 3]),
            "[97 98]|ab|6162"
        );
    }

    #[test]
    fn names_what_does_not_fit() {
        assert_eq!(
            printf("%d %s", &["hi".into(), Value::Nil]),
            "%!d(string=hi) %!s(<nil>)"
        );
        assert_eq!(printf("%d %d", &[Value::int(1)]), "1 %!d(MISSING)");
        assert_eq!(
            printf("%d", &[Value::int(1), 2.5.into()]),
            "1%!(EXTRA float64=2.5)"
        );
        assert_eq!(printf("%z %", &[Value::int(1)]), "%!z(int=1) %!(NOVERB)");
        assert_eq!(
            printf("%[3]d %[x]d", &[Value::int(1)]),
            "%!d(BADINDEX) %!d(BADINDEX)"
        );
        assert_eq!(printf("%*d", &["x".into(), Value::int(1)]), "%!(BADWIDTH)1");
        assert_eq!(
            printf("%*d", &[Value::int(1_000_001), Value::int(1)]),
            "%!(BADWIDTH)1"
        );
        assert_eq!(
            printf("%.*d", &[Value::int(1_000_001), Value::int(1)]),
            "%!(BADPREC)1"
        );
        assert_eq!(
            printf("%p %p", &[Value::int(1), Value::Nil]),
            "%!p(int=1) %!p(<nil>)"
        );
        let map = Value::Map(Map::new(MapKind::Any));
        assert_eq!(
            printf("%p %#p", &[map.clone(), map]),
            "0xc000000000 c000000000"
        );
        let nil = Value::Map(Map::nil(MapKind::Any));
        assert_eq!(printf("%p", &[nil]), "0x0");
    }

    #[test]
    fn prints_composite_values() {
        let map = Map::new(MapKind::Any);
        map.insert("b", Value::list(vec!["x".into(), Value::Nil]));
        map.insert("a", Value::Map(Map::nil(MapKind::Any)));
        let map = Value::Map(map);
        assert_eq!(text(&map).unwrap().to_text(), "map[a:map[] b:[x <nil>]]");
        assert_eq!(
            printf("%#v", std::slice::from_ref(&map)),
            "map[string]interface {}{\"a\":map[string]interface {}(nil), \
             \"b\":[]interface {}{\"x\", interface {}(nil)}}"
        );
        assert_eq!(
            printf("%T %T", &[map, List::nil(Elem::Str).into()]),
            "map[string]interface {} []string"
        );
    }

    #[test]
    fn spaces_operands_as_print_and_println_do() {
        let args = [
            "a".into(),
            Value::int(1),
            Value::int(2),
            "b".into(),
            Value::Nil,
        ];
        assert_eq!(sprint(&args).unwrap().to_text(), "a1 2b<nil>");
        assert_eq!(sprintln(&args).unwrap().to_text(), "a 1 2 b <nil>\n");
    }
}
