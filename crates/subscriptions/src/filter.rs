//! Which events a subscription covers.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use easel_catalog::{Catalog, EventOrigin, FilterFacts, GlobalId, Reach, ReachRules};
use easel_log::{Record, Shape};

use crate::event_account::event_account;
use crate::spec::EventMatcher;
use crate::{Conditions, EventGlob, Format, MatchContext, ReplaySpec, Spec};

/// The event globs, the conditions and the format of a spec, compiled for many events.
///
/// [`judge`](Self::judge) is the one place that decides about an event: the reach says which events the subscriber may
/// receive, the globs and conditions say which of these it wants, and the format says which of these can be sent.
#[derive(Clone, Debug)]
pub struct Filter {
    globs: Vec<EventMatcher>,
    /// The globs of events that a request made.
    user_globs: Vec<EventMatcher>,
    /// The globs of all other events, which are mostly made by jobs.
    system_globs: Vec<EventMatcher>,
    /// The conditions. All must match. The most selective field comes first.
    conditions: Vec<(ConditionField, BTreeSet<String>)>,
    /// Whose events the subscriber may receive.
    reach: Reach,
    reach_rules: ReachRules,
    format: Format,
    /// For a Caliper format, the catalogue, because only some event types have a Caliper form.
    caliper_catalog: Option<Arc<Catalog>>,
    /// The additional filter of a replay. An event must match both.
    narrowing: Option<Box<Self>>,
}

/// What a filter says about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterVerdict {
    /// The event is outside of the subscription's reach.
    OutOfReach,
    /// The filter does not want the event.
    Unwanted,
    /// The filter wants the event, but the event has no form in the format. The balance counts it as
    /// [`OtherFormat`](crate::Term::OtherFormat).
    NoForm,
    /// The event must be sent.
    Wanted,
}

/// The field that a condition checks, ordered from the most to the least selective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ConditionField {
    User,
    Course,
    Assignment,
    AssociatedIntegration,
    Account,
    RootAccount,
    ContextType,
    Producer,
    /// The origin. Only the index uses this field, and only for types that the filter wants of one origin.
    Origin,
}

/// The value of [`ConditionField::Origin`] in an event that a request made.
const OF_REQUEST: &str = "request";
/// The value of [`ConditionField::Origin`] in all other events.
const OF_SYSTEM: &str = "system";

impl Filter {
    /// Creates the filter of a spec with this reach.
    pub fn new(reach: &Reach, spec: &Spec, context: &MatchContext) -> Self {
        let catalog = &context.catalog;
        Self {
            reach: reach.clone(),
            reach_rules: context.reach_rules,
            format: spec.format,
            caliper_catalog: spec.format.is_caliper().then(|| Arc::clone(catalog)),
            user_globs: matchers(&spec.user_events),
            system_globs: matchers(&spec.system_events),
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
            (ConditionField::Assignment, &conditions.assignment),
            (
                ConditionField::AssociatedIntegration,
                &conditions.associated_integration,
            ),
            (ConditionField::Account, &conditions.account),
            (ConditionField::RootAccount, &conditions.root_account),
            (ConditionField::ContextType, &conditions.context_type),
            (ConditionField::Producer, &conditions.producer),
        ];
        Self {
            globs: matchers(events),
            user_globs: Vec::new(),
            system_globs: Vec::new(),
            conditions: values_by_field
                .into_iter()
                .filter(|(_, values)| !values.is_empty())
                .map(|(field, values)| (field, field.wanted(values)))
                .collect(),
            reach: Reach::Everything,
            reach_rules: ReachRules::default(),
            format: Format::default(),
            caliper_catalog: None,
            narrowing: None,
        }
    }

    /// Decides about an event. `facts` are those of the record.
    pub fn judge(&self, record: &Record, facts: &FilterFacts<'_>) -> FilterVerdict {
        let event_type = &record.event_type;
        if !self.covers(record, facts) {
            FilterVerdict::OutOfReach
        } else if !self.wants_type(event_type) || !self.wants(event_type, facts) {
            FilterVerdict::Unwanted
        } else {
            self.form_verdict(record)
        }
    }

    /// Decides about an event that the filter wants.
    pub(crate) fn form_verdict(&self, record: &Record) -> FilterVerdict {
        if self.has_form(&record.event_type, record.provenance.shape) {
            FilterVerdict::Wanted
        } else {
            FilterVerdict::NoForm
        }
    }

    /// Returns true if an event is within the reach.
    pub fn covers(&self, record: &Record, facts: &FilterFacts<'_>) -> bool {
        let rules = self.reach_rules;
        rules.covers(&self.reach, event_account(record), facts)
    }

    /// Returns true if an event that names no root account can be within the reach.
    pub(crate) fn takes_events_without_root_account(&self) -> bool {
        self.reach == Reach::Everything || self.reach_rules.events_without_root_account
    }

    /// Returns true if the filter can decide about events without their content, by their type alone.
    pub fn may_skip_types(&self) -> bool {
        self.reach == Reach::Everything
    }

    /// Returns true if the filter can match events of this type.
    pub fn wants_type(&self, event_type: &str) -> bool {
        let globs = self.globs.iter();
        let mut globs = globs.chain(&self.user_globs).chain(&self.system_globs);
        globs.any(|glob| glob.matches(event_type))
            && self
                .narrowing
                .as_ref()
                .is_none_or(|narrowing| narrowing.wants_type(event_type))
    }

    /// Returns true if an event of this type and shape has a form in the format of the subscription.
    ///
    /// A Canvas event has a Caliper form if the catalogue has one for its type. A Caliper envelope that came in
    /// is sent as it came, so it has only one form: that of the format `caliper`.
    pub(crate) fn has_form(&self, event_type: &str, shape: Shape) -> bool {
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

    /// Returns true if an event of a wanted type has a wanted origin and matches every condition. Reads only
    /// the facts that it needs.
    pub(crate) fn wants(&self, event_type: &str, facts: &FilterFacts<'_>) -> bool {
        let own_match = self.conditions.iter().all(|(field, wanted)| {
            let values = field.values(facts).into_iter().flatten();
            values.into_iter().any(|value| wanted.contains(&*value))
        });
        own_match
            && self
                .only_origin(event_type)
                .is_none_or(|origin| origin == origin_of(facts))
            && self
                .narrowing
                .as_ref()
                .is_none_or(|narrowing| narrowing.wants(event_type, facts))
    }

    /// Returns the only origin that the filter wants of events of a wanted type; `None` if it wants both.
    fn only_origin(&self, event_type: &str) -> Option<&'static str> {
        let any = |globs: &[EventMatcher]| globs.iter().any(|glob| glob.matches(event_type));
        if self.user_globs.is_empty() && self.system_globs.is_empty() || any(&self.globs) {
            return None;
        }
        match (any(&self.user_globs), any(&self.system_globs)) {
            (true, false) => Some(OF_REQUEST),
            (false, true) => Some(OF_SYSTEM),
            (true, true) | (false, false) => None,
        }
    }

    /// Returns the condition by which an index finds this filter for events of a type; `None` if every event
    /// of the type matches.
    pub(crate) fn index_condition(&self, event_type: &str) -> Option<(ConditionField, Vec<&str>)> {
        match self.conditions.first() {
            Some((field, values)) => Some((*field, values.iter().map(String::as_str).collect())),
            None => {
                let origin = self.only_origin(event_type)?;
                Some((ConditionField::Origin, vec![origin]))
            }
        }
    }
}

fn matchers(globs: &[EventGlob]) -> Vec<EventMatcher> {
    globs.iter().map(EventMatcher::new).collect()
}

fn origin_of(facts: &FilterFacts<'_>) -> &'static str {
    match facts.details().origin {
        EventOrigin::Request => OF_REQUEST,
        EventOrigin::Job | EventOrigin::Neither => OF_SYSTEM,
    }
}

impl ConditionField {
    /// Returns the values that match a condition with these `values`.
    ///
    /// An assignment has a global and a local id, and events have either. A global id also matches the local
    /// id, and a local id matches the assignments of every shard with this local id.
    fn wanted(self, values: &[String]) -> BTreeSet<String> {
        let mut wanted: BTreeSet<_> = values.iter().cloned().collect();
        if self == Self::Assignment {
            wanted.extend(values.iter().filter_map(|value| {
                let id: GlobalId = value.parse().ok()?;
                Some(if id.shard() == 0 {
                    local_key(id)
                } else {
                    id.local().to_string()
                })
            }));
        }
        wanted
    }

    /// Returns the values of this field in an event: two if the field has two names in the metadata, or if
    /// the value has two forms.
    pub(crate) fn values<'f>(self, facts: &'f FilterFacts<'_>) -> [Option<Cow<'f, str>>; 2] {
        let metadata = |first: Option<&'f str>, second: Option<&'f str>| {
            [first.map(Cow::Borrowed), second.map(Cow::Borrowed)]
        };
        let context = |kind| {
            let facts = facts.metadata();
            let is_kind = facts.context_type.as_deref() == Some(kind);
            facts.context_id.as_deref().filter(|_| is_kind)
        };
        match self {
            Self::User => metadata(facts.metadata().user_id.as_deref(), None),
            Self::Course => metadata(context("Course"), None),
            Self::Assignment => {
                let id = facts.details().assignment_id.as_deref();
                let global = id.and_then(|id| id.parse::<GlobalId>().ok());
                let global = global.filter(|id| id.shard() != 0);
                [
                    id.map(Cow::Borrowed),
                    global.map(|id| Cow::Owned(local_key(id))),
                ]
            }
            Self::AssociatedIntegration => {
                metadata(facts.details().associated_integration_id.as_deref(), None)
            }
            Self::Account => metadata(
                facts.metadata().context_account_id.as_deref(),
                context("Account"),
            ),
            Self::RootAccount => metadata(
                facts.metadata().root_account_id.as_deref(),
                facts.metadata().root_account_uuid.as_deref(),
            ),
            Self::ContextType => metadata(facts.metadata().context_type.as_deref(), None),
            Self::Producer => metadata(facts.metadata().producer.as_deref(), None),
            Self::Origin => metadata(Some(origin_of(facts)), None),
        }
    }
}

/// Returns the key under which a condition on a local id matches a global id. No id is equal to it.
fn local_key(id: GlobalId) -> String {
    format!("~{}", id.local())
}
