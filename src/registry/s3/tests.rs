//! Tests of the whole against listeners: what is sent, what is tried again, and where nothing goes.

use super::{Aws, Condition, Object, S3};
use crate::registry::Settings;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The requests that a listener got, with their bodies.
type Log = Arc<Mutex<Vec<String>>>;

const SECRET: &str = "hunter2+/secret";
const TOKEN: &str = "session-hunter3";

/// Starts a server that answers each request, by its number, with a status line, headers and a body.
fn serve(answer: impl Fn(usize, &str) -> (String, String) + Send + 'static) -> (String, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let log = Log::default();
    let requests = log.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = request(&mut stream);
            let number = {
                let mut log = requests.lock().unwrap();
                log.push(request.clone());
                log.len()
            };
            let (head, body) = answer(number, &request);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    (address, log)
}

fn request(stream: &mut TcpStream) -> String {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        text.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&text).to_lowercase();
    let length = head.split("content-length: ").nth(1);
    let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).unwrap();
    text.extend(body);
    String::from_utf8_lossy(&text).into_owned()
}

fn answer(head: &str, body: &str) -> (String, String) {
    (head.to_owned(), body.to_owned())
}

fn s3(endpoint: &str, variables: &[(&str, &str)]) -> S3 {
    let endpoint = [("AWS_ENDPOINT_URL", endpoint)];
    let variables = variables.iter().chain(&endpoint);
    let settings = Settings {
        backoff: Duration::from_millis(1),
        aws: Aws {
            variables: variables
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..Aws::default()
        },
        ..Settings::default()
    };
    assert!(!format!("{settings:?}").contains("hunter"));
    S3::new(&settings).unwrap()
}

fn index() -> Object {
    Object {
        bucket: "charts".to_owned(),
        key: "team/index.yaml".to_owned(),
    }
}

const KEYS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "AKID"),
    ("AWS_SECRET_ACCESS_KEY", SECRET),
    ("AWS_SESSION_TOKEN", TOKEN),
];

#[tokio::test]
async fn reads_are_signed_and_tried_again() {
    let (address, log) = serve(|number, _| match number {
        1 => answer("503 Slow Down", "<Error><Code>SlowDown</Code></Error>"),
        _ => answer("200 OK\r\nETag: \"ab\"", "apiVersion: v1"),
    });
    let found = s3(&address, &KEYS).get(&index(), 100, &|_| {}).await;
    let found = found.unwrap().unwrap();
    assert_eq!(
        (found.bytes.as_slice(), found.etag.as_str()),
        (&b"apiVersion: v1"[..], "\"ab\"")
    );
    let log = log.lock().unwrap();
    assert_eq!(log.len(), 2);
    assert!(
        log[1].starts_with("GET /charts/team/index.yaml HTTP"),
        "{}",
        log[1]
    );
    let scope = "Credential=AKID/19700101/us-east-1/s3/aws4_request,\
        SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,Signature=";
    assert!(
        log[1].contains(scope) && log[1].contains(TOKEN),
        "{}",
        log[1]
    );
    assert!(!log[1].contains(SECRET));
}

#[tokio::test]
async fn nobody_signs_nothing() {
    let (address, log) =
        serve(|_, _| answer("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>"));
    let error = s3(&address, &[])
        .get(&index(), 100, &|_| {})
        .await
        .unwrap_err();
    let host = address.trim_start_matches("http://");
    assert_eq!(
        error.to_string(),
        format!(
            "reading s3://charts/team/index.yaml at {host} failed: 403 AccessDenied, with no credentials"
        )
    );
    assert!(error.hint().unwrap().contains("AWS_ACCESS_KEY_ID"));
    let log = log.lock().unwrap()[0].to_lowercase();
    assert!(
        !log.contains("authorization") && !log.contains("x-amz-"),
        "{log}"
    );
}

#[tokio::test]
async fn writes_have_conditions() {
    let (address, log) = serve(|number, _| match number {
        1 => answer("200 OK", ""),
        2 => answer(
            "412 Precondition Failed",
            "<Error><Code>PreconditionFailed</Code></Error>",
        ),
        3 => answer(
            "409 Conflict",
            "<Error><Code>ConditionalRequestConflict</Code></Error>",
        ),
        4 => answer(
            "501 Not Implemented",
            "<Error><Code>NotImplemented</Code></Error>",
        ),
        _ => answer("404 Not Found", "<Error><Code>NoSuchBucket</Code></Error>"),
    });
    let s3 = s3(&address, &KEYS);
    let put = async |condition| s3.put(&index(), b"body", "text/plain", condition).await;
    assert_eq!(put(Condition::Absent).await, Ok(true));
    assert_eq!(put(Condition::Unchanged("\"ab\"")).await, Ok(false));
    assert_eq!(put(Condition::Absent).await, Ok(false));
    let error = put(Condition::Absent).await.unwrap_err();
    assert!(error.to_string().contains("501 NotImplemented"), "{error}");
    assert!(error.hint().unwrap().contains("conditional writes"));
    let error = put(Condition::Absent).await.unwrap_err();
    assert!(error.to_string().contains("404 NoSuchBucket"), "{error}");
    let log = log.lock().unwrap();
    assert_eq!(log.len(), 5);
    assert!(log[0].contains("if-none-match: *") && log[0].ends_with("body"));
    assert!(log[1].contains("if-match: \"ab\"") && log[1].contains("host;if-match;"));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (other, elsewhere) = serve(|_, _| answer("200 OK", "stolen"));
    let head =
        format!("307 Temporary Redirect\r\nLocation: {other}/x\r\nx-amz-bucket-region: eu-west-1");
    let (address, _) = serve(move |_, _| answer(&head, ""));
    let error = s3(&address, &KEYS)
        .get(&index(), 100, &|_| {})
        .await
        .unwrap_err();
    assert!(error.to_string().contains("failed: 307"), "{error}");
    assert!(elsewhere.lock().unwrap().is_empty());
}

/// The stand-in for STS gives the answer that AWS documents for `AssumeRoleWithWebIdentity`.
#[tokio::test]
async fn roles_are_taken_once_with_the_token_in_the_body() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "jwt.hunter4\n").unwrap();
    let credentials = format!(
        "<R><Credentials><SessionToken>{TOKEN}</SessionToken><SecretAccessKey>{SECRET}</SecretAccessKey>\
         <AccessKeyId>ASIA</AccessKeyId></Credentials></R>"
    );
    let (address, log) = serve(move |_, request| match request.starts_with("POST / ") {
        true => answer("200 OK", &credentials),
        false => answer("200 OK", "x"),
    });
    let role = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r"),
    ];
    let s3 = s3(&address, &role);
    for _ in 0..2 {
        assert!(s3.get(&index(), 100, &|_| {}).await.unwrap().is_some());
    }
    let log = log.lock().unwrap();
    assert_eq!(log.len(), 3);
    let form = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr\
        &RoleSessionName=windlass&WebIdentityToken=jwt.hunter4";
    assert!(log[0].ends_with(form), "{}", log[0]);
    assert!(log[2].contains("Credential=ASIA/") && log[2].contains(TOKEN));
}

#[tokio::test]
async fn a_refused_role_is_told_without_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "jwt.hunter4").unwrap();
    let body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not authorized to perform \
        sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>";
    let (address, _) = serve(move |_, _| answer("403 Forbidden", body));
    let role = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:r"),
    ];
    let error = s3(&address, &role)
        .get(&index(), 100, &|_| {})
        .await
        .unwrap_err();
    let told = error.to_string();
    assert!(
        told.starts_with("taking the role arn:r at 127.0.0.1:"),
        "{told}"
    );
    assert!(
        told.contains("403 AccessDenied (Not authorized") && !told.contains("hunter"),
        "{told}"
    );
}

#[tokio::test]
async fn a_containers_agent_is_asked_with_its_token() {
    let (agent, asked) = serve(|_, _| {
        answer(
            "200 OK",
            "{\"AccessKeyId\":\"ASIA\",\"SecretAccessKey\":\"s\",\"Token\":\"t\"}",
        )
    });
    let (address, log) = serve(|_, _| answer("200 OK", "x"));
    let full = format!("{agent}/v1/credentials");
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", full.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "let-me"),
    ];
    s3(&address, &variables)
        .get(&index(), 100, &|_| {})
        .await
        .unwrap();
    assert!(asked.lock().unwrap()[0].contains("authorization: let-me"));
    assert!(log.lock().unwrap()[0].contains("Credential=ASIA/"));
}
