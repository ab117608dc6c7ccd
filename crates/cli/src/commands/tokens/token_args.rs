//! Values of the options of `easel tokens`.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::settings::parse_size;

const OFF: &str = "off";

/// When a token expires; `None` for never.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expiry(Option<Timestamp>);

/// A limit of requests; `None` for no limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestLimit(Option<u64>);

/// A limit of bytes; `None` for no limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByteLimit(Option<u64>);

impl FromStr for Expiry {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == OFF {
            return Ok(Self(None));
        }
        let time = humantime::parse_duration(text).ok();
        let time = time.and_then(|time| SignedDuration::try_from(time).ok());
        let end = time.and_then(|time| Timestamp::now().checked_add(time).ok());
        let end = end.and_then(|end| Timestamp::from_second(end.as_second()).ok());
        end.map(|end| Self(Some(end)))
            .ok_or("must be a length of time such as 90d, or `off`")
    }
}

impl FromStr for RequestLimit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == OFF {
            return Ok(Self(None));
        }
        let limit = text.parse().ok();
        limit
            .map(|limit| Self(Some(limit)))
            .ok_or("must be a whole number, or `off`")
    }
}

impl FromStr for ByteLimit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == OFF {
            return Ok(Self(None));
        }
        let limit = parse_size(text);
        limit
            .map(|limit| Self(Some(limit)))
            .ok_or("must be a size such as 1MiB, or `off`")
    }
}

impl Expiry {
    pub(super) fn into_json(self) -> Value {
        self.0.map_or(Value::Null, |end| end.to_string().into())
    }
}

impl RequestLimit {
    pub(super) fn into_json(self) -> Value {
        self.0.into()
    }
}

impl ByteLimit {
    pub(super) fn into_json(self) -> Value {
        self.0.into()
    }
}

/// Rejects what is no length of time. The server checks how long it is.
pub(super) fn parse_overlap(text: &str) -> Result<String, &'static str> {
    match humantime::parse_duration(text) {
        Ok(_overlap) => Ok(text.to_owned()),
        Err(_invalid) => Err("must be a length of time such as 24h"),
    }
}
