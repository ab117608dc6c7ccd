//! Limits the memory that all requests take together.
//!
//! *Room* is memory of this budget. A request reserves room before it reads its body, and more room
//! before it uses more memory: while a body of unknown size grows, and before parsing. It gives back
//! all room after its answer. A request without room waits in a queue.
//!
//! Two requests that both have room and wait for more could deadlock. So a part of the budget, the
//! *reserve*, is large enough for everything that one request can need. Only one request at a time
//! can take the reserve, and only if it already has room. This request can always finish.
//!
//! Room is counted in units of 16 KiB, so that a growing body rarely has to reserve more.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

const UNIT: usize = 16 * 1024;

/// The memory budget of all requests.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    /// One permit for each unit of room.
    shared: Arc<Semaphore>,
    /// One permit for the whole reserve.
    reserve: Arc<Semaphore>,
    reserve_bytes: usize,
}

impl Budget {
    /// Creates a budget of `shared_bytes` for all requests, and a reserve of `reserve_bytes`.
    pub(crate) fn new(shared_bytes: usize, reserve_bytes: usize) -> Self {
        Self {
            shared: Arc::new(Semaphore::new(shared_bytes.div_ceil(UNIT))),
            reserve: Arc::new(Semaphore::new(usize::from(reserve_bytes > 0))),
            reserve_bytes,
        }
    }

    /// Returns the most bytes that one request can take.
    pub(crate) const fn reserve_bytes(&self) -> usize {
        self.reserve_bytes
    }

    /// Reserves room for `bytes`. Waits at most `max_wait`, now and each time the room has to grow.
    pub(crate) async fn reserve(
        &self,
        bytes: usize,
        max_wait: Duration,
    ) -> Result<Reservation, NoRoom> {
        let units = to_units(bytes)?;
        match timeout(max_wait, Arc::clone(&self.shared).acquire_many_owned(units)).await {
            Ok(Ok(permit)) => Ok(Reservation {
                budget: self.clone(),
                permit,
                reserve: None,
                max_wait,
            }),
            Ok(Err(_closed)) => Err(NoRoom),
            Err(_elapsed) => Err(NoRoom),
        }
    }
}

/// Room for some bytes. Drop gives it back.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Budget,
    permit: OwnedSemaphorePermit,
    reserve: Option<OwnedSemaphorePermit>,
    max_wait: Duration,
}

impl Reservation {
    /// Returns the bytes of room: the reserved bytes, rounded up, or the whole reserve.
    pub(crate) fn bytes(&self) -> usize {
        let reserve = self
            .reserve
            .as_ref()
            .map_or(0, |_| self.budget.reserve_bytes);
        std::cmp::max(self.permit.num_permits() * UNIT, reserve)
    }

    /// Grows the room to at least `bytes`. Fails immediately if there is no more room.
    pub(crate) fn try_grow_to(&mut self, bytes: usize) -> Result<(), NoRoom> {
        if bytes <= self.bytes() {
            return Ok(());
        }
        let shared = Arc::clone(&self.budget.shared);
        if let Ok(more) = shared.try_acquire_many_owned(self.missing_units(bytes)?) {
            self.permit.merge(more);
            return Ok(());
        }
        if bytes > self.budget.reserve_bytes {
            return Err(NoRoom);
        }
        let reserve = Arc::clone(&self.budget.reserve);
        self.reserve = Some(reserve.try_acquire_owned().map_err(|_taken| NoRoom)?);
        Ok(())
    }

    /// Grows the room to at least `bytes`. Waits at most `max_wait` for more room.
    pub(crate) async fn grow_to(&mut self, bytes: usize) -> Result<(), NoRoom> {
        if self.try_grow_to(bytes).is_ok() {
            return Ok(());
        }
        let units = self.missing_units(bytes)?;
        let Budget {
            shared, reserve, ..
        } = self.budget.clone();
        let may_use_reserve = bytes <= self.budget.reserve_bytes;
        tokio::select! {
            biased;
            Ok(more) = shared.acquire_many_owned(units) => self.permit.merge(more),
            Ok(permit) = reserve.acquire_owned(), if may_use_reserve => self.reserve = Some(permit),
            () = tokio::time::sleep(self.max_wait) => return Err(NoRoom),
        }
        Ok(())
    }

    /// Gives back the room that is not needed for `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let reserved = self.permit.num_permits();
        let needed = bytes.div_ceil(UNIT);
        if needed <= reserved {
            self.reserve = None;
        }
        drop(self.permit.split(reserved.saturating_sub(needed)));
    }

    fn missing_units(&self, bytes: usize) -> Result<u32, NoRoom> {
        Ok(to_units(bytes)?.saturating_sub(to_units(self.permit.num_permits() * UNIT)?))
    }
}

/// An error: there was no room in time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

fn to_units(bytes: usize) -> Result<u32, NoRoom> {
    u32::try_from(bytes.div_ceil(UNIT)).map_err(|_too_many| NoRoom)
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const MAX_WAIT: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_request_without_room_fails_after_the_maximum_wait() {
        let budget = Budget::new(2 * UNIT, UNIT);
        let _all = budget.reserve(2 * UNIT, MAX_WAIT).await.unwrap();
        let start = Instant::now();
        assert_eq!(budget.reserve(1, MAX_WAIT).await.unwrap_err(), NoRoom);
        assert_eq!(start.elapsed(), MAX_WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn room_given_back_goes_to_the_request_that_waits() {
        let budget = Budget::new(2 * UNIT, 0);
        let mut all = budget.reserve(2 * UNIT, MAX_WAIT).await.unwrap();
        let waiting = budget.reserve(UNIT, MAX_WAIT);
        let giving = async { all.shrink_to(1) };
        let (room, ()) = tokio::join!(waiting, giving);
        assert_eq!(room.unwrap().bytes(), UNIT);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_all_need_more_room_get_the_reserve_one_after_another() {
        let budget = Budget::new(4 * UNIT, 3 * UNIT);
        let rooms = (0..4).map(|_| budget.reserve(UNIT, MAX_WAIT));
        let rooms = futures::future::try_join_all(rooms).await.unwrap();
        let grow = rooms.into_iter().map(async |mut room: Reservation| {
            room.grow_to(3 * UNIT).await?;
            tokio::task::yield_now().await;
            assert!(room.bytes() >= 3 * UNIT);
            Ok(())
        });
        let grown: Vec<Result<(), NoRoom>> = futures::future::join_all(grow).await;
        assert_eq!(grown, [Ok(()), Ok(()), Ok(()), Ok(())]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_never_gets_more_room_than_the_reserve() {
        let budget = Budget::new(2 * UNIT, 2 * UNIT);
        let mut room = budget.reserve(UNIT, MAX_WAIT).await.unwrap();
        assert_eq!(room.grow_to(3 * UNIT).await, Err(NoRoom));
        assert_eq!(room.grow_to(2 * UNIT).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_reserve_is_for_one_request_at_a_time() {
        let budget = Budget::new(2 * UNIT, 2 * UNIT);
        let mut first = budget.reserve(UNIT, MAX_WAIT).await.unwrap();
        let mut second = budget.reserve(UNIT, MAX_WAIT).await.unwrap();
        assert_eq!(first.try_grow_to(2 * UNIT), Ok(()));
        assert_eq!(second.grow_to(2 * UNIT).await, Err(NoRoom));
        first.shrink_to(UNIT);
        assert_eq!(second.grow_to(2 * UNIT).await, Ok(()));
    }

    #[tokio::test]
    async fn dropped_room_is_free_again() {
        let budget = Budget::new(UNIT, 0);
        drop(budget.reserve(UNIT, MAX_WAIT).await.unwrap());
        assert!(budget.reserve(UNIT, MAX_WAIT).await.is_ok());
    }
}
