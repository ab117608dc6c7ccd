//! A sink that records the batches it receives.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use easel_sinks::{Batch, Order, Outcome, SendError, Sink, SinkLimits};
use tokio::sync::watch;

use crate::arrivals::Arrivals;

type BatchAnswer = Box<dyn FnMut(&Batch) -> Result<(), SendError> + Send>;
type BatchPredicate = Box<dyn Fn(&Batch) -> bool + Send + Sync>;

/// A sink that records every batch and answers as the test says. By default it accepts everything.
pub struct RecordingSink {
    batches: Arrivals<Batch>,
    hanging: watch::Sender<BatchPredicate>,
    answer: Mutex<BatchAnswer>,
}

impl RecordingSink {
    /// Creates a sink that accepts everything.
    pub fn new() -> Self {
        Self {
            batches: Arrivals::default(),
            hanging: watch::Sender::new(Box::new(|_batch| false)),
            answer: Mutex::new(Box::new(|_batch| Ok(()))),
        }
    }

    /// Answers each batch with the result that `answer` returns.
    pub fn answer_with(
        &self,
        answer: impl FnMut(&Batch) -> Result<(), SendError> + Send + 'static,
    ) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(answer);
    }

    /// Gives these answers in order, one per batch. After the last one, accepts everything.
    pub fn answer_in_order(
        &self,
        answers: impl IntoIterator<Item = Result<(), SendError>, IntoIter: Send + 'static>,
    ) {
        let mut answers = answers.into_iter();
        self.answer_with(move |_batch| answers.next().unwrap_or(Ok(())));
    }

    /// `true` delays the answers to all later batches. `false` releases the batches that wait. A batch
    /// counts as received before it waits.
    pub fn hang(&self, hang: bool) {
        self.hang_if(move |_batch| hang);
    }

    /// Delays the answer to each batch for which `hangs` is true. Releases the other batches.
    pub fn hang_if(&self, hangs: impl Fn(&Batch) -> bool + Send + Sync + 'static) {
        drop(self.hanging.send_replace(Box::new(hangs)));
    }

    /// Returns the batches received so far, in order.
    pub fn received(&self) -> Vec<Batch> {
        self.batches.all()
    }

    /// Waits until at least `count` batches were received, then returns all of them.
    pub async fn wait_for(&self, count: usize) -> Vec<Batch> {
        self.batches.wait_for(count).await
    }
}

impl Default for RecordingSink {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RecordingSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingSink")
            .field("batches", &self.batches)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Sink for RecordingSink {
    fn limits(&self) -> SinkLimits {
        SinkLimits {
            max_items: 1,
            max_bytes: usize::MAX,
            gather: Duration::ZERO,
            max_in_flight: 16,
            order: Order::Any,
            max_repeated: 1_000,
        }
    }

    async fn send(&self, batch: &Batch) -> Outcome {
        self.batches.push(batch.clone());
        // An error would mean that the sender was dropped. `self` holds the sender.
        drop(
            self.hanging
                .subscribe()
                .wait_for(|hangs| !hangs(batch))
                .await,
        );
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        Outcome::all(answer(batch))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;

    use super::*;
    use crate::batch;

    fn gone() -> SendError {
        SendError::Gone {
            reason: String::new(),
        }
    }

    #[tokio::test]
    async fn answers_are_given_in_order_and_then_everything_is_accepted() {
        let sink = RecordingSink::new();
        sink.answer_in_order([Err(gone()), Ok(()), Err(SendError::TimedOut)]);
        let mut answers = Vec::new();
        for _ in 0..4 {
            answers.push(sink.send(&batch("{}")).await);
        }
        assert_eq!(
            answers,
            [Err(gone()), Ok(()), Err(SendError::TimedOut), Ok(())].map(Outcome::all)
        );
        assert_eq!(sink.received().len(), 4);
    }

    #[tokio::test]
    async fn a_hanging_sink_records_the_batch_and_answers_after_its_release() {
        let sink = Arc::new(RecordingSink::new());
        sink.hang(true);
        let mut sends = JoinSet::new();
        let hanging = Arc::clone(&sink);
        sends.spawn(async move { hanging.send(&batch("{}")).await });
        assert_eq!(sink.wait_for(1).await.len(), 1);
        assert!(sends.try_join_next().is_none());
        sink.hang(false);
        assert_eq!(sends.join_all().await, [Outcome::all(Ok(()))]);
    }
}
