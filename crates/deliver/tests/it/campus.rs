//! The rooms around the lanes: a log, a store, and one recording sink per subscription.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use easel_caliper::{Options, Translator};
use easel_catalog::Catalog;
use easel_deliver::{Dispatch, DispatchOptions, Supplies};
use easel_log::{LogOptions, MemoryLog, NewRecord, SharedLog, SystemClock};
use easel_sinks::{Parcel, Sink};
use easel_subscriptions::{Balance, Spec, Subscriptions};
use easel_testkit::{RecordingSink, event};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A log, a store and sinks; what runs on them can be stopped and started again.
pub(crate) struct Campus {
    folder: TempDir,
    pub(crate) log: SharedLog,
    pub(crate) subscriptions: Arc<Subscriptions>,
    sinks: Arc<Mutex<HashMap<String, Arc<RecordingSink>>>>,
    running: JoinSet<()>,
    stop: CancellationToken,
    give_up: CancellationToken,
}

impl Campus {
    pub(crate) fn new() -> Self {
        let log = MemoryLog::new(LogOptions::default(), Arc::new(SystemClock));
        Self::on(Arc::new(log))
    }

    pub(crate) fn on(log: SharedLog) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let subscriptions = open(folder.path(), &log);
        let mut campus = Self {
            folder,
            log,
            subscriptions,
            sinks: Arc::default(),
            running: JoinSet::new(),
            stop: CancellationToken::new(),
            give_up: CancellationToken::new(),
        };
        campus.start();
        campus
    }

    pub(crate) fn start(&mut self) {
        let sinks = Arc::clone(&self.sinks);
        let supplies = Supplies {
            log: Arc::clone(&self.log),
            subscriptions: Arc::clone(&self.subscriptions),
            make_sink: Box::new(move |spec| Ok(sink(&sinks, spec.name.as_str()) as Arc<dyn Sink>)),
            translator: Arc::new(Translator::new(catalog(), Options::default()).unwrap()),
            clock: Arc::new(SystemClock),
        };
        let dispatch = Dispatch::new(supplies, DispatchOptions::default());
        self.stop = CancellationToken::new();
        self.give_up = CancellationToken::new();
        self.running
            .spawn(dispatch.run(self.stop.clone(), self.give_up.clone()));
    }

    /// Stops as on SIGTERM.
    pub(crate) async fn drain(&mut self) {
        self.stop.cancel();
        let patience = tokio::time::sleep(std::time::Duration::from_secs(20));
        tokio::select! {
            ended = self.running.join_next() => return ended.unwrap().unwrap(),
            () = patience => self.give_up.cancel(),
        }
        self.running.join_next().await.unwrap().unwrap();
    }

    /// Stops as on SIGKILL: nothing more is saved, and what is in memory is forgotten.
    pub(crate) async fn crash(&mut self) {
        self.running.shutdown().await;
        self.subscriptions = open(self.folder.path(), &self.log);
    }

    pub(crate) async fn subscribe(&self, json: &str) -> Arc<RecordingSink> {
        let spec: Spec = serde_json::from_str(json).unwrap();
        let sink = self.sink(spec.name.as_str());
        self.subscriptions.create(spec).await.unwrap();
        sink
    }

    pub(crate) fn sink(&self, name: &str) -> Arc<RecordingSink> {
        sink(&self.sinks, name)
    }

    pub(crate) async fn append(&self, events: impl IntoIterator<Item = (&str, u64)>) {
        let record = |(name, n): (&str, u64)| {
            NewRecord::new(Uuid::from_u128(u128::from(n)), name, event(name, n))
        };
        self.log
            .append(events.into_iter().map(record).collect())
            .await
            .unwrap();
    }

    pub(crate) fn balance(&self, name: &str) -> Balance {
        let subscription = self.subscriptions.get(name).unwrap();
        let balance = self.subscriptions.balance(&subscription);
        assert!(balance.adds_up(), "{balance:?}");
        balance
    }

    /// Waits until nothing is pending for this subscription.
    pub(crate) async fn settled(&self, name: &str) -> Balance {
        loop {
            let balance = self.balance(name);
            if balance.pending == 0 {
                return balance;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

/// The numbers of the events in these parcels, as given to `append`.
pub(crate) fn numbers(parcels: &[Parcel]) -> Vec<u64> {
    parcels
        .iter()
        .map(|parcel| u64::try_from(parcel.id.as_u128()).unwrap())
        .collect()
}

fn catalog() -> Arc<Catalog> {
    Arc::new(Catalog::built_in())
}

fn sink(sinks: &Mutex<HashMap<String, Arc<RecordingSink>>>, name: &str) -> Arc<RecordingSink> {
    Arc::clone(sinks.lock().unwrap().entry(name.to_owned()).or_default())
}

fn open(folder: &Path, log: &SharedLog) -> Arc<Subscriptions> {
    let path = folder.join("state.db");
    let check = Box::new(|_: &Spec| Ok(()));
    let clock = Arc::new(SystemClock);
    Arc::new(Subscriptions::open(&path, Arc::clone(log), clock, check, catalog()).unwrap())
}
