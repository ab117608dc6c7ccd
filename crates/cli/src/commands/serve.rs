//! `easel serve`

mod greeting;
mod reload;

use anyhow::anyhow;
use easel_server::{Deliveries, Prepared, Server, StartError};
use jiff::Timestamp;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::server_args::ServerArgs;
use crate::exit_code::{Code, Failure, OrExit};
use crate::global_args::GlobalArgs;
use crate::logging;
use crate::output;
use crate::service_manager::{self, ManagerNotice};
use crate::settings::Settings;
use crate::signals::{SignalRequest, Signals};
use reload::Reload;

const AFTER_HELP: &str = "\
SIGTERM or Ctrl-C stops the server. First the server finishes running requests
and deliveries, for at most the time of the setting `drain`. A second signal
stops the server immediately. In both cases no acknowledged event is lost.

SIGHUP reloads the settings. Only these change without a restart: key pairs of
the Kinesis door, `webhook.ca_file`, `webhook.allow`, `webhook.proxy`, the
certificate and the other settings of `tls`, and subscriptions that the settings
file declares. The server logs which other settings need a restart. `easel
config check` lists all settings. A new certificate needs no SIGHUP: the server
reads the files of `tls` every few seconds.

Examples:
  easel serve
  easel serve --data /var/lib/easel --listen 0.0.0.0:4567
  easel serve --paused
  EASEL_LOG=debug easel serve --log-format json";

/// Run the server
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Accept events, but deliver none until `easel resume`
    #[arg(long)]
    paused: bool,
}

impl ServeArgs {
    pub(super) fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let logging = self.server.logging();
        if let Err(error) = logging::start(logging.filter, logging.format) {
            output::notice(format_args!("logging was not started: {error}"));
        }
        let (settings, prepared) = self.server.prepare(global, logging.faults, |config| {
            if self.paused {
                config.deliveries = Deliveries::Paused;
            }
        })?;
        raise_file_limit();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        let runtime = runtime.or_exit(Code::Unavailable)?;
        let ended = runtime.block_on(self.serve(global, settings, prepared));
        // After a second signal, do not wait for running tasks.
        runtime.shutdown_background();
        ended
    }

    async fn serve(
        &self,
        global: &GlobalArgs,
        settings: Settings,
        prepared: Prepared,
    ) -> Result<(), Failure> {
        let mut signals = Signals::with_hangup().or_exit(Code::Unavailable)?;
        let drain = settings.config.drain;
        for warning in prepared.warnings(Timestamp::now()) {
            warn!(warning, "settings need attention");
        }
        let server = Box::pin(Server::start_prepared(prepared))
            .await
            .map_err(start_failure)?;
        report_start(&server, &settings);
        if !logging::stderr_is_json() {
            greeting::greet(&server, &settings);
        }
        let mut reload = Reload::new(server.reloader(), settings);
        service_manager::tell(ManagerNotice::Ready);

        let stop = CancellationToken::new();
        let mut run = Box::pin(server.run_until(stop.clone()));
        loop {
            tokio::select! {
                () = &mut run => return Ok(()),
                signal = signals.next() => match signal {
                    SignalRequest::Stop => break,
                    SignalRequest::Hangup => Box::pin(reload.run(&self.server, global)).await,
                },
            }
        }
        service_manager::tell(ManagerNotice::Stopping);
        if logging::stderr_is_json() {
            info!(?drain, "draining");
        } else {
            output::notice(format_args!(
                "draining, at most {drain:?}; a second signal stops the server immediately"
            ));
        }
        stop.cancel();
        tokio::select! {
            () = run => Ok(()),
            () = signals.stop_requested() => {
                let error = anyhow!("stopped before all requests and deliveries under way were finished; see the setting `drain`");
                Err(Failure::new(Code::Unavailable, error))
            }
        }
    }
}

/// Logs that the server started and what the operator must do next.
fn report_start(server: &Server, settings: &Settings) {
    let config = &settings.config;
    info!(
        address = %server.address(),
        scheme = server.scheme(),
        metrics_address = server.metrics_address().map(tracing::field::display),
        version = env!("CARGO_PKG_VERSION"),
        data = %config.data.display(),
        "server started"
    );
    if let Some(path) = server.first_token_file() {
        warn!(
            path = %path.display(),
            "first token written to a file; read it there and remove the file"
        );
    }
    match config.deliveries {
        Deliveries::Running => (),
        Deliveries::Paused => warn!("deliveries are paused; `easel resume` starts them"),
    }
}

/// Converts a start error to a failure with its exit code.
pub(super) fn start_failure(error: StartError) -> Failure {
    let code = if error.is_configuration() {
        Code::Configuration
    } else {
        Code::Unavailable
    };
    match error {
        StartError::Config(faults) => {
            Failure::several(code, faults.0.into_iter().map(|fault| anyhow!("{fault}")))
        }
        error => Failure::new(code, anyhow!("failed to {:#}", anyhow::Error::new(error))),
    }
}

/// Raises the limit of open files and connections to the maximum that the system allows. Many systems
/// set a low default for old programs that cannot handle more.
pub(super) fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!(%error, "limit on open files not raised");
    }
}
