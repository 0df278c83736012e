//! Which builder a source names, and its options as kbld spells them.

use super::Error;
use crate::image::BuildSource;
use serde::Deserialize;
use serde_json::Value;

/// A program that builds from a Dockerfile and keeps the image under an ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Needs a daemon.
    Docker,
    /// Needs none.
    Podman,
    /// Needs none; the smallest to install.
    Buildah,
}

impl Program {
    /// All of them, in the order in which they are looked for.
    pub const ALL: [Self; 3] = [Self::Docker, Self::Podman, Self::Buildah];

    /// Its name on the command line and in a Config.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Buildah => "buildah",
        }
    }
}

/// How a source is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Builder {
    /// `docker.build`, `podman.build`, `buildah.build`, or nothing, which is docker as in kbld.
    Dockerfile(Program, Dockerfile),
    /// `docker.buildx`.
    Buildx(Dockerfile),
    /// `kubectlBuildkit.build`.
    KubectlBuildkit(Dockerfile),
    /// `pack.build`.
    Pack(Pack),
    /// `ko.build`.
    Ko(Ko),
    /// `bazel.run`.
    Bazel(Bazel),
}

/// The options of a build from a Dockerfile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dockerfile {
    /// The stage to build.
    pub target: Option<String>,
    /// The platform to build for; in kbld for kubectl-buildkit alone.
    pub platform: Option<String>,
    /// Whether base images are pulled again.
    pub pull: Option<bool>,
    /// Whether every step runs again.
    pub no_cache: Option<bool>,
    /// The Dockerfile, relative to the source's folder.
    pub file: Option<String>,
    /// Whether docker builds with BuildKit; other builders do not look at it.
    pub buildkit: Option<bool>,
    /// Further arguments, passed on as they are.
    pub raw_options: Option<Vec<String>>,
}

/// The options of `pack build`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pack {
    /// The builder image.
    pub builder: String,
    /// The buildpacks, in order.
    pub buildpacks: Option<Vec<String>>,
    /// Whether the build begins without its cache.
    pub clear_cache: Option<bool>,
    /// Further arguments, passed on as they are.
    pub raw_options: Option<Vec<String>>,
}

/// The options of `ko publish`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ko {
    /// Further arguments, passed on as they are.
    pub raw_options: Option<Vec<String>>,
}

/// The options of `bazel run`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bazel {
    /// The target that loads the image into docker.
    pub target: String,
    /// Further arguments, passed on as they are.
    pub raw_options: Option<Vec<String>>,
}

/// What may stand under the name of a builder.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ways<T> {
    build: Option<T>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DockerWays {
    build: Option<Dockerfile>,
    buildx: Option<Dockerfile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BazelWays {
    run: Bazel,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PackWays {
    build: Pack,
}

impl Builder {
    /// The builder of a source. None is docker, as in kbld.
    ///
    /// # Errors
    ///
    /// [`Error::Options`] for an option that the builder does not have or that misses.
    pub fn of(source: &BuildSource) -> Result<Self, Error> {
        let Some((name, options)) = &source.builder else {
            return Ok(Self::Dockerfile(Program::Docker, Dockerfile::default()));
        };
        read(name, options).map_err(|error| Error::Options {
            place: source.place.clone(),
            builder: name.clone(),
            cause: error.to_string(),
        })
    }

    /// The same build by another program, where a Dockerfile is all that is asked for.
    #[must_use]
    pub fn by(self, program: Program) -> Self {
        match self {
            Self::Dockerfile(Program::Docker, options) => Self::Dockerfile(program, options),
            other => other,
        }
    }

    /// The name of the program that is started.
    #[must_use]
    pub fn program(&self) -> &'static str {
        match self {
            Self::Dockerfile(program, _) => program.name(),
            Self::Buildx(_) => "docker",
            Self::KubectlBuildkit(_) => "kubectl",
            Self::Pack(_) => "pack",
            Self::Ko(_) => "ko",
            Self::Bazel(_) => "bazel",
        }
    }

    /// The program that holds the built image, tags and pushes it.
    pub(super) fn store(&self) -> Program {
        match self {
            Self::Dockerfile(program, _) => *program,
            _ => Program::Docker,
        }
    }
}

fn read(name: &str, options: &Value) -> Result<Builder, serde_json::Error> {
    let file = |program| {
        let ways: Ways<Dockerfile> = parse(options)?;
        Ok(Builder::Dockerfile(program, ways.build.unwrap_or_default()))
    };
    match name {
        "docker" => {
            let ways: DockerWays = parse(options)?;
            Ok(match ways.buildx {
                Some(options) => Builder::Buildx(options),
                None => Builder::Dockerfile(Program::Docker, ways.build.unwrap_or_default()),
            })
        }
        "podman" => file(Program::Podman),
        "buildah" => file(Program::Buildah),
        "kubectlBuildkit" => {
            let ways: Ways<Dockerfile> = parse(options)?;
            Ok(Builder::KubectlBuildkit(ways.build.unwrap_or_default()))
        }
        "ko" => {
            let ways: Ways<Ko> = parse(options)?;
            Ok(Builder::Ko(ways.build.unwrap_or_default()))
        }
        "pack" => parse(options).map(|ways: PackWays| Builder::Pack(ways.build)),
        "bazel" => parse(options).map(|ways: BazelWays| Builder::Bazel(ways.run)),
        other => Err(serde::de::Error::custom(format!("no builder {other}"))),
    }
}

/// Nothing (`docker:`) is the same as no options.
fn parse<T: serde::de::DeserializeOwned>(options: &Value) -> Result<T, serde_json::Error> {
    if options.is_null() {
        serde_json::from_str("{}")
    } else {
        T::deserialize(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::config;

    fn source(builder: &str) -> BuildSource {
        let text = format!(
            "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\nsources:\n\
             - image: web\n  path: .\n  {builder}\n"
        );
        config("kbld.yaml", text.as_bytes())
            .unwrap()
            .sources
            .remove(0)
    }

    #[test]
    fn a_source_without_builder_is_dockers() {
        let docker = Builder::Dockerfile(Program::Docker, Dockerfile::default());
        assert_eq!(Builder::of(&source("")).unwrap(), docker);
        assert_eq!(Builder::of(&source("docker:")).unwrap(), docker);
        let none = "docker: {build: {target: null}}";
        assert_eq!(Builder::of(&source(none)).unwrap(), docker);
    }

    #[test]
    fn only_a_build_from_a_dockerfile_changes_its_program() {
        let built = Builder::of(&source("docker: {build: {target: a}}")).unwrap();
        assert_eq!(built.by(Program::Buildah).program(), "buildah");
        for (builder, program) in [
            ("docker: {buildx: {}}", "docker"),
            ("podman: {build: {}}", "podman"),
            ("ko: {}", "ko"),
        ] {
            let built = Builder::of(&source(builder)).unwrap();
            assert_eq!(built.by(Program::Buildah).program(), program);
        }
    }

    #[test]
    fn options_that_a_builder_does_not_have_are_told_with_their_place() {
        for (builder, want) in [
            (
                "docker: {build: {tagret: a}}",
                "kbld.yaml:4:3: options of `docker`: unknown field `tagret`, expected one of \
                 `target`, `platform`, `pull`, `noCache`, `file`, `buildkit`, `rawOptions`",
            ),
            (
                "pack: {build: {}}",
                "kbld.yaml:4:3: options of `pack`: missing field `builder`",
            ),
            (
                "bazel: {run: {rawOptions: []}}",
                "kbld.yaml:4:3: options of `bazel`: missing field `target`",
            ),
        ] {
            let error = Builder::of(&source(builder)).unwrap_err();
            assert_eq!(error.to_string(), want);
        }
    }
}
