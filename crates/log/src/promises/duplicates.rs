//! Promises about duplicates.

use super::{Backend, append, open, read_all, stored};
use crate::{Appended, Offset};

/// A known id is not stored again, neither in the same append nor in a later one.
pub async fn reports_a_duplicate_with_the_offset_of_the_first<B: Backend>() {
    let (_backend, log, _) = open::<B>(99).await;
    let twice = append(&log, [5, 6, 5]).await;
    assert_eq!(twice[..2], stored(0..2));
    assert_eq!(twice[2], Appended::Duplicate(Offset::new(0)));
    assert_eq!(
        append(&log, [6]).await,
        [Appended::Duplicate(Offset::new(1))]
    );
    assert_eq!(append(&log, [7]).await, stored([2]));
    assert_eq!(log.stats().duplicate_count, 2);
    assert_eq!(read_all(&*log, Offset::ZERO).await.0.len(), 3);
}

/// The duplicate window never exceeds its limit.
pub async fn forgets_ids_beyond_the_window<B: Backend>() {
    let (_backend, log, _) = open::<B>(2).await;
    append(&log, [0, 1, 2]).await;
    assert_eq!(
        append(&log, [1]).await,
        [Appended::Duplicate(Offset::new(1))]
    );
    assert_eq!(append(&log, [0]).await, stored([3]));
}

/// A duplicate window of size zero turns the detection of duplicates off.
pub async fn stores_duplicates_when_the_window_is_off<B: Backend>() {
    let (_backend, log, _) = open::<B>(0).await;
    assert_eq!(append(&log, [1, 1]).await, stored(0..2));
    assert_eq!(append(&log, [1]).await, stored([2]));
    assert_eq!(log.stats().duplicate_count, 0);
}

/// The duplicate window survives a reopen. Ids of trimmed records are forgotten.
pub async fn finds_duplicates_after_a_reopen<B: Backend>() {
    let (backend, log, _) = open::<B>(3).await;
    append(&log, [0, 1]).await;
    append(&log, [2, 3]).await;
    append(&log, [4]).await;
    log.trim_to(Offset::new(4)).await.unwrap();
    drop(log);
    let backend = backend.reopen().await;
    let log = backend.log();
    assert_eq!(
        append(&log, [4, 3, 0]).await,
        [vec![Appended::Duplicate(Offset::new(4))], stored(5..7)].concat()
    );
}
