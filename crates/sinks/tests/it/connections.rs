//! Tests of connections: they are reused, and replaced when they break.

use easel_sinks::{Endpoint, SendError, Webhook};
use easel_testkit::Receiver;
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::fixtures::{
    LONG_TIMEOUT, Post, batch, client, local_options, settings, short_batch, webhook,
};

#[tokio::test]
async fn a_hundred_batches_use_one_connection() {
    let receiver = Receiver::start().await;
    receiver.set_body("thank you");
    let webhook = webhook(&receiver.url());
    for _ in 0..100 {
        webhook.post(batch()).await.unwrap();
    }
    assert_eq!((receiver.count(), receiver.connection_count()), (100, 1));
}

#[tokio::test]
async fn a_connection_is_reused_after_a_refusal() {
    let receiver = Receiver::start().await;
    receiver.set_status(StatusCode::INTERNAL_SERVER_ERROR);
    receiver.set_body("it hurts");
    let webhook = webhook(&receiver.url());
    for _ in 0..10 {
        webhook.post(batch()).await.unwrap_err();
    }
    assert_eq!(receiver.connection_count(), 1);
}

#[tokio::test]
async fn webhooks_of_one_client_share_connections() {
    let receiver = Receiver::start().await;
    let client = client(&local_options());
    for path in ["a", "b", "c"] {
        let url = format!("http://{}/{path}", receiver.address());
        let webhook = Webhook::new(
            client.clone(),
            Endpoint::parse(&url).unwrap(),
            settings(LONG_TIMEOUT),
        );
        webhook.post(batch()).await.unwrap();
    }
    assert_eq!((receiver.count(), receiver.connection_count()), (3, 1));
}

#[tokio::test]
async fn concurrent_batches_do_not_wait_for_each_other() {
    let receiver = Receiver::start().await;
    receiver.hang(true);
    let webhook = webhook(&receiver.url());
    let mut sends = JoinSet::new();
    for _ in 0..16 {
        let webhook = webhook.clone();
        sends.spawn(async move { webhook.post(batch()).await });
    }
    receiver.wait_for(16).await;
    receiver.hang(false);
    assert_eq!(sends.join_all().await, vec![Ok(()); 16]);
}

#[tokio::test]
async fn a_restarted_receiver_is_reached_over_a_new_connection() {
    let receiver = Receiver::start().await;
    let webhook = webhook(&receiver.url());
    webhook.post(batch()).await.unwrap();
    receiver.take_down().await;
    receiver.bring_up().await;
    webhook.post(batch()).await.unwrap();
    assert_eq!((receiver.count(), receiver.connection_count()), (2, 2));
}

/// The answers of a test server to the requests of one connection, in order.
pub(crate) type Script = &'static [&'static str];

pub(crate) const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// Starts a server that accepts one connection for each script. It answers the requests of the connection
/// and then closes the connection. The task returns the listener.
pub(crate) fn serve(listener: TcpListener, scripts: &'static [Script]) -> JoinSet<TcpListener> {
    let mut server = JoinSet::new();
    server.spawn(async move {
        for script in scripts {
            let (mut stream, _peer) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            for answer in *script {
                assert_ne!(stream.read(&mut request).await.unwrap(), 0);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
        listener
    });
    server
}

/// Waits for the server to end. True if no further connection arrived.
async fn no_client_connects(mut server: JoinSet<TcpListener>) -> bool {
    let listener = server.join_next().await.unwrap().unwrap();
    is_idle(&listener).await
}

/// True if no connection waits at the listener.
pub(crate) async fn is_idle(listener: &TcpListener) -> bool {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(listener.poll_accept(context).is_pending())
    })
    .await
}

#[tokio::test]
async fn a_request_on_a_stale_connection_is_sent_again_on_a_new_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let webhook = webhook(&format!("http://{}/", listener.local_addr().unwrap()));
    // The first connection is closed when the second request arrives.
    let server = serve(listener, &[&[NO_CONTENT, ""], &[NO_CONTENT]]);
    assert_eq!(webhook.post(short_batch()).await, Ok(()));
    assert_eq!(webhook.post(short_batch()).await, Ok(()));
    assert!(no_client_connects(server).await);
}

#[tokio::test]
async fn a_watched_delivery_on_a_stale_connection_is_sent_again_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let webhook = webhook(&format!("http://{}/", listener.local_addr().unwrap()));
    let server = serve(listener, &[&[NO_CONTENT, ""], &[NO_CONTENT]]);
    assert_eq!(webhook.deliver(&short_batch()).await.status, Some(204));
    assert_eq!(webhook.deliver(&short_batch()).await.status, Some(204));
    assert!(no_client_connects(server).await);
}

#[tokio::test]
async fn a_request_is_sent_again_only_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let webhook = webhook(&format!("http://{}/", listener.local_addr().unwrap()));
    let server = serve(listener, &[&[NO_CONTENT, ""], &[""]]);
    assert_eq!(webhook.post(short_batch()).await, Ok(()));
    let error = webhook.post(short_batch()).await.unwrap_err();
    assert!(matches!(error, SendError::Unreachable { .. }), "{error:?}");
    assert!(no_client_connects(server).await);
}

#[tokio::test]
async fn a_new_connection_that_breaks_is_a_failed_attempt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let webhook = webhook(&format!("http://{}/", listener.local_addr().unwrap()));
    let server = serve(listener, &[&[""]]);
    let error = webhook.post(short_batch()).await.unwrap_err();
    assert!(matches!(error, SendError::Unreachable { .. }), "{error:?}");
    assert!(no_client_connects(server).await);
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_of_an_answer_is_a_failed_attempt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let webhook = webhook(&format!("http://{}/", listener.local_addr().unwrap()));
    let server = serve(listener, &[&[NO_CONTENT, "HTTP/1.1 20"]]);
    assert_eq!(webhook.post(short_batch()).await, Ok(()));
    let error = webhook.post(short_batch()).await.unwrap_err();
    assert!(matches!(error, SendError::Unreachable { .. }), "{error:?}");
    assert!(no_client_connects(server).await);
}

#[tokio::test]
async fn an_answer_with_two_hundred_header_lines_is_accepted() {
    let receiver = Receiver::start().await;
    for number in 0..200 {
        let name = format!("x-{number}").leak();
        receiver.set_header(name, "1");
    }
    assert_eq!(webhook(&receiver.url()).post(batch()).await, Ok(()));
}
