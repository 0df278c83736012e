//! The environment variables that windlass looks at, read once and passed on as values.

use crate::registry::{PREFIXES, Proxies};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the environment of the process says. It may hold secrets, so that it cannot be printed.
#[derive(Clone, Default)]
pub(super) struct Environment {
    /// `NO_COLOR` is set, or the terminal is dumb.
    pub(super) no_color: bool,
    /// `CLICOLOR_FORCE` is set.
    pub(super) force_color: bool,
    /// The home folder.
    pub(super) home: Option<PathBuf>,
    /// The folders of `PATH`.
    pub(super) search_path: Vec<PathBuf>,
    /// `KUBECONFIG`: the files that count as one kubeconfig.
    pub(super) kubeconfigs: Vec<PathBuf>,
    /// `DOCKER_CONFIG`: the folder of docker's `config.json`.
    pub(super) docker_config: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`: where podman keeps its `containers/auth.json`.
    pub(super) runtime_dir: Option<PathBuf>,
    /// `REGISTRY_AUTH_FILE`: podman's name of that file.
    pub(super) auth_file: Option<PathBuf>,
    /// `CONTAINERS_REGISTRIES_CONF`: podman's name of its `registries.conf`.
    pub(super) registries_conf: Option<PathBuf>,
    /// The variables of logins at registries.
    pub(super) registry_variables: Vec<(String, String)>,
    /// The proxies of http and https addresses, and what is reached without one.
    pub(super) proxies: Proxies,
    /// Helm's `repositories.yaml`.
    pub(super) helm_repositories: Option<PathBuf>,
    /// The logins of `helm registry login`.
    pub(super) helm_logins: Option<PathBuf>,
    /// The variables of AWS, for charts in S3.
    pub(super) aws: BTreeMap<String, String>,
    /// GnuPG's folder.
    pub(super) gnupg: Option<PathBuf>,
    /// The folder for caches.
    pub(super) cache_dir: Option<PathBuf>,
    /// The branch that a CI job runs for.
    pub(super) ci_branch: Option<String>,
    /// The commit that a CI job runs for.
    pub(super) ci_commit: Option<String>,
    /// The page of the CI job.
    pub(super) ci_url: Option<String>,
    /// The user that a CI job runs for.
    pub(super) ci_user: Option<String>,
    /// The user of the system.
    pub(super) user: Option<String>,
    /// The name of the machine.
    pub(super) host: Option<String>,
    /// `SOURCE_DATE_EPOCH`: the time that templates see as now.
    pub(super) source_date_epoch: Option<i64>,
}

impl Environment {
    /// Reads the variables of the process.
    pub(super) fn read() -> Self {
        let home = path("HOME");
        let helm = path("HELM_CONFIG_HOME").or_else(|| {
            let config = path("XDG_CONFIG_HOME");
            let config = config.or_else(|| home.as_ref().map(|home| home.join(".config")));
            config.map(|folder| folder.join("helm"))
        });
        let of_helm = |file| helm.as_ref().map(|folder| folder.join(file));
        Self {
            no_color: variable("NO_COLOR").is_some() || variable("TERM").as_deref() == Some("dumb"),
            force_color: variable("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            search_path: paths("PATH"),
            kubeconfigs: paths("KUBECONFIG"),
            docker_config: path("DOCKER_CONFIG"),
            runtime_dir: path("XDG_RUNTIME_DIR"),
            auth_file: path("REGISTRY_AUTH_FILE"),
            registries_conf: path("CONTAINERS_REGISTRIES_CONF"),
            registry_variables: variables_with(&PREFIXES).collect(),
            aws: variables_with(&["AWS_"]).collect(),
            proxies: Proxies {
                http: first(&["http_proxy", "HTTP_PROXY"]),
                https: first(&["https_proxy", "HTTPS_PROXY"]),
                except: first(&["no_proxy", "NO_PROXY"]),
            },
            helm_repositories: path("HELM_REPOSITORY_CONFIG")
                .or_else(|| of_helm("repositories.yaml")),
            helm_logins: path("HELM_REGISTRY_CONFIG").or_else(|| of_helm("registry/config.json")),
            gnupg: path("GNUPGHOME").or_else(|| home.as_ref().map(|home| home.join(".gnupg"))),
            cache_dir: path("XDG_CACHE_HOME")
                .or_else(|| home.as_ref().map(|home| home.join(".cache")))
                .map(|folder| folder.join("windlass")),
            ci_branch: first(&["CI_COMMIT_BRANCH", "GITHUB_REF_NAME", "BRANCH_NAME"]),
            ci_commit: first(&["CI_COMMIT_SHA", "GITHUB_SHA", "GIT_COMMIT"]),
            ci_url: first(&[
                "CI_JOB_URL",
                "BUILD_URL",
                "BUILDKITE_BUILD_URL",
                "CIRCLE_BUILD_URL",
                "TRAVIS_JOB_WEB_URL",
                "DRONE_BUILD_LINK",
                "CI_PIPELINE_URL",
            ])
            .or_else(github_run)
            .or_else(azure_run)
            .or_else(bitbucket_run),
            ci_user: first(&[
                "GITLAB_USER_LOGIN",
                "GITHUB_ACTOR",
                "BUILDKITE_BUILD_CREATOR",
                "CIRCLE_USERNAME",
                "BUILD_REQUESTEDFOR",
                "DRONE_COMMIT_AUTHOR",
            ]),
            user: first(&["USER", "LOGNAME"]),
            host: first(&["HOSTNAME"]).or_else(|| {
                let name = std::fs::read_to_string("/etc/hostname").ok()?;
                Some(name.trim().to_owned())
            }),
            source_date_epoch: variable("SOURCE_DATE_EPOCH").and_then(|text| text.parse().ok()),
            home,
        }
    }
}

/// A variable that is set to something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn path(name: &str) -> Option<PathBuf> {
    variable(name).map(PathBuf::from)
}

/// The files or folders of a list.
fn paths(name: &str) -> Vec<PathBuf> {
    let list = std::env::var_os(name).unwrap_or_default();
    let paths = std::env::split_paths(&list);
    paths.filter(|path| !path.as_os_str().is_empty()).collect()
}

fn first(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| variable(name))
}

/// The variables with one of these beginnings. One that is not UTF-8 is left out.
fn variables_with(prefixes: &[&str]) -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)))
}

/// The page of a GitHub Actions run, which no single variable holds.
fn github_run() -> Option<String> {
    let server = variable("GITHUB_SERVER_URL")?;
    let repository = variable("GITHUB_REPOSITORY")?;
    let run = variable("GITHUB_RUN_ID")?;
    Some(format!("{server}/{repository}/actions/runs/{run}"))
}

/// The page of an Azure pipeline's run.
fn azure_run() -> Option<String> {
    let server = variable("SYSTEM_COLLECTIONURI")?;
    let project = variable("SYSTEM_TEAMPROJECT")?;
    let build = variable("BUILD_BUILDID")?;
    Some(format!("{server}{project}/_build/results?buildId={build}"))
}

/// The page of a Bitbucket pipeline.
fn bitbucket_run() -> Option<String> {
    let repository = variable("BITBUCKET_GIT_HTTP_ORIGIN")?;
    let build = variable("BITBUCKET_BUILD_NUMBER")?;
    Some(format!("{repository}/pipelines/results/{build}"))
}
