//! Tests against a real cluster and real registries: the testbed, or what its variables name.
//!
//! Each test of the cluster works in a namespace of its own and removes it.

mod build;
mod connection;
mod deletion;
mod deploy;
mod deps;
mod drift;
mod faults;
#[path = "../cli/support.rs"]
mod folder;
mod history;
mod kapp;
mod logs;
mod lookup;
mod museum;
mod oracle;
mod program;
mod promises;
mod provenance;
mod proxy;
mod registry;
mod rights;
mod s3;
mod safety;
mod secrets;
mod sharing;
mod support;
mod texts;
mod trouble;
mod unanswered;
mod unchanged;
mod waiting;
