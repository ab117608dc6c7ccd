//! The codec returns exactly the encoded block, or nothing.

use proptest::prelude::*;

use super::*;
use crate::block::{BlockBuilder, MAX_BYTES, MAX_RECORDS};
use crate::{Arrival, NewRecord, Provenance, Record, RecordFacts, Shape};

fn time() -> impl Strategy<Value = Timestamp> {
    let (min, max) = (
        Timestamp::MIN.as_nanosecond(),
        Timestamp::MAX.as_nanosecond(),
    );
    let any = (min..=max).prop_map(|time| Timestamp::from_nanosecond(time).expect("a time"));
    let near = (-3_000_i64..3_000)
        .prop_map(|time| Timestamp::from_nanosecond(time.into()).expect("a time"));
    prop_oneof![any, near, Just(Timestamp::MIN), Just(Timestamp::MAX)]
}

fn provenance() -> impl Strategy<Value = Provenance> {
    let text = || prop::option::of("[0-9\"é]{0,2}".prop_map(Arc::from));
    let shape = prop_oneof![Just(Shape::Canvas), Just(Shape::Caliper)];
    (text(), text(), text(), shape).prop_map(|(id, uuid, source, shape)| Provenance {
        root_account_id: id,
        root_account_uuid: uuid,
        source,
        shape,
    })
}

fn arrival() -> impl Strategy<Value = Arrival> {
    let message_id = prop::option::of("[a-z\"]{0,9}".prop_map(Box::from));
    let parts = (message_id, prop::option::of(time()));
    parts.prop_map(|(message_id, sent_at)| Arrival {
        message_id,
        sent_at,
    })
}

fn new_record() -> impl Strategy<Value = NewRecord> {
    let facts = (
        prop::option::of(time()),
        provenance(),
        prop::option::of(arrival()),
    );
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    (any::<u128>(), "[a-z\"\\\\é]{0,6}", bytes, facts).prop_map(
        |(id, event_type, bytes, (occurred_at, provenance, arrival))| NewRecord {
            occurred_at,
            provenance: Arc::new(provenance),
            arrival: arrival.map(Arc::new),
            ..NewRecord::new(Uuid::from_u128(id), event_type, bytes)
        },
    )
}

fn build(records: &[NewRecord]) -> Vec<Block> {
    let mut builder = BlockBuilder::new(Offset::new(70), Timestamp::constant(1_700_000_000, 0));
    for record in records {
        builder.push(record);
    }
    builder.finish()
}

fn block() -> impl Strategy<Value = Block> {
    prop::collection::vec(new_record(), 1..20)
        .prop_map(|records| build(&records).pop().expect("one block"))
}

fn header(encoded: &EncodedBlock) -> BlockHeader {
    encoded
        .columns
        .clone()
        .verify(encoded.checksum)
        .expect("an unchanged header")
}

fn records(block: &Block) -> Vec<Record> {
    block.records().collect()
}

proptest! {
    #[test]
    fn a_decoded_block_equals_the_encoded_block(written in prop::collection::vec(new_record(), 1..50)) {
        let blocks = build(&written);
        prop_assert_eq!(blocks.len(), 1);
        let encoded = encode(&blocks[0]);
        let block = decode(&header(&encoded), &encoded.ids, &encoded.data, must_not_extract_facts).expect("a block");
        prop_assert_eq!(records(&block), records(&blocks[0]));
        for (record, (offset, wanted)) in block.records().zip((70..).zip(&written)) {
            prop_assert_eq!(record.offset, Offset::new(offset));
            prop_assert_eq!(&block.event_types()[block.event_type_index(record.offset).unwrap()], &wanted.event_type);
            let occurred_at = wanted.occurred_at.unwrap_or(block.appended_at());
            let wanted = wanted.clone();
            prop_assert_eq!(&record, &Record {
                offset: record.offset,
                id: wanted.id,
                event_type: wanted.event_type,
                occurred_at,
                appended_at: block.appended_at(),
                provenance: wanted.provenance,
                arrival: wanted.arrival,
                bytes: wanted.bytes,
            });
        }
        prop_assert_eq!(block.record(Offset::new(69)), None);
        prop_assert_eq!(block.record(block.end()), None);
    }

    #[test]
    fn a_changed_byte_is_found(block in block(), place in any::<prop::sample::Index>(), flip in 1_u8..) {
        let encoded = encode(&block);
        let (mut ids, mut data) = (encoded.ids.clone(), encoded.data.clone());
        let place = place.index(ids.len() + data.len());
        let ids_len = ids.len();
        *ids.get_mut(place).unwrap_or_else(|| &mut data[place - ids_len]) ^= flip;
        prop_assert!(decode(&header(&encoded), &ids, &data, must_not_extract_facts).is_none());
    }

    #[test]
    fn a_changed_header_is_found(block in block(), bit in 0_u32..64, field in 0..6) {
        let EncodedBlock { mut columns, checksum, .. } = encode(&block);
        let flip = 1_i64 << bit;
        match field {
            0 => columns.first ^= flip,
            1 => columns.count ^= flip,
            2 => columns.appended_at ^= flip,
            3 => columns.stored_bytes ^= flip,
            4 => columns.event_types.push(' '),
            _ => columns.digest[0] ^= 1,
        }
        prop_assert!(columns.verify(checksum).is_none());
    }

    /// A forged block with valid checksums causes no panic: decoding returns a block or nothing.
    #[test]
    fn forged_blocks_cause_no_panic(
        block in block(),
        count in prop_oneof![1_i64..40, any::<i64>()],
        first in any::<i64>(),
        event_types in prop_oneof![Just(String::from("[\"a\"]")), Just(String::from(r#"{"format":2,"event_types":["a"]}"#)), any::<String>()],
        garbage in prop::collection::vec(any::<u8>(), 0..300),
        keep in any::<prop::sample::Index>(),
    ) {
        let encoded = encode(&block);
        let mut data = encoded.data.clone();
        data.truncate(keep.index(data.len() + 1));
        data.extend_from_slice(&garbage);
        let ids = vec![7; usize::try_from(count.clamp(0, 50)).unwrap() * 16];
        let digest = digest(&[&ids, &data]);
        let columns = HeaderColumns { first, count, event_types, digest, ..encoded.columns };
        let checksum = columns.checksum();
        if let Some(block) = columns.verify(checksum).and_then(|header| decode(&header, &ids, &data, RecordFacts::none)) {
            prop_assert_eq!(block.records().count(), block.len());
        }
    }

    #[test]
    fn arbitrary_slabs_cause_no_panic(
        count in 0_u64..20,
        slab in prop_oneof![prop::collection::vec(any::<u8>(), 0..400), details_behind_garbage()],
        format in prop_oneof![Just(BlockFormat::One), Just(BlockFormat::Two)],
    ) {
        let info = BlockInfo {
            start: Offset::ZERO,
            count,
            appended_at: Timestamp::UNIX_EPOCH,
            event_types: vec!["a".into()],
        };
        let ids = vec![Uuid::nil(); usize::try_from(count).unwrap()];
        if let Some(block) = Block::from_parts(info, ids, slab.into(), format, RecordFacts::none) {
            prop_assert_eq!(block.records().count(), block.len());
        }
    }

    /// The facts that format 1 lacks are read from the bytes of each record.
    #[test]
    fn a_block_of_format_1_can_be_read(written in prop::collection::vec(new_record(), 1..50)) {
        let written: Vec<_> = written.into_iter().map(only_in_bytes).collect();
        let encoded = encode_1(&written);
        let block = decode(&header(&encoded), &encoded.ids, &encoded.data, extract_facts).expect("a block");
        prop_assert_eq!(records(&block), records(&build(&written)[0]));
        let again = encode(&block);
        prop_assert_eq!((again.checksum, again.data), (encoded.checksum, encoded.data));
    }
}

/// Returns slabs with a valid end, so that the decoder also parses the bytes before it.
fn details_behind_garbage() -> impl Strategy<Value = Vec<u8>> {
    let details = prop_oneof![
        Just(String::from(r#"{"provenances":[{"shape":"canvas"}]}"#)),
        Just(String::from(
            r#"{"provenances":[],"arrivals":[{"record":9},{"record":1}]}"#
        )),
        any::<String>(),
    ];
    (prop::collection::vec(0_u8..3, 0..400), details).prop_map(|(mut slab, details)| {
        let times_len = slab.len() % 5;
        slab.extend_from_slice(details.as_bytes());
        for length in [times_len, details.len()] {
            slab.extend_from_slice(&u32::try_from(length).unwrap().to_le_bytes());
        }
        slab
    })
}

/// Blocks of format 2 contain all facts.
fn must_not_extract_facts(_bytes: &[u8]) -> RecordFacts {
    panic!("blocks of format 2 contain all facts");
}

/// Derives the time and the source of a record from its first byte.
fn extract_facts(bytes: &[u8]) -> RecordFacts {
    let Some(byte) = bytes.first() else {
        return RecordFacts::default();
    };
    RecordFacts {
        occurred_at: Some(Timestamp::constant(i64::from(*byte), 0)),
        provenance: Provenance {
            source: Some(format!("{}", byte % 3).into()),
            ..Provenance::default()
        },
    }
}

/// Returns the record with only the facts that its bytes contain.
fn only_in_bytes(record: NewRecord) -> NewRecord {
    let facts = extract_facts(&record.bytes);
    NewRecord {
        occurred_at: facts.occurred_at,
        provenance: Arc::new(facts.provenance),
        arrival: None,
        ..record
    }
}

/// Encodes a block in format 1, like older versions.
fn encode_1(records: &[NewRecord]) -> EncodedBlock {
    let new = encode(&build(records)[0]);
    let event_types = header(&new).info.event_types;
    let mut slab: Vec<u8> = records
        .iter()
        .flat_map(|record| record.bytes.to_vec())
        .collect();
    for record in records {
        let length = u32::try_from(record.bytes.len()).unwrap();
        slab.extend_from_slice(&length.to_le_bytes());
    }
    for record in records {
        let index = event_types
            .iter()
            .position(|name| *name == record.event_type);
        let index = u16::try_from(index.unwrap()).unwrap();
        slab.extend_from_slice(&index.to_le_bytes());
    }
    let data = lz4_flex::block::compress_prepend_size(&slab);
    let columns = HeaderColumns {
        event_types: serde_json::to_string(&event_types).unwrap(),
        stored_bytes: to_sql((new.ids.len() + data.len()) as u64),
        digest: digest(&[&new.ids, &data]),
        ..new.columns
    };
    EncodedBlock {
        checksum: columns.checksum(),
        columns,
        ids: new.ids,
        data,
    }
}

#[test]
fn an_unknown_format_is_rejected() {
    let encoded = encode(&build(&[sized(3)])[0]);
    for event_types in [
        r#"{"format":3,"event_types":["a"]}"#,
        r#"{"event_types":["a"]}"#,
        "{}",
        "",
    ] {
        let columns = HeaderColumns {
            event_types: event_types.to_owned(),
            ..encoded.columns.clone()
        };
        let checksum = columns.checksum();
        assert!(columns.verify(checksum).is_none(), "{event_types}");
    }
}

#[test]
fn a_forged_huge_size_allocates_no_memory() {
    assert_eq!(decompress(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0]), None);
}

#[test]
fn zeroes_compress_within_the_maximum_ratio() {
    let zeroes = vec![0; 32 << 20];
    assert_eq!(
        decompress(&lz4_flex::block::compress_prepend_size(&zeroes)),
        Some(zeroes)
    );
}

fn lengths(blocks: &[Block]) -> Vec<usize> {
    blocks.iter().map(Block::len).collect()
}

fn sized(len: usize) -> NewRecord {
    NewRecord::new(Uuid::nil(), "a", vec![b'x'; len])
}

#[test]
fn a_block_never_exceeds_its_limits() {
    assert_eq!(lengths(&build(&[])), [0; 0]);
    assert_eq!(
        lengths(&build(&vec![sized(1); MAX_RECORDS + 1])),
        [MAX_RECORDS, 1]
    );
    assert_eq!(
        lengths(&build(&[sized(MAX_BYTES - 1), sized(1), sized(1)])),
        [2, 1]
    );
    assert_eq!(
        lengths(&build(&[sized(1), sized(MAX_BYTES + 1), sized(1)])),
        [1, 1, 1]
    );
    let blocks = build(&vec![sized(1); MAX_RECORDS * 2]);
    assert_eq!(blocks[1].start(), blocks[0].end());
}
