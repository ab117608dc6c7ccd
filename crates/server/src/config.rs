//! Everything a server can be told, with its defaults.
//!
//! Where the values come from is the command line's business.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use easel_caliper::{Role, Secrets, Translator, is_iri};
use easel_catalog::{Catalog, Limits};
use easel_deliver::DispatchOptions;
use easel_ingest::IntakeOptions;
use easel_keys::Secret;
use easel_log::LogOptions;
use easel_subscriptions::Spec;
use easel_triggers::{Nulls, SubmissionRule, Triggers};

use crate::ConfigError;

/// Everything a server can be told.
#[derive(Clone, Debug)]
pub struct Config {
    /// The one address doors, API and health listen on.
    pub listen: SocketAddr,
    /// The folder everything is kept in; one process at a time.
    pub data: PathBuf,
    /// Whether callers have to show who they are.
    pub auth: Auth,
    /// The first token of a data folder that has none; `None`: one is made.
    pub first_token: Option<Secret<String>>,
    /// Where a first token that was made is put.
    pub first_token_place: FirstTokenPlace,
    /// Whether deliveries begin with the server.
    pub deliveries: Deliveries,
    /// All deliveries.
    pub delivery: DeliveryConfig,
    /// How long requests and deliveries under way may take once told to stop.
    pub drain: Duration,
    /// The catalogue.
    pub catalog: CatalogConfig,
    /// Translation to Caliper.
    pub caliper: CaliperConfig,
    /// Events made of changes.
    pub triggers: TriggersConfig,
    /// The log.
    pub log: LogConfig,
    /// What is no event.
    pub quarantine: QuarantineConfig,
    /// The doors.
    pub ingest: IngestConfig,
    /// The Kinesis door.
    pub kinesis: KinesisConfig,
    /// All webhooks.
    pub webhook: WebhookConfig,
    /// The subscriptions the file declares.
    pub subscriptions: Vec<Spec>,
}

/// Whether callers have to show who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// With a bearer token or, at the Kinesis door, a signature.
    Tokens,
    /// They do not; only for an address that nobody outside this machine reaches.
    None,
}

/// Where a first token that was made is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstTokenPlace {
    /// Whoever starts the server asks for it and shows it.
    Caller,
    /// In the data folder, in a file that only its owner can read.
    File,
}

/// Whether deliveries begin with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deliveries {
    /// They begin at once.
    Running,
    /// They begin once the server is asked to resume them.
    Paused,
}

/// All deliveries.
#[derive(Clone, Debug)]
pub struct DeliveryConfig {
    /// How long a subscription may hold before it is deactivated.
    pub deactivate_after: Duration,
    /// How long dead letters are kept.
    pub dead_letter_retention: Duration,
}

/// The catalogue.
#[derive(Clone, Debug, Default)]
pub struct CatalogConfig {
    /// A folder of data files that are laid over the built-in ones.
    pub folder: Option<PathBuf>,
}

/// Translation to Caliper.
#[derive(Clone, Debug, Default)]
pub struct CaliperConfig {
    /// The address of the installation in events that do not tell it.
    pub application: Application,
    /// What roles of Canvas are in Caliper, besides those known or in their place.
    pub roles: Vec<Role>,
    /// Whether the values of secret parameters are masked in addresses.
    pub secrets: Secrets,
}

/// The address of an installation: an absolute IRI in plain ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application(String);

/// Events made of changes.
#[derive(Clone, Debug, Default)]
pub struct TriggersConfig {
    /// The shard that local ids are of; 0 where there are none.
    pub shard: u64,
    /// What becomes of members of a body that are null.
    pub nulls: Nulls,
    /// When a submission counts as created.
    pub submission_rule: SubmissionRule,
}

/// The log.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// Events older than this are dropped, and what is in quarantine too.
    pub max_age: Option<Duration>,
    /// The oldest events are dropped while the log takes more bytes than this.
    pub max_bytes: Option<u64>,
    /// How many of the newest ids are remembered to recognise duplicates; 0 turns that off.
    pub duplicate_window: usize,
}

/// What is no event.
#[derive(Clone, Debug)]
pub struct QuarantineConfig {
    /// The oldest of it is dropped while it takes more bytes than this.
    pub max_bytes: Option<u64>,
}

/// The doors.
#[derive(Clone, Debug)]
pub struct IngestConfig {
    /// The largest event, in bytes.
    pub max_event_bytes: usize,
    /// The largest request, in bytes after inflating.
    pub max_request_bytes: usize,
    /// Bytes of requests held in memory, over all of them.
    pub max_in_flight_bytes: usize,
    /// How long a request is held while there is no room for it.
    pub hold: Duration,
}

/// The Kinesis door.
#[derive(Clone, Debug)]
pub struct KinesisConfig {
    /// The stream that is listed before anything was sent.
    pub stream: String,
    /// Who may send.
    pub keys: Vec<KinesisKey>,
}

/// A key pair as AWS clients have them.
#[derive(Clone, Debug)]
pub struct KinesisKey {
    /// Names the pair.
    pub access_key_id: String,
    /// Signs requests.
    pub secret_access_key: Secret<String>,
}

/// All webhooks.
#[derive(Clone, Debug, Default)]
pub struct WebhookConfig {
    /// Certificates, in PEM, that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
}

impl Config {
    /// The translator these settings ask for; refuses what cannot be had with this catalogue.
    pub fn translator(&self, catalog: &Arc<Catalog>) -> Result<Translator, ConfigError> {
        let translator = Translator::new(Arc::clone(catalog), self.caliper.options());
        translator.map_err(|error| ConfigError::Caliper { place: None, error })
    }

    /// The triggers these settings ask for; refuses what cannot be had with this catalogue.
    pub fn triggers(&self, catalog: &Arc<Catalog>) -> Result<Triggers, ConfigError> {
        let options = easel_triggers::TriggerOptions {
            limits: self.ingest.options().limits,
            shard: self.triggers.shard,
            nulls: self.triggers.nulls,
            submission_rule: self.triggers.submission_rule,
        };
        Triggers::new(Arc::clone(catalog), options)
            .map_err(|error| ConfigError::Triggers { place: None, error })
    }
}

impl Default for Config {
    fn default() -> Self {
        let intake = IntakeOptions::default();
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4567)),
            data: PathBuf::from("easel-data"),
            auth: Auth::Tokens,
            first_token: None,
            first_token_place: FirstTokenPlace::Caller,
            deliveries: Deliveries::Running,
            delivery: DeliveryConfig::default(),
            drain: Duration::from_secs(20),
            catalog: CatalogConfig::default(),
            caliper: CaliperConfig::default(),
            triggers: TriggersConfig::default(),
            log: LogConfig {
                max_age: Some(Duration::from_hours(30 * 24)),
                max_bytes: None,
                duplicate_window: LogOptions::default().duplicate_window,
            },
            quarantine: QuarantineConfig {
                max_bytes: Some(1 << 30),
            },
            ingest: IngestConfig {
                max_event_bytes: intake.limits.max_event_bytes,
                max_request_bytes: intake.max_request_bytes,
                max_in_flight_bytes: intake.max_in_flight_bytes,
                hold: intake.hold,
            },
            kinesis: KinesisConfig {
                stream: "live-events".to_owned(),
                keys: Vec::new(),
            },
            webhook: WebhookConfig::default(),
            subscriptions: Vec::new(),
        }
    }
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        let options = DispatchOptions::default();
        Self {
            deactivate_after: options.deactivate_after,
            dead_letter_retention: options.dead_letter_retention,
        }
    }
}

impl DeliveryConfig {
    pub(crate) fn options(&self) -> DispatchOptions {
        DispatchOptions {
            deactivate_after: self.deactivate_after,
            dead_letter_retention: self.dead_letter_retention,
            ..DispatchOptions::default()
        }
    }
}

impl KinesisKey {
    /// Refuses what cannot name a key pair in the head of a signed request.
    ///
    /// # Errors
    ///
    /// What the id must be; reads after the name of the setting.
    pub fn check_id(id: &str) -> Result<(), String> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"/,=\"".contains(&byte);
        if (1..=128).contains(&id.len()) && id.bytes().all(is_plain) {
            return Ok(());
        }
        Err(format!(
            "must be 1 to 128 characters of ASCII, without white space, `/`, `,`, `=` and quotes, \
             not {id:?}"
        ))
    }

    /// Refuses what protects nothing, or was not meant: nothing, and white space around a secret.
    ///
    /// # Errors
    ///
    /// What the secret must be, without the secret; reads after the name of the setting.
    pub fn check_secret(secret: &str) -> Result<(), String> {
        let fault = if secret.trim().is_empty() {
            "must not be empty"
        } else if secret.trim() != secret || secret.contains(char::is_control) {
            "must not begin or end with white space, nor hold a control character"
        } else {
            return Ok(());
        };
        Err(fault.to_owned())
    }
}

impl CaliperConfig {
    /// What a translator is told.
    pub fn options(&self) -> easel_caliper::TranslationOptions {
        let mut options = easel_caliper::TranslationOptions {
            application: self.application.0.clone(),
            secrets: self.secrets,
            ..easel_caliper::TranslationOptions::default()
        };
        let known = |it: &Role| !self.roles.iter().any(|own| own.canvas == it.canvas);
        options.roles.retain(known);
        options.roles.extend(self.roles.iter().cloned());
        options
    }
}

impl Default for Application {
    fn default() -> Self {
        Self(easel_caliper::TranslationOptions::default().application)
    }
}

impl FromStr for Application {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_plain = text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
        let is_address = ["http:", "https:", "urn:"]
            .iter()
            .any(|it| text.starts_with(it));
        if is_plain && is_address && is_iri(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(())
        }
    }
}

impl fmt::Display for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl IngestConfig {
    pub(crate) fn options(&self) -> IntakeOptions {
        IntakeOptions {
            limits: Limits {
                max_event_bytes: self.max_event_bytes,
                ..Limits::default()
            },
            max_request_bytes: self.max_request_bytes,
            max_in_flight_bytes: self.max_in_flight_bytes,
            hold: self.hold,
        }
    }
}
