//! Reads events from files and stdin, on all cores and in bounded memory.
//!
//! A file has JSON values, arrays of values, or one value on each line. It is read in batches of about
//! one megabyte. All cores process batches in parallel. The results have the order of the input.

mod reader;
mod splitter;

pub(crate) use reader::InputText;
pub(crate) use splitter::{Framing, Splitter, ValueRange};

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;
use easel_catalog::{Fault, Limits, split_array};

use crate::exit_code::{Code, Failure};
use crate::progress::Progress;

/// The minimum size of a batch. A batch ends at the end of a value.
const BATCH_BYTES: usize = 1 << 20;
/// The maximum size of a value.
const MAX_VALUE_BYTES: usize = 64 << 20;
/// The limits of an array.
const LIMITS: Limits = Limits {
    max_event_bytes: MAX_VALUE_BYTES,
    max_depth: 128,
};
/// The number of batches per core that are read before they are processed together.
const BATCHES_PER_CORE: usize = 2;

/// The input files of a command.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Input {
    /// Files with JSON values, arrays, or one value per line; plain, gzip or zstd; `-` is stdin [default:
    /// stdin]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// A batch of consecutive values of a file.
#[derive(Debug)]
pub(crate) struct InputBatch {
    /// The name of the file.
    pub(crate) file: Arc<str>,
    bytes: Vec<u8>,
    ranges: Vec<ValueRange>,
}

/// A value of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InputValue<'a> {
    /// The line in which the value begins, counted from 1.
    pub(crate) line: usize,
    /// The bytes. They are not validated as JSON.
    pub(crate) bytes: &'a [u8],
}

impl InputBatch {
    /// Returns the values in order. An array is replaced by its elements. A fault comes with the line of
    /// its array.
    pub(crate) fn elements(&self) -> impl Iterator<Item = Result<InputValue<'_>, (usize, Fault)>> {
        self.values().flat_map(|value| {
            let is_array = value.bytes.trim_ascii_start().starts_with(b"[");
            let single = (!is_array).then_some(Ok(value));
            let array = if is_array { value.bytes } else { b"[]" };
            let elements = split_array(array, &LIMITS).map(move |element| match element {
                Ok(bytes) => Ok(InputValue { bytes, ..value }),
                Err(fault) => Err((value.line, fault)),
            });
            single.into_iter().chain(elements)
        })
    }

    /// Returns the values in order.
    fn values(&self) -> impl Iterator<Item = InputValue<'_>> {
        self.ranges.iter().map(|value| InputValue {
            line: value.line,
            bytes: self.bytes.get(value.range.clone()).unwrap_or_default(),
        })
    }
}

impl Input {
    /// Runs `work` on all batches, on all cores, and passes the results to `consume` in order.
    pub(crate) fn each_batch<T: Send>(
        &self,
        work: impl Fn(&InputBatch) -> T + Sync,
        mut consume: impl FnMut(T) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let progress = Progress::of_bytes(self.size());
        let stdin = [PathBuf::from("-")];
        let files = if self.files.is_empty() {
            &stdin[..]
        } else {
            &self.files
        };
        for path in files {
            let mut file = InputFile::open(path)?;
            loop {
                let batches = file.next_batches(cores * BATCHES_PER_CORE)?;
                if batches.is_empty() {
                    break;
                }
                for result in on_all_cores(&batches, cores, &work)? {
                    progress.hide_while(|| consume(result))?;
                }
                progress.add(file.text.take_read_bytes());
            }
        }
        Ok(())
    }

    /// Returns the total size of all files, or `None` if it is unknown.
    fn size(&self) -> Option<u64> {
        let sizes = self.files.iter().map(|path| {
            let metadata = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
            Some(metadata.len())
        });
        sizes
            .sum::<Option<u64>>()
            .filter(|_| !self.files.is_empty())
    }
}

/// Runs `work` on each batch and returns the results in order.
fn on_all_cores<T: Send>(
    batches: &[InputBatch],
    cores: usize,
    work: &(impl Fn(&InputBatch) -> T + Sync),
) -> Result<Vec<T>, Failure> {
    let share = batches.len().div_ceil(cores);
    std::thread::scope(|scope| {
        let threads: Vec<_> = batches
            .chunks(share)
            .map(|share| scope.spawn(move || share.iter().map(work).collect::<Vec<_>>()))
            .collect();
        let mut results = Vec::new();
        for thread in threads {
            match thread.join() {
                Ok(share) => results.extend(share),
                Err(_already_reported) => {
                    return Err(Failure::new(Code::Bug, anyhow!("a thread panicked")));
                }
            }
        }
        Ok(results)
    })
}

/// A file that is read in batches.
struct InputFile {
    file: Arc<str>,
    text: InputText,
    /// Bytes that were read but are not part of a batch yet.
    rest: Vec<u8>,
    splitter: Splitter,
    at_end: bool,
}

impl InputFile {
    fn open(path: &PathBuf) -> Result<Self, Failure> {
        let (file, text) = if path.as_os_str() == "-" {
            ("stdin".to_owned(), InputText::open(io::stdin().lock()))
        } else {
            let text = File::open(path).and_then(InputText::open);
            (path.display().to_string(), text)
        };
        Ok(Self {
            text: text.map_err(|error| unreadable(&file, error))?,
            file: file.into(),
            rest: Vec::new(),
            splitter: Splitter::default(),
            at_end: false,
        })
    }

    /// Returns up to `count` batches; an empty list at the end of the file.
    fn next_batches(&mut self, count: usize) -> Result<Vec<InputBatch>, Failure> {
        let mut batches = Vec::new();
        while batches.len() < count && !self.at_end {
            batches.extend(self.next_batch()?);
        }
        Ok(batches)
    }

    fn next_batch(&mut self) -> Result<Option<InputBatch>, Failure> {
        let mut ranges = Vec::new();
        while !self.at_end && (self.rest.len() < BATCH_BYTES || ranges.is_empty()) {
            let more = u64::try_from(BATCH_BYTES).unwrap_or(u64::MAX);
            let read = self.text.by_ref().take(more).read_to_end(&mut self.rest);
            self.at_end = read.map_err(|error| unreadable(&self.file, error))? == 0;
            self.splitter.split(&self.rest, self.at_end, &mut ranges);
            if ranges.is_empty() && self.rest.len() > MAX_VALUE_BYTES {
                let line = self.splitter.line();
                let error = anyhow!(
                    "{}:{line}: the value that begins here does not end within {} MiB",
                    self.file,
                    MAX_VALUE_BYTES >> 20
                );
                return Err(Failure::new(Code::BadInput, error));
            }
        }
        let Some(last) = ranges.last() else {
            return Ok(None);
        };
        let rest = self.rest.split_off(last.range.end);
        self.splitter.cut(last.range.end);
        Ok(Some(InputBatch {
            file: Arc::clone(&self.file),
            bytes: std::mem::replace(&mut self.rest, rest),
            ranges,
        }))
    }
}

fn unreadable(file: &str, error: io::Error) -> Failure {
    let error = anyhow::Error::new(error).context(format!("failed to read {file}"));
    Failure::new(Code::BadInput, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the lines and texts of the values in `text`.
    fn values(text: &str) -> Vec<(usize, String)> {
        let mut file = InputFile {
            file: "test".into(),
            text: InputText::open(io::Cursor::new(text.to_owned())).unwrap(),
            rest: Vec::new(),
            splitter: Splitter::default(),
            at_end: false,
        };
        let mut values = Vec::new();
        loop {
            let batches = file.next_batches(3).unwrap();
            if batches.is_empty() {
                return values;
            }
            for batch in &batches {
                values.extend(
                    batch.values().map(|value| {
                        (value.line, String::from_utf8(value.bytes.to_vec()).unwrap())
                    }),
                );
            }
        }
    }

    #[test]
    fn values_stay_whole_and_in_order_over_many_batches() {
        let events: Vec<String> = (0..40_000)
            .map(|n| format!(r#"{{"n":{n},"s":"] }} \" {{"}}"#))
            .collect();
        for (between, before, after) in [
            ("\n", "", "\n"),
            ("\n", "", ""),
            (",\n", "[", "]"),
            (",\n ", " [\n", "\n]\n"),
            (" ", "", ""),
        ] {
            let text = format!("{before}{}{after}", events.join(between));
            let found: Vec<_> = values(&text).into_iter().map(|(_, text)| text).collect();
            assert_eq!(found.len(), events.len(), "{between:?}");
            assert!(found == events, "{between:?}");
        }
    }

    #[test]
    fn a_value_larger_than_a_batch_stays_whole() {
        let large = format!(r#"{{"s":"{}"}}"#, "x".repeat(3 * BATCH_BYTES));
        let text = format!("{{}}\n{large}\n{{}}\n");
        let found = values(&text);
        assert_eq!(found.len(), 3);
        assert_eq!((found[1].0, found[1].1.len()), (2, large.len()));
    }
}
