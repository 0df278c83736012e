//! Running a builder: its output line by line, its end, and an end to it when the run is stopped.

use super::Error;
use super::command::Command;
use rustix::process::{Pid, Signal, kill_process_group};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::Path;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Child;
use tokio_util::sync::CancellationToken;

/// How many of the last lines are kept, for an image's ID.
const KEPT: usize = 200;
/// How many of the last lines an error shows.
const SHOWN: usize = 12;
/// The longest line; a longer one is cut into several.
const MAX_LINE: usize = 16 << 10;
/// How long a stopped builder has for taking down what it put up.
const GRACE: Duration = Duration::from_secs(10);
/// How long is waited for output after the end: what a builder leaves running holds it open.
const DRAIN: Duration = Duration::from_secs(2);

/// What runs, for whom, and who hears of it.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    /// The image that is built.
    pub(super) image: &'a str,
    /// The folder that the program runs in; `None` is that of windlass.
    pub(super) folder: Option<&'a Path>,
    /// Gets every line of output.
    pub(super) log: &'a dyn Fn(&str),
    /// Stops the program.
    pub(super) stop: &'a CancellationToken,
}

impl Run<'_> {
    /// Runs a program to its end and gives the last lines of its stdout.
    pub(super) async fn run(self, command: &Command) -> Result<Vec<String>, Error> {
        if self.stop.is_cancelled() {
            return Err(self.stopped());
        }
        let mut child = self.start(command)?;
        let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        // Both streams, in the order in which they came.
        let both = RefCell::new(VecDeque::new());
        let own = RefCell::new(VecDeque::new());
        let output = async {
            tokio::join!(
                lines(stdout, |line| self.take(line, &[&own, &both])),
                lines(stderr, |line| self.take(line, &[&both])),
            );
        };
        let mut output = std::pin::pin!(output);
        let mut drained = false;
        let status = tokio::select! {
            status = ended(&mut child, output.as_mut(), &mut drained) => Some(status),
            () = self.stop.cancelled() => None,
        };
        let Some(status) = status else {
            signal(id, Signal::TERM);
            let gone = ended(&mut child, output.as_mut(), &mut drained);
            if tokio::time::timeout(GRACE, gone).await.is_err() {
                signal(id, Signal::KILL);
                drop(child.wait().await);
            }
            return Err(self.stopped());
        };
        if !drained {
            drop(tokio::time::timeout(DRAIN, output).await);
        }
        let status = status.map_err(|source| self.wrong(command, source))?;
        self.check(command, status, &both.borrow())?;
        Ok(own.take().into())
    }

    fn stopped(self) -> Error {
        let image = self.image.to_owned();
        Error::Stopped { image }
    }

    fn start(self, command: &Command) -> Result<Child, Error> {
        let mut process = tokio::process::Command::new(command.program);
        process
            .args(&command.arguments)
            .envs(command.variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: what it starts is stopped with it.
            .process_group(0)
            .kill_on_drop(true);
        if let Some(folder) = self.folder {
            process.current_dir(folder);
        }
        process.spawn().map_err(|source| {
            if source.kind() == std::io::ErrorKind::NotFound {
                Error::NotInstalled {
                    program: command.program,
                    image: self.image.to_owned(),
                }
            } else {
                self.wrong(command, source)
            }
        })
    }

    fn take(self, line: &str, kept: &[&RefCell<VecDeque<String>>]) {
        (self.log)(line);
        for kept in kept {
            let mut kept = kept.borrow_mut();
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(line.to_owned());
        }
    }

    fn check(
        self,
        command: &Command,
        status: ExitStatus,
        lines: &VecDeque<String>,
    ) -> Result<(), Error> {
        if status.success() {
            return Ok(());
        }
        let told = lines.iter().filter(|line| !line.trim().is_empty());
        let told: Vec<String> = told.cloned().collect();
        Err(Error::Failed {
            command: command.name(),
            image: self.image.to_owned(),
            status: status.code(),
            last_lines: told[told.len().saturating_sub(SHOWN)..].to_vec(),
        })
    }

    fn wrong(self, command: &Command, source: std::io::Error) -> Error {
        Error::Run {
            command: command.name(),
            image: self.image.to_owned(),
            source,
        }
    }
}

/// Waits for the end of a program while its output is read.
async fn ended(
    child: &mut Child,
    mut output: Pin<&mut impl Future<Output = ()>>,
    drained: &mut bool,
) -> std::io::Result<ExitStatus> {
    loop {
        tokio::select! {
            status = child.wait() => return status,
            () = output.as_mut(), if !*drained => *drained = true,
        }
    }
}

/// Signals a program and all it started.
fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        // An error says that it is gone already.
        let _gone = kill_process_group(group, signal);
    }
}

/// Reads a stream to its end and passes on its lines, however long or badly encoded.
async fn lines(stream: Option<impl AsyncRead + Unpin>, mut take: impl FnMut(&str)) {
    let Some(mut stream) = stream else {
        return;
    };
    let (mut buffer, mut chunk) = (Vec::new(), [0; 4096]);
    // A read error is the end of the output; the status tells the rest.
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        for &byte in &chunk[..read] {
            if byte == b'\n' || buffer.len() == MAX_LINE {
                take(String::from_utf8_lossy(&buffer).trim_end());
                buffer.clear();
            }
            if byte != b'\n' {
                buffer.push(byte);
            }
        }
    }
    if !buffer.is_empty() {
        take(String::from_utf8_lossy(&buffer).trim_end());
    }
}
