//! A subscription with its state, as the API returns it, and its text for people.

use std::collections::BTreeMap;

use easel_catalog::Reach;
use easel_server::Term;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::balance_json::BalanceJson;
use crate::output;

#[derive(Deserialize)]
pub(super) struct SubscriptionJson {
    /// The name in paths and commands.
    pub(super) full_name: String,
    reach: String,
    events: Vec<String>,
    #[serde(default)]
    user_events: Vec<String>,
    #[serde(default)]
    system_events: Vec<String>,
    conditions: BTreeMap<String, Vec<String>>,
    format: String,
    masking: String,
    in_flight: u16,
    max_rate: Option<u32>,
    order: String,
    key: Option<String>,
    retry: Value,
    on_exhausted: String,
    webhook: Option<WebhookJson>,
    sql: Option<SqlJson>,
    sqs: Option<SqsJson>,
    pub(super) state: String,
    reason: Option<String>,
    held_since: Option<Timestamp>,
    holding_until: Option<Timestamp>,
    address_guard: String,
    origin: String,
    /// The system that manages the subscription, such as `canvas`.
    owner: Option<String>,
    created_at: Timestamp,
    balance: BalanceJson,
    /// Absent in lists.
    attempts: Option<AttemptsJson>,
    /// Absent in lists.
    parked: Option<ParkedJson>,
}

#[derive(Deserialize)]
struct WebhookJson {
    url: String,
    timeout: String,
    batch: u16,
    signing: Option<SigningJson>,
    authentication: Option<AuthenticationJson>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    client_certificate: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct SqlJson {
    url: String,
    ca: Option<IgnoredAny>,
    schema: String,
    layout: String,
    promote: String,
    columns: ColumnsJson,
}

#[derive(Deserialize)]
struct SqsJson {
    queue_url: String,
    region: Option<String>,
    endpoint_url: Option<String>,
    profile: Option<String>,
    access_key_id: Option<String>,
}

#[derive(Deserialize)]
struct ColumnsJson {
    #[serde(default)]
    exclude: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum SigningJson {
    Jwt { algorithm: String },
    Standard { secrets: Vec<IgnoredAny> },
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum AuthenticationJson {
    Basic { user: String },
    Bearer(IgnoredAny),
}

#[derive(Deserialize)]
struct AttemptsJson {
    since: Timestamp,
    outcomes: BTreeMap<String, u64>,
    latency_ms: Option<LatencyJson>,
}

#[derive(Deserialize)]
struct LatencyJson {
    p50: u32,
    p95: u32,
    p99: u32,
}

#[derive(Deserialize)]
struct ParkedJson {
    count: u64,
    next_due_at: Option<Timestamp>,
    reasons: Vec<ReasonJson>,
    waits_for_key: u64,
    waits_for_operator: u64,
}

#[derive(Deserialize)]
struct ReasonJson {
    reason: String,
    count: u64,
}

impl SubscriptionJson {
    /// Returns the row of the table of all subscriptions.
    pub(super) fn row(self) -> [String; 5] {
        let events = self.all_events();
        let webhook = self.webhook.map(|webhook| webhook.url);
        let sql = self.sql.map(|sql| sql.url);
        let sqs = self.sqs.map(|sqs| sqs.queue_url);
        let destination = webhook.or(sql).or(sqs).unwrap_or_default();
        let pending = self.balance.counts[Term::Pending].to_string();
        [self.full_name, self.state, pending, events, destination]
    }

    /// Returns the owner and the row of the table, for a table that shows owners.
    pub(super) fn row_with_owner(mut self) -> [String; 6] {
        let owner = self.owner.take().unwrap_or_else(|| "-".to_owned());
        let [name, state, pending, events, destination] = self.row();
        [name, owner, state, pending, events, destination]
    }

    /// Returns true if another system manages the subscription.
    pub(super) const fn has_owner(&self) -> bool {
        self.owner.is_some()
    }

    /// Returns the event types of all three lists. A type is named once.
    fn all_events(&self) -> String {
        let mut all = self.events.clone();
        for event in self.user_events.iter().chain(&self.system_events) {
            if !all.contains(event) {
                all.push(event.clone());
            }
        }
        all.join(" ")
    }

    /// Returns all values with their names.
    pub(super) fn fields(self) -> Vec<(&'static str, String)> {
        let state = self.state_in_words();
        let conditions = self
            .conditions
            .iter()
            .map(|(key, values)| format!("{key}={}", values.join("|")));
        let conditions = conditions.collect::<Vec<_>>().join(" ");
        let order = match (&*self.order, &self.key) {
            ("key", Some(key)) => format!("by {key}"),
            ("key", None) => "by the acting user, else the context".to_owned(),
            (order, _) => order.to_owned(),
        };
        let retry = match &self.retry {
            Value::String(name) => name.clone(),
            Value::Array(pauses) if pauses.is_empty() => "never".to_owned(),
            Value::Array(pauses) => {
                let pauses = pauses.iter().filter_map(Value::as_str);
                format!("after {}", pauses.collect::<Vec<_>>().join(", "))
            }
            other => other.to_string(),
        };
        let max_rate = self.max_rate.map(|rate| format!("{rate} events/s"));
        let none = || "none".to_owned();
        let guard = match &*self.address_guard {
            "reported" => "reported: Easel connects to refused addresses, and logs a warning",
            guard => guard,
        };
        let mut fields = vec![
            ("name", self.full_name),
            ("state", state),
            ("events", self.events.join(" ")),
        ];
        if self.reach != Reach::Everything.to_string() {
            fields.push(("reach", self.reach));
        }
        for (name, events) in [
            ("of users", &self.user_events),
            ("of jobs", &self.system_events),
        ] {
            if !events.is_empty() {
                fields.push((name, events.join(" ")));
            }
        }
        fields.extend([
            (
                "conditions",
                Some(conditions)
                    .filter(|text| !text.is_empty())
                    .unwrap_or_else(none),
            ),
            ("format", self.format),
            ("masking", self.masking),
        ]);
        if let Some(webhook) = self.webhook {
            fields.extend(webhook.fields(guard));
        } else if let Some(sqs) = self.sqs {
            fields.extend(sqs.fields());
        }
        if let Some(sql) = self.sql {
            fields.extend(sql.fields());
            fields.push(("max rate", max_rate.unwrap_or_else(none)));
        } else {
            fields.extend([
                ("in flight", self.in_flight.to_string()),
                ("max rate", max_rate.unwrap_or_else(none)),
                ("order", order),
                ("retry", format!("{retry}, then {}", self.on_exhausted)),
            ]);
        }
        if let Some(owner) = self.owner {
            let owner = format!("{owner}, which changes and removes the subscription");
            fields.push(("owner", owner));
        }
        fields.extend([
            (
                "declared",
                format!("{}, {:.0}", self.origin, self.created_at),
            ),
            ("balance", self.balance.sentence()),
        ]);
        if let Some(parked) = &self.parked {
            fields.extend(parked.fields());
        }
        if let Some(attempts) = &self.attempts {
            fields.extend(attempts.fields());
        }
        fields
    }

    fn state_in_words(&self) -> String {
        let since = self.held_since.map(|time| format!(" since {time:.0}"));
        let next = match self.holding_until {
            Some(time) => format!(", next attempt {time:.0}"),
            None if self.state == "holding" => ", until you redeliver or discard events".to_owned(),
            None => String::new(),
        };
        let reason = self.reason.as_deref().map(output::printable);
        let reason = reason.map(|reason| format!(": {reason}"));
        let (since, reason) = (since.unwrap_or_default(), reason.unwrap_or_default());
        format!("{}{since}{next}{reason}", self.state)
    }
}

impl WebhookJson {
    fn fields(self, guard: &str) -> Vec<(&'static str, String)> {
        let none = || "none".to_owned();
        let signing = self.signing.as_ref().map(|signing| match signing {
            SigningJson::Jwt { algorithm } => format!("jwt, {algorithm}"),
            SigningJson::Standard { secrets } if secrets.len() == 1 => "standard".to_owned(),
            SigningJson::Standard { secrets } => format!("standard, {} secrets", secrets.len()),
        });
        let login = self.authentication.as_ref().map(|login| match login {
            AuthenticationJson::Basic { user } => format!("basic, user {user}"),
            AuthenticationJson::Bearer(_) => "bearer token".to_owned(),
        });
        let names = self.headers.keys().map(String::as_str).collect::<Vec<_>>();
        let headers = Some(names.join(", ")).filter(|names| !names.is_empty());
        let certificate = self
            .client_certificate
            .map(|_present| "client certificate".to_owned());
        vec![
            ("webhook", self.url),
            ("guard", guard.to_owned()),
            ("signing", signing.unwrap_or_else(none)),
            ("login", login.unwrap_or_else(none)),
            ("headers", headers.unwrap_or_else(none)),
            ("certificate", certificate.unwrap_or_else(none)),
            ("timeout", self.timeout),
            ("batch", self.batch.to_string()),
        ]
    }
}

impl SqlJson {
    fn fields(self) -> Vec<(&'static str, String)> {
        let exclude = Some(self.columns.exclude.join(", ")).filter(|classes| !classes.is_empty());
        let ca = self.ca.map_or("system", |_present| "own");
        vec![
            ("sql", self.url),
            ("authorities", ca.to_owned()),
            ("schema", self.schema),
            ("layout", self.layout),
            ("promote", self.promote),
            ("excluded", exclude.unwrap_or_else(|| "none".to_owned())),
        ]
    }
}

impl SqsJson {
    fn fields(self) -> Vec<(&'static str, String)> {
        let profile = self.profile.map(|name| format!("profile {name}"));
        let key = self.access_key_id.map(|id| format!("access key {id}"));
        let credentials = profile.or(key);
        let of_url = || "that of the URL".to_owned();
        vec![
            ("sqs", self.queue_url),
            ("region", self.region.unwrap_or_else(of_url)),
            (
                "endpoint",
                self.endpoint_url.unwrap_or_else(|| "AWS".to_owned()),
            ),
            (
                "credentials",
                credentials.unwrap_or_else(|| "environment".to_owned()),
            ),
        ]
    }
}

impl ParkedJson {
    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut parts = vec![self.count.to_string()];
        parts.extend(
            self.next_due_at
                .map(|time| format!("next attempt {time:.0}")),
        );
        if self.waits_for_key > 0 {
            parts.push(format!(
                "{} wait for an earlier event of their key",
                self.waits_for_key
            ));
        }
        if self.waits_for_operator > 0 {
            parts.push(format!("{} wait for you", self.waits_for_operator));
        }
        let mut fields = vec![("parked", parts.join(", "))];
        let reasons = self.reasons.iter();
        fields.extend(reasons.map(|ReasonJson { reason, count }| {
            ("", format!("{count} x {}", output::printable(reason)))
        }));
        fields
    }
}

impl AttemptsJson {
    fn fields(&self) -> Vec<(&'static str, String)> {
        if self.outcomes.is_empty() {
            return vec![("attempts", "none in the last hour".to_owned())];
        }
        let outcomes = self.outcomes.iter();
        let outcomes = outcomes.map(|(outcome, count)| format!("{count} {outcome}"));
        let outcomes = outcomes.collect::<Vec<_>>().join(", ");
        let mut fields = vec![("attempts", format!("{outcomes} since {:.0}", self.since))];
        if let Some(LatencyJson { p50, p95, p99 }) = &self.latency_ms {
            let latency = format!("p50 {p50} ms, p95 {p95} ms, p99 {p99} ms");
            fields.push(("latency", latency));
        }
        fields
    }
}
