//! Tests of the program that need no cluster: the words, the files, the layers.

mod against;
mod build;
mod deps;
mod deps_left;
mod deps_tls;
mod errors;
mod examples;
mod help;
mod kbld;
mod layering;
mod lock;
mod publish;
mod render;
mod repeat;
mod reports;
mod repository;
mod support;
mod ways;
