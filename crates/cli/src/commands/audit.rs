//! `easel audit`

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Subcommand;
use easel_server::{AuditCheckError, ChainFault, ChainPoint, Verification, verify_audit};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::client::{self, Client, escape};
use crate::exit_code::{Code, Failure};
use crate::global_args::GlobalArgs;
use crate::output::{self, printable};
use crate::settings::Settings;

const AFTER_HELP: &str = "\
The audit says who changed a subscription, a source, a token, a key or a
setting, and who was shown payloads. Each entry has a MAC that also covers the
entry before it, so nobody without the master key can change, remove or add
entries without a trace.

Examples:
  easel audit list --action 'token.*'
  easel audit list --object grades --since 2026-11-01T00:00:00Z
  easel audit verify
  easel audit verify --expect 1200:5b0c…";

const VERIFY_HELP: &str = "\
The command prints every fault with its place: entries that were changed,
removed, exchanged, added or cut off. If it finds a fault, the exit code is 1.

It also prints the newest entry as NUMBER:MAC. Note it in a place that nobody who
can write to the data folder can write to. With --expect, a later check finds
whether somebody replaced the whole audit by an older copy.

Without a running server, and for a backup, the command needs the master key.";

/// Show who changed what and who was shown payloads, and check that nobody changed these entries
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// List entries, oldest first
    List(ListArgs),
    /// Check that the audit is complete and unchanged
    #[command(after_help = VERIFY_HELP)]
    Verify {
        /// Backup, or data folder without a running server [default: the data folder]
        folder: Option<PathBuf>,
        /// Entry that the audit must have: the newest one of an earlier check
        #[arg(long, value_name = "NUMBER:MAC")]
        expect: Option<ChainPoint>,
    },
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Start at this entry: a number, or the `next` of an earlier answer
    #[arg(long, value_name = "ENTRY")]
    from: Option<String>,
    /// Maximum number of entries
    #[arg(short = 'n', value_name = "N", default_value_t = 100)]
    limit: u16,
    /// Only entries of this actor, such as the id of a token
    #[arg(long)]
    actor: Option<String>,
    /// Only entries whose action matches this pattern, such as `token.*`
    #[arg(long, value_name = "PATTERN")]
    action: Option<String>,
    /// Only entries with this object, such as the name of a subscription
    #[arg(long)]
    object: Option<String>,
    /// Only entries of this time or later
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Only entries before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
}

#[derive(Deserialize)]
struct AuditListJson {
    entries: Vec<AuditEntryJson>,
    next: String,
}

#[derive(Deserialize)]
struct AuditEntryJson {
    number: Option<u64>,
    at: Timestamp,
    actor: String,
    address: Option<String>,
    action: String,
    object: String,
    details: Value,
    mac: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct VerificationJson {
    valid: bool,
    entries: u64,
    newest: String,
    anchor: String,
    faults: Vec<FaultJson>,
}

#[derive(Deserialize, Serialize)]
struct FaultJson {
    fault: String,
    first: Option<u64>,
    last: Option<u64>,
    at: Option<Timestamp>,
    detail: String,
}

impl AuditArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        match self.command {
            AuditCommand::List(args) => args.run(global).await,
            AuditCommand::Verify { folder, expect } => verify(global, folder, expect).await,
        }
    }
}

impl ListArgs {
    async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let client = Client::from_args(global)?;
        let answer = client.get(&self.path()).await?;
        if global.json {
            return output::with_line_break(&answer);
        }
        let AuditListJson { entries, next } = client::read(&answer)?;
        let newest = entries.last().and_then(|last| {
            let mac = last.mac.as_deref()?;
            Some(format!("{}:{mac}", last.number?))
        });
        let is_full = entries.len() == usize::from(self.limit);
        let rows: Vec<_> = entries.into_iter().map(AuditEntryJson::row).collect();
        print_rows(&rows)?;
        if let Some(newest) = newest {
            output::notice(format_args!("the last one is {newest}"));
        }
        if is_full {
            output::notice(format_args!("there can be more: --from {next}"));
        }
        Ok(())
    }

    fn path(&self) -> String {
        let times = [self.since, self.until].map(|time| time.map(|time| time.to_string()));
        let [since, until] = &times;
        let filters = [
            ("from", &self.from),
            ("actor", &self.actor),
            ("action", &self.action),
            ("object", &self.object),
            ("since", since),
            ("until", until),
        ];
        let filters = filters.into_iter().filter_map(|(name, value)| {
            let value = value.as_deref()?;
            Some(format!("&{name}={}", escape(value)))
        });
        let filters: String = filters.collect();
        format!("/v1/audit?limit={}{filters}", self.limit)
    }
}

/// Prints entries, one on each line, so that tools for text can find them. Only the last column is as wide as it is.
fn print_rows(rows: &[[String; 7]]) -> Result<(), Failure> {
    let heads = [
        "NUMBER", "TIME", "ACTOR", "ADDRESS", "ACTION", "OBJECT", "DETAILS",
    ];
    let heads = heads.map(str::to_owned);
    let mut widths = [0; 7];
    for row in [&heads].into_iter().chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = std::cmp::max(*width, cell.chars().count());
        }
    }
    for row in [&heads].into_iter().chain(rows) {
        let cells = row.iter().zip(widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        output::line(cells.join("  ").trim_end())?;
    }
    Ok(())
}

async fn verify(
    global: &GlobalArgs,
    folder: Option<PathBuf>,
    expect: Option<ChainPoint>,
) -> Result<(), Failure> {
    let verification = if global.url.is_some() && folder.is_none() {
        verify_on_server(global, expect).await?
    } else {
        let config = Settings::load(global, &[])?.config;
        let is_data = folder.is_none();
        let folder = folder.unwrap_or_else(|| config.data.clone());
        match verify_audit(&config, &folder, expect) {
            Ok(verification) => VerificationJson::from(verification),
            Err(AuditCheckError::InUse) if is_data => verify_on_server(global, expect).await?,
            Err(error) => return Err(check_failure(error)),
        }
    };
    if global.json {
        output::line(json!(verification))?;
    } else {
        verification.print()?;
    }
    if verification.valid {
        Ok(())
    } else {
        Err(Failure::Attention)
    }
}

async fn verify_on_server(
    global: &GlobalArgs,
    expect: Option<ChainPoint>,
) -> Result<VerificationJson, Failure> {
    let client = Client::from_args(global)?;
    let expect = expect.map(|expect| format!("?expect={}", escape(&expect.to_string())));
    let path = format!("/v1/audit/verify{}", expect.unwrap_or_default());
    client::read(&client.get(&path).await?)
}

fn check_failure(error: AuditCheckError) -> Failure {
    let code = match &error {
        AuditCheckError::Audit(_) => Code::Unavailable,
        AuditCheckError::InUse
        | AuditCheckError::Folder(_)
        | AuditCheckError::Config(_)
        | AuditCheckError::Keys(_)
        | AuditCheckError::NoFile { .. } => Code::Configuration,
    };
    Failure::new(code, anyhow!("failed to {:#}", anyhow::Error::new(error)))
}

impl AuditEntryJson {
    fn row(self) -> [String; 7] {
        let number = self.number.map(|number| number.to_string());
        [
            number.unwrap_or_default(),
            format!("{:.0}", self.at),
            printable(&self.actor),
            self.address.unwrap_or_default(),
            printable(&self.action),
            printable(&self.object),
            printable(&shown_details(&self.details)),
        ]
    }
}

/// Formats the details as `name=value`.
fn shown_details(details: &Value) -> String {
    let members = details.as_object().into_iter().flat_map(Map::iter);
    let members = members.map(|(name, value)| match value {
        Value::String(text) => format!("{name}={text}"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            format!("{name}={value}")
        }
    });
    members.collect::<Vec<_>>().join(" ")
}

impl VerificationJson {
    fn print(&self) -> Result<(), Failure> {
        if !self.faults.is_empty() {
            let rows: Vec<_> = self.faults.iter().map(FaultJson::row).collect();
            output::table(["FAULT", "FIRST", "LAST", "DETAIL"], &rows)?;
        }
        let state = if self.valid { "valid" } else { "NOT valid" };
        output::notice(format_args!(
            "the audit is {state}: {} entries; the newest one is {}",
            self.entries, self.newest
        ));
        Ok(())
    }
}

impl FaultJson {
    fn row(&self) -> [String; 4] {
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        [
            self.fault.clone(),
            number(self.first).unwrap_or_default(),
            number(self.last).unwrap_or_default(),
            printable(&self.detail),
        ]
    }
}

impl From<Verification> for VerificationJson {
    fn from(verification: Verification) -> Self {
        Self {
            valid: verification.is_valid(),
            entries: verification.entry_count,
            newest: verification.newest.to_string(),
            anchor: verification.anchor.to_string(),
            faults: verification
                .faults
                .into_iter()
                .map(FaultJson::from)
                .collect(),
        }
    }
}

impl From<ChainFault> for FaultJson {
    fn from(fault: ChainFault) -> Self {
        Self {
            fault: fault.kind.code().to_owned(),
            detail: fault.to_string(),
            first: fault.first,
            last: fault.last,
            at: fault.at,
        }
    }
}
