//! Dependencies before rendering: which charts take part, under which names, and which of their
//! values they give to their parent.
//!
//! Follows helm v4 `pkg/chart/v2/util/dependencies.go`.

use super::coalesce::Coalesce;
use super::metadata::Dependency;
use super::values::{deep_copy, table_at, value_at};
use super::{Chart, Profile};
use crate::limits::MAX_CHARTS;
use crate::sprig::semver;
use crate::template::fmt;
use crate::value::{Map, MapKind, Value};
use std::collections::BTreeSet;

/// Drops the charts that are switched off, renames those with an alias, and imports values.
///
/// # Errors
/// The values of a subchart are no map.
pub(super) fn process(
    chart: &mut Chart,
    user: &Map,
    profile: Profile,
    warnings: &mut Vec<String>,
) -> Result<(), String> {
    enable(chart, user, "", profile, &mut { MAX_CHARTS }, warnings)?;
    import(chart, profile, warnings)
}

/// The names that `Chart.yaml` asks for and `charts/` does not hold, as an error.
///
/// # Errors
/// There are such names.
pub(super) fn check_present(chart: &Chart) -> Result<(), String> {
    let present = |name: &str| chart.dependencies.iter().any(|sub| sub.name() == name);
    let requirements = chart
        .requirements()
        .iter()
        .map(|requirement| requirement.name.as_str());
    let missing: Vec<_> = requirements.filter(|name| !present(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "found in Chart.yaml, but missing in charts/ directory: {}",
        missing.join(", ")
    ))
}

fn enable(
    chart: &mut Chart,
    values: &Map,
    path: &str,
    profile: Profile,
    left: &mut usize,
    warnings: &mut Vec<String>,
) -> Result<(), String> {
    let Some(mut requirements) = chart.metadata.dependencies.take() else {
        return Ok(());
    };
    chart.dependencies = named(chart, &requirements, profile);
    let too_many = || format!("chart has more than {MAX_CHARTS} charts in it");
    *left = left
        .checked_sub(chart.dependencies.len())
        .ok_or_else(too_many)?;
    for requirement in &mut requirements {
        if !requirement.alias.is_empty() {
            requirement.name.clone_from(&requirement.alias);
        }
        requirement.enabled = true;
    }
    let values = Coalesce::new(profile, warnings).values_to_read(chart, values)?;
    if let Some(Value::Map(tags)) = values.get("tags") {
        for requirement in &mut requirements {
            apply_tags(requirement, &tags, warnings);
        }
    }
    for requirement in &mut requirements {
        apply_condition(requirement, &values, path, warnings);
    }
    let off: BTreeSet<String> = requirements
        .iter()
        .filter(|requirement| !requirement.enabled)
        .map(|requirement| requirement.name.clone())
        .collect();
    chart.dependencies.retain(|sub| !off.contains(sub.name()));
    requirements.retain(|requirement| !off.contains(&requirement.name));
    if profile.is_helm3() {
        mix_up_aliases(&mut chart.dependencies);
    }
    for sub in &mut chart.dependencies {
        let path = format!("{path}{}.", sub.name());
        enable(sub, &values, &path, profile, left, warnings)?;
    }
    chart.metadata.dependencies = (!requirements.is_empty()).then_some(requirements);
    Ok(())
}

/// The charts that are there: first those nobody asks for, then those asked for, in that order and
/// under their aliases.
fn named(chart: &Chart, requirements: &[Dependency], profile: Profile) -> Vec<Chart> {
    let fits = |sub: &Chart, requirement: &Dependency| {
        sub.name() == requirement.name
            && semver::satisfies(&requirement.version, &sub.metadata.version)
    };
    let mut out: Vec<Chart> = chart
        .dependencies
        .iter()
        .filter(|sub| {
            !requirements
                .iter()
                .any(|requirement| fits(sub, requirement))
        })
        .cloned()
        .collect();
    for requirement in requirements {
        if let Some(sub) = chart.dependencies.iter().find(|sub| fits(sub, requirement)) {
            let mut sub = sub.clone();
            if profile.is_helm3() {
                sub.name_above = Some(sub.metadata.name.clone());
            }
            if !requirement.alias.is_empty() {
                sub.metadata.name.clone_from(&requirement.alias);
            }
            out.push(sub);
        }
    }
    out.shrink_to_fit();
    out
}

/// Mixes aliases of one chart up as Helm 3 does, which copies the chart alone. They share the charts
/// below it that nobody asks for: these keep the original for a parent, or get the last alias when the
/// chart declares dependencies. They share the declared dependencies too: to the second alias these
/// are renamed already, so that it finds no chart for them, and their imports are done.
///
/// Follows helm v3 `pkg/chartutil/dependencies.go`, `getAliasDependency`.
fn mix_up_aliases(charts: &mut [Chart]) {
    let originals: Vec<_> = charts
        .iter()
        .map(|chart| chart.name_above.clone())
        .collect();
    for at in 0..charts.len() {
        if originals[at].is_some() && charts[at].metadata.dependencies.is_some() {
            let last = originals
                .iter()
                .rposition(|original| *original == originals[at]);
            charts[at].name_above = last.map(|last| charts[last].metadata.name.clone());
        }
        if originals[at].is_some() && originals[..at].contains(&originals[at]) {
            for requirement in charts[at].metadata.dependencies.iter_mut().flatten() {
                requirement.import_values.clear();
                if !requirement.alias.is_empty() {
                    requirement.name.clone_from(&requirement.alias);
                }
            }
        }
    }
}

/// One true tag switches on, else one false tag switches off.
fn apply_tags(requirement: &mut Dependency, tags: &Map, warnings: &mut Vec<String>) {
    let (mut any_true, mut any_false) = (false, false);
    for tag in &requirement.tags {
        match tags.get(tag) {
            Some(Value::Bool(true)) => any_true = true,
            Some(Value::Bool(false)) => any_false = true,
            Some(_) => warnings.push(format!(
                "tag {tag:?} for chart {} is not a boolean",
                requirement.name
            )),
            None => {}
        }
    }
    requirement.enabled = any_true || !any_false;
}

/// The first path of the condition that holds a boolean decides.
fn apply_condition(
    requirement: &mut Dependency,
    values: &Map,
    prefix: &str,
    warnings: &mut Vec<String>,
) {
    let condition = requirement.condition.trim().to_owned();
    for path in condition.split(',').filter(|path| !path.is_empty()) {
        match value_at(values, &format!("{prefix}{path}")) {
            Some(Value::Bool(flag)) => {
                requirement.enabled = flag;
                return;
            }
            Some(_) => warnings.push(format!(
                "condition {path:?} for chart {} is not a boolean",
                requirement.name
            )),
            None => {}
        }
    }
}

/// Imports from the innermost charts outwards.
fn import(chart: &mut Chart, profile: Profile, warnings: &mut Vec<String>) -> Result<(), String> {
    for sub in &mut chart.dependencies {
        import(sub, profile, warnings)?;
    }
    let Some(mut requirements) = chart.metadata.dependencies.take() else {
        return Ok(());
    };
    let nothing = Map::new(MapKind::Any);
    let values = Coalesce::keeping_nulls(profile, warnings).values(chart, &nothing)?;
    let imported = Map::new(MapKind::Any);
    for requirement in &mut requirements {
        let imports = std::mem::take(&mut requirement.import_values);
        for item in imports {
            let Some((child, parent)) = import_paths(&item) else {
                continue;
            };
            match table_at(&values, &format!("{}.{child}", requirement.name)) {
                Some(table) => {
                    let table = at_path(&parent, table);
                    Coalesce::keeping_nulls(profile, warnings).tables(&imported, &table, "", true);
                }
                None => warnings.push(format!(
                    "import-values: chart {} has no table {child:?}",
                    requirement.name
                )),
            }
            let entry = Map::new(MapKind::Str);
            entry.insert("child", Value::from(child));
            entry.insert("parent", Value::from(parent));
            requirement.import_values.push(Value::Map(entry));
        }
    }
    // The parent's own values win over what it imports.
    let values = deep_copy(&values);
    Coalesce::keeping_nulls(profile, warnings).tables(&values, &imported, "", true);
    chart.values = values;
    chart.metadata.dependencies = Some(requirements);
    Ok(())
}

/// From where in the child to where in the parent an item of `import-values` goes.
fn import_paths(item: &Value) -> Option<(String, String)> {
    match item {
        Value::Str(name) => Some((format!("exports.{}", name.to_text()), ".".to_owned())),
        Value::Map(map) => {
            let text = |key: &str| {
                let text = fmt::text(&map.get(key).unwrap_or(Value::Nil));
                text.map(|text| text.to_text().into_owned())
                    .unwrap_or_default()
            };
            Some((text("child"), text("parent")))
        }
        _ => None,
    }
}

/// The table wrapped into maps so that it stands at the path.
fn at_path(path: &str, table: Map) -> Map {
    if path == "." {
        return table;
    }
    path.split('.').rev().fold(table, |inner, name| {
        let outer = Map::new(MapKind::Any);
        outer.insert(name, Value::Map(inner));
        outer
    })
}

#[cfg(test)]
mod tests {
    use super::{check_present, enable, process};
    use crate::chart::{Chart, Overrides, Profile, compose};
    use crate::value::Str;

    const HEAD: &str = "apiVersion: v2\nversion: 1.2.0\nname: ";

    /// A chart `web` with subcharts `db` (which has `inner`) and `mq`.
    fn chart(dependencies: &str, files: &[(&str, &str)]) -> Chart {
        let web = format!("{HEAD}web\ndependencies: {dependencies}\n");
        let inner = "dependencies: [{name: inner, version: '*', condition: inner.enabled}]";
        let mut all = vec![
            ("Chart.yaml".to_owned(), Str::from(web)),
            (
                "charts/db/Chart.yaml".to_owned(),
                Str::from(format!("{HEAD}db\n{inner}\n")),
            ),
            (
                "charts/db/charts/inner/Chart.yaml".to_owned(),
                Str::from(format!("{HEAD}inner\n")),
            ),
            (
                "charts/mq/Chart.yaml".to_owned(),
                Str::from(format!("{HEAD}mq\n")),
            ),
        ];
        all.extend(
            files
                .iter()
                .map(|(name, text)| ((*name).to_owned(), Str::from(*text))),
        );
        Chart::from_files(all, Profile::Helm4).unwrap()
    }

    fn processed(mut chart: Chart, values: &str) -> (Chart, Vec<String>) {
        let files = vec![("v".to_owned(), values.as_bytes().to_vec())];
        let user = compose(
            &Overrides {
                files,
                ..Overrides::default()
            },
            Profile::Helm4,
        )
        .unwrap();
        let mut warnings = Vec::new();
        process(&mut chart, &user, Profile::Helm4, &mut warnings).unwrap();
        (chart, warnings)
    }

    fn names(chart: &Chart) -> String {
        let names = chart.dependencies.iter().map(|sub| {
            let inner = names(sub);
            if inner.is_empty() {
                sub.name().to_owned()
            } else {
                format!("{}({inner})", sub.name())
            }
        });
        names.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn undeclared_charts_come_first_and_aliases_rename() {
        let chart = chart(
            "[{name: db, version: 1.x, alias: one}, {name: db, version: ^1, alias: two}]",
            &[],
        );
        assert_eq!(names(&processed(chart, "").0), "mq one(inner) two(inner)");
    }

    #[test]
    fn conditions_beat_tags_and_are_rooted_at_the_top() {
        let declared = "[{name: db, version: '*', tags: [x], condition: db.enabled}, {name: mq, version: '*', tags: [x, y]}]";
        let build = || chart(declared, &[]);
        assert_eq!(names(&processed(build(), "tags: {x: false}").0), "");
        assert_eq!(
            names(&processed(build(), "tags: {x: false, y: true}").0),
            "mq"
        );
        assert_eq!(
            names(&processed(build(), "tags: {x: false}\ndb: {enabled: true}").0),
            "db(inner)"
        );
        assert_eq!(
            names(&processed(build(), "db: {inner: {enabled: false}}").0),
            "db mq"
        );
        let (_, warnings) = processed(build(), "db: {enabled: 'no'}");
        assert_eq!(
            warnings,
            [r#"condition "db.enabled" for chart db is not a boolean"#]
        );
    }

    #[test]
    fn imports_tables_below_the_own_values() {
        let declared = "[{name: db, version: '*', import-values: [net, {child: a.b, parent: top.x}, {child: nope, parent: z}]}]";
        let chart = chart(
            declared,
            &[
                ("values.yaml", "port: 1"),
                (
                    "charts/db/values.yaml",
                    "exports: {net: {port: 5, host: h}}\na: {b: {c: 1}}",
                ),
            ],
        );
        let (chart, warnings) = processed(chart, "");
        let values = crate::value::Value::Map(chart.values);
        insta::assert_snapshot!(crate::yaml::emit::to_yaml(&values).unwrap().to_text(), @r#"
        db:
          a:
            b:
              c: 1
          exports:
            net:
              host: h
              port: 5
          global: {}
          inner:
            global: {}
        host: h
        mq:
          global: {}
        port: 1
        top:
          x:
            c: 1
        "#);
        assert_eq!(warnings, [r#"import-values: chart db has no table "nope""#]);
    }

    #[test]
    fn ends_where_aliases_of_aliases_multiply() {
        let twice = |next: usize| {
            format!(
                "dependencies: [{{name: n{next}, version: 1.x, alias: x}}, {{name: n{next}, version: 1.x, alias: y}}]"
            )
        };
        let mut files = Vec::new();
        let mut path = String::new();
        for level in 0..25 {
            let text = format!("{HEAD}n{level}\n{}\n", twice(level + 1));
            files.push((format!("{path}Chart.yaml"), Str::from(text)));
            path = format!("{path}charts/n{}/", level + 1);
        }
        files.push((
            format!("{path}Chart.yaml"),
            Str::from(format!("{HEAD}n25\n")),
        ));
        let mut chart = Chart::from_files(files, Profile::Helm4).unwrap();
        let user = compose(&Overrides::default(), Profile::Helm4).unwrap();
        let mut warnings = Vec::new();
        let error = enable(
            &mut chart,
            &user,
            "",
            Profile::Helm4,
            &mut 100,
            &mut warnings,
        );
        assert_eq!(error.unwrap_err(), "chart has more than 10000 charts in it");
    }

    #[test]
    fn names_what_is_missing() {
        let chart = chart(
            "[{name: db, version: '*'}, {name: a, version: '*'}, {name: b, version: '*'}]",
            &[],
        );
        assert_eq!(
            check_present(&chart).unwrap_err(),
            "found in Chart.yaml, but missing in charts/ directory: a, b"
        );
    }
}
