//! What came in on a connection, so that a stale one is told from an endpoint that fails.
//!
//! A receiver may close a kept-alive connection at any moment, also while the next request is on
//! its way. The endpoint is not at fault then, and it has most likely not seen the request.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use http::{Extensions, Uri};
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

/// The connection below: TCP, or TLS over it.
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Bytes taken from a connection in one read.
const READ_BYTES: usize = 4096;

/// What came in on one connection.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// Bytes read, after decryption.
    read: AtomicU64,
    /// The bytes of them that belong to answers which have ended.
    answered: AtomicU64,
    is_http2: AtomicBool,
}

impl Wire {
    /// Notes that an answer has ended.
    pub(super) fn answer_ended(&self) {
        let read = self.read.load(Ordering::Acquire);
        self.answered.store(read, Ordering::Release);
    }

    /// Whether the connection that a failed request went out on was used before, and brought no
    /// byte of an answer to this request.
    pub(super) fn was_stale(connection: &Connected) -> bool {
        let mut extras = Extensions::new();
        connection.get_extras(&mut extras);
        let Some(wire) = extras.get::<Arc<Self>>() else {
            return false;
        };
        let answered = wire.answered.load(Ordering::Acquire);
        // Over HTTP/2, what came in meanwhile may belong to other requests.
        let is_silent =
            wire.is_http2.load(Ordering::Acquire) || wire.read.load(Ordering::Acquire) == answered;
        answered > 0 && is_silent
    }
}

/// Connects, and notes what comes in.
#[derive(Clone, Debug)]
pub(super) struct WireConnector(pub(super) HttpsConnector<HttpConnector>);

impl Service<Uri> for WireConnector {
    type Response = WireStream;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<WireStream, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move {
            Ok(WireStream {
                stream: connecting.await?,
                wire: Arc::default(),
            })
        })
    }
}

/// A connection, and what came in on it.
#[derive(Debug)]
pub(super) struct WireStream {
    stream: Stream,
    wire: Arc<Wire>,
}

impl WireStream {
    fn stream(self: Pin<&mut Self>) -> Pin<&mut Stream> {
        Pin::new(&mut self.get_mut().stream)
    }
}

impl Connection for WireStream {
    fn connected(&self) -> Connected {
        let connected = self.stream.connected();
        let is_http2 = connected.is_negotiated_h2();
        self.wire.is_http2.store(is_http2, Ordering::Release);
        connected.extra(Arc::clone(&self.wire))
    }
}

impl Read for WireStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // A cursor does not tell how far it was filled, so the bytes go through an own buffer.
        let mut bytes = [0; READ_BYTES];
        let free = std::cmp::min(buffer.remaining(), READ_BYTES);
        let mut read = ReadBuf::new(bytes.get_mut(..free).unwrap_or_default());
        ready!(self.as_mut().stream().poll_read(context, read.unfilled()))?;
        let count = u64::try_from(read.filled().len()).unwrap_or(u64::MAX);
        self.wire.read.fetch_add(count, Ordering::AcqRel);
        buffer.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl Write for WireStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(context, slices)
    }
}
