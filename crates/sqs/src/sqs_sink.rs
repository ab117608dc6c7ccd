//! The sink that sends events to a queue.
//!
//! - A request has up to ten messages. The service answers for each message, and so does the sink.
//! - With order by key, a request has one message of each key, and the next message of the key goes out after
//!   the earlier one was accepted. So a failure of one message never lets a later one of its key overtake it.
//! - A request that is too long is sent again in halves. A message that is too long alone is the event's fault.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use bytes::Bytes;
use easel_catalog::OrderKey;
use easel_log::{Clock, SystemClock};
use easel_sinks::{Batch, EndpointAnswer, Order, Outcome, Results, SendError, Sink, SinkLimits};
use tokio::time::{Instant, timeout_at};

use crate::queue_client::QueueClient;
use crate::queue_error::QueueError;
use crate::sqs_message::{self, FifoGroup, MAX_ATTRIBUTE_BYTES};

/// The most messages of a request, a limit of SQS.
const MAX_MESSAGES: usize = 10;
/// The most bytes of a request. SQS takes 1 MiB now, and took 256 KiB until 2025. A larger message is sent alone.
const MAX_REQUEST_BYTES: usize = 256 * 1024;
/// How long a batch that is not full waits for more events. Each request costs money.
const GATHER: Duration = Duration::from_millis(50);
/// The timeout of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// The timeout of one attempt, which can be several requests.
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(1);
/// The most deliveries that a crash repeats.
const MAX_REPEATED: u64 = 1000;

/// What a sink needs.
#[derive(Debug)]
pub struct SqsSinkOptions {
    /// The client for the queue.
    pub client: QueueClient,
    /// The most batches in flight.
    pub max_in_flight: usize,
}

/// The sink that sends events to a queue.
#[derive(Debug)]
pub struct SqsSink {
    client: QueueClient,
    max_in_flight: usize,
}

/// The results of an attempt so far.
struct AttemptProgress<'a> {
    batch: &'a Batch,
    results: Vec<Option<Result<(), SendError>>>,
}

impl SqsSink {
    /// Creates a sink. It makes no connection before the first batch.
    pub fn new(options: SqsSinkOptions) -> Self {
        Self {
            client: options.client,
            max_in_flight: options.max_in_flight,
        }
    }

    /// Sends all items of a batch, in several requests if necessary. Stops if the queue cannot be used.
    async fn send_all(&self, progress: &mut AttemptProgress<'_>) -> Result<(), QueueError> {
        loop {
            let round = progress.next_round();
            if round.is_empty() {
                return Ok(());
            }
            let mut requests = self.requests(progress.batch, &round)?;
            requests.reverse();
            while let Some(mut request) = requests.pop() {
                match self.post(&request, progress).await {
                    Ok(()) => (),
                    Err(error) if error.is_too_long() => {
                        if let [(index, _)] = request.as_slice() {
                            progress.settle(*index, Err(error.into_send_error()));
                            continue;
                        }
                        let second = request.split_off(request.len() / 2);
                        requests.extend([second, request]);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Divides the messages of items into requests of a size that the service accepts.
    fn requests(
        &self,
        batch: &Batch,
        round: &[usize],
    ) -> Result<Vec<Vec<(usize, SendMessageBatchRequestEntry)>>, QueueError> {
        let now = SystemClock.now();
        let is_fifo = self.client.address().is_fifo();
        let (mut requests, mut bytes) = (Vec::<Vec<_>>::new(), 0);
        for &index in round {
            let Some(item) = batch.items.get(index) else {
                continue;
            };
            let group = is_fifo.then(|| FifoGroup {
                key: batch.key(index),
                replay: batch.replay,
            });
            let entry = sqs_message::entry(item, index, group, now)?;
            let size = sqs_message::size(&entry);
            let has_room = |request: &&mut Vec<_>| {
                request.len() < MAX_MESSAGES && bytes + size <= MAX_REQUEST_BYTES
            };
            match requests.last_mut().filter(has_room) {
                Some(request) => {
                    bytes += size;
                    request.push((index, entry));
                }
                None => {
                    bytes = size;
                    requests.push(vec![(index, entry)]);
                }
            }
        }
        Ok(requests)
    }

    /// Sends one request, and records the result of each of its messages.
    async fn post(
        &self,
        request: &[(usize, SendMessageBatchRequestEntry)],
        progress: &mut AttemptProgress<'_>,
    ) -> Result<(), QueueError> {
        let client = self.client.get(REQUEST_TIMEOUT).await;
        let entries = request
            .iter()
            .map(|(_index, entry)| entry.clone())
            .collect();
        let answer = client
            .send_message_batch()
            .queue_url(self.client.address().queue_url())
            .set_entries(Some(entries))
            .send()
            .await?;
        let index_of = |id: &str| {
            let mut entries = request.iter();
            entries.find_map(|(index, entry)| (entry.id() == id).then_some(*index))
        };
        for accepted in answer.successful() {
            if let Some(index) = index_of(accepted.id()) {
                progress.settle(index, Ok(()));
            }
        }
        for failed in answer.failed() {
            if let Some(index) = index_of(failed.id()) {
                let error = QueueError::of_entry(failed).into_send_error();
                progress.settle(index, Err(error));
            }
        }
        for (index, _entry) in request {
            progress.settle_if_open(*index, || SendError::Refused {
                reason: "the queue did not answer for this message".to_owned(),
            });
        }
        Ok(())
    }
}

impl AttemptProgress<'_> {
    fn new(batch: &Batch) -> AttemptProgress<'_> {
        AttemptProgress {
            batch,
            results: vec![None; batch.items.len()],
        }
    }

    /// Returns the items to send next: those without a result, one of each key. An item whose key has a failure
    /// waits for its next attempt.
    fn next_round(&mut self) -> Vec<usize> {
        let (mut round, mut keys, mut failed) = (Vec::new(), HashSet::new(), HashSet::new());
        for index in 0..self.batch.items.len() {
            let key: Option<OrderKey> = self.batch.key(index);
            match self.results.get(index).and_then(Option::as_ref) {
                // An event that is given up lets the next one of its key pass.
                Some(Ok(()) | Err(SendError::Rejected { .. })) => (),
                Some(Err(_)) => failed.extend(key),
                None if key.is_some_and(|key| failed.contains(&key)) => {
                    let reason = "an earlier event with the same key was not accepted".to_owned();
                    let retry_after = None;
                    self.settle(
                        index,
                        Err(SendError::Busy {
                            reason,
                            retry_after,
                        }),
                    );
                }
                None if key.is_none_or(|key| keys.insert(key)) => round.push(index),
                None => (),
            }
        }
        round
    }

    fn settle(&mut self, index: usize, result: Result<(), SendError>) {
        if let Some(place) = self.results.get_mut(index) {
            *place = Some(result);
        }
    }

    fn settle_if_open(&mut self, index: usize, error: impl FnOnce() -> SendError) {
        if let Some(place @ None) = self.results.get_mut(index) {
            *place = Some(Err(error()));
        }
    }

    /// Ends the attempt. Items without a result failed with `error`.
    fn into_outcome(self, error: Option<QueueError>) -> Outcome {
        let answer = error.as_ref().and_then(|error| {
            error.status().map(|status| EndpointAnswer {
                status,
                body: Bytes::from(error.to_string()),
            })
        });
        let open = error.map_or(SendError::TimedOut, QueueError::into_send_error);
        let results = if self.results.iter().all(Option::is_none) {
            Results::All(Err(open))
        } else {
            let results = self.results.into_iter();
            Results::Each(
                results
                    .map(|result| result.unwrap_or_else(|| Err(open.clone())))
                    .collect(),
            )
        };
        Outcome {
            results,
            answer,
            pause_reason: None,
        }
    }
}

#[async_trait]
impl Sink for SqsSink {
    fn limits(&self) -> SinkLimits {
        SinkLimits {
            max_items: MAX_MESSAGES,
            max_bytes: MAX_REQUEST_BYTES - MAX_MESSAGES * MAX_ATTRIBUTE_BYTES,
            gather: GATHER,
            max_in_flight: self.max_in_flight,
            order: Order::Any,
            max_repeated: MAX_REPEATED,
        }
    }

    fn host(&self) -> Option<&str> {
        Some(self.client.address().host())
    }

    async fn send(&self, batch: &Batch) -> Outcome {
        let mut progress = AttemptProgress::new(batch);
        let deadline = Instant::now() + ATTEMPT_TIMEOUT;
        let sent = timeout_at(deadline, self.send_all(&mut progress)).await;
        let error = match sent {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error),
            Err(_elapsed) => Some(QueueError::TimedOut),
        };
        progress.into_outcome(error)
    }
}
