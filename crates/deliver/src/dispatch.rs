//! Runs one lane per active subscription. Starts, stops and restarts lanes when subscriptions change.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use easel_catalog::TellOperator;
use easel_log::{Clock, SharedLog};
use easel_sinks::Sink;
use easel_subscriptions::{LaneId, State, Subscription, Subscriptions};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::backoff::Backoff;
use crate::feed::Feed;
use crate::form_maker::FormMaker;
use crate::forms::Forms;
use crate::hosts::Hosts;
use crate::item_cache::CacheBudget;
use crate::lane::{Closing, Lane};
use crate::lane_context::LaneContext;
use crate::{dead_letter_retention, lag, metrics, older_events, saving};

/// Creates the sink of a subscription, or returns the reason why it cannot.
pub type MakeSink = Box<dyn Fn(&Subscription) -> Result<Arc<dyn Sink>, String> + Send + Sync>;

/// The maximum number of lanes that scan old blocks together.
const MAX_SCANS: usize = 4;

/// The pause before a restart grows with each panic of a lane. If the lane ran this long before it panicked,
/// the pause is the shortest again.
const LONG_LIFE: Duration = Duration::from_mins(5);

/// The settings of a dispatch.
#[derive(Clone, Copy, Debug)]
pub struct DispatchOptions {
    /// The maximum time between two saves of the cursors.
    pub save_every: Duration,
    /// How often lag is measured.
    pub measure_every: Duration,
    /// How long a subscription may be on hold before it is deactivated.
    pub deactivate_after: Duration,
    /// How long dead letters are stored.
    pub dead_letter_retention: Duration,
}

impl Default for DispatchOptions {
    fn default() -> Self {
        Self {
            save_every: Duration::from_millis(100),
            measure_every: Duration::from_secs(5),
            deactivate_after: Duration::from_hours(3 * 24),
            dead_letter_retention: Duration::from_hours(30 * 24),
        }
    }
}

/// The dependencies of a dispatch.
pub struct DispatchDeps {
    /// The log of accepted events.
    pub log: SharedLog,
    /// The subscriptions to serve.
    pub subscriptions: Arc<Subscriptions>,
    /// Creates the sink of a subscription.
    pub make_sink: MakeSink,
    /// Makes the forms of events.
    pub form_maker: FormMaker,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Sends operator events.
    pub tell_operator: TellOperator,
}

impl std::fmt::Debug for DispatchDeps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DispatchDeps").finish_non_exhaustive()
    }
}

/// Runs one lane per active subscription.
pub struct Dispatch {
    subscriptions: Arc<Subscriptions>,
    context: Arc<LaneContext>,
    make_sink: MakeSink,
    options: DispatchOptions,
    lane_count: watch::Sender<Option<usize>>,
}

/// All running lanes.
#[derive(Default)]
struct RunningLanes {
    tasks: JoinSet<(LaneId, Option<Closing>)>,
    running: HashMap<LaneId, RunningLane>,
    /// The growing pauses before the restarts of lanes that failed.
    restart_backoffs: HashMap<LaneId, Backoff>,
}

/// A lane that runs, or will start after a pause.
struct RunningLane {
    subscription: Arc<Subscription>,
    stop: CancellationToken,
    task: Id,
    /// When the lane starts, or started.
    starts_at: Instant,
}

impl Dispatch {
    /// Creates a dispatch. [`run`](Self::run) starts it.
    pub fn new(deps: DispatchDeps, options: DispatchOptions) -> Self {
        let DispatchDeps {
            log,
            subscriptions,
            make_sink,
            form_maker,
            clock,
            tell_operator,
        } = deps;
        metrics::describe();
        Self {
            context: Arc::new(LaneContext {
                feed: Arc::new(Feed::new(Arc::clone(&log), subscriptions.reach_rules())),
                log,
                subscriptions: Arc::clone(&subscriptions),
                forms: Forms::new(form_maker),
                clock,
                hosts: Hosts::default(),
                item_cache_budget: Arc::new(CacheBudget::default()),
                deactivate_after: options.deactivate_after,
                tell_operator,
                scans: Semaphore::new(MAX_SCANS),
                save_soon: Notify::new(),
                count_soon: Notify::new(),
            }),
            subscriptions,
            make_sink,
            options,
            lane_count: watch::Sender::new(None),
        }
    }

    /// Returns a receiver of the number of running lanes; `None` before the start and after the end.
    pub fn lane_count(&self) -> watch::Receiver<Option<usize>> {
        self.lane_count.subscribe()
    }

    /// Serves all subscriptions until `stop` is cancelled. Then waits until no delivery is in flight, or until
    /// `give_up` is cancelled. At the end saves every cursor.
    pub async fn run(self, stop: CancellationToken, give_up: CancellationToken) {
        let saves = saving::save_journals(&self.context, self.options.save_every);
        let lane_count = self.lane_count.subscribe();
        let measures = lag::measure(&self.context, self.options.measure_every, lane_count);
        let retention =
            dead_letter_retention::apply(&self.context, self.options.dead_letter_retention);
        tokio::select! {
            () = self.serve(&stop, &give_up) => (),
            () = Arc::clone(&self.context.feed).run() => error!("feed ended: the log is closed"),
            never = saves => match never {},
            never = older_events::count(&self.context) => match never {},
            never = measures => match never {},
            never = retention => match never {},
        }
        self.lane_count.send_replace(None);
        if let Err(error) = self.subscriptions.save_attempts().await {
            warn!(%error, "attempt logs not saved");
        }
        if let Err(error) = self.subscriptions.save_all().await {
            error!(%error, "cursors not saved; some deliveries will be repeated");
        }
    }

    async fn serve(&self, stop: &CancellationToken, give_up: &CancellationToken) {
        let mut changes = self.subscriptions.changes();
        let mut lanes = RunningLanes::default();
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
                    warn!("deliveries in flight cancelled; they will be repeated");
                    return;
                }
                ended = lanes.tasks.join_next_with_id() => match ended {
                    Some(ended) => self.lane_ended(&mut lanes, ended).await,
                    None => return,
                },
            }
        }
    }

    /// Stops lanes whose subscription changed or is inactive, and starts missing lanes.
    fn reconcile(&self, lanes: &mut RunningLanes) {
        let paused = self.subscriptions.deliveries_are_paused();
        let all = self.subscriptions.lanes();
        self.context.feed.count_reaches(&all);
        self.context.count_soon.notify_one();
        let all: HashMap<LaneId, _> = all
            .into_iter()
            .map(|subscription| (subscription.lane_id(), subscription))
            .collect();
        let is_wanted = |subscription: &Subscription| {
            !paused && subscription.state == State::Active && !subscription.has_ended()
        };
        for (id, lane) in &lanes.running {
            let wanted = all.get(id).filter(|subscription| is_wanted(subscription));
            if !wanted.is_some_and(|wanted| Arc::ptr_eq(wanted, &lane.subscription)) {
                lane.stop.cancel();
                lanes.restart_backoffs.remove(id);
            }
        }
        for (id, subscription) in all {
            if is_wanted(&subscription) && !lanes.running.contains_key(&id) {
                self.start(subscription, lanes, Duration::ZERO);
            }
        }
        self.publish_lane_count(lanes.running.len());
    }

    fn start(&self, subscription: Arc<Subscription>, lanes: &mut RunningLanes, pause: Duration) {
        let sink = match (self.make_sink)(&subscription) {
            Ok(sink) => sink,
            Err(what) => {
                error!(subscription = %subscription.full_name(), what, "lane cannot be started");
                return;
            }
        };
        let stop = CancellationToken::new();
        let lane = Lane::new(Arc::clone(&subscription), sink, Arc::clone(&self.context));
        let (id, stopped) = (lane.id(), stop.clone());
        let task = lanes.tasks.spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => return (id, None),
                () = sleep(pause) => (),
            }
            (id, lane.run(stopped).await)
        });
        let running = RunningLane {
            subscription,
            stop,
            task: task.id(),
            starts_at: Instant::now() + pause,
        };
        lanes.running.insert(id, running);
    }

    async fn lane_ended(
        &self,
        lanes: &mut RunningLanes,
        ended: Result<(Id, (LaneId, Option<Closing>)), JoinError>,
    ) {
        match ended {
            Ok((_, (id, closing))) => {
                let Some(lane) = lanes.running.remove(&id) else {
                    return;
                };
                if let Some(closing) = closing
                    && !self.close(&lane.subscription, closing).await
                {
                    let pause = lanes.restart_backoffs.entry(id).or_default().fail(None);
                    self.start(lane.subscription, lanes, pause);
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
                error!(subscription = %lane.subscription.full_name(), %join_error, "lane died");
                self.context.feed.detach(&lane.subscription);
                if !lane.stop.is_cancelled() {
                    let backoff = lanes.restart_backoffs.entry(id).or_default();
                    if lane.starts_at.elapsed() >= LONG_LIFE {
                        backoff.succeed();
                    }
                    let pause = backoff.fail(None);
                    self.start(lane.subscription, lanes, pause);
                }
            }
        }
        self.publish_lane_count(lanes.running.len());
    }

    /// Puts a subscription into the state that its lane asks for. Returns `false` after a failure; the lane must
    /// then start again after a pause.
    async fn close(&self, subscription: &Arc<Subscription>, closing: Closing) -> bool {
        let name = subscription.full_name();
        let state = match closing {
            Closing::Pause(reason) => State::Paused {
                reason: Some(reason),
            },
            Closing::Deactivate(reason) => State::Deactivated {
                reason: Some(reason),
            },
        };
        let subscriptions = &self.subscriptions;
        match subscriptions
            .set_state_if_current(subscription, state)
            .await
        {
            Ok(Some(changed)) => {
                info!(subscription = %name, state = ?changed.state, "subscription no longer served");
            }
            // The subscription was changed meanwhile, so the old endpoint no longer matters.
            Ok(None) => (),
            Err(error) => {
                error!(subscription = %name, %error, "subscription not paused");
                return false;
            }
        }
        true
    }

    fn publish_lane_count(&self, lane_count: usize) {
        self.lane_count.send_replace(Some(lane_count));
    }
}

impl std::fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatch")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
