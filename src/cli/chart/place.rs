//! Where charts are pushed to: which kind of place an address means, and with which login it is reached.

use super::super::deps as dependencies;
use super::super::lock::resolving::Registry;
use super::super::{Context, Error};
use crate::deps::{self, Bucket, Museum, OCI_SCHEME, Repository};
use crate::registry::{Credential, S3_SCHEME};
use crate::ui::Downloads;
use std::path::PathBuf;

/// What addresses of ChartMuseum may begin with, and what that stands for.
const MUSEUM_SCHEMES: [(&str, &str); 5] = [
    ("chartmuseum+https://", "https://"),
    ("chartmuseum+http://", "http://"),
    ("cm://", "https://"),
    ("https://", "https://"),
    ("http://", "http://"),
];

/// How a repository of charts is reached; the flags and variables of Helm's cm-push.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Repository")]
pub(super) struct Access {
    /// File of named chart repositories [default: Helm's]
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    repository_config: Option<PathBuf>,
    /// Path at which a ChartMuseum is mounted [default: what it says itself]
    #[arg(
        long,
        value_name = "PATH",
        env = "HELM_REPO_CONTEXT_PATH",
        hide_env = true
    )]
    context_path: Option<String>,
    /// User of the repository
    #[arg(long, value_name = "NAME", env = "HELM_REPO_USERNAME", hide_env = true)]
    username: Option<String>,
    /// Their password; better in `HELM_REPO_PASSWORD` than here, where others see it
    #[arg(
        long,
        env = "HELM_REPO_PASSWORD",
        hide_env = true,
        hide_short_help = true
    )]
    password: Option<String>,
    /// Token that is sent in place of a login; better in `HELM_REPO_ACCESS_TOKEN`
    #[arg(
        long,
        value_name = "TOKEN",
        env = "HELM_REPO_ACCESS_TOKEN",
        hide_env = true,
        hide_short_help = true
    )]
    access_token: Option<String>,
    /// PEM certificate of the client
    #[arg(
        long,
        value_name = "FILE",
        env = "HELM_REPO_CERT_FILE",
        hide_env = true,
        requires = "key_file",
        hide_short_help = true
    )]
    cert_file: Option<PathBuf>,
    /// PEM key of that certificate
    #[arg(
        long,
        value_name = "FILE",
        env = "HELM_REPO_KEY_FILE",
        hide_env = true,
        requires = "cert_file",
        hide_short_help = true
    )]
    key_file: Option<PathBuf>,
    /// PEM certificates that the repository is trusted by, besides those of the system
    #[arg(
        long,
        value_name = "FILE",
        env = "HELM_REPO_CA_FILE",
        hide_env = true,
        hide_short_help = true
    )]
    ca_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) registry: Registry,
}

/// A place for charts.
pub(super) enum Place {
    /// An OCI registry and a path in it.
    Oci(String),
    /// A server of ChartMuseum's API.
    Museum(Box<Museum>),
    /// A bucket of S3 with an `index.yaml`.
    Bucket(Box<Bucket>),
    /// A directory with an `index.yaml`.
    Directory(PathBuf),
}

impl Place {
    /// Finds out what an address means: its scheme says it, else it is an existing directory or the name of one of
    /// Helm's repositories.
    ///
    /// # Errors
    /// What is none of these, and a server that does not answer.
    pub(super) async fn find(
        text: &str,
        access: &Access,
        context: &Context,
    ) -> Result<Self, Error> {
        if let Some(path) = text.strip_prefix("file://") {
            return Ok(Self::Directory(path.into()));
        }
        if !text.contains("://") && PathBuf::from(text).is_dir() {
            return Ok(Self::Directory(text.into()));
        }
        let repository = access.repository(text, context)?;
        if repository.url.starts_with(OCI_SCHEME) {
            return Ok(Self::Oci(repository.url));
        }
        if repository.url.starts_with(S3_SCHEME) {
            let settings = dependencies::settings(&access.registry, context)?;
            let bucket = Bucket::open(&repository.url, &settings)?;
            return Ok(Self::Bucket(Box::new(bucket)));
        }
        let known = MUSEUM_SCHEMES.iter().find_map(|(scheme, stands_for)| {
            let rest = repository.url.strip_prefix(scheme)?;
            Some(format!("{stands_for}{rest}"))
        });
        let Some(url) = known else {
            let error = Error::usage(format!("{text} is no place for charts"));
            return Err(error.hinted(
                "an OCI registry is `oci://…`, a bucket of S3 `s3://…`, a ChartMuseum `https://…` or the name that `helm repo add` gave it, \
                 a directory has to be there",
            ));
        };
        let repository = Repository { url, ..repository };
        let settings = dependencies::settings(&access.registry, context)?;
        let mounted = access.context_path.as_deref();
        let downloads = Downloads::new(context.ui);
        let tell = |event: deps::Event<'_>| dependencies::tell(&event, &downloads);
        let museum = Box::pin(Museum::open(&repository, mounted, &settings, &tell)).await?;
        Ok(Self::Museum(Box::new(museum)))
    }
}

impl Access {
    /// The repository of an address or name, with the login that is given for it.
    fn repository(&self, text: &str, context: &Context) -> Result<Repository, Error> {
        let known = dependencies::named(self.repository_config.as_deref(), context)?;
        let is_name = !text.contains([':', '/', '@']);
        let found = match is_name {
            true => known.find(&format!("@{text}")),
            false => known.find(text),
        };
        let mut repository = found.unwrap_or_else(|| Repository {
            name: text.to_owned(),
            url: text.to_owned(),
            access: crate::registry::Access::default(),
        });
        // Registries and buckets have logins of their own.
        let starts = |scheme| repository.url.starts_with(scheme);
        if starts(OCI_SCHEME) || starts(S3_SCHEME) {
            return Ok(repository);
        }
        let own = &mut repository.access;
        match (&self.access_token, &self.username, &self.password) {
            (Some(token), ..) => own.login = Some(Credential::Bearer(token.clone())),
            (None, Some(user), Some(password)) => {
                let (user, password) = (user.clone(), password.clone());
                own.login = Some(Credential::Basic { user, password });
            }
            (None, Some(_), None) | (None, None, Some(_)) => {
                let error = Error::usage("a login has both a user and a password");
                return Err(error.hinted("set `HELM_REPO_USERNAME` and `HELM_REPO_PASSWORD`"));
            }
            (None, None, None) => {}
        }
        own.ca_file = self.ca_file.clone().or_else(|| own.ca_file.take());
        let identity = self.cert_file.clone().zip(self.key_file.clone());
        own.identity = identity.or_else(|| own.identity.take());
        Ok(repository)
    }
}
