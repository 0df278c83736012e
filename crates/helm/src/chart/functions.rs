//! Helm's own functions: `include`, `tpl`, `required`, `lookup`, `toYaml` and their kin.
//!
//! Follows helm v4 `pkg/engine/funcs.go` and `engine.go`. Sprig's functions are in [`crate::sprig`].

use super::strvals::from_cluster;
use super::{Profile, duration, toml_time};
use crate::limits::{PARSED_BYTES_PER_STEP, cost, is_limit};
use crate::sprig::args::function;
use crate::template::{Fault, Function, Param, Query, Runtime};
use crate::toml::EncodeError;
use crate::value::{Elem, List, Map, MapKind, Str, Value};
use crate::{json, sprig, toml, yaml};

/// What stands before and after the text of `required` and `fail` in an error.
pub(super) const MARKS: [&str; 2] = ["HELM_ERR_START", "HELM_ERR_END"];

/// The tables of functions of a profile; later ones win.
pub(super) fn tables(profile: Profile) -> Vec<&'static [Function]> {
    let mut tables = sprig::tables().to_vec();
    tables.push(BOTH);
    if !profile.is_helm3() {
        tables.extend([HELM4, duration::FUNCTIONS]);
    }
    tables
}

/// The functions of both profiles.
static BOTH: &[Function] = &[
    function("include", &[Param::Str, Param::Any], |run, args| {
        run.include(text(args, 0), &args[1]).map(Value::Str)
    }),
    function("tpl", &[Param::Str, Param::Any], |run, args| {
        run.tpl(text(args, 0), &args[1]).map(Value::Str)
    }),
    function("required", &[Param::Str, Param::Any], |_, args| {
        required(args)
    }),
    function("fail", &[Param::Str], |_, args| Err(marked(text(args, 0)))),
    function(
        "lookup",
        &[Param::Str, Param::Str, Param::Str, Param::Str],
        lookup,
    ),
    function("getHostByName", &[Param::Str], |_, _| Ok(Value::from(""))),
    function("toYaml", &[Param::Any], |run, args| {
        or_empty(run, yaml::emit::to_yaml(&args[0]))
    }),
    function("toYamlPretty", &[Param::Any], |run, args| {
        or_empty(run, yaml::emit::to_yaml_pretty(&args[0]))
    }),
    function("fromYaml", &[Param::Str], |run, args| {
        table(yaml::from_yaml_map(parsed(run, args)?).map_err(|error| error.to_string()))
    }),
    function("fromYamlArray", &[Param::Str], |run, args| {
        array(yaml::from_yaml_list(parsed(run, args)?).map_err(|error| error.to_string()))
    }),
    function("toJson", &[Param::Any], |run, args| {
        or_empty(run, json::to_json(&args[0]))
    }),
    function("fromJson", &[Param::Str], |run, args| {
        table(json::from_json_map(parsed(run, args)?))
    }),
    function("fromJsonArray", &[Param::Str], |run, args| {
        array(json::from_json_list(parsed(run, args)?))
    }),
    function("toPrettyJson", &[Param::Any], |run, args| {
        or_empty(run, json::to_json_pretty(&args[0]))
    }),
    function("toRawJson", &[Param::Any], |_, args| {
        must(json::to_json_raw(&args[0]))
    }),
    function("mustToJson", &[Param::Any], |_, args| {
        must(json::to_json(&args[0]))
    }),
    function("mustToPrettyJson", &[Param::Any], |_, args| {
        must(json::to_json_pretty(&args[0]))
    }),
    function("mustToRawJson", &[Param::Any], |_, args| {
        must(json::to_json_raw(&args[0]))
    }),
    function("mustFromJson", &[Param::Str], |run, args| {
        json::from_json(parsed(run, args)?).map_err(Fault::new)
    }),
    function("toToml", &[Param::Any], |run, args| {
        match toml::to_toml(&args[0]) {
            Ok(text) => Ok(Value::Str(text)),
            Err(EncodeError::Refused(error)) => {
                run.work(cost::FAILED_ENCODING)?;
                Ok(Value::from(error))
            }
            Err(EncodeError::Panicked(error)) => Err(Fault::new(error)),
        }
    }),
    function("fromToml", &[Param::Str], |run, args| {
        table(toml::from_toml(parsed(run, args)?, &toml_time::value))
    }),
];

/// The functions of Helm 4 alone.
static HELM4: &[Function] = &[
    function("mustToYaml", &[Param::Any], |_, args| {
        must(yaml::emit::to_yaml(&args[0]))
    }),
    function("mustToJson", &[Param::Any], |_, args| {
        must(json::to_json(&args[0]))
    }),
    function("mustToToml", &[Param::Any], |_, args| {
        must(toml::to_toml(&args[0]))
    }),
];

/// A string argument; the evaluator has checked that it is one.
fn text(args: &[Value], at: usize) -> &Str {
    args[at]
        .as_str()
        .expect("invariant: the parameter is declared as a string")
}

/// A text to parse, its parsing counted.
fn parsed<'a>(run: &mut dyn Runtime, args: &'a [Value]) -> Result<&'a Str, Fault> {
    let text = text(args, 0);
    run.work((text.len() / PARSED_BYTES_PER_STEP) as u64)?;
    Ok(text)
}

/// The text, or an empty one: `toYaml` and its kin hide their errors, but not those of our own limits.
fn or_empty(run: &mut dyn Runtime, text: Result<Str, String>) -> Result<Value, Fault> {
    match text {
        Ok(text) => Ok(Value::Str(text)),
        Err(error) if is_limit(&error) => Err(Fault::new(error)),
        Err(_) => {
            run.work(cost::FAILED_ENCODING)?;
            Ok(Value::from(""))
        }
    }
}

/// The text, or the error that ends the render.
fn must(text: Result<Str, impl ToString>) -> Result<Value, Fault> {
    text.map(Value::Str)
        .map_err(|error| Fault::new(error.to_string()))
}

/// The map, or one with the error under `Error`, as `fromYaml` gives it.
fn table(read: Result<Map, String>) -> Result<Value, Fault> {
    let map = match read {
        Ok(map) => map,
        Err(error) if is_limit(&error) => return Err(Fault::new(error)),
        Err(error) => {
            let map = Map::new(MapKind::Any);
            map.insert("Error", Value::from(error));
            map
        }
    };
    Ok(Value::Map(map))
}

/// The list, or one whose only item is the error, as `fromYamlArray` gives it.
fn array(read: Result<List, String>) -> Result<Value, Fault> {
    let list = match read {
        Ok(list) => list,
        Err(error) if is_limit(&error) => return Err(Fault::new(error)),
        Err(error) => List::new(vec![Value::from(error)], Elem::Any),
    };
    Ok(Value::List(list))
}

/// `required`: nil and the empty string are missing; `false` and 0 are not.
fn required(args: &[Value]) -> Result<Value, Fault> {
    let missing = match &args[1] {
        Value::Nil => true,
        Value::Str(text) => text.is_empty(),
        _ => false,
    };
    if missing {
        Err(marked(text(args, 0)))
    } else {
        Ok(args[1].clone())
    }
}

/// An error whose text Helm will cut out of Go's wrapping by its marks.
fn marked(message: &Str) -> Fault {
    Fault::new(format!("{}{}{}", MARKS[0], message.to_text(), MARKS[1]))
}

/// `lookup`: an empty map without a cluster.
fn lookup(run: &mut dyn Runtime, args: &[Value]) -> Result<Value, Fault> {
    let [api_version, kind, namespace, name] =
        [0, 1, 2, 3].map(|at| text(args, at).to_text().into_owned());
    let query = Query {
        api_version,
        kind,
        namespace,
        name,
    };
    match run.world().look_up(&query) {
        Some(answer) => answer.map(from_cluster).map_err(Fault::new),
        None => Ok(Value::empty_map()),
    }
}
