//! Dependencies from servers that hang, fail, lie or want a login, within one process: what takes long there is a setting.

use super::{Cache, Error, Event, Museum, Network, Options, Report, Repositories, update};
use crate::image::Digest;
use crate::registry::{Access, Passing, Server, Settings};
use jiff::Timestamp;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

type Log = Arc<Mutex<Vec<String>>>;

const INDEX: &str = "apiVersion: v1\nentries:\n  web:\n  - version: 1.0.0\n    urls: [web.tgz]\n";

/// Starts a server. `answer` gets the head of each request, in small letters, and its stream.
fn serve(answer: impl Fn(&str, &mut TcpStream) + Send + 'static) -> (String, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let log = Log::default();
    let heads = Arc::clone(&log);
    std::thread::spawn(move || {
        // Streams stay open, so that whoever waits for more waits.
        let mut open = Vec::new();
        for mut stream in listener.incoming().flatten() {
            if let Some(head) = head(&mut stream) {
                heads.lock().unwrap().push(head.clone());
                answer(&head, &mut stream);
                open.push(stream);
            }
        }
    });
    (address, log)
}

/// The head of a request; a TLS handshake is answered as Go's servers do.
fn head(stream: &mut TcpStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).ok()? == 1 {
        if head.is_empty() && byte[0] == 0x16 {
            drop(stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent TLS"));
            return None;
        }
        head.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&head).to_lowercase())
}

fn send(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
    );
    // Who went away needs no answer.
    drop(stream.write_all(&[head.as_bytes(), body].concat()));
}

/// An archive of `web` 1.0.0.
fn archive() -> Vec<u8> {
    let folder = TempDir::new().unwrap();
    let head = "apiVersion: v2\nname: web\nversion: 1.0.0\n";
    fs::write(folder.path().join("Chart.yaml"), head).unwrap();
    windlass_helm::chart::package(folder.path(), None, None)
        .unwrap()
        .bytes
}

/// A chart that needs `web` of a repository, and what was told of it.
struct Case {
    folder: TempDir,
    settings: Settings,
    repositories: Repositories,
    told: Mutex<Vec<String>>,
}

impl Case {
    fn new(repository: &str) -> Self {
        let case = Self {
            folder: TempDir::new().unwrap(),
            settings: Settings {
                backoff: Duration::from_millis(1),
                ..Settings::default()
            },
            repositories: Repositories::default(),
            told: Mutex::default(),
        };
        case.asks_for(&[("web", repository)]);
        case
    }

    fn asks_for(&self, dependencies: &[(&str, &str)]) {
        let of = |(name, repository): &(&str, &str)| {
            format!("- {{name: {name:?}, version: ^1.0.0, repository: {repository:?}}}\n")
        };
        let dependencies: String = dependencies.iter().map(of).collect();
        let head = "apiVersion: v2\nname: um\nversion: 1.0.0\ndependencies:\n";
        let file = self.folder.path().join("Chart.yaml");
        fs::write(file, format!("{head}{dependencies}")).unwrap();
    }

    /// A docker configuration with this login for a host.
    fn login(&mut self, host: &str, auth: &str) {
        let file = self.folder.path().join("login.json");
        fs::write(&file, format!("{{\"auths\": {{\"{host}\": {auth}}}}}")).unwrap();
        self.settings.docker_configs = vec![file];
    }

    async fn update(&self) -> Result<Report, Error> {
        let settings = self.settings.clone();
        let network = Network::new(settings, self.repositories.clone(), false);
        let cache = Cache {
            folder: Some(self.folder.path().join("cache")),
        };
        let tell = |event: Event<'_>| {
            let text = match event {
                Event::Begun { file, .. } => format!("begun {file}"),
                Event::Passing {
                    file,
                    passing: Passing::Again { cause, .. },
                } => format!("again {file}: {cause}"),
                Event::Passing {
                    file,
                    passing: Passing::Bytes { there, of },
                } => format!("bytes {file} {}", of == Some(there)),
                Event::Ended { file } => format!("ended {file}"),
                Event::Note(text) | Event::Warning(text) => text.to_owned(),
            };
            self.told.lock().unwrap().push(text);
        };
        let options = Options {
            chart: self.folder.path(),
            fence: None,
            cache: &cache,
            network: &network,
            now: Timestamp::UNIX_EPOCH,
            verifier: None,
            tell: &tell,
        };
        Box::pin(update(&options)).await
    }

    /// An update fails with this, and leaves nothing.
    async fn fails(&self, text: &str) {
        let error = self.update().await.unwrap_err().to_string();
        assert!(error.contains(text), "{text}: {error}");
        for name in ["Chart.lock", "Chart.sum", "cache"] {
            assert!(!self.folder.path().join(name).exists(), "{name}");
        }
        let charts = fs::read_dir(self.folder.path().join("charts"));
        assert_eq!(charts.into_iter().flatten().count(), 0);
    }
}

#[tokio::test]
async fn what_happens_to_each_file_is_told() {
    let first = Mutex::new(true);
    let (host, _) = serve(move |head, stream| {
        if head.contains("/index.yaml") {
            return send(stream, "200 OK", "", INDEX.as_bytes());
        }
        let is_first = std::mem::take(&mut *first.lock().unwrap());
        match is_first {
            true => send(stream, "503 Service Unavailable", "", b""),
            false => send(stream, "200 OK", "", &archive()),
        }
    });
    let case = Case::new(&format!("http://{host}"));
    assert_eq!(case.update().await.unwrap().fetched, 1);
    let told = case.told.lock().unwrap().join("\n").replace(&host, "HOST");
    insta::assert_snapshot!(told, @"
    begun index of http://HOST/
    bytes index of http://HOST/ true
    ended index of http://HOST/
    begun web 1.0.0
    again web 1.0.0: registry HOST failed with status 503, tried once
    bytes web 1.0.0 true
    ended web 1.0.0
    ");
}

/// A server that accepts and says nothing, and one that stops in the middle of a file.
#[tokio::test]
async fn servers_that_hang_are_left() {
    let index = move |head: &str, stream: &mut TcpStream| {
        if head.contains("/index.yaml") {
            send(stream, "200 OK", "", INDEX.as_bytes());
        } else if !head.contains("silent") {
            let half = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf";
            stream.write_all(half).unwrap();
        }
    };
    let (host, _) = serve(index);
    let (silent, _) = serve(|_, _| {});
    let (oci, _) = serve(|head, stream| {
        if head.contains("/manifests/") {
            send(stream, "200 OK", "", manifest(CHART, b"layer").as_bytes());
        } else {
            let half = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf";
            stream.write_all(half).unwrap();
        }
    });
    for repository in [
        format!("http://{host}"),
        format!("http://{silent}"),
        format!("oci://{silent}"),
        format!("oci://{oci}"),
    ] {
        let mut case = Case::new(&repository);
        case.settings.timeout = Duration::from_millis(40);
        if repository.starts_with("oci") {
            let text = fs::read_to_string(case.folder.path().join("Chart.yaml")).unwrap();
            let text = text.replace("^1.0.0", "1.0.0");
            fs::write(case.folder.path().join("Chart.yaml"), text).unwrap();
        }
        case.fails("did not answer within").await;
    }
}

/// The size that a server states is not waited for.
#[tokio::test]
async fn an_index_larger_than_its_limit_is_not_read() {
    let (host, _) = serve(|_, stream| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 209715201\r\n\r\napiVersion: v1\n";
        stream.write_all(head).unwrap();
    });
    Case::new(&format!("http://{host}"))
        .fails("is larger than 209715200 bytes")
        .await;
}

/// Where no size is stated, the limit holds all the same.
#[tokio::test]
async fn files_without_a_length_end_at_their_limit() {
    let (host, _) = serve(|_, stream| {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        drop(stream.write_all(&[&head[..], b"8\r\n12345678\r\n", b"8\r\n12345678\r\n"].concat()));
    });
    let url = reqwest::Url::parse(&format!("http://{host}/x")).unwrap();
    let server = Server::new(&url, Access::default(), &Settings::default()).unwrap();
    let error = server.get(&url, 10, &|_| {}).await.unwrap_err().to_string();
    assert!(error.ends_with("is larger than 10 bytes"), "{error}");
}

/// An index of 12 MiB, more than is kept whole, that begins like this.
fn large_index(head: &str) -> Vec<u8> {
    let other = "  - version: 1.0.0\n    urls: [other.tgz]\n".repeat((12 << 20) / 40);
    format!("{head}  other:\n{other}").into_bytes()
}

/// Most of it is there when the connection ends; what was kept of that is not in the way of the second time.
#[tokio::test]
async fn a_large_index_is_read_again_when_its_connection_ends() {
    let (index, first) = (large_index(INDEX), Mutex::new(true));
    let (host, log) = serve(move |head, stream| {
        if !head.contains("/index.yaml") {
            return send(stream, "200 OK", "", &archive());
        }
        let is_first = std::mem::take(&mut *first.lock().unwrap());
        let there = if is_first { 10 << 20 } else { index.len() };
        let length = index.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        for piece in index[..there].chunks(4001) {
            stream.write_all(piece).unwrap();
        }
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let case = Case::new(&format!("http://{host}"));
    assert_eq!(case.update().await.unwrap().fetched, 1);
    assert_eq!(log.lock().unwrap().len(), 3);
    let again = |line: &String| line.starts_with("again index of ");
    assert!(case.told.lock().unwrap().iter().any(again));
}

/// A large index in a form that is not read by its lines is asked for once more, and is what it is then.
#[tokio::test]
async fn a_large_index_in_another_form_is_asked_for_again() {
    let first = Mutex::new(true);
    let (host, log) = serve(move |head, stream| {
        let is_first = std::mem::take(&mut *first.lock().unwrap());
        match (head.contains("/index.yaml"), is_first) {
            (true, true) => {
                let index = large_index("entries:\n  web: [{version: 1.9.0}]\n");
                send(stream, "200 OK", "", &index);
            }
            (true, false) => send(stream, "200 OK", "", INDEX.as_bytes()),
            _ => send(stream, "200 OK", "", &archive()),
        }
    });
    let case = Case::new(&format!("http://{host}"));
    assert_eq!(case.update().await.unwrap().fetched, 1);
    assert_eq!(log.lock().unwrap().len(), 3);
}

/// An index that has a version twice.
#[tokio::test]
async fn the_first_of_two_entries_is_taken_with_a_warning() {
    let (host, log) = serve(|head, stream| {
        let twice = format!("{INDEX}  - version: 1.0.0\n    urls: [other.tgz]\n");
        match head.contains("/index.yaml") {
            true => send(stream, "200 OK", "", twice.as_bytes()),
            false => send(stream, "200 OK", "", &archive()),
        }
    });
    let case = Case::new(&format!("http://{host}"));
    assert_eq!(case.update().await.unwrap().fetched, 1);
    let warning = format!("http://{host}/ has web 1.0.0 more than once; the first is taken");
    assert!(case.told.lock().unwrap().contains(&warning));
    assert!(log.lock().unwrap()[1].starts_with("get /web.tgz "));
}

/// A connection that ends before the length that was stated is no whole file, and one that goes on is cut there.
#[tokio::test]
async fn files_are_as_long_as_the_server_says() {
    for (stated, cause) in [
        (1_000_000, "connection"),
        (100, "is no archive of chart web"),
    ] {
        let (host, log) = serve(move |head, stream| {
            if head.contains("/index.yaml") {
                return send(stream, "200 OK", "", INDEX.as_bytes());
            }
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {stated}\r\nConnection: close\r\n\r\n");
            drop(stream.write_all(&[head.as_bytes(), &archive()].concat()));
            drop(stream.shutdown(std::net::Shutdown::Both));
        });
        Case::new(&format!("http://{host}")).fails(cause).await;
        let asked = log.lock().unwrap().len();
        assert_eq!(asked, if stated > 100 { 5 } else { 2 }, "{cause}");
    }
}

/// A token of a docker configuration, as `registrytoken`.
#[tokio::test]
async fn a_bearer_token_opens_a_repository() {
    let (host, log) = serve(|head, stream| {
        if !head.contains("authorization: bearer secret") {
            let wanted = "WWW-Authenticate: Bearer realm=\"x\"\r\n";
            send(stream, "401 Unauthorized", wanted, b"");
        } else if head.contains("/index.yaml") {
            send(stream, "200 OK", "", INDEX.as_bytes());
        } else {
            send(stream, "200 OK", "", &archive());
        }
    });
    let mut case = Case::new(&format!("http://{host}"));
    case.fails("wants a login").await;
    case.login(&host, "{\"registrytoken\": \"secret\"}");
    assert_eq!(case.update().await.unwrap().fetched, 1);
    assert!(log.lock().unwrap().len() >= 3);
}

const CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// A manifest with one layer.
fn manifest(kind: &str, layer: &[u8]) -> String {
    let (digest, size) = (Digest::of(layer), layer.len());
    format!(
        "{{\"schemaVersion\": 2, \"layers\": [{{\"mediaType\": \"{kind}\", \"digest\": \"{digest}\", \
         \"size\": {size}}}]}}"
    )
}

/// The flow of tokens: a challenge names realm, service and scope; the login goes to the realm, the token to the
/// registry, and neither along a redirect to where the bytes are.
#[tokio::test]
async fn a_registry_with_tokens_gives_its_charts() {
    let (store, bytes) = serve(|_, stream| send(stream, "200 OK", "", &archive()));
    let own = Arc::new(Mutex::new(String::new()));
    let address = Arc::clone(&own);
    let (host, log) = serve(move |head, stream| {
        let host = address.lock().unwrap().clone();
        if head.starts_with("get /token?") {
            let scope = head.contains("scope=repository%3acharts%2fweb%3apull");
            let login = head.contains("authorization: basic dxnlcjpwyxnz");
            return match scope && login {
                true => send(stream, "200 OK", "", b"{\"token\": \"short-lived\"}"),
                false => send(stream, "403 Forbidden", "", b""),
            };
        }
        if !head.contains("authorization: bearer short-lived") {
            let wanted = format!(
                "WWW-Authenticate: Bearer realm=\"http://{host}/token\",service=\"s\",\
                 scope=\"repository:charts/web:pull\"\r\n"
            );
            return send(stream, "401 Unauthorized", &wanted, b"");
        }
        if head.contains("/tags/list") {
            send(
                stream,
                "200 OK",
                "",
                b"{\"tags\": [\"1.0.0\", \"latest\", \"2.0.0\"]}",
            );
        } else if head.contains("/manifests/1.0.0 ") {
            send(stream, "200 OK", "", manifest(CHART, &archive()).as_bytes());
        } else {
            let elsewhere = format!("Location: http://{store}/blob\r\n");
            send(stream, "307 Temporary Redirect", &elsewhere, b"");
        }
    });
    own.lock().unwrap().clone_from(&host);
    let mut case = Case::new(&format!("oci://{host}/charts"));
    case.login(&host, "{\"auth\": \"dXNlcjpwYXNz\"}");
    assert_eq!(case.update().await.unwrap().fetched, 1);
    let tokens = log.lock().unwrap().join("").matches("/token?").count();
    assert_eq!(tokens, 1);
    let bytes = bytes.lock().unwrap().join("");
    assert!(
        bytes.contains("get /blob") && !bytes.contains("authorization"),
        "{bytes}"
    );
}

/// A layer or manifest of other bytes than its digest says, and what is no chart.
#[tokio::test]
async fn a_registry_that_lies_is_refused() {
    let good = || manifest(CHART, &archive());
    let header = |digest: Digest| format!("Docker-Content-Digest: {digest}\r\n");
    for (headers, manifest, layer, cause) in [
        (header(Digest::of(b"x")), good(), archive(), "states digest"),
        (
            String::new(),
            good(),
            b"other bytes".to_vec(),
            "states digest",
        ),
        (
            String::new(),
            manifest("text/plain", b"x"),
            archive(),
            "is no chart: no layer is",
        ),
        (
            String::new(),
            "<html>".to_owned(),
            archive(),
            "its manifest is not JSON",
        ),
        (
            String::new(),
            good().replace("sha256:", "../"),
            archive(),
            "digest",
        ),
        (
            String::new(),
            manifest(CHART, b"<html>"),
            b"<html>".to_vec(),
            "is no archive of chart web",
        ),
    ] {
        let (host, _) = serve(move |head, stream| {
            if head.contains("/tags/list") {
                send(stream, "200 OK", "", b"{\"tags\": [\"1.0.0\"]}");
            } else if head.contains("/manifests/") {
                send(stream, "200 OK", &headers, manifest.as_bytes());
            } else {
                send(stream, "200 OK", "", &layer);
            }
        });
        Case::new(&format!("oci://{host}/charts"))
            .fails(cause)
            .await;
    }
}

/// Names become paths.
#[tokio::test]
async fn names_that_are_no_file_names_are_refused() {
    for name in [".", "..", "a/b", "../x", "a\\b", ".hidden", ""] {
        let case = Case::new("http://127.0.0.1:9");
        case.asks_for(&[(name, "http://127.0.0.1:9")]);
        let error = case.update().await.unwrap_err();
        let error = error.to_string();
        assert!(error.ends_with(" is invalid"), "{name:?}: {error}");
        assert!(!case.folder.path().join("charts").exists());
    }
}

/// A version that was changed by hand under the digest of another one.
#[tokio::test]
async fn a_lock_that_does_not_have_its_digest_is_written_anew() {
    let (host, _) = serve(|head, stream| match head.contains("/index.yaml") {
        true => send(stream, "200 OK", "", INDEX.as_bytes()),
        false => send(stream, "200 OK", "", &archive()),
    });
    let case = Case::new(&format!("http://{host}"));
    assert_eq!(case.update().await.unwrap().lock, Some("Chart.lock"));
    assert_eq!(case.update().await.unwrap().lock, None);
    let lock = case.folder.path().join("Chart.lock");
    let good = fs::read_to_string(&lock).unwrap();
    fs::write(&lock, good.replace("1.0.0", "1.0.1")).unwrap();
    assert_eq!(case.update().await.unwrap().lock, Some("Chart.lock"));
    assert_eq!(fs::read_to_string(lock).unwrap(), good);
}

/// What the source of a chart is called does not make lines in `Chart.sum`.
#[tokio::test]
async fn addresses_with_line_breaks_stay_in_their_line() {
    let (host, _) = serve(|head, stream| match head.contains("/index.yaml") {
        true => send(stream, "200 OK", "", INDEX.as_bytes()),
        false => send(stream, "200 OK", "", &archive()),
    });
    let case = Case::new(&format!("http://user:hunter2@{host}/a\nweb 9 x sha256:0"));
    assert_eq!(case.update().await.unwrap().fetched, 1);
    let text = fs::read_to_string(case.folder.path().join("Chart.sum")).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

/// As many failures as there are dependencies, in one run: none hides another.
#[tokio::test]
async fn failures_of_all_kinds_are_told_together() {
    let (host, _) = serve(|head, stream| match head.contains("/good/index.yaml") {
        true => send(stream, "200 OK", "", INDEX.as_bytes()),
        false => send(stream, "404 Not Found", "", b""),
    });
    let case = Case::new("");
    case.asks_for(&[
        ("web", &format!("http://{host}/none")),
        ("db", &format!("http://{host}/good")),
        ("mq", &format!("oci://{host}/charts")),
    ]);
    let error = case.update().await.unwrap_err().to_string();
    insta::assert_snapshot!(error.replace(&host, "HOST"), @"
    3 errors with 3 dependencies:
      looks like http://HOST/none is not a valid chart repository or cannot be reached: failed to fetch http://HOST/none/index.yaml : 404 Not Found
      db chart not found in repo http://HOST/good
      dependency mq: registry HOST has no repository charts/mq (404)
    ");
}

/// A proxy that loses the answer to a delete, so that it is asked again for what is gone.
#[tokio::test]
async fn a_delete_that_was_done_and_not_answered_is_done() {
    let delete = async |has_it: bool, deletes: bool| {
        let there = Mutex::new(has_it);
        let (host, _) = serve(move |head, stream| {
            let mut there = there.lock().unwrap();
            match (head.starts_with("delete "), *there) {
                (true, true) if deletes => {
                    *there = false;
                    send(stream, "502 Bad Gateway", "", b"");
                }
                (false, true) => send(stream, "200 OK", "", b"{\"name\": \"web\"}"),
                _ => send(stream, "404 Not Found", "", b"{\"error\": \"not found\"}"),
            }
        });
        let repositories = Repositories::default();
        let repository = repositories.find(&format!("http://{host}")).unwrap();
        let settings = Settings {
            backoff: Duration::from_millis(1),
            ..Settings::default()
        };
        let museum = Museum::open(&repository, Some(""), &settings, &|_| {}).await;
        museum.unwrap().delete("web", "1.0.0").await
    };
    assert_eq!(delete(true, true).await, Ok(()));
    // One that was never there, and a server that deletes nothing.
    for (has_it, deletes) in [(false, true), (true, false)] {
        let error = delete(has_it, deletes).await.unwrap_err().to_string();
        assert!(error.contains("404 Not Found"), "{error}");
    }
}

/// Thousands of dependencies are looked through in a moment.
#[test]
fn five_thousand_dependencies_are_looked_at() {
    let folder = TempDir::new().unwrap();
    let charts: PathBuf = folder.path().join("charts");
    fs::create_dir(&charts).unwrap();
    let mut list = String::from("dependencies:\n");
    let mut sums = String::new();
    for number in 0..5000 {
        let line = format!("- {{name: web-{number}, version: 1.0.0, repository: 'http://a.io'}}\n");
        list.push_str(&line);
        let digest = Digest::of(b"");
        let line = format!("web-{number} 1.0.0 http://a.io {digest}\n");
        sums.push_str(&line);
        fs::write(charts.join(format!("web-{number}-1.0.0.tgz")), b"").unwrap();
    }
    let head = "apiVersion: v2\nname: um\nversion: 1.0.0\n";
    for (file, text) in [
        ("Chart.yaml", format!("{head}{list}")),
        ("Chart.lock", list),
        ("Chart.sum", sums),
    ] {
        fs::write(folder.path().join(file), text).unwrap();
    }
    assert_eq!(super::check(folder.path()), Ok(false));
    fs::remove_file(charts.join("web-77-1.0.0.tgz")).unwrap();
    assert!(super::check(folder.path()).is_ok());
}
