//! Reads the PEM files of TLS: the certificates, the private key, and the authorities of clients.
//!
//! The files are read together, and a digest of their bytes tells whether one of them has changed.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use blake3::{Hash, Hasher};
use easel_keys::Secret;

use crate::tls_config::{TlsConfig, TlsFault};

/// A larger file is not a PEM file of certificates or of a key.
const MAX_BYTES: u64 = 4 << 20;
/// The permission to read for every user of the machine.
const READABLE_BY_OTHERS: u32 = 0o004;

/// One PEM file.
#[derive(Debug)]
pub(crate) struct PemFile<T> {
    /// The key of the setting with the path.
    pub(crate) setting: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) bytes: T,
}

/// The bytes of all files of TLS.
#[derive(Debug)]
pub(crate) struct TlsFiles {
    pub(crate) cert: PemFile<Vec<u8>>,
    pub(crate) key: PemFile<Secret<Vec<u8>>>,
    pub(crate) client_ca: Option<PemFile<Vec<u8>>>,
    /// Whether every user of the machine can read the private key.
    pub(crate) is_key_public: bool,
}

impl TlsFiles {
    /// Reads the files of these settings. Returns `None` if TLS is off.
    pub(crate) fn read(config: &TlsConfig) -> Result<Option<Self>, TlsFault> {
        let missing = |setting, other| TlsFault {
            setting,
            fault: format!("must be set, because {other} is set"),
        };
        let (cert, key) = match (&config.cert, &config.key) {
            (Some(cert), Some(key)) => (cert, key),
            (Some(_), None) => return Err(missing(TlsConfig::KEY, TlsConfig::CERT)),
            (None, Some(_)) => return Err(missing(TlsConfig::CERT, TlsConfig::KEY)),
            (None, None) if config.client_ca.is_some() => {
                return Err(missing(TlsConfig::CERT, TlsConfig::CLIENT_CA));
            }
            (None, None) => return Ok(None),
        };
        let (cert, _) = read(TlsConfig::CERT, cert)?;
        let (key, key_metadata) = read(TlsConfig::KEY, key)?;
        let client_ca = config.client_ca.as_deref();
        let client_ca = client_ca.map(|path| read(TlsConfig::CLIENT_CA, path));
        let client_ca = client_ca.transpose()?.map(|(file, _)| file);
        Ok(Some(Self {
            cert,
            is_key_public: key_metadata.permissions().mode() & READABLE_BY_OTHERS != 0,
            key: PemFile {
                setting: key.setting,
                path: key.path,
                bytes: Secret::new(key.bytes),
            },
            client_ca,
        }))
    }

    /// Returns a digest of all bytes.
    pub(crate) fn digest(&self) -> Hash {
        let mut hasher = Hasher::new();
        let client_ca = self.client_ca.as_ref();
        let all = [
            Some(self.cert.bytes.as_slice()),
            Some(self.key.bytes.expose().as_slice()),
            client_ca.map(|file| file.bytes.as_slice()),
        ];
        for bytes in all.into_iter().flatten() {
            // The length keeps the bytes of two files apart.
            hasher.update(&bytes.len().to_le_bytes());
            hasher.update(bytes);
        }
        hasher.finalize()
    }
}

impl<T> PemFile<T> {
    /// Returns a fault of this file. `what` reads after the path.
    pub(crate) fn fault(&self, what: &str) -> TlsFault {
        TlsFault {
            setting: self.setting,
            fault: format!("{} {what}", self.path.display()),
        }
    }
}

fn read(setting: &'static str, path: &Path) -> Result<(PemFile<Vec<u8>>, Metadata), TlsFault> {
    let mut file = PemFile {
        setting,
        path: path.to_owned(),
        bytes: Vec::new(),
    };
    let metadata = read_bytes(path, &mut file.bytes);
    let metadata = metadata.map_err(|error| file.fault(&format!("cannot be read: {error}")))?;
    Ok((file, metadata))
}

fn read_bytes(path: &Path, bytes: &mut Vec<u8>) -> io::Result<Metadata> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if metadata.len() > MAX_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    // The whole size at once, so that no copy of a key is left behind in memory.
    bytes.reserve_exact(usize::try_from(metadata.len()).unwrap_or_default() + 1);
    file.take(MAX_BYTES).read_to_end(bytes)?;
    Ok(metadata)
}
