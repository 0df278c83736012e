//! A Helm engine as a library: charts, values and Go templates in, manifests out, byte for byte.
//!
//! The crate is pure and synchronous. It reads no clock, no environment and no network; whatever a
//! template may ask of the outside world comes in as a value ([`template::World`]), so that a render
//! can be repeated.
//!
//! The modules form one line, each using only those after it:
//! `chart → { sprig, template } → { yaml, json, toml, re2 } → value`.

pub mod chart;
pub mod json;
mod limits;
mod re2;
pub mod sprig;
pub mod template;
mod threads;
pub mod toml;
pub mod value;
pub mod yaml;

/// The example of the README, so that it is run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
