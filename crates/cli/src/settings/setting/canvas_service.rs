//! The settings of the calls of Canvas's own subscription client.

use easel_keys::{Secret, ServicesJwtSecrets};
use easel_server::{CanvasServiceConfig, SecretReference};

use super::{
    CANVAS_LISTEN, CANVAS_PATH, OFF, Setting, not_blank, put, put_unless_off, show_path,
    show_secret,
};

pub(super) const ENCRYPTION_SECRET: Setting = Setting {
    key: CanvasServiceConfig::ENCRYPTION_SECRET,
    requirement: "exactly 32 bytes, the `encryption_secret` of Canvas, or \"off\"",
    set: |config, text| {
        let secret = &mut config.canvas_service.encryption_secret;
        put_unless_off(secret, text, encryption_secret)
    },
    is_secret: true,
    show: |config| show_secret(config.canvas_service.encryption_secret.as_ref()),
};

pub(super) const SIGNING_SECRET: Setting = Setting {
    key: CanvasServiceConfig::SIGNING_SECRET,
    requirement: "the `signing_secret` of Canvas, or \"off\"",
    set: |config, text| {
        let secret = &mut config.canvas_service.signing_secret;
        put_unless_off(secret, text, signing_secret)
    },
    is_secret: true,
    show: |config| show_secret(config.canvas_service.signing_secret.as_ref()),
};

pub(super) const DEPRECATED_SECRET: Setting = Setting {
    key: CanvasServiceConfig::DEPRECATED_SECRET,
    requirement: "the `signing_secret_deprecated` of Canvas, or \"off\"",
    set: |config, text| {
        let secret = &mut config.canvas_service.signing_secret_deprecated;
        put_unless_off(secret, text, signing_secret)
    },
    is_secret: true,
    show: |config| {
        let secret = config.canvas_service.signing_secret_deprecated.as_ref();
        show_secret(secret)
    },
};

pub(super) const JWKS_FILE: Setting = Setting {
    key: CanvasServiceConfig::JWKS_FILE,
    requirement: "the path of a file with a JWK set, or \"off\"",
    set: |config, text| put_unless_off(&mut config.canvas_service.jwks_file, text, not_blank),
    is_secret: false,
    show: |config| show_path(config.canvas_service.jwks_file.as_deref()),
};

pub(super) const PATH: Setting = Setting {
    key: CANVAS_PATH,
    requirement: "the path in the `app-host` of Canvas such as \"/canvas\", or \"off\"",
    set: |config, text| {
        let path = &mut config.canvas_service.path;
        put(path, canvas_path(text))
    },
    is_secret: false,
    show: |config| match config.canvas_service.path.as_str() {
        "" => OFF.to_owned(),
        path => path.to_owned(),
    },
};

pub(super) const LISTEN: Setting = Setting {
    key: CANVAS_LISTEN,
    requirement: "an address and port such as \"127.0.0.1:4568\", or \"off\"",
    set: |config, text| {
        let listen = &mut config.canvas_service.listen;
        put_unless_off(listen, text, |text| text.parse().ok())
    },
    is_secret: false,
    show: |config| {
        let listen = config.canvas_service.listen;
        listen.map_or(OFF.to_owned(), |listen| listen.to_string())
    },
};

/// Accepts a secret of Canvas, or a reference to one.
fn canvas_secret(text: &str, check: fn(&str) -> Result<(), String>) -> Option<Secret<String>> {
    let is_valid = SecretReference::parse(text).is_some() || check(text).is_ok();
    is_valid.then(|| Secret::new(text.to_owned()))
}

fn encryption_secret(text: &str) -> Option<Secret<String>> {
    canvas_secret(text, ServicesJwtSecrets::check_encryption)
}

fn signing_secret(text: &str) -> Option<Secret<String>> {
    canvas_secret(text, ServicesJwtSecrets::check_signing)
}

fn canvas_path(text: &str) -> Option<String> {
    let path = if text == OFF { "" } else { text };
    let is_valid = CanvasServiceConfig::check_path(path).is_ok();
    is_valid.then(|| path.to_owned())
}
