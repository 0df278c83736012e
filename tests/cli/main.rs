//! Tests of the program that need no cluster: the words, the files, the layers.

mod layering;
mod lock;
mod support;
