//! The rate limit of a lane.

use std::time::Duration;

use easel_subscriptions::MaxRate;
use tokio::time::Instant;

/// After idle time, a lane may send the events of this duration together, but at least one event.
const BURST: Duration = Duration::from_millis(100);

/// Limits a lane to a number of events per second.
#[derive(Debug)]
pub(super) struct Rate {
    /// The time per event.
    per_event: Duration,
    /// The end of the time that the sent events use up.
    paid_until: Instant,
}

impl Rate {
    pub(super) fn new(rate: MaxRate) -> Self {
        Self {
            per_event: Duration::from_secs(1) / rate.get(),
            paid_until: Instant::now(),
        }
    }

    /// Returns when the next events may be sent; `None` if they may be sent now.
    pub(super) fn ready_at(&self) -> Option<Instant> {
        let ready_at = self.paid_until.checked_sub(BURST)?;
        (ready_at > Instant::now()).then_some(ready_at)
    }

    /// Records that `event_count` events are sent.
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
    async fn the_rate_is_not_exceeded_except_for_a_short_burst() {
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
        // Idle time allows only a short burst.
        tokio::time::advance(Duration::from_mins(1)).await;
        let burst = (0..).take_while(|_| {
            let is_ready = rate.ready_at().is_none();
            rate.spend(1);
            is_ready
        });
        assert!(burst.count() <= 7);
    }
}
