//! What the lexer asks of texts and characters.

use crate::value::is_print;
use crate::value::rune::append_rune;
use memchr::{memchr, memchr_iter};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Where the needle, which is not empty, first stands.
pub(super) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    let (&first, tail) = needle.split_first()?;
    let mut from = 0;
    while let Some(at) = memchr(first, &text[from..]) {
        from += at + 1;
        if text[from..].starts_with(tail) {
            return Some(from - 1);
        }
    }
    None
}

/// The number of line breaks.
pub(super) fn count_lines(text: &[u8]) -> usize {
    memchr_iter(b'\n', text).count()
}

/// What trim markers take away: space, tab, line breaks.
pub(super) fn is_space_byte(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// What separates within an action: space, tab, line breaks.
pub(super) fn is_space(rune: u32) -> bool {
    u8::try_from(rune).is_ok_and(is_space_byte)
}

/// Whether a character is among those of a text.
pub(super) fn is_one_of(rune: u32, bytes: &[u8]) -> bool {
    u8::try_from(rune).is_ok_and(|byte| bytes.contains(&byte))
}

/// A letter, a decimal digit or an underscore, by Unicode's categories.
pub(super) fn is_alphanumeric(rune: u32) -> bool {
    if let Ok(byte @ 0..0x80) = u8::try_from(rune) {
        return byte == b'_' || byte.is_ascii_alphanumeric();
    }
    char::from_u32(rune).is_some_and(|rune| {
        use GeneralCategory as C;
        let letters = [C::UppercaseLetter, C::LowercaseLetter, C::TitlecaseLetter];
        let category = rune.general_category();
        letters.contains(&category)
            || matches!(
                category,
                C::ModifierLetter | C::OtherLetter | C::DecimalNumber
            )
    })
}

/// `- ` after `{{`.
pub(super) fn has_left_trim_marker(text: &[u8]) -> bool {
    matches!(text, [b'-', space, ..] if is_space_byte(*space))
}

/// ` -` before `}}`.
pub(super) fn has_right_trim_marker(text: &[u8]) -> bool {
    matches!(text, [space, b'-', ..] if is_space_byte(*space))
}

/// How many blanks a text begins with.
pub(super) fn left_trim_length(text: &[u8]) -> usize {
    text.iter().take_while(|&&byte| is_space_byte(byte)).count()
}

/// Go's `%#U`: the code point and, if it can be printed, the rune. The end of the text is -1.
pub(super) fn unicode_name(rune: Option<u32>) -> String {
    let Some(rune) = rune else {
        return "U+FFFFFFFFFFFFFFFF".to_owned();
    };
    if !is_print(rune) {
        return format!("U+{rune:04X}");
    }
    let mut text = Vec::new();
    append_rune(&mut text, rune);
    format!("U+{rune:04X} '{}'", String::from_utf8_lossy(&text))
}
