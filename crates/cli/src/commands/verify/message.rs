//! A request that a webhook received: its headers and its body.
//!
//! The input is a body alone, or an HTTP message: perhaps a request line, then headers, an empty line and
//! the body. A body never looks like such a message, because JSON and JWTs do not begin with the name of a
//! header and a colon.

use std::str::FromStr;

/// A received request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReceivedRequest {
    headers: Vec<HeaderLine>,
    body: Vec<u8>,
}

/// A header. Its name is in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeaderLine {
    name: String,
    value: String,
}

/// Parses `name: value`.
impl FromStr for HeaderLine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let parts = text.split_once(':');
        let parts = parts.filter(|(name, _)| !name.is_empty() && name.bytes().all(is_token));
        let (name, value) = parts.ok_or("must be `name: value`")?;
        Ok(Self {
            name: name.to_ascii_lowercase(),
            value: value.trim().to_owned(),
        })
    }
}

impl ReceivedRequest {
    /// Parses a body or an HTTP message. Fails if the body of a message is incomplete or encoded.
    pub(super) fn parse(input: Vec<u8>) -> Result<Self, String> {
        let Some((headers, start)) = head(&input) else {
            return Ok(Self {
                headers: Vec::new(),
                body: input,
            });
        };
        let mut body = input;
        body.drain(..start);
        let mut message = Self { headers, body };
        let is_encoded = |name| {
            let value = message.header(name);
            value.is_some_and(|value| !value.eq_ignore_ascii_case("identity"))
        };
        for name in ["transfer-encoding", "content-encoding"] {
            if is_encoded(name) {
                return Err(format!(
                    "the message has the header {name}; decode its body and remove this header"
                ));
            }
        }
        let length = message.header("content-length");
        if let Some(length) = length.and_then(|length| length.parse::<usize>().ok()) {
            let found = message.body.len();
            if found < length {
                return Err(format!(
                    "the body has {found} bytes, but its content-length is {length}"
                ));
            }
            message.body.truncate(length);
        }
        Ok(message)
    }

    /// Sets a header, also if the message has it already.
    pub(super) fn set_header(&mut self, header: HeaderLine) {
        self.headers.retain(|other| other.name != header.name);
        self.headers.push(header);
    }

    /// Returns the value of a header, whose name is in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|header| header.name == name);
        found.map(|header| header.value.as_str())
    }

    /// Returns the body.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns the JWT that the body is, perhaps in quotes and with white space around it.
    pub(super) fn jwt(&self) -> Option<&[u8]> {
        let body = self.body.trim_ascii();
        let unquoted = body.strip_prefix(b"\"");
        let unquoted = unquoted.and_then(|rest| rest.strip_suffix(b"\""));
        let token = unquoted.unwrap_or(body);
        let is_base64url = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        let parts: Vec<_> = token.split(|byte| *byte == b'.').collect();
        let is_jwt = parts.len() == 3 && parts.concat().iter().all(is_base64url);
        is_jwt.then_some(token)
    }
}

/// Returns the headers of an HTTP message and the start of its body; `None` if the input is no message.
fn head(input: &[u8]) -> Option<(Vec<HeaderLine>, usize)> {
    let mut headers = Vec::new();
    let mut start = 0;
    for (index, line) in input.split_inclusive(|byte| *byte == b'\n').enumerate() {
        start += line.len();
        let line = str::from_utf8(line).ok()?.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            return Some((headers, start)).filter(|(headers, _)| !headers.is_empty());
        }
        if index > 0 || !is_start_line(line) {
            headers.push(line.parse().ok()?);
        }
    }
    None
}

/// Returns whether a line is the first line of an HTTP request or response.
fn is_start_line(line: &str) -> bool {
    let last = line.rsplit(' ').next();
    line.starts_with("HTTP/") || last.is_some_and(|last| last.starts_with("HTTP/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(input: &str) -> Result<ReceivedRequest, String> {
        ReceivedRequest::parse(input.as_bytes().to_vec())
    }

    #[track_caller]
    fn check(input: &str, id: Option<&str>, body: &str) {
        let message = parse(input).unwrap();
        assert_eq!(message.header("webhook-id"), id, "{input:?}");
        assert_eq!(message.body(), body.as_bytes(), "{input:?}");
    }

    #[test]
    fn a_message_has_headers_and_a_body_and_perhaps_a_request_line() {
        check("Webhook-Id: 7\n\n{}\n", Some("7"), "{}\n");
        check("Webhook-Id:7\r\nhost: a\r\n\r\n{}", Some("7"), "{}");
        check(
            "POST /hook?a=b HTTP/1.1\r\nwebhook-id: 7\r\n\r\n{}\r\n\r\n",
            Some("7"),
            "{}\r\n\r\n",
        );
        check("webhook-id: 7\ncontent-length: 2\n\n{}\n", Some("7"), "{}");
    }

    #[test]
    fn any_other_input_is_a_body() {
        for body in [
            "",
            "{\"a\":1}",
            "{\n  \"a\": 1\n}\n\n",
            "a.b.c",
            "\n\nwebhook-id: 7",
            "webhook-id: 7",
            "POST / HTTP/1.1\r\n\r\n{}",
        ] {
            check(body, None, body);
        }
    }

    #[test]
    fn an_incomplete_or_encoded_body_is_rejected() {
        let fault = parse("content-length: 9\n\n{}").unwrap_err();
        assert_eq!(fault, "the body has 2 bytes, but its content-length is 9");
        let fault = parse("transfer-encoding: chunked\n\n2\r\n{}").unwrap_err();
        assert!(fault.contains("transfer-encoding; decode"), "{fault}");
    }

    #[test]
    fn a_header_of_the_command_line_replaces_the_one_of_the_message() {
        let mut message = parse("webhook-id: 7\n\n{}").unwrap();
        message.set_header("Webhook-ID: 8".parse().unwrap());
        assert_eq!(message.header("webhook-id"), Some("8"));
        assert!("no header".parse::<HeaderLine>().is_err());
        assert!(": 7".parse::<HeaderLine>().is_err());
    }

    #[test]
    fn a_body_of_three_parts_in_base64url_is_a_jwt() {
        let jwt = |input: &str| {
            let message = parse(input).unwrap();
            message
                .jwt()
                .map(|token| String::from_utf8(token.to_vec()).unwrap())
        };
        for input in [
            "eyJh.eyJi.c-_",
            " \"eyJh.eyJi.c-_\"\n",
            "a: b\n\neyJh.eyJi.c-_\n",
        ] {
            assert_eq!(jwt(input).as_deref(), Some("eyJh.eyJi.c-_"), "{input}");
        }
        assert_eq!(jwt("a.b.").as_deref(), Some("a.b."));
        for input in ["{}", "a.b", "a.b.c.d", "a.b.c=", "\"a.b.c"] {
            assert_eq!(jwt(input), None, "{input}");
        }
    }
}
