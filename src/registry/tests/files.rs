//! Tests of plain http servers: who is told a login, and of tokens.

use super::{answer, ask, login, serve, settings};
use crate::image::Reference;
use crate::registry::settings::Proxies;
use crate::registry::{Access, Client, Credential, Error, Server, Settings};
use reqwest::Url;
use std::time::Duration;

const WANTS_LOGIN: &str = "WWW-Authenticate: Basic realm=\"r\"\r\n";

fn guarded(_: usize, head: &str) -> Option<String> {
    match head.to_lowercase().contains("authorization: ") {
        true => answer("200 OK", "", "file"),
        false => answer("401 Unauthorized", WANTS_LOGIN, ""),
    }
}

async fn get(base: &str, url: &str, access: Access, settings: &Settings) -> Result<String, Error> {
    let server = Server::new(&Url::parse(base).unwrap(), access, settings)?;
    let url = Url::parse(url).unwrap();
    let file = server.get(&url, 1 << 20, &|_| {}).await;
    file.map(|file| String::from_utf8(file).unwrap())
}

/// What a proxy on the way sees.
fn proxied(proxy: &str) -> Settings {
    Settings {
        proxies: Proxies {
            http: Some(format!("http://{proxy}")),
            ..Proxies::default()
        },
        ..settings()
    }
}

#[tokio::test]
async fn logins_of_docker_are_not_sent_over_plain_http() {
    let (proxy, log) = serve(guarded);
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        docker_configs: login(&folder, "a.example", "{\"auth\": \"bWU6cHc=\"}"),
        ..proxied(&proxy)
    };
    let url = "http://a.example/web.tgz";
    // The repository's own host, and another one that its index names.
    for base in [
        "http://a.example/",
        "http://b.example/",
        "https://c.example/",
    ] {
        let error = get(base, url, Access::default(), &settings)
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("not sent over plain http"),
            "{error}"
        );
    }
    let log = log.lock().unwrap().concat().to_lowercase();
    assert!(log.contains("get http://a.example/web.tgz"), "{log}");
    assert!(!log.contains("authorization"), "{log}");
}

#[tokio::test]
async fn a_login_for_all_hosts_does_not_leave_tls() {
    let (proxy, log) = serve(|_, _| answer("200 OK", "", "file"));
    let access = Access {
        login: Some(Credential::Bearer("t0ken".to_owned())),
        pass_to_all: true,
        ..Access::default()
    };
    let url = "http://a.example/web.tgz";
    let settings = proxied(&proxy);
    let ask = async |base| get(base, url, access.clone(), &settings).await;
    assert_eq!(ask("https://b.example/").await.as_deref(), Ok("file"));
    assert!(!log.lock().unwrap().concat().contains("t0ken"));
    assert_eq!(ask("http://b.example/").await.as_deref(), Ok("file"));
    assert!(log.lock().unwrap().concat().contains("Bearer t0ken"));
}

#[tokio::test]
async fn logins_of_docker_are_found_by_path_and_refresh_tokens_are_not_sent() {
    for (auth, is_sent) in [("auth", true), ("identitytoken", false)] {
        let (server, log) = serve(guarded);
        let folder = tempfile::tempdir().unwrap();
        let auth = format!("{{\"{auth}\": \"bWU6cHc=\"}}");
        let settings = Settings {
            docker_configs: login(&folder, &format!("{server}/team"), &auth),
            ..settings()
        };
        let base = format!("http://{server}/team");
        let url = format!("{base}/web.tgz");
        let got = get(&base, &url, Access::default(), &settings).await;
        assert_eq!(got.is_ok(), is_sent, "{got:?}");
        let log = log.lock().unwrap().concat();
        assert_eq!(log.contains("bWU6cHc="), is_sent, "{log}");
    }
}

#[tokio::test]
async fn a_login_in_the_address_is_told_to_be_refused() {
    let (server, _) = serve(|_, _| answer("401 Unauthorized", WANTS_LOGIN, ""));
    let base = format!("http://me:hunter2@{server}/");
    let got = get(&base, &base, Access::default(), &settings()).await;
    let error = got.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("the login of the repository is not accepted"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("helm repo add"));
}

/// A registry that sends to a token server, which answers as told.
fn token_server(
    answers: impl Fn() -> Option<String> + Send + 'static,
) -> (tempfile::TempDir, String, Settings) {
    let (tokens, _) = serve(move |_, _| answers());
    let challenge = format!("WWW-Authenticate: Bearer realm=\"http://{tokens}/token\"\r\n");
    let (registry, _) = serve(move |_, _| answer("401 Unauthorized", &challenge, ""));
    let folder = tempfile::tempdir().unwrap();
    let docker_configs = login(&folder, &registry, "{\"identitytoken\": \"refresh\"}");
    let settings = Settings {
        docker_configs,
        ..settings()
    };
    (folder, registry, settings)
}

#[tokio::test]
async fn a_refresh_token_follows_no_redirect() {
    let (other, log) = serve(|_, _| answer("200 OK", "", "{\"token\": \"t\"}"));
    let location = format!("Location: http://{other}/token\r\n");
    let redirect = move || answer("307 Temporary Redirect", &location, "");
    let (_folder, registry, settings) = token_server(redirect);
    let error = ask(&registry, settings).await.unwrap_err();
    assert!(error.to_string().contains("answers 307"), "{error}");
    assert_eq!(log.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn token_servers_and_lists_of_tags_have_an_end() {
    let endless = || answer("200 OK", "", &" ".repeat(2 << 20));
    let (_folder, registry, with_token) = token_server(endless);
    let error = ask(&registry, with_token).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("token server 127.0.0.1 is larger than"),
        "{error}"
    );

    let page = format!("{{\"tags\": [\"{}\"]}}", "a".repeat(7 << 20));
    let (registry, log) = serve(move |number, _| {
        let link = format!("Link: <?n={number}>; rel=\"next\"\r\n");
        answer("200 OK", &link, &page)
    });
    let client = Client::new(settings()).unwrap();
    let image = Reference::parse(&format!("{registry}/team/web:1")).unwrap();
    let error = client.tags(&image).await.unwrap_err();
    assert!(
        error.to_string().ends_with("its list of tags is too long"),
        "{error}"
    );
    assert_eq!(log.lock().unwrap().len(), 10);
}

/// What takes long to send may take long.
#[tokio::test]
async fn an_upload_has_the_time_that_its_size_needs() {
    let (registry, _) = serve(|_, head| match head.split(' ').next() {
        Some("HEAD" | "GET") => answer("404 Not Found", "", ""),
        Some("POST") => answer(
            "202 Accepted",
            "Location: /v2/team/web/blobs/uploads/1\r\n",
            "",
        ),
        _ => {
            let is_large = head.to_lowercase().contains("content-length: 524288\r");
            std::thread::sleep(Duration::from_millis(1500 * u64::from(is_large)));
            answer("201 Created", "", "")
        }
    });
    let timeout = Duration::from_secs(1);
    let client = Client::new(Settings {
        timeout,
        ..settings()
    });
    let image = Reference::parse(&format!("{registry}/team/web:1")).unwrap();
    let (client, file, none) = (
        client.unwrap(),
        vec![b'a'; 512 << 10],
        serde_json::Value::Null,
    );
    let put = client.put_artifact(&image, ("a/b", &file), &[], &none);
    put.await.unwrap();
}
