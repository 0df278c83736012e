//! `.Files`: the files of a chart that are no templates.
//!
//! Follows helm v4 `pkg/engine/files.go`.

use super::glob::Glob;
use super::tree::File;
use crate::value::{Map, MapKind, Method, Object, Str, Value};
use crate::yaml;
use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The files by path; also the methods of the map that templates see.
#[derive(Debug)]
struct Files(BTreeMap<Str, Str>);

/// `.Files` of these files.
pub(super) fn value(files: &[File]) -> Value {
    to_value(
        files
            .iter()
            .map(|file| (file.name.as_str().into(), file.data.clone()))
            .collect(),
    )
}

fn to_value(files: BTreeMap<Str, Str>) -> Value {
    let entries = files
        .iter()
        .map(|(name, data)| (name.clone(), Value::Bytes(data.clone())));
    let entries = entries.collect();
    Value::Map(Map::with_methods(
        MapKind::Files,
        entries,
        Rc::new(Files(files)),
    ))
}

impl Files {
    fn get(&self, name: &Str) -> Str {
        self.0.get(name).cloned().unwrap_or_else(|| Str::from(""))
    }

    fn glob(&self, pattern: &Str) -> Value {
        let pattern = pattern.to_text();
        let glob = Glob::new(&pattern);
        // Helm takes a malformed pattern for `**`.
        let matches = |name: &Str| {
            glob.as_ref()
                .is_none_or(|glob| glob.matches(&name.to_text()))
        };
        let found = self.0.iter().filter(|(name, _)| matches(name));
        to_value(
            found
                .map(|(name, data)| (name.clone(), data.clone()))
                .collect(),
        )
    }

    /// The files by base name as YAML, each content made text by `show`.
    fn flat(&self, show: impl Fn(&Str) -> Str) -> Value {
        let map = Map::new(MapKind::Str);
        for (name, data) in &self.0 {
            let base = name.rsplit(|&byte| byte == b'/').next().unwrap_or(name);
            map.insert(base, Value::Str(show(data)));
        }
        Value::Str(yaml::emit::to_yaml(&Value::Map(map)).unwrap_or_else(|_| Str::from("")))
    }

    fn lines(&self, name: &Str) -> Value {
        let text = self.get(name);
        if text.is_empty() {
            return Value::strings([]);
        }
        let text = text.strip_suffix(b"\n").unwrap_or(&text);
        Value::strings(text.split(|&byte| byte == b'\n').map(Str::from))
    }
}

impl Object for Files {
    fn type_name(&self) -> Cow<'static, str> {
        "engine.files".into()
    }

    fn method(&self, name: &[u8]) -> Option<Method> {
        const METHODS: [(&str, &[&str]); 6] = [
            ("AsConfig", &[]),
            ("AsSecrets", &[]),
            ("Get", &["string"]),
            ("GetBytes", &["string"]),
            ("Glob", &["string"]),
            ("Lines", &["string"]),
        ];
        Method::among(&METHODS, name)
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        use base64::Engine;
        let empty = Str::from("");
        let arg = args.first().and_then(Value::as_str).unwrap_or(&empty);
        Ok(match name {
            "AsConfig" => self.flat(Str::clone),
            "AsSecrets" => self.flat(|data| {
                base64::engine::general_purpose::STANDARD
                    .encode(data.as_bytes())
                    .into()
            }),
            "Get" => Value::Str(self.get(arg)),
            "GetBytes" => Value::Bytes(self.get(arg)),
            "Glob" => self.glob(arg),
            "Lines" => self.lines(arg),
            _ => return Err(format!("no method {name}")),
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
