//! Server-sent events, parsed from a body while it arrives.
//!
//! The parser keeps only the fields that Easel sends: the id and the data of a message. The server
//! sends comments to keep the connection alive. If no bytes arrive for [`SILENCE_TIMEOUT`], the stream is lost.

use std::time::Duration;

use anyhow::anyhow;
use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::exit_code::{Code, Failure, OrExit};

/// The timeout between two frames. The server sends something at least every 15 seconds.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(45);

/// A stream of messages.
#[derive(Debug)]
pub(crate) struct EventStream {
    body: Incoming,
    parser: MessageParser,
}

/// One server-sent event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// The id to send after a reconnect, to continue after this message.
    pub(crate) id: Option<String>,
    /// The payload.
    pub(crate) data: String,
}

impl EventStream {
    /// Creates a stream that reads messages from `body`.
    pub(super) fn new(body: Incoming) -> Self {
        Self {
            body,
            parser: MessageParser::default(),
        }
    }

    /// Returns the next message. Fails if the stream ends or is silent for too long.
    pub(crate) async fn next(&mut self) -> Result<Message, Failure> {
        loop {
            if let Some(message) = self.parser.next_message() {
                return Ok(message);
            }
            let frame = tokio::time::timeout(SILENCE_TIMEOUT, self.body.frame()).await;
            let Some(frame) = frame.or_exit(Code::Unavailable)? else {
                return Err(Failure::new(
                    Code::Unavailable,
                    anyhow!("the stream has ended"),
                ));
            };
            if let Ok(data) = frame.or_exit(Code::Unavailable)?.into_data() {
                self.parser.received.extend_from_slice(&data);
            }
        }
    }
}

/// The received bytes and the current, incomplete message.
#[derive(Debug, Default)]
struct MessageParser {
    received: BytesMut,
    message: Message,
}

impl MessageParser {
    /// Consumes whole lines until a message is complete.
    fn next_message(&mut self) -> Option<Message> {
        while let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
            let line = self.received.split_to(end);
            self.received.advance(1);
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            let line = String::from_utf8_lossy(line);
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => self.message.id = Some(value.to_owned()),
                "data" if self.message.data.is_empty() => self.message.data.push_str(value),
                "data" => self.message.data.extend(["\n", value]),
                _ if line.is_empty() && !self.message.data.is_empty() => {
                    return Some(std::mem::take(&mut self.message));
                }
                _ => (),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `text` byte by byte and collects the messages.
    #[track_caller]
    fn check(text: &str, wanted: &[(Option<&str>, &str)]) {
        let mut parser = MessageParser::default();
        let mut messages = Vec::new();
        for byte in text.bytes() {
            parser.received.extend_from_slice(&[byte]);
            messages.extend(parser.next_message());
        }
        let wanted = wanted.iter().map(|(id, data)| Message {
            id: id.map(str::to_owned),
            data: (*data).to_owned(),
        });
        assert_eq!(messages, wanted.collect::<Vec<_>>(), "{text:?}");
    }

    #[test]
    fn a_message_ends_at_an_empty_line() {
        check("id: 7\nevent: event\ndata: {}\n\n", &[(Some("7"), "{}")]);
        check("data:{}\r\n\r\ndata: []\n\n", &[(None, "{}"), (None, "[]")]);
        check("data: {}\n", &[]);
    }

    #[test]
    fn comments_and_empty_messages_are_skipped() {
        check(
            ": hello\n\n\n: again\n\ndata: 1\n: within\n\n",
            &[(None, "1")],
        );
    }

    #[test]
    fn data_over_several_lines_is_joined() {
        check("data: one\ndata: two\n\n", &[(None, "one\ntwo")]);
    }
}
