//! Converts the settings to the authentication of the Kinesis door.

use easel_ingest::KinesisAuth;

use crate::{Auth, KinesisKey};

/// Returns which requests the Kinesis door accepts.
pub(crate) fn kinesis_auth(auth: Auth, keys: &[KinesisKey]) -> KinesisAuth {
    let pairs = keys.iter();
    let pairs = pairs.map(|key| (key.access_key_id.clone(), key.secret_access_key.clone()));
    match auth {
        Auth::None => KinesisAuth::Open,
        Auth::Tokens if keys.is_empty() => KinesisAuth::Off,
        Auth::Tokens => KinesisAuth::Keys(pairs.collect()),
    }
}
