//! Upper, lower and title case, and the spellings of compound words (snake, kebab, camel).
//!
//! Follows Go 1.26 `strings`, goutils 1.1.1 `wordutils.go` and xstrings 1.5.0 `convert.go`. Go maps
//! one rune to one rune, so `ß` has no upper case; runes newer than Unicode 15 keep Rust's mapping.

use super::args::{Answer, bytes, function, text};
use crate::template::{Function, Param, Runtime};
use crate::value::Value;
use crate::value::rune::{RUNE_ERROR, append_rune, decode_rune, runes};
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

const STRING: &[Param] = &[Param::Str];

/// The functions of this file.
pub(super) const TABLE: &[Function] = &[
    function("lower", STRING, |_: &mut dyn Runtime, args: &[Value]| {
        map_runes(text(args, 0), lower)
    }),
    function("upper", STRING, |_, args| map_runes(text(args, 0), upper)),
    function("title", STRING, |_, args| title_words(text(args, 0))),
    function("untitle", STRING, |_, args| untitle(text(args, 0))),
    function("swapcase", STRING, |_, args| swap_case(text(args, 0))),
    function("snakecase", STRING, |_, args| {
        bytes(separated(text(args, 0), b'_'))
    }),
    function("kebabcase", STRING, |_, args| {
        bytes(separated(text(args, 0), b'-'))
    }),
    function("camelcase", STRING, |_, args| {
        bytes(pascal_case(text(args, 0)))
    }),
];

fn map_runes(text: &[u8], change: impl FnMut(u32) -> u32) -> Answer {
    let mut change = change;
    let mut out = Vec::with_capacity(text.len());
    for (_, rune, _) in runes(text) {
        append_rune(&mut out, change(rune));
    }
    bytes(out)
}

/// `unicode.ToLower`.
pub(super) fn lower(rune: u32) -> u32 {
    // The full mapping of the dotted capital I has two runes; the simple one is a plain i.
    if rune == 0x130 {
        return u32::from('i');
    }
    single(rune, char::to_lowercase)
}

/// `unicode.ToUpper`.
pub(super) fn upper(rune: u32) -> u32 {
    match rune {
        // Greek letters with iota subscript: the full mapping writes the iota out.
        0x1f80..=0x1f87 | 0x1f90..=0x1f97 | 0x1fa0..=0x1fa7 => rune + 8,
        0x1fb3 | 0x1fc3 | 0x1ff3 => rune + 9,
        _ => single(rune, char::to_uppercase),
    }
}

/// `unicode.ToTitle`.
fn title(rune: u32) -> u32 {
    match rune {
        0x1c4..=0x1c6 => 0x1c5,
        0x1c7..=0x1c9 => 0x1c8,
        0x1ca..=0x1cc => 0x1cb,
        0x1f1..=0x1f3 => 0x1f2,
        // Georgian has capitals, but no title case.
        0x10d0..=0x10ff => rune,
        _ => upper(rune),
    }
}

/// The mapping of a rune if that is one rune too.
fn single<I: Iterator<Item = char>>(rune: u32, mapping: fn(char) -> I) -> u32 {
    let Some(character) = char::from_u32(rune) else {
        return rune;
    };
    let mut mapped = mapping(character);
    match (mapped.next(), mapped.next()) {
        (Some(only), None) => u32::from(only),
        _ => rune,
    }
}

fn category(rune: u32) -> GeneralCategory {
    char::from_u32(rune).map_or(
        GeneralCategory::Unassigned,
        UnicodeGeneralCategory::general_category,
    )
}

fn group(rune: u32) -> GeneralCategoryGroup {
    char::from_u32(rune).map_or(
        GeneralCategoryGroup::Other,
        UnicodeGeneralCategory::general_category_group,
    )
}

/// `unicode.IsSpace`.
pub(super) fn is_space(rune: u32) -> bool {
    char::from_u32(rune).is_some_and(char::is_whitespace)
}

/// `unicode.IsUpper`.
fn is_upper(rune: u32) -> bool {
    category(rune) == GeneralCategory::UppercaseLetter
}

/// `unicode.IsLetter`.
fn is_letter(rune: u32) -> bool {
    group(rune) == GeneralCategoryGroup::Letter
}

/// `strings.Title`, whose words begin after anything that is no letter, digit or underscore.
fn title_words(text: &[u8]) -> Answer {
    let mut previous = u32::from(' ');
    map_runes(text, |rune| {
        let starts = is_separator(previous);
        previous = rune;
        if starts { title(rune) } else { rune }
    })
}

fn is_separator(rune: u32) -> bool {
    match u8::try_from(rune) {
        Ok(byte) if byte.is_ascii() => !byte.is_ascii_alphanumeric() && byte != b'_',
        _ if is_letter(rune) || category(rune) == GeneralCategory::DecimalNumber => false,
        _ => is_space(rune),
    }
}

/// goutils `Uncapitalize`: the first rune after whitespace in lower case.
fn untitle(text: &[u8]) -> Answer {
    let mut starts = true;
    map_runes(text, |rune| {
        if is_space(rune) {
            starts = true;
            return rune;
        }
        if std::mem::take(&mut starts) {
            lower(rune)
        } else {
            rune
        }
    })
}

/// goutils `SwapCase`: what was small at the start of a word gets title case.
fn swap_case(text: &[u8]) -> Answer {
    let mut starts = true;
    map_runes(text, |rune| match category(rune) {
        GeneralCategory::UppercaseLetter | GeneralCategory::TitlecaseLetter => {
            starts = false;
            lower(rune)
        }
        GeneralCategory::LowercaseLetter => {
            if std::mem::take(&mut starts) {
                title(rune)
            } else {
                upper(rune)
            }
        }
        _ => {
            starts = is_space(rune);
            rune
        }
    })
}

fn is_connector(rune: u32) -> bool {
    rune == u32::from('-') || rune == u32::from('_') || is_space(rune)
}

/// xstrings `ToPascalCase`; connectors in front stay.
fn pascal_case(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = runes(text).map(|(_, rune, _)| rune).peekable();
    let mut current = 0;
    let mut after_upper = false;
    while let Some(rune) = rest.next() {
        current = rune;
        if !is_connector(rune) {
            after_upper = is_upper(rune);
            current = upper(rune);
            break;
        }
        if rest.peek().is_none() {
            // The last connector is written here and once more below, as the original does.
            append_rune(&mut out, rune);
            append_rune(&mut out, rune);
            return out;
        }
        append_rune(&mut out, rune);
    }
    if current == 0 && text.is_empty() {
        return out;
    }
    for next in rest {
        let previous = std::mem::replace(&mut current, next);
        if is_connector(next) && is_connector(previous) {
            append_rune(&mut out, previous);
        } else if is_connector(previous) {
            after_upper = is_upper(next);
            current = upper(next);
        } else {
            if after_upper {
                if is_upper(next) {
                    current = lower(next);
                } else {
                    after_upper = false;
                }
            }
            append_rune(&mut out, previous);
        }
    }
    append_rune(&mut out, current);
    out
}

/// What a stretch of text is made of, for [`separated`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Invalid,
    Number,
    Upper,
    Alphabet,
    Connector,
    Punctuation,
    Other,
}

/// xstrings `ToSnakeCase` and `ToKebabCase`: words in lower case with a connector between them.
fn separated(text: &[u8], connector: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 4);
    let (mut kind, mut word, mut rest) = next_word(text);
    while !rest.is_empty() {
        if kind != Word::Connector {
            write_lower(&mut out, kind, word, connector);
        }
        let (previous, last) = (kind, word);
        (kind, word, rest) = next_word(rest);
        match previous {
            Word::Number => {
                (kind, word, rest) = write_letters(&mut out, kind, word, rest, connector);
            }
            Word::Connector => write_lower(&mut out, previous, last, connector),
            Word::Punctuation => {}
            _ if kind != Word::Number => {
                if kind != Word::Connector && kind != Word::Punctuation {
                    out.push(connector);
                }
            }
            _ if rest.is_empty() => {}
            _ => {
                let number = word;
                (kind, word, rest) = next_word(rest);
                if kind == Word::Alphabet {
                    // Small letters after a number: the number begins the word.
                    out.push(connector);
                    write_lower(&mut out, Word::Number, number, connector);
                    (kind, word, rest) = write_letters(&mut out, kind, word, rest, connector);
                } else {
                    write_lower(&mut out, Word::Number, number, connector);
                    if kind != Word::Connector && kind != Word::Punctuation {
                        out.push(connector);
                    }
                }
            }
        }
    }
    write_lower(&mut out, kind, word, connector);
    out
}

/// Writes the letters and numbers that belong to a number, then the connector before what follows.
fn write_letters<'a>(
    out: &mut Vec<u8>,
    kind: Word,
    word: &'a [u8],
    rest: &'a [u8],
    connector: u8,
) -> (Word, &'a [u8], &'a [u8]) {
    let (mut kind, mut word, mut rest) = (kind, word, rest);
    while matches!(kind, Word::Alphabet | Word::Number) {
        write_lower(out, kind, word, connector);
        (kind, word, rest) = next_word(rest);
    }
    if !matches!(kind, Word::Invalid | Word::Punctuation | Word::Connector) {
        out.push(connector);
    }
    (kind, word, rest)
}

fn write_lower(out: &mut Vec<u8>, kind: Word, word: &[u8], connector: u8) {
    if kind != Word::Upper && kind != Word::Connector {
        out.extend_from_slice(word);
        return;
    }
    for (_, rune, _) in runes(word) {
        if is_connector(rune) {
            out.push(connector);
        } else if is_upper(rune) {
            append_rune(out, lower(rune));
        } else {
            append_rune(out, rune);
        }
    }
}

/// The next valid rune and the bytes up to its end; the previous rune when there is none.
fn next_valid(text: &[u8], previous: u32) -> (u32, usize) {
    let mut size = 0;
    while size < text.len() {
        let (rune, width) = decode_rune(&text[size..]);
        size += width;
        if rune != RUNE_ERROR {
            return (rune, size);
        }
    }
    (previous, size)
}

/// How far runes for which `belongs` holds go on from `from`.
fn extend(text: &[u8], from: usize, first: u32, belongs: impl Fn(u32, usize) -> bool) -> usize {
    let mut at = from;
    let mut rune = first;
    while at < text.len() {
        let size;
        (rune, size) = next_valid(&text[at..], rune);
        if !belongs(rune, size) {
            break;
        }
        at += size;
    }
    at
}

/// The first word of a text, its kind, and what comes after it.
fn next_word(text: &[u8]) -> (Word, &[u8], &[u8]) {
    if text.is_empty() {
        return (Word::Invalid, text, text);
    }
    let (rune, size) = next_valid(text, RUNE_ERROR);
    let small = |rune: u32, _| is_alphabet(rune) && !is_upper(rune);
    let (kind, end) = if rune == RUNE_ERROR {
        (Word::Invalid, size)
    } else if is_connector(rune) {
        (
            Word::Connector,
            extend(text, size, rune, |r, _| is_connector(r)),
        )
    } else if is_punctuation(rune) {
        (
            Word::Punctuation,
            extend(text, size, rune, |r, _| is_punctuation(r)),
        )
    } else if is_upper(rune) {
        (Word::Upper, upper_word(text, size, rune))
    } else if is_alphabet(rune) {
        (Word::Alphabet, extend(text, size, rune, small))
    } else if is_number(rune) {
        (Word::Number, extend(text, size, rune, |r, _| is_number(r)))
    } else {
        let other = |r: u32, size: usize| {
            size != 0 && !(is_connector(r) || is_alphabet(r) || is_number(r) || is_punctuation(r))
        };
        (Word::Other, extend(text, size, rune, other))
    };
    (kind, &text[..end], &text[end..])
}

/// The end of a word that begins with a capital: `Http` of `HttpServer`, `HTTP` of `HTTPServer`.
fn upper_word(text: &[u8], start: usize, first: u32) -> usize {
    if start >= text.len() {
        return start;
    }
    let (mut rune, size) = next_valid(&text[start..], first);
    if !is_upper(rune) {
        if !is_alphabet(rune) {
            return start;
        }
        return extend(text, start + size, rune, |r, _| {
            is_alphabet(r) && !is_upper(r)
        });
    }
    let mut at = start + size;
    let mut last = size;
    while at < text.len() {
        let size;
        (rune, size) = next_valid(&text[at..], rune);
        if !is_upper(rune) {
            break;
        }
        last = size;
        at += size;
    }
    // The last capital belongs to the word that follows.
    if at < text.len() && is_alphabet(rune) {
        at -= last;
    }
    at
}

fn is_punctuation(rune: u32) -> bool {
    group(rune) == GeneralCategoryGroup::Punctuation
}

fn is_number(rune: u32) -> bool {
    group(rune) == GeneralCategoryGroup::Number
}

/// A letter that is no ideograph, as xstrings 1.5.0 `count.go` draws the line.
fn is_alphabet(rune: u32) -> bool {
    is_letter(rune) && !matches!(rune, 0x4e00..=0x9fcc | 0x3400..=0x4d85 | 0x2_0000..=0x2_b81d)
}

#[cfg(test)]
mod tests {
    use super::super::testing::call;

    #[test]
    fn spells_compound_words() {
        for (name, from, to) in [
            ("snakecase", "FirstName", "first_name"),
            ("snakecase", "HTTPServer", "http_server"),
            ("snakecase", "http2xx", "http_2xx"),
            ("snakecase", "HTTP20xOK", "http_20x_ok"),
            ("snakecase", "Duration2m3s", "duration_2m3s"),
            ("snakecase", "Bld4Floor3rd", "bld4_floor_3rd"),
            ("snakecase", "  lead and trail  ", "__lead_and_trail__"),
            ("kebabcase", "GO_PATH", "go-path"),
            ("kebabcase", "x1y2Z3", "x-1y2-z3"),
            ("camelcase", "http_server", "HttpServer"),
            ("camelcase", "_complex__case_", "_Complex_Case_"),
            ("camelcase", "GOLANG_IS_GREAT", "GolangIsGreat"),
            ("camelcase", "", ""),
            ("camelcase", "_", "__"),
            ("swapcase", "This Is a.Test", "tHIS iS A.tEST"),
            ("title", "it's foo_bar.baz ǆ", "It'S Foo_bar.Baz ǅ"),
            ("untitle", "Foo Bar", "foo bar"),
            ("upper", "ß ŉ é", "ß ŉ É"),
            ("lower", "İÉ", "ié"),
        ] {
            assert_eq!(call(name, &[from.into()]), to, "{name} {from:?}");
        }
    }
}
