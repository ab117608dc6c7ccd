//! The door for signed requests of a hosted Canvas.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use easel_keys::{JwkSet, PrivateKey, SigningAlgorithm, sign_jwt};
use easel_log::{Clock, Log, Offset, Read, Shape};
use easel_sources::{SourceJson, SourceSpec, SourceState};
use easel_testkit::Receiver;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::doors::{Answer, Doors};

const ISSUER: &str = "https://live-events.canvas.instructure.com";
const SECRET: &str = "0123456789abcdef-secret";

/// A hosted Canvas: its keys and the server that publishes them.
struct Hosted {
    keys: Vec<PrivateKey>,
    jwks: Receiver,
}

fn key(kid: &str) -> PrivateKey {
    PrivateKey::generate(SigningAlgorithm::Rs256, kid.to_owned()).unwrap()
}

impl Hosted {
    async fn new(kids: &[&str]) -> Self {
        let hosted = Self {
            keys: kids.iter().map(|kid| key(kid)).collect(),
            jwks: Receiver::start().await,
        };
        hosted.publish(0..kids.len());
        hosted
    }

    /// Publishes some of the keys.
    fn publish(&self, range: std::ops::Range<usize>) {
        let keys = self.keys[range].iter().map(|key| key.public_jwk().clone());
        self.jwks
            .set_body(JwkSet::new(keys.collect()).unwrap().to_json());
    }

    fn source(&self) -> SourceSpec {
        source(json!({"name": "hosted", "kind": "https", "jwks_url": self.jwks.url()}))
    }

    /// Signs claims with the key at `index`.
    fn sign(&self, index: usize, claims: &str) -> String {
        sign_jwt(&self.keys[index], claims.as_bytes()).unwrap()
    }
}

fn source(json: Value) -> SourceSpec {
    let json: SourceJson = serde_json::from_value(json).unwrap();
    json.try_into().unwrap()
}

/// An event with a number, as hosted Canvas writes it.
fn event(number: usize) -> String {
    format!(
        r#"{{"metadata":{{"event_name":"logged_in","event_time":"2026-11-30T12:00:00.000Z","root_account_id":"7","root_account_uuid":"uuid-7"}},"body":{{"redirect_url":"https://a.example/{number}"}}}}"#
    )
}

/// The claims of an event: its members, and others.
fn claims(event: &str, before: &str, after: &str) -> String {
    let members = event.strip_prefix('{').unwrap().strip_suffix('}').unwrap();
    format!("{{{before}{members}{after}}}")
}

fn with_issuer(event: &str) -> String {
    claims(event, "", &format!(r#","iss":"{ISSUER}""#))
}

async fn send(doors: &Doors, path: &str, content_type: Option<&str>, body: &str) -> Answer {
    let mut request = Request::post(path);
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    doors
        .send(request.body(Body::from(body.to_owned())).unwrap())
        .await
}

async fn post(doors: &Doors, body: &str) -> Answer {
    send(doors, "/v1/hooks/hosted", None, body).await
}

#[track_caller]
fn check_problem(answer: &Answer, status: StatusCode, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.json["code"], code, "{answer:?}");
}

#[tokio::test]
async fn a_signed_event_is_stored_byte_for_byte_however_it_is_wrapped() {
    let hosted = Hosted::new(&["2026-11-01T00:00:00Z"]).await;
    let doors = Doors::with_sources(vec![hosted.source()]);
    let token = hosted.sign(0, &with_issuer(&event(1)));
    let spellings = [
        token.clone(),
        format!("\"{token}\""),
        format!("\r\n \"{token}\"\r\n"),
        format!("\"{token}\\n\""),
        format!("'{token}'"),
        format!("{token}\n"),
    ];
    let types = [
        None,
        Some("application/json"),
        Some("text/plain; charset=utf-8"),
        Some("application/jwt"),
        Some("application/x-www-form-urlencoded"),
        Some("nonsense"),
    ];
    for body in &spellings {
        for content_type in types {
            let answer = send(&doors, "/v1/hooks/hosted", content_type, body).await;
            assert_eq!(
                answer.status,
                StatusCode::OK,
                "{body:?} {content_type:?} {answer:?}"
            );
        }
    }
    assert_eq!(doors.stored().await, [event(1).as_bytes()]);
    let report = doors
        .sources
        .get("hosted")
        .unwrap()
        .health
        .report(doors.clock.now());
    let sent = spellings.len() * types.len();
    assert_eq!(report.last_day.accepted, 1);
    assert_eq!(report.last_day.duplicate, sent as u64 - 1);
    assert_eq!(report.last_event_at, Some(doors.clock.now()));
}

#[tokio::test]
async fn the_same_event_is_a_duplicate_whatever_claims_and_signature_it_has() {
    let hosted = Hosted::new(&["previous", "current"]).await;
    let doors = Doors::with_sources(vec![hosted.source()]);
    let iss = format!(r#""iss":"{ISSUER}","#);
    let now = doors.clock.now().as_second();
    let first = claims(&event(1), &format!(r#"{iss}"iat":{now},"#), r#","jti":"a""#);
    let second = claims(
        &event(1),
        "",
        &format!(r#","exp":{},"iss":"{ISSUER}""#, now + 60),
    );
    let swapped = {
        let value: Value = serde_json::from_str(&event(1)).unwrap();
        let (metadata, body) = (&value["metadata"], &value["body"]);
        format!(r#"{{{iss}"body":{body},"metadata":{metadata}}}"#)
    };
    for (index, claims) in [(0, &first), (1, &second), (1, &first), (0, &swapped)] {
        let answer = post(&doors, &hosted.sign(index, claims)).await;
        assert_eq!(answer.status, StatusCode::OK, "{claims}");
    }
    assert_eq!(doors.stored().await, [event(1).as_bytes()]);
}

#[tokio::test]
async fn a_record_has_its_source_root_account_and_shape() {
    let hosted = Hosted::new(&["k"]).await;
    let doors = Doors::with_sources(vec![hosted.source()]);
    let envelope = json!({
        "sensor": "http://oxana.instructure.com/", "sendTime": "2026-11-30T12:00:01.000Z",
        "dataVersion": "http://purl.imsglobal.org/ctx/caliper/v1p1",
        "data": [{"id": "urn:uuid:1", "type": "SessionEvent", "action": "LoggedIn",
            "eventTime": "2026-11-30T12:00:00.000Z"}],
    });
    let envelope = envelope.to_string();
    for event in [event(1), envelope.clone()] {
        let answer = post(&doors, &hosted.sign(0, &with_issuer(&event))).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
    let mut records = Vec::new();
    let mut next = Offset::ZERO;
    while let Read::Block(block) = doors.log.read(next).await.unwrap() {
        records.extend(block.records());
        next = block.end();
    }
    let provenance = &records[0].provenance;
    assert_eq!(provenance.source.as_deref(), Some("hosted"));
    assert_eq!(provenance.root_account_id.as_deref(), Some("7"));
    assert_eq!(provenance.root_account_uuid.as_deref(), Some("uuid-7"));
    assert_eq!(provenance.shape, Shape::Canvas);
    assert_eq!(records[1].provenance.shape, Shape::Caliper);
    assert_eq!(&*records[1].event_type, "caliper:SessionEvent/LoggedIn");
    assert_eq!(records[1].bytes, envelope.as_bytes());
}

/// Makes a token with any header, and signs it with HMAC.
fn hmac_token(header: &Value, claims: &str, secret: &[u8]) -> String {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(claims.as_bytes())
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", encode(&mac.finalize().into_bytes()))
}

#[tokio::test]
async fn what_is_not_authentic_is_refused_and_stored_nowhere() {
    let hosted = Hosted::new(&["k"]).await;
    let doors = Doors::with_sources(vec![hosted.source()]);
    let good = with_issuer(&event(1));
    let token = hosted.sign(0, &good);
    let now = doors.clock.now().as_second();
    let public = hosted.keys[0].public_jwk().to_json().to_string();
    let none = hmac_token(&json!({"alg": "none", "kid": "k"}), &good, b"");
    let none = format!("{}.", none.rsplit_once('.').unwrap().0);
    let other_key = sign_jwt(&key("k"), good.as_bytes()).unwrap();
    let cut = token.get(..token.len() - 3).unwrap().to_owned();
    let refused = [
        none,
        hmac_token(
            &json!({"alg": "HS256", "kid": "k"}),
            &good,
            public.as_bytes(),
        ),
        hmac_token(
            &json!({"alg": "RS256", "kid": "k"}),
            &good,
            public.as_bytes(),
        ),
        hmac_token(&json!({"alg": "RS256"}), &good, b"x"),
        hmac_token(&json!({"alg": "RS256", "kid": "../k"}), &good, b"x"),
        hmac_token(
            &json!({"alg": "RS256", "kid": "k", "jku": hosted.jwks.url()}),
            &good,
            b"x",
        ),
        other_key,
        cut,
        format!("{}.{}", token, "x"),
        format!("{token}="),
        hosted.sign(0, &event(1)),
        hosted.sign(
            0,
            &claims(&event(1), "", r#","iss":"https://other.example""#),
        ),
        hosted.sign(
            0,
            &claims(
                &event(1),
                "",
                &format!(r#","iss":"{ISSUER}","exp":{}"#, now - 301),
            ),
        ),
        hosted.sign(
            0,
            &claims(
                &event(1),
                "",
                &format!(r#","iss":"{ISSUER}","nbf":{}"#, now + 302),
            ),
        ),
        hosted.sign(
            0,
            &claims(
                &event(1),
                r#""metadata":{},"#,
                &format!(r#","iss":"{ISSUER}""#),
            ),
        ),
        event(1),
        String::new(),
        "..".to_owned(),
        "\"".to_owned(),
    ];
    for body in &refused {
        let answer = post(&doors, body).await;
        check_problem(&answer, StatusCode::UNAUTHORIZED, "signature_invalid");
    }
    assert!(doors.stored().await.is_empty());
    assert!(doors.quarantined().await.is_empty());
    let report = doors
        .sources
        .get("hosted")
        .unwrap()
        .health
        .report(doors.clock.now());
    assert_eq!(report.last_day.failed, refused.len() as u64);
    assert_eq!(post(&doors, &token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn bytes_that_are_not_text_or_too_large_are_refused_without_harm() {
    let hosted = Hosted::new(&["k"]).await;
    let doors = Doors::with_sources(vec![hosted.source()]);
    let request = Request::post("/v1/hooks/hosted").body(Body::from(vec![0xff; 100]));
    check_problem(
        &doors.send(request.unwrap()).await,
        StatusCode::UNAUTHORIZED,
        "signature_invalid",
    );
    let huge = "x".repeat(4 * 1024 * 1024 + 1);
    check_problem(
        &post(&doors, &huge).await,
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
    );
    // An event of more than 1 MiB is authentic, so it is not bounced.
    let long = event(1).replace("https://", &"x".repeat(1 << 20));
    let answer = post(&doors, &hosted.sign(0, &with_issuer(&long))).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(doors.quarantined().await[0].code, "too_large");
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_are_no_reason_for_401() {
    let hosted = Hosted::new(&["k"]).await;
    let token = hosted.sign(0, &with_issuer(&event(1)));
    let good = JwkSet::new(vec![hosted.keys[0].public_jwk().clone()])
        .unwrap()
        .to_json();
    let oversize = format!("{}{good}", " ".repeat(JwkSet::MAX_BYTES));
    let broken = [
        (StatusCode::INTERNAL_SERVER_ERROR, good.clone()),
        (StatusCode::FOUND, good.clone()),
        (StatusCode::OK, "<html>Please sign in</html>".to_owned()),
        (StatusCode::OK, oversize),
        (StatusCode::OK, r#"{"keys":[]}"#.to_owned()),
        (StatusCode::OK, String::new()),
    ];
    for (status, body) in broken {
        let doors = Doors::with_sources(vec![hosted.source()]);
        hosted.jwks.set_header("location", &hosted.jwks.url());
        hosted.jwks.set_status(status);
        hosted.jwks.set_body(body.clone());
        let answer = post(&doors, &token).await;
        check_problem(&answer, StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable");
        assert!(answer.headers.contains_key("retry-after"));
        // The endpoint is not asked again at once.
        let asked = hosted.jwks.count();
        check_problem(
            &post(&doors, &token).await,
            StatusCode::SERVICE_UNAVAILABLE,
            "keys_unavailable",
        );
        assert_eq!(hosted.jwks.count(), asked, "{status} {}", body.len());
        hosted.jwks.set_status(StatusCode::OK);
        hosted.jwks.set_body(good.clone());
        doors.clock.advance(Duration::from_secs(31));
        assert_eq!(post(&doors, &token).await.status, StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn keys_that_never_come_are_answered_with_503_within_ten_seconds() {
    let hosted = Hosted::new(&["k"]).await;
    hosted.jwks.hang(true);
    let doors = Doors::with_sources(vec![hosted.source()]);
    let start = Instant::now();
    let answer = post(&doors, &hosted.sign(0, &with_issuer(&event(1)))).await;
    check_problem(&answer, StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn known_keys_go_on_when_the_jwks_is_gone() {
    let hosted = Hosted::new(&["k"]).await;
    let doors = Doors::with_sources(vec![hosted.source()]);
    let token = |number| hosted.sign(0, &with_issuer(&event(number)));
    assert_eq!(post(&doors, &token(1)).await.status, StatusCode::OK);
    hosted.jwks.set_status(StatusCode::GONE);
    doors.clock.advance(Duration::from_hours(1));
    assert_eq!(post(&doors, &token(2)).await.status, StatusCode::OK);
    let unknown = sign_jwt(&key("new"), with_issuer(&event(3)).as_bytes()).unwrap();
    check_problem(
        &post(&doors, &unknown).await,
        StatusCode::SERVICE_UNAVAILABLE,
        "keys_unavailable",
    );
    assert_eq!(post(&doors, &token(4)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_unknown_key_is_fetched_once_and_then_refused() {
    let hosted = Hosted::new(&["k"]).await;
    let doors = Doors::with_sources(vec![hosted.source()]);
    let unknown = sign_jwt(&key("made-up"), with_issuer(&event(1)).as_bytes()).unwrap();
    for _ in 0..5 {
        check_problem(
            &post(&doors, &unknown).await,
            StatusCode::UNAUTHORIZED,
            "signature_invalid",
        );
    }
    assert_eq!(hosted.jwks.count(), 1);
    doors.clock.advance(Duration::from_secs(31));
    post(&doors, &unknown).await;
    assert_eq!(hosted.jwks.count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_keys_rotate_under_load_without_a_failure() {
    let hosted = Arc::new(Hosted::new(&["1", "2", "3", "4", "5", "6"]).await);
    hosted.publish(0..3);
    let doors = Arc::new(Doors::with_sources(vec![hosted.source()]));
    for month in 0..4 {
        hosted.publish(month..month + 3);
        doors.clock.advance(Duration::from_secs(31));
        let mut senders = JoinSet::new();
        for number in 0..60 {
            let (hosted, doors) = (Arc::clone(&hosted), Arc::clone(&doors));
            // The previous, the current and the next key.
            let (index, number) = (month + number % 3, month * 100 + number);
            senders.spawn(async move {
                let token = hosted.sign(index, &with_issuer(&event(number)));
                post(&doors, &format!("\"{token}\"")).await.status
            });
        }
        while let Some(status) = senders.join_next().await {
            assert_eq!(status.unwrap(), StatusCode::OK, "month {month}");
        }
    }
    assert_eq!(doors.stored().await.len(), 4 * 60);
    assert_eq!(hosted.jwks.count(), 4);
}

#[tokio::test]
async fn what_is_authentic_but_is_not_an_event_is_quarantined_and_answered_with_200() {
    let hosted = Hosted::new(&["k"]).await;
    let mut spec = hosted.source();
    spec.root_accounts = vec!["7".to_owned()];
    let doors = Doors::with_sources(vec![spec]);
    let foreign = event(1).replace(r#""root_account_id":"7""#, r#""root_account_id":"8""#);
    let bodies = [
        (r#"{"hello":1}"#.to_owned(), "missing_metadata"),
        (event(1).replace("event_name", "name"), "missing_event_name"),
        (foreign.clone(), "account_not_accepted"),
    ];
    for (event, code) in &bodies {
        let answer = post(&doors, &hosted.sign(0, &with_issuer(event))).await;
        assert_eq!(answer.status, StatusCode::OK, "{event}");
        let quarantined = doors.quarantined().await.pop().unwrap();
        assert_eq!(quarantined.code, *code);
        assert_eq!(&*quarantined.door, "hook");
        assert_eq!(quarantined.source.as_deref(), Some("hosted"));
    }
    assert!(doors.stored().await.is_empty());
    // A retry must not admit the event of another root account.
    let request = Request::post("/v1/quarantine/retry").body(Body::empty());
    let answer = doors.send(request.unwrap()).await;
    assert_eq!(answer.json["kept"], 3, "{answer:?}");
    assert!(doors.stored().await.is_empty());
}

#[tokio::test]
async fn a_source_without_signatures_is_protected_by_the_secret_in_its_path() {
    let unsigned = json!({"name": "hosted", "kind": "https", "signed": false, "secret": SECRET});
    let doors = Doors::with_sources(vec![source(unsigned)]);
    let path = format!("/v1/hooks/hosted/{SECRET}");
    for body in [
        event(1),
        format!(" {} \r\n", event(1)),
        Value::from(event(1)).to_string(),
    ] {
        let answer = send(&doors, &path, None, &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{body}");
    }
    assert_eq!(doors.stored().await, [event(1).as_bytes()]);
    let mut answers = Vec::new();
    for path in [
        "/v1/hooks/hosted".to_owned(),
        format!("{path}x"),
        "/v1/hooks/other".to_owned(),
        format!("/v1/hooks/other/{SECRET}"),
    ] {
        let answer = send(&doors, &path, None, &event(2)).await;
        check_problem(&answer, StatusCode::NOT_FOUND, "no_such_source");
        answers.push(answer.json);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(doors.stored().await.len(), 1);
}

#[tokio::test]
async fn a_paused_source_answers_503_until_it_is_resumed() {
    let hosted = Hosted::new(&["k"]).await;
    let doors = Doors::with_sources(vec![hosted.source()]);
    let token = hosted.sign(0, &with_issuer(&event(1)));
    doors
        .sources
        .set_state("hosted", SourceState::Paused)
        .unwrap();
    check_problem(
        &post(&doors, &token).await,
        StatusCode::SERVICE_UNAVAILABLE,
        "source_paused",
    );
    doors
        .sources
        .set_state("hosted", SourceState::Active)
        .unwrap();
    assert_eq!(post(&doors, &token).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_slow_is_answered_with_503_within_ten_seconds() {
    let unsigned = json!({"name": "hosted", "kind": "https", "signed": false, "secret": SECRET});
    let doors = Doors::with_sources(vec![source(unsigned)]);
    doors.log.hold_appends(true);
    let start = Instant::now();
    let path = format!("/v1/hooks/hosted/{SECRET}");
    let answer = send(&doors, &path, None, &event(1)).await;
    check_problem(&answer, StatusCode::SERVICE_UNAVAILABLE, "overloaded");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_sender_that_hangs_up_counts_as_a_time_out() {
    let hosted = Hosted::new(&["k"]).await;
    hosted.jwks.hang(true);
    let doors = Doors::with_sources(vec![hosted.source()]);
    let token = hosted.sign(0, &with_issuer(&event(1)));
    let answer = timeout(Duration::from_millis(50), post(&doors, &token)).await;
    assert!(answer.is_err());
    let report = doors
        .sources
        .get("hosted")
        .unwrap()
        .health
        .report(doors.clock.now());
    assert_eq!((report.last_day.timed_out, report.last_day.failed), (1, 0));
}
