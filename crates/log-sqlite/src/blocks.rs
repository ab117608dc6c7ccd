//! Finding and reading blocks in the database, damaged or not.
//!
//! No value is trusted without a valid checksum, not even a key. The index search only gives a
//! starting point. From there, the rows are read in storage order, and damaged rows are skipped.
//! Offsets that no readable block contains are damaged, up to the next readable block.

use std::ops::Range;
use std::sync::Arc;

use easel_log::backend::{BlockHeader, Damage, HeaderColumns, decode, decode_ids, to_sql};
use easel_log::{Block, BlockInfo, Bounds, ExtractFacts, Offset, Want};
use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, Row};
use uuid::Uuid;

use crate::state::LogState;

/// Selects the columns that [`header`] reads.
macro_rules! header_columns {
    () => {
        "SELECT first, count, appended_at, stored_bytes, event_types, digest, checksum FROM blocks "
    };
}

/// Selects all headers, oldest first.
pub(crate) const ALL_HEADERS: &str = concat!(header_columns!(), "ORDER BY first");
/// Selects the headers from an offset down, newest first.
const HEADERS_DOWN: &str = concat!(header_columns!(), "WHERE first <= ?1 ORDER BY first DESC");
/// Selects the headers from an offset up, oldest first.
const HEADERS_UP: &str = concat!(header_columns!(), "WHERE first >= ?1 ORDER BY first");

/// Maximum number of unwanted blocks in one result.
const MAX_SKIPPED_BLOCKS: usize = 4_096;

/// Selects the ids of all blocks, newest first.
const IDS_DOWN: &str = "SELECT first, ids FROM blocks ORDER BY first DESC";

/// The result of a search for the block at an offset.
#[derive(Debug)]
pub(crate) enum Lookup<T> {
    Block(T),
    Damage(Damage),
    End,
}

/// Reads the block that contains `from`, or the first block after it.
pub(crate) fn read(
    database: &Connection,
    from: Offset,
    bounds: Bounds,
    extract_facts: ExtractFacts,
) -> rusqlite::Result<Lookup<Block>> {
    find(database, from, bounds, |header| {
        load(database, &header, extract_facts)
    })
}

/// A wanted block, or a range of unwanted blocks.
#[derive(Debug)]
pub(crate) enum Selected {
    Block(Arc<Block>),
    Skipped(Range<Offset>),
}

/// Finds the block that contains `from`, or the first block after it. Reads it if it is wanted.
/// Otherwise returns the range of unwanted blocks that starts with it.
pub(crate) fn read_wanted(
    database: &Connection,
    from: Offset,
    bounds: Bounds,
    want: &Want,
    extract_facts: ExtractFacts,
) -> rusqlite::Result<Lookup<Selected>> {
    find(database, from, bounds, |header| {
        if want.wants_block(&header.info) {
            let block = load(database, &header, extract_facts)?;
            return Ok(block.map(|block| Selected::Block(Arc::new(block))));
        }
        let end = end_of_unwanted(database, header.info.end(), bounds.head, want)?;
        Ok(Some(Selected::Skipped(header.info.start..end)))
    })
}

/// Reads the facts about the block that contains `from`, or about the first block after it.
pub(crate) fn read_info(
    database: &Connection,
    from: Offset,
    bounds: Bounds,
) -> rusqlite::Result<Lookup<BlockInfo>> {
    find(database, from, bounds, |header| Ok(Some(header.info)))
}

/// Returns the first offset whose block was committed at `time` or later, or the head.
pub(crate) fn find_time(
    database: &Connection,
    time: Timestamp,
    bounds: Bounds,
) -> rusqlite::Result<Offset> {
    let (mut low, mut high) = (bounds.tail, bounds.head);
    while low < high {
        let middle = low.plus(high.since(low) / 2);
        match seek(database, middle, bounds.head)? {
            Some(BlockHeader { info, .. }) if info.appended_at < time => low = info.end(),
            Some(BlockHeader { info, .. }) => high = info.start.clamp(low, middle),
            None => high = middle,
        }
    }
    Ok(std::cmp::min(low, bounds.head))
}

/// Returns the offset of the newest record with this id.
pub(crate) fn find_id(database: &Connection, id: Uuid) -> rusqlite::Result<Option<Offset>> {
    let find = |row: &Row<'_>| {
        let ids = row.get_ref(1).ok()?.as_blob().ok()?;
        let index = ids
            .chunks_exact(16)
            .rposition(|bytes| bytes == id.as_bytes())?;
        let start = u64::try_from(row.get::<_, i64>(0).ok()?).ok()?;
        Some(Offset::new(start).plus(index as u64))
    };
    let mut statement = database.prepare_cached(IDS_DOWN)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(offset) = find(row) {
            return Ok(Some(offset));
        }
    }
    Ok(None)
}

/// Appends the ids and offsets of the newest `max` records to `found`, newest first. After an error,
/// `found` has the ids that were read before the error.
pub(crate) fn newest_ids(
    database: &Connection,
    max: usize,
    found: &mut Vec<(Uuid, Offset)>,
) -> rusqlite::Result<()> {
    let mut statement = database.prepare(IDS_DOWN)?;
    let mut rows = statement.query([])?;
    while found.len() < max
        && let Some(row) = rows.next()?
    {
        let start = row
            .get::<_, i64>(0)
            .ok()
            .and_then(|start| u64::try_from(start).ok());
        let ids = row.get_ref(1)?.as_blob().ok();
        if let (Some(start), Some(ids)) = (start, ids) {
            let offsets = (start..).map(Offset::new);
            let mut ids: Vec<_> = decode_ids(ids).into_iter().zip(offsets).collect();
            ids.reverse();
            found.extend(ids);
        }
    }
    found.truncate(max);
    Ok(())
}

/// Returns the header in a row, if its checksum is valid.
pub(crate) fn header(row: &Row<'_>) -> Option<BlockHeader> {
    let columns = HeaderColumns {
        first: row.get(0).ok()?,
        count: row.get(1).ok()?,
        appended_at: row.get(2).ok()?,
        stored_bytes: row.get(3).ok()?,
        event_types: row.get(4).ok()?,
        digest: row.get(5).ok()?,
    };
    columns.verify(row.get(6).ok()?)
}

/// Returns whether an error means damaged data, not a failed read.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    use ErrorCode::{DatabaseCorrupt, NotADatabase, TooBig};
    matches!(
        error.sqlite_error_code(),
        Some(DatabaseCorrupt | NotADatabase | TooBig)
    )
}

/// Finds the block that contains `from`, or the first block after it, and calls `read` with its
/// header. `read` returns `None` if the records of the block are damaged.
///
/// A missing block may have been trimmed in the meantime, and apparent damage may be a file that
/// cannot be read at all. So damage is reported only if the state is readable and the tail is
/// unchanged.
fn find<T>(
    database: &Connection,
    mut from: Offset,
    mut bounds: Bounds,
    read: impl Fn(BlockHeader) -> rusqlite::Result<Option<T>>,
) -> rusqlite::Result<Lookup<T>> {
    loop {
        from = std::cmp::max(from, bounds.tail);
        if from >= bounds.head {
            return Ok(Lookup::End);
        }
        let (range, part, appended_at) = match seek(database, from, bounds.head)? {
            Some(header) if header.info.start <= from => {
                let range = header.info.start..header.info.end();
                let appended_at = header.info.appended_at;
                match read(header)? {
                    Some(block) => return Ok(Lookup::Block(block)),
                    None => (range, "records", Some(appended_at)),
                }
            }
            next => {
                let end = next
                    .as_ref()
                    .map_or(bounds.head, |header| header.info.start);
                let start = damage_start(database, from, bounds.tail)?;
                let range = start..std::cmp::min(end, bounds.head);
                (range, "header", next.map(|header| header.info.appended_at))
            }
        };
        let state = LogState::load(database)?;
        if state.bounds.tail == bounds.tail {
            let appended_at = appended_at.unwrap_or(state.appended_at);
            return Ok(Lookup::Damage(Damage {
                range,
                part,
                appended_at,
            }));
        }
        bounds.tail = state.bounds.tail;
    }
}

/// Adds the unwanted blocks that start at `end` to the range that ends there. Returns the new end.
/// The range gets at most [`MAX_SKIPPED_BLOCKS`] blocks.
fn end_of_unwanted(
    database: &Connection,
    mut end: Offset,
    head: Offset,
    want: &Want,
) -> rusqlite::Result<Offset> {
    let mut statement = database.prepare_cached(HEADERS_UP)?;
    let mut rows = statement.query([to_sql(end.get())])?;
    for _ in 1..MAX_SKIPPED_BLOCKS {
        let header = match rows.next() {
            Ok(row) => row.and_then(header),
            Err(error) if is_damage(&error) => None,
            Err(error) => return Err(error),
        };
        let is_next = |info: &BlockInfo| info.start == end && end < head;
        let is_unwanted = |info: &BlockInfo| is_next(info) && !want.wants_block(info);
        match header.filter(|header| is_unwanted(&header.info)) {
            Some(header) => end = header.info.end(),
            None => break,
        }
    }
    Ok(end)
}

/// Loads the block with this header, or returns `None` if the block is damaged.
fn load(
    database: &Connection,
    header: &BlockHeader,
    extract_facts: ExtractFacts,
) -> rusqlite::Result<Option<Block>> {
    const SQL: &str = "SELECT ids, data FROM blocks JOIN payloads USING (first) WHERE first = ?1";
    let decode_row = |row: &Row<'_>| {
        let blob = |index| row.get_ref(index).ok()?.as_blob().ok();
        decode(header, blob(0)?, blob(1)?, extract_facts)
    };
    let mut statement = database.prepare_cached(SQL)?;
    match statement.query_row([to_sql(header.info.start.get())], |row| Ok(decode_row(row))) {
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        Err(error) if is_damage(&error) => Ok(None),
        result => result,
    }
}

/// Returns the header of the block that contains `from`, else of the next readable block.
fn seek(
    database: &Connection,
    from: Offset,
    head: Offset,
) -> rusqlite::Result<Option<BlockHeader>> {
    match seek_near(database, from) {
        Err(error) if is_damage(&error) => seek_beyond(database, from, head),
        result => result,
    }
}

/// Works like [`seek`], but fails on the first page that cannot be read.
fn seek_near(database: &Connection, from: Offset) -> rusqlite::Result<Option<BlockHeader>> {
    match last_at_or_before(database, from) {
        Err(error) if !is_damage(&error) => return Err(error),
        Ok(Some(header)) if header.info.end() > from => return Ok(Some(header)),
        Ok(_) | Err(_) => (),
    }
    first_header(database, HEADERS_UP, from, |info| info.end() > from)
}

/// Seeks past pages that cannot be read. First it doubles its steps until it finds a block. Then it
/// finds the start of the good blocks by bisection. It may miss a good block between two unreadable
/// ranges.
fn seek_beyond(
    database: &Connection,
    from: Offset,
    head: Offset,
) -> rusqlite::Result<Option<BlockHeader>> {
    let probe = |offset| match seek_near(database, offset) {
        Err(error) if is_damage(&error) => Ok(None),
        result => result,
    };
    let last = Offset::new(head.get().saturating_sub(1));
    let (mut unreadable, mut step) = (from, 1);
    let (mut readable, mut header) = loop {
        let offset = std::cmp::min(unreadable.plus(step), last);
        match probe(offset)? {
            Some(header) => break (offset, header),
            None if offset == last => return Ok(None),
            None => (unreadable, step) = (offset, step.saturating_mul(2)),
        }
    };
    while readable.since(unreadable) > 1 {
        let middle = unreadable.plus(readable.since(unreadable) / 2);
        match probe(middle)? {
            Some(found) => (readable, header) = (middle, found),
            None => unreadable = middle,
        }
    }
    Ok(Some(header))
}

/// Returns where the damage at `from` starts: after the previous readable block.
fn damage_start(database: &Connection, from: Offset, tail: Offset) -> rusqlite::Result<Offset> {
    match last_at_or_before(database, from) {
        Err(error) if is_damage(&error) => Ok(from),
        before => Ok(before?.map_or(tail, |header| header.info.end().clamp(tail, from))),
    }
}

/// Returns the header of the last readable block that starts at or before `from`.
fn last_at_or_before(database: &Connection, from: Offset) -> rusqlite::Result<Option<BlockHeader>> {
    first_header(database, HEADERS_DOWN, from, |info| info.start <= from)
}

/// Returns the first valid header in the result of `query` for which `matches` is true.
fn first_header(
    database: &Connection,
    query: &str,
    from: Offset,
    matches: impl Fn(&BlockInfo) -> bool,
) -> rusqlite::Result<Option<BlockHeader>> {
    let mut statement = database.prepare_cached(query)?;
    let mut rows = statement.query([to_sql(from.get())])?;
    while let Some(row) = rows.next()? {
        if let Some(header) = header(row).filter(|header| matches(&header.info)) {
            return Ok(Some(header));
        }
    }
    Ok(None)
}
