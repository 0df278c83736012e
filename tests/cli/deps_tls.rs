//! `deps` over TLS: an authority of one's own, a login, a certificate of the client.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use super::deps::{chart, umbrella};
use super::support::{Shown, TestEnv, answer, head};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use std::io::Write as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// An authority, and certificates that it signed for server and client.
const AUTHORITY: &str = r#"
{{- $ca := genCAWithKey "authority" 30 (genPrivateKey "ecdsa") }}
{{- $server := genSignedCertWithKey "server" (list "127.0.0.1") nil 30 $ca (genPrivateKey "ecdsa") }}
{{- $wrong := genSignedCertWithKey "wrong" (list "10.0.0.1") nil 30 $ca (genPrivateKey "ecdsa") }}
{{- $expired := genSignedCertWithKey "expired" (list "127.0.0.1") nil -1 $ca (genPrivateKey "ecdsa") }}
{{- $client := genSignedCertWithKey "client" nil (list "client") 30 $ca (genPrivateKey "ecdsa") }}
kind: A
apiVersion: v1
metadata: {name: a}
data: {{ dict "ca" $ca.Cert "server" $server.Cert "server-key" $server.Key "wrong" $wrong.Cert "wrong-key" $wrong.Key "expired" $expired.Cert "expired-key" $expired.Key "client" $client.Cert "client-key" $client.Key "ca-key" $ca.Key | toJson }}
"#;

/// The files of an authority, by the engine's own functions.
fn authority() -> Value {
    let env = TestEnv::new();
    env.write(
        "pki/Chart.yaml",
        "apiVersion: v2\nname: pki\nversion: 1.0.0\n",
    );
    env.write("pki/templates/a.yaml", AUTHORITY);
    let shown = env.run(&["render", "rel", "pki"]);
    let mut lines = shown.stdout.lines();
    let data = lines.find_map(|line| line.strip_prefix("data: ")).unwrap();
    serde_json::from_str(data).unwrap()
}

/// Serves `web` 1.0.0, with this certificate, to who has one of the authority and the login `user:pass`.
fn serve(files: &Value, own: &str) -> String {
    let pem = |name: &str| files[name].as_str().unwrap().as_bytes();
    let cert = |name: &str| CertificateDer::from_pem_slice(pem(name)).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert("ca")).unwrap();
    let provider = Arc::new(ring::default_provider());
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(
            vec![cert(own)],
            PrivateKeyDer::from_pem_slice(pem(&format!("{own}-key"))).unwrap(),
        );
    let config = Arc::new(config.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            let head = head(&mut stream).to_lowercase();
            let login = head.contains("authorization: basic dxnlcjpwyxnz");
            // `/to/SCHEME/HOST/index.yaml` is of a repository whose archive is elsewhere.
            let to = head
                .split_once("get /to/")
                .and_then(|(_, to)| to.split_once('/'));
            let to = to.and_then(|(scheme, to)| Some((scheme, to.split_once('/')?.0)));
            let url = to.map_or_else(String::new, |(scheme, host)| format!("{scheme}://{host}/"));
            let index = format!(
                "apiVersion: v1\nentries:\n  web:\n  - version: 1.0.0\n    urls: ['{url}web.tgz']\n"
            );
            let answer = match (login, head.contains("/index.yaml")) {
                (true, false) if head.contains("/away/") => {
                    answer("302 Found", "Location: http://127.0.0.1:9/web.tgz\r\n", b"")
                }
                (false, _) => answer("401 Unauthorized", "WWW-Authenticate: Basic\r\n", b""),
                (_, true) => answer("200 OK", "", index.as_bytes()),
                (_, false) => answer("200 OK", "", &chart("web", "1.0.0")),
            };
            // Who is not let in does not read it.
            drop(stream.write_all(&answer));
            stream.conn.send_close_notify();
            drop(stream.flush());
        }
    });
    address.to_string()
}

/// Updates a chart that needs a repository with these settings.
fn update(files: &Value, address: &str, settings: &str) -> Shown {
    update_with(files, address, settings, &[])
}

fn update_with(files: &Value, address: &str, settings: &str, variables: &[(&str, &str)]) -> Shown {
    let env = umbrella("'@own'");
    for name in ["ca", "client", "client-key"] {
        env.write(&format!("{name}.pem"), files[name].as_str().unwrap());
    }
    let own = format!("repositories:\n- {{name: own, url: 'https://{address}', {settings}}}\n");
    env.write("repositories.yaml", &own);
    let file = ["--repository-config", "repositories.yaml"];
    env.run_with(&["deps", "update", "um", file[0], file[1]], variables)
}

/// Another name, a date that is past, a protocol that is too old, and a way out of TLS.
#[test]
fn servers_that_are_not_what_they_should_be_are_refused() {
    let files = authority();
    let old = TcpListener::bind("127.0.0.1:0").unwrap();
    let of_old = old.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in old.incoming().flatten() {
            // A fatal alert of TLS 1.0: no version that both speak.
            drop(stream.write_all(b"\x15\x03\x01\x00\x02\x02\x46"));
        }
    });
    let good = serve(&files, "server");
    for (address, cause) in [
        (serve(&files, "wrong"), "no trusted TLS connection"),
        (serve(&files, "expired"), "expired"),
        (serve(&files, "ca"), "is that of an authority (CA:TRUE)"),
        (of_old, "no trusted TLS connection"),
        (format!("{good}/away"), "redirects from https to http"),
    ] {
        let settings = "caFile: ca.pem, username: user, password: pass, certFile: client.pem, keyFile: client-key.pem";
        let shown = update(&files, &address, settings);
        assert_eq!(shown.code, 1, "{}", shown.all());
        assert!(shown.stderr.contains(cause), "{cause}: {}", shown.all());
    }
}

#[test]
fn repositories_are_reached_with_their_own_certificates_and_logins() {
    let files = authority();
    let address = serve(&files, "server");
    let update = |settings: &str| update(&files, &address, settings);
    let login = "username: user, password: pass";
    let client = "certFile: client.pem, keyFile: client-key.pem";
    for settings in ["caFile: ca.pem", "insecure_skip_tls_verify: true"] {
        let shown = update(&format!("{settings}, {login}, {client}"));
        assert_eq!(shown.code, 0, "{settings}: {}", shown.all());
        let warned = shown.stderr.contains("its certificate is not checked");
        assert_eq!(warned, settings.starts_with("insecure"), "{}", shown.all());
    }
    for (settings, cause) in [
        (format!("{login}, {client}"), "certificate"),
        (format!("caFile: ca.pem, {login}"), "certificate"),
        (format!("caFile: ca.pem, {client}"), "login"),
        (
            format!("caFile: ca.pem, username: user, password: hunter2, {client}"),
            "the login of the repository is not accepted",
        ),
        (
            format!("caFile: none.pem, {login}, {client}"),
            "none.pem: No such file",
        ),
    ] {
        let shown = update(&settings);
        assert_eq!(shown.code, 1, "{settings}: {}", shown.all());
        let told = shown.stderr.to_lowercase();
        assert!(
            told.contains(&cause.to_lowercase()),
            "{settings}: {}",
            shown.all()
        );
        assert!(!told.contains("hunter2"), "{told}");
    }
}

/// What holds for a repository holds for other hosts only where that is meant; that certificates go unchecked never.
#[test]
fn archives_elsewhere_are_reached_as_what_they_are() {
    let files = authority();
    let other = serve(&files, "server");
    let address = format!("{}/to/https/{other}", serve(&files, "server"));
    let own = "username: user, password: pass, certFile: client.pem, keyFile: client-key.pem";
    let all = "pass_credentials_all: true";
    for (settings, code, cause) in [
        (format!("caFile: ca.pem, {all}, {own}"), 0, ""),
        (format!("caFile: ca.pem, {own}"), 1, "certificate"),
        (
            format!("insecure_skip_tls_verify: true, {all}, {own}"),
            1,
            "unknown authority",
        ),
    ] {
        let shown = update(&files, &address, &settings);
        assert_eq!(shown.code, code, "{settings}: {}", shown.all());
        let told = shown.stderr.to_lowercase();
        assert!(told.contains(cause), "{settings}: {}", shown.all());
    }

    // Over plain http no login goes along, and what the index does not state a digest of is warned of.
    let heads = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&heads);
    let proxy = super::support::serve(move |head| {
        seen.lock().unwrap().push_str(&head.to_lowercase());
        answer("200 OK", "", &chart("web", "1.0.0"))
    });
    let address = format!("{}/to/http/files.example", serve(&files, "server"));
    let settings = format!("caFile: ca.pem, {all}, {own}");
    let variables = [("HTTP_PROXY", format!("http://{proxy}"))];
    let variables = variables
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let shown = update_with(&files, &address, &settings, &variables);
    assert_eq!(shown.code, 0, "{}", shown.all());
    let warning = "warning: http://files.example/web.tgz: it is asked over plain http";
    assert!(shown.stderr.contains(warning), "{}", shown.all());
    let heads = heads.lock().unwrap();
    assert!(
        heads.contains("get http://files.example/web.tgz"),
        "{heads}"
    );
    assert!(!heads.contains("authorization"), "{heads}");
}
