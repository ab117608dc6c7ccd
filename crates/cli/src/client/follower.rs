//! Follows the events of a server.
//!
//! If the stream is lost, the follower backs off, reconnects and continues after the last event that it
//! returned. For each connection, it reads the address and the token again, because they can change when
//! the server restarts.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::event_stream::{EventStream, Message};
use super::{Client, range_path};
use crate::exit_code::{Code, Failure};
use crate::global_args::GlobalArgs;
use crate::output;

/// The first and the longest pause before a reconnect.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Follows the events of a server.
#[derive(Debug)]
pub(crate) struct Follower<'a> {
    global: &'a GlobalArgs,
    path: String,
    last_id: Option<String>,
    stream: Option<EventStream>,
    /// The pause after the next failure.
    pause: Duration,
    retry_at: Instant,
}

impl<'a> Follower<'a> {
    /// Connects, and follows the events at offset `from` or later. If there is a `glob`, their types must match it.
    pub(crate) async fn connect(
        global: &'a GlobalArgs,
        from: u64,
        glob: Option<&str>,
    ) -> Result<Self, Failure> {
        let mut follower = Self {
            global,
            path: range_path("/v1/events/stream", from, glob),
            last_id: None,
            stream: None,
            pause: FIRST_PAUSE,
            retry_at: Instant::now(),
        };
        follower.stream = Some(follower.open().await?);
        Ok(follower)
    }

    /// Returns the next event. Retries while the server is unavailable; fails if it rejects the request.
    ///
    /// Cancel-safe: if the future is dropped, no event is lost.
    pub(crate) async fn next(&mut self) -> Result<Message, Failure> {
        loop {
            let error = match self.try_next().await {
                Err(Failure::Single {
                    code: Code::Unavailable,
                    error,
                }) => error,
                result => return result,
            };
            self.stream = None;
            output::notice(format_args!("{error:#}; retrying"));
            self.retry_at = Instant::now() + self.pause;
            self.pause = std::cmp::min(self.pause * 2, MAX_PAUSE);
        }
    }

    async fn try_next(&mut self) -> Result<Message, Failure> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                sleep_until(self.retry_at).await;
                let stream = self.open().await?;
                self.pause = FIRST_PAUSE;
                stream
            }
        };
        let message = self.stream.insert(stream).next().await?;
        if message.id.is_some() {
            self.last_id.clone_from(&message.id);
        }
        Ok(message)
    }

    async fn open(&self) -> Result<EventStream, Failure> {
        let client = Client::from_args(self.global)?;
        client.stream(&self.path, self.last_id.as_deref()).await
    }
}
