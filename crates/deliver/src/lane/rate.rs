//! How many events a lane may send a second.

use std::time::Duration;

use easel_subscriptions::MaxRate;
use tokio::time::Instant;

/// What a lane may send at once after a rest: the events of so long a time, and one at least.
const BURST: Duration = Duration::from_millis(100);

/// Keeps a lane to a number of events a second.
#[derive(Debug)]
pub(super) struct Rate {
    /// The time that one event takes.
    per_event: Duration,
    /// When everything that was sent so far has taken its time.
    paid_until: Instant,
}

impl Rate {
    pub(super) fn new(rate: MaxRate) -> Self {
        Self {
            per_event: Duration::from_secs(1) / rate.get(),
            paid_until: Instant::now(),
        }
    }

    /// When the next events may be sent; `None` if that is now.
    pub(super) fn ready_at(&self) -> Option<Instant> {
        let ready_at = self.paid_until.checked_sub(BURST)?;
        (ready_at > Instant::now()).then_some(ready_at)
    }

    /// Records that so many events are sent.
    pub(super) fn spend(&mut self, event_count: usize) {
        let count = u32::try_from(event_count).unwrap_or(u32::MAX);
        let from = std::cmp::max(self.paid_until, Instant::now());
        self.paid_until = from + self.per_event.saturating_mul(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_events_a_second_are_sent_and_no_more() {
        let mut rate = Rate::new(50.try_into().unwrap());
        let began = Instant::now();
        for _ in 0..500 {
            if let Some(ready_at) = rate.ready_at() {
                tokio::time::sleep_until(ready_at).await;
            }
            rate.spend(1);
        }
        let secs = began.elapsed().as_secs_f64();
        assert!((9.7..10.1).contains(&secs), "{secs}");
        // A rest allows no more than a short burst.
        tokio::time::advance(Duration::from_mins(1)).await;
        let burst = (0..).take_while(|_| {
            let is_ready = rate.ready_at().is_none();
            rate.spend(1);
            is_ready
        });
        assert!(burst.count() <= 7);
    }
}
