//! Tests of reading single records.

use easel_log::{Log, Offset, RecordReader};

use crate::logs::{append, failing_log, range};

#[tokio::test]
async fn a_block_is_read_once_and_a_missing_record_is_none() {
    let log = failing_log();
    append(&log, "abc").await;
    append(&log, "de").await;
    append(&log, "f").await;
    log.damage(range(5..6));
    let mut reader = RecordReader::new(&*log);
    let mut event_type = async |offset| {
        let record = reader.read(Offset::new(offset)).await.unwrap();
        record.map(|record| record.event_type.to_string())
    };
    assert_eq!(event_type(0).await.as_deref(), Some("a"));
    log.fail_reads(true);
    assert_eq!(event_type(2).await.as_deref(), Some("c"), "from memory");
    log.fail_reads(false);
    assert_eq!(event_type(4).await.as_deref(), Some("e"));
    assert_eq!(event_type(5).await, None, "damaged");
    assert_eq!(event_type(6).await, None, "not there yet");

    log.trim_to(Offset::new(3)).await.unwrap();
    let trimmed = RecordReader::new(&*log).read(Offset::new(1)).await;
    assert!(trimmed.unwrap().is_none());
}
