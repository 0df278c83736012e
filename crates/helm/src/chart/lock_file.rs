//! `Chart.lock` as Helm writes it: its bytes, and the text that its digest is of.
//!
//! Follows helm v4 `internal/resolver/resolver.go` (`HashReq`) and `pkg/downloader/manager.go`
//! (`writeLock`). Which versions a lock holds is decided elsewhere.

use super::metadata::{Dependency, Lock};
use crate::json::to_json;
use crate::value::{Map, MapKind, Value};
use crate::yaml::emit::to_yaml;

impl Lock {
    /// The text whose SHA-256 is [`Lock::digest`]: what `Chart.yaml` asks for and what was chosen, as Go's
    /// `encoding/json` writes them.
    ///
    /// The repositories of `requirements` have to be addresses: names of repositories (`@name`) are replaced before.
    ///
    /// # Errors
    /// `import-values` that JSON does not have.
    pub fn digest_text(
        requirements: &[Dependency],
        locked: &[Dependency],
    ) -> Result<String, String> {
        Ok(format!("[{},{}]", json(requirements)?, json(locked)?))
    }

    /// The text whose SHA-256 Helm 2 wrote into `requirements.lock`; the names of repositories are left as they are.
    ///
    /// # Errors
    /// `import-values` that JSON does not have.
    pub fn digest_text_of_helm2(requirements: &[Dependency]) -> Result<String, String> {
        Ok(format!("{{\"dependencies\":{}}}", json(requirements)?))
    }

    /// The file.
    ///
    /// ```
    /// use windlass_helm::chart::{Dependency, Lock};
    ///
    /// let mut web = Dependency::default();
    /// (web.name, web.version) = ("web".into(), "1.0.0".into());
    /// web.repository = "file://../web".into();
    /// let mut lock = Lock::default();
    /// (lock.digest, lock.generated) = ("sha256:0".into(), "2026-01-01T00:00:00Z".into());
    /// lock.dependencies.push(web);
    /// let text = "dependencies:\n- name: web\n  repository: file://../web\n  version: 1.0.0\n\
    ///             digest: sha256:0\ngenerated: \"2026-01-01T00:00:00Z\"\n";
    /// assert_eq!(lock.to_yaml()?, text.as_bytes());
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    /// What YAML does not have.
    pub fn to_yaml(&self) -> Result<Vec<u8>, String> {
        let map = Map::new(MapKind::Any);
        let items = self.dependencies.iter().map(Dependency::to_value);
        map.insert("dependencies", Value::list(items.collect()));
        map.insert("digest", Value::str(&self.digest));
        map.insert("generated", Value::str(&self.generated));
        written(map)
    }
}

impl Dependency {
    /// The fields that are set, by the names that they have in `Chart.yaml`.
    pub(super) fn to_value(&self) -> Value {
        let map = Map::new(MapKind::Any);
        for (name, value) in self.fields() {
            map.insert(name, value);
        }
        Value::Map(map)
    }

    /// The fields that Go's `encoding/json` writes, in its order.
    fn fields(&self) -> Vec<(&'static str, Value)> {
        let tags = self.tags.iter().map(|tag| tag.as_str().into());
        let fields = [
            ("name", Value::str(&self.name), true),
            (
                "version",
                Value::str(&self.version),
                !self.version.is_empty(),
            ),
            ("repository", Value::str(&self.repository), true),
            (
                "condition",
                Value::str(&self.condition),
                !self.condition.is_empty(),
            ),
            ("tags", Value::strings(tags), !self.tags.is_empty()),
            ("enabled", self.enabled.into(), self.enabled),
            (
                "import-values",
                Value::list(self.import_values.clone()),
                !self.import_values.is_empty(),
            ),
            ("alias", Value::str(&self.alias), !self.alias.is_empty()),
        ];
        let set = fields.into_iter().filter(|(_, _, is_set)| *is_set);
        set.map(|(name, value, _)| (name, value)).collect()
    }
}

/// A file of YAML as Go writes it.
pub(super) fn written(map: Map) -> Result<Vec<u8>, String> {
    let mut text = to_yaml(&Value::Map(map))?.as_bytes().to_vec();
    text.push(b'\n');
    Ok(text)
}

fn json(dependencies: &[Dependency]) -> Result<String, String> {
    let object = |dependency: &Dependency| {
        let fields = dependency.fields().into_iter();
        let fields: Result<Vec<String>, String> = fields
            .map(|(name, value)| Ok(format!("\"{name}\":{}", to_json(&value)?.to_text())))
            .collect();
        Ok::<_, String>(format!("{{{}}}", fields?.join(",")))
    };
    let objects: Result<Vec<String>, String> = dependencies.iter().map(object).collect();
    Ok(format!("[{}]", objects?.join(",")))
}
