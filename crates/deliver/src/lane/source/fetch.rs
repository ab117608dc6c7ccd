//! Reads what is to be sent.

use std::sync::Arc;

use easel_catalog::{KeyField, OrderKey};
use easel_log::{Block, Offset, Read, ReadError};
use easel_sinks::Item;
use easel_subscriptions::{Format, Loss, OrderBy, Spec};

use crate::offload::offload;
use crate::rooms::Rooms;

/// Reads what is to be sent, in the form that a subscription wants.
#[derive(Debug)]
pub(super) struct Fetch {
    rooms: Arc<Rooms>,
    format: Format,
    order: Option<Arc<KeySource>>,
}

/// Where the key of an event comes from.
#[derive(Debug)]
enum KeySource {
    Actor,
    Field(KeyField),
}

/// What was found at an offset.
pub(super) enum Fetched {
    Item(Ready),
    /// The event has no form in the subscription's format.
    NoForm,
    Lost(Loss),
}

/// An item that can be sent.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub(super) item: Arc<Item>,
    /// What it is kept in order by, if the lane keeps such an order.
    pub(super) key: Option<OrderKey>,
}

impl Fetch {
    pub(super) fn new(spec: &Spec, rooms: Arc<Rooms>) -> Self {
        let order = match (spec.order, &spec.key) {
            (OrderBy::None, _) => None,
            (OrderBy::Key, None) => Some(KeySource::Actor),
            (OrderBy::Key, Some(field)) => Some(KeySource::Field(field.clone())),
        };
        Self {
            rooms,
            format: spec.format,
            order: order.map(Arc::new),
        }
    }

    /// Whether events are kept in order by key.
    pub(super) const fn is_keyed(&self) -> bool {
        self.order.is_some()
    }

    /// Reads offsets, which ascend: as many as one block has, but no more than `max_bytes` take. It
    /// is at least one, if there is one.
    pub(super) async fn read(
        &self,
        offsets: Vec<Offset>,
        max_bytes: usize,
    ) -> Result<Vec<(Offset, Fetched)>, ReadError> {
        let Some(first) = offsets.first().copied() else {
            return Ok(Vec::new());
        };
        let read = self.rooms.log.read(first).await?;
        let tail = self.rooms.log.bounds().borrow().tail;
        if matches!(read, Read::End) && first >= tail {
            return Err(ReadError::Failed {
                reason: format!("it has offset {first}, but does not find it yet"),
            });
        }
        let record_count = offsets.len();
        let (rooms, format, order) = (Arc::clone(&self.rooms), self.format, self.order.clone());
        let make = move || {
            let mut fetched = Vec::new();
            let mut bytes = 0;
            for offset in offsets {
                let found = match &read {
                    Read::Block(block) if block.first() <= offset => {
                        match find(block, offset, format, order.as_deref(), &rooms) {
                            Some((found, record_bytes)) => {
                                bytes += record_bytes;
                                found
                            }
                            None => break,
                        }
                    }
                    Read::Damaged(range) if range.contains(&offset) => Fetched::Lost(Loss::Damaged),
                    Read::Damaged(range) if range.end <= offset => break,
                    Read::Block(_) | Read::Damaged(_) => Fetched::Lost(Loss::Trimmed),
                    Read::End if offset < tail => Fetched::Lost(Loss::Trimmed),
                    // It came after the log was read.
                    Read::End => break,
                };
                fetched.push((offset, found));
                if bytes >= max_bytes {
                    break;
                }
            }
            fetched
        };
        Ok(offload(record_count, make).await)
    }
}

/// What a block has at an offset, and the bytes of its record; `None` if it lies beyond the block.
fn find(
    block: &Block,
    offset: Offset,
    format: Format,
    order: Option<&KeySource>,
    rooms: &Rooms,
) -> Option<(Fetched, usize)> {
    let record = block.record(offset)?;
    let key = order.and_then(|order| match order {
        KeySource::Actor => OrderKey::of_actor(&record.bytes),
        KeySource::Field(field) => field.key_of(&record.bytes),
    });
    let item = rooms.forms.item(&record, format);
    let found = item.map_or(Fetched::NoForm, |item| Fetched::Item(Ready { item, key }));
    Some((found, record.bytes.len()))
}
