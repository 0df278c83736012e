//! The template engine against what Go 1.26's text/template wrote for the same templates:
//! `fixtures/template/cases.json`, recorded by `record.go` beside it.

use serde::Deserialize;
use std::collections::BTreeMap;
use windlass_helm::template::{Fault, Function, Param, Runtime, Templates, World};
use windlass_helm::value::{Elem, List, Map, MapKind, Str, UintKind, Value};

const HELPERS: &str = "{{ define \"h\" }}h:{{ .s }}{{ end }}{{ define \"deep\" }}{{ .m.s.x }}{{ end }}\
    {{ define \"two\" }}\n {{ include \"deep\" . }}{{ end }}";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    template: String,
    output: Option<String>,
    error: Option<String>,
}

type Called = Result<Value, Fault>;

fn text(value: &Value) -> &Str {
    value.as_str().expect("the parameter is a string")
}

fn upper(_: &mut dyn Runtime, args: &[Value]) -> Called {
    Ok(text(&args[0]).to_text().to_uppercase().into())
}

fn list(_: &mut dyn Runtime, args: &[Value]) -> Called {
    Ok(Value::list(args.to_vec()))
}

fn strs(_: &mut dyn Runtime, args: &[Value]) -> Called {
    Ok(Value::strings(args.iter().map(|arg| text(arg).clone())))
}

fn fail(_: &mut dyn Runtime, args: &[Value]) -> Called {
    Err(Fault::new(text(&args[0]).to_text()))
}

fn add(_: &mut dyn Runtime, args: &[Value]) -> Called {
    match args {
        [Value::Int(a, _), Value::Int(b, _)] => Ok(Value::int(a.wrapping_add(*b))),
        _ => Err("not two ints".into()),
    }
}

fn half(_: &mut dyn Runtime, args: &[Value]) -> Called {
    match args {
        [Value::Float(number)] => Ok((number / 2.0).into()),
        _ => Err("not a float64".into()),
    }
}

fn first(_: &mut dyn Runtime, args: &[Value]) -> Called {
    Ok(args.first().cloned().unwrap_or(Value::Nil))
}

fn include(runtime: &mut dyn Runtime, args: &[Value]) -> Called {
    runtime.include(text(&args[0]), &args[1]).map(Value::Str)
}

fn tpl(runtime: &mut dyn Runtime, args: &[Value]) -> Called {
    runtime.tpl(text(&args[0]), &args[1]).map(Value::Str)
}

static FUNCTIONS: [Function; 16] = [
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
        name: "strs",
        params: &[Param::Str],
        variadic: true,
        body: strs,
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
        name: "u32",
        params: &[Param::Uint32],
        variadic: false,
        body: first,
    },
    Function {
        name: "i64",
        params: &[Param::Int64],
        variadic: false,
        body: first,
    },
    Function {
        name: "mp",
        params: &[Param::Map],
        variadic: false,
        body: first,
    },
    Function {
        name: "ls",
        params: &[Param::List],
        variadic: false,
        body: first,
    },
    Function {
        name: "sl",
        params: &[Param::Strings],
        variadic: false,
        body: first,
    },
    Function {
        name: "bl",
        params: &[Param::Bool],
        variadic: false,
        body: first,
    },
    Function {
        name: "id",
        params: &[Param::Any],
        variadic: false,
        body: first,
    },
    Function {
        name: "getnil",
        params: &[],
        variadic: false,
        body: first,
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

fn map(kind: MapKind, entries: &[(&str, Value)]) -> Value {
    let entries = entries
        .iter()
        .map(|(key, value)| (Str::from(*key), value.clone()));
    Value::Map(Map::from_entries(kind, entries.collect::<BTreeMap<_, _>>()))
}

fn data() -> Value {
    let any = MapKind::Any;
    let ints = vec![Value::int(1), Value::int(2)];
    let maps = vec![map(any, &[("q", Value::int(1))])];
    map(
        any,
        &[
            ("s", "text".into()),
            ("e", "".into()),
            ("u", "hé☃".into()),
            ("bad", Value::str(b"a\xffb")),
            ("tp", "{{ .s }}".into()),
            ("f", 7.0.into()),
            ("n", Value::int(3)),
            ("i64", Value::int64(5)),
            ("u8", Value::Uint(7, UintKind::Uint8)),
            ("u64", Value::Uint(9, UintKind::Uint64)),
            ("nil", Value::Nil),
            ("t", true.into()),
            ("fl", false.into()),
            ("l", Value::list(vec!["a".into(), 1.5.into(), Value::Nil])),
            ("el", Value::list(Vec::new())),
            ("ss", Value::strings(["x".into(), "y".into()])),
            ("ints", List::new(ints, Elem::Int).into()),
            ("by", Value::Bytes("ab".into())),
            (
                "m",
                map(
                    any,
                    &[("b", 2.0.into()), ("a", map(any, &[("x", "deep".into())]))],
                ),
            ),
            ("em", map(any, &[])),
            ("sm", map(MapKind::Str, &[("k", "v".into())])),
            ("ms", List::new(maps, Elem::Map).into()),
        ],
    )
}

fn run(source: &str) -> Result<String, String> {
    let mut world = World::new(jiff::Timestamp::UNIX_EPOCH, [7; 32]);
    let mut templates = Templates::new(&[&FUNCTIONS]);
    templates
        .parse("_h.tpl", HELPERS)
        .map_err(|error| error.to_string())?;
    templates
        .parse("t", source)
        .map_err(|error| error.to_string())?;
    let output = templates
        .execute("t", &data(), &mut world)
        .map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}

#[test]
fn writes_and_fails_as_go_does() {
    let cases = include_str!("fixtures/template/cases.json");
    let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let result = run(&case.template);
        let expected = match (&case.output, &case.error) {
            (Some(output), None) => Ok(output.clone()),
            (None, Some(error)) => Err(error.clone()),
            _ => panic!("a case has either output or error: {}", case.template),
        };
        if result != expected {
            wrong.push(format!(
                "{}\n  got  {result:?}\n  want {expected:?}",
                case.template
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}
