//! Counts the bytes read from a connection, to distinguish a stale connection from a failing endpoint.
//!
//! A receiver may close a keep-alive connection at any moment, even while the next request is on its
//! way. Then the endpoint is not at fault, and most likely it has not seen the request.

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

/// The underlying connection: TCP, or TLS on TCP.
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// The maximum bytes of one read.
const READ_BYTES: usize = 4096;

/// The counts of bytes read from one connection.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// Bytes read, after decryption.
    read: AtomicU64,
    /// The value of `read` at the end of the latest answer.
    answered: AtomicU64,
    is_http2: AtomicBool,
}

impl Wire {
    /// Records the end of an answer.
    pub(super) fn answer_ended(&self) {
        let read = self.read.load(Ordering::Acquire);
        self.answered.store(read, Ordering::Release);
    }

    /// True if the connection of a failed request was used before, and no byte of an answer to this
    /// request arrived.
    pub(super) fn was_stale(connection: &Connected) -> bool {
        let mut extras = Extensions::new();
        connection.get_extras(&mut extras);
        let Some(wire) = extras.get::<Arc<Self>>() else {
            return false;
        };
        let answered = wire.answered.load(Ordering::Acquire);
        // On HTTP/2, bytes read since then may belong to other requests.
        let is_silent =
            wire.is_http2.load(Ordering::Acquire) || wire.read.load(Ordering::Acquire) == answered;
        answered > 0 && is_silent
    }
}

/// A connector whose connections count the bytes they read.
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

/// A connection that counts the bytes it reads.
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
        // A cursor does not show how far it was filled, so this reads into its own buffer first.
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
