//! Functions whose arguments are languages: regular expressions, versions and constraints, time layouts
//! and durations.
//!
//! Input: the pattern, constraint or layout, a line break, the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use windlass_fuzz::sprig;
use windlass_helm::sprig::semver::{is_version, satisfies};

fuzz_target!(|data: &[u8]| {
    let cut = data
        .iter()
        .position(|&byte| byte == b'\n')
        .unwrap_or(data.len());
    let (pattern, text) = (&data[..cut], data.get(cut + 1..).unwrap_or_default());
    regex(pattern, text);
    time(pattern, text);
    if let (Ok(constraint), Ok(version)) = (std::str::from_utf8(pattern), std::str::from_utf8(text))
    {
        semver(constraint, version);
    }
});

/// The functions agree with each other on what matches.
fn regex(pattern: &[u8], text: &[u8]) {
    let run = |template: &'static str| sprig(template, &[("p", pattern), ("s", text)]);
    let Ok(matches) = run("{{ mustRegexMatch .p .s }}") else {
        return;
    };
    let count = run("{{ len (regexFindAll .p .s -1) }}").expect("the pattern is right");
    assert_eq!(matches == b"true", count != b"0");
    let replaced = run(r#"{{ regexReplaceAllLiteral .p .s "" }}"#).expect("the pattern is right");
    let split =
        run("{{ range regexSplit .p .s -1 }}{{ . }}{{ end }}").expect("the pattern is right");
    assert_eq!(replaced, split);
    let _ = run("{{ regexReplaceAll .p .s \"$0-${1}\" }}{{ regexReplaceAll .p .s .s }}");
    let _ = run("{{ regexFind .p .s }}{{ regexQuoteMeta .s }}");
    let quoted = run("{{ regexMatch (printf \"^%s$\" (regexQuoteMeta .s)) .s }}");
    assert!(
        std::str::from_utf8(text).is_err() || quoted == Ok(b"true".to_vec()),
        "{quoted:?}"
    );
}

/// What a layout prints, it reads, and prints the same again.
fn time(layout: &[u8], text: &[u8]) {
    let run = |template: &'static str, text: &[u8]| sprig(template, &[("l", layout), ("s", text)]);
    let again = "{{ mustToDate .l .s | date .l }}";
    if let Ok(printed) = run(again, text)
        && let Ok(once_more) = run(again, &printed)
    {
        assert_eq!(printed, once_more);
    }
    let _ = run(
        "{{ dateInZone .l now .s }}{{ htmlDate .s }}{{ ago .s }}",
        text,
    );
    let _ = run(
        "{{ duration .s }}{{ durationRound .s }}{{ dateModify .s now }}",
        text,
    );
    let _ = run("{{ mustDateModify .s now }}", text);
    let _ = run("{{ unixEpoch (toDate .l .s) }}", text);
}

/// A version that is one equals itself; both ways to ask about a constraint give one answer.
fn semver(constraint: &str, version: &str) {
    let run = |template: &'static str, v: &[u8]| {
        sprig(template, &[("c", constraint.as_bytes()), ("v", v)])
    };
    let satisfied = satisfies(constraint, version);
    let compared = run("{{ semverCompare .c .v }}", version.as_bytes());
    assert_eq!(satisfied, compared == Ok(b"true".to_vec()));
    let parsed = run("{{ (semver .v).String }}", version.as_bytes());
    assert_eq!(parsed.is_ok(), is_version(version));
    if let Ok(text) = parsed {
        assert_eq!(run("{{ (semver .v).String }}", &text), Ok(text.clone()));
        assert_eq!(
            run("{{ (semver .v).Compare (semver .v) }}", &text),
            Ok(b"0".to_vec())
        );
    }
}
