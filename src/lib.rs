//! windlass: GitOps without a server.
//!
//! The modules are the stages of the work, in order; `ARCHITECTURE.md` has the picture. Everything
//! before the line below is pure: no network, no clock, no environment. The `online` feature adds
//! the shell around it.

pub mod config;
pub mod event;
pub mod file;
pub mod kapp;
pub mod object;

pub mod diff;
pub mod image;
pub mod inventory;
pub mod plan;
pub mod status;

#[cfg(feature = "online")]
pub mod build;
#[cfg(feature = "online")]
pub mod cluster;
#[cfg(feature = "online")]
pub mod deploy;
#[cfg(feature = "online")]
pub mod deps;
#[cfg(feature = "online")]
pub mod percent;
#[cfg(feature = "online")]
pub mod registry;

#[cfg(feature = "online")]
pub mod cli;
#[cfg(feature = "online")]
pub mod ui;
