//! Every setting there is: its name, what it takes, and the place in [`Config`] it fills.
//!
//! A setting that is not in [`ALL`] does not exist, for the file, the environment and
//! `easel config check` alike. Defaults are those of `Config::default()`.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use easel_keys::Secret;
use easel_server::{Auth, Config, Nulls, Secrets, SubmissionRule, check_token};

use super::measure::{length, show_length, show_size, size};

/// The key of the data folder.
pub(crate) const DATA: &str = "data";
/// The key of the listen address.
pub(crate) const LISTEN: &str = "listen";
/// The key of who may come in.
pub(crate) const AUTH: &str = "auth";
/// The key of the first token.
pub(crate) const FIRST_TOKEN: &str = "auth.first_token";
/// The key of the file of certificate authorities.
pub(crate) const CA_FILE: &str = "webhook.ca_file";
/// The key of the folder of data files.
pub(crate) const CATALOG_FOLDER: &str = "catalog.folder";
/// The list of key pairs of the Kinesis door.
pub(super) const KINESIS_KEYS: &str = "kinesis.keys";
/// The list of roles and what they are in Caliper.
pub(super) const CALIPER_ROLES: &str = "caliper.roles";
/// The list of subscriptions declared in the file.
pub(super) const SUBSCRIPTIONS: &str = "subscriptions";

/// One setting that is a single value.
pub(crate) struct Setting {
    /// Its name in the file, with dots between tables.
    pub(super) key: &'static str,
    /// What it takes; reads after "must be".
    pub(super) expects: &'static str,
    /// Puts a text in force, or returns `None` when it makes no sense.
    pub(super) set: fn(&mut Config, &str) -> Option<()>,
    /// What is in force, in a form that `set` takes; of a secret, only whether there is one.
    pub(super) show: fn(&Config) -> String,
    /// Whether its value must not be printed.
    pub(super) is_secret: bool,
}

impl Setting {
    /// The environment variable that stands for it: `log.max_age` is `EASEL_LOG__MAX_AGE`.
    pub(super) fn variable(&self) -> String {
        format!("EASEL_{}", self.key.to_uppercase().replace('.', "__"))
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key)
    }
}

const LENGTH: &str = "a length of time such as \"30s\" or \"2h\"";
const SIZE_OR_OFF: &str = "a size of at least 1MiB such as \"20GiB\", or \"off\"";
const OFF: &str = "off";
const MAX_DUPLICATE_WINDOW: usize = 100_000_000;
const MIN_AGE: Duration = Duration::from_mins(1);
/// The longest time that is waited before something is given up: ten years.
const MAX_PERIOD: Duration = Duration::from_hours(3_650 * 24);
const MIN_HOLD: Duration = Duration::from_secs(1);
const MIN_SPACE: u64 = 1 << 20;
const MIN_MEMORY: u64 = 1 << 10;
const MAX_EVENT_BYTES: u64 = 256 << 20;
const MAX_REQUEST_BYTES: u64 = 1 << 30;
/// The last shard whose ids all fit into 64 bits.
const MAX_SHARD: u64 = u64::MAX / 10_000_000_000_000 - 1;

/// Every setting that is a single value, in the order in which they are explained.
pub(crate) const ALL: &[Setting] = &[
    Setting {
        key: LISTEN,
        expects: "an address and port such as \"127.0.0.1:4567\"",
        set: |it, text| put(&mut it.listen, text.parse().ok()),
        is_secret: false,
        show: |it| it.listen.to_string(),
    },
    Setting {
        key: DATA,
        expects: "the path of a folder",
        set: |it, text| put(&mut it.data, filled(text)),
        is_secret: false,
        show: |it| it.data.display().to_string(),
    },
    Setting {
        key: AUTH,
        expects: "\"tokens\" or \"none\"",
        set: |it, text| put(&mut it.auth, one_of(text, &AUTH_WAYS)),
        is_secret: false,
        show: |it| name_of(it.auth, &AUTH_WAYS),
    },
    Setting {
        key: FIRST_TOKEN,
        expects: "32 to 256 letters, digits and - . _ ~ + /, at least 8 of them different, or \"off\"",
        set: |it, text| put_unless_off(&mut it.first_token, text, token),
        is_secret: true,
        show: |it| {
            let state = it
                .first_token
                .as_ref()
                .map_or(OFF, |_secret| "set (hidden)");
            state.to_owned()
        },
    },
    Setting {
        key: "drain",
        expects: LENGTH,
        set: |it, text| put(&mut it.drain, length(text)),
        is_secret: false,
        show: |it| show_length(it.drain),
    },
    Setting {
        key: CATALOG_FOLDER,
        expects: "the path of a folder, or \"off\"",
        set: |it, text| put_unless_off(&mut it.catalog.folder, text, filled),
        is_secret: false,
        show: |it| show_path(it.catalog.folder.as_deref()),
    },
    Setting {
        key: "caliper.application",
        expects: "an address such as \"http://lms.example.edu/\"",
        set: |it, text| put(&mut it.caliper.application, text.parse().ok()),
        is_secret: false,
        show: |it| it.caliper.application.to_string(),
    },
    Setting {
        key: "caliper.secrets",
        expects: "\"masked\" or \"sent\"",
        set: |it, text| put(&mut it.caliper.secrets, one_of(text, &SECRETS)),
        is_secret: false,
        show: |it| name_of(it.caliper.secrets, &SECRETS),
    },
    Setting {
        key: "triggers.shard",
        expects: "the number of a shard, 0 for none",
        set: |it, text| {
            put(
                &mut it.triggers.shard,
                text.parse().ok().filter(|it| *it <= MAX_SHARD),
            )
        },
        is_secret: false,
        show: |it| it.triggers.shard.to_string(),
    },
    Setting {
        key: "triggers.nulls",
        expects: "\"dropped\" or \"kept\"",
        set: |it, text| put(&mut it.triggers.nulls, one_of(text, &NULLS)),
        is_secret: false,
        show: |it| name_of(it.triggers.nulls, &NULLS),
    },
    Setting {
        key: "triggers.submission_rule",
        expects: "\"newest\" or \"published\"",
        set: |it, text| {
            put(
                &mut it.triggers.submission_rule,
                one_of(text, &SUBMISSION_RULES),
            )
        },
        is_secret: false,
        show: |it| name_of(it.triggers.submission_rule, &SUBMISSION_RULES),
    },
    Setting {
        key: "log.max_age",
        expects: "a length of time of at least 1m such as \"30d\", or \"off\"",
        set: |it, text| put_unless_off(&mut it.log.max_age, text, age),
        is_secret: false,
        show: |it| it.log.max_age.map_or(OFF.to_owned(), show_length),
    },
    Setting {
        key: "log.max_bytes",
        expects: SIZE_OR_OFF,
        set: |it, text| put_unless_off(&mut it.log.max_bytes, text, space),
        is_secret: false,
        show: |it| it.log.max_bytes.map_or(OFF.to_owned(), show_size),
    },
    Setting {
        key: "log.duplicate_window",
        expects: "a number of events up to 100000000, 0 for no window",
        set: |it, text| {
            put(
                &mut it.log.duplicate_window,
                text.parse().ok().filter(|it| *it <= MAX_DUPLICATE_WINDOW),
            )
        },
        is_secret: false,
        show: |it| it.log.duplicate_window.to_string(),
    },
    Setting {
        key: "quarantine.max_bytes",
        expects: SIZE_OR_OFF,
        set: |it, text| put_unless_off(&mut it.quarantine.max_bytes, text, space),
        is_secret: false,
        show: |it| it.quarantine.max_bytes.map_or(OFF.to_owned(), show_size),
    },
    Setting {
        key: "ingest.max_event_bytes",
        expects: "a size from 1KiB to 256MiB such as \"1MiB\"",
        set: |it, text| {
            put(
                &mut it.ingest.max_event_bytes,
                memory(text, MAX_EVENT_BYTES),
            )
        },
        is_secret: false,
        show: |it| show_memory(it.ingest.max_event_bytes),
    },
    Setting {
        key: "ingest.max_request_bytes",
        expects: "a size from 1KiB to 1GiB such as 16777216 or \"16MiB\"",
        set: |it, text| {
            put(
                &mut it.ingest.max_request_bytes,
                memory(text, MAX_REQUEST_BYTES),
            )
        },
        is_secret: false,
        show: |it| show_memory(it.ingest.max_request_bytes),
    },
    Setting {
        key: "ingest.max_in_flight_bytes",
        expects: "a size of at least 1KiB such as \"128MiB\"",
        set: |it, text| put(&mut it.ingest.max_in_flight_bytes, memory(text, u64::MAX)),
        is_secret: false,
        show: |it| show_memory(it.ingest.max_in_flight_bytes),
    },
    Setting {
        key: "ingest.hold",
        expects: "a length of time of at least 1s such as \"20s\"",
        set: |it, text| put(&mut it.ingest.hold, hold(text)),
        is_secret: false,
        show: |it| show_length(it.ingest.hold),
    },
    Setting {
        key: "delivery.deactivate_after",
        expects: "a length of time from 1m to 3650d such as \"3d\"",
        set: |it, text| put(&mut it.delivery.deactivate_after, period(text)),
        is_secret: false,
        show: |it| show_length(it.delivery.deactivate_after),
    },
    Setting {
        key: "delivery.dead_letter_retention",
        expects: "a length of time from 1m to 3650d such as \"30d\"",
        set: |it, text| put(&mut it.delivery.dead_letter_retention, period(text)),
        is_secret: false,
        show: |it| show_length(it.delivery.dead_letter_retention),
    },
    Setting {
        key: "kinesis.stream",
        expects: "the name of a stream: 1 to 128 letters, digits and _ . -",
        set: |it, text| put(&mut it.kinesis.stream, stream(text)),
        is_secret: false,
        show: |it| it.kinesis.stream.clone(),
    },
    Setting {
        key: CA_FILE,
        expects: "the path of a PEM file, or \"off\"",
        set: |it, text| put_unless_off(&mut it.webhook.ca_file, text, filled),
        is_secret: false,
        show: |it| show_path(it.webhook.ca_file.as_deref()),
    },
];

fn put<T>(place: &mut T, value: Option<T>) -> Option<()> {
    *place = value?;
    Some(())
}

fn put_unless_off<T>(place: &mut Option<T>, text: &str, read: fn(&str) -> Option<T>) -> Option<()> {
    *place = match text {
        OFF => None,
        _ => Some(read(text)?),
    };
    Some(())
}

/// A text that may be anything but nothing and white space.
fn filled<T: for<'a> From<&'a str>>(text: &str) -> Option<T> {
    (!text.trim().is_empty()).then(|| T::from(text))
}

/// An age that leaves an event time to be delivered.
fn age(text: &str) -> Option<Duration> {
    length(text).filter(|age| *age >= MIN_AGE)
}

/// How long something is waited for before it is given up.
fn period(text: &str) -> Option<Duration> {
    length(text).filter(|period| (MIN_AGE..=MAX_PERIOD).contains(period))
}

/// How long a request is held; without that, an event that comes while there is no room is lost.
fn hold(text: &str) -> Option<Duration> {
    length(text).filter(|hold| *hold >= MIN_HOLD)
}

/// Space on disk in which a log can keep anything at all.
fn space(text: &str) -> Option<u64> {
    size(text).filter(|bytes| *bytes >= MIN_SPACE)
}

/// A size that has to fit in memory, and something into it.
fn memory(text: &str, max: u64) -> Option<usize> {
    let bytes = size(text).filter(|bytes| (MIN_MEMORY..=max).contains(bytes));
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

/// What can be said of a setting that takes one of a few words.
type WordList<T> = [(&'static str, T); 2];

const AUTH_WAYS: WordList<Auth> = [("tokens", Auth::Tokens), ("none", Auth::None)];
const SECRETS: WordList<Secrets> = [("masked", Secrets::Masked), ("sent", Secrets::Sent)];
const NULLS: WordList<Nulls> = [("dropped", Nulls::Dropped), ("kept", Nulls::Kept)];
const SUBMISSION_RULES: WordList<SubmissionRule> = [
    ("newest", SubmissionRule::Newest),
    ("published", SubmissionRule::Published),
];

fn one_of<T: Copy>(text: &str, words: &WordList<T>) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, meant)| *meant)
}

fn name_of<T: Copy + PartialEq>(meant: T, words: &WordList<T>) -> String {
    let found = words.iter().find(|(_, it)| *it == meant);
    found.map_or_else(String::new, |(word, _)| (*word).to_owned())
}
