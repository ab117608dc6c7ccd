//! A server with TLS: its listeners, and the reload of its certificate.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use easel_server::{CanvasServiceConfig, Config, LocalServer, Reloader, Server, TlsConfig};
use easel_testkit::{Authority, Issued};
use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};

use crate::test_server::{TestServer, config};

fn write(folder: &Path, issued: &Issued) {
    fs::write(folder.join("cert.pem"), &issued.cert).unwrap();
    fs::write(folder.join("key.pem"), &issued.key).unwrap();
}

/// Returns settings with TLS. The files are in `folder`.
fn tls_config(folder: &Path) -> Config {
    Config {
        tls: TlsConfig {
            cert: Some(folder.join("cert.pem")),
            key: Some(folder.join("key.pem")),
            ..TlsConfig::default()
        },
        ..config(&folder.join("data"))
    }
}

async fn open(config: Config) -> (TestServer, Reloader) {
    let server = Server::start(config).await.unwrap();
    let reloader = server.reloader();
    (TestServer::from_server(server), reloader)
}

/// Sends a request to the address over TLS. Returns the certificate of the server and the answer.
async fn get(
    address: std::net::SocketAddr,
    authority: &Authority,
    path: &str,
) -> (CertificateDer<'static>, String) {
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(authority.trust(None)));
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, stream).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let certificates = stream.get_ref().1.peer_certificates().unwrap();
    (certificates[0].clone().into_owned(), answer)
}

fn is_certificate(found: &CertificateDer<'_>, issued: &Issued) -> bool {
    *found == CertificateDer::from_pem_slice(issued.cert.as_bytes()).unwrap()
}

#[tokio::test]
async fn commands_of_this_machine_have_a_listener_of_their_own_without_tls() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    write(folder.path(), &authority.server());
    let config = tls_config(folder.path());
    let (server, _reloader) = open(config.clone()).await;
    let local = LocalServer::read(&config.data).unwrap();
    assert!(local.address.ip().is_loopback());
    assert_ne!(local.address, server.address);
    let commands = TestServer::other_address(local.address);
    let status = commands.get("/v1/status").await;
    assert!(status.contains(&local.address.to_string()), "{status}");
    let (_, answer) = get(server.address, &authority, "/v1/status").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        answer.contains("strict-transport-security: max-age=31536000"),
        "{answer}"
    );
    let (status, body) = server
        .send(server.request("GET", "/v1/status"), Bytes::new())
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body:?}");
    let page = commands.get("/metrics").await;
    for line in [
        "easel_tls_handshakes_total{outcome=\"done\"} 1",
        "easel_tls_handshakes_total{outcome=\"plain_http\"} 1",
        "easel_tls_handshakes_total{outcome=\"failed\"} 0",
        "easel_tls_files_failing 0",
    ] {
        assert!(
            page.lines().any(|found| found == line),
            "{line} is not in\n{page}"
        );
    }
    server.close().await;
}

#[tokio::test]
async fn the_listener_of_canvas_has_the_same_tls() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    write(folder.path(), &authority.server());
    let secret = |text: &str| Some(easel_keys::Secret::new(text.to_owned()));
    let with_canvas = Config {
        canvas_service: CanvasServiceConfig {
            encryption_secret: secret("0123456789abcdef0123456789abcdef"),
            signing_secret: secret("fedcba9876543210fedcba9876543210"),
            listen: Some("127.0.0.1:0".parse().unwrap()),
            ..CanvasServiceConfig::default()
        },
        ..tls_config(folder.path())
    };
    let server = Server::start(with_canvas).await.unwrap();
    let (address, _path) = server.app_host().unwrap();
    let server = TestServer::from_server(server);
    let (_, answer) = get(address, &authority, "/").await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    server.close().await;
}

#[tokio::test]
async fn a_reload_uses_a_new_certificate_and_rejects_a_broken_one() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (old, new) = (authority.server(), authority.server());
    write(folder.path(), &old);
    let config = tls_config(folder.path());
    let (server, reloader) = open(config.clone()).await;
    assert!(is_certificate(
        &get(server.address, &authority, "/healthz").await.0,
        &old
    ));
    let reload = async |config: Config| reloader.reload(config.prepare().unwrap()).await.unwrap();
    assert!(!reload(config.clone()).await.changed);

    // Other paths work too.
    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    write(&other, &new);
    let moved = Config {
        tls: tls_config(&other).tls,
        ..config.clone()
    };
    assert!(reload(moved.clone()).await.changed);
    assert!(is_certificate(
        &get(server.address, &authority, "/healthz").await.0,
        &new
    ));

    fs::write(other.join("key.pem"), &old.key).unwrap();
    let faults = moved.prepare().unwrap_err().to_string();
    assert!(faults.starts_with("tls.key: "), "{faults}");
    assert!(is_certificate(
        &get(server.address, &authority, "/healthz").await.0,
        &new
    ));
    server.close().await;
}

#[tokio::test]
async fn a_server_without_a_usable_certificate_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let error = Server::start(tls_config(folder.path())).await.unwrap_err();
    assert!(error.to_string().starts_with("tls.cert: "), "{error}");
    assert!(!folder.path().join("data").exists());
}
