//! URLs and hosts: `urlParse`, `urlJoin`, `getHostByName`.
//!
//! Follows sprig 3.3.0 `url.go`. No name is ever resolved, as in Helm without `--enable-dns`.

use super::args::{Answer, NIL_DEREFERENCE, bytes, function, map, text};
use super::url::Url;
use crate::template::{Fault, Function, Param};
use crate::value::{Map, MapKind, Str, Value};

/// The functions of this file.
pub(super) const TABLE: &[Function] = &[
    function("urlParse", &[Param::Str], |_, a| parse(text(a, 0))),
    function("urlJoin", &[Param::Map], |_, a| join(&map(a, 0))),
    function("getHostByName", &[Param::Str], |_, _| Ok("".into())),
];

fn parse(text: &[u8]) -> Answer {
    let url = Url::parse(text).map_err(|error| format!("unable to parse url: {error}"))?;
    let user = url.user_text();
    let parts: [(&str, &[u8]); 8] = [
        ("scheme", &url.scheme),
        ("host", &url.host),
        ("hostname", url.hostname()),
        ("path", &url.path),
        ("query", &url.query),
        ("opaque", &url.opaque),
        ("fragment", &url.fragment),
        ("userinfo", &user),
    ];
    let entries = parts.map(|(key, part)| (Str::from(key), Value::str(part)));
    Ok(Map::from_entries(MapKind::Any, entries.into()).into())
}

/// A part of a URL in a dict; nothing when the key is missing.
fn part(dict: &Map, key: &str) -> Result<Vec<u8>, Fault> {
    match dict.get(key) {
        None => Ok(Vec::new()),
        Some(Value::Str(text)) => Ok(text.to_vec()),
        Some(Value::Nil) => Err(NIL_DEREFERENCE.into()),
        Some(other) => {
            let kind = other.kind().name();
            Err(
                format!("unable to parse {key} key, must be of type string, but {kind} found")
                    .into(),
            )
        }
    }
}

fn join(dict: &Map) -> Answer {
    let mut url = Url {
        scheme: part(dict, "scheme")?,
        host: part(dict, "host")?,
        path: part(dict, "path")?,
        query: part(dict, "query")?,
        opaque: part(dict, "opaque")?,
        fragment: part(dict, "fragment")?,
        user: None,
    };
    let user = part(dict, "userinfo")?;
    if !user.is_empty() {
        let whole = [b"proto://", &*user, b"@host"].concat();
        let parsed = Url::parse(&whole)
            .map_err(|error| format!("unable to parse userinfo in dict: {error}"))?;
        url.user = parsed.user;
    }
    bytes(url.join())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, value};
    use crate::value::Value;

    fn parts(url: &str) -> String {
        call("urlParse", &[url.into()])
    }

    #[test]
    fn takes_urls_apart() {
        assert_eq!(
            parts("HTTP://us%20er:p%40ss@Host.example:8080/a%20b?q=1&r#fr%C3%A9"),
            "map[fragment:fré host:Host.example:8080 hostname:Host.example opaque: path:/a b \
             query:q=1&r scheme:http userinfo:us%20er:p%40ss]"
        );
        assert_eq!(
            parts("mailto:a@b.c"),
            "map[fragment: host: hostname: opaque:a@b.c path: query: scheme:mailto userinfo:]"
        );
        assert!(parts("https://[::1%25en0]:80/").contains("hostname:::1%en0"));
        assert!(parts("postgres://a:1,b:2/db").contains("host:a:1,b:2"));
    }

    #[test]
    fn puts_urls_together() {
        for url in [
            "http://user:p%40ss@host:80/a%20b?q#f",
            "mailto:a@b.c",
            "//host/path",
            "/only/path",
            "file:///etc/hosts",
        ] {
            assert_eq!(call("urlJoin", &[value("urlParse", &[url.into()])]), url);
        }
        let dict = value("dict", &["path".into(), "a:b".into()]);
        assert_eq!(call("urlJoin", &[dict]), "./a:b");
        let dict = value("dict", &["host".into(), Value::int(1)]);
        assert_eq!(
            fails("urlJoin", &[dict]),
            "unable to parse host key, must be of type string, but int found"
        );
    }

    #[test]
    fn says_why_it_is_no_url() {
        for (url, cause) in [
            ("%zz", r#""%zz": invalid URL escape "%zz""#),
            ("://x", r#""://x": missing protocol scheme"#),
            (
                "a:b\u{1}",
                r#""a:b\x01": net/url: invalid control character in URL"#,
            ),
            (
                "1:2",
                r#""1:2": first path segment in URL cannot contain colon"#,
            ),
            (
                "http://a b/",
                r#""http://a b/": invalid character " " in host name"#,
            ),
            (
                "http://a:b/",
                r#""http://a:b/": invalid port ":b" after host"#,
            ),
            (
                "http://[1.2.3.4]/",
                r#""http://[1.2.3.4]/": invalid IP-literal"#,
            ),
            (
                "http://[zz]/",
                r#""http://[zz]/": invalid host: ParseAddr("zz"): unable to parse IP"#,
            ),
            (
                "http://a{b@c/",
                r#""http://a{b@c/": net/url: invalid userinfo"#,
            ),
        ] {
            let want = format!("unable to parse url: parse {cause}");
            assert_eq!(fails("urlParse", &[url.into()]), want);
        }
    }
}
