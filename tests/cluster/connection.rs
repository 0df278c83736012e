//! What goes over how many connections to the real server, told by a proxy that passes bytes on.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use crate::support::{Lab, kubeconfig, lab};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use windlass::cluster::{Cluster, Observed, Options, Selector, Watch};
use windlass::object::Gvk;

/// What each client said before its bytes were passed on.
type Greetings = Arc<Mutex<Vec<String>>>;

/// Connects through a proxy of this scheme.
async fn behind_proxy(lab: &mut Lab, scheme: &str) -> Greetings {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let greetings = Greetings::default();
    let heard = Arc::clone(&greetings);
    let is_socks = scheme == "socks5";
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let heard = Arc::clone(&heard);
            // Clients go away when they like to.
            tokio::spawn(async move { drop(pass(client, is_socks, heard).await) });
        }
    });
    let text = std::fs::read_to_string(kubeconfig()).unwrap();
    let proxy = format!("proxy-url: {scheme}://user:p%40ss@{address}");
    let server = text.lines().find(|line| line.contains("server: ")).unwrap();
    let at = server.find("server: ").unwrap();
    let indent = " ".repeat(at);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    let text = text.replace(server, &format!("{server}\n{indent}{proxy}"));
    std::fs::write(&path, text).unwrap();
    let options = Options {
        kubeconfig: Some(path),
        namespace: Some(lab.namespace.clone()),
        ..Options::default()
    };
    lab.cluster = Cluster::connect(&options).await.unwrap();
    greetings
}

async fn pass(mut client: TcpStream, is_socks: bool, heard: Greetings) -> std::io::Result<()> {
    let (greeting, server) = if is_socks {
        socks(&mut client).await?
    } else {
        connect(&mut client).await?
    };
    heard.lock().unwrap().push(greeting);
    let mut server = TcpStream::connect(server).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// `CONNECT` of HTTP (RFC 9110, 9.3.6).
async fn connect(client: &mut TcpStream) -> std::io::Result<(String, String)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    let head = String::from_utf8(head).unwrap();
    let server = head.split(' ').nth(1).unwrap().to_owned();
    Ok((head, server))
}

/// SOCKS 5 (RFC 1928) with a password (RFC 1929) and an IPv4 address.
async fn socks(client: &mut TcpStream) -> std::io::Result<(String, String)> {
    let mut offer = [0; 2];
    client.read_exact(&mut offer).await?;
    client.read_exact(&mut vec![0; offer[1].into()]).await?;
    client.write_all(&[5, 2]).await?;
    client.read_u8().await?;
    let mut login = Vec::new();
    for _ in 0..2 {
        let mut part = vec![0; client.read_u8().await?.into()];
        client.read_exact(&mut part).await?;
        login.push(String::from_utf8(part).unwrap());
    }
    client.write_all(&[1, 0]).await?;
    let mut asked = [0; 10];
    client.read_exact(&mut asked).await?;
    assert_eq!(asked[..4], [5, 1, 0, 1]);
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    let port = u16::from_be_bytes([asked[8], asked[9]]);
    let [a, b, c, d] = [asked[4], asked[5], asked[6], asked[7]];
    Ok((login.join(" "), format!("{a}.{b}.{c}.{d}:{port}")))
}

fn maps(count: usize) -> Vec<Value> {
    let name = |n| format!("map-{n}");
    let one = |n| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name(n)}});
    (0..count).map(one).collect()
}

#[test]
fn all_requests_of_a_deploy_share_one_connection() {
    lab(|mut lab| async move {
        let greetings = behind_proxy(&mut lab, "http").await;
        // Requests that are sent before there is a connection may each begin one; the first stays.
        lab.cluster.discovery().await.unwrap();
        let before = greetings.lock().unwrap().len();
        lab.deploy_well("app", &maps(60)).await;
        let greetings = greetings.lock().unwrap();
        assert_eq!(greetings.len(), before, "{greetings:?}");
        let login = "authorization: basic dxnlcjpwqhnz\r\n";
        assert!(greetings[0].to_lowercase().contains(login), "{greetings:?}");
    });
}

#[test]
fn a_proxy_may_be_one_of_socks() {
    lab(|mut lab| async move {
        let greetings = behind_proxy(&mut lab, "socks5").await;
        lab.deploy_well("app", &maps(1)).await;
        assert_eq!(greetings.lock().unwrap()[0], "user p@ss");
    });
}

#[test]
fn watches_beyond_what_one_connection_bears_get_their_own() {
    lab(|mut lab| async move {
        let greetings = behind_proxy(&mut lab, "http").await;
        let gvk = Gvk::new("v1", "ConfigMap");
        let kind = lab.cluster.kind(&gvk, Duration::ZERO).await.unwrap();
        let before = greetings.lock().unwrap().len();
        let mut watches = Vec::new();
        for _ in 0..130 {
            let namespace = Some(lab.namespace.as_str());
            let mut watch = Watch::new(&lab.cluster, &kind, namespace, Selector::default());
            assert!(matches!(watch.next().await, Ok(Observed::All(_))));
            watches.push(watch);
        }
        assert_eq!(greetings.lock().unwrap().len(), before + 130 - 50);
        lab.deploy_well("app", &maps(1)).await;
        for watch in &mut watches {
            assert!(matches!(watch.next().await, Ok(Observed::Changed(_))));
        }
        // What ends makes room on the one connection.
        watches.truncate(10);
        let mut watch = Watch::new(&lab.cluster, &kind, None, Selector::default());
        watch.next().await.unwrap();
        assert_eq!(greetings.lock().unwrap().len(), before + 130 - 50);
    });
}
