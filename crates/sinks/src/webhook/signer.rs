//! Signs requests.

use std::sync::Arc;

use bytes::Bytes;
use easel_keys::{
    PrivateKey, SigningAlgorithm, SigningKeys, WebhookSecret, event_claims, sign_jwt,
};
use easel_log::run_blocking;
use jiff::Timestamp;
use metrics::{counter, describe_counter};

use crate::{Item, SendError};

const SIGNATURES: &str = "easel_signatures_total";

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

impl JwtSigner {
    /// Returns the JWT of an item. It is signed once for each key, and shared through the item.
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
    let jwt = sign_jwt(key, &claims).map_err(|error| SendError::NotSent {
        reason: error.to_string(),
    })?;
    counter!(SIGNATURES, "algorithm" => key.algorithm().as_str()).increment(1);
    Ok(jwt.into())
}
