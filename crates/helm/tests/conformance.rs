//! The engine against what the real Helm printed.
//!
//! Every folder of `fixtures/charts/` is a chart with the arguments it was rendered with (`args`) and
//! what Helm 4 and, where it differs, Helm 3 printed; `record` there writes them anew. Every line of
//! `cases/*.jsonl` is one template with the output or error of both.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot read its fixtures has failed"
)]

use libtest_mimic::{Arguments, Failed, Trial};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use windlass_helm::chart::{self, Chart, Options, Overrides, Profile, Release};
use windlass_helm::template::World;
use windlass_helm::value::Str;

/// How many single templates are one test: few enough that all cores have work to the end.
const PART: usize = 64;
/// How many of the cases that differ are shown.
const SHOWN: usize = 5;

fn main() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut trials = Vec::new();
    for case in folders(&tests.join("fixtures/charts")) {
        for profile in [Profile::Helm4, Profile::Helm3] {
            let name = case.file_name().unwrap().to_string_lossy().into_owned();
            let case = case.clone();
            trials.push(Trial::test(
                format!("chart::{name}::{profile:?}"),
                move || check_chart(&case, profile),
            ));
        }
    }
    for file in ["expressions", "conversions", "objects"] {
        let text = std::fs::read_to_string(tests.join(format!("cases/{file}.jsonl"))).unwrap();
        let mut groups: BTreeMap<String, Vec<Case>> = BTreeMap::new();
        for line in text.lines() {
            let case: Case = serde_json::from_str(line).unwrap();
            groups.entry(case.group.clone()).or_default().push(case);
        }
        for (group, mut cases) in groups {
            for part in 0.. {
                let rest = cases.split_off(cases.len().min(PART));
                let name = format!("{file}::{group}::{part}");
                trials.push(Trial::test(name, move || check_cases(&cases)));
                if rest.is_empty() {
                    break;
                }
                cases = rest;
            }
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn world() -> World {
    World::new("2026-01-02T03:04:05Z".parse().unwrap(), [7; 32])
}

// Charts.

fn check_chart(case: &Path, profile: Profile) -> Result<(), Failed> {
    let read = |name: &str| std::fs::read(case.join(name)).ok();
    let mut recorded = (read("expected.yaml"), read("expected.err"));
    if profile == Profile::Helm3 {
        let helm3 = (read("expected.helm3.yaml"), read("expected.helm3.err"));
        if helm3 != (None, None) {
            recorded = helm3;
        }
    }
    let (text, error) = recorded;
    match (template(case, profile), text, error) {
        (Ok(got), Some(want), _) if got == want => Ok(()),
        (Ok(got), Some(want), _) => Err(difference(&got, &want).into()),
        (Ok(_), None, _) => Err("rendered, but Helm fails".into()),
        (Err(got), None, Some(want)) => {
            let want = String::from_utf8_lossy(&want);
            let want = want
                .split_once("Error: ")
                .map_or(&*want, |(_, error)| error);
            let want = want.trim_end_matches("\n\nUse --debug flag to render out invalid YAML\n");
            if got.trim_end() == want.trim_end() {
                return Ok(());
            }
            Err(format!("error\n{got}\ninstead of\n{want}").into())
        }
        (Err(got), ..) => Err(format!("failed, but Helm renders: {got}").into()),
    }
}

fn difference(got: &[u8], want: &[u8]) -> String {
    let (got, want) = (String::from_utf8_lossy(got), String::from_utf8_lossy(want));
    let differs = got
        .lines()
        .zip(want.lines())
        .position(|(got, want)| got != want);
    let line = differs.unwrap_or_else(|| got.lines().count().min(want.lines().count()));
    let show = |text: &str| text.lines().nth(line).unwrap_or("(the end)").to_owned();
    format!(
        "line {}: {:?} instead of {:?}",
        line + 1,
        show(&got),
        show(&want)
    )
}

/// `helm template rel chart --include-crds`, and the arguments of the case.
fn template(case: &Path, profile: Profile) -> Result<Vec<u8>, String> {
    let mut overrides = Overrides::default();
    let mut release = Release {
        name: "rel".to_owned(),
        ..Release::default()
    };
    let mut options = Options {
        profile,
        include_crds: true,
        ..Options::default()
    };
    let args = std::fs::read_to_string(case.join("args")).unwrap_or_default();
    let mut args = args.lines().map(str::to_owned);
    while let Some(flag) = args.next() {
        let mut value = || args.next().unwrap();
        match flag.as_str() {
            "-f" => {
                let name = value();
                let text = std::fs::read(case.join(&name)).unwrap();
                overrides.files.push((name, text));
            }
            "--set" => overrides.set.push(value()),
            "--set-string" => overrides.set_string.push(value()),
            "--set-json" => overrides.set_json.push(value()),
            "--set-literal" => overrides.set_literal.push(value()),
            "--set-file" => {
                let argument = value();
                for path in chart::set_file_paths(&argument).unwrap() {
                    let text = std::fs::read(case.join(&path)).unwrap();
                    overrides.contents.insert(path, text);
                }
                overrides.set_file.push(argument);
            }
            "-n" => release.namespace = value(),
            "-s" => options.show_only.push(value()),
            "--kube-version" => options.kube_version = Some(value()),
            "--api-versions" => options.api_versions.push(value()),
            "--is-upgrade" => (release.is_upgrade, release.is_install) = (true, false),
            "--skip-tests" => options.skip_tests = true,
            "--no-hooks" => options.no_hooks = true,
            "--skip-schema-validation" => options.skip_schema_validation = true,
            other => panic!("flag {other}"),
        }
    }
    let chart = chart::load(&case.join("chart"), profile).map_err(|error| error.to_string())?;
    let rendered = chart::render(&chart, &overrides, &release, &options, &mut world());
    rendered
        .and_then(|rendered| rendered.to_selected_text(profile))
        .map_err(|e| e.to_string())
}

// Single templates.

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    group: String,
    template: String,
    /// What Helm 4 printed, and Helm 3 unless it stands apart.
    helm4: Answer,
    helm3: Option<Answer>,
}

#[derive(Deserialize, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Output(String),
    /// Not UTF-8: the bytes in hexadecimal.
    Bytes(String),
    Error(String),
}

impl Answer {
    fn shown(&self) -> String {
        match self {
            Self::Output(text) => text.clone(),
            Self::Bytes(hex) => format!("bytes {hex}"),
            Self::Error(text) => format!("error {text}"),
        }
    }
}

fn check_cases(cases: &[Case]) -> Result<(), Failed> {
    let files: BTreeMap<String, String> =
        serde_json::from_str(include_str!("cases/chart.json")).unwrap();
    let files: Files = files
        .into_iter()
        .map(|(name, text)| (name, Str::from(text)))
        .collect();
    let mut wrong = Vec::new();
    for case in cases {
        for (profile, want) in [
            (Profile::Helm4, &case.helm4),
            (Profile::Helm3, case.helm3.as_ref().unwrap_or(&case.helm4)),
        ] {
            let got = answer(&files, &case.template, profile);
            if got != *want {
                let template = &case.template;
                let (got, want) = (got.shown(), want.shown());
                let differs = difference(got.as_bytes(), want.as_bytes());
                wrong.push(format!(
                    "{profile:?}: {template}\n  got  {got}\n  want {want}\n  {differs}"
                ));
            }
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let count = wrong.len();
    wrong.truncate(SHOWN);
    Err(format!(
        "{count} of {} differ\n{}",
        2 * cases.len(),
        wrong.join("\n")
    )
    .into())
}

/// The files of a chart, by path.
type Files = Vec<(String, Str)>;

/// Renders one template in the chart that all cases share.
fn answer(shared: &Files, template: &str, profile: Profile) -> Answer {
    let mut files = shared.clone();
    files.push(("templates/case.yaml".to_owned(), Str::from(template)));
    let version = if profile == Profile::Helm3 {
        "v1.20.0"
    } else {
        "v1.36.0"
    };
    let options = Options {
        profile,
        kube_version: Some(version.to_owned()),
        ..Options::default()
    };
    let release = Release {
        name: "rel".to_owned(),
        namespace: "ns".to_owned(),
        ..Release::default()
    };
    let outputs = Chart::from_files(files, profile).and_then(|chart| {
        let user = chart::compose(&Overrides::default(), profile)?;
        let prepared = chart::prepare(&chart, &user, &options)?;
        chart::execute(&prepared, &release, profile, &mut world())
    });
    match outputs {
        Err(error) => Answer::Error(error.to_string()),
        Ok(mut outputs) => {
            let text = outputs.remove("casechart/templates/case.yaml").unwrap();
            match String::from_utf8(text) {
                Ok(text) => Answer::Output(text),
                Err(error) => {
                    let hex = error.as_bytes().iter().map(|byte| format!("{byte:02x}"));
                    Answer::Bytes(hex.collect())
                }
            }
        }
    }
}
