//! The `WWW-Authenticate` header: which proof of identity a registry asks for.

use std::collections::BTreeMap;

/// One way to log in that a registry offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User name and password with each request.
    Basic,
    /// A token that another server gives.
    Bearer {
        /// The address of the token server.
        realm: String,
        /// The registry's name there.
        service: Option<String>,
        /// What the token has to allow.
        scope: Option<String>,
    },
}

/// Reads the values of all `WWW-Authenticate` headers of an answer. Bearer is preferred where both
/// are offered, as docker does; `None` when neither is.
pub(super) fn parse<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Challenge> {
    let mut basic = None;
    for header in headers {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            let mut parameters = parameters(rest);
            if let Some(realm) = parameters.remove("realm") {
                let service = parameters.remove("service");
                let scope = parameters.remove("scope");
                return Some(Challenge::Bearer {
                    realm,
                    service,
                    scope,
                });
            }
        } else if scheme.eq_ignore_ascii_case("basic") {
            basic = Some(Challenge::Basic);
        }
    }
    basic
}

/// `key="value", key=value` with backslash escapes inside quotes.
fn parameters(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut chars = text.chars().peekable();
    while chars.peek().is_some() {
        let key: String = std::iter::from_fn(|| chars.next_if(|&c| c != '=')).collect();
        chars.next();
        let mut value = String::new();
        if chars.next_if_eq(&'"').is_some() {
            while let Some(c) = chars.next_if(|&c| c != '"') {
                value.push(if c == '\\' {
                    chars.next().unwrap_or(c)
                } else {
                    c
                });
            }
            chars.next();
        } else {
            value.extend(std::iter::from_fn(|| chars.next_if(|&c| c != ',')));
        }
        while chars
            .next_if(|&c| c == ',' || c.is_ascii_whitespace())
            .is_some()
        {}
        found.insert(key.trim().to_ascii_lowercase(), value);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_challenge_gives_its_parameters() {
        let header = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io", scope="repository:library/nginx:pull,push""#;
        let want = Challenge::Bearer {
            realm: "https://auth.docker.io/token".to_owned(),
            service: Some("registry.docker.io".to_owned()),
            scope: Some("repository:library/nginx:pull,push".to_owned()),
        };
        assert_eq!(parse([header].into_iter()), Some(want));
    }

    #[test]
    fn basic_and_bearer_may_stand_together() {
        let headers = ["Basic realm=\"x\"", "bearer realm=https://a.io/t"];
        let Some(Challenge::Bearer {
            realm,
            service: None,
            ..
        }) = parse(headers.into_iter())
        else {
            panic!("no bearer challenge");
        };
        assert_eq!(realm, "https://a.io/t");
        assert_eq!(parse(headers[..1].iter().copied()), Some(Challenge::Basic));
    }

    #[test]
    fn broken_headers_are_no_challenge() {
        for header in [
            "",
            "Bearer",
            "Bearer realm",
            "Bearer =\"",
            "Negotiate abc",
            "Bearer x=\"\\",
        ] {
            let parsed = parse([header].into_iter());
            assert!(
                matches!(&parsed, None | Some(Challenge::Bearer { .. })),
                "{header}: {parsed:?}"
            );
        }
    }
}
