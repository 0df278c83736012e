//! Coalescing: the user's values with the charts' defaults, globals and nulls.
//!
//! Follows helm v4 `pkg/chart/common/util/coalesce.go`, in both profiles. What the user gives is
//! composed in `values.rs`; conditions and `import-values` are in `dependency.rs`.

use super::values::{copy_value, deep_copy};
use super::{Chart, Profile};
use crate::limits::deep;
use crate::template::fmt;
use crate::value::{Map, MapKind, Str, Value};

/// The key of the values that all charts share.
const GLOBAL: &str = "global";

/// How values are merged.
pub(super) struct Coalesce<'w> {
    profile: Profile,
    /// Whether nulls are kept for a later coalescing instead of deleting what they stand over.
    keep_nulls: bool,
    warnings: &'w mut Vec<String>,
}

impl<'w> Coalesce<'w> {
    /// Merging in which null deletes a default.
    pub(super) fn new(profile: Profile, warnings: &'w mut Vec<String>) -> Self {
        Self {
            profile,
            keep_nulls: false,
            warnings,
        }
    }

    /// Merging that keeps nulls.
    pub(super) fn keeping_nulls(profile: Profile, warnings: &'w mut Vec<String>) -> Self {
        Self {
            profile,
            keep_nulls: true,
            warnings,
        }
    }

    /// The values of a chart and its dependencies, under what the user gives, which is not changed.
    ///
    /// # Errors
    /// The values hold something else than a map where those of a subchart belong.
    pub(super) fn values(&mut self, chart: &Chart, user: &Map) -> Result<Map, String> {
        let values = deep_copy(user);
        self.chart(chart, &values, "")?;
        Ok(values)
    }

    /// As [`Self::values`], to be read only: what the chart and its dependencies say nothing about is
    /// shared with `user` instead of copied. Every chart below an umbrella is asked with the values of
    /// the whole, so copies would cost the square of their number.
    ///
    /// # Errors
    /// As for [`Self::values`].
    pub(super) fn values_to_read(&mut self, chart: &Chart, user: &Map) -> Result<Map, String> {
        let values = Map::from_entries(MapKind::Any, user.entries().into_iter().collect());
        let below = chart.dependencies.iter().map(|sub| Str::from(sub.name()));
        let named = chart.values.keys().into_iter().chain(below);
        for key in named.chain([Str::from(GLOBAL)]) {
            if let Some(value) = user.get(&key) {
                values.insert(key, copy_value(&value));
            }
        }
        self.chart(chart, &values, "")?;
        Ok(values)
    }

    fn chart(&mut self, chart: &Chart, dest: &Map, prefix: &str) -> Result<(), String> {
        self.defaults(chart, dest, prefix);
        self.dependencies(chart, dest, prefix)
    }

    /// Puts the chart's own defaults under `dest`.
    fn defaults(&mut self, chart: &Chart, dest: &Map, prefix: &str) {
        let prefix = join(prefix, chart.name());
        let defaults = deep_copy(&chart.values);
        for (key, default) in defaults.entries() {
            match dest.get(&key) {
                None => self.default_alone(dest, key, default),
                Some(Value::Nil) if !self.keep_nulls => {
                    dest.remove(&key);
                }
                Some(Value::Map(table)) => {
                    self.default_table(chart, &table, &key, &default, &prefix);
                }
                Some(_) => {}
            }
        }
    }

    /// A default where the user has a table.
    fn default_table(
        &mut self,
        chart: &Chart,
        table: &Map,
        key: &Str,
        default: &Value,
        prefix: &str,
    ) {
        let path = join(prefix, &key.to_text());
        match default {
            Value::Map(default) => {
                let keep = self.keep_nulls || is_subchart(chart, key);
                if !keep && !self.profile.is_helm3() {
                    drop_nulls(default);
                }
                self.tables(table, default, &path, keep);
            }
            Value::Nil => {}
            _ => self.warn(format!("skipped value for {path}: not a table")),
        }
    }

    /// A default that the user says nothing about.
    fn default_alone(&self, dest: &Map, key: Str, default: Value) {
        if !self.keep_nulls && !self.profile.is_helm3() {
            match &default {
                Value::Nil => return,
                Value::Map(table) => drop_nulls(table),
                _ => {}
            }
        }
        dest.insert(key, default);
    }

    fn dependencies(&mut self, chart: &Chart, dest: &Map, prefix: &str) -> Result<(), String> {
        for sub in &chart.dependencies {
            let table = match dest.get(sub.name()) {
                None => {
                    let table = Map::new(MapKind::Any);
                    dest.insert(sub.name(), Value::Map(table.clone()));
                    table
                }
                Some(Value::Map(table)) => table,
                Some(other) => {
                    let name = sub.name();
                    return Err(format!("type mismatch on {name}: {}", bad_boolean(&other)));
                }
            };
            let prefix = join(prefix, chart.name());
            self.globals(&table, dest, &prefix);
            self.chart(sub, &table, &prefix)?;
        }
        Ok(())
    }

    /// Hands the globals of a chart down to a subchart; the parent's win.
    fn globals(&mut self, dest: &Map, source: &Map, prefix: &str) {
        let (to, from) = match (dest.get(GLOBAL), source.get(GLOBAL)) {
            (Some(Value::Map(to)), Some(Value::Map(from))) => (to, from),
            (None, Some(Value::Map(from))) => (Map::new(MapKind::Any), from),
            (Some(Value::Map(to)), None) => (to, Map::new(MapKind::Any)),
            (None, None) => (Map::new(MapKind::Any), Map::new(MapKind::Any)),
            (Some(Value::Map(_)) | None, Some(_)) => {
                return self.warn(format!(
                    "skipped globals: {GLOBAL} of {prefix} is not a table"
                ));
            }
            (Some(_), _) => {
                return self.warn(format!(
                    "skipped globals: {GLOBAL} of a subchart of {prefix} is not a table"
                ));
            }
        };
        for (key, value) in from.entries() {
            match (&value, to.get(&key)) {
                (Value::Map(table), None) => {
                    to.insert(key, Value::Map(table.shallow_copy()));
                }
                (Value::Map(table), Some(Value::Map(below))) => {
                    let table = table.shallow_copy();
                    self.tables(&table, &below, &join(prefix, &key.to_text()), true);
                    to.insert(key, Value::Map(table));
                }
                (Value::Map(_), Some(_)) => {
                    let key = key.to_text();
                    self.warn(format!(
                        "cannot merge map onto non-map for {key:?}, skipped"
                    ));
                }
                (_, Some(Value::Map(_))) => {
                    let key = key.to_text();
                    self.warn(format!("key {key} is a table, skipped"));
                }
                _ => {
                    to.insert(key, value);
                }
            }
        }
        dest.insert(GLOBAL, Value::Map(to));
    }

    /// Merges two tables into `dest`, which wins.
    pub(super) fn tables(&mut self, dest: &Map, source: &Map, path: &str, keep_nulls: bool) {
        let nulled: Vec<Str> = dest
            .entries()
            .into_iter()
            .filter_map(|(key, value)| value.is_nil().then_some(key))
            .collect();
        if !keep_nulls {
            for key in &nulled {
                if source.get(key).is_some_and(|value| !value.is_nil()) {
                    dest.remove(key);
                }
            }
        }
        for (key, value) in source.entries() {
            if nulled.contains(&key) {
                continue;
            }
            let path = join(path, &key.to_text());
            match (dest.get(&key), &value) {
                (None, _) => {
                    dest.insert(key, value);
                }
                (Some(Value::Map(dest)), Value::Map(source)) => {
                    deep(|| self.tables(&dest, source, &path, keep_nulls));
                }
                (Some(_), Value::Map(_)) => {
                    self.warn(format!("cannot overwrite table with non table for {path}"));
                }
                (Some(Value::Map(_)), other) if !other.is_nil() => {
                    self.warn(format!(
                        "{path} is a table, a value that is none is ignored"
                    ));
                }
                _ => {}
            }
        }
    }

    fn warn(&mut self, text: String) {
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }
}

fn is_subchart(chart: &Chart, key: &[u8]) -> bool {
    chart
        .dependencies
        .iter()
        .any(|sub| sub.name().as_bytes() == key)
}

/// Removes null entries, at any depth of maps.
fn drop_nulls(map: &Map) {
    for (key, value) in map.entries() {
        match value {
            Value::Nil => {
                map.remove(&key);
            }
            Value::Map(inner) => deep(|| drop_nulls(&inner)),
            _ => {}
        }
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

/// What Go prints for `%t` of something that is no boolean.
fn bad_boolean(value: &Value) -> String {
    let text = fmt::sprintf(b"%t", std::slice::from_ref(value));
    text.map_or_else(|_| "?".to_owned(), |text| text.to_text().into_owned())
}

#[cfg(test)]
mod tests {
    use super::Coalesce;
    use crate::chart::{Chart, Overrides, Profile, compose};
    use crate::value::{Map, Str, Value};

    fn chart(files: &[(&str, &str)], profile: Profile) -> Chart {
        let files = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), Str::from(*text)));
        Chart::from_files(files.collect(), profile).unwrap()
    }

    fn user(text: &str, profile: Profile) -> Map {
        let files = vec![("v.yaml".to_owned(), text.as_bytes().to_vec())];
        compose(
            &Overrides {
                files,
                ..Overrides::default()
            },
            profile,
        )
        .unwrap()
    }

    fn coalesced(files: &[(&str, &str)], values: &str, profile: Profile) -> (String, Vec<String>) {
        let chart = chart(files, profile);
        let mut warnings = Vec::new();
        let user = user(values, profile);
        let values = Coalesce::new(profile, &mut warnings)
            .values(&chart, &user)
            .unwrap();
        (shown(&values), warnings)
    }

    fn shown(values: &Map) -> String {
        let text = crate::yaml::emit::to_yaml(&Value::Map(values.clone())).unwrap();
        text.to_text().into_owned()
    }

    const WEB: &str = "apiVersion: v2\nname: web\nversion: 1.0.0\n";
    const DB: &str = "apiVersion: v2\nname: db\nversion: 1.0.0\n";

    #[test]
    fn null_deletes_a_default() {
        let files = [
            ("Chart.yaml", WEB),
            ("values.yaml", "a: 1\nb: {c: 1, d: 2}\ne: null"),
        ];
        let (helm4, _) = coalesced(&files, "a: null\nb: {c: null}", Profile::Helm4);
        insta::assert_snapshot!(helm4, @r#"
        b:
          d: 2
        "#);
        let (helm3, _) = coalesced(&files, "a: null\nb: {c: null}", Profile::Helm3);
        insta::assert_snapshot!(helm3, @r#"
        b:
          d: 2
        e: null
        "#);
    }

    #[test]
    fn globals_go_down_and_the_parent_wins() {
        let files = [
            ("Chart.yaml", WEB),
            ("values.yaml", "global: {a: 1, t: {x: 1}}\ndb: {port: 1}"),
            ("charts/db/Chart.yaml", DB),
            (
                "charts/db/values.yaml",
                "global: {a: 2, b: 3, t: {x: 2, z: 2}}\nport: 2\nhost: h",
            ),
        ];
        let (values, warnings) = coalesced(&files, "", Profile::Helm4);
        insta::assert_snapshot!(values, @r#"
        db:
          global:
            a: 1
            b: 3
            t:
              x: 1
              z: 2
          host: h
          port: 1
        global:
          a: 1
          t:
            x: 1
        "#);
        assert!(warnings.is_empty());
    }

    #[test]
    fn warns_of_tables_that_meet_scalars() {
        let files = [
            ("Chart.yaml", WEB),
            ("values.yaml", "a: {b: 1}\nc: 1\nd: {e: {f: 1}, g: 1}"),
        ];
        let (values, warnings) = coalesced(
            &files,
            "a: 1\nc: {x: 1}\nd: {e: 2, g: {h: 1}}",
            Profile::Helm4,
        );
        insta::assert_snapshot!(values, @r#"
        a: 1
        c:
          x: 1
        d:
          e: 2
          g:
            h: 1
        "#);
        insta::assert_snapshot!(warnings.join("\n"), @r#"
        skipped value for web.c: not a table
        cannot overwrite table with non table for web.d.e
        web.d.g is a table, a value that is none is ignored
        "#);
    }
}
