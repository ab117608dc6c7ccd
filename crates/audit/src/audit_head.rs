//! The file `audit.head`: the newest entry and the last removed one, apart from the entries.
//!
//! Without this file, somebody could cut off the newest entries, and the rest would be a valid chain. The
//! file is JSON: `format` (1), `number` and `mac` of the newest entry, `anchor_number` and `anchor_mac` of the
//! last entry that retention removed (0 and zeros at first), and `authentication`, an HMAC of all the
//! other members. It is replaced as a whole and synced after each commit. So after a crash it is behind by
//! at most one commit.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::EntryMac;
use crate::chain_key::{ChainKey, MacUse};

/// The name of the file beside `audit.db`.
pub const AUDIT_HEAD: &str = "audit.head";

const FORMAT: u32 = 1;

/// An entry that is named by its number and its MAC. As text it is `NUMBER:MAC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainPoint {
    /// The number of the entry.
    pub number: u64,
    /// The MAC of the entry.
    pub mac: EntryMac,
}

/// The content of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AuditHead {
    /// The newest entry.
    pub(crate) newest: ChainPoint,
    /// The last entry that retention removed.
    pub(crate) anchor: ChainPoint,
}

/// The file as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FoundHead {
    Missing,
    /// The file is not one that this audit has written.
    Changed,
    Authentic(AuditHead),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadJson {
    format: u32,
    number: u64,
    mac: String,
    anchor_number: u64,
    anchor_mac: String,
    authentication: String,
}

impl ChainPoint {
    /// The point before the first entry.
    pub const START: Self = Self {
        number: 0,
        mac: EntryMac::NONE,
    };
}

impl fmt::Display for ChainPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, self.mac)
    }
}

impl FromStr for ChainPoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid =
            || format!("it must be NUMBER:MAC, as `easel audit verify` prints it, not {text:?}");
        let (number, mac) = text.split_once(':').ok_or_else(invalid)?;
        Ok(Self {
            number: number.parse().map_err(|_not_a_number| invalid())?,
            mac: mac.parse().map_err(|_not_a_mac| invalid())?,
        })
    }
}

impl AuditHead {
    /// The head of an audit without entries.
    pub(crate) const START: Self = Self {
        newest: ChainPoint::START,
        anchor: ChainPoint::START,
    };

    /// Replaces the file. It is on stable storage when this returns.
    pub(crate) fn write(&self, path: &Path, key: &ChainKey) -> io::Result<()> {
        let json = serde_json::to_vec_pretty(&HeadJson {
            format: FORMAT,
            number: self.newest.number,
            mac: self.newest.mac.to_string(),
            anchor_number: self.anchor.number,
            anchor_mac: self.anchor.mac.to_string(),
            authentication: self.authentication(key).to_string(),
        })?;
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".new");
        let temporary = PathBuf::from(temporary);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&temporary)?;
        file.write_all(&json)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    /// Reads the file, whoever has written it. For a copy, which is made without the key.
    pub(crate) fn read_unverified(path: &Path) -> io::Result<Option<Self>> {
        let json = match fs::read(path) {
            Ok(json) => json,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(parse(&json).map(|(head, _authentication)| head))
    }

    fn authentication(&self, key: &ChainKey) -> EntryMac {
        let mut message = FORMAT.to_be_bytes().to_vec();
        for point in [self.newest, self.anchor] {
            message.extend_from_slice(&point.number.to_be_bytes());
            message.extend_from_slice(point.mac.as_bytes());
        }
        key.mac(MacUse::Head, &message)
    }
}

impl FoundHead {
    /// Reads the file and checks who has written it.
    pub(crate) fn read(path: &Path, key: &ChainKey) -> io::Result<Self> {
        let json = match fs::read(path) {
            Ok(json) => json,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Missing),
            Err(error) => return Err(error),
        };
        Ok(match parse(&json) {
            Some((head, authentication)) if head.authentication(key) == authentication => {
                Self::Authentic(head)
            }
            Some(_) | None => Self::Changed,
        })
    }
}

fn parse(json: &[u8]) -> Option<(AuditHead, EntryMac)> {
    let json: HeadJson = serde_json::from_slice(json).ok()?;
    if json.format != FORMAT {
        return None;
    }
    let head = AuditHead {
        newest: ChainPoint {
            number: json.number,
            mac: json.mac.parse().ok()?,
        },
        anchor: ChainPoint {
            number: json.anchor_number,
            mac: json.anchor_mac.parse().ok()?,
        },
    };
    Some((head, json.authentication.parse().ok()?))
}
