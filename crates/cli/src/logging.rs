//! The operational log: tracing events to stderr.
//!
//! In JSON format, stderr contains only JSON: messages, errors, usage errors and panics are log lines too.
//! This is true from the first line of `main`, because the format is read from the raw arguments before they
//! are parsed.

use std::ffi::OsString;
use std::fmt::Display;
use std::io;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing_subscriber::EnvFilter;

/// The variable that sets `--log`.
pub(crate) const FILTER_VARIABLE: &str = "EASEL_LOG";
/// The variable that sets `--log-format`.
pub(crate) const FORMAT_VARIABLE: &str = "EASEL_LOG_FORMAT";

/// Whether stderr must contain only JSON.
static STDERR_IS_JSON: AtomicBool = AtomicBool::new(false);

/// The format of the operational log: text for people, or one JSON object on each line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl LogFormat {
    /// Returns the format with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Switches stderr to JSON if the command is `serve` and the arguments or the variable select the format JSON.
pub(crate) fn choose_format(args: impl Iterator<Item = OsString>, variable: Option<OsString>) {
    if asks_for_json(args, variable) {
        STDERR_IS_JSON.store(true, Ordering::Relaxed);
        std::panic::set_hook(Box::new(report_panic));
    }
}

fn asks_for_json(args: impl Iterator<Item = OsString>, variable: Option<OsString>) -> bool {
    let mut args = args.map(|arg| arg.to_string_lossy().into_owned());
    let (mut serves, mut format) = (
        false,
        variable.map(|value| value.to_string_lossy().into_owned()),
    );
    while let Some(arg) = args.next() {
        match arg.strip_prefix("--log-format") {
            Some("") => format = args.next(),
            Some(value) => {
                format = value.strip_prefix('=').map(str::to_owned).or(format);
            }
            None => serves |= arg == "serve",
        }
    }
    serves && format.as_deref() == Some("json")
}

/// Returns whether stderr must contain only JSON.
pub(crate) fn stderr_is_json() -> bool {
    STDERR_IS_JSON.load(Ordering::Relaxed)
}

/// Parses a filter. Returns `None` if the text is invalid.
pub(crate) fn parse_filter(text: &str) -> Option<EnvFilter> {
    // An empty filter would only let errors through.
    if text.trim().is_empty() {
        return None;
    }
    EnvFilter::try_new(text).ok()
}

/// Starts to log to stderr.
pub(crate) fn start(filter: EnvFilter, format: LogFormat) -> Result<(), anyhow::Error> {
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // If stderr is closed, the subscriber would try to report this on stderr, and panic.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    let started = match format {
        LogFormat::Text => log.with_ansi(false).try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    started.map_err(anyhow::Error::from_boxed)
}

/// Writes an error as a log line. The filter does not apply.
pub(crate) fn log_error(error: impl Display) {
    log_unfiltered(|| tracing::error!(%error, "command failed"));
}

/// Writes a message as a log line. The filter does not apply.
pub(crate) fn log_notice(text: impl Display) {
    let text = text.to_string();
    let text = text.trim();
    if !text.is_empty() {
        log_unfiltered(|| tracing::info!(text, "notice"));
    }
}

fn report_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let message = panic.payload_as_str().unwrap_or("no message");
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    log_unfiltered(|| tracing::error!(error = message, place, thread, "panicked"));
}

fn log_unfiltered(write: impl FnOnce()) {
    let log = tracing_subscriber::fmt().json().with_writer(io::stderr);
    tracing::subscriber::with_default(log.finish(), write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(args: &str, variable: Option<&str>, wanted: bool) {
        let args = args.split_whitespace().map(OsString::from);
        let asks = asks_for_json(args, variable.map(OsString::from));
        assert_eq!(asks, wanted, "{variable:?}");
    }

    #[test]
    fn the_log_format_is_known_before_the_arguments_are_parsed() {
        check("easel serve --log-format json", None, true);
        check("easel --data x serve --log-format=json --bogus", None, true);
        check("easel serve", Some("json"), true);
        check("easel serve --log-format text", Some("json"), false);
        check("easel serve --log-format", Some("json"), false);
        check("easel serve", None, false);
        check("easel tail", Some("json"), false);
    }
}
