//! The command line: parse, gather the outside world, run one subcommand, say how it ended.
//!
//! A file a subcommand. Flags end here: below, no code knows that they exist.

mod adopt;
mod against;
mod carry_out;
mod chart;
mod deadline;
mod delete;
mod deploy;
mod deps;
mod diff;
mod drift;
mod environment;
mod error;
mod excerpt;
mod exit;
mod files;
mod flags;
mod git;
mod history;
mod inspect;
mod interrupt;
mod list;
mod lock;
mod locking;
mod logs;
mod lookup;
mod origin;
mod project;
mod remote;
mod render;
mod repeat;
mod source_map;
mod spaced;
mod stages;
mod target;
mod tree;
mod unlock;
mod values_key;
mod verification;

pub use error::Error;
pub use exit::Exit;

use crate::ui::{self, Colors, LogFormat, Progress, Ui};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use environment::Environment;
use std::io::IsTerminal;
use std::process::ExitCode;

/// GitOps without a server: render, lock, diff, deploy and delete Helm umbrella charts
#[derive(Parser, Debug)]
#[command(
    name = "windlass",
    version,
    arg_required_else_help = true,
    args_override_self = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = Exit::HELP
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

/// Flags of every subcommand.
#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
struct Global {
    /// How the run is told
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        default_value_t = Log::Text,
        hide_default_value = true,
        hide_short_help = true
    )]
    log_format: Log,
    /// When to use colour
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = Color::Auto,
        hide_default_value = true,
        hide_short_help = true
    )]
    color: Color,
    /// Print only data and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Tell more; twice for the requests
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Log {
    Text,
    Json,
    Github,
    Gitlab,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand, Debug)]
enum Command {
    Render(render::Args),
    Lock(Box<lock::Args>),
    Diff(diff::Args),
    Drift(drift::Args),
    Deploy(deploy::Args),
    Delete(delete::Args),
    Inspect(inspect::Args),
    History(history::Args),
    List(list::Args),
    Logs(logs::Args),
    Adopt(adopt::Args),
    Unlock(unlock::Args),
    Deps(deps::Args),
    Chart(chart::Args),
}

/// What every subcommand needs beside its own flags.
struct Context {
    ui: Ui,
    log_format: LogFormat,
    environment: Environment,
}

impl Context {
    /// The time now.
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    /// The time that a build is said to be of: `SOURCE_DATE_EPOCH`, else now; whole seconds.
    fn build_time(&self) -> jiff::Timestamp {
        let second = self.environment.source_date_epoch;
        let second = second.unwrap_or_else(|| self.now().as_second());
        jiff::Timestamp::from_second(second).unwrap_or_default()
    }

    /// The writer of the events of this run.
    fn progress(&self) -> Progress {
        Progress::new(self.ui, self.log_format, jiff::Timestamp::now)
    }
}

/// Runs the program with the arguments, the environment and the terminal of the process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let context = context(&cli.global);
    if context.ui.verbose > 1 {
        ui::show_requests(context.ui);
    }
    match run(cli.command, &context) {
        Ok(exit) => exit.into(),
        Err(error) if error.is_broken_pipe() => Exit::Done.into(),
        Err(error) => {
            context.ui.error(&error.lines());
            error.exit.into()
        }
    }
}

fn parse() -> Result<Cli, clap::Error> {
    let mut command = flags::with_switches(Cli::command());
    let words = spaced::joined(&command, std::env::args_os());
    let matches = command
        .try_get_matches_from_mut(&words)
        .map_err(|error| spaced::explained(&command, &words, error))?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

fn run(command: Command, context: &Context) -> Result<Exit, Error> {
    match command {
        Command::Render(args) => render::run(&args, context),
        Command::Lock(args) => online(lock::run(&args, context)),
        Command::Diff(args) => online(diff::run(&args, context)),
        Command::Drift(args) => online(drift::run(&args, context)),
        Command::Deploy(args) => carry_out::ended(online(deploy::run(&args, context)), context),
        Command::Delete(args) => carry_out::ended(online(delete::run(&args, context)), context),
        Command::Inspect(args) => online(inspect::run(&args, context)),
        Command::History(args) => online(history::run(&args, context)),
        Command::List(args) => online(list::run(&args, context)),
        Command::Logs(args) => online(logs::run(&args, context)),
        Command::Adopt(args) => online(adopt::run(&args, context)),
        Command::Unlock(args) => online(unlock::run(&args, context)),
        Command::Deps(args) => online(deps::run(&args, context)),
        Command::Chart(args) => chart::run(&args, context),
    }
}

/// Runs a subcommand that talks to a cluster or a registry. All its work is waiting for answers, so
/// one thread is enough.
fn online(work: impl Future<Output = Result<Exit, Error>>) -> Result<Exit, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::failed(format!("start the runtime: {error}")))?;
    let result = runtime.block_on(work);
    // A command that fetches credentials may still be running when a signal ended the work.
    runtime.shutdown_background();
    result
}

/// Prints clap's own message; help and version are no errors.
fn usage(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    match error.exit_code() {
        0 if printed.is_ok() => Exit::Done.into(),
        0 => Exit::Done.into(),
        _ => Exit::Usage.into(),
    }
}

fn context(global: &Global) -> Context {
    let environment = Environment::read();
    let colored = |is_terminal: bool| match global.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => environment.force_color || (is_terminal && !environment.no_color),
    };
    let colors = Colors {
        stdout: colored(std::io::stdout().is_terminal()),
        stderr: colored(std::io::stderr().is_terminal()),
    };
    let log_format = match global.log_format {
        Log::Text => LogFormat::Text,
        Log::Json => LogFormat::Json,
        Log::Github => LogFormat::Github,
        Log::Gitlab => LogFormat::Gitlab,
    };
    let ui = Ui {
        colors,
        quiet: global.quiet,
        verbose: global.verbose,
    };
    Context {
        ui,
        log_format,
        environment,
    }
}
