//! Semantic versions: `semver`, `semverCompare`, and the version object with its methods.
//!
//! Follows Masterminds semver 3.5.0 `version.go`; constraints are in `constraint`.

use super::args::{Answer, function, utf8};
use super::constraint::Constraints;
use crate::limits::MAX_VERSION;
use crate::template::{Fault, Function, Param};
use crate::value::quote::quoted;
use crate::value::{Kind, Method, Object, Str, UintKind, Value};
use std::any::Any;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::rc::Rc;

const S: Param = Param::Str;

/// The functions of this file.
pub(super) const TABLE: &[Function] = &[
    function("semver", &[S], |_, a| parsed(&utf8(a, 0))),
    function("semverCompare", &[S, S], |_, a| {
        let constraints = Constraints::parse(&utf8(a, 0))?;
        let version = Version::parse(&utf8(a, 1))?;
        Ok(constraints.allow(&version).into())
    }),
];

/// A version, or the fault of `semver.NewVersion`.
fn parsed(text: &str) -> Answer {
    let version = Version::parse(text)?;
    let pointer = true;
    Ok(Value::Object(Rc::new(VersionObject { version, pointer })))
}

/// A semantic version. Its order ignores metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) major: u64,
    pub(super) minor: u64,
    pub(super) patch: u64,
    pub(super) pre: String,
    metadata: String,
    /// The text it was read from.
    original: String,
}

/// Whether a text is a version, a lax one included (`semver.NewVersion`).
///
/// ```
/// use windlass_helm::sprig::semver::is_version;
///
/// assert!(is_version("1.2.3-rc.1+build") && is_version("v1.2") && is_version("1"));
/// assert!(!is_version("1.2.3.4") && !is_version("latest"));
/// ```
#[must_use]
pub fn is_version(text: &str) -> bool {
    Version::parse(text).is_ok()
}

/// Whether a version satisfies a constraint; `false` when one of the two is malformed.
///
/// Follows helm v4 `pkg/chart/v2/util/compatible.go`.
///
/// Masterminds' rules, with Helm's addition: without a pre-release in the constraint, versions with one do
/// not fit, so `>=1.20.0-0` is what charts write.
///
/// ```
/// use windlass_helm::sprig::semver::satisfies;
///
/// assert!(satisfies("^1.2 || ~3.4", "v1.9.0"));
/// assert!(!satisfies(">=1.20.0", "v1.33.4-gke.1245000"));
/// assert!(satisfies(">=1.20.0-0", "v1.33.4-gke.1245000"));
/// assert!(!satisfies("no constraint", "1.0.0"));
/// ```
#[must_use]
pub fn satisfies(constraint: &str, version: &str) -> bool {
    match (Constraints::parse(constraint), Version::parse(version)) {
        (Ok(constraint), Ok(version)) => constraint.allow(&version),
        _ => false,
    }
}

/// Whether a text is a constraint (`semver.NewConstraint`).
///
/// # Errors
/// Masterminds' text: `improper constraint: "x"`.
pub fn check_constraint(text: &str) -> Result<(), String> {
    let parsed = Constraints::parse(text);
    parsed.map(drop).map_err(|fault| fault.message)
}

/// Orders two versions by Semantic Versioning; what is no version comes before what is one.
#[must_use]
pub fn order(a: &str, b: &str) -> Ordering {
    match (Version::parse(a), Version::parse(b)) {
        (Ok(a), Ok(b)) => compare(&a, &b),
        (a, b) => a.is_ok().cmp(&b.is_ok()),
    }
}

/// Whether a text is a version without laxity (`semver.StrictNewVersion`): three numbers, none with a zero
/// in front.
#[must_use]
pub fn is_strict_version(text: &str) -> bool {
    let no_zero = |number: &str| number == "0" || (!number.is_empty() && !number.starts_with('0'));
    Loose::split(text).is_some_and(|loose| loose.numbers.iter().all(|number| no_zero(number)))
        && !text.starts_with('v')
        && is_version(text)
}

impl Version {
    /// `NewVersion`: a `v` in front and missing parts are allowed.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        if text.len() > MAX_VERSION {
            let text = format!("version string is too long (max {MAX_VERSION} bytes)");
            return Err(Fault::new(text));
        }
        let Some(loose) = Loose::split(text) else {
            return Err("invalid semantic version".into());
        };
        let [major, minor, patch] = loose.numbers;
        let version = Self {
            major: segment(major)?,
            minor: segment(minor)?,
            patch: segment(patch)?,
            pre: loose.pre.to_owned(),
            metadata: loose.metadata.to_owned(),
            original: text.to_owned(),
        };
        if !version.pre.is_empty() {
            check_prerelease(&version.pre)?;
        }
        Ok(version)
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut next = self.clone();
        change(&mut next);
        let v = if self.original.starts_with('v') {
            "v"
        } else {
            ""
        };
        next.original = format!("{v}{next}");
        next
    }

    fn increment(&self, part: &str) -> Result<Self, String> {
        let overflow = || format!("{part} version increment would overflow uint64");
        let next = |number: u64| number.checked_add(1).ok_or_else(overflow);
        let (major, minor, patch) = match part {
            "major" => (next(self.major)?, 0, 0),
            "minor" => (self.major, next(self.minor)?, 0),
            _ if self.pre.is_empty() => (self.major, self.minor, next(self.patch)?),
            _ => (self.major, self.minor, self.patch),
        };
        Ok(self.with(|version| {
            (version.major, version.minor, version.patch) = (major, minor, patch);
            version.pre.clear();
            version.metadata.clear();
        }))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.pre.is_empty() {
            write!(f, "-{}", self.pre)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

/// The parts of a text that looks like a version.
struct Loose<'a> {
    numbers: [&'a str; 3],
    pre: &'a str,
    metadata: &'a str,
}

impl<'a> Loose<'a> {
    fn split(text: &'a str) -> Option<Self> {
        let mut rest = text.strip_prefix('v').unwrap_or(text);
        let mut numbers = [""; 3];
        for (at, number) in numbers.iter_mut().enumerate() {
            if at > 0 {
                match rest.strip_prefix('.') {
                    Some(after) => rest = after,
                    None => break,
                }
            }
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            (*number, rest) = rest.split_at(end);
        }
        let (rest, metadata) = match rest.split_once('+') {
            Some((rest, metadata)) => (rest, Some(metadata)),
            None => (rest, None),
        };
        let pre = match rest.strip_prefix('-') {
            Some(pre) => Some(pre),
            None if rest.is_empty() => None,
            None => return None,
        };
        if !pre.is_none_or(is_dotted) || !metadata.is_none_or(is_dotted) {
            return None;
        }
        Some(Self {
            numbers,
            pre: pre.unwrap_or_default(),
            metadata: metadata.unwrap_or_default(),
        })
    }
}

/// Identifiers of letters, digits and hyphens with dots between them.
fn is_dotted(text: &str) -> bool {
    text.split('.').all(|part| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    })
}

fn segment(digits: &str) -> Result<u64, Fault> {
    if digits.is_empty() {
        return Ok(0);
    }
    digits.parse().map_err(|_| {
        let digits = quoted(digits);
        Fault::new(format!(
            "error parsing version segment: strconv.ParseUint: parsing {digits}: value out of range"
        ))
    })
}

/// Refuses leading zeros in the numbers of a prerelease.
fn check_prerelease(pre: &str) -> Result<(), Fault> {
    let leading_zero = |part: &str| {
        part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit())
    };
    if pre.split('.').any(leading_zero) {
        return Err("version segment starts with 0".into());
    }
    Ok(())
}

/// Compares versions; one with a pre-release comes before the one without.
pub(super) fn compare(a: &Version, b: &Version) -> Ordering {
    let numbers = |v: &Version| (v.major, v.minor, v.patch);
    numbers(a)
        .cmp(&numbers(b))
        .then_with(|| match (a.pre.is_empty(), b.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => compare_prerelease(&a.pre, &b.pre),
        })
}

/// Compares two pre-releases part by part.
pub(super) fn compare_prerelease(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let (left, right) = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (left, right) => (left.unwrap_or_default(), right.unwrap_or_default()),
        };
        if left == right {
            continue;
        }
        return match (left.parse::<u64>(), right.parse::<u64>()) {
            _ if left.is_empty() => Ordering::Less,
            _ if right.is_empty() => Ordering::Greater,
            (Err(_), Err(_)) => left.cmp(right),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            // Equal numbers written differently count as smaller, as in the original.
            (Ok(left), Ok(right)) if left > right => Ordering::Greater,
            _ => Ordering::Less,
        };
    }
}

/// A version as templates see it: `*semver.Version`, or the `semver.Version` that `IncMajor` and its
/// like return.
#[derive(Debug)]
struct VersionObject {
    version: Version,
    pointer: bool,
}

const NO_PARAMS: &[&str] = &[];
const OTHER: &[&str] = &["*semver.Version"];

/// The methods of the value type with their parameters.
const METHODS: &[(&str, &[&str])] = &[
    ("String", NO_PARAMS),
    ("Major", NO_PARAMS),
    ("Minor", NO_PARAMS),
    ("Patch", NO_PARAMS),
    ("Prerelease", NO_PARAMS),
    ("Metadata", NO_PARAMS),
    ("IncMajor", NO_PARAMS),
    ("IncMinor", NO_PARAMS),
    ("IncPatch", NO_PARAMS),
    ("SetPrerelease", &["string"]),
    ("SetMetadata", &["string"]),
    ("MarshalJSON", NO_PARAMS),
    ("MarshalText", NO_PARAMS),
    ("Value", NO_PARAMS),
];

/// The methods that only the pointer type has.
const POINTER_METHODS: &[(&str, &[&str])] = &[
    ("Original", NO_PARAMS),
    ("Compare", OTHER),
    ("Equal", OTHER),
    ("LessThan", OTHER),
    ("LessThanEqual", OTHER),
    ("GreaterThan", OTHER),
    ("GreaterThanEqual", OTHER),
];

impl VersionObject {
    fn changed(&self, text: &[u8], change: fn(&mut Version, String)) -> Version {
        let text = String::from_utf8_lossy(text).into_owned();
        self.version.with(|version| change(version, text))
    }
}

impl Object for VersionObject {
    fn type_name(&self) -> Cow<'static, str> {
        if self.pointer {
            "*semver.Version".into()
        } else {
            "semver.Version".into()
        }
    }

    fn kind(&self) -> Kind {
        if self.pointer {
            Kind::Ptr
        } else {
            Kind::Struct
        }
    }

    fn deep_copy(&self) -> Option<Value> {
        let empty = Self {
            version: Version::default(),
            pointer: self.pointer,
        };
        Some(Value::Object(Rc::new(empty)))
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let Version {
            major,
            minor,
            patch,
            pre,
            metadata,
            original,
        } = &self.version;
        let number = |number: &u64| Value::Uint(*number, UintKind::Uint64);
        vec![
            ("major", number(major)),
            ("minor", number(minor)),
            ("patch", number(patch)),
            ("pre", Value::str(pre)),
            ("metadata", Value::str(metadata)),
            ("original", Value::str(original)),
        ]
    }

    fn method(&self, name: &[u8]) -> Option<Method> {
        let pointer_methods = if self.pointer { POINTER_METHODS } else { &[] };
        let mut methods = METHODS.iter().chain(pointer_methods);
        let (name, params) = methods.find(|(method, _)| method.as_bytes() == name)?;
        Some(Method {
            name,
            params,
            variadic: false,
        })
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let version = &self.version;
        let number = |number| Ok(Value::Uint(number, UintKind::Uint64));
        let struct_of = |version| {
            let pointer = false;
            Ok(Value::Object(Rc::new(Self { version, pointer })))
        };
        let text = super::args::text(args, 0);
        match name {
            "String" | "Value" => Ok(version.to_string().into()),
            "MarshalText" => Ok(Value::Bytes(version.to_string().into())),
            "MarshalJSON" => Ok(Value::Bytes(format!("\"{version}\"").into())),
            "Original" => Ok(Value::str(&version.original)),
            "Major" => number(version.major),
            "Minor" => number(version.minor),
            "Patch" => number(version.patch),
            "Prerelease" => Ok(Value::str(&version.pre)),
            "Metadata" => Ok(Value::str(&version.metadata)),
            "IncMajor" => struct_of(version.increment("major")?),
            "IncMinor" => struct_of(version.increment("minor")?),
            "IncPatch" => struct_of(version.increment("patch")?),
            "SetPrerelease" => {
                let pre = String::from_utf8_lossy(text);
                if !text.is_empty() {
                    if !is_dotted(&pre) {
                        return Err("invalid prerelease string".into());
                    }
                    check_prerelease(&pre).map_err(|fault| fault.message)?;
                }
                struct_of(self.changed(text, |version, pre| version.pre = pre))
            }
            "SetMetadata" => {
                if !text.is_empty() && !is_dotted(&String::from_utf8_lossy(text)) {
                    return Err("invalid metadata string".into());
                }
                struct_of(self.changed(text, |version, metadata| version.metadata = metadata))
            }
            _ => compared(name, version, args),
        }
    }

    fn to_str(&self) -> Option<Str> {
        Some(self.version.to_string().into())
    }

    fn to_json(&self) -> Value {
        self.version.to_string().into()
    }

    fn equals(&self, other: &dyn Object) -> bool {
        match other.as_any().downcast_ref::<Self>() {
            Some(other) => self.pointer == other.pointer && self.version == other.version,
            None => false,
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The methods that compare with another version.
fn compared(name: &str, version: &Version, args: &[Value]) -> Result<Value, String> {
    let other = match args.first() {
        Some(Value::Object(object)) => object.as_any().downcast_ref::<VersionObject>(),
        _ => None,
    };
    let Some(other) = other else {
        return match name {
            "Equal" => Ok(false.into()),
            _ => Err(super::args::NIL_DEREFERENCE.into()),
        };
    };
    let order = compare(version, &other.version);
    Ok(match name {
        "Compare" => Value::int(order as i64),
        "Equal" => order.is_eq().into(),
        "LessThan" => order.is_lt().into(),
        "LessThanEqual" => order.is_le().into(),
        "GreaterThan" => order.is_gt().into(),
        "GreaterThanEqual" => order.is_ge().into(),
        _ => return Err(format!("no method {name}")),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, value};
    use super::{Version, compare};
    use crate::value::Value;
    use std::cmp::Ordering;

    fn method(text: &str, name: &str, args: &[Value]) -> String {
        let Value::Object(version) = value("semver", &[text.into()]) else {
            unreachable!("semver gives an object")
        };
        let result = version.call(name, args).unwrap();
        call("toString", &[result])
    }

    #[test]
    fn reads_loose_versions() {
        for (text, want) in [
            ("v1.2.3-beta.1+b.5", "1.2.3-beta.1+b.5"),
            ("1", "1.0.0"),
            ("01.02", "1.2.0"),
            ("1.2-x-y", "1.2.0-x-y"),
        ] {
            assert_eq!(call("semver", &[text.into()]), want);
        }
        for text in [
            "",
            "V1",
            "1.",
            "1.2.3.4",
            "1-",
            "1+",
            "1.2.3-a..b",
            "latest",
        ] {
            assert_eq!(
                fails("semver", &[text.into()]),
                "invalid semantic version",
                "{text}"
            );
        }
        assert_eq!(
            fails("semver", &["1.2.3-01".into()]),
            "version segment starts with 0"
        );
        assert_eq!(
            fails("semver", &["99999999999999999999".into()]),
            "error parsing version segment: strconv.ParseUint: parsing \"99999999999999999999\": value out of range"
        );
    }

    #[test]
    fn orders_versions() {
        let ascending = [
            "1.0.0-1",
            "1.0.0-2",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0",
            "1.0.1",
            "1.10",
        ];
        for pair in ascending.windows(2) {
            let [a, b] = [pair[0], pair[1]].map(|text| Version::parse(text).unwrap());
            assert_eq!(compare(&a, &b), Ordering::Less, "{a} < {b}");
            assert_eq!(compare(&b, &a), Ordering::Greater);
        }
    }

    #[test]
    fn has_the_methods_of_go() {
        assert_eq!(method("v1.2.3-rc.1", "Major", &[]), "1");
        assert_eq!(method("v1.2.3-rc.1", "IncPatch", &[]), "1.2.3");
        assert_eq!(method("v1.2.3+b", "IncMinor", &[]), "1.3.0");
        assert_eq!(method("v1.2", "Original", &[]), "v1.2");
        let other = value("semver", &["1.3".into()]);
        assert_eq!(
            method("1.2", "LessThan", std::slice::from_ref(&other)),
            "true"
        );
        assert_eq!(method("1.2", "Compare", &[other]), "-1");
    }
}
