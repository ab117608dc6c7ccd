//! The shared arguments of `easel serve` and `easel config check`.

use std::io::IsTerminal;

use easel_server::{Config, FirstTokenPlace, Prepared};
use tracing_subscriber::EnvFilter;

use crate::global_args::GlobalArgs;
use crate::logging::{self, FILTER_VARIABLE, FORMAT_VARIABLE, LogFormat};
use crate::settings::{
    Flag, Settings, SettingsError, SettingsFaults, excerpt, option_origin, setting,
};

/// The shared arguments of `easel serve` and `easel config check`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ServerArgs {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Access control: `tokens`, or `none` to require no token (only on loopback)
    #[arg(long)]
    auth: Option<String>,
    /// Which log messages the server prints, such as `debug` or `info,easel_deliver=trace`
    #[arg(
        long = "log",
        value_name = "FILTER",
        env = FILTER_VARIABLE,
        default_value = "info",
        hide_env_values = true
    )]
    log_filter: String,
    /// Log format: `text` or `json`; with `json`, stderr contains only JSON
    #[arg(
        long,
        value_name = "FORMAT",
        env = FORMAT_VARIABLE,
        default_value = "text",
        hide_env_values = true
    )]
    log_format: String,
}

/// The log options.
#[derive(Debug)]
pub(super) struct Logging {
    pub(super) filter: EnvFilter,
    pub(super) format: LogFormat,
    /// The faults of the options. In place of an invalid option, `filter` or `format` has the default.
    pub(super) faults: Vec<SettingsError>,
}

impl ServerArgs {
    /// Parses the log options.
    pub(super) fn logging(&self) -> Logging {
        let mut faults = Vec::new();
        let mut reject = |flag, variable, value: &str, requirement: &str| {
            faults.push(SettingsError::Option {
                origin: option_origin(flag, variable, value),
                fault: format!("the log {requirement}, not {}", excerpt(value)),
            });
        };
        let filter = logging::parse_filter(&self.log_filter).unwrap_or_else(|| {
            let requirement = "filter must be like \"debug\" or \"info,easel_deliver=trace\"";
            reject("--log", FILTER_VARIABLE, &self.log_filter, requirement);
            EnvFilter::new("info")
        });
        let format = LogFormat::named(&self.log_format).unwrap_or_else(|| {
            let requirement = "format must be \"text\" or \"json\"";
            reject(
                "--log-format",
                FORMAT_VARIABLE,
                &self.log_format,
                requirement,
            );
            LogFormat::Text
        });
        Logging {
            filter,
            format,
            faults,
        }
    }

    /// Reads the settings and prepares a server with them. `faults` are reported with the faults of the settings.
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

/// Returns where the first token goes: to a terminal if there is one, otherwise to a file.
fn first_token_place() -> FirstTokenPlace {
    if std::io::stderr().is_terminal() && !logging::stderr_is_json() {
        FirstTokenPlace::Terminal
    } else {
        FirstTokenPlace::File
    }
}
