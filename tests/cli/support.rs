//! A hermetic place to run the program in: an empty folder, a cleared environment, paths replaced.

use std::fs;
use std::io::{Read, Write as _};
use std::net::TcpListener;
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

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, making its folders.
    pub(crate) fn write(&self, path: &str, text: &str) -> &Self {
        let file = self.path().join(path);
        let folder = file.parent().expect("a file is in a folder");
        fs::create_dir_all(folder).expect("a folder can be made");
        fs::write(file, text).expect("a file can be written");
        self
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

    /// The program, here and with an environment of its own.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
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

/// Writes a program. Another process does it: a file that this one has open for writing cannot be run
/// while a child of another test still has it open too.
pub(crate) fn script(file: &Path, text: &str) {
    let folder = file.parent().expect("a file is in a folder");
    fs::create_dir_all(folder).expect("a folder can be made");
    let draft = file.with_extension("draft");
    fs::write(&draft, format!("#!/bin/sh\n{text}")).expect("a file can be written");
    let mut install = Command::new("install");
    install.args(["-m", "755"]).arg(&draft).arg(file);
    assert!(install.status().is_ok_and(|status| status.success()));
    fs::remove_file(draft).expect("a file can be removed");
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
    pub(crate) fn new(output: &Output, folder: &Path) -> Self {
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

/// Copies a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("a folder can be read") {
        let entry = entry.expect("a folder can be read");
        let target: PathBuf = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}

/// The calls of a record of `tests/fixtures/build/stand-in.sh` that build, without the tag or file by
/// which the caller learns what was built.
pub(crate) fn builds(record: &str) -> Vec<String> {
    let is_build = |line: &&str| {
        let [program, subcommand] = [0, 1].map(|at| line.split(' ').nth(at).unwrap_or_default());
        program != "docker" || ["[build]", "[buildx]"].contains(&subcommand)
    };
    let lines = record.lines().filter(|line| !line.starts_with('#'));
    let mut builds: Vec<String> = lines
        .filter(is_build)
        .map(|line| {
            let mut words: Vec<&str> = line.split(' ').collect();
            while let Some(at) = words
                .iter()
                .position(|w| ["[--tag]", "[--iidfile]"].contains(w))
            {
                words.drain(at..at + 2);
            }
            words.join(" ")
        })
        .collect();
    builds.sort();
    builds
}

/// Starts a server on this machine that answers each request, given its head, with a whole answer. Returns its
/// host and port.
pub(crate) fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let head = head(&mut stream);
            let lower = head.to_lowercase();
            let length = lower.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
            // Who sends something hears nothing before all of it was read.
            let body = Read::by_ref(&mut stream).take(length.unwrap_or(0));
            drop(std::io::copy(&mut { body }, &mut std::io::sink()));
            // Who went away needs no answer.
            drop(stream.write_all(&answer(&head)));
        }
    });
    address.to_string()
}

/// The head of a request.
pub(crate) fn head(stream: &mut impl Read) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
        // Who tries TLS first hears at once that it is not spoken here.
        if head == b"\x16" {
            break;
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// An answer of HTTP.
pub(crate) fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// The answer with a file of a folder, for the path of a request.
pub(crate) fn file(folder: &Path, head: &str) -> Vec<u8> {
    let path = head.split([' ', '?']).nth(1).unwrap_or_default();
    match fs::read(folder.join(path.trim_start_matches('/'))) {
        Ok(file) => answer("200 OK", "", &file),
        Err(_) => answer("404 Not Found", "", b"no such file"),
    }
}
