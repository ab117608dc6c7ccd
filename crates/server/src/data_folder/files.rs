//! The files of a data folder that hold data.

use easel_access::ACCESS_LAYOUT;
use easel_audit::AUDIT_LAYOUT;
use easel_drift::DRIFT_LAYOUT;
use easel_keys::KEYS_LAYOUT;
use easel_log::LogName;
use easel_log_sqlite::SqliteLog;
use easel_sources::SOURCES_LAYOUT;
use easel_sqlite::Layout;
use easel_subscriptions::STATE_LAYOUT;

pub(crate) const LOG: &str = "log.db";
pub(crate) const QUARANTINE: &str = "quarantine.db";
pub(crate) const STATE: &str = "state.db";
pub(crate) const DRIFT: &str = "drift.db";
pub(crate) const ACCESS: &str = "access.db";
pub(crate) const KEYS: &str = "keys.db";
pub(crate) const SOURCES: &str = "sources.db";
pub(crate) const AUDIT: &str = "audit.db";

/// A data file and its layout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FolderFile {
    pub(crate) name: &'static str,
    pub(crate) layout: &'static Layout,
}

/// All data files. The log comes last, so that in a copy no file is ahead of the log. The sources come first, so that no
/// saved position of an import is ahead of the quarantine.
pub(crate) static FILES: [FolderFile; 8] = [
    FolderFile {
        name: SOURCES,
        layout: &SOURCES_LAYOUT,
    },
    FolderFile {
        name: QUARANTINE,
        layout: SqliteLog::layout(LogName::Quarantine),
    },
    FolderFile {
        name: ACCESS,
        layout: &ACCESS_LAYOUT,
    },
    FolderFile {
        name: KEYS,
        layout: &KEYS_LAYOUT,
    },
    FolderFile {
        name: STATE,
        layout: &STATE_LAYOUT,
    },
    FolderFile {
        name: AUDIT,
        layout: &AUDIT_LAYOUT,
    },
    FolderFile {
        name: DRIFT,
        layout: &DRIFT_LAYOUT,
    },
    FolderFile {
        name: LOG,
        layout: SqliteLog::layout(LogName::Events),
    },
];
