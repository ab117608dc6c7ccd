//! Reads the parts of a file on a thread of its own, a little ahead of the sender.

use tokio::sync::mpsc;

use super::import_file::FileToImport;
use super::record_reader::{ImportPart, ImportReader, PartLimits, RecordReadError, StartPlace};

/// The parts that are read ahead.
const READ_AHEAD: usize = 2;

/// The parts of a file, in order.
pub(super) struct PartSource {
    parts: mpsc::Receiver<Result<ImportPart, RecordReadError>>,
}

impl PartSource {
    /// Starts to read a file.
    pub(super) fn open(file: FileToImport, limits: PartLimits, start: StartPlace) -> Self {
        let (sender, parts) = mpsc::channel(READ_AHEAD);
        tokio::task::spawn_blocking(move || {
            let opened = file.open().map_err(RecordReadError::from);
            let opened = opened.and_then(|file| ImportReader::open(file, limits, &start));
            let mut reader = match opened {
                Ok(reader) => reader,
                Err(error) => {
                    // Nobody waits for the error if this fails.
                    drop(sender.blocking_send(Err(error)));
                    return;
                }
            };
            while let Some(part) = reader.next_part().transpose() {
                let is_error = part.is_err();
                if sender.blocking_send(part).is_err() || is_error {
                    return;
                }
            }
        });
        Self { parts }
    }

    /// Returns the next part, or `None` after the last one.
    pub(super) async fn next(&mut self) -> Option<Result<ImportPart, RecordReadError>> {
        self.parts.recv().await
    }
}
