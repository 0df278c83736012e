//! Asking registries: the flags, and one answer or one error for all images.

use super::{Context, Error, Exit};
use crate::cli::environment::Environment;
use crate::image::{self, Found};
use crate::registry::{self, Client, Question, Settings};
use crate::ui::count;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// How registries are reached.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Registry")]
pub(super) struct Registry {
    /// PEM certificates of authorities to trust besides those of the system
    #[arg(long, value_name = "FILE")]
    registry_ca_cert_path: Vec<PathBuf>,
    /// Check the certificates of registries
    #[arg(
        long,
        value_name = "BOOL",
        default_value_t = true,
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = clap::ArgAction::Set,
        hide_default_value = true
    )]
    registry_verify_certs: bool,
    /// Allow plain http for every registry, not only for local ones
    #[arg(long)]
    registry_insecure: bool,
}

/// Asks the registries for the digests of the planned images. Every failure is shown.
pub(super) async fn resolve(
    wanted: &BTreeMap<String, String>,
    found: &[Found],
    flags: &Registry,
    context: &Context,
) -> Result<BTreeMap<String, String>, Error> {
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let client = Client::new(settings(flags, &context.environment)).map_err(registry_error)?;
    let questions: Vec<Question> = wanted.values().map(|image| Question::of(image)).collect();
    context
        .ui
        .detail(&format!("asking for {}", count(questions.len(), "digest")));
    let answers = registry::resolve_all(&client, &questions).await;
    let mut resolved = BTreeMap::new();
    let mut failures: Vec<(String, registry::Error)> = Vec::new();
    for (image, answer) in wanted.keys().zip(answers) {
        match answer {
            Ok(answer) => drop(resolved.insert(image.clone(), answer.reference)),
            Err(error) => failures.push((image.clone(), error)),
        }
    }
    if failures.is_empty() {
        Ok(resolved)
    } else {
        Err(unresolved(&failures, wanted.len(), found))
    }
}

/// One error for all images without an answer; a cause that several share is said once.
fn unresolved(failures: &[(String, registry::Error)], wanted: usize, found: &[Found]) -> Error {
    let mut causes: indexmap::IndexMap<String, Vec<&str>> = indexmap::IndexMap::new();
    for (image, cause) in failures {
        causes.entry(cause.to_string()).or_default().push(image);
    }
    let failed = failures.len();
    let mut lines = vec![format!(
        "{failed} of {} not resolved",
        count(wanted, "image")
    )];
    for (cause, images) in &causes {
        lines.push(format!("  {cause}"));
        for image in images {
            let places = image::places_text(&places(image, found)).replace('\n', "\n  ");
            lines.push(format!("    {image}{places}"));
        }
    }
    let mut hints: Vec<String> = failures
        .iter()
        .filter_map(|(_, cause)| cause.hint())
        .collect();
    let mut seen = BTreeSet::new();
    hints.retain(|hint| seen.insert(hint.clone()));
    Error {
        hints,
        ..Error::failed(lines.join("\n"))
    }
}

/// Where an image stands.
pub(super) fn places<'a>(image: &str, found: &'a [Found]) -> Vec<&'a Found> {
    found.iter().filter(|found| found.image == image).collect()
}

/// How registries are reached, from flags and the environment.
pub(super) fn settings(flags: &Registry, environment: &Environment) -> Settings {
    let docker = environment
        .docker_config
        .clone()
        .or_else(|| environment.home.as_ref().map(|home| home.join(".docker")))
        .map(|folder| folder.join("config.json"));
    let podman = environment
        .runtime_dir
        .as_ref()
        .map(|folder| folder.join("containers/auth.json"));
    Settings {
        docker_configs: docker.into_iter().chain(podman).collect(),
        ca_files: flags.registry_ca_cert_path.clone(),
        verify_certificates: flags.registry_verify_certs,
        insecure: flags.registry_insecure,
        proxies: environment.proxies.clone(),
        ..Settings::default()
    }
}

/// An error of a registry, with its hint.
pub(super) fn registry_error(error: registry::Error) -> Error {
    let hint = error.hint();
    let wrapped = Error::new(Exit::Usage, error);
    match hint {
        Some(hint) => wrapped.hinted(hint),
        None => wrapped,
    }
}
