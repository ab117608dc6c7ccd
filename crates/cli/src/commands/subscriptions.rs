//! `easel subscriptions`

mod edit;
mod fields;
mod security;
mod sql_args;
mod sqs_args;
mod subscription_json;
mod test;

use clap::Subcommand;
use easel_catalog::Reach;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::catalog;
use crate::client::{self, Client, escape};
use crate::exit_code::Failure;
use crate::global_args::GlobalArgs;
use crate::output;
use crate::secret_arg::{SecretArg, SecretReader};
use edit::EditArgs;
use fields::FieldArgs;
pub(super) use fields::{condition, conditions_json, object};
use security::{SecurityArgs, show_new_secret};
use sql_args::SqlArgs;
use sqs_args::{ReplacedCredentials, SqsArgs};
use subscription_json::SubscriptionJson;
use test::TestArgs;

const AFTER_HELP: &str = "\
Examples:
  easel subscriptions add everything --webhook https://events.example.edu/canvas
  easel subscriptions add grades --webhook https://grades.example.edu/hook \\
      --event 'grade_*'
  easel subscriptions add botany --webhook https://botany.example.edu/ \\
      --condition course=10000000000301 --start earliest
  easel subscriptions add store --webhook https://store.example.edu/ \\
      --format caliper-strict
  easel subscriptions add signed --webhook https://signed.example.edu/ \\
      --sign jwt --header 'x-api-key: env:API_KEY'
  easel subscriptions add warehouse --sql env:DATABASE_URL --start earliest
  easel subscriptions add loader \\
      --sqs https://sqs.us-east-1.amazonaws.com/111122223333/canvas-live-events
  easel subscriptions test grades
  easel subscriptions edit grades --timeout 30s
  easel subscriptions edit grades --order key --retry 5s,1m,10m,1h
  easel subscriptions pause grades
  easel subscriptions resume grades --from now";

const ADD_HELP: &str = "\
A secret can be `env:NAME` (an environment variable), `file:PATH` or `-`
(stdin). So can the URL of --webhook, --sql or --sqs, because parts of it can be
secret.
Other users of this machine can see the arguments of a command, so use one of
these in place of the secret itself. The server never shows a secret again.

Examples:
  easel subscriptions add grades --webhook https://grades.example.edu/hook
  easel subscriptions add signed --webhook https://signed.example.edu/ \\
      --sign standard
  easel subscriptions add private --webhook https://private.example.edu/ \\
      --bearer file:/run/secrets/private
  easel subscriptions add token --webhook env:WEBHOOK_URL
  easel subscriptions add warehouse --sql file:/run/secrets/database-url";

/// Manage subscriptions
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct SubscriptionsArgs {
    #[command(subcommand)]
    command: SubscriptionsCommand,
}

#[derive(Debug, Subcommand)]
enum SubscriptionsCommand {
    /// Add a subscription
    #[command(after_help = ADD_HELP)]
    Add(AddArgs),
    /// List all subscriptions
    List,
    /// Show one subscription
    Show(NameArgs),
    /// Send a sample event to an endpoint and print the answer
    Test(TestArgs),
    /// Change a subscription, with flags or in $EDITOR; its cursor stays the same
    #[command(mut_args(without_default))]
    Edit(EditArgs),
    /// Pause a subscription; its cursor stays the same
    Pause(NameArgs),
    /// Resume a subscription at its cursor or at a later position
    Resume(ResumeSubscriptionArgs),
    /// Apply the address guard to a subscription that is older than the guard. If the guard refuses
    /// its address, the subscription goes on hold
    EnforceGuard(NameArgs),
    /// Remove a subscription and its cursor
    Remove(NameArgs),
}

#[derive(Debug, clap::Args)]
struct NameArgs {
    /// Name of the subscription
    name: String,
}

#[derive(Debug, clap::Args)]
struct ResumeSubscriptionArgs {
    #[command(flatten)]
    named: NameArgs,
    /// Skip to this position: now, a time, or an offset. Skipped events count as expired
    #[arg(long, value_name = "WHERE")]
    from: Option<String>,
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// Name of the subscription: a-z, 0-9, `-`, `_` and `.`
    name: String,
    /// URL of the endpoint that receives the events. Its query is a secret
    #[arg(long, value_name = "URL", required_unless_present_any = ["sql", "sqs"])]
    webhook: Option<SecretArg>,
    #[command(flatten)]
    sql: SqlArgs,
    #[command(flatten)]
    sqs: SqsArgs,
    #[command(flatten)]
    fields: FieldArgs,
    #[command(flatten)]
    security: SecurityArgs,
    /// Start position: now, earliest, a time, or an offset [default: now]
    #[arg(long)]
    start: Option<String>,
    /// Whose events it receives: `*`, or `root_account:` with an id or a UUID [default: the reach of the token]
    #[arg(long)]
    reach: Option<Reach>,
}

#[derive(Deserialize)]
struct SubscriptionListJson {
    subscriptions: Vec<SubscriptionJson>,
}

impl SubscriptionsArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let client = Client::from_args(global)?;
        let answer = match &self.command {
            SubscriptionsCommand::Add(args) => {
                catalog::warn_of_unmatched(global, &client, &args.fields.events).await;
                let mut reader = SecretReader::default();
                let mut spec = args.spec(&mut reader)?;
                let new_secret = args.security.add_to(&mut spec, &mut reader)?;
                let query = args.reach.as_ref().map(|reach| format!("?reach={reach}"));
                let path = format!("/v1/subscriptions{}", query.unwrap_or_default());
                let answer = client.post(&path, Some(&spec)).await?;
                show_new_secret(answer, new_secret, global)?
            }
            SubscriptionsCommand::List => client.get("/v1/subscriptions").await?,
            SubscriptionsCommand::Show(args) => client.get(&args.path("")).await?,
            SubscriptionsCommand::Test(args) => return args.run(&client, global).await,
            SubscriptionsCommand::Edit(args) => match args.run(&client, global).await? {
                Some(answer) => answer,
                None => return Ok(()),
            },
            SubscriptionsCommand::Pause(args) => client.post(&args.path("/pause"), None).await?,
            SubscriptionsCommand::Resume(args) => {
                let from = args.from.as_deref().map(start_json);
                let body = from.map(|from| json!({ "from": from }));
                client
                    .post(&args.named.path("/resume"), body.as_ref())
                    .await?
            }
            SubscriptionsCommand::EnforceGuard(args) => {
                client.post(&args.path("/enforce-guard"), None).await?
            }
            SubscriptionsCommand::Remove(args) => {
                client.remove(&args.path("")).await?;
                if global.json {
                    return output::line(json!({ "removed": args.name }));
                }
                output::notice(format_args!("removed {}", args.name));
                return Ok(());
            }
        };
        if global.json {
            return output::with_line_break(&answer);
        }
        match self.command {
            SubscriptionsCommand::List => {
                let SubscriptionListJson { subscriptions } = client::read(&answer)?;
                if subscriptions.iter().any(SubscriptionJson::has_owner) {
                    let rows = subscriptions.into_iter();
                    let rows: Vec<_> = rows.map(SubscriptionJson::row_with_owner).collect();
                    let heads = ["NAME", "OWNER", "STATE", "PENDING", "EVENTS", "DESTINATION"];
                    return output::table(heads, &rows);
                }
                let rows = subscriptions
                    .into_iter()
                    .map(SubscriptionJson::row)
                    .collect::<Vec<_>>();
                output::table(["NAME", "STATE", "PENDING", "EVENTS", "DESTINATION"], &rows)
            }
            SubscriptionsCommand::Show(_) => {
                output::fields(&client::read::<SubscriptionJson>(&answer)?.fields())
            }
            SubscriptionsCommand::Add(_)
            | SubscriptionsCommand::Test(_)
            | SubscriptionsCommand::Edit(_)
            | SubscriptionsCommand::Pause(_)
            | SubscriptionsCommand::Resume(_)
            | SubscriptionsCommand::EnforceGuard(_)
            | SubscriptionsCommand::Remove(_) => {
                let SubscriptionJson {
                    full_name, state, ..
                } = client::read(&answer)?;
                output::notice(format_args!("{full_name} is {state}"));
                Ok(())
            }
        }
    }
}

impl NameArgs {
    fn path(&self, rest: &str) -> String {
        format!("{}{rest}", subscription_path(&self.name))
    }
}

/// Returns a position in the log for the API: a number, or the text.
fn start_json(start: &str) -> Value {
    start
        .parse::<u64>()
        .map_or_else(|_not_a_number| start.into(), Value::from)
}

fn subscription_path(name: &str) -> String {
    format!("/v1/subscriptions/{}", escape(name))
}

impl AddArgs {
    /// Returns the body of the API request. Fields that were not given keep their defaults.
    fn spec(&self, reader: &mut SecretReader) -> Result<Value, Failure> {
        let url = self.webhook.as_ref();
        let url = url.map(|url| reader.read("--webhook", url)).transpose()?;
        let mut spec = self
            .fields
            .json(url.as_ref().map(|url| url.expose().as_str()));
        self.sql.add_to(&mut spec, reader)?;
        self.sqs
            .add_to(&mut spec, reader, ReplacedCredentials::Absent)?;
        if let Some(members) = spec.as_object_mut() {
            members.insert("name".to_owned(), self.name.as_str().into());
            let start = self.start.as_deref().map(Value::from);
            members.extend(start.map(|start| ("start".to_owned(), start)));
        }
        Ok(spec)
    }
}

/// Removes the default from the help of an argument. `edit` leaves a field without a flag unchanged.
fn without_default(argument: clap::Arg) -> clap::Arg {
    let help = argument.get_help().map(ToString::to_string);
    match help
        .as_deref()
        .and_then(|help| help.split_once(" [default: "))
    {
        Some((help, _default)) => argument.help(help.to_owned()),
        None => argument,
    }
}
