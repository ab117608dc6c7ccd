//! A connection that is closed so that its last answer can be read.
//!
//! A server that closes a connection while bytes of a request are on their way makes the system
//! reset it, and the reset can destroy an answer that the client has not read yet. So, as RFC 9112
//! (section 9.6) says, the sending half is closed first, and what still comes is read and
//! discarded until the client closes, or until a bound of time or bytes is reached.
//!
//! That is done only over HTTP/1, and only where something can still come: after an answer to a
//! request whose body was not read to its end, or to a head that could not be read.

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
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// How long to discard in all.
const MAX_TIME: Duration = Duration::from_secs(30);
/// How long to wait for further bytes.
const MAX_SILENCE: Duration = Duration::from_secs(5);
/// How many bytes to discard. Many clients send all of a body before they read an answer.
const MAX_BYTES: usize = 256 * 1024 * 1024;
/// How many bytes are read at once.
const PIECE: usize = 64 * 1024;
/// The rest of a body that hyper usually reads by itself, so that the connection can stay open.
const SMALL_REST: u64 = 8 * 1024;

/// Whether a client may still be sending.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchange(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    /// The last request was read to its end.
    is_at_rest: AtomicBool,
    is_http2: AtomicBool,
}

impl Exchange {
    /// The request, with a body that is watched.
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

    fn may_get_more(&self) -> bool {
        let Flags {
            is_at_rest,
            is_http2,
        } = &*self.0;
        !is_at_rest.load(Ordering::Relaxed) && !is_http2.load(Ordering::Relaxed)
    }
}

/// Knows how far the body of one request was read.
#[derive(Debug)]
pub(super) struct Watch {
    exchange: Exchange,
    is_read: Arc<AtomicBool>,
    is_http2: bool,
    /// The most bytes the body has, if that is known.
    size: Option<u64>,
}

impl Watch {
    /// The response, which says that the connection ends if the request was not read to its end.
    pub(super) fn answer(self, mut response: Response<Body>) -> Response<Body> {
        if self.is_read.load(Ordering::Relaxed) {
            self.exchange.0.is_at_rest.store(true, Ordering::Relaxed);
        } else if !self.is_http2 && self.size.is_none_or(|size| size > SMALL_REST) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        response
    }
}

/// The body of a request.
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

/// A connection that discards what still comes before it is closed.
#[derive(Debug)]
pub(super) struct Lingering {
    stream: TcpStream,
    exchange: Exchange,
    is_over: bool,
    discarding: Option<Discarding>,
}

#[derive(Debug)]
struct Discarding {
    end: Pin<Box<Sleep>>,
    silence: Pin<Box<Sleep>>,
    bytes_left: usize,
    piece: Box<[u8]>,
}

impl Lingering {
    pub(super) fn new(stream: TcpStream, exchange: Exchange) -> Self {
        Self {
            stream,
            exchange,
            is_over: false,
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

    /// Ready once the client has closed, or a bound is reached.
    fn poll_discard(&mut self, stream: &mut TcpStream, cx: &mut Context<'_>) -> Poll<()> {
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

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = bytes.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, bytes))?;
        self.is_over = bytes.filled().len() == before;
        self.exchange.0.is_at_rest.store(false, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lingering {
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
            is_over,
            discarding,
        } = &mut *self;
        if discarding.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
            if *is_over || !exchange.may_get_more() {
                return Poll::Ready(Ok(()));
            }
        }
        let discarding = discarding.get_or_insert_with(Discarding::new);
        discarding.poll_discard(stream, cx).map(Ok)
    }
}
