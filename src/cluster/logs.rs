//! What a failing pod has to say: its events and the last lines of its log.

use super::live::encode;
use super::request::{Request, Verb};
use super::{Cluster, Error, Selector};
use crate::object::{Object, ObjectRef};

impl Cluster {
    /// The last lines that a container wrote; of the run before the present one when `previous`.
    ///
    /// # Errors
    /// When there is no log or it may not be read.
    pub async fn log_tail(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        lines: usize,
        previous: bool,
    ) -> Result<String, Error> {
        const MOST: usize = 16 * 1024;
        let action = format!("read the log of Pod/{pod} ({namespace})");
        let path = format!(
            "/api/v1/namespaces/{namespace}/pods/{}/log?container={}&tailLines={lines}&limitBytes={MOST}&previous={previous}",
            encode(pod),
            encode(container),
        );
        let answer = self.send(Request::get(Verb::Get, &action, path)).await?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// The warnings about an object, the newest last.
    ///
    /// # Errors
    /// When events may not be read.
    pub async fn warnings_about(
        &self,
        object: &ObjectRef,
        uid: &str,
    ) -> Result<Vec<Object>, Error> {
        let discovery = self.discovery().await?;
        let Some(kind) = discovery.preferred("", "Event") else {
            return Ok(Vec::new());
        };
        let selector = Selector {
            labels: String::new(),
            fields: format!("involvedObject.uid={uid},type=Warning"),
        };
        let mut events = self
            .list(kind, object.namespace.as_deref(), &selector)
            .await?;
        events.sort_by(|a, b| time_of(a).cmp(time_of(b)));
        Ok(events)
    }
}

fn time_of(event: &Object) -> &str {
    match event.text(&["lastTimestamp"]) {
        "" => event.text(&["eventTime"]),
        time => time,
    }
}
