//! Tests of the quarantine.

use bytes::Bytes;
use easel_log::{LogOptions, MemoryLog};
use easel_testkit::FakeClock;

use super::*;

fn quarantine() -> Quarantine {
    let clock: Arc<dyn Clock> = Arc::new(FakeClock::default());
    let options = LogOptions {
        duplicate_window: 0,
        ..LogOptions::default()
    };
    Quarantine::new(Arc::new(MemoryLog::new(options, Arc::clone(&clock))), clock)
}

fn item(bytes: &'static [u8]) -> NewQuarantined {
    NewQuarantined {
        door: "kinesis",
        code: String::from("not_json"),
        detail: String::from("it is \"not\" JSON"),
        source: None,
        reach: None,
        event_name: None,
        message_id: None,
        bytes: Bytes::from_static(bytes),
    }
}

#[tokio::test]
async fn lists_exactly_the_received_bytes() {
    let quarantine = quarantine();
    let items = [item(b"\xff\x00"), item(b""), item(b"\xff\x00")];
    let offsets = quarantine.put(items.to_vec()).await.unwrap();
    let listed = quarantine.list(Offset::ZERO, 9).await.unwrap();
    for ((item, offset), got) in items.iter().zip(offsets).zip(&listed) {
        assert_eq!((&*got.door, got.offset), (item.door, offset));
        assert_eq!(
            (&got.code, &got.detail, &got.bytes),
            (&item.code, &item.detail, &item.bytes)
        );
        assert_eq!(got.received_at, FakeClock::default().now());
    }
    assert_eq!((listed.len(), quarantine.count()), (3, 3));
}

#[tokio::test]
async fn lists_no_more_than_the_limit() {
    let quarantine = quarantine();
    for _ in 0..3 {
        quarantine
            .put(vec![item(b"a"), item(b"b"), item(b"c")])
            .await
            .unwrap();
    }
    let listed = quarantine.list(Offset::new(2), 4).await.unwrap();
    let offsets: Vec<u64> = listed.iter().map(|record| record.offset.get()).collect();
    assert_eq!(offsets, [2, 3, 4, 5]);
}

#[tokio::test]
async fn lists_no_more_than_the_maximum_bytes_but_at_least_one_record() {
    const LARGE: &[u8] = &[7; MAX_LIST_BYTES];
    const THIRD: &[u8] = &[7; MAX_LIST_BYTES / 4];
    let quarantine = quarantine();
    let items = [LARGE, THIRD, THIRD, THIRD, LARGE, b"a"].map(item);
    quarantine.put(items.to_vec()).await.unwrap();
    let (mut lists, mut from) = (Vec::new(), Offset::ZERO);
    loop {
        let listed = quarantine.list(from, 9).await.unwrap();
        let Some(last) = listed.last() else { break };
        from = last.offset.next();
        lists.push(listed.len());
    }
    assert_eq!(lists, [1, 2, 1, 1, 1]);
}

#[tokio::test]
async fn an_emptied_quarantine_has_only_later_records() {
    let quarantine = quarantine();
    quarantine.put(vec![item(b"a"), item(b"b")]).await.unwrap();
    let later = quarantine.put(vec![item(b"c")]).await.unwrap();
    assert_eq!(quarantine.empty(later[0]).await.unwrap(), 2);
    let listed = quarantine.list(Offset::ZERO, 9).await.unwrap();
    let offsets: Vec<_> = listed.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, later);
    assert_eq!(quarantine.count(), 1);
}

#[tokio::test]
async fn admitted_records_are_neither_listed_nor_counted_also_after_a_reopen() {
    let quarantine = quarantine();
    let items = vec![item(b"a"), item(b"b"), item(b"c")];
    let offsets = quarantine.put(items).await.unwrap();
    quarantine.mark_trying(&offsets[..2]).await.unwrap();
    quarantine.mark_admitted(&offsets[1..2]).await.unwrap();
    let opened = Quarantine::new(Arc::clone(&quarantine.log), Arc::clone(&quarantine.clock));
    opened.load().await.unwrap();
    let later = quarantine.put(vec![item(b"d")]).await.unwrap();
    for quarantine in [&quarantine, &opened] {
        let listed = quarantine.list(Offset::ZERO, 9).await.unwrap();
        let listed: Vec<_> = listed.iter().map(|record| record.offset).collect();
        assert_eq!(listed, [offsets[0], offsets[2], later[0]]);
        assert_eq!(quarantine.count(), 3);
        assert!(quarantine.was_tried(offsets[0]) && !quarantine.was_tried(offsets[1]));
    }
    let removed = quarantine.empty(later[0]).await.unwrap();
    assert_eq!((removed, quarantine.count()), (2, 1));
}

#[tokio::test]
async fn a_page_for_a_reach_has_only_the_records_of_senders_with_this_reach() {
    let quarantine = quarantine();
    let sent_by = |reach: &str, bytes| NewQuarantined {
        reach: (!reach.is_empty()).then(|| reach.into()),
        ..item(bytes)
    };
    let items = vec![
        sent_by("root_account:7", b"a"),
        sent_by("root_account:8", b"b"),
        sent_by("", b"c"),
        sent_by("root_account:7", b"d"),
        sent_by("root_account:8", b"e"),
    ];
    let offsets = quarantine.put(items).await.unwrap();
    let mut from = Offset::ZERO;
    let mut seen = Vec::new();
    loop {
        let page = quarantine.page(from, 1, Some("root_account:7")).await;
        let page = page.unwrap();
        if page.next == from {
            break;
        }
        from = page.next;
        seen.extend(page.records.into_iter().map(|record| record.offset));
    }
    assert_eq!(seen, [offsets[0], offsets[3]]);
}
