//! Credentials: those of variables, of docker's and podman's configuration files, and of the helper
//! programs that the files name.
//!
//! Which files are read is the caller's choice; nothing here looks at the environment. The form is
//! that of docker/cli `cli/config/configfile/file.go` and containers' `auth.json`.

use super::{Error, Settings, Variables};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Mutex, OnceCell};

/// The key under which docker stores the credentials of Docker Hub.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
/// The user name by which a helper says that its secret is an identity token.
const TOKEN_USER: &str = "<token>";

/// A way to prove who we are. Its `Debug` text shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// User name and password.
    Basic {
        /// The user name.
        user: String,
        /// The password or access token.
        password: String,
    },
    /// An OAuth refresh token (docker's identity token).
    Refresh(String),
    /// A bearer token that is sent as it is.
    Bearer(String),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(…)",
            Self::Refresh(_) => "Refresh(…)",
            Self::Bearer(_) => "Bearer(…)",
        })
    }
}

/// What the search for credentials gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lookup {
    /// The credential, if there is one.
    pub credential: Option<Credential>,
    /// Where it comes from (`the credentials in …`), or why there is none, for an error message.
    pub told: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct File {
    auths: BTreeMap<String, Auth>,
    creds_store: String,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "lowercase")]
struct Auth {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

impl Lookup {
    /// What to say when the registry refuses: the credential is wrong, or there is none.
    pub(super) fn if_refused(&self) -> String {
        match self.credential {
            Some(_) => format!("{} are not accepted", self.told),
            None => self.told.clone(),
        }
    }
}

/// What a helper program answers, or why it does not.
type Helped = Result<Option<Credential>, String>;
/// The answers of helper programs by name and server.
type Helpers = BTreeMap<(String, String), Arc<OnceCell<Helped>>>;

/// The credentials of variables and of several configuration files, the first with a match counting.
#[derive(Debug, Default)]
pub(super) struct Keychain {
    variables: Variables,
    files: Vec<(PathBuf, File)>,
    /// How long a helper program may take.
    patience: Duration,
    /// Each helper program is asked once.
    helped: Mutex<Helpers>,
}

impl Keychain {
    /// Reads the docker configuration files of the settings; files that do not exist are left out.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for a file that cannot be read or is not JSON of the right form. Its text
    /// shows nothing of the content.
    pub(super) fn load(settings: &Settings) -> Result<Self, Error> {
        let mut files = Vec::new();
        for path in &settings.docker_configs {
            let text = match std::fs::read(path) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(file_error(path, &error.to_string())),
            };
            let file = serde_json::from_slice(&text).map_err(|error| {
                let (line, column) = (error.line(), error.column());
                file_error(
                    path,
                    &format!("not a docker configuration: line {line} column {column}"),
                )
            })?;
            files.push((path.clone(), file));
        }
        Ok(Self {
            variables: settings.variables.clone(),
            files,
            patience: settings.timeout,
            helped: Mutex::default(),
        })
    }

    /// Looks for the credential of a repository: variables, and in each file its helper programs,
    /// then the longest path that it names, then the registry.
    pub(super) async fn find(&self, registry: &str, repository: &str) -> Lookup {
        if let Some((credential, name)) = self.variables.find(registry) {
            return Lookup {
                credential: Some(credential.clone()),
                told: format!("the credentials of `{name}`"),
            };
        }
        let mut told = Vec::new();
        for (path, file) in &self.files {
            let shown = path.display();
            if let Some(helper) = file.helper(registry) {
                match self.help(helper, helper_key(registry)).await {
                    Ok(Some(credential)) => {
                        let told = format!("the credentials of `docker-credential-{helper}`");
                        return Lookup {
                            credential: Some(credential),
                            told,
                        };
                    }
                    Ok(None) => told.push(format!("`docker-credential-{helper}` has none for it")),
                    Err(cause) => told.push(cause),
                }
            }
            match file.credential(registry, repository) {
                Some(Ok(credential)) => {
                    let told = format!("the credentials in {shown}");
                    return Lookup {
                        credential: Some(credential),
                        told,
                    };
                }
                Some(Err(cause)) => told.push(format!("{shown}: {cause}")),
                None => {}
            }
        }
        if told.is_empty() {
            told.push(match self.files.as_slice() {
                [] => "there is no docker configuration with credentials".to_owned(),
                files => {
                    let names: Vec<_> =
                        files.iter().map(|(p, _)| p.display().to_string()).collect();
                    format!("{} has no credentials for it", names.join(" or "))
                }
            });
        }
        Lookup {
            credential: None,
            told: told.join("; "),
        }
    }

    async fn help(&self, helper: &str, server: &str) -> Helped {
        let key = (helper.to_owned(), server.to_owned());
        let cell = self.helped.lock().await.entry(key).or_default().clone();
        let ask = || ask_helper(helper, server, self.patience);
        cell.get_or_init(ask).await.clone()
    }
}

impl File {
    fn helper(&self, registry: &str) -> Option<&str> {
        self.cred_helpers
            .iter()
            .find(|(key, _)| host_of(key) == canonical(registry))
            .map(|(_, helper)| helper.as_str())
            .or((!self.creds_store.is_empty()).then_some(self.creds_store.as_str()))
    }

    fn credential(&self, registry: &str, repository: &str) -> Option<Result<Credential, String>> {
        let mut path = Some(repository);
        while let Some(part) = path {
            if let Some(auth) = self.auths.get(&format!("{registry}/{part}")) {
                return auth.credential();
            }
            path = part.rsplit_once('/').map(|(parent, _)| parent);
        }
        self.auths
            .iter()
            .filter(|(key, _)| !is_path(key))
            .find(|(key, _)| host_of(key) == canonical(registry))
            .and_then(|(_, auth)| auth.credential())
    }
}

impl Auth {
    /// `None` for an empty entry: docker leaves one behind when a helper holds the secret.
    fn credential(&self) -> Option<Result<Credential, String>> {
        if !self.registrytoken.is_empty() {
            return Some(Ok(Credential::Bearer(self.registrytoken.clone())));
        }
        if !self.identitytoken.is_empty() {
            return Some(Ok(Credential::Refresh(self.identitytoken.clone())));
        }
        if !self.auth.is_empty() {
            return Some(decode_auth(&self.auth));
        }
        (!self.username.is_empty()).then(|| {
            Ok(Credential::Basic {
                user: self.username.clone(),
                password: self.password.clone(),
            })
        })
    }
}

fn decode_auth(auth: &str) -> Result<Credential, String> {
    let text = STANDARD
        .decode(auth.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((user, password)) = text.as_deref().and_then(|text| text.split_once(':')) else {
        return Err("its `auth` is not base64 of user and password".to_owned());
    };
    // docker pads passwords with NUL bytes in files of old versions.
    let password = password.trim_end_matches('\0');
    Ok(Credential::Basic {
        user: user.to_owned(),
        password: password.to_owned(),
    })
}

/// Whether a key names a repository and not only a registry; docker's own `/v1/` keys are URLs.
fn is_path(key: &str) -> bool {
    !key.contains("://") && key.trim_end_matches('/').contains('/')
}

/// The host of a key of `auths`: without scheme and path (docker's `ConvertToHostname`).
fn host_of(key: &str) -> &str {
    let key = key.split_once("://").map_or(key, |(_, rest)| rest);
    canonical(key.split('/').next().unwrap_or(key))
}

/// Docker Hub has several names.
pub(super) fn canonical(host: &str) -> &str {
    if matches!(host, "docker.io" | "registry-1.docker.io") {
        "index.docker.io"
    } else {
        host
    }
}

fn helper_key(registry: &str) -> &str {
    if canonical(registry) == "index.docker.io" {
        DOCKER_HUB_KEY
    } else {
        registry
    }
}

/// Runs `docker-credential-<helper> get` (protocol of docker/docker-credential-helpers). `None`
/// when the helper knows nothing of the server.
async fn ask_helper(helper: &str, server: &str, patience: Duration) -> Helped {
    let program = format!("docker-credential-{helper}");
    if !helper
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    {
        return Err(format!(
            "`{program}` is not the name of a credential helper"
        ));
    }
    let run = run_helper(&program, server);
    let output = match tokio::time::timeout(patience, run).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(format!("credential helper `{program}` is not in PATH"));
        }
        Ok(Err(error)) => return Err(format!("run credential helper `{program}`: {error}")),
        Err(_) => {
            let seconds = patience.as_secs();
            return Err(format!(
                "credential helper `{program}` did not answer within {seconds} s"
            ));
        }
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout).to_lowercase();
        let unknown = said.contains("not found") || said.contains("no credentials");
        return if unknown {
            Ok(None)
        } else {
            Err(format!("`{program}` failed: {}", output.status))
        };
    }
    // The answer holds a secret: nothing of it may get into the message.
    let answer: HelperAnswer = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("`{program}` did not answer with JSON"))?;
    Ok(match answer {
        HelperAnswer { username, secret } if username == TOKEN_USER => {
            Some(Credential::Refresh(secret))
        }
        HelperAnswer { username, secret } if username.is_empty() && secret.is_empty() => None,
        HelperAnswer { username, secret } => Some(Credential::Basic {
            user: username,
            password: secret,
        }),
    })
}

async fn run_helper(program: &str, server: &str) -> std::io::Result<std::process::Output> {
    let mut child = tokio::process::Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read its input is not an error by itself.
        drop(stdin.write_all(server.as_bytes()).await);
    }
    child.wait_with_output().await
}

fn file_error(path: &Path, cause: &str) -> Error {
    Error::File {
        file: path.display().to_string(),
        cause: cause.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> File {
        serde_json::from_str(text).unwrap()
    }

    fn user(file: &File, registry: &str, repository: &str) -> Option<String> {
        match file.credential(registry, repository)?.unwrap() {
            Credential::Basic { user, .. } => Some(user),
            other => Some(format!("{other:?}")),
        }
    }

    #[test]
    fn the_longest_path_wins_then_the_host() {
        let file = file(
            r#"{"auths": {"ghcr.io": {"username": "host"}, "ghcr.io/team": {"username": "team"},
                "https://index.docker.io/v1/": {"auth": "aHViOnB3"}, "quay.io": {}}}"#,
        );
        assert_eq!(user(&file, "ghcr.io", "team/app").as_deref(), Some("team"));
        assert_eq!(user(&file, "ghcr.io", "other/app").as_deref(), Some("host"));
        assert_eq!(
            user(&file, "index.docker.io", "library/nginx").as_deref(),
            Some("hub")
        );
        assert_eq!(user(&file, "quay.io", "a/b"), None);
        assert_eq!(user(&file, "gcr.io", "a/b"), None);
    }

    #[test]
    fn tokens_go_before_passwords() {
        let file = file(
            r#"{"auths": {"a.io": {"identitytoken": "t", "username": "u"}, "b.io": {"registrytoken": "t"}}}"#,
        );
        assert_eq!(user(&file, "a.io", "x/y").as_deref(), Some("Refresh(…)"));
        assert_eq!(user(&file, "b.io", "x/y").as_deref(), Some("Bearer(…)"));
    }

    #[test]
    fn helpers_are_chosen_by_registry() {
        let file = file(r#"{"credsStore": "desktop", "credHelpers": {"gcr.io": "gcloud"}}"#);
        assert_eq!(file.helper("gcr.io"), Some("gcloud"));
        assert_eq!(file.helper("ghcr.io"), Some("desktop"));
    }

    #[test]
    fn an_unreadable_entry_does_not_show_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        std::fs::write(
            &path,
            r#"{"auths": {"a.io": {"auth": 5, "password": "canary"}}"#,
        )
        .unwrap();
        let settings = Settings {
            docker_configs: vec![path],
            ..Settings::default()
        };
        let error = Keychain::load(&settings).unwrap_err().to_string();
        assert!(
            error.contains("not a docker configuration: line 1"),
            "{error}"
        );
        assert!(!error.contains("canary"));
        let decoded = decode_auth("Y2FuYXJ5").unwrap_err();
        assert_eq!(decoded, "its `auth` is not base64 of user and password");
    }

    #[tokio::test]
    async fn a_missing_helper_is_told() {
        let files = vec![(
            PathBuf::from("config.json"),
            file(r#"{"credsStore": "no-such-helper"}"#),
        )];
        let keychain = Keychain {
            files,
            patience: Duration::from_secs(5),
            ..Keychain::default()
        };
        let lookup = keychain.find("a.io", "x/y").await;
        assert_eq!(lookup.credential, None);
        assert_eq!(
            lookup.told,
            "credential helper `docker-credential-no-such-helper` is not in PATH"
        );
    }
}
