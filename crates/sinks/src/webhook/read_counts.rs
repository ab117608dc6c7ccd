//! Counts the bytes read from a connection, to distinguish a stale connection from a failing endpoint.
//!
//! A receiver may close a keep-alive connection at any moment, even while the next request is on its
//! way. In this case the endpoint is not at fault, and most likely it has not seen the request.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use http::{Extensions, Uri};
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use super::connector::GuardedConnector;

/// The underlying connection: TCP, or TLS on TCP.
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// The maximum bytes of one read.
const READ_BYTES: usize = 4096;

/// The counts of bytes read from one connection.
#[derive(Debug, Default)]
pub(super) struct ReadCounts {
    /// Bytes read, after decryption.
    read_bytes: AtomicU64,
    /// The value of `read_bytes` at the end of the latest answer; 0 before the first answer.
    at_last_answer: AtomicU64,
    is_http2: AtomicBool,
}

impl ReadCounts {
    /// Records the end of an answer.
    pub(super) fn answer_ended(&self) {
        let read_bytes = self.read_bytes.load(Ordering::Acquire);
        self.at_last_answer.store(read_bytes, Ordering::Release);
    }

    /// True if the connection of a failed request was used before, and no byte of an answer to this
    /// request arrived. On HTTP/2, true for every connection that was used before.
    pub(super) fn was_stale(connection: &Connected) -> bool {
        let mut extras = Extensions::new();
        connection.get_extras(&mut extras);
        let Some(counts) = extras.get::<Arc<Self>>() else {
            return false;
        };
        let at_last_answer = counts.at_last_answer.load(Ordering::Acquire);
        // On HTTP/2, bytes read since the last answer may belong to other requests.
        let is_silent = counts.is_http2.load(Ordering::Acquire)
            || counts.read_bytes.load(Ordering::Acquire) == at_last_answer;
        at_last_answer > 0 && is_silent
    }
}

/// A connector whose connections count the bytes they read.
#[derive(Clone, Debug)]
pub(super) struct CountingConnector(pub(super) HttpsConnector<GuardedConnector>);

impl Service<Uri> for CountingConnector {
    type Response = CountingStream;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<CountingStream, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move {
            Ok(CountingStream {
                stream: connecting.await?,
                counts: Arc::default(),
            })
        })
    }
}

/// A connection that counts the bytes it reads.
#[derive(Debug)]
pub(super) struct CountingStream {
    stream: Stream,
    counts: Arc<ReadCounts>,
}

impl CountingStream {
    fn stream(self: Pin<&mut Self>) -> Pin<&mut Stream> {
        Pin::new(&mut self.get_mut().stream)
    }
}

impl Connection for CountingStream {
    fn connected(&self) -> Connected {
        let connected = self.stream.connected();
        let is_http2 = connected.is_negotiated_h2();
        self.counts.is_http2.store(is_http2, Ordering::Release);
        connected.extra(Arc::clone(&self.counts))
    }
}

impl Read for CountingStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // A `ReadBufCursor` does not show how far it was filled, so this function first reads into a buffer
        // of its own.
        let mut bytes = [0; READ_BYTES];
        let free = std::cmp::min(buffer.remaining(), READ_BYTES);
        let mut read = ReadBuf::new(bytes.get_mut(..free).unwrap_or_default());
        ready!(self.as_mut().stream().poll_read(context, read.unfilled()))?;
        let count = u64::try_from(read.filled().len()).unwrap_or(u64::MAX);
        self.counts.read_bytes.fetch_add(count, Ordering::AcqRel);
        buffer.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl Write for CountingStream {
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
