//! Tests with endpoints that repeat the request in their answer.

use easel_keys::{Secret, WebhookSecret};
use easel_sinks::{CustomHeaders, Endpoint, EndpointAnswer, Outcome, RequestSigner, Sink, Webhook};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::fixtures::{LONG_TIMEOUT, client, local_options, settings, short_batch};

const QUERY_VALUE: &str = "s3cret/in+the=query";
const HEADER: &str = "s3cret in a header";
const PASSWORD: &str = "s3cret&pass:word";
const SIGNING: &str = "whsec_czNjcmV0IGluIGEgc2lnbmluZyBzZWNyZXQ=";
/// All secrets contain this text or one of its encodings.
const PARTS: [&str; 3] = ["s3cret", "czNjcmV0", "aWRhOnMzY3JldC"];

/// How an endpoint builds an answer from a request.
type Answer = fn(&str) -> String;

/// Starts a server that answers each request, on a connection of its own.
async fn reflecting(answer: Answer) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = JoinSet::new();
    server.spawn(async move {
        loop {
            let (stream, _peer) = listener.accept().await.unwrap();
            answer_one(stream, answer).await;
        }
    });
    (
        format!("http://{address}/hook?key={QUERY_VALUE}&page=2"),
        server,
    )
}

async fn answer_one(mut stream: TcpStream, answer: Answer) {
    let mut request = Vec::new();
    while !request.ends_with(b"{}") {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
    }
    let answer = answer(&String::from_utf8(request).unwrap());
    // A client does not read a long answer to its end.
    drop(stream.write_all(answer.as_bytes()).await);
}

fn webhook(url: &str) -> Webhook {
    let endpoint = Endpoint::parse(url).unwrap();
    let header = Secret::new(HEADER.to_owned());
    let headers = CustomHeaders::new([("x-api-key", &header)]).unwrap();
    let headers = headers.with_basic("ida", &Secret::new(PASSWORD.to_owned()));
    let secret = WebhookSecret::parse(SIGNING).unwrap();
    Webhook::new(client(&local_options()), endpoint, settings(LONG_TIMEOUT))
        .with_headers(headers.unwrap())
        .with_signer(Some(RequestSigner::Standard([secret].into())))
}

/// Returns the body that is kept of a failed attempt.
async fn kept_body(webhook: &Webhook) -> (String, Outcome) {
    let outcome = webhook.send(&short_batch()).await;
    let body = outcome.answer.as_ref().unwrap().body.clone();
    (String::from_utf8_lossy(&body).into_owned(), outcome)
}

#[track_caller]
fn assert_clean(shown: &str) {
    for part in PARTS {
        assert!(!shown.contains(part), "{shown}");
    }
}

fn failure(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 500 Oops\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn success(body: &str) -> String {
    failure(body).replacen("500 Oops", "200 OK", 1)
}

fn all_secrets() -> String {
    let (_prefix, signing) = SIGNING.split_once('_').unwrap();
    [QUERY_VALUE, HEADER, PASSWORD, SIGNING, signing].join("\n")
}

#[tokio::test]
async fn the_answer_of_an_endpoint_that_repeats_the_request_has_no_secret() {
    let (url, _server) = reflecting(|request| {
        assert!(PARTS.iter().any(|part| request.contains(part)));
        failure(&format!("{request}\n{}", all_secrets()))
    })
    .await;
    let webhook = webhook(&url);
    let (shown, outcome) = kept_body(&webhook).await;
    assert_clean(&shown);
    assert_clean(&format!("{webhook:?} {outcome:?}"));
    assert!(shown.starts_with("POST /hook?… HTTP/1.1\r\n"), "{shown}");
    assert!(shown.contains("x-api-key: …\r\n"), "{shown}");
    assert!(shown.contains("authorization: …\r\n"), "{shown}");
    assert!(shown.contains("\n…\n…\n…\nwhsec_…=\n…="), "{shown}");
}

#[tokio::test]
async fn a_watched_attempt_shows_no_secret_after_success_and_failure() {
    for answer in [failure, success] {
        let (url, _server) = reflecting(answer).await;
        let webhook = webhook(&url);
        let tried = webhook.try_out(&short_batch()).await;
        let delivered = webhook.deliver(&short_batch()).await;
        for trial in [tried, delivered] {
            let shown = String::from_utf8_lossy(&trial.body).into_owned();
            assert!(shown.starts_with("POST /hook?… HTTP/1.1\r\n"), "{shown}");
            assert_clean(&shown);
            assert_clean(&format!("{trial:?}"));
        }
    }
}

#[tokio::test]
async fn escaped_secrets_are_removed_too() {
    let (url, _server) = reflecting(|request| {
        let json = serde_json::to_string(&format!("{request}\n{}", all_secrets())).unwrap();
        let form = QUERY_VALUE
            .replace('/', "%2F")
            .replace('+', "%2b")
            .replace('=', "%3D");
        let html = PASSWORD.replace('&', "&amp;");
        failure(&format!("{json}\n{form}\n{html}"))
    })
    .await;
    let (shown, _outcome) = kept_body(&webhook(&url)).await;
    assert_clean(&shown);
    assert!(shown.ends_with("\n…\n…"), "{shown}");
}

#[tokio::test]
async fn a_secret_at_the_limit_leaves_no_part() {
    let limit = EndpointAnswer::MAX_BODY_BYTES;
    let webhooks = async |answer| {
        let (url, server) = reflecting(answer).await;
        (webhook(&url), server)
    };
    let (at_the_limit, _server) = webhooks(|_request| {
        let start = "x".repeat(EndpointAnswer::MAX_BODY_BYTES - 9);
        failure(&format!("{start}{PASSWORD}{PASSWORD}"))
    })
    .await;
    let (shown, _outcome) = kept_body(&at_the_limit).await;
    assert_clean(&shown);
    assert_eq!(shown.len(), limit - 9 + "…".len());

    let (much, _server) = webhooks(|_request| failure(&PASSWORD.repeat(5000))).await;
    let (shown, _outcome) = kept_body(&much).await;
    assert_eq!(shown, "…");
}

#[tokio::test]
async fn a_secret_that_a_broken_connection_cuts_leaves_no_part() {
    let (url, _server) = reflecting(|_request| {
        let (start, _end) = PASSWORD.split_at(3);
        format!("HTTP/1.1 500 Oops\r\ncontent-length: 99\r\n\r\nyour password: {start}")
    })
    .await;
    let (shown, _outcome) = kept_body(&webhook(&url)).await;
    assert_eq!(shown, "your password: …");
}
