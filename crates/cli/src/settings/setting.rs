//! Every setting there is: its name, what it takes, and the place in [`Config`] it fills.
//!
//! A setting that is not in [`ALL`] does not exist, for the file, the environment and
//! `easel config check` alike. Defaults are those of `Config::default()`.

use std::fmt;
use std::path::Path;

use easel_server::{Auth, Config, Nulls, Secrets, SubmissionRule};

use super::measure::{length, show_length, show_size, size};

/// The key of the data folder.
pub(crate) const DATA: &str = "data";
/// The key of the listen address.
pub(crate) const LISTEN: &str = "listen";
/// The key of who may come in.
pub(crate) const AUTH: &str = "auth";
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
    /// What is in force, in a form that `set` takes.
    pub(super) show: fn(&Config) -> String,
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
const SIZE: &str = "a size such as 16777216 or \"16MiB\"";
const SIZE_OR_OFF: &str = "a size such as \"20GiB\", or \"off\"";
const OFF: &str = "off";
/// The last shard whose ids all fit into 64 bits.
const MAX_SHARD: u64 = u64::MAX / 10_000_000_000_000 - 1;

/// Every setting that is a single value, in the order in which they are explained.
pub(crate) const ALL: &[Setting] = &[
    Setting {
        key: LISTEN,
        expects: "an address and port such as \"127.0.0.1:4567\"",
        set: |it, text| put(&mut it.listen, text.parse().ok()),
        show: |it| it.listen.to_string(),
    },
    Setting {
        key: DATA,
        expects: "the path of a folder",
        set: |it, text| put(&mut it.data, filled(text)),
        show: |it| it.data.display().to_string(),
    },
    Setting {
        key: AUTH,
        expects: "\"tokens\" or \"none\"",
        set: |it, text| put(&mut it.auth, one_of(text, &AUTH_WAYS)),
        show: |it| name_of(it.auth, &AUTH_WAYS),
    },
    Setting {
        key: "drain",
        expects: LENGTH,
        set: |it, text| put(&mut it.drain, length(text)),
        show: |it| show_length(it.drain),
    },
    Setting {
        key: CATALOG_FOLDER,
        expects: "the path of a folder, or \"off\"",
        set: |it, text| put_unless_off(&mut it.catalog.folder, text, filled),
        show: |it| show_path(it.catalog.folder.as_deref()),
    },
    Setting {
        key: "caliper.application",
        expects: "an address such as \"http://lms.example.edu/\"",
        set: |it, text| put(&mut it.caliper.application, text.parse().ok()),
        show: |it| it.caliper.application.to_string(),
    },
    Setting {
        key: "caliper.secrets",
        expects: "\"masked\" or \"sent\"",
        set: |it, text| put(&mut it.caliper.secrets, one_of(text, &SECRETS)),
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
        show: |it| it.triggers.shard.to_string(),
    },
    Setting {
        key: "triggers.nulls",
        expects: "\"dropped\" or \"kept\"",
        set: |it, text| put(&mut it.triggers.nulls, one_of(text, &NULLS)),
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
        show: |it| name_of(it.triggers.submission_rule, &SUBMISSION_RULES),
    },
    Setting {
        key: "log.max_age",
        expects: "a length of time such as \"30d\", or \"off\"",
        set: |it, text| put_unless_off(&mut it.log.max_age, text, length),
        show: |it| it.log.max_age.map_or(OFF.to_owned(), show_length),
    },
    Setting {
        key: "log.max_bytes",
        expects: SIZE_OR_OFF,
        set: |it, text| put_unless_off(&mut it.log.max_bytes, text, size),
        show: |it| it.log.max_bytes.map_or(OFF.to_owned(), show_size),
    },
    Setting {
        key: "log.duplicate_window",
        expects: "a number of events, 0 for no window",
        set: |it, text| put(&mut it.log.duplicate_window, text.parse().ok()),
        show: |it| it.log.duplicate_window.to_string(),
    },
    Setting {
        key: "quarantine.max_bytes",
        expects: SIZE_OR_OFF,
        set: |it, text| put_unless_off(&mut it.quarantine.max_bytes, text, size),
        show: |it| it.quarantine.max_bytes.map_or(OFF.to_owned(), show_size),
    },
    Setting {
        key: "ingest.max_event_bytes",
        expects: SIZE,
        set: |it, text| put(&mut it.ingest.max_event_bytes, memory(text)),
        show: |it| show_memory(it.ingest.max_event_bytes),
    },
    Setting {
        key: "ingest.max_request_bytes",
        expects: SIZE,
        set: |it, text| put(&mut it.ingest.max_request_bytes, memory(text)),
        show: |it| show_memory(it.ingest.max_request_bytes),
    },
    Setting {
        key: "ingest.max_in_flight_bytes",
        expects: SIZE,
        set: |it, text| put(&mut it.ingest.max_in_flight_bytes, memory(text)),
        show: |it| show_memory(it.ingest.max_in_flight_bytes),
    },
    Setting {
        key: "ingest.hold",
        expects: LENGTH,
        set: |it, text| put(&mut it.ingest.hold, length(text)),
        show: |it| show_length(it.ingest.hold),
    },
    Setting {
        key: "kinesis.stream",
        expects: "the name of a stream",
        set: |it, text| put(&mut it.kinesis.stream, filled(text)),
        show: |it| it.kinesis.stream.clone(),
    },
    Setting {
        key: "webhook.ca_file",
        expects: "the path of a PEM file, or \"off\"",
        set: |it, text| put_unless_off(&mut it.webhook.ca_file, text, filled),
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

/// A text that may be anything but nothing.
fn filled<T: for<'a> From<&'a str>>(text: &str) -> Option<T> {
    (!text.is_empty()).then(|| T::from(text))
}

/// A size that has to fit in memory.
fn memory(text: &str) -> Option<usize> {
    usize::try_from(size(text)?).ok()
}

fn show_memory(bytes: usize) -> String {
    u64::try_from(bytes).map_or(bytes.to_string(), show_size)
}

fn show_path(path: Option<&Path>) -> String {
    path.map_or(OFF.to_owned(), |path| path.display().to_string())
}

/// What can be said of a setting that takes one of a few words.
type Words<T> = [(&'static str, T); 2];

const AUTH_WAYS: Words<Auth> = [("tokens", Auth::Tokens), ("none", Auth::None)];
const SECRETS: Words<Secrets> = [("masked", Secrets::Masked), ("sent", Secrets::Sent)];
const NULLS: Words<Nulls> = [("dropped", Nulls::Dropped), ("kept", Nulls::Kept)];
const SUBMISSION_RULES: Words<SubmissionRule> = [
    ("newest", SubmissionRule::Newest),
    ("published", SubmissionRule::Published),
];

fn one_of<T: Copy>(text: &str, words: &Words<T>) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, meant)| *meant)
}

fn name_of<T: Copy + PartialEq>(meant: T, words: &Words<T>) -> String {
    let found = words.iter().find(|(_, it)| *it == meant);
    found.map_or_else(String::new, |(word, _)| (*word).to_owned())
}
