//! Where objects are: addresses `s3://BUCKET/KEY`, and the servers and regions that have them.

use super::profile::Profile;
use super::{Aws, Error, S3_SCHEME, S3Error};
use crate::percent::{decode, encode_path};
use crate::registry::shown;
use reqwest::Url;
use std::fmt;

/// The region that is assumed where none is set, as AWS's tools do.
const REGION: &str = "us-east-1";

/// One object, or a place for some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The bucket.
    pub bucket: String,
    /// The key, as it is; no `/` at its beginning.
    pub key: String,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{S3_SCHEME}{}/{}", self.bucket, self.key)
    }
}

impl Object {
    /// Reads an address `s3://BUCKET/KEY`.
    ///
    /// # Errors
    ///
    /// [`Error::S3`] for one that is none, or that names more than a bucket and a key.
    pub fn parse(url: &Url) -> Result<Self, Error> {
        let wrong = |cause: &str| S3Error::Address {
            address: shown(url),
            cause: cause.to_owned(),
        };
        let bucket = url.host_str().unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if format!("{}://", url.scheme()) != S3_SCHEME {
            return Err(wrong("is no address `s3://BUCKET/PREFIX`").into());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("an address of S3 has no login: set variables or a profile").into());
        }
        if url.port().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has more than a bucket and a key").into());
        }
        if bucket.is_empty() || bucket.starts_with('.') || !bucket.chars().all(plain) {
            return Err(wrong("has no valid name of a bucket").into());
        }
        let key = decode(url.path().trim_start_matches('/'));
        let key = key.ok_or_else(|| wrong("its key is not UTF-8"))?;
        if key.chars().any(char::is_control)
            || key.split('/').any(|part| matches!(part, "." | ".."))
        {
            return Err(wrong("its key has a part that is not allowed").into());
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            key,
        })
    }

    /// The object of a name below this place.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        let folder = self.key.trim_end_matches('/');
        let key = match folder {
            "" => name.to_owned(),
            folder => format!("{folder}/{name}"),
        };
        Self {
            bucket: self.bucket.clone(),
            key,
        }
    }
}

/// The server and the region.
pub(super) struct Place {
    /// The server that is set in place of AWS's.
    endpoint: Option<Url>,
    pub(super) region: String,
    /// The address of STS.
    pub(super) sts: Url,
}

impl Place {
    /// Looks for what variables and the profile say.
    pub(super) fn find(aws: &Aws, profile: &Profile) -> Result<Self, S3Error> {
        let region = aws.get("AWS_REGION").or(aws.get("AWS_DEFAULT_REGION"));
        let region = region.or(profile.get("region")).unwrap_or(REGION);
        if !is_region(region) {
            return Err(S3Error::Credentials {
                cause: format!("{region:?} is no region of AWS"),
                hint: "`AWS_REGION` is a name such as eu-central-1",
            });
        }
        let ignored = aws.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") == Some("true");
        let set = |service: &str| {
            let own = format!("AWS_ENDPOINT_URL_{}", service.to_uppercase());
            let set = aws.get(&own).or(aws.get("AWS_ENDPOINT_URL"));
            let set = set.or_else(|| profile.endpoint(service));
            set.filter(|_| !ignored).map(endpoint).transpose()
        };
        let (s3, sts) = (set("s3")?, set("sts")?);
        let domain = domain(region);
        let of_region = || endpoint(&format!("https://sts.{region}.{domain}/"));
        Ok(Self {
            endpoint: s3,
            region: region.to_owned(),
            sts: sts.map_or_else(of_region, Ok)?,
        })
    }

    /// Whether a bucket may be asked for in another region: one of AWS's.
    pub(super) fn may_move(&self, from: &str, to: &str) -> bool {
        self.endpoint.is_none() && from != to && is_region(to) && domain(from) == domain(to)
    }

    /// The address of an object, and the path in it as it is signed.
    pub(super) fn url(&self, object: &Object, region: &str) -> Result<(Url, String), Error> {
        let Object { bucket, key } = object;
        let key = encode_path(key);
        // The certificates of AWS are for names without further dots.
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let (server, path) = match &self.endpoint {
            Some(server) => {
                let base = server.path().trim_end_matches('/');
                (server.clone(), format!("{base}/{bucket}/{key}"))
            }
            None if bucket.len() >= 3 && bucket.len() <= 63 && bucket.chars().all(is_name) => {
                let server = format!("https://{bucket}.s3.{region}.{}/", domain(region));
                (endpoint(&server)?, format!("/{key}"))
            }
            None => {
                let server = format!("https://s3.{region}.{}/", domain(region));
                (endpoint(&server)?, format!("/{bucket}/{key}"))
            }
        };
        let mut url = server;
        url.set_path(&path);
        url.set_query(None);
        // What is signed is what is sent.
        match url.path() == path {
            true => Ok((url, path)),
            false => Err(S3Error::Address {
                address: object.to_string(),
                cause: "its key cannot be asked for".to_owned(),
            }
            .into()),
        }
    }
}

fn is_region(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (1..=63).contains(&text.len()) && text.chars().all(plain)
}

fn domain(region: &str) -> &'static str {
    match region.starts_with("cn-") {
        true => "amazonaws.com.cn",
        false => "amazonaws.com",
    }
}

fn endpoint(address: &str) -> Result<Url, S3Error> {
    let wrong = |cause: String| S3Error::Credentials {
        cause,
        hint: "`AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` and `endpoint_url` are addresses such as https://minio.example.com",
    };
    let url = Url::parse(address);
    let url = url.map_err(|error| wrong(format!("the address of the server of S3: {error}")))?;
    let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    match matches!(url.scheme(), "http" | "https") && bare {
        true => Ok(url),
        false => Err(wrong(format!(
            "{} is no address of a server of S3",
            shown(&url)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Aws, Profile};
    use super::{Object, Place};
    use reqwest::Url;

    fn object(address: &str) -> Result<Object, String> {
        Object::parse(&Url::parse(address).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_are_a_bucket_and_a_key() {
        let of = |address: &str| object(address).unwrap();
        assert_eq!(of("s3://b/p/").join("x.tgz").to_string(), "s3://b/p/x.tgz");
        assert_eq!(of("s3://b").join("x.tgz").key, "x.tgz");
        assert_eq!(of("s3://b/a%2Bb%20c/d+e").key, "a+b c/d+e");
        assert_eq!(of("s3://my_Bucket.x/%zz").key, "%zz");
        for wrong in [
            "https://b/p",
            "s3:///p",
            "s3://key:secret@b/p",
            "s3://b:80/p",
            "s3://b/p?x",
            "s3://b/%2e%2e%2fx",
            "s3://b/%ff",
            "s3://b/%0a",
            "s3://../x",
        ] {
            let error = object(wrong).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn buckets_are_reached_by_name_or_by_path() {
        let url = |variables: &[(&str, &str)], address: &str| {
            let variables = variables.iter();
            let aws = Aws {
                variables: variables
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
                ..Aws::default()
            };
            let place = Place::find(&aws, &Profile::default());
            let place = place.map_err(|error| error.to_string())?;
            let url = place.url(&object(address)?, &place.region);
            url.map(|(url, _)| url.to_string())
                .map_err(|error| error.to_string())
        };
        let own = ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9/base/");
        for (variables, address, want) in [
            (
                vec![],
                "s3://charts/a+b/x",
                "https://charts.s3.us-east-1.amazonaws.com/a%2Bb/x",
            ),
            (
                vec![("AWS_DEFAULT_REGION", "cn-north-1")],
                "s3://my.charts/x",
                "https://s3.cn-north-1.amazonaws.com.cn/my.charts/x",
            ),
            (
                vec![own, ("AWS_ENDPOINT_URL", "http://other")],
                "s3://charts/x",
                "http://127.0.0.1:9/base/charts/x",
            ),
        ] {
            assert_eq!(url(&variables, address).unwrap(), want);
        }
        for variable in [
            ("AWS_REGION", "evil.com/"),
            ("AWS_ENDPOINT_URL", "evil"),
            ("AWS_ENDPOINT_URL", "ftp://x"),
            ("AWS_ENDPOINT_URL", "https://user:hunter2@x"),
        ] {
            let error = url(&[variable], "s3://charts/x").unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
