//! Whether a spec asks for what can be had.

use easel_catalog::Catalog;

use super::{OnExhausted, OrderBy, SinkSpec, Spec};

/// The most events under way to one subscription: requests at once times events in each.
const MAX_UNDER_WAY: usize = 500;

impl Spec {
    /// Says what in this spec cannot be had.
    pub fn validate(&self, catalog: &Catalog) -> Result<(), String> {
        if self.order == OrderBy::None {
            if self.key.is_some() {
                return Err("key is for order = \"key\"".to_owned());
            }
            if self.on_exhausted == OnExhausted::HoldKey {
                return Err("on_exhausted = \"hold_key\" is for order = \"key\"".to_owned());
            }
        }
        self.validate_format(catalog)
    }

    /// An event type that is named, without a glob, has to have a form in that format; under a
    /// glob, events without one are not covered.
    fn validate_format(&self, catalog: &Catalog) -> Result<(), String> {
        let SinkSpec::Webhook(webhook) = &self.sink;
        let batch = webhook.batch.get();
        if !self.format.is_caliper() {
            return match batch {
                1 => Ok(()),
                _ => Err("batch is for Caliper formats; a Canvas event is sent alone".to_owned()),
            };
        }
        if batch * self.in_flight.get() > MAX_UNDER_WAY {
            return Err(format!(
                "in_flight times batch is at most {MAX_UNDER_WAY}; {} times {batch} is not",
                self.in_flight.get()
            ));
        }
        let has_form = |name: &str| catalog.get(name).is_some_and(|it| it.caliper.is_some());
        let named = self.events.iter().map(crate::EventGlob::as_str);
        let mut named = named.filter(|it| !it.contains(['*', '?']));
        match named.find(|it| !has_form(it)) {
            None => Ok(()),
            Some(event_type) => {
                let types = catalog.types().iter().filter(|it| it.caliper.is_some());
                let types: Vec<_> = types.map(|it| it.name).collect();
                let types = types.join(", ");
                Err(format!(
                    "{event_type} has no Caliper form; those that have one: {types}"
                ))
            }
        }
    }
}
