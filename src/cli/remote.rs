//! The address of a git repository: without its secrets, and the page for a pull request.

use crate::percent::{decode, encode_path};

/// An address, its credentials kept apart.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// Without credentials: what is shown and what git is told.
    pub(super) clean: String,
    /// As it was given.
    given: String,
    /// What is shown nowhere: the user and the password, encoded and not.
    secrets: Vec<String>,
}

impl Address {
    pub(super) fn new(given: &str) -> Self {
        let clean = without_credentials(given);
        let mut secrets = Vec::new();
        let authority = given
            .split_once("://")
            .map(|(_, rest)| rest.split('/').next());
        if let Some((user, _)) = authority.flatten().and_then(|text| text.rsplit_once('@'))
            && clean != given
        {
            let (name, password) = user.split_once(':').unwrap_or(("", user));
            for secret in [user, password, name] {
                secrets.push(secret.to_owned());
                secrets.extend(decode(secret));
            }
            // A short one would blank out words that tell nothing about it.
            secrets.retain(|secret| secret.len() > 3 && secret != "oauth2");
        }
        Self {
            clean,
            given: given.to_owned(),
            secrets,
        }
    }

    /// The lines of a git configuration that let git use the credentials. Command lines, which
    /// everybody on the machine can read, have none then.
    pub(super) fn config(&self) -> String {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let (clean, given) = (quoted(&self.clean), quoted(&self.given));
        let remote = format!("[remote \"origin\"]\n\turl = \"{clean}\"\n");
        if self.clean == self.given {
            return remote;
        }
        format!("{remote}[url \"{given}\"]\n\tinsteadOf = \"{clean}\"\n")
    }

    /// A text of git without the credentials.
    pub(super) fn redact(&self, text: &str) -> String {
        let mut text = text.replace(&self.given, &self.clean);
        for secret in &self.secrets {
            text = text.replace(secret.as_str(), "***");
        }
        text
    }

    /// The page that opens a pull request, where the address is of a known kind of forge.
    pub(super) fn pull_request(&self, base: &str, branch: &str) -> Option<String> {
        let (host, path) = self.host_and_path()?;
        let path = path.trim_matches('/').trim_end_matches(".git");
        let (base, branch) = (encode_path(base), encode_path(branch));
        let page = |rest: String| Some(format!("https://{host}/{path}/{rest}"));
        let is_of = |forge: &str| host.split('.').any(|label| label == forge);
        if is_of("github") {
            page(format!("compare/{base}...{branch}?expand=1"))
        } else if is_of("gitlab") {
            page(format!(
                "-/merge_requests/new?merge_request%5Bsource_branch%5D={branch}\
                 &merge_request%5Btarget_branch%5D={base}"
            ))
        } else if host == "bitbucket.org" {
            page(format!("pull-requests/new?source={branch}&dest={base}"))
        } else if is_of("codeberg") || is_of("gitea") || is_of("forgejo") {
            page(format!("compare/{base}...{branch}"))
        } else {
            None
        }
    }

    /// Host and path of `https://host/path`, `ssh://git@host/path` and `git@host:path`.
    fn host_and_path(&self) -> Option<(&str, &str)> {
        let (authority, path) = match self.clean.split_once("://") {
            Some(("file", _)) => return None,
            Some((_, rest)) => rest.split_once('/')?,
            None => self.clean.split_once(':')?,
        };
        let host = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        Some((host.split(':').next().unwrap_or_default(), path))
    }
}

/// The address of a repository without password, token and query. The user of ssh stays: it belongs
/// to the address.
pub(super) fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = match authority.rsplit_once('@') {
        Some((user, host)) if scheme.ends_with("ssh") => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{user}@{host}")
        }
        Some((_, host)) => host.to_owned(),
        None => authority.to_owned(),
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_what_is_secret() {
        for (url, want) in [
            ("https://host/a.git", "https://host/a.git"),
            (
                "https://oauth2:tok@en@host:1/a.git?x=y",
                "https://host:1/a.git",
            ),
            ("https://token@host", "https://host"),
            ("ssh://git:pw@host/a", "ssh://git@host/a"),
            ("git@host:a/b.git", "git@host:a/b.git"),
            ("/srv/git/a.git", "/srv/git/a.git"),
        ] {
            assert_eq!(without_credentials(url), want);
        }
    }

    #[test]
    fn texts_lose_credentials_however_they_are_written() {
        let address = Address::new("https://deployer:s3cr%2Ft@host/a.git");
        let text = "fatal: https://deployer:s3cr%2Ft@host/a.git, deployer, s3cr%2Ft, s3cr/t";
        assert_eq!(
            address.redact(text),
            "fatal: https://host/a.git, ***, ***, ***"
        );
        assert_eq!(
            address.config(),
            "[remote \"origin\"]\n\turl = \"https://host/a.git\"\n\
             [url \"https://deployer:s3cr%2Ft@host/a.git\"]\n\tinsteadOf = \"https://host/a.git\"\n"
        );
        let plain = Address::new("git@host:a.git");
        assert_eq!(plain.redact("git@host:a.git"), "git@host:a.git");
    }

    #[test]
    fn known_forges_have_a_page_for_pull_requests() {
        let page = |url: &str| Address::new(url).pull_request("main", "bump/web#1");
        assert_eq!(
            page("https://x:token@github.com/ops/config.git").unwrap(),
            "https://github.com/ops/config/compare/main...bump/web%231?expand=1"
        );
        assert_eq!(
            page("git@gitlab.example.com:ops/team/config.git").unwrap(),
            "https://gitlab.example.com/ops/team/config/-/merge_requests/new\
             ?merge_request%5Bsource_branch%5D=bump/web%231&merge_request%5Btarget_branch%5D=main"
        );
        assert_eq!(
            page("ssh://git@bitbucket.org/ops/config").unwrap(),
            "https://bitbucket.org/ops/config/pull-requests/new?source=bump/web%231&dest=main"
        );
        assert_eq!(
            page("https://codeberg.org/ops/config").unwrap(),
            "https://codeberg.org/ops/config/compare/main...bump/web%231"
        );
        assert_eq!(page("https://git.example.com/config"), None);
        assert_eq!(page("/srv/git/config.git"), None);
    }
}
