//! Starts the rooms in order, and connects them.

mod run;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};

use easel_access::Refusals;
use easel_api::{Api, ReadTlsProblem, ServerFacts, audited};
use easel_audit::{Audit, AuditError, reseal_audit};
use easel_catalog::{Catalog, Reach, ReachRules, TellOperator};
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
use easel_subscriptions::{MatchContext, SqliteStore, Subscriptions};
use jiff::Timestamp;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::audit_records::{declared_settings, server_entry, start_details};
use crate::callers::{CallerUpkeep, Callers};
use crate::canvas_calls::{CanvasCalls, CanvasDeps};
use crate::connections::Connections;
use crate::data_folder::{
    ACCESS, AUDIT, DRIFT, DataFolder, KEYS, LocalServer, SOURCES, STATE, Session,
};
use crate::disk::Disk;
use crate::first_token::{self, FirstToken};
use crate::guard_report::GuardReport;
use crate::health::{self, Health};
use crate::kinesis_auth::kinesis_auth;
use crate::local_listener;
use crate::logs::Logs;
use crate::operator_events::OperatorEvents;
use crate::queues::{Queues, check_source};
use crate::sinks::Sinks;
use crate::table_manager::TableManager;
use crate::tables::Tables;
use crate::tls::{Tls, TlsWatch};
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
    caller_upkeep: CallerUpkeep,
    /// The connections of the main listener, and of those for commands on this machine and for monitoring.
    connections: Vec<Connections>,
    canvas: Option<CanvasCalls>,
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    tls_watch: TlsWatch,
    first_token: FirstToken,
    reloader: Reloader,
    keys: Arc<Keys>,
    audit: Arc<Audit>,
    /// Requests that change something. They end also if their clients leave.
    changes: TaskTracker,
    guard_report: GuardReport,
    /// Cancelled first when the server stops. It ends streams and long polls.
    stopping: CancellationToken,
}

impl Server {
    /// Prepares the settings, opens the files of the data folder, and listens.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_prepared(config.prepare()?).await
    }

    /// Opens the files of the data folder, and listens.
    pub async fn start_prepared(prepared: Prepared) -> Result<Self, StartError> {
        // The future has everything that starts, so it is large.
        Box::pin(Self::open(prepared)).await
    }

    async fn open(prepared: Prepared) -> Result<Self, StartError> {
        let config = prepared.config.clone();
        let metrics = gauges::recorder()?;
        let folder = DataFolder::lock(&config.data)?;
        let is_key_created = create_master_key(&folder, &prepared)?;
        let session = folder.prepare()?;
        let (listener, address) = listen(config.listen).await?;
        let canvas_listener = CanvasCalls::listen(&prepared).await?;
        let tls = prepared.tls.clone();
        let tls = tls.map(|identity| Tls::new(config.tls.clone(), identity));
        // Commands on this machine use the main listener, unless it speaks TLS.
        let (local_listener, local_address) = match &tls {
            None => (None, reachable_address(address)),
            Some(_) => {
                let (listener, address) = local_listener::listen().await?;
                (Some(listener), address)
            }
        };
        let metrics_listener = match config.metrics.listen {
            None => None,
            Some(address) => Some(listen(address).await?),
        };

        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (tell_operator, operator_events) = OperatorEvents::new(Arc::clone(&clock));
        let logs = Logs::open(&folder, config.log.duplicate_window, &clock)?;
        let log = logs.shared_events();
        let callers = Callers::open(&folder.file(ACCESS), &config, jwks_client(&prepared))?;
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
        let audit = open_audit(&folder, &keys, &config, &clock)?;
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
        let drift = stores.drift(config.reach)?;
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
            audit: Arc::clone(&audit),
            keys: Arc::clone(&keys),
            clock: Arc::clone(&clock),
            server: ServerFacts {
                address: local_address,
                started_at: clock.now(),
                max_age: config.log.max_age,
                max_bytes: config.log.max_bytes,
                lane_count: dispatch.lane_count(),
                disk_space: Arc::new(move || disk.space()),
                tls_problem: tls_problem(tls.clone()),
            },
            stop: stopping.clone(),
        };
        let kinesis = Kinesis::new(kinesis_auth(config.auth, &config.kinesis.keys))
            .with_stream(&config.kinesis.stream)
            .with_reach_rules(config.reach)
            .with_refusals(Arc::clone(&callers.refusals));
        let reloader = Reloader::new(
            &prepared,
            Arc::clone(&subscriptions),
            Arc::clone(&sources),
            kinesis.access(),
            (webhooks.clone(), tls.clone(), Arc::clone(&audit)),
        );
        let guard_report = GuardReport::new(webhooks, Arc::clone(&subscriptions));
        let health = Health {
            log: Arc::clone(&log),
            quarantine: logs.shared_quarantine(),
            subscriptions: Arc::clone(&subscriptions),
            lane_count: dispatch.lane_count(),
            audit: Arc::clone(&audit),
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
        let described = easel_api::document(document.clone());
        let changes = TaskTracker::new();
        let app = easel_api::routes(api, &authorizer, document)
            .merge(easel_ingest::routes(Doors {
                intake,
                authorizer,
                kinesis,
                triggers: Arc::clone(&prepared.triggers),
                sources: Arc::clone(&sources),
                imports,
            }))
            .merge(health::routes(
                health.clone(),
                config.auth,
                &callers.authorizer,
            ));
        let canvas_deps = CanvasDeps {
            prepared: &prepared,
            subscriptions: &subscriptions,
            refusals: &callers.refusals,
            clock: &clock,
            listener: canvas_listener,
            tls: tls.clone(),
            audit: &audit,
            changes: &changes,
        };
        let (canvas, app) = CanvasCalls::new(canvas_deps, app);
        let app = audited(app, &described, Arc::clone(&audit), changes.clone());
        let app = easel_api::fallbacks(app);
        let local = local_listener.map(|listener| Connections::new(listener, app.clone()));
        let metrics_address = metrics_listener.as_ref().map(|(_, address)| *address);
        let monitoring = metrics_listener
            .map(|(listener, _)| Connections::new(listener, health::open_routes(health)));
        let main = Connections::new(listener, app).with_tls(tls.clone());

        let details = start_details(session.generation);
        let started = server_entry(clock.now(), "server.start", "", &details);
        audit.record(started).await?;
        audit.declare(declared_settings(&config)).await?;
        let first_token = prepare_access(&folder, &config, &callers, local_address, &clock)?;
        if !matches!(first_token, FirstToken::Existing) {
            for token in callers.tokens.list(&Reach::Everything) {
                let details = [("name", token.settings.name.into())];
                let created = server_entry(clock.now(), "token.create", token.id, &details);
                audit.record(created).await?;
            }
        }
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
            operator_events: operator_events.with_audit(Arc::clone(&audit)),
            clock,
            metrics,
            caller_upkeep: callers.upkeep(),
            refusals: callers.refusals,
            connections: [Some(main), local, monitoring]
                .into_iter()
                .flatten()
                .collect(),
            canvas,
            address,
            metrics_address,
            tls_watch: TlsWatch::new(tls),
            first_token,
            reloader,
            keys,
            audit,
            changes,
            guard_report,
            stopping,
        })
    }

    /// Returns the address of the server.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of the listener for monitoring, if the settings have one.
    pub const fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Returns the scheme of the URLs of this server.
    pub const fn scheme(&self) -> &'static str {
        if self.config.tls.is_on() {
            "https"
        } else {
            "http"
        }
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
            MatchContext {
                catalog: Arc::clone(self.catalog),
                reach_rules: config.reach,
            },
        );
        let opened = opened.await?.with_operator(self.tell_operator.clone());
        let subscriptions = Arc::new(opened);
        if config.deliveries == Deliveries::Paused {
            subscriptions.pause_deliveries();
        }
        let stored = subscriptions.list();
        let stored = stored.iter().map(|stored| stored.spec.clone());
        let declared = config.subscriptions.iter();
        let declared = declared.map(|declared| declared.spec.clone());
        let specs: Vec<_> = stored.chain(declared).collect();
        self.sinks.webhooks.ensure_keys(&specs).await;
        subscriptions.declare(config.subscriptions.clone()).await?;
        // A killed process may have trimmed the log without saving the expired events.
        subscriptions.expire_trimmed();
        Ok(subscriptions)
    }

    /// Opens the sources.
    fn sources(&self, prepared: &Prepared, keys: &Keys) -> Result<Arc<Sources>, StartError> {
        describe_source_metrics();
        let sources = Sources::open(
            &self.folder.file(SOURCES),
            keys.sealer(),
            jwks_client(prepared),
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
    fn drift(&self, reach_rules: ReachRules) -> Result<Arc<DriftScanner>, StartError> {
        let drift = DriftScanner::open(
            &self.folder.file(DRIFT),
            Arc::clone(self.log),
            Arc::clone(self.catalog),
        )?;
        let drift = drift.with_reach_rules(reach_rules);
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

/// Opens the audit.
fn open_audit(
    folder: &DataFolder,
    keys: &Keys,
    config: &Config,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<Audit>, StartError> {
    let clock = Arc::clone(clock);
    let now = Arc::new(move || clock.now());
    let file = folder.file(AUDIT);
    match Audit::open(&file, &keys.sealer(), config.audit.max_age, now) {
        Ok(audit) => Ok(Arc::new(audit)),
        Err(AuditError::Key(_) | AuditError::NoKey) => Err(StartError::LostAudit),
        Err(error) => Err(error.into()),
    }
}

/// Returns the function that seals the secrets of all data files again.
pub(crate) fn reseal(store: &Arc<SqliteStore>, keys: &Keys, folder: &DataFolder) -> Reseal {
    let (store, sealer) = (Arc::clone(store), keys.sealer());
    let (sources, audit) = (folder.file(SOURCES), folder.file(AUDIT));
    Box::new(move || {
        let in_state = store.reseal().map_err(|error| error.to_string())?;
        let in_sources = reseal_sources(&sources, &sealer).map_err(|error| error.to_string())?;
        let in_audit = reseal_audit(&audit, &sealer).map_err(|error| error.to_string())?;
        Ok(in_state + in_sources + in_audit)
    })
}

fn tls_problem(tls: Option<Tls>) -> ReadTlsProblem {
    Arc::new(move |now| tls.as_ref()?.problem(now))
}

fn jwks_client(prepared: &Prepared) -> JwksClient {
    JwksClient::new(prepared.ca_file.as_deref().unwrap_or_default())
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
        address,
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
