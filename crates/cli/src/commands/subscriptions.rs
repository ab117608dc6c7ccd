//! `easel subscriptions`

use std::collections::BTreeMap;

use clap::Subcommand;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::balance::BalanceJson;
use crate::args::GlobalArgs;
use crate::client::{self, Client, escape};
use crate::exit_code::Failure;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  easel subscriptions add everything --webhook https://events.example.edu/canvas
  easel subscriptions add grades --webhook https://grades.example.edu/hook --event 'grade_*'
  easel subscriptions add botany --webhook https://botany.example.edu/ \\
      --condition course=10000000000301 --start earliest
  easel subscriptions add store --webhook https://store.example.edu/ --format caliper-strict
  easel subscriptions pause grades";

/// Say who gets which events
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SubscriptionsArgs {
    #[command(subcommand)]
    command: SubscriptionsCommand,
}

#[derive(Debug, Subcommand)]
enum SubscriptionsCommand {
    /// Add a subscription
    Add(AddArgs),
    /// List all subscriptions
    List,
    /// Show one subscription
    Show(Named),
    /// Stop sending; the subscription keeps its place
    Pause(Named),
    /// Go on sending where it was paused
    Resume(Named),
    /// Remove a subscription and its place
    Remove(Named),
}

#[derive(Debug, clap::Args)]
struct Named {
    /// Its name
    name: String,
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// What to call it: a-z, 0-9, `-`, `_` and `.`
    name: String,
    /// Endpoint each event is posted to
    #[arg(long, value_name = "URL")]
    webhook: String,
    /// Event types wanted, * stands for any characters; can be repeated [default: all]
    #[arg(long = "event", value_name = "GLOB")]
    events: Vec<String>,
    /// What an event's metadata must say, such as `course=10000000000301`; can be repeated.
    /// Keys: `root_account`, `account`, `course`, `user`, `producer`, `context_type`
    #[arg(long = "condition", value_name = "KEY=VALUE", value_parser = condition)]
    conditions: Vec<(String, String)>,
    /// Form to send events in: canvas, caliper or caliper-strict [default: canvas]
    #[arg(long)]
    format: Option<String>,
    /// Events in one envelope, in a Caliper form [default: 1]
    #[arg(long, value_name = "N")]
    batch: Option<u16>,
    /// Where to begin: now, earliest, a time, or an offset [default: now]
    #[arg(long)]
    start: Option<String>,
    /// How many deliveries may be under way at once [default: 16]
    #[arg(long, value_name = "N")]
    in_flight: Option<u16>,
    /// How long one attempt may take [default: 15s]
    #[arg(long, value_name = "LENGTH")]
    timeout: Option<String>,
}

#[derive(Deserialize)]
struct ListJson {
    subscriptions: Vec<SubscriptionJson>,
}

#[derive(Deserialize)]
struct SubscriptionJson {
    name: String,
    events: Vec<String>,
    conditions: BTreeMap<String, Vec<String>>,
    format: String,
    in_flight: u16,
    webhook: WebhookJson,
    state: String,
    reason: Option<String>,
    holding_until: Option<Timestamp>,
    origin: String,
    created_at: Timestamp,
    balance: BalanceJson,
}

#[derive(Deserialize)]
struct WebhookJson {
    url: String,
    timeout: String,
    batch: u16,
}

impl SubscriptionsArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let client = Client::connect(global)?;
        let answer = match &self.command {
            SubscriptionsCommand::Add(args) => {
                client.post("/v1/subscriptions", Some(&args.spec())).await?
            }
            SubscriptionsCommand::List => client.get("/v1/subscriptions").await?,
            SubscriptionsCommand::Show(it) => client.get(&it.path("")).await?,
            SubscriptionsCommand::Pause(it) => client.post(&it.path("/pause"), None).await?,
            SubscriptionsCommand::Resume(it) => client.post(&it.path("/resume"), None).await?,
            SubscriptionsCommand::Remove(it) => {
                client.remove(&it.path("")).await?;
                output::talk(format_args!("removed {}", it.name));
                return Ok(());
            }
        };
        if global.json {
            return output::bytes(&answer);
        }
        match self.command {
            SubscriptionsCommand::List => {
                let ListJson { subscriptions } = client::read(&answer)?;
                let rows = subscriptions
                    .into_iter()
                    .map(SubscriptionJson::row)
                    .collect::<Vec<_>>();
                output::table(["NAME", "STATE", "PENDING", "EVENTS", "WEBHOOK"], &rows)
            }
            SubscriptionsCommand::Show(_) => client::read::<SubscriptionJson>(&answer)?
                .lines()
                .into_iter()
                .try_for_each(|(name, value)| output::line(format_args!("{name:<10}  {value}"))),
            SubscriptionsCommand::Add(_)
            | SubscriptionsCommand::Pause(_)
            | SubscriptionsCommand::Resume(_)
            | SubscriptionsCommand::Remove(_) => {
                let it: SubscriptionJson = client::read(&answer)?;
                output::talk(format_args!("{} is {}", it.name, it.state));
                Ok(())
            }
        }
    }
}

impl Named {
    fn path(&self, rest: &str) -> String {
        format!("/v1/subscriptions/{}{rest}", escape(&self.name))
    }
}

impl AddArgs {
    /// The subscription as the API takes it; what was not given is left to its defaults.
    fn spec(&self) -> Value {
        let mut webhook = json!({ "url": self.webhook });
        put(&mut webhook, "timeout", self.timeout.as_deref());
        put(&mut webhook, "batch", self.batch);
        let mut spec = json!({ "name": self.name, "webhook": webhook });
        put(&mut spec, "format", self.format.as_deref());
        put(&mut spec, "in_flight", self.in_flight);
        put(&mut spec, "start", self.start.as_deref());
        put(
            &mut spec,
            "events",
            (!self.events.is_empty()).then(|| self.events.clone()),
        );
        let mut conditions = BTreeMap::<_, Vec<_>>::new();
        for (key, value) in &self.conditions {
            conditions.entry(key).or_default().push(value);
        }
        put(
            &mut spec,
            "conditions",
            (!conditions.is_empty()).then(|| json!(conditions)),
        );
        spec
    }
}

impl SubscriptionJson {
    fn row(self) -> [String; 5] {
        let pending = self.balance.pending.to_string();
        [
            self.name,
            self.state,
            pending,
            self.events.join(" "),
            self.webhook.url,
        ]
    }

    fn lines(self) -> Vec<(&'static str, String)> {
        let notes = [
            self.reason,
            self.holding_until.map(|time| format!("until {time:.0}")),
        ];
        let state = [Some(self.state)].into_iter().chain(notes).flatten();
        let conditions = self
            .conditions
            .iter()
            .map(|(key, any)| format!("{key}={}", any.join("|")));
        let conditions = conditions.collect::<Vec<_>>().join(" ");
        vec![
            ("name", self.name),
            ("state", state.collect::<Vec<_>>().join(", ")),
            ("events", self.events.join(" ")),
            (
                "conditions",
                if conditions.is_empty() {
                    "none".to_owned()
                } else {
                    conditions
                },
            ),
            ("format", self.format),
            ("webhook", self.webhook.url),
            ("timeout", self.webhook.timeout),
            ("batch", self.webhook.batch.to_string()),
            ("in flight", self.in_flight.to_string()),
            (
                "declared",
                format!("{}, {:.0}", self.origin, self.created_at),
            ),
            ("balance", self.balance.sentence()),
        ]
    }
}

fn put(object: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(name.to_owned(), value.into());
    }
}

fn condition(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("a condition is given as KEY=VALUE".to_owned()),
    }
}
