//! JSON among manifests: what it has that YAML reads otherwise, written so that YAML reads the same.

use super::manifest::documents;
use super::tree::is_special_to_yaml;
use serde::de::IgnoredAny;

/// The text of a manifest file in which documents of JSON have nothing that YAML refuses or reads in
/// another way: halves of characters as escapes (`\ud83d\ude00`, as Python writes them) become the
/// character, characters that YAML does not take within quotes become escapes. Everything else stays,
/// the number of lines too; what is no JSON stays whole.
#[must_use]
pub fn readable_as_yaml(text: Vec<u8>) -> Vec<u8> {
    let may_differ = |text: &str| {
        text.contains("\\ud") || text.contains("\\uD") || text.contains(is_special_to_yaml)
    };
    if !std::str::from_utf8(&text).is_ok_and(may_differ) {
        return text;
    }
    let mut out = Vec::with_capacity(text.len());
    for (_, part) in documents(&text) {
        match std::str::from_utf8(part) {
            Ok(part) if is_json(part) => out.extend(rewritten(part).into_bytes()),
            _ => out.extend(part),
        }
    }
    out
}

fn is_json(document: &str) -> bool {
    let document = document.trim_start_matches('\u{feff}');
    let document = document.strip_prefix("---").unwrap_or(document);
    let document = document.trim_ascii();
    document.starts_with('{') && serde_json::from_str::<IgnoredAny>(document).is_ok()
}

/// In JSON these characters, and backslashes, stand within quotes only.
fn rewritten(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (before, mut rest) = json.split_at(json.find('{').unwrap_or_default());
    out.push_str(before);
    while let Some(at) = rest.find(|c| c == '\\' || is_special_to_yaml(c)) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let mut chars = rest.chars();
        match chars.next() {
            Some(special) if special != '\\' => {
                out.extend([format!("\\u{:04x}", u32::from(special))]);
                rest = chars.as_str();
            }
            _ => match pair(rest) {
                Some(whole) => {
                    out.push(whole);
                    rest = &rest[12..];
                }
                // An escape has an ASCII character after its backslash.
                None => {
                    out.push_str(&rest[..2]);
                    rest = &rest[2..];
                }
            },
        }
    }
    out + rest
}

/// The character that two escapes at the beginning of a text name together.
fn pair(text: &str) -> Option<char> {
    let half = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let halves = [
        half(0).filter(|half| (0xd800..0xdc00).contains(half))?,
        half(6)?,
    ];
    char::decode_utf16(halves).next()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        String::from_utf8(readable_as_yaml(text.into())).unwrap()
    }

    #[test]
    fn json_becomes_what_yaml_reads_alike() {
        let json = "{\n  \"a\": \"\\ud83d\\ude00 \\\\ud83d\\\\ude00 \\u00e9\\n \u{85}\u{7f}\u{2028}\u{ffff}\u{feff} \u{1f600}\"\n}\n";
        insta::assert_snapshot!(read(json), @r#"
        {
          "a": "😀 \\ud83d\\ude00 \u00e9\n \u0085\u007f\u2028\uffff\ufeff 😀"
        }
        "#);
        let marked = format!("\u{feff}{json}");
        assert_eq!(read(&marked), format!("\u{feff}{}", read(json)));
        let many =
            format!("a: '\\ud83d\\ude00'\n---\n{json}--- {json}---\n{{a: '\\ud83d\\ude00'}}\n");
        let new = format!(
            "a: '\\ud83d\\ude00'\n---\n{0}--- {0}---\n{{a: '\\ud83d\\ude00'}}\n",
            read(json)
        );
        assert_eq!(read(&many), new);
    }

    #[test]
    fn what_json_would_refuse_stays() {
        for text in [
            "{\"a\": \"\\ud83d\"}",
            "{\"a\": \"\\ud83d\\u0041\"}",
            "{\"a\": \"\\ude00\\ud83d\"}",
            "{\"a\": \"\\ud83d\\ude00\"",
            "- \"\\ud83d\\ude00\"",
        ] {
            assert_eq!(read(text), text);
        }
    }
}
