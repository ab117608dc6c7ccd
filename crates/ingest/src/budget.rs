//! How many bytes of requests may be in memory at once.
//!
//! Room is taken before bytes are read and given back when the request is answered. Who finds
//! none waits in line until a deadline. Room comes in units of 16 KiB, so that a body read piece
//! by piece seldom asks. What a body becomes on its way to the log, its events minified, takes up
//! to as much again and is not counted twice here.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

const UNIT: usize = 16 * 1024;

/// How many bytes of requests may be in memory at once.
#[derive(Debug)]
pub(crate) struct Budget(Arc<Semaphore>);

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.div_ceil(UNIT))))
    }

    /// Takes room for `bytes`; waits for it, and for any more later, until `deadline`.
    pub(crate) async fn reserve(&self, bytes: usize, deadline: Instant) -> Result<Room, NoRoom> {
        let permit = take(Arc::clone(&self.0), bytes.div_ceil(UNIT), deadline).await?;
        Ok(Room { permit, deadline })
    }
}

/// Room for some bytes, given back on drop.
#[derive(Debug)]
pub(crate) struct Room {
    permit: OwnedSemaphorePermit,
    deadline: Instant,
}

impl Room {
    /// How many bytes there is room for: what was asked for, rounded up.
    pub(crate) fn bytes(&self) -> usize {
        self.permit.num_permits() * UNIT
    }

    /// Takes more, unless there is room for `bytes` already.
    pub(crate) async fn grow_to(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let more = bytes
            .div_ceil(UNIT)
            .saturating_sub(self.permit.num_permits());
        if more > 0 {
            let semaphore = Arc::clone(self.permit.semaphore());
            self.permit
                .merge(take(semaphore, more, self.deadline).await?);
        }
        Ok(())
    }

    /// Gives back what is not needed for `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let spare = self
            .permit
            .num_permits()
            .saturating_sub(bytes.div_ceil(UNIT));
        drop(self.permit.split(spare));
    }
}

/// There was no room until the deadline.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

async fn take(
    semaphore: Arc<Semaphore>,
    units: usize,
    deadline: Instant,
) -> Result<OwnedSemaphorePermit, NoRoom> {
    let units = u32::try_from(units).map_err(|_too_many| NoRoom)?;
    match timeout_at(deadline, semaphore.acquire_many_owned(units)).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_closed)) => Err(NoRoom),
        Err(_elapsed) => Err(NoRoom),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_room_is_held_until_the_deadline() {
        let budget = Budget::new(2 * UNIT);
        let _all = budget.reserve(2 * UNIT, soon()).await.unwrap();
        let start = Instant::now();
        assert_eq!(budget.reserve(1, soon()).await.unwrap_err(), NoRoom);
        assert_eq!(start.elapsed().as_secs(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn room_given_back_goes_to_who_waits() {
        let budget = Budget::new(2 * UNIT);
        let mut all = budget.reserve(2 * UNIT, soon()).await.unwrap();
        let waiting = budget.reserve(UNIT, soon());
        let giving = async { all.shrink_to(1) };
        let (room, ()) = tokio::join!(waiting, giving);
        assert_eq!(room.unwrap().bytes(), UNIT);
    }

    #[tokio::test(start_paused = true)]
    async fn two_that_want_more_than_there_is_do_not_wait_for_ever() {
        let budget = Budget::new(2 * UNIT);
        let mut one = budget.reserve(UNIT, soon()).await.unwrap();
        let mut two = budget.reserve(UNIT, soon()).await.unwrap();
        let grown = tokio::join!(one.grow_to(2 * UNIT), two.grow_to(2 * UNIT));
        assert_eq!(grown, (Err(NoRoom), Err(NoRoom)));
    }

    #[tokio::test]
    async fn dropped_room_is_free_again() {
        let budget = Budget::new(UNIT);
        drop(budget.reserve(UNIT, soon()).await.unwrap());
        assert!(budget.reserve(UNIT, soon()).await.is_ok());
    }
}
