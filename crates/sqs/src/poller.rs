//! One poller of a queue: it receives messages, stores them, and then deletes them.
//!
//! - A message is deleted only after it is on stable storage, in the log or in quarantine.
//! - While the log is slow, the messages stay invisible to other readers.
//! - A poller goes on receiving while earlier messages are stored and deleted, up to [`MAX_UNDER_WAY`] receives.
//! - When the queue cannot be read, or nothing can be stored, the poller waits longer and longer.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName,
};
use easel_ingest::{Intake, MessageCopy, MessagesNotStored, QueueMessage};
use easel_log::Clock;
use easel_sources::{Source, SourceOutcome};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::queue_client::QueueClient;
use crate::queue_error::QueueError;

/// How long a receive waits for messages, the most that SQS allows.
const WAIT_SECONDS: i32 = 20;
/// The most messages of one receive, a limit of SQS.
const MAX_MESSAGES: i32 = 10;
/// The timeout of a request, longer than the wait for messages.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(35);
/// The most receives whose messages a poller stores and deletes at the same time.
const MAX_UNDER_WAY: usize = 4;
/// An empty answer in less time means that the queue does not wait for messages.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// When messages that are not stored yet become invisible for longer for the first time, and how often then.
const EXTEND_AFTER: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(20)];
/// How long they become invisible.
const EXTENSION_SECONDS: i32 = 60;
/// How often messages that were not deleted are tried again, after the first time.
const MAX_DELETE_RETRIES: u32 = 5;
/// The first pause after a failure, and the longest one.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_mins(1)];

/// One poller of a queue.
#[derive(Clone, Debug)]
pub(crate) struct Poller {
    pub(crate) source: Arc<Source>,
    pub(crate) client: Arc<QueueClient>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Poller {
    /// Reads until `stop`. Then stores and deletes what was received.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let poller = Arc::new(self);
        let permits = Arc::new(Semaphore::new(MAX_UNDER_WAY));
        let mut under_way = JoinSet::new();
        let mut failure_count = 0;
        loop {
            while let Some(ended) = under_way.try_join_next() {
                failure_count = poller.after(ended, failure_count);
            }
            if failure_count > 0 {
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = sleep(pause(failure_count)) => (),
                }
            }
            let permit = tokio::select! {
                () = stop.cancelled() => break,
                permit = Arc::clone(&permits).acquire_owned() => permit,
            };
            // The semaphore is never closed.
            let Ok(permit) = permit else { break };
            let began_at = Instant::now();
            let received = tokio::select! {
                () = stop.cancelled() => break,
                received = poller.receive() => received,
            };
            match received {
                Ok(messages) if messages.is_empty() => {
                    poller.source.health.set_reachable();
                    failure_count = 0;
                    tokio::select! {
                        () = stop.cancelled() => break,
                        () = sleep_until(began_at + SHORTEST_WAIT) => (),
                    }
                }
                Ok(messages) => {
                    poller.source.health.set_reachable();
                    let poller = Arc::clone(&poller);
                    under_way.spawn(async move {
                        let stored = Box::pin(poller.take(messages)).await;
                        drop(permit);
                        stored
                    });
                }
                Err(error) => {
                    failure_count += 1;
                    let reason = error.to_string();
                    if failure_count == 1 {
                        let queue = poller.client.address();
                        warn!(source = %poller.source.spec.name, %queue, error = reason, "queue cannot be read");
                    }
                    poller
                        .source
                        .health
                        .set_unreachable(&reason, poller.clock.now());
                }
            }
        }
        while let Some(ended) = under_way.join_next().await {
            failure_count = poller.after(ended, failure_count);
        }
    }

    /// Returns the number of failures in a row, after messages were stored or not.
    fn after(
        &self,
        ended: Result<Result<(), MessagesNotStored>, tokio::task::JoinError>,
        failure_count: u32,
    ) -> u32 {
        let reason = match ended {
            Ok(Ok(())) => return 0,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        warn!(source = %self.source.spec.name, error = reason, "messages of a queue not stored");
        self.source.health.note_failure(&reason, self.clock.now());
        failure_count + 1
    }

    async fn receive(&self) -> Result<Vec<Message>, QueueError> {
        let received = self
            .client
            .get(REQUEST_TIMEOUT)
            .await
            .receive_message()
            .queue_url(self.client.address().queue_url())
            .wait_time_seconds(WAIT_SECONDS)
            .max_number_of_messages(MAX_MESSAGES)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
            .await?;
        Ok(received.messages.unwrap_or_default())
    }

    /// Stores messages and deletes them.
    async fn take(&self, mut messages: Vec<Message>) -> Result<(), MessagesNotStored> {
        let count = messages.len() as u64;
        let handles: Vec<_> = messages
            .iter_mut()
            .map(|message| message.receipt_handle.take().unwrap_or_default())
            .collect();
        let messages = messages.into_iter().map(to_queue_message).collect();
        let stored = self.intake.take_messages(&self.source, messages);
        let stored = self.keep_invisible_during(stored, &handles).await;
        let now = self.clock.now();
        match stored {
            Ok(outcomes) => {
                for (outcome, count) in outcomes {
                    self.source.count(outcome, count, now);
                }
            }
            Err(error) => {
                // They become visible again, and come back.
                self.source.count(SourceOutcome::Failed, count, now);
                return Err(error);
            }
        }
        self.delete(handles).await;
        Ok(())
    }

    /// Awaits `storing`, and keeps the messages invisible to other readers while it takes long.
    async fn keep_invisible_during<T>(
        &self,
        storing: impl Future<Output = T>,
        handles: &[String],
    ) -> T {
        let mut storing = std::pin::pin!(storing);
        let [first, then] = EXTEND_AFTER;
        let mut next = Instant::now() + first;
        loop {
            tokio::select! {
                stored = &mut storing => return stored,
                () = sleep_until(next) => (),
            }
            next = Instant::now() + then;
            tokio::select! {
                stored = &mut storing => return stored,
                extended = self.extend(handles) => if let Err(error) = extended {
                    debug!(source = %self.source.spec.name, %error, "messages not kept invisible");
                },
            }
        }
    }

    async fn extend(&self, handles: &[String]) -> Result<(), QueueError> {
        let entries = handles.iter().enumerate().filter_map(|(index, handle)| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(handle)
                .visibility_timeout(EXTENSION_SECONDS);
            entry.build().ok()
        });
        self.client
            .get(REQUEST_TIMEOUT)
            .await
            .change_message_visibility_batch()
            .queue_url(self.client.address().queue_url())
            .set_entries(Some(entries.collect()))
            .send()
            .await?;
        Ok(())
    }

    /// Deletes messages. Tries those again that were not deleted. What remains comes back later, and is
    /// then a duplicate.
    async fn delete(&self, handles: Vec<String>) {
        let mut left = handles;
        for retry in 0..=MAX_DELETE_RETRIES {
            if retry > 0 {
                sleep(pause(retry)).await;
            }
            match self.delete_once(&left).await {
                Ok(failed) if failed.is_empty() => return,
                Ok(failed) => left = failed,
                Err(error) => {
                    debug!(source = %self.source.spec.name, %error, "messages not deleted");
                }
            }
        }
        let count = left.len();
        warn!(source = %self.source.spec.name, count, "stored messages not deleted; they come back as duplicates");
    }

    /// Deletes messages. Returns those that were not deleted and may be deleted later.
    async fn delete_once(&self, handles: &[String]) -> Result<Vec<String>, QueueError> {
        let entries = handles.iter().enumerate().filter_map(|(index, handle)| {
            let entry = DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(handle);
            entry.build().ok()
        });
        let answer = self
            .client
            .get(REQUEST_TIMEOUT)
            .await
            .delete_message_batch()
            .queue_url(self.client.address().queue_url())
            .set_entries(Some(entries.collect()))
            .send()
            .await?;
        let failed = answer.failed().iter().filter_map(|failed| {
            let handle = handles.get(failed.id().parse::<usize>().ok()?)?;
            // The receipt handle has expired. Only the next receive of the message gives a new one.
            let is_final = failed.sender_fault();
            (!is_final).then(|| handle.clone())
        });
        Ok(failed.collect())
    }
}

fn to_queue_message(message: Message) -> QueueMessage {
    let system = message.attributes.as_ref();
    let attribute =
        |name: MessageSystemAttributeName| system.and_then(|attributes| attributes.get(&name));
    let sent_at = attribute(MessageSystemAttributeName::SentTimestamp);
    let sent_at = sent_at.and_then(|millis| Timestamp::from_millisecond(millis.parse().ok()?).ok());
    let receive_count = attribute(MessageSystemAttributeName::ApproximateReceiveCount);
    let copy = match receive_count.map(String::as_str) {
        Some("1") => MessageCopy::First,
        Some(_) | None => MessageCopy::Later,
    };
    let event_name = message.message_attributes.as_ref().and_then(|attributes| {
        let value = attributes.get("event_name")?.string_value()?;
        Some(Arc::from(value))
    });
    QueueMessage {
        body: message.body.unwrap_or_default().into(),
        event_name,
        message_id: message.message_id.map(Arc::from),
        sent_at,
        copy,
    }
}

/// Returns the pause after failures: twice as long after each one, and up to a third shorter by chance, so that
/// pollers do not all come back at once.
fn pause(failure_count: u32) -> Duration {
    let [first, longest] = PAUSES;
    let exponent = std::cmp::min(failure_count.saturating_sub(1), 10);
    let pause = std::cmp::min(first * 2_u32.pow(exponent), longest);
    pause.mul_f64(1.0 - fastrand::f64() / 3.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_minute_and_vary() {
        let seconds = |count| pause(count).as_secs_f64();
        assert!((0.33..=0.5).contains(&seconds(1)));
        assert!((2.6..=4.0).contains(&seconds(4)));
        assert!((40.0..=60.0).contains(&seconds(100)));
        assert_ne!(pause(9), pause(9));
    }

    #[test]
    fn a_message_keeps_its_id_time_and_event_name() {
        let value = aws_sdk_sqs::types::MessageAttributeValue::builder()
            .data_type("String")
            .string_value("course_created")
            .build()
            .unwrap();
        let message = Message::builder()
            .body("{}")
            .message_id("m-1")
            .attributes(MessageSystemAttributeName::SentTimestamp, "1700000000123")
            .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "1")
            .message_attributes("event_name", value)
            .build();
        let message = to_queue_message(message);
        assert_eq!(message.message_id.as_deref(), Some("m-1"));
        assert_eq!(message.event_name.as_deref(), Some("course_created"));
        assert_eq!(
            message.sent_at,
            Timestamp::from_millisecond(1_700_000_000_123).ok()
        );
        assert_eq!(message.copy, MessageCopy::First);
        let copy = to_queue_message(Message::builder().build()).copy;
        assert_eq!(copy, MessageCopy::Later, "nobody knows");
    }
}
