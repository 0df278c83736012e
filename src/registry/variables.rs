//! Logins from variables: `KBLD_REGISTRY_HOSTNAME`, `…_USERNAME` and so on, and the same with
//! `WINDLASS_`.
//!
//! Follows kbld `pkg/kbld/registry/auth/env_keychain.go`. The variables come in as values.

use super::docker_config::{Credential, canonical};
use super::{Error, is_registry};
use std::collections::BTreeMap;

/// The beginnings of the variables; those of the first go before those of the second.
pub const PREFIXES: [&str; 2] = ["WINDLASS_REGISTRY_", "KBLD_REGISTRY_"];

/// The logins that variables name, by registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    logins: BTreeMap<String, (Credential, String)>,
}

/// The variables that belong together: those without a suffix, or with the same one.
#[derive(Default)]
struct Group<'a> {
    hostname: Option<&'a str>,
    username: Option<&'a str>,
    password: Option<&'a str>,
    identity_token: Option<&'a str>,
    registry_token: Option<&'a str>,
}

impl Variables {
    /// Puts variables together by their suffix: `_0` of `KBLD_REGISTRY_HOSTNAME_0`, or none.
    ///
    /// # Errors
    ///
    /// [`Error::Variable`] for a name that is not known, a login without a host or without a secret,
    /// and two logins for one host. The text holds no value but that of a host.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Error> {
        let mut groups: BTreeMap<(usize, &str), Group<'_>> = BTreeMap::new();
        for (name, value) in pairs {
            let place = PREFIXES
                .iter()
                .enumerate()
                .find_map(|(at, prefix)| Some((at, name.strip_prefix(prefix)?)));
            let Some((prefix, rest)) = place else {
                continue;
            };
            let known = [
                "HOSTNAME",
                "USERNAME",
                "PASSWORD",
                "IDENTITY_TOKEN",
                "REGISTRY_TOKEN",
            ];
            let key = known.into_iter().find_map(|key| {
                let suffix = rest.strip_prefix(key)?;
                (suffix.is_empty() || suffix.starts_with('_')).then_some((key, suffix))
            });
            let Some((key, suffix)) = key else {
                let cause = format!("is not known; there are {}", known.join(", "));
                return Err(wrong(name, cause));
            };
            let group = groups.entry((prefix, suffix)).or_default();
            let field = match key {
                "HOSTNAME" => &mut group.hostname,
                "USERNAME" => &mut group.username,
                "PASSWORD" => &mut group.password,
                "IDENTITY_TOKEN" => &mut group.identity_token,
                _ => &mut group.registry_token,
            };
            *field = Some(value);
        }
        let mut logins = BTreeMap::new();
        for ((prefix, suffix), group) in &groups {
            let name = format!("{}HOSTNAME{suffix}", PREFIXES[*prefix]);
            let (host, credential) = group.login(&name)?;
            match logins.get(&host) {
                None => drop(logins.insert(host, (credential, name))),
                Some((_, first)) if first.starts_with(PREFIXES[*prefix]) => {
                    return Err(wrong(&name, format!("names {host}, as `{first}` does")));
                }
                Some(_) => {}
            }
        }
        Ok(Self { logins })
    }

    /// The login of a registry, and the variable that names the host.
    pub(super) fn find(&self, registry: &str) -> Option<(&Credential, &str)> {
        let (credential, name) = self.logins.get(canonical(registry))?;
        Some((credential, name))
    }
}

impl Group<'_> {
    fn login(&self, name: &str) -> Result<(String, Credential), Error> {
        let Some(host) = self.hostname else {
            return Err(wrong(
                name,
                "is not set, but others of its login are".to_owned(),
            ));
        };
        if !is_registry(host) {
            let cause =
                format!("is `{host}`, which is no registry such as ghcr.io or index.docker.io");
            return Err(wrong(name, cause));
        }
        // The order of tokens and passwords is that of docker's files.
        let credential = match (self.registry_token, self.identity_token, self.username) {
            (Some(token), _, _) => Credential::Bearer(token.to_owned()),
            (None, Some(token), _) => Credential::Refresh(token.to_owned()),
            (None, None, Some(user)) => Credential::Basic {
                user: user.to_owned(),
                password: self.password.unwrap_or_default().to_owned(),
            },
            (None, None, None) => {
                return Err(wrong(
                    name,
                    "has neither a user name nor a token beside it".to_owned(),
                ));
            }
        };
        Ok((canonical(host).to_owned(), credential))
    }
}

fn wrong(name: &str, cause: String) -> Error {
    Error::Variable {
        name: name.to_owned(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pairs: &[(&str, &str)], registry: &str) -> String {
        match Variables::new(pairs.iter().copied()) {
            Err(error) => error.to_string(),
            Ok(variables) => match variables.find(registry) {
                None => "none".to_owned(),
                Some((Credential::Basic { user, password }, name)) => {
                    format!("{user}:{password} by {name}")
                }
                Some((credential, name)) => format!("{credential:?} by {name}"),
            },
        }
    }

    #[test]
    fn variables_with_one_suffix_are_one_login() {
        let pairs = [
            ("KBLD_REGISTRY_HOSTNAME", "ghcr.io"),
            ("KBLD_REGISTRY_USERNAME", "me"),
            ("KBLD_REGISTRY_PASSWORD", "pw"),
            ("KBLD_REGISTRY_HOSTNAME_0", "docker.io"),
            ("KBLD_REGISTRY_IDENTITY_TOKEN_0", "t"),
            ("KBLD_REGISTRY_HOSTNAME_my_own", "a.io:5000"),
            ("KBLD_REGISTRY_REGISTRY_TOKEN_my_own", "t"),
            ("OTHER", "x"),
        ];
        assert_eq!(told(&pairs, "ghcr.io"), "me:pw by KBLD_REGISTRY_HOSTNAME");
        assert_eq!(
            told(&pairs, "index.docker.io"),
            "Refresh(…) by KBLD_REGISTRY_HOSTNAME_0"
        );
        assert_eq!(
            told(&pairs, "a.io:5000"),
            "Bearer(…) by KBLD_REGISTRY_HOSTNAME_my_own"
        );
        assert_eq!(told(&pairs, "a.io"), "none");
    }

    #[test]
    fn variables_of_windlass_go_before_those_of_kbld() {
        let pairs = [
            ("KBLD_REGISTRY_HOSTNAME", "a.io"),
            ("KBLD_REGISTRY_USERNAME", "kbld"),
            ("WINDLASS_REGISTRY_HOSTNAME_1", "a.io"),
            ("WINDLASS_REGISTRY_USERNAME_1", "windlass"),
        ];
        assert_eq!(
            told(&pairs, "a.io"),
            "windlass: by WINDLASS_REGISTRY_HOSTNAME_1"
        );
    }

    #[test]
    fn mistakes_are_told_without_secrets() {
        let cases: [(&[(&str, &str)], &str); 5] = [
            (
                &[("KBLD_REGISTRY_PASWORD", "canary")],
                "variable `KBLD_REGISTRY_PASWORD` is not known; there are HOSTNAME, USERNAME, PASSWORD, IDENTITY_TOKEN, REGISTRY_TOKEN",
            ),
            (
                &[("KBLD_REGISTRY_PASSWORD_1", "canary")],
                "variable `KBLD_REGISTRY_HOSTNAME_1` is not set, but others of its login are",
            ),
            (
                &[
                    ("KBLD_REGISTRY_HOSTNAME", "https://a.io"),
                    ("KBLD_REGISTRY_USERNAME", "canary"),
                ],
                "variable `KBLD_REGISTRY_HOSTNAME` is `https://a.io`, which is no registry such as ghcr.io or index.docker.io",
            ),
            (
                &[
                    ("KBLD_REGISTRY_HOSTNAME", "a.io"),
                    ("KBLD_REGISTRY_PASSWORD", "canary"),
                ],
                "variable `KBLD_REGISTRY_HOSTNAME` has neither a user name nor a token beside it",
            ),
            (
                &[
                    ("KBLD_REGISTRY_HOSTNAME", "a.io"),
                    ("KBLD_REGISTRY_USERNAME", "canary"),
                    ("KBLD_REGISTRY_HOSTNAME_2", "a.io"),
                    ("KBLD_REGISTRY_USERNAME_2", "canary"),
                ],
                "variable `KBLD_REGISTRY_HOSTNAME_2` names a.io, as `KBLD_REGISTRY_HOSTNAME` does",
            ),
        ];
        for (pairs, want) in cases {
            assert_eq!(told(pairs, "a.io"), want);
        }
    }
}
