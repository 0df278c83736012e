//! URLs as Go takes them apart and escapes them.
//!
//! Follows Go 1.26 `net/url/url.go`.

use super::strings::find;
use crate::value::quote::quoted;
use std::net::Ipv6Addr;

/// The parts of a URL, unescaped.
#[derive(Debug, Default)]
pub(crate) struct Url {
    pub(crate) scheme: Vec<u8>,
    pub(super) opaque: Vec<u8>,
    /// Name and, if there is one, password.
    pub(super) user: Option<(Vec<u8>, Option<Vec<u8>>)>,
    pub(super) host: Vec<u8>,
    pub(crate) path: Vec<u8>,
    pub(super) query: Vec<u8>,
    pub(super) fragment: Vec<u8>,
}

/// Where a text stands in a URL, which decides what is escaped in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    User,
    Host,
    Zone,
    Path,
    Fragment,
}

/// Whether a byte is written as it is.
fn is_plain(byte: u8, place: Place) -> bool {
    let others: &[u8] = match place {
        Place::User => b"$&+,;=",
        Place::Host | Place::Zone => b"!\"$&'()*+,:;<=>[]",
        Place::Path => b"$&+,/:;=@",
        Place::Fragment => b"!$&()*+,/:;=?@",
    };
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || others.contains(&byte)
}

fn escape(text: &[u8], place: Place) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if is_plain(*byte, place) {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

fn unescape(text: &[u8], place: Place) -> Result<Vec<u8>, String> {
    let in_host = matches!(place, Place::Host | Place::Zone);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        if *byte != b'%' {
            if in_host && byte.is_ascii() && !is_plain(*byte, place) {
                let byte = quoted([*byte]);
                return Err(format!("invalid character {byte} in host name"));
            }
            out.push(*byte);
            rest = after;
            continue;
        }
        let escape = &rest[..rest.len().min(3)];
        let value = match escape {
            [_, high, low] => hex(*high).zip(hex(*low)).map(|(h, l)| h << 4 | l),
            _ => None,
        };
        let value = value.filter(|value| {
            escape == b"%25"
                || match place {
                    Place::Host => !value.is_ascii(),
                    Place::Zone => *value == b' ' || is_plain(*value, Place::Host),
                    _ => true,
                }
        });
        let Some(value) = value else {
            return Err(format!("invalid URL escape {}", quoted(escape)));
        };
        out.push(value);
        rest = &rest[3..];
    }
    Ok(out)
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

/// A text before and after the first occurrence of a byte.
fn cut(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == at) {
        Some(found) => (&text[..found], Some(&text[found + 1..])),
        None => (text, None),
    }
}

impl Url {
    /// Takes a URL apart (`url.Parse`).
    ///
    /// # Errors
    /// The text of Go's error.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let (before, fragment) = cut(text, b'#');
        let error = |text: &[u8], cause: String| format!("parse {}: {cause}", quoted(text));
        let mut url = Self::parse_parts(before).map_err(|cause| error(before, cause))?;
        let fragment = unescape(fragment.unwrap_or_default(), Place::Fragment);
        url.fragment = fragment.map_err(|cause| error(text, cause))?;
        Ok(url)
    }

    fn parse_parts(text: &[u8]) -> Result<Self, String> {
        let mut url = Self::default();
        if text.iter().any(u8::is_ascii_control) {
            return Err("net/url: invalid control character in URL".into());
        }
        if text == b"*" {
            url.path = text.to_vec();
            return Ok(url);
        }
        let (scheme, rest) = split_scheme(text)?;
        url.scheme = scheme.to_ascii_lowercase();
        let (mut rest, query) = cut(rest, b'?');
        url.query = query.unwrap_or_default().to_vec();
        if !rest.starts_with(b"/") {
            if !url.scheme.is_empty() {
                url.opaque = rest.to_vec();
                return Ok(url);
            }
            if cut(rest, b'/').0.contains(&b':') {
                return Err("first path segment in URL cannot contain colon".into());
            }
        }
        let has_authority = !url.scheme.is_empty() || !rest.starts_with(b"///");
        if let Some(authority) = rest.strip_prefix(b"//").filter(|_| has_authority) {
            let end = find(authority, b"/").unwrap_or(authority.len());
            let (authority, path) = authority.split_at(end);
            rest = path;
            url.parse_authority(authority)?;
        }
        url.path = unescape(rest, Place::Path)?;
        Ok(url)
    }

    fn parse_authority(&mut self, authority: &[u8]) -> Result<(), String> {
        let at = authority.iter().rposition(|byte| *byte == b'@');
        let host = at.map_or(authority, |at| &authority[at + 1..]);
        self.host = parse_host(&self.scheme, host)?;
        let Some(user) = at.map(|at| &authority[..at]) else {
            return Ok(());
        };
        let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(b);
        if !user.iter().all(allowed) {
            return Err("net/url: invalid userinfo".into());
        }
        let (name, password) = cut(user, b':');
        let password = password.map(|password| unescape(password, Place::User));
        self.user = Some((unescape(name, Place::User)?, password.transpose()?));
        Ok(())
    }

    /// The host without port and brackets.
    pub(super) fn hostname(&self) -> &[u8] {
        let host = match self.host.iter().rposition(|byte| *byte == b':') {
            Some(colon) if is_port(&self.host[colon..]) => &self.host[..colon],
            _ => &self.host,
        };
        let inner = host.strip_prefix(b"[").and_then(|h| h.strip_suffix(b"]"));
        inner.unwrap_or(host)
    }

    /// Name and password as they stand in a URL.
    pub(super) fn user_text(&self) -> Vec<u8> {
        match &self.user {
            None => Vec::new(),
            Some((name, None)) => escape(name, Place::User),
            Some((name, Some(password))) => {
                let (name, password) = (escape(name, Place::User), escape(password, Place::User));
                [&*name, b":", &*password].concat()
            }
        }
    }

    /// Puts the URL together (`URL.String`).
    pub(crate) fn join(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.scheme.is_empty() {
            out.extend_from_slice(&self.scheme);
            out.push(b':');
        }
        if self.opaque.is_empty() {
            self.join_hierarchy(&mut out);
        } else {
            out.extend_from_slice(&self.opaque);
        }
        if !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            out.extend(escape(&self.fragment, Place::Fragment));
        }
        out
    }

    fn join_hierarchy(&self, out: &mut Vec<u8>) {
        let has_authority = !self.host.is_empty() || self.user.is_some();
        if has_authority || !self.scheme.is_empty() && !self.path.is_empty() {
            out.extend_from_slice(b"//");
        }
        if self.user.is_some() {
            out.extend(self.user_text());
            out.push(b'@');
        }
        out.extend(escape(&self.host, Place::Host));
        let path = match &*self.path {
            b"*" => b"*".to_vec(),
            path => escape(path, Place::Path),
        };
        if !path.is_empty() && path[0] != b'/' && !self.host.is_empty() {
            out.push(b'/');
        }
        if out.is_empty() && cut(&path, b'/').0.contains(&b':') {
            out.extend_from_slice(b"./");
        }
        out.extend(path);
    }
}

fn split_scheme(text: &[u8]) -> Result<(&[u8], &[u8]), String> {
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err("missing protocol scheme".into()),
            b':' => return Ok((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Ok((b"", text))
}

/// Whether a text is empty or a colon with digits.
fn is_port(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

fn check_port(text: &[u8]) -> Result<(), String> {
    if is_port(text) {
        return Ok(());
    }
    Err(format!("invalid port {} after host", quoted(text)))
}

fn parse_host(scheme: &[u8], host: &[u8]) -> Result<Vec<u8>, String> {
    match host.iter().rposition(|byte| *byte == b'[') {
        Some(0) => return parse_literal(host),
        Some(_) => return Err("invalid IP-literal".into()),
        None => {}
    }
    let colon = if matches!(scheme, b"http" | b"https") {
        host.iter().position(|byte| *byte == b':')
    } else {
        host.iter().rposition(|byte| *byte == b':')
    };
    check_port(&host[colon.unwrap_or(host.len())..])?;
    unescape(host, Place::Host)
}

/// An IPv6 address in brackets, perhaps with a zone and a port.
fn parse_literal(host: &[u8]) -> Result<Vec<u8>, String> {
    let Some(end) = host.iter().rposition(|byte| *byte == b']') else {
        return Err("missing ']' in host".into());
    };
    let (name, port) = (&host[1..end], &host[end + 1..]);
    check_port(port)?;
    let name = match find(name, b"%25") {
        Some(zone) => {
            let address = unescape(&name[..zone], Place::Host)?;
            [address, unescape(&name[zone..], Place::Zone)?].concat()
        }
        None => unescape(name, Place::Host)?,
    };
    let (address, zone) = cut(&name, b'%');
    let address = String::from_utf8_lossy(address);
    let whole = quoted(&name);
    if zone == Some(b"") {
        return Err(format!(
            "invalid host: ParseAddr({whole}): zone must be a non-empty string"
        ));
    }
    if address.parse::<Ipv6Addr>().is_err() {
        if address.parse::<std::net::Ipv4Addr>().is_ok() {
            return Err("invalid IP-literal".into());
        }
        return Err(format!(
            "invalid host: ParseAddr({whole}): unable to parse IP"
        ));
    }
    Ok([b"[", &*name, b"]", port].concat())
}
