//! Verifies the body of a request of a source, and turns it into a record.

use std::sync::Arc;

use bytes::Bytes;
use easel_catalog::{Fault, Limits};
use easel_keys::{JwtError, JwtVerifier};
use easel_log::NewRecord;
use easel_quarantine::NewQuarantined;
use easel_sources::Source;
use jiff::Timestamp;
use thiserror::Error;

use super::hook_body::{HookBody, event_of_claims};
use crate::body::BufferedBody;
use crate::door::Door;
use crate::intake::{BodyParser, PART_BYTES, ParseError, Parsed};
use crate::record::{HostedArrival, hosted_record};

/// The code of a record whose root account the source does not accept.
pub(crate) const ACCOUNT_NOT_ACCEPTED: &str = "account_not_accepted";

/// Verifies and parses the requests of a source.
#[derive(Debug)]
pub(super) struct HookParser {
    pub(super) source: Arc<Source>,
    /// The keys of the source; `None` if its events are not signed.
    pub(super) verifier: Option<Arc<JwtVerifier>>,
    pub(super) limits: Limits,
    pub(super) now: Timestamp,
}

/// Why a request of a source is refused.
#[derive(Debug, Error)]
pub(super) enum HookRefusal {
    /// The body is not a JWT, but the events of the source are signed.
    #[error("the body must be a signed JWT; switch on \"Sign Payload\" in Canvas")]
    NotSigned,
    /// The JWT is invalid.
    #[error(transparent)]
    Jwt(#[from] JwtError),
}

impl HookRefusal {
    /// Returns true if newer keys could verify the JWT.
    pub(super) const fn needs_newer_keys(&self) -> bool {
        matches!(
            self,
            Self::Jwt(JwtError::UnknownKid { .. } | JwtError::UnusableKey { .. })
        )
    }
}

impl BodyParser for HookParser {
    type Answer = ();
    type Refusal = HookRefusal;

    fn parse(&self, buffered: &mut BufferedBody) -> Result<Parsed<()>, ParseError<HookRefusal>> {
        // The decoded claims, the event that is cut out of them, and the stored form of the event.
        buffered.make_room(3 * buffered.bytes.len() + PART_BYTES)?;
        let refused = |refusal| ParseError::Refused(refusal);
        let received = match (HookBody::parse(&buffered.bytes), &self.verifier) {
            (HookBody::Token(token), Some(verifier)) => {
                let verified = verifier.verify(&token, self.now);
                let verified = verified.map_err(|error| refused(error.into()))?;
                event_of_claims(&verified.payload).into_owned()
            }
            (HookBody::Plain(_), Some(_)) => return Err(refused(HookRefusal::NotSigned)),
            (HookBody::Token(text) | HookBody::Plain(text), None) => text.into_owned(),
        };
        let arrival = HostedArrival {
            source: Some(self.source.spec.name.to_shared()),
            ..HostedArrival::default()
        };
        let record = hosted_record(&received, &self.limits, arrival, None);
        let (events, invalid_records) = match record.map_err(Invalid::from) {
            Ok(record) => match Invalid::check_account(&self.source, &record) {
                Ok(()) => (vec![record], Vec::new()),
                Err(invalid) => (Vec::new(), vec![self.quarantined(invalid, received)]),
            },
            Err(invalid) => (Vec::new(), vec![self.quarantined(invalid, received)]),
        };
        Ok(Parsed {
            events,
            invalid_records,
            answer: (),
        })
    }
}

/// Why an authentic request is not an event of its source.
pub(crate) struct Invalid {
    pub(crate) code: &'static str,
    pub(crate) detail: String,
}

impl From<Fault> for Invalid {
    fn from(fault: Fault) -> Self {
        Self {
            code: fault.code.as_str(),
            detail: fault.to_string(),
        }
    }
}

impl Invalid {
    /// Rejects an event of a root account that the source does not accept.
    pub(crate) fn check_account(source: &Source, record: &NewRecord) -> Result<(), Self> {
        let id = record.provenance.root_account_id.as_deref();
        let uuid = record.provenance.root_account_uuid.as_deref();
        if source.spec.accepts_account(id, uuid) {
            return Ok(());
        }
        let account = id.or(uuid).unwrap_or("none");
        Err(Self {
            code: ACCOUNT_NOT_ACCEPTED,
            detail: format!("the source does not accept events of the root account {account}"),
        })
    }
}

impl HookParser {
    fn quarantined(&self, invalid: Invalid, received: Vec<u8>) -> NewQuarantined {
        NewQuarantined {
            door: Door::Hook.as_str(),
            code: invalid.code.to_owned(),
            detail: invalid.detail,
            source: Some(self.source.spec.name.to_shared()),
            reach: None,
            event_name: None,
            message_id: None,
            bytes: Bytes::from(received),
        }
    }
}
