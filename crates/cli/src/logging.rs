//! The operational log: tracing events to stderr.
//!
//! In its JSON form nothing but JSON reaches stderr: what a command says, why it failed, what is
//! wrong with its arguments, and a panic become records as well. That holds from the first line of
//! `main` on, since the form is looked up in the arguments before they are parsed.

use std::ffi::OsString;
use std::fmt::Display;
use std::io;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing_subscriber::EnvFilter;

/// The variable that stands in for `--log`.
pub(crate) const FILTER_VARIABLE: &str = "EASEL_LOG";
/// The variable that stands in for `--log-format`.
pub(crate) const FORMAT_VARIABLE: &str = "EASEL_LOG_FORMAT";

/// Whether stderr is for JSON alone.
static SPEAKS_JSON: AtomicBool = AtomicBool::new(false);

/// The form of the operational log: for people, or one JSON object a line for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl LogFormat {
    /// The form of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Has stderr speak JSON alone if these arguments, or the variable, ask for a server that does.
pub(crate) fn choose_form(args: impl Iterator<Item = OsString>, variable: Option<OsString>) {
    if asks_for_json(args, variable) {
        SPEAKS_JSON.store(true, Ordering::Relaxed);
        std::panic::set_hook(Box::new(report_panic));
    }
}

fn asks_for_json(args: impl Iterator<Item = OsString>, variable: Option<OsString>) -> bool {
    let mut args = args.map(|arg| arg.to_string_lossy().into_owned());
    let (mut serves, mut format) = (false, variable.map(|it| it.to_string_lossy().into_owned()));
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

/// Whether stderr is for JSON alone.
pub(crate) fn speaks_json() -> bool {
    SPEAKS_JSON.load(Ordering::Relaxed)
}

/// What passes a filter with this text; `None` when it is no filter.
pub(crate) fn filter(text: &str) -> Option<EnvFilter> {
    // An empty filter would pass errors alone.
    if text.trim().is_empty() {
        return None;
    }
    EnvFilter::try_new(text).ok()
}

/// Sends what passes `filter` to stderr from here on.
pub(crate) fn start(filter: EnvFilter, format: LogFormat) {
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // Without a reader of stderr there is nobody to complain to, and complaining would panic.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    let started = match format {
        LogFormat::Text => log.with_ansi(false).try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    if let Err(error) = started {
        crate::output::talk(format_args!("the log was not started: {error}"));
    }
}

/// Writes an error as a record, whatever the filter says.
pub(crate) fn record_error(error: impl Display) {
    unfiltered(|| tracing::error!(%error, "command failed"));
}

/// Writes what is said to people as a record, whatever the filter says.
pub(crate) fn record_talk(text: impl Display) {
    let text = text.to_string();
    let text = text.trim();
    if !text.is_empty() {
        unfiltered(|| tracing::info!(text, "notice"));
    }
}

fn report_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let message = panic.payload_as_str().unwrap_or("no message");
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    unfiltered(|| tracing::error!(error = message, place, thread, "panicked"));
}

fn unfiltered(record: impl FnOnce()) {
    let log = tracing_subscriber::fmt().json().with_writer(io::stderr);
    tracing::subscriber::with_default(log.finish(), record);
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
    fn the_form_is_known_before_the_arguments_are_parsed() {
        check("easel serve --log-format json", None, true);
        check("easel --data x serve --log-format=json --bogus", None, true);
        check("easel serve", Some("json"), true);
        check("easel serve --log-format text", Some("json"), false);
        check("easel serve --log-format", Some("json"), false);
        check("easel serve", None, false);
        check("easel tail", Some("json"), false);
    }
}
