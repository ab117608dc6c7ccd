//! The audit: who changed what, and who was shown payloads.
//!
//! Entries are only added. Each has the MAC of the one before it, under a key that is sealed. A file of its own
//! has the newest entry. So a check finds what somebody changed, removed, exchanged or cut off, and where.
//! Only retention removes entries: the oldest ones, with an entry about it.
//!
//! Promises:
//! - A recorded entry is on stable storage. An entry that could not be written is written later.
//! - No entry has a secret or a payload.
//! - Any change of a stored entry is found by somebody who has the master key.

mod audit_entry;
mod audit_head;
mod audit_note;
mod audit_query;
mod audit_store;
mod audit_writer;
mod chain_fault;
mod chain_key;
mod declared_setting;
mod entry_mac;
mod looks;
mod metrics;
mod shown_events;
mod stored_entry;
mod suspects;
mod verifier;

mod audit;

pub use audit::{Audit, AuditClock, record_at_rest, verify_at_rest};
pub use audit_entry::{AuditActor, AuditEntry, NewAuditEntry};
pub use audit_head::{AUDIT_HEAD, ChainPoint};
pub use audit_note::AuditNote;
pub use audit_query::AuditQuery;
pub use audit_store::{
    AUDIT_LAYOUT, AuditError, audit_sealing_keys, clear_audit, end_copy_at_head, is_audit_lost,
    reseal_audit,
};
pub use audit_writer::AuditUnavailable;
pub use chain_fault::{ChainFault, ChainFaultKind, Verification};
pub use declared_setting::DeclaredSetting;
pub use entry_mac::{EntryMac, EntryMacError};
pub use looks::AuditLook;
pub use shown_events::{ShownEvents, StreamTally};

#[cfg(test)]
mod tests;
