//! Refused requests: each one is counted, and most are logged.
//!
//! A client such as Canvas shows its operator only that it was refused. The log therefore says why,
//! from which address, and with which access key id or token id. It never says a secret, a token or
//! a signature. Strangers can make Easel refuse as often as they like, so the lines are bounded per
//! minute: per source and reason, and per reason. What is left out is counted and reported.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use metrics::{counter, describe_counter};
use tokio::time::Instant;
use tracing::warn;

const REFUSED: &str = "easel_refused_requests_total";

const WINDOW: Duration = Duration::from_mins(1);

/// Lines in one window for one reason and one source.
const MAX_LINES_OF_SOURCE: u32 = 5;

/// Lines in one window for one reason, whatever the sources.
const MAX_LINES_OF_REASON: u32 = 20;

/// The longest text from a request in a line, in characters.
const MAX_CHARS: usize = 300;

/// Why a request was refused. Labels the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No bearer token.
    TokenMissing,
    /// A bearer token that does not exist.
    TokenUnknown,
    /// A bearer token without the scope that the route asks for.
    ScopeMissing,
    /// No AWS signature.
    SignatureMissing,
    /// An AWS signature that lacks a part.
    SignatureIncomplete,
    /// An AWS signature of another time.
    SignatureExpired,
    /// An AWS signature that is not the one made with the secret.
    SignatureMismatch,
    /// An access key id that is not in the settings.
    KeyUnknown,
    /// The Kinesis door has no keys.
    KeysNotConfigured,
    /// A call of the Kinesis protocol that makes no sense.
    CallInvalid,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 10] = [
        Self::TokenMissing,
        Self::TokenUnknown,
        Self::ScopeMissing,
        Self::SignatureMissing,
        Self::SignatureIncomplete,
        Self::SignatureExpired,
        Self::SignatureMismatch,
        Self::KeyUnknown,
        Self::KeysNotConfigured,
        Self::CallInvalid,
    ];

    /// The value of the metric's label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokenMissing => "token_missing",
            Self::TokenUnknown => "token_unknown",
            Self::ScopeMissing => "scope_missing",
            Self::SignatureMissing => "signature_missing",
            Self::SignatureIncomplete => "signature_incomplete",
            Self::SignatureExpired => "signature_expired",
            Self::SignatureMismatch => "signature_mismatch",
            Self::KeyUnknown => "key_unknown",
            Self::KeysNotConfigured => "keys_not_configured",
            Self::CallInvalid => "call_invalid",
        }
    }
}

/// What the log says of a refused request besides its source.
#[derive(Clone, Copy, Debug)]
pub struct RefusedRequest<'a> {
    /// Why it was refused.
    pub reason: Reason,
    /// The id of the token, where the token is known. Never the token.
    pub token_id: Option<&'a str>,
    /// The access key id that the signature names. Never a secret.
    pub access_key_id: Option<&'a str>,
    /// What was asked for: an operation, or a path.
    pub asked: &'a str,
    /// More about the reason. Never a part of a body.
    pub detail: &'a str,
}

/// Counts refused requests, and logs them within bounds.
#[derive(Debug)]
pub struct Refusals(Mutex<LogWindow>);

#[derive(Debug)]
struct LogWindow {
    ends: Instant,
    lines_of_source: HashMap<(Reason, Option<IpAddr>), u32>,
    lines_of_reason: HashMap<Reason, u32>,
    left_out: u64,
}

impl LogWindow {
    fn starting(now: Instant) -> Self {
        Self {
            ends: now + WINDOW,
            lines_of_source: HashMap::new(),
            lines_of_reason: HashMap::new(),
            left_out: 0,
        }
    }

    /// Whether there may be one more line; counts it either way.
    fn takes(&mut self, reason: Reason, source: Option<IpAddr>) -> bool {
        let lines = self.lines_of_reason.entry(reason).or_default();
        if *lines < MAX_LINES_OF_REASON {
            let of_source = self.lines_of_source.entry((reason, source)).or_default();
            if *of_source < MAX_LINES_OF_SOURCE {
                *lines += 1;
                *of_source += 1;
                return true;
            }
        }
        self.left_out += 1;
        false
    }
}

impl Default for Refusals {
    fn default() -> Self {
        Self::new()
    }
}

impl Refusals {
    /// No refusals yet; every reason is in the metrics from now on, with 0.
    pub fn new() -> Self {
        describe_counter!(
            REFUSED,
            "Requests refused for their token, their signature, or a Kinesis call that makes no sense, by reason."
        );
        for reason in Reason::ALL {
            counter!(REFUSED, "reason" => reason.as_str()).increment(0);
        }
        Self(Mutex::new(LogWindow::starting(Instant::now())))
    }

    /// Counts a refusal of the request with this head, and logs it if there is room for a line.
    pub fn note(&self, head: &Parts, refused: RefusedRequest<'_>) {
        let reason = refused.reason;
        counter!(REFUSED, "reason" => reason.as_str()).increment(1);
        let source = source(head);
        self.report_left_out();
        if self.window().takes(reason, source) {
            warn!(
                reason = reason.as_str(),
                from = source.map(tracing::field::display),
                forwarded_for = forwarded_for(head).map(tracing::field::display),
                token = refused.token_id,
                access_key_id = refused.access_key_id.map(shortened),
                asked = shortened(refused.asked),
                detail = shortened(refused.detail),
                "request refused"
            );
        }
    }

    /// Once a window is over, says how many refusals were left out of the log.
    pub fn report_left_out(&self) {
        let left_out = {
            let (mut window, now) = (self.window(), Instant::now());
            if now < window.ends {
                return;
            }
            std::mem::replace(&mut *window, LogWindow::starting(now)).left_out
        };
        if left_out > 0 {
            warn!(left_out, "refused requests left out of the log");
        }
    }

    fn window(&self) -> MutexGuard<'_, LogWindow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address at the other end of the connection.
fn source(head: &Parts) -> Option<IpAddr> {
    let peer = head.extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(peer.0.ip().to_canonical())
}

/// The address that a proxy in front of Easel names, which anybody else can make up.
fn forwarded_for(head: &Parts) -> Option<IpAddr> {
    let addresses = head.headers.get("x-forwarded-for")?.to_str().ok()?;
    addresses.rsplit(',').next()?.trim().parse().ok()
}

fn shortened(text: &str) -> &str {
    let end = text.char_indices().nth(MAX_CHARS);
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

#[cfg(test)]
mod tests;
