//! Examples of what an account saves and counts.

use easel_log::{Bounds, Offset};
use jiff::Timestamp;

use super::super::{Account, Journal, Loss};
use crate::Term;

fn offsets(offsets: impl IntoIterator<Item = u64>) -> Vec<Offset> {
    offsets.into_iter().map(Offset::new).collect()
}

#[test]
fn later_deliveries_are_saved_while_the_delivery_at_the_cursor_is_stuck() {
    let mut account = Account::new(Offset::ZERO);
    for offset in offsets(0..2_000) {
        account.owe(offset);
    }
    for offset in offsets(1..2_000) {
        account.deliver(offset);
    }
    let journal = account.journal();
    assert_eq!(journal.spans, [Offset::new(1)..Offset::new(2_000)]);

    let mut restored = Account::restore(Offset::ZERO, journal, Vec::new());
    restored.owe(Offset::new(0));
    restored.match_to(Offset::new(2_500));
    assert_eq!(
        restored.waiting_from(Offset::ZERO).collect::<Vec<_>>(),
        offsets([0])
    );
    restored.deliver(Offset::new(0));
    let head = Offset::new(2_500);
    let balance = restored.balance(|| Bounds {
        tail: Offset::ZERO,
        head,
    });
    assert!(balance.adds_up(), "{balance:?}");
    assert_eq!(balance.get(Term::Delivered), 2_000);
    assert_eq!(balance.cursor, head);
}

#[test]
fn a_long_queue_does_not_cause_a_long_journal() {
    let mut account = Account::new(Offset::ZERO);
    for offset in offsets((0..2_000).map(|number| number * 2)) {
        account.owe(offset);
    }
    account.deliver(Offset::new(2));
    let journal = account.journal();
    assert_eq!(journal.spans, [Offset::new(1)..Offset::new(3)]);
    assert_eq!(journal.counts[Term::Filtered], 1);
}

#[test]
fn trimmed_events_expire_immediately_unless_they_are_being_sent() {
    let mut account = Account::new(Offset::ZERO);
    for offset in offsets(0..4) {
        account.owe(offset);
    }
    let (first, second) = (Offset::new(0), Offset::new(1));
    account.begin_attempt(first);
    account.begin_attempt(second);
    account.fail_attempt(second);
    // The log has two more events, which were never matched.
    let tail = Offset::new(6);
    account.expire_to(tail);
    account.expire_to(tail);
    assert_eq!(account.take_losses(), 5);
    assert_eq!(account.take_losses(), 0);
    assert_eq!((account.is_owed(first), account.owed_count()), (true, 1));

    // The answer counts, although the log no longer has the event.
    account.deliver(first);
    let head = Offset::new(8);
    let balance = account.balance(|| Bounds { tail, head });
    assert!(balance.adds_up(), "{balance:?}");
    let terms = [Term::Delivered, Term::Expired, Term::Pending];
    assert_eq!(terms.map(|term| balance.get(term)), [1, 5, 2]);
}

#[test]
fn every_kind_of_loss_is_counted_once() {
    let mut account = Account::new(Offset::ZERO);
    account.lose_to(Offset::new(2), Loss::Trimmed);
    account.lose_to(Offset::new(5), Loss::Damaged);
    account.owe(Offset::new(5));
    account.lose(Offset::new(5), Loss::Damaged);
    account.lose(Offset::new(5), Loss::Trimmed);
    account.owe(Offset::new(6));
    account.deliver(Offset::new(6));
    account.match_to(Offset::new(9));
    assert_eq!(account.take_losses(), 6);
    // Only trimmed events are reported to operators; the log reports damaged events.
    let trim = account.take_due_trim(Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(trim.event_count, 2);
    assert_eq!(trim.offsets, Offset::new(0)..Offset::new(2));
}

#[test]
fn a_journal_with_overlapping_spans_is_rejected() {
    let span = |start, end| Offset::new(start)..Offset::new(end);
    for spans in [
        vec![span(5, 6)],
        vec![span(7, 7)],
        vec![span(7, 9), span(9, 10)],
        vec![span(7, 9), span(6, 10)],
    ] {
        let journal = Journal {
            spans,
            ..Journal::new(Offset::new(5))
        };
        assert!(journal.clone().validated().is_err(), "{journal:?}");
    }
}

#[test]
fn saving_an_older_journal_later_changes_nothing() {
    let mut account = Account::new(Offset::ZERO);
    account.owe(Offset::ZERO);
    let older = account.journal();
    account.deliver(Offset::ZERO);
    let newer = account.journal();
    account.mark_saved(&newer);
    account.mark_saved(&older);
    assert_eq!(account.unsaved_delivered_count(), 0);
}
