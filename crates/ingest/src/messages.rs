//! The hosted SQS door: stores the messages of a queue that a source sends to.
//!
//! The room `easel-sqs` receives the messages, and deletes them at the queue after this door has stored them.
//! A message that is no event of its source is put into quarantine. A copy of it that comes later is not: the
//! quarantine knows the ids of messages.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use easel_log::{Appended, Arrival, NewRecord};
use easel_quarantine::NewQuarantined;
use easel_sources::{Source, SourceOutcome};
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

use crate::Intake;
use crate::door::Door;
use crate::hooks::Invalid;
use crate::intake::{NotStored, PART_BYTES};
use crate::record::{HostedArrival, hosted_record};
use crate::work::on_cpu;

/// How far the clocks of the queue and of this server may differ.
const MAX_CLOCK_SKEW: SignedDuration = SignedDuration::from_hours(1);

/// A message of a queue.
#[derive(Clone, Debug)]
pub struct QueueMessage {
    /// The body.
    pub body: Bytes,
    /// The attribute `event_name`.
    pub event_name: Option<Arc<str>>,
    /// The id that the queue gave the message.
    pub message_id: Option<Arc<str>>,
    /// When the queue accepted the message.
    pub sent_at: Option<Timestamp>,
    /// Whether the queue has handed the message out before.
    pub copy: MessageCopy,
}

/// Whether a queue has handed a message out before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageCopy {
    /// This is the first time.
    First,
    /// The message came before, or nobody knows.
    Later,
}

/// Why messages are not stored. They may be stored in spite of the error, even later.
#[derive(Debug, Error)]
#[error("store the messages: {reason}")]
pub struct MessagesNotStored {
    reason: String,
}

/// The messages of one receive, parsed.
struct ParsedMessages {
    events: Vec<NewRecord>,
    /// The invalid messages, with the time when the queue accepted each.
    invalid: Vec<(NewQuarantined, MessageCopy, Option<Timestamp>)>,
}

impl Intake {
    /// Stores messages, events in the log and the rest in quarantine. Returns how many had each outcome, once
    /// everything is on stable storage.
    ///
    /// The caller bounds the memory of the messages it has received. The room for everything that is made from
    /// them is reserved here.
    pub async fn take_messages(
        &self,
        source: &Arc<Source>,
        messages: Vec<QueueMessage>,
    ) -> Result<Vec<(SourceOutcome, u64)>, MessagesNotStored> {
        let count = messages.len();
        let body_bytes: usize = messages.iter().map(|message| message.body.len()).sum();
        // The stored form of an event, and the event in the queue of the log.
        let bytes = 2 * body_bytes + count * PART_BYTES;
        let mut room = self.reserve(bytes).await?;
        let (limits, owner) = (*self.limits(), Arc::clone(source));
        let work = move || parse(&owner, &limits, messages);
        let ParsedMessages { events, invalid } = on_cpu(body_bytes, work).await;
        let (invalid, known_count) = self.without_known(invalid).await?;
        let invalid_count = invalid.len();
        let (appended, quarantined) = tokio::join!(
            self.append(Door::Sqs, events),
            self.quarantine_records(Door::Sqs, invalid, &mut room),
        );
        let appended = appended?;
        quarantined?;
        let is_stored = |result: &&Appended| matches!(result, Appended::Stored(_));
        let stored_count = appended.iter().filter(is_stored).count();
        let duplicate_count = appended.len() - stored_count + known_count;
        let outcomes = [
            (SourceOutcome::Accepted, stored_count),
            (SourceOutcome::Duplicate, duplicate_count),
            (SourceOutcome::Quarantined, invalid_count),
        ];
        let outcomes = outcomes.map(|(outcome, count)| (outcome, count as u64));
        Ok(outcomes.into())
    }

    /// Removes the messages that the quarantine has already. Returns the others, and the number of those removed.
    async fn without_known(
        &self,
        invalid: Vec<(NewQuarantined, MessageCopy, Option<Timestamp>)>,
    ) -> Result<(Vec<NewQuarantined>, usize), MessagesNotStored> {
        let later = invalid
            .iter()
            .filter(|(_, copy, _)| *copy == MessageCopy::Later);
        let (mut ids, mut since) = (HashSet::new(), Timestamp::MAX);
        for (record, _copy, sent_at) in later {
            ids.extend(record.message_id.clone());
            since = std::cmp::min(since, sent_at.unwrap_or(Timestamp::MIN));
        }
        let since = since.checked_sub(MAX_CLOCK_SKEW).unwrap_or(Timestamp::MIN);
        let known = if ids.is_empty() {
            HashSet::new()
        } else {
            let found = self.quarantine().find_messages(&ids, since).await;
            found.map_err(|error| MessagesNotStored {
                reason: error.to_string(),
            })?
        };
        let count = invalid.len();
        let records = invalid.into_iter().map(|(record, _, _)| record);
        let is_new = |record: &NewQuarantined| {
            let id = record.message_id.as_ref();
            id.is_none_or(|id| !known.contains(id))
        };
        let unknown: Vec<_> = records.filter(is_new).collect();
        let known_count = count - unknown.len();
        Ok((unknown, known_count))
    }
}

fn parse(
    source: &Source,
    limits: &easel_catalog::Limits,
    messages: Vec<QueueMessage>,
) -> ParsedMessages {
    let (mut events, mut invalid) = (Vec::<NewRecord>::new(), Vec::new());
    for message in messages {
        let QueueMessage {
            body,
            event_name,
            message_id,
            sent_at,
            copy,
        } = message;
        let hosted = HostedArrival {
            event_name: event_name.as_deref(),
            source: Some(source.spec.name.to_shared()),
            arrival: Some(Arrival {
                message_id: message_id.as_deref().map(Box::from),
                sent_at,
            }),
        };
        let record = hosted_record(&body, limits, hosted, events.last()).map_err(Invalid::from);
        let checked = record.and_then(|record| {
            Invalid::check_account(source, &record)?;
            Ok(record)
        });
        match checked {
            Ok(record) => events.push(record),
            Err(Invalid { code, detail }) => {
                let record = NewQuarantined {
                    door: Door::Sqs.as_str(),
                    code: code.to_owned(),
                    detail,
                    source: Some(source.spec.name.to_shared()),
                    reach: None,
                    event_name,
                    message_id,
                    bytes: body,
                };
                invalid.push((record, copy, sent_at));
            }
        }
    }
    ParsedMessages { events, invalid }
}

impl From<NotStored> for MessagesNotStored {
    fn from(error: NotStored) -> Self {
        Self {
            reason: error.to_string(),
        }
    }
}
