//! All settings: the key, the expected value, and the field of [`Config`].
//!
//! The file, the environment and `easel config check` know exactly the settings of [`ALL`] and the
//! three lists. The defaults are those of `Config::default()`.

mod canvas_service;
mod oidc;
mod reach;
mod tls;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use easel_catalog::UrlMasker;
use easel_keys::{MasterKey, Secret, SecretUrl};
use easel_server::{Auth, Config, Nulls, SubmissionRule, check_token};

use super::measure::{duration, show_duration, show_size, size};
use super::text_list;

/// The key of the data folder.
pub(crate) const DATA: &str = "data";
/// The key of the listen address.
pub(crate) const LISTEN: &str = "listen";
/// The key of the access control.
pub(crate) const AUTH: &str = "auth";
/// The key of the first token.
pub(crate) const FIRST_TOKEN: &str = "auth.first_token";
/// The key of the file of certificate authorities.
pub(crate) const CA_FILE: &str = "webhook.ca_file";
/// The key of the networks that webhooks may connect to.
pub(crate) const ALLOW: &str = "webhook.allow";
/// The key of the proxy of webhooks.
pub(crate) const PROXY: &str = "webhook.proxy";
/// The key of the names of secret parameters.
pub(crate) const MASKING_NAMES: &str = "masking.names";
/// The key of the path of the calls of Canvas's own client.
pub(crate) const CANVAS_PATH: &str = "canvas_service.path";
/// The key of the listener of these calls.
pub(crate) const CANVAS_LISTEN: &str = "canvas_service.listen";
/// The key of the file of the master key.
pub(crate) const MASTER_KEY_FILE: &str = "keys.master_key_file";
/// The key of the master key.
pub(crate) const MASTER_KEY: &str = "keys.master_key";
/// The key of the master key before the current one.
pub(crate) const PREVIOUS_MASTER_KEY: &str = "keys.previous_master_key";
/// The key of the folder with the operator's own event types.
pub(crate) const CATALOG_FOLDER: &str = "catalog.folder";
/// The list of key pairs of the Kinesis door.
pub(super) const KINESIS_KEYS: &str = "kinesis.keys";
/// The list of Canvas roles and their Caliper roles.
pub(super) const CALIPER_ROLES: &str = "caliper.roles";
/// The list of sources defined in the file.
pub(super) const SOURCES: &str = "sources";
/// The list of subscriptions declared in the file.
pub(super) const SUBSCRIPTIONS: &str = "subscriptions";

/// The settings that are a list of strings in the file.
pub(super) const TEXT_LISTS: [&str; 6] = [
    ALLOW,
    MASKING_NAMES,
    oidc::INGEST_VALUES,
    oidc::READ_VALUES,
    oidc::MANAGE_VALUES,
    oidc::EVERYTHING_VALUES,
];

/// The settings of earlier versions, each with the change that replaces it.
pub(super) const REMOVED: [(&str, &str); 1] = [(
    "caliper.secrets",
    "secret values in URLs are masked in all formats; to send them, set `masking = \"off\"` in a \
     subscription",
)];

/// One setting that is a single value.
pub(crate) struct Setting {
    /// The key in the file, with dots between tables.
    pub(super) key: &'static str,
    /// The expected value; reads after "must be".
    pub(super) requirement: &'static str,
    /// Sets the value from a text. Returns `None` if the text is invalid.
    pub(super) set: fn(&mut Config, &str) -> Option<()>,
    /// Returns the value in use as a text that `set` accepts. For a secret, returns only whether it is set.
    pub(super) show: fn(&Config) -> String,
    /// Whether the value must not be printed.
    pub(super) is_secret: bool,
}

impl Setting {
    /// Returns the environment variable of the setting: `log.max_age` is `EASEL_LOG__MAX_AGE`.
    pub(super) fn variable(&self) -> String {
        variable_of(self.key)
    }
}

/// Returns the environment variable of the setting with this key.
pub(super) fn variable_of(key: &str) -> String {
    format!("EASEL_{}", key.to_uppercase().replace('.', "__"))
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key)
    }
}

const MASTER_KEY_TEXT: &str =
    "32 bytes in base64, for example from `openssl rand -base64 32`, or \"off\"";
const DURATION: &str = "a length of time such as \"30s\" or \"2h\"";
const SIZE_OR_OFF: &str = "a size of at least 1MiB such as \"20GiB\", or \"off\"";
const OFF: &str = "off";
const MAX_ISSUER_CHARS: usize = 200;
const MAX_DUPLICATE_WINDOW: usize = 100_000_000;
const MIN_AGE: Duration = Duration::from_mins(1);
/// The maximum of periods such as retention: ten years.
const MAX_PERIOD: Duration = Duration::from_hours(3_650 * 24);
const MIN_ROTATION: Duration = Duration::from_hours(1);
const MIN_HOLD: Duration = Duration::from_secs(1);
const MIN_DISK_BYTES: u64 = 1 << 20;
const MIN_MEMORY_BYTES: u64 = 1 << 10;
const MAX_EVENT_BYTES: u64 = 256 << 20;
const MAX_REQUEST_BYTES: u64 = 1 << 30;
/// The largest shard whose ids fit into 64 bits.
const MAX_SHARD: u64 = u64::MAX / 10_000_000_000_000 - 1;

pub(crate) use tls::RELOADABLE as TLS_SETTINGS;

/// All settings with a single value, in the order of the documentation.
pub(crate) const ALL: &[Setting] = &[
    Setting {
        key: LISTEN,
        requirement: "an address and port such as \"127.0.0.1:4567\"",
        set: |config, text| put(&mut config.listen, text.parse().ok()),
        is_secret: false,
        show: |config| config.listen.to_string(),
    },
    tls::CERT,
    tls::KEY,
    tls::CLIENT_CA,
    tls::CLIENT_CERTIFICATES,
    tls::HSTS,
    tls::METRICS_LISTEN,
    Setting {
        key: DATA,
        requirement: "the path of a folder",
        set: |config, text| put(&mut config.data, not_blank(text)),
        is_secret: false,
        show: |config| config.data.display().to_string(),
    },
    Setting {
        key: AUTH,
        requirement: "\"tokens\" or \"none\"",
        set: |config, text| put(&mut config.auth, one_of(text, &AUTH_MODES)),
        is_secret: false,
        show: |config| name_of(config.auth, &AUTH_MODES),
    },
    Setting {
        key: FIRST_TOKEN,
        requirement: "32 to 256 letters, digits and - . _ ~ + /, at least 8 of them different, or \"off\"",
        set: |config, text| put_unless_off(&mut config.first_token, text, token),
        is_secret: true,
        show: |config| show_secret(config.first_token.as_ref()),
    },
    oidc::ISSUER,
    oidc::AUDIENCE,
    oidc::JWKS_URL,
    oidc::SCOPES_CLAIM,
    oidc::INGEST,
    oidc::READ,
    oidc::MANAGE,
    oidc::REACH_CLAIM,
    oidc::EVERYTHING,
    oidc::LEEWAY,
    Setting {
        key: "drain",
        requirement: DURATION,
        set: |config, text| put(&mut config.drain, duration(text)),
        is_secret: false,
        show: |config| show_duration(config.drain),
    },
    Setting {
        key: MASTER_KEY_FILE,
        requirement: "the path of a file, or \"off\" for the file beside the data folder",
        set: |config, text| put_unless_off(&mut config.keys.master_key_file, text, not_blank),
        is_secret: false,
        show: |config| show_path(config.keys.master_key_file.as_deref()),
    },
    Setting {
        key: MASTER_KEY,
        requirement: MASTER_KEY_TEXT,
        set: |config, text| put_unless_off(&mut config.keys.master_key, text, master_key),
        is_secret: true,
        show: |config| show_secret(config.keys.master_key.as_ref()),
    },
    Setting {
        key: PREVIOUS_MASTER_KEY,
        requirement: MASTER_KEY_TEXT,
        set: |config, text| put_unless_off(&mut config.keys.previous_master_key, text, master_key),
        is_secret: true,
        show: |config| show_secret(config.keys.previous_master_key.as_ref()),
    },
    Setting {
        key: "keys.rotate_every",
        requirement: "a length of time from 1h to 3650d such as \"30d\"",
        set: |config, text| put(&mut config.keys.rotate_every, rotation(text)),
        is_secret: false,
        show: |config| show_duration(config.keys.rotate_every),
    },
    Setting {
        key: "keys.issuer",
        requirement: "1 to 200 printable characters",
        set: |config, text| put(&mut config.keys.issuer, issuer(text)),
        is_secret: false,
        show: |config| config.keys.issuer.clone(),
    },
    Setting {
        key: CATALOG_FOLDER,
        requirement: "the path of a folder, or \"off\"",
        set: |config, text| put_unless_off(&mut config.catalog.folder, text, not_blank),
        is_secret: false,
        show: |config| show_path(config.catalog.folder.as_deref()),
    },
    Setting {
        key: "caliper.application",
        requirement: "an address such as \"http://lms.example.edu/\"",
        set: |config, text| put(&mut config.caliper.application, text.parse().ok()),
        is_secret: false,
        show: |config| config.caliper.application.to_string(),
    },
    Setting {
        key: "triggers.shard",
        requirement: "the number of a shard, 0 for none",
        set: |config, text| {
            put(
                &mut config.triggers.shard,
                text.parse().ok().filter(|shard| *shard <= MAX_SHARD),
            )
        },
        is_secret: false,
        show: |config| config.triggers.shard.to_string(),
    },
    Setting {
        key: "triggers.nulls",
        requirement: "\"dropped\" or \"kept\"",
        set: |config, text| put(&mut config.triggers.nulls, one_of(text, &NULLS)),
        is_secret: false,
        show: |config| name_of(config.triggers.nulls, &NULLS),
    },
    Setting {
        key: "triggers.submission_rule",
        requirement: "\"newest\" or \"published\"",
        set: |config, text| {
            put(
                &mut config.triggers.submission_rule,
                one_of(text, &SUBMISSION_RULES),
            )
        },
        is_secret: false,
        show: |config| name_of(config.triggers.submission_rule, &SUBMISSION_RULES),
    },
    Setting {
        key: "log.max_age",
        requirement: "a length of time of at least 1m such as \"30d\", or \"off\"",
        set: |config, text| put_unless_off(&mut config.log.max_age, text, age),
        is_secret: false,
        show: |config| config.log.max_age.map_or(OFF.to_owned(), show_duration),
    },
    Setting {
        key: "log.max_bytes",
        requirement: SIZE_OR_OFF,
        set: |config, text| put_unless_off(&mut config.log.max_bytes, text, disk_size),
        is_secret: false,
        show: |config| config.log.max_bytes.map_or(OFF.to_owned(), show_size),
    },
    Setting {
        key: "log.duplicate_window",
        requirement: "a number of events up to 100000000, 0 for no window",
        set: |config, text| {
            put(
                &mut config.log.duplicate_window,
                text.parse()
                    .ok()
                    .filter(|window| *window <= MAX_DUPLICATE_WINDOW),
            )
        },
        is_secret: false,
        show: |config| config.log.duplicate_window.to_string(),
    },
    Setting {
        key: "quarantine.max_bytes",
        requirement: SIZE_OR_OFF,
        set: |config, text| put_unless_off(&mut config.quarantine.max_bytes, text, disk_size),
        is_secret: false,
        show: |config| {
            config
                .quarantine
                .max_bytes
                .map_or(OFF.to_owned(), show_size)
        },
    },
    Setting {
        key: "audit.max_age",
        requirement: "a length of time of at least 1m such as \"400d\", or \"off\"",
        set: |config, text| put_unless_off(&mut config.audit.max_age, text, age),
        is_secret: false,
        show: |config| config.audit.max_age.map_or(OFF.to_owned(), show_duration),
    },
    Setting {
        key: "ingest.max_event_bytes",
        requirement: "a size from 1KiB to 256MiB such as \"1MiB\"",
        set: |config, text| {
            put(
                &mut config.ingest.max_event_bytes,
                memory_size(text, MAX_EVENT_BYTES),
            )
        },
        is_secret: false,
        show: |config| show_memory(config.ingest.max_event_bytes),
    },
    Setting {
        key: "ingest.max_request_bytes",
        requirement: "a size from 1KiB to 1GiB such as 16777216 or \"16MiB\"",
        set: |config, text| {
            put(
                &mut config.ingest.max_request_bytes,
                memory_size(text, MAX_REQUEST_BYTES),
            )
        },
        is_secret: false,
        show: |config| show_memory(config.ingest.max_request_bytes),
    },
    Setting {
        key: "ingest.max_in_flight_bytes",
        requirement: "a size of at least 1KiB such as \"128MiB\"",
        set: |config, text| {
            put(
                &mut config.ingest.max_in_flight_bytes,
                memory_size(text, u64::MAX),
            )
        },
        is_secret: false,
        show: |config| show_memory(config.ingest.max_in_flight_bytes),
    },
    Setting {
        key: "ingest.hold",
        requirement: "a length of time of at least 1s such as \"20s\"",
        set: |config, text| put(&mut config.ingest.hold, hold(text)),
        is_secret: false,
        show: |config| show_duration(config.ingest.hold),
    },
    Setting {
        key: "delivery.deactivate_after",
        requirement: "a length of time from 1m to 3650d such as \"3d\"",
        set: |config, text| put(&mut config.delivery.deactivate_after, period(text)),
        is_secret: false,
        show: |config| show_duration(config.delivery.deactivate_after),
    },
    Setting {
        key: "delivery.dead_letter_retention",
        requirement: "a length of time from 1m to 3650d such as \"30d\"",
        set: |config, text| put(&mut config.delivery.dead_letter_retention, period(text)),
        is_secret: false,
        show: |config| show_duration(config.delivery.dead_letter_retention),
    },
    Setting {
        key: "kinesis.stream",
        requirement: "the name of a stream: 1 to 128 letters, digits and _ . -",
        set: |config, text| put(&mut config.kinesis.stream, stream(text)),
        is_secret: false,
        show: |config| config.kinesis.stream.clone(),
    },
    canvas_service::ENCRYPTION_SECRET,
    canvas_service::SIGNING_SECRET,
    canvas_service::DEPRECATED_SECRET,
    canvas_service::JWKS_FILE,
    canvas_service::PATH,
    canvas_service::LISTEN,
    Setting {
        key: CA_FILE,
        requirement: "the path of a PEM file, or \"off\"",
        set: |config, text| put_unless_off(&mut config.webhook.ca_file, text, not_blank),
        is_secret: false,
        show: |config| show_path(config.webhook.ca_file.as_deref()),
    },
    Setting {
        key: ALLOW,
        requirement: "networks such as \"10.0.0.0/8\" and \"fd00::/8\", or addresses, or \"off\"",
        set: |config, text| {
            put(
                &mut config.webhook.allow,
                text_list::parse(text, text_list::network),
            )
        },
        is_secret: false,
        show: |config| text_list::show(&config.webhook.allow),
    },
    Setting {
        key: PROXY,
        requirement: "an address such as \"http://proxy.example.edu:3128\", or \"off\"",
        set: |config, text| put_unless_off(&mut config.webhook.proxy, text, proxy),
        is_secret: true,
        show: |config| {
            let proxy = config.webhook.proxy.as_ref();
            proxy.map_or(OFF.to_owned(), SecretUrl::without_secrets)
        },
    },
    reach::JOB_EVENTS,
    reach::EVENTS_WITHOUT_ROOT_ACCOUNT,
    Setting {
        key: MASKING_NAMES,
        requirement: "names of URL parameters such as \"api_key\", or \"off\"",
        set: |config, text| {
            put(
                &mut config.masking.names,
                text_list::parse(text, masking_name),
            )
        },
        is_secret: false,
        show: |config| text_list::show(&config.masking.names),
    },
];

fn put<T>(target: &mut T, value: Option<T>) -> Option<()> {
    *target = value?;
    Some(())
}

fn put_unless_off<T>(
    target: &mut Option<T>,
    text: &str,
    parse: fn(&str) -> Option<T>,
) -> Option<()> {
    *target = match text {
        OFF => None,
        _ => Some(parse(text)?),
    };
    Some(())
}

/// Accepts a text that is not empty and not only white space.
fn not_blank<T: for<'a> From<&'a str>>(text: &str) -> Option<T> {
    (!text.trim().is_empty()).then(|| T::from(text))
}

/// Parses the age limit of the log. It must leave events enough time to be delivered.
fn age(text: &str) -> Option<Duration> {
    duration(text).filter(|age| *age >= MIN_AGE)
}

/// Parses a period such as a retention.
fn period(text: &str) -> Option<Duration> {
    duration(text).filter(|period| (MIN_AGE..=MAX_PERIOD).contains(period))
}

/// Parses the time between two rotations. Receivers may use published keys for five minutes without a new
/// request, so a key must stay published for much longer.
fn rotation(text: &str) -> Option<Duration> {
    duration(text).filter(|period| (MIN_ROTATION..=MAX_PERIOD).contains(period))
}

/// Parses how long a request may wait. Without a wait, an event is lost if it arrives while there is no room.
fn hold(text: &str) -> Option<Duration> {
    duration(text).filter(|hold| *hold >= MIN_HOLD)
}

/// Parses a size on disk that is large enough for a log.
fn disk_size(text: &str) -> Option<u64> {
    size(text).filter(|bytes| *bytes >= MIN_DISK_BYTES)
}

/// Parses a size in memory.
fn memory_size(text: &str, max: u64) -> Option<usize> {
    let bytes = size(text).filter(|bytes| (MIN_MEMORY_BYTES..=max).contains(bytes));
    usize::try_from(bytes?).ok()
}

fn stream(text: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let is_name = (1..=128).contains(&text.len()) && text.bytes().all(is_plain);
    is_name.then(|| text.to_owned())
}

fn token(text: &str) -> Option<Secret<String>> {
    let token = Secret::new(text.to_owned());
    check_token(&token).is_ok().then_some(token)
}

fn master_key(text: &str) -> Option<Secret<String>> {
    let key = Secret::new(text.to_owned());
    MasterKey::parse(&key).is_ok().then_some(key)
}

fn issuer(text: &str) -> Option<String> {
    let is_short = (1..=MAX_ISSUER_CHARS).contains(&text.chars().count());
    let is_printable = !text.trim().is_empty() && !text.contains(char::is_control);
    (is_short && is_printable).then(|| text.to_owned())
}

/// Accepts a URL of a proxy. The client of webhooks parses it completely.
fn proxy(text: &str) -> Option<SecretUrl> {
    text.starts_with("http://").then(|| SecretUrl::new(text))
}

fn masking_name(text: &str) -> Option<String> {
    let masker = UrlMasker::with_names([text.to_owned()]);
    masker.is_ok().then(|| text.to_owned())
}

fn show_secret<T>(secret: Option<&T>) -> String {
    secret.map_or(OFF, |_secret| "set (hidden)").to_owned()
}

fn show_memory(bytes: usize) -> String {
    u64::try_from(bytes).map_or(bytes.to_string(), show_size)
}

fn show_path(path: Option<&Path>) -> String {
    path.map_or(OFF.to_owned(), |path| path.display().to_string())
}

/// The accepted words of a setting and their values.
type WordList<T> = [(&'static str, T); 2];

const AUTH_MODES: WordList<Auth> = [("tokens", Auth::Tokens), ("none", Auth::None)];
const NULLS: WordList<Nulls> = [("dropped", Nulls::Dropped), ("kept", Nulls::Kept)];
const SUBMISSION_RULES: WordList<SubmissionRule> = [
    ("newest", SubmissionRule::Newest),
    ("published", SubmissionRule::Published),
];

fn one_of<T: Copy>(text: &str, words: &WordList<T>) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value)
}

fn name_of<T: Copy + PartialEq>(value: T, words: &WordList<T>) -> String {
    let found = words.iter().find(|(_, known)| *known == value);
    found.map_or_else(String::new, |(word, _)| (*word).to_owned())
}
