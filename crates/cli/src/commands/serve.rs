//! `easel serve`

use std::net::SocketAddr;

use anyhow::anyhow;
use easel_server::{Auth, Server, StartError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::args::GlobalArgs;
use crate::exit_code::{Code, Failure, OrExit};
use crate::logging::{self, LogFormat};
use crate::output;
use crate::settings::{Flag, Settings, setting};
use crate::signals::Signals;

const EXAMPLES: &str = "\
SIGTERM or Ctrl-C stops it: requests and deliveries under way are finished first, within the time
that `drain` allows. A second signal stops it at once; nothing acknowledged is lost either way.
`easel config check` lists all settings.

Examples:
  easel serve
  easel serve --data /var/lib/easel --listen 0.0.0.0:4567
  EASEL_LOG=debug easel serve --log-format json";

/// Run the server
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Who may come in: `tokens`, or `none` to ask for no token, on loopback only
    #[arg(long)]
    auth: Option<String>,
    /// What to log on stderr, such as `debug` or `info,easel_deliver=trace`
    #[arg(
        long,
        value_name = "FILTER",
        env = "EASEL_LOG",
        default_value = "info",
        hide_env_values = true
    )]
    log: String,
    /// Form of the log
    #[arg(
        long,
        value_name = "FORMAT",
        env = "EASEL_LOG_FORMAT",
        default_value = "text",
        hide_env_values = true
    )]
    log_format: LogFormat,
}

impl ServeArgs {
    pub(super) fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let flags = [
            Flag::new(setting::LISTEN, "--listen", self.listen),
            Flag::new(setting::AUTH, "--auth", self.auth),
        ];
        let settings = Settings::load(global, &flags)?;
        settings.check()?;
        logging::start(&self.log, self.log_format)?;
        raise_file_limit();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        let runtime = runtime.or_exit(Code::Unavailable)?;
        let ended = runtime.block_on(serve(settings));
        // After a second signal nothing is waited for.
        runtime.shutdown_background();
        ended
    }
}

async fn serve(settings: Settings) -> Result<(), Failure> {
    let mut signals = Signals::listen().or_exit(Code::Unavailable)?;
    let drain = settings.config.drain;
    let server = match Server::start(settings.config.clone()).await {
        Ok(server) => server,
        Err(StartError::Config(error)) => return Err(settings.refused(error).into()),
        Err(error) => return Err(not_started(error)),
    };
    greet(&server, &settings);

    let stop = CancellationToken::new();
    let mut run = Box::pin(server.run_until(stop.clone()));
    tokio::select! {
        () = &mut run => return Ok(()),
        () = signals.next() => (),
    }
    output::talk(format_args!(
        "draining, at most {drain:?}; a second signal stops at once"
    ));
    stop.cancel();
    tokio::select! {
        () = run => Ok(()),
        () = signals.next() => {
            Err(Failure::new(Code::Unavailable, anyhow!("stopped before everything was drained")))
        }
    }
}

/// Why a server does not start, with the exit code for it.
pub(super) fn not_started(error: StartError) -> Failure {
    let code = if error.is_configuration() {
        Code::Configuration
    } else {
        Code::Unavailable
    };
    Failure::new(code, anyhow!("failed to {:#}", anyhow::Error::new(error)))
}

/// Raises the number of files and connections this process may have open to the most that it is
/// allowed. Systems set it low for the sake of programs that cannot take many; this one can.
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

/// Says what a newcomer does next.
fn greet(server: &Server, settings: &Settings) {
    let config = &settings.config;
    let address = server.address();
    let data = config.data.display();
    output::talk(format_args!(
        "easel listens on http://{address} and keeps its data in {data}"
    ));
    match (server.first_token(), config.auth) {
        (Some(token), _) => output::talk(format_args!(
            "\nFirst token, may do everything, shown this once (only its hash is kept):\n\n  {}",
            token.expose()
        )),
        (None, Auth::None) => output::talk("It asks for no token (auth = \"none\")."),
        (None, Auth::Tokens) => (),
    }
    let keys = match (config.kinesis.keys.first(), config.auth) {
        (_, Auth::None) => "any; signatures are not checked".to_owned(),
        (Some(key), Auth::Tokens) => format!("{} and its secret", key.access_key_id),
        (None, Auth::Tokens) => "set a pair under [[kinesis.keys]] first".to_owned(),
    };
    let data = if settings.data_is_a_flag() {
        format!(" --data {data}")
    } else {
        String::new()
    };
    output::talk(format_args!(
        "
To send Canvas's events here, in its Live Events plug-in (/plugins/live_events):
  AWS endpoint (aws_endpoint)                 {}
  Kinesis stream name (kinesis_stream_name)   {}
  AWS access key ID and secret                {keys}

Try, in another terminal:
  easel{data} emit course_created --set name=Botany
  easel{data} tail --follow
  easel{data} subscriptions add mine --webhook https://example.edu/hook
",
        from_elsewhere(address),
        config.kinesis.stream
    ));
}

/// What others connect to: no address that stands for all addresses of this machine.
fn from_elsewhere(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("http://<this host>:{}", address.port())
    } else {
        format!("http://{address}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canvas_is_never_told_to_connect_to_every_address() {
        let told = |address: &str| from_elsewhere(address.parse().unwrap());
        assert_eq!(told("0.0.0.0:4567"), "http://<this host>:4567");
        assert_eq!(told("[::]:4567"), "http://<this host>:4567");
        assert_eq!(told("10.0.0.7:4567"), "http://10.0.0.7:4567");
    }
}
