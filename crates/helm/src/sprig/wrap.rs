//! Breaking long lines: `wrap` and `wrapWith`.
//!
//! Follows goutils 1.1.1 `wordutils.go`; widths are bytes.

use super::args::{Answer, TEXT_LIMIT, bytes, function, int, text};
use super::strings::find;
use crate::template::{Function, Param};

/// The functions of this file.
pub(super) const TABLE: &[Function] = &[
    function("wrap", &[Param::Int, Param::Str], |_, a| {
        wrap(text(a, 1), int(a, 0), b"\n", false)
    }),
    function("wrapWith", &[Param::Int, Param::Str, Param::Str], |_, a| {
        let separator = text(a, 1);
        let separator = if separator.is_empty() {
            b"\n"
        } else {
            separator
        };
        wrap(text(a, 2), int(a, 0), separator, true)
    }),
];

fn wrap(text: &[u8], width: i64, separator: &[u8], break_words: bool) -> Answer {
    let width = usize::try_from(width).unwrap_or(0).max(1);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while rest.len() > width {
        if out.len() > TEXT_LIMIT {
            return Err("strings: Repeat output length overflow".into());
        }
        if rest[0] == b' ' {
            rest = &rest[1..];
            continue;
        }
        let last_space = rest[..=width].iter().rposition(|byte| *byte == b' ');
        let (line, next) = match last_space {
            Some(at) => (at, at + 1),
            None if break_words => (width, width),
            None => match find(&rest[width..], b" ") {
                Some(at) => (at + width, at + width + 1),
                None => break,
            },
        };
        out.extend_from_slice(&rest[..line]);
        out.extend_from_slice(separator);
        rest = &rest[next..];
    }
    out.extend_from_slice(rest);
    bytes(out)
}

#[cfg(test)]
mod tests {
    use super::super::testing::call;
    use crate::value::Value;

    #[test]
    fn breaks_at_spaces_and_inside_long_words() {
        let text = "  lead and trail  ";
        assert_eq!(
            call("wrap", &[Value::int(6), text.into()]),
            "lead\nand\ntrail \n"
        );
        assert_eq!(
            call("wrapWith", &[Value::int(5), "|".into(), text.into()]),
            "lead|and|trail| "
        );
        assert_eq!(
            call(
                "wrapWith",
                &[Value::int(5), "|".into(), "mixed_Case-STRING here".into()]
            ),
            "mixed|_Case|-STRI|NG|here"
        );
        assert_eq!(call("wrap", &[Value::int(0), "a b".into()]), "a\nb");
    }
}
