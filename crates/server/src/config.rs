//! All settings of a server, with their defaults.
//!
//! The command line reads the values from arguments, the environment and the settings file.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use easel_caliper::{Role, Translator, is_iri};
use easel_catalog::{Catalog, Limits, Reach, ReachRules};
use easel_deliver::DispatchOptions;
use easel_ingest::IntakeOptions;
use easel_keys::{MasterKey, MasterKeyFile, MasterKeySource, Secret, SecretUrl};
use easel_log::LogOptions;
use easel_sinks::Guard;
use easel_sources::SourceSpec;
use easel_subscriptions::Declaration;
use easel_triggers::{Nulls, SubmissionRule, Triggers};
use ipnet::IpNet;

use crate::{CanvasServiceConfig, ConfigError, MetricsConfig, OidcConfig, TlsConfig};

/// All settings of a server.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address of the doors, the API and the health checks.
    pub listen: SocketAddr,
    /// The TLS of the server.
    pub tls: TlsConfig,
    /// The second listener, for monitoring.
    pub metrics: MetricsConfig,
    /// The data folder. Only one process can use it at a time.
    pub data: PathBuf,
    /// Whether callers must authenticate.
    pub auth: Auth,
    /// The first token of a data folder without tokens. With `None`, the server creates one.
    pub first_token: Option<Secret<String>>,
    /// Tokens of the operator's own identity provider.
    pub oidc: OidcConfig,
    /// Where the server puts a first token that it created.
    pub first_token_place: FirstTokenPlace,
    /// Whether deliveries start with the server.
    pub deliveries: Deliveries,
    /// All deliveries.
    pub delivery: DeliveryConfig,
    /// The time limit for open requests and deliveries after the stop.
    pub drain: Duration,
    /// The catalogue.
    pub catalog: CatalogConfig,
    /// Translation to Caliper.
    pub caliper: CaliperConfig,
    /// Events that follow from changes.
    pub triggers: TriggersConfig,
    /// The log.
    pub log: LogConfig,
    /// The quarantine.
    pub quarantine: QuarantineConfig,
    /// The audit.
    pub audit: AuditConfig,
    /// The doors.
    pub ingest: IngestConfig,
    /// The Kinesis door.
    pub kinesis: KinesisConfig,
    /// The calls of Canvas's own subscription client.
    pub canvas_service: CanvasServiceConfig,
    /// All webhooks.
    pub webhook: WebhookConfig,
    /// Secret values in the URLs of events.
    pub masking: MaskingConfig,
    /// The events whose root account is not certain.
    pub reach: ReachRules,
    /// The keys that seal secrets and sign events.
    pub keys: KeysConfig,
    /// The sources that the file defines.
    pub sources: Vec<SourceSpec>,
    /// The subscriptions that the file declares.
    pub subscriptions: Vec<Declaration>,
}

/// Whether callers must authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Callers need a bearer token or, at the Kinesis door, a signature.
    Tokens,
    /// Callers need nothing. Allowed only for an address that is not reachable from other machines.
    None,
}

/// Where the server puts a first token that it created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstTokenPlace {
    /// The program that starts the server shows the token on its terminal.
    Terminal,
    /// A file in the data folder that only its owner can read.
    File,
}

/// Whether deliveries start with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deliveries {
    /// Deliveries start immediately.
    Running,
    /// Deliveries start when an operator resumes them.
    Paused,
}

/// All deliveries.
#[derive(Clone, Debug)]
pub struct DeliveryConfig {
    /// After this time on hold, a subscription is deactivated.
    pub deactivate_after: Duration,
    /// How long dead letters are kept.
    pub dead_letter_retention: Duration,
}

/// The catalogue.
#[derive(Clone, Debug, Default)]
pub struct CatalogConfig {
    /// A folder of data files that override the built-in ones.
    pub folder: Option<PathBuf>,
}

/// Translation to Caliper.
#[derive(Clone, Debug, Default)]
pub struct CaliperConfig {
    /// The address of the installation, for events that do not contain it.
    pub application: Application,
    /// The Caliper roles of Canvas roles. They extend and override the known roles.
    pub roles: Vec<Role>,
}

/// The address of an installation: an absolute IRI in plain ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application(String);

/// Events that follow from changes.
#[derive(Clone, Debug, Default)]
pub struct TriggersConfig {
    /// The shard of local ids; 0 without shards.
    pub shard: u64,
    /// What happens to null members of a body.
    pub nulls: Nulls,
    /// When a submission counts as created.
    pub submission_rule: SubmissionRule,
}

/// The log.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// Events and quarantined records that are older than this are dropped.
    pub max_age: Option<Duration>,
    /// The oldest events are dropped while the log is larger than this.
    pub max_bytes: Option<u64>,
    /// The number of latest ids that are kept to recognise duplicates. 0 turns this off.
    pub duplicate_window: usize,
}

/// The quarantine.
#[derive(Clone, Debug)]
pub struct QuarantineConfig {
    /// The oldest records are dropped while the quarantine is larger than this.
    pub max_bytes: Option<u64>,
}

/// The audit.
#[derive(Clone, Debug)]
pub struct AuditConfig {
    /// Entries that are older than this are removed.
    pub max_age: Option<Duration>,
}

/// The doors.
#[derive(Clone, Debug)]
pub struct IngestConfig {
    /// The maximum size of an event, in bytes.
    pub max_event_bytes: usize,
    /// The maximum size of a decompressed request, in bytes.
    pub max_request_bytes: usize,
    /// The maximum number of bytes of all requests in memory.
    pub max_in_flight_bytes: usize,
    /// How long a request waits for room, for its sender, or for the log, before it is rejected.
    pub hold: Duration,
}

/// The Kinesis door.
#[derive(Clone, Debug)]
pub struct KinesisConfig {
    /// The stream that is listed before the first event.
    pub stream: String,
    /// The key pairs of the senders.
    pub keys: Vec<KinesisKey>,
}

/// A key pair of an AWS client.
#[derive(Clone, Debug)]
pub struct KinesisKey {
    /// The id of the pair.
    pub access_key_id: String,
    /// The secret that signs requests.
    pub secret_access_key: Secret<String>,
    /// What the owner of the pair may send and read.
    pub reach: Reach,
}

/// All webhooks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookConfig {
    /// A PEM file of certificate authorities. They are trusted in addition to those of the system.
    pub ca_file: Option<PathBuf>,
    /// The networks that webhooks may connect to although they are not public.
    pub allow: Vec<IpNet>,
    /// The HTTP proxy of all webhooks.
    pub proxy: Option<SecretUrl>,
}

/// Secret values in the URLs of events.
#[derive(Clone, Debug, Default)]
pub struct MaskingConfig {
    /// URL parameters whose values are masked, in addition to `access_token`, `token`, `signature` and
    /// `verifier`.
    pub names: Vec<String>,
}

/// The keys that seal secrets and sign events.
#[derive(Clone, Debug)]
pub struct KeysConfig {
    /// The file of the master key. `None`: the file beside the data folder, with the suffix `.key`.
    pub master_key_file: Option<PathBuf>,
    /// The master key. If it is set, the file is not used.
    pub master_key: Option<Secret<String>>,
    /// The master key before the current one. A start with both re-encrypts the data folder.
    pub previous_master_key: Option<Secret<String>>,
    /// After this time, the next signing key becomes the current one.
    pub rotate_every: Duration,
    /// The claim `iss` of signed events.
    pub issuer: String,
}

impl Config {
    /// Creates the translator of these settings. Rejects settings that do not fit the catalogue.
    pub fn translator(&self, catalog: &Arc<Catalog>) -> Result<Translator, ConfigError> {
        let translator = Translator::new(Arc::clone(catalog), self.caliper.options());
        translator.map_err(|error| ConfigError::Caliper { place: None, error })
    }

    /// Creates the triggers of these settings. Rejects settings that do not fit the catalogue.
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
            tls: TlsConfig::default(),
            metrics: MetricsConfig::default(),
            data: PathBuf::from("easel-data"),
            auth: Auth::Tokens,
            first_token: None,
            oidc: OidcConfig::default(),
            first_token_place: FirstTokenPlace::Terminal,
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
            audit: AuditConfig {
                max_age: Some(Duration::from_hours(400 * 24)),
            },
            ingest: IngestConfig {
                max_event_bytes: intake.limits.max_event_bytes,
                max_request_bytes: intake.max_request_bytes,
                max_in_flight_bytes: intake.max_in_flight_bytes,
                hold: intake.max_wait,
            },
            kinesis: KinesisConfig {
                stream: "live-events".to_owned(),
                keys: Vec::new(),
            },
            canvas_service: CanvasServiceConfig::default(),
            webhook: WebhookConfig::default(),
            masking: MaskingConfig::default(),
            reach: ReachRules::default(),
            keys: KeysConfig::default(),
            sources: Vec::new(),
            subscriptions: Vec::new(),
        }
    }
}

impl Default for KeysConfig {
    fn default() -> Self {
        Self {
            master_key_file: None,
            master_key: None,
            previous_master_key: None,
            rotate_every: Duration::from_hours(30 * 24),
            issuer: "easel".to_owned(),
        }
    }
}

impl KeysConfig {
    /// Returns the file of the master key for a data folder: the file of the settings, or a file beside the
    /// folder.
    pub fn master_key_path(&self, data: &Path) -> PathBuf {
        self.master_key_file.clone().unwrap_or_else(|| {
            // `data/` and `data` are the same folder. `.` and `data/..` have their name elsewhere.
            let shown = data.components().as_path();
            let named = match shown.file_name() {
                Some(_name) => shown.to_owned(),
                None => std::fs::canonicalize(data).unwrap_or_else(|_missing| shown.to_owned()),
            };
            let mut path = named.into_os_string();
            path.push(".key");
            path.into()
        })
    }

    /// Returns true if the file of the master key is in the data folder. A copy of the folder would then
    /// have the key.
    fn is_key_in_folder(&self, data: &Path) -> bool {
        let absolute = |path: &Path| {
            let canonical = std::fs::canonicalize(path);
            canonical.or_else(|_missing| std::path::absolute(path))
        };
        let key = self.master_key_path(data);
        let parent = key.parent().filter(|parent| !parent.as_os_str().is_empty());
        match (absolute(parent.unwrap_or(Path::new("."))), absolute(data)) {
            (Ok(parent), Ok(data)) => parent.starts_with(data),
            _ => false,
        }
    }

    /// Returns where the master key of a data folder is. Rejects an invalid key, and a file in the folder.
    pub(crate) fn source(&self, data: &Path) -> Result<MasterKeySource, ConfigError> {
        if self.master_key.is_none() && self.is_key_in_folder(data) {
            return Err(ConfigError::KeyInFolder);
        }
        let parse = |key: &Option<Secret<String>>| {
            let key = key.as_ref().map(MasterKey::parse).transpose();
            key.map_err(ConfigError::MasterKey)
        };
        Ok(MasterKeySource {
            file: MasterKeyFile::new(self.master_key_path(data)),
            key: parse(&self.master_key)?,
            previous: parse(&self.previous_master_key)?,
        })
    }
}

impl WebhookConfig {
    /// Returns the address guard for a server that listens on `listen`.
    pub fn guard(&self, listen: SocketAddr) -> Guard {
        Guard {
            allow: self.allow.clone(),
            loopback_allowed: listen.ip().is_loopback(),
            ..Guard::default()
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
    /// Rejects an access key id that a signed request cannot contain.
    ///
    /// # Errors
    ///
    /// Returns what the id must be. The text reads after the name of the setting.
    pub fn check_id(id: &str) -> Result<(), String> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"/,=\"".contains(&byte);
        if (1..=128).contains(&id.len()) && id.bytes().all(is_plain) {
            return Ok(());
        }
        // The id may be a secret in the wrong place, so it is not shown.
        let fault =
            "must be 1 to 128 characters of ASCII, without white space, `/`, `,`, `=` and quotes";
        Err(fault.to_owned())
    }

    /// Rejects a secret that is empty or probably wrong, such as one with white space at its ends.
    ///
    /// # Errors
    ///
    /// Returns what the secret must be, without the secret. The text reads after the name of the
    /// setting.
    pub fn check_secret(secret: &str) -> Result<(), String> {
        let fault = if secret.trim().is_empty() {
            "must not be empty"
        } else if secret.trim() != secret || secret.contains(char::is_control) {
            "must not begin or end with white space or contain a control character"
        } else {
            return Ok(());
        };
        Err(fault.to_owned())
    }
}

impl CaliperConfig {
    /// Returns the options of the translator.
    pub fn options(&self) -> easel_caliper::TranslationOptions {
        let mut options = easel_caliper::TranslationOptions {
            application: self.application.0.clone(),
            ..easel_caliper::TranslationOptions::default()
        };
        let is_not_overridden =
            |role: &Role| !self.roles.iter().any(|own| own.canvas == role.canvas);
        options.roles.retain(is_not_overridden);
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
            .any(|scheme| text.starts_with(scheme));
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
            max_wait: self.hold,
        }
    }
}
