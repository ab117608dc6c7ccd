//! Secrets that are outside the settings file and the command line: `env:NAME` and `file:PATH`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use easel_keys::Secret;
use easel_server::{CanvasServiceConfig, SecretReference, SourceSpec, Spec};

/// The largest file with a secret.
const MAX_BYTES: u64 = 64 << 10;

/// Returns the secret of a reference. The error describes what is wrong, without the secret.
pub(crate) fn read_secret(reference: SecretReference<'_>) -> Result<Secret<String>, String> {
    match reference {
        SecretReference::Environment(name) => {
            let fault = |what| format!("the environment variable {name} is {what}");
            let value = std::env::var_os(name).ok_or_else(|| fault("not set"))?;
            let value = value.into_string();
            let value = value.map_err(|_not_utf8| fault("not UTF-8 text"))?;
            if value.is_empty() {
                return Err(fault("empty"));
            }
            Ok(Secret::new(value))
        }
        SecretReference::File(path) => {
            let text = read_text_file(Path::new(path))?;
            let secret = text.expose().trim_end();
            if secret.is_empty() {
                return Err(format!("the file {path} is empty"));
            }
            Ok(Secret::new(secret.to_owned()))
        }
    }
}

/// Replaces all references in a spec. Returns one error for each that cannot be read.
pub(super) fn resolve_secrets(spec: &mut Spec) -> Result<(), Vec<String>> {
    let resolved = spec.resolve_secrets(&read_secret);
    resolved.map_err(|faults| {
        let faults = faults.into_iter();
        let faults =
            faults.map(|(path, fault)| format!("subscription {}: {path}: {fault}", spec.name));
        faults.collect()
    })
}

/// Replaces the references among the secrets of Canvas. Returns the key of each setting whose reference cannot be
/// read, with the fault.
pub(super) fn resolve_canvas_secrets(
    config: &mut CanvasServiceConfig,
) -> Vec<(&'static str, String)> {
    let secrets = [
        (
            CanvasServiceConfig::ENCRYPTION_SECRET,
            &mut config.encryption_secret,
        ),
        (
            CanvasServiceConfig::SIGNING_SECRET,
            &mut config.signing_secret,
        ),
        (
            CanvasServiceConfig::DEPRECATED_SECRET,
            &mut config.signing_secret_deprecated,
        ),
    ];
    let mut faults = Vec::new();
    for (key, secret) in secrets {
        let text = secret.as_ref().map(|secret| secret.expose().clone());
        let Some(reference) = text.as_deref().and_then(SecretReference::parse) else {
            continue;
        };
        match read_secret(reference) {
            Ok(read) => *secret = Some(read),
            Err(fault) => faults.push((key, fault)),
        }
    }
    faults
}

/// Replaces all references in a source. Returns one error for each that cannot be read.
pub(super) fn resolve_source_secrets(source: &mut SourceSpec) -> Result<(), Vec<String>> {
    let resolved = source.resolve_secrets(&read_secret);
    resolved.map_err(|faults| {
        let faults = faults.into_iter();
        let faults =
            faults.map(|(member, fault)| format!("source {}: {member}: {fault}", source.name));
        faults.collect()
    })
}

/// Reads a small file with a secret or a certificate.
pub(crate) fn read_text_file(path: &Path) -> Result<Secret<String>, String> {
    let source = format!("the file {}", path.display());
    let file = File::open(path).map_err(|error| format!("failed to read {source}: {error}"))?;
    read_text(file, &source)
}

/// Reads a small text with a secret or a certificate. The error names the source.
pub(crate) fn read_text(reader: impl Read, source: &str) -> Result<Secret<String>, String> {
    // Long enough for a whole text, so that no part of a secret stays in a smaller buffer.
    let mut bytes = Vec::with_capacity(usize::try_from(MAX_BYTES + 1).unwrap_or_default());
    let read = reader.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    let bytes_read = read.map_err(|error| format!("failed to read {source}: {error}"))?;
    if u64::try_from(bytes_read).unwrap_or(u64::MAX) > MAX_BYTES {
        let max = MAX_BYTES >> 10;
        return Err(format!("{source} is larger than {max} KiB"));
    }
    let text = String::from_utf8(bytes);
    text.map(Secret::new)
        .map_err(|_not_utf8| format!("{source} is not UTF-8 text"))
}
