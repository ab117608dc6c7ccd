//! Tests of the receivers in `docs/verifying.md` with signed requests of a real server.
//!
//! `EASEL_TEST_PYTHON` names a Python with `PyJWT`, cryptography and standardwebhooks,
//! `EASEL_TEST_NODE_MODULES` a folder with jose and standardwebhooks. `scripts/clients` installs them, and
//! Ruby. The examples in PHP, Java and Go are not run.

mod example;

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use easel_keys::{PrivateKey, SigningAlgorithm, WebhookSecret, sign_jwt};
use easel_testkit::{Received, Receiver, event};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::caller::{Answer, Caller};
use crate::running::Running;
use example::{Example, Kind, Language, Verdict, replaced};

/// The number of rotations in a test.
const ROTATIONS: u64 = 10;
/// The number of events that are sent between two rotations.
const EVENTS: u64 = 40;

/// The parts of a JWT.
struct Parts<'a> {
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
}

/// A server that has sent one event to subscriptions with different signatures.
struct Sent {
    running: Running,
    /// The requests, by name of the subscription.
    requests: BTreeMap<String, Received>,
    /// Two symmetric secrets and a private key. All of them sign each request of `standard`.
    secrets: [WebhookSecret; 3],
    /// The event.
    event: Value,
    _folder: TempDir,
}

impl Sent {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let running = Running::start(&folder.path().join("data"));
        let (caller, receiver) = (Caller::new(&running), Receiver::start().await);
        let secrets = [
            WebhookSecret::generate_symmetric().unwrap(),
            WebhookSecret::generate_symmetric().unwrap(),
            WebhookSecret::generate_asymmetric().unwrap(),
        ];
        let texts = secrets.each_ref().map(WebhookSecret::to_text);
        let texts = texts.each_ref().map(|text| text.expose().as_str());
        subscribe(
            &caller,
            "standard",
            &receiver.url(),
            &json!({"standard": {"secrets": texts}}),
        )
        .await;
        for algorithm in SigningAlgorithm::ALL.map(SigningAlgorithm::as_str) {
            let signing = json!({"jwt": {"algorithm": algorithm}});
            let name = algorithm.to_lowercase();
            subscribe(&caller, &name, &receiver.url(), &signing).await;
        }
        let sample = event("course_created", 1);
        caller
            .post_events("application/json", sample.clone())
            .await
            .unwrap()
            .accepted();
        let requests = receiver.wait_for(1 + SigningAlgorithm::ALL.len()).await;
        let by_name = requests.into_iter().map(|request| {
            let name = request.header("easel-subscription").to_owned();
            (name, request)
        });
        Self {
            running,
            requests: by_name.collect(),
            secrets,
            event: serde_json::from_slice(&sample).unwrap(),
            _folder: folder,
        }
    }

    fn jwks_url(&self) -> String {
        format!("{}/.well-known/jwks.json", self.running.url())
    }
}

async fn subscribe(caller: &Caller, name: &str, url: &str, signing: &Value) -> Answer {
    let spec = json!({"name": name, "in_flight": 4, "webhook": {"url": url, "signing": signing}});
    let answer = caller
        .call(Method::POST, "/v1/subscriptions", Some(spec))
        .await
        .unwrap();
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    answer
}

fn unchanged(_file: &str, code: String) -> String {
    code
}

/// Returns a text in which the character at `index` is another character of base64.
fn altered(text: &str, index: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).unwrap()
}

impl<'a> Parts<'a> {
    fn split(jwt: &'a str) -> Self {
        let parts: Vec<_> = jwt.split('.').collect();
        let [header, claims, signature] = parts[..] else {
            panic!("{jwt} has not three parts");
        };
        Self {
            header,
            claims,
            signature,
        }
    }

    /// Returns the JWT with another header that has the same `kid`.
    fn with_algorithm(&self, algorithm: &str, signature: &str) -> String {
        let header = BASE64_URL_SAFE_NO_PAD.decode(self.header).unwrap();
        let mut header: Value = serde_json::from_slice(&header).unwrap();
        header["alg"] = algorithm.into();
        let header = BASE64_URL_SAFE_NO_PAD.encode(header.to_string());
        format!("{header}.{}.{signature}", self.claims)
    }

    fn kid(&self) -> String {
        let header = BASE64_URL_SAFE_NO_PAD.decode(self.header).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        header["kid"].as_str().unwrap().to_owned()
    }
}

async fn check_jwt(language: Language, algorithms: &[SigningAlgorithm]) {
    let sent = Sent::new().await;
    let url = sent.jwks_url();
    for algorithm in algorithms {
        let start = |issuer| {
            let variables = [
                ("JWKS_URL", url.as_str()),
                ("JWT_ALGORITHM", algorithm.as_str()),
                ("JWT_ISSUER", issuer),
            ];
            Example::start(language, Kind::Jwt, &variables, unchanged)
        };
        let Some(example) = start("easel") else {
            return;
        };
        let Received { headers, body, .. } = &sent.requests[&algorithm.as_str().to_lowercase()];
        assert_eq!(headers["content-type"], "application/jwt");
        example.accepts(headers, body, &sent.event).await;

        let jwt = std::str::from_utf8(body).unwrap();
        let parts = Parts::split(jwt);
        let claims = altered(parts.claims, parts.claims.len() / 2);
        let changed = format!("{}.{claims}.{}", parts.header, parts.signature);
        example.refuses("other claims", headers, changed).await;
        let signature = altered(parts.signature, parts.signature.len() / 2);
        let changed = format!("{}.{}.{signature}", parts.header, parts.claims);
        example.refuses("another signature", headers, changed).await;

        let other_key = PrivateKey::generate(*algorithm, parts.kid()).unwrap();
        let claims = BASE64_URL_SAFE_NO_PAD.decode(parts.claims).unwrap();
        let forged = sign_jwt(&other_key, &claims).unwrap();
        example.refuses("another key", headers, forged).await;
        let unknown_key = PrivateKey::generate(*algorithm, "2001-01-01T00:00:00Z".to_owned());
        let forged = sign_jwt(&unknown_key.unwrap(), &claims).unwrap();
        example.refuses("an unknown key", headers, forged).await;

        let unsigned = parts.with_algorithm("none", "");
        example.refuses("no signature", headers, unsigned).await;
        let symmetric = parts.with_algorithm("HS256", parts.signature);
        example
            .refuses("another algorithm", headers, symmetric)
            .await;
        example
            .refuses(
                "the event without a signature",
                headers,
                sent.event.to_string(),
            )
            .await;

        let other_issuer = start("another issuer").unwrap();
        other_issuer
            .refuses("another issuer", headers, body.clone())
            .await;
    }
}

/// Returns the headers with the signatures of `secrets` at another time.
fn signed_at(
    headers: &HeaderMap,
    secrets: &[WebhookSecret],
    offset: i64,
    body: &[u8],
) -> HeaderMap {
    let id = headers["webhook-id"].to_str().unwrap();
    let timestamp = Timestamp::now().as_second() + offset;
    let signature = WebhookSecret::signature_header(secrets, id, timestamp, body).unwrap();
    let mut headers = headers.clone();
    headers.insert("webhook-timestamp", HeaderValue::from(timestamp));
    headers.insert("webhook-signature", signature.try_into().unwrap());
    headers
}

async fn check_standard(language: Language, kind: Kind) {
    let sent = Sent::new().await;
    // The receiver knows only the second of the two symmetric secrets.
    let [_, second, asymmetric] = &sent.secrets;
    let (secret, public_key) = (second.to_text(), asymmetric.public_text().unwrap());
    let variables = [
        ("WEBHOOK_SECRET", secret.expose().as_str()),
        ("WEBHOOK_PUBLIC_KEY", public_key.as_str()),
    ];
    let Some(example) = Example::start(language, kind, &variables, unchanged) else {
        return;
    };
    let Received { headers, body, .. } = &sent.requests["standard"];
    assert_eq!(headers["content-type"], "application/json");
    example.accepts(headers, body, &sent.event).await;

    let changed = [body, " ".as_bytes()].concat();
    example.refuses("another body", headers, changed).await;
    let signatures = headers["webhook-signature"].to_str().unwrap();
    let changed: Vec<_> = signatures
        .split(' ')
        .map(|text| altered(text, 20))
        .collect();
    let with = |name: &'static str, value: &str| {
        let mut headers = headers.clone();
        headers.insert(name, value.try_into().unwrap());
        headers
    };
    let changed = with("webhook-signature", &changed.join(" "));
    example
        .refuses("other signatures", &changed, body.clone())
        .await;
    let other_id = with("webhook-id", "another");
    example.refuses("another id", &other_id, body.clone()).await;
    let mut unsigned = headers.clone();
    unsigned.remove("webhook-signature");
    example
        .refuses("no signature", &unsigned, body.clone())
        .await;

    let others = [
        WebhookSecret::generate_symmetric().unwrap(),
        WebhookSecret::generate_asymmetric().unwrap(),
    ];
    let forged = signed_at(headers, &others, 0, body);
    example
        .refuses("other secrets", &forged, body.clone())
        .await;
    let again = signed_at(headers, &sent.secrets, 0, body);
    example.accepts(&again, body, &sent.event).await;
    for (what, offset) in [("an old timestamp", -600), ("a future timestamp", 600)] {
        let moved = signed_at(headers, &sent.secrets, offset, body);
        example.refuses(what, &moved, body.clone()).await;
    }
}

/// Returns the code without the limit on how often an unknown key makes a receiver fetch the keys. The limit
/// would be in the way of rotations within seconds.
fn without_cooldown(file: &str, code: String) -> String {
    match file {
        "verify_jwt.py" => {
            let url = "os.environ[\"JWKS_URL\"]";
            replaced(&code, url, &format!("{url}, cooldown_duration=0"))
        }
        "verify-jwt.mjs" => replaced(&code, "{ cacheMaxAge", "{ cooldownDuration: 0, cacheMaxAge"),
        _ => code,
    }
}

async fn check_rotations(language: Language) {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let caller = Caller::new(&running);
    let url = format!("{}/.well-known/jwks.json", running.url());
    let variables = [("JWKS_URL", url.as_str())];
    let Some(example) = Example::start(language, Kind::Jwt, &variables, without_cooldown) else {
        return;
    };
    subscribe(&caller, "signed", example.url(), &json!({"jwt": {}})).await;
    let mut key_ids = Vec::new();
    let mut count = 0;
    for _ in 0..ROTATIONS {
        let lines: Vec<u8> = (count..count + EVENTS)
            .flat_map(|number| [&event("grade_change", number)[..], b"\n"].concat())
            .collect();
        caller
            .post_events("application/x-ndjson", lines)
            .await
            .unwrap()
            .accepted();
        let delivered = count + EVENTS / 4;
        caller
            .wait_until::<Value>("/v1/subscriptions/signed/balance", |balance| {
                balance["delivered"].as_u64().unwrap() >= delivered
            })
            .await;
        // The other events are on their way now.
        let path = "/v1/keys/signing/RS256/rotate";
        let answer = caller.call(Method::POST, path, None).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        key_ids.push(current_key(&answer.json()));
        count += EVENTS;
    }
    let balance = caller.settled("signed").await;
    assert_eq!(balance.delivered, count);
    let shown: Value = caller.read("/v1/subscriptions/signed").await;
    let outcomes = &shown["attempts"]["outcomes"];
    assert_eq!(*outcomes, json!({"delivered": count}));
    for _ in 0..count {
        let verdict = example.verdict();
        assert!(matches!(verdict, Verdict::Accepted { .. }), "{verdict:?}");
    }
    let number = key_ids.len();
    key_ids.dedup();
    assert_eq!(
        key_ids.len(),
        number,
        "each rotation has a new key: {key_ids:?}"
    );
}

/// Returns the id of the key that signs with RS256.
fn current_key(keys: &Value) -> String {
    let signing = keys["signing"].as_array().unwrap();
    let set = signing
        .iter()
        .find(|set| set["algorithm"] == "RS256")
        .unwrap();
    set["current"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_receiver_accepts_a_jwt_of_each_algorithm_and_refuses_a_changed_one() {
    check_jwt(Language::Python, &SigningAlgorithm::ALL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_node_receiver_accepts_a_jwt_of_each_algorithm_and_refuses_a_changed_one() {
    check_jwt(Language::Node, &SigningAlgorithm::ALL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ruby_class_accepts_a_jwt_and_refuses_a_changed_one() {
    check_jwt(Language::Ruby, &[SigningAlgorithm::Rs256]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_receiver_verifies_standard_webhooks_with_a_secret() {
    check_standard(Language::Python, Kind::Standard).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_receiver_verifies_standard_webhooks_with_a_public_key() {
    check_standard(Language::Python, Kind::PublicKey).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_node_receiver_verifies_standard_webhooks_with_a_secret() {
    check_standard(Language::Node, Kind::Standard).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_node_receiver_verifies_standard_webhooks_with_a_public_key() {
    check_standard(Language::Node, Kind::PublicKey).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ruby_class_verifies_standard_webhooks_with_a_secret() {
    check_standard(Language::Ruby, Kind::Standard).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_receiver_rejects_nothing_during_ten_rotations() {
    check_rotations(Language::Python).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_node_receiver_rejects_nothing_during_ten_rotations() {
    check_rotations(Language::Node).await;
}

#[test]
fn the_page_has_the_files_that_the_tests_run() {
    let names = |language| example::files(language).into_keys().collect::<Vec<_>>();
    assert_eq!(
        names(Language::Python),
        [
            "receiver.py",
            "verify_jwt.py",
            "verify_standard.py",
            "verify_v1a.py"
        ]
    );
    assert_eq!(
        names(Language::Node),
        [
            "receiver.mjs",
            "verify-jwt.mjs",
            "verify-standard.mjs",
            "verify-v1a.mjs"
        ]
    );
    assert_eq!(
        names(Language::Ruby),
        ["verify_jwt.rb", "verify_standard.rb"]
    );
}
