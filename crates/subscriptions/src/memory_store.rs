//! A store in memory, for tests. It keeps every promise of a store but the one of stable storage.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use easel_log::Offset;

use crate::state_store::{Definition, Entry, Epoch, NewEntry, Revision, StateStore, StoreError};
use crate::{Journal, LaneId, SubscriptionId};

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Content>);

#[derive(Debug, Default)]
struct Content {
    epoch: u64,
    latest_id: i64,
    entries: BTreeMap<SubscriptionId, Entry>,
    replays: BTreeMap<(SubscriptionId, NonZeroU32), Journal>,
}

impl MemoryStore {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn check_epoch(&self, epoch: Epoch) -> Result<(), StoreError> {
        if epoch.0 == self.epoch {
            Ok(())
        } else {
            Err(StoreError::Stale { epoch })
        }
    }

    fn check_name(
        &self,
        definition: &Definition,
        but: Option<SubscriptionId>,
    ) -> Result<(), StoreError> {
        let (reach, name) = (&definition.reach, &definition.spec.name);
        let taken = self.entries.values().any(|entry| {
            let known = &entry.definition;
            Some(entry.id) != but && (&known.reach, &known.spec.name) == (reach, name)
        });
        if taken {
            return Err(StoreError::NameTaken { name: name.clone() });
        }
        Ok(())
    }

    fn current(
        &mut self,
        id: SubscriptionId,
        revision: Revision,
    ) -> Result<&mut Entry, StoreError> {
        let entry = self.entries.get_mut(&id);
        entry
            .filter(|entry| entry.revision == revision)
            .ok_or(StoreError::Changed { id })
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    async fn take_over(&self) -> Result<(Epoch, Vec<Entry>), StoreError> {
        let mut content = self.content();
        content.epoch += 1;
        let entries = content.entries.values().cloned().collect();
        Ok((Epoch(content.epoch), entries))
    }

    async fn insert(&self, epoch: Epoch, new: NewEntry) -> Result<Entry, StoreError> {
        let mut content = self.content();
        content.check_epoch(epoch)?;
        content.check_name(&new.definition, None)?;
        content.latest_id += 1;
        let entry = Entry {
            id: SubscriptionId::new(content.latest_id),
            revision: Revision::FIRST,
            definition: new.definition,
            created_at: new.created_at,
            start: new.start,
            journal: Journal::new(new.start),
        };
        content.entries.insert(entry.id, entry.clone());
        Ok(entry)
    }

    async fn update(
        &self,
        id: SubscriptionId,
        revision: Revision,
        definition: Definition,
    ) -> Result<Revision, StoreError> {
        let mut content = self.content();
        content.current(id, revision)?;
        content.check_name(&definition, Some(id))?;
        let entry = content.current(id, revision)?;
        entry.revision = revision.next();
        entry.definition = definition;
        Ok(entry.revision)
    }

    async fn remove(&self, id: SubscriptionId, revision: Revision) -> Result<(), StoreError> {
        let mut content = self.content();
        content.current(id, revision)?;
        content.entries.remove(&id);
        content
            .replays
            .retain(|(subscription, _), _| *subscription != id);
        Ok(())
    }

    async fn save(
        &self,
        epoch: Epoch,
        journals: Vec<(LaneId, Journal)>,
        _head: Offset,
    ) -> Result<(), StoreError> {
        let mut content = self.content();
        content.check_epoch(epoch)?;
        for (lane, journal) in journals {
            let Some(entry) = content.entries.get_mut(&lane.subscription) else {
                continue;
            };
            let known = match lane.replay {
                None => &mut entry.journal,
                Some(replay) => {
                    let key = (lane.subscription, replay);
                    let first = || Journal::new(journal.cursor);
                    content.replays.entry(key).or_insert_with(first)
                }
            };
            if journal.number > known.number {
                *known = journal;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::promises::{StoreBackend, store_promises};

    struct Memory(Arc<MemoryStore>);

    impl StoreBackend for Memory {
        fn open() -> Self {
            Self(Arc::default())
        }

        fn handle(&self) -> Arc<dyn StateStore> {
            Arc::<MemoryStore>::clone(&self.0)
        }
    }

    store_promises!(Memory);
}
