//! Measures how fast events are delivered to one subscription.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::connection::{Connection, Target};
use super::load::{BenchDoor, EventLoad, SendPlan};
use super::measurements::{Measurement, Measurements, Unit};
use super::process::ServerProcess;
use super::receiver::{Behaviour, BenchReceiver, read_count};

/// The plan that fills the log before the delivery starts.
const FILL: SendPlan = SendPlan {
    door: BenchDoor::Native,
    batch: 500,
    connections: 4,
};

/// Like [`FILL`], but the log has the events in the order of their numbers.
const FILL_IN_ORDER: SendPlan = SendPlan {
    connections: 1,
    ..FILL
};

/// The time for which the events of some users fail.
const USERS_FAIL_FOR: Duration = Duration::from_mins(1);

/// The delay of each answer in the cases `paced` and `hanging`. This delay makes the number of requests
/// in flight limit the rate, not the CPU.
const PACED_DELAY: Duration = Duration::from_millis(5);

/// The secret of the case `standard`.
const SECRET: &str = "whsec_YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtISE=";

#[derive(clap::Args)]
pub(crate) struct DeliverArgs {
    /// Events in each run
    #[arg(long, default_value_t = 100_000)]
    events: usize,
    /// Cases to run: healthy, standard (signed with one secret), flaky-2, flaky-10, paced, hanging,
    /// in-flight-N, keyed, keyed-flaky-2, keyed-users-N (N of 1,000 users fail for a minute)
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
    /// Whether events of one user must be delivered in order.
    is_keyed: bool,
    /// Whether requests are signed as Standard Webhooks requires.
    is_signed: bool,
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

    pub(crate) async fn run(&self, case: &str, server: &ServerProcess) -> Result<Measurements> {
        let Case {
            behaviour,
            in_flight,
            is_keyed,
            is_signed,
        } = Case::parse(case)?;
        let load = Arc::new(EventLoad::new(self.events)?);
        let fill = if is_keyed { FILL_IN_ORDER } else { FILL };
        load.send(server.address(), fill).await?;
        let order = if is_keyed { "key" } else { "none" };
        let mut extra = json!({"order": order, "in_flight": in_flight});
        if let (true, Some(extra)) = (is_signed, extra.as_object_mut()) {
            let signing = json!({"standard": {"secrets": [SECRET]}});
            extra.insert("signing".to_owned(), signing);
        }
        let delivery = BenchSubscription::start(server, load, behaviour, extra).await?;
        let limit = Duration::from_secs(self.seconds);
        let value = delivery.rate(limit).await;
        let inversion_count = delivery.receiver.arrivals().inversion_count();
        ensure!(
            !is_keyed || inversion_count == 0,
            "{inversion_count} events of a user arrived out of order"
        );
        if behaviour.is_healthy() {
            delivery.wait_until_complete(server, limit).await?;
        }
        Ok(vec![Measurement {
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
        let (mut in_flight, mut is_signed) = (16, false);
        let (is_keyed, case) = match case.strip_prefix("keyed") {
            Some("") => (true, "healthy"),
            Some(rest) => (true, rest.trim_start_matches('-')),
            None => (false, case),
        };
        match case.rsplit_once('-') {
            None if case == "healthy" => (),
            None if case == "standard" => is_signed = true,
            None if case == "paced" => behaviour.answer_delay = PACED_DELAY,
            None if case == "hanging" => {
                behaviour.answer_delay = PACED_DELAY;
                behaviour.hang_interval = Some(Duration::from_secs(5));
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
            is_signed,
        })
    }
}

impl Behaviour {
    const fn is_healthy(&self) -> bool {
        self.failing_per_mille == 0 && self.hang_interval.is_none() && self.failing_users.is_none()
    }
}

/// A subscription that is served from the beginning of the log.
#[derive(Debug)]
pub(crate) struct BenchSubscription {
    load: Arc<EventLoad>,
    receiver: BenchReceiver,
    started: Instant,
}

impl BenchSubscription {
    /// Creates a subscription for all events in the log. `extra` has additional members of its
    /// spec. Its member `signing` becomes a member of the webhook.
    pub(crate) async fn start(
        server: &ServerProcess,
        load: Arc<EventLoad>,
        behaviour: Behaviour,
        extra: Value,
    ) -> Result<Self> {
        let receiver = BenchReceiver::start(Arc::clone(&load), behaviour).await?;
        let url = receiver.url();
        let mut webhook = json!({"url": url});
        let mut spec = json!({"name": "bench", "start": "earliest"});
        if let (Some(webhook), Some(spec), Value::Object(mut extra)) =
            (webhook.as_object_mut(), spec.as_object_mut(), extra)
        {
            let signing = extra.remove("signing");
            webhook.extend(signing.map(|signing| ("signing".to_owned(), signing)));
            spec.insert("webhook".to_owned(), Value::Object(webhook.clone()));
            spec.extend(extra);
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

    /// Returns the events delivered per second, measured until 95 % are delivered or `limit` has
    /// passed.
    ///
    /// The last 5 % are not measured: if the endpoint is unreliable, some of them wait for their retry.
    async fn rate(&self, limit: Duration) -> f64 {
        let arrivals = self.receiver.arrivals();
        let target_count = self.load.count() / 20 * 19;
        arrivals.wait_for(target_count, self.started + limit).await;
        let delivered_count = u32::try_from(arrivals.distinct_count()).unwrap_or(u32::MAX);
        f64::from(delivered_count) / self.started.elapsed().as_secs_f64()
    }

    /// Returns the time when an event was first accepted.
    pub(crate) fn accepted_at(&self, number: usize) -> Option<Instant> {
        self.receiver.arrivals().accepted_at(number)
    }

    /// Waits until every event has arrived.
    pub(crate) async fn wait_for_all(&self, limit: Duration) -> Result<()> {
        let arrivals = self.receiver.arrivals();
        let sent = self.load.count();
        if !arrivals.wait_for(sent, Instant::now() + limit).await {
            bail!(
                "{} of {sent} events arrived in time",
                arrivals.distinct_count()
            );
        }
        Ok(())
    }

    /// Waits until every event has arrived. Checks that no event arrived twice and that the balance
    /// adds up.
    pub(crate) async fn wait_until_complete(
        &self,
        server: &ServerProcess,
        limit: Duration,
    ) -> Result<()> {
        let arrivals = self.receiver.arrivals();
        let sent = self.load.count();
        self.wait_for_all(limit).await?;
        ensure!(
            arrivals.unknown_count() == 0,
            "an event arrived that was not sent"
        );
        ensure!(arrivals.repeated_count() == 0, "an event arrived twice");
        let mut connection = Connection::open(server.address()).await?;
        let deadline = Instant::now() + limit;
        loop {
            let balances = connection.get("/v1/balance").await?;
            let subscriptions = balances.get("subscriptions");
            let balance = subscriptions.and_then(|subscriptions| subscriptions.get(0));
            let balance = balance.context("the balance of the subscription is missing")?;
            if read_count(balance, "delivered")? == u64::try_from(sent)? {
                ensure!(
                    read_count(balance, "pending")? == 0,
                    "an event is still pending"
                );
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the balance is {balance}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}
