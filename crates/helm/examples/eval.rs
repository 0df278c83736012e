//! Renders charts given as JSON lines: the engine alone, for tests and for other programs.
//!
//! One request per line on standard input:
//!
//! ```json
//! {"id": "1", "helm": "4", "chart": {"Chart.yaml": "…", "templates/case.yaml": "…"},
//!  "values": "a: 1", "release": "rel", "namespace": "ns", "kubeVersion": "v1.36.0",
//!  "apiVersions": ["example.com/v1"], "template": "templates/case.yaml"}
//! ```
//!
//! One answer per line on standard output, in the same order: `{"id", "output"}` with the text of that
//! template before documents are split (`output_b64` when it is not UTF-8), or `{"id", "error"}`. Without
//! `template` the answer is `{"id", "outputs": {path: text}}`. `values` stand for the chart's
//! `values.yaml` if it has none, else for a file given with `-f`.

use base64::Engine;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use windlass_helm::chart::{self, Chart, Options, Overrides, Profile, Release};
use windlass_helm::template::World;
use windlass_helm::value::Str;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    id: Value,
    #[serde(default)]
    helm: String,
    chart: BTreeMap<String, String>,
    #[serde(default)]
    values: String,
    release: Option<String>,
    namespace: Option<String>,
    kube_version: Option<String>,
    #[serde(default)]
    api_versions: Vec<String>,
    template: Option<String>,
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let answer = match serde_json::from_str(&line) {
            Ok(request) => answer(request),
            Err(error) => json!({"id": null, "error": format!("request: {error}")}),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn answer(request: Request) -> Value {
    let id = request.id.clone();
    let template = request.template.clone();
    let outputs = match render(request) {
        Ok(outputs) => outputs,
        Err(error) => return json!({"id": id, "error": error.to_string()}),
    };
    let Some(template) = template else {
        let outputs: BTreeMap<_, _> = outputs
            .iter()
            .map(|(path, text)| (path, String::from_utf8_lossy(text)))
            .collect();
        return json!({"id": id, "outputs": outputs});
    };
    let found = outputs
        .iter()
        .find(|(path, _)| path.split_once('/').is_some_and(|(_, p)| p == template));
    match found {
        None => json!({"id": id, "error": format!("no template {template}")}),
        Some((_, text)) => match std::str::from_utf8(text) {
            Ok(text) => json!({"id": id, "output": text}),
            Err(_) => {
                let text = base64::engine::general_purpose::STANDARD.encode(text);
                json!({"id": id, "output_b64": text})
            }
        },
    }
}

fn render(request: Request) -> Result<BTreeMap<String, Vec<u8>>, chart::Error> {
    let profile = if request.helm == "3" {
        Profile::Helm3
    } else {
        Profile::Helm4
    };
    let mut files = request.chart;
    let mut overrides = Overrides::default();
    if files.contains_key("values.yaml") {
        overrides
            .files
            .push(("values.yaml".to_owned(), request.values.into_bytes()));
    } else {
        files.insert("values.yaml".to_owned(), request.values);
    }
    let files = files
        .into_iter()
        .map(|(path, text)| (path, Str::from(text)));
    let chart = Chart::from_files(files.collect(), profile)?;
    let options = Options {
        profile,
        kube_version: request.kube_version,
        api_versions: request.api_versions,
        ..Options::default()
    };
    let default = Release::default();
    let release = Release {
        name: request.release.unwrap_or(default.name),
        namespace: request.namespace.unwrap_or(default.namespace),
        ..Release::default()
    };
    let user = chart::compose(&overrides, profile)?;
    let prepared = chart::prepare(&chart, &user, &options)?;
    let mut world = World::new(jiff::Timestamp::now(), [7; 32]);
    chart::execute(&prepared, &release, profile, &mut world)
}
