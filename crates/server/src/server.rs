//! Starts the rooms in order, and connects them.

mod run;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};

use easel_access::Refusals;
use easel_api::{Api, ServerFacts};
use easel_catalog::{Catalog, TellOperator};
use easel_deliver::{Dispatch, DispatchDeps, FormMaker};
use easel_drift::DriftScanner;
use easel_ingest::{Doors, Intake, Kinesis, recover_imports};
use easel_keys::{Keys, Reseal, Secret};
use easel_log::{Clock, LogName, SharedLog, SystemClock};
use easel_quarantine::Quarantine;
use easel_sources::{
    Imports, JwksClient, Sources, describe_source_metrics, lost_sources, reseal_sources,
};
use easel_sqs::{AwsHttp, SqsPollers};
use easel_subscriptions::{SqliteStore, Subscriptions};
use jiff::Timestamp;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::callers::Callers;
use crate::canvas_calls::{CanvasCalls, CanvasDeps};
use crate::connections::Connections;
use crate::data_folder::{ACCESS, DRIFT, DataFolder, KEYS, LocalServer, SOURCES, STATE, Session};
use crate::disk::Disk;
use crate::first_token::{self, FirstToken};
use crate::guard_report::GuardReport;
use crate::health::{self, Health};
use crate::kinesis_auth::kinesis_auth;
use crate::logs::Logs;
use crate::operator_events::OperatorEvents;
use crate::queues::{Queues, check_source};
use crate::sinks::Sinks;
use crate::table_manager::TableManager;
use crate::tables::Tables;
use crate::vitals::Vitals;
use crate::webhooks::Webhooks;
use crate::{Auth, Config, Deliveries, Prepared, Reloader, StartError, gauges, test_delivery};

/// A server that listens, and serves when [`run_until`](Self::run_until) is called.
#[derive(Debug)]
pub struct Server {
    config: Config,
    folder: DataFolder,
    session: Session,
    subscriptions: Arc<Subscriptions>,
    sources: Arc<Sources>,
    pollers: SqsPollers,
    logs: Logs,
    dispatch: Dispatch,
    drift: Arc<DriftScanner>,
    vitals: Vitals,
    operator_events: OperatorEvents,
    clock: Arc<dyn Clock>,
    metrics: PrometheusHandle,
    refusals: Arc<Refusals>,
    connections: Connections,
    canvas: Option<CanvasCalls>,
    address: SocketAddr,
    first_token: FirstToken,
    reloader: Reloader,
    keys: Arc<Keys>,
    guard_report: GuardReport,
    /// Cancelled first when the server stops. It ends streams and long polls.
    stopping: CancellationToken,
}

impl Server {
    /// Prepares the settings, opens the files of the data folder, and listens.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Box::pin(Self::start_prepared(config.prepare()?)).await
    }

    /// Opens the files of the data folder, and listens.
    pub async fn start_prepared(prepared: Prepared) -> Result<Self, StartError> {
        let config = prepared.config.clone();
        let metrics = gauges::recorder()?;
        let folder = DataFolder::lock(&config.data)?;
        let is_key_created = create_master_key(&folder, &prepared)?;
        let session = folder.prepare()?;
        let (listener, address) = listen(config.listen).await?;
        let canvas_listener = CanvasCalls::listen(&prepared).await?;

        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (tell_operator, operator_events) = OperatorEvents::new(Arc::clone(&clock));
        let logs = Logs::open(&folder, config.log.duplicate_window, &clock)?;
        let log = logs.shared_events();
        let callers = Callers::open(&folder.file(ACCESS), config.auth)?;
        let keys = open_keys(&folder, &prepared, clock.now())?;
        if is_key_created {
            warn_of_new_key(&prepared);
        }
        let webhooks = Webhooks::new(
            prepared.webhooks.clone(),
            Arc::clone(&keys),
            &config.keys.issuer,
        );
        let guard_source = webhooks.clone();
        let sinks = Sinks {
            tables: Tables::new(
                Arc::clone(&prepared.catalog),
                session.identity,
                Arc::new(move || guard_source.guard()),
            ),
            webhooks: webhooks.clone(),
            queues: Queues::new(AwsHttp::new(
                prepared.ca_file.as_deref().unwrap_or_default(),
            )),
        };
        let store = Arc::new(SqliteStore::open(&folder.file(STATE), keys.sealer())?);
        let lost_count = store.lost_count()?;
        if lost_count > 0 {
            return Err(StartError::LostSecrets { lost_count });
        }
        let lost = lost_sources(&folder.file(SOURCES), &keys.sealer())?;
        if !lost.is_empty() {
            return Err(StartError::LostSources { names: lost });
        }
        keys.set_reseal(reseal(&store, &keys, &folder))?;
        let stores = Stores {
            folder: &folder,
            state: store,
            sinks: &sinks,
            log: &log,
            clock: &clock,
            catalog: &prepared.catalog,
            tell_operator: &tell_operator,
        };
        let subscriptions = stores.subscriptions(&config).await?;
        let form_maker = FormMaker::new(
            Arc::clone(&prepared.translator),
            Arc::clone(&prepared.masker),
        );
        let dispatch_deps = DispatchDeps {
            log: Arc::clone(&log),
            subscriptions: Arc::clone(&subscriptions),
            make_sink: sinks.make_sink(subscriptions.epoch()),
            form_maker: form_maker.clone(),
            clock: Arc::clone(&clock),
            tell_operator: tell_operator.clone(),
        };
        let dispatch = Dispatch::new(dispatch_deps, config.delivery.options());
        let drift = stores.drift()?;
        let sources = stores.sources(&prepared, &keys)?;

        let disk = Disk::new(&config.data);
        let vitals = Vitals {
            logs: [
                (LogName::Events, Arc::clone(&log)),
                (LogName::Quarantine, logs.shared_quarantine()),
            ],
            disk: disk.clone(),
            max_age: config.log.max_age,
            tell_operator,
        };
        vitals.init();
        let stopping = CancellationToken::new();
        let quarantine = Quarantine::new(logs.shared_quarantine(), Arc::clone(&clock));
        quarantine.load().await?;
        let imports = Arc::new(Imports::open(&folder.file(SOURCES))?);
        if let Err(error) = recover_imports(&imports, &log, &quarantine).await {
            // The client of an interrupted import makes the server try again.
            let error: &dyn std::error::Error = &error;
            warn!(error, "interrupted imports not completed");
        }
        let api = Api {
            log: Arc::clone(&log),
            quarantine: quarantine.clone(),
            subscriptions: Arc::clone(&subscriptions),
            catalog: Arc::clone(&prepared.catalog),
            drift: Arc::clone(&drift),
            sources: Arc::clone(&sources),
            tokens: Arc::clone(&callers.tokens),
            tables: Arc::new(TableManager {
                tables: sinks.tables.clone(),
                epoch: subscriptions.epoch(),
                log: Arc::clone(&log),
                form_maker: form_maker.clone(),
                stop: stopping.clone(),
                rebuilds: Mutex::default(),
                tasks: Mutex::default(),
            }),
            send_test: test_delivery::sender(webhooks.make_webhook(), form_maker),
            keys: Arc::clone(&keys),
            clock: Arc::clone(&clock),
            server: ServerFacts {
                address: reachable_address(address),
                started_at: clock.now(),
                max_age: config.log.max_age,
                max_bytes: config.log.max_bytes,
                lane_count: dispatch.lane_count(),
                disk_space: Arc::new(move || disk.space()),
            },
            stop: stopping.clone(),
        };
        let kinesis = Kinesis::new(kinesis_auth(config.auth, &config.kinesis.keys))
            .with_stream(&config.kinesis.stream)
            .with_refusals(Arc::clone(&callers.refusals));
        let reloader = Reloader::new(
            &prepared,
            Arc::clone(&subscriptions),
            Arc::clone(&sources),
            kinesis.access(),
            webhooks.clone(),
        );
        let guard_report = GuardReport::new(webhooks, Arc::clone(&subscriptions));
        let health = Health {
            log: Arc::clone(&log),
            quarantine: logs.shared_quarantine(),
            subscriptions: Arc::clone(&subscriptions),
            lane_count: dispatch.lane_count(),
            metrics: metrics.clone(),
        };
        let intake = Intake::new(log, quarantine, Arc::clone(&clock), config.ingest.options());
        let intake = Arc::new(intake.with_stop(stopping.clone()));
        let queues = sinks.queues.clone();
        let pollers = SqsPollers {
            sources: Arc::clone(&sources),
            intake: Arc::clone(&intake),
            make_client: Box::new(move |sqs| queues.client_of_source(sqs)),
            clock: Arc::clone(&clock),
        };
        let mut document = easel_ingest::document(&prepared.triggers);
        document.merge(health::document());
        let authorizer = callers.authorizer.clone();
        let app = easel_api::routes(api, &authorizer, document)
            .merge(easel_ingest::routes(Doors {
                intake,
                authorizer,
                kinesis,
                triggers: Arc::clone(&prepared.triggers),
                sources: Arc::clone(&sources),
                imports,
            }))
            .merge(health::routes(health));
        let canvas_deps = CanvasDeps {
            prepared: &prepared,
            subscriptions: &subscriptions,
            refusals: &callers.refusals,
            clock: &clock,
            listener: canvas_listener,
        };
        let (canvas, app) = CanvasCalls::new(canvas_deps, app);

        let first_token = prepare_access(&folder, &config, &callers, address, &clock)?;
        Ok(Self {
            config,
            folder,
            session,
            subscriptions,
            sources,
            pollers,
            logs,
            dispatch,
            drift,
            vitals,
            operator_events,
            clock,
            metrics,
            refusals: callers.refusals,
            connections: Connections::new(listener, easel_api::fallbacks(app)),
            canvas,
            address,
            first_token,
            reloader,
            keys,
            guard_report,
            stopping,
        })
    }

    /// Returns the address of the server.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address and the path of Canvas's `app-host`, if the calls of Canvas's own client are served.
    pub fn app_host(&self) -> Option<(SocketAddr, &str)> {
        let address = self.canvas.as_ref()?.address().unwrap_or(self.address);
        Some((address, &self.config.canvas_service.path))
    }

    /// Returns the first token at the first start, if the program that starts the server must show it.
    pub const fn first_token(&self) -> Option<&Secret<String>> {
        match &self.first_token {
            FirstToken::ToShow(secret) => Some(secret),
            FirstToken::Existing
            | FirstToken::Preset
            | FirstToken::InFile(_)
            | FirstToken::NotWritten => None,
        }
    }

    /// Returns the file with the first token at the first start, if the token was written to a file.
    pub fn first_token_file(&self) -> Option<&Path> {
        match &self.first_token {
            FirstToken::InFile(path) => Some(path),
            FirstToken::Existing
            | FirstToken::Preset
            | FirstToken::ToShow(_)
            | FirstToken::NotWritten => None,
        }
    }

    /// Returns a handle that applies new settings while the server runs.
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }
}

/// Opens the rooms with a store in the data folder.
struct Stores<'a> {
    folder: &'a DataFolder,
    state: Arc<SqliteStore>,
    sinks: &'a Sinks,
    log: &'a SharedLog,
    clock: &'a Arc<dyn Clock>,
    catalog: &'a Arc<Catalog>,
    tell_operator: &'a TellOperator,
}

impl Stores<'_> {
    /// Opens the subscriptions, and declares the subscriptions of the settings.
    async fn subscriptions(&self, config: &Config) -> Result<Arc<Subscriptions>, StartError> {
        let opened = Subscriptions::open(
            Arc::<SqliteStore>::clone(&self.state),
            Arc::clone(self.log),
            Arc::clone(self.clock),
            Arc::new(self.sinks.clone()),
            Arc::clone(self.catalog),
        );
        let opened = opened.await?.with_operator(self.tell_operator.clone());
        let subscriptions = Arc::new(opened);
        if config.deliveries == Deliveries::Paused {
            subscriptions.pause_deliveries();
        }
        let stored = subscriptions.list();
        let stored: Vec<_> = stored.iter().map(|stored| stored.spec.clone()).collect();
        self.sinks.webhooks.ensure_keys(&stored).await;
        self.sinks.webhooks.ensure_keys(&config.subscriptions).await;
        subscriptions.declare(config.subscriptions.clone()).await?;
        // A killed process may have trimmed the log without saving the expired events.
        subscriptions.expire_trimmed();
        Ok(subscriptions)
    }

    /// Opens the sources.
    fn sources(&self, prepared: &Prepared, keys: &Keys) -> Result<Arc<Sources>, StartError> {
        describe_source_metrics();
        let client = JwksClient::new(prepared.ca_file.as_deref().unwrap_or_default());
        let sources = Sources::open(
            &self.folder.file(SOURCES),
            keys.sealer(),
            client,
            Arc::clone(self.clock),
            prepared.config.sources.clone(),
        )?;
        Ok(Arc::new(
            sources
                .with_operator(self.tell_operator.clone())
                .with_check(check_source),
        ))
    }

    /// Opens the drift scanner.
    fn drift(&self) -> Result<Arc<DriftScanner>, StartError> {
        let drift = DriftScanner::open(
            &self.folder.file(DRIFT),
            Arc::clone(self.log),
            Arc::clone(self.catalog),
        )?;
        Ok(Arc::new(drift.with_operator(self.tell_operator.clone())))
    }
}

/// Creates the master key of a data folder without keys. This comes before any file is migrated, so that
/// a folder stays as it was if the key cannot be written. Returns whether a file was written.
fn create_master_key(folder: &DataFolder, prepared: &Prepared) -> Result<bool, StartError> {
    if folder.file(KEYS).exists() {
        return Ok(false);
    }
    let (_key, is_created) = prepared.master_key.first()?;
    Ok(is_created)
}

fn warn_of_new_key(prepared: &Prepared) {
    let file = prepared.master_key.file.path();
    warn!(
        file = %file.display(),
        "master key created: keep a copy of this file, because a backup of the data folder needs it"
    );
}

/// Opens the keys of the data folder.
fn open_keys(
    folder: &DataFolder,
    prepared: &Prepared,
    now: Timestamp,
) -> Result<Arc<Keys>, StartError> {
    let rotate_every = prepared.config.keys.rotate_every;
    let source = prepared.master_key.clone();
    let keys = Keys::open(&folder.file(KEYS), source, rotate_every, now)?;
    if keys.store().created_file().is_some() {
        warn_of_new_key(prepared);
    }
    Ok(Arc::new(keys))
}

/// Returns the function that seals the secrets of all data files again.
pub(crate) fn reseal(store: &Arc<SqliteStore>, keys: &Keys, folder: &DataFolder) -> Reseal {
    let (store, sealer) = (Arc::clone(store), keys.sealer());
    let sources = folder.file(SOURCES);
    Box::new(move || {
        let in_state = store.reseal().map_err(|error| error.to_string())?;
        let in_sources = reseal_sources(&sources, &sealer).map_err(|error| error.to_string())?;
        Ok(in_state + in_sources)
    })
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let listen_error = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen_error)?;
    let address = listener.local_addr().map_err(listen_error)?;
    Ok((listener, address))
}

/// Writes `local.json` for commands on this machine, and creates the first token.
fn prepare_access(
    folder: &DataFolder,
    config: &Config,
    callers: &Callers,
    address: SocketAddr,
    clock: &Arc<dyn Clock>,
) -> Result<FirstToken, StartError> {
    let local_token = (config.auth == Auth::Tokens).then(|| callers.local_token.clone());
    folder.write_local(&LocalServer {
        address: reachable_address(address),
        token: local_token,
        pid: std::process::id(),
    })?;
    // No later step can fail, so a failed start leaves no token that nobody knows.
    match config.auth {
        Auth::None => Ok(FirstToken::Existing),
        Auth::Tokens => first_token::create_if_none(&callers.tokens, config, clock.now()),
    }
}

/// Returns an address to connect to. A listener on all addresses is reached through loopback.
fn reachable_address(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        specific => specific,
    }
}
