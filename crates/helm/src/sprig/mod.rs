//! Sprig's functions for templates, as Helm offers them: 3.3.0's `TxtFuncMap` without `env` and
//! `expandenv`.
//!
//! One file for each family; every file has a `TABLE` of the functions in it. Helm's own functions
//! and those that Helm replaces (JSON, YAML, TOML) belong to [`crate::chart`]. Nothing here reads a
//! clock, randomness or the network: those come from the run's [`World`](crate::template::World).

pub(crate) mod args;
mod case;
mod certificates;
mod constraint;
mod crypto;
mod dates;
mod defaults;
mod der;
mod dicts;
mod dsa;
pub(crate) mod duration;
mod encoding;
mod keys;
mod layout;
mod lists;
mod math;
mod merge;
mod modular;
mod net;
pub(crate) mod paths;
mod pem;
mod primes;
mod random;
mod reflection;
mod regex;
pub mod semver;
mod strings;
#[cfg(test)]
mod testing;
mod text;
pub(crate) mod time;
pub(crate) mod time_parse;
pub(crate) mod url;
mod wrap;

use crate::template::Function;

/// The tables of all families.
const TABLES: &[&[Function]] = &[
    strings::TABLE,
    case::TABLE,
    wrap::TABLE,
    lists::TABLE,
    dicts::TABLE,
    merge::TABLE,
    defaults::TABLE,
    math::TABLE,
    encoding::TABLE,
    reflection::TABLE,
    paths::TABLE,
    net::TABLE,
    dates::TABLE,
    crypto::TABLE,
    certificates::TABLE,
    regex::TABLE,
    semver::TABLE,
];

/// The tables of functions, as [`Templates::new`](crate::template::Templates::new) takes them.
#[must_use]
pub fn tables() -> &'static [&'static [Function]] {
    TABLES
}

/// All functions of this module.
///
/// ```
/// let names: Vec<&str> = windlass_helm::sprig::functions().map(|function| function.name).collect();
/// assert!(names.contains(&"genCA") && !names.contains(&"env"));
/// ```
pub fn functions() -> impl Iterator<Item = &'static Function> {
    TABLES.iter().flat_map(|table| table.iter())
}

#[cfg(test)]
mod tests {
    use super::functions;

    #[test]
    fn has_every_function_once() {
        let mut names: Vec<&str> = functions().map(|function| function.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        // Sprig has 211: less `env` and `expandenv`, and the eight JSON functions that are Helm's.
        assert_eq!(count, 201);
    }
}
