//! Version constraints: `>=1.2 <2 || ~3.1`.
//!
//! Follows Masterminds semver 3.5.0 `constraints.go`; whether a version fits is all that templates can
//! ask, so the reasons why not are left out.

use super::semver::{Version, compare, compare_prerelease};
use crate::limits::{MAX_CONSTRAINT, MAX_CONSTRAINT_GROUPS};
use crate::template::Fault;
use crate::value::quote::quoted;
use regex::Regex;
use std::sync::LazyLock;

/// A version with wildcards, in a constraint.
const VERSION: &str = r"v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?";

/// The operators, in the order in which they are tried.
const OPERATORS: &str = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^";

const SPACE: &str = r"[\t\n\f\r ]";

/// The patterns of the grammar.
struct Patterns {
    one: Regex,
    range: Regex,
    find: Regex,
    group: Regex,
}

static PATTERNS: LazyLock<Option<Patterns>> = LazyLock::new(|| {
    let single = format!("({OPERATORS}){SPACE}*({VERSION})");
    let range = format!("{SPACE}*({VERSION}){SPACE}+-{SPACE}+({VERSION}){SPACE}*");
    let group = format!("^({SPACE}*{single}{SPACE}*)((?:{SPACE}+|,{SPACE}*){single}{SPACE}*)*$");
    Some(Patterns {
        one: Regex::new(&format!("^{SPACE}*{single}{SPACE}*$")).ok()?,
        range: Regex::new(&range).ok()?,
        find: Regex::new(&single).ok()?,
        group: Regex::new(&group).ok()?,
    })
});

/// Alternatives, each of them constraints that must all hold.
#[derive(Debug)]
pub(super) struct Constraints(Vec<Group>);

/// Constraints that have to hold together; `||` stands between groups.
#[derive(Debug)]
struct Group {
    constraints: Vec<Constraint>,
    /// Whether one of them names a pre-release, which admits pre-releases to the group.
    prereleases: bool,
}

impl Group {
    fn new(constraints: Vec<Constraint>) -> Self {
        Self {
            prereleases: constraints.iter().any(|c| !c.version.pre.is_empty()),
            constraints,
        }
    }
}

/// One comparison with a version, of which parts may be left open (`1.x`).
#[derive(Debug)]
struct Constraint {
    operator: Operator,
    version: Version,
    /// No minor version is given.
    any_minor: bool,
    /// A minor version is given, but no patch.
    any_patch: bool,
    /// Something is not given.
    partial: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    TildeOrEqual,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    Tilde,
    Caret,
}

impl Constraints {
    /// Reads a constraint.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        if text.len() > MAX_CONSTRAINT {
            let text = format!("constraint string is too long (max {MAX_CONSTRAINT} bytes)");
            return Err(Fault::new(text));
        }
        if let Some(constraint) = plain(text) {
            return Ok(Self(vec![Group::new(vec![constraint?])]));
        }
        let Some(patterns) = &*PATTERNS else {
            return Err("constraint parser error".into());
        };
        let text = rewrite_ranges(patterns, text);
        let groups: Vec<&str> = text.split("||").collect();
        if groups.len() > MAX_CONSTRAINT_GROUPS {
            let text = format!("too many constraint groups (max {MAX_CONSTRAINT_GROUPS})");
            return Err(Fault::new(text));
        }
        let groups: Result<Vec<Group>, Fault> = groups
            .into_iter()
            .map(|group| parse_group(patterns, group))
            .collect();
        Ok(Self(groups?))
    }

    /// Whether a version satisfies the constraint.
    pub(super) fn allow(&self, version: &Version) -> bool {
        self.0.iter().any(|group| {
            (version.pre.is_empty() || group.prereleases)
                && group.constraints.iter().all(|c| c.allows(version))
        })
    }
}

/// Writes `a - b` as `>= a, <= b`.
fn rewrite_ranges(patterns: &Patterns, text: &str) -> String {
    let mut out = text.to_owned();
    for found in patterns.range.captures_iter(text) {
        // The version has nine groups of its own.
        let group = |at| found.get(at).map_or("", |group| group.as_str());
        let (low, high) = (group(1), group(11));
        out = out.replacen(group(0), &format!(">= {low}, <= {high} "), 1);
    }
    out
}

fn parse_group(patterns: &Patterns, text: &str) -> Result<Group, Fault> {
    if !patterns.group.is_match(text) {
        return Err(Fault::new(format!("improper constraint: {}", quoted(text))));
    }
    let constraints: Result<Vec<Constraint>, Fault> = patterns
        .find
        .find_iter(text)
        .map(|found| parse_one(patterns, found.as_str()))
        .collect();
    Ok(Group::new(constraints?))
}

/// One comparison of the usual form, read without the patterns, which take long to compile: an operator
/// and a version of one to three parts, perhaps with a pre-release.
fn plain(text: &str) -> Option<Result<Constraint, Fault>> {
    let start = text.find(|c: char| !"=!<>~^".contains(c))?;
    let (operator, version) = (&text[..start], text[start..].trim_start_matches(' '));
    if ![
        "", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^",
    ]
    .contains(&operator)
    {
        return None;
    }
    let bare = version.strip_prefix('v').unwrap_or(version);
    let (numbers, pre) = bare.split_at(bare.find('-').unwrap_or(bare.len()));
    let is_wild = |part: &str| matches!(part, "x" | "X" | "*");
    let is_part =
        |part: &str| is_wild(part) || !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let mut parts = numbers.split('.');
    let (major, minor, patch) = (parts.next()?, parts.next(), parts.next());
    let written = [Some(major), minor, patch];
    if parts.next().is_some()
        || !written.iter().flatten().all(|part| is_part(part))
        || !pre.is_empty() && !pre[1..].split('.').all(is_word)
    {
        return None;
    }
    let mut from = major.len();
    let mut dotted = |part: Option<&str>| {
        let start = from;
        from += part.map_or(0, |part| part.len() + 1);
        &numbers[start..from]
    };
    let (minor, patch) = (dotted(minor), dotted(patch));
    Some(constraint(operator, version, [major, minor, patch, pre]))
}

fn parse_one(patterns: &Patterns, text: &str) -> Result<Constraint, Fault> {
    let Some(found) = patterns.one.captures(text) else {
        return Err(Fault::new(format!("improper constraint: {}", quoted(text))));
    };
    let group = |at| found.get(at).map_or("", |group| group.as_str());
    constraint(group(1), group(2), [3, 4, 5, 6].map(group))
}

/// The comparison with a version as written, and its parts with the signs before them.
fn constraint(
    operator_text: &str,
    written: &str,
    [major, minor, patch, pre]: [&str; 4],
) -> Result<Constraint, Fault> {
    let missing = |part: &str| matches!(part.trim_start_matches('.'), "" | "x" | "X" | "*");
    let any_major = missing(major);
    let any_minor = !any_major && missing(minor);
    let any_patch = !any_major && !any_minor && missing(patch);
    let version = if any_major {
        format!("0.0.0{pre}")
    } else if any_minor {
        format!("{major}.0.0{pre}")
    } else if any_patch {
        format!("{major}{minor}.0{pre}")
    } else {
        written.to_owned()
    };
    Ok(Constraint {
        operator: operator(operator_text),
        version: Version::parse(&version).map_err(|_| Fault::new("constraint parser error"))?,
        any_minor,
        any_patch,
        partial: any_major || any_minor || any_patch,
    })
}

fn operator(text: &str) -> Operator {
    match text {
        "!=" => Operator::NotEqual,
        ">" => Operator::Greater,
        "<" => Operator::Less,
        ">=" | "=>" => Operator::GreaterEqual,
        "<=" | "=<" => Operator::LessEqual,
        "~" | "~>" => Operator::Tilde,
        "^" => Operator::Caret,
        _ => Operator::TildeOrEqual,
    }
}

impl Constraint {
    /// Whether a version fulfils the constraint. Whether prereleases count is the group's matter.
    fn allows(&self, version: &Version) -> bool {
        let order = compare(version, &self.version);
        match self.operator {
            Operator::TildeOrEqual if self.partial => self.allows_tilde(version),
            Operator::TildeOrEqual => order.is_eq(),
            Operator::NotEqual => self.differs(version),
            Operator::Greater => self.allows_greater(version),
            Operator::Less => order.is_lt(),
            Operator::GreaterEqual => order.is_ge(),
            Operator::LessEqual if self.partial => {
                let con = &self.version;
                version.major < con.major
                    || version.major == con.major && (version.minor <= con.minor || self.any_minor)
            }
            Operator::LessEqual => order.is_le(),
            Operator::Tilde => self.allows_tilde(version),
            Operator::Caret => self.allows_caret(version),
        }
    }

    fn differs(&self, version: &Version) -> bool {
        let con = &self.version;
        if self.partial {
            if con.major != version.major || con.minor != version.minor && !self.any_minor {
                return true;
            }
            if self.any_minor {
                return false;
            }
            if con.patch != version.patch && !self.any_patch {
                return true;
            }
            if self.any_patch {
                let released = version.pre.is_empty() && con.pre.is_empty();
                return !released && compare_prerelease(&version.pre, &con.pre).is_ne();
            }
        }
        compare(version, con).is_ne()
    }

    /// `>11` asks for 12, `>11.1` for 11.2.
    fn allows_greater(&self, version: &Version) -> bool {
        let con = &self.version;
        if self.partial && version.major != con.major {
            return version.major > con.major;
        }
        if self.partial && self.any_minor {
            return false;
        }
        if self.partial && self.any_patch {
            return version.minor > con.minor;
        }
        compare(version, con).is_gt()
    }

    /// `~1.2`: what is below the minor version may grow, or below the major one if that is all.
    fn allows_tilde(&self, version: &Version) -> bool {
        let con = &self.version;
        if compare(version, con).is_lt() {
            return false;
        }
        let zero = con.major == 0 && con.minor == 0 && con.patch == 0;
        if zero && !self.any_minor && !self.any_patch {
            return true;
        }
        version.major == con.major && (version.minor == con.minor || self.any_minor)
    }

    /// `^1.2`: everything below the first part that is not 0 may grow.
    fn allows_caret(&self, version: &Version) -> bool {
        let con = &self.version;
        if compare(version, con).is_lt() {
            return false;
        }
        if con.major > 0 || self.any_minor {
            return version.major == con.major;
        }
        if version.major > 0 {
            return false;
        }
        if con.minor > 0 || self.any_patch {
            return version.minor == con.minor;
        }
        version.minor == 0 && con.patch == version.patch
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails};
    use super::{PATTERNS, parse_group, plain};

    #[test]
    fn reads_plain_comparisons_as_the_patterns_do() {
        let patterns = PATTERNS.as_ref().unwrap();
        for version in [
            "1",
            "v1.2",
            "1.2.3",
            "1.x",
            "*",
            "x.2",
            "1.x.3",
            "1.2.3-0",
            "1-rc.1-a",
            "1.2-a.b.c",
            "007.1",
            "99999999999999999999",
        ] {
            for operator in [
                "", "=", "!=", ">", "< ", ">=", "=>", "<=", "=<", "~ ", "~>", "^", " ", " ^",
            ] {
                let text = format!("{operator}{version}");
                let Some(read) = plain(&text) else {
                    assert_eq!(operator, " ^", "{text}");
                    continue;
                };
                let group = parse_group(patterns, &text).map(|group| group.constraints);
                let read = read.map(|constraint| vec![constraint]);
                assert_eq!(format!("{read:?}"), format!("{group:?}"), "{text}");
            }
        }
        for text in [
            "1.2 ", "1 - 2", "1.2.3.4", "1.2-", "1.xx", "=>=1", "1+b", ">1 <2", "",
        ] {
            assert!(plain(text).is_none(), "{text}");
        }
    }

    #[test]
    fn compares_versions_with_constraints() {
        for (constraint, version, fits) in [
            ("^1.2.0", "1.9.0", true),
            ("~1", "1.9.9", true),
            ("1.2.x", "1.2.8", true),
            ("=1.2", "1.2.4", true),
            (">1.2", "1.2.5", false),
            ("<=1.2", "1.2.9", true),
            ("<1.0.0 || >=2.0.0", "2.1.0", true),
            ("1.2 - 1.4", "1.3.7", true),
            (">=1.19.0-0", "v1.20.3+k3s1", true),
            (">=1.19.0", "1.20.0-rc.1", false),
            (">=1.19-0, <2", "1.20.0-rc.1", true),
            ("^0.2.3", "0.3.0", false),
            ("^0.0.3", "0.0.4", false),
            ("!=1.x", "1.5.0", false),
            ("*", "0.0.1", true),
            (" 2-rc.10, != 1.*, <= v2.2-beta.2", "v2.1.0-beta.2", true),
            ("<2.0.0+b1  0.x", "v0.1+b1", true),
        ] {
            let result = call("semverCompare", &[constraint.into(), version.into()]);
            assert_eq!(result, fits.to_string(), "{constraint} {version}");
        }
    }

    #[test]
    fn refuses_what_is_no_constraint() {
        for (constraint, want) in [
            ("", "improper constraint: \"\""),
            ("bogus", "improper constraint: \"bogus\""),
            (">=1 || nope", "improper constraint: \" nope\""),
            ("1|2", "constraint parser error"),
        ] {
            assert_eq!(
                fails("semverCompare", &[constraint.into(), "1.0.0".into()]),
                want
            );
        }
        let many = vec!["1"; 40].join("||");
        assert_eq!(
            fails("semverCompare", &[many.into(), "1".into()]),
            "too many constraint groups (max 32)"
        );
    }
}
