//! A hermetic place to run the program in: an empty folder, a cleared environment, paths replaced.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A folder of its own for one test.
pub(crate) struct TestEnv {
    folder: TempDir,
}

impl TestEnv {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::new().expect("a temporary folder can be made"),
        }
    }

    /// A copy of a folder of the repository.
    pub(crate) fn copy_of(folder: &str) -> Self {
        let env = Self::new();
        copy(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
            env.path(),
        );
        env
    }

    /// Copies a folder of the repository to a place in here.
    pub(crate) fn copy(&self, folder: &str, to: &str) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy(&root.join(folder), &self.path().join(to));
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, making its folders.
    pub(crate) fn write(&self, path: &str, text: &str) -> &Self {
        let file = self.path().join(path);
        fs::create_dir_all(file.parent().expect("a file is in a folder")).unwrap();
        fs::write(file, text).unwrap();
        self
    }

    /// Reads a file.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap()
    }

    /// Runs windlass here, without any environment.
    pub(crate) fn run(&self, arguments: &[&str]) -> Shown {
        self.run_with(arguments, &[])
    }

    /// Runs windlass here with these variables only.
    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Shown {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        let output = command.output().expect("the program starts");
        Shown::new(&output, self.path())
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
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        Shown::new(&running.wait_with_output().unwrap(), self.path())
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
        Shown::new(&running.wait_with_output().unwrap(), self.path())
    }

    /// The program, here and with an environment of its own.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .env("COLUMNS", "100")
            .stdin(Stdio::null());
        command
    }
}

/// What a run printed and how it ended.
pub(crate) struct Shown {
    /// Data.
    pub(crate) stdout: String,
    /// Everything else.
    pub(crate) stderr: String,
    /// The exit code.
    pub(crate) code: i32,
}

impl Shown {
    fn new(output: &Output, folder: &Path) -> Self {
        let folder = folder.display().to_string();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&folder, "$DIR");
        Self {
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            code: output.status.code().unwrap_or(-1),
        }
    }

    /// Exit code, stdout and stderr in one text, for a snapshot.
    pub(crate) fn all(&self) -> String {
        format!(
            "exit: {}\n--- stdout\n{}--- stderr\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target: PathBuf = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
