//! The command lines of the builders: options in kbld's order, as its `pkg/kbld/builder` has them.
//!
//! Pure; nothing is started here.

use super::builder::{Bazel, Builder, Dockerfile, Ko, Pack, Program};
use std::path::Path;

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) program: &'static str,
    pub(super) arguments: Vec<String>,
    /// Variables that it gets beside those of windlass.
    pub(super) variables: Vec<(&'static str, &'static str)>,
}

impl Command {
    fn new(program: &'static str, arguments: &[&str]) -> Self {
        Self {
            program,
            arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
            variables: Vec::new(),
        }
    }

    fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|&text| text.to_owned()));
        self
    }

    fn with_raw(mut self, options: Option<&Vec<String>>) -> Self {
        self.arguments
            .extend(options.into_iter().flatten().cloned());
        self
    }

    /// The program and its subcommand. Arguments are left out: they may hold secrets.
    pub(super) fn name(&self) -> String {
        let words = self
            .arguments
            .iter()
            .take_while(|word| !word.starts_with('-'));
        let words: Vec<&str> = words.take(1).map(String::as_str).collect();
        format!("{} {}", self.program, words.join(" "))
            .trim_end()
            .to_owned()
    }
}

/// Where a build leaves its image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output<'a> {
    /// The file that gets the image's ID from builders that can write one.
    pub(super) id_file: &'a Path,
    /// The reference that the image gets from builders that have to know it beforehand.
    pub(super) reference: &'a str,
    /// Whether those push it there at once.
    pub(super) push: bool,
}

/// The build itself, which runs in the source's folder. `image` is its name without a tag.
pub(super) fn build(builder: &Builder, image: &str, output: Output<'_>) -> Command {
    let id_file = output.id_file.display().to_string();
    match builder {
        Builder::Dockerfile(program, options) => {
            let mut command = with_options(Command::new(program.name(), &["build"]), options)
                .with(&["--iidfile", &id_file, "."]);
            if let (Program::Docker, Some(buildkit)) = (program, options.buildkit) {
                let value = if buildkit { "1" } else { "0" };
                command.variables.push(("DOCKER_BUILDKIT", value));
            }
            command
        }
        Builder::Buildx(options) => {
            let start = Command::new("docker", &["buildx", "build", "--progress=plain"]);
            let built = with_options(start, options);
            if output.push {
                built.with(&["--tag", output.reference, ".", "--push"])
            } else {
                built.with(&["--iidfile", &id_file, ".", "--load"])
            }
        }
        Builder::KubectlBuildkit(options) => {
            let start = Command::new("kubectl", &["buildkit", "build", "--progress=plain"]);
            let push: &[&str] = if output.push { &["--push"] } else { &[] };
            with_options(start, options)
                .with(push)
                .with(&["--tag", output.reference, "."])
        }
        Builder::Pack(options) => pack(image, options),
        Builder::Ko(Ko { raw_options }) => {
            Command::new("ko", &["publish", ".", "--local"]).with_raw(raw_options.as_ref())
        }
        Builder::Bazel(Bazel {
            target,
            raw_options,
        }) => Command::new("bazel", &["run", target]).with_raw(raw_options.as_ref()),
    }
}

fn with_options(mut command: Command, options: &Dockerfile) -> Command {
    let valued = [
        ("--target", &options.target),
        ("--platform", &options.platform),
    ];
    for (flag, value) in valued {
        if let Some(value) = value {
            command = command.with(&[flag, value]);
        }
    }
    for (flag, set) in [("--pull", options.pull), ("--no-cache", options.no_cache)] {
        if set == Some(true) {
            command = command.with(&[flag]);
        }
    }
    if let Some(file) = &options.file {
        command = command.with(&["--file", file]);
    }
    command.with_raw(options.raw_options.as_ref())
}

fn pack(image: &str, options: &Pack) -> Command {
    // Without --verbose the image's ID is not printed.
    let start = [
        "build",
        "--verbose",
        image,
        "--path",
        ".",
        "--builder",
        &options.builder,
    ];
    let mut command = Command::new("pack", &start);
    for buildpack in options.buildpacks.iter().flatten() {
        command = command.with(&["--buildpack", buildpack]);
    }
    if options.clear_cache == Some(true) {
        command = command.with(&["--clear-cache"]);
    }
    command.with_raw(options.raw_options.as_ref())
}

/// Names an image by one more reference.
pub(super) fn tag(store: Program, id: &str, reference: &str) -> Command {
    Command::new(store.name(), &["tag", id, reference])
}

/// Prints the ID of an image that docker knows by a reference.
pub(super) fn id_of(reference: &str) -> Command {
    let arguments = [
        "inspect", "--type", "image", "--format", "{{.Id}}", reference,
    ];
    Command::new("docker", &arguments)
}

/// Pushes an image. Docker pushes what it was tagged as; podman and buildah are told where to, and
/// how far the registry is trusted.
pub(super) fn push(store: Program, id: &str, reference: &str, trust: &[String]) -> Command {
    let start = Command::new(store.name(), &["push"]);
    if store == Program::Docker {
        return start.with(&[reference]);
    }
    let trust: Vec<&str> = trust.iter().map(String::as_str).collect();
    start
        .with(&trust)
        .with(&[id, &format!("docker://{reference}")])
}
