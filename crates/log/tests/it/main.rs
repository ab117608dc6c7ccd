//! Tests the readers of a log with logs that fail on command.

#[cfg(test)]
mod logs;
#[cfg(test)]
mod reader;
#[cfg(test)]
mod record_reader;
