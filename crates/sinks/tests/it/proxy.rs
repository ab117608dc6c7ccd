//! Tests of the proxy: all connections go through its tunnels.

use std::io::ErrorKind;
use std::process::Command;
use std::sync::{Arc, Mutex};

use easel_keys::SecretUrl;
use easel_sinks::{
    CheckedAddress, ClientError, Endpoint, Guard, SendError, WebhookClient, WebhookOptions,
};
use easel_testkit::Receiver;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::fixtures::{Post, batch, resolving_webhook};
use crate::names::FixedNames;
use crate::tls;

const ESTABLISHED: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

/// A proxy whose tunnels all lead to one receiver.
struct TestProxy {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
    _server: JoinSet<()>,
}

impl TestProxy {
    async fn start(receiver: &Receiver, answer: &'static str) -> Self {
        let target = receiver.address();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::<Mutex<Vec<_>>>::default();
        let own_heads = Arc::clone(&heads);
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut tunnels = JoinSet::new();
            loop {
                let (mut client, _peer) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await.unwrap());
                }
                own_heads
                    .lock()
                    .unwrap()
                    .push(String::from_utf8(head).unwrap());
                client.write_all(answer.as_bytes()).await.unwrap();
                if answer == ESTABLISHED {
                    let mut endpoint = TcpStream::connect(target).await.unwrap();
                    tunnels.spawn(async move {
                        // The test may end before the tunnel.
                        copy_bidirectional(&mut client, &mut endpoint).await.is_ok()
                    });
                }
            }
        });
        Self {
            port,
            heads,
            _server: server,
        }
    }

    /// Returns options with a guard that allows nothing.
    fn options(&self, host: &str) -> WebhookOptions {
        WebhookOptions {
            proxy: Some(SecretUrl::new(format!("http://{host}:{}", self.port))),
            ..WebhookOptions::default()
        }
    }

    /// Returns the heads of the requests to the proxy.
    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn plain_http_goes_through_a_tunnel_to_port_80() {
    let receiver = Receiver::start().await;
    let proxy = TestProxy::start(&receiver, ESTABLISHED).await;
    let names = FixedNames::new(&[]);
    let url = "http://meadow.example/hook?token=s3cret";
    let webhook = resolving_webhook(&proxy.options("127.0.0.1"), &names, url);
    assert_eq!(webhook.post(batch()).await, Ok(()));
    assert_eq!(webhook.post(batch()).await, Ok(()));
    let head = "CONNECT meadow.example:80 HTTP/1.1\r\nHost: meadow.example:80\r\n\r\n";
    assert_eq!(proxy.heads(), [head]);
    let received = receiver.received();
    assert_eq!(received[0].uri, "/hook?token=s3cret");
    assert_eq!(received[0].header("host"), "meadow.example");
    // The proxy resolves the name.
    assert_eq!(names.resolved(), <[&str; 0]>::default());
}

#[tokio::test]
async fn https_goes_through_a_tunnel_and_the_certificate_is_the_endpoints() {
    let (receiver, ca) = tls::receiver(&["h2"], "meadow.example").await;
    let proxy = TestProxy::start(&receiver, ESTABLISHED).await;
    let options = WebhookOptions {
        ca_file: Some(ca.path().to_owned()),
        ..proxy.options("127.0.0.1")
    };
    let send = async |url: &str| {
        let webhook = resolving_webhook(&options, &FixedNames::new(&[]), url);
        webhook.post(batch()).await
    };
    assert_eq!(send("https://meadow.example/hook").await, Ok(()));
    assert_eq!(send("https://meadow.example:8443/hook").await, Ok(()));
    let error = send("https://other.example/hook").await.unwrap_err();
    assert!(error.to_string().contains("not valid for name"), "{error}");
    let heads = proxy.heads();
    assert!(heads[0].starts_with("CONNECT meadow.example:443 HTTP/1.1\r\n"));
    assert!(heads[1].starts_with("CONNECT meadow.example:8443 HTTP/1.1\r\n"));
}

#[tokio::test]
async fn the_user_name_and_password_go_to_the_proxy_only() {
    let receiver = Receiver::start().await;
    let proxy = TestProxy::start(&receiver, ESTABLISHED).await;
    let options = proxy.options("Aladdin:open%20sesame@127.0.0.1");
    let webhook = resolving_webhook(&options, &FixedNames::new(&[]), "http://meadow.example/");
    assert_eq!(webhook.post(batch()).await, Ok(()));
    let header = "\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n";
    assert!(proxy.heads()[0].contains(header));
    let headers = &receiver.received()[0].headers;
    assert_eq!(headers.get("proxy-authorization"), None);
    let shown = format!("{options:?}");
    assert!(!shown.contains("sesame"), "{shown}");
}

#[tokio::test]
async fn the_name_of_the_proxy_is_resolved_and_its_address_is_not_checked() {
    let receiver = Receiver::start().await;
    let proxy = TestProxy::start(&receiver, ESTABLISHED).await;
    let names = FixedNames::new(&[&["127.0.0.1"]]);
    let options = proxy.options("proxy.example");
    let webhook = resolving_webhook(&options, &names, "http://meadow.example/");
    assert_eq!(webhook.post(batch()).await, Ok(()));
    assert_eq!(names.resolved(), ["proxy.example"]);
}

#[tokio::test]
async fn a_forbidden_address_or_name_does_not_reach_the_proxy() {
    let receiver = Receiver::start().await;
    let proxy = TestProxy::start(&receiver, ESTABLISHED).await;
    let options = proxy.options("127.0.0.1");
    for host in [
        "127.0.0.1",
        "0x7f.1",
        "10.0.0.1",
        "169.254.169.254",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "localhost",
        "shop.localhost",
        "metadata.google.internal",
    ] {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}/");
            let webhook = resolving_webhook(&options, &FixedNames::new(&[]), &url);
            let error = webhook.post(batch()).await.unwrap_err();
            assert!(
                error.to_string().contains(" is refused: it "),
                "{url}: {error}"
            );
        }
    }
    assert_eq!(proxy.heads(), <[&str; 0]>::default());
}

#[tokio::test]
async fn a_reporting_guard_lets_a_forbidden_address_through_the_proxy() {
    let receiver = Receiver::start().await;
    let proxy = TestProxy::start(&receiver, ESTABLISHED).await;
    let options = WebhookOptions {
        guard: Guard::default().report_only(),
        ..proxy.options("127.0.0.1")
    };
    for (url, head) in [
        ("http://10.0.0.1/", "CONNECT 10.0.0.1:80 "),
        ("http://[fd00::1]:8080/", "CONNECT [fd00::1]:8080 "),
    ] {
        let webhook = resolving_webhook(&options, &FixedNames::new(&[]), url);
        assert_eq!(webhook.post(batch()).await, Ok(()), "{url}");
        let heads = proxy.heads();
        assert!(heads.last().unwrap().starts_with(head), "{heads:?}");
    }
}

#[tokio::test]
async fn names_are_not_resolved_before_an_endpoint_is_saved() {
    let receiver = Receiver::start().await;
    let proxy = TestProxy::start(&receiver, ESTABLISHED).await;
    let names = FixedNames::new(&[&["10.0.0.1"]]);
    let options = proxy.options("127.0.0.1");
    let now = Arc::new(jiff::Timestamp::now);
    let client =
        WebhookClient::with_resolver(&options, Arc::<FixedNames>::clone(&names), now).unwrap();
    let check = async |url| client.check(&Endpoint::parse(url).unwrap()).await.ok();
    let allowed = check("https://meadow.example/hook").await;
    assert_eq!(allowed, Some(CheckedAddress::Allowed));
    assert_eq!(check("https://10.0.0.1/hook").await, None);
    assert_eq!(check("https://localhost/hook").await, None);
    assert_eq!(names.resolved(), <[&str; 0]>::default());
}

#[tokio::test]
async fn a_refusal_of_the_proxy_is_a_failed_connection_that_names_the_proxy() {
    let receiver = Receiver::start().await;
    for (answer, wanted) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "tunnel error: proxy authorization required",
        ),
        (
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            "tunnel error: unsuccessful",
        ),
    ] {
        let proxy = TestProxy::start(&receiver, answer).await;
        let options = proxy.options("ida:s3cret@127.0.0.1");
        let webhook = resolving_webhook(&options, &FixedNames::new(&[]), "http://meadow.example/");
        let reason = format!(
            "client error (Connect): connect through the proxy 127.0.0.1:{}: {wanted}",
            proxy.port
        );
        let error = SendError::Unconnected { reason };
        assert_eq!(webhook.post(batch()).await, Err(error));
    }
    assert_eq!(receiver.count(), 0);
}

#[test]
fn the_url_of_the_proxy_is_validated_before_the_first_connection() {
    let options = WebhookOptions {
        proxy: Some(SecretUrl::new("https://ida:s3cret@proxy.example")),
        ..WebhookOptions::default()
    };
    let error = WebhookClient::new(&options, Arc::new(jiff::Timestamp::now)).unwrap_err();
    let ClientError::Proxy(source) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(error.to_string(), "parse the setting webhook.proxy");
    assert!(source.to_string().starts_with("the scheme must be http"));
}

/// A process cannot safely change its own environment, so this test runs another test in a process with
/// proxies in its environment.
#[test]
fn proxies_of_the_environment_are_ignored() {
    let trap = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let url = format!("http://{}", trap.local_addr().unwrap());
    let variables = [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ];
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "connections::webhooks_of_one_client_share_connections",
        ])
        .envs(variables.map(|variable| (variable, &url)))
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{stdout}"
    );
    assert_eq!(trap.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}
