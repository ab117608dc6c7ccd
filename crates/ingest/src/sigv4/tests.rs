//! Signatures of the tests' own signer and of botocore.

use axum::http::{HeaderName, Request};
use hmac::{Hmac, Mac};
use proptest::prelude::*;

use super::*;

const KEY_ID: &str = "MEADOWKEYFORTESTS001";
const SECRET: &str = "not/a+real/secret+but+as/long+as+one/x40";

fn verify(request: &Request<Vec<u8>>, now: Timestamp) -> Result<(), SignatureError> {
    let secret = Secret::new(SECRET.to_owned());
    let (parts, ()) = request.clone().map(|_body| ()).into_parts();
    let secret_of = |id: &str| (id == KEY_ID).then_some(&secret);
    Signed::from_head(&parts, "kinesis", secret_of, now)?.verify(request.body())
}

/// Parses a captured request.
fn captured(text: &str) -> Request<Vec<u8>> {
    let (head, body) = text.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let mut line = lines.next().unwrap().split(' ');
    let mut request = Request::builder()
        .method(line.next().unwrap())
        .uri(line.next().unwrap());
    for header in lines {
        let (name, value) = header.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    request.body(body.as_bytes().to_vec()).unwrap()
}

fn time_of(request: &Request<Vec<u8>>) -> Timestamp {
    SigningTime::from_headers(request.headers()).unwrap().at
}

/// Signs a request with the published algorithm. Shares no code with the verifier.
fn sign(request: &mut Request<Vec<u8>>, date: &str) {
    let mac = |key: &[u8], text: &str| -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    let sha = |bytes: &[u8]| format!("{:x}", Sha256::digest(bytes));

    let mut values: Vec<(&str, &str)> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap().trim()))
        .collect();
    // HTTP/2 clients sign the authority.
    values.extend(
        request
            .uri()
            .authority()
            .map(|host| (":authority", host.as_str())),
    );
    values.sort_unstable();
    let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
    let headers: Vec<String> = values
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let names = names.join(";");
    let canonical = [
        request.method().as_str(),
        request.uri().path(),
        request.uri().query().unwrap_or(""),
        &headers.concat(),
        &names,
        &sha(request.body()),
    ]
    .join("\n");

    let (day, _time) = date.split_once('T').unwrap();
    let scope = format!("{day}/eu-north-1/kinesis/aws4_request");
    let text = format!(
        "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
        sha(canonical.as_bytes())
    );
    let mut key = format!("AWS4{SECRET}").into_bytes();
    for part in [day, "eu-north-1", "kinesis", "aws4_request", &text] {
        key = mac(&key, part);
    }
    let (high, low) = key.split_at(16);
    let half = |bytes: &[u8]| u128::from_be_bytes(bytes.try_into().unwrap());
    let signature = format!("{:032x}{:032x}", half(high), half(low));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope}, SignedHeaders={names}, \
         Signature={signature}"
    );
    request
        .headers_mut()
        .insert(AUTHORIZATION, authorization.parse().unwrap());
}

/// Returns a signed request, and the time of its signature.
fn signed(uri: &str, extra: &str, body: &[u8]) -> (Request<Vec<u8>>, Timestamp) {
    let date = "20250303T080000Z";
    let mut request = Request::post(uri)
        .header("host", "easel.meadow.example:4567")
        .header("x-amz-date", date)
        .header("x-amz-target", "Kinesis_20131202.PutRecords")
        .header("x-meadow", extra)
        .body(body.to_vec())
        .unwrap();
    sign(&mut request, date);
    (request, "2025-03-03T08:00:00Z".parse().unwrap())
}

#[track_caller]
fn check_mismatch(request: &Request<Vec<u8>>, now: Timestamp) {
    let error = verify(request, now).unwrap_err();
    assert!(matches!(error, SignatureError::Mismatch { .. }), "{error}");
}

#[test]
fn signatures_of_boto3_verify() {
    for golden in [
        include_str!("../../fixtures/boto3_put_records.http"),
        include_str!("../../fixtures/boto3_list_streams_with_session_token.http"),
    ] {
        let mut request = captured(golden);
        let now = time_of(&request);
        assert_eq!(verify(&request, now), Ok(()));

        request.body_mut()[0] ^= 1;
        check_mismatch(&request, now);
    }
}

/// The signature was calculated by hand, with `openssl dgst -sha256 -mac HMAC`, from this canonical request:
///
/// ```text
/// POST
/// /
///
/// content-type:application/x-amz-json-1.1
/// host:easel.example.edu:4567
/// x-amz-date:20261201T050000Z
/// x-amz-target:Kinesis_20131202.ListStreams
///
/// content-type;host;x-amz-date;x-amz-target
/// 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
/// ```
#[test]
fn the_signed_host_has_the_port_of_the_request() {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={KEY_ID}/20261201/us-east-1/kinesis/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date;x-amz-target, \
         Signature=823c9f123d6d7449503e6f8f8cd0b2de1b25d178c99554a409dab5163aa5f183"
    );
    let request = |host: &str| {
        Request::post("/")
            .header("content-type", "application/x-amz-json-1.1")
            .header("host", host)
            .header("x-amz-date", "20261201T050000Z")
            .header("x-amz-target", "Kinesis_20131202.ListStreams")
            .header("authorization", &authorization)
            .body(b"{}".to_vec())
            .unwrap()
    };
    let now = "2026-12-01T05:00:00Z".parse().unwrap();
    assert_eq!(verify(&request("easel.example.edu:4567"), now), Ok(()));
    for host in [
        "easel.example.edu",
        "easel.example.edu:443",
        "easel.example.edu:04567",
    ] {
        check_mismatch(&request(host), now);
    }
}

#[test]
fn a_request_is_valid_for_five_minutes_before_and_after_its_time() {
    let (request, at) = signed("/", "", b"{}");
    for seconds in [-300, 0, 300] {
        assert_eq!(
            verify(&request, at + SignedDuration::from_secs(seconds)),
            Ok(())
        );
    }
    let early = verify(&request, at - SignedDuration::from_secs(301)).unwrap_err();
    assert_eq!(
        early.to_string(),
        "Signature not yet current: 20250303T080000Z is still later than 20250303T075959Z \
         (20250303T075459Z + 5 min.)"
    );
    let late = verify(&request, at + SignedDuration::from_secs(301)).unwrap_err();
    assert_eq!(
        late.to_string(),
        "Signature expired: 20250303T080000Z is now earlier than 20250303T080001Z \
         (20250303T080501Z - 5 min.)"
    );
}

#[test]
fn the_date_header_replaces_a_missing_x_amz_date() {
    let mut request = Request::post("/")
        .header("host", "easel.meadow.example")
        .header("date", "Mon, 03 Mar 2025 08:00:00 GMT")
        .body(b"{}".to_vec())
        .unwrap();
    sign(&mut request, "20250303T080000Z");
    assert_eq!(
        verify(&request, "2025-03-03T08:00:00Z".parse().unwrap()),
        Ok(())
    );
}

#[test]
fn the_host_of_an_http2_request_is_in_its_uri() {
    let (mut request, now) = signed("/", "", b"{}");
    *request.uri_mut() = "http://easel.meadow.example:4567/".parse().unwrap();
    request.headers_mut().remove(HOST);
    assert_eq!(verify(&request, now), Ok(()));
}

/// Returns a request as an HTTP/2 client signs it, and the time of its signature.
fn signed_over_authority() -> (Request<Vec<u8>>, Timestamp) {
    let (mut request, now) = signed("/", "", b"{}");
    request.headers_mut().remove(HOST);
    request.headers_mut().remove(AUTHORIZATION);
    *request.uri_mut() = "http://easel.meadow.example:4567/".parse().unwrap();
    sign(&mut request, "20250303T080000Z");
    (request, now)
}

#[test]
fn the_host_may_be_signed_as_authority() {
    let (mut request, now) = signed_over_authority();
    assert_eq!(verify(&request, now), Ok(()));
    *request.uri_mut() = "http://other.example/".parse().unwrap();
    check_mismatch(&request, now);
}

#[test]
fn a_proxy_may_convert_a_signed_authority_to_a_host_header() {
    let (mut request, now) = signed_over_authority();
    *request.uri_mut() = "/".parse().unwrap();
    check_mismatch(&request, now);
    let host = "easel.meadow.example:4567".parse().unwrap();
    request.headers_mut().insert(HOST, host);
    assert_eq!(verify(&request, now), Ok(()));
}

#[test]
fn a_tab_between_the_parts_of_the_authorization_is_white_space() {
    for (part, other) in [
        ("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256\t"),
        (", ", ",\t"),
        (", ", "\t , \t"),
        (", ", ","),
    ] {
        let (mut request, now) = signed("/", "", b"{}");
        let whole = request.headers()[AUTHORIZATION].to_str().unwrap();
        let spaced = whole.replace(part, other);
        request
            .headers_mut()
            .insert(AUTHORIZATION, spaced.parse().unwrap());
        assert_eq!(verify(&request, now), Ok(()), "{spaced}");
        assert_eq!(claimed_key_id(request.headers()), Some(KEY_ID));
    }
}

#[test]
fn spaces_around_and_between_words_of_a_header_do_not_count() {
    let (mut request, now) = signed("/", "two words", b"{}");
    request
        .headers_mut()
        .insert("x-meadow", "  two  \t  words\t".parse().unwrap());
    assert_eq!(verify(&request, now), Ok(()));
}

#[test]
fn a_request_without_a_signature_is_rejected() {
    let (mut request, now) = signed("/", "", b"{}");
    request.headers_mut().remove(AUTHORIZATION);
    assert_eq!(verify(&request, now), Err(SignatureError::Missing));
}

#[test]
fn an_unknown_key_has_another_error_than_a_wrong_signature() {
    let (mut request, now) = signed("/", "", b"{}");
    let authorization = request.headers()[AUTHORIZATION].to_str().unwrap();
    let other = authorization.replace(KEY_ID, "MEADOWKEYFORTESTS002");
    request
        .headers_mut()
        .insert(AUTHORIZATION, other.parse().unwrap());
    assert_eq!(verify(&request, now), Err(SignatureError::UnknownKey));
}

#[test]
fn an_authorization_without_a_required_part_is_incomplete() {
    let (request, now) = signed("/", "", b"{}");
    let whole = request.headers()[AUTHORIZATION]
        .to_str()
        .unwrap()
        .to_owned();
    for (part, other) in [
        ("Credential=", "Cred="),
        ("SignedHeaders=", "Headers="),
        ("Signature=", "Sig="),
        ("/aws4_request", ""),
        ("AWS4-HMAC-SHA256", "Bearer"),
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
    ] {
        let mut request = request.clone();
        let without = whole.replace(part, other);
        request
            .headers_mut()
            .insert(AUTHORIZATION, without.parse().unwrap());
        let error = verify(&request, now).unwrap_err();
        assert!(
            matches!(error, SignatureError::Incomplete { .. }),
            "{part}: {error}"
        );
    }
}

#[test]
fn host_time_and_target_must_be_signed() {
    for name in ["host", "x-amz-date", "x-amz-target"] {
        let (mut request, now) = signed("/", "", b"{}");
        let value = request.headers_mut().remove(name).unwrap();
        sign(&mut request, "20250303T080000Z");
        request
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
        check_mismatch(&request, now);
    }
}

#[test]
fn a_signature_is_for_one_service_and_one_day() {
    let (request, now) = signed("/", "", b"{}");
    let whole = request.headers()[AUTHORIZATION]
        .to_str()
        .unwrap()
        .to_owned();
    for (part, other) in [("/kinesis/", "/sqs/"), ("/20250303/", "/20250304/")] {
        let mut request = request.clone();
        let moved = whole.replace(part, other);
        request
            .headers_mut()
            .insert(AUTHORIZATION, moved.parse().unwrap());
        check_mismatch(&request, now);
    }
}

#[test]
fn a_declared_hash_must_be_the_hash_of_the_body() {
    let (mut request, now) = signed("/", "", b"{}");
    for (declared, wanted) in [
        (format!("{:x}", Sha256::digest(b"{}")), true),
        ("UNSIGNED-PAYLOAD".into(), false),
    ] {
        request.headers_mut().remove(AUTHORIZATION);
        request
            .headers_mut()
            .insert("x-amz-content-sha256", declared.parse().unwrap());
        sign(&mut request, "20250303T080000Z");
        assert_eq!(verify(&request, now).is_ok(), wanted, "{declared}");
    }
}

/// A change to a signed request.
#[derive(Clone, Debug)]
enum Change {
    Body(prop::sample::Index, u8),
    Header(&'static str, char),
    Method,
    Path,
    Query,
    Signature(prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let header = prop::sample::select(vec!["host", "x-amz-target", "x-meadow"]);
    prop_oneof![
        (any::<prop::sample::Index>(), 1..=u8::MAX).prop_map(|(at, bits)| Change::Body(at, bits)),
        (header, prop::char::range('!', '~')).prop_map(|(name, with)| Change::Header(name, with)),
        Just(Change::Method),
        Just(Change::Path),
        Just(Change::Query),
        any::<prop::sample::Index>().prop_map(Change::Signature),
    ]
}

fn apply(change: &Change, request: &mut Request<Vec<u8>>) {
    match change {
        Change::Body(at, bits) => {
            let at = at.index(request.body().len());
            request.body_mut()[at] ^= bits;
        }
        Change::Header(name, with) => {
            let value = request.headers()[*name].to_str().unwrap();
            let value = format!("{value}{with}").parse().unwrap();
            request.headers_mut().insert(*name, value);
        }
        Change::Method => *request.method_mut() = axum::http::Method::PUT,
        Change::Path => *request.uri_mut() = "/other?a=1".parse().unwrap(),
        Change::Query => *request.uri_mut() = "/?a=2".parse().unwrap(),
        Change::Signature(at) => {
            let mut value = request.headers()[AUTHORIZATION].as_bytes().to_vec();
            let at = value.len() - 1 - at.index(64);
            value[at] = if value[at] == b'0' { b'1' } else { b'0' };
            let value = axum::http::HeaderValue::from_bytes(&value).unwrap();
            request.headers_mut().insert(AUTHORIZATION, value);
        }
    }
}

proptest! {
    #[test]
    fn a_signature_verifies_unless_something_signed_changed(
        body in prop::collection::vec(any::<u8>(), 1..200),
        extra in "[!-~]{1,20}",
        change in change(),
    ) {
        let (mut request, now) = signed("/?a=1", &extra, &body);
        prop_assert_eq!(verify(&request, now), Ok(()));
        request.headers_mut().insert("user-agent", "not signed".parse().unwrap());
        prop_assert_eq!(verify(&request, now), Ok(()));

        apply(&change, &mut request);
        prop_assert!(verify(&request, now).is_err());
    }

    #[test]
    fn arbitrary_headers_are_parsed_without_a_panic(
        authorization in prop_oneof![
            any::<Vec<u8>>(),
            "AWS4-HMAC-SHA256 [ -~]{0,80}".prop_map(String::into_bytes),
            "AWS4-HMAC-SHA256 (Credential=[a-z0-9/]{0,30},|Signature=[a-z]*,|SignedHeaders=[a-z;-]*){0,4}"
                .prop_map(String::into_bytes),
        ],
        date in "[ -~]{0,20}|[0-9]{8}T[0-9]{6}Z",
    ) {
        let (mut request, now) = signed("/", "", b"{}");
        if let Ok(value) = axum::http::HeaderValue::from_bytes(&authorization) {
            request.headers_mut().insert(AUTHORIZATION, value);
            request.headers_mut().insert("x-amz-date", date.parse().unwrap());
            prop_assert!(verify(&request, now).is_err());
        }
    }
}
