//! Which events a subscription covers.

use std::collections::BTreeSet;
use std::sync::Arc;

use easel_catalog::{Catalog, Facts};

use crate::spec::EventMatcher;
use crate::{Conditions, EventGlob, ReplaySpec, Spec};

/// A spec's event globs and conditions, made ready to be asked often.
#[derive(Clone, Debug)]
pub struct Filter {
    globs: Vec<EventMatcher>,
    /// Every one of these must hold; ordered, the most telling field first.
    conditions: Vec<(ConditionField, BTreeSet<String>)>,
    /// In a format that only some event types have, what tells which.
    forms: Option<Arc<Catalog>>,
    /// What must hold besides, for a replay of a part.
    narrowing: Option<Box<Self>>,
}

/// What a condition looks at. Ordered by how much it usually narrows down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ConditionField {
    User,
    Course,
    Account,
    RootAccount,
    ContextType,
    Producer,
}

impl Filter {
    /// The filter a spec describes; in a Caliper format, events of types that `catalog` has no
    /// Caliper form for are not covered.
    pub fn new(spec: &Spec, catalog: &Arc<Catalog>) -> Self {
        Self {
            forms: spec.format.is_caliper().then(|| Arc::clone(catalog)),
            ..Self::of(&spec.events, &spec.conditions)
        }
    }

    /// The same filter, for a replay of a part of what it covers.
    pub(crate) fn narrowed(self, replay: &ReplaySpec) -> Self {
        let narrowing = Self::of(&replay.events, &replay.conditions);
        Self {
            narrowing: Some(Box::new(narrowing)),
            ..self
        }
    }

    fn of(events: &[EventGlob], wanted: &Conditions) -> Self {
        let conditions = [
            (ConditionField::User, &wanted.user),
            (ConditionField::Course, &wanted.course),
            (ConditionField::Account, &wanted.account),
            (ConditionField::RootAccount, &wanted.root_account),
            (ConditionField::ContextType, &wanted.context_type),
            (ConditionField::Producer, &wanted.producer),
        ];
        Self {
            globs: events.iter().map(EventMatcher::new).collect(),
            conditions: conditions
                .into_iter()
                .filter(|(_, values)| !values.is_empty())
                .map(|(field, values)| (field, values.iter().cloned().collect()))
                .collect(),
            forms: None,
            narrowing: None,
        }
    }

    /// Whether events of this type can be covered at all.
    pub fn wants_type(&self, event_type: &str) -> bool {
        let has_form = |catalog: &Arc<Catalog>| {
            let known = catalog.get(event_type);
            known.is_some_and(|it| it.caliper.is_some())
        };
        self.globs.iter().any(|glob| glob.matches(event_type))
            && self.forms.as_ref().is_none_or(has_form)
            && self
                .narrowing
                .as_ref()
                .is_none_or(|narrowing| narrowing.wants_type(event_type))
    }

    /// Whether an event of a wanted type is covered; `facts` is only asked when there is a
    /// condition.
    pub fn wants<'a>(&self, facts: impl FnOnce() -> Facts<'a>) -> bool {
        let narrowing = self.narrowing.as_ref();
        let is_narrowed = narrowing.is_some_and(|it| !it.conditions.is_empty());
        (self.conditions.is_empty() && !is_narrowed) || {
            let facts = facts();
            self.holds(&facts)
        }
    }

    /// Whether every condition holds.
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> bool {
        let narrowing = self.narrowing.as_ref();
        let own = self.conditions.iter().all(|(field, wanted)| {
            field
                .values(facts)
                .into_iter()
                .flatten()
                .any(|value| wanted.contains(value))
        });
        own && narrowing.is_none_or(|narrowing| narrowing.holds(facts))
    }

    /// The condition to look this filter up by, if it has any.
    pub(crate) fn key(&self) -> Option<(ConditionField, impl Iterator<Item = &str>)> {
        let (field, values) = self.conditions.first()?;
        Some((*field, values.iter().map(String::as_str)))
    }
}

impl ConditionField {
    /// What an event says of this field: one value, two where it has two names, or none.
    pub(crate) fn values<'f>(self, facts: &'f Facts<'_>) -> [Option<&'f str>; 2] {
        let context_is = |kind| facts.context_type.as_deref() == Some(kind);
        let context = |kind| facts.context_id.as_deref().filter(|_| context_is(kind));
        match self {
            Self::User => [facts.user_id.as_deref(), None],
            Self::Course => [context("Course"), None],
            Self::Account => [facts.context_account_id.as_deref(), context("Account")],
            Self::RootAccount => [
                facts.root_account_id.as_deref(),
                facts.root_account_uuid.as_deref(),
            ],
            Self::ContextType => [facts.context_type.as_deref(), None],
            Self::Producer => [facts.producer.as_deref(), None],
        }
    }
}
