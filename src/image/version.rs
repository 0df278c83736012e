//! Tags as semantic versions: reading them, ranges of them, and choosing the highest.
//!
//! Which tag is chosen follows what kbld uses, Carvel vendir `pkg/vendir/versions/semvers.go` and
//! carvel-dev/semver `v4/{semver,range}.go`: versions are strict but for a leading `v`, and builds
//! have an order. Tags are listed in `registry/`.

use std::cmp::Ordering;
use std::fmt;

/// The longest version and range that is read, in bytes: tags are shorter.
const MAX_LENGTH: usize = 1024;

/// A version `MAJOR.MINOR.PATCH[-PRERELEASE][+BUILD]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    numbers: [u64; 3],
    prerelease: Vec<Identifier>,
    build: Vec<Identifier>,
}

/// One part of a prerelease or build. Numbers stand before words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(u64),
    Word(String),
}

impl Version {
    /// Reads a tag as a version; `None` when it is none. A leading `v` is left out.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        Self::parse(tag.strip_prefix('v').unwrap_or(tag))
    }

    /// Reads a version with all of its three numbers.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let (text, build) = split_part(text, '+');
        let (core, prerelease) = split_part(text, '-');
        let mut numbers = core.split('.').map(number);
        let version = Self {
            numbers: [numbers.next()??, numbers.next()??, numbers.next()??],
            prerelease: identifiers(prerelease, |text| text == "0" || !text.starts_with('0'))?,
            build: identifiers(build, |_| true)?,
        };
        numbers.next().is_none().then_some(version)
    }

    /// Whether it has a prerelease part.
    #[must_use]
    pub fn is_prerelease(&self) -> bool {
        !self.prerelease.is_empty()
    }

    /// The first version after all that a range with `x` at this part means.
    fn after(&self, part: usize) -> Option<Self> {
        let mut numbers = [0; 3];
        numbers[..=part].copy_from_slice(&self.numbers[..=part]);
        numbers[part] = numbers[part].checked_add(1)?;
        Some(Self {
            numbers,
            prerelease: Vec::new(),
            build: Vec::new(),
        })
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let released = |version: &Self| !version.is_prerelease();
        (self.numbers, released(self), &self.prerelease, &self.build).cmp(&(
            other.numbers,
            released(other),
            &other.prerelease,
            &other.build,
        ))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The text before a mark, and after it where there is one.
fn split_part(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    (digits && !leading_zero).then(|| text.parse().ok())?
}

fn identifiers(part: Option<&str>, number: impl Fn(&str) -> bool) -> Option<Vec<Identifier>> {
    let Some(part) = part else {
        return Some(Vec::new());
    };
    let identifier = |text: &str| {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return number(text).then(|| text.parse().ok().map(Identifier::Number))?;
        }
        let word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (word && !text.is_empty()).then(|| Identifier::Word(text.to_owned()))
    };
    part.split('.').map(identifier).collect()
}

/// A range of versions, for example `>=1.2.0 <2.0.0 || 3.x`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    text: String,
    /// One of these has to hold; each is a list of which all have to hold.
    alternatives: Vec<Vec<Bound>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Bound {
    /// The order of a version against this one has to be among these.
    Is(&'static [Ordering], Version),
    /// From the first up to, and without, the second.
    Within(Version, Version),
    /// Before the first, or from the second on.
    Outside(Version, Version),
}

impl Range {
    /// Reads a range: comparisons (`=`, `==`, `!`, `!=`, `<`, `<=`, `>`, `>=`, or none for `=`)
    /// with spaces between them, all of which have to hold, and `||` between alternatives. The last
    /// numbers of a version may be `x`.
    ///
    /// # Errors
    ///
    /// What is wrong, as a fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_LENGTH {
            return Err(format!("is longer than {MAX_LENGTH} bytes"));
        }
        let spaced = text.replace("||", " || ");
        let mut alternatives = vec![Vec::new()];
        let mut operator = String::new();
        for word in spaced.split_whitespace() {
            if word == "||" {
                if !operator.is_empty() {
                    break;
                }
                alternatives.push(Vec::new());
                continue;
            }
            let version_at = word.find(|c| !"=!<>".contains(c)).unwrap_or(word.len());
            operator.push_str(&word[..version_at]);
            if version_at < word.len() {
                let bounds = alternatives.last_mut().expect("invariant: starts with one");
                bounds.push(bound(&operator, &word[version_at..])?);
                operator.clear();
            }
        }
        let empty = !operator.is_empty() || alternatives.iter().any(Vec::is_empty);
        if empty && !text.trim().is_empty() {
            return Err("has a comparison without a version".to_owned());
        }
        Ok(Self {
            text: text.to_owned(),
            alternatives,
        })
    }

    /// Whether a version is in the range.
    #[must_use]
    pub fn contains(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|bounds| {
            bounds.iter().all(|bound| match bound {
                Bound::Is(orders, other) => orders.contains(&version.cmp(other)),
                Bound::Within(low, high) => version >= low && version < high,
                Bound::Outside(low, high) => version < low || version >= high,
            })
        })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn bound(operator: &str, text: &str) -> Result<Bound, String> {
    use Ordering::{Equal, Greater, Less};
    const KNOWN: &str = "has a comparison other than =, ==, !, !=, <, <=, > and >=";
    let wrong = || format!("has `{text}`, which is not a version such as 1.2.3 or 1.x");
    let Some((low, part)) = wildcard(text) else {
        let version = Version::parse(text).ok_or_else(wrong)?;
        let orders: &[Ordering] = match operator {
            "" | "=" | "==" => &[Equal],
            "!" | "!=" => &[Less, Greater],
            "<" => &[Less],
            "<=" => &[Less, Equal],
            ">" => &[Greater],
            ">=" => &[Greater, Equal],
            _ => return Err(KNOWN.to_owned()),
        };
        return Ok(Bound::Is(orders, version));
    };
    let high = low.after(part).ok_or_else(wrong)?;
    Ok(match operator {
        "" | "=" | "==" => Bound::Within(low, high),
        "!" | "!=" => Bound::Outside(low, high),
        "<" => Bound::Is(&[Less], low),
        "<=" => Bound::Is(&[Less], high),
        ">" => Bound::Is(&[Greater, Equal], high),
        ">=" => Bound::Is(&[Greater, Equal], low),
        _ => return Err(KNOWN.to_owned()),
    })
}

/// The lowest version of `1.x` or `1.2.x`, and which of its numbers is the last that is given.
fn wildcard(text: &str) -> Option<(Version, usize)> {
    let mut parts: Vec<&str> = text.split('.').collect();
    while parts.last() == Some(&"x") {
        parts.pop();
    }
    let given = parts.len();
    if given == text.split('.').count() || !(1..=2).contains(&given) {
        return None;
    }
    parts.resize(3, "0");
    Some((Version::parse(&parts.join("."))?, given - 1))
}

/// `tagSelection`: which of the tags of a repository is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagSelection {
    /// The versions that are meant; `None` is all.
    pub constraints: Option<Range>,
    /// The prereleases that are meant: `None` is none, an empty list all, else those with one of
    /// these identifiers.
    pub prereleases: Option<Vec<String>>,
}

impl TagSelection {
    fn takes(&self, version: &Version) -> bool {
        let listed = match &self.prereleases {
            _ if !version.is_prerelease() => true,
            None => false,
            Some(wanted) if wanted.is_empty() => true,
            Some(wanted) => version.prerelease.iter().any(|part| match part {
                Identifier::Number(number) => wanted.contains(&number.to_string()),
                Identifier::Word(word) => wanted.contains(word),
            }),
        };
        let in_range = |range: &Range| range.contains(version);
        listed && self.constraints.as_ref().is_none_or(in_range)
    }
}

/// The tag with the highest version that a selection takes; of equal ones the last. `None` when it
/// takes none. Tags that are no versions do not count.
///
/// # Examples
///
/// ```
/// use windlass::image::{Range, TagSelection, select_tag};
/// let range = Range::parse(">=1.2.0 <2.0.0").expect("a range");
/// let selection = TagSelection { constraints: Some(range), prereleases: None };
/// let tags = ["latest", "v1.1.0", "v1.4.0", "1.10.0-rc.1", "2.0.0"];
/// assert_eq!(select_tag(tags, &selection), Some("v1.4.0"));
/// ```
pub fn select_tag<'a>(
    tags: impl IntoIterator<Item = &'a str>,
    selection: &TagSelection,
) -> Option<&'a str> {
    tags.into_iter()
        .filter_map(|tag| Some((Version::of_tag(tag)?, tag)))
        .filter(|(version, _)| selection.takes(version))
        .max_by(|(a, _), (b, _)| a.cmp(b))
        .map(|(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(constraints: &str, prereleases: Option<&[&str]>) -> Option<&'static str> {
        const TAGS: [&str; 13] = [
            "latest",
            "1.0",
            "1.0.0",
            "v1.2.0",
            "1.2.9",
            "1.10.0",
            "01.11.0",
            "1.10.1-rc.1",
            "1.10.1-rc.2",
            "1.10.1-beta",
            "2.0.0",
            "2.0.0+b2",
            "3.0.0-alpha.1",
        ];
        let prereleases = prereleases.map(|list| list.iter().map(|&i| i.to_owned()).collect());
        let constraints = Range::parse(constraints).unwrap();
        let constraints = (!constraints.to_string().is_empty()).then_some(constraints);
        select_tag(
            TAGS,
            &TagSelection {
                constraints,
                prereleases,
            },
        )
    }

    #[test]
    fn the_highest_version_in_the_range_is_selected() {
        let cases = [
            ("", "2.0.0+b2"),
            ("<2.0.0", "1.10.0"),
            ("< 2.0.0 !1.10.0", "1.2.9"),
            ("1.2.0", "v1.2.0"),
            ("1.2.x", "1.2.9"),
            ("1.x", "1.10.0"),
            ("1.x.x", "1.10.0"),
            (">1.x", "2.0.0+b2"),
            ("<=1.2.x", "1.2.9"),
            ("<1.2.x", "1.0.0"),
            ("!=2.x", "1.10.0"),
            ("<1.1.0 || >=1.2.0 <1.3.0", "1.2.9"),
        ];
        for (range, want) in cases {
            assert_eq!(selected(range, None), Some(want), "{range}");
        }
        assert_eq!(selected(">5.0.0", None), None);
    }

    #[test]
    fn prereleases_count_only_where_they_are_asked_for() {
        assert_eq!(selected("1.x", Some(&[])), Some("1.10.1-rc.2"));
        assert_eq!(selected("1.x", Some(&["beta"])), Some("1.10.1-beta"));
        assert_eq!(selected("", Some(&["alpha", "rc"])), Some("3.0.0-alpha.1"));
        assert_eq!(selected("", Some(&["1"])), Some("3.0.0-alpha.1"));
    }

    #[test]
    fn versions_are_strict_and_ordered() {
        for wrong in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "01.2.3",
            "1.2.3-",
            "1.2.3-01",
            "1.2.3-a_b",
            "x.y.z",
        ] {
            assert_eq!(Version::parse(wrong), None, "{wrong}");
        }
        let order = [
            "1.0.0-1",
            "1.0.0-a",
            "1.0.0-a.1",
            "1.0.0-b",
            "1.0.0",
            "1.0.0+1",
            "1.0.1",
        ];
        for pair in order.windows(2) {
            assert!(
                Version::parse(pair[0]) < Version::parse(pair[1]),
                "{pair:?}"
            );
        }
    }

    #[test]
    fn a_wrong_range_says_why() {
        let why = |text| Range::parse(text).unwrap_err();
        assert_eq!(
            why(">=1.0"),
            "has `1.0`, which is not a version such as 1.2.3 or 1.x"
        );
        assert_eq!(
            why("^1.0.0"),
            "has `^1.0.0`, which is not a version such as 1.2.3 or 1.x"
        );
        assert_eq!(
            why("=>1.0.0"),
            "has a comparison other than =, ==, !, !=, <, <=, > and >="
        );
        for text in ["|| 1.0.0", "1.0.0 ||", ">", ">= || 1.0.0"] {
            assert_eq!(why(text), "has a comparison without a version", "{text}");
        }
    }
}
