//! Why an image was not built.

use crate::image::Place;
use thiserror::Error;

/// An image that was not built or not pushed.
#[derive(Debug, Error)]
pub enum Error {
    /// Options of a source that its builder does not have.
    #[error("{place}: options of `{builder}`: {cause}")]
    Options {
        /// Where the source stands.
        place: Place,
        /// The builder.
        builder: String,
        /// What is wrong with them.
        cause: String,
    },
    /// The folder of a source is not there.
    #[error("{place}: path `{path}` is not a folder")]
    Folder {
        /// Where the source stands.
        place: Place,
        /// The path.
        path: String,
    },
    /// A destination that says more than a repository.
    #[error(
        "{place}: destination `{new_image}` of `{image}` has to be a repository without tag and digest"
    )]
    Destination {
        /// Where the destination stands.
        place: Place,
        /// The image.
        image: String,
        /// The destination.
        new_image: String,
    },
    /// The folder for what builders leave cannot be written.
    #[error("write temporary files of a build: {0}")]
    Scratch(std::io::Error),
    /// A program that is needed is not there.
    #[error("`{program}` is not installed, which builds `{image}`")]
    NotInstalled {
        /// Its name.
        program: &'static str,
        /// The image.
        image: String,
    },
    /// The system does not start or read a program.
    #[error("run `{command}` for `{image}`: {source}")]
    Run {
        /// The program and its subcommand.
        command: String,
        /// The image.
        image: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// A program failed.
    #[error("`{command}` for `{image}` {}{}", ended(*.status), tail(last_lines))]
    Failed {
        /// The program and its subcommand; its arguments may hold secrets.
        command: String,
        /// The image.
        image: String,
        /// Its exit status; `None` when a signal ended it.
        status: Option<i32>,
        /// The last lines of what it printed.
        last_lines: Vec<String>,
    },
    /// A program did not say which image it made.
    #[error("`{command}` for `{image}` ended well, but did not say which image it made")]
    NoId {
        /// The program and its subcommand.
        command: String,
        /// The image.
        image: String,
    },
    /// The run was stopped before the image was there.
    #[error("the build of `{image}` was stopped")]
    Stopped {
        /// The image.
        image: String,
    },
}

fn ended(status: Option<i32>) -> String {
    match status {
        Some(status) => format!("ended with status {status}"),
        None => "was ended by a signal".to_owned(),
    }
}

fn tail(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n    {line}")).collect()
}

impl Error {
    /// What the user can do about it, if there is something.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotInstalled { program, .. } => Some(match *program {
                "docker" | "podman" | "buildah" => {
                    "install docker, podman or buildah; buildah needs no daemon: \
                     `apt-get install buildah`"
                        .to_owned()
                }
                "kubectl" => "install kubectl and its buildkit plug-in".to_owned(),
                other => format!("install {other}, or name another builder in `sources`"),
            }),
            Self::Failed { last_lines, .. } if no_daemon(last_lines) => {
                Some("start docker, or build without a daemon: `--builder buildah`".to_owned())
            }
            Self::Destination { .. } => Some("further tags are named by `tags`".to_owned()),
            Self::Folder { .. } => {
                Some("paths of sources begin at the working directory, as in kbld".to_owned())
            }
            _ => None,
        }
    }
}

fn no_daemon(lines: &[String]) -> bool {
    lines
        .iter()
        .any(|line| line.contains("Cannot connect to the Docker daemon"))
}
