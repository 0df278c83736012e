//! `.helmignore`: which files of a chart's directory are left out.
//!
//! Follows helm v4 `pkg/ignore/rules.go`, with its two oddities: a negated rule ignores everything it
//! does not match, and the order of the rules decides.

use super::path_match::path_match;

/// The rules of one directory.
#[derive(Debug)]
pub(super) struct Rules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    pattern: String,
    negated: bool,
    directories_only: bool,
    /// Whether the pattern is held against the base name instead of the whole path.
    base_name: bool,
}

impl Rules {
    /// Reads the file; the rule for dot files in `templates/` is always added.
    ///
    /// # Errors
    /// `**`, or a pattern that is malformed.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut rules = Vec::new();
        for line in text.lines().chain(["templates/.?*"]) {
            rules.extend(parse_rule(line.trim())?);
        }
        Ok(Self(rules))
    }

    /// Whether a path, relative to the chart and with `/`, is left out.
    #[must_use]
    pub(super) fn ignores(&self, path: &str, is_dir: bool) -> bool {
        if matches!(path, "" | "." | "./") {
            return false;
        }
        for rule in &self.0 {
            if rule.negated {
                if (rule.directories_only && !is_dir) || !rule.matches(path) {
                    return true;
                }
            } else if (is_dir || !rule.directories_only) && rule.matches(path) {
                return true;
            }
        }
        false
    }
}

impl Rule {
    fn matches(&self, path: &str) -> bool {
        let base = path.rsplit('/').next().unwrap_or(path);
        let name = if self.base_name { base } else { path };
        path_match(&self.pattern, name).unwrap_or(false)
    }
}

fn parse_rule(line: &str) -> Result<Option<Rule>, String> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    if line.contains("**") {
        return Err("double-star (**) syntax is not supported".to_owned());
    }
    path_match(line, "abc").map_err(|error| error.to_string())?;
    let negated = line.starts_with('!');
    let rule = line.strip_prefix('!').unwrap_or(line);
    let directories_only = rule.ends_with('/');
    let rule = rule.strip_suffix('/').unwrap_or(rule);
    let rooted = rule.strip_prefix('/');
    let base_name = rooted.is_none() && !rule.contains('/');
    let pattern = rooted.unwrap_or(rule).to_owned();
    Ok(Some(Rule {
        pattern,
        negated,
        directories_only,
        base_name,
    }))
}

#[cfg(test)]
mod tests {
    use super::Rules;

    #[test]
    fn matches_base_names_paths_and_directories() {
        let rules = Rules::parse("# c\n*.bak\n/top.txt\ndocs/\na/b?\n").unwrap();
        assert!(rules.ignores("x/y.bak", false));
        assert!(rules.ignores("top.txt", false));
        assert!(!rules.ignores("x/top.txt", false));
        assert!(rules.ignores("x/docs", true));
        assert!(!rules.ignores("docs", false));
        assert!(rules.ignores("a/b1", false));
        assert!(rules.ignores("templates/.swp", false));
        assert!(!rules.ignores("templates/a.yaml", false));
    }

    #[test]
    fn negated_rule_ignores_what_it_does_not_match() {
        let rules = Rules::parse("!keep.txt").unwrap();
        assert!(!rules.ignores("keep.txt", false));
        assert!(rules.ignores("other.txt", false));
    }

    #[test]
    fn refuses_double_stars() {
        assert!(Rules::parse("a/**").is_err());
    }
}
