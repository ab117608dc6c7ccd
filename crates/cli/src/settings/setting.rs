//! All settings: the key, the expected value, and the field of [`Config`].
//!
//! The file, the environment and `easel config check` know exactly the settings of [`ALL`] and the
//! three lists. The defaults are those of `Config::default()`.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use easel_keys::Secret;
use easel_server::{Auth, Config, Nulls, Secrets, SubmissionRule, check_token};

use super::measure::{duration, show_duration, show_size, size};

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
/// The key of the folder with the operator's own event types.
pub(crate) const CATALOG_FOLDER: &str = "catalog.folder";
/// The list of key pairs of the Kinesis door.
pub(super) const KINESIS_KEYS: &str = "kinesis.keys";
/// The list of Canvas roles and their Caliper roles.
pub(super) const CALIPER_ROLES: &str = "caliper.roles";
/// The list of subscriptions declared in the file.
pub(super) const SUBSCRIPTIONS: &str = "subscriptions";

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
        format!("EASEL_{}", self.key.to_uppercase().replace('.', "__"))
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key)
    }
}

const DURATION: &str = "a length of time such as \"30s\" or \"2h\"";
const SIZE_OR_OFF: &str = "a size of at least 1MiB such as \"20GiB\", or \"off\"";
const OFF: &str = "off";
const MAX_DUPLICATE_WINDOW: usize = 100_000_000;
const MIN_AGE: Duration = Duration::from_mins(1);
/// The maximum of periods such as retention: ten years.
const MAX_PERIOD: Duration = Duration::from_hours(3_650 * 24);
const MIN_HOLD: Duration = Duration::from_secs(1);
const MIN_DISK_BYTES: u64 = 1 << 20;
const MIN_MEMORY_BYTES: u64 = 1 << 10;
const MAX_EVENT_BYTES: u64 = 256 << 20;
const MAX_REQUEST_BYTES: u64 = 1 << 30;
/// The largest shard whose ids fit into 64 bits.
const MAX_SHARD: u64 = u64::MAX / 10_000_000_000_000 - 1;

/// All settings with a single value, in the order of the documentation.
pub(crate) const ALL: &[Setting] = &[
    Setting {
        key: LISTEN,
        requirement: "an address and port such as \"127.0.0.1:4567\"",
        set: |config, text| put(&mut config.listen, text.parse().ok()),
        is_secret: false,
        show: |config| config.listen.to_string(),
    },
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
        show: |config| {
            let state = config
                .first_token
                .as_ref()
                .map_or(OFF, |_secret| "set (hidden)");
            state.to_owned()
        },
    },
    Setting {
        key: "drain",
        requirement: DURATION,
        set: |config, text| put(&mut config.drain, duration(text)),
        is_secret: false,
        show: |config| show_duration(config.drain),
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
        key: "caliper.secrets",
        requirement: "\"masked\" or \"sent\"",
        set: |config, text| put(&mut config.caliper.secrets, one_of(text, &SECRETS)),
        is_secret: false,
        show: |config| name_of(config.caliper.secrets, &SECRETS),
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
    Setting {
        key: CA_FILE,
        requirement: "the path of a PEM file, or \"off\"",
        set: |config, text| put_unless_off(&mut config.webhook.ca_file, text, not_blank),
        is_secret: false,
        show: |config| show_path(config.webhook.ca_file.as_deref()),
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

fn show_memory(bytes: usize) -> String {
    u64::try_from(bytes).map_or(bytes.to_string(), show_size)
}

fn show_path(path: Option<&Path>) -> String {
    path.map_or(OFF.to_owned(), |path| path.display().to_string())
}

/// The accepted words of a setting and their values.
type WordList<T> = [(&'static str, T); 2];

const AUTH_MODES: WordList<Auth> = [("tokens", Auth::Tokens), ("none", Auth::None)];
const SECRETS: WordList<Secrets> = [("masked", Secrets::Masked), ("sent", Secrets::Sent)];
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
