//! From a kubeconfig (or a pod's own credentials) to a client. Sends nothing yet.

use super::{Error, Options, transport};
use kube::client::AuthError;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig, KubeconfigError};
use std::error::Error as _;
use std::path::PathBuf;

/// Who asks, for the audit log of the server.
const USER_AGENT: &str = concat!("windlass/", env!("CARGO_PKG_VERSION"));

/// How much of what a command says is shown, in bytes.
const MAX_SAID: usize = 1000;

/// A client and what is known about its server before the first request.
pub(super) struct Connection {
    pub(super) client: kube::Client,
    pub(super) url: String,
    pub(super) context: String,
    pub(super) namespace: String,
    /// Whether answers may be compressed.
    pub(super) is_compressed: bool,
}

/// Reads the configuration and builds the client.
pub(super) async fn connect(options: &Options) -> Result<Connection, Error> {
    // A second call finds the provider installed and is no error.
    drop(rustls::crypto::ring::default_provider().install_default());
    let (mut config, context) = match read(options)? {
        Some((kubeconfig, path)) => from_kubeconfig(kubeconfig, path, options).await?,
        None => in_cluster()?,
    };
    config.headers.push((
        http::header::USER_AGENT,
        http::HeaderValue::from_static(USER_AGENT),
    ));
    if let Some(namespace) = &options.namespace {
        config.default_namespace.clone_from(namespace);
    }
    let url = config
        .cluster_url
        .to_string()
        .trim_end_matches('/')
        .to_owned();
    let namespace = config.default_namespace.clone();
    let is_compressed = !config.disable_compression;
    // A command that fetches credentials may take its time, in which signals are to be heard.
    let client = tokio::task::spawn_blocking(move || transport::client(&config))
        .await
        .map_err(|error| Error::Credentials {
            context: context.clone(),
            reason: error.to_string(),
        })?
        .map_err(|error| classify(error, &context, &url))?;
    Ok(Connection {
        client,
        url,
        context,
        namespace,
        is_compressed,
    })
}

/// The kubeconfig asked for, or the one that `KUBECONFIG` and the home folder name; `None` when
/// there is none.
fn read(options: &Options) -> Result<Option<(Kubeconfig, PathBuf)>, Error> {
    let broken = |path: PathBuf, error: &KubeconfigError| Error::Kubeconfig {
        path,
        reason: reason(error),
    };
    if let Some(path) = &options.kubeconfig {
        return match Kubeconfig::read_from(path) {
            Ok(kubeconfig) => Ok(Some((kubeconfig, path.clone()))),
            Err(error) => Err(broken(path.clone(), &error)),
        };
    }
    if !options.kubeconfigs.is_empty() {
        return merged(&options.kubeconfigs);
    }
    match Kubeconfig::read() {
        Ok(kubeconfig) => Ok(Some((kubeconfig, PathBuf::from("(default)")))),
        Err(KubeconfigError::FindPath) => Ok(None),
        Err(KubeconfigError::ReadConfig(error, _))
            if error.kind() == std::io::ErrorKind::NotFound =>
        {
            Ok(None)
        }
        Err(KubeconfigError::ReadConfig(error, path)) => Err(Error::Kubeconfig {
            path,
            reason: error.to_string(),
        }),
        Err(error) => Err(broken(PathBuf::from("(default)"), &error)),
    }
}

/// Files as one; those that are not there are left out, as kubectl does.
fn merged(paths: &[PathBuf]) -> Result<Option<(Kubeconfig, PathBuf)>, Error> {
    let mut whole: Option<(Kubeconfig, PathBuf)> = None;
    for path in paths {
        let broken = |error: KubeconfigError| Error::Kubeconfig {
            path: path.clone(),
            reason: reason(&error),
        };
        let next = match Kubeconfig::read_from(path) {
            Ok(next) => next,
            Err(KubeconfigError::ReadConfig(error, _))
                if error.kind() == std::io::ErrorKind::NotFound =>
            {
                continue;
            }
            Err(error) => return Err(broken(error)),
        };
        whole = Some(match whole {
            Some((before, first)) => (before.merge(next).map_err(broken)?, first),
            None => (next, path.clone()),
        });
    }
    Ok(whole)
}

async fn from_kubeconfig(
    kubeconfig: Kubeconfig,
    path: PathBuf,
    options: &Options,
) -> Result<(kube::Config, String), Error> {
    let known: Vec<String> = kubeconfig
        .contexts
        .iter()
        .map(|context| context.name.clone())
        .collect();
    let wanted = options
        .context
        .clone()
        .or_else(|| kubeconfig.current_context.clone());
    let Some(context) = wanted.filter(|name| !name.is_empty()) else {
        let reason = format!(
            "it has no current context, and none was chosen of {}",
            known.join(", ")
        );
        return Err(Error::Kubeconfig { path, reason });
    };
    if !known.contains(&context) {
        return Err(Error::UnknownContext { context, known });
    }
    let choice = KubeConfigOptions {
        context: Some(context.clone()),
        ..KubeConfigOptions::default()
    };
    match kube::Config::from_custom_kubeconfig(kubeconfig, &choice).await {
        Ok(mut config) => {
            trim_token(&mut config.auth_info);
            Ok((config, context))
        }
        Err(error) => Err(Error::Kubeconfig {
            path,
            reason: format!("context `{context}`: {}", reason(&error)),
        }),
    }
}

/// Takes the token out of its file where it ends in a line break, which kube would send. What writes tokens anew, a
/// kubelet, writes none, so that its files stay and are read again.
fn trim_token(user: &mut AuthInfo) {
    let text = user.token_file.as_ref().map(std::fs::read_to_string);
    if let Some(Ok(text)) = text
        && text.trim_end() != text
        && user.token.is_none()
    {
        user.token = Some(text.trim_end().into());
    }
}

fn in_cluster() -> Result<(kube::Config, String), Error> {
    match kube::Config::incluster() {
        Ok(config) => Ok((config, "in-cluster".to_owned())),
        Err(_) => Err(Error::NoKubeconfig {
            tried: "the file of KUBECONFIG or ~/.kube/config".to_owned(),
        }),
    }
}

/// The innermost cause, with the words that kube puts before it only where they add something.
fn reason(error: &KubeconfigError) -> String {
    let text = match error {
        KubeconfigError::ReadConfig(error, _) => return error.to_string(),
        other => other.to_string(),
    };
    text.lines().next().unwrap_or_default().to_owned()
}

/// What failed while the client was built: mostly the command that fetches credentials.
fn classify(error: kube::Error, context: &str, url: &str) -> Error {
    let credentials = |reason: String| Error::Credentials {
        context: context.to_owned(),
        reason,
    };
    match error {
        kube::Error::Auth(AuthError::AuthExecStart(error)) => credentials(format!(
            "the command that fetches them cannot be started: {error}"
        )),
        // Its output may hold a token, and its arguments a password: only what it said of itself is shown, which is
        // already on the terminal where the command may ask there.
        kube::Error::Auth(AuthError::AuthExecRun { out, .. }) => {
            let said = &out.stderr[..out.stderr.len().min(MAX_SAID)];
            let said = String::from_utf8_lossy(said.trim_ascii());
            let colon = if said.is_empty() { "" } else { ": " };
            credentials(format!(
                "the command that fetches them ended with {}{colon}{said}",
                out.status
            ))
        }
        kube::Error::Auth(AuthError::AuthExecParse(_)) => credentials(
            "the command that fetches them printed no ExecCredential document".to_owned(),
        ),
        kube::Error::Auth(error) => credentials(error.to_string()),
        // The address may hold a password: only its scheme is shown.
        kube::Error::ProxyProtocolUnsupported { proxy_url } => Error::Unreachable {
            url: url.to_owned(),
            reason: format!(
                "the proxy of context `{context}` has the scheme `{}`; http, https and socks5 are known",
                proxy_url.scheme_str().unwrap_or_default()
            ),
        },
        other => {
            let cause = other
                .source()
                .map_or_else(|| other.to_string(), ToString::to_string);
            Error::Tls {
                url: url.to_owned(),
                reason: cause,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AuthInfo, Options, connect, merged, trim_token};
    use std::path::{Path, PathBuf};

    /// A kubeconfig whose user runs this script for its credentials.
    fn with_script(folder: &Path, script: &str) -> PathBuf {
        let path = folder.join("kubeconfig");
        let kubeconfig = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "a",
            "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
            "users": [{"name": "u", "user": {"exec": {
                "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
                "command": "sh", "args": ["-c", script, "password"]
            }}}]
        });
        std::fs::write(&path, kubeconfig.to_string()).unwrap();
        path
    }

    async fn with_credentials_of(folder: &Path, script: &str) -> Result<(), String> {
        let options = Options {
            kubeconfig: Some(with_script(folder, script)),
            ..Options::default()
        };
        let connection = connect(&options).await;
        connection.map(drop).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_command_that_gives_a_token_runs_once() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("runs");
        let credential = r#"{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "t"}}"#;
        let script = format!("echo run >> {}; echo '{credential}'", runs.display());
        let connected = with_credentials_of(folder.path(), &script).await;
        assert_eq!(connected, Ok(()));
        assert_eq!(std::fs::read_to_string(runs).unwrap(), "run\n");
    }

    #[tokio::test]
    async fn a_command_that_fails_is_told_in_its_own_words() {
        let folder = tempfile::tempdir().unwrap();
        let script = "echo token expired >&2; echo secret; exit 3";
        let error = with_credentials_of(folder.path(), script).await;
        insta::assert_snapshot!(error.unwrap_err(), @"credentials of context `a`: the command that fetches them ended with exit status: 3: token expired");
    }

    #[test]
    fn files_that_are_not_there_are_left_out_of_a_list() {
        let folder = tempfile::tempdir().unwrap();
        let path = with_script(folder.path(), "");
        let missing = folder.path().join("none");
        let list = [missing.clone(), path.clone(), path.clone()];
        let (kubeconfig, first) = merged(&list).unwrap().unwrap();
        assert_eq!((kubeconfig.contexts.len(), first), (1, path));
        assert!(merged(&list[..1]).unwrap().is_none());
        std::fs::write(&missing, "contexts: {").unwrap();
        let error = merged(&list).err().unwrap().to_string();
        assert!(error.contains("none: failed to parse"), "{error}");
    }

    #[test]
    fn the_line_break_after_a_token_is_not_a_part_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let token_of = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let mut user = AuthInfo {
                token_file: Some(path.to_string_lossy().into_owned()),
                ..AuthInfo::default()
            };
            trim_token(&mut user);
            serde_json::to_value(user).unwrap()["token"].clone()
        };
        assert_eq!(token_of("t\n"), "t");
        assert_eq!(token_of("t"), serde_json::Value::Null);
    }
}
