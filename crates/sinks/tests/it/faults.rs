//! Tests with endpoints that answer wrongly or not at all.

use std::convert::Infallible;

use easel_sinks::{Blame, SendError};
use easel_testkit::Receiver;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::fixtures::{Post, batch, impatient_webhook, short_batch, webhook};

/// Starts a server that reads one request, then calls `answer`.
async fn server<T, F>(answer: impl FnOnce(TcpStream) -> F + Send + 'static) -> (String, JoinSet<T>)
where
    T: Send + 'static,
    F: Future<Output = T> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://{}/hook?token=s3cret",
        listener.local_addr().unwrap()
    );
    let mut server = JoinSet::new();
    server.spawn(async move {
        let (mut stream, _peer) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert_ne!(stream.read(&mut request).await.unwrap(), 0);
        answer(stream).await
    });
    (url, server)
}

/// Starts a server that answers one request with `bytes`, then closes the connection.
async fn server_with(bytes: &'static [u8]) -> (String, JoinSet<()>) {
    server(async |mut stream| stream.write_all(bytes).await.unwrap()).await
}

/// Starts a server that answers one request with `bytes`, then sends nothing more.
async fn silent_after(bytes: &'static [u8]) -> (String, JoinSet<Infallible>) {
    server(async |mut stream| {
        stream.write_all(bytes).await.unwrap();
        std::future::pending().await
    })
    .await
}

/// Starts a server that answers one request with `head`, then sends bytes without end. The task returns the
/// number of bytes that were sent until the client disconnected, including bytes in socket buffers.
async fn endless_after(head: &'static [u8]) -> (String, JoinSet<usize>) {
    server(async |mut stream| {
        stream.write_all(head).await.unwrap();
        let mut sent_bytes = 0;
        while stream.write_all(&[b'x'; 8192]).await.is_ok() {
            sent_bytes += 8192;
        }
        sent_bytes
    })
    .await
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_times_out() {
    let receiver = Receiver::start().await;
    receiver.hang(true);
    let error = impatient_webhook(&receiver.url())
        .post(batch())
        .await
        .unwrap_err();
    assert_eq!(
        (error.name(), error.blame()),
        ("timed_out", Blame::Endpoint { retry_after: None })
    );
}

#[tokio::test]
async fn an_endpoint_that_never_ends_its_head_times_out() {
    let (url, _server) = silent_after(b"HTTP/1.1 200 OK\r\nx-slow: ").await;
    assert_eq!(
        impatient_webhook(&url).post(short_batch()).await,
        Err(SendError::TimedOut)
    );
}

#[tokio::test]
async fn the_status_decides_even_when_the_body_never_ends() {
    let (url, _server) = silent_after(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nslow").await;
    assert_eq!(impatient_webhook(&url).post(short_batch()).await, Ok(()));
}

#[tokio::test]
async fn a_refused_connection_gives_an_error_with_its_cause_and_without_the_query() {
    let receiver = Receiver::start().await;
    receiver.take_down().await;
    let webhook = webhook(&format!("{}?token=s3cret", receiver.url()));
    let error = webhook.post(batch()).await.unwrap_err();
    assert_eq!((error.name(), error.blame()), ("unconnected", Blame::Host));
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(
        !format!("{error:?} {webhook:?}").contains("s3cret"),
        "{error:?} {webhook:?}"
    );
}

#[tokio::test]
async fn a_missing_incomplete_or_invalid_head_is_unreachable() {
    for bytes in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\nx-",
        b"no such protocol\r\n\r\n",
    ] {
        let (url, _server) = server_with(bytes).await;
        let error = webhook(&url).post(short_batch()).await.unwrap_err();
        assert_eq!(error.name(), "unreachable", "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn a_connection_closed_within_the_body_is_a_success() {
    let (url, _server) = server_with(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhal").await;
    assert_eq!(webhook(&url).post(short_batch()).await, Ok(()));
}

#[tokio::test]
async fn an_endless_head_is_not_read_to_its_end() {
    let (url, mut server) = endless_after(b"HTTP/1.1 200 OK\r\nx-endless: ").await;
    let error = webhook(&url).post(short_batch()).await.unwrap_err();
    assert_eq!(error.name(), "unreachable", "{error}");
    let sent_bytes = server.join_next().await.unwrap().unwrap();
    assert!(sent_bytes < 50_000_000, "{sent_bytes} bytes were sent");
}

#[tokio::test]
async fn a_huge_body_is_not_read_to_its_end() {
    let (url, mut server) =
        endless_after(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await;
    assert_eq!(webhook(&url).post(short_batch()).await, Ok(()));
    let sent_bytes = server.join_next().await.unwrap().unwrap();
    assert!(sent_bytes < 50_000_000, "{sent_bytes} bytes were sent");
}
