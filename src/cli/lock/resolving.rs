//! Asking registries: the flags, and one answer or one error for all images.

use super::{Context, Error, Exit};
use crate::cli::environment::Environment;
use crate::cli::flags::SWITCH;
use crate::image::lock;
use crate::image::{self, Found, Locks, Override, Platform, Question};
use crate::registry::{self, Answer, Client, Mirrors, Settings, Variables};
use crate::ui::count;
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// How registries are reached.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Registry")]
pub(in crate::cli) struct Registry {
    /// PEM certificates of authorities to trust besides those of the system
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(in crate::cli) registry_ca_cert_path: Vec<PathBuf>,
    /// Check the certificates of registries
    #[arg(long, value_name = SWITCH, default_value_t = true, action = clap::ArgAction::Set, hide_short_help = true)]
    pub(in crate::cli) registry_verify_certs: bool,
    /// Allow plain http for every registry, not only for those on this machine
    #[arg(long, hide_short_help = true)]
    pub(in crate::cli) registry_insecure: bool,
}

/// What of an image is resolved, and from when an answer may be.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Registry")]
pub(super) struct Resolve {
    /// Lock the image for this platform, not the index
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", value_parser = Platform::parse)]
    platform: Option<Platform>,
    /// Take digests that were asked for at most this long ago, for example 10m, and say so
    #[arg(long, value_name = "DURATION", value_parser = crate::cli::flags::duration, hide_short_help = true)]
    max_age: Option<std::time::Duration>,
    #[command(flatten)]
    registry: Registry,
}

/// What was asked for an image, and the answer.
struct Resolved {
    question: Question,
    answer: Answer,
    /// When it was asked for, if that was not just now.
    asked: Option<jiff::Timestamp>,
}

/// The entries that lock images to the digests that registries give. Every failure is shown. A digest
/// that no lock has yet is not taken from a header alone: its manifest is read, and hashed.
pub(super) async fn resolve(
    wanted: &BTreeMap<String, Question>,
    found: &[Found],
    locks: &Locks,
    flags: &Resolve,
    context: &Context,
) -> Result<Vec<Override>, Error> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let questions: Vec<Question> = wanted.values().map(|question| flags.of(question)).collect();
    let answers = ask(questions, locks, flags, context).await?;
    let mut entries = Vec::new();
    let mut failures = Vec::new();
    for (image, answer) in wanted.keys().zip(answers) {
        match answer {
            Ok(resolved) => {
                if let Some(asked) = resolved.asked {
                    let age = crate::cli::inspect::age(Some(asked), context.now());
                    context.ui.note(&format!("  {image}: asked for {age} ago"));
                }
                entries.push(entry(image, &resolved));
            }
            Err(error) => failures.push((image.clone(), error)),
        }
    }
    if failures.is_empty() {
        return Ok(entries);
    }
    let head = format!(
        "{} of {} not resolved",
        failures.len(),
        count(wanted.len(), "image")
    );
    let place = |image: &str| image::places_text(&places(image, found));
    Err(failed(Exit::Failed, &head, &failures, place))
}

impl Resolve {
    /// Nothing but how registries are reached: every digest is asked for.
    pub(super) fn by(registry: &Registry) -> Self {
        Self {
            registry: registry.clone(),
            ..Self::default()
        }
    }

    /// A question with the platform that was typed, unless it has one of its own.
    fn of(&self, question: &Question) -> Question {
        let platform = question.platform.clone().or_else(|| self.platform.clone());
        Question {
            platform,
            ..question.clone()
        }
    }
}

fn entry(image: &str, resolved: &Resolved) -> Override {
    let Answer {
        reference,
        tag,
        index,
    } = &resolved.answer;
    Override {
        origins: lock::origins(image, &resolved.question, tag.as_deref(), index.as_deref()),
        ..lock::locked(image, reference)
    }
}

/// Asks, or takes what the cache has where that is young enough. Only whoever names an age has a
/// cache at all.
async fn ask(
    questions: Vec<Question>,
    locks: &Locks,
    flags: &Resolve,
    context: &Context,
) -> Result<Vec<Result<Resolved, registry::Error>>, Error> {
    let client = flags.registry.client(&context.environment)?;
    let folder = context
        .environment
        .cache_dir
        .as_ref()
        .filter(|_| flags.max_age.is_some());
    let file = folder.map(|folder| folder.join("digests.json"));
    let mut cache = file
        .as_deref()
        .map(registry::Cache::load)
        .unwrap_or_default();
    let age = flags
        .max_age
        .and_then(|age| SignedDuration::try_from(age).ok());
    let known = |question: &Question| {
        let has_more = question.tag.is_some() || question.platform.is_some();
        let known = cache.find(&question.key(), age.filter(|_| !has_more)?, context.now())?;
        let reference = question.reference();
        let answer = Answer {
            reference: known.reference.clone(),
            tag: reference.and_then(|reference| reference.tag),
            index: None,
        };
        Some((answer, known.asked))
    };
    let known: Vec<_> = questions.iter().map(known).collect();
    let unknown = questions
        .iter()
        .zip(&known)
        .filter(|(_, known)| known.is_none());
    let unknown: Vec<Question> = unknown.map(|(question, _)| question.clone()).collect();
    context
        .ui
        .detail(&format!("asking for {}", count(unknown.len(), "digest")));
    let locked = locks.overrides().iter().filter(|entry| entry.preresolved);
    let locked: BTreeSet<&str> = locked.map(|entry| entry.new_image.as_str()).collect();
    let answers = registry::resolve_all(&client, &unknown, &locked).await;
    let mut answers = answers.into_iter();
    let mut resolved = Vec::new();
    for (question, known) in questions.into_iter().zip(known) {
        let answer = match known {
            Some((answer, asked)) => Ok((answer, Some(asked))),
            None => answers
                .next()
                .expect("invariant: an answer to each question")
                .map(|a| (a, None)),
        };
        if let Ok((answer, None)) = &answer {
            cache.put(question.key(), answer.reference.clone(), context.now());
        }
        resolved.push(answer.map(|(answer, asked)| Resolved {
            question,
            answer,
            asked,
        }));
    }
    if let Some(file) = &file
        && let Err(error) = cache.save(file, context.now())
    {
        context
            .ui
            .warning(&format!("digests are not kept: {error}"));
    }
    Ok(resolved)
}

/// One error for all images without an answer; a cause that several share is said once.
pub(super) fn failed(
    exit: Exit,
    head: &str,
    failures: &[(String, registry::Error)],
    place: impl Fn(&str) -> String,
) -> Error {
    let mut causes: indexmap::IndexMap<String, Vec<&str>> = indexmap::IndexMap::new();
    for (image, cause) in failures {
        causes.entry(cause.to_string()).or_default().push(image);
    }
    let mut lines = vec![head.to_owned()];
    for (cause, images) in &causes {
        lines.push(format!("  {cause}"));
        for image in images {
            let place = place(image).replace('\n', "\n  ");
            lines.push(format!("    {image}{place}"));
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
        ..Error::new(exit, anyhow::Error::msg(lines.join("\n")))
    }
}

/// Where an image stands.
pub(super) fn places<'a>(image: &str, found: &'a [Found]) -> Vec<&'a Found> {
    found.iter().filter(|found| found.image == image).collect()
}

impl Registry {
    /// A client for these flags and the environment.
    pub(super) fn client(&self, environment: &Environment) -> Result<Client, Error> {
        settings(self, environment)
            .and_then(Client::new)
            .map_err(registry_error)
    }
}

/// How registries are reached, from flags and the environment. Podman's files are looked for where
/// podman does (containers-auth.json(5), containers-registries.conf(5)).
pub(in crate::cli) fn settings(
    flags: &Registry,
    environment: &Environment,
) -> Result<Settings, registry::Error> {
    let home = |path: &str| environment.home.as_ref().map(|home| home.join(path));
    let in_runtime = |folder: &PathBuf| folder.join("containers/auth.json");
    let docker = environment
        .docker_config
        .clone()
        .or_else(|| home(".docker"));
    let logins = [
        environment.auth_file.clone(),
        docker.map(|folder| folder.join("config.json")),
        environment.runtime_dir.as_ref().map(in_runtime),
        home(".config/containers/auth.json"),
    ];
    let variables = environment.registry_variables.iter();
    Ok(Settings {
        docker_configs: logins.into_iter().flatten().collect(),
        variables: Variables::new(variables.map(|(name, value)| (name.as_str(), value.as_str())))?,
        mirrors: mirrors(environment)?,
        ca_files: flags.registry_ca_cert_path.clone(),
        verify_certificates: flags.registry_verify_certs,
        insecure: flags.registry_insecure,
        proxies: environment.proxies.clone(),
        ..Settings::default()
    })
}

/// The user's `registries.conf` and its drop-in files, else those of the system with the user's.
fn mirrors(environment: &Environment) -> Result<Mirrors, registry::Error> {
    if let Some(file) = &environment.registries_conf {
        return Mirrors::load(std::slice::from_ref(file), &[]);
    }
    let home = environment.home.as_ref();
    let own = home.map(|home| home.join(".config/containers/registries.conf"));
    let own_folder = home.map(|home| home.join(".config/containers/registries.conf.d"));
    let folders = own_folder.into_iter();
    match own.filter(|file| file.exists()) {
        Some(file) => Mirrors::load(&[file], &folders.collect::<Vec<_>>()),
        None => {
            let system = PathBuf::from("/etc/containers/registries.conf.d");
            let folders: Vec<_> = std::iter::once(system).chain(folders).collect();
            Mirrors::load(&["/etc/containers/registries.conf".into()], &folders)
        }
    }
}

/// An error of a registry, with its hint.
pub(in crate::cli) fn registry_error(error: registry::Error) -> Error {
    let hint = error.hint();
    let wrapped = Error::new(Exit::Usage, error);
    match hint {
        Some(hint) => wrapped.hinted(hint),
        None => wrapped,
    }
}
