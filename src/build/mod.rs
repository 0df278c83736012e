//! Building images from the `sources` of a kbld Config, by the programs that people build with.
//!
//! It starts those programs, shows their output and pushes what they made; registries are asked in
//! `registry/`, and locks are written in `image/`. Options and their order are kbld's
//! (`pkg/kbld/builder`); podman and buildah are builders that kbld does not have.

mod builder;
mod command;
mod error;
mod image;
mod program;

pub use builder::{Builder, Dockerfile, Program};
pub use error::Error;
pub use image::{Built, Push, Task, build};
