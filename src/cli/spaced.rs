//! Flags whose value may be left out take it after `=` alone, or the next word would be taken for it. People
//! write a space all the same: where only the value can be meant, it is taken for that; where not, the
//! error names the right form.

use super::flags::SWITCH;
use clap::error::{ContextKind, ContextValue};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

/// What the value of such a flag looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `true` or `false`.
    Switch,
    /// `KIND/NAME`.
    Object,
}

impl Form {
    fn is_met(self, word: &str) -> bool {
        match self {
            Self::Switch => matches!(word, "true" | "false"),
            Self::Object => {
                word.contains('/')
                    && !word.starts_with(['-', '.', '/', '~'])
                    && !Path::new(word).exists()
            }
        }
    }
}

/// The flags of all subcommands whose value may be left out, as they are typed.
fn flags(command: &clap::Command) -> BTreeMap<String, Form> {
    let mut found = BTreeMap::new();
    let mut commands = vec![command];
    while let Some(command) = commands.pop() {
        commands.extend(command.get_subcommands());
        for arg in command
            .get_arguments()
            .filter(|arg| arg.is_require_equals_set())
        {
            let is_switch = arg
                .get_value_names()
                .is_some_and(|names| matches!(names, [name] if name == SWITCH));
            let form = if is_switch {
                Form::Switch
            } else {
                Form::Object
            };
            let long = arg.get_long().map(|long| (format!("--{long}"), form));
            found.extend(long);
        }
    }
    found
}

/// The words of a command line, those that can only be the value of the flag before them joined to it.
pub(super) fn joined(
    command: &clap::Command,
    words: impl Iterator<Item = OsString>,
) -> Vec<OsString> {
    let flags = flags(command);
    let mut joined: Vec<OsString> = Vec::new();
    let mut is_over = false;
    for word in words {
        is_over |= word == "--";
        let form = joined.last().and_then(|last| flags.get(last.to_str()?));
        let is_value = form
            .zip(word.to_str())
            .is_some_and(|(form, word)| form.is_met(word));
        match joined.last_mut() {
            Some(flag) if is_value && !is_over => {
                flag.push("=");
                flag.push(word);
            }
            _ => joined.push(word),
        }
    }
    joined
}

/// The error, with the right form where a word is not expected that follows such a flag.
pub(super) fn explained(
    command: &clap::Command,
    words: &[OsString],
    mut error: clap::Error,
) -> clap::Error {
    let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let flags = flags(command);
    let pair = words.windows(2).find_map(|pair| {
        let (flag, word) = (pair[0].to_str()?, pair[1].to_str()?);
        (flags.contains_key(flag) && word == wrong).then(|| format!("{flag}={word}"))
    });
    if let Some(right) = pair {
        let tip = format!("as the value of the flag before it, write '{right}'");
        let tips = ContextValue::StyledStrs(vec![tip.into()]);
        drop(error.insert(ContextKind::Suggested, tips));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, flags::with_switches};
    use clap::CommandFactory as _;

    fn of(line: &str) -> String {
        let words = line.split(' ').map(OsString::from);
        let joined = joined(&with_switches(Cli::command()), words);
        let joined = joined.iter().map(|word| word.to_str().unwrap());
        joined.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_word_that_can_only_be_the_value_is_joined_to_its_flag() {
        assert_eq!(of("w deploy --wait false -y"), "w deploy --wait=false -y");
        assert_eq!(
            of("w deploy app --explain Deployment/web"),
            "w deploy app --explain=Deployment/web"
        );
        for same in [
            "w deploy --wait app chart",
            "w deploy --explain app ./chart",
            "w deploy --explain app --set a=true",
            "w deploy app --explain src/cli",
            "w deploy --set-string true",
            "w deploy -- --wait false",
        ] {
            assert_eq!(of(same), same);
        }
    }
}
