//! The exit codes: what a script may rely on. `--help` prints this table.

/// How a run ended, as the process tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or no changes.
    Done = 0,
    /// The work failed.
    Failed = 1,
    /// The command line, `windlass.yaml` or the kubeconfig is wrong.
    Usage = 2,
    /// `diff` or `drift` with `--exit-code` found changes, `lock outdated` with it newer digests.
    Pending = 3,
    /// A check found something wrong with what it checked.
    Findings = 4,
    /// Another deploy of the app holds the lock.
    Locked = 5,
    /// Applied, but not ready in time, or it will never be.
    NotReady = 6,
    /// Stopped for safety: a conflict, a stale plan, the prune guard.
    Unsafe = 7,
    /// Interrupted by Ctrl-C; the record is consistent.
    Interrupted = 130,
    /// Ended by SIGTERM; the record is consistent.
    Terminated = 143,
}

impl Exit {
    /// The table of exit codes as `--help` prints it.
    pub const HELP: &str = "Exit codes: 0 done or no changes, 1 failed, 2 usage or configuration, \
        3 changes pending (--exit-code), 4 check findings, 5 locked by another deploy, 6 not ready in time, \
        7 stopped for safety, 130/143 interrupted";
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
