//! Measures how fast events are delivered to one subscription.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::connection::{Connection, Target};
use super::figures::{Figure, Figures, Unit};
use super::load::{EventLoad, SendPlan, SendTo};
use super::process::ServerProcess;
use super::receiver::{Behaviour, BenchReceiver, count};

/// The plan that fills the log before the delivery starts.
const FILL: SendPlan = SendPlan {
    door: SendTo::Native,
    batch: 500,
    connections: 4,
};

/// Like [`FILL`], but the log has the events in the order of their numbers.
const FILL_IN_ORDER: SendPlan = SendPlan {
    connections: 1,
    ..FILL
};

/// The time for which some users fail.
const USERS_FAIL_FOR: Duration = Duration::from_mins(1);

/// The delay of the endpoint in the cases `paced` and `hanging`. With it, the requests in flight
/// limit the rate, not the CPU.
const PACED: Duration = Duration::from_millis(5);

#[derive(clap::Args)]
pub(crate) struct DeliverArgs {
    /// Events in each run
    #[arg(long, default_value_t = 100_000)]
    events: usize,
    /// Cases to run: healthy, flaky-2, flaky-10, paced, hanging, in-flight-N, keyed, keyed-flaky-2,
    /// keyed-users-N (N of 1,000 users fail for a minute)
    #[arg(long = "case", value_delimiter = ',')]
    cases: Vec<String>,
    /// The longest time of one run in seconds; the rate counts the events delivered by then
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

/// The settings of a case.
struct Case {
    behaviour: Behaviour,
    in_flight: u16,
    /// Whether events of one user are delivered in order.
    is_keyed: bool,
}

impl DeliverArgs {
    pub(crate) fn cases(&self) -> Vec<String> {
        if !self.cases.is_empty() {
            return self.cases.clone();
        }
        let sweep = [1, 4, 16, 64, 256].map(|number| format!("in-flight-{number}"));
        let cases = ["healthy", "flaky-2", "paced", "hanging"].map(str::to_owned);
        cases.into_iter().chain(sweep).collect()
    }

    pub(crate) async fn run(&self, case: &str, server: &ServerProcess) -> Result<Figures> {
        let Case {
            behaviour,
            in_flight,
            is_keyed,
        } = Case::parse(case)?;
        let load = Arc::new(EventLoad::new(self.events)?);
        let fill = if is_keyed { FILL_IN_ORDER } else { FILL };
        load.send(server.address(), fill).await?;
        let order = if is_keyed { "key" } else { "none" };
        let more = json!({"order": order, "in_flight": in_flight});
        let delivery = Delivery::start(server, load, behaviour, more).await?;
        let limit = Duration::from_secs(self.seconds);
        let value = delivery.rate(limit).await;
        let inversions = delivery.receiver.arrivals().inversions();
        ensure!(
            !is_keyed || inversions == 0,
            "{inversions} events of a user arrived out of order"
        );
        if behaviour.is_healthy() {
            delivery.complete(server, limit).await?;
        }
        Ok(vec![Figure {
            name: format!("deliver {case}"),
            value,
            unit: Unit::EventsPerSecond,
        }])
    }
}

impl Case {
    /// Parses the name of a case.
    fn parse(case: &str) -> Result<Self> {
        let mut behaviour = Behaviour::default();
        let mut in_flight = 16;
        let (is_keyed, case) = match case.strip_prefix("keyed") {
            Some("") => (true, "healthy"),
            Some(rest) => (true, rest.trim_start_matches('-')),
            None => (false, case),
        };
        match case.rsplit_once('-') {
            None if case == "healthy" => (),
            None if case == "paced" => behaviour.pause = PACED,
            None if case == "hanging" => {
                behaviour.pause = PACED;
                behaviour.hanging_every = Some(Duration::from_secs(5));
            }
            Some(("flaky", percent)) => behaviour.failing_per_mille = percent.parse::<u32>()? * 10,
            Some(("in-flight", number)) => in_flight = number.parse()?,
            Some(("users", number)) => {
                behaviour.failing_users = Some((number.parse()?, USERS_FAIL_FOR));
            }
            _ => bail!("the case {case:?} is unknown"),
        }
        Ok(Self {
            behaviour,
            in_flight,
            is_keyed,
        })
    }
}

impl Behaviour {
    const fn is_healthy(&self) -> bool {
        self.failing_per_mille == 0 && self.hanging_every.is_none() && self.failing_users.is_none()
    }
}

/// A subscription that is served from the beginning of the log.
#[derive(Debug)]
pub(crate) struct Delivery {
    load: Arc<EventLoad>,
    receiver: BenchReceiver,
    started: Instant,
}

impl Delivery {
    /// Creates a subscription for all events in the log. `more` has extra members of its spec.
    pub(crate) async fn start(
        server: &ServerProcess,
        load: Arc<EventLoad>,
        behaviour: Behaviour,
        more: Value,
    ) -> Result<Self> {
        let receiver = BenchReceiver::start(Arc::clone(&load), behaviour).await?;
        let url = receiver.url();
        let mut spec = json!({"name": "bench", "start": "earliest", "webhook": {"url": url}});
        if let (Some(spec), Value::Object(more)) = (spec.as_object_mut(), more) {
            spec.extend(more);
        }
        let target = Target {
            path: "/v1/subscriptions",
            content_type: "application/json",
            operation: None,
        };
        let mut connection = Connection::open(server.address()).await?;
        let started = Instant::now();
        connection.post(&target, spec.to_string().into()).await?;
        Ok(Self {
            load,
            receiver,
            started,
        })
    }

    /// Returns the events delivered per second, measured until 95 % are delivered or the limit ends.
    ///
    /// The last events for an unreliable endpoint wait for their retry, which would distort the rate.
    async fn rate(&self, limit: Duration) -> f64 {
        let arrivals = self.receiver.arrivals();
        let most = self.load.count() / 20 * 19;
        arrivals.reached(most, self.started + limit).await;
        let delivered = u32::try_from(arrivals.distinct()).unwrap_or(u32::MAX);
        f64::from(delivered) / self.started.elapsed().as_secs_f64()
    }

    /// Returns the time when an event was first accepted.
    pub(crate) fn accepted_at(&self, number: usize) -> Option<Instant> {
        self.receiver.arrivals().accepted_at(number)
    }

    /// Waits until every event has arrived.
    pub(crate) async fn all_arrived(&self, limit: Duration) -> Result<()> {
        let arrivals = self.receiver.arrivals();
        let sent = self.load.count();
        if !arrivals.reached(sent, Instant::now() + limit).await {
            bail!("{} of {sent} events arrived in time", arrivals.distinct());
        }
        Ok(())
    }

    /// Waits until every event has arrived. Checks that no event arrived twice and that the balance
    /// adds up.
    pub(crate) async fn complete(&self, server: &ServerProcess, limit: Duration) -> Result<()> {
        let arrivals = self.receiver.arrivals();
        let sent = self.load.count();
        self.all_arrived(limit).await?;
        ensure!(
            arrivals.unknown() == 0,
            "an event arrived that was not sent"
        );
        ensure!(arrivals.repeated() == 0, "an event arrived twice");
        let mut connection = Connection::open(server.address()).await?;
        let deadline = Instant::now() + limit;
        loop {
            let balances = connection.get("/v1/balance").await?;
            let subscriptions = balances.get("subscriptions");
            let balance = subscriptions.and_then(|subscriptions| subscriptions.get(0));
            let balance = balance.context("the balance of the subscription is missing")?;
            if count(balance, "delivered")? == u64::try_from(sent)? {
                ensure!(count(balance, "pending")? == 0, "an event is still pending");
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the balance is {balance}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}
