//! Building one image: build, find its ID, name it, push it.

use super::Error;
use super::builder::{Builder, Program};
use super::command::{self, Output};
use super::program::Run;
use crate::image::{Destination, Place, Reference, repository_text};
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

/// The longest part of a tag that tells the image's name, as in kbld.
const MAX_NAME: usize = 50;

/// An image to build.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The image as it stands in the manifests.
    pub image: String,
    /// The builder and its options.
    pub builder: Builder,
    /// The folder that is built.
    pub path: String,
    /// Where the source stands.
    pub place: Place,
    /// Where the image is pushed; `None` leaves it on this machine.
    pub push: Option<Push>,
    /// A name that no other build has, for tags that are needed before the image has an ID.
    pub unique: String,
}

/// Where an image is pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The repository.
    pub repository: String,
    /// Arguments by which podman and buildah are told how far the registry is trusted.
    pub trust: Vec<String>,
}

impl Push {
    /// The repository of a destination.
    ///
    /// # Errors
    ///
    /// [`Error::Destination`] when it says more than a repository.
    pub fn to(destination: &Destination, trust: Vec<String>) -> Result<Self, Error> {
        let new_image = &destination.new_image;
        match Reference::parse(new_image) {
            Ok(parsed) if parsed.tag.is_none() && parsed.digest.is_none() => Ok(Self {
                repository: new_image.clone(),
                trust,
            }),
            _ => Err(Error::Destination {
                place: destination.place.clone(),
                image: destination.matcher.text().to_owned(),
                new_image: new_image.clone(),
            }),
        }
    }
}

/// A built image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Built {
    /// It is in its registry under this reference, which no other build writes.
    Pushed(String),
    /// It is on this machine under this reference, whose tag names its content.
    Local(String),
}

/// Builds one image and pushes it, if it has a destination. `scratch` is an empty folder; `log` gets
/// every line that the builder prints.
///
/// # Errors
///
/// The first step that failed; [`Error::Stopped`] after `stop`, once its builder has ended.
pub async fn build(
    task: &Task,
    scratch: &Path,
    log: &dyn Fn(&str),
    stop: &CancellationToken,
) -> Result<Built, Error> {
    let run = Run {
        image: &task.image,
        folder: None,
        log,
        stop,
    };
    let folder = PathBuf::from(&task.path);
    if !folder.is_dir() {
        let (place, path) = (task.place.clone(), task.path.clone());
        return Err(Error::Folder { place, path });
    }
    let name = repository_text(&task.image);
    let (id_file, reference) = (scratch.join("id"), early_reference(task));
    let output = Output {
        id_file: &id_file,
        reference: &reference,
        push: task.push.is_some(),
    };
    let command = command::build(&task.builder, name, output);
    log(&format!("building {} with {}", task.path, command.name()));
    let folder = Some(folder.as_path());
    let lines = Run { folder, ..run }.run(&command).await?;
    match (&task.builder, &task.push) {
        (Builder::Buildx(_) | Builder::KubectlBuildkit(_), Some(_)) => {
            return Ok(Built::Pushed(reference));
        }
        (Builder::KubectlBuildkit(_), None) => return Ok(Built::Local(reference)),
        _ => {}
    }
    let id = id(&task.builder, &lines, &id_file, run).await?;
    let id = id.ok_or_else(|| Error::NoId {
        command: command.name(),
        image: task.image.clone(),
    })?;
    keep(task, &id, run).await
}

/// The reference for builders that have to know it before there is an ID.
fn early_reference(task: &Task) -> String {
    match &task.push {
        Some(push) => format!("{}:windlass-{}", push.repository, task.unique),
        None => format!("kbld:rand-{}-{}", task.unique, short(&task.image)),
    }
}

/// The ID of the built image: 64 hexadecimal digits.
async fn id(
    builder: &Builder,
    lines: &[String],
    id_file: &Path,
    run: Run<'_>,
) -> Result<Option<String>, Error> {
    let after = |label: &str| {
        let text = lines.iter().rev().find_map(|line| line.split_once(label));
        text.map(|(_, id)| id.split_whitespace().next().unwrap_or_default().to_owned())
    };
    let text = match builder {
        Builder::Pack(_) => after("Image ID: "),
        Builder::Bazel(_) => after("Loaded image ID: "),
        Builder::Ko(_) => match lines.iter().rev().find(|line| !line.is_empty()) {
            Some(reference) => run.run(&command::id_of(reference)).await?.pop(),
            None => None,
        },
        _ => std::fs::read_to_string(id_file).ok(),
    };
    let id = text.map(|text| text.trim().trim_start_matches("sha256:").to_owned());
    Ok(id.filter(|id| id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())))
}

/// Pushes an image, or gives it kbld's name for images that stay on the machine. Both tags name the
/// content: the same image gets the same tag again.
async fn keep(task: &Task, id: &str, run: Run<'_>) -> Result<Built, Error> {
    let store = task.builder.store();
    let Some(push) = &task.push else {
        let reference = format!("kbld:{}-sha256-{id}", short(&task.image));
        run.run(&command::tag(store, id, &reference)).await?;
        return Ok(Built::Local(reference));
    };
    let reference = format!("{}:windlass-sha256-{id}", push.repository);
    (run.log)(&format!("pushing {reference}"));
    if store == Program::Docker {
        run.run(&command::tag(store, id, &reference)).await?;
    }
    run.run(&command::push(store, id, &reference, &push.trust))
        .await?;
    Ok(Built::Pushed(reference))
}

/// A name as a part of a tag, as kbld cleans it (`builder/tag_builder.go`).
fn short(image: &str) -> String {
    let mut clean = String::new();
    let mut replaced = false;
    for char in repository_text(image).chars() {
        let kept = char.is_ascii_alphanumeric() || char == '-';
        if kept || !replaced {
            clean.push(if kept { char } else { '-' });
        }
        replaced = !kept;
    }
    if clean.len() > MAX_NAME {
        clean.truncate(MAX_NAME);
        if clean.ends_with('-') {
            clean.pop();
            clean.push('e');
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_as_kbld_does() {
        assert_eq!(short("team/repo_-app:1.2"), "team-repo--app");
        let long = format!("{}.rest", "a".repeat(49));
        assert_eq!(short(&long), format!("{}e", "a".repeat(49)));
    }
}
