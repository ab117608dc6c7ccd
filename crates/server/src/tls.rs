//! The TLS of all listeners, which can change while the server runs.
//!
//! A new connection uses the newest certificate. An open connection goes on with the one of its handshake.
//! The files are read again every few seconds, because programs that renew certificates only replace the
//! files. If the new files cannot be used, the old certificate stays in use; the log output, a metric and
//! `easel status` say so.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::http::HeaderValue;
use easel_log::{Clock, run_blocking};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;
use tracing::{error, info, warn};

use crate::tls_config::{TlsConfig, TlsFault};
use crate::tls_files::TlsFiles;
use crate::tls_identity::TlsIdentity;
use crate::tls_metrics::{self, FilesState};

/// The interval at which the files are read.
const INTERVAL: Duration = Duration::from_secs(5);
/// The interval of warnings of a certificate that expires soon.
const WARN_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// The TLS of all listeners. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Tls(Arc<RwLock<Current>>);

#[derive(Debug)]
struct Current {
    config: TlsConfig,
    identity: TlsIdentity,
    hsts: Option<HeaderValue>,
    /// Why the files cannot be used.
    fault: Option<TlsFault>,
}

/// What a new connection needs.
#[derive(Clone)]
pub(crate) struct TlsAccept {
    pub(crate) acceptor: TlsAcceptor,
    /// The header `strict-transport-security` of every answer.
    pub(crate) hsts: Option<HeaderValue>,
}

impl Tls {
    pub(crate) fn new(config: TlsConfig, identity: TlsIdentity) -> Self {
        Self(Arc::new(RwLock::new(Current::new(config, identity))))
    }

    /// Returns what a new connection needs.
    pub(crate) fn accept(&self) -> TlsAccept {
        self.read(|current| TlsAccept {
            acceptor: TlsAcceptor::from(Arc::clone(&current.identity.server)),
            hsts: current.hsts.clone(),
        })
    }

    /// Uses other settings from now on. Returns whether something changed.
    pub(crate) fn replace(&self, config: TlsConfig, identity: TlsIdentity) -> bool {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_same = current.config == config && current.identity.digest == identity.digest;
        if !is_same || current.fault.is_some() {
            *current = Current::new(config, identity);
        }
        !is_same
    }

    /// Returns what an operator must repair: files that cannot be used, or a certificate that expires soon.
    pub(crate) fn problem(&self, now: Timestamp) -> Option<String> {
        self.read(|current| match &current.fault {
            Some(fault) => Some(format!("the old certificate stays in use: {fault}")),
            None => current.identity.period_warning(now),
        })
    }

    fn read<T>(&self, work: impl FnOnce(&Current) -> T) -> T {
        work(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Uses an identity of files that were read with `config`, unless the settings changed meanwhile.
    fn renew(&self, config: &TlsConfig, identity: TlsIdentity) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if current.config == *config {
            *current = Current::new(config.clone(), identity);
        }
    }

    fn set_fault(&self, fault: Option<TlsFault>) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        current.fault = fault;
    }
}

impl Current {
    fn new(config: TlsConfig, identity: TlsIdentity) -> Self {
        let seconds = config.hsts.as_secs();
        let hsts = HeaderValue::try_from(format!("max-age={seconds}"));
        Self {
            hsts: hsts.ok().filter(|_header| seconds > 0),
            config,
            identity,
            fault: None,
        }
    }
}

/// Watches the files of TLS.
#[derive(Debug)]
pub(crate) struct TlsWatch {
    tls: Option<Tls>,
    /// The fault of the last look. It counts from the second look on: a program may be about to replace the
    /// key after the certificate.
    suspected: Option<TlsFault>,
    warned_at: Option<Timestamp>,
}

/// What one look at the files found.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    Same,
    Renewed,
    /// The files cannot be used, for the first time.
    Suspected,
    /// The files still cannot be used.
    Failing,
}

impl TlsWatch {
    pub(crate) fn new(tls: Option<Tls>) -> Self {
        tls_metrics::init();
        let watch = Self {
            tls,
            suspected: None,
            warned_at: None,
        };
        watch.set_gauges();
        watch
    }

    /// Looks at the files in a loop, until the future is dropped. Without TLS, it only sets the gauges.
    pub(crate) async fn run(mut self, clock: &dyn Clock) -> Infallible {
        let mut tick = interval(INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Some(tls) = self.tls.clone() {
                self.look(&tls).await;
                self.warn(&tls, clock.now());
            }
            self.set_gauges();
        }
    }

    async fn look(&mut self, tls: &Tls) -> Look {
        let (config, digest) =
            tls.read(|current| (current.config.clone(), current.identity.digest));
        let reading = config.clone();
        let read = run_blocking(move || {
            let Some(files) = TlsFiles::read(&reading)? else {
                return Ok(None);
            };
            if files.digest() == digest {
                return Ok(None);
            }
            TlsIdentity::new(&files, reading.client_certificates).map(Some)
        });
        let fault = match read.await {
            Ok(None) => {
                self.suspected = None;
                tls.set_fault(None);
                return Look::Same;
            }
            Ok(Some(identity)) => {
                self.suspected = None;
                self.warned_at = None;
                info!(expires_at = %identity.expires_at, "certificate re-read");
                tls.renew(&config, identity);
                return Look::Renewed;
            }
            Err(fault) => fault,
        };
        let is_known = tls.read(|current| current.fault.as_ref() == Some(&fault));
        if !is_known && self.suspected.as_ref() != Some(&fault) {
            self.suspected = Some(fault);
            return Look::Suspected;
        }
        if !is_known {
            error!(%fault, "new certificate not used; the old one stays in use");
            tls.set_fault(Some(fault));
        }
        Look::Failing
    }

    /// Logs a warning once a day if a certificate is not valid or expires soon.
    fn warn(&mut self, tls: &Tls, now: Timestamp) {
        let is_due = |warned_at: Timestamp| now.duration_since(warned_at) >= WARN_EVERY;
        if !self.warned_at.is_none_or(is_due) {
            return;
        }
        if let Some(warning) = tls.read(|current| current.identity.period_warning(now)) {
            warn!(warning, "certificate needs attention");
            self.warned_at = Some(now);
        }
    }

    fn set_gauges(&self) {
        let (expires_at, state) = match &self.tls {
            None => (None, FilesState::InUse),
            Some(tls) => tls.read(|current| {
                let state = match current.fault {
                    None => FilesState::InUse,
                    Some(_) => FilesState::Failing,
                };
                (Some(current.identity.expires_at), state)
            }),
        };
        tls_metrics::set_gauges(expires_at, state);
    }
}

#[cfg(test)]
mod tests;
