//! `easel balance`

use anyhow::anyhow;
use serde::Deserialize;

use crate::args::GlobalArgs;
use crate::client::{self, Client, escape};
use crate::exit_code::{Code, Failure};
use crate::output;

const EXAMPLES: &str = "\
Every event accepted since a subscription began is accounted for:
accepted = delivered + filtered + pending + expired.

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

/// A subscription's account.
#[derive(Deserialize)]
pub(super) struct BalanceJson {
    subscription: String,
    accepted: u64,
    delivered: u64,
    filtered: u64,
    pub(super) pending: u64,
    expired: u64,
    damaged: u64,
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

impl BalanceJson {
    fn adds_up(&self) -> bool {
        let terms = [self.delivered, self.filtered, self.pending, self.expired];
        terms.into_iter().try_fold(0, u64::checked_add) == Some(self.accepted)
    }

    /// The account in one line.
    pub(super) fn sentence(&self) -> String {
        format!(
            "{} accepted = {} delivered + {} filtered + {} pending + {} expired: {}",
            self.accepted,
            self.delivered,
            self.filtered,
            self.pending,
            self.expired,
            self.verdict()
        )
    }

    fn verdict(&self) -> String {
        match (self.adds_up(), self.damaged) {
            (false, _) => "DOES NOT ADD UP".to_owned(),
            (true, 0) => "adds up".to_owned(),
            (true, damaged) => format!("adds up; {damaged} expired as damaged"),
        }
    }

    fn row(&self) -> [String; 7] {
        [
            self.subscription.clone(),
            self.accepted.to_string(),
            format!("= {}", self.delivered),
            format!("+ {}", self.filtered),
            format!("+ {}", self.pending),
            format!("+ {}", self.expired),
            self.verdict(),
        ]
    }
}

fn print(balances: &[BalanceJson]) -> Result<(), Failure> {
    if balances.is_empty() {
        output::talk("no subscriptions yet; add one with `easel subscriptions add`");
        return Ok(());
    }
    let heads = [
        "SUBSCRIPTION",
        "ACCEPTED",
        "= DELIVERED",
        "+ FILTERED",
        "+ PENDING",
        "+ EXPIRED",
        "",
    ];
    output::table(
        heads,
        &balances.iter().map(BalanceJson::row).collect::<Vec<_>>(),
    )?;
    match balances.iter().find(|it| !it.adds_up()) {
        None => Ok(()),
        Some(it) => {
            let told = anyhow!("the balance of {} does not add up", it.subscription);
            Err(Failure::new(Code::Bug, told))
        }
    }
}
