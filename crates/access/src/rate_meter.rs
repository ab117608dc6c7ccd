//! How fast a token may send: requests each second, and bytes of request bodies each second.
//!
//! An allowance holds what one second brings, so a token may use one second's worth at once. A request is
//! refused while less than one request is left, or while bytes are owed. The bytes of one request are never
//! cut: a large request goes through, and the bytes that it takes in advance are owed until time has paid
//! them back.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What a part of a request or of a byte is counted in. With nanoseconds, an allowance is exact.
const PARTS: i128 = 1_000_000_000;

/// The limits of a token. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenLimits {
    /// The most requests each second.
    pub max_requests_per_second: Option<NonZeroU32>,
    /// The most bytes of request bodies each second, as they were sent.
    pub max_bytes_per_second: Option<NonZeroU64>,
}

/// Measures the requests of one token.
#[derive(Debug)]
pub(crate) struct RateMeter(Mutex<MeterState>);

#[derive(Debug)]
struct MeterState {
    requests: Option<Allowance>,
    bytes: Option<Allowance>,
    filled_at: Instant,
}

/// What is left of a rate.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    per_second: i128,
    /// In [`PARTS`]. Below zero, so much is owed.
    left: i128,
}

impl Allowance {
    const fn full(per_second: i128) -> Self {
        Self {
            per_second,
            left: per_second * PARTS,
        }
    }

    fn add(&mut self, parts: i128) {
        let full = self.per_second * PARTS;
        self.left = std::cmp::min(self.left.saturating_add(parts), full);
    }

    /// Returns how long it takes until `wanted` is left; zero if so much is left now.
    fn wait(&self, wanted: i128) -> Duration {
        let missing = wanted - self.left;
        if missing <= 0 {
            return Duration::ZERO;
        }
        // A rate of N each second brings N parts each nanosecond.
        let nanos = (missing + self.per_second - 1) / self.per_second;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl RateMeter {
    pub(crate) fn new(limits: TokenLimits) -> Self {
        let (requests, bytes) = rates(limits);
        Self(Mutex::new(MeterState {
            requests: requests.map(Allowance::full),
            bytes: bytes.map(Allowance::full),
            filled_at: Instant::now(),
        }))
    }

    /// Changes the limits. What is owed stays owed.
    pub(crate) fn set_limits(&self, limits: TokenLimits) {
        let (requests, bytes) = rates(limits);
        let mut state = self.filled();
        let changed = |old: Option<Allowance>, per_second: Option<i128>| {
            let per_second = per_second?;
            let left = old.map_or(per_second * PARTS, |old| old.left);
            let left = std::cmp::min(left, per_second * PARTS);
            Some(Allowance { per_second, left })
        };
        state.requests = changed(state.requests, requests);
        state.bytes = changed(state.bytes, bytes);
    }

    /// Counts one request, if it may go through now. Otherwise returns how long the sender must wait.
    pub(crate) fn take_request(&self) -> Result<(), Duration> {
        let mut state = self.filled();
        let for_request = state
            .requests
            .map_or(Duration::ZERO, |left| left.wait(PARTS));
        let for_bytes = state.bytes.map_or(Duration::ZERO, |left| left.wait(1));
        let wait = std::cmp::max(for_request, for_bytes);
        if wait > Duration::ZERO {
            return Err(wait);
        }
        if let Some(requests) = &mut state.requests {
            requests.left -= PARTS;
        }
        Ok(())
    }

    pub(crate) fn limits_bytes(&self) -> bool {
        self.state().bytes.is_some()
    }

    /// Counts bytes of a body.
    pub(crate) fn charge(&self, bytes: u64) {
        if let Some(left) = &mut self.filled().bytes {
            left.left = left.left.saturating_sub(i128::from(bytes) * PARTS);
        }
    }

    /// Gives back bytes that were counted but never came.
    pub(crate) fn refund(&self, bytes: u64) {
        if let Some(left) = &mut self.filled().bytes {
            left.add(i128::from(bytes) * PARTS);
        }
    }

    /// Returns the state, with what the time since the last call has brought.
    fn filled(&self) -> MutexGuard<'_, MeterState> {
        let mut state = self.state();
        let now = Instant::now();
        let passed = now.saturating_duration_since(state.filled_at).as_nanos();
        let passed = i128::try_from(passed).unwrap_or(i128::MAX);
        state.filled_at = now;
        let MeterState {
            requests, bytes, ..
        } = &mut *state;
        for allowance in [requests, bytes].into_iter().flatten() {
            allowance.add(passed.saturating_mul(allowance.per_second));
        }
        state
    }

    // A panic under this lock leaves valid numbers, so a poisoned lock is ignored.
    fn state(&self) -> MutexGuard<'_, MeterState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn rates(limits: TokenLimits) -> (Option<i128>, Option<i128>) {
    let requests = limits.max_requests_per_second;
    let bytes = limits.max_bytes_per_second;
    (
        requests.map(|rate| i128::from(rate.get())),
        bytes.map(|rate| i128::from(rate.get())),
    )
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn limits(requests: u32, bytes: u64) -> TokenLimits {
        TokenLimits {
            max_requests_per_second: NonZeroU32::new(requests),
            max_bytes_per_second: NonZeroU64::new(bytes),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_second_of_requests_goes_through_at_once_and_no_more() {
        let meter = RateMeter::new(limits(3, 0));
        for _ in 0..3 {
            assert_eq!(meter.take_request(), Ok(()));
        }
        let wait = meter.take_request().unwrap_err();
        assert_eq!(wait, Duration::from_nanos(333_333_334));
        advance(wait).await;
        assert_eq!(meter.take_request(), Ok(()));
        assert!(meter.take_request().is_err());
        advance(Duration::from_hours(1)).await;
        for _ in 0..3 {
            assert_eq!(meter.take_request(), Ok(()));
        }
        assert!(meter.take_request().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_goes_through_and_its_bytes_are_owed() {
        let meter = RateMeter::new(limits(0, 1000));
        assert_eq!(meter.take_request(), Ok(()));
        meter.charge(6000);
        assert_eq!(
            meter.take_request(),
            Err(Duration::from_nanos(5_000_000_001))
        );
        advance(Duration::from_secs(5)).await;
        assert!(meter.take_request().is_err());
        advance(Duration::from_millis(1)).await;
        assert_eq!(meter.take_request(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_that_never_came_are_given_back() {
        let meter = RateMeter::new(limits(0, 1000));
        meter.charge(1_000_000);
        meter.refund(999_500);
        assert_eq!(meter.take_request(), Ok(()));
        meter.charge(500);
        assert!(meter.take_request().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn new_limits_do_not_forgive_what_is_owed() {
        let meter = RateMeter::new(limits(0, 1000));
        meter.charge(3000);
        meter.set_limits(limits(5, 2000));
        assert_eq!(
            meter.take_request(),
            Err(Duration::from_nanos(1_000_000_001))
        );
        meter.set_limits(limits(5, 0));
        assert_eq!(meter.take_request(), Ok(()));
        meter.set_limits(TokenLimits::default());
        for _ in 0..100 {
            assert_eq!(meter.take_request(), Ok(()));
        }
    }
}
