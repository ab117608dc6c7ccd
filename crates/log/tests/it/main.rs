//! The readers of a log, in front of logs that fail on command.

#[cfg(test)]
mod logs;
#[cfg(test)]
mod reader;
#[cfg(test)]
mod record_reader;
