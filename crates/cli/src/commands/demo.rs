//! `easel demo`

mod receiver;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use easel_server::{Auth, Config, Server, Spec, Term};
use easel_simulator::{Campus, TermOptions};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::serve::{not_started, raise_file_limit};
use super::simulate::Pace;
use crate::args::GlobalArgs;
use crate::balance_json::BalanceJson;
use crate::client::{self, Client};
use crate::exit_code::{Code, Failure, OrExit};
use crate::output;
use crate::signals::Signals;
use receiver::{ArrivalReport, DemoReceiver, UNRELIABLE};

const ABOUT: &str = "\
Starts a server in a folder of its own, a receiver, three subscriptions (one in Canvas's format, one in
Caliper, one in strict Caliper whose endpoint fails now and then) and a campus whose life comes in
through POST /v1/changes. It ends by Ctrl-C or after a year of that campus, and the folder goes with it.

Examples:
  easel demo
  easel demo --rate 2000 --students 500
  easel demo --seconds 20";

/// Changes sent in one request at most.
const MAX_SENT: usize = 200;
/// How long it is waited at the end for what is still pending or parked.
const PATIENCE: Duration = Duration::from_secs(20);
/// Days that the campus lives, up to today.
const DAYS: u32 = 365;

/// See the whole job: a server, subscribers, and a campus that lives
#[derive(Debug, clap::Args)]
#[command(after_help = ABOUT)]
pub(crate) struct DemoArgs {
    /// Students of the campus
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    students: u32,
    /// Changes a second at most
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// End after so long instead of at Ctrl-C
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,
}

/// What the server says of its subscriptions.
#[derive(Deserialize)]
struct SubscriptionListJson {
    subscriptions: Vec<SubscriptionJson>,
}

#[derive(Deserialize)]
struct SubscriptionJson {
    name: String,
    state: String,
    /// Why it is on hold.
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
            .block_on(self.show(global))
    }

    async fn show(self, global: &GlobalArgs) -> Result<(), Failure> {
        let mut signals = Signals::with_hangup().or_exit(Code::Unavailable)?;
        let receiver = DemoReceiver::listen().await?;
        let folder = tempfile::Builder::new().prefix("easel-demo-").tempdir();
        let folder = folder.context("make a folder").or_exit(Code::Unavailable)?;
        let config = config(folder.path(), receiver.address)?;
        let server = Server::start(config).await.map_err(not_started)?;
        let address = server.address();
        output::talk(format_args!(
            "Easel listens on http://{address}; its data is in {}.\n\
             A campus with {} students sends it what changes; three subscribers get it on \
             http://{}.\n\
             Look closer, in another terminal:\n\
             \n  easel --url http://{address} tail --follow\n  \
               easel --url http://{address} tail --event 'grade_*'\n  \
               curl http://{address}/metrics\n",
            folder.path().display(),
            self.students,
            receiver.address,
        ));
        let client = Client::to(&format!("http://{address}"))?;
        let stop = CancellationToken::new();
        let desk = receiver.desk();
        let mut tasks = JoinSet::new();
        tasks.spawn(server.run_until(stop.clone()));
        tasks.spawn(receiver.run_until(stop.clone()));
        let campus = self.live(&client);
        let over = async {
            match self.seconds {
                Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                None => std::future::pending().await,
            }
        };
        let shown = tokio::select! {
            ended = campus => ended,
            ended = watch(&client, &desk) => ended,
            () = over => Ok(()),
            _asked = signals.next() => Ok(()),
        };
        let ended = match shown {
            Ok(()) => settle(&client, &mut signals, global).await,
            failed => failed,
        };
        stop.cancel();
        while tasks.join_next().await.is_some() {}
        ended
    }

    /// Lets the campus live for its year.
    async fn live(&self, client: &Client) -> Result<(), Failure> {
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
        // Ten times a second, so that it does not come in gusts.
        let at_once = usize::try_from(self.rate / 10).unwrap_or(MAX_SENT);
        let at_once = at_once.clamp(1, MAX_SENT);
        loop {
            let changes: Vec<_> = campus.by_ref().take(at_once).collect();
            if changes.is_empty() {
                return Ok(());
            }
            let lines = changes.iter().map(|it| format!("{}\n", it.to_json()));
            let lines = lines.collect::<String>().into();
            pace.add(changes.len());
            client.post_lines("/v1/changes", lines).await?;
            pace.wait(options.begins).await;
        }
    }
}

/// A server without tokens on loopback, with the three subscriptions.
fn config(folder: &Path, receiver: SocketAddr) -> Result<Config, Failure> {
    let spec = |name: &str, format: &str, path: &str| {
        let spec = json!({
            "name": name,
            "format": format,
            "start": "earliest",
            // Short pauses, so that people see parked deliveries come back.
            "retry": ["1s", "1s", "2s", "4s", "8s", "16s", "30s", "1m", "5m"],
            "webhook": { "url": format!("http://{receiver}{path}") },
        });
        serde_json::from_value::<Spec>(spec).or_exit(Code::Bug)
    };
    let config = Config::default();
    Ok(Config {
        listen: free(config.listen),
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

/// The address, or another of this machine where it is taken.
fn free(address: SocketAddr) -> SocketAddr {
    match TcpListener::bind(address) {
        Ok(_free) => address,
        Err(_taken) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}

/// Shows every second, or where nobody looks every five, how it goes.
async fn watch(client: &Client, desk: &ArrivalReport) -> Result<(), Failure> {
    let every = if output::is_watched() { 1 } else { 5 };
    let mut tick = tokio::time::interval(Duration::from_secs(every));
    tick.tick().await;
    let (mut lines, mut last_head) = (0, 0);
    loop {
        tick.tick().await;
        let SubscriptionListJson { subscriptions } = list(client).await?;
        let head = subscriptions.iter().map(|it| it.balance.accepted).max();
        let head = head.unwrap_or_default();
        let rate = (head - last_head) / every;
        last_head = head;
        let last = output::plain(&desk.last());
        let mut text = format!("{head} events accepted, {rate}/s; delivered last: {last}\n");
        text.push_str(&heads());
        for it in &subscriptions {
            text.push_str(&it.line());
        }
        lines = output::talk_over(lines, &text);
    }
}

/// Waits until everything was delivered, and says that nothing is lost.
async fn settle(
    client: &Client,
    signals: &mut Signals,
    global: &GlobalArgs,
) -> Result<(), Failure> {
    output::talk("the campus rests; what is pending or parked is delivered (Ctrl-C to leave it)");
    let wait = async {
        loop {
            let all = list(client).await?;
            if all.subscriptions.iter().all(|it| it.open() == 0) {
                return Ok::<_, Failure>(all);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let all = tokio::select! {
        settled = wait => settled?,
        () = tokio::time::sleep(PATIENCE) => list(client).await?,
        _asked = signals.next() => list(client).await?,
    };
    let mut is_right = true;
    for it in &all.subscriptions {
        is_right &= it.balance.adds_up();
        let name = &it.name;
        output::talk(format_args!("{name:<12} {}", it.balance.sentence()));
        let open = it.open();
        if open > 0 {
            output::talk(format_args!(
                "{open} of {name} go undelivered, with the folder"
            ));
        }
    }
    if global.json {
        output::bytes(&client.get("/v1/balance").await?)?;
    }
    if !is_right {
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

/// The terms that are shown of each subscription, and the width of each column.
const COLUMNS: [(Term, usize); 5] = [
    (Term::Delivered, 9),
    (Term::Filtered, 8),
    (Term::Pending, 7),
    (Term::Parked, 6),
    (Term::Dead, 4),
];

/// The line above those of the subscriptions.
fn heads() -> String {
    let heads = COLUMNS.map(|(term, width)| format!(" {:>width$}", term.name()));
    format!("  {:<10}{}  state\n", "", heads.concat())
}

impl SubscriptionJson {
    /// Events that are still to be delivered.
    fn open(&self) -> u64 {
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
        let reason = reason.as_ref().map(|it| format!(": {}", output::plain(it)));
        let reason = reason.unwrap_or_default();
        format!("  {name:<10}{}  {state}{reason}\n", counts.concat())
    }
}
