//! A store in memory, for tests. It keeps every promise of a store except stable storage.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use easel_log::Offset;
use jiff::Timestamp;

use crate::definition::Definition;
use crate::state_store::{
    Epoch, NewSubscription, Revision, StateStore, StateStoreError, StoredSubscription,
};
use crate::{
    AttemptLog, AttemptPart, DeadLetter, DeliveryRow, Journal, LaneId, LoggedAttempt, Parked,
    ReplayNumber, ReplaySpec, StoredReplay, SubscriptionId, Tombstone,
};

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<StoreContent>);

#[derive(Debug, Default)]
struct StoreContent {
    epoch: u64,
    latest_id: i64,
    /// The subscriptions, each without the state of its lanes.
    entries: BTreeMap<SubscriptionId, StoredSubscription>,
    replays: BTreeMap<(SubscriptionId, ReplayNumber), (ReplaySpec, Timestamp)>,
    /// The latest replay number of each subscription.
    latest_replays: BTreeMap<SubscriptionId, u32>,
    lanes: BTreeMap<LaneId, StoredLane>,
    /// By the owner's id.
    tombstones: BTreeMap<String, Tombstone>,
}

/// The stored state of a lane.
#[derive(Debug)]
struct StoredLane {
    journal: Journal,
    parked: BTreeMap<Offset, Parked>,
    dead: BTreeMap<Offset, DeadLetter>,
    attempts: BTreeMap<(Epoch, u64), Vec<LoggedAttempt>>,
}

impl StoredLane {
    fn new(start: Offset) -> Self {
        Self {
            journal: Journal::new(start),
            parked: BTreeMap::new(),
            dead: BTreeMap::new(),
            attempts: BTreeMap::new(),
        }
    }

    fn save(&mut self, journal: Journal) {
        if journal.number <= self.journal.number {
            return;
        }
        let mut journal = journal;
        for (offset, row) in std::mem::take(&mut journal.rows) {
            self.parked.remove(&offset);
            self.dead.remove(&offset);
            match row {
                DeliveryRow::Parked(parked) => drop(self.parked.insert(offset, parked)),
                DeliveryRow::Dead(letter) => {
                    drop(self.dead.insert(offset, DeadLetter::clone(&letter)));
                }
                DeliveryRow::Gone => (),
            }
        }
        self.journal = journal;
    }

    fn parked(&self) -> Vec<(Offset, Parked)> {
        let parked = self.parked.iter();
        parked
            .map(|(offset, parked)| (*offset, parked.clone()))
            .collect()
    }
}

impl MemoryStore {
    fn content(&self) -> MutexGuard<'_, StoreContent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoreContent {
    fn check_epoch(&self, epoch: Epoch) -> Result<(), StateStoreError> {
        if epoch.0 == self.epoch {
            Ok(())
        } else {
            Err(StateStoreError::Stale { epoch })
        }
    }

    fn check_name(
        &self,
        definition: &Definition,
        except: Option<SubscriptionId>,
    ) -> Result<(), StateStoreError> {
        let (reach, name) = (&definition.reach, &definition.spec.name);
        let taken = self.entries.values().any(|entry| {
            let known = &entry.definition;
            Some(entry.id) != except && (&known.reach, &known.spec.name) == (reach, name)
        });
        if taken {
            return Err(StateStoreError::NameTaken { name: name.clone() });
        }
        Ok(())
    }

    /// Returns a subscription with the state of its lanes.
    fn with_lanes(&self, entry: &StoredSubscription) -> StoredSubscription {
        let mut entry = entry.clone();
        if let Some(lane) = self.lanes.get(&LaneId::live(entry.id)) {
            entry.journal = lane.journal.clone();
            entry.parked = lane.parked();
        }
        for ((_, number), (spec, created_at)) in self
            .replays
            .iter()
            .filter(|((subscription, _), _)| *subscription == entry.id)
        {
            let lane = self.lanes.get(&replay_lane(entry.id, *number));
            entry.replays.extend(lane.map(|lane| StoredReplay {
                number: *number,
                spec: spec.clone(),
                created_at: *created_at,
                journal: lane.journal.clone(),
                parked: lane.parked(),
            }));
        }
        entry
    }

    fn current(
        &mut self,
        id: SubscriptionId,
        revision: Revision,
    ) -> Result<&mut StoredSubscription, StateStoreError> {
        let entry = self.entries.get_mut(&id);
        entry
            .filter(|entry| entry.revision == revision)
            .ok_or(StateStoreError::Changed { id })
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    async fn take_over(&self) -> Result<(Epoch, Vec<StoredSubscription>), StateStoreError> {
        let mut content = self.content();
        content.epoch += 1;
        let entries = content.entries.values();
        let entries = entries.map(|entry| content.with_lanes(entry)).collect();
        Ok((Epoch(content.epoch), entries))
    }

    async fn insert(
        &self,
        epoch: Epoch,
        new: NewSubscription,
    ) -> Result<StoredSubscription, StateStoreError> {
        let mut content = self.content();
        content.check_epoch(epoch)?;
        content.check_name(&new.definition, None)?;
        if let Some(owner) = &new.definition.owner {
            content.tombstones.remove(&owner.id);
        }
        content.latest_id += 1;
        let entry = StoredSubscription {
            id: SubscriptionId::new(content.latest_id),
            revision: Revision::FIRST,
            definition: new.definition,
            created_at: new.created_at,
            start: new.start,
            journal: Journal::new(new.start),
            parked: Vec::new(),
            replays: Vec::new(),
        };
        content.entries.insert(entry.id, entry.clone());
        let lane = StoredLane::new(entry.start);
        content.lanes.insert(LaneId::live(entry.id), lane);
        Ok(entry)
    }

    async fn update(
        &self,
        id: SubscriptionId,
        revision: Revision,
        definition: Definition,
    ) -> Result<Revision, StateStoreError> {
        let mut content = self.content();
        content.current(id, revision)?;
        content.check_name(&definition, Some(id))?;
        let entry = content.current(id, revision)?;
        entry.revision = revision.next();
        entry.definition = definition;
        Ok(entry.revision)
    }

    async fn remove(
        &self,
        id: SubscriptionId,
        revision: Revision,
        tombstone: Option<Tombstone>,
    ) -> Result<(), StateStoreError> {
        let mut content = self.content();
        content.current(id, revision)?;
        content.entries.remove(&id);
        content
            .replays
            .retain(|(subscription, _), _| *subscription != id);
        content.lanes.retain(|lane, _| lane.subscription != id);
        let tombstone = tombstone.map(|tombstone| (tombstone.owner.id.clone(), tombstone));
        content.tombstones.extend(tombstone);
        Ok(())
    }

    async fn tombstones(&self) -> Result<Vec<Tombstone>, StateStoreError> {
        Ok(self.content().tombstones.values().cloned().collect())
    }

    async fn remove_tombstones(&self, before: Timestamp) -> Result<(), StateStoreError> {
        let tombstones = &mut self.content().tombstones;
        tombstones.retain(|_, tombstone| tombstone.removed_at >= before);
        Ok(())
    }

    async fn insert_replay(
        &self,
        epoch: Epoch,
        id: SubscriptionId,
        spec: ReplaySpec,
        created_at: Timestamp,
    ) -> Result<StoredReplay, StateStoreError> {
        let mut content = self.content();
        content.check_epoch(epoch)?;
        if !content.entries.contains_key(&id) {
            return Err(StateStoreError::Changed { id });
        }
        let latest = content.latest_replays.entry(id).or_default();
        *latest += 1;
        let number = ReplayNumber::new(*latest).unwrap_or(ReplayNumber::MAX);
        let lane = StoredLane::new(spec.from);
        content.lanes.insert(replay_lane(id, number), lane);
        content
            .replays
            .insert((id, number), (spec.clone(), created_at));
        Ok(StoredReplay {
            number,
            journal: Journal::new(spec.from),
            spec,
            created_at,
            parked: Vec::new(),
        })
    }

    async fn remove_replay(&self, epoch: Epoch, lane: LaneId) -> Result<(), StateStoreError> {
        let mut content = self.content();
        content.check_epoch(epoch)?;
        if let Some(number) = lane.replay {
            content.replays.remove(&(lane.subscription, number));
            content.lanes.remove(&lane);
        }
        Ok(())
    }

    async fn dead_letters(
        &self,
        lane: LaneId,
        from: Offset,
        max_count: usize,
    ) -> Result<Vec<(Offset, DeadLetter)>, StateStoreError> {
        let content = self.content();
        let lane = content.lanes.get(&lane);
        let dead = lane.into_iter().flat_map(|lane| lane.dead.range(from..));
        let dead = dead.map(|(offset, letter)| (*offset, letter.clone()));
        Ok(dead.take(max_count).collect())
    }

    async fn dead_before(
        &self,
        time: Timestamp,
        max_count: usize,
    ) -> Result<Vec<(LaneId, Offset, DeadLetter)>, StateStoreError> {
        let content = self.content();
        let lanes = content.lanes.iter();
        let dead = lanes.flat_map(|(id, lane)| lane.dead.iter().map(|dead| (*id, dead)));
        let dead = dead.filter(|(_, (_, letter))| letter.died_at < time);
        let dead = dead.map(|(id, (offset, letter))| (id, *offset, letter.clone()));
        Ok(dead.take(max_count).collect())
    }

    async fn save_attempts(
        &self,
        epoch: Epoch,
        parts: Vec<AttemptPart>,
    ) -> Result<(), StateStoreError> {
        let mut content = self.content();
        content.check_epoch(epoch)?;
        for part in parts {
            if let Some(lane) = content.lanes.get_mut(&part.lane) {
                lane.attempts.insert((epoch, part.number), part.attempts);
                lane.attempts.retain(|(part_epoch, number), _| {
                    let is_old = *part_epoch == epoch && *number < part.oldest_needed;
                    let is_replaced = *part_epoch < epoch && part.replaces_older;
                    !is_old && !is_replaced
                });
            }
        }
        Ok(())
    }

    async fn attempts_before(
        &self,
        epoch: Epoch,
        lane: LaneId,
    ) -> Result<Vec<LoggedAttempt>, StateStoreError> {
        let content = self.content();
        let parts = content.lanes.get(&lane).into_iter();
        let parts = parts.flat_map(|lane| lane.attempts.range(..(epoch, 0)));
        let attempts: Vec<_> = parts.flat_map(|(_, part)| part).copied().collect();
        let first = attempts.len().saturating_sub(AttemptLog::MAX);
        Ok(attempts.get(first..).unwrap_or_default().to_vec())
    }

    async fn save(
        &self,
        epoch: Epoch,
        journals: Vec<(LaneId, Journal)>,
        _head: Offset,
    ) -> Result<(), StateStoreError> {
        let mut content = self.content();
        content.check_epoch(epoch)?;
        for (id, journal) in journals {
            if let Some(lane) = content.lanes.get_mut(&id) {
                lane.save(journal);
            }
        }
        Ok(())
    }
}

fn replay_lane(subscription: SubscriptionId, number: ReplayNumber) -> LaneId {
    LaneId {
        subscription,
        replay: Some(number),
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
