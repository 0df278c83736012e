//! Helm's `repositories.yaml`: the chart repositories that have a name, and how each is reached.
//!
//! Follows helm v4 `pkg/repo/v1/repo.go`. A dependency names one by `@name`, `alias:name` or its address.

use super::Error;
use crate::registry::{Access, Credential};
use reqwest::Url;
use std::path::Path;
use windlass_helm::value::{Map, Value};
use windlass_helm::yaml;

/// One repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its name; its address where it has none.
    pub name: String,
    /// Its address, as written.
    pub url: String,
    /// How it is reached.
    pub access: Access,
}

/// All that have a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repositories(Vec<Repository>);

impl Repositories {
    /// Reads the file; none is empty.
    ///
    /// # Errors
    /// A file that cannot be read or is no YAML.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(Error::file(path, error)),
        };
        let file = yaml::from_yaml_map(&text).map_err(|error| Error::file(path, error))?;
        let entries = file.get("repositories").unwrap_or(Value::Nil);
        let entries = entries.as_list().map(|list| list.items().to_vec());
        let entries = entries.unwrap_or_default();
        let entries = entries.iter().filter_map(Value::as_map).map(entry);
        Ok(Self(entries.collect()))
    }

    /// The repository that a dependency names; `None` when that is neither a name that is known nor an address.
    #[must_use]
    pub fn find(&self, repository: &str) -> Option<Repository> {
        let name = repository.strip_prefix('@');
        let name = name.or_else(|| repository.strip_prefix("alias:"));
        let known = self.0.iter().find(|one| match name {
            Some(name) => one.name == name,
            None => same(&one.url, repository),
        });
        if let Some(known) = known {
            return Some(known.clone());
        }
        Url::parse(repository).ok().filter(Url::has_host)?;
        Some(Repository {
            name: repository.to_owned(),
            url: repository.to_owned(),
            access: Access::default(),
        })
    }
}

fn entry(map: &Map) -> Repository {
    let text = |name: &str| {
        let value = map.get(name).unwrap_or(Value::Nil);
        let text = value.as_str().map(|text| text.to_text().into_owned());
        text.filter(|text| !text.is_empty())
    };
    let flag = |name: &str| matches!(map.get(name), Some(Value::Bool(true)));
    let login = |(user, password)| Credential::Basic { user, password };
    Repository {
        name: text("name").unwrap_or_default(),
        url: text("url").unwrap_or_default(),
        access: Access {
            login: text("username").zip(text("password")).map(login),
            pass_to_all: flag("pass_credentials_all"),
            ca_file: text("caFile").map(Into::into),
            identity: text("certFile")
                .zip(text("keyFile"))
                .map(|(cert, key)| (cert.into(), key.into())),
            insecure: flag("insecure_skip_tls_verify"),
        },
    }
}

/// Whether two addresses are the same but for slashes at their ends.
fn same(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') == b.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::Repositories;

    #[test]
    fn repositories_are_found_by_name_and_address() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("repositories.yaml");
        let text = "repositories:\n- name: stable\n  url: https://a.io/charts/\n  username: u\n  \
                    password: p\n  certFile: c\n  keyFile: k\n";
        std::fs::write(&path, text).unwrap();
        let all = Repositories::load(&path).unwrap();
        for name in ["@stable", "alias:stable", "https://a.io/charts"] {
            let found = all.find(name).unwrap();
            assert_eq!(found.url, "https://a.io/charts/");
            assert!(found.access.login.is_some() && found.access.identity.is_some());
        }
        assert_eq!(all.find("@other"), None);
        assert_eq!(all.find("stable"), None);
        assert!(all.find("https://b.io").unwrap().access.login.is_none());
        let none = Repositories::load(&folder.path().join("none")).unwrap();
        assert_eq!(none, Repositories::default());
    }
}
