//! Image references: taking them apart, their full names, digests.
//!
//! Nothing here knows where a reference was found or talks to a registry. Parsing follows
//! go-containerregistry's weak validation (`pkg/name/{registry,repository,tag,digest}.go`), which
//! is what kbld uses.

use std::fmt;
use thiserror::Error;

/// The registry of references that name none.
pub const DEFAULT_REGISTRY: &str = "index.docker.io";

const REPOSITORY_CHARACTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789_-./";
const TAG_CHARACTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

/// Why a text is not an image reference. The text itself is part of the message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReferenceError {
    /// The text is empty or names no repository.
    #[error("image reference `{0}` names no repository")]
    NoRepository(String),
    /// There is more than one `@`.
    #[error("image reference `{0}` has more than one `@`")]
    ManyDigests(String),
    /// The part after `@` is not `sha256:` and 64 hexadecimal digits.
    #[error("`{0}` is not a digest: `sha256:` and 64 lower-case hexadecimal digits are expected")]
    Digest(String),
    /// A colon ends the reference.
    #[error("image reference `{0}` has no tag after its colon")]
    EmptyTag(String),
    /// The tag is too long or has a character that tags cannot have.
    #[error(
        "tag `{tag}` of image reference `{reference}` is not 1 to 128 letters, digits, `_`, `-` and `.`"
    )]
    Tag {
        /// The whole reference.
        reference: String,
        /// The tag.
        tag: String,
    },
    /// The repository is too short, too long or has a character that repositories cannot have.
    #[error(
        "repository `{repository}` of image reference `{reference}` is not 2 to 255 lower-case letters, digits, `_`, `-`, `.` and `/`"
    )]
    Repository {
        /// The whole reference.
        reference: String,
        /// The repository.
        repository: String,
    },
    /// The registry is not a host with an optional port.
    #[error(
        "registry `{registry}` of image reference `{reference}` is not a host name with an optional port"
    )]
    Registry {
        /// The whole reference.
        reference: String,
        /// The registry.
        registry: String,
    },
}

/// The SHA-256 digest of a manifest: `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

impl Digest {
    /// Takes a text for a digest.
    ///
    /// # Errors
    ///
    /// [`ReferenceError::Digest`] for another algorithm, length or alphabet.
    pub fn new(text: &str) -> Result<Self, ReferenceError> {
        let valid = text.strip_prefix("sha256:").is_some_and(|hex| {
            hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        });
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(ReferenceError::Digest(text.to_owned()))
        }
    }

    /// The digest of a manifest's bytes.
    #[must_use]
    pub fn of(manifest: &[u8]) -> Self {
        use sha2::{Digest as _, Sha256};
        let mut text = String::from("sha256:");
        for byte in Sha256::digest(manifest) {
            text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        }
        Self(text)
    }

    /// The digest as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits alone, as indexes of charts and signatures of requests have them.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.0.trim_start_matches("sha256:")
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An image reference with its parts made explicit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The host and optional port; `index.docker.io` where the text names none.
    pub registry: String,
    /// The repository in the registry; `library/` is put before a bare name on Docker Hub.
    pub repository: String,
    /// The tag, where the text has one.
    pub tag: Option<String>,
    /// The digest, where the text has one.
    pub digest: Option<Digest>,
}

impl Reference {
    /// Takes an image reference apart.
    ///
    /// # Errors
    ///
    /// A [`ReferenceError`] that names the part which is not valid.
    ///
    /// # Examples
    ///
    /// ```
    /// use windlass::image::Reference;
    /// let nginx = Reference::parse("nginx:1.29").expect("a valid reference");
    /// assert_eq!(nginx.to_string(), "index.docker.io/library/nginx:1.29");
    /// ```
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let (base, digest) = match text.split_once('@') {
            Some((_, rest)) if rest.contains('@') => {
                return Err(ReferenceError::ManyDigests(text.to_owned()));
            }
            Some((base, digest)) => (base, Some(Digest::new(digest)?)),
            None => (text, None),
        };
        let (name, tag) = match base.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (base, None),
        };
        if let Some(tag) = tag {
            check_tag(text, tag)?;
        }
        let (registry, repository) = split_registry(name);
        if repository.is_empty() {
            return Err(ReferenceError::NoRepository(text.to_owned()));
        }
        check_repository(text, repository)?;
        check_registry(text, registry)?;
        let registry = if matches!(registry, "" | "docker.io") {
            DEFAULT_REGISTRY
        } else {
            registry
        };
        let implicit = registry == DEFAULT_REGISTRY && !repository.contains('/');
        Ok(Self {
            registry: registry.to_owned(),
            repository: format!("{}{repository}", if implicit { "library/" } else { "" }),
            tag: tag.map(str::to_owned),
            digest,
        })
    }

    /// The tag, or `latest` when the reference has none.
    #[must_use]
    pub fn tag_or_latest(&self) -> &str {
        self.tag.as_deref().unwrap_or("latest")
    }

    /// Registry and repository, without tag and digest.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The reference that names one manifest for ever: registry, repository and digest.
    #[must_use]
    pub fn pinned(&self, digest: &Digest) -> String {
        format!("{}@{digest}", self.name())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// Splits a name at its first slash when what stands before is a registry: it has a dot or a
/// colon, or is `localhost`.
fn split_registry(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((registry, repository))
            if registry.contains(['.', ':']) || registry == "localhost" =>
        {
            (registry, repository)
        }
        _ => ("", name),
    }
}

fn check_tag(reference: &str, tag: &str) -> Result<(), ReferenceError> {
    if tag.is_empty() {
        return Err(ReferenceError::EmptyTag(reference.to_owned()));
    }
    if tag.len() <= 128 && tag.chars().all(|c| TAG_CHARACTERS.contains(c)) {
        return Ok(());
    }
    Err(ReferenceError::Tag {
        reference: reference.to_owned(),
        tag: tag.to_owned(),
    })
}

fn check_repository(reference: &str, repository: &str) -> Result<(), ReferenceError> {
    let valid = (2..=255).contains(&repository.len())
        && repository
            .chars()
            .all(|c| REPOSITORY_CHARACTERS.contains(c));
    // Empty, `.` and `..` parts would change the path of the request that asks for the image.
    let walks = repository
        .split('/')
        .any(|part| matches!(part, "" | "." | ".."));
    if valid && !walks {
        return Ok(());
    }
    Err(ReferenceError::Repository {
        reference: reference.to_owned(),
        repository: repository.to_owned(),
    })
}

fn check_registry(reference: &str, registry: &str) -> Result<(), ReferenceError> {
    let (host, port) = match registry.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (registry, None),
    };
    let ipv6 = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host_valid = match ipv6 {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')),
    };
    let port_valid = port.is_none_or(|port| port.parse::<u16>().is_ok() && !host.is_empty());
    if host_valid && port_valid {
        return Ok(());
    }
    Err(ReferenceError::Registry {
        reference: reference.to_owned(),
        registry: registry.to_owned(),
    })
}

/// The text before tag and digest, compared literally by kbld's `imageRepo`: the shortest prefix
/// for which the expression `\A(.+?)(:[A-Za-z0-9_\-\.]+)?(@.+:.+)?\z` matches
/// (kbld `pkg/kbld/image/url.go`). The whole text when the expression matches nowhere.
#[must_use]
pub fn repository_text(image: &str) -> &str {
    if image.contains('\n') {
        return image;
    }
    image
        .char_indices()
        .skip(1)
        .filter(|&(_, c)| matches!(c, ':' | '@'))
        .map(|(at, _)| at)
        .find(|&at| is_tag_and_digest(&image[at..]))
        .map_or(image, |at| &image[..at])
}

fn is_tag_and_digest(text: &str) -> bool {
    let Some(after_colon) = text.strip_prefix(':') else {
        return is_digest_part(text);
    };
    let tag = after_colon.len()
        - after_colon
            .trim_start_matches(|c: char| TAG_CHARACTERS.contains(c))
            .len();
    tag > 0 && (tag == after_colon.len() || is_digest_part(&after_colon[tag..]))
}

/// Whether a text has the form `@.+:.+`.
fn is_digest_part(text: &str) -> bool {
    let mut rest = text.chars();
    if rest.next() != Some('@') || rest.next().is_none() {
        return false;
    }
    let rest = rest.as_str();
    rest.find(':').is_some_and(|colon| colon + 1 < rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "f798cfd4c6a6a1d1d1e2d3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";

    fn full(text: &str) -> String {
        match Reference::parse(text) {
            Ok(reference) => reference.to_string(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn names_are_completed_as_go_containerregistry_does() {
        let cases = [
            ("nginx", "index.docker.io/library/nginx"),
            ("nginx:1.29", "index.docker.io/library/nginx:1.29"),
            ("docker.io/nginx", "index.docker.io/library/nginx"),
            (
                "docker.io/bitnami/memcached:1",
                "index.docker.io/bitnami/memcached:1",
            ),
            ("bitnami/memcached", "index.docker.io/bitnami/memcached"),
            ("ghcr.io/a/b:v1", "ghcr.io/a/b:v1"),
            ("localhost:5000/web", "localhost:5000/web"),
            ("localhost/web", "localhost/web"),
            ("[::1]:5000/web:1", "[::1]:5000/web:1"),
            ("registry.local:80/a/b/c", "registry.local:80/a/b/c"),
        ];
        for (text, want) in cases {
            assert_eq!(full(text), want);
        }
        let pinned = format!("nginx:1.29@sha256:{HEX}");
        assert_eq!(
            full(&pinned),
            format!("index.docker.io/library/nginx:1.29@sha256:{HEX}")
        );
    }

    #[test]
    fn wrong_parts_are_named() {
        let long = "x".repeat(256);
        let wrong = [
            ("", "names no repository"),
            ("ghcr.io/", "names no repository"),
            ("nginx:", "has no tag after its colon"),
            ("nginx:a b", "tag `a b` of"),
            ("Nginx:1", "repository `Nginx` of"),
            ("a", "repository `a` of"),
            (&long, "repository `xxx"),
            ("ghcr.io/../v2", "repository `../v2` of"),
            ("{{ .Values.image }}", "repository `{{ .Values.image }}` of"),
            ("nginx@sha256:12", "`sha256:12` is not a digest"),
            ("nginx@md5:1", "`md5:1` is not a digest"),
            ("n@a@b", "has more than one `@`"),
            ("host:99999/web", "registry `host:99999` of"),
            ("re gistry.io/web", "registry `re gistry.io` of"),
        ];
        for (text, want) in wrong {
            let error = Reference::parse(text).unwrap_err().to_string();
            assert!(error.contains(want), "{text}: {error}");
        }
    }

    #[test]
    fn digests_are_sha256_in_lower_case() {
        assert!(Digest::new(&format!("sha256:{HEX}")).is_ok());
        assert!(Digest::new(&format!("sha256:{}", HEX.to_uppercase())).is_err());
        assert!(Digest::new(&format!("sha256:{HEX}0")).is_err());
        assert_eq!(
            Digest::of(b"").as_str(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn repository_text_is_what_kbld_compares() {
        let cases = [
            ("nginx", "nginx"),
            ("nginx:1.29", "nginx"),
            ("nginx:1.29@sha256:ab", "nginx"),
            ("nginx@sha256:ab", "nginx"),
            ("localhost:5000/web:1", "localhost:5000/web"),
            ("localhost:5000/web", "localhost:5000/web"),
            ("localhost:5000", "localhost"),
            ("nginx:", "nginx:"),
            (":1", ":1"),
            ("a@b", "a@b"),
            ("", ""),
        ];
        for (text, want) in cases {
            assert_eq!(repository_text(text), want, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC{0,40}") {
            if let Ok(reference) = Reference::parse(&text) {
                let again = Reference::parse(&reference.to_string());
                proptest::prop_assert_eq!(again, Ok(reference));
            }
            proptest::prop_assert!(text.starts_with(repository_text(&text)));
        }
    }
}
