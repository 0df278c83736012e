//! What the fuzz targets share: reading their inputs, rendering, and comparing.
//!
//! An input with several texts is one text with headings (`== name`), so that seeds can be read,
//! mutations stay local and a dictionary helps.

use std::cell::RefCell;
use std::collections::HashMap;
use windlass_helm::chart::{self, Chart, Options, Profile, Release};
use windlass_helm::json::to_json;
use windlass_helm::sprig;
use windlass_helm::template::{Limits, Templates, World};
use windlass_helm::value::{Map, MapKind, Str, Value};

/// Both releases of Helm that are followed.
pub const PROFILES: [Profile; 2] = [Profile::Helm4, Profile::Helm3];

/// The chart of inputs that bring none.
pub const CHART_YAML: &str = "apiVersion: v2\nname: c\nversion: 1.0.0\n";

/// The texts of an input by heading; what stands before the first heading has no name.
pub fn sections(data: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut sections = vec![(String::new(), Vec::new())];
    for line in data.split_inclusive(|&byte| byte == b'\n') {
        match line.strip_prefix(b"== ") {
            Some(name) => {
                let name = String::from_utf8_lossy(name.trim_ascii()).into_owned();
                sections.push((name, Vec::new()));
            }
            None => {
                if let Some((_, text)) = sections.last_mut() {
                    text.extend_from_slice(line);
                }
            }
        }
    }
    sections
}

/// An input as the files of a chart, with a `Chart.yaml` if it has none.
pub fn files(data: &[u8]) -> Vec<(String, Str)> {
    let sections = sections(data).into_iter().skip(1);
    let mut files: Vec<(String, Str)> = sections.map(|(name, text)| (name, text.into())).collect();
    if !files.iter().any(|(name, _)| name == "Chart.yaml") {
        files.insert(0, ("Chart.yaml".to_owned(), CHART_YAML.into()));
    }
    files
}

/// A world without a cluster, the same at every call, whose limits are soon reached.
pub fn world() -> World {
    let mut world = World::new(jiff::Timestamp::UNIX_EPOCH, [7; 32]);
    world.limits = Limits {
        steps: 400_000,
        template_steps: 200_000,
        bytes: 32 << 20,
    };
    world
}

/// The output of every template, or the text of the error.
pub fn render(files: &[(String, Str)], profile: Profile) -> Result<Vec<(String, Vec<u8>)>, String> {
    let text = |error: chart::Error| error.to_string();
    let chart = Chart::from_files(files.to_vec(), profile).map_err(text)?;
    let options = Options {
        profile,
        ..Options::default()
    };
    let rendered = chart::prepare(&chart, &Map::new(MapKind::Any), &options);
    let prepared = rendered.map_err(text)?;
    let outputs = chart::execute(&prepared, &Release::default(), profile, &mut world());
    Ok(outputs.map_err(text)?.into_iter().collect())
}

thread_local! {
    /// The templates of [`sprig`], parsed once.
    static PARSED: RefCell<HashMap<&'static str, Templates>> = RefCell::default();
}

/// Runs one template of Sprig's functions with a map of data; an error as its cause.
pub fn sprig(template: &'static str, data: &[(&str, &[u8])]) -> Result<Vec<u8>, String> {
    let map = Map::new(MapKind::Any);
    for (name, text) in data {
        map.insert(*name, Value::str(text));
    }
    PARSED.with_borrow_mut(|parsed| {
        let templates = parsed.entry(template).or_insert_with(|| {
            let mut templates = Templates::new(sprig::tables());
            templates
                .parse("t", template)
                .expect("the target's own template parses");
            templates
        });
        let output = templates.execute("t", &Value::Map(map), &mut world());
        output.map_err(|error| error.cause().to_owned())
    })
}

/// A value as text that is equal where the values are, or `None` where JSON has no words for it or Go's
/// YAML library changes its characters or takes them for line breaks. The negative zero of JSON is a plain one in YAML
/// and counts as that.
pub fn shown(value: &Value) -> Option<Str> {
    let text = to_json(value).ok()?;
    let is_odd = |c| matches!(c, '\u{7f}'..='\u{9f}' | '\u{fffd}'..='\u{ffff}');
    if text.as_utf8()?.contains(is_odd) || text.as_utf8()?.contains("\\u202") {
        return None;
    }
    let mut out = Vec::with_capacity(text.len());
    let mut before = b',';
    for (at, &byte) in text.iter().enumerate() {
        let is_zero = text[at..].starts_with(b"-0");
        let after = text.get(at + 2).copied().unwrap_or(b',');
        if !(is_zero && b"[:,".contains(&before) && b"]},".contains(&after)) {
            out.push(byte);
        }
        before = byte;
    }
    Some(out.into())
}

/// Whether a value, as JSON, has the key `<<`, which Helm, too, writes without quotes and reads as a merge.
pub fn has_merge_key(json: &Str) -> bool {
    json.as_utf8()
        .is_some_and(|text| text.contains(r#""\u003c\u003c":"#))
}

/// The text of `toYaml` with the line break that it trims, which may belong to the last scalar.
pub fn with_line_break(text: &Str) -> Vec<u8> {
    [text.as_bytes(), b"\n"].concat()
}
