//! What somebody without the key can do to the files, and what the check says about it.

use std::fs;

use hmac::{Hmac, Mac};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::{Case, entry};
use crate::audit_store::AuditStore;
use crate::stored_entry::StoredEntry;

const COUNT: u64 = 30;

/// The columns of an entry besides its number, with a change of one byte.
const CHANGES: [&str; 10] = [
    "commit_first = commit_first + 1",
    "at = at + 1",
    "actor = 'u' || substr(actor, 2)",
    "address = substr(address, 1, 8) || '8'",
    "reach = '+'",
    "action = substr(action, 1, 3) || 'x' || substr(action, 5)",
    "object = 't' || substr(object, 2)",
    "details = replace(details, 'events', 'eventz')",
    "previous = CAST(substr(previous, 1, 31) || x'01' AS BLOB)",
    "mac = CAST(x'01' || substr(mac, 2) AS BLOB)",
];

#[tokio::test]
async fn an_untouched_audit_is_valid() {
    let case = Case::with_entries(COUNT).await;
    let verification = case.verify();
    assert!(verification.is_valid(), "{:?}", verification.faults);
    assert_eq!(verification.entry_count, COUNT);
    assert_eq!(verification.newest.number, COUNT);
}

#[tokio::test]
async fn a_changed_byte_of_each_column_is_found_with_its_entry() {
    for change in CHANGES {
        for number in [1, 17, COUNT] {
            let case = Case::with_entries(COUNT).await;
            case.change(&format!(
                "UPDATE entries SET {change} WHERE number = {number}"
            ));
            assert_eq!(case.faults(), [("changed", number, number)], "{change}");
        }
    }
}

#[tokio::test]
async fn a_changed_number_is_found_with_its_entry() {
    let case = Case::with_entries(COUNT).await;
    case.change("UPDATE entries SET number = 40 WHERE number = 17");
    let faults = case.faults();
    assert!(faults.contains(&("missing", 17, 17)), "{faults:?}");
    assert!(faults.contains(&("moved", 40, 40)), "{faults:?}");
}

#[tokio::test]
async fn removed_entries_are_found_at_the_begin_in_the_middle_and_at_the_end() {
    for (removed, fault) in [
        ("number <= 1", ("missing", 1, 1)),
        ("number <= 5", ("missing", 1, 5)),
        ("number = 17", ("missing", 17, 17)),
        ("number BETWEEN 17 AND 20", ("missing", 17, 20)),
        ("number = 30", ("cut_off", 30, 30)),
        ("number > 20", ("cut_off", 21, 30)),
        ("1", ("cut_off", 1, 30)),
    ] {
        let case = Case::with_entries(COUNT).await;
        case.change(&format!("DELETE FROM entries WHERE {removed}"));
        assert_eq!(case.faults(), [fault], "{removed}");
    }
}

#[tokio::test]
async fn exchanged_entries_are_found_near_and_far() {
    for (first, second) in [(7, 8), (3, 29), (1, 30)] {
        let case = Case::with_entries(COUNT).await;
        case.change(&format!(
            "UPDATE entries SET number = 1000 WHERE number = {first};
             UPDATE entries SET number = {first} WHERE number = {second};
             UPDATE entries SET number = {second} WHERE number = 1000;"
        ));
        assert_eq!(case.faults(), [("exchanged", first, second)]);
    }
}

#[tokio::test]
async fn an_entry_that_was_removed_and_hidden_by_new_numbers_is_found() {
    let case = Case::with_entries(COUNT).await;
    case.change(
        "DELETE FROM entries WHERE number = 10;
         UPDATE entries SET number = number - 1 + 1000 WHERE number > 10;
         UPDATE entries SET number = number - 1000 WHERE number > 1000;",
    );
    assert_eq!(case.faults(), [("moved", 10, 29), ("cut_off", 30, 30)]);
}

#[tokio::test]
async fn an_inserted_entry_is_found() {
    let case = Case::with_entries(COUNT).await;
    case.change(
        "UPDATE entries SET number = number + 1001 WHERE number >= 10;
         UPDATE entries SET number = number - 1000 WHERE number > 1000;
         INSERT INTO entries SELECT 10, commit_first, at, actor, address, reach, action, object,
             details, previous, mac FROM entries WHERE number = 3;",
    );
    let faults = case.faults();
    assert!(faults.contains(&("moved", 11, 31)), "{faults:?}");
    assert!(
        faults.iter().any(|(_, first, _)| *first == 10),
        "{faults:?}"
    );

    let case = Case::with_entries(COUNT).await;
    case.change(
        "INSERT INTO entries SELECT 31, 31, at, actor, address, reach, action, object, details,
             mac, mac FROM entries WHERE number = 30;",
    );
    assert_eq!(case.faults(), [("forged", 31, 31)]);
}

/// Writes all entries from `from` on again, with MACs that `mac` computes.
fn recompute(case: &Case, from: i64, mac: impl Fn(&[u8]) -> Vec<u8>) {
    let store = AuditStore::open(&case.path()).unwrap();
    let mut rows: Vec<StoredEntry> = Vec::new();
    store.for_each(from, &mut |row| rows.push(row)).unwrap();
    let connection = rusqlite::Connection::open(case.path()).unwrap();
    let mut previous = rows[0].previous.clone();
    for (index, row) in rows.iter().enumerate() {
        let object = if index == 0 {
            b"forged".to_vec()
        } else {
            row.texts[4].clone()
        };
        let mut message = row.number.to_be_bytes().to_vec();
        message.extend_from_slice(&object);
        message.extend_from_slice(&previous);
        let new = mac(&message);
        connection
            .execute(
                "UPDATE entries SET object = ?2, previous = ?3, mac = ?4 WHERE number = ?1",
                rusqlite::params![
                    row.number,
                    String::from_utf8(object).unwrap(),
                    previous,
                    new
                ],
            )
            .unwrap();
        previous = new;
    }
}

#[tokio::test]
async fn a_chain_that_was_computed_again_without_the_key_is_found() {
    let plain = |message: &[u8]| Sha256::digest(message).to_vec();
    let keyed = |message: &[u8]| {
        let mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
        mac.chain_update(message).finalize().into_bytes().to_vec()
    };
    for from in [1, 12, 29] {
        let case = Case::with_entries(COUNT).await;
        recompute(&case, from, plain);
        assert_eq!(case.faults(), [("forged", from.unsigned_abs(), COUNT)]);
        let case = Case::with_entries(COUNT).await;
        recompute(&case, from, keyed);
        assert_eq!(case.faults(), [("forged", from.unsigned_abs(), COUNT)]);
    }
}

#[tokio::test]
async fn a_head_file_that_was_removed_changed_or_replaced_is_found() {
    let case = Case::with_entries(COUNT).await;
    fs::remove_file(case.head()).unwrap();
    assert_eq!(case.faults(), [("head_missing", 0, 0)]);

    for (old, new) in [
        ("\"number\": 30", "\"number\": 20"),
        ("\"anchor_number\": 0", "\"anchor_number\": 4"),
        ("\"format\": 1", "\"format\": 2"),
        ("{", ""),
    ] {
        let case = Case::with_entries(COUNT).await;
        let text = fs::read_to_string(case.head()).unwrap();
        assert!(text.contains(old), "{text}");
        fs::write(case.head(), text.replacen(old, new, 1)).unwrap();
        assert_eq!(case.faults(), [("head_changed", 0, 0)], "{new}");
    }

    let case = Case::with_entries(COUNT).await;
    let older = fs::read(case.head()).unwrap();
    let audit = case.open();
    for number in 31..=33 {
        audit.record(entry(number)).await.unwrap();
    }
    audit.close().await;
    fs::write(case.head(), &older).unwrap();
    assert_eq!(case.faults(), [("head_older", 30, 33)]);

    // The older head hides nothing if the newer entries were cut off too. Only a noted head shows that.
    let noted = case.verify().newest;
    case.change("DELETE FROM entries WHERE number > 30");
    assert_eq!(case.faults(), []);
    let verification = case.verify_expecting(Some(noted));
    let codes: Vec<_> = verification
        .faults
        .iter()
        .map(|fault| fault.kind.code())
        .collect();
    assert_eq!(codes, ["not_expected"]);
}

#[tokio::test]
async fn entries_of_another_audit_are_found() {
    let case = Case::with_entries(COUNT).await;
    let other = Case::with_entries(COUNT).await;
    fs::copy(other.path(), case.path()).unwrap();
    fs::copy(other.head(), case.head()).unwrap();
    // The key of the other audit is sealed by another data key.
    let error = crate::verify_at_rest(&case.path(), &case.sealer, None).unwrap_err();
    assert!(error.is_lost_key(), "{error}");

    // A copy that went on by itself has the same key.
    let case = Case::with_entries(COUNT).await;
    let copy = Case {
        sealer: std::sync::Arc::clone(&case.sealer),
        ..Case::new()
    };
    fs::copy(case.path(), copy.path()).unwrap();
    fs::copy(case.head(), copy.head()).unwrap();
    for (case, first) in [(&case, 31), (&copy, 41)] {
        let audit = case.open();
        for number in first..first + 5 {
            audit.record(entry(number)).await.unwrap();
        }
        audit.close().await;
    }
    case.change(&format!(
        "ATTACH '{}' AS other;
         DELETE FROM entries WHERE number = 33;
         INSERT INTO entries SELECT * FROM other.entries WHERE number = 33;",
        copy.path().display()
    ));
    assert_eq!(
        case.faults(),
        [("out_of_order", 33, 33), ("out_of_order", 34, 34)]
    );
}

#[tokio::test]
async fn damage_stays_visible_after_the_next_start() {
    let case = Case::with_entries(COUNT).await;
    case.change("DELETE FROM entries WHERE number > 20");
    let audit = case.open();
    assert_eq!(audit.found_at_start().len(), 1);
    audit.record(entry(31)).await.unwrap();
    audit.close().await;
    assert_eq!(
        case.faults(),
        [("missing", 21, 30), ("found_at_start", 31, 31)]
    );

    let case = Case::with_entries(COUNT).await;
    case.change("DELETE FROM entries WHERE number > 20");
    fs::remove_file(case.head()).unwrap();
    let audit = case.open();
    audit.close().await;
    assert_eq!(case.faults(), [("found_at_start", 21, 21)]);
}

#[tokio::test]
async fn an_entry_that_somebody_added_without_the_key_stays_visible() {
    let case = Case::with_entries(COUNT).await;
    case.change(
        "INSERT INTO entries SELECT 31, 31, at, actor, address, reach, action, object, details,
             mac, mac FROM entries WHERE number = 30;",
    );
    let audit = case.open();
    audit.record(entry(32)).await.unwrap();
    audit.close().await;
    let faults = case.faults();
    assert!(
        faults
            .iter()
            .any(|(_, first, last)| (*first, *last) == (31, 31)),
        "{faults:?}"
    );
    assert!(faults.contains(&("found_at_start", 32, 32)), "{faults:?}");
}

/// A random change of one entry.
#[derive(Clone, Debug)]
struct RandomChange {
    number: u64,
    column: &'static str,
    index: prop::sample::Index,
    flip: u8,
}

fn random_change() -> impl Strategy<Value = RandomChange> {
    let columns = prop::sample::select(vec![
        "commit_first",
        "at",
        "actor",
        "address",
        "reach",
        "action",
        "object",
        "details",
        "previous",
        "mac",
    ]);
    (
        1..=COUNT,
        columns,
        any::<prop::sample::Index>(),
        1..=u8::MAX,
    )
        .prop_map(|(number, column, index, flip)| RandomChange {
            number,
            column,
            index,
            flip,
        })
}

impl RandomChange {
    fn make(&self, case: &Case) {
        let Self {
            number,
            column,
            index,
            flip,
        } = self;
        if matches!(*column, "commit_first" | "at") {
            let bit = 1_i64 << index.index(63);
            let sql = format!(
                "UPDATE entries SET {column} = ({column} | {bit}) - ({column} & {bit}) WHERE number = {number}"
            );
            return case.change(&sql);
        }
        let connection = rusqlite::Connection::open(case.path()).unwrap();
        let sql = format!("SELECT CAST({column} AS BLOB) FROM entries WHERE number = ?1");
        let number = i64::try_from(*number).unwrap();
        let mut bytes: Vec<u8> = connection
            .query_row(&sql, [number], |row| row.get(0))
            .unwrap();
        let at = index.index(bytes.len());
        bytes[at] ^= flip;
        let kind = if matches!(*column, "previous" | "mac") {
            "BLOB"
        } else {
            "TEXT"
        };
        let sql = format!("UPDATE entries SET {column} = CAST(?2 AS {kind}) WHERE number = ?1");
        connection
            .execute(&sql, rusqlite::params![number, bytes])
            .unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_single_change_of_any_entry_is_found(change in random_change()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let case = runtime.block_on(Case::with_entries(COUNT));
        change.make(&case);
        let faults = case.faults();
        let place = change.number;
        prop_assert_eq!(faults, [("changed", place, place)]);
    }
}
