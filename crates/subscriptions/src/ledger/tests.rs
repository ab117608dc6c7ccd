//! The ledger against a model that simply remembers every offset's fate.

use easel_log::{Bounds, Offset};
use proptest::prelude::*;

use super::{Ledger, Loss, Settled};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Unseen,
    Unwanted,
    Owed,
    Delivered,
    Trimmed,
    Damaged,
}

#[derive(Clone, Debug)]
enum Step {
    /// New events: how many arrive, then which of the unseen ones are wanted.
    Scan(Vec<bool>),
    Lose(u64, bool),
    /// Settles the owed offset at this index, counted from the oldest.
    Deliver(usize),
    LoseOwed(usize),
    /// Saves; with `true` the process dies after it and comes back.
    Save(bool),
    Trim(u64),
}

struct Model {
    start: u64,
    fates: Vec<Known>,
    tail: u64,
}

impl Model {
    fn owed(&self) -> Vec<u64> {
        let numbered = (self.start..).zip(&self.fates);
        numbered
            .filter(|(_, fate)| **fate == Known::Owed)
            .map(|(offset, _)| offset)
            .collect()
    }

    fn set(&mut self, offset: u64, fate: Known) {
        self.fates[usize::try_from(offset - self.start).unwrap()] = fate;
    }

    fn first_unseen(&self) -> u64 {
        let seen = self.fates.iter().position(|fate| *fate == Known::Unseen);
        self.start + u64::try_from(seen.unwrap_or(self.fates.len())).unwrap()
    }

    fn head(&self) -> u64 {
        self.start + u64::try_from(self.fates.len()).unwrap()
    }

    fn cursor(&self) -> u64 {
        let open = |fate: &Known| matches!(fate, Known::Unseen | Known::Owed);
        let settled = self.fates.iter().position(open);
        self.start + u64::try_from(settled.unwrap_or(self.fates.len())).unwrap()
    }

    fn count(&self, wanted: &[Known]) -> u64 {
        let before = usize::try_from(self.cursor() - self.start).unwrap();
        let settled = self.fates[..before]
            .iter()
            .filter(|fate| wanted.contains(fate));
        u64::try_from(settled.count()).unwrap()
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => proptest::collection::vec(any::<bool>(), 0..12).prop_map(Step::Scan),
        1 => (0..5_u64, any::<bool>()).prop_map(|(count, damaged)| Step::Lose(count, damaged)),
        6 => (0..40_usize).prop_map(Step::Deliver),
        1 => (0..40_usize).prop_map(Step::LoseOwed),
        2 => any::<bool>().prop_map(Step::Save),
        1 => (0..8_u64).prop_map(Step::Trim),
    ]
}

proptest! {
    #[test]
    fn the_balance_always_adds_up_and_agrees_with_the_model(
        start in 0..1000_u64,
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let mut ledger = Ledger::new(Offset::new(start));
        let mut model = Model { start, fates: Vec::new(), tail: start };
        let mut saved = ledger.settled();
        for step in steps {
            match step {
                Step::Scan(wanted) => {
                    for wanted in wanted {
                        let offset = model.head();
                        model.fates.push(if wanted { Known::Owed } else { Known::Unwanted });
                        if wanted {
                            ledger.owe(Offset::new(offset));
                        } else {
                            ledger.scan_to(Offset::new(offset + 1));
                        }
                    }
                }
                Step::Lose(count, damaged) => {
                    let to = model.head() + count;
                    let fate = if damaged { Known::Damaged } else { Known::Trimmed };
                    model.fates.extend((0..count).map(|_| fate));
                    ledger.lose_to(Offset::new(to), if damaged { Loss::Damaged } else { Loss::Trimmed });
                }
                Step::Deliver(index) => {
                    let owed = model.owed();
                    if let Some(offset) = owed.get(index) {
                        model.set(*offset, Known::Delivered);
                        ledger.deliver(Offset::new(*offset));
                        // A second word of the same delivery changes nothing.
                        ledger.deliver(Offset::new(*offset));
                    }
                }
                Step::LoseOwed(index) => {
                    let owed = model.owed();
                    if let Some(offset) = owed.get(index) {
                        model.set(*offset, Known::Trimmed);
                        ledger.lose(Offset::new(*offset), Loss::Trimmed);
                    }
                }
                Step::Save(dies) => {
                    saved = ledger.settled();
                    ledger.saved(saved);
                    if dies {
                        let beyond = model.count(&[Known::Delivered]);
                        prop_assert_eq!(saved.delivered, beyond);
                        ledger = Ledger::restore(Offset::new(start), saved);
                        model.fates.truncate(usize::try_from(saved.cursor.get() - start).unwrap());
                    }
                }
                Step::Trim(count) => {
                    // Only what was settled is trimmed here; the next test covers the rest.
                    model.tail = std::cmp::min(model.tail + count, model.cursor());
                }
            }
            let bounds = Bounds { tail: Offset::new(model.tail), head: Offset::new(model.head()) };
            let balance = ledger.balance(bounds);
            prop_assert!(balance.adds_up(), "{:?}", balance);
            prop_assert_eq!(balance.cursor.get(), model.cursor());
            prop_assert_eq!(balance.delivered, model.count(&[Known::Delivered]));
            prop_assert_eq!(balance.filtered, model.count(&[Known::Unwanted]));
            prop_assert_eq!(balance.expired, model.count(&[Known::Trimmed, Known::Damaged]));
            prop_assert_eq!(balance.damaged, model.count(&[Known::Damaged]));
            prop_assert_eq!(ledger.scanned().get(), model.first_unseen());
            prop_assert!(ledger.unsaved() >= balance.delivered - saved.delivered);
        }
    }

    #[test]
    fn the_balance_adds_up_whatever_was_trimmed(
        start in 0..50_u64,
        cursor in 0..50_u64,
        tail in 0..120_u64,
        head in 0..50_u64,
    ) {
        let settled = Settled {
            cursor: Offset::new(start + cursor),
            delivered: cursor,
            ..Settled::default()
        };
        let ledger = Ledger::restore(Offset::new(start), settled);
        let head = start + cursor + head;
        let bounds = Bounds { tail: Offset::new(std::cmp::min(tail, head)), head: Offset::new(head) };
        let balance = ledger.balance(bounds);
        prop_assert!(balance.adds_up(), "{:?}", balance);
        prop_assert_eq!(balance.expired, bounds.tail.get().saturating_sub(start + cursor));
    }
}

#[test]
fn what_is_recalled_is_sent_again_and_nothing_else_is() {
    let mut ledger = Ledger::new(Offset::ZERO);
    for offset in 0..4 {
        ledger.owe(Offset::new(offset));
    }
    let taken: Vec<_> = std::iter::from_fn(|| ledger.take_unsent()).collect();
    assert_eq!(taken.len(), 4);
    ledger.deliver(Offset::new(1));

    ledger.recall();

    let again: Vec<_> = std::iter::from_fn(|| ledger.take_unsent())
        .map(Offset::get)
        .collect();
    assert_eq!(again, [0, 2, 3]);
}

#[test]
fn what_the_log_dropped_expires_at_once_but_for_what_is_being_sent() {
    let mut ledger = Ledger::new(Offset::ZERO);
    for offset in 0..4 {
        ledger.owe(Offset::new(offset));
    }
    let [first, second] = [(); 2].map(|()| ledger.take_unsent().unwrap());
    ledger.begin_attempt(first);
    ledger.begin_attempt(second);
    ledger.fail_attempt(second);
    // Two more came in and were never looked at.
    let tail = Offset::new(6);
    ledger.expire_to(tail);
    ledger.expire_to(tail);
    assert_eq!(ledger.take_losses(), 5);
    assert_eq!(ledger.take_losses(), 0);
    assert_eq!(
        (ledger.is_owed(first), ledger.is_owed(second)),
        (true, false)
    );
    assert_eq!((ledger.owed_count(), ledger.first_unsent()), (5, None));

    // Its answer counts, although the log no longer has the event.
    ledger.deliver(first);
    let head = Offset::new(8);
    let balance = ledger.balance(Bounds { tail, head });
    assert!(balance.adds_up(), "{balance:?}");
    assert_eq!(
        (balance.delivered, balance.expired, balance.pending),
        (1, 5, 2)
    );
}

#[test]
fn every_way_to_lose_an_event_is_counted_once() {
    let mut ledger = Ledger::new(Offset::ZERO);
    ledger.lose_to(Offset::new(2), Loss::Trimmed);
    ledger.lose_to(Offset::new(5), Loss::Damaged);
    ledger.owe(Offset::new(5));
    ledger.lose(Offset::new(5), Loss::Damaged);
    ledger.lose(Offset::new(5), Loss::Trimmed);
    ledger.owe(Offset::new(6));
    ledger.deliver(Offset::new(6));
    ledger.scan_to(Offset::new(9));
    assert_eq!(ledger.take_losses(), 6);
}
