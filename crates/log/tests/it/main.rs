//! The reader of a log, in front of logs that fail when they are told to.

#[cfg(test)]
mod reader;
