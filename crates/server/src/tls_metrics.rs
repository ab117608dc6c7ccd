//! The metrics of TLS.

use jiff::Timestamp;
use metrics::{counter, describe_counter, describe_gauge, gauge};

const EXPIRY: &str = "easel_tls_certificate_expiry_seconds";
const FAILING: &str = "easel_tls_files_failing";
const HANDSHAKES: &str = "easel_tls_handshakes_total";

/// What became of a connection to a TLS port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandshakeOutcome {
    /// The handshake was completed, without a certificate of the client.
    Done,
    /// The handshake was completed, with a valid certificate of the client.
    DoneWithCertificate,
    /// The client or the server ended the handshake.
    Failed,
    /// The client was too slow.
    TimedOut,
    /// The client sent HTTP without TLS.
    PlainHttp,
}

/// Whether the last change of the files was taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FilesState {
    /// The server uses what is in the files.
    InUse,
    /// The server cannot use the files, and still uses the ones of before.
    Failing,
}

impl HandshakeOutcome {
    const ALL: [Self; 5] = [
        Self::Done,
        Self::DoneWithCertificate,
        Self::Failed,
        Self::TimedOut,
        Self::PlainHttp,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::DoneWithCertificate => "done_with_certificate",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::PlainHttp => "plain_http",
        }
    }

    /// Counts one connection.
    pub(crate) fn count(self) {
        counter!(HANDSHAKES, "outcome" => self.as_str()).increment(1);
    }
}

/// Describes each metric, and creates the counters, so that the first scrape finds them.
pub(crate) fn init() {
    describe_gauge!(
        EXPIRY,
        "Time at which the first certificate of tls.cert expires, in seconds since 1970; infinite without TLS."
    );
    describe_gauge!(
        FAILING,
        "1 while the files of TLS cannot be used and the certificate of before stays in use, else 0."
    );
    describe_counter!(
        HANDSHAKES,
        "Connections to TLS ports, by outcome of the handshake."
    );
    for outcome in HandshakeOutcome::ALL {
        counter!(HANDSHAKES, "outcome" => outcome.as_str()).absolute(0);
    }
}

/// Sets the gauges. `expires_at` is `None` without TLS.
pub(crate) fn set_gauges(expires_at: Option<Timestamp>, state: FilesState) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge is a float; seconds of this millennium are exact"
    )]
    let seconds = expires_at.map_or(f64::INFINITY, |time| time.as_second() as f64);
    gauge!(EXPIRY).set(seconds);
    gauge!(FAILING).set(match state {
        FilesState::InUse => 0.0,
        FilesState::Failing => 1.0,
    });
}
