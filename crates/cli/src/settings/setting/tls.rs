//! The settings of TLS and of the listener for monitoring.

use std::time::Duration;

use easel_server::{ClientCertificates, Config, TlsConfig};

use super::{
    OFF, Setting, WordList, duration, name_of, not_blank, one_of, put, put_unless_off,
    show_duration, show_path,
};

/// The longest time for which a browser may remember to use TLS: ten years.
const MAX_HSTS: Duration = Duration::from_hours(3_650 * 24);

/// The settings that a reload applies, as long as TLS stays on.
pub(crate) const RELOADABLE: [&str; 5] = [
    CERT.key,
    KEY.key,
    CLIENT_CA.key,
    CLIENT_CERTIFICATES.key,
    HSTS.key,
];

pub(super) const CERT: Setting = Setting {
    key: TlsConfig::CERT,
    requirement: "the path of a PEM file with a certificate, or \"off\"",
    set: |config, text| put_unless_off(&mut config.tls.cert, text, not_blank),
    is_secret: false,
    show: |config| show_path(config.tls.cert.as_deref()),
};

/// The path is no secret; the file is.
pub(super) const KEY: Setting = Setting {
    key: TlsConfig::KEY,
    requirement: "the path of a PEM file with a private key, or \"off\"",
    set: |config, text| put_unless_off(&mut config.tls.key, text, not_blank),
    is_secret: false,
    show: |config| show_path(config.tls.key.as_deref()),
};

pub(super) const CLIENT_CA: Setting = Setting {
    key: TlsConfig::CLIENT_CA,
    requirement: "the path of a PEM file with certificate authorities, or \"off\"",
    set: |config, text| put_unless_off(&mut config.tls.client_ca, text, not_blank),
    is_secret: false,
    show: |config| show_path(config.tls.client_ca.as_deref()),
};

pub(super) const CLIENT_CERTIFICATES: Setting = Setting {
    key: "tls.client_certificates",
    requirement: "\"required\" or \"optional\"",
    set: |config, text| {
        let value = one_of(text, &CLIENT_CERTIFICATE_MODES);
        put(&mut config.tls.client_certificates, value)
    },
    is_secret: false,
    show: |config| name_of(config.tls.client_certificates, &CLIENT_CERTIFICATE_MODES),
};

pub(super) const HSTS: Setting = Setting {
    key: "tls.hsts",
    requirement: "a length of time up to 3650d such as \"365d\", or \"0s\" to say nothing",
    set: |config, text| put(&mut config.tls.hsts, hsts(text)),
    is_secret: false,
    show: show_hsts,
};

pub(super) const METRICS_LISTEN: Setting = Setting {
    key: "metrics.listen",
    requirement: "an address and port such as \"127.0.0.1:9090\", or \"off\"",
    set: |config, text| {
        let listen = &mut config.metrics.listen;
        put_unless_off(listen, text, |text| text.parse().ok())
    },
    is_secret: false,
    show: |config| {
        let listen = config.metrics.listen;
        listen.map_or(OFF.to_owned(), |listen| listen.to_string())
    },
};

const CLIENT_CERTIFICATE_MODES: WordList<ClientCertificates> = [
    ("required", ClientCertificates::Required),
    ("optional", ClientCertificates::Optional),
];

fn hsts(text: &str) -> Option<Duration> {
    duration(text).filter(|hsts| *hsts <= MAX_HSTS)
}

fn show_hsts(config: &Config) -> String {
    show_duration(config.tls.hsts)
}
