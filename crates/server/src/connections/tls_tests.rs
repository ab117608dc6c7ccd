//! Tests of connections with TLS: handshakes that hang or fail, and what is answered after a handshake.

use std::sync::Arc;

use easel_testkit::{Authority, Issued};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::tests::{SHORT, Served, TEST_TIMEOUT, rest};
use super::*;
use crate::tls_config::{ClientCertificates, TlsConfig};
use crate::tls_identity::TlsIdentity;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

const REQUEST: &str = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

/// Returns the TLS of a server with this certificate. Clients need a certificate of `client_ca`, if there is one.
fn tls_of(issued: &Issued, client_ca: Option<(&Authority, ClientCertificates)>) -> Tls {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let config = TlsConfig {
        cert: write("cert.pem", &issued.cert),
        key: write("key.pem", &issued.key),
        client_ca: client_ca.and_then(|(authority, _)| write("ca.pem", &authority.pem())),
        client_certificates: client_ca.map_or(ClientCertificates::Required, |(_, mode)| mode),
        ..TlsConfig::default()
    };
    let identity = TlsIdentity::read(&config).unwrap().unwrap();
    Tls::new(config, identity)
}

async fn connect(served: &Served, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(served.address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    timeout(TEST_TIMEOUT, connecting).await.unwrap()
}

/// Sends `bytes`, and reads the answer until the server closes. A server that refuses the certificate of the
/// client in TLS 1.3 says so only after the client's handshake.
async fn ask(served: &Served, config: ClientConfig, bytes: &[u8]) -> std::io::Result<String> {
    let mut stream = connect(served, config).await?;
    stream.write_all(bytes).await?;
    let mut answer = Vec::new();
    timeout(TEST_TIMEOUT, stream.read_to_end(&mut answer))
        .await
        .unwrap()?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn hundreds_of_hanging_and_garbage_handshakes_disturb_nobody() {
    let authority = Authority::new();
    let tls = tls_of(&authority.server(), None);
    let served = Served::start_with(TEST_TIMEOUT, Some(tls)).await;
    let mut hanging = Vec::new();
    for number in 0..300 {
        // Nothing, a part of a handshake, a handshake with garbage in it, and bytes that are no TLS.
        let sent: &[u8] = match number % 4 {
            0 => b"",
            1 => b"\x16\x03\x01",
            2 => b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\xff",
            _ => b"\x80\x2e\x01\x00\x02 an old handshake",
        };
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        hanging.push(stream);
        if number % 10 == 0 {
            let answer = ask(&served, authority.trust(None), REQUEST.as_bytes())
                .await
                .unwrap();
            assert!(answer.ends_with("here"), "{answer}");
        }
    }
    let answer = ask(&served, authority.trust(None), REQUEST.as_bytes())
        .await
        .unwrap();
    assert!(answer.ends_with("here"), "{answer}");
    drop(hanging);
    served.stop().await;
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_ended() {
    let authority = Authority::new();
    let served = Served::start_with(SHORT, Some(tls_of(&authority.server(), None))).await;
    for sent in ["", "\x16", "\x16\x03\x01\x02\x00"] {
        assert_eq!(rest(served.connect(sent).await).await, "");
    }
    served.stop().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_handshakes() {
    let authority = Authority::new();
    let tls = tls_of(&authority.server(), None);
    let served = Served::start_with(2 * TEST_TIMEOUT, Some(tls)).await;
    let hanging = served.connect("\x16\x03\x01").await;
    served.stop().await;
    drop(hanging);
}

#[tokio::test]
async fn http_without_tls_is_told_to_use_tls() {
    let authority = Authority::new();
    let tls = tls_of(&authority.server(), None);
    let served = Served::start_with(TEST_TIMEOUT, Some(tls)).await;
    let sent = "POST /refused HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nsmall";
    let answer = rest(served.connect(sent).await).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(
        answer.contains("urn:easel:problem:tls_required"),
        "{answer}"
    );
    assert!(!answer.contains("strict-transport-security"), "{answer}");
    served.stop().await;
}

#[tokio::test]
async fn answers_over_tls_have_hsts_and_go_out_over_the_negotiated_protocol() {
    let authority = Authority::new();
    let tls = tls_of(&authority.server(), None);
    let served = Served::start_with(TEST_TIMEOUT, Some(tls)).await;
    for (offered, wanted) in [
        (vec![], None),
        (vec!["http/1.1"], Some("http/1.1")),
        (vec!["h2", "http/1.1"], Some("h2")),
    ] {
        let mut config = authority.trust(None);
        config.alpn_protocols = offered
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        let stream = connect(&served, config.clone()).await.unwrap();
        let protocol = stream.get_ref().1.alpn_protocol();
        assert_eq!(protocol, wanted.map(str::as_bytes));
        drop(stream);
        if wanted != Some("h2") {
            let answer = ask(&served, config, REQUEST.as_bytes()).await.unwrap();
            let header = "strict-transport-security: max-age=31536000\r\n";
            assert!(answer.contains(header), "{answer}");
            assert!(answer.ends_with("here"), "{answer}");
        }
    }
    served.stop().await;
}

#[tokio::test]
async fn a_client_that_sends_a_large_body_over_tls_can_read_an_early_answer() {
    let authority = Authority::new();
    let tls = tls_of(&authority.server(), None);
    let served = Served::start_with(TEST_TIMEOUT, Some(tls)).await;
    let body = vec![b'x'; 8 * 1024 * 1024];
    let head = format!(
        "POST /refused HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let sent = [head.as_bytes(), &body].concat();
    let answer = ask(&served, authority.trust(None), &sent).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    served.stop().await;
}

#[tokio::test]
async fn a_client_certificate_is_required_or_optional_and_always_valid() {
    let (authority, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    for (mode, is_optional) in [
        (ClientCertificates::Required, false),
        (ClientCertificates::Optional, true),
    ] {
        let tls = tls_of(&authority.server(), Some((&clients, mode)));
        let served = Served::start_with(TEST_TIMEOUT, Some(tls)).await;
        let answered = async |own: Option<&Issued>| {
            let answer = ask(&served, authority.trust(own), REQUEST.as_bytes()).await;
            answer.is_ok_and(|answer| answer.ends_with("here"))
        };
        assert!(answered(Some(&clients.client())).await);
        assert!(!answered(Some(&strangers.client())).await);
        assert_eq!(answered(None).await, is_optional);
        served.stop().await;
    }
}
