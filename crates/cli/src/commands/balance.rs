//! `easel balance`

use anyhow::anyhow;
use easel_server::Term;
use serde::Deserialize;

use crate::args::GlobalArgs;
use crate::balance_json::BalanceJson;
use crate::client::{self, Client, escape};
use crate::exit_code::{Code, Failure};
use crate::output;

const EXAMPLES: &str = "\
Every event accepted since a subscription began is accounted for:
accepted = delivered + filtered + pending + parked + dead + expired.

Examples:
  easel balance
  easel balance grades
  easel balance --json | jq '.subscriptions[] | select(.pending > 1000) | .subscription'";

/// Show what became of every event, for each subscription
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BalanceArgs {
    /// Only this subscription
    name: Option<String>,
}

#[derive(Deserialize)]
struct BalancesJson {
    head: u64,
    tail: u64,
    quarantined: u64,
    subscriptions: Vec<BalanceJson>,
}

impl BalanceArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let client = Client::connect(global)?;
        let path = match &self.name {
            Some(name) => format!("/v1/subscriptions/{}/balance", escape(name)),
            None => "/v1/balance".to_owned(),
        };
        let answer = client.get(&path).await?;
        if global.json {
            return output::bytes(&answer);
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
        let kept = head.saturating_sub(tail);
        let kept = format!("the log keeps {kept} of {head} events, {quarantined} in quarantine");
        output::talk(kept);
        print(&subscriptions)
    }
}

fn print(balances: &[BalanceJson]) -> Result<(), Failure> {
    if balances.is_empty() {
        output::talk("no subscriptions yet; add one with `easel subscriptions add`");
        return Ok(());
    }
    let heads = row("SUBSCRIPTION", "ACCEPTED", |term| {
        term.name().to_uppercase()
    });
    let rows: Vec<_> = balances
        .iter()
        .map(|it| {
            let count = |term| it.counts[term].to_string();
            row(&it.subscription, &it.accepted.to_string(), count)
        })
        .collect();
    output::table(heads.each_ref().map(String::as_str), &rows)?;
    let damaged = balances.iter().filter(|it| it.counts[Term::Damaged] > 0);
    for it in damaged {
        let (name, count) = (&it.subscription, it.counts[Term::Damaged]);
        output::talk(format_args!("{name}: {count} of expired were damaged"));
    }
    if balances.iter().all(BalanceJson::adds_up) {
        let terms = Term::SUMMANDS.map(Term::name).join(" + ");
        output::talk(format_args!("adds up: accepted = {terms}"));
    }
    match balances.iter().find(|it| !it.adds_up()) {
        None => Ok(()),
        Some(it) => {
            let told = anyhow!("the balance of {} does not add up", it.subscription);
            Err(Failure::new(Code::Bug, told))
        }
    }
}

/// A line of the table.
fn row(
    name: &str,
    accepted: &str,
    cell: impl Fn(Term) -> String,
) -> [String; Term::SUMMANDS.len() + 2] {
    let cells = [name, accepted].map(str::to_owned).into_iter();
    let mut cells = cells.chain(Term::SUMMANDS.map(cell));
    std::array::from_fn(|_| cells.next().unwrap_or_default())
}
