//! Which events a subscription covers.

use std::collections::BTreeSet;
use std::sync::Arc;

use easel_catalog::{Catalog, Facts};
use easel_log::Shape;

use crate::spec::EventMatcher;
use crate::{Conditions, EventGlob, Format, ReplaySpec, Spec};

/// The event globs, the conditions and the format of a spec, compiled for many events.
///
/// The globs and conditions say which events a subscriber wants. [`has_form`](Self::has_form) says which of
/// these can be sent. The balance counts the others as [`OtherFormat`](crate::Term::OtherFormat).
#[derive(Clone, Debug)]
pub struct Filter {
    globs: Vec<EventMatcher>,
    /// The conditions. All must match. The most selective field comes first.
    conditions: Vec<(ConditionField, BTreeSet<String>)>,
    format: Format,
    /// For a Caliper format, the catalogue, because only some event types have a Caliper form.
    caliper_catalog: Option<Arc<Catalog>>,
    /// The additional filter of a replay. An event must match both.
    narrowing: Option<Box<Self>>,
}

/// The field that a condition checks, ordered from the most to the least selective.
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
    /// Creates the filter of a spec. `catalog` says which event types have a Caliper form.
    pub fn new(spec: &Spec, catalog: &Arc<Catalog>) -> Self {
        Self {
            format: spec.format,
            caliper_catalog: spec.format.is_caliper().then(|| Arc::clone(catalog)),
            ..Self::from_parts(&spec.events, &spec.conditions)
        }
    }

    /// Returns this filter, restricted to the events that a replay selects.
    pub(crate) fn narrowed(self, replay: &ReplaySpec) -> Self {
        let narrowing = Self::from_parts(&replay.events, &replay.conditions);
        Self {
            narrowing: Some(Box::new(narrowing)),
            ..self
        }
    }

    fn from_parts(events: &[EventGlob], conditions: &Conditions) -> Self {
        let values_by_field = [
            (ConditionField::User, &conditions.user),
            (ConditionField::Course, &conditions.course),
            (ConditionField::Account, &conditions.account),
            (ConditionField::RootAccount, &conditions.root_account),
            (ConditionField::ContextType, &conditions.context_type),
            (ConditionField::Producer, &conditions.producer),
        ];
        Self {
            globs: events.iter().map(EventMatcher::new).collect(),
            conditions: values_by_field
                .into_iter()
                .filter(|(_, values)| !values.is_empty())
                .map(|(field, values)| (field, values.iter().cloned().collect()))
                .collect(),
            format: Format::default(),
            caliper_catalog: None,
            narrowing: None,
        }
    }

    /// Returns true if the filter can match events of this type.
    pub fn wants_type(&self, event_type: &str) -> bool {
        self.globs.iter().any(|glob| glob.matches(event_type))
            && self
                .narrowing
                .as_ref()
                .is_none_or(|narrowing| narrowing.wants_type(event_type))
    }

    /// Returns true if an event of this type and shape has a form in the format of the subscription.
    ///
    /// A Canvas event has a Caliper form if the catalogue has one for its type. A Caliper envelope that came in
    /// is sent as it came, so it has only one form: that of the format `caliper`.
    pub fn has_form(&self, event_type: &str, shape: Shape) -> bool {
        let is_translated = |catalog: &Arc<Catalog>| {
            let definition = catalog.get(event_type);
            definition.is_some_and(|definition| definition.caliper.is_some())
        };
        match (shape, self.format) {
            (Shape::Canvas, Format::Canvas) | (Shape::Caliper, Format::Caliper) => true,
            (Shape::Canvas, Format::Caliper | Format::CaliperStrict) => {
                self.caliper_catalog.as_ref().is_none_or(is_translated)
            }
            (Shape::Caliper, Format::Canvas | Format::CaliperStrict) => false,
        }
    }

    /// Returns true if an event of a wanted type matches every condition. Calls `facts` only if there is a
    /// condition.
    pub fn wants<'a>(&self, facts: impl FnOnce() -> Facts<'a>) -> bool {
        let narrowing = self.narrowing.as_ref();
        let is_narrowed = narrowing.is_some_and(|narrowing| !narrowing.conditions.is_empty());
        (self.conditions.is_empty() && !is_narrowed) || {
            let facts = facts();
            self.matches(&facts)
        }
    }

    /// Returns true if the event matches every condition.
    pub(crate) fn matches(&self, facts: &Facts<'_>) -> bool {
        let narrowing = self.narrowing.as_ref();
        let own_match = self.conditions.iter().all(|(field, wanted)| {
            field
                .values(facts)
                .into_iter()
                .flatten()
                .any(|value| wanted.contains(value))
        });
        own_match && narrowing.is_none_or(|narrowing| narrowing.matches(facts))
    }

    /// Returns the condition by which an index finds this filter; `None` if the filter has no condition.
    pub(crate) fn index_condition(&self) -> Option<(ConditionField, impl Iterator<Item = &str>)> {
        let (field, values) = self.conditions.first()?;
        Some((*field, values.iter().map(String::as_str)))
    }
}

impl ConditionField {
    /// Returns the values of this field in an event: two if the field has two names in the metadata.
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
