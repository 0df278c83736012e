//! What only the tests of the words need: pipes for the program, and a look at its files.

use super::support::{Shown, TestEnv, copy};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

impl TestEnv {
    /// Copies a folder of the repository to a place in here.
    pub(crate) fn copy(&self, folder: &str, to: &str) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy(&root.join(folder), &self.path().join(to));
    }

    /// Reads a file.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).expect("a file can be read")
    }

    /// Runs windlass here with this text on stdin.
    pub(crate) fn run_input(&self, arguments: &[&str], input: &str) -> Shown {
        let mut running = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdin = running.stdin.take().expect("stdin is a pipe");
        stdin
            .write_all(input.as_bytes())
            .expect("the program reads its stdin");
        drop(stdin);
        let output = running.wait_with_output().expect("the program ends");
        Shown::new(&output, self.path())
    }

    /// Runs windlass here, with a stdout that nobody reads.
    pub(crate) fn run_into_closed_pipe(&self, arguments: &[&str]) -> Shown {
        let mut running = self
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        drop(running.stdout.take());
        let output = running.wait_with_output().expect("the program ends");
        Shown::new(&output, self.path())
    }
}
