//! Tests of the client against listeners that answer as told: limits, failures and logins that a
//! real registry cannot be made to show.

use super::{DIGEST, answer, ask, found, login, serve, settings};
use crate::image::{Digest, Question, Reference};
use crate::registry::{Client, Error, Settings, resolve_all, token};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn a_tag_is_asked_for_once_by_head() {
    let (registry, log) = serve(|_, _| found());
    assert_eq!(ask(&registry, settings()).await.as_deref(), Ok(DIGEST));
    let log = log.lock().unwrap();
    assert_eq!(log.len(), 1);
    assert!(
        log[0].starts_with("HEAD /v2/team/web/manifests/1 HTTP/1.1\r\n"),
        "{}",
        log[0]
    );
    assert!(log[0].contains("application/vnd.oci.image.index.v1+json"));
}

#[tokio::test]
async fn the_manifest_is_hashed_when_head_has_no_digest() {
    let (registry, _) = serve(|_, head| match head.starts_with("HEAD") {
        true => answer("200 OK", "", ""),
        false => answer("200 OK", "", "{\"schemaVersion\":2}"),
    });
    let want = Digest::of(b"{\"schemaVersion\":2}").to_string();
    assert_eq!(ask(&registry, settings()).await, Ok(want));
}

#[tokio::test]
async fn a_digest_that_does_not_fit_the_manifest_is_refused() {
    let (registry, _) = serve(|_, head| match head.starts_with("HEAD") {
        true => answer("405 Method Not Allowed", "", ""),
        false => answer(
            "200 OK",
            &format!("Docker-Content-Digest: {DIGEST}\r\n"),
            "{}",
        ),
    });
    let error = ask(&registry, settings()).await.unwrap_err();
    assert!(
        matches!(&error, Error::WrongDigest { stated, .. } if stated == DIGEST),
        "{error}"
    );
}

#[tokio::test]
async fn too_many_requests_are_retried_as_the_registry_asks() {
    let (registry, log) = serve(|number, _| match number {
        1 | 2 => answer("429 Too Many Requests", "Retry-After: 0\r\n", ""),
        _ => found(),
    });
    assert_eq!(ask(&registry, settings()).await.as_deref(), Ok(DIGEST));
    assert_eq!(log.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_an_error_at_once() {
    let limited = || answer("429 Too Many Requests", "Retry-After: 3600\r\n", "");
    let (registry, log) = serve(move |_, _| limited());
    let error = ask(&registry, settings()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("registry {registry} limits the number of requests (429), it asks to wait 3600 s")
    );
    assert!(error.hint().unwrap().contains("docker login"));
    assert_eq!(log.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_failing_registry_is_asked_four_times() {
    let (registry, log) = serve(|_, _| answer("503 Service Unavailable", "", ""));
    let error = ask(&registry, settings()).await.unwrap_err();
    let want = format!("registry {registry} failed with status 503, tried 4 times");
    assert_eq!(error.to_string(), want);
    assert_eq!(log.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn a_cut_connection_is_tried_again() {
    let (registry, log) = serve(|number, _| if number < 3 { None } else { found() });
    assert_eq!(ask(&registry, settings()).await.as_deref(), Ok(DIGEST));
    assert_eq!(log.lock().unwrap().len(), 3);
    let (registry, _) = serve(|_, _| None);
    let error = ask(&registry, settings()).await.unwrap_err();
    assert!(matches!(error, Error::Connection { .. }), "{error}");
}

#[tokio::test]
async fn a_silent_registry_ends_in_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let registry = listener.local_addr().unwrap().to_string();
    let timeout = Duration::from_millis(50);
    let error = ask(
        &registry,
        Settings {
            timeout,
            ..settings()
        },
    )
    .await
    .unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn refused_names_and_ports_are_told_apart() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let error = ask(&free, settings()).await.unwrap_err();
    assert_eq!(error, Error::Refused { registry: free });
    let error = ask("registry.invalid", settings()).await.unwrap_err();
    assert_eq!(
        error,
        Error::UnknownHost {
            registry: "registry.invalid".to_owned()
        }
    );
}

#[tokio::test]
async fn missing_tags_and_repositories_are_told_apart() {
    let (registry, _) = serve(|_, head| match head.contains("/tags/list") {
        true => answer("200 OK", "", "{\"tags\":[\"1.0\",\"2\",\"latest\",\"10\"]}"),
        false => answer("404 Not Found", "", ""),
    });
    let error = ask(&registry, settings()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("repository {registry}/team/web has no tag 1 (404)")
    );
    assert_eq!(
        error.hint().as_deref(),
        Some("tags that are there: 10, 2, 1.0")
    );
    let (registry, _) = serve(|_, _| answer("404 Not Found", "", ""));
    let error = ask(&registry, settings()).await.unwrap_err();
    let want = format!("registry {registry} has no repository team/web (404)");
    assert_eq!(error.to_string(), want);
}

#[tokio::test]
async fn basic_logins_come_from_the_docker_configuration() {
    let (registry, log) = serve(|_, head| match head.contains("Basic bWU6cHc=") {
        true => found(),
        false => answer(
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=\"r\"\r\n",
            "",
        ),
    });
    let folder = tempfile::tempdir().unwrap();
    let docker_configs = login(&folder, &registry, "{\"auth\": \"bWU6cHc=\"}");
    let with_login = Settings {
        docker_configs,
        ..settings()
    };
    assert_eq!(ask(&registry, with_login).await.as_deref(), Ok(DIGEST));
    assert_eq!(log.lock().unwrap().len(), 2);

    let error = ask(&registry, settings()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "registry {registry} wants a login for team/web (401): \
             there is no docker configuration with credentials"
        )
    );
    let docker_configs = login(&folder, &registry, "{\"auth\": \"bWU6bm8=\"}");
    let file = docker_configs[0].display().to_string();
    let error = ask(
        &registry,
        Settings {
            docker_configs,
            ..settings()
        },
    )
    .await
    .unwrap_err();
    let want = format!("(401): the credentials in {file} are not accepted");
    assert!(error.to_string().ends_with(&want), "{error}");
}

#[tokio::test]
async fn bearer_tokens_are_fetched_with_the_login_and_used_again() {
    let (registry, log) = serve(|_, head| {
        let host = head
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .unwrap_or_default();
        let challenge = format!(
            "WWW-Authenticate: Bearer realm=\"http://{host}/token\",service=\"s\",scope=\"a:b\"\r\n"
        );
        match head {
            _ if head.starts_with("GET /token?service=s&scope=a%3Ab") => {
                let known = head.contains("Basic bWU6cHc=");
                answer(
                    if known { "200 OK" } else { "401 Unauthorized" },
                    "",
                    "{\"token\":\"t\"}",
                )
            }
            _ if head.contains("Bearer t\r\n") => found(),
            _ => answer("401 Unauthorized", &challenge, ""),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let docker_configs = login(&folder, &registry, "{\"auth\": \"bWU6cHc=\"}");
    let client = Client::new(Settings {
        docker_configs,
        ..settings()
    })
    .unwrap();
    for tag in ["1", "2"] {
        let image = Reference::parse(&format!("{registry}/team/web:{tag}")).unwrap();
        assert_eq!(
            client.resolve(&image, None).await.unwrap().digest.as_str(),
            DIGEST
        );
    }
    assert_eq!(log.lock().unwrap().len(), 4);
    let error = ask(&registry, settings()).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }), "{error}");
}

#[tokio::test]
async fn identity_tokens_are_traded_for_bearer_tokens() {
    let (registry, _) = serve(|_, head| {
        let host = head
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .unwrap_or_default();
        let challenge = format!("WWW-Authenticate: Bearer realm=\"http://{host}/token\"\r\n");
        match head {
            _ if head.starts_with("POST /token ") => {
                answer("200 OK", "", "{\"access_token\":\"t\"}")
            }
            _ if head.contains("Bearer t\r\n") => found(),
            _ => answer("401 Unauthorized", &challenge, ""),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let docker_configs = login(&folder, &registry, "{\"identitytoken\": \"x\"}");
    let asked = ask(
        &registry,
        Settings {
            docker_configs,
            ..settings()
        },
    )
    .await;
    assert_eq!(asked.as_deref(), Ok(DIGEST));
}

#[tokio::test]
async fn token_servers_without_tls_get_no_credentials() {
    let realm = "WWW-Authenticate: Bearer realm=\"http://token.example.com/token\"\r\n";
    let (registry, _) = serve(move |_, _| answer("401 Unauthorized", realm, ""));
    let client = Client::new(settings()).unwrap();
    let request = token::Request {
        realm: "http://token.example.com/token",
        service: None,
        scope: String::new(),
        credential: None,
    };
    let http = reqwest::Client::new();
    let outcome = token::request(&http, "ghcr.io", &settings(), &request).await;
    let error = outcome.err().unwrap().to_string();
    assert!(
        error.contains("token server token.example.com is not reached by https"),
        "{error}"
    );
    drop((client, registry));
}

#[tokio::test]
async fn every_image_is_asked_for_once_and_all_failures_are_kept() {
    let (registry, log) = serve(|_, head| match head {
        _ if head.contains("/good/") => found(),
        _ if head.contains("/secret/") => answer("403 Forbidden", "", ""),
        _ => answer("404 Not Found", "", ""),
    });
    let images = [
        format!("{registry}/good/web"),
        format!("{registry}/good/web:latest"),
        format!("{registry}/good/web@{DIGEST}"),
        format!("{registry}/secret/web"),
        format!("{registry}/none/web"),
        "Not/An/Image".to_owned(),
    ];
    let client = Client::new(settings()).unwrap();
    let questions: Vec<Question> = images.iter().map(|image| Question::of(image)).collect();
    let pinned = format!("{registry}/good/web@{DIGEST}");
    let known = BTreeSet::from([pinned.as_str()]);
    let answers = resolve_all(&client, &questions, &known).await;
    for answer in &answers[..3] {
        assert_eq!(answer.as_ref().unwrap().reference, pinned);
    }
    assert_eq!(answers[0].as_ref().unwrap().tag.as_deref(), Some("latest"));
    assert!(matches!(answers[3], Err(Error::Forbidden { .. })));
    assert!(matches!(answers[4], Err(Error::NoRepository { .. })));
    assert!(matches!(answers[5], Err(Error::Reference(_))));
    let log = log.lock().unwrap();
    assert_eq!(log.iter().filter(|head| head.contains("/good/")).count(), 1);
}
/// Starts a registry that speaks TLS with a certificate for `localhost` of the fixtures' authority.
fn serve_tls() -> String {
    use rustls::pki_types::pem::PemObject as _;
    let certificate = include_bytes!("../../../tests/fixtures/registry/localhost.pem");
    let key = include_bytes!("../../../tests/fixtures/registry/localhost.key.pem");
    let certificates = rustls::pki_types::CertificateDer::pem_slice_iter(certificate);
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(
        certificates.map(Result::unwrap).collect(),
        rustls::pki_types::PrivateKeyDer::from_pem_slice(key).unwrap(),
    )
    .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            let mut head = [0; 4096];
            if matches!(stream.read(&mut head), Ok(1..)) {
                drop(stream.write_all(found().unwrap_or_default().as_bytes()));
                drop(stream.flush());
            }
        }
    });
    format!("localhost:{port}")
}

#[tokio::test]
async fn certificates_are_checked_against_the_given_authorities() {
    let registry = serve_tls();
    let fixture = |name: &str| {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/registry")
            .join(name)
    };
    let trusting = || Settings {
        ca_files: vec![fixture("authority.pem")],
        ..settings()
    };
    assert_eq!(ask(&registry, trusting()).await.as_deref(), Ok(DIGEST));
    let unchecked = Settings {
        verify_certificates: false,
        ..settings()
    };
    assert_eq!(ask(&registry, unchecked).await.as_deref(), Ok(DIGEST));

    // Neither is plain http tried nor the certificate accepted, also where http is allowed.
    for insecure in [false, true] {
        let error = ask(
            &registry,
            Settings {
                insecure,
                ..settings()
            },
        )
        .await
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "no trusted TLS connection to registry {registry}: \
                 its certificate is signed by an unknown authority"
            )
        );
        assert!(error.hint().unwrap().contains("--registry-ca-cert-path"));
    }
    let other_name = registry.replace("localhost", "127.0.0.1");
    let error = ask(&other_name, trusting()).await.unwrap_err().to_string();
    assert!(
        error.ends_with("its certificate is for another host"),
        "{error}"
    );

    let error = Client::new(Settings {
        ca_files: vec![fixture("none.pem")],
        ..settings()
    });
    assert!(error.unwrap_err().to_string().contains("none.pem: "));
}

#[tokio::test]
async fn a_digest_that_is_new_is_read_and_hashed_once() {
    let manifest = "{\"layers\": []}";
    let digest = Digest::of(manifest.as_bytes());
    let stated = digest.clone();
    let (registry, log) = serve(move |_, head| {
        let wrong = head.contains("/wrong/");
        let stated = if wrong { DIGEST } else { stated.as_str() };
        let header = format!("Docker-Content-Digest: {stated}\r\n");
        let body = if head.starts_with("GET") {
            manifest
        } else {
            ""
        };
        answer("200 OK", &header, body)
    });
    let images = ["good/web:1", "good/web:2", "wrong/web:1"];
    let questions = images.map(|image| Question::of(&format!("{registry}/{image}")));
    let client = Client::new(settings()).unwrap();
    let answers = resolve_all(&client, &questions, &BTreeSet::new()).await;
    let pinned = format!("{registry}/good/web@{digest}");
    assert_eq!(answers[1].as_ref().unwrap().reference, pinned);
    let error = answers[2].as_ref().unwrap_err();
    assert!(matches!(error, Error::WrongDigest { .. }), "{error}");
    let log = log.lock().unwrap();
    let read = log.iter().filter(|head| head.starts_with("GET /v2/good/"));
    assert_eq!(read.count(), 1);
}
