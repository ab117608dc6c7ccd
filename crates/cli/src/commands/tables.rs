//! `easel tables`

use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use clap::Subcommand;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::amount::{number, size};
use crate::client::{self, Client, escape};
use crate::exit_code::{Code, Failure};
use crate::global_args::GlobalArgs;
use crate::output;
use crate::progress::Progress;

const AFTER_HELP: &str = "\
A subscription with --sql writes events to the tables of a PostgreSQL database.
Without --subscription, the command uses the only subscription with tables.

Examples:
  easel subscriptions add warehouse --sql env:DATABASE_URL --start earliest
  easel tables status
  easel tables plan
  easel tables promote submission_created attempt_label
  easel tables rebuild --wait";

/// The polling interval of `--wait`.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Manage the tables that receive events
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct TablesArgs {
    /// Name of the subscription [default: the only one with tables]
    #[arg(long, value_name = "NAME", global = true)]
    subscription: Option<String>,
    #[command(subcommand)]
    command: TablesCommand,
}

#[derive(Debug, Subcommand)]
enum TablesCommand {
    /// Show the tables, their position in the log, and their latest changes
    Status,
    /// Print the SQL that `apply` would run
    Plan,
    /// Create the tables of all event types now. Otherwise a table is created at its first event
    Apply,
    /// Give a new field a column, and move its values from the column `extra` there
    Promote {
        /// Event type, such as `submission_created`
        #[arg(value_name = "EVENT")]
        event: String,
        /// Field of the body
        #[arg(value_name = "FIELD")]
        field: String,
    },
    /// Write the events of the log into fresh tables, copy older rows, and replace the tables
    Rebuild(RebuildArgs),
}

#[derive(Debug, clap::Args)]
struct RebuildArgs {
    /// Wait until the rebuild has ended, and show its progress
    #[arg(long)]
    wait: bool,
    /// Stop the rebuild that runs; the tables stay as they are
    #[arg(long, conflicts_with = "wait")]
    cancel: bool,
}

#[derive(Deserialize)]
struct SubscriptionListJson {
    subscriptions: Vec<DestinationJson>,
}

#[derive(Deserialize)]
struct DestinationJson {
    name: String,
    sql: Option<Value>,
}

#[derive(Deserialize)]
struct TablesJson {
    schema: String,
    layout: String,
    next_offset: Option<u64>,
    head: u64,
    tables: Vec<TableJson>,
    migrations: Vec<TableChangeJson>,
}

#[derive(Deserialize)]
struct TableJson {
    name: String,
    row_estimate: u64,
    byte_count: u64,
}

#[derive(Deserialize)]
struct TableChangesJson {
    changes: Vec<TableChangeJson>,
}

#[derive(Deserialize)]
struct TableChangeJson {
    applied_at: Option<Timestamp>,
    what: String,
    why: String,
    sql: String,
}

#[derive(Deserialize)]
struct PromotionJson {
    column: String,
    sql_type: String,
    row_count: u64,
    remaining_count: u64,
}

#[derive(Deserialize)]
struct RebuildJson {
    state: String,
    from: u64,
    to: u64,
    position: u64,
    reason: Option<String>,
    replayed_count: Option<u64>,
    copied_count: Option<u64>,
    old_schema: Option<String>,
}

impl TablesArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let client = Client::from_args(global)?;
        let name = match self.subscription {
            Some(name) => name,
            None => only_subscription(&client).await?,
        };
        let path = format!("/v1/subscriptions/{}/tables", escape(&name));
        match self.command {
            TablesCommand::Status => {
                let answer = client.get(&path).await?;
                let rebuild = client.get(&format!("{path}/rebuild")).await.ok();
                show(&answer, global, |tables: TablesJson| {
                    let rebuild = rebuild.map(|answer| client::read(&answer)).transpose()?;
                    tables.print(rebuild)
                })
            }
            TablesCommand::Plan => {
                let answer = client.get(&format!("{path}/plan")).await?;
                show(&answer, global, |plan: TableChangesJson| plan.print_sql())
            }
            TablesCommand::Apply => {
                let answer = client.post(&format!("{path}/apply"), None).await?;
                show(&answer, global, |plan: TableChangesJson| {
                    plan.print_applied();
                    Ok(())
                })
            }
            TablesCommand::Promote { event, field } => {
                let body = json!({ "event": event, "field": field });
                let promotions = format!("{path}/promotions");
                let answer = client.post(&promotions, Some(&body)).await?;
                show(&answer, global, |promotion: PromotionJson| {
                    promotion.print();
                    Ok(())
                })
            }
            TablesCommand::Rebuild(args) => {
                args.run(&client, &name, &format!("{path}/rebuild"), global)
                    .await
            }
        }
    }
}

impl RebuildArgs {
    async fn run(
        &self,
        client: &Client,
        name: &str,
        path: &str,
        global: &GlobalArgs,
    ) -> Result<(), Failure> {
        if self.cancel {
            client.remove(path).await?;
            if global.json {
                return output::line(json!({ "cancelled": name }));
            }
            output::notice(format_args!(
                "cancelled the rebuild of the tables of {name}"
            ));
            return Ok(());
        }
        let mut answer = client.post(path, None).await?;
        if self.wait {
            answer = wait(client, path).await?;
        }
        show(&answer, global, |rebuild: RebuildJson| {
            rebuild.print(name);
            Ok(())
        })
    }
}

/// Waits until the rebuild at `path` has ended, and shows its progress.
async fn wait(client: &Client, path: &str) -> Result<Bytes, Failure> {
    let mut bar = None;
    let mut shown = 0;
    loop {
        let answer = client.get(path).await?;
        let RebuildJson {
            state,
            from,
            to,
            position,
            reason,
            ..
        } = client::read(&answer)?;
        let bar = bar.get_or_insert_with(|| Progress::of_events(to - from));
        let done = position.saturating_sub(from);
        bar.add(usize::try_from(done.saturating_sub(shown)).unwrap_or(usize::MAX));
        shown = done;
        match state.as_str() {
            "running" => tokio::time::sleep(POLL_INTERVAL).await,
            "failed" => {
                let reason = output::printable(&reason.unwrap_or_default());
                let error = anyhow!("the tables stay as they are: failed to {reason}");
                return Err(Failure::new(Code::Unavailable, error));
            }
            _ => return Ok(answer),
        }
    }
}

/// Returns the name of the only subscription with tables.
async fn only_subscription(client: &Client) -> Result<String, Failure> {
    let answer = client.get("/v1/subscriptions").await?;
    let SubscriptionListJson { subscriptions } = client::read(&answer)?;
    let with_tables = subscriptions
        .into_iter()
        .filter(|subscription| subscription.sql.is_some());
    let mut names: Vec<_> = with_tables.map(|subscription| subscription.name).collect();
    match (names.pop(), names.is_empty()) {
        (Some(name), true) => Ok(name),
        (None, _) => {
            let error = anyhow!(
                "no subscription has tables; add one with `easel subscriptions add NAME --sql URL`"
            );
            Err(Failure::new(Code::BadInput, error))
        }
        (Some(last), false) => {
            names.push(last);
            let names = names.join(", ");
            let error = anyhow!("choose a subscription with --subscription: {names}");
            Err(Failure::new(Code::BadInput, error))
        }
    }
}

/// Prints an answer, as JSON or for people.
fn show<T: serde::de::DeserializeOwned>(
    answer: &Bytes,
    global: &GlobalArgs,
    print: impl FnOnce(T) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if global.json {
        return output::with_line_break(answer);
    }
    print(client::read(answer)?)
}

impl TablesJson {
    fn print(self, rebuild: Option<RebuildJson>) -> Result<(), Failure> {
        let position = match self.next_offset {
            Some(next) => format!("next offset {next}; the log ends at {}", self.head),
            None => "nothing written yet".to_owned(),
        };
        let mut fields = vec![
            ("schema", self.schema),
            ("layout", self.layout),
            ("position", position),
        ];
        fields.extend(rebuild.map(|rebuild| ("rebuild", rebuild.state_in_words())));
        output::fields(&fields)?;
        if !self.tables.is_empty() {
            output::line("")?;
            let rows: Vec<_> = self.tables.into_iter().map(TableJson::row).collect();
            output::table(["TABLE", "ROWS (ESTIMATE)", "SIZE"], &rows)?;
        }
        if !self.migrations.is_empty() {
            output::line("")?;
            let rows: Vec<_> = self
                .migrations
                .into_iter()
                .map(TableChangeJson::row)
                .collect();
            output::table(["CHANGED", "WHAT"], &rows)?;
        }
        Ok(())
    }
}

impl TableJson {
    fn row(self) -> [String; 3] {
        [self.name, number(self.row_estimate), size(self.byte_count)]
    }
}

impl TableChangeJson {
    fn row(self) -> [String; 2] {
        let time = self.applied_at.map(|time| format!("{time:.0}"));
        [time.unwrap_or_default(), output::printable(&self.what)]
    }
}

impl TableChangesJson {
    fn print_sql(self) -> Result<(), Failure> {
        if self.changes.is_empty() {
            output::notice("the tables need no change");
        }
        for TableChangeJson { what, why, sql, .. } in self.changes {
            output::line(format_args!("-- {}: {why}", output::printable(&what)))?;
            output::line(format_args!("{sql};"))?;
        }
        Ok(())
    }

    fn print_applied(self) {
        if self.changes.is_empty() {
            output::notice("the tables need no change");
        }
        for TableChangeJson { what, .. } in self.changes {
            output::notice(output::printable(&what));
        }
    }
}

impl PromotionJson {
    fn print(self) {
        let Self {
            column,
            sql_type,
            row_count,
            remaining_count,
        } = self;
        output::notice(format_args!(
            "the column {} has the type {sql_type}; {row_count} rows got a value",
            output::printable(&column)
        ));
        if remaining_count > 0 {
            output::notice(format_args!(
                "{remaining_count} rows keep a value in the column extra, because the value does not fit"
            ));
        }
    }
}

impl RebuildJson {
    fn state_in_words(self) -> String {
        match self.reason {
            Some(reason) => format!("failed to {}", output::printable(&reason)),
            None if self.state == "running" => {
                let (done, total) = (self.position - self.from, self.to - self.from);
                format!("running, {} of {} events", number(done), number(total))
            }
            None => self.state,
        }
    }

    fn print(self, name: &str) {
        match (self.replayed_count, self.copied_count, self.old_schema) {
            (Some(replayed), Some(copied), Some(old)) => {
                output::notice(format_args!(
                    "rebuilt the tables of {name}: {replayed} rows from the log, {copied} rows copied"
                ));
                output::notice(format_args!("the old tables are in the schema {old}"));
            }
            _ => output::notice(format_args!(
                "the rebuild reads the events from {} to {}; for its end, run `easel tables status`",
                self.from, self.to
            )),
        }
    }
}
