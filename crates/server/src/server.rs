//! Starts the rooms in order, runs them, and drains them.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use easel_access::{Gate, Scopes, Secret, Tokens, TokensError};
use easel_api::Api;
use easel_deliver::{Dispatch, DispatchOptions, MakeSink};
use easel_ingest::{Intake, Kinesis, KinesisAuth};
use easel_log::{
    Clock, LogOptions, OpenError, Quarantine, Retention, SharedLog, SqliteLog, SystemClock,
};
use easel_sinks::{ClientError, Endpoint, Sink, Webhook, WebhookClient, WebhookOptions};
use easel_subscriptions::{ChangeError, Spec, StoreError, Subscriptions};
use metrics_exporter_prometheus::BuildError;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::data_folder::{DataFolder, FolderError, Local};
use crate::health::{self, Health};
use crate::{Auth, Config, gauges, retention};

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
    clock: Arc<dyn Clock>,
    metrics: metrics_exporter_prometheus::PrometheusHandle,
    listener: TcpListener,
    app: Router,
    address: SocketAddr,
    first_token: Option<Secret<String>>,
    /// Told first: ends answers that would go on for ever.
    stopping: CancellationToken,
}

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The settings ask for what is not allowed.
    #[error("listen on {address}: without tokens that is allowed on a loopback address only")]
    OpenToOthers {
        /// The address asked for.
        address: SocketAddr,
    },
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
    Log(#[from] OpenError),
    /// The tokens cannot be read.
    #[error("open the tokens")]
    Tokens(#[from] TokensError),
    /// The subscriptions cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
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
            Self::OpenToOthers { .. }
            | Self::Listen { .. }
            | Self::Folder(_)
            | Self::Declare(_)
            | Self::Webhooks(_) => true,
            Self::Log(_) | Self::Tokens(_) | Self::Store(_) | Self::Metrics(_) => false,
        }
    }
}

/// Why a server ended other than by being told to.
#[derive(Debug, Error)]
pub enum RunError {
    /// It could not go on listening.
    #[error("serve requests")]
    Serve(#[source] io::Error),
}

impl Server {
    /// Opens everything in the data folder and listens.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let address = config.listen;
        if config.auth == Auth::None && !address.ip().is_loopback() {
            return Err(StartError::OpenToOthers { address });
        }
        let metrics = gauges::recorder()?;
        let folder = DataFolder::take(&config.data)?;
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| StartError::Listen { address, source })?;
        let address = listener.local_addr();
        let address = address.map_err(|source| StartError::Listen {
            address: config.listen,
            source,
        })?;

        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let options = LogOptions {
            duplicate_window: config.log.duplicate_window,
            ..LogOptions::default()
        };
        let log = open_log(&folder, "log.db", options, &clock)?;
        let options = LogOptions {
            duplicate_window: 0,
            recent_bytes: 0,
            ..options
        };
        let quarantine = open_log(&folder, "quarantine.db", options, &clock)?;
        let shared: SharedLog = Arc::<SqliteLog>::clone(&log);
        let shared_quarantine: SharedLog = Arc::<SqliteLog>::clone(&quarantine);

        let tokens = Arc::new(Tokens::open(&folder.file("access.db"))?);
        let first_token = if tokens.is_empty() && config.auth == Auth::Tokens {
            Some(tokens.create("first", Scopes::ALL, clock.now())?.1)
        } else {
            None
        };
        let local_token = easel_access::new_secret().map_err(TokensError::from)?;
        let gate = match config.auth {
            Auth::Tokens => Gate::new(Arc::clone(&tokens)).with_local_token(&local_token),
            Auth::None => Gate::open(),
        };

        let make_sink = webhooks(&config, &clock)?;
        let check: MakeSink = webhooks(&config, &clock)?;
        let subscriptions = Arc::new(Subscriptions::open(
            &folder.file("state.db"),
            Arc::clone(&shared),
            Arc::clone(&clock),
            Box::new(move |spec| check(spec).map(|_sink| ())),
        )?);
        subscriptions.declare(config.subscriptions.clone()).await?;
        let dispatch = Dispatch::new(
            Arc::clone(&shared),
            Arc::clone(&subscriptions),
            make_sink,
            Arc::clone(&clock),
            DispatchOptions {
                drain: config.drain,
                ..DispatchOptions::default()
            },
        );

        let stopping = CancellationToken::new();
        let records = Quarantine::new(Arc::clone(&shared_quarantine), Arc::clone(&clock));
        let api = Api {
            log: Arc::clone(&shared),
            quarantine: records.clone(),
            subscriptions: Arc::clone(&subscriptions),
            tokens,
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
        let app = easel_api::routes(api, &gate, easel_ingest::document())
            .merge(easel_ingest::routes(intake, gate, kinesis(&config)))
            .merge(health::routes(health));

        folder.announce(&Local {
            address: reachable(address),
            token: (config.auth == Auth::Tokens).then(|| local_token.expose().clone()),
            pid: std::process::id(),
        })?;
        Ok(Self {
            config,
            folder,
            log,
            quarantine,
            dispatch,
            clock,
            metrics,
            listener,
            app,
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

    /// Serves until told to stop, then drains: first requests are finished, then deliveries under
    /// way, then everything is closed.
    pub async fn run_until(self, stop: CancellationToken) -> Result<(), RunError> {
        let Self {
            config,
            folder,
            log,
            quarantine,
            dispatch,
            clock,
            metrics,
            ..
        } = self;
        let stop_lanes = CancellationToken::new();
        let listener = self.listener.tap_io(|connection| {
            if let Err(error) = connection.set_nodelay(true) {
                warn!(%error, "answers on this connection may be late");
            }
        });
        let stopping = self.stopping;
        let told = stopping.clone();
        let requests = axum::serve(listener, self.app)
            .with_graceful_shutdown(async move { told.cancelled().await });
        let requests = async {
            let served = tokio::select! {
                served = requests => served,
                () = drained(stop, &stopping, config.drain) => {
                    warn!("requests under way given up");
                    Ok(())
                }
            };
            stop_lanes.cancel();
            served
        };
        let keep = Retention {
            max_age: config.log.max_age,
            max_bytes: config.log.max_bytes,
        };
        let shared: SharedLog = Arc::<SqliteLog>::clone(&log);
        let chores =
            async { tokio::join!(retention::keep(shared, keep, clock), upkeep(metrics)).0 };
        let (served, ()) = tokio::select! {
            both = async { tokio::join!(requests, dispatch.run(stop_lanes.clone())) } => both,
            never = chores => match never {},
        };
        log.close().await;
        quarantine.close().await;
        if let Err(error) = folder.renounce() {
            warn!(%error, "local.json could not be removed");
        }
        info!("stopped");
        served.map_err(RunError::Serve)
    }
}

/// Comes back once `stop` was asked for and the drain time is over too.
async fn drained(stop: CancellationToken, stopping: &CancellationToken, drain: Duration) {
    stop.cancelled().await;
    info!("stopping");
    stopping.cancel();
    tokio::time::sleep(drain).await;
}

async fn upkeep(
    metrics: metrics_exporter_prometheus::PrometheusHandle,
) -> std::convert::Infallible {
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
fn webhooks(config: &Config, clock: &Arc<dyn Clock>) -> Result<MakeSink, ClientError> {
    let clock = Arc::clone(clock);
    let options = WebhookOptions {
        ca_file: config.webhook.ca_file.clone(),
    };
    let client = WebhookClient::new(&options, Arc::new(move || clock.now()))?;
    Ok(Box::new(move |spec: &Spec| {
        let endpoint = Endpoint::parse(&spec.webhook.url).map_err(|error| error.to_string())?;
        let webhook = Webhook::new(client.clone(), endpoint, spec.webhook.timeout);
        Ok(Arc::new(webhook) as Arc<dyn Sink>)
    }))
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
