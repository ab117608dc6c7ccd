//! Reads events from the log, and converts them to items.

use std::sync::Arc;

use easel_catalog::{KeyField, OrderKey};
use easel_log::{Block, Offset, Read, ReadError};
use easel_sinks::Item;
use easel_subscriptions::{Loss, OrderBy, Spec};

use crate::form_maker::FormKind;
use crate::lane_context::LaneContext;
use crate::offload::offload;

/// Reads events in the format of a subscription.
#[derive(Debug)]
pub(super) struct Fetch {
    context: Arc<LaneContext>,
    form_kind: FormKind,
    /// `None` if events are not kept in order by key.
    key_kind: Option<Arc<KeyKind>>,
}

/// What gives an event its key.
#[derive(Debug)]
enum KeyKind {
    Actor,
    Field(KeyField),
}

/// The result of reading one offset.
pub(super) enum Fetched {
    Item(ReadyItem),
    /// The event has no form in the subscription's format.
    NoForm,
    Lost(Loss),
}

/// An item that can be sent.
#[derive(Clone, Debug)]
pub(super) struct ReadyItem {
    pub(super) item: Arc<Item>,
    /// The key, if the lane keeps events in order by key.
    pub(super) key: Option<OrderKey>,
}

impl Fetch {
    pub(super) fn new(spec: &Spec, context: Arc<LaneContext>) -> Self {
        let key_kind = match (spec.order, &spec.key) {
            (OrderBy::None, _) => None,
            (OrderBy::Key, None) => Some(KeyKind::Actor),
            (OrderBy::Key, Some(field)) => Some(KeyKind::Field(field.clone())),
        };
        Self {
            context,
            form_kind: FormKind::of_spec(spec),
            key_kind: key_kind.map(Arc::new),
        }
    }

    /// True if events are kept in order by key.
    pub(super) const fn is_keyed(&self) -> bool {
        self.key_kind.is_some()
    }

    /// Reads the events at `offsets`, which must ascend. Reads from one block only, and stops after `max_bytes`.
    /// Returns at least one result unless `offsets` is empty.
    pub(super) async fn read(
        &self,
        offsets: Vec<Offset>,
        max_bytes: usize,
    ) -> Result<Vec<(Offset, Fetched)>, ReadError> {
        let Some(first) = offsets.first().copied() else {
            return Ok(Vec::new());
        };
        let read = self.context.log.read(first).await?;
        let tail = self.context.log.bounds().borrow().tail;
        if matches!(read, Read::End) && first >= tail {
            return Err(ReadError::Failed {
                reason: format!("offset {first} exists, but cannot be read yet"),
            });
        }
        let record_count = offsets.len();
        let (context, form_kind) = (Arc::clone(&self.context), self.form_kind);
        let key_kind = self.key_kind.clone();
        let make = move || {
            let mut fetched = Vec::new();
            let mut bytes = 0;
            for offset in offsets {
                let found = match &read {
                    Read::Block(block) if block.start() <= offset => {
                        match find(block, offset, form_kind, key_kind.as_deref(), &context) {
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
                    // This event was appended after the read.
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

/// Returns the result for an offset, and the bytes of its record; `None` if the offset is beyond the block.
fn find(
    block: &Block,
    offset: Offset,
    form_kind: FormKind,
    key_kind: Option<&KeyKind>,
    context: &LaneContext,
) -> Option<(Fetched, usize)> {
    let record = block.record(offset)?;
    let key = key_kind.and_then(|kind| match kind {
        KeyKind::Actor => OrderKey::from_actor(&record.bytes),
        KeyKind::Field(field) => field.order_key(&record.bytes),
    });
    let item = context.forms.item(&record, form_kind);
    let found = item.map_or(Fetched::NoForm, |item| {
        Fetched::Item(ReadyItem { item, key })
    });
    Some((found, record.bytes.len()))
}
