//! Structs, pointers and named types in templates, against what Go 1.26 does with such types.

use crate::template::{Fault, Function, Param, Runtime, Templates, World};
use crate::value::{IntKind, Kind, Map, MapKind, Method, Object, Str, Value};
use std::any::Any;
use std::borrow::Cow;
use std::rc::Rc;

/// `type KV struct{ Version, Major string }` with `func (k *KV) String() string`.
#[derive(Debug)]
struct KubeVersion;

impl Object for KubeVersion {
    fn type_name(&self) -> Cow<'static, str> {
        "main.KV".into()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![("Version", "v1.2".into()), ("Major", "1".into())]
    }

    fn method(&self, name: &[u8]) -> Option<Method> {
        (name == b"String").then_some(Method {
            name: "String",
            params: &[],
            variadic: false,
        })
    }

    fn call(&self, _name: &str, _args: &[Value]) -> Result<Value, String> {
        Ok("v1.2".into())
    }

    fn pointer_to_str(&self) -> Option<Str> {
        Some("v1.2".into())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `type VS []string` with `func (v VS) Has(s string) bool`.
#[derive(Debug)]
struct Versions;

impl Object for Versions {
    fn type_name(&self) -> Cow<'static, str> {
        "main.VS".into()
    }

    fn kind(&self) -> Kind {
        Kind::Slice
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::strings(["v1".into(), "v2".into()]))
    }

    fn method(&self, name: &[u8]) -> Option<Method> {
        (name == b"Has").then_some(Method {
            name: "Has",
            params: &["string"],
            variadic: false,
        })
    }

    fn call(&self, _name: &str, args: &[Value]) -> Result<Value, String> {
        Ok((args[0].as_str().is_some_and(|text| &**text == b"v1")).into())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `*Caps`, a pointer to `struct{ KubeVersion KV; APIVersions VS }`.
#[derive(Debug)]
struct Capabilities;

impl Object for Capabilities {
    fn type_name(&self) -> Cow<'static, str> {
        "*main.Caps".into()
    }

    fn kind(&self) -> Kind {
        Kind::Ptr
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let (version, versions) = (Rc::new(KubeVersion), Rc::new(Versions));
        vec![
            ("KubeVersion", Value::Object(version)),
            ("APIVersions", Value::Object(versions)),
        ]
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `time.Duration`, an `int64` with methods.
#[derive(Debug)]
struct Duration(i64);

impl Object for Duration {
    fn type_name(&self) -> Cow<'static, str> {
        "time.Duration".into()
    }

    fn kind(&self) -> Kind {
        Kind::Int(IntKind::Int64)
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::int64(self.0))
    }

    fn method(&self, name: &[u8]) -> Option<Method> {
        (name == b"Seconds").then_some(Method {
            name: "Seconds",
            params: &[],
            variadic: false,
        })
    }

    fn call(&self, _name: &str, _args: &[Value]) -> Result<Value, String> {
        Ok(90.0.into())
    }

    fn to_str(&self) -> Option<Str> {
        Some("1m30s".into())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `type St struct{ A int; B string }`.
#[derive(Debug)]
struct Plain;

impl Object for Plain {
    fn type_name(&self) -> Cow<'static, str> {
        "main.St".into()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![("A", Value::int(1)), ("B", "x".into())]
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn first(_: &mut dyn Runtime, args: &[Value]) -> Result<Value, Fault> {
    Ok(args[0].clone())
}

fn list(_: &mut dyn Runtime, args: &[Value]) -> Result<Value, Fault> {
    Ok(Value::list(args.to_vec()))
}

static FUNCTIONS: [Function; 6] = [
    Function {
        name: "i64",
        params: &[Param::Int64],
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
        name: "ls",
        params: &[Param::List],
        variadic: false,
        body: first,
    },
    Function {
        name: "upper",
        params: &[Param::Str],
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
        name: "list",
        params: &[Param::Any],
        variadic: true,
        body: list,
    },
];

#[rustfmt::skip]
const CASES: &[(&str, &str)] = &[
    (r"{{ .caps }}", r"{{v1.2 1} [v1 v2]}"),
    (r"{{ .caps.KubeVersion }}", r"v1.2"),
    (r"{{ print .caps.KubeVersion }}", r"{v1.2 1}"),
    (r"{{ .caps.KubeVersion | print }}", r"{v1.2 1}"),
    (r#"{{ printf "%v %+v %#v %s %T" .caps.KubeVersion .caps.KubeVersion .caps.KubeVersion .caps.KubeVersion .caps.KubeVersion }}"#, r#"{v1.2 1} {Version:v1.2 Major:1} main.KV{Version:"v1.2", Major:"1"} {v1.2 1} main.KV"#),
    (r#"{{ printf "%v %+v %s %T" .caps .caps .caps .caps }}"#, r"&{{v1.2 1} [v1 v2]} &{KubeVersion:{Version:v1.2 Major:1} APIVersions:[v1 v2]} &{{v1.2 1} [v1 v2]} *main.Caps"),
    (r#"{{ printf "%#v" .caps }}"#, r#"&main.Caps{KubeVersion:main.KV{Version:"v1.2", Major:"1"}, APIVersions:main.VS{"v1", "v2"}}"#),
    (r#"{{ .caps.APIVersions }} {{ printf "%#v %T %v" .caps.APIVersions .caps.APIVersions .caps.APIVersions }}"#, r#"[v1 v2] main.VS{"v1", "v2"} main.VS [v1 v2]"#),
    (r#"{{ .caps.APIVersions.Has "v1" }} {{ "v2" | .caps.APIVersions.Has }}"#, r"true false"),
    (r"{{ .caps.APIVersions.Has 1 }}", r#"ERROR template: t:1:25: executing "t" at <1>: expected string; found 1"#),
    (r"{{ .caps.APIVersions.Has }}", r#"ERROR template: t:1:8: executing "t" at <.caps.APIVersions.Has>: wrong number of args for Has: want 1 got 0"#),
    (r#"{{ .caps.APIVersions.Has "a" "b" }}"#, r#"ERROR template: t:1:8: executing "t" at <.caps.APIVersions.Has>: wrong number of args for Has: want 1 got 2"#),
    (r"{{ range .caps.APIVersions }}[{{ . }}]{{ end }}{{ index .caps.APIVersions 1 }}{{ len .caps.APIVersions }}", r"[v1][v2]v22"),
    (r"{{ .caps.APIVersions.Nope }}", r#"ERROR template: t:1:8: executing "t" at <.caps.APIVersions.Nope>: can't evaluate field Nope in type main.VS"#),
    (r"{{ .caps.Nope }}", r#"ERROR template: t:1:8: executing "t" at <.caps.Nope>: can't evaluate field Nope in type interface {}"#),
    (r"{{ .caps.KubeVersion.Nope }}", r#"ERROR template: t:1:8: executing "t" at <.caps.KubeVersion.Nope>: can't evaluate field Nope in type main.KV"#),
    (r"{{ .caps.KubeVersion.Version.Nope }}", r#"ERROR template: t:1:8: executing "t" at <.caps.KubeVersion.Version.Nope>: can't evaluate field Nope in type string"#),
    (r#"{{ .caps.KubeVersion "x" }}"#, r#"ERROR template: t:1:8: executing "t" at <.caps.KubeVersion>: KubeVersion has arguments but cannot be invoked as function"#),
    (r"{{ .caps.KubeVersion.String }}", r"v1.2"),
    (r#"{{ "x" | .caps.KubeVersion.String }}"#, r#"ERROR template: t:1:14: executing "t" at <.caps.KubeVersion.String>: wrong number of args for String: want 0 got 1"#),
    (r"{{ (.caps).Nope }}", r#"ERROR template: t:1:4: executing "t" at <.caps>: can't evaluate field Nope in type *main.Caps"#),
    (r"{{ with .caps.KubeVersion }}{{ . }}{{ .Version }}{{ .Nope }}{{ end }}", r#"ERROR template: t:1:52: executing "t" at <.Nope>: can't evaluate field Nope in type main.KV"#),
    (r#"{{ .dur }} {{ printf "%d %v %s %q %x" .dur .dur .dur .dur .dur }}"#, r#"1m30s 90000000000 1m30s 1m30s "1m30s" 316d333073"#),
    (r"{{ eq .dur .dur }} {{ lt .zero .dur }} {{ if .zero }}a{{ else }}b{{ end }} {{ not .dur }}", r"true true b false"),
    (r"{{ eq .dur 1 }} {{ gt .dur 5 }}", r"false true"),
    (r"{{ .dur.Seconds }}", r"90"),
    (r"{{ i64 .dur }}", r#"ERROR template: t:1:7: executing "t" at <.dur>: wrong type for value; expected int64; got time.Duration"#),
    (r"{{ .dur.Nope }}", r#"ERROR template: t:1:7: executing "t" at <.dur.Nope>: can't evaluate field Nope in type interface {}"#),
    (r"{{ upper .dur }}", r#"ERROR template: t:1:9: executing "t" at <.dur>: wrong type for value; expected string; got time.Duration"#),
    (r"{{ len .caps }}", r#"ERROR template: t:1:3: executing "t" at <len .caps>: error calling len: len of type main.Caps"#),
    (r"{{ len .st }}", r#"ERROR template: t:1:3: executing "t" at <len .st>: error calling len: len of type main.St"#),
    (r"{{ index .caps 1 }}", r#"ERROR template: t:1:3: executing "t" at <index .caps 1>: error calling index: can't index item of type main.Caps"#),
    (r#"{{ index .st "A" }}"#, r#"ERROR template: t:1:3: executing "t" at <index .st "A">: error calling index: can't index item of type main.St"#),
    (r"{{ eq .caps .caps }} {{ eq .caps nil }}", r"true false"),
    (r"{{ eq .st .st }} {{ eq .st nil }}", r"true false"),
    (r"{{ eq .st .caps }}", r#"ERROR template: t:1:3: executing "t" at <eq .st .caps>: error calling eq: non-comparable types {%!s(int=1) x}: main.St, *main.Caps: &{{v1.2 1} [v1 v2]}"#),
    (r"{{ eq .st 1 }}", r#"ERROR template: t:1:3: executing "t" at <eq .st 1>: error calling eq: incompatible types for comparison: main.St and int"#),
    (r"{{ lt .st .st }}", r#"ERROR template: t:1:3: executing "t" at <lt .st .st>: error calling lt: invalid type for comparison"#),
    (r#"{{ print .st .st }} {{ .st }} {{ printf "%+v %#v" .st .st }}"#, r#"{1 x} {1 x} {1 x} {A:1 B:x} main.St{A:1, B:"x"}"#),
    (r"{{ range .st }}{{ end }}", r#"ERROR template: t:1:9: executing "t" at <.st>: range can't iterate over {1 x}"#),
    (r"{{ range .caps }}{{ end }}", r#"ERROR template: t:1:9: executing "t" at <.caps>: range can't iterate over {{v1.2 1} [v1 v2]}"#),
    (r"{{ sl .caps.APIVersions }}", r"[v1 v2]"),
    (r"{{ ls .caps.APIVersions }}", r#"ERROR template: t:1:11: executing "t" at <.caps.APIVersions>: wrong type for value; expected []interface {}; got main.VS"#),
    (r"{{ upper .st }} ", r#"ERROR template: t:1:9: executing "t" at <.st>: wrong type for value; expected string; got main.St"#),
    (r"{{ upper .caps }}", r#"ERROR template: t:1:9: executing "t" at <.caps>: wrong type for value; expected string; got *main.Caps"#),
    (r"{{ .st.A }} {{ .st.B.C }}", r#"ERROR template: t:1:18: executing "t" at <.st.B.C>: can't evaluate field C in type string"#),
    (r"{{ .st.A.C }}", r#"ERROR template: t:1:6: executing "t" at <.st.A.C>: can't evaluate field C in type int"#),
    (r"{{ html .caps.KubeVersion }}|{{ html .caps }}|{{ js .dur }}", r"{v1.2 1}|{{v1.2 1} [v1 v2]}|1m30s"),
    (r"{{ if .caps }}t{{ end }}{{ if .st }}t{{ end }}", r"tt"),
    (r#"{{ print (list .dur .st) }} {{ printf "%d" (list .dur) }} {{ printf "%d" .st }} {{ printf "%t" .dur }}"#, r"[1m30s {1 x}] [90000000000] {1 %!d(string=x)} %!t(time.Duration=90000000000)"),
    (r"{{ index (list 1 2) .zero }}", r"1"),
    (r#"{{ $k := .caps.KubeVersion }}{{ $k }} {{ $k | printf "%v" }}"#, r"v1.2 {v1.2 1}"),
    (r"{{ id .caps.KubeVersion }}", r"{v1.2 1}"),
];

#[test]
fn treats_structs_pointers_and_named_types_as_go_does() {
    let data = Map::new(MapKind::Any);
    data.insert("caps", Value::Object(Rc::new(Capabilities)));
    data.insert("dur", Value::Object(Rc::new(Duration(90_000_000_000))));
    data.insert("zero", Value::Object(Rc::new(Duration(0))));
    data.insert("st", Value::Object(Rc::new(Plain)));
    let data = Value::Map(data);
    for (source, expected) in CASES {
        let mut world = World::new(jiff::Timestamp::UNIX_EPOCH, [7; 32]);
        let mut templates = Templates::new(&[&FUNCTIONS]);
        templates.parse("t", *source).unwrap();
        let output = match templates.execute("t", &data, &mut world) {
            Ok(output) => String::from_utf8(output).unwrap(),
            Err(error) => format!("ERROR {error}"),
        };
        assert_eq!(&output, expected, "{source}");
    }
}
