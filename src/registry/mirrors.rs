//! `registries.conf`: mirrors of registries, other locations, and what is blocked.
//!
//! Follows containers/image `pkg/sysregistriesv2` and containers-registries.conf(5), version 2 of the
//! form, and the tables of version 1 that block registries or make them insecure. Short names are
//! kbld's matter here: they are completed to Docker Hub, whatever the file says.

use super::Error;
use crate::image::DEFAULT_REGISTRY;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use windlass_helm::{json, toml, value};

/// The name of Docker Hub in these files.
const DOCKER_HUB: &str = "docker.io";

/// What the files say, the later ones before the earlier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirrors {
    registries: Vec<Entry>,
}

/// Where a repository may be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Host and port.
    pub(super) registry: String,
    /// The repository there.
    pub(super) repository: String,
    /// Whether plain http and certificates that cannot be checked are allowed.
    pub(super) insecure: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    registry: Vec<Entry>,
    registries: Old,
}

/// `[[registry]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Entry {
    prefix: String,
    location: String,
    insecure: bool,
    blocked: bool,
    mirror_by_digest_only: bool,
    mirror: Vec<Mirror>,
    /// The file that it stands in.
    #[serde(skip)]
    file: PathBuf,
}

/// `[[registry.mirror]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Mirror {
    location: String,
    insecure: bool,
    pull_from_mirror: String,
}

/// `[registries.…]` of version 1.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Old {
    insecure: OldList,
    block: OldList,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OldList {
    registries: Vec<String>,
}

impl Mirrors {
    /// Reads the first of the files that is there, and then the drop-in files (`*.conf`) of the
    /// folders in the order of their names, which win.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for a file that cannot be read or understood.
    pub fn load(files: &[PathBuf], folders: &[PathBuf]) -> Result<Self, Error> {
        let mut mirrors = Self::default();
        if let Some(file) = files.iter().find(|file| file.exists()) {
            mirrors.add(file)?;
        }
        for folder in folders {
            let Ok(entries) = std::fs::read_dir(folder) else {
                continue;
            };
            let mut found: Vec<PathBuf> = entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.extension().is_some_and(|ending| ending == "conf"))
                .collect();
            found.sort();
            found.iter().try_for_each(|file| mirrors.add(file))?;
        }
        Ok(mirrors)
    }

    fn add(&mut self, path: &Path) -> Result<(), Error> {
        let wrong = |cause: String| Error::File {
            file: path.display().to_string(),
            cause,
        };
        let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let entries = decode(&text).map_err(wrong)?;
        for mut entry in entries {
            path.clone_into(&mut entry.file);
            self.registries
                .retain(|other| other.prefix() != entry.prefix());
            self.registries.push(entry);
        }
        Ok(())
    }

    /// Whether some registry is reached without checking its certificate.
    pub(super) fn has_insecure(&self) -> bool {
        let of_mirror = |mirror: &Mirror| mirror.insecure;
        self.registries
            .iter()
            .any(|entry| entry.insecure || entry.mirror.iter().any(of_mirror))
    }

    /// Where a repository is asked for, in this order: its mirrors, then its own place.
    ///
    /// # Errors
    ///
    /// [`Error::Blocked`] for a registry that a file blocks.
    pub(super) fn endpoints(
        &self,
        registry: &str,
        repository: &str,
        by_digest: bool,
    ) -> Result<Vec<Endpoint>, Error> {
        let host = if registry == DEFAULT_REGISTRY {
            DOCKER_HUB
        } else {
            registry
        };
        let name = format!("{host}/{repository}");
        let matching = self
            .registries
            .iter()
            .filter(|entry| entry.rest_of(&name).is_some());
        let Some(entry) = matching.max_by_key(|entry| entry.prefix().len()) else {
            return Ok(vec![Endpoint {
                registry: registry.to_owned(),
                repository: repository.to_owned(),
                insecure: false,
            }]);
        };
        if entry.blocked {
            return Err(Error::Blocked {
                prefix: entry.prefix().to_owned(),
                file: entry.file.display().to_string(),
            });
        }
        let usable = |mirror: &&Mirror| match mirror.pull_from_mirror.as_str() {
            "digest-only" => by_digest,
            "tag-only" => !by_digest,
            _ => by_digest || !entry.mirror_by_digest_only,
        };
        let mirrors = entry.mirror.iter().filter(usable);
        let own = (entry.location.as_str(), entry.insecure);
        let rest = entry.rest_of(&name).unwrap_or_default();
        mirrors
            .map(|mirror| (mirror.location.as_str(), mirror.insecure))
            .chain([own])
            .map(|(location, insecure)| endpoint(location, rest, &name, insecure))
            .map(|found| {
                found.ok_or_else(|| Error::File {
                    file: entry.file.display().to_string(),
                    cause: format!("a location of `{}` names no registry", entry.prefix()),
                })
            })
            .collect()
    }
}

impl Entry {
    fn prefix(&self) -> &str {
        if self.prefix.is_empty() {
            &self.location
        } else {
            &self.prefix
        }
    }

    /// What of a name comes after the prefix, when it is one. `*.example.com` stands for every host
    /// below it.
    fn rest_of<'a>(&self, name: &'a str) -> Option<&'a str> {
        if let Some(domain) = self.prefix().strip_prefix('*') {
            let host = name.split('/').next().unwrap_or_default();
            let plain = host.rsplit_once(':').map_or(host, |(host, _)| host);
            let is_below = plain.ends_with(domain) || host.ends_with(domain);
            return (is_below && domain.starts_with('.')).then(|| &name[host.len()..]);
        }
        let rest = name.strip_prefix(self.prefix())?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    }
}

/// The prefix of a name replaced by a location; an empty location leaves the name as it is.
fn endpoint(location: &str, rest: &str, name: &str, insecure: bool) -> Option<Endpoint> {
    let full = match location {
        "" => name.to_owned(),
        _ => format!("{}{rest}", location.trim_end_matches('/')),
    };
    let (registry, repository) = full.split_once('/')?;
    let registry = if registry == DOCKER_HUB {
        DEFAULT_REGISTRY
    } else {
        registry
    };
    (super::is_registry(registry) && !repository.is_empty()).then(|| Endpoint {
        registry: registry.to_owned(),
        repository: repository.to_owned(),
        insecure,
    })
}

fn decode(text: &[u8]) -> Result<Vec<Entry>, String> {
    let map = toml::from_toml(text, &|_| value::Value::Nil)?;
    let json = json::to_json(&value::Value::Map(map))?;
    let file: File = serde_json::from_slice(json.as_bytes())
        .map_err(|error| format!("not a registries.conf: {error}"))?;
    let mut entries = file.registry;
    if let Some(wrong) = entries.iter().find(|entry| entry.prefix().is_empty()) {
        let mirror = wrong.mirror.first().map_or("", |mirror| &mirror.location);
        return Err(format!(
            "a registry (mirror `{mirror}`) has neither prefix nor location"
        ));
    }
    let old = |list: OldList, blocked: bool| {
        list.registries.into_iter().map(move |location| Entry {
            location,
            blocked,
            insecure: !blocked,
            ..Entry::default()
        })
    };
    entries.extend(old(file.registries.insecure, false));
    entries.extend(old(file.registries.block, true));
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONF: &str = r#"
unqualified-search-registries = ["quay.io"]
short-name-mode = "enforcing"
[[registry]]
prefix = "docker.io"
location = "docker.io"
[[registry.mirror]]
location = "mirror.example.com:5000/hub"
insecure = true
[[registry.mirror]]
location = "digests.example.com"
pull-from-mirror = "digest-only"
[[registry]]
location = "ghcr.io/team"
[[registry]]
prefix = "ghcr.io/team/moved"
location = "quay.io/new"
[[registry]]
prefix = "*.blocked.example.com"
blocked = true
[aliases]
"nginx" = "docker.io/library/nginx"
"#;

    fn mirrors(text: &str) -> Mirrors {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("registries.conf");
        std::fs::write(&file, text).unwrap();
        Mirrors::load(&[folder.path().join("none"), file], &[]).unwrap()
    }

    fn asked(mirrors: &Mirrors, registry: &str, repository: &str, by_digest: bool) -> String {
        let told = |end: &Endpoint| {
            let insecure = if end.insecure { " insecure" } else { "" };
            format!("{}/{}{insecure}", end.registry, end.repository)
        };
        match mirrors.endpoints(registry, repository, by_digest) {
            Ok(found) => found.iter().map(told).collect::<Vec<_>>().join(", "),
            Err(Error::Blocked { prefix, .. }) => format!("blocked by {prefix}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn mirrors_come_before_the_registry_itself() {
        let mirrors = mirrors(CONF);
        assert!(mirrors.has_insecure());
        assert_eq!(
            asked(&mirrors, "index.docker.io", "library/nginx", false),
            "mirror.example.com:5000/hub/library/nginx insecure, index.docker.io/library/nginx"
        );
        assert_eq!(
            asked(&mirrors, "index.docker.io", "library/nginx", true),
            "mirror.example.com:5000/hub/library/nginx insecure, \
             digests.example.com/library/nginx, index.docker.io/library/nginx"
        );
    }

    #[test]
    fn the_longest_prefix_counts() {
        let mirrors = mirrors(CONF);
        let cases = [
            ("ghcr.io", "team/app", "ghcr.io/team/app"),
            ("ghcr.io", "team/moved/app", "quay.io/new/app"),
            ("ghcr.io", "teams/app", "ghcr.io/teams/app"),
            (
                "a.blocked.example.com:5000",
                "x/y",
                "blocked by *.blocked.example.com",
            ),
            ("blocked.example.com", "x/y", "blocked.example.com/x/y"),
        ];
        for (registry, repository, want) in cases {
            assert_eq!(asked(&mirrors, registry, repository, false), want);
        }
    }

    #[test]
    fn drop_in_files_replace_what_is_before_them() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        write(
            "registries.conf",
            "[[registry]]\nlocation = 'a.io'\nblocked = true\n",
        );
        write("10-a.conf", "[[registry]]\nlocation = 'a.io'\n");
        write("20-b.conf", "[registries.block]\nregistries = ['b.io']\n");
        write("readme.txt", "not read");
        let main = folder.path().join("registries.conf");
        std::fs::create_dir(folder.path().join("d")).unwrap();
        for name in ["10-a.conf", "20-b.conf", "readme.txt"] {
            std::fs::rename(folder.path().join(name), folder.path().join("d").join(name)).unwrap();
        }
        let mirrors = Mirrors::load(&[main], &[folder.path().join("d")]).unwrap();
        assert_eq!(asked(&mirrors, "a.io", "x", false), "a.io/x");
        assert_eq!(asked(&mirrors, "b.io", "x", false), "blocked by b.io");
    }

    #[test]
    fn a_file_that_is_not_understood_is_named() {
        let told = |text: &str| decode(text.as_bytes()).unwrap_err();
        assert!(
            told("[[registry]").starts_with("toml: line 1"),
            "{}",
            told("[[registry]")
        );
        assert!(told("[[registry]]\nblocked = 'x'").starts_with("not a registries.conf: "));
        assert!(told("[[registry]]\nblocked = true").contains("neither prefix nor location"));
    }
}
