//! Turns the body of a part into records of the log and of the quarantine.

use std::sync::Arc;

use bytes::Bytes;
use easel_catalog::{Fault, FaultCode, Limits};
use easel_log::{Arrival, NewRecord};
use easel_quarantine::NewQuarantined;
use easel_sources::{ImportKey, RecordPlace};
use jiff::Timestamp;

use super::part_frames::{Frame, FrameFault, frames};
use crate::Intake;
use crate::body::BufferedBody;
use crate::door::Door;
use crate::intake::{BodyParser, PART_BYTES, ParseError, Parsed};
use crate::record::{HostedArrival, hosted_record};

/// Parses the body of a part.
#[derive(Debug)]
pub(super) struct PartParser {
    pub(super) key: ImportKey,
    /// The source of the records.
    pub(super) source: Arc<str>,
    pub(super) location: Arc<str>,
    pub(super) start: u64,
    pub(super) limits: Limits,
}

/// The places of the records of a part.
#[derive(Debug, Default)]
pub(super) struct PartPlaces {
    /// The places of the events, in order.
    pub(super) events: Vec<u64>,
    /// The records that are not events, in order.
    pub(super) faults: Vec<PlacedFault>,
    /// The place of the last record.
    pub(super) last: Option<u64>,
}

/// A record that is not an event.
#[derive(Clone, Debug)]
pub(super) struct PlacedFault {
    pub(super) at: u64,
    pub(super) code: &'static str,
    pub(super) detail: String,
}

impl BodyParser for PartParser {
    type Answer = PartPlaces;
    type Refusal = FrameFault;

    fn parse(
        &self,
        buffered: &mut BufferedBody,
    ) -> Result<Parsed<PartPlaces>, ParseError<FrameFault>> {
        let frames = frames(&buffered.bytes, self.start, Intake::MAX_EVENTS);
        let frames = frames.map_err(ParseError::Refused)?;
        // The stored form of each record.
        buffered.make_room(buffered.bytes.len() + frames.len() * PART_BYTES)?;
        let mut places = PartPlaces {
            last: frames.last().map(|frame| frame.head.at),
            ..PartPlaces::default()
        };
        let (mut events, mut invalid_records) = (Vec::new(), Vec::new());
        for frame in frames {
            let sent = buffered.bytes.get(frame.range.clone()).unwrap_or_default();
            match self.record(&frame, sent, events.last()) {
                Ok(record) => {
                    places.events.push(frame.head.at);
                    events.push(record);
                }
                Err(fault) => {
                    invalid_records.push(self.quarantined(&frame, &fault, sent));
                    places.faults.push(fault);
                }
            }
        }
        Ok(Parsed {
            events,
            invalid_records,
            answer: places,
        })
    }
}

impl PartParser {
    fn record(
        &self,
        frame: &Frame,
        sent: &[u8],
        previous: Option<&NewRecord>,
    ) -> Result<NewRecord, PlacedFault> {
        let head = &frame.head;
        let placed = |code, detail| PlacedFault {
            at: head.at,
            code,
            detail,
        };
        if let Some(total) = head.total_length {
            let max = self.limits.max_event_bytes;
            let detail = format!("the event has {total} bytes, the maximum is {max}");
            return Err(placed(FaultCode::TooLarge.as_str(), detail));
        }
        let sent_at = head.sent_at.map(Timestamp::from_millisecond);
        let arrival = HostedArrival {
            event_name: head.event_name.as_deref(),
            source: Some(Arc::clone(&self.source)),
            arrival: Some(Arrival {
                message_id: Some(self.place(head.at).to_string().into()),
                sent_at: sent_at.and_then(Result::ok),
            }),
        };
        let record = hosted_record(sent, &self.limits, arrival, previous);
        record.map_err(|fault: Fault| placed(fault.code.as_str(), fault.to_string()))
    }

    /// Returns the place of a record, by which it is found in the log after a crash.
    fn place(&self, at: u64) -> RecordPlace {
        RecordPlace {
            key: self.key.clone(),
            at,
        }
    }

    fn quarantined(&self, frame: &Frame, fault: &PlacedFault, sent: &[u8]) -> NewQuarantined {
        NewQuarantined {
            door: Door::Import.as_str(),
            code: fault.code.to_owned(),
            detail: format!(
                "{}; in {} at byte {}",
                fault.detail, self.location, fault.at
            ),
            source: Some(Arc::clone(&self.source)),
            reach: None,
            event_name: frame.head.event_name.as_deref().map(Arc::from),
            message_id: Some(self.place(fault.at).to_string().into()),
            bytes: Bytes::copy_from_slice(sent),
        }
    }
}
