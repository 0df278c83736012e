//! Signature Version 4: the `Authorization` header of a request to S3 or STS.
//!
//! Follows AWS's "Signature Calculations for the Authorization Header", whose published examples are the tests. It is
//! written out because it is one hash over one text, of hash functions that are there already. Crates that do it add 43
//! others and aws-lc (aws-config 1.13), 40 and aws-lc (object_store 0.14) or 20 (aws-sigv4 1.6); those that add few sign
//! addresses alone (rusty-s3) or bring a way of their own to send requests (reqsign). None knows conditions on writes, or
//! the retries and errors of this program.

use crate::image::Digest;
use crate::object::{hex, hmac};
use jiff::Timestamp;

/// A pair of keys, and the token that temporary ones have. Its `Debug` text shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

/// What is signed: all that the server has to believe.
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) host: &'a str,
    /// The path, encoded by [`encoded`].
    pub(super) path: &'a str,
    /// The query, sorted and encoded.
    pub(super) query: &'a str,
    /// Further headers, by their names in lower case.
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: &'a [u8],
}

/// The headers that a signed request has beside its own, `Authorization` among them.
pub(super) fn headers(
    request: &Request<'_>,
    keys: &Keys,
    region: &str,
    service: &str,
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let date = &time[..8];
    let body = hash(request.body);
    let mut added = vec![
        ("x-amz-content-sha256", body.clone()),
        ("x-amz-date", time.clone()),
    ];
    added.extend((keys.token.clone()).map(|token| ("x-amz-security-token", token)));
    let mut signed = request.headers.clone();
    signed.push(("host", request.host.to_owned()));
    signed.extend(added.clone());
    signed.sort();
    let lines: String = signed
        .iter()
        .map(|(name, value)| format!("{name}:{}\n", value.trim()))
        .collect();
    let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let Request {
        method,
        path,
        query,
        ..
    } = request;
    let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{body}");
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let hashed = hash(canonical.as_bytes());
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashed}");
    let secret = format!("AWS4{}", keys.secret);
    let key = [date, region, service, "aws4_request"]
        .iter()
        .fold(secret.into_bytes(), |key, part| {
            hmac(&key, part.as_bytes()).to_vec()
        });
    let signature = hex(&hmac(&key, text.as_bytes()));
    let id = &keys.id;
    let header = format!(
        "AWS4-HMAC-SHA256 Credential={id}/{scope},SignedHeaders={names},Signature={signature}"
    );
    added.push(("authorization", header));
    added
}

fn hash(bytes: &[u8]) -> String {
    Digest::of(bytes).hex().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Keys, Request, headers};
    use crate::percent::encode_path;

    /// A request of AWS's examples: 2013-05-24, bucket `examplebucket`.
    fn signature(
        method: &str,
        (path, query): (&str, &str),
        more: &[(&'static str, &str)],
        body: &[u8],
    ) -> String {
        let keys = Keys {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            token: None,
        };
        let request = Request {
            method,
            host: "examplebucket.s3.amazonaws.com",
            path,
            query,
            headers: more.iter().map(|(n, v)| (*n, (*v).to_owned())).collect(),
            body,
        };
        let now = "2013-05-24T00:00:00Z".parse().unwrap();
        let headers = headers(&request, &keys, "us-east-1", "s3", now);
        let (_, header) = headers.last().unwrap();
        assert!(!format!("{keys:?}").contains("EXAMPLE"));
        header.rsplit('=').next().unwrap().to_owned()
    }

    #[test]
    fn signatures_are_those_of_the_published_examples() {
        assert_eq!(
            signature("GET", ("/test.txt", ""), &[("range", "bytes=0-9")], b""),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        let more = [
            ("date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ];
        let path = format!("/{}", encode_path("test$file.text"));
        assert_eq!(
            signature("PUT", (&path, ""), &more, b"Welcome to Amazon S3."),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        );
        assert_eq!(
            signature("GET", ("/", "lifecycle="), &[], b""),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        );
        assert_eq!(
            signature("GET", ("/", "max-keys=2&prefix=J"), &[], b""),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }
}
