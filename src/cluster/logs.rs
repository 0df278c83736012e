//! What a pod has to say: its events and its log, the last lines or as it grows.

use super::request::{Request, Seat, Verb};
use super::{Cluster, Error, Selector, error};
use crate::object::{Object, ObjectRef};
use crate::percent::encode;
use http_body_util::BodyExt as _;

/// What a line has beyond that is left out, in bytes.
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
    lines: Lines,
    ended: bool,
    _seat: Seat,
}

impl LogStream {
    /// The next line without its end; `None` when the log has ended or the connection broke. A line
    /// that is very long is cut, and ends with `…` then.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(line) = self.lines.next(self.ended) {
                return Some(line);
            }
            if self.ended {
                return None;
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.lines.buffer.extend_from_slice(&data);
                    }
                }
                _ => self.ended = true,
            }
        }
    }
}

/// What was read of a log and not yet told. Holds one line at most, and what came with it.
#[derive(Default)]
struct Lines {
    buffer: Vec<u8>,
    /// Whether the buffer begins with the rest of a line whose beginning was told.
    is_rest: bool,
}

impl Lines {
    /// The next line; when nothing more will come, also one without an end.
    fn next(&mut self, ended: bool) -> Option<String> {
        loop {
            let end = self.buffer.iter().position(|byte| *byte == b'\n');
            let line: Vec<u8> = match end {
                Some(end) => self.buffer.drain(..=end).collect(),
                None if ended || self.is_rest || self.buffer.len() > LONGEST_LINE => {
                    std::mem::take(&mut self.buffer)
                }
                None => return None,
            };
            let was_rest = std::mem::replace(&mut self.is_rest, end.is_none());
            if !was_rest && !line.is_empty() {
                return Some(shown(&line));
            }
            end?;
        }
    }
}

/// A line for people, cut where it is too long.
fn shown(line: &[u8]) -> String {
    let line = line.trim_ascii_end();
    if line.len() <= LONGEST_LINE {
        return plain(&String::from_utf8_lossy(line));
    }
    let start = String::from_utf8_lossy(&line[..LONGEST_LINE]);
    format!("{}…", plain(start.trim_end_matches('\u{fffd}')))
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
        let tail = options.lines.map(|lines| format!("&tailLines={lines}"));
        let limits = format!("&follow={}{}", options.follow, tail.unwrap_or_default());
        self.log(namespace, pod, container, &limits).await
    }

    /// Opens the log of a container, as much of it as the rest of the query says.
    async fn log(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        limits: &str,
    ) -> Result<LogStream, Error> {
        let action = format!("read the log of Pod/{pod} ({namespace})");
        let path = format!(
            "/api/v1/namespaces/{namespace}/pods/{}/log?container={}{limits}",
            encode(pod),
            encode(container),
        );
        let request = Request::get(Verb::Get, &action, path);
        let (response, seat) = self.open_stream(&request).await?;
        let status = response.status();
        let body = response.into_body();
        if status.is_success() {
            return Ok(LogStream {
                body,
                lines: Lines::default(),
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

    /// The last lines that a container wrote; of the run before the present one when `previous`. Asks
    /// once, and reads no more than is asked for, whatever the node sends.
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
    ) -> Result<Vec<String>, Error> {
        const MOST: usize = 16 * 1024;
        let limits = format!("&tailLines={lines}&limitBytes={MOST}&previous={previous}");
        let mut log = self.log(namespace, pod, container, &limits).await?;
        let mut tail = Vec::new();
        let mut bytes = 0;
        while bytes < MOST
            && tail.len() < lines
            && let Some(line) = log.next().await
        {
            let line = line
                .get(..MOST - bytes)
                .map_or(line.clone(), |start| format!("{start}…"));
            bytes += line.len();
            tail.push(line);
        }
        Ok(tail)
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
    use super::{LONGEST_LINE, Lines, plain};

    #[test]
    fn a_line_cannot_act_on_the_terminal() {
        let told = "\x1b[31mred\x1b[0m \x1b]0;title\x07a\tb\r\x08c";
        assert_eq!(plain(told), "red a\tbc");
        assert_eq!(plain("\x1b["), "");
    }

    /// Lines as they come out when a log comes in pieces.
    fn told(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut told = Vec::new();
        for piece in pieces {
            lines.buffer.extend_from_slice(piece);
            told.extend(std::iter::from_fn(|| lines.next(false)));
            assert!(lines.buffer.len() <= LONGEST_LINE);
        }
        told.extend(std::iter::from_fn(|| lines.next(true)));
        told
    }

    #[test]
    fn lines_come_whole_however_they_are_sent() {
        assert_eq!(told(&[b"a\n\nb", b"c\r\nd"]), ["a", "", "bc", "d"]);
    }

    #[test]
    fn a_line_without_end_is_told_once_and_not_kept() {
        let piece = vec![b'L'; 50_000];
        let mut pieces: Vec<&[u8]> = vec![&piece; 100];
        pieces.extend([b"L\nnext\n".as_slice(), &piece]);
        let told = told(&pieces);
        assert_eq!(told.len(), 3);
        assert_eq!(told[0].len(), LONGEST_LINE + "…".len());
        assert_eq!(told[1], "next");
        assert_eq!(told[2].len(), piece.len());
    }

    #[test]
    fn a_line_is_cut_between_characters() {
        let long = format!("x{}\n", "ä".repeat(LONGEST_LINE));
        let told = told(&[long.as_bytes()]);
        assert_eq!(told.len(), 1);
        assert!(told[0].ends_with("ä…"));
    }
}
