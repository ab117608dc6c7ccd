//! Making a data folder whole again on purpose: `easel repair`.
//!
//! Nothing is deleted: a file that cannot be used is renamed. The log goes on above every offset
//! that anybody has seen, so that no offset ever means two events; what is missing in between reads
//! as damaged, and is counted as expired for every subscription that had not had it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use easel_log::{Offset, SystemClock};
use easel_log_sqlite::SqliteLog;
use easel_sqlite::{Identity, SIDE_FILES, side_file};
use easel_subscriptions::{Standing, standings};

use super::files::{ACCESS, DRIFT, FILES, LOG, QUARANTINE, STATE};
use super::findings::{Findings, FolderFault, FoundFile};
use super::{DataFolder, FolderError};

/// What a repair would do. The data folder is locked until this is dropped.
#[derive(Debug)]
pub struct Repair {
    folder: DataFolder,
    identity: Option<Identity>,
    generation: u64,
    /// Files that are renamed, and what to.
    set_aside: Vec<(&'static str, String)>,
    /// Where the log begins, if it is a new one.
    tail: u64,
    /// Where the log goes on.
    head: u64,
    steps: Vec<String>,
}

/// What one file comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is used as it is.
    Kept,
    /// It is used, although others know of a later time.
    KeptOlder,
    /// A new one takes its place.
    New,
}

impl Repair {
    /// Looks into the folder and says what is to be done; nothing is changed yet. The log goes on
    /// at `above` at least, for the sake of a destination that has seen so much of it.
    pub fn plan(path: &Path, above: u64) -> Result<Self, FolderError> {
        let folder = DataFolder::take_existing(path)?;
        let findings = Findings::look(path);
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
        let fates: Vec<_> = findings
            .files
            .iter()
            .map(|file| (file.file.name, repair.plan_file(&findings, file)))
            .collect();
        let fate = |name| {
            let found = fates.iter().find(|(file, _fate)| *file == name);
            found.map_or(Fate::New, |(_file, fate)| *fate)
        };
        let standings = match fate(STATE) {
            Fate::New => Vec::new(),
            Fate::Kept | Fate::KeptOlder => {
                standings(&repair.folder.file(STATE)).map_err(|error| FolderError::State {
                    path: path.to_owned(),
                    source: error,
                })?
            }
        };
        let old_head = match fate(LOG) {
            Fate::New => None,
            Fate::Kept | Fate::KeptOlder => findings.log_head(),
        };
        repair.head = [findings.seen().0, above, old_head.unwrap_or(0)]
            .into_iter()
            .max()
            .unwrap_or(0);
        let cursors = standings.iter().map(|standing| standing.cursor.get());
        repair.tail = old_head.unwrap_or_else(|| cursors.min().unwrap_or(repair.head));
        repair.plan_log(old_head);
        for standing in &standings {
            repair.plan_subscription(standing, old_head, fate(STATE));
        }
        if !faults.is_empty() && repair.steps.is_empty() {
            repair.step("write a new manifest.json: all other files belong together");
        }
        Ok(repair)
    }

    /// What is to be done, in words, one step each; nothing when the folder is whole.
    pub fn steps(&self) -> &[String] {
        &self.steps
    }

    /// Does it.
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
            set_file_aside(&folder.file(name), &folder.file(aside))
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

    fn plan_file(&mut self, findings: &Findings, file: &FoundFile) -> Fate {
        let manifest = match &findings.manifest {
            Ok(manifest) => manifest.as_ref(),
            Err(_damaged) => None,
        };
        let name = file.file.name;
        let is_there = matches!(file.found, Ok(Some(_)));
        match file.fault(manifest, findings.identity()) {
            // Without a manifest, the newest file tells which the others are older than.
            None if is_there
                && manifest.is_none()
                && file.mark_generation().unwrap_or(0) < self.generation =>
            {
                let means = older_means(name);
                self.step(format!(
                    "use {name} as it is: it is older than others{means}"
                ));
                return Fate::KeptOlder;
            }
            None if is_there => return Fate::Kept,
            // A folder of an older version need not have had it.
            None => return Fate::New,
            Some(FolderFault::Missing { .. }) => (),
            Some(fault @ (FolderFault::Unmarked { .. } | FolderFault::Older { .. })) => {
                self.step(format!("use {name} as it is: {fault}{}", older_means(name)));
                return Fate::KeptOlder;
            }
            Some(fault) => {
                let aside = self.free_name(name);
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
            // A write-ahead log whose database is gone; a new database would delete it.
            let aside = self.free_name(name);
            self.set_aside.push((name, aside));
        }
        self.step(format!("make a new {name}: {}", lost_with(name)));
        Fate::New
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

    /// Says what becomes of one subscription.
    fn plan_subscription(&mut self, standing: &Standing, old_head: Option<u64>, state: Fate) {
        let Standing { name, cursor } = standing;
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
        if state == Fate::KeptOlder && cursor < readable_to {
            let count = readable_to - cursor;
            self.step(format!(
                "subscription {name}: repeat up to {count} deliveries, from offset {cursor} on"
            ));
        }
    }

    /// A name beside `name` that no file has.
    fn free_name(&self, name: &str) -> String {
        let is_free = |aside: &String| {
            let path = self.folder.file(aside);
            !path.exists()
                && SIDE_FILES
                    .iter()
                    .all(|suffix| !side_file(&path, suffix).exists())
        };
        let mut names = (1_u32..).map(|number| format!("{name}.set-aside-{number}"));
        names.find(is_free).unwrap_or_default()
    }
}

/// What it means that a file is older than the others.
fn older_means(name: &str) -> &'static str {
    match name {
        STATE => "; changes of subscriptions made since are lost",
        ACCESS => "; tokens made since are lost, tokens removed since are back",
        QUARANTINE => "; what came into quarantine since is lost",
        DRIFT => "; what arrived since is looked at again",
        _ => "",
    }
}

/// What is lost when a file begins anew.
fn lost_with(name: &str) -> &'static str {
    match name {
        LOG => "its events are lost, and events sent again are no longer recognised",
        STATE => {
            "subscriptions made through the API are lost; those of the settings file begin anew, \
             each at its `start`"
        }
        ACCESS => "all tokens are lost; the next start makes a first one",
        QUARANTINE => "what was in quarantine is lost",
        _ => "what arrived is looked at again, as far back as the log reaches",
    }
}

fn set_file_aside(from: &Path, to: &Path) -> io::Result<()> {
    let rename = |from: PathBuf, to: PathBuf| match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    };
    rename(from.to_owned(), to.to_owned())?;
    SIDE_FILES
        .iter()
        .try_for_each(|suffix| rename(side_file(from, suffix), side_file(to, suffix)))
}

/// Whether `name` is one of the folder's own files, or beside one of them.
pub(super) fn is_data_file(name: &str) -> bool {
    FILES.iter().any(|file| {
        let rest = name.strip_prefix(file.name);
        rest.is_some_and(|rest| rest.is_empty() || SIDE_FILES.contains(&rest))
    })
}
