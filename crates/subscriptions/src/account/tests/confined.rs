//! Compares a confined account with a model that knows whose each event is.

use std::sync::Arc;

use easel_catalog::{FilterFacts, Reach, ReachRules};
use easel_log::{Bounds, Offset, Provenance, Record};
use proptest::prelude::*;

use super::super::{Account, CountMarks, FeedPosition, Journal, ReachTally};
use crate::{Balance, Term};

/// What an event is to the subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It belongs to another root account.
    Foreign,
    Unwanted,
    OtherFormat,
    Wanted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Unmatched,
    Filtered,
    OutOfReach,
    OtherFormat,
    Owed,
    Delivered,
    Expired,
    Skipped,
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<Kind>),
    /// The feed matches this number of events.
    Feed(usize),
    /// The lane matches this number of events itself.
    Match(usize),
    Join,
    CountOld,
    Attach,
    Unfollow,
    Deliver(usize),
    Skip(usize),
    /// The log drops events. The account learns that only if the flag is set.
    Trim(usize, bool),
    Save,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        3 => Just(Kind::Foreign),
        2 => Just(Kind::Unwanted),
        1 => Just(Kind::OtherFormat),
        3 => Just(Kind::Wanted),
    ];
    prop_oneof![
        6 => proptest::collection::vec(kind, 0..12).prop_map(Step::Append),
        6 => (0..12_usize).prop_map(Step::Feed),
        4 => (0..12_usize).prop_map(Step::Match),
        4 => Just(Step::Join),
        2 => Just(Step::CountOld),
        5 => Just(Step::Attach),
        1 => Just(Step::Unfollow),
        6 => (0..20_usize).prop_map(Step::Deliver),
        1 => (0..8_usize).prop_map(Step::Skip),
        1 => (0..6_usize, any::<bool>()).prop_map(|(count, told)| Step::Trim(count, told)),
        3 => Just(Step::Save),
        2 => Just(Step::Crash),
    ]
}

struct World {
    start: u64,
    reach: Reach,
    kinds: Vec<Kind>,
    fates: Vec<Fate>,
    /// Whether the account knows that the unmatched event is within its reach.
    known: Vec<bool>,
    tail: usize,
    /// The number of events that the feed has passed.
    fed: usize,
    /// Where the account joined the feed.
    joined: Option<usize>,
    is_counted: bool,
    account: Account,
    position: Arc<FeedPosition>,
    tally: ReachTally,
    saved: (Vec<Fate>, Journal),
}

impl World {
    fn new(start: u64) -> Self {
        let reach: Reach = "root_account:7".parse().unwrap();
        let mut account = Account::new(Offset::new(start)).within(&reach);
        let saved = (Vec::new(), account.journal());
        Self {
            start,
            kinds: Vec::new(),
            fates: Vec::new(),
            known: Vec::new(),
            tail: 0,
            fed: 0,
            joined: None,
            is_counted: false,
            account,
            position: Arc::new(FeedPosition::new(Offset::new(start))),
            tally: tally(&reach),
            reach,
            saved,
        }
    }

    fn offset(&self, index: usize) -> Offset {
        Offset::new(self.start + index as u64)
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            tail: self.offset(self.tail),
            head: self.offset(self.kinds.len()),
        }
    }

    fn unmatched(&self) -> Vec<usize> {
        let indexes = 0..self.fates.len();
        indexes
            .filter(|index| self.fates[*index] == Fate::Unmatched)
            .collect()
    }

    fn is_covered(&self, index: usize) -> bool {
        self.kinds[index] != Kind::Foreign
    }

    /// Returns the first offset that is not matched.
    fn matched(&self) -> usize {
        self.unmatched()
            .first()
            .copied()
            .unwrap_or(self.fates.len())
    }

    /// Feeds one event, as the feed does.
    fn feed(&mut self) {
        let index = self.fed;
        let (offset, kind) = (self.offset(index), self.kinds[index]);
        if self.account.is_following() {
            let account = self.reach.root_account().unwrap();
            let count = self.tally.count(account);
            if matches!(kind, Kind::Wanted | Kind::OtherFormat) {
                self.account.match_from_feed(offset, count);
            }
            self.fates[index] = match kind {
                Kind::Wanted => {
                    assert!(self.account.owe(offset));
                    Fate::Owed
                }
                Kind::OtherFormat => {
                    self.account.pass_over(offset);
                    Fate::OtherFormat
                }
                Kind::Unwanted => Fate::Filtered,
                Kind::Foreign => Fate::OutOfReach,
            };
        }
        self.tally
            .add(&record(offset, kind), &FilterFacts::new(b""));
        self.fed += 1;
        let to = self.offset(self.fed);
        self.position.publish(to, &mut self.tally);
        if self.joined.is_some_and(|joined| index >= joined) {
            self.known[index] = true;
        }
    }

    /// Matches one event, as a lane does.
    fn match_one(&mut self, index: usize) {
        let (from, to) = (self.offset(index), self.offset(index + 1));
        self.fates[index] = match self.kinds[index] {
            Kind::Foreign => {
                self.account.leave_out_to(to);
                Fate::OutOfReach
            }
            Kind::Unwanted => {
                self.account.match_to(to);
                Fate::Filtered
            }
            Kind::OtherFormat => {
                self.account.pass_over(from);
                Fate::OtherFormat
            }
            Kind::Wanted => {
                assert!(self.account.owe(from));
                Fate::Owed
            }
        };
    }

    fn count_old(&mut self) {
        let Some(offsets) = self.account.uncounted_offsets() else {
            return;
        };
        let mut marks = CountMarks::default();
        let mut count = 0;
        for index in self.tail..self.joined.unwrap() {
            let offset = self.offset(index);
            if self.is_covered(index) && offsets.contains(offset) {
                assert_eq!(self.fates[index], Fate::Unmatched);
                count += 1;
                self.known[index] = true;
            }
            marks.set(offset.next(), count);
        }
        self.account.set_counted(&offsets, &marks);
        self.is_counted = true;
    }

    fn trim(&mut self, count: usize, is_told: bool) {
        // The log is never trimmed past the events that the feed has read.
        self.tail = std::cmp::min(self.tail + count, self.fed);
        if is_told {
            self.account.expire_to(self.offset(self.tail));
            for index in 0..self.tail {
                self.fates[index] = match self.fates[index] {
                    Fate::Owed => Fate::Expired,
                    Fate::Unmatched if self.is_covered(index) && self.known[index] => Fate::Expired,
                    Fate::Unmatched => Fate::OutOfReach,
                    fate => fate,
                };
            }
        }
    }

    fn skip(&mut self, count: usize) {
        // The server expires trimmed events after each trim.
        self.trim(0, true);
        let cursor = self.account.cursor();
        let index = usize::try_from(cursor.get() - self.start).unwrap() + count;
        // A subscription that is skipped follows no feed, and does not skip what the feed has not read.
        let to = std::cmp::min(index, self.fed);
        if self.account.is_following() || self.offset(to) < cursor {
            return;
        }
        let unmatched = self.unmatched().into_iter();
        let covered = unmatched.filter(|index| *index < to && self.is_covered(*index));
        let covered = covered.count() as u64;
        self.account.skip_to(self.offset(to), covered);
        for index in 0..to {
            self.fates[index] = match self.fates[index] {
                Fate::Owed => Fate::Skipped,
                Fate::Unmatched if self.is_covered(index) => Fate::Skipped,
                Fate::Unmatched => Fate::OutOfReach,
                fate => fate,
            };
        }
    }

    fn crash(&mut self) {
        let head = self.kinds.len();
        let (fates, journal) = self.saved.clone();
        let account = Account::restore(Offset::new(self.start), journal.clone(), Vec::new());
        self.account = account.within(&self.reach);
        let is_saved = |index: usize| {
            let offset = Offset::new(self.start + index as u64);
            offset < journal.cursor || journal.spans.iter().any(|span| span.contains(&offset))
        };
        self.fates = (0..head)
            .map(|index| match fates.get(index) {
                Some(fate) if is_saved(index) => *fate,
                Some(_) | None => Fate::Unmatched,
            })
            .collect();
        self.known = vec![false; head];
        (self.joined, self.is_counted) = (None, false);
        self.fed = head;
        self.position = Arc::new(FeedPosition::new(self.offset(head)));
        self.tally = tally(&self.reach);
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Append(kinds) => {
                self.fates.extend(kinds.iter().map(|_| Fate::Unmatched));
                self.known.extend(kinds.iter().map(|_| false));
                self.kinds.extend(kinds);
            }
            Step::Feed(count) => {
                for _ in 0..std::cmp::min(count, self.kinds.len() - self.fed) {
                    self.feed();
                }
            }
            Step::Match(count) if !self.account.is_following() => {
                let indexes = self.unmatched().into_iter();
                let present = indexes
                    .filter(|index| *index >= self.tail)
                    .collect::<Vec<_>>();
                if self.matched() < self.tail {
                    return;
                }
                present
                    .into_iter()
                    .take(count)
                    .for_each(|index| self.match_one(index));
            }
            Step::Match(_) => (),
            Step::Join => {
                let is_first = self.joined.is_none();
                if self.account.join(&self.position) && is_first {
                    self.joined = Some(self.fed);
                }
            }
            Step::CountOld => self.count_old(),
            Step::Attach => {
                if self.account.first_unmatched() == self.position.get() && self.joined.is_some() {
                    self.account.follow(&self.position, usize::MAX);
                }
            }
            Step::Unfollow => self.account.unfollow(),
            Step::Deliver(index) => {
                let owed = (0..self.fates.len()).filter(|index| self.fates[*index] == Fate::Owed);
                if let Some(event) = owed.collect::<Vec<_>>().get(index) {
                    assert!(self.account.deliver(self.offset(*event)));
                    self.fates[*event] = Fate::Delivered;
                }
            }
            Step::Skip(count) => self.skip(count),
            Step::Trim(count, is_told) => self.trim(count, is_told),
            Step::Save => {
                let journal = self.account.journal().validated().unwrap();
                self.account.mark_saved(&journal);
                assert!(!self.account.is_unsaved());
                self.saved = (self.fates.clone(), journal);
            }
            Step::Crash => self.crash(),
        }
    }

    fn check(&mut self) {
        let bounds = self.bounds();
        let balance = self.account.balance(|| bounds);
        assert!(balance.adds_up(), "{balance:?} {:?}", self.fates);
        let within = balance.within_reach();
        assert!(within.adds_up(), "{within:?}");
        let count = |wanted: &[Fate]| {
            let fates = self.fates.iter();
            fates.filter(|fate| wanted.contains(fate)).count() as u64
        };
        let unmatched = self.unmatched().into_iter();
        let known = unmatched.filter(|index| self.is_covered(*index) && self.known[*index]);
        let (gone, pending): (Vec<_>, Vec<_>) = known.partition(|index| *index < self.tail);
        let (gone, pending) = (gone.len() as u64, pending.len() as u64);
        let expected = [
            (Term::Delivered, count(&[Fate::Delivered])),
            (Term::Filtered, count(&[Fate::Filtered, Fate::OtherFormat])),
            (Term::OtherFormat, count(&[Fate::OtherFormat])),
            (Term::Pending, count(&[Fate::Owed]) + pending),
            (Term::Expired, count(&[Fate::Expired, Fate::Skipped]) + gone),
            (Term::Skipped, count(&[Fate::Skipped])),
        ];
        for (term, expected) in expected {
            assert_eq!(
                within.get(term),
                expected,
                "{term:?} {}",
                self.describe(&balance)
            );
        }
        assert_eq!(
            balance.oldest_pending.is_some(),
            within.get(Term::Pending) > 0,
            "{}",
            self.describe(&balance)
        );
    }

    fn describe(&self, balance: &Balance) -> String {
        format!(
            "{balance:?} {:?} {:?} known {:?} fed {} tail {} joined {:?} {:?}",
            self.kinds, self.fates, self.known, self.fed, self.tail, self.joined, self.account
        )
    }
}

fn tally(reach: &Reach) -> ReachTally {
    let mut tally = ReachTally::new(ReachRules::default());
    tally.count_reach(reach.root_account().unwrap());
    tally
}

fn record(offset: Offset, kind: Kind) -> Record {
    let id = if kind == Kind::Foreign { "8" } else { "7" };
    Record {
        offset,
        id: uuid::Uuid::nil(),
        event_type: "grade_change".into(),
        occurred_at: jiff::Timestamp::UNIX_EPOCH,
        appended_at: jiff::Timestamp::UNIX_EPOCH,
        provenance: Arc::new(Provenance {
            root_account_id: Some(id.into()),
            ..Provenance::default()
        }),
        arrival: None,
        bytes: bytes::Bytes::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn the_balance_of_a_confined_account_counts_only_events_within_its_reach(
        start in 0..1000_u64,
        steps in proptest::collection::vec(step(), 0..80),
    ) {
        let mut world = World::new(start);
        for step in steps {
            world.run(step);
            world.check();
        }
    }
}
