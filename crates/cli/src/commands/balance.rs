//! `easel balance`

use anyhow::anyhow;
use easel_server::Term;
use serde::Deserialize;

use crate::balance_json::BalanceJson;
use crate::client::{self, Client, escape};
use crate::exit_code::{Code, Failure};
use crate::global_args::GlobalArgs;
use crate::output;

const AFTER_HELP: &str = "\
Each event that was accepted since a subscription began is counted once:
accepted = delivered + filtered + pending + parked + dead + expired.

Examples:
  easel balance
  easel balance grades
  easel balance --json | jq '.subscriptions[] | select(.pending > 1000)'";

/// Show delivery totals per subscription
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct BalanceArgs {
    /// Show only this subscription
    name: Option<String>,
}

#[derive(Deserialize)]
struct BalancesJson {
    head: u64,
    tail: u64,
    /// Absent for a token of one root account.
    quarantined: Option<u64>,
    subscriptions: Vec<BalanceJson>,
}

impl BalanceArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let client = Client::from_args(global)?;
        let path = match &self.name {
            Some(name) => format!("/v1/subscriptions/{}/balance", escape(name)),
            None => "/v1/balance".to_owned(),
        };
        let answer = client.get(&path).await?;
        if global.json {
            return output::with_line_break(&answer);
        }
        if self.name.is_some() {
            return print(&[client::read(&answer)?]);
        }
        let BalancesJson {
            head,
            tail,
            quarantined,
            subscriptions,
        } = client::read(&answer)?;
        if let Some(quarantined) = quarantined {
            let stored = head.saturating_sub(tail);
            output::notice(format_args!(
                "the log has {stored} of {head} events, {quarantined} in quarantine"
            ));
        }
        print(&subscriptions)
    }
}

fn print(balances: &[BalanceJson]) -> Result<(), Failure> {
    if balances.is_empty() {
        output::notice("no subscriptions yet; add one with `easel subscriptions add`");
        return Ok(());
    }
    let heads = row("SUBSCRIPTION", "ACCEPTED", |term| {
        term.name().to_uppercase()
    });
    let rows: Vec<_> = balances
        .iter()
        .map(|balance| {
            let count = |term| balance.counts[term].to_string();
            row(&balance.subscription, &balance.accepted.to_string(), count)
        })
        .collect();
    output::table(heads.each_ref().map(String::as_str), &rows)?;
    let other_format = balances
        .iter()
        .filter(|balance| balance.counts[Term::OtherFormat] > 0);
    for balance in other_format {
        let (name, count) = (&balance.subscription, balance.counts[Term::OtherFormat]);
        output::notice(format_args!(
            "{name}: {count} of the filtered events are wanted, but cannot be sent in its format"
        ));
    }
    let damaged = balances
        .iter()
        .filter(|balance| balance.counts[Term::Damaged] > 0);
    for balance in damaged {
        let (name, count) = (&balance.subscription, balance.counts[Term::Damaged]);
        output::notice(format_args!(
            "{name}: {count} of the expired events were damaged"
        ));
    }
    if balances.iter().all(BalanceJson::adds_up) {
        let terms = Term::SUMMANDS.map(Term::name).join(" + ");
        output::notice(format_args!("adds up: accepted = {terms}"));
    }
    match balances.iter().find(|balance| !balance.adds_up()) {
        None => Ok(()),
        Some(balance) => {
            let error = anyhow!("the balance of {} does not add up", balance.subscription);
            Err(Failure::new(Code::Bug, error))
        }
    }
}

/// Returns one row of the table.
fn row(
    name: &str,
    accepted: &str,
    cell: impl Fn(Term) -> String,
) -> [String; Term::SUMMANDS.len() + 2] {
    let cells = [name, accepted].map(str::to_owned).into_iter();
    let mut cells = cells.chain(Term::SUMMANDS.map(cell));
    std::array::from_fn(|_| cells.next().unwrap_or_default())
}
