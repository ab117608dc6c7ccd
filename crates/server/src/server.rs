//! Starts the rooms in order, runs them, and drains them.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use easel_access::{Gate, Scopes, Secret, Tokens, TokensError};
use easel_api::Api;
use easel_deliver::{Dispatch, DispatchOptions, MakeSink, Supplies};
use easel_drift::Lookout;
use easel_ingest::{Intake, Kinesis, KinesisAuth};
use easel_log::{
    Clock, LogName, LogOptions, OpenError, Quarantine, ReadError, Retention, SharedLog, SqliteLog,
    SystemClock,
};
use easel_sinks::{ClientError, Endpoint, Sink, Webhook, WebhookClient, WebhookOptions};
use easel_subscriptions::{ChangeError, Spec, StoreError, Subscriptions};
use metrics_exporter_prometheus::BuildError;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::connections::Connections;
use crate::data_folder::{DataFolder, FolderError, Local};
use crate::health::{self, Health};
use crate::test_delivery::{self, MakeWebhook};
use crate::{Auth, CatalogFolderError, Config, ConfigError, gauges, load_catalog, retention};

/// How often the recorder of metrics tidies up, as it asks for.
const UPKEEP: Duration = Duration::from_secs(5);

/// A server that listens, and serves once it is run.
#[derive(Debug)]
pub struct Server {
    config: Config,
    folder: DataFolder,
    log: Arc<SqliteLog>,
    quarantine: Arc<SqliteLog>,
    dispatch: Dispatch,
    drift: Arc<Lookout>,
    clock: Arc<dyn Clock>,
    metrics: metrics_exporter_prometheus::PrometheusHandle,
    connections: Connections,
    address: SocketAddr,
    first_token: Option<Secret<String>>,
    /// Told first: ends answers that would go on for ever.
    stopping: CancellationToken,
}

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The settings ask for what cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address cannot be had.
    #[error("listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The catalogue cannot be put together.
    #[error(transparent)]
    Catalog(#[from] CatalogFolderError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A log cannot be opened.
    #[error("open the log")]
    Log(#[from] OpenError),
    /// The quarantine cannot be read.
    #[error("read the quarantine")]
    Quarantine(#[from] ReadError),
    /// The tokens cannot be read.
    #[error("open the tokens")]
    Tokens(#[from] TokensError),
    /// The subscriptions cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What arrived that the catalogue does not know cannot be read.
    #[error(transparent)]
    Drift(#[from] easel_drift::StoreError),
    /// A declared subscription cannot be served.
    #[error("declare a subscription")]
    Declare(#[from] ChangeError),
    /// The webhook client cannot be made.
    #[error("prepare webhooks")]
    Webhooks(#[from] ClientError),
    /// The recorder of metrics cannot be made.
    #[error("prepare metrics")]
    Metrics(#[from] BuildError),
}

impl StartError {
    /// Whether other settings would help, rather than another disk.
    pub const fn is_configuration(&self) -> bool {
        match self {
            Self::Config(_)
            | Self::Listen { .. }
            | Self::Catalog(_)
            | Self::Folder(_)
            | Self::Declare(_)
            | Self::Webhooks(_) => true,
            Self::Log(_)
            | Self::Quarantine(_)
            | Self::Tokens(_)
            | Self::Store(_)
            | Self::Drift(_)
            | Self::Metrics(_) => false,
        }
    }
}

impl Server {
    /// Opens everything in the data folder and listens.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        config.check()?;
        let catalog = Arc::new(load_catalog(config.catalog.folder.as_deref())?);
        let translator = Arc::new(config.translator(&catalog)?);
        let triggers = Arc::new(config.triggers(&catalog)?);
        let metrics = gauges::recorder()?;
        let folder = DataFolder::take(&config.data)?;
        let refused = |source| StartError::Listen {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;

        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let options = LogOptions {
            duplicate_window: config.log.duplicate_window,
            ..LogOptions::default()
        };
        let log = open_log(&folder, "log.db", options, &clock)?;
        let options = LogOptions {
            name: LogName::Quarantine,
            duplicate_window: 0,
            recent_bytes: 0,
            ..options
        };
        let quarantine = open_log(&folder, "quarantine.db", options, &clock)?;
        let shared: SharedLog = Arc::<SqliteLog>::clone(&log);
        let shared_quarantine: SharedLog = Arc::<SqliteLog>::clone(&quarantine);

        let tokens = Arc::new(Tokens::open(&folder.file("access.db"))?);
        let local_token = easel_access::new_secret().map_err(TokensError::from)?;
        let gate = match config.auth {
            Auth::Tokens => Gate::new(Arc::clone(&tokens)).with_local_token(&local_token),
            Auth::None => Gate::open(),
        };

        let make_webhook = webhooks(&config, &clock)?;
        let send_test = test_delivery::sender(
            Arc::clone(&make_webhook),
            Arc::clone(&translator),
            Arc::clone(&clock),
        );
        let subscriptions = Arc::new(Subscriptions::open(
            &folder.file("state.db"),
            Arc::clone(&shared),
            Arc::clone(&clock),
            Box::new(|spec| endpoint(spec).map(|_endpoint| ())),
            Arc::clone(&catalog),
        )?);
        subscriptions.declare(config.subscriptions.clone()).await?;
        let supplies = Supplies {
            log: Arc::clone(&shared),
            subscriptions: Arc::clone(&subscriptions),
            make_sink: make_sink(make_webhook),
            translator,
            clock: Arc::clone(&clock),
        };
        let dispatch = Dispatch::new(supplies, DispatchOptions::default());

        let drift = Arc::new(Lookout::open(
            &folder.file("drift.db"),
            Arc::clone(&shared),
            Arc::clone(&catalog),
        )?);

        let stopping = CancellationToken::new();
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
            stop: stopping.clone(),
        };
        let health = Health {
            log: Arc::clone(&shared),
            quarantine: shared_quarantine,
            subscriptions,
            lane_count: dispatch.lane_count(),
            metrics: metrics.clone(),
        };
        let intake = Arc::new(Intake::new(
            shared,
            records,
            Arc::clone(&clock),
            config.ingest.options(),
        ));
        let mut described = easel_ingest::document();
        described.merge(health::document());
        let app = easel_api::routes(api, &gate, described)
            .merge(easel_ingest::routes(
                intake,
                gate,
                kinesis(&config),
                triggers,
            ))
            .merge(health::routes(health));

        folder.announce(&Local {
            address: reachable(address),
            token: (config.auth == Auth::Tokens).then(|| local_token.expose().clone()),
            pid: std::process::id(),
        })?;
        // The last step that can fail: a token that is kept is one that is shown.
        let first_token = if tokens.is_empty() && config.auth == Auth::Tokens {
            Some(tokens.create("first", Scopes::ALL, clock.now())?.1)
        } else {
            None
        };
        Ok(Self {
            config,
            folder,
            log,
            quarantine,
            dispatch,
            drift,
            clock,
            metrics,
            connections: Connections::new(listener, easel_api::fallbacks(app)),
            address,
            first_token,
            stopping,
        })
    }

    /// The address it listens on.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The first token, at the first start only.
    pub const fn first_token(&self) -> Option<&Secret<String>> {
        self.first_token.as_ref()
    }

    /// Serves until told to stop, then drains: requests and deliveries under way are finished,
    /// all of them within one time limit; then everything is closed.
    pub async fn run_until(self, stop: CancellationToken) {
        let Self {
            config,
            folder,
            log,
            quarantine,
            dispatch,
            drift,
            clock,
            metrics,
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
                    &*clock
                ),
                retention::keep(
                    LogName::Quarantine,
                    &*quarantine,
                    retention(config.quarantine.max_bytes),
                    &*clock,
                ),
                upkeep(metrics),
                deadline,
            )
            .0
        };
        tokio::select! {
            ((), (), ()) = async { tokio::join!(requests, deliveries, looking) } => (),
            never = chores => match never {},
        }
        log.close().await;
        quarantine.close().await;
        if let Err(error) = folder.renounce() {
            warn!(%error, "local.json could not be removed");
        }
        info!("stopped");
    }
}

async fn upkeep(metrics: metrics_exporter_prometheus::PrometheusHandle) -> Infallible {
    let mut tick = interval(UPKEEP);
    loop {
        tick.tick().await;
        metrics.run_upkeep();
    }
}

fn open_log(
    folder: &DataFolder,
    name: &str,
    options: LogOptions,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<SqliteLog>, OpenError> {
    SqliteLog::open(&folder.file(name), options, Arc::clone(clock)).map(Arc::new)
}

/// What makes webhooks; all of one maker share their connections.
fn webhooks(config: &Config, clock: &Arc<dyn Clock>) -> Result<MakeWebhook, ClientError> {
    let clock = Arc::clone(clock);
    let options = WebhookOptions {
        ca_file: config.webhook.ca_file.clone(),
    };
    let client = WebhookClient::new(&options, Arc::new(move || clock.now()))?;
    Ok(Arc::new(move |spec: &Spec| {
        let endpoint = endpoint(spec)?;
        Ok(Webhook::new(client.clone(), endpoint, spec.webhook.timeout))
    }))
}

/// What makes the sinks of lanes.
fn make_sink(make_webhook: MakeWebhook) -> MakeSink {
    Box::new(move |spec: &Spec| Ok(Arc::new(make_webhook(spec)?) as Arc<dyn Sink>))
}

fn endpoint(spec: &Spec) -> Result<Endpoint, String> {
    Endpoint::parse(&spec.webhook.url).map_err(|error| error.to_string())
}

fn kinesis(config: &Config) -> Kinesis {
    let pairs = config.kinesis.keys.iter();
    let pairs = pairs.map(|key| (key.access_key_id.clone(), key.secret_access_key.clone()));
    let auth = match config.auth {
        Auth::None => KinesisAuth::Open,
        Auth::Tokens if config.kinesis.keys.is_empty() => KinesisAuth::Off,
        Auth::Tokens => KinesisAuth::Keys(pairs.collect()),
    };
    Kinesis::new(auth).with_stream(&config.kinesis.stream)
}

/// An address that can be connected to: a listener on every address is reached through loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        specific => specific,
    }
}
