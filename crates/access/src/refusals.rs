//! Counts all refused requests and logs most of them.
//!
//! Canvas, for example, only shows its operator that a request was refused. So the log line has the
//! reason, the address of the client, and the access key id or token id. It never has a secret, a
//! token or a signature. Anybody can cause refusals, so the number of lines per minute is limited: for
//! each reason, and for each address and reason. Refusals beyond the limit are counted, and one line
//! reports their number.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::request::Parts;
use metrics::{counter, describe_counter};
use tokio::time::Instant;
use tracing::warn;

use crate::peer::peer_address;

const REFUSED: &str = "easel_refused_requests_total";

const WINDOW: Duration = Duration::from_mins(1);

/// Maximum log lines per window for one reason and one address.
const MAX_LINES_OF_ADDRESS: u32 = 5;

/// Maximum log lines per window for one reason, over all addresses.
const MAX_LINES_OF_REASON: u32 = 20;

/// Maximum length of a text from a request in a log line, in characters.
const MAX_CHARS: usize = 300;

/// Why a request was refused. It is the label `reason` of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No bearer token.
    TokenMissing,
    /// A bearer token that does not exist.
    TokenUnknown,
    /// A bearer token that has expired, or that a newer secret has replaced.
    TokenExpired,
    /// A bearer token without the scope that the route requires.
    ScopeMissing,
    /// A bearer token that sends faster than its limits allow.
    RateLimited,
    /// A token of the operator's identity provider that is not valid here.
    OidcTokenInvalid,
    /// A token of the operator's identity provider that says nothing about its reach.
    ReachMissing,
    /// A token of the operator's identity provider whose keys cannot be fetched.
    OidcKeysUnavailable,
    /// No AWS signature.
    SignatureMissing,
    /// An AWS signature that lacks a part.
    SignatureIncomplete,
    /// An AWS signature whose time is too far from now.
    SignatureExpired,
    /// An AWS signature that does not match the secret.
    SignatureMismatch,
    /// A bearer token that Canvas did not make with the secrets of the settings.
    CanvasTokenInvalid,
    /// An access key id that is not in the settings.
    KeyUnknown,
    /// The Kinesis door has no keys.
    KeysNotConfigured,
    /// An invalid call of the Kinesis protocol.
    CallInvalid,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 16] = [
        Self::TokenMissing,
        Self::TokenUnknown,
        Self::TokenExpired,
        Self::ScopeMissing,
        Self::RateLimited,
        Self::OidcTokenInvalid,
        Self::ReachMissing,
        Self::OidcKeysUnavailable,
        Self::SignatureMissing,
        Self::SignatureIncomplete,
        Self::SignatureExpired,
        Self::SignatureMismatch,
        Self::CanvasTokenInvalid,
        Self::KeyUnknown,
        Self::KeysNotConfigured,
        Self::CallInvalid,
    ];

    /// Returns the value of the metric's label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokenMissing => "token_missing",
            Self::TokenUnknown => "token_unknown",
            Self::TokenExpired => "token_expired",
            Self::ScopeMissing => "scope_missing",
            Self::RateLimited => "rate_limited",
            Self::OidcTokenInvalid => "oidc_token_invalid",
            Self::ReachMissing => "reach_missing",
            Self::OidcKeysUnavailable => "oidc_keys_unavailable",
            Self::SignatureMissing => "signature_missing",
            Self::SignatureIncomplete => "signature_incomplete",
            Self::SignatureExpired => "signature_expired",
            Self::SignatureMismatch => "signature_mismatch",
            Self::CanvasTokenInvalid => "canvas_token_invalid",
            Self::KeyUnknown => "key_unknown",
            Self::KeysNotConfigured => "keys_not_configured",
            Self::CallInvalid => "call_invalid",
        }
    }
}

/// The facts for the log line of a refused request, without the address.
#[derive(Clone, Copy, Debug)]
pub struct RefusedRequest<'a> {
    /// Why the request was refused.
    pub reason: Reason,
    /// The id of the token, if the token is known. Never the token itself.
    pub token_id: Option<&'a str>,
    /// The access key id that the signature names. Never a secret.
    pub access_key_id: Option<&'a str>,
    /// The requested operation or path.
    pub target: &'a str,
    /// More about the reason. Never part of a body.
    pub detail: &'a str,
}

/// Counts refused requests, and logs a limited number of them.
#[derive(Debug)]
pub struct Refusals(Mutex<LineWindow>);

/// The log lines of one minute.
#[derive(Debug)]
struct LineWindow {
    ends: Instant,
    lines_of_address: HashMap<(Reason, Option<IpAddr>), u32>,
    lines_of_reason: HashMap<Reason, u32>,
    left_out: u64,
}

impl LineWindow {
    fn starting(now: Instant) -> Self {
        Self {
            ends: now + WINDOW,
            lines_of_address: HashMap::new(),
            lines_of_reason: HashMap::new(),
            left_out: 0,
        }
    }

    /// Returns true and counts the line if it may be logged. Otherwise counts it as left out.
    fn try_add_line(&mut self, reason: Reason, address: Option<IpAddr>) -> bool {
        let reason_lines = self.lines_of_reason.entry(reason).or_default();
        if *reason_lines < MAX_LINES_OF_REASON {
            let address_lines = self.lines_of_address.entry((reason, address)).or_default();
            if *address_lines < MAX_LINES_OF_ADDRESS {
                *reason_lines += 1;
                *address_lines += 1;
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
    /// Creates a counter of refusals, and registers the metric with 0 for every reason.
    pub fn new() -> Self {
        describe_counter!(
            REFUSED,
            "Requests refused because of the token, its limits, the signature or an invalid Kinesis call, by reason."
        );
        for reason in Reason::ALL {
            counter!(REFUSED, "reason" => reason.as_str()).increment(0);
        }
        Self(Mutex::new(LineWindow::starting(Instant::now())))
    }

    /// Counts the refusal of the request with this head, and logs it if the limits allow it.
    pub fn note(&self, head: &Parts, refused: RefusedRequest<'_>) {
        let reason = refused.reason;
        counter!(REFUSED, "reason" => reason.as_str()).increment(1);
        let address = peer_address(head);
        self.report_left_out();
        if self.window().try_add_line(reason, address) {
            warn!(
                reason = reason.as_str(),
                from = address.map(tracing::field::display),
                forwarded_for = forwarded_for(head).map(tracing::field::display),
                token = refused.token_id,
                access_key_id = refused.access_key_id.map(shortened),
                asked = shortened(refused.target),
                detail = shortened(refused.detail),
                "request refused"
            );
        }
    }

    /// Logs how many refusals were not logged, once the window is over.
    pub fn report_left_out(&self) {
        let left_out = {
            let (mut window, now) = (self.window(), Instant::now());
            if now < window.ends {
                return;
            }
            std::mem::replace(&mut *window, LineWindow::starting(now)).left_out
        };
        if left_out > 0 {
            warn!(left_out, "refused requests not logged");
        }
    }

    fn window(&self) -> MutexGuard<'_, LineWindow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the client address that a proxy reports. Without a trusted proxy, clients can forge it.
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
