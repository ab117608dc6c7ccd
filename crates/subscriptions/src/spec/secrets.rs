//! The secrets in a spec.
//!
//! The API never shows a secret. It shows [`SHOWN`] in place of a secret, and in place of the query and of the
//! user name and password of a URL. A change of a subscription that has these texts keeps the current secrets.

use easel_keys::{Secret, SecretReference, SecretUrl};

use super::{Authentication, Signing, SinkSpec, Spec, WebhookSpec};

/// The text that is shown in place of a secret.
pub(super) const SHOWN: &str = "…";

/// A secret in a spec.
struct Position<'a> {
    /// The place in the JSON of the spec, as a path such as `webhook.headers.x-key`.
    path: String,
    secret: &'a mut Secret<String>,
}

impl Position<'_> {
    /// Returns true if the endpoint receives the secret itself, and not only a signature.
    fn is_sent(&self) -> bool {
        let prefixes = ["webhook.headers.", "webhook.authentication."];
        prefixes.iter().any(|prefix| self.path.starts_with(prefix))
    }

    fn is_for_signing(&self) -> bool {
        self.path.starts_with("webhook.signing.")
    }
}

impl Spec {
    /// Takes the secrets of `current` where this spec has the texts that are shown in their place.
    ///
    /// Some secrets are not taken. Their texts stay, and validation refuses them:
    ///
    /// - headers and authentication, if the URL has another origin: whoever can change the URL must not be
    ///   able to read them;
    /// - signing secrets, if there are fewer than before: it is unclear which ones are removed.
    #[must_use]
    pub fn keep_secrets(mut self, current: &Self, has_same_origin: bool) -> Self {
        let mut current = current.clone();
        if self.sink.url_path() == current.sink.url_path()
            && self.sink.url().expose() == current.sink.url().without_secrets()
        {
            *self.sink.url_mut() = current.sink.url().clone();
        }
        let signing_secret_count =
            |sink: &SinkSpec| sink.webhook().map_or(0, WebhookSpec::signing_secret_count);
        let are_removed = signing_secret_count(&self.sink) < signing_secret_count(&current.sink);
        let current = current.secrets();
        for position in self.secrets() {
            if !has_same_origin && position.is_sent() || are_removed && position.is_for_signing() {
                continue;
            }
            let found = current.iter().find(|other| other.path == position.path);
            if let Some(other) = found.filter(|_| position.secret.expose() == SHOWN) {
                *position.secret = other.secret.clone();
            }
        }
        self
    }

    /// Replaces the references `env:NAME` and `file:PATH` with the texts that `read` returns. References can
    /// stand for secrets, the URL, the client certificate and the id of an access key. Only the configuration file may have them.
    ///
    /// # Errors
    ///
    /// Returns the place of each reference that `read` rejected, with the error of `read`.
    pub fn resolve_secrets(
        &mut self,
        read: &dyn Fn(SecretReference<'_>) -> Result<Secret<String>, String>,
    ) -> Result<(), Vec<(String, String)>> {
        let mut faults = Vec::new();
        let mut read = |path: &str, text: &str| {
            let read = read(SecretReference::parse(text)?);
            read.map_err(|fault| faults.push((path.to_owned(), fault)))
                .ok()
        };
        let url_path = self.sink.url_path();
        if let Some(url) = read(url_path, self.sink.url().expose()) {
            *self.sink.url_mut() = SecretUrl::from_secret(url);
        }
        if let Some((path, public)) = self.sink.public_text_mut()
            && let Some(text) = read(path, public)
        {
            public.clone_from(text.expose());
        }
        for position in self.secrets() {
            if let Some(secret) = read(&position.path, position.secret.expose()) {
                *position.secret = secret;
            }
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    /// Returns true if the spec has [`SHOWN`] in place of a secret.
    pub(crate) fn lacks_secrets(&self) -> bool {
        let mut copy = self.clone();
        let secrets = copy.secrets();
        let mut texts = secrets.iter().map(|position| position.secret.expose());
        self.sink.url().expose().contains(SHOWN) || texts.any(|text| text == SHOWN)
    }

    /// Rejects a text that stands for a secret, and a reference to a secret.
    pub(super) fn validate_secrets(&self) -> Result<(), String> {
        if self.sink.url().expose().contains(SHOWN) {
            return Err(format!(
                "{} must be a whole URL; {SHOWN:?} only stands for a secret part that is not shown",
                self.sink.url_path()
            ));
        }
        for Position { path, secret } in self.clone().secrets() {
            let text = secret.expose();
            if text.is_empty() {
                return Err(format!("{path} must not be empty"));
            }
            if text == SHOWN {
                return Err(format!(
                    "{path} must be a secret, not {SHOWN:?}, which only stands for a secret; if you change \
                     the host of the URL or remove signing secrets, set the secret again"
                ));
            }
            if SecretReference::parse(text).is_some() {
                return Err(format!(
                    "{path} must be a secret; only the configuration file may have a reference such \
                     as env:NAME or file:PATH"
                ));
            }
        }
        Ok(())
    }

    /// Returns all secrets except the URL.
    fn secrets(&mut self) -> Vec<Position<'_>> {
        let mut positions = Vec::new();
        let mut add = |path: String, secret| positions.push(Position { path, secret });
        let webhook = match &mut self.sink {
            SinkSpec::Webhook(webhook) => webhook,
            // The only secret of tables is their URL.
            SinkSpec::Sql(_) => return positions,
            SinkSpec::Sqs(sqs) => {
                if let Some(secret) = sqs.secret_access_key_mut() {
                    add("sqs.secret_access_key".to_owned(), secret);
                }
                return positions;
            }
        };
        if let Some(Signing::Standard { secrets }) = &mut webhook.signing {
            for (index, secret) in secrets.iter_mut().enumerate() {
                add(format!("webhook.signing.standard.secrets[{index}]"), secret);
            }
        }
        match &mut webhook.authentication {
            Some(Authentication::Basic { password, .. }) => {
                add("webhook.authentication.basic.password".to_owned(), password);
            }
            Some(Authentication::Bearer(token)) => {
                add("webhook.authentication.bearer".to_owned(), token);
            }
            None => (),
        }
        for (name, value) in &mut webhook.headers {
            add(format!("webhook.headers.{name}"), value);
        }
        if let Some(certificate) = &mut webhook.client_certificate {
            add(
                "webhook.client_certificate.key".to_owned(),
                &mut certificate.key,
            );
        }
        positions
    }
}

impl SinkSpec {
    const fn url_mut(&mut self) -> &mut SecretUrl {
        match self {
            Self::Webhook(webhook) => &mut webhook.url,
            Self::Sql(sql) => &mut sql.url,
            Self::Sqs(sqs) => &mut sqs.queue_url,
        }
    }

    /// Returns the text that is no secret but may be a reference, with its place in the JSON: a certificate, or
    /// the id of an access key.
    fn public_text_mut(&mut self) -> Option<(&'static str, &mut String)> {
        match self {
            Self::Webhook(webhook) => {
                let certificate = webhook.client_certificate.as_mut()?;
                let path = "webhook.client_certificate.certificate";
                Some((path, &mut certificate.certificate))
            }
            Self::Sql(sql) => Some(("sql.ca", sql.ca.as_mut()?)),
            Self::Sqs(sqs) => Some(("sqs.access_key_id", sqs.access_key_id_mut()?)),
        }
    }
}

#[cfg(test)]
mod tests;
