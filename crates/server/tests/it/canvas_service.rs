//! Where the calls of Canvas's own client are served.

use std::time::Duration;

use easel_keys::Secret;
use easel_server::{CanvasServiceConfig, Config, Server};
use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::test_server::config;

const SECRET: &str = "astringthatisactually32byteslong";

fn service() -> CanvasServiceConfig {
    CanvasServiceConfig {
        encryption_secret: Some(Secret::new(SECRET.to_owned())),
        signing_secret: Some(Secret::new(SECRET.to_owned())),
        ..CanvasServiceConfig::default()
    }
}

/// Returns the status and the content type of an answer.
async fn get(address: std::net::SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: easel\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    let read = tokio::time::timeout(Duration::from_secs(30), read).await;
    read.unwrap().unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let mut lines = answer.lines();
    let kind = lines.find_map(|line| line.strip_prefix("content-type: "));
    (status, kind.unwrap_or_default().to_owned())
}

/// Starts a server. Checks the answers at the main address, and at that of the service.
async fn check(service: CanvasServiceConfig, main: u16, path: &str) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        canvas_service: service,
        ..config(folder.path())
    };
    let server = Server::start(config).await.unwrap();
    let (address, own) = (server.address(), server.app_host());
    let own = own.map(|(address, _)| address);
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    running.spawn(server.run_until(stop.clone()));
    assert_eq!(get(address, path).await.0, main, "{path}");
    if let Some(own) = own {
        let json = (
            StatusCode::UNAUTHORIZED.as_u16(),
            "application/json".to_owned(),
        );
        assert_eq!(get(own, path).await, json, "{path}");
        if own != address {
            let (status, kind) = get(own, "/v1/subscriptions").await;
            assert_eq!((status, kind.as_str()), (404, "application/json"));
        }
    }
    stop.cancel();
    running.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn the_calls_are_on_the_main_listener_or_on_one_of_their_own_or_off() {
    check(CanvasServiceConfig::default(), 404, "/api/event_types").await;
    check(service(), 401, "/api/event_types").await;
    let with_path = CanvasServiceConfig {
        path: "/canvas".to_owned(),
        ..service()
    };
    check(with_path.clone(), 401, "/canvas/api/event_types").await;
    let own_listener = CanvasServiceConfig {
        listen: Some("127.0.0.1:0".parse().unwrap()),
        ..with_path
    };
    check(own_listener, 404, "/canvas/api/event_types").await;
}
