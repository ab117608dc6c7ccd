//! Repairs a data folder: `easel repair`.
//!
//! A repair deletes nothing. It renames files that cannot be used. The log continues above every
//! offset that any file has seen, so that no offset ever means two events. Missing offsets read as
//! damaged. They count as expired for every subscription that had not handled them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use easel_audit::AUDIT_HEAD;
use easel_log::{Offset, SystemClock};
use easel_log_sqlite::SqliteLog;
use easel_sqlite::{Identity, SIDE_FILES, side_file};
use easel_subscriptions::{StoredCursor, stored_cursors};

use super::files::{ACCESS, AUDIT, DRIFT, FILES, KEYS, LOG, QUARANTINE, SOURCES, STATE};
use super::findings::{Findings, FolderFault, FoundFile};
use super::{DataFolder, FolderError};

/// The plan of a repair. The data folder is locked until the plan is dropped.
#[derive(Debug)]
pub struct Repair {
    folder: DataFolder,
    identity: Option<Identity>,
    generation: u64,
    /// The files to rename, with their new names.
    set_aside: Vec<(&'static str, String)>,
    /// The offset at which a new log begins.
    tail: u64,
    /// The offset at which the log continues.
    head: u64,
    steps: Vec<String>,
}

/// What a repair does with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileAction {
    /// It uses the file.
    Use,
    /// It uses the file, although the file is older than other files.
    UseOlder,
    /// It creates a new file.
    Create,
}

impl Repair {
    /// Reads the folder and plans the repair. Changes nothing. The log continues at `above` or later,
    /// because a destination has seen the log up to `above`.
    pub fn plan(path: &Path, above: u64) -> Result<Self, FolderError> {
        let folder = DataFolder::lock_existing(path)?;
        let findings = Findings::read(path);
        let faults = findings.faults();
        if faults.iter().any(|fault| !fault.is_repairable()) {
            return Err(FolderError::faulty(path, faults));
        }
        let mut repair = Self {
            folder,
            identity: findings.identity(),
            generation: findings.generation(),
            set_aside: Vec::new(),
            tail: 0,
            head: 0,
            steps: Vec::new(),
        };
        let actions: Vec<_> = findings
            .files
            .iter()
            .map(|file| (file.file.name, repair.plan_file(&findings, file)))
            .collect();
        let action = |name| {
            let found = actions.iter().find(|(file, _action)| *file == name);
            found.map_or(FileAction::Create, |(_file, action)| *action)
        };
        let stored = match action(STATE) {
            FileAction::Create => Vec::new(),
            FileAction::Use | FileAction::UseOlder => stored_cursors(&repair.folder.file(STATE))
                .map_err(|error| FolderError::State {
                    path: path.to_owned(),
                    source: error,
                })?,
        };
        let old_head = match action(LOG) {
            FileAction::Create => None,
            FileAction::Use | FileAction::UseOlder => findings.log_head(),
        };
        repair.head = [findings.highest_seen().0, above, old_head.unwrap_or(0)]
            .into_iter()
            .max()
            .unwrap_or(0);
        let cursors = stored.iter().map(|stored| stored.cursor.get());
        repair.tail = old_head.unwrap_or_else(|| cursors.min().unwrap_or(repair.head));
        repair.plan_log(old_head);
        for stored in &stored {
            repair.plan_subscription(stored, old_head, action(STATE));
        }
        if !faults.is_empty() && repair.steps.is_empty() {
            repair.step("write a new manifest.json: all other files belong together");
        }
        Ok(repair)
    }

    /// Returns the steps of the plan, for people. Empty if the folder needs no repair.
    pub fn steps(&self) -> &[String] {
        &self.steps
    }

    /// Runs the plan.
    pub fn run(self) -> Result<(), FolderError> {
        if self.steps.is_empty() {
            return Ok(());
        }
        let Self {
            folder,
            identity,
            generation,
            set_aside,
            tail,
            head,
            steps: _,
        } = self;
        for (name, aside) in &set_aside {
            rename_with_side_files(&folder.file(name), &folder.file(aside))
                .map_err(|source| folder.io_error(source))?;
        }
        let identity = match identity {
            Some(identity) => identity,
            None => folder.new_identity()?,
        };
        let [tail, log_head] = [tail, head].map(Offset::new);
        let path = folder.file(LOG);
        SqliteLog::continue_at(&path, tail, log_head, &SystemClock).map_err(|source| {
            FolderError::Log {
                path: folder.path.clone(),
                source,
            }
        })?;
        folder.mark_all(identity, generation + 1, head)
    }

    fn step(&mut self, text: impl Into<String>) {
        self.steps.push(text.into());
    }

    fn plan_file(&mut self, findings: &Findings, file: &FoundFile) -> FileAction {
        let manifest = match &findings.manifest {
            Ok(manifest) => manifest.as_ref(),
            Err(_damaged) => None,
        };
        let name = file.file.name;
        let exists = matches!(file.found, Ok(Some(_)));
        match file.fault(manifest, findings.identity()) {
            // Without a manifest, the newest file decides which files are older.
            None if exists
                && manifest.is_none()
                && file.mark_generation().unwrap_or(0) < self.generation =>
            {
                let loss = loss_of_older(name);
                self.step(format!(
                    "use {name} unchanged: it is older than other files{loss}"
                ));
                return FileAction::UseOlder;
            }
            None if exists => return FileAction::Use,
            // A folder of an older version does not need this file.
            None => return FileAction::Create,
            Some(FolderFault::Missing { .. }) => (),
            Some(fault @ (FolderFault::Unmarked { .. } | FolderFault::Older { .. })) => {
                self.step(format!(
                    "use {name} unchanged: {fault}{}",
                    loss_of_older(name)
                ));
                return FileAction::UseOlder;
            }
            Some(fault) => {
                let aside = self.folder.free_name(name);
                self.step(format!("rename {name} to {aside}: {fault}"));
                self.set_aside.push((name, aside));
            }
        }
        if self
            .set_aside
            .iter()
            .all(|(renamed, _aside)| *renamed != name)
            && SIDE_FILES
                .iter()
                .any(|suffix| side_file(&self.folder.file(name), suffix).exists())
        {
            // The database of this WAL is missing. A new database would delete the WAL.
            let aside = self.folder.free_name(name);
            self.set_aside.push((name, aside));
        }
        self.step(format!("create a new {name}: {}", loss_of_new(name)));
        FileAction::Create
    }

    fn plan_log(&mut self, old_head: Option<u64>) {
        let (tail, head) = (self.tail, self.head);
        match old_head {
            Some(old_head) if old_head < head => self.step(format!(
                "continue log.db at offset {head}: offsets {old_head} to {} read as damaged",
                head - 1
            )),
            None if tail < head => self.step(format!(
                "begin log.db at offset {head}: offsets {tail} to {} read as damaged",
                head - 1
            )),
            None if head > 0 => self.step(format!("begin log.db at offset {head}")),
            Some(_) | None => (),
        }
    }

    /// Adds the steps for one subscription.
    fn plan_subscription(
        &mut self,
        stored: &StoredCursor,
        old_head: Option<u64>,
        state: FileAction,
    ) {
        let StoredCursor { name, cursor } = stored;
        let cursor = cursor.get();
        let readable_to = old_head.unwrap_or(self.tail);
        let lost_from = std::cmp::max(cursor, readable_to);
        if lost_from < self.head {
            let count = self.head - lost_from;
            let last = self.head - 1;
            self.step(format!(
                "subscription {name}: skip up to {count} events, offsets {lost_from} to {last}; \
                 they count as expired"
            ));
        }
        if state == FileAction::UseOlder && cursor < readable_to {
            let count = readable_to - cursor;
            self.step(format!(
                "subscription {name}: repeat up to {count} deliveries, from offset {cursor} on"
            ));
        }
    }
}

/// Returns what is lost when an older file is used.
fn loss_of_older(name: &str) -> &'static str {
    match name {
        STATE => "; later changes of subscriptions are lost",
        KEYS => {
            "; signing keys created later are lost; if the master key was rotated later, all secrets are \
             lost too"
        }
        ACCESS => "; tokens created later are lost, and tokens removed later are valid again",
        QUARANTINE => "; records quarantined later are lost",
        SOURCES => "; later changes of sources are lost",
        AUDIT => "; later entries are lost, and `easel audit verify` will say so",
        DRIFT => "; later events are scanned for drift again",
        _ => "",
    }
}

/// Returns what is lost when a new file is created.
fn loss_of_new(name: &str) -> &'static str {
    match name {
        LOG => "its events are lost, and duplicates of them are no longer recognised",
        STATE => {
            "subscriptions created through the API are lost; subscriptions of the settings file \
             start again, each at its `start`"
        }
        KEYS => {
            "all secrets of subscriptions and all signing keys are lost; run `easel keys reset` before \
             the next start"
        }
        ACCESS => "all tokens are lost; the next start creates a first token",
        QUARANTINE => "all quarantined records are lost",
        SOURCES => "sources created through the API are lost",
        AUDIT => "all entries of the audit are lost, and `easel audit verify` will say so",
        _ => "all events on the log are scanned for drift again",
    }
}

fn rename_with_side_files(from: &Path, to: &Path) -> io::Result<()> {
    let rename = |from: PathBuf, to: PathBuf| match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    };
    rename(from.to_owned(), to.to_owned())?;
    SIDE_FILES
        .iter()
        .try_for_each(|suffix| rename(side_file(from, suffix), side_file(to, suffix)))
}

/// Returns whether `name` is a data file or a side file of one.
pub(super) fn is_data_file(name: &str) -> bool {
    if name == AUDIT_HEAD {
        return true;
    }
    FILES.iter().any(|file| {
        let rest = name.strip_prefix(file.name);
        rest.is_some_and(|rest| rest.is_empty() || SIDE_FILES.contains(&rest))
    })
}
