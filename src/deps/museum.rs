//! ChartMuseum: charts pushed to and deleted from a server of its API.
//!
//! Follows the API of chartmuseum 0.16 (`pkg/chartmuseum/server/multitenant/handlers.go`) and where the helm-push
//! plugin finds it: below the path at which the server is mounted, `api`, then the tenant. Charts are read from it as
//! from every chart repository.

use super::event::Tell;
use super::index::MAX_INDEX;
use super::origin::warn_if_open;
use super::repositories::Repository;
use super::{Error, Package, Pushed};
use crate::image::Digest;
use crate::registry::{self, Reply, Server, Settings, shown};
use reqwest::{Method, StatusCode, Url};
use serde_json::Value;

/// The most of a server's words that is told, in characters.
const MAX_WORDS: usize = 300;

/// A repository on a server of ChartMuseum's API.
#[derive(Debug)]
pub struct Museum {
    server: Server,
    /// The repository, as it is read from.
    base: Url,
    /// The same below `api`, as it is written to.
    api: Url,
}

impl Museum {
    /// Finds the API of a repository. `mounted` is the path at which the server is mounted (`--context-path`); without
    /// it, the server is asked.
    ///
    /// # Errors
    /// An address that is none, or a server that does not answer.
    pub async fn open(
        repository: &Repository,
        mounted: Option<&str>,
        settings: &Settings,
        tell: Tell<'_>,
    ) -> Result<Self, Error> {
        let wrong = |url: String, cause: String| Error::Repository { url, cause };
        let mut base = Url::parse(&repository.url)
            .map_err(|error| wrong(repository.name.clone(), error.to_string()))?;
        base.set_query(None);
        base.set_fragment(None);
        let of_server = |error| Error::Upload(Box::new(error));
        let server = Server::new(&base, repository.access.clone(), settings).map_err(of_server)?;
        warn_if_open(&base, &repository.access, settings, tell);
        let mounted = match mounted {
            Some(path) => path.trim_matches('/').to_owned(),
            None if base.path().trim_matches('/').is_empty() => String::new(),
            None => {
                let index = below(&base, "index.yaml").map_err(|e| wrong(shown(&base), e))?;
                let text = server.get(&index, MAX_INDEX, &|_| {}).await;
                let text = text.map_err(|error| no_index(&base, error))?;
                mounted_at(&text)
            }
        };
        let path = base.path().trim_matches('/');
        let under = |whole: &str| {
            let rest = whole.strip_prefix(&mounted)?;
            (mounted.is_empty() || rest.is_empty() || rest.starts_with('/'))
                .then(|| rest.to_owned())
        };
        let Some(tenant) = under(path) else {
            let cause =
                format!("the server is mounted at /{mounted}, which its path does not begin with");
            return Err(wrong(shown(&base), cause));
        };
        let mut api = base.clone();
        let parts = [mounted.as_str(), "api", tenant.trim_matches('/')];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        api.set_path(&parts.join("/"));
        Ok(Self { server, base, api })
    }

    /// Pushes a chart, with its provenance where there is one, in one request. One that is there with the same
    /// content is no failure.
    ///
    /// # Errors
    /// What the server says against it.
    pub async fn push(&self, package: &Package, force: bool) -> Result<Pushed, Error> {
        let mut url = self.endpoint(&["charts"])?;
        if force {
            url.set_query(Some("force"));
        }
        let reply = self
            .form(&url, Some(&package.file), package.provenance.as_deref())
            .await?;
        if is_done(&reply, StatusCode::CREATED, "saved") {
            return Ok(Pushed::New);
        }
        if reply.status == StatusCode::CONFLICT && !force && self.has(package).await? {
            // Its provenance may be what is missing.
            if let Some(provenance) = &package.provenance {
                let reply = self.form(&url, None, Some(provenance)).await?;
                let saved = is_done(&reply, StatusCode::CREATED, "saved");
                if !saved && reply.status != StatusCode::CONFLICT {
                    return Err(refused(&Method::POST, &url, &reply));
                }
            }
            return Ok(Pushed::Known);
        }
        Err(refused(&Method::POST, &url, &reply))
    }

    /// Deletes a version of a chart, and its provenance.
    ///
    /// # Errors
    /// What the server says against it.
    pub async fn delete(&self, name: &str, version: &str) -> Result<(), Error> {
        let url = self.endpoint(&["charts", name, version])?;
        let ask = async |method: Method| {
            let reply = self.server.change(method, &url, None).await;
            reply.map_err(|error| Error::Upload(Box::new(error)))
        };
        let was_there = ask(Method::GET).await?.status == StatusCode::OK;
        let reply = ask(Method::DELETE).await?;
        // The answer to the request that did it may have been lost, so that it was sent again.
        let is_gone =
            async || Ok::<_, Error>(ask(Method::GET).await?.status == StatusCode::NOT_FOUND);
        let may_be_done = was_there && reply.status == StatusCode::NOT_FOUND;
        match is_done(&reply, StatusCode::OK, "deleted") || (may_be_done && is_gone().await?) {
            true => Ok(()),
            false => Err(refused(&Method::DELETE, &url, &reply)),
        }
    }

    /// Where an archive is to be had, for people to read.
    #[must_use]
    pub fn shown(&self, archive: &str) -> String {
        let url = below(&self.base, &format!("charts/{archive}"));
        url.map_or_else(|_| archive.to_owned(), |url| shown(&url))
    }

    /// Whether the server has the chart with the same content.
    async fn has(&self, package: &Package) -> Result<bool, Error> {
        let (name, version) = (&package.metadata.name, &package.metadata.version);
        let url = self.endpoint(&["charts", name, version])?;
        let reply = self.server.change(Method::GET, &url, None).await;
        let reply = reply.map_err(|error| Error::Upload(Box::new(error)))?;
        let digest = Digest::of(&package.file);
        let answer: Option<Value> = serde_json::from_slice(&reply.body).ok();
        let stated = answer.as_ref().and_then(|answer| answer["digest"].as_str());
        Ok(stated.is_some_and(|stated| digest.as_str().ends_with(stated) && stated.len() == 64))
    }

    /// Sends files as a browser sends a form.
    async fn form(
        &self,
        url: &Url,
        chart: Option<&[u8]>,
        provenance: Option<&[u8]>,
    ) -> Result<Reply, Error> {
        // What has this digest does not hold it.
        let whole = [chart.unwrap_or_default(), provenance.unwrap_or_default()].concat();
        let boundary = Digest::of(&whole).as_str().replace(':', "-");
        let mut body = Vec::new();
        for (field, file) in [("chart", chart), ("prov", provenance)] {
            let Some(file) = file else { continue };
            let head = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{field}\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n"
            );
            body.extend([head.as_bytes(), file, b"\r\n"].concat());
        }
        body.extend(format!("--{boundary}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={boundary}");
        let sent = self.server.change(Method::POST, url, Some((&kind, &body)));
        sent.await.map_err(|error| Error::Upload(Box::new(error)))
    }

    fn endpoint(&self, parts: &[&str]) -> Result<Url, Error> {
        let mut url = self.api.clone();
        let Ok(mut segments) = url.path_segments_mut() else {
            return Err(Error::Repository {
                url: shown(&self.api),
                cause: "it has no path".to_owned(),
            });
        };
        segments.pop_if_empty().extend(parts);
        drop(segments);
        Ok(url)
    }
}

fn below(base: &Url, path: &str) -> Result<Url, String> {
    let mut folder = base.clone();
    folder.set_path(&format!("{}/", base.path().trim_end_matches('/')));
    folder.join(path).map_err(|error| error.to_string())
}

/// The path at which a server is mounted, by its index, whose last lines ChartMuseum adds.
fn mounted_at(index: &[u8]) -> String {
    let text = String::from_utf8_lossy(index);
    let own = text
        .lines()
        .skip_while(|line| *line != "serverInfo:")
        .skip(1);
    let own = own.take_while(|line| line.starts_with(' '));
    let path = own
        .filter_map(|line| line.trim().strip_prefix("contextPath:"))
        .next();
    let path = path.unwrap_or_default().trim();
    path.trim_matches(['"', '\'', '/']).to_owned()
}

fn no_index(base: &Url, error: registry::Error) -> Error {
    let registry::Error::Status { url, status } = &error else {
        return Error::Upload(Box::new(error));
    };
    Error::Refused {
        request: format!("GET {url}"),
        answer: status.clone(),
        hint: Some(format!(
            "{} is no ChartMuseum: name as many folders as its `--depth` says, and `--context-path PATH` where it is \
             mounted below one",
            shown(base)
        )),
    }
}

/// Whether the answer says that it was done, and is not that of another server on the way.
fn is_done(reply: &Reply, status: StatusCode, field: &str) -> bool {
    let answer: Option<Value> = serde_json::from_slice(&reply.body).ok();
    reply.status == status && answer.is_some_and(|answer| answer[field] == true)
}

/// The error of an answer that says no.
fn refused(method: &Method, url: &Url, reply: &Reply) -> Error {
    let words = words(&reply.body);
    let answer = match words.is_empty() {
        true => reply.status.to_string(),
        false => format!("{}: {words}", reply.status),
    };
    let hint = match reply.status.as_u16() {
        404 if *method == Method::DELETE => {
            "check name, version and address; a server with `--disable-delete` deletes nothing"
        }
        200..=299 | 404 | 405 => {
            "no API of ChartMuseum answers there: name as many folders as its `--depth` says, check \
             `--context-path`, and that it does not run with `--disable-api`"
        }
        403 => "the login may not write to this repository",
        409 => {
            "another content is there under this version: raise the version, or replace it with `--force` where the \
             server allows it"
        }
        413 => "the archive is larger than the server's `--max-upload-size`",
        507 => {
            "the server's `--max-storage-objects` is reached: `windlass chart delete` what is not needed"
        }
        _ => "",
    };
    let mut url = url.clone();
    url.set_query(None);
    Error::Refused {
        request: format!("{method} {}", shown(&url)),
        answer,
        hint: (!hint.is_empty()).then(|| hint.to_owned()),
    }
}

/// What a server says, in one line.
fn words(body: &[u8]) -> String {
    let answer: Option<Value> = serde_json::from_slice(body).ok();
    let own = answer.as_ref().and_then(|answer| {
        let field = |name: &str| answer[name].as_str().map(str::to_owned);
        field("error").or_else(|| field("message"))
    });
    let text = own.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let text: Vec<&str> = text
        .split(|c: char| c.is_control() || c.is_whitespace())
        .collect();
    let text = text.into_iter().filter(|word| !word.is_empty());
    let text = text.collect::<Vec<_>>().join(" ");
    text.chars().take(MAX_WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::{mounted_at, refused, words};
    use crate::registry::Reply;
    use reqwest::{Method, StatusCode, Url};

    #[test]
    fn where_a_server_is_mounted_stands_in_its_index() {
        let of = |text: &str| mounted_at(text.as_bytes());
        assert_eq!(
            of("apiVersion: v1\nserverInfo:\n  contextPath: /a/b\n"),
            "a/b"
        );
        assert_eq!(of("apiVersion: v1\nserverInfo: {}\n"), "");
        assert_eq!(
            of("entries:\n  x:\n  - serverInfo:\n      contextPath: /x\n"),
            ""
        );
    }

    #[test]
    fn a_server_is_quoted_in_one_line() {
        assert_eq!(
            words(br#"{"error":"file already exists"}"#),
            "file already exists"
        );
        assert_eq!(
            words(b"<html>\n  \x1b[31mno</html>"),
            "<html> [31mno</html>"
        );
        assert_eq!(words("x".repeat(1000).as_bytes()).len(), 300);
        let url = Url::parse("https://u:secret@a.io/api/charts?force").unwrap();
        let reply = Reply {
            status: StatusCode::CONFLICT,
            body: b"{\"error\":\"file already exists\"}".to_vec(),
        };
        let error = refused(&Method::POST, &url, &reply);
        let told = error.to_string();
        assert_eq!(
            told,
            "POST https://a.io/api/charts: 409 Conflict: file already exists"
        );
        assert!(error.hint().unwrap().contains("--force"));
    }
}
