//! A sink that keeps what it is given.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use easel_sinks::{Parcel, SendError, Sink};
use tokio::sync::watch;

use crate::arrivals::Arrivals;

type Answer = Box<dyn FnMut(&Parcel) -> Result<(), SendError> + Send>;
type Which = Box<dyn Fn(&Parcel) -> bool + Send + Sync>;

/// A sink that keeps every parcel and answers as it is told; at first it takes everything.
pub struct RecordingSink {
    parcels: Arrivals<Parcel>,
    hanging: watch::Sender<Which>,
    answer: Mutex<Answer>,
}

impl RecordingSink {
    /// A sink that takes everything.
    pub fn new() -> Self {
        Self {
            parcels: Arrivals::default(),
            hanging: watch::Sender::new(Box::new(|_parcel| false)),
            answer: Mutex::new(Box::new(|_parcel| Ok(()))),
        }
    }

    /// Answers each parcel with what `answer` says.
    pub fn answer_with(
        &self,
        answer: impl FnMut(&Parcel) -> Result<(), SendError> + Send + 'static,
    ) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(answer);
    }

    /// Gives these answers one after another, then takes everything.
    pub fn answer_in_turn(
        &self,
        answers: impl IntoIterator<Item = Result<(), SendError>, IntoIter: Send + 'static>,
    ) {
        let mut answers = answers.into_iter();
        self.answer_with(move |_parcel| answers.next().unwrap_or(Ok(())));
    }

    /// Whether parcels wait for their answer from here on; those that wait go on when this is
    /// taken back. A parcel counts as received before it waits.
    pub fn hang(&self, hang: bool) {
        self.hang_for(move |_parcel| hang);
    }

    /// The same for some parcels only.
    pub fn hang_for(&self, which: impl Fn(&Parcel) -> bool + Send + Sync + 'static) {
        drop(self.hanging.send_replace(Box::new(which)));
    }

    /// The parcels received so far, in order.
    pub fn received(&self) -> Vec<Parcel> {
        self.parcels.all()
    }

    /// Waits until at least `count` parcels were received, and answers all of them.
    pub async fn wait_for(&self, count: usize) -> Vec<Parcel> {
        self.parcels.wait_for(count).await
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
            .field("parcels", &self.parcels)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Sink for RecordingSink {
    async fn send(&self, parcel: Parcel) -> Result<(), SendError> {
        self.parcels.push(parcel.clone());
        // An error means that nobody is left to release it, which `self` rules out.
        drop(
            self.hanging
                .subscribe()
                .wait_for(|hangs| !hangs(&parcel))
                .await,
        );
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer(&parcel)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;

    use bytes::Bytes;
    use tokio::task::JoinSet;
    use uuid::Uuid;

    use super::*;

    fn parcel() -> Parcel {
        Parcel {
            id: Uuid::nil(),
            event_name: "course_created".into(),
            event_time: String::from("2025-03-03T08:00:00Z"),
            subscription: "data-team".into(),
            attempt: NonZeroU32::MIN,
            mapper_version: None,
            body: Bytes::from_static(b"{}"),
        }
    }

    #[tokio::test]
    async fn answers_are_given_in_turn_and_then_everything_is_taken() {
        let sink = RecordingSink::new();
        sink.answer_in_turn([Err(SendError::Gone), Ok(()), Err(SendError::TimedOut)]);
        let mut answers = Vec::new();
        for _ in 0..4 {
            answers.push(sink.send(parcel()).await);
        }
        assert_eq!(
            answers,
            [
                Err(SendError::Gone),
                Ok(()),
                Err(SendError::TimedOut),
                Ok(())
            ]
        );
        assert_eq!(sink.received().len(), 4);
    }

    #[tokio::test]
    async fn a_hanging_sink_has_received_and_answers_once_it_is_released() {
        let sink = Arc::new(RecordingSink::new());
        sink.hang(true);
        let mut sends = JoinSet::new();
        let hanging = Arc::clone(&sink);
        sends.spawn(async move { hanging.send(parcel()).await });
        assert_eq!(sink.wait_for(1).await, [parcel()]);
        assert!(sends.try_join_next().is_none());
        sink.hang(false);
        assert_eq!(sends.join_all().await, [Ok(())]);
    }
}
