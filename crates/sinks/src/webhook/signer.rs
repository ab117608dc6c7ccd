//! Signs requests.

use std::sync::Arc;

use bytes::Bytes;
use easel_keys::{
    PrivateKey, Secret, SigningAlgorithm, SigningKeys, WebhookSecret, event_claims, sign_jwt,
};
use easel_log::run_blocking;
use jiff::Timestamp;
use metrics::{counter, describe_counter};

use crate::{Item, SendError};

const SIGNATURES: &str = "easel_signatures_total";

/// How many base64 characters depend only on the seed of 32 bytes, at the start of an Ed25519 key.
const SEED_CHARS: usize = 42;

/// How the requests of a webhook are signed.
#[derive(Clone, Debug)]
pub enum RequestSigner {
    /// The body is a JWT whose claims are the event.
    Jwt(JwtSigner),
    /// The header `webhook-signature` has one signature for each secret, as Standard Webhooks requires.
    Standard(Arc<[WebhookSecret]>),
}

/// Signs events as JWTs with the keys of this server.
#[derive(Clone, Debug)]
pub struct JwtSigner {
    /// The keys. The current key of `algorithm` signs.
    pub keys: Arc<SigningKeys>,
    /// The algorithm.
    pub algorithm: SigningAlgorithm,
    /// The claim `iss`.
    pub issuer: Arc<str>,
}

/// Describes the metrics of webhooks and starts them at 0.
pub fn describe_metrics() {
    describe_counter!(SIGNATURES, "JWTs that were signed, by algorithm.");
    for algorithm in SigningAlgorithm::ALL {
        counter!(SIGNATURES, "algorithm" => algorithm.as_str()).absolute(0);
    }
}

impl RequestSigner {
    /// Returns the texts that must not be shown: the base64 of each secret. The private keys of JWTs never
    /// leave this server.
    pub(super) fn secrets(&self) -> Vec<Secret<Vec<u8>>> {
        let secrets = match self {
            Self::Jwt(_) => &[],
            Self::Standard(secrets) => &**secrets,
        };
        secrets.iter().flat_map(base64_forms).collect()
    }
}

/// Returns the base64 of a secret without prefix and padding. For an Ed25519 key, also returns the base64 of
/// its seed alone.
fn base64_forms(secret: &WebhookSecret) -> impl Iterator<Item = Secret<Vec<u8>>> {
    let text = secret.to_text();
    let (prefix, encoded) = text.expose().split_once('_').unwrap_or_default();
    let encoded = encoded.trim_end_matches('=');
    let seed = (prefix == "whsk").then(|| encoded.get(..SEED_CHARS));
    let forms = [Some(encoded), seed.flatten()].map(|form| {
        let form = form?.as_bytes().to_vec();
        Some(Secret::new(form))
    });
    forms.into_iter().flatten()
}

impl JwtSigner {
    /// Returns the JWT of an item. The JWT is signed once for each key, and attempts share it through the item.
    /// `event` returns the JSON of the claims. It must contain only this item, because the item caches the JWT.
    pub(super) async fn jwt(
        &self,
        item: &Item,
        event: impl FnOnce() -> Bytes + Send,
        now: Timestamp,
    ) -> Result<Bytes, SendError> {
        let key = self.keys.current(self.algorithm);
        let key = key.ok_or_else(|| SendError::NotSent {
            reason: format!("there is no key that signs with {}", self.algorithm),
        })?;
        let kid = key.kid().to_owned();
        let (issuer, id) = (Arc::clone(&self.issuer), item.id);
        let sign = async {
            let event = event();
            // A signature takes up to a millisecond, so it must not delay other tasks.
            run_blocking(move || sign(&key, &event, &issuer, id, now)).await
        };
        match &item.jwt {
            Some(shared) => shared.get_or_sign(&kid, sign).await,
            None => sign.await,
        }
    }
}

fn sign(
    key: &PrivateKey,
    event: &[u8],
    issuer: &str,
    id: uuid::Uuid,
    now: Timestamp,
) -> Result<Bytes, SendError> {
    let claims = event_claims(event, issuer, now.as_second(), &id.to_string());
    let claims = claims.ok_or_else(|| SendError::Rejected {
        reason: "the event cannot be the claims of a JWT: it is not a JSON object".to_owned(),
    })?;
    let jwt = sign_jwt(key, &claims).map_err(|error| SendError::NotSent {
        reason: error.to_string(),
    })?;
    counter!(SIGNATURES, "algorithm" => key.algorithm().as_str()).increment(1);
    Ok(jwt.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base64_of_each_standard_secret_is_a_secret() {
        let symmetric = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNA";
        let seed = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh";
        let parse = |text: String| WebhookSecret::parse(&text).unwrap();
        let secrets = [
            parse(format!("whsec_{symmetric}==")),
            parse(format!("whsk_{seed}8=")),
        ];
        let secrets = RequestSigner::Standard(secrets.into()).secrets();
        let texts: Vec<_> = secrets
            .iter()
            .map(|secret| str::from_utf8(secret.expose()).unwrap())
            .collect();
        let [first, whole, start] = texts[..] else {
            panic!("{} texts", texts.len());
        };
        assert_eq!((first, start), (symmetric, seed));
        assert!(whole.starts_with(seed) && whole.len() > 80, "{whole}");
        assert!(!format!("{secrets:?}").contains(symmetric));
    }
}
