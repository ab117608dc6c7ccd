//! A webhook receiver: a real HTTP server on a port of its own.
//!
//! It speaks HTTP/1.1 and HTTP/2, in the clear or over TLS, and records what comes in before it
//! answers. It stops when it is dropped.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::arrivals::Arrivals;
use crate::barrier::Barrier;

/// One request that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub uri: Uri,
    /// The version of HTTP it was sent in.
    pub version: Version,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Received {
    /// The header `name` as text; panics when there is no such header.
    #[expect(
        clippy::expect_used,
        reason = "a test asks for a header that must be there"
    )]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .expect(name)
            .to_str()
            .expect("a header of visible ASCII")
    }
}

/// A webhook receiver on `127.0.0.1`; at first it answers every request with 200.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    desk: Arc<ReceiverState>,
    server: tokio::sync::Mutex<AcceptLoop>,
}

impl Receiver {
    /// Starts a receiver of plain HTTP on a free port.
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// Starts a receiver that speaks TLS on a free port.
    pub async fn start_tls(config: ServerConfig) -> Self {
        Self::start_with(Some(Arc::new(config))).await
    }

    async fn start_with(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await;
        #[expect(
            clippy::expect_used,
            reason = "a listener that is bound has an address"
        )]
        let address = listener.local_addr().expect("a bound address");
        let desk = Arc::new(ReceiverState::default());
        let server = AcceptLoop::start(listener, tls.clone(), Arc::clone(&desk));
        Self {
            address,
            tls,
            desk,
            server: tokio::sync::Mutex::new(server),
        }
    }

    /// The URL to send to.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/hook", self.address)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers every request with `status`.
    pub fn set_status(&self, status: StatusCode) {
        self.answer_with(move |_received| status);
    }

    /// Answers each request with what `answer` says.
    pub fn answer_with(&self, answer: impl Fn(&Received) -> StatusCode + Send + Sync + 'static) {
        self.desk.script().status = Arc::new(answer);
    }

    /// Adds a header to every answer; panics when HTTP does not allow it.
    #[expect(clippy::expect_used, reason = "a test names a header that HTTP allows")]
    pub fn set_header(&self, name: &'static str, value: &str) {
        let value = HeaderValue::from_str(value).expect("a header value");
        self.desk
            .script()
            .headers
            .insert(HeaderName::from_static(name), value);
    }

    /// Answers every request with this body.
    pub fn set_body(&self, body: impl Into<Bytes>) {
        self.desk.script().body = body.into();
    }

    /// Whether requests wait for their answer from here on; those that wait go on when this is
    /// taken back. A request counts as received before it waits.
    pub fn hang(&self, hang: bool) {
        self.desk.hold.set(hang);
    }

    /// The requests received so far, in order of arrival.
    pub fn received(&self) -> Vec<Received> {
        self.desk.requests.all()
    }

    /// How many requests were received so far.
    pub fn count(&self) -> usize {
        self.desk.requests.count()
    }

    /// How many connections were accepted so far.
    pub fn connection_count(&self) -> usize {
        self.desk.connections.count()
    }

    /// Waits until at least `count` requests were received, and answers all of them.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        self.desk.requests.wait_for(count).await
    }

    /// Closes its port and every connection: from here on it cannot be reached.
    pub async fn take_down(&self) {
        self.server.lock().await.stop().await;
    }

    /// Listens again on the same port after [`Receiver::take_down`].
    pub async fn bring_up(&self) {
        let mut server = self.server.lock().await;
        server.stop().await;
        let listener = listen(self.address).await;
        *server = AcceptLoop::start(listener, self.tls.clone(), Arc::clone(&self.desk));
    }
}

#[expect(clippy::expect_used, reason = "a test without its port cannot go on")]
async fn listen(address: SocketAddr) -> TcpListener {
    TcpListener::bind(address)
        .await
        .expect("a port to listen on")
}

/// The task that accepts connections, and the word that ends it.
#[derive(Debug)]
struct AcceptLoop {
    tasks: JoinSet<()>,
    stop: Option<oneshot::Sender<()>>,
}

impl AcceptLoop {
    fn start(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        desk: Arc<ReceiverState>,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, tls, desk, stopped));
        Self {
            tasks,
            stop: Some(stop),
        }
    }

    /// Returns once the port and all connections are closed.
    async fn stop(&mut self) {
        drop(self.stop.take());
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    desk: Arc<ReceiverState>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_ended) = connections.join_next() => (),
            accepted = listener.accept() => {
                // A client may hang up before it was let in.
                if let Ok((stream, _peer)) = accepted {
                    desk.connections.push(());
                    connections.spawn(greet(stream, tls.clone(), Arc::clone(&desk)));
                }
            }
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn greet(stream: TcpStream, tls: Option<Arc<ServerConfig>>, desk: Arc<ReceiverState>) {
    match tls {
        None => serve(stream, desk).await,
        // A client that does not trust the certificate breaks the handshake off.
        Some(config) => {
            if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                serve(stream, desk).await;
            }
        }
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    desk: Arc<ReceiverState>,
) {
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { desk.answer(request).await }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    // A client may hang up whenever it likes.
    drop(server.serve_connection(TokioIo::new(stream), service).await);
}

/// What all connections share.
#[derive(Debug, Default)]
struct ReceiverState {
    requests: Arrivals<Received>,
    connections: Arrivals<()>,
    hold: Barrier,
    script: Mutex<Script>,
}

impl ReceiverState {
    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let received = Received {
            method: head.method,
            uri: head.uri,
            version: head.version,
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
        };
        self.requests.push(received.clone());
        self.hold.passed().await;
        let Script {
            status,
            headers,
            body,
        } = self.script().clone();
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status(&received);
        response.headers_mut().extend(headers);
        Ok(response)
    }
}

/// What the answers look like.
#[derive(Clone)]
struct Script {
    status: Arc<dyn Fn(&Received) -> StatusCode + Send + Sync>,
    headers: HeaderMap,
    body: Bytes,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            status: Arc::new(|_received| StatusCode::OK),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}
