//! What a pod has to say: its events and its log, the last lines or as it grows.

use super::request::{Request, Seat, Verb};
use super::{Cluster, Error, Selector, error};
use crate::object::{Object, ObjectRef};
use crate::percent::encode;
use http_body_util::BodyExt as _;

/// A longer line is told in pieces.
const LONGEST_LINE: usize = 64 * 1024;

/// How much of a log is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogOptions {
    /// Whether to go on with what is still to be written.
    pub follow: bool,
    /// How many of the last lines; all without it.
    pub lines: Option<usize>,
}

/// A log that is read line by line.
pub struct LogStream {
    body: kube::client::Body,
    buffer: Vec<u8>,
    ended: bool,
    _seat: Seat,
}

impl LogStream {
    /// The next line without its end; `None` when the log has ended or the connection broke.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            let end = self.buffer.iter().position(|byte| *byte == b'\n');
            let length = match end {
                Some(end) => end + 1,
                None if self.buffer.len() > LONGEST_LINE => LONGEST_LINE,
                None if self.ended && self.buffer.is_empty() => return None,
                None if self.ended => self.buffer.len(),
                None => {
                    match self.body.frame().await {
                        Some(Ok(frame)) => {
                            if let Ok(data) = frame.into_data() {
                                self.buffer.extend_from_slice(&data);
                            }
                        }
                        _ => self.ended = true,
                    }
                    continue;
                }
            };
            let line: Vec<u8> = self.buffer.drain(..length).collect();
            return Some(plain(String::from_utf8_lossy(&line).trim_end()));
        }
    }
}

/// A text without what would act on a terminal: escape sequences and control characters.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\x1b' => skip_sequence(&mut chars),
            '\t' => out.push(char),
            _ if char.is_control() => {}
            _ => out.push(char),
        }
    }
    out
}

/// Skips the rest of an escape sequence (ECMA-48): CSI up to its final byte, OSC up to its end.
fn skip_sequence(chars: &mut std::str::Chars<'_>) {
    match chars.next() {
        Some('[') => drop(chars.find(|char| ('@'..='~').contains(char))),
        Some(']') => drop(chars.find(|char| matches!(char, '\x07' | '\\'))),
        _ => {}
    }
}

impl Cluster {
    /// Opens the log of a container.
    ///
    /// # Errors
    /// When there is no log yet or it may not be read.
    pub async fn open_log(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        options: LogOptions,
    ) -> Result<LogStream, Error> {
        let action = format!("read the log of Pod/{pod} ({namespace})");
        let tail = options.lines.map(|lines| format!("&tailLines={lines}"));
        let path = format!(
            "/api/v1/namespaces/{namespace}/pods/{}/log?container={}&follow={}{}",
            encode(pod),
            encode(container),
            options.follow,
            tail.unwrap_or_default(),
        );
        let request = Request::get(Verb::Get, &action, path);
        let (response, seat) = self.open_stream(&request).await?;
        let status = response.status();
        let body = response.into_body();
        if status.is_success() {
            return Ok(LogStream {
                body,
                buffer: Vec::new(),
                ended: false,
                _seat: seat,
            });
        }
        let body = body
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes);
        let body = body.unwrap_or_default();
        Err(error::from_status(
            &action,
            self.url(),
            status.as_u16(),
            &body,
        ))
    }

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

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_line_cannot_act_on_the_terminal() {
        let told = "\x1b[31mred\x1b[0m \x1b]0;title\x07a\tb\r\x08c";
        assert_eq!(plain(told), "red a\tbc");
        assert_eq!(plain("\x1b["), "");
    }
}
