//! Tests which connections are closed, and when. They use real sockets and short time limits.

use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::*;

pub(super) const SHORT: Duration = Duration::from_millis(100);

/// Longer than any step of these tests takes.
pub(super) const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// A running server of connections.
pub(super) struct Served {
    pub(super) address: std::net::SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Served {
    async fn start(head_timeout: Duration) -> Self {
        Self::start_with(head_timeout, None).await
    }

    pub(super) async fn start_with(head_timeout: Duration, tls: Option<Tls>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let slow = get(async || {
            sleep(3 * SHORT).await;
            "done"
        });
        let app = Router::new()
            .route("/", get(async || "here"))
            .route("/refused", post(async || (StatusCode::FORBIDDEN, "no")))
            .route("/slow", slow)
            .route(
                "/peer",
                get(async |peer: ConnectInfo<SocketAddr>| peer.0.to_string()),
            );
        let limits = TimeLimits {
            handshake: head_timeout,
            head: head_timeout,
        };
        let connections = Connections {
            limits,
            ..Connections::new(listener, app).with_tls(tls)
        };
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        tasks.spawn(connections.serve(stop.clone()));
        Self {
            address,
            stop,
            tasks,
        }
    }

    /// Opens a connection and sends `bytes`.
    pub(super) async fn connect(&self, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream
    }

    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        let ended = timeout(TEST_TIMEOUT, self.tasks.join_next()).await;
        ended.expect("the server stops").unwrap().unwrap();
    }
}

/// Reads all bytes until the other side closes.
pub(super) async fn rest(mut stream: TcpStream) -> String {
    let mut rest = Vec::new();
    let read = timeout(TEST_TIMEOUT, stream.read_to_end(&mut rest)).await;
    read.expect("the connection is closed").unwrap();
    // HTTP/2 begins with bytes that are not text.
    String::from_utf8_lossy(&rest).into_owned()
}

#[tokio::test]
async fn a_client_that_sends_no_complete_head_is_disconnected() {
    let served = Served::start(SHORT).await;
    let whole = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    for sent in [
        "",
        "P",
        "GET / HTTP/1.1\r\nhost:",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        rest(served.connect(sent).await).await;
    }
    let answered = rest(served.connect(&format!("{whole}GET / HT")).await).await;
    assert!(answered.contains("here"), "{answered}");
    served.stop().await;
}

#[tokio::test]
async fn a_request_without_exactly_one_host_is_refused_and_its_connection_closed() {
    let served = Served::start(TEST_TIMEOUT).await;
    for (hosts, code) in [
        ("", "host_missing"),
        ("Host: a\r\nHost: a\r\n", "host_repeated"),
        ("Host: a b\r\n", "host_malformed"),
    ] {
        // Only the first request is answered: after a refusal the connection is closed.
        let sent = format!("GET / HTTP/1.1\r\n{hosts}\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let answered = rest(served.connect(&sent).await).await;
        assert!(answered.starts_with("HTTP/1.1 400 "), "{answered}");
        assert!(answered.contains(code), "{answered}");
        assert!(!answered.contains("here"), "{answered}");
    }
    let answered = rest(served.connect("GET / HTTP/1.0\r\n\r\n").await).await;
    assert!(answered.ends_with("here"), "{answered}");
    served.stop().await;
}

#[tokio::test]
async fn a_handler_gets_the_address_of_the_client() {
    let served = Served::start(TEST_TIMEOUT).await;
    let stream = served.connect("GET /peer HTTP/1.0\r\n\r\n").await;
    let local = stream.local_addr().unwrap().to_string();
    let answered = rest(stream).await;
    assert!(answered.ends_with(&local), "{answered}");
    served.stop().await;
}

#[tokio::test]
async fn a_request_may_take_longer_than_its_head() {
    let served = Served::start(SHORT).await;
    let answered = rest(
        served
            .connect("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n")
            .await,
    )
    .await;
    assert!(answered.ends_with("done"), "{answered}");
    served.stop().await;
}

/// Sends `head` and a large body, and then reads the answer.
async fn refused(served: &Served, head: &str, body: &[u8]) -> String {
    let mut stream = served.connect(head).await;
    stream.write_all(body).await.unwrap();
    rest(stream).await
}

#[tokio::test]
async fn a_client_that_sends_a_large_body_first_can_read_an_early_answer() {
    const SIZE: usize = 32 * 1024 * 1024;
    let served = Served::start(TEST_TIMEOUT).await;
    let (body, chunk) = (vec![b'x'; SIZE], format!("{SIZE:x}\r\n"));
    let sized = format!("content-length: {SIZE}\r\n\r\n");
    let chunked = format!("transfer-encoding: chunked\r\n\r\n{chunk}");
    for (path, status) in [("/refused", 403), ("/missing", 404), ("/", 405)] {
        for framing in [&sized, &chunked] {
            let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\n{framing}");
            let answered = refused(&served, &head, &body).await;
            assert!(
                answered.starts_with(&format!("HTTP/1.1 {status} ")),
                "{answered}"
            );
            assert!(answered.contains("connection: close"), "{answered}");
        }
    }
    let answered = refused(&served, "no request\r\n\r\n", &body).await;
    assert!(answered.starts_with("HTTP/1.1 400 "), "{answered}");
    served.stop().await;
}

#[tokio::test]
async fn a_connection_stays_open_after_a_refusal_of_a_small_body() {
    let served = Served::start(TEST_TIMEOUT).await;
    let refused = "POST /refused HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nsmall";
    let last = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answered = rest(served.connect(&format!("{refused}{refused}{last}")).await).await;
    assert_eq!(answered.matches("HTTP/1.1 403").count(), 2, "{answered}");
    assert!(answered.ends_with("here"), "{answered}");
    served.stop().await;
}

#[tokio::test]
async fn a_client_that_never_stops_sending_is_disconnected() {
    let served = Served::start(TEST_TIMEOUT).await;
    let head = "POST /refused HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999\r\n\r\n";
    let mut stream = served.connect(head).await;
    let piece = vec![b'x'; 1024 * 1024];
    let sending = async {
        // More than the server discards and the system buffers.
        for _ in 0..1024 {
            if stream.write_all(&piece).await.is_err() {
                return true;
            }
        }
        false
    };
    assert!(
        timeout(TEST_TIMEOUT, sending).await.unwrap(),
        "the server accepts all bytes"
    );
    served.stop().await;
}

#[tokio::test]
async fn a_stop_waits_for_requests_but_not_for_idle_connections() {
    let served = Served::start(2 * TEST_TIMEOUT).await;
    let silent = served.connect("").await;
    let half = served.connect("GET / HTTP/1.1\r\nhost:").await;
    let mut idle = served.connect("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let slow = served
        .connect("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    // When this later request is answered, the slow request is being handled.
    let mut later = served.connect("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    later.read_exact(&mut answer).await.unwrap();

    served.stop().await;
    assert!(rest(slow).await.ends_with("done"));
    for connection in [silent, half, idle, later] {
        rest(connection).await;
    }
}
