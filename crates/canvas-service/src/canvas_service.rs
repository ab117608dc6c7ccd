//! The seven calls, without HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use easel_catalog::Catalog;
use easel_log::Clock;
use easel_subscriptions::{
    ChangeError, OwnedChange, State, Subscription, Subscriptions, Tombstone,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tracing::info;

use crate::caller::CanvasCaller;
use crate::document::{CanvasState, Document};
use crate::listing::ListPage;
use crate::mapping::spec;
use crate::service_error::ServiceError;

/// How long a deleted subscription can be seen, in days.
const DELETED_DAYS: u32 = 90;

/// The most active subscriptions of one root account.
const MAX_SUBSCRIPTIONS: usize = 1000;

/// The most tries of a change, if other changes come first.
const MAX_TRIES: usize = 8;

/// The calls of Canvas's client.
#[derive(Clone, Debug)]
pub struct CanvasService {
    subscriptions: Arc<Subscriptions>,
    catalog: Arc<Catalog>,
    clock: Arc<dyn Clock>,
}

/// A subscription that a caller may see.
enum CanvasSubscription {
    Active(Arc<Subscription>, Document),
    Deleted(Document),
}

impl CanvasService {
    /// Creates a service that manages `subscriptions`.
    pub const fn new(
        subscriptions: Arc<Subscriptions>,
        catalog: Arc<Catalog>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            subscriptions,
            catalog,
            clock,
        }
    }

    /// Creates a subscription. Returns it with its id.
    pub async fn create(
        &self,
        caller: CanvasCaller,
        mut object: Map<String, Value>,
    ) -> Result<Value, ServiceError> {
        if CanvasState::take(&mut object)? == Some(CanvasState::Deleted) {
            let fault = "a new subscription cannot have the state `Deleted`";
            return Err(ServiceError::Invalid(fault.to_owned()));
        }
        let of_account = |document: &Document| {
            let page = CanvasCaller {
                subject: None,
                ..caller.clone()
            };
            page.may_see(&document.creator)
        };
        let active = self.active();
        if active.filter(|(_, document)| of_account(document)).count() >= MAX_SUBSCRIPTIONS {
            return Err(ServiceError::Invalid(format!(
                "a root account can have at most {MAX_SUBSCRIPTIONS} subscriptions"
            )));
        }
        let id = self.new_id()?;
        let document = Document::new(caller, &id, object);
        self.insert(&document).await?;
        info!(subscription = %id, "subscription created by canvas");
        Ok(document.answer(CanvasState::Active))
    }

    /// Returns a subscription, for 90 days also a deleted one.
    pub fn show(&self, caller: &CanvasCaller, id: &str) -> Result<Value, ServiceError> {
        Ok(match self.find(caller, id)? {
            CanvasSubscription::Active(_, document) => document.answer(CanvasState::Active),
            CanvasSubscription::Deleted(document) => document.answer(CanvasState::Deleted),
        })
    }

    /// Changes some members of a subscription. The state `Deleted` deletes it, and `Active` restores a deleted
    /// one.
    pub async fn update(
        &self,
        caller: &CanvasCaller,
        id: &str,
        mut changes: Map<String, Value>,
    ) -> Result<Value, ServiceError> {
        let state = CanvasState::take(&mut changes)?;
        // An operator may pause the subscription between the read and the write.
        for _ in 0..MAX_TRIES {
            let changed = self.try_update(caller, id, changes.clone(), state).await;
            if changed != Err(ServiceError::ChangedMeanwhile) {
                return changed;
            }
        }
        Err(ServiceError::ChangedMeanwhile)
    }

    async fn try_update(
        &self,
        caller: &CanvasCaller,
        id: &str,
        changes: Map<String, Value>,
        state: Option<CanvasState>,
    ) -> Result<Value, ServiceError> {
        let (current, document) = match self.find(caller, id)? {
            CanvasSubscription::Active(current, document) => (current, document.changed(changes)),
            CanvasSubscription::Deleted(document) => {
                return match state {
                    Some(CanvasState::Active) => {
                        let document = document.changed(changes);
                        self.insert(&document).await?;
                        info!(subscription = id, "subscription restored by canvas");
                        Ok(document.answer(CanvasState::Active))
                    }
                    Some(CanvasState::Deleted) => Ok(document.answer(CanvasState::Deleted)),
                    None => Err(ServiceError::Invalid(
                        "the subscription is deleted; to restore it, send the state `Active`"
                            .to_owned(),
                    )),
                };
            }
        };
        if state == Some(CanvasState::Deleted) {
            let removed = self
                .subscriptions
                .remove_owned(&current, document.owner()?)
                .await;
            removed?;
            info!(subscription = id, "subscription removed by canvas");
            return Ok(document.answer(CanvasState::Deleted));
        }
        let spec = spec(&document, &self.catalog)?;
        let is_restarted = state.is_some() || spec.sink != current.spec.sink;
        let change = OwnedChange {
            owner: document.owner()?,
            state: match &current.state {
                // Easel gave up, and now Canvas repaired the subscription.
                State::Deactivated { .. } if is_restarted => State::Active,
                // An operator paused it, and only an operator resumes it.
                state @ (State::Active | State::Paused { .. } | State::Deactivated { .. }) => {
                    state.clone()
                }
            },
            spec,
        };
        self.subscriptions.update_owned(&current, change).await?;
        info!(subscription = id, "subscription changed by canvas");
        Ok(document.answer(CanvasState::Active))
    }

    /// Deletes a subscription.
    pub async fn delete(&self, caller: &CanvasCaller, id: &str) -> Result<Value, ServiceError> {
        let deleted = json!({ "State": "Deleted" });
        let changes = deleted.as_object().cloned().unwrap_or_default();
        self.update(caller, id, changes).await
    }

    /// Deletes all subscriptions of the caller's tool. Returns their ids.
    pub async fn delete_all(&self, caller: &CanvasCaller) -> Result<Value, ServiceError> {
        if caller.tool_proxy().is_none() {
            let fault = "only a tool of LTI 2 can delete all its subscriptions";
            return Err(ServiceError::Invalid(fault.to_owned()));
        }
        let mut ids = Vec::new();
        for (_, document) in self.active() {
            if !caller.may_see(&document.creator) {
                continue;
            }
            match self.delete(caller, document.id()).await {
                Ok(_) => ids.push(document.id().to_owned()),
                // Another call deleted it.
                Err(ServiceError::UnknownSubscription) => (),
                Err(error) => return Err(error),
            }
        }
        Ok(json!({ "Deleted": ids }))
    }

    /// Returns a page of the subscriptions that the caller may see, with those deleted in the last `days`.
    pub(crate) fn list(
        &self,
        caller: &CanvasCaller,
        days: Option<u32>,
        start_key: Option<&str>,
    ) -> Result<ListPage, ServiceError> {
        // A subscription that is removed during the call is in both lists; the deleted one counts then.
        let active = self
            .active()
            .map(|(_, document)| (document, CanvasState::Active));
        let deleted = self.deleted(std::cmp::min(days.unwrap_or(0), DELETED_DAYS));
        let deleted = deleted.map(|document| (document, CanvasState::Deleted));
        let all = active.chain(deleted);
        let all = all.filter(|(document, _)| caller.may_see(&document.creator));
        let by_id: BTreeMap<_, _> = all
            .map(|(document, state)| (document.id().to_owned(), document.answer(state)))
            .collect();
        ListPage::after(start_key, by_id.into_iter().collect())
    }

    /// Returns the event types by category.
    pub fn event_types(&self, message_type: Option<&str>) -> Result<Value, ServiceError> {
        crate::event_types::event_types(&self.catalog, message_type)
    }

    /// Forgets the subscriptions that were deleted more than 90 days ago.
    pub async fn forget_old(&self) -> Result<(), ChangeError> {
        let before = self.oldest_deleted(DELETED_DAYS);
        self.subscriptions.remove_tombstones(before).await
    }

    async fn insert(&self, document: &Document) -> Result<(), ServiceError> {
        let spec = spec(document, &self.catalog)?;
        let owner = document.owner()?;
        let reach = document.creator.root_account.reach();
        let created = self.subscriptions.create_owned(reach, spec, owner).await;
        created.map(drop).map_err(ServiceError::from)
    }

    /// Finds a subscription. The answer for another's subscription is the same as for none.
    fn find(&self, caller: &CanvasCaller, id: &str) -> Result<CanvasSubscription, ServiceError> {
        let mut subscriptions = self.subscriptions.list().into_iter();
        let active = subscriptions
            .find(|found| found.owner.is_some() && found.spec.name.as_str() == id)
            .and_then(with_document);
        let found = match active {
            Some((subscription, document)) => {
                Some(CanvasSubscription::Active(subscription, document))
            }
            None => self
                .deleted(DELETED_DAYS)
                .find(|document| document.id() == id)
                .map(CanvasSubscription::Deleted),
        };
        let (CanvasSubscription::Active(_, document) | CanvasSubscription::Deleted(document)) =
            found.as_ref().ok_or(ServiceError::UnknownSubscription)?;
        if !caller.may_see(&document.creator) {
            return Err(ServiceError::UnknownSubscription);
        }
        found.ok_or(ServiceError::UnknownSubscription)
    }

    /// Iterates over the subscriptions of Canvas.
    fn active(&self) -> impl Iterator<Item = (Arc<Subscription>, Document)> + use<> {
        let all = self.subscriptions.list().into_iter();
        all.filter_map(with_document)
    }

    /// Iterates over the subscriptions of Canvas that were deleted in the last `days`.
    fn deleted(&self, days: u32) -> impl Iterator<Item = Document> + use<> {
        let oldest = self.oldest_deleted(days);
        let is_shown = move |tombstone: &Tombstone| tombstone.removed_at > oldest;
        let tombstones = self.subscriptions.tombstones().into_iter();
        let tombstones = tombstones.filter(is_shown);
        tombstones.filter_map(|tombstone| Document::of(&tombstone.owner))
    }

    fn oldest_deleted(&self, days: u32) -> Timestamp {
        let period = SignedDuration::from_hours(i64::from(days) * 24);
        let oldest = self.clock.now().checked_sub(period);
        oldest.unwrap_or(Timestamp::MIN)
    }

    /// Creates an id: a UUID of version 7, so that ids sort by the time of creation.
    fn new_id(&self) -> Result<String, ServiceError> {
        let mut random = [0; 10];
        getrandom::fill(&mut random).map_err(|error| {
            tracing::error!(%error, "no random bytes for an id");
            ServiceError::Unavailable
        })?;
        let millis = self.clock.now().as_millisecond();
        let millis = u64::try_from(millis).unwrap_or_default();
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &random);
        Ok(id.into_uuid().to_string())
    }
}

fn with_document(subscription: Arc<Subscription>) -> Option<(Arc<Subscription>, Document)> {
    let document = Document::of(subscription.owner.as_deref()?)?;
    Some((subscription, document))
}
