//! Reads the text of a file or of stdin, compressed or not.
//!
//! gzip and zstd are recognized by their first bytes, independent of the file name. All gzip members or
//! zstd frames of a file are one text. A byte order mark is skipped. Memory is bounded: a zstd window may have up to
//! 128 MiB, the default limit of the zstd command.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::rc::Rc;

use easel_catalog::{NotUtf8Text, without_bom};
use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

/// The largest accepted zstd window, as a power of two.
const ZSTD_WINDOW_LOG: u32 = 27;
/// The number of first bytes that identify compression and encoding.
const HEAD_BYTES: usize = 4;

/// The text of a file.
pub(crate) struct InputText {
    reader: Box<dyn Read>,
    read_bytes: Rc<Cell<usize>>,
}

impl InputText {
    /// Reads the first bytes of `file` and chooses the decoder.
    pub(crate) fn open(file: impl Read + 'static) -> io::Result<Self> {
        let read_bytes = Rc::new(Cell::new(0));
        let mut counted = CountingReader {
            inner: file,
            read_bytes: Rc::clone(&read_bytes),
        };
        let head = head(&mut counted)?;
        let whole = BufReader::new(Cursor::new(head.clone()).chain(counted));
        let mut decoder = decoder(&head, whole)?;
        let head = self::head(&mut decoder)?;
        let text = without_bom(&head)
            .map_err(|error @ NotUtf8Text| io::Error::new(ErrorKind::InvalidData, error))?;
        let reader = Box::new(Cursor::new(text.to_vec()).chain(decoder));
        Ok(Self { reader, read_bytes })
    }

    /// Returns the number of bytes read from the file since the last call.
    pub(crate) fn take_read_bytes(&self) -> usize {
        self.read_bytes.take()
    }
}

impl Read for InputText {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.reader.read(bytes)
    }
}

/// Returns the first [`HEAD_BYTES`] bytes of `reader`, or fewer at its end.
fn head(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    let limit = u64::try_from(HEAD_BYTES).unwrap_or(u64::MAX);
    reader.take(limit).read_to_end(&mut head)?;
    Ok(head)
}

/// Returns a reader that decompresses `file`, which begins with `head`.
fn decoder(head: &[u8], file: impl BufRead + 'static) -> io::Result<Box<dyn Read>> {
    match head {
        [0x1f, 0x8b, ..] => Ok(Box::new(ExplainingDecoder {
            compression: "gzip",
            decoder: MultiGzDecoder::new(file),
        })),
        // A zstd frame, or a skippable frame before a zstd frame.
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => {
            let mut decoder = ZstdDecoder::with_buffer(file)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Ok(Box::new(ExplainingDecoder {
                compression: "zstd",
                decoder,
            }))
        }
        _ => Ok(Box::new(file)),
    }
}

/// A decoder whose errors describe what is wrong with the file.
struct ExplainingDecoder<D> {
    compression: &'static str,
    decoder: D,
}

impl<D: Read> Read for ExplainingDecoder<D> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let compression = self.compression;
        self.decoder
            .read(bytes)
            .map_err(|error| match error.kind() {
                ErrorKind::Interrupted => error,
                ErrorKind::UnexpectedEof => {
                    let what = format!("the {compression} data is truncated");
                    io::Error::new(ErrorKind::UnexpectedEof, what)
                }
                kind => io::Error::new(kind, format!("the {compression} data is corrupt: {error}")),
            })
    }
}

/// Counts the bytes that are read.
struct CountingReader<R> {
    inner: R,
    read_bytes: Rc<Cell<usize>>,
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.read_bytes.set(self.read_bytes.get() + read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::encode_all(text, 1).unwrap()
    }

    fn read(file: Vec<u8>) -> Result<Vec<u8>, String> {
        let read = || {
            let mut text = Vec::new();
            InputText::open(Cursor::new(file))?.read_to_end(&mut text)?;
            Ok(text)
        };
        read().map_err(|error: io::Error| error.to_string())
    }

    #[test]
    fn a_compressed_file_reads_as_its_uncompressed_text() {
        let large: Vec<u8> = (0..=250).cycle().skip(1).take(3_000_000).collect();
        for text in [&b""[..], b"{}", b"[1]\n", &large] {
            assert!(read(text.to_vec()).unwrap() == text);
            for compressed in [gzip(text), zstd(text)] {
                assert!(read(compressed).unwrap() == text);
            }
        }
    }

    #[test]
    fn several_members_are_one_text() {
        for compress in [gzip, zstd] {
            let both = [compress(b"{}\n"), compress(b""), compress(b"[]")].concat();
            assert_eq!(read(both).unwrap(), b"{}\n[]");
        }
        let skippable = b"\x50\x2a\x4d\x18\x02\0\0\0xx";
        assert_eq!(
            read([&skippable[..], &zstd(b"{}")].concat()).unwrap(),
            b"{}"
        );
    }

    #[test]
    fn a_byte_order_mark_is_skipped_in_compressed_files_too() {
        let text = "\u{feff}{}".as_bytes();
        for file in [text.to_vec(), gzip(text), zstd(text)] {
            assert_eq!(read(file).unwrap(), b"{}");
        }
        for file in [b"\xff\xfe{\0".to_vec(), gzip(b"\0{\0}")] {
            assert!(read(file).unwrap_err().contains("UTF-16"));
        }
    }

    #[test]
    fn a_truncated_or_corrupt_file_is_reported() {
        let text: Vec<u8> = (0..100_000)
            .flat_map(|n: u32| n.to_be_bytes())
            .map(|byte| byte | 1)
            .collect();
        for (compression, whole) in [("gzip", gzip(&text)), ("zstd", zstd(&text))] {
            for cut in [6, whole.len() / 2, whole.len() - 1] {
                let error = read(whole[..cut].to_vec()).unwrap_err();
                assert!(
                    error.contains(&format!("{compression} data is truncated")),
                    "{error}"
                );
            }
            let mut broken = whole.clone();
            let middle = broken.len() / 2;
            broken[middle..].fill(0xff);
            let error = read(broken).unwrap_err();
            assert!(
                error.contains(&format!("{compression} data is ")),
                "{error}"
            );
            let garbage = [whole, b"garbage".to_vec()].concat();
            let error = read(garbage).unwrap_err();
            assert!(
                error.contains(&format!("{compression} data is ")),
                "{error}"
            );
        }
    }
}
