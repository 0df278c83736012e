//! Which value of the chart a failed template is about, and where it can be set.
//!
//! Reads the expression that failed; what a variable or a changed dot stands for is not followed.

use windlass_helm::chart::{self, Overrides};
use windlass_helm::template;

/// A template that failed for want of a value.
#[derive(Debug, PartialEq, Eq)]
struct Want {
    /// The key that the expression asks for, from the top of the values.
    key: String,
    /// The part of it that is in the way, and how.
    found: String,
    trouble: Trouble,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Missing,
    Empty,
    NoMap,
}

/// What to set, and where; nothing when the failure is not one of a value.
pub(super) fn hint(error: &chart::Error, overrides: &Overrides) -> Option<String> {
    let chart::Error::Template { source, .. } = error else {
        return None;
    };
    let Want {
        key,
        found,
        trouble,
    } = want(source)?;
    let files: Vec<&str> = overrides.files.iter().map(|(name, _)| &**name).collect();
    let (whose, place) = match &*files {
        [] => (" by the chart".to_owned(), "a values file".to_owned()),
        files => {
            let files = files.join(", ");
            (
                format!(", neither by the chart nor in {files}"),
                "one of them".to_owned(),
            )
        }
    };
    Some(match trouble {
        Trouble::NoMap => format!("`{found}` is set, but not to a map: there is no `{key}` in it"),
        Trouble::Missing | Trouble::Empty => {
            let what = if trouble == Trouble::Empty {
                "empty or not set"
            } else {
                "not set"
            };
            format!("`{found}` is {what}{whose}: add `{key}` to {place}, or `--set {key}=VALUE`")
        }
    })
}

fn want(error: &template::Error) -> Option<Want> {
    let innermost = error.chain().last()?;
    let cause = innermost.cause();
    let mut path = path_in(&expression(innermost))?;
    let (known, trouble) =
        if let Some(field) = cause.strip_prefix("nil pointer evaluating interface {}.") {
            (before(&path, field)?, Trouble::Missing)
        } else if let Some(rest) = cause.strip_prefix("can't evaluate field ") {
            let field = rest.strip_suffix(" in type interface {}")?;
            (before(&path, field)?, Trouble::NoMap)
        } else if cause.starts_with("error calling required: ") {
            (path.len(), Trouble::Empty)
        } else if cause.starts_with("invalid value; expected ") {
            (path.len(), Trouble::Missing)
        } else {
            return None;
        };
    let mut above = owner(error.file());
    if path[0] == "global" {
        above.clear();
    }
    let known = above.len() + known;
    above.append(&mut path);
    Some(Want {
        found: above[..known].join("."),
        key: above.join("."),
        trouble,
    })
}

/// How many keys lead to the value that does not have the field.
fn before(path: &[String], field: &str) -> Option<usize> {
    (1..path.len()).find(|&at| path[at] == field)
}

/// The expression that failed. Go cuts long ones short; the line of the template has all of it.
fn expression(error: &template::Error) -> String {
    let context = error.context();
    let Some(start) = context.strip_suffix("...") else {
        return context.to_owned();
    };
    let line = error.source_line();
    let rest = line.find(start).map_or(start, |at| &line[at..]);
    rest.to_owned()
}

/// The last `.Values.a.b` that stands outside of strings, as its keys.
fn path_in(expression: &str) -> Option<Vec<String>> {
    let bare: Vec<&str> = expression.split('"').step_by(2).collect();
    let (_, path) = bare
        .iter()
        .rev()
        .find_map(|part| part.rsplit_once(".Values."))?;
    let end = path
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
        .unwrap_or(path.len());
    let keys: Vec<String> = path[..end].split('.').map(str::to_owned).collect();
    keys.iter().all(|key| !key.is_empty()).then_some(keys)
}

/// The keys below which the values of the chart of a template stand: `a/charts/b/templates/x.yaml` has
/// its own below `b`.
fn owner(file: &str) -> Vec<String> {
    let parts: Vec<&str> = file.split('/').collect();
    let end = parts.iter().position(|part| *part == "templates");
    let charts = parts[..end.unwrap_or(parts.len())].windows(2);
    charts
        .filter(|pair| pair[0] == "charts")
        .map(|pair| pair[1].to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{before, owner, path_in};

    #[test]
    fn the_path_is_found_outside_of_strings() {
        let path = |text| path_in(text).map(|keys| keys.join("."));
        assert_eq!(path(".Values.image.tag").as_deref(), Some("image.tag"));
        assert_eq!(path("$.Values.a | quote").as_deref(), Some("a"));
        assert_eq!(
            path("required \"set .Values.name\" .Values.web.name }} x").as_deref(),
            Some("web.name")
        );
        assert_eq!(path(".image.tag"), None);
        assert_eq!(path("index .Values \"a\""), None);
    }

    #[test]
    fn the_part_that_is_in_the_way_is_the_one_before_the_field() {
        let path = ["image".to_owned(), "tag".to_owned(), "x".to_owned()];
        assert_eq!(before(&path, "tag"), Some(1));
        assert_eq!(before(&path, "x"), Some(2));
        assert_eq!(before(&path, "image"), None);
    }

    #[test]
    fn values_of_a_chart_below_stand_under_its_name() {
        assert!(owner("web/templates/a.yaml").is_empty());
        assert_eq!(
            owner("all/charts/web/charts/db/templates/a/b.yaml"),
            ["web", "db"]
        );
    }
}
