//! A server with TLS, seen from outside: a certificate that changes under load, curl, the command itself, and
//! the certificates of clients.

use std::fs;
use std::iter::repeat_n;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use easel_testkit::{Authority, Issued, event, report_missing};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use crate::caller::Caller;
use crate::easel::{Ran, command, easel};
use crate::tls_server::TlsServer;

/// Longer than any step takes, so that a hanging test fails with a message.
const TIMEOUT: Duration = Duration::from_mins(1);
/// The connections that stay open during the changes.
const OPEN_CONNECTIONS: usize = 64;
/// The tasks that open a connection for each request.
const OPENING_TASKS: usize = 4;
/// The number of changes of the certificate.
const CHANGES: usize = 4;

type HttpsClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Returns a client with one connection, or without a pool.
fn client(authority: &Authority, idle_connections: usize) -> HttpsClient {
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(authority.trust(None))
        .https_only()
        .enable_http1()
        .build();
    Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(idle_connections)
        .build(connector)
}

/// Sends events until the stop. Returns the number of accepted events.
async fn keep_sending(
    client: HttpsClient,
    url: String,
    token: String,
    numbers: Arc<AtomicU64>,
    stop: CancellationToken,
) -> u64 {
    let mut sent = 0;
    while !stop.is_cancelled() {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let request = Request::post(format!("{url}/v1/events"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Full::new(event("course_created", number)))
            .unwrap();
        let answer = timeout(TIMEOUT, client.request(request)).await;
        let answer = answer
            .expect("an answer in time")
            .expect("no request fails");
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        answer.into_body().collect().await.unwrap();
        sent += 1;
    }
    sent
}

/// Returns the certificate that a new connection gets.
async fn shown_certificate(server: &TlsServer) -> CertificateDer<'static> {
    let port = server
        .address()
        .rsplit_once(':')
        .unwrap()
        .1
        .parse()
        .unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(server.authority.trust(None)));
    let name = ServerName::try_from("localhost").unwrap();
    let stream = connector.connect(name, stream).await.unwrap();
    let certificates = stream.get_ref().1.peer_certificates().unwrap();
    certificates[0].clone().into_owned()
}

/// Waits until new connections get this certificate.
async fn wait_for_certificate(server: &TlsServer, issued: &Issued) {
    let wanted = CertificateDer::from_pem_slice(issued.cert.as_bytes()).unwrap();
    let waiting = async {
        let mut polls = interval(Duration::from_millis(100));
        while shown_certificate(server).await != wanted {
            polls.tick().await;
        }
    };
    timeout(TIMEOUT, waiting)
        .await
        .expect("the new certificate is used");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_changes_under_load_fails_no_request() {
    let server = TlsServer::start("");
    let token = server
        .running
        .local()
        .token
        .clone()
        .unwrap()
        .expose()
        .clone();
    let (numbers, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
    let mut senders = JoinSet::new();
    for idle in repeat_n(1, OPEN_CONNECTIONS).chain(repeat_n(0, OPENING_TASKS)) {
        let client = client(&server.authority, idle);
        senders.spawn(keep_sending(
            client,
            server.url(),
            token.clone(),
            Arc::clone(&numbers),
            stop.clone(),
        ));
    }
    for change in 0..CHANGES {
        let issued = server.authority.server();
        server.replace(&issued);
        // The server finds a change by itself; SIGHUP is only faster.
        if change % 2 == 1 {
            server.running.hang_up();
        }
        wait_for_certificate(&server, &issued).await;
    }
    stop.cancel();
    let mut sent = 0;
    while let Some(ended) = senders.join_next().await {
        sent += ended.expect("no request fails");
    }
    let status: Value = Caller::new(&server.running).read("/v1/status").await;
    assert_eq!(status["log"]["events"], sent);
    let tasks = u64::try_from(OPEN_CONNECTIONS + OPENING_TASKS).unwrap();
    assert!(sent > 10 * tasks, "{sent} requests of {tasks} tasks");
    eprintln!("{sent} requests during {CHANGES} changes of the certificate, none failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_certificate_keeps_the_old_one_and_needs_attention() {
    let mut server = TlsServer::start("");
    let first = shown_certificate(&server).await;
    let broken = Issued {
        cert: server.authority.server().cert,
        key: "hush-hush".to_owned(),
    };
    server.replace(&broken);
    server.running.wait_for("new certificate not used");
    assert!(!server.running.stderr().contains("hush-hush"));
    assert_eq!(shown_certificate(&server).await, first);
    let status = server.running.easel(&["status"]);
    assert_eq!(status.code, Some(1), "{status}");
    assert!(
        status
            .stdout
            .contains("the old certificate stays in use: tls.key: "),
        "{status}"
    );
    // SIGHUP reports all faults of the settings, and changes nothing.
    server.running.hang_up();
    server
        .running
        .wait_for("settings not re-read; nothing changed");

    let next = server.authority.server();
    server.replace(&next);
    wait_for_certificate(&server, &next).await;
    assert_eq!(server.running.easel(&["status"]).code, Some(0));
}

/// Runs curl with the private authority. Returns `None` if curl is missing.
fn curl(server: &TlsServer, args: &[&str]) -> Option<Ran> {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--include", "--cacert"])
        .arg(server.ca_file())
        .args(args)
        .env_clear()
        .output();
    let output = output.inspect_err(|_missing| report_missing("curl")).ok()?;
    Some(Ran::new(&output))
}

#[test]
fn curl_sends_events_over_tls_with_http_1_and_http_2() {
    let server = TlsServer::start("");
    let token = server.running.local().token.clone().unwrap();
    let bearer = format!("Authorization: Bearer {}", token.expose());
    let url = format!("{}/v1/events", server.url());
    for (number, (option, version)) in [
        ("--http1.1", "HTTP/1.1 202"),
        ("--http2", "HTTP/2 202"),
        ("--tlsv1.3", "HTTP/2 202"),
        ("--tls-max=1.2", "HTTP/2 202"),
    ]
    .into_iter()
    .enumerate()
    {
        let event = event("course_created", u64::try_from(number).unwrap());
        let event = String::from_utf8(event.to_vec()).unwrap();
        let json = "content-type: application/json";
        // curl has the value of this option in a word of its own.
        let options: Vec<_> = option.split('=').collect();
        let args = ["-H", &bearer, "-H", json, "-d", &event, &url];
        let Some(ran) = curl(&server, &[options.as_slice(), &args].concat()) else {
            return;
        };
        let answer = ran.stdout();
        assert!(answer.starts_with(version), "{answer}");
        assert!(
            answer.contains("strict-transport-security: max-age=31536000"),
            "{answer}"
        );
        assert!(answer.contains("\"rejected\":0"), "{answer}");
    }
    let old = curl(&server, &["--tls-max", "1.1", &url]).unwrap();
    assert_ne!(old.code, Some(0), "{old}");
}

#[test]
fn the_command_reaches_a_server_with_a_private_authority() {
    let server = TlsServer::start("");
    let token = server.running.local().token.clone().unwrap();
    let url = server.url();
    let elsewhere = tempfile::tempdir().unwrap();
    let remote = ["--url", &url, "--token", token.expose().as_str()];
    let ca_file = server.ca_file();
    let trusted = ["--ca-file", ca_file.to_str().unwrap()];

    let unknown = easel(
        elsewhere.path(),
        &[&["tokens", "list"], &remote[..]].concat(),
    );
    assert_eq!(unknown.code, Some(69), "{unknown}");
    assert!(unknown.stderr.contains("UnknownIssuer"), "{unknown}");
    assert!(unknown.stderr.contains("--ca-file"), "{unknown}");

    let args = [&["tokens", "list"], &remote[..], &trusted].concat();
    let listed = easel(elsewhere.path(), &args);
    assert!(listed.stdout().contains("first"));
    let mut command = command(elsewhere.path(), &["tokens", "list"]);
    command
        .env("EASEL_URL", &url)
        .env("EASEL_TOKEN", token.expose())
        .env("EASEL_CA_FILE", &ca_file);
    let listed = Ran::new(&command.output().unwrap());
    assert!(listed.stdout().contains("first"));

    let plain = url.replace("https", "http");
    let plain = easel(elsewhere.path(), &["tokens", "list", "--url", &plain]);
    assert!(plain.stderr.contains("tls_required"), "{plain}");
    let missing = [
        &["tokens", "list"],
        &remote[..],
        &["--ca-file", "missing.pem"],
    ]
    .concat();
    let missing = easel(elsewhere.path(), &missing);
    assert_eq!(missing.code, Some(78), "{missing}");
    // Commands of the same machine need nothing of this.
    assert!(
        server
            .running
            .easel(&["tokens", "list"])
            .stdout()
            .contains("first")
    );
}

#[test]
fn a_server_can_require_client_certificates() {
    let clients = Authority::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let client_ca = elsewhere.path().join("clients.pem");
    fs::write(&client_ca, clients.pem()).unwrap();
    let server = TlsServer::start(&format!("tls.client_ca = {client_ca:?}\n"));
    let token = server.running.local().token.clone().unwrap();
    let (url, ca_file) = (server.url(), server.ca_file());
    let run = |identity: Option<&Issued>| {
        let mut command = command(elsewhere.path(), &["tokens", "list"]);
        command
            .env("EASEL_URL", &url)
            .env("EASEL_TOKEN", token.expose())
            .env("EASEL_CA_FILE", &ca_file);
        if let Some(Issued { cert, key }) = identity {
            let path = elsewhere.path().join("identity.pem");
            fs::write(&path, format!("{cert}{key}")).unwrap();
            command.arg("--identity").arg(path);
        }
        Ran::new(&command.output().unwrap())
    };
    assert!(run(Some(&clients.client())).stdout().contains("first"));
    let none = run(None);
    assert_eq!(none.code, Some(69), "{none}");
    assert!(none.stderr.contains("--identity"), "{none}");
    let strange = run(Some(&Authority::new().client()));
    assert_eq!(strange.code, Some(69), "{strange}");
    // Commands of the same machine use the listener without TLS.
    assert!(
        server
            .running
            .easel(&["tokens", "list"])
            .stdout()
            .contains("first")
    );
}

#[test]
fn config_check_names_the_setting_of_a_file_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (one, other) = (authority.server(), authority.server());
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let check = || easel(folder.path(), &["config", "check"]);
    write(
        "easel.toml",
        "[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n",
    );
    write("cert.pem", &one.cert);
    write("key.pem", &other.key);
    let ran = check();
    assert_eq!(ran.code, Some(78), "{ran}");
    let fault = "easel.toml:3:7: tls.key: key.pem does not belong to the certificate in cert.pem";
    assert!(ran.stderr.contains(fault), "{ran}");

    write("easel.toml", "[tls]\nkey = \"key.pem\"\n");
    let ran = check();
    assert!(
        ran.stderr
            .contains("easel.toml:2:7: tls.cert: must be set, because tls.key is set"),
        "{ran}"
    );

    let expired = authority.issue(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    write(
        "easel.toml",
        "[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\nhsts = \"0s\"\n",
    );
    write("cert.pem", &expired.cert);
    write("key.pem", &expired.key);
    let ran = check();
    assert_eq!(ran.code, Some(0), "{ran}");
    let warning = "warning: tls.cert: a certificate in cert.pem expired at 2020-01-01T00:00:00Z";
    assert!(ran.stderr.contains(warning), "{ran}");
    assert!(
        ran.stderr
            .contains("warning: tls.key: every user of this machine can read key.pem"),
        "{ran}"
    );
}
