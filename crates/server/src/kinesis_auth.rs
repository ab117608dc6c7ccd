//! Converts the settings to the authentication of the Kinesis door.

use easel_ingest::{KinesisAuth, SecretAccessKey};

use crate::{Auth, KinesisKey};

/// Returns which requests the Kinesis door accepts.
pub(crate) fn kinesis_auth(auth: Auth, keys: &[KinesisKey]) -> KinesisAuth {
    let pairs = keys.iter().map(|key| {
        let secret = SecretAccessKey {
            secret: key.secret_access_key.clone(),
            reach: key.reach.clone(),
        };
        (key.access_key_id.clone(), secret)
    });
    match auth {
        Auth::None => KinesisAuth::Open,
        Auth::Tokens if keys.is_empty() => KinesisAuth::Off,
        Auth::Tokens => KinesisAuth::Keys(pairs.collect()),
    }
}
