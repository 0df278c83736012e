//! Tests of what is more than one request: pages of tags, platforms of an index, the parts of an
//! image, mirrors, redirects, logins that fail.

use super::{DIGEST, Log, answer, ask, found, serve, settings};
use crate::image::{Digest, Platform, Question, Range, Reference, TagSelection};
use crate::registry::{Client, Error, Mirrors, Settings, Variables, resolve_all};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::TcpListener;
use std::time::Duration;

/// Starts a registry that has these paths below `/v2/`, and 404 for all others.
fn registry(paths: &[(&str, &str)]) -> (String, Log) {
    let paths: BTreeMap<String, String> = paths
        .iter()
        .map(|&(path, body)| (format!("/v2/{path}"), body.to_owned()))
        .collect();
    serve(move |_, head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        match paths.get(path) {
            Some(_) if head.starts_with("HEAD") => answer("200 OK", "", ""),
            Some(body) => answer("200 OK", "", body),
            None => answer("404 Not Found", "", ""),
        }
    })
}

fn digest(body: &str) -> String {
    Digest::of(body.as_bytes()).to_string()
}

fn platform(text: &str) -> Platform {
    Platform::parse(text).unwrap()
}

fn client() -> Client {
    Client::new(settings()).unwrap()
}

#[tokio::test]
async fn tags_are_read_page_by_page() {
    let (registry, log) = serve(|_, head| match head {
        _ if head.contains("last=b") => answer("200 OK", "", "{\"tags\":[\"c\"]}"),
        _ => {
            let next = "Link: </v2/team/web/tags/list?last=b&n=2>; rel=\"next\"\r\n";
            answer("200 OK", next, "{\"tags\":[\"a\",\"b\"]}")
        }
    });
    let image = Reference::parse(&format!("{registry}/team/web")).unwrap();
    assert_eq!(client().tags(&image).await.unwrap(), ["a", "b", "c"]);
    assert_eq!(log.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_list_of_tags_that_never_ends_is_given_up() {
    let (registry, log) = serve(|number, _| {
        let next = format!("Link: </v2/team/web/tags/list?last={number}>; rel=\"next\"\r\n");
        answer("200 OK", &next, "{\"tags\":null}")
    });
    let image = Reference::parse(&format!("{registry}/team/web")).unwrap();
    let error = client().tags(&image).await.unwrap_err();
    assert!(
        error.to_string().ends_with("its list of tags is too long"),
        "{error}"
    );
    assert_eq!(log.lock().unwrap().len(), 500);
}

#[tokio::test]
async fn the_highest_version_of_a_range_is_resolved() {
    let (registry, _) = serve(|_, head| match head {
        _ if head.contains("/tags/list") => answer(
            "200 OK",
            "",
            "{\"tags\":[\"latest\",\"1.2.0\",\"v1.10.1\",\"2.0.0\"]}",
        ),
        _ if head.contains("/manifests/v1.10.1 ") => found(),
        _ => answer("404 Not Found", "", ""),
    });
    let question = |range: &str| Question {
        image: format!("{registry}/team/web:9"),
        tag: Some(TagSelection {
            constraints: Some(Range::parse(range).unwrap()),
            prereleases: None,
        }),
        platform: None,
    };
    let answer = client().answer(&question("1.x")).await.unwrap();
    assert_eq!(answer.reference, format!("{registry}/team/web@{DIGEST}"));
    assert_eq!(answer.tag.as_deref(), Some("v1.10.1"));
    let error = client().answer(&question(">5.0.0")).await.unwrap_err();
    let want = format!("none of the 4 tags of {registry}/team/web is a version in `>5.0.0`");
    assert_eq!(error.to_string(), want);
}

#[tokio::test]
async fn one_platform_is_selected_from_an_index() {
    let child = format!("sha256:{}", "a".repeat(64));
    let index = format!(
        "{{\"manifests\":[{{\"digest\":\"{child}\",\"platform\":{{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\"}}}},\
         {{\"digest\":\"{DIGEST}\",\"platform\":{{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v6\"}}}},\
         {{\"digest\":\"{DIGEST}\",\"platform\":{{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\"}}}},\
         {{\"digest\":\"{DIGEST}\",\"platform\":{{\"os\":\"unknown\",\"architecture\":\"unknown\"}}}}]}}"
    );
    let (registry, _) = registry(&[("team/web/manifests/1", &index)]);
    let image = format!("{registry}/team/web:1");
    let select = async |wanted: &str| {
        let question = Question {
            platform: Some(platform(wanted)),
            ..Question::of(&image)
        };
        client().answer(&question).await
    };
    let arm64 = select("linux/arm64").await.unwrap();
    assert_eq!(arm64.reference, format!("{registry}/team/web@{child}"));
    assert_eq!(
        arm64.index,
        Some(format!("{registry}/team/web@{}", digest(&index)))
    );
    let none = select("linux/amd64").await.unwrap_err().to_string();
    let want = "is not for linux/amd64, but for linux/arm64/v8, linux/arm/v6, linux/arm/v7";
    assert!(none.ends_with(want), "{none}");
    let many = select("linux/arm").await.unwrap_err().to_string();
    assert!(
        many.ends_with("has several images for linux/arm: linux/arm/v6, linux/arm/v7"),
        "{many}"
    );
}

#[tokio::test]
async fn an_image_is_there_when_all_its_parts_are() {
    let config = "{\"os\":\"linux\",\"architecture\":\"amd64\"}";
    let layer = format!("sha256:{}", "b".repeat(64));
    let manifest = format!(
        "{{\"config\":{{\"digest\":\"{}\"}},\"layers\":[{{\"digest\":\"{layer}\"}},\
         {{\"digest\":\"sha256:foreign\",\"urls\":[\"https://a.io\"]}}]}}",
        digest(config)
    );
    let index = format!(
        "{{\"manifests\":[{{\"digest\":\"{}\",\"platform\":{config}}}]}}",
        digest(&manifest)
    );
    let path = |kind: &str, body: &str| format!("team/web/{kind}/{}", digest(body));
    let layer_path = format!("team/web/blobs/{layer}");
    let mut paths = vec![
        (path("manifests", &index), index.as_str()),
        (path("manifests", &manifest), manifest.as_str()),
        (path("blobs", config), config),
        (layer_path, ""),
    ];
    let check = async |paths: &[(String, &str)], body: &str, wanted: &[Platform]| {
        let paths: Vec<_> = paths
            .iter()
            .map(|(path, body)| (path.as_str(), *body))
            .collect();
        let (registry, _) = registry(&paths);
        let image = Reference::parse(&format!("{registry}/team/web")).unwrap();
        let answer = client()
            .check(&image, &Digest::of(body.as_bytes()), wanted)
            .await;
        answer.map_err(|error| error.to_string().replace(&registry, "R"))
    };
    let amd64 = [platform("linux/amd64")];
    let arm64 = [platform("linux/arm64")];
    for body in [&index, &manifest] {
        assert_eq!(check(&paths, body, &amd64).await, Ok(amd64.to_vec()));
        let error = check(&paths, body, &arm64).await.unwrap_err();
        assert_eq!(
            error,
            "R/team/web is not for linux/arm64, but for linux/amd64"
        );
    }
    let gone = check(&paths, "other", &[]).await.unwrap_err();
    assert_eq!(
        gone,
        format!(
            "repository R/team/web has no manifest {} (404)",
            digest("other")
        )
    );
    paths.pop();
    let gone = check(&paths, &index, &amd64).await.unwrap_err();
    assert_eq!(
        gone,
        format!("repository R/team/web has no blob {layer} (404)")
    );
    assert_eq!(check(&paths, &index, &[]).await, Ok(amd64.to_vec()));
    paths[0].1 = "{\"manifests\":[]}";
    let wrong = check(&paths, &index, &[]).await.unwrap_err();
    assert!(wrong.contains("its manifest has sha256:"), "{wrong}");
}

#[tokio::test]
async fn an_answer_that_is_cut_short_is_asked_for_again() {
    let (registry, log) = serve(|number, head| match (head.starts_with("HEAD"), number) {
        (true, _) => answer("200 OK", "", ""),
        (false, 4..) => answer("200 OK", "", "{}"),
        _ => Some("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_owned()),
    });
    assert_eq!(ask(&registry, settings()).await, Ok(digest("{}")));
    assert_eq!(log.lock().unwrap().len(), 4);
    let (registry, _) = serve(|_, head| match head.starts_with("HEAD") {
        true => answer("200 OK", "", ""),
        false => Some("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_owned()),
    });
    let error = ask(&registry, settings()).await.unwrap_err();
    assert!(matches!(error, Error::Connection { .. }), "{error}");
}

#[tokio::test]
async fn an_answer_that_stops_halfway_ends_in_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let registry = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            if super::read_head(&mut stream).is_some() {
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"));
                open.push(stream);
            }
        }
    });
    let timeout = Duration::from_millis(100);
    let slow = Settings {
        timeout,
        ..settings()
    };
    let error = ask(&registry, slow).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn a_redirect_to_another_host_gets_no_login() {
    let (other, seen) = serve(|_, _| found());
    let target = format!("Location: http://{other}/blob\r\n");
    let (registry, log) = serve(move |_, head| match head.contains("authorization: Basic") {
        true => answer("307 Temporary Redirect", &target, ""),
        false => answer(
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=\"r\"\r\n",
            "",
        ),
    });
    let pairs = [
        ("KBLD_REGISTRY_HOSTNAME", registry.as_str()),
        ("KBLD_REGISTRY_USERNAME", "me"),
        ("KBLD_REGISTRY_PASSWORD", "canary"),
    ];
    let variables = Variables::new(pairs).unwrap();
    let with_login = Settings {
        variables,
        ..settings()
    };
    assert_eq!(ask(&registry, with_login).await.as_deref(), Ok(DIGEST));
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1);
    assert!(
        !seen[0].to_lowercase().contains("authorization"),
        "{}",
        seen[0]
    );
    assert_eq!(log.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn logins_of_variables_that_are_refused_are_named() {
    let basic = "WWW-Authenticate: Basic realm=\"r\"\r\n";
    let (registry, _) = serve(move |_, _| answer("401 Unauthorized", basic, ""));
    let pairs = [
        ("KBLD_REGISTRY_HOSTNAME_2", registry.as_str()),
        ("KBLD_REGISTRY_USERNAME_2", "me"),
        ("KBLD_REGISTRY_PASSWORD_2", "canary"),
    ];
    let variables = Variables::new(pairs).unwrap();
    let with_login = Settings {
        variables,
        ..settings()
    };
    let error = ask(&registry, with_login).await.unwrap_err().to_string();
    let want = "(401): the credentials of `KBLD_REGISTRY_HOSTNAME_2` are not accepted";
    assert!(
        error.ends_with(want) && !error.contains("canary"),
        "{error}"
    );
}

#[tokio::test]
async fn a_failing_token_server_is_told() {
    let serve_with = |status: &'static str, body: &'static str| {
        serve(move |_, head| {
            let host = head.lines().find_map(|line| line.strip_prefix("host: "));
            let realm = format!("http://{}/token", host.unwrap_or_default());
            let challenge = format!("WWW-Authenticate: Bearer realm=\"{realm}\"\r\n");
            match head.starts_with("GET /token") {
                true => answer(status, "", body),
                false => answer("401 Unauthorized", &challenge, ""),
            }
        })
    };
    let cases = [
        (
            "503 Service Unavailable",
            "",
            "failed with status 503, tried 4 times",
        ),
        (
            "404 Not Found",
            "",
            "its token server 127.0.0.1 answers 404",
        ),
        (
            "200 OK",
            "<html>",
            "its token server 127.0.0.1 does not answer with JSON",
        ),
        ("200 OK", "{}", "its token server 127.0.0.1 gives no token"),
        (
            "403 Forbidden",
            "",
            "there is no docker configuration with credentials",
        ),
    ];
    for (status, body, want) in cases {
        let (registry, _) = serve_with(status, body);
        let error = ask(&registry, settings()).await.unwrap_err().to_string();
        assert!(error.ends_with(want), "{error}");
    }
}

#[tokio::test]
async fn too_many_requests_to_one_registry_make_all_of_them_wait() {
    let (registry, log) = serve(|number, _| match number {
        1 => answer(
            "429 Too Many Requests",
            "Retry-After: 1\r\nRateLimit-Limit: 100;w=21600\r\n",
            "",
        ),
        _ => found(),
    });
    let one_by_one = Settings {
        concurrency: 4,
        ..settings()
    };
    let images: Vec<Question> = (0..4)
        .map(|tag| Question::of(&format!("{registry}/team/web:{tag}")))
        .collect();
    let known = format!("{registry}/team/web@{DIGEST}");
    let client = Client::new(one_by_one).unwrap();
    let answers = resolve_all(&client, &images, &BTreeSet::from([known.as_str()])).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(log.lock().unwrap().len(), 5);
    let (registry, _) = serve(|_, _| {
        let headers = "Retry-After: 900\r\nRateLimit-Limit: 100;w=21600\r\n";
        answer("429 Too Many Requests", headers, "")
    });
    let error = ask(&registry, settings()).await.unwrap_err().to_string();
    let want = "limits the number of requests (429) to 100 in 6 h, it asks to wait 900 s";
    assert!(error.ends_with(want), "{error}");
}

/// Settings with a `registries.conf` of this text.
fn mirrored(text: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registries.conf");
    std::fs::write(&file, text).unwrap();
    Settings {
        mirrors: Mirrors::load(&[file], &[]).unwrap(),
        ..settings()
    }
}

#[tokio::test]
async fn mirrors_are_asked_first_and_their_failures_told() {
    let (good, log) = serve(|_, _| found());
    let (bad, _) = serve(|_, _| answer("404 Not Found", "", ""));
    let conf = |location: &str, mirror: &str| {
        mirrored(&format!(
            "[[registry]]\nprefix = 'a.example.com'\nlocation = '{location}'\n\
             [[registry.mirror]]\nlocation = '{mirror}/cache'\n"
        ))
    };
    let asked = ask("a.example.com", conf(&bad, &good)).await;
    assert_eq!(asked.as_deref(), Ok(DIGEST));
    assert!(log.lock().unwrap()[0].starts_with("HEAD /v2/cache/team/web/manifests/1 "));
    let asked = ask("a.example.com", conf(&good, &bad)).await;
    assert_eq!(asked.as_deref(), Ok(DIGEST));
    assert!(log.lock().unwrap()[1].starts_with("HEAD /v2/team/web/manifests/1 "));
    let error = ask("a.example.com", conf(&bad, &bad))
        .await
        .unwrap_err()
        .to_string();
    let want = format!(
        "registry {bad} has no repository team/web (404) (its mirrors failed before: \
         registry {bad} has no repository cache/team/web (404))"
    );
    assert_eq!(error, want);
    let blocked = mirrored("[[registry]]\nlocation = 'a.example.com'\nblocked = true\n");
    let error = ask("a.example.com", blocked).await.unwrap_err();
    assert!(matches!(error, Error::Blocked { .. }), "{error}");
}
