//! End-to-end tests of the command: exit code, stdout and stderr, with a real server.

#[cfg(test)]
mod backup;
#[cfg(test)]
mod caliper;
#[cfg(test)]
mod caller;
#[cfg(test)]
mod canvas_service;
#[cfg(test)]
mod catalog;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod config;
#[cfg(test)]
mod core_dumps;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod doc_blocks;
#[cfg(test)]
mod doc_pages;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod easel;
#[cfg(test)]
mod emit;
#[cfg(test)]
mod exit_codes;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod faulty_disk;
#[cfg(test)]
mod follow;
#[cfg(test)]
mod guide;
#[cfg(test)]
mod help;
#[cfg(test)]
mod hosted;
#[cfg(test)]
mod import;
#[cfg(test)]
mod import_kill;
#[cfg(test)]
mod import_s3;
#[cfg(test)]
mod inputs;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod kill_changes;
#[cfg(test)]
mod listen;
#[cfg(test)]
mod listener;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod packaging;
#[cfg(test)]
mod pipes;
#[cfg(test)]
mod planted_secrets;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod releases;
#[cfg(test)]
mod repair;
#[cfg(test)]
mod running;
#[cfg(test)]
mod sealed;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod service;
#[cfg(test)]
mod signatures;
#[cfg(test)]
mod simulate;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod sqs_kill;
#[cfg(test)]
mod status;
#[cfg(test)]
mod storm;
#[cfg(test)]
mod subscriptions;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod tables_compared;
#[cfg(test)]
mod tables_faults;
#[cfg(test)]
mod tables_kill;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod verify;
#[cfg(test)]
mod verifying;
