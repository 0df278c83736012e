//! Values: the grammar of `--set` and its kin, files in order of precedence, that an escaped key and value
//! come through unchanged, and that composed values, given as one file, are the same values.
//!
//! Input: lines of arguments, then values files below headings `== name`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use windlass_fuzz::{PROFILES, has_merge_key, sections, shown, with_line_break};
use windlass_helm::chart::{Overrides, Profile, compose, set_file_paths};
use windlass_helm::value::{Str, Value};
use windlass_helm::yaml::emit::to_yaml;

fuzz_target!(|data: &[u8]| {
    let mut sections = sections(data).into_iter();
    let arguments = sections.next().unwrap_or_default().1;
    let arguments = String::from_utf8_lossy(&arguments).into_owned();
    let lines: Vec<String> = arguments.lines().map(str::to_owned).collect();
    let files: Vec<_> = sections.collect();
    let with = |fill: fn(&mut Overrides, Vec<String>)| {
        let mut overrides = Overrides {
            files: files.clone(),
            ..Overrides::default()
        };
        fill(&mut overrides, lines.clone());
        overrides
    };
    for profile in PROFILES {
        compose_and_read_back(&with(|all, lines| all.set = lines), profile);
        compose_and_read_back(&with(|all, lines| all.set_string = lines), profile);
        compose_and_read_back(&with(|all, lines| all.set_json = lines), profile);
        compose_and_read_back(&with(|all, lines| all.set_file = lines), profile);
        compose_and_read_back(&with(|all, lines| all.set_literal = lines), profile);
    }
    let _ = set_file_paths(&arguments);
    if let Some((key, value)) = arguments.split_once('\0')
        && !key.is_empty()
    {
        comes_through(key, value);
    }
});

/// From this size on reading back takes time and finds nothing new.
const MUCH: usize = 4096;

/// Whether Helm, too, does not read back what it writes: merges, and integers that are no `float64`.
fn is_lost(json: &Str) -> bool {
    let mut numbers = json.split(|byte| !byte.is_ascii_digit());
    has_merge_key(json) || numbers.any(|digits| digits.len() > 15)
}

fn compose_and_read_back(overrides: &Overrides, profile: Profile) {
    let Ok(values) = compose(overrides, profile).map(Value::Map) else {
        return;
    };
    if let Some(before) = shown(&values).filter(|text| text.len() < MUCH && !is_lost(text))
        && let Ok(text) = to_yaml(&values)
    {
        let files = vec![("all".to_owned(), with_line_break(&text))];
        let again = compose(
            &Overrides {
                files,
                ..Overrides::default()
            },
            profile,
        );
        let again = Value::Map(again.expect("composed values are values"));
        assert_eq!(Some(before), shown(&again), "through {}", text.to_text());
    }
}

fn comes_through(key: &str, value: &str) {
    let set_string = vec![format!("{}={}", escaped(key), escaped(value))];
    let overrides = Overrides {
        set_string,
        ..Overrides::default()
    };
    let values = compose(&overrides, Profile::Helm4).expect("an escaped argument is right");
    let got = values.get(key);
    let same = matches!(&got, Some(Value::Str(text)) if text.as_bytes() == value.as_bytes());
    assert!(same, "{got:?}");
}

/// The text with a backslash before everything that has a meaning in keys or values.
fn escaped(text: &str) -> String {
    let special = |c| matches!(c, '\\' | '.' | ',' | '=' | '[' | ']' | '{' | '}');
    text.chars()
        .flat_map(|c| special(c).then_some('\\').into_iter().chain([c]))
        .collect()
}
