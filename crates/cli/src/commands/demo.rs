//! `easel demo`

mod receiver;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use easel_server::{Auth, Config, Declaration, Server, Spec, Term};
use easel_simulator::{Campus, TermOptions};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::serve::{raise_file_limit, start_failure};
use super::simulate::Pace;
use crate::balance_json::BalanceJson;
use crate::client::{self, Client};
use crate::exit_code::{Code, Failure, OrExit};
use crate::global_args::GlobalArgs;
use crate::output;
use crate::signals::Signals;
use crate::tls_trust::TlsTrust;
use crate::url::Url;
use receiver::{ArrivalReport, DemoReceiver, UNRELIABLE};

const ABOUT: &str = "\
The demo starts a server in a temporary folder, a receiver, and three
subscriptions: one in Canvas's format, one in Caliper, and one in strict Caliper
whose endpoint fails from time to time. A simulated campus sends its changes to
POST /v1/changes. The demo ends at Ctrl-C, or when it has simulated one year. At
the end it deletes the folder.

Examples:
  easel demo
  easel demo --rate 2000 --students 500
  easel demo --seconds 20";

/// The maximum number of changes in one request.
const MAX_REQUEST_CHANGES: usize = 200;
/// The maximum wait at the end for pending and parked deliveries.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(20);
/// The number of simulated days. The last day is yesterday (UTC).
const DAYS: u32 = 365;

/// Run a complete demo: a server, subscribers and a simulated campus
#[derive(Debug, clap::Args)]
#[command(after_help = ABOUT)]
pub(crate) struct DemoArgs {
    /// Number of students
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    students: u32,
    /// Maximum number of changes per second
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Stop after this many seconds instead of at Ctrl-C
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,
}

/// The server's list of subscriptions.
#[derive(Deserialize)]
struct SubscriptionListJson {
    subscriptions: Vec<SubscriptionJson>,
}

#[derive(Deserialize)]
struct SubscriptionJson {
    name: String,
    state: String,
    /// Why the subscription is on hold.
    reason: Option<String>,
    balance: BalanceJson,
}

impl DemoArgs {
    pub(super) fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        raise_file_limit();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        runtime
            .or_exit(Code::Unavailable)?
            .block_on(self.run_demo(global))
    }

    async fn run_demo(self, global: &GlobalArgs) -> Result<(), Failure> {
        let mut signals = Signals::with_hangup().or_exit(Code::Unavailable)?;
        let receiver = DemoReceiver::listen().await?;
        let folder = tempfile::Builder::new().prefix("easel-demo-").tempdir();
        let folder = folder
            .context("failed to create a folder")
            .or_exit(Code::Unavailable)?;
        // The file with the master key is beside the data folder.
        let config = config(&folder.path().join("data"), receiver.address)?;
        let server = Server::start(config).await.map_err(start_failure)?;
        let address = server.address();
        output::notice(format_args!(
            "Easel listens on http://{address}; its data is in {}.\n\
             A campus with {} students sends changes; three subscribers receive the events on \
             http://{}.\n\
             To see more, run in another terminal:\n\
             \n  easel --url http://{address} tail --follow\n  \
               easel --url http://{address} tail --event 'grade_*'\n  \
               curl http://{address}/metrics\n",
            folder.path().display(),
            self.students,
            receiver.address,
        ));
        let client = Client::without_token(Url::http(address), TlsTrust::default())?;
        let stop = CancellationToken::new();
        let arrivals = receiver.arrivals();
        let mut tasks = JoinSet::new();
        tasks.spawn(server.run_until(stop.clone()));
        tasks.spawn(receiver.run_until(stop.clone()));
        let campus = self.simulate(&client);
        let time_is_up = async {
            match self.seconds {
                Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                None => std::future::pending().await,
            }
        };
        let result = tokio::select! {
            ended = campus => ended,
            ended = watch(&client, &arrivals) => ended,
            () = time_is_up => Ok(()),
            _signal = signals.next() => Ok(()),
        };
        let ended = match result {
            Ok(()) => settle(&client, &mut signals, global).await,
            failed => failed,
        };
        stop.cancel();
        while tasks.join_next().await.is_some() {}
        ended
    }

    /// Simulates one year of the campus and posts its changes.
    async fn simulate(&self, client: &Client) -> Result<(), Failure> {
        let today = Timestamp::now().as_second() / 86_400;
        let begins = (today - i64::from(DAYS)) * 86_400;
        let options = TermOptions {
            students: self.students,
            days: DAYS,
            begins: Timestamp::from_second(begins).or_exit(Code::Bug)?,
            ..TermOptions::default()
        };
        let mut pace = Pace::new(options.begins, None, Some(self.rate));
        let mut campus = Campus::new(options);
        // Ten requests per second, so that the events arrive evenly.
        let per_request = usize::try_from(self.rate / 10).unwrap_or(MAX_REQUEST_CHANGES);
        let per_request = per_request.clamp(1, MAX_REQUEST_CHANGES);
        loop {
            let changes: Vec<_> = campus.by_ref().take(per_request).collect();
            if changes.is_empty() {
                return Ok(());
            }
            let lines = changes
                .iter()
                .map(|change| format!("{}\n", change.to_json()));
            let lines = lines.collect::<String>().into();
            pace.add(changes.len());
            client.post_lines("/v1/changes", lines).await?;
            pace.wait(options.begins).await;
        }
    }
}

/// Returns the settings: no tokens, loopback only, three subscriptions.
fn config(folder: &Path, receiver: SocketAddr) -> Result<Config, Failure> {
    let spec = |name: &str, format: &str, path: &str| -> Result<Declaration, Failure> {
        let spec = json!({
            "name": name,
            "format": format,
            "start": "earliest",
            // Short pauses, so that the user sees retries of parked deliveries.
            "retry": ["1s", "1s", "2s", "4s", "8s", "16s", "30s", "1m", "5m"],
            "webhook": { "url": format!("http://{receiver}{path}") },
        });
        let spec = serde_json::from_value::<Spec>(spec).or_exit(Code::Bug)?;
        Ok(spec.into())
    };
    let config = Config::default();
    Ok(Config {
        listen: free_address(config.listen),
        data: folder.to_owned(),
        auth: Auth::None,
        subscriptions: vec![
            spec("canvas", "canvas", "/canvas")?,
            spec("caliper", "caliper", "/caliper")?,
            spec("unreliable", "caliper-strict", UNRELIABLE)?,
        ],
        ..config
    })
}

/// Returns `address`. If it is in use, returns a loopback address with a free port.
fn free_address(address: SocketAddr) -> SocketAddr {
    match TcpListener::bind(address) {
        Ok(_free) => address,
        Err(_taken) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}

/// Prints the state every second; every five seconds if stderr is not a terminal.
async fn watch(client: &Client, arrivals: &ArrivalReport) -> Result<(), Failure> {
    let interval_secs = if output::stderr_is_terminal() { 1 } else { 5 };
    let mut tick = tokio::time::interval(Duration::from_secs(interval_secs));
    tick.tick().await;
    let (mut lines, mut last_accepted) = (0, 0);
    loop {
        tick.tick().await;
        let SubscriptionListJson { subscriptions } = list(client).await?;
        let accepted = subscriptions
            .iter()
            .map(|subscription| subscription.balance.accepted)
            .max();
        let accepted = accepted.unwrap_or_default();
        let rate = (accepted - last_accepted) / interval_secs;
        last_accepted = accepted;
        let last = output::printable(&arrivals.last_event_type());
        let mut text = format!("{accepted} events accepted, {rate}/s; last delivered: {last}\n");
        text.push_str(&heading());
        for subscription in &subscriptions {
            text.push_str(&subscription.line());
        }
        lines = output::redraw(lines, &text);
    }
}

/// Waits until all events are delivered, then checks and prints the balances.
async fn settle(
    client: &Client,
    signals: &mut Signals,
    global: &GlobalArgs,
) -> Result<(), Failure> {
    output::notice("the campus has stopped; delivering pending and parked events (Ctrl-C to skip)");
    let wait = async {
        loop {
            let all = list(client).await?;
            if all
                .subscriptions
                .iter()
                .all(|subscription| subscription.open_count() == 0)
            {
                return Ok::<_, Failure>(all);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let all = tokio::select! {
        settled = wait => settled?,
        () = tokio::time::sleep(SETTLE_TIMEOUT) => list(client).await?,
        _signal = signals.next() => list(client).await?,
    };
    let mut all_add_up = true;
    for subscription in &all.subscriptions {
        all_add_up &= subscription.balance.adds_up();
        let name = &subscription.name;
        let sentence = subscription.balance.sentence();
        output::notice(format_args!("{name:<12} {sentence}"));
        let open_count = subscription.open_count();
        if open_count > 0 {
            output::notice(format_args!(
                "{open_count} events of {name} were not delivered"
            ));
        }
    }
    if global.json {
        output::with_line_break(&client.get("/v1/balance").await?)?;
    }
    if !all_add_up {
        return Err(Failure::new(
            Code::Bug,
            anyhow!("a balance does not add up"),
        ));
    }
    Ok(())
}

async fn list(client: &Client) -> Result<SubscriptionListJson, Failure> {
    client::read(&client.get("/v1/subscriptions").await?)
}

/// The columns of the table: terms of the balance of each subscription, with their widths.
const COLUMNS: [(Term, usize); 5] = [
    (Term::Delivered, 9),
    (Term::Filtered, 8),
    (Term::Pending, 7),
    (Term::Parked, 6),
    (Term::Dead, 4),
];

/// Returns the heading line.
fn heading() -> String {
    let columns = COLUMNS.map(|(term, width)| format!(" {:>width$}", term.name()));
    format!("  {:<10}{}  state\n", "", columns.concat())
}

impl SubscriptionJson {
    /// Returns the number of events that are still to be delivered.
    fn open_count(&self) -> u64 {
        self.balance.counts[Term::Pending] + self.balance.counts[Term::Parked]
    }

    fn line(&self) -> String {
        let Self {
            name,
            state,
            reason,
            balance,
        } = self;
        let counts = COLUMNS.map(|(term, width)| format!(" {:>width$}", balance.counts[term]));
        let reason = reason
            .as_ref()
            .map(|reason| format!(": {}", output::printable(reason)));
        let reason = reason.unwrap_or_default();
        format!("  {name:<10}{}  {state}{reason}\n", counts.concat())
    }
}
