//! What `easel serve` and `easel config check` take alike, and how both prepare a server.

use std::io::IsTerminal;

use easel_server::{Config, FirstTokenPlace, Prepared};
use tracing_subscriber::EnvFilter;

use crate::args::GlobalArgs;
use crate::logging::{self, FILTER_VARIABLE, FORMAT_VARIABLE, LogFormat};
use crate::settings::{Flag, Settings, SettingsError, SettingsFaults, option_origin, setting};

/// What `easel serve` and `easel config check` take alike.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ServerArgs {
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
        env = FILTER_VARIABLE,
        default_value = "info",
        hide_env_values = true
    )]
    log: String,
    /// Form of the log: `text` or `json`; with `json`, stderr holds nothing else
    #[arg(
        long,
        value_name = "FORMAT",
        env = FORMAT_VARIABLE,
        default_value = "text",
        hide_env_values = true
    )]
    log_format: String,
}

/// How the server logs.
#[derive(Debug)]
pub(super) struct Logging {
    pub(super) filter: EnvFilter,
    pub(super) format: LogFormat,
    /// What is wrong with the options; what is in their place are the defaults.
    pub(super) faults: Vec<SettingsError>,
}

impl ServerArgs {
    /// How the server logs.
    pub(super) fn logging(&self) -> Logging {
        let mut faults = Vec::new();
        let mut refuse = |flag, variable, value: &str, expects: &str| {
            faults.push(SettingsError::Option {
                origin: option_origin(flag, variable, value),
                fault: format!("the log {expects}, not {value:?}"),
            });
        };
        let filter = logging::filter(&self.log).unwrap_or_else(|| {
            let expects = "filter must be such as \"debug\" or \"info,easel_deliver=trace\"";
            refuse("--log", FILTER_VARIABLE, &self.log, expects);
            EnvFilter::new("info")
        });
        let format = LogFormat::named(&self.log_format).unwrap_or_else(|| {
            let expects = "format must be \"text\" or \"json\"";
            refuse("--log-format", FORMAT_VARIABLE, &self.log_format, expects);
            LogFormat::Text
        });
        Logging {
            filter,
            format,
            faults,
        }
    }

    /// Reads the settings and prepares a server with them. `faults` are reported with all others.
    pub(super) fn prepare(
        &self,
        global: &GlobalArgs,
        faults: Vec<SettingsError>,
        adjust: impl FnOnce(&mut Config),
    ) -> Result<(Settings, Prepared), SettingsFaults> {
        let flags = [
            Flag::new(setting::LISTEN, "--listen", self.listen.clone()),
            Flag::new(setting::AUTH, "--auth", self.auth.clone()),
        ];
        Settings::prepare(global, &flags, faults, |config| {
            config.first_token_place = first_token_place();
            adjust(config);
        })
    }
}

/// Where a first token goes: to people if they can see it, else to a file.
fn first_token_place() -> FirstTokenPlace {
    if std::io::stderr().is_terminal() && !logging::speaks_json() {
        FirstTokenPlace::Caller
    } else {
        FirstTokenPlace::File
    }
}
