//! Following a collection: a list, then its changes, then again from a list when the server has
//! forgotten where we were or has been silent for too long.

use super::live::list_action;
use super::request::{Request, Seat, Verb};
use super::{Cluster, Error, Kind, Selector, error};
use crate::object::Object;
use http_body_util::BodyExt as _;
use serde_json::Value;
use std::collections::VecDeque;
use std::time::Duration;

/// A stream that says nothing for this long is listed again: a half-open connection says nothing either.
const SILENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_secs(1);
/// A longer line is no event of an object that etcd could hold.
const LONGEST_LINE: usize = 32 * 1024 * 1024;

/// What a watch saw.
#[derive(Clone, Debug, PartialEq)]
pub enum Observed {
    /// Everything there is right now. What is not in it does not exist.
    All(Vec<Object>),
    /// An object was created or changed.
    Changed(Object),
    /// An object is gone; this is its last state.
    Gone(Object),
}

/// A collection that is followed.
pub struct Watch {
    cluster: Cluster,
    kind: Kind,
    namespace: Option<String>,
    selector: Selector,
    stream: Option<Stream>,
    ready: VecDeque<Observed>,
    failed: bool,
}

/// An open answer and where it stands.
struct Stream {
    body: kube::client::Body,
    buffer: Vec<u8>,
    _seat: Seat,
}

impl Watch {
    /// Prepares to follow the objects of a kind that match.
    #[must_use]
    pub fn new(
        cluster: &Cluster,
        kind: &Kind,
        namespace: Option<&str>,
        selector: Selector,
    ) -> Self {
        Self {
            cluster: cluster.clone(),
            kind: kind.clone(),
            namespace: namespace.map(str::to_owned),
            selector,
            stream: None,
            ready: VecDeque::new(),
            failed: false,
        }
    }

    /// The kind that is followed.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Waits for the next thing to see. The first is always [`Observed::All`].
    ///
    /// Dropping the future loses nothing: what was read stays.
    ///
    /// # Errors
    /// When listing fails for good, for example because it is forbidden. The next call tries again.
    pub async fn next(&mut self) -> Result<Observed, Error> {
        loop {
            if let Some(observed) = self.ready.pop_front() {
                return Ok(observed);
            }
            if self.stream.is_none() {
                if std::mem::take(&mut self.failed) {
                    tokio::time::sleep(PAUSE).await;
                }
                let observed = self.begin().await?;
                return Ok(observed);
            }
            self.read().await;
        }
    }

    /// Lists, and opens the stream of changes since.
    async fn begin(&mut self) -> Result<Observed, Error> {
        let namespace = self.namespace.as_deref();
        let listed = self
            .cluster
            .list_at(&self.kind, namespace, &self.selector)
            .await?;
        let action = list_action(Verb::Watch, &self.kind, namespace);
        let path = format!(
            "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds=300&resourceVersion={}{}",
            self.kind.path(namespace),
            listed.resource_version,
            self.selector.query(),
        );
        let request = Request::get(Verb::Watch, &action, path);
        match self.cluster.open_stream(&request).await {
            Ok((response, seat)) if response.status().is_success() => {
                self.stream = Some(Stream {
                    body: response.into_body(),
                    buffer: Vec::new(),
                    _seat: seat,
                });
            }
            Ok((response, _)) => {
                let code = response.status().as_u16();
                let body = response
                    .into_body()
                    .collect()
                    .await
                    .map(http_body_util::Collected::to_bytes);
                let error = error::from_status(
                    &action,
                    self.cluster.url(),
                    code,
                    &body.unwrap_or_default(),
                );
                if matches!(error, Error::Forbidden { .. } | Error::Unauthorized { .. }) {
                    return Err(error);
                }
                self.failed = true;
            }
            Err(_) => self.failed = true,
        }
        Ok(Observed::All(listed.objects))
    }

    /// Takes the next piece of the stream; ends the stream when there is none.
    async fn read(&mut self) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        let frame = tokio::time::timeout(SILENCE, stream.body.frame()).await;
        let Ok(Some(Ok(frame))) = frame else {
            self.stream = None;
            return;
        };
        if let Ok(data) = frame.into_data() {
            stream.buffer.extend_from_slice(&data);
        }
        let mut lines = Vec::new();
        while let Some(end) = stream.buffer.iter().position(|byte| *byte == b'\n') {
            lines.push(stream.buffer.drain(..=end).collect::<Vec<u8>>());
        }
        if stream.buffer.len() > LONGEST_LINE {
            self.stream = None;
        }
        for line in lines {
            match event(&line) {
                Some(Line::Seen(observed)) => self.ready.push_back(observed),
                Some(Line::Nothing) => {}
                // `410 Gone` and everything else that is no object: begin again from a list.
                None => {
                    self.stream = None;
                    self.failed = true;
                    return;
                }
            }
        }
    }
}

enum Line {
    Seen(Observed),
    Nothing,
}

fn event(line: &[u8]) -> Option<Line> {
    let mut event: Value = serde_json::from_slice(line).ok()?;
    let object = Object::new(event["object"].take())?;
    match event["type"].as_str()? {
        "ADDED" | "MODIFIED" => Some(Line::Seen(Observed::Changed(object))),
        "DELETED" => Some(Line::Seen(Observed::Gone(object))),
        "BOOKMARK" => Some(Line::Nothing),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_changes_and_takes_an_expired_watch_for_its_end() {
        let changed = br#"{"type":"MODIFIED","object":{"kind":"Pod"}}"#;
        assert!(matches!(
            event(changed),
            Some(Line::Seen(Observed::Changed(_)))
        ));
        let bookmark = br#"{"type":"BOOKMARK","object":{"kind":"Pod"}}"#;
        assert!(matches!(event(bookmark), Some(Line::Nothing)));
        let expired = br#"{"type":"ERROR","object":{"kind":"Status","code":410}}"#;
        assert!(event(expired).is_none());
    }
}
