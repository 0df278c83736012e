//! Hostile input ends in an error: nothing here may panic, overflow the stack, or take long.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use windlass_helm::chart::{self, Chart, Error, Profile, Rendered};
use windlass_helm::json::{from_json, to_json};
use windlass_helm::template::{Limits, World};
use windlass_helm::toml::from_toml;
use windlass_helm::value::Value;
use windlass_helm::yaml::{emit, from_yaml};

const CHART: &str = "apiVersion: v2\nname: c\nversion: 1.0.0\n";

/// The error of a template; a small limit keeps the tests quick.
fn fails(template: &str) -> String {
    let limits = Limits {
        bytes: 1 << 28,
        ..Limits::default()
    };
    fails_within(limits, &[("templates/t", template)])
}

fn fails_within(limits: Limits, files: &[(&str, &str)]) -> String {
    render(files, limits).unwrap_err().to_string()
}

fn render(files: &[(&str, &str)], limits: Limits) -> Result<Rendered, Error> {
    let mut files = files.to_vec();
    files.push(("Chart.yaml", CHART));
    let files = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).into()));
    let chart = Chart::from_files(files.collect(), Profile::Helm4).unwrap();
    let (overrides, release, options) = Default::default();
    let mut world = World::new("2026-01-02T03:04:05Z".parse().unwrap(), [7; 32]);
    world.limits = limits;
    chart::render(&chart, &overrides, &release, &options, &mut world)
}

/// Runs on a stack far smaller than that of any thread.
fn on_small_stack(work: fn()) {
    let thread = std::thread::Builder::new()
        .stack_size(256 << 10)
        .spawn(work);
    thread.unwrap().join().unwrap();
}

#[test]
fn recursion_ends_with_the_words_of_helm() {
    on_small_stack(|| {
        for (template, words) in [
            (
                r#"{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}"#,
                "rendering template has a nested reference name: a: unable to execute template",
            ),
            (
                r#"{{ define "a" }}{{ include "b" . }}{{ end }}{{ define "b" }}{{ include "a" . }}{{ end }}
                   {{ include "a" . }}"#,
                "rendering template has a nested reference name: a: unable to execute template",
            ),
            (
                r#"{{ template "c/templates/t" . }}"#,
                "exceeded maximum template depth (100000)",
            ),
            (
                r#"{{ $t := "{{ tpl .t . }}" }}{{ tpl $t (dict "t" $t) }}"#,
                "tpl is nested more than 1000 times",
            ),
            (
                r#"{{ define "a" }}{{ if 1 }}{{ if 1 }}{{ if 1 }}{{ template "a" }}{{ end }}{{ end }}{{ end }}{{ end }}
                   {{ template "a" }}"#,
                "exceeded maximum evaluation depth (250000)",
            ),
        ] {
            let error = fails(template);
            assert!(
                error.contains(words),
                "{template}: {}",
                &error[error.len().saturating_sub(300)..]
            );
        }
    });
}

#[test]
fn values_may_nest_deeper_than_the_stack() {
    on_small_stack(|| {
        let deep = |open: &str, close: &str| open.repeat(9_000) + &close.repeat(9_000);
        let lists = deep("[", "]");
        let value = from_json(lists.as_bytes()).unwrap();
        assert_eq!(&*to_json(&value).unwrap(), lists.as_bytes());
        let text = emit::to_yaml_pretty(&value).unwrap();
        assert!(from_yaml(&text).is_ok());
        assert!(from_yaml(lists.as_bytes()).is_ok());
        for deeper in ["[", "{\"a\":", "- ", "[{a: "] {
            assert!(from_yaml(deeper.repeat(100_000).as_bytes()).is_err());
            assert!(from_json(deeper.repeat(100_000).as_bytes()).is_err());
        }
        for (toml, words) in [
            (
                format!("a = {}", "[".repeat(100_000)),
                "value is nested too deeply",
            ),
            (
                format!("{}a = 1", "a.".repeat(1_000)),
                "key has too many pieces",
            ),
        ] {
            let error = from_toml(toml.as_bytes(), &|_| Value::Nil).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    });
}

#[test]
fn loops_end_at_the_budget_of_steps() {
    let limits = Limits {
        template_steps: 100_000,
        ..Limits::default()
    };
    for template in [
        "{{ range 1000000000000 }}{{ end }}",
        "{{ range until 1000 }}{{ range until 1000 }}{{ end }}{{ end }}",
        r#"{{ $s := repeat 3000000 "a" }}{{ range until 10000 }}{{ $x := contains "b" $s }}{{ end }}"#,
        r#"{{ $s := repeat 1000000 "a" }}{{ regexFindAll "a*b|a" $s -1 }}"#,
        "{{ $l := until 3000 }}{{ uniq $l }}",
    ] {
        let error = fails_within(limits, &[("templates/t", template)]);
        assert!(
            error.contains("template takes more than 100000 steps"),
            "{template}: {error}"
        );
    }
}

/// The calls fail before they do their work.
#[test]
fn slow_calls_count_for_the_time_that_they_take() {
    let large = "a".repeat(20_000);
    let values = format!("text: {large}\n");
    for (ms, call) in [
        (40, r#"genCA "a" 1"#),
        (40, r#"genSelfSignedCert "a" nil nil 1"#),
        (400, r#"genPrivateKey """#),
        (500, r#"genPrivateKey "dsa""#),
        (60, r#"bcrypt "a""#),
        (60, r#"htpasswd "a" "b""#),
        (200, r#"derivePassword 1 "long" "a" "b" "c""#),
        (100, r#"toJson (float64 "NaN")"#),
        (1, r#"regexMatch "((a{30}){30}b)c" "a""#),
        (1, r#"regexFind "(a?){500}" .Values.text"#),
        (1, "fromYaml .Values.text"),
    ] {
        let limits = Limits {
            template_steps: ms * 10_000 - 1_000,
            ..Limits::default()
        };
        let template = format!("{{{{ $x := {call} }}}}");
        let files = [("templates/t", template.as_str()), ("values.yaml", &values)];
        let error = fails_within(limits, &files);
        assert!(
            error.contains("template takes more than"),
            "{call}: {error}"
        );
    }
}

#[test]
fn all_templates_share_a_budget_of_steps() {
    let loops = "{{ range until 500 }}{{ end }}";
    let writes = r#"{{ repeat 60000 "a" }}"#;
    for template in [loops, writes] {
        let limits = Limits {
            steps: 800,
            ..Limits::default()
        };
        let files = [("templates/a", template), ("templates/b", template)];
        let error = fails_within(limits, &files);
        assert!(
            error.contains("templates of this render take too many steps in all"),
            "{error}"
        );
    }
}

#[test]
fn whatever_a_template_keeps_counts_against_the_budget_of_bytes() {
    let limits = Limits {
        bytes: 1 << 20,
        ..Limits::default()
    };
    for keep in [
        r#"repeat 10000 "a""#,
        "until 1000",
        r#"splitList "" (repeat 100 "a")"#,
        r#"fromJsonArray "[[],[],[],[{\"a\":\"b\"}]]""#,
        r#"dict "a" (list 1 2 3)"#,
        "deepCopy (list (list 1) (dict))",
    ] {
        let template = format!(
            "{{{{ range $i := until 20000 }}}}{{{{ $_ := set $.Values (toString $i) ({keep}) }}}}{{{{ end }}}}"
        );
        let error = fails_within(limits, &[("templates/t", &template)]);
        assert!(
            error.contains("template produces more than 1048576 bytes"),
            "{keep}: {error}"
        );
    }
}

#[test]
fn one_call_makes_no_more_than_it_may() {
    for (template, words) in [
        (
            r#"{{ repeat 1000000000 "abc" }}"#,
            "strings: Repeat output length overflow",
        ),
        (
            r#"{{ nindent 1000000000 "a" }}"#,
            "strings: Repeat output length overflow",
        ),
        (
            "{{ until 1000000000 }}",
            "a list of 1000000000 elements is too long",
        ),
        (
            "{{ untilStep 0 9223372036854775807 1 }}",
            "elements is too long",
        ),
        ("{{ randAlpha 1000000000 }}", "makeslice: len out of range"),
        (
            r#"{{ $l := list 1 }}{{ range 20000 }}{{ $l = list $l }}{{ end }}{{ dict "a" $l | toToml | fail }}"#,
            "toml: value is nested too deeply",
        ),
        (
            r#"{{ semver (repeat 257 "1") }}"#,
            "version string is too long (max 256 bytes)",
        ),
        (
            r#"{{ semverCompare (repeat 513 "1") "1" }}"#,
            "constraint string is too long (max 512 bytes)",
        ),
        (
            r#"{{ mustRegexMatch (repeat 30 "\\pL{1000}") "" }}"#,
            "error parsing regexp: expression too large",
        ),
        (
            r#"{{ printf (repeat 1000 "%1000000[1]d") 1 }}"#,
            "value is nested too deeply or too large to print",
        ),
        (
            r#"{{ $s := "ab" }}{{ range until 40 }}{{ $s = cat $s $s }}{{ end }}"#,
            "strings: Repeat output length overflow",
        ),
        (
            "{{ $l := list 1 }}{{ range until 40 }}{{ $l = concat $l $l }}{{ end }}",
            "template produces more than 268435456 bytes",
        ),
    ] {
        let error = fails(template);
        assert!(error.contains(words), "{template}: {error}");
    }
}

/// The error stands at the call of `tpl`, not in the text that it would have run.
#[test]
fn texts_of_tpl_count_against_the_budget_of_bytes() {
    let limits = Limits {
        bytes: 1 << 20,
        ..Limits::default()
    };
    let padding = " ".repeat(1000);
    let template = format!(
        "{padding}{{{{ if true }}}}{{{{ with 1 }}}}{{{{ range until 20000 }}}}\
         {{{{ $x := tpl (printf `{{{{ define \"x%d\" }}}}y{{{{ end }}}}` .) $ }}}}{{{{ end }}}}{{{{ end }}}}{{{{ end }}}}"
    );
    let error = fails_within(limits, &[("templates/t", &template)]);
    assert!(
        error.contains("error calling tpl: template produces more than 1048576 bytes"),
        "{error}"
    );
}

#[test]
fn cycles_are_looked_for_in_values_of_any_depth() {
    let template = "{{ $d := dict }}{{ $e := $d }}{{ range until 100000 }}{{ $n := dict }}\
                    {{ $_ := set $e `n` $n }}{{ $e = $n }}{{ end }}{{ fail (toJson $d | len | print) }}";
    assert!(fails(template).ends_with(": 600002"), "{}", fails(template));
}

/// `toYaml` hides Go's errors; where it would write without end, an empty text would hide a mistake.
#[test]
fn shared_parts_are_not_written_without_end() {
    for write in ["toJson", "toYaml", "toYamlPretty"] {
        let template = format!(
            r#"{{{{ $l := repeat 3000000 "a" }}}}{{{{ range until 40 }}}}{{{{ $l = list $l $l }}}}{{{{ end }}}}{{{{ {write} $l }}}}"#
        );
        let error = fails(&template);
        assert!(
            error.contains("text of the value is larger than 67108864 bytes"),
            "{write}: {error}"
        );
    }
}

#[test]
fn values_within_themselves_are_errors_or_empty() {
    let cycle = r#"{{ $d := dict }}{{ $_ := set $d "a" $d }}{{ $_ := set $d "b" $d }}"#;
    for (call, words) in [
        (
            "mustToJson $d",
            "encountered a cycle via map[string]interface {}",
        ),
        ("deepCopy $d", "value is nested too deeply"),
        (
            "print $d",
            "value is nested too deeply or too large to print",
        ),
        (
            "toToml $d",
            "text of the value is larger than 67108864 bytes",
        ),
        (
            "fail (toYaml $d | quote)",
            r#"execution error at (c/templates/t:1:69): """#,
        ),
    ] {
        let error = fails(&format!("{cycle}{{{{ {call} }}}}"));
        assert!(error.contains(words), "{call}: {error}");
    }
}

#[test]
fn texts_hold_no_more_values_than_they_may() {
    let many = format!("[{}0]", "0,".repeat(1 << 22));
    let error = from_json(many.as_bytes()).unwrap_err();
    assert_eq!(error, "json: text holds more than 4194304 values");
    let large = "a".repeat((16 << 20) + 1);
    let files = [("templates/t", large.as_str())];
    assert!(
        fails_within(Limits::default(), &files).contains("template is larger than 16777216 bytes")
    );
}

/// What a render notes for others is bounded too, but ends nothing.
#[test]
fn no_more_calls_and_lines_are_noted_than_may_be() {
    let files = [
        (
            "templates/calls",
            "{{ range 100001 }}{{ $x := now }}{{ end }}",
        ),
        (
            "templates/lines",
            "kind: A\nlist:\n{{ range 550000 }}- a\n{{ end }}",
        ),
    ];
    let rendered = render(&files, Limits::default()).unwrap();
    assert_eq!(rendered.calls.len(), 100_000);
    assert_eq!(rendered.documents[0].lines.len(), 550_003);
}

/// Files that are as long as they are said to be take no memory and no place on the disk.
#[test]
fn charts_have_no_more_bytes_than_they_may() {
    const MIB: u64 = 1 << 20;
    for (file, bytes, profile, words) in [
        (
            "values.yaml",
            100 * MIB,
            Profile::Helm4,
            "chart exceeds maximum decompressed size of 104857600 bytes",
        ),
        (
            "crds/a",
            5 * MIB,
            Profile::Helm3,
            "chart file \"a\" is larger than the maximum file size 5242880",
        ),
        (
            ".helmignore",
            MIB,
            Profile::Helm4,
            ".helmignore leads out of the chart or is larger than 1048576 bytes",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("crds")).unwrap();
        fs::write(dir.path().join("Chart.yaml"), CHART).unwrap();
        let sparse = fs::File::create(dir.path().join(file)).unwrap();
        sparse.set_len(bytes + 1).unwrap();
        let error = chart::load(dir.path(), profile).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let archive = tempfile::NamedTempFile::new().unwrap();
    archive.as_file().set_len(100 * MIB + 1).unwrap();
    let error = chart::load(archive.path(), Profile::Helm4)
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("is larger than the maximum size 104857600"),
        "{error}"
    );
}

#[test]
fn charts_nest_no_deeper_than_they_may() {
    let file = |depth: usize| {
        (
            format!("{}Chart.yaml", "charts/c/".repeat(depth)),
            CHART.into(),
        )
    };
    let chart = |depth: usize| Chart::from_files((0..=depth).map(file).collect(), Profile::Helm4);
    assert!(chart(30).is_ok());
    assert!(
        chart(31)
            .unwrap_err()
            .to_string()
            .contains("charts nest deeper than 30")
    );
}
