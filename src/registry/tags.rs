//! The tags of a repository: listed page by page, written, and what to say of one that is missing.

use super::Error;
use super::client::{Answer, Client, Upload, protocol};
use super::mirrors::Endpoint;
use crate::image::{Digest, Reference};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, LINK};

/// How many tags one page is asked for; registries may give fewer.
const PAGE: usize = 1000;
/// How many pages are read at most, so that a registry cannot keep us for ever, with how many tags and bytes in all.
const MAX_PAGES: usize = 500;
const MAX_TAGS: usize = 1_000_000;
const MAX_LIST: usize = 64 << 20;
/// How many tags like a missing one are named.
const SIMILAR_TAGS: usize = 3;

impl Client {
    /// All tags of a repository, in the registry's order.
    ///
    /// # Errors
    ///
    /// An [`Error`] that says why there is no list, after retries where they may help.
    pub async fn tags(&self, image: &Reference) -> Result<Vec<String>, Error> {
        self.at_each(image, false, async |place| self.tags_at(place).await)
            .await
    }

    /// Gives an image, named by its digest, further tags. Mirrors are not asked.
    ///
    /// # Errors
    ///
    /// An [`Error`] that says why a tag was not written, after retries where they may help.
    pub async fn tag(&self, image: &Reference, tags: &[String]) -> Result<(), Error> {
        let place = &self.own_place(image)?;
        let Some(digest) = &image.digest else {
            return Err(protocol(place, format!("{image} has no digest")));
        };
        let path = format!("manifests/{digest}");
        let manifest = self.ask(Method::GET, place, &path).await?;
        let kind = manifest.headers.get(CONTENT_TYPE);
        let upload = Upload {
            kind: kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default(),
            body: &manifest.body,
        };
        if !manifest.status.is_success() || Digest::of(upload.body) != *digest {
            return Err(protocol(place, format!("it does not give {digest} back")));
        }
        for tag in tags {
            let path = format!("manifests/{tag}");
            let put = self.request(Method::PUT, place, &path, Some(&upload));
            let status = put.await?.status;
            if !status.is_success() {
                let status = status.as_u16();
                return Err(protocol(place, format!("status {status} for tag {tag}")));
            }
        }
        Ok(())
    }

    async fn tags_at(&self, place: &Endpoint) -> Result<Vec<String>, Error> {
        let mut tags = Vec::new();
        let mut path = format!("tags/list?n={PAGE}");
        let mut bytes = 0;
        for _ in 0..MAX_PAGES {
            let answer = self.ask(Method::GET, place, &path).await?;
            match answer.status.as_u16() {
                200..=299 => {}
                404 => return Err(no_repository(place)),
                status => return Err(protocol(place, format!("status {status} for its tags"))),
            }
            bytes += answer.body.len();
            tags.extend(names(&answer.body).ok_or_else(|| {
                protocol(place, "its list of tags is not the JSON of one".to_owned())
            })?);
            match next_page(place, &answer)? {
                Some(_) if tags.len() > MAX_TAGS || bytes > MAX_LIST => break,
                Some(next) if next != path => path = next,
                _ => return Ok(tags),
            }
        }
        Err(protocol(place, "its list of tags is too long".to_owned()))
    }

    /// Tells a missing tag from a missing repository, by the list of tags.
    pub(super) async fn not_found(&self, place: &Endpoint, tag: &str) -> Error {
        match self.tags_at(place).await {
            Ok(tags) if !tags.is_empty() => Error::NoTag {
                registry: place.registry.clone(),
                repository: place.repository.clone(),
                similar: similar(tag, tags),
                tag: tag.to_owned(),
            },
            _ => no_repository(place),
        }
    }
}

fn no_repository(place: &Endpoint) -> Error {
    Error::NoRepository {
        registry: place.registry.clone(),
        repository: place.repository.clone(),
    }
}

/// `{"tags": […]}`; a repository without tags has `null` there.
fn names(body: &[u8]) -> Option<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct List {
        tags: Option<Vec<String>>,
    }
    let list: List = serde_json::from_slice(body).ok()?;
    Some(list.tags.unwrap_or_default())
}

/// The path of the next page, by `Link: </v2/…>; rel="next"`. It has to be one of this list.
fn next_page(place: &Endpoint, answer: &Answer) -> Result<Option<String>, Error> {
    let links = answer.headers.get_all(LINK).iter();
    let links = links.filter_map(|value| value.to_str().ok());
    let next = links
        .flat_map(|value| value.split(','))
        .filter_map(|link| link.trim().strip_prefix('<')?.split_once('>'))
        .find(|(_, rest)| rest.contains("rel=\"next\"") || rest.contains("rel=next"));
    let Some((address, _)) = next else {
        return Ok(None);
    };
    let (registry, repository) = (&place.registry, &place.repository);
    let list = format!("/v2/{repository}/");
    let other = || {
        protocol(
            place,
            format!("the next page of its tags is elsewhere: {address}"),
        )
    };
    let base = reqwest::Url::parse(&format!("https://{registry}{list}tags/list"));
    let page = base.map_err(|_| other())?;
    let next = page.join(address).map_err(|_| other())?;
    // Behind a proxy registries get their own scheme wrong; host and port they know.
    if next.host_str() != page.host_str() || next.path() != page.path() {
        return Err(other());
    }
    Ok(Some(format!(
        "tags/list?{}",
        next.query().unwrap_or_default()
    )))
}

/// The tags most like the missing one.
fn similar(tag: &str, mut tags: Vec<String>) -> Vec<String> {
    tags.sort_by_cached_key(|other| (strsim::damerau_levenshtein(tag, other), other.clone()));
    tags.truncate(SIMILAR_TAGS);
    tags
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    fn next(link: &str) -> Result<Option<String>, String> {
        let place = Endpoint {
            registry: "a.io:5000".to_owned(),
            repository: "team/web".to_owned(),
            insecure: false,
        };
        let mut headers = HeaderMap::new();
        headers.insert(LINK, link.parse().unwrap());
        let answer = Answer {
            status: StatusCode::OK,
            headers,
            body: Vec::new(),
        };
        next_page(&place, &answer).map_err(|error| error.to_string())
    }

    #[test]
    fn the_next_page_is_one_of_the_same_list() {
        let page = |text: &str| Ok(Some(format!("tags/list?{text}")));
        assert_eq!(
            next("</v2/team/web/tags/list?last=1&n=2>; rel=\"next\""),
            page("last=1&n=2")
        );
        assert_eq!(
            next("<http://a.io:5000/v2/team/web/tags/list?n=2>; rel=next"),
            page("n=2")
        );
        assert_eq!(next("<?last=b>; rel=\"next\""), page("last=b"));
        assert_eq!(next("</x>; rel=\"prev\""), Ok(None));
        for elsewhere in [
            "<http://evil.io/v2/team/web/tags/list>",
            "</v2/team/db/tags/list>",
        ] {
            let error = next(&format!("{elsewhere}; rel=\"next\"")).unwrap_err();
            assert!(error.contains("is elsewhere"), "{error}");
        }
    }

    #[test]
    fn similar_tags_come_nearest_first() {
        let tags = ["1.25", "1.29.1", "latest", "1.29"]
            .map(str::to_owned)
            .to_vec();
        assert_eq!(similar("1.92", tags), ["1.29", "1.25", "1.29.1"]);
    }
}
