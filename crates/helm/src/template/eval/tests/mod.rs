//! The evaluator against what Go 1.26 does.

mod objects;
mod pieces;

use super::Run;
use crate::template::{Fault, Function, Param, Runtime, Templates, World};
use crate::value::{Map, MapKind, Value};
use std::collections::BTreeMap;

type Called = Result<Value, Fault>;

fn text(value: &Value) -> &crate::value::Str {
    value.as_str().unwrap()
}

fn upper(_: &mut dyn Runtime, args: &[Value]) -> Called {
    Ok(Value::from(text(&args[0]).to_text().to_uppercase()))
}

fn list(_: &mut dyn Runtime, args: &[Value]) -> Called {
    Ok(Value::list(args.to_vec()))
}

fn fail(_: &mut dyn Runtime, args: &[Value]) -> Called {
    Err(Fault::new(text(&args[0]).to_text().into_owned()))
}

fn add(_: &mut dyn Runtime, args: &[Value]) -> Called {
    match args {
        [Value::Int(a, _), Value::Int(b, _)] => Ok(Value::int(a + b)),
        _ => unreachable!(),
    }
}

fn half(_: &mut dyn Runtime, args: &[Value]) -> Called {
    match args {
        [Value::Float(number)] => Ok(Value::Float(number / 2.0)),
        _ => unreachable!(),
    }
}

fn include(runtime: &mut dyn Runtime, args: &[Value]) -> Called {
    runtime.include(text(&args[0]), &args[1]).map(Value::Str)
}

fn tpl(runtime: &mut dyn Runtime, args: &[Value]) -> Called {
    runtime.tpl(text(&args[0]), &args[1]).map(Value::Str)
}

static FUNCTIONS: [Function; 7] = [
    Function {
        name: "upper",
        params: &[Param::Str],
        variadic: false,
        body: upper,
    },
    Function {
        name: "list",
        params: &[Param::Any],
        variadic: true,
        body: list,
    },
    Function {
        name: "fail",
        params: &[Param::Str],
        variadic: false,
        body: fail,
    },
    Function {
        name: "add",
        params: &[Param::Int, Param::Int],
        variadic: false,
        body: add,
    },
    Function {
        name: "half",
        params: &[Param::Float64],
        variadic: false,
        body: half,
    },
    Function {
        name: "include",
        params: &[Param::Str, Param::Any],
        variadic: false,
        body: include,
    },
    Function {
        name: "tpl",
        params: &[Param::Str, Param::Any],
        variadic: false,
        body: tpl,
    },
];

fn map(entries: &[(&str, Value)]) -> Value {
    let entries = entries
        .iter()
        .map(|(key, value)| ((*key).into(), value.clone()));
    Value::Map(Map::from_entries(
        MapKind::Any,
        entries.collect::<BTreeMap<_, _>>(),
    ))
}

fn data() -> Value {
    map(&[
        ("s", "text".into()),
        ("f", 7.0.into()),
        ("n", Value::int(3)),
        ("nil", Value::Nil),
        ("t", true.into()),
        ("l", Value::list(vec!["a".into(), 1.5.into(), Value::Nil])),
        (
            "m",
            map(&[("b", 2.0.into()), ("a", map(&[("x", "deep".into())]))]),
        ),
    ])
}

fn world() -> World {
    World::new(jiff::Timestamp::UNIX_EPOCH, [7; 32])
}

/// The output, or the error after `ERROR `.
fn run(source: &str) -> String {
    let mut templates = Templates::new(&[&FUNCTIONS]);
    let helpers = "{{ define \"h\" }}h:{{ .s }}{{ end }}{{ define \"deep\" }}{{ .m.s.x }}{{ end }}";
    templates.parse("_h.tpl", helpers).unwrap();
    let result = templates
        .parse("t", source)
        .and_then(|()| templates.execute("t", &data(), &mut world()));
    match result {
        Ok(output) => String::from_utf8_lossy(&output).into_owned(),
        Err(error) => format!("ERROR {error}"),
    }
}

/// The cause and expression of the error, as `<EXPRESSION> CAUSE`.
fn cause(source: &str) -> String {
    let output = run(source);
    let at = output
        .find('<')
        .unwrap_or_else(|| panic!("{source}: {output}"));
    output[at..].to_owned()
}

#[test]
fn prints_values_as_go_does() {
    assert_eq!(
        run("{{ .s }} {{ .f }} {{ .n }} {{ .t }} {{ .nil }}"),
        "text 7 3 true <no value>"
    );
    assert_eq!(
        run("{{ .l }} {{ .m }}"),
        "[a 1.5 <nil>] map[a:map[x:deep] b:2]"
    );
    assert_eq!(
        run("{{ .missing }}|{{ .missing | print }}"),
        "<no value>|<nil>"
    );
    assert_eq!(
        run("{{ 1e6 }} {{ 'a' }} {{ 0x10 }} {{ 1i }} {{ 3.0 }}"),
        "1e+06 97 16 (0+1i) 3"
    );
    assert_eq!(run("{{ \"a\\tb\" }}{{ `raw\\n` }}"), "a\tbraw\\n");
}

#[test]
fn keeps_the_static_type_of_a_missing_value() {
    assert_eq!(
        cause("{{ .missing.deep }}"),
        "<.missing.deep>: nil pointer evaluating interface {}.deep"
    );
    assert_eq!(run("{{ (.missing).deep }}"), "<no value>");
    assert_eq!(
        cause("{{ .s.foo }}"),
        "<.s.foo>: can't evaluate field foo in type interface {}"
    );
    assert_eq!(
        cause("{{ (print .s).foo }}"),
        "<.s>: can't evaluate field foo in type string"
    );
    assert_eq!(
        cause("{{ upper .missing }}"),
        "<.missing>: wrong type for value; expected string; got interface {}"
    );
    assert_eq!(
        cause("{{ .missing | upper }}"),
        "<upper>: invalid value; expected string"
    );
    assert_eq!(
        cause("{{ upper (.missing) }}"),
        "<.missing>: invalid value; expected string"
    );
    assert_eq!(
        cause("{{ upper nil }}"),
        "<nil>: cannot assign nil to string"
    );
}

#[test]
fn converts_constants_to_the_type_of_the_parameter() {
    assert_eq!(run("{{ add 3.0 'a' }} {{ half 3 }}"), "100 1.5");
    assert_eq!(cause("{{ upper 5 }}"), "<5>: expected string; found 5");
    assert_eq!(
        cause("{{ add 1.5 1 }}"),
        "<1.5>: expected integer; found 1.5"
    );
    assert_eq!(
        cause("{{ add .f 1 }}"),
        "<.f>: wrong type for value; expected int; got float64"
    );
    assert_eq!(
        cause("{{ half true }}"),
        "<true>: expected float; found true"
    );
    assert_eq!(
        cause("{{ add 1 }}"),
        "<add>: wrong number of args for add: want 2 got 1"
    );
    assert_eq!(
        cause("{{ 1 | add }}"),
        "<add>: wrong number of args for add: want 2 got 1"
    );
    assert_eq!(
        cause("{{ print 9223372036854775808 }}"),
        "<9223372036854775808>: 9223372036854775808 overflows int"
    );
    assert_eq!(
        cause("{{ eq }}"),
        "<eq>: wrong number of args for eq: want at least 1 got 0"
    );
}

#[test]
fn scopes_variables_by_block() {
    assert_eq!(
        run("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ end }}{{ $x }}"),
        "1"
    );
    assert_eq!(
        run("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}"),
        "2"
    );
    assert_eq!(
        run("{{ range $i, $v := .l }}{{ $i }}={{ $v }},{{ end }}"),
        "0=a,1=1.5,2=<no value>,"
    );
    assert_eq!(
        run("{{ $v := 0 }}{{ range $v = .l }}{{ end }}{{ $v }}"),
        "<no value>"
    );
    assert_eq!(
        run("{{ with $x := .s }}{{ $x }}{{ . }}{{ $.n }}{{ end }}"),
        "texttext3"
    );
    assert_eq!(cause("{{ $x = 1 }}"), "<1>: undefined variable: $x");
    assert_eq!(
        cause("{{ and false ($y := 1) }}{{ $y }}")
            .split(": ")
            .last(),
        Some("$y")
    );
}

#[test]
fn ranges_over_lists_maps_and_numbers() {
    assert_eq!(run("{{ range .m }}[{{ . }}]{{ end }}"), "[map[x:deep]][2]");
    assert_eq!(
        run("{{ range 3 }}{{ . }}{{ end }}{{ range 0 }}x{{ else }}none{{ end }}"),
        "012none"
    );
    assert_eq!(run("{{ range .missing }}x{{ else }}none{{ end }}"), "none");
    assert_eq!(
        run(
            "{{ range 9 }}{{ if eq . 2 }}{{ continue }}{{ end }}{{ if eq . 4 }}{{ break }}{{ end }}{{ . }}{{ end }}"
        ),
        "013"
    );
    assert_eq!(
        cause("{{ range .s }}{{ end }}"),
        "<.s>: range can't iterate over text"
    );
    assert_eq!(
        cause("{{ range $i, $j := 3 }}{{ end }}"),
        "<3>: can't use 3 to iterate over more than one variable"
    );
}

#[test]
fn stops_and_and_or_early() {
    assert_eq!(
        run("{{ and 1 0 (fail \"x\") }} {{ or 0 \"a\" (fail \"x\") }} {{ 1 | and 2 }}"),
        "0 a 1"
    );
    assert_eq!(
        run("{{ and .missing .t }} {{ or .missing 0 }}"),
        "<no value> 0"
    );
    assert_eq!(
        cause("{{ and 1 (fail \"x\") }}"),
        "<fail \"x\">: error calling fail: x"
    );
}

#[test]
fn compares_only_what_has_one_type() {
    assert_eq!(
        run("{{ eq .f 7.0 }} {{ eq 1 2 1 }} {{ ne \"a\" .s }} {{ lt 1 2 }} {{ ge 1.5 1.5 }}"),
        "true true true true true"
    );
    assert_eq!(
        run("{{ eq .missing nil }} {{ eq .missing \"\" }} {{ eq nil nil }}"),
        "true false true"
    );
    assert_eq!(
        cause("{{ eq .f 7 }}"),
        "<eq .f 7>: error calling eq: incompatible types for comparison: float64 and int"
    );
    assert_eq!(
        cause("{{ lt .t true }}"),
        "<lt .t true>: error calling lt: invalid type for comparison"
    );
    assert_eq!(
        cause("{{ eq (list 1) (list 1) }}"),
        "<eq (list 1) (list 1)>: error calling eq: non-comparable type [%!s(int=1)]: []interface {}"
    );
}

#[test]
fn indexes_slices_and_measures() {
    assert_eq!(
        run("{{ index .l 0 }}{{ index .m \"a\" \"x\" }}{{ index .m \"zz\" }}"),
        "adeep<no value>"
    );
    assert_eq!(
        run("{{ slice .s 1 3 }} {{ len .l }} {{ len .s }} {{ index .s 0 }}"),
        "ex 3 4 116"
    );
    let index = |source| {
        cause(source)
            .split("error calling ")
            .nth(1)
            .unwrap()
            .to_owned()
    };
    assert_eq!(index("{{ index .l 9 }}"), "index: index out of range: 9");
    assert_eq!(
        index("{{ index .l 3 }}"),
        "index: reflect: slice index out of range"
    );
    assert_eq!(
        index("{{ index .l \"a\" }}"),
        "index: cannot index slice/array with type string"
    );
    assert_eq!(
        index("{{ index .m 1 }}"),
        "index: value has type int; should be string"
    );
    assert_eq!(index("{{ index nil 1 }}"), "index: index of untyped nil");
    assert_eq!(
        index("{{ index .f 1 }}"),
        "index: can't index item of type float64"
    );
    assert_eq!(index("{{ len .f }}"), "len: len of type float64");
    assert_eq!(index("{{ len .missing }}"), "len: len of nil pointer");
    assert_eq!(
        index("{{ call .s }}"),
        "call: non-function .s of type string"
    );
}

#[test]
fn runs_named_templates() {
    assert_eq!(
        run("{{ template \"h\" . }}|{{ include \"h\" . }}|{{ template \"h\" }}"),
        "h:text|h:text|h:<no value>"
    );
    assert_eq!(run("{{ block \"b\" .s }}[{{ . }}]{{ end }}"), "[text]");
    assert_eq!(
        cause("{{ template \"no\" }}"),
        "<{{template \"no\"}}>: template \"no\" not defined"
    );
    assert_eq!(
        run("{{ include \"deep\" . }}"),
        "ERROR template: t:1:3: executing \"t\" at <include \"deep\" .>: error calling include: \
         template: _h.tpl:1:59: executing \"deep\" at <.m.s.x>: \
         nil pointer evaluating interface {}.x"
    );
}

#[test]
fn runs_texts_as_templates() {
    assert_eq!(run("{{ tpl \"{{ .s }}{{ .missing }}\" . }}"), "text");
    assert_eq!(
        run("{{ tpl `{{ define \"x\" }}in{{ end }}{{ include \"x\" . }}` . }}"),
        "in"
    );
    assert_eq!(
        run("{{ tpl `{{ tpl \"{{ include \\\"h\\\" . }}\" . }}` . }}{{ tpl \"\" . }}"),
        "h:text"
    );
    assert_eq!(
        cause("{{ tpl `{{ define \"x\" }}in{{ end }}` . }}{{ include \"x\" . }}"),
        "<include \"x\" .>: error calling include: \
         template: no template \"x\" associated with template \"gotpl\""
    );
    assert_eq!(
        cause("{{ tpl \"{{ nope }}\" . }}"),
        "<tpl \"{{ nope }}\" .>: error calling tpl: cannot parse template \"{{ nope }}\": \
         template: gotpl:1: function \"nope\" not defined"
    );
    assert_eq!(
        cause("{{ tpl \"{{ .s.x }}\" . }}"),
        "<tpl \"{{ .s.x }}\" .>: error calling tpl: error during tpl function execution for \
         \"{{ .s.x }}\": template: gotpl:1:5: executing \"gotpl\" at <.s.x>: \
         can't evaluate field x in type interface {}"
    );
}

#[test]
fn ends_every_recursion() {
    let output = run("{{ define \"r\" }}{{ include \"r\" . }}{{ end }}{{ include \"r\" . }}");
    assert!(
        output.ends_with(
            "error calling include: rendering template has a nested reference \
        name: r: unable to execute template"
        ),
        "{}",
        &output[..200]
    );
    assert_eq!(output.matches("error calling include").count(), 1002);
    let output = run("{{ define \"r\" }}{{ template \"r\" . }}{{ end }}{{ template \"r\" . }}");
    assert!(
        output.ends_with("exceeded maximum template depth (100000)"),
        "{output}"
    );
    let names: String = (0..6)
        .map(|i| {
            format!(
                "{{{{ define \"r{i}\" }}}}{{{{ include \"r{}\" . }}}}{{{{ end }}}}",
                (i + 1) % 6
            )
        })
        .collect();
    let output = run(&format!("{names}{{{{ include \"r0\" . }}}}"));
    assert_eq!(
        output.matches("error calling include").count(),
        6 * 1001 + 1
    );
    let output = run(
        "{{ define \"r\" }}{{ tpl `{{ template \"r\" . }}` . }}{{ end }}{{ template \"r\" . }}",
    );
    assert!(output.ends_with("error calling tpl: tpl is nested more than 1000 times"));
}

#[test]
fn survives_values_that_nest_too_deep_or_hold_themselves() {
    let nest = "{{ $x := list 1 }}{{ range 200000 }}{{ $x = list $x }}{{ end }}";
    assert_eq!(run(&format!("{nest}{{{{ len $x }}}}")), "1");
    assert!(
        cause(&format!("{nest}{{{{ $x }}}}")).ends_with("nested too deeply or too large to print")
    );
    let data = data();
    let Value::Map(own) = &data else {
        unreachable!()
    };
    own.insert("self", data.clone());
    let mut templates = Templates::new(&[&FUNCTIONS]);
    templates.parse("t", "{{ . }}").unwrap();
    assert!(templates.execute("t", &data, &mut world()).is_err());
    own.remove("self");
}

#[test]
fn bounds_steps_and_output() {
    let fails = |source: &str, limit: fn(&mut Run<'_>)| {
        let mut templates = Templates::new(&[&FUNCTIONS]);
        templates.parse("t", source).unwrap();
        let mut world = world();
        let mut run = Run::new(&templates, &mut world);
        limit(&mut run);
        let tree = templates.set.get("t").unwrap();
        run.execute(tree, &data()).unwrap_err().to_string()
    };
    let error = fails("{{ range 1000000000 }}{{ end }}", |run| {
        run.steps_left = 1000;
    });
    assert!(
        error.ends_with("takes more than 100000000 steps"),
        "{error}"
    );
    let double = "{{ $x := .s }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}";
    let error = fails(double, |run| run.bytes_left = 100_000);
    assert!(
        error.ends_with("produces more than 1073741824 bytes"),
        "{error}"
    );
}

/// Helm 4's layout of the error.
fn trace(source: &str) -> Option<String> {
    let mut templates = Templates::new(&[&FUNCTIONS]);
    let helpers = "{{ define \"d1\" }}{{ .s.bad }}{{ end }}{{ define \"d2\" }}{{ include \"d1\" . }}{{ end }}";
    templates.parse("_h.tpl", helpers).unwrap();
    templates.parse("t", source).unwrap();
    templates
        .execute("t", &data(), &mut world())
        .unwrap_err()
        .trace()
}

#[test]
fn lays_errors_out_as_helm_4_does() {
    insta::assert_snapshot!(trace("{{ upper 5 }}").unwrap(), @r#"
    t:1:9
      executing "t" at <5>:
        expected string; found 5
    "#);
    insta::assert_snapshot!(trace("\n {{ include \"d2\" . }}").unwrap(), @r#"
    t:2:4
      executing "t" at <include "d2" .>:
        error calling include:
    _h.tpl:1:58
      executing "d2" at <include "d1" .>:
        error calling include:
    _h.tpl:1:22
      executing "d1" at <.s.bad>:
        can't evaluate field bad in type interface {}
    "#);
    insta::assert_snapshot!(trace("{{ include \"none\" . }}").unwrap(), @r#"
    t:1:3
      executing "t" at <include "none" .>:
        error calling include:
    template: no template "none" associated with template "gotpl"
    "#);
    assert_eq!(trace("{{ fail \"x\" }}"), None);
    assert_eq!(trace("{{ tpl \"{{ .s.x }}\" . }}"), None);
}

#[test]
fn tells_where_an_error_is() {
    let mut templates = Templates::new(&[&FUNCTIONS]);
    templates.parse("t", "a\nb {{ upper 5 }}\n").unwrap();
    let error = templates.execute("t", &data(), &mut world()).unwrap_err();
    assert_eq!(
        (error.file(), error.line(), error.column()),
        ("t", 2, Some(11))
    );
    assert_eq!(
        (&*error.source_line(), error.context()),
        ("b {{ upper 5 }}", "5")
    );
    assert_eq!(error.cause(), "expected string; found 5");
}
