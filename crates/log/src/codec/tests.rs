//! What the codec promises: exactly what was written comes back, or nothing.

use proptest::prelude::*;

use super::*;
use crate::block::{BlockBuilder, MAX_BYTES, MAX_RECORDS};
use crate::{NewRecord, Record};

fn new_record() -> impl Strategy<Value = NewRecord> {
    (
        any::<u128>(),
        "[a-z\"\\\\é]{0,6}",
        prop::collection::vec(any::<u8>(), 0..200),
    )
        .prop_map(|(id, event_type, bytes)| NewRecord {
            id: Uuid::from_u128(id),
            event_type: event_type.into(),
            bytes: bytes.into(),
        })
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

fn header(encoded: &Encoded) -> Header {
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
    fn what_was_written_comes_back(written in prop::collection::vec(new_record(), 1..50)) {
        let blocks = build(&written);
        prop_assert_eq!(blocks.len(), 1);
        let encoded = encode(&blocks[0]);
        let block = decode(&header(&encoded), &encoded.ids, &encoded.data).expect("a block");
        prop_assert_eq!(records(&block), records(&blocks[0]));
        for (record, (offset, wanted)) in block.records().zip((70..).zip(&written)) {
            prop_assert_eq!(record.offset, Offset::new(offset));
            prop_assert_eq!(&block.event_types()[block.event_type_index(record.offset).unwrap()], &wanted.event_type);
            prop_assert_eq!(NewRecord { id: record.id, event_type: record.event_type, bytes: record.bytes }, wanted.clone());
        }
        prop_assert_eq!(block.record(Offset::new(69)), None);
        prop_assert_eq!(block.record(block.next()), None);
    }

    #[test]
    fn a_changed_byte_is_found(block in block(), place in any::<prop::sample::Index>(), flip in 1_u8..) {
        let encoded = encode(&block);
        let (mut ids, mut data) = (encoded.ids.clone(), encoded.data.clone());
        let place = place.index(ids.len() + data.len());
        let ids_len = ids.len();
        *ids.get_mut(place).unwrap_or_else(|| &mut data[place - ids_len]) ^= flip;
        prop_assert!(decode(&header(&encoded), &ids, &data).is_none());
    }

    #[test]
    fn a_changed_header_is_found(block in block(), bit in 0_u32..64, field in 0..6) {
        let Encoded { mut columns, checksum, .. } = encode(&block);
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

    /// Whoever forges the checksums too gets an error or a block, never a panic.
    #[test]
    fn forged_blocks_do_no_harm(
        block in block(),
        count in prop_oneof![1_i64..40, any::<i64>()],
        first in any::<i64>(),
        event_types in prop_oneof![Just(String::from("[\"a\"]")), any::<String>()],
        garbage in prop::collection::vec(any::<u8>(), 0..300),
        keep in any::<prop::sample::Index>(),
    ) {
        let encoded = encode(&block);
        let mut data = encoded.data.clone();
        data.truncate(keep.index(data.len() + 1));
        data.extend_from_slice(&garbage);
        let ids = vec![7; usize::try_from(count.clamp(0, 50)).unwrap() * 16];
        let digest = sum(&[&ids, &data]);
        let columns = HeaderColumns { first, count, event_types, digest, ..encoded.columns };
        let checksum = columns.checksum();
        if let Some(block) = columns.verify(checksum).and_then(|header| decode(&header, &ids, &data)) {
            prop_assert_eq!(block.records().count(), block.len());
        }
    }

    #[test]
    fn arbitrary_slabs_do_no_harm(count in 0_u64..20, slab in prop::collection::vec(any::<u8>(), 0..200)) {
        let info = BlockInfo {
            first: Offset::ZERO,
            count,
            appended_at: Timestamp::UNIX_EPOCH,
            event_types: vec!["a".into()],
        };
        let ids = vec![Uuid::nil(); usize::try_from(count).unwrap()];
        if let Some(block) = Block::new(info, ids, slab.into()) {
            prop_assert_eq!(block.records().count(), block.len());
        }
    }
}

#[test]
fn a_claim_to_be_huge_takes_no_memory() {
    assert_eq!(decompress(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0]), None);
}

#[test]
fn zeroes_compress_within_the_bound_on_the_ratio() {
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
    NewRecord {
        id: Uuid::nil(),
        event_type: "a".into(),
        bytes: vec![b'x'; len].into(),
    }
}

#[test]
fn a_block_ends_at_its_bounds() {
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
    assert_eq!(blocks[1].first(), blocks[0].next());
}
