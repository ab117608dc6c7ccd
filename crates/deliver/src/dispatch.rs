//! One lane per active subscription: started, stopped and restarted as subscriptions change.
//!
//! Also here because they live as long as the lanes do: the task that saves cursors and the one
//! that measures lag.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use easel_caliper::Translator;
use easel_log::{Clock, SharedLog};
use easel_sinks::Sink;
use easel_subscriptions::{Spec, State, Subscription, SubscriptionId, Subscriptions, Term};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::backoff::Backoff;
use crate::feed::Feed;
use crate::formatter::Formatter;
use crate::lane::{Ended, Lane, Workshop};
use crate::metrics;

/// Makes the sink a spec asks for, or says why it cannot.
pub type MakeSink = Box<dyn Fn(&Spec) -> Result<Arc<dyn Sink>, String> + Send + Sync>;

/// How many saves go by between two that include the cursors that moved past unwanted events.
const SAVES_PER_FULL_SAVE: u32 = 50;

/// How many lanes may look through the past at once.
const MAX_SCANS: usize = 4;

/// What a dispatch needs to be told.
#[derive(Clone, Copy, Debug)]
pub struct DispatchOptions {
    /// How often cursors are saved, at least.
    pub save_every: Duration,
    /// How often lag is measured.
    pub measure_every: Duration,
}

impl Default for DispatchOptions {
    fn default() -> Self {
        Self {
            save_every: Duration::from_millis(100),
            measure_every: Duration::from_secs(5),
        }
    }
}

/// What a dispatch works with.
pub struct Supplies {
    /// The accepted events.
    pub log: SharedLog,
    /// Who wants them.
    pub subscriptions: Arc<Subscriptions>,
    /// Makes the sink of a subscription.
    pub make_sink: MakeSink,
    /// Makes Caliper events of them.
    pub translator: Arc<Translator>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Supplies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supplies").finish_non_exhaustive()
    }
}

/// Keeps one lane per active subscription.
pub struct Dispatch {
    subscriptions: Arc<Subscriptions>,
    workshop: Arc<Workshop>,
    make_sink: MakeSink,
    options: DispatchOptions,
    lane_count: watch::Sender<Option<usize>>,
}

/// The lanes there are.
#[derive(Default)]
struct Lanes {
    tasks: JoinSet<(SubscriptionId, Ended)>,
    running: HashMap<SubscriptionId, Running>,
    /// How long a lane that dies again and again stays down.
    deaths: HashMap<SubscriptionId, Backoff>,
}

/// A lane that runs, or is about to.
struct Running {
    subscription: Arc<Subscription>,
    stop: CancellationToken,
    task: Id,
}

impl Dispatch {
    /// A dispatch that has not started yet.
    pub fn new(supplies: Supplies, options: DispatchOptions) -> Self {
        let Supplies {
            log,
            subscriptions,
            make_sink,
            translator,
            clock,
        } = supplies;
        metrics::describe();
        let feed = Feed::new(Arc::clone(&log));
        Self {
            subscriptions,
            workshop: Arc::new(Workshop {
                log,
                feed,
                formatter: Formatter::new(translator),
                clock,
                scans: Semaphore::new(MAX_SCANS),
                save_soon: Notify::new(),
            }),
            make_sink,
            options,
            lane_count: watch::Sender::new(None),
        }
    }

    /// How many lanes run, now and later; `None` while nothing is served at all.
    pub fn lane_count(&self) -> watch::Receiver<Option<usize>> {
        self.lane_count.subscribe()
    }

    /// Serves all subscriptions until told to stop; then lets deliveries under way finish until
    /// told to give up, and saves every cursor.
    pub async fn run(self, stop: CancellationToken, give_up: CancellationToken) {
        let saves = self.save_cursors();
        let measures = self.measure_lag();
        tokio::select! {
            () = self.serve(&stop, &give_up) => (),
            () = self.workshop.feed.run() => error!("feed ended: the log is closed"),
            never = saves => match never {},
            never = measures => match never {},
        }
        self.lane_count.send_replace(None);
        if let Err(error) = self.subscriptions.save_all().await {
            error!(%error, "cursors not saved; some deliveries will be repeated");
        }
    }

    async fn serve(&self, stop: &CancellationToken, give_up: &CancellationToken) {
        let mut changes = self.subscriptions.changes();
        let mut lanes = Lanes::default();
        while !stop.is_cancelled() {
            changes.mark_unchanged();
            self.reconcile(&mut lanes);
            tokio::select! {
                () = stop.cancelled() => (),
                _ = changes.changed() => (),
                Some(ended) = lanes.tasks.join_next_with_id() => {
                    self.lane_ended(&mut lanes, ended).await;
                }
            }
        }
        for lane in lanes.running.values() {
            lane.stop.cancel();
        }
        loop {
            tokio::select! {
                () = give_up.cancelled() => {
                    warn!("deliveries under way given up; they will be repeated");
                    return;
                }
                ended = lanes.tasks.join_next_with_id() => match ended {
                    Some(ended) => self.lane_ended(&mut lanes, ended).await,
                    None => return,
                },
            }
        }
    }

    /// Stops the lanes that are no longer right and starts the ones that are missing.
    fn reconcile(&self, lanes: &mut Lanes) {
        let paused = self.subscriptions.deliveries_are_paused();
        let wanted: HashMap<SubscriptionId, _> = self
            .subscriptions
            .list()
            .into_iter()
            .filter(|subscription| !paused && subscription.state == State::Active)
            .map(|subscription| (subscription.id, subscription))
            .collect();
        for (id, lane) in &lanes.running {
            let same = wanted
                .get(id)
                .is_some_and(|it| Arc::ptr_eq(it, &lane.subscription));
            if !same {
                lane.stop.cancel();
                lanes.deaths.remove(id);
            }
        }
        for (id, subscription) in wanted {
            if !lanes.running.contains_key(&id) {
                self.start(subscription, lanes, Duration::ZERO);
            }
        }
        self.count(lanes.running.len());
    }

    fn start(&self, subscription: Arc<Subscription>, lanes: &mut Lanes, pause: Duration) {
        let sink = match (self.make_sink)(&subscription.spec) {
            Ok(sink) => sink,
            Err(what) => {
                error!(subscription = %subscription.spec.name, what, "lane cannot be started");
                return;
            }
        };
        let stop = CancellationToken::new();
        let lane = Lane::new(Arc::clone(&subscription), sink, Arc::clone(&self.workshop));
        let (id, told) = (subscription.id, stop.clone());
        let task = lanes.tasks.spawn(async move {
            tokio::select! {
                () = told.cancelled() => return (id, Ended::Stopped),
                () = sleep(pause) => (),
            }
            (id, lane.run(told).await)
        });
        let running = Running {
            subscription,
            stop,
            task: task.id(),
        };
        lanes.running.insert(id, running);
    }

    async fn lane_ended(
        &self,
        lanes: &mut Lanes,
        ended: Result<(Id, (SubscriptionId, Ended)), JoinError>,
    ) {
        match ended {
            Ok((_, (id, ended))) => {
                let Some(lane) = lanes.running.remove(&id) else {
                    return;
                };
                if let Ended::Gone(reason) = ended {
                    self.pause(&lane.subscription, reason).await;
                }
            }
            Err(join_error) => {
                let mut running = lanes.running.iter();
                let died = running.find(|(_, lane)| lane.task == join_error.id());
                let Some(id) = died.map(|(id, _)| *id) else {
                    return;
                };
                let Some(lane) = lanes.running.remove(&id) else {
                    return;
                };
                error!(subscription = %lane.subscription.spec.name, %join_error, "lane died");
                self.workshop.feed.detach(&lane.subscription);
                if !lane.stop.is_cancelled() {
                    let pause = lanes.deaths.entry(id).or_default().fail(None);
                    self.start(lane.subscription, lanes, pause);
                }
            }
        }
        self.count(lanes.running.len());
    }

    async fn pause(&self, subscription: &Arc<Subscription>, reason: String) {
        let name = &subscription.spec.name;
        match self.subscriptions.pause_this(subscription, reason).await {
            Ok(Some(_)) => info!(subscription = %name, "subscription paused"),
            // It was changed meanwhile: what its old endpoint said no longer counts.
            Ok(None) => (),
            Err(error) => error!(subscription = %name, %error, "subscription not paused"),
        }
    }

    fn count(&self, lanes: usize) {
        self.lane_count.send_replace(Some(lanes));
    }

    async fn save_cursors(&self) -> std::convert::Infallible {
        let mut tick = interval(self.options.save_every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut save_number = 0_u32;
        let mut failing = false;
        loop {
            let full = tokio::select! {
                _ = tick.tick() => {
                    save_number = save_number.wrapping_add(1);
                    save_number.is_multiple_of(SAVES_PER_FULL_SAVE)
                }
                () = self.workshop.save_soon.notified() => false,
            };
            let saved = if full {
                self.subscriptions.save_all().await
            } else {
                self.subscriptions.save().await
            };
            match saved {
                Ok(()) => failing = false,
                Err(error) if !failing => {
                    error!(%error, "cursors not saved; lanes wait until they are");
                    failing = true;
                }
                Err(_again) => (),
            }
        }
    }

    async fn measure_lag(&self) -> std::convert::Infallible {
        let mut tick = interval(self.options.measure_every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let mut lanes = metrics::Lanes {
                running: self.lane_count.borrow().unwrap_or(0),
                ..metrics::Lanes::default()
            };
            let mut lags = metrics::Lags::default();
            for subscription in self.subscriptions.list() {
                let balance = self.subscriptions.balance(&subscription);
                lanes.holding += usize::from(subscription.live.hold().is_some());
                lanes.unbalanced += usize::from(!balance.adds_up());
                let age = match balance.get(Term::Pending) {
                    0 => 0.0,
                    _ => self.age_of(balance.cursor).await,
                };
                lags.add(
                    subscription.spec.name.as_str(),
                    balance.get(Term::Pending),
                    age,
                );
            }
            lags.show();
            metrics::lanes(lanes);
        }
    }

    /// How long ago, in seconds, the event at `offset` was accepted; zero when it cannot be told.
    async fn age_of(&self, offset: easel_log::Offset) -> f64 {
        match self.workshop.log.peek(offset).await {
            Ok(Some(block)) => {
                let age = self.workshop.clock.now().duration_since(block.appended_at);
                age.as_secs_f64()
            }
            Ok(None) | Err(_) => 0.0,
        }
    }
}

impl std::fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatch")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
