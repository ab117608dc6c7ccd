//! The test fixture: a log, a store, and one recording sink per subscription.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use easel_caliper::{TranslationOptions, Translator};
use easel_catalog::{Catalog, Reach, TellOperator};
use easel_deliver::{Dispatch, DispatchDeps, DispatchOptions, FormMaker};
use easel_log::{Clock, LogOptions, MemoryLog, NewRecord, Provenance, SharedLog, SystemClock};
use easel_sinks::{
    Batch, Endpoint, Item, Outcome, SendError, Sink, SinkLimits, Webhook, WebhookSettings,
};
use easel_subscriptions::{Balance, FullName, MemoryStore, Spec, StateStore, Subscriptions, Term};
use easel_testkit::{RecordingSink, TokioClock, event};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The id and the UUID of a root account.
pub(crate) type Account = (Option<&'static str>, Option<&'static str>);

/// Creates sinks of another type.
type MakeOtherSink = dyn Fn(&Spec) -> Arc<dyn Sink> + Send + Sync;

/// A log, a store and sinks. The dispatch that uses them can be stopped and started again.
pub(crate) struct Fixture {
    store: Arc<MemoryStore>,
    options: DispatchOptions,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) log: SharedLog,
    pub(crate) subscriptions: Arc<Subscriptions>,
    sinks: Arc<Mutex<HashMap<String, Arc<RecordingSink>>>>,
    /// Creates the sinks; `None` for recording sinks.
    make_sink: Option<Arc<MakeOtherSink>>,
    running: JoinSet<()>,
    stop: CancellationToken,
    give_up: CancellationToken,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let log = MemoryLog::new(LogOptions::default(), Arc::new(SystemClock));
        Self::with_log(Arc::new(log)).await
    }

    pub(crate) async fn with_log(log: SharedLog) -> Self {
        let mut fixture = Self::not_started(log).await;
        fixture.start();
        fixture
    }

    /// Creates a fixture that rarely saves, so that a test of several days runs fast.
    pub(crate) async fn for_days() -> Self {
        let log = MemoryLog::new(LogOptions::default(), Arc::new(SystemClock));
        let mut fixture = Self::not_started(Arc::new(log)).await;
        fixture.options.save_every = std::time::Duration::from_mins(10);
        fixture.options.measure_every = std::time::Duration::from_mins(10);
        fixture.start();
        fixture
    }

    /// Creates a fixture with sinks of another type.
    pub(crate) async fn with_sinks<S: Sink>(
        make_sink: impl Fn(&Spec) -> Arc<S> + Send + Sync + 'static,
    ) -> Self {
        let log = MemoryLog::new(LogOptions::default(), Arc::new(SystemClock));
        let mut fixture = Self::not_started(Arc::new(log)).await;
        fixture.make_sink = Some(Arc::new(move |spec| make_sink(spec) as Arc<dyn Sink>));
        fixture.start();
        fixture
    }

    async fn not_started(log: SharedLog) -> Self {
        let store = Arc::default();
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
        let subscriptions = open(&store, &log, &clock).await;
        Self {
            store,
            options: DispatchOptions::default(),
            clock,
            log,
            subscriptions,
            sinks: Arc::default(),
            make_sink: None,
            running: JoinSet::new(),
            stop: CancellationToken::new(),
            give_up: CancellationToken::new(),
        }
    }

    pub(crate) fn start(&mut self) {
        let (sinks, make_sink) = (Arc::clone(&self.sinks), self.make_sink.clone());
        let deps = DispatchDeps {
            log: Arc::clone(&self.log),
            subscriptions: Arc::clone(&self.subscriptions),
            make_sink: Box::new(move |subscription| {
                let spec = &subscription.spec;
                Ok(match &make_sink {
                    Some(make_sink) => make_sink(spec),
                    None => as_webhook(sink(&sinks, spec.name.as_str()), spec),
                })
            }),
            form_maker: FormMaker::new(
                Arc::new(Translator::new(catalog(), TranslationOptions::default()).unwrap()),
                Arc::default(),
            ),
            clock: Arc::clone(&self.clock),
            tell_operator: TellOperator::default(),
        };
        let dispatch = Dispatch::new(deps, self.options);
        self.stop = CancellationToken::new();
        self.give_up = CancellationToken::new();
        self.running
            .spawn(dispatch.run(self.stop.clone(), self.give_up.clone()));
    }

    /// Stops the dispatch as SIGTERM does.
    pub(crate) async fn drain(&mut self) {
        self.stop.cancel();
        let timeout = tokio::time::sleep(std::time::Duration::from_secs(20));
        tokio::select! {
            ended = self.running.join_next() => return ended.unwrap().unwrap(),
            () = timeout => self.give_up.cancel(),
        }
        self.running.join_next().await.unwrap().unwrap();
    }

    /// Stops the dispatch as SIGKILL does: nothing more is saved, and the state in memory is lost.
    pub(crate) async fn crash(&mut self) {
        self.running.shutdown().await;
        self.subscriptions = open(&self.store, &self.log, &self.clock).await;
    }

    /// Makes every save fail until the next crash, as if another process had taken over the store.
    pub(crate) async fn refuse_saves(&self) {
        self.store.take_over().await.unwrap();
    }

    pub(crate) async fn subscribe(&self, json: &str) -> Arc<RecordingSink> {
        self.subscribe_within(Reach::Everything, json).await
    }

    /// Creates a subscription with this reach.
    pub(crate) async fn subscribe_within(&self, reach: Reach, json: &str) -> Arc<RecordingSink> {
        let spec: Spec = serde_json::from_str(json).unwrap();
        let sink = self.sink(spec.name.as_str());
        self.subscriptions.create(reach, spec).await.unwrap();
        sink
    }

    /// Appends events, each with the id and the UUID of its root account.
    pub(crate) async fn append_for<'a>(
        &self,
        events: impl IntoIterator<Item = (&'a str, u64, Account)>,
    ) {
        let record = |(event_type, n, (id, uuid)): (&str, u64, Account)| {
            let text = |text: &str| Arc::from(text);
            NewRecord {
                provenance: Arc::new(Provenance {
                    root_account_id: id.map(text),
                    root_account_uuid: uuid.map(text),
                    ..Provenance::default()
                }),
                ..NewRecord::new(
                    Uuid::from_u128(u128::from(n)),
                    event_type,
                    event(event_type, n),
                )
            }
        };
        self.log
            .append(events.into_iter().map(record).collect())
            .await
            .unwrap();
    }

    pub(crate) fn sink(&self, name: &str) -> Arc<RecordingSink> {
        sink(&self.sinks, name)
    }

    pub(crate) async fn append(&self, events: impl IntoIterator<Item = (&str, u64)>) {
        let record = |(event_type, n): (&str, u64)| {
            let id = Uuid::from_u128(u128::from(n));
            NewRecord::new(id, event_type, event(event_type, n))
        };
        self.log
            .append(events.into_iter().map(record).collect())
            .await
            .unwrap();
    }

    /// Appends events with these numbers. They have a form in every format.
    pub(crate) async fn append_examples(&self, numbers: std::ops::Range<u64>) {
        let catalog = Catalog::built_in();
        let grade_change = catalog.get("grade_change").unwrap();
        let record = |n: u64| {
            let time = jiff::Timestamp::from_second(i64::try_from(n).unwrap()).unwrap();
            let event = catalog.example(grade_change, easel_catalog::EventOrigin::Request, time);
            NewRecord::new(Uuid::from_u128(u128::from(n)), "grade_change", event)
        };
        self.log
            .append(numbers.map(record).collect())
            .await
            .unwrap();
    }

    /// Appends events with these numbers. `body.key` is the number modulo `key_count`.
    pub(crate) async fn append_keyed(&self, numbers: std::ops::Range<u64>, key_count: u64) {
        let record = |n: u64| {
            let key = n % key_count;
            let event = format!(
                r#"{{"metadata":{{"event_name":"user_created","event_time":"2025-03-03T08:00:00Z"}},"body":{{"key":{key}}}}}"#
            );
            NewRecord::new(Uuid::from_u128(u128::from(n)), "user_created", event)
        };
        self.log
            .append(numbers.map(record).collect())
            .await
            .unwrap();
    }

    pub(crate) fn balance(&self, name: &str) -> Balance {
        let subscription = self.subscriptions.get(&full_name(name)).unwrap();
        let balance = self.subscriptions.balance(&subscription);
        assert!(balance.adds_up(), "{balance:?}");
        balance
    }

    /// Waits until no delivery of this subscription is pending or parked.
    pub(crate) async fn settled(&self, name: &str) -> Balance {
        self.reached(name, |balance| {
            balance.get(Term::Pending) + balance.get(Term::Parked) == 0
        })
        .await
    }

    /// Waits until the balance of this subscription meets the condition.
    pub(crate) async fn reached(
        &self,
        name: &str,
        condition: impl Fn(&Balance) -> bool,
    ) -> Balance {
        loop {
            let balance = self.balance(name);
            if condition(&balance) {
                return balance;
            }
            tokio::time::sleep(self.options.save_every / 5).await;
        }
    }
}

/// Returns the numbers of the events in these batches, as passed to `append`.
pub(crate) fn numbers(batches: &[Batch]) -> Vec<u64> {
    let items = batches.iter().flat_map(|batch| &batch.items);
    items
        .map(|item| u64::try_from(item.id.as_u128()).unwrap())
        .collect()
}

/// Returns the id of the first event of a batch.
pub(crate) fn id(batch: &Batch) -> Uuid {
    batch.items[0].id
}

/// Returns an error that blames the event.
pub(crate) fn rejected() -> SendError {
    SendError::Rejected {
        reason: "the endpoint answered 422".to_owned(),
    }
}

/// Returns an error that blames the endpoint.
pub(crate) fn refused(status: u16) -> SendError {
    SendError::Refused {
        reason: format!("the endpoint answered {status}"),
    }
}

/// Returns the error of an endpoint that is gone permanently.
pub(crate) fn gone() -> SendError {
    SendError::Gone {
        reason: "the endpoint is gone (410)".to_owned(),
    }
}

/// A recording sink with the limits of a webhook.
#[derive(Debug)]
struct WebhookLikeSink {
    sink: Arc<RecordingSink>,
    settings: WebhookSettings,
    host: Option<String>,
}

#[async_trait]
impl Sink for WebhookLikeSink {
    fn limits(&self) -> SinkLimits {
        self.settings.limits()
    }

    fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    fn can_join_batch(&self, items: &[Arc<Item>], item: &Item) -> bool {
        Webhook::can_share_envelope(items, item)
    }

    async fn send(&self, batch: &Batch) -> Outcome {
        self.sink.send(batch).await
    }
}

fn as_webhook(sink: Arc<RecordingSink>, spec: &Spec) -> Arc<dyn Sink> {
    let webhook = spec.sink.webhook().unwrap();
    let settings = WebhookSettings {
        timeout: webhook.timeout,
        max_items: webhook.batch.get(),
        max_in_flight: spec.in_flight.get(),
    };
    let host = Endpoint::parse(webhook.url.expose())
        .unwrap()
        .host()
        .to_owned();
    Arc::new(WebhookLikeSink {
        sink,
        settings,
        // Only tests of hosts use another URL. All other tests have no host.
        host: (host != "localhost:80").then_some(host),
    })
}

fn catalog() -> Arc<Catalog> {
    Arc::new(Catalog::built_in())
}

fn sink(sinks: &Mutex<HashMap<String, Arc<RecordingSink>>>, name: &str) -> Arc<RecordingSink> {
    Arc::clone(sinks.lock().unwrap().entry(name.to_owned()).or_default())
}

async fn open(
    store: &Arc<MemoryStore>,
    log: &SharedLog,
    clock: &Arc<dyn Clock>,
) -> Arc<Subscriptions> {
    let check = Arc::new(());
    let (store, clock) = (Arc::<MemoryStore>::clone(store), Arc::clone(clock));
    let opened = Subscriptions::open(store, Arc::clone(log), clock, check, catalog());
    Arc::new(opened.await.unwrap())
}

/// Parses a full name.
pub(crate) fn full_name(text: &str) -> FullName {
    text.parse().unwrap()
}
