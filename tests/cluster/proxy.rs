//! A way to the API server that fails as it is told to.
//!
//! Speaks plain HTTP/1.1, one request a connection, and forwards with the rights of the test's own
//! kubeconfig.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use crate::support::{Lab, client};
use http_body_util::BodyExt as _;
use kube::client::Body;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use windlass::cluster::{Cluster, Options};

/// What happens to a request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The server never sees it; this is the answer: status, headers, body.
    Answer(u16, &'static str, &'static str),
    /// The server acts on it, and of the answer's body only this many bytes arrive.
    Cut(usize),
    /// The answer begins, and then nothing more comes.
    Silence,
}

/// A request that came in.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Method and path with query.
    pub(crate) line: String,
    /// When.
    pub(crate) at: Instant,
    /// How many others of its method had no answer yet.
    pub(crate) beside: usize,
}

#[derive(Default)]
struct State {
    /// Method, a part of the path, and what happens to the next such request.
    faults: Vec<(&'static str, String, Fault)>,
    seen: Vec<Seen>,
    /// The methods of requests without an answer.
    open: Vec<String>,
    /// How long every answer takes at least.
    delay: Duration,
    /// How long a request of this method takes when its turn comes: one after the other.
    one_by_one: Option<(&'static str, Duration)>,
    kubeconfig: String,
}

/// The proxy; ends with the runtime of its test.
#[derive(Clone, Default)]
pub(crate) struct Proxy {
    state: Arc<Mutex<State>>,
    queue: Arc<tokio::sync::Mutex<()>>,
}

impl Proxy {
    /// Puts a proxy between a test and its server.
    pub(crate) async fn before(lab: &mut Lab) -> Self {
        let proxy = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = client().await;
        let serving = proxy.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (proxy, server) = (serving.clone(), server.clone());
                // A client that goes away in the middle is no failure of the test.
                tokio::spawn(async move { drop(proxy.serve(stream, server).await) });
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        proxy.state.lock().unwrap().kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: a\n\
             contexts: [{{name: a, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: 'http://{address}'}}}}]\nusers: [{{name: u, user: {{}}}}]\n"
        );
        std::fs::write(&path, proxy.kubeconfig()).unwrap();
        let options = Options {
            kubeconfig: Some(path),
            namespace: Some(lab.namespace.clone()),
            ..Options::default()
        };
        lab.cluster = Cluster::connect(&options).await.unwrap();
        proxy
    }

    /// The text of a kubeconfig that leads through the proxy.
    pub(crate) fn kubeconfig(&self) -> String {
        self.state.lock().unwrap().kubeconfig.clone()
    }

    /// The next request of this method whose path holds this text fails so.
    pub(crate) fn fail(&self, method: &'static str, path: &str, fault: Fault) {
        let mut state = self.state.lock().unwrap();
        state.faults.push((method, path.to_owned(), fault));
    }

    /// Every answer takes as long from now on.
    pub(crate) fn delay(&self, delay: Duration) {
        self.state.lock().unwrap().delay = delay;
    }

    /// Requests of this method are answered one by one from now on, each after it took this long.
    pub(crate) fn one_by_one(&self, method: &'static str, each: Duration) {
        self.state.lock().unwrap().one_by_one = Some((method, each));
    }

    /// The requests of this method whose path holds this text, so far.
    pub(crate) fn seen(&self, method: &str, path: &str) -> Vec<Seen> {
        let state = self.state.lock().unwrap();
        let wanted = |seen: &&Seen| seen.line.starts_with(method) && seen.line.contains(path);
        state.seen.iter().filter(wanted).cloned().collect()
    }

    /// Faults that no request has met yet.
    pub(crate) fn left(&self) -> usize {
        self.state.lock().unwrap().faults.len()
    }

    fn take(&self, method: &str, path: &str) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        let beside = state.open.iter().filter(|open| *open == method).count();
        state.open.push(method.to_owned());
        state.seen.push(Seen {
            line: format!("{method} {path}"),
            at: Instant::now(),
            beside,
        });
        let met = |(on, part, _): &(&str, String, Fault)| *on == method && path.contains(part);
        let index = state.faults.iter().position(met)?;
        Some(state.faults.remove(index).2)
    }

    /// An answer to a request of this method is about to be given.
    fn answered(&self, method: &str) {
        let open = &mut self.state.lock().unwrap().open;
        let index = open.iter().position(|open| open == method);
        open.swap_remove(index.unwrap());
    }

    async fn serve(&self, mut stream: TcpStream, server: kube::Client) -> std::io::Result<()> {
        let Some(request) = read(&mut stream).await? else {
            return Ok(());
        };
        let path = request.uri().to_string();
        let method = request.method().to_string();
        let fault = self.take(&method, &path);
        let delay = self.state.lock().unwrap().delay;
        tokio::time::sleep(delay).await;
        let one_by_one = self.state.lock().unwrap().one_by_one;
        if let Some((_, each)) = one_by_one.filter(|(queued, _)| *queued == method) {
            let _turn = self.queue.lock().await;
            tokio::time::sleep(each).await;
        }
        if let Some(Fault::Answer(status, headers, body)) = fault {
            self.answered(&method);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} X\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            return stream.write_all(answer.as_bytes()).await;
        }
        let answer = server.send(request).await;
        self.answered(&method);
        let answer = answer.map_err(std::io::Error::other)?;
        let (parts, mut body) = answer.into_parts();
        let mut head = format!(
            "HTTP/1.1 {} X\r\nconnection: close\r\n",
            parts.status.as_u16()
        );
        for (name, value) in &parts.headers {
            let own = [
                "connection",
                "transfer-encoding",
                "content-length",
                "content-encoding",
            ];
            if !own.contains(&name.as_str()) {
                head.extend([name.as_str(), ": ", value.to_str().unwrap(), "\r\n"]);
            }
        }
        match fault {
            Some(Fault::Cut(bytes)) => {
                let whole = body
                    .collect()
                    .await
                    .map_err(std::io::Error::other)?
                    .to_bytes();
                head = format!("{head}content-length: {}\r\n\r\n", whole.len());
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&whole[..bytes.min(whole.len() - 1)]).await
            }
            Some(Fault::Silence) => {
                stream.write_all(format!("{head}\r\n").as_bytes()).await?;
                // Until the client has enough of it.
                stream.read_u8().await.map(drop)
            }
            _ => {
                stream.write_all(format!("{head}\r\n").as_bytes()).await?;
                while let Some(frame) = body.frame().await {
                    let frame = frame.map_err(std::io::Error::other)?;
                    if let Ok(data) = frame.into_data() {
                        stream.write_all(&data).await?;
                    }
                }
                Ok(())
            }
        }
    }
}

/// Reads a request; `None` when the connection was closed instead.
async fn read(stream: &mut TcpStream) -> std::io::Result<Option<http::Request<Body>>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let method = first.next().unwrap_or_default();
    let mut request = http::Request::builder()
        .method(method)
        .uri(first.next().unwrap_or_default());
    let mut length = 0;
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "content-type" | "accept" => request = request.header(name, value),
            _ => {}
        }
    }
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(request.body(Body::from(body)).unwrap()))
}
