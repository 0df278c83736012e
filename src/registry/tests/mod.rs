//! Tests of the whole client.

mod answers;
mod files;
mod images;

use super::{Client, Error, Settings, is_local, is_registry};
use crate::image::Reference;
use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const DIGEST: &str = "sha256:f798cfd4c6a6a1d1d1e2d3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";

/// The requests that a listener got, without their TLS probes.
type Log = Arc<Mutex<Vec<String>>>;

/// Starts a registry. `answer` gets the number of the request and its head and gives the whole
/// answer, or `None` to cut the connection.
fn serve(answer: impl Fn(usize, &str) -> Option<String> + Send + 'static) -> (String, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let log = Log::default();
    let requests = log.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let Some(head) = read_head(&mut stream) else {
                continue;
            };
            let number = {
                let mut log = requests.lock().unwrap();
                log.push(head.clone());
                log.len()
            };
            let lower = head.to_lowercase();
            let length = lower.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
            // Who sends something hears nothing before all of it was read.
            let mut body = Read::by_ref(&mut stream).take(length.unwrap_or(0));
            drop(std::io::copy(&mut body, &mut std::io::sink()));
            if let Some(answer) = answer(number, &head) {
                drop(stream.write_all(answer.as_bytes()));
            }
        }
    });
    (address, log)
}

/// The head of a request; `None` for a TLS handshake, which is answered as Go's servers do.
fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).ok()? == 1 {
        if head.is_empty() && byte[0] == 0x16 {
            drop(stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent TLS"));
            return None;
        }
        head.push(byte[0]);
    }
    (!head.is_empty()).then(|| String::from_utf8_lossy(&head).into_owned())
}

fn answer(status: &str, headers: &str, body: &str) -> Option<String> {
    let length = body.len();
    Some(format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    ))
}

fn found() -> Option<String> {
    answer(
        "200 OK",
        &format!("Docker-Content-Digest: {DIGEST}\r\n"),
        "",
    )
}

fn settings() -> Settings {
    Settings {
        backoff: Duration::from_millis(1),
        ..Settings::default()
    }
}

async fn ask(registry: &str, settings: Settings) -> Result<String, Error> {
    let client = Client::new(settings).unwrap();
    let image = Reference::parse(&format!("{registry}/team/web:1")).unwrap();
    client
        .resolve(&image, None)
        .await
        .map(|named| named.digest.to_string())
}

/// A docker configuration with a login for the registry.
fn login(folder: &tempfile::TempDir, registry: &str, auth: &str) -> Vec<PathBuf> {
    let path = folder.path().join("config.json");
    std::fs::write(&path, format!("{{\"auths\": {{\"{registry}\": {auth}}}}}")).unwrap();
    vec![path]
}

#[test]
fn only_names_of_this_machine_are_local() {
    for local in [
        "localhost",
        "localhost:5000",
        "127.0.0.1:5000",
        "[::1]:5000",
        "reg.localhost:80",
    ] {
        assert!(is_local(local), "{local}");
    }
    for remote in [
        "ghcr.io",
        "10.0.0.1:5000",
        "127.0.0.1.evil.io",
        "localhost.io",
        "local",
        "reg.local",
    ] {
        assert!(!is_local(remote), "{remote}");
    }
}

#[test]
fn a_registry_is_a_host_and_a_port() {
    for host in [
        "ghcr.io",
        "localhost",
        "docker.io",
        "index.docker.io",
        "a.io:5000",
        "[::1]:5000",
    ] {
        assert!(is_registry(host), "{host}");
    }
    for other in [
        "",
        "nginx",
        "ghcr.io/team",
        "https://ghcr.io",
        "a.io:x",
        "me@a.io",
    ] {
        assert!(!is_registry(other), "{other}");
    }
}
