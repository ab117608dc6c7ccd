//! Log lines and metrics of refused requests.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::ConnectInfo;
use axum::http::Request;
use futures::FutureExt;
use metrics_exporter_prometheus::PrometheusBuilder;
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::{Authorizer, Scope, Scopes, Tokens};

/// The log lines of one test.
#[derive(Clone, Debug, Default)]
struct LogLines(Arc<Mutex<Vec<u8>>>);

impl io::Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogLines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl LogLines {
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

/// Captures the log of this thread until the guard is dropped.
fn capture_log() -> (LogLines, tracing::subscriber::DefaultGuard) {
    let log = LogLines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false)
        .without_time()
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    (log, guard)
}

fn request(from: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::get("/v1/subscriptions?secret=query");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let from = SocketAddr::new(from.parse().unwrap(), 50_000);
    let request = request.extension(ConnectInfo(from)).body(());
    request.unwrap().into_parts().0
}

fn refused(reason: Reason) -> RefusedRequest<'static> {
    RefusedRequest {
        reason,
        token_id: None,
        access_key_id: Some("CANVAS"),
        target: "DescribeStream",
        detail: "no",
    }
}

#[test]
fn a_refused_token_is_logged_with_its_address_and_reason_and_without_the_token() {
    let (log, _guard) = capture_log();
    let folder = tempfile::tempdir().unwrap();
    let tokens = Tokens::open(&folder.path().join("access.db")).unwrap();
    let scopes: Scopes = [Scope::Ingest].into_iter().collect();
    let (token, secret) = tokens
        .create("test", scopes, jiff::Timestamp::UNIX_EPOCH)
        .unwrap();
    let authorizer = Authorizer::new(Arc::new(tokens));
    let known = format!("Bearer {}", secret.expose());
    for authorization in ["Bearer made-up-token", &known] {
        let head = request("192.0.2.7", &[("authorization", authorization)]);
        assert!(
            authorizer
                .authorize(&head, Scope::Read)
                .now_or_never()
                .unwrap()
                .is_err()
        );
    }
    let head = request("::ffff:192.0.2.8", &[]);
    assert!(
        authorizer
            .authorize(&head, Scope::Read)
            .now_or_never()
            .unwrap()
            .is_err()
    );

    let lines = log.lines();
    let wanted = [
        vec!["token_unknown", "from=192.0.2.7 "],
        vec!["scope_missing", "from=192.0.2.7 ", &token.id, "read"],
        vec!["token_missing", "from=192.0.2.8 "],
    ];
    assert_eq!(lines.len(), wanted.len(), "{lines:#?}");
    for (line, parts) in lines.iter().zip(&wanted) {
        for part in parts
            .iter()
            .chain(&["WARN", "request refused", "/v1/subscriptions"])
        {
            assert!(line.contains(*part), "{part} is not in {line}");
        }
        for secret in ["made-up-token", secret.expose(), "secret=query"] {
            assert!(!line.contains(secret), "{line}");
        }
    }
}

#[test]
fn the_forwarded_address_is_logged_beside_the_address_of_the_proxy() {
    let (log, _guard) = capture_log();
    let refusals = Refusals::new();
    let forwarded = [("x-forwarded-for", "203.0.113.1, 198.51.100.2")];
    refusals.note(
        &request("127.0.0.1", &forwarded),
        refused(Reason::KeyUnknown),
    );
    let invalid = [("x-forwarded-for", "a header's value")];
    refusals.note(&request("127.0.0.1", &invalid), refused(Reason::KeyUnknown));
    let lines = log.lines();
    assert!(
        lines[0].contains("from=127.0.0.1 forwarded_for=198.51.100.2 "),
        "{lines:#?}"
    );
    assert!(!lines[1].contains("forwarded_for"), "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_refusals_is_counted_and_hides_no_other_address() {
    let (log, _guard) = capture_log();
    let refusals = Refusals::new();
    for _ in 0..1_000 {
        refusals.note(
            &request("192.0.2.7", &[]),
            refused(Reason::SignatureMismatch),
        );
    }
    refusals.note(
        &request("192.0.2.8", &[]),
        refused(Reason::SignatureMismatch),
    );
    let mut lines = log.lines();
    assert_eq!(lines.len(), 6, "{lines:#?}");
    assert!(lines[5].contains("from=192.0.2.8"), "{lines:#?}");

    for host in 0..=255 {
        let head = request(&format!("198.51.100.{host}"), &[]);
        refusals.note(&head, refused(Reason::SignatureMismatch));
        refusals.note(&head, refused(Reason::TokenUnknown));
    }
    assert_eq!(log.lines().len(), 40);
    refusals.report_left_out();
    assert_eq!(log.lines().len(), 40, "the window is not over");

    tokio::time::advance(WINDOW).await;
    refusals.report_left_out();
    refusals.report_left_out();
    refusals.note(
        &request("192.0.2.7", &[]),
        refused(Reason::SignatureMismatch),
    );
    lines = log.lines();
    assert_eq!(lines.len(), 42, "{lines:#?}");
    assert!(lines[40].contains("left_out=1473"), "{}", lines[40]);
    assert!(lines[41].contains("request refused"), "{}", lines[41]);
}

#[test]
fn a_long_text_from_a_request_is_truncated() {
    let (log, _guard) = capture_log();
    let long = "é".repeat(10_000);
    let refused = RefusedRequest {
        access_key_id: Some(&long),
        target: &long,
        detail: &long,
        ..refused(Reason::KeyUnknown)
    };
    Refusals::new().note(&request("192.0.2.7", &[]), refused);
    let lines = log.lines();
    assert!(lines[0].chars().count() < 1_200, "{lines:?}");
}

#[test]
fn every_reason_starts_at_0_in_the_metrics() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let refusals = Refusals::new();
    refusals.note(&request("192.0.2.7", &[]), refused(Reason::KeyUnknown));
    let shown = recorder.handle().render();
    for reason in Reason::ALL {
        let count = u8::from(reason == Reason::KeyUnknown);
        let reason = reason.as_str();
        let line = format!("easel_refused_requests_total{{reason=\"{reason}\"}} {count}");
        assert!(
            shown.lines().any(|shown| shown == line),
            "{line} is not in:\n{shown}"
        );
    }
}
