//! Go's `fmt` over the engine's values: `print`, `println` and `printf`.
//!
//! [`value`] prints values by their kind, [`basic`] pads and writes what has no parts, [`directive`]
//! reads format strings. Follows Go 1.26 `fmt/print.go`.

mod basic;
mod directive;
mod value;

use crate::value::{Kind, Object, Str, Value};
use basic::Flags;

/// The longest text that one call writes, in bytes. Shared parts make a value print far longer than
/// it is.
const MAX_PRINTED: usize = 256 << 20;

/// How deep printing follows nested values; a map can contain itself.
const MAX_PRINT_DEPTH: usize = 10_000;

/// A value has no finite or no sensible text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unprintable;

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
        let limit = out.len() + MAX_PRINTED;
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
pub fn append(out: &mut Vec<u8>, value: &Value) -> Result<(), Unprintable> {
    if let Value::Str(text) = value {
        out.extend_from_slice(text);
        return Ok(());
    }
    let mut printer = Printer::new(out);
    printer.arg(value, 'v');
    printer.finish()
}

/// Appends an object as an action prints it: through its pointer's methods, and a pointer as what
/// it points to.
pub(super) fn append_action(
    out: &mut Vec<u8>,
    object: &dyn Object,
    value: &Value,
) -> Result<(), Unprintable> {
    if let Some(text) = object.pointer_to_str() {
        out.extend_from_slice(&text);
        return Ok(());
    }
    if object.kind() != Kind::Ptr || object.to_str().is_some() || object.underlying().is_some() {
        return append(out, value);
    }
    let mut printer = Printer::new(out);
    printer.fields(object, 'v', 0);
    printer.finish()
}

/// A value as `%v` prints it.
///
/// # Errors
/// As [`append`].
pub fn text(value: &Value) -> Result<Str, Unprintable> {
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
pub fn sprint<'v>(args: impl IntoIterator<Item = &'v Value>) -> Result<Str, Unprintable> {
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
pub fn sprintln<'v>(args: impl IntoIterator<Item = &'v Value>) -> Result<Str, Unprintable> {
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
pub fn sprintf(format: &[u8], args: &[Value]) -> Result<Str, Unprintable> {
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out);
    printer.printf(format, args);
    printer.finish()?;
    Ok(out.into())
}
