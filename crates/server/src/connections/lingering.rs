//! Closes a connection so that the client can still read the last answer.
//!
//! If a server closes a connection while bytes of a request are on their way, the system resets the
//! connection. The reset can destroy an answer that the client has not read yet. So, as RFC 9112
//! (section 9.6) says, the sending half is closed first. Then the server reads and discards bytes
//! until the client closes, or until a limit on time or bytes is reached.
//!
//! This happens only over HTTP/1, and only if more bytes can arrive: after an answer to a request
//! whose body was not read to its end, or to a head that could not be read.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request, Response, Version};
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// The total time limit for discarding.
const MAX_TIME: Duration = Duration::from_secs(30);
/// The time limit for the next bytes.
const MAX_SILENCE: Duration = Duration::from_secs(5);
/// The maximum number of discarded bytes. Many clients send the whole body before they read an answer.
const MAX_BYTES: usize = 256 * 1024 * 1024;
/// The number of bytes in one read.
const PIECE: usize = 64 * 1024;
/// The size of a remaining body that hyper usually reads itself, so that the connection can stay open.
const SMALL_REST: u64 = 8 * 1024;

/// Whether the client of a connection may still be sending a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchange(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    /// True if the last request was read to its end.
    is_fully_read: AtomicBool,
    is_http2: AtomicBool,
}

impl Exchange {
    /// Returns the request with a body that records whether it was read to its end.
    pub(super) fn watch(&self, request: Request<Incoming>) -> (Request<Body>, Watch) {
        let version = request.version();
        if version == Version::HTTP_2 {
            self.0.is_http2.store(true, Ordering::Relaxed);
        }
        let body = request.body();
        let is_read = Arc::new(AtomicBool::new(body.is_end_stream()));
        let watch = Watch {
            exchange: self.clone(),
            is_read: Arc::clone(&is_read),
            is_http2: version == Version::HTTP_2,
            size: body.size_hint().upper(),
        };
        (
            request.map(|body| Body::new(Watched { body, is_read })),
            watch,
        )
    }

    fn expects_more_bytes(&self) -> bool {
        let Flags {
            is_fully_read,
            is_http2,
        } = &*self.0;
        !is_fully_read.load(Ordering::Relaxed) && !is_http2.load(Ordering::Relaxed)
    }
}

/// Records whether the body of one request was read to its end.
#[derive(Debug)]
pub(super) struct Watch {
    exchange: Exchange,
    is_read: Arc<AtomicBool>,
    is_http2: bool,
    /// The maximum size of the body in bytes, if it is known.
    size: Option<u64>,
}

impl Watch {
    /// Returns the response. If the request was not read to its end, adds `connection: close`.
    pub(super) fn answer(self, mut response: Response<Body>) -> Response<Body> {
        if self.is_read.load(Ordering::Relaxed) {
            self.exchange.0.is_fully_read.store(true, Ordering::Relaxed);
        } else if !self.is_http2 && self.size.is_none_or(|size| size > SMALL_REST) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        response
    }
}

/// The body of a request, which records its end.
#[derive(Debug)]
struct Watched {
    body: Incoming,
    is_read: Arc<AtomicBool>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.is_read.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection that discards the remaining bytes before it is closed.
#[derive(Debug)]
pub(super) struct Lingering<S> {
    stream: S,
    exchange: Exchange,
    has_client_closed: bool,
    discarding: Option<Discarding>,
}

#[derive(Debug)]
struct Discarding {
    end: Pin<Box<Sleep>>,
    silence: Pin<Box<Sleep>>,
    bytes_left: usize,
    piece: Box<[u8]>,
}

impl<S> Lingering<S> {
    pub(super) fn new(stream: S, exchange: Exchange) -> Self {
        Self {
            stream,
            exchange,
            has_client_closed: false,
            discarding: None,
        }
    }
}

impl Discarding {
    fn new() -> Self {
        Self {
            end: Box::pin(sleep(MAX_TIME)),
            silence: Box::pin(sleep(MAX_SILENCE)),
            bytes_left: MAX_BYTES,
            piece: vec![0; PIECE].into(),
        }
    }

    /// Returns ready when the client has closed or a limit is reached.
    fn poll_discard<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        while self.bytes_left > 0 {
            if self.end.as_mut().poll(cx).is_ready() || self.silence.as_mut().poll(cx).is_ready() {
                break;
            }
            let mut piece = ReadBuf::new(&mut self.piece);
            match ready!(Pin::new(&mut *stream).poll_read(cx, &mut piece)) {
                Ok(()) if !piece.filled().is_empty() => {
                    self.bytes_left = self.bytes_left.saturating_sub(piece.filled().len());
                    self.silence.as_mut().reset(Instant::now() + MAX_SILENCE);
                }
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = bytes.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, bytes))?;
        self.has_client_closed = bytes.filled().len() == before;
        self.exchange
            .0
            .is_fully_read
            .store(false, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self {
            stream,
            exchange,
            has_client_closed,
            discarding,
        } = &mut *self;
        if discarding.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
            if *has_client_closed || !exchange.expects_more_bytes() {
                return Poll::Ready(Ok(()));
            }
        }
        let discarding = discarding.get_or_insert_with(Discarding::new);
        discarding.poll_discard(stream, cx).map(Ok)
    }
}
