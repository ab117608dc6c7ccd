//! Compares the account with a model that stores the state of every offset.

use std::collections::BTreeMap;
use std::sync::Arc;

use easel_log::{Bounds, Offset};
use proptest::prelude::*;

use super::{
    Account, DeadLetter, DeliveryRow, Due, FeedPosition, Journal, LaneTime, Loss, Parked,
    ReachTally,
};
use crate::{Balance, Term};
use easel_catalog::ReachRules;

mod confined;
mod examples;

/// What the filter says about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Unwanted,
    /// The event is wanted, but has no form in the format.
    OtherFormat,
    Wanted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Unmatched,
    Unwanted,
    OutOfReach,
    OtherFormat,
    Owed,
    Parked,
    Dead,
    Discarded,
    Delivered,
    Trimmed,
    Damaged,
    Skipped,
}

impl Fate {
    /// Returns true if the cursor stops at this offset.
    const fn is_open(self) -> bool {
        matches!(self, Self::Unmatched | Self::Owed)
    }

    /// Returns true if the event may still be delivered.
    const fn waits(self) -> bool {
        matches!(self, Self::Unmatched | Self::Owed | Self::Parked)
    }

    /// Returns true if a restart matches the event again.
    const fn is_found_again(self) -> bool {
        matches!(self, Self::Unmatched | Self::Owed | Self::Unwanted)
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Appends unmatched events.
    Append(Vec<Wish>),
    /// Matches this number of unmatched events, by the feed if the account follows it.
    Match(usize),
    /// Puts this number of unmatched events out of reach.
    LeaveOut(usize),
    /// Loses this number of unmatched events: damaged if true, else trimmed.
    Lose(usize, bool),
    Follow,
    Unfollow,
    /// Ends the owed offset at this index, counted from the oldest.
    Deliver(usize),
    /// Ends the owed offset at this index, because its event cannot be translated.
    FilterOut(usize),
    LoseOwed(usize),
    /// Parks the owed or parked offset at this index, counted from the oldest.
    Park(usize),
    GiveUp(usize),
    /// Redelivers the dead letter at this index, counted from the oldest.
    Redeliver(usize),
    Discard(usize),
    Forget(usize),
    SkipTo(usize),
    /// A save without an answer. It may have succeeded.
    SaveWithoutAnswer,
    Save,
    /// The process dies and restarts.
    Crash,
    Trim(usize),
}

struct Model {
    start: u64,
    wanted: Vec<Wish>,
    fates: Vec<Fate>,
    tail: usize,
}

impl Model {
    fn offset(&self, event_index: usize) -> Offset {
        Offset::new(self.start + event_index as u64)
    }

    /// Returns the indexes of the owed events.
    fn owed(&self) -> Vec<usize> {
        let indexes = 0..self.fates.len();
        indexes
            .filter(|event_index| self.fates[*event_index] == Fate::Owed)
            .collect()
    }

    /// Returns the indexes of the owed or parked events.
    fn waiting(&self) -> Vec<usize> {
        let indexes = 0..self.fates.len();
        let waits =
            |event_index: &usize| matches!(self.fates[*event_index], Fate::Owed | Fate::Parked);
        indexes.filter(waits).collect()
    }

    /// Returns the indexes of the next `count` unmatched events.
    fn next_unmatched(&self, count: usize) -> Vec<usize> {
        let indexes = 0..self.fates.len();
        let unmatched = indexes.filter(|event_index| self.fates[*event_index] == Fate::Unmatched);
        unmatched.take(count).collect()
    }

    fn count(&self, fates: &[Fate]) -> u64 {
        self.fates
            .iter()
            .filter(|fate| fates.contains(fate))
            .count() as u64
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            tail: self.offset(self.tail),
            head: self.offset(self.fates.len()),
        }
    }

    /// Returns the model after a crash, if `self` was saved and `wanted` are the events by now.
    fn restored(&self, wanted: Vec<Wish>, tail: usize) -> Self {
        let last_end = self.fates.iter().rposition(|fate| !fate.is_found_again());
        let cursor = self.fates.iter().position(|fate| fate.is_open());
        let end = std::cmp::max(
            last_end.map_or(0, |index| index + 1),
            cursor.unwrap_or(self.fates.len()),
        );
        let fates = (0..wanted.len()).map(|event_index| match self.fates.get(event_index) {
            Some(Fate::Owed | Fate::Unmatched) | None => Fate::Unmatched,
            Some(Fate::Unwanted) if event_index >= end => Fate::Unmatched,
            Some(fate) => *fate,
        });
        Self {
            start: self.start,
            fates: fates.collect(),
            wanted,
            tail,
        }
    }

    fn check(&self, balance: &Balance) {
        assert!(balance.adds_up(), "{balance:?} {:?}", self.fates);
        // Events that were trimmed before they were matched have expired.
        let gone = self.fates[..self.tail].iter();
        let gone = gone.filter(|fate| **fate == Fate::Unmatched).count() as u64;
        let unwanted = self.count(&[Fate::Unwanted, Fate::OutOfReach, Fate::OtherFormat]);
        for (term, wanted) in [
            (Term::Delivered, self.count(&[Fate::Delivered])),
            (Term::Filtered, unwanted),
            (Term::OutOfReach, self.count(&[Fate::OutOfReach])),
            (Term::OtherFormat, self.count(&[Fate::OtherFormat])),
            (
                Term::Pending,
                self.count(&[Fate::Owed, Fate::Unmatched]) - gone,
            ),
            (
                Term::Expired,
                self.count(&[Fate::Trimmed, Fate::Damaged, Fate::Skipped]) + gone,
            ),
            (Term::Damaged, self.count(&[Fate::Damaged])),
            (Term::Skipped, self.count(&[Fate::Skipped])),
            (Term::Parked, self.count(&[Fate::Parked])),
            (Term::Dead, self.count(&[Fate::Dead, Fate::Discarded])),
            (Term::Discarded, self.count(&[Fate::Discarded])),
        ] {
            assert_eq!(balance.get(term), wanted, "{term:?} {:?}", self.fates);
        }
        let cursor = self.fates.iter().position(|fate| fate.is_open());
        assert_eq!(
            balance.cursor,
            self.offset(cursor.unwrap_or(self.fates.len()))
        );
    }
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        2 => Just(Wish::Unwanted),
        1 => Just(Wish::OtherFormat),
        3 => Just(Wish::Wanted),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => proptest::collection::vec(wish(), 0..12).prop_map(Step::Append),
        6 => (0..12_usize).prop_map(Step::Match),
        1 => (0..4_usize).prop_map(Step::LeaveOut),
        1 => (0..4_usize, any::<bool>()).prop_map(|(count, damaged)| Step::Lose(count, damaged)),
        2 => Just(Step::Follow),
        1 => Just(Step::Unfollow),
        6 => (0..20_usize).prop_map(Step::Deliver),
        1 => (0..20_usize).prop_map(Step::FilterOut),
        1 => (0..20_usize).prop_map(Step::LoseOwed),
        4 => (0..20_usize).prop_map(Step::Park),
        2 => (0..20_usize).prop_map(Step::GiveUp),
        2 => (0..20_usize).prop_map(Step::Redeliver),
        1 => (0..20_usize).prop_map(Step::Discard),
        1 => (0..20_usize).prop_map(Step::Forget),
        1 => (0..8_usize).prop_map(Step::SkipTo),
        1 => Just(Step::SaveWithoutAnswer),
        3 => Just(Step::Save),
        2 => Just(Step::Crash),
        1 => (0..8_usize).prop_map(Step::Trim),
    ]
}

/// Saves an account and a copy of the model.
fn save(account: &mut Account, model: &Model, saved: &mut (Model, Journal), rows: &mut Rows) {
    let journal = account.journal().validated().unwrap();
    account.mark_saved(&journal);
    assert!(!account.is_unsaved());
    assert_eq!(
        (
            account.unsaved_delivered_count(),
            account.unsaved_row_count()
        ),
        (0, 0)
    );
    save_rows(rows, &journal);
    check_rows(rows, model);
    let copy = Model {
        fates: model.fates.clone(),
        wanted: model.wanted.clone(),
        ..*model
    };
    *saved = (copy, journal);
}

/// The rows of a store.
type Rows = BTreeMap<Offset, DeliveryRow>;

fn save_rows(rows: &mut Rows, journal: &Journal) {
    for (offset, row) in &journal.rows {
        rows.remove(offset);
        if *row != DeliveryRow::Gone {
            rows.insert(*offset, row.clone());
        }
    }
}

fn parked(offset: Offset) -> Parked {
    Parked {
        batch_offset: offset,
        failure_count: 1,
        due: Due::At(LaneTime(7)),
        key: None,
        reason: Arc::from("it failed"),
        attempts: Vec::new(),
        attempt_count: 1,
    }
}

fn letter() -> DeadLetter {
    DeadLetter {
        event_id: uuid::Uuid::nil(),
        event_type: Arc::from("grade_change"),
        reason: "it failed".to_owned(),
        attempts: Vec::new(),
        attempt_count: 1,
        answer: None,
        died_at: jiff::Timestamp::UNIX_EPOCH,
        is_discarded: false,
    }
}

/// Asserts that the rows of a store agree with the fates of the offsets.
fn check_rows(rows: &Rows, model: &Model) {
    for (event_index, fate) in model.fates.iter().enumerate() {
        let row = rows.get(&model.offset(event_index));
        let is_right = match fate {
            Fate::Parked => matches!(row, Some(DeliveryRow::Parked(_))),
            Fate::Dead => matches!(row, Some(DeliveryRow::Dead(letter)) if !letter.is_discarded),
            // The row may be deleted after its retention.
            Fate::Discarded => !matches!(row, Some(DeliveryRow::Parked(_) | DeliveryRow::Gone)),
            _ => row.is_none(),
        };
        assert!(
            is_right,
            "{event_index} is {fate:?}, and its row is {row:?}"
        );
    }
}

/// Moves a feed that counts no reach.
fn move_to(position: &FeedPosition, to: Offset) {
    position.publish(to, &mut ReachTally::new(ReachRules::default()));
}

fn run(start: u64, steps: Vec<Step>) {
    let position = Arc::new(FeedPosition::new(Offset::new(start)));
    let mut account = Account::new(Offset::new(start));
    let mut model = Model {
        start,
        wanted: Vec::new(),
        fates: Vec::new(),
        tail: 0,
    };
    let mut saved = (model.restored(Vec::new(), 0), account.journal());
    let mut rows = Rows::new();
    for step in steps {
        match step {
            Step::Append(wanted) => {
                model.fates.extend(wanted.iter().map(|_| Fate::Unmatched));
                model.wanted.extend(wanted);
            }
            Step::Match(count) => {
                for event_index in model.next_unmatched(count) {
                    let offset = model.offset(event_index);
                    model.fates[event_index] = match model.wanted[event_index] {
                        Wish::Wanted => {
                            assert!(account.owe(offset));
                            assert!(!account.owe(offset), "an offset is owed only once");
                            Fate::Owed
                        }
                        Wish::OtherFormat => {
                            account.pass_over(offset);
                            account.pass_over(offset);
                            Fate::OtherFormat
                        }
                        Wish::Unwanted => {
                            if !account.is_following() {
                                account.match_to(offset.next());
                            }
                            Fate::Unwanted
                        }
                    };
                    if account.is_following() {
                        move_to(&position, offset.next());
                    }
                }
            }
            Step::LeaveOut(count) => {
                for event_index in model.next_unmatched(count) {
                    model.fates[event_index] = Fate::OutOfReach;
                    account.leave_out_to(model.offset(event_index + 1));
                }
            }
            Step::Lose(count, damaged) => {
                let (fate, loss) = if damaged {
                    (Fate::Damaged, Loss::Damaged)
                } else {
                    (Fate::Trimmed, Loss::Trimmed)
                };
                let indexes = model.next_unmatched(count);
                if let Some(last) = indexes.last() {
                    account.lose_to(model.offset(last + 1), loss);
                }
                for event_index in indexes {
                    model.fates[event_index] = fate;
                }
            }
            Step::Follow => {
                let matched = account.first_unmatched();
                move_to(&position, std::cmp::max(matched, position.get()));
                // Only an account at the position of the feed may follow it.
                if position.get() == matched {
                    account.follow(&position, usize::MAX);
                }
            }
            Step::Unfollow => account.unfollow(),
            Step::Deliver(index) => {
                if let Some(event_index) = model.owed().get(index) {
                    let offset = model.offset(*event_index);
                    assert!(account.deliver(offset));
                    assert!(!account.deliver(offset), "an offset is delivered only once");
                    model.fates[*event_index] = Fate::Delivered;
                }
            }
            Step::FilterOut(index) => {
                if let Some(event_index) = model.owed().get(index) {
                    account.filter_out(model.offset(*event_index));
                    model.fates[*event_index] = Fate::OtherFormat;
                }
            }
            Step::LoseOwed(index) => {
                if let Some(event_index) = model.owed().get(index) {
                    account.lose(model.offset(*event_index), Loss::Trimmed);
                    model.fates[*event_index] = Fate::Trimmed;
                }
            }
            Step::Park(index) => {
                if let Some(event_index) = model.waiting().get(index) {
                    let offset = model.offset(*event_index);
                    assert!(account.park(offset, parked(offset)));
                    model.fates[*event_index] = Fate::Parked;
                }
            }
            Step::GiveUp(index) => {
                if let Some(event_index) = model.waiting().get(index) {
                    let offset = model.offset(*event_index);
                    assert!(account.give_up(offset, letter()));
                    assert!(
                        !account.give_up(offset, letter()),
                        "a delivery is given up only once"
                    );
                    model.fates[*event_index] = Fate::Dead;
                }
            }
            Step::Redeliver(index) | Step::Discard(index) | Step::Forget(index) => {
                // A command saves first, and then uses the rows of the store.
                save(&mut account, &model, &mut saved, &mut rows);
                let dead: Vec<_> = rows
                    .iter()
                    .filter_map(|(offset, row)| match row {
                        DeliveryRow::Dead(letter) => Some((*offset, Arc::clone(letter))),
                        DeliveryRow::Parked(_) | DeliveryRow::Gone => None,
                    })
                    .collect();
                if let Some((offset, letter)) = dead.get(index) {
                    let event_index = usize::try_from(offset.get() - start).unwrap();
                    let is_discarded = letter.is_discarded;
                    match step {
                        Step::Redeliver(_) if !is_discarded => {
                            assert!(account.redeliver(*offset, parked(*offset)));
                            assert!(!account.redeliver(*offset, parked(*offset)));
                            model.fates[event_index] = Fate::Parked;
                        }
                        Step::Redeliver(_) => (),
                        Step::Discard(_) => {
                            assert_eq!(account.discard(*offset, letter), !is_discarded);
                            model.fates[event_index] = Fate::Discarded;
                        }
                        _ => {
                            assert!(account.forget(*offset, letter));
                            assert!(!account.forget(*offset, letter));
                            model.fates[event_index] = Fate::Discarded;
                        }
                    }
                }
            }
            Step::SkipTo(count) => {
                let cursor = account.cursor();
                let to = usize::try_from(cursor.get() - start).unwrap() + count;
                let to = std::cmp::min(to, model.fates.len());
                account.skip_to(model.offset(to), 0);
                for fate in &mut model.fates[..to] {
                    if fate.waits() {
                        *fate = Fate::Skipped;
                    }
                }
                if account.is_following() {
                    move_to(
                        &position,
                        std::cmp::max(account.first_unmatched(), position.get()),
                    );
                }
            }
            Step::SaveWithoutAnswer => {
                // The next journal replaces this one, whether it was saved or not.
                drop(account.journal());
            }
            Step::Save => {
                save(&mut account, &model, &mut saved, &mut rows);
            }
            Step::Crash => {
                let repeated = model.count(&[Fate::Delivered]) - saved.0.count(&[Fate::Delivered]);
                assert_eq!(account.unsaved_delivered_count(), repeated);
                let parked = rows.iter().filter_map(|(offset, row)| match row {
                    DeliveryRow::Parked(parked) => Some((*offset, parked.clone())),
                    DeliveryRow::Dead(_) | DeliveryRow::Gone => None,
                });
                let parked = parked.collect();
                account = Account::restore(Offset::new(start), saved.1.clone(), parked);
                model = saved.0.restored(model.wanted, model.tail);
            }
            Step::Trim(count) => {
                let tail = std::cmp::min(model.tail + count, model.fates.len());
                model.tail = tail;
                if count % 2 == 0 {
                    account.expire_to(model.offset(tail));
                    for fate in &mut model.fates[..tail] {
                        if fate.waits() {
                            *fate = Fate::Trimmed;
                        }
                    }
                    if account.is_following() {
                        move_to(
                            &position,
                            std::cmp::max(account.first_unmatched(), position.get()),
                        );
                    }
                }
            }
        }
        model.check(&account.balance(|| model.bounds()));
        let owed: Vec<_> = model
            .owed()
            .into_iter()
            .map(|event_index| model.offset(event_index))
            .collect();
        assert_eq!(account.waiting_from(Offset::ZERO).collect::<Vec<_>>(), owed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn the_balance_always_adds_up_and_agrees_with_the_model(
        start in 0..1000_u64,
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        run(start, steps);
    }
}
