//! No core dumps: a core file would have the secrets in the memory of the process.
//!
//! Two switches, because one alone has gaps. The limit of zero bytes does not concern a program that receives
//! core dumps through a pipe, such as systemd-coredump. The kernel makes no dump at all of a process that is
//! not dumpable, even if somebody raises the limit. Such a process belongs to root in `/proc`, so only root can
//! attach a debugger or list its open files.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Switches off core dumps of this process.
pub(crate) fn forbid() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}
