//! From a kubeconfig (or a pod's own credentials) to a client. Sends nothing yet.

use super::{Error, Options, transport};
use kube::client::AuthError;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use std::error::Error as _;
use std::path::PathBuf;

/// Who asks, for the audit log of the server.
const USER_AGENT: &str = concat!("windlass/", env!("CARGO_PKG_VERSION"));

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
        Ok(config) => Ok((config, context)),
        Err(error) => Err(Error::Kubeconfig {
            path,
            reason: format!("context `{context}`: {}", reason(&error)),
        }),
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
        // Its output may hold a token: only the status is shown.
        kube::Error::Auth(AuthError::AuthExecRun { cmd, out }) => credentials(format!(
            "the command `{cmd}` that fetches them ended with {}",
            out.status
        )),
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
    use super::{Options, connect};

    #[tokio::test]
    async fn a_command_that_gives_a_token_runs_once() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("runs");
        let path = folder.path().join("kubeconfig");
        let credential = r#"{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "t"}}"#;
        let script = format!("echo run >> {}; echo '{credential}'", runs.display());
        let kubeconfig = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "a",
            "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
            "users": [{"name": "u", "user": {"exec": {
                "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
                "command": "sh", "args": ["-c", script]
            }}}]
        });
        std::fs::write(&path, kubeconfig.to_string()).unwrap();
        let options = Options {
            kubeconfig: Some(path),
            ..Options::default()
        };
        connect(&options).await.unwrap();
        assert_eq!(std::fs::read_to_string(runs).unwrap(), "run\n");
    }
}
