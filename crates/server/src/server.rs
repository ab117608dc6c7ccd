//! Starts the rooms in order, runs them, and drains them.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use easel_access::{Authorizer, Refusals, Tokens, TokensError};
use easel_api::{Api, ServerFacts};
use easel_deliver::{Dispatch, DispatchDeps};
use easel_drift::DriftScanner;
use easel_ingest::{Intake, Kinesis, KinesisAuth, event_facts};
use easel_keys::Secret;
use easel_log::{
    Clock, Log, LogName, LogOptions, ReadError, ReadFacts, RecordFacts, Retention, SharedLog,
    SystemClock,
};
use easel_log_sqlite::{OpenLogError, SqliteLog};
use easel_quarantine::Quarantine;
use easel_subscriptions::{ChangeError, SqliteStore, StateStoreError, Subscriptions};
use metrics_exporter_prometheus::BuildError;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::connections::Connections;
use crate::data_folder::{
    ACCESS, DRIFT, DataFolder, FolderError, LOG, LocalServer, QUARANTINE, STATE, Session,
};
use crate::disk::Disk;
use crate::first_token::{self, FirstToken, FirstTokenError};
use crate::health::{self, Health};
use crate::operator_events::OperatorEvents;
use crate::test_delivery;
use crate::vitals::Vitals;
use crate::webhooks::{Webhooks, endpoint};
use crate::{
    Auth, Config, ConfigFaults, Deliveries, KinesisKey, Prepared, Reloader, gauges, retention,
};

/// How often the recorder of metrics tidies up, as it asks for.
const UPKEEP: Duration = Duration::from_secs(5);

/// A server that listens, and serves once it is run.
#[derive(Debug)]
pub struct Server {
    config: Config,
    folder: DataFolder,
    session: Session,
    subscriptions: Arc<Subscriptions>,
    log: Arc<SqliteLog>,
    quarantine: Arc<SqliteLog>,
    dispatch: Dispatch,
    drift: Arc<DriftScanner>,
    vitals: Vitals,
    operator_events: OperatorEvents,
    clock: Arc<dyn Clock>,
    metrics: metrics_exporter_prometheus::PrometheusHandle,
    refusals: Arc<Refusals>,
    connections: Connections,
    address: SocketAddr,
    first_token: FirstToken,
    reloader: Reloader,
    /// Told first: ends answers that would go on for ever.
    stopping: CancellationToken,
}

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The settings ask for what cannot be.
    #[error(transparent)]
    Config(#[from] ConfigFaults),
    /// The address cannot be had.
    #[error("listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A log cannot be opened.
    #[error("open the log")]
    Log(#[from] OpenLogError),
    /// The quarantine cannot be read.
    #[error("read the quarantine")]
    Quarantine(#[from] ReadError),
    /// The tokens cannot be read.
    #[error("open the tokens")]
    Tokens(#[from] TokensError),
    /// The subscriptions cannot be read.
    #[error(transparent)]
    Store(#[from] StateStoreError),
    /// The file of the subscriptions was rejected.
    #[error(transparent)]
    StoreFile(#[from] easel_sqlite::OpenError),
    /// What arrived that the catalogue does not know cannot be read.
    #[error(transparent)]
    Drift(#[from] easel_drift::DriftStoreError),
    /// A declared subscription cannot be served.
    #[error("declare a subscription")]
    Declare(#[from] ChangeError),
    /// The recorder of metrics cannot be made.
    #[error("prepare metrics")]
    Metrics(#[from] BuildError),
}

impl StartError {
    /// Whether other settings would help, rather than another disk.
    pub const fn is_configuration(&self) -> bool {
        match self {
            Self::Config(_) | Self::Listen { .. } | Self::Folder(_) | Self::Declare(_) => true,
            Self::Log(_)
            | Self::Quarantine(_)
            | Self::Tokens(_)
            | Self::Store(_)
            | Self::StoreFile(_)
            | Self::Drift(_)
            | Self::Metrics(_) => false,
        }
    }
}

impl Server {
    /// Prepares the settings, opens everything in the data folder and listens.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_prepared(config.prepare()?).await
    }

    /// Opens everything in the data folder and listens.
    pub async fn start_prepared(prepared: Prepared) -> Result<Self, StartError> {
        let config = prepared.config.clone();
        let catalog = Arc::clone(&prepared.catalog);
        let metrics = gauges::recorder()?;
        let folder = DataFolder::take(&config.data)?;
        let session = folder.prepare()?;
        let refused = |source| StartError::Listen {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;

        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (tell_operator, operator_events) = OperatorEvents::new(Arc::clone(&clock));
        let options = LogOptions {
            duplicate_window: config.log.duplicate_window,
            ..LogOptions::default()
        };
        let log = open_log(&folder, LOG, options, &clock)?;
        let options = LogOptions {
            name: LogName::Quarantine,
            duplicate_window: 0,
            recent_bytes: 0,
            ..options
        };
        let quarantine = open_log(&folder, QUARANTINE, options, &clock)?;
        let shared: SharedLog = Arc::<SqliteLog>::clone(&log);
        let shared_quarantine: SharedLog = Arc::<SqliteLog>::clone(&quarantine);

        let tokens = Arc::new(Tokens::open(&folder.file(ACCESS))?);
        let local_token = easel_access::new_secret().map_err(TokensError::from)?;
        let refusals = Arc::new(Refusals::new());
        let gate = match config.auth {
            Auth::Tokens => Authorizer::new(Arc::clone(&tokens)).with_local_token(&local_token),
            Auth::None => Authorizer::open(),
        }
        .with_refusals(Arc::clone(&refusals));

        let webhooks = Webhooks::new(prepared.webhooks.clone());
        let send_test =
            test_delivery::sender(webhooks.make_webhook(), Arc::clone(&prepared.translator));
        let subscriptions = Subscriptions::open(
            Arc::new(SqliteStore::open(&folder.file(STATE))?),
            Arc::clone(&shared),
            Arc::clone(&clock),
            Box::new(|spec| endpoint(spec).map(|_endpoint| ())),
            Arc::clone(&catalog),
        );
        let subscriptions = subscriptions.await?.with_operator(tell_operator.clone());
        let subscriptions = Arc::new(subscriptions);
        if config.deliveries == Deliveries::Paused {
            subscriptions.pause_deliveries();
        }
        subscriptions.declare(config.subscriptions.clone()).await?;
        // A process that was killed may have trimmed the log and said nothing.
        subscriptions.expire_trimmed();
        let supplies = DispatchDeps {
            log: Arc::clone(&shared),
            subscriptions: Arc::clone(&subscriptions),
            make_sink: webhooks.maker(),
            translator: Arc::clone(&prepared.translator),
            clock: Arc::clone(&clock),
            tell_operator: tell_operator.clone(),
        };
        let dispatch = Dispatch::new(supplies, config.delivery.options());

        let drift = DriftScanner::open(
            &folder.file(DRIFT),
            Arc::clone(&shared),
            Arc::clone(&catalog),
        )?;
        let drift = Arc::new(drift.with_operator(tell_operator.clone()));

        let disk = Disk::of(&config.data);
        let vitals = Vitals {
            logs: [
                (LogName::Events, Arc::clone(&shared)),
                (LogName::Quarantine, Arc::clone(&shared_quarantine)),
            ],
            disk: disk.clone(),
            max_age: config.log.max_age,
            tell_operator,
        };
        vitals.begin();
        let stopping = CancellationToken::new();
        let host = ServerFacts {
            address: reachable(address),
            started_at: clock.now(),
            max_age: config.log.max_age,
            max_bytes: config.log.max_bytes,
            lane_count: dispatch.lane_count(),
            disk_space: Arc::new(move || disk.space()),
        };
        let records = Quarantine::new(Arc::clone(&shared_quarantine), Arc::clone(&clock));
        records.load().await?;
        let api = Api {
            log: Arc::clone(&shared),
            quarantine: records.clone(),
            subscriptions: Arc::clone(&subscriptions),
            catalog,
            drift: Arc::clone(&drift),
            tokens: Arc::clone(&tokens),
            send_test,
            clock: Arc::clone(&clock),
            host,
            stop: stopping.clone(),
        };
        let kinesis = Kinesis::new(kinesis_auth(config.auth, &config.kinesis.keys))
            .with_stream(&config.kinesis.stream)
            .with_refusals(Arc::clone(&refusals));
        let reloader = Reloader::new(
            &prepared,
            Arc::clone(&subscriptions),
            kinesis.access(),
            webhooks,
        );
        let health = Health {
            log: Arc::clone(&shared),
            quarantine: shared_quarantine,
            subscriptions: Arc::clone(&subscriptions),
            lane_count: dispatch.lane_count(),
            metrics: metrics.clone(),
        };
        let options = config.ingest.options();
        let intake = Intake::new(shared, records, Arc::clone(&clock), options);
        let intake = Arc::new(intake.with_stop(stopping.clone()));
        let mut document = easel_ingest::document(&prepared.triggers);
        document.merge(health::document());
        let app = easel_api::routes(api, &gate, document)
            .merge(easel_ingest::routes(
                intake,
                gate,
                kinesis,
                prepared.triggers,
            ))
            .merge(health::routes(health));

        folder.announce(&LocalServer {
            address: reachable(address),
            token: (config.auth == Auth::Tokens).then(|| local_token.expose().clone()),
            pid: std::process::id(),
        })?;
        // The last step that can fail: a token that is kept is one that is shown.
        let first_token = match config.auth {
            Auth::None => FirstToken::Known,
            Auth::Tokens => {
                let made = first_token::ensure(&tokens, &config, clock.now());
                made.map_err(|error| match error {
                    FirstTokenError::Tokens(error) => StartError::Tokens(error),
                    FirstTokenError::Folder(error) => StartError::Folder(error),
                })?
            }
        };
        Ok(Self {
            config,
            folder,
            session,
            subscriptions,
            log,
            quarantine,
            dispatch,
            drift,
            vitals,
            operator_events,
            clock,
            metrics,
            refusals,
            connections: Connections::new(listener, easel_api::fallbacks(app)),
            address,
            first_token,
            reloader,
            stopping,
        })
    }

    /// The address it listens on.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The first token, at the first start only, if it is to be shown.
    pub const fn first_token(&self) -> Option<&Secret<String>> {
        match &self.first_token {
            FirstToken::Shown(secret) => Some(secret),
            FirstToken::Known | FirstToken::Preset | FirstToken::Filed(_) => None,
        }
    }

    /// The file with the first token, at the first start only, if it was written to one.
    pub fn first_token_file(&self) -> Option<&Path> {
        match &self.first_token {
            FirstToken::Filed(path) => Some(path),
            FirstToken::Known | FirstToken::Preset | FirstToken::Shown(_) => None,
        }
    }

    /// What puts new settings in force while the server runs.
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// Serves until told to stop, then drains: requests and deliveries under way are finished,
    /// all of them within one time limit; then everything is closed.
    pub async fn run_until(self, stop: CancellationToken) {
        let Self {
            config,
            folder,
            session,
            subscriptions,
            log,
            quarantine,
            dispatch,
            drift,
            vitals,
            operator_events,
            clock,
            metrics,
            refusals,
            connections,
            stopping,
            ..
        } = self;
        let give_up = CancellationToken::new();
        let requests = async {
            tokio::select! {
                () = connections.serve(stopping.clone()) => (),
                () = give_up.cancelled() => warn!("requests under way given up"),
            }
        };
        let deliveries = dispatch.run(stopping.clone(), give_up.clone());
        let looking = drift.run(stopping.clone());
        let deadline = async {
            stop.cancelled().await;
            info!("stopping");
            stopping.cancel();
            sleep(config.drain).await;
            give_up.cancel();
            std::future::pending::<Infallible>().await
        };
        let retention = |max_bytes| Retention {
            max_age: config.log.max_age,
            max_bytes,
        };
        let chores = async {
            tokio::join!(
                retention::keep(
                    LogName::Events,
                    &*log,
                    retention(config.log.max_bytes),
                    &*clock,
                    || subscriptions.expire_trimmed(),
                ),
                retention::keep(
                    LogName::Quarantine,
                    &*quarantine,
                    retention(config.quarantine.max_bytes),
                    &*clock,
                    || (),
                ),
                upkeep(metrics, refusals),
                vitals.measure(),
                deadline,
            )
            .0
        };
        let nobody_tells = CancellationToken::new();
        let work = async {
            tokio::join!(requests, deliveries, looking);
            subscriptions.tell_remaining_losses();
            nobody_tells.cancel();
        };
        let telling = operator_events.run(&*log, nobody_tells.clone());
        tokio::select! {
            ((), ()) = async { tokio::join!(work, telling) } => (),
            never = chores => match never {},
        }
        log.close().await;
        quarantine.close().await;
        // After a failed write nothing more is written; the next start does what is left.
        if !log.stats().refusing && !quarantine.stats().refusing {
            let head = log.bounds().borrow().head.get();
            if let Err(error) = folder.finish(session, head) {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "data folder not marked as cleanly stopped"
                );
            }
        }
        if let Err(error) = folder.renounce() {
            warn!(%error, "local.json could not be removed");
        }
        info!("stopped");
    }
}

async fn upkeep(
    metrics: metrics_exporter_prometheus::PrometheusHandle,
    refusals: Arc<Refusals>,
) -> Infallible {
    let mut tick = interval(UPKEEP);
    loop {
        tick.tick().await;
        metrics.run_upkeep();
        refusals.report_left_out();
    }
}

fn open_log(
    folder: &DataFolder,
    name: &str,
    options: LogOptions,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<SqliteLog>, OpenLogError> {
    // What blocks of an older format do not tell is read from their events.
    let read_facts: ReadFacts = match options.name {
        LogName::Events => event_facts,
        LogName::Quarantine => RecordFacts::none,
    };
    let path = folder.file(name);
    SqliteLog::open(&path, options, Arc::clone(clock), read_facts).map(Arc::new)
}

/// Whom the Kinesis door lets in.
pub(crate) fn kinesis_auth(auth: Auth, keys: &[KinesisKey]) -> KinesisAuth {
    let pairs = keys.iter();
    let pairs = pairs.map(|key| (key.access_key_id.clone(), key.secret_access_key.clone()));
    match auth {
        Auth::None => KinesisAuth::Open,
        Auth::Tokens if keys.is_empty() => KinesisAuth::Off,
        Auth::Tokens => KinesisAuth::Keys(pairs.collect()),
    }
}

/// An address that can be connected to: a listener on every address is reached through loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        specific => specific,
    }
}
