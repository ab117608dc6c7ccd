//! Events from files and stdin, at full speed and in bounded memory.
//!
//! A file is a sequence of JSON values, or of arrays of them, or has a value on each line. It is
//! read in batches of about a megabyte; all cores work on some batches at once, and what they made
//! of them comes in the order of the input.

mod reader;
mod splitter;

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;
use easel_catalog::{Fault, Limits, split_array};

use crate::exit_code::{Code, Failure};
use crate::progress::Progress;
use reader::InputText;
use splitter::{Splitter, ValueRange};

/// Bytes after which a batch ends, at the end of a value.
const BATCH_BYTES: usize = 1 << 20;
/// Bytes after which a value that does not end is given up.
const MAX_VALUE_BYTES: usize = 64 << 20;
/// How deep an array may be.
const LIMITS: Limits = Limits {
    max_event_bytes: MAX_VALUE_BYTES,
    max_depth: 128,
};
/// Batches for each core that are worked on at once.
const BATCHES_PER_CORE: usize = 2;

/// Where events are read from.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Input {
    /// Files of JSON values, arrays of them, or a value on each line, plain or compressed with gzip or zstd; stdin when there are none, or for `-`
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Some values of a file, one after another.
#[derive(Debug)]
pub(crate) struct InputBatch {
    /// The file's name.
    pub(crate) file: Arc<str>,
    bytes: Vec<u8>,
    pieces: Vec<ValueRange>,
}

/// A value of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InputValue<'a> {
    /// The line it begins in, counted from 1.
    pub(crate) line: usize,
    /// Its bytes. Whether they are JSON was not looked at.
    pub(crate) bytes: &'a [u8],
}

impl InputBatch {
    /// Its values, in order, and of an array that stands on a line of its own each element. A fault
    /// comes with the line of the array that has it.
    pub(crate) fn elements(&self) -> impl Iterator<Item = Result<InputValue<'_>, (usize, Fault)>> {
        self.values().flat_map(|value| {
            let is_array = value.bytes.trim_ascii_start().starts_with(b"[");
            let alone = (!is_array).then_some(Ok(value));
            let array = if is_array { value.bytes } else { b"[]" };
            let elements = split_array(array, &LIMITS).map(move |element| match element {
                Ok(bytes) => Ok(InputValue { bytes, ..value }),
                Err(fault) => Err((value.line, fault)),
            });
            alone.into_iter().chain(elements)
        })
    }

    /// Its values, in order.
    fn values(&self) -> impl Iterator<Item = InputValue<'_>> {
        self.pieces.iter().map(|it| InputValue {
            line: it.line,
            bytes: self.bytes.get(it.range.clone()).unwrap_or_default(),
        })
    }
}

impl Input {
    /// Has all cores `work` on the batches, and hands what that makes to `take`, in order.
    pub(crate) fn each_batch<T: Send>(
        &self,
        work: impl Fn(&InputBatch) -> T + Sync,
        mut take: impl FnMut(T) -> Result<(), Failure>,
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
            let mut source = InputFile::open(path)?;
            loop {
                let batches = source.read(cores * BATCHES_PER_CORE)?;
                if batches.is_empty() {
                    break;
                }
                for made in on_all_cores(&batches, cores, &work)? {
                    progress.pause(|| take(made))?;
                }
                progress.add(source.text.take_read_bytes());
            }
        }
        Ok(())
    }

    /// The bytes of all files together, if they tell.
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

/// What `work` makes of each batch, in order.
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
        let mut made = Vec::new();
        for thread in threads {
            match thread.join() {
                Ok(its) => made.extend(its),
                Err(_panic_told_already) => {
                    return Err(Failure::new(Code::Bug, anyhow!("a thread died")));
                }
            }
        }
        Ok(made)
    })
}

/// A file that is read batch by batch.
struct InputFile {
    file: Arc<str>,
    text: InputText,
    /// What was read and belongs to no batch yet.
    rest: Vec<u8>,
    splitter: Splitter,
    is_over: bool,
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
            is_over: false,
        })
    }

    /// Up to `count` batches; none at the end.
    fn read(&mut self, count: usize) -> Result<Vec<InputBatch>, Failure> {
        let mut batches = Vec::new();
        while batches.len() < count && !self.is_over {
            batches.extend(self.batch()?);
        }
        Ok(batches)
    }

    fn batch(&mut self) -> Result<Option<InputBatch>, Failure> {
        let mut pieces = Vec::new();
        while !self.is_over && (self.rest.len() < BATCH_BYTES || pieces.is_empty()) {
            let more = u64::try_from(BATCH_BYTES).unwrap_or(u64::MAX);
            let read = self.text.by_ref().take(more).read_to_end(&mut self.rest);
            self.is_over = read.map_err(|error| unreadable(&self.file, error))? == 0;
            self.splitter.split(&self.rest, self.is_over, &mut pieces);
            if pieces.is_empty() && self.rest.len() > MAX_VALUE_BYTES {
                let line = self.splitter.line();
                let told = anyhow!(
                    "{}:{line}: the value that begins here does not end",
                    self.file
                );
                return Err(Failure::new(Code::BadInput, told));
            }
        }
        let Some(last) = pieces.last() else {
            return Ok(None);
        };
        let rest = self.rest.split_off(last.range.end);
        self.splitter.cut(last.range.end);
        Ok(Some(InputBatch {
            file: Arc::clone(&self.file),
            bytes: std::mem::replace(&mut self.rest, rest),
            pieces,
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

    /// The lines and texts of the values in `text`.
    fn values(text: &str) -> Vec<(usize, String)> {
        let mut source = InputFile {
            file: "test".into(),
            text: InputText::open(io::Cursor::new(text.to_owned())).unwrap(),
            rest: Vec::new(),
            splitter: Splitter::default(),
            is_over: false,
        };
        let mut values = Vec::new();
        loop {
            let batches = source.read(3).unwrap();
            if batches.is_empty() {
                return values;
            }
            for batch in &batches {
                values.extend(
                    batch
                        .values()
                        .map(|it| (it.line, String::from_utf8(it.bytes.to_vec()).unwrap())),
                );
            }
        }
    }

    #[test]
    fn values_come_whole_and_in_order_over_many_batches() {
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
    fn a_value_larger_than_a_batch_comes_whole() {
        let large = format!(r#"{{"s":"{}"}}"#, "x".repeat(3 * BATCH_BYTES));
        let text = format!("{{}}\n{large}\n{{}}\n");
        let found = values(&text);
        assert_eq!(found.len(), 3);
        assert_eq!((found[1].0, found[1].1.len()), (2, large.len()));
    }
}
