//! `easel keys`

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use easel_keys::SigningAlgorithm;
use easel_server::{FolderError, KeyReset, StartError, reset_keys, rotate_master_key};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::serve::start_failure;
use crate::client::{self, Client, escape};
use crate::exit_code::Failure;
use crate::global_args::GlobalArgs;
use crate::output;
use crate::settings::Settings;

const AFTER_HELP: &str = "\
The master key encrypts all secrets in the data folder. Signing keys sign events
for subscriptions with `--sign jwt`. Receivers find the public keys at
/.well-known/jwks.json: the previous, the current and the next key. A signing
key rotates on the schedule of the setting `keys.rotate_every`.

Examples:
  easel keys list
  easel keys rotate --algorithm ES256
  easel keys rotate-master";

const ROTATE_HELP: &str = "\
The next key signs from now on. Receivers know this key already, because it was
published before. The old key stays published until the next rotation. If
somebody else may know a key, rotate a second time to stop publishing it. Wait
at least five minutes between two rotations.";

const ROTATE_MASTER_HELP: &str = "\
The new key replaces the old key in its file, and all secrets are encrypted
again. A running server does this without a pause. Without a running server,
this command changes the data folder itself. Keep a copy of the new file: newer
backups need it, and older backups still need the old key.

If the master key comes from EASEL_KEYS__MASTER_KEY, set that variable to a new
key, EASEL_KEYS__PREVIOUS_MASTER_KEY to the old key, and restart the server.";

const RESET_HELP: &str = "\
Without its master key, nobody can read the secrets in a data folder, and no
server starts on this folder. This command creates new keys. Events, cursors and
balances stay. Subscriptions that have secrets are paused: set their secrets
again with `easel subscriptions edit`, then resume them. Receivers of signed
events must fetch the new public keys.

The command refuses to run while the master key opens the data folder. It keeps
copies of the old files in the folder. Whoever has the lost key can read these
copies. Remove them when you do not need them any more.";

/// Show and rotate the keys of the server
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// List the id of the master key and the signing keys
    List,
    /// Make the next signing key the current one
    #[command(after_help = ROTATE_HELP)]
    Rotate {
        /// Algorithm of the key
        #[arg(
            long,
            default_value = "RS256",
            value_parser = PossibleValuesParser::new(SigningAlgorithm::ALL.map(SigningAlgorithm::as_str))
        )]
        algorithm: String,
    },
    /// Replace the master key, and encrypt all secrets again
    #[command(after_help = ROTATE_MASTER_HELP)]
    RotateMaster,
    /// Create new keys for a data folder whose master key is lost
    #[command(after_help = RESET_HELP)]
    Reset {
        /// Id of the lost master key. The server names it when it refuses to start
        #[arg(long, value_name = "ID")]
        lost_key: String,
    },
}

#[derive(Deserialize)]
struct KeyListJson {
    master_key: String,
    signing: Vec<SigningKeyJson>,
}

#[derive(Deserialize)]
struct SigningKeyJson {
    algorithm: String,
    previous: Option<String>,
    current: String,
    next: String,
    since: Timestamp,
    rotates_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct MasterKeyJson {
    master_key: String,
}

impl KeysArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        match self.command {
            KeysCommand::List => list(global).await,
            KeysCommand::Rotate { algorithm } => rotate(&algorithm, global).await,
            KeysCommand::RotateMaster => rotate_master(global).await,
            KeysCommand::Reset { lost_key } => reset(&lost_key, global),
        }
    }
}

async fn list(global: &GlobalArgs) -> Result<(), Failure> {
    let answer = Client::from_args(global)?.get("/v1/keys").await?;
    if global.json {
        return output::with_line_break(&answer);
    }
    let KeyListJson {
        master_key,
        signing,
    } = client::read(&answer)?;
    let mut rows = vec![[
        "master".to_owned(),
        master_key,
        "encrypts secrets".to_owned(),
    ]];
    rows.extend(signing.into_iter().flat_map(SigningKeyJson::rows));
    output::table(["KIND", "KEY", "USE"], &rows)
}

async fn rotate(algorithm: &str, global: &GlobalArgs) -> Result<(), Failure> {
    let path = format!("/v1/keys/signing/{}/rotate", escape(algorithm));
    let answer = Client::from_args(global)?.post(&path, None).await?;
    if global.json {
        return output::with_line_break(&answer);
    }
    let KeyListJson { signing, .. } = client::read(&answer)?;
    let rotated = signing.iter().find(|keys| keys.algorithm == algorithm);
    if let Some(SigningKeyJson { current, next, .. }) = rotated {
        output::notice(format_args!(
            "{algorithm} signs with the key {current}; the next key is {next}"
        ));
    }
    Ok(())
}

async fn rotate_master(global: &GlobalArgs) -> Result<(), Failure> {
    let (master_key, file) = if global.url.is_some() {
        (rotate_on_server(global).await?, None)
    } else {
        let config = Settings::load(global, &[])?.config;
        let file = config.keys.master_key_path(&config.data);
        let master_key = match rotate_master_key(&config) {
            // A running server has locked the folder.
            Err(StartError::Folder(FolderError::InUse { .. })) => rotate_on_server(global).await?,
            rotated => rotated.map_err(start_failure)?,
        };
        (master_key, Some(file))
    };
    if global.json {
        return output::line(json!({ "master_key": master_key }));
    }
    let file = file.map_or("its new file".to_owned(), |file| file.display().to_string());
    output::notice(format_args!(
        "the new master key is {master_key}; keep a copy of {file}, because backups need it"
    ));
    Ok(())
}

fn reset(lost_key: &str, global: &GlobalArgs) -> Result<(), Failure> {
    let config = Settings::load(global, &[])?.config;
    let KeyReset {
        paused,
        removed_sources,
        copies,
    } = reset_keys(&config, lost_key).map_err(start_failure)?;
    if global.json {
        let json = json!({
            "paused": paused,
            "removed_sources": removed_sources,
            "copies": copies,
        });
        return output::line(json);
    }
    output::notice(format_args!(
        "new keys were made; all secrets of this data folder are lost; the old files are in {}",
        copies.join(", ")
    ));
    if !paused.is_empty() {
        let names = paused.join(", ");
        output::notice(format_args!(
            "paused until you set their secrets again: {names}"
        ));
    }
    if !removed_sources.is_empty() {
        let names = removed_sources.join(", ");
        output::notice(format_args!(
            "removed sources, whose secrets are lost; create them again: {names}"
        ));
    }
    Ok(())
}

async fn rotate_on_server(global: &GlobalArgs) -> Result<String, Failure> {
    let client = Client::from_args(global)?;
    let answer = client.post("/v1/keys/master/rotate", None).await?;
    let MasterKeyJson { master_key } = client::read(&answer)?;
    Ok(master_key)
}

impl SigningKeyJson {
    /// Returns the rows of the table of all keys.
    fn rows(self) -> Vec<[String; 3]> {
        let Self {
            algorithm,
            previous,
            current,
            next,
            since,
            rotates_at,
        } = self;
        let previous = previous.map(|kid| (kid, "previous, verifies only".to_owned()));
        let signs = (current, format!("current, signs since {since:.0}"));
        let from = rotates_at.map(|time| format!(", signs from {time:.0}"));
        let next = (next, format!("next{}", from.unwrap_or_default()));
        let keys = previous.into_iter().chain([signs, next]);
        keys.map(|(kid, purpose)| [algorithm.clone(), kid, purpose])
            .collect()
    }
}
