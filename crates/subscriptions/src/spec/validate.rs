//! Validates combinations of settings in a spec.

use easel_catalog::Catalog;

use super::{
    Format, InFlight, OnExhausted, OrderBy, QueueCredentials, Signing, SinkSpec, Spec, SqlSpec,
    SqsSpec, WebhookSpec,
};
use crate::Schedule;

/// The most events of one subscription that are in flight together: `in_flight` times `batch`.
const MAX_UNDER_WAY: usize = 500;

/// The most secrets that sign each request.
const MAX_SECRETS: usize = 8;

impl Spec {
    /// Validates the spec. The error says what is invalid.
    pub fn validate(&self, catalog: &Catalog) -> Result<(), String> {
        if self.order == OrderBy::None {
            if self.key.is_some() {
                return Err("key requires order = \"key\"".to_owned());
            }
            if self.on_exhausted == OnExhausted::HoldKey {
                return Err("on_exhausted = \"hold_key\" requires order = \"key\"".to_owned());
            }
        }
        self.validate_origins()?;
        self.validate_secrets()?;
        match &self.sink {
            SinkSpec::Webhook(webhook) => {
                validate_signing(webhook)?;
                self.validate_batch(webhook)?;
                self.validate_format(catalog)
            }
            SinkSpec::Sql(sql) => self.validate_sql(sql),
            SinkSpec::Sqs(sqs) => {
                self.validate_sqs(sqs)?;
                self.validate_format(catalog)
            }
        }
    }

    /// Rejects events by origin beside a pattern that matches all events already.
    fn validate_origins(&self) -> Result<(), String> {
        let is_by_origin = !self.user_events.is_empty() || !self.system_events.is_empty();
        if is_by_origin && self.events.iter().any(|glob| glob.as_str() == "*") {
            return Err(
                "events has `*`, which matches all events, so user_events and system_events would \
                 have no effect; list other events, or none"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Rejects settings that have no meaning for tables. Rows are written in the order of the log, a batch at
    /// a time, and a batch that fails is retried until it succeeds.
    fn validate_sql(&self, sql: &SqlSpec) -> Result<(), String> {
        SqlSpec::check_schema(&sql.schema).map_err(|fault| format!("sql.schema: {fault}"))?;
        let settings = [
            ("format", "canvas", !self.format.is_caliper()),
            ("in_flight", "16", self.in_flight == InFlight::default()),
            ("order", "none", self.order == OrderBy::None),
            ("retry", "default", self.retry == Schedule::default()),
            (
                "on_exhausted",
                "dead_letter",
                self.on_exhausted == OnExhausted::DeadLetter,
            ),
        ];
        match settings.iter().find(|(_, _, is_default)| !is_default) {
            None => Ok(()),
            Some((setting, default, _)) => Err(format!(
                "{setting} must be {default} for tables; omit the setting"
            )),
        }
    }

    /// Rejects credentials that cannot work, and more batches in flight than a crash may repeat. A FIFO queue
    /// keeps the order of messages with one group, so the lane must keep the order of events with one key.
    fn validate_sqs(&self, sqs: &SqsSpec) -> Result<(), String> {
        match &sqs.credentials {
            QueueCredentials::Environment => (),
            QueueCredentials::Profile(name) => {
                SqsSpec::check_profile(name).map_err(|fault| format!("sqs.profile: {fault}"))?;
            }
            QueueCredentials::Keys { access_key_id, .. } => {
                SqsSpec::check_access_key_id(access_key_id)
                    .map_err(|fault| format!("sqs.access_key_id: {fault}"))?;
            }
        }
        if self.in_flight.get() > SqsSpec::MAX_IN_FLIGHT {
            return Err(format!(
                "in_flight must be at most {} for a queue, not {}",
                SqsSpec::MAX_IN_FLIGHT,
                self.in_flight.get()
            ));
        }
        if sqs.is_fifo() && self.order == OrderBy::None {
            return Err(
                "a FIFO queue requires order = \"key\": each key is a message group".to_owned(),
            );
        }
        Ok(())
    }

    /// In the Canvas format, rejects batches. In a Caliper format, rejects more events in flight than a crash
    /// may repeat.
    fn validate_batch(&self, webhook: &WebhookSpec) -> Result<(), String> {
        let batch = webhook.batch.get();
        if !self.format.is_caliper() {
            return match batch {
                1 => Ok(()),
                _ => {
                    Err("batch requires a Caliper format; a Canvas event is sent alone".to_owned())
                }
            };
        }
        if batch * self.in_flight.get() > MAX_UNDER_WAY {
            return Err(format!(
                "in_flight times batch must be at most {MAX_UNDER_WAY}, not {} times {batch}",
                self.in_flight.get()
            ));
        }
        Ok(())
    }

    /// In a Caliper format, rejects the name of an event type without a Caliper form. A glob may match event
    /// types without a form: their events are not sent. A hosted Canvas can send Caliper events of types that the
    /// catalogue does not know. They are sent in the format `caliper` only, so this format accepts unknown names.
    fn validate_format(&self, catalog: &Catalog) -> Result<(), String> {
        if !self.format.is_caliper() {
            return Ok(());
        }
        let has_form = |name: &str| {
            let definition = catalog.get(name);
            match definition {
                Some(definition) => definition.caliper.is_some(),
                None => self.format == Format::Caliper,
            }
        };
        let named = self.all_events().map(crate::EventGlob::as_str);
        let mut named = named.filter(|name| !name.contains(['*', '?']));
        match named.find(|name| !has_form(name)) {
            None => Ok(()),
            Some(event_type) => {
                let definitions = catalog.types().iter();
                let with_form = definitions.filter(|definition| definition.caliper.is_some());
                let names: Vec<_> = with_form.map(|definition| definition.name).collect();
                let names = names.join(", ");
                Err(format!(
                    "{event_type} has no Caliper form; the event types with a form are {names}"
                ))
            }
        }
    }
}

/// Rejects a JWT for several events, because lanes could not share the JWT. Rejects a wrong number of
/// secrets.
fn validate_signing(webhook: &WebhookSpec) -> Result<(), String> {
    match &webhook.signing {
        Some(Signing::Jwt { .. }) if webhook.batch.get() > 1 => {
            Err("signing.jwt requires batch = 1; a JWT has one event".to_owned())
        }
        Some(Signing::Standard { secrets }) if !(1..=MAX_SECRETS).contains(&secrets.len()) => {
            Err(format!(
                "signing.standard.secrets must have 1 to {MAX_SECRETS} secrets, not {}",
                secrets.len()
            ))
        }
        Some(_) | None => Ok(()),
    }
}
