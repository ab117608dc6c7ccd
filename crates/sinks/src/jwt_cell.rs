//! The JWT of an item, signed once for each signing key.

use bytes::Bytes;
use tokio::sync::Mutex;

/// The JWT of an item, signed once for each signing key. All attempts that have the item share the JWT.
#[derive(Debug, Default)]
pub struct JwtCell(Mutex<Option<SignedJwt>>);

#[derive(Debug)]
struct SignedJwt {
    kid: String,
    jwt: Bytes,
}

impl JwtCell {
    /// Returns the JWT that the key `kid` signed. Runs `sign` if the cell has no JWT of this key. Other callers
    /// wait for the result.
    ///
    /// # Errors
    ///
    /// Returns the error of `sign`. The next call tries again.
    pub async fn get_or_sign<E>(
        &self,
        kid: &str,
        sign: impl Future<Output = Result<Bytes, E>> + Send,
    ) -> Result<Bytes, E> {
        let mut latest = self.0.lock().await;
        if let Some(signed) = latest.as_ref().filter(|signed| signed.kid == kid) {
            return Ok(signed.jwt.clone());
        }
        let jwt = sign.await?;
        *latest = Some(SignedJwt {
            kid: kid.to_owned(),
            jwt: jwt.clone(),
        });
        Ok(jwt)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn many_callers_share_one_signature_of_each_key() {
        let (cell, signatures) = (JwtCell::default(), AtomicU32::new(0));
        let sign = async || {
            tokio::task::yield_now().await;
            let number = signatures.fetch_add(1, Ordering::Relaxed);
            Ok::<_, ()>(Bytes::from(number.to_string()))
        };
        for (kid, wanted) in [("first", "0"), ("second", "1")] {
            let [one, two, three] = [(); 3].map(|()| cell.get_or_sign(kid, sign()));
            let (one, two, three) = tokio::join!(one, two, three);
            assert_eq!([one, two, three], [(); 3].map(|()| Ok(Bytes::from(wanted))));
        }
    }

    #[tokio::test]
    async fn a_failed_signature_is_tried_again() {
        let cell = JwtCell::default();
        assert_eq!(
            cell.get_or_sign("kid", async { Err("no memory") }).await,
            Err("no memory")
        );
        let signed = cell.get_or_sign("kid", async { Ok::<_, ()>(Bytes::from("jwt")) });
        assert_eq!(signed.await, Ok(Bytes::from("jwt")));
    }
}
