//! The help: short enough for a screen, complete with `--help`, and true.

use super::layering::sources;
use super::support::TestEnv;
use std::fs;
use std::path::Path;

const COMMANDS: &[&str] = &[
    "render", "lock", "diff", "drift", "deploy", "delete", "inspect", "history", "list", "logs",
    "unlock", "deps", "chart",
];
/// A screen, with room for the prompt before and after.
const SCREEN: usize = 45;
const WIDTH: usize = 100;

#[test]
fn without_arguments_the_short_help_is_shown() {
    insta::assert_snapshot!(TestEnv::new().run(&[]).all(), @"
    exit: 2
    --- stdout
    --- stderr
    GitOps without a server: render, lock, diff, deploy and delete Helm umbrella charts

    Usage: windlass [OPTIONS] <COMMAND>

    Commands:
      render   Render a chart to manifests, with images pinned by the locks
      lock     Resolve every image of the chart to its digest and write the lock file
      diff     Show what a deploy would change, secrets masked
      drift    Show what others changed since the last deploy, and what is pending
      deploy   Bring an app to the desired state: diff, confirm, apply in order, wait, prune, record
      delete   Delete everything an app owns, in reverse order, and wait
      inspect  Show the objects of an app and how they are
      history  Show the deploys of an app
      list     List the apps of a namespace or a cluster
      logs     Show the logs of the pods of an app
      adopt    Take over a Helm release or a kapp app, whole and as it is
      unlock   Take away the lock of an app whose deploy died
      deps     Restore, update and list the charts that a chart needs
      chart    Pack charts, push them to repositories, pull and delete them

    Options:
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    Output:
      -q, --quiet       Print only data and errors
      -v, --verbose...  Tell more; twice for the requests

    Exit codes: 0 done or no changes, 1 failed, 2 usage or configuration, 3 changes pending
    (--exit-code), 4 check findings, 5 locked by another deploy, 6 not ready in time, 7 stopped for
    safety, 130/143 interrupted
    ");
}

#[test]
fn the_short_help_of_each_command_fits_a_screen() {
    let of_lock = [
        "build", "diff", "list", "outdated", "prune", "publish", "resolve", "set", "verify",
    ];
    let commands = COMMANDS.iter().map(|command| vec![*command]);
    for command in commands.chain(of_lock.map(|command| vec!["lock", command])) {
        let shown = TestEnv::new().run(&[command.as_slice(), &["-h"]].concat());
        let command = command.join(" ");
        let lines = shown.stdout.lines().count();
        assert!(lines <= SCREEN, "{command} -h has {lines} lines");
        let widest = shown.stdout.lines().map(|line| line.chars().count()).max();
        assert!(
            widest.unwrap_or_default() <= WIDTH,
            "{command} -h is {widest:?} wide"
        );
        assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
    }
}

#[test]
fn the_long_help_has_all_flags_and_examples() {
    for (command, flags) in [
        (
            "render",
            "--helm-version --set-literal --name-template --no-hooks --skip-tests",
        ),
        (
            "diff",
            "--files --format --record-namespace --timeout --force-conflicts",
        ),
        (
            "deploy",
            "--max-prune --no-lock --lock-wait --prune --wait --explain --allow-empty",
        ),
        ("delete", "--wait-timeout --no-lock --log-format --color"),
    ] {
        let shown = TestEnv::new().run(&[command, "--help"]);
        for flag in flags.split(' ') {
            assert!(
                shown.stdout.contains(flag),
                "{command} --help without {flag}"
            );
        }
    }
    for command in COMMANDS {
        let shown = TestEnv::new().run(&[command, "--help"]);
        let example = format!("Examples:\n  windlass {command}");
        assert!(
            shown.stdout.contains(&example),
            "{command} --help without examples"
        );
    }
}

#[test]
fn a_command_that_does_not_exist_is_guessed() {
    insta::assert_snapshot!(TestEnv::new().run(&["rendr"]).all(), @"
    exit: 2
    --- stdout
    --- stderr
    error: unrecognized subcommand 'rendr'

      tip: a similar subcommand exists: 'render'

    Usage: windlass [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}

#[test]
fn the_version_is_printed() {
    let shown = TestEnv::new().run(&["--version"]);
    let version = concat!("windlass ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!((shown.code, shown.stdout.as_str()), (0, version));
}

#[test]
fn color_is_asked_for_or_not() {
    let env = TestEnv::new();
    let red = |arguments: &[&str], variables: &[(&str, &str)]| {
        env.run_with(arguments, variables)
            .stderr
            .contains("\u{1b}[")
    };
    assert!(!red(&["render"], &[]));
    assert!(red(&["render", "--color", "always"], &[("NO_COLOR", "1")]));
    assert!(red(&["render"], &[("CLICOLOR_FORCE", "1")]));
    assert!(!red(
        &["render", "--color", "never"],
        &[("CLICOLOR_FORCE", "1")]
    ));
}

/// Messages are fragments that read after `error: `: no capital, unless it is of a name like `API`
/// or `Secret/x`, and no period. The engine is left out: its texts are Helm's.
#[test]
fn messages_are_fragments() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let text = fs::read_to_string(&file).unwrap();
        for message in messages(&text) {
            seen += 1;
            let word = message.split(' ').next().unwrap_or_default();
            let is_capital = word.starts_with(|c: char| c.is_ascii_uppercase());
            let is_name =
                word.contains('/') || word[1.min(word.len())..].contains(char::is_uppercase);
            if (is_capital && !is_name) || message.trim_end().ends_with('.') {
                wrong.push(format!("{}: {message}", file.display()));
            }
        }
    }
    assert!(seen > 50, "only {seen} messages were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The texts of the errors and hints of a file.
fn messages(text: &str) -> Vec<&str> {
    const BEFORE: &[&str] = &[
        "#[error(",
        "Error::usage(",
        "Error::failed(",
        ".hinted(",
        "usage(format!(",
        "failed(format!(",
        "hinted(format!(",
    ];
    BEFORE
        .iter()
        .flat_map(|before| text.split(before).skip(1))
        .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
        .collect()
}
