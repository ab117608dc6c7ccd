//! The slab: all data of a block's records except their ids, in one piece of memory.
//!
//! The codec compresses the slab as it is, so neither writing nor reading a block copies its
//! records. All numbers are little endian.
//!
//! Format 1: the concatenated bytes of the records; then the length of each record as a `u32`; then
//! the index of each record's event type as a `u16`.
//!
//! Format 2: format 1; then the index of each record's provenance as a `u16`; then the times, as
//! `times.rs` describes; then the *details*, a JSON object; then the length of the times and the
//! length of the details, each as a `u32`.
//!
//! The details have two members. `provenances` are objects with `root_account_id`,
//! `root_account_uuid`, `source`, `shape` (`canvas` or `caliper`). `arrivals` are objects with
//! `record` (an index, ascending), `message_id`, `sent_at` (RFC 3339). Empty members are left out.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Arrival, ExtractFacts, Provenance, Shape, times};

/// The format of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockFormat {
    /// The old format. Its only fact about a record is the event type.
    One,
    /// The current format. New blocks have this format.
    Two,
}

/// The columns of a slab: facts about each record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    /// Where each record's bytes end in the slab. Never decreases, always within the slab.
    pub(crate) ends: Vec<u32>,
    /// The index of each record's event type.
    pub(crate) type_indexes: Vec<u16>,
    /// When each record happened.
    pub(crate) occurred_at: Vec<Option<Timestamp>>,
    /// The index of each record's provenance; always within `provenances`.
    pub(crate) provenance_indexes: Vec<u16>,
    pub(crate) provenances: Vec<Arc<Provenance>>,
    /// Arrivals with the index of their record, ascending.
    pub(crate) arrivals: Vec<(u32, Arc<Arrival>)>,
}

/// Usual bytes of columns per record.
const USUAL_COLUMN_BYTES: usize = 4 + 2 + 2 + 2;
/// Usual maximum size of the details.
const USUAL_DETAILS_BYTES: usize = 1_024;

impl Columns {
    /// Appends the columns to the records' bytes, in format 2.
    #[expect(
        clippy::expect_used,
        reason = "strings and numbers always become JSON, and their length is limited"
    )]
    pub(crate) fn write(&self, slab: &mut Vec<u8>) {
        slab.reserve(self.ends.len() * USUAL_COLUMN_BYTES + USUAL_DETAILS_BYTES);
        let mut start = 0;
        for end in &self.ends {
            slab.extend_from_slice(&(end - start).to_le_bytes());
            start = *end;
        }
        let put_indexes = |indexes: &[u16], slab: &mut Vec<u8>| {
            for index in indexes {
                slab.extend_from_slice(&index.to_le_bytes());
            }
        };
        put_indexes(&self.type_indexes, slab);
        put_indexes(&self.provenance_indexes, slab);
        let lengths = [
            append(slab, |slab| times::write(&self.occurred_at, slab)),
            append(slab, |slab| {
                let details = DetailsJson::from(self);
                serde_json::to_writer(slab, &details).expect("details become JSON");
            }),
        ];
        for length in lengths {
            let length = u32::try_from(length).expect("times and details are short");
            slab.extend_from_slice(&length.to_le_bytes());
        }
    }

    /// Reads the columns of `count` records, or returns `None` if the slab is invalid.
    ///
    /// Facts that a slab of format 1 lacks are extracted from the records with `extract_facts`.
    pub(crate) fn read(
        slab: &[u8],
        count: usize,
        format: BlockFormat,
        extract_facts: ExtractFacts,
    ) -> Option<Self> {
        match format {
            BlockFormat::One => Self::read_1(slab, count, extract_facts),
            BlockFormat::Two => Self::read_2(slab, count),
        }
    }

    fn read_1(slab: &[u8], count: usize, extract_facts: ExtractFacts) -> Option<Self> {
        let mut rest = slab;
        let type_indexes = take_last(&mut rest, count, u16::from_le_bytes)?;
        let ends = ends(take_last(&mut rest, count, u32::from_le_bytes)?, rest.len())?;
        let mut columns = Self {
            type_indexes,
            ..Self::default()
        };
        let mut index_of_provenance = HashMap::new();
        let mut start = 0;
        for end in &ends {
            let end = usize::try_from(*end).ok()?;
            let facts = extract_facts(rest.get(start..end)?);
            start = end;
            columns.occurred_at.push(facts.occurred_at);
            let new_index = u16::try_from(columns.provenances.len()).ok()?;
            let index = *index_of_provenance
                .entry(facts.provenance.clone())
                .or_insert(new_index);
            if index == new_index {
                columns.provenances.push(Arc::new(facts.provenance));
            }
            columns.provenance_indexes.push(index);
        }
        Some(Self { ends, ..columns })
    }

    fn read_2(slab: &[u8], count: usize) -> Option<Self> {
        let mut rest = slab;
        let lengths = take_last(&mut rest, 2, u32::from_le_bytes)?;
        let mut lengths = lengths.into_iter().rev();
        let details = take_bytes(&mut rest, lengths.next()?)?;
        let times = take_bytes(&mut rest, lengths.next()?)?;
        let details: DetailsJson = serde_json::from_slice(details).ok()?;
        let provenance_indexes = take_last(&mut rest, count, u16::from_le_bytes)?;
        let type_indexes = take_last(&mut rest, count, u16::from_le_bytes)?;
        let ends = ends(take_last(&mut rest, count, u32::from_le_bytes)?, rest.len())?;
        let columns = Self {
            ends,
            type_indexes,
            occurred_at: times::read(times, count)?,
            provenance_indexes,
            provenances: details.provenances.into_iter().map(Into::into).collect(),
            arrivals: details.arrivals.into_iter().map(Into::into).collect(),
        };
        let is_provenance = |index: &u16| usize::from(*index) < columns.provenances.len();
        let is_valid = columns.provenance_indexes.iter().all(is_provenance)
            && columns.arrivals.is_sorted_by(|(a, _), (b, _)| a < b);
        is_valid.then_some(columns)
    }

    /// Returns about how many bytes of memory the columns take.
    pub(crate) fn memory_bytes(&self) -> usize {
        let text_bytes = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len() + 16);
        let provenances = self.provenances.iter().map(|provenance| {
            let Provenance {
                root_account_id,
                root_account_uuid,
                source,
                shape: _,
            } = &**provenance;
            size_of::<Provenance>()
                + 24
                + text_bytes(root_account_id)
                + text_bytes(root_account_uuid)
                + text_bytes(source)
        });
        let arrivals = self.arrivals.iter().map(|(_, arrival)| {
            let message_id = arrival.message_id.as_ref();
            size_of::<Arrival>() + 32 + message_id.map_or(0, |id| id.len())
        });
        self.ends.len() * (4 + 2 + size_of::<Option<Timestamp>>() + 2)
            + provenances.sum::<usize>()
            + arrivals.sum::<usize>()
    }
}

/// Removes `count` numbers from the end and returns them.
fn take_last<const N: usize, T>(
    rest: &mut &[u8],
    count: usize,
    read: impl Fn([u8; N]) -> T,
) -> Option<Vec<T>> {
    let start = rest.len().checked_sub(count.checked_mul(N)?)?;
    let (before, numbers) = rest.split_at_checked(start)?;
    *rest = before;
    let (numbers, _remainder) = numbers.as_chunks::<N>();
    Some(numbers.iter().map(|bytes| read(*bytes)).collect())
}

/// Removes `length` bytes from the end and returns them.
fn take_bytes<'a>(rest: &mut &'a [u8], length: u32) -> Option<&'a [u8]> {
    let start = rest.len().checked_sub(usize::try_from(length).ok()?)?;
    let (before, bytes) = rest.split_at_checked(start)?;
    *rest = before;
    Some(bytes)
}

/// Calls `write` to append to the slab, and returns the number of appended bytes.
fn append(slab: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> usize {
    let before = slab.len();
    write(slab);
    slab.len() - before
}

/// Returns where records of these lengths end, if their total is `bytes_len`.
fn ends(lengths: Vec<u32>, bytes_len: usize) -> Option<Vec<u32>> {
    let mut ends = lengths;
    let mut last = 0_u32;
    for end in &mut ends {
        last = last.checked_add(*end)?;
        *end = last;
    }
    (usize::try_from(last).ok()? == bytes_len).then_some(ends)
}

#[derive(Serialize, Deserialize)]
struct DetailsJson {
    provenances: Vec<ProvenanceJson>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    arrivals: Vec<ArrivalJson>,
}

#[derive(Serialize, Deserialize)]
struct ProvenanceJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root_account_id: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root_account_uuid: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<Arc<str>>,
    shape: ShapeJson,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ShapeJson {
    Canvas,
    Caliper,
}

#[derive(Serialize, Deserialize)]
struct ArrivalJson {
    record: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message_id: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent_at: Option<Timestamp>,
}

impl From<&Columns> for DetailsJson {
    fn from(columns: &Columns) -> Self {
        let arrivals = columns
            .arrivals
            .iter()
            .map(|(record, arrival)| ArrivalJson {
                record: *record,
                message_id: arrival.message_id.clone(),
                sent_at: arrival.sent_at,
            });
        Self {
            provenances: columns
                .provenances
                .iter()
                .map(ProvenanceJson::from)
                .collect(),
            arrivals: arrivals.collect(),
        }
    }
}

impl From<&Arc<Provenance>> for ProvenanceJson {
    fn from(provenance: &Arc<Provenance>) -> Self {
        let Provenance {
            root_account_id,
            root_account_uuid,
            source,
            shape,
        } = (**provenance).clone();
        Self {
            root_account_id,
            root_account_uuid,
            source,
            shape: match shape {
                Shape::Canvas => ShapeJson::Canvas,
                Shape::Caliper => ShapeJson::Caliper,
            },
        }
    }
}

impl From<ProvenanceJson> for Arc<Provenance> {
    fn from(json: ProvenanceJson) -> Self {
        Self::new(Provenance {
            root_account_id: json.root_account_id,
            root_account_uuid: json.root_account_uuid,
            source: json.source,
            shape: match json.shape {
                ShapeJson::Canvas => Shape::Canvas,
                ShapeJson::Caliper => Shape::Caliper,
            },
        })
    }
}

impl From<ArrivalJson> for (u32, Arc<Arrival>) {
    fn from(json: ArrivalJson) -> Self {
        let arrival = Arrival {
            message_id: json.message_id,
            sent_at: json.sent_at,
        };
        (json.record, Arc::new(arrival))
    }
}
