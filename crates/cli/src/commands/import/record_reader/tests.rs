//! Tests of reading records: every format and every division gives the same records.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

const START: StartPlace = StartPlace {
    position: 0,
    checkpoint: String::new(),
};

/// A reader that returns a few bytes at a time.
struct Dribble(Cursor<Vec<u8>>, usize);

impl Read for Dribble {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let most = std::cmp::min(self.1, bytes.len());
        self.0.read(&mut bytes[..most])
    }
}

fn limits(max_records: usize, max_bytes: usize) -> PartLimits {
    PartLimits {
        max_records,
        max_bytes,
    }
}

fn parts(
    file: &[u8],
    limits: PartLimits,
    step: usize,
    start: &StartPlace,
) -> Result<Vec<ImportPart>, RecordReadError> {
    let file = Dribble(Cursor::new(file.to_vec()), step);
    let mut reader = ImportReader::open(file, limits, start)?;
    let mut parts = Vec::new();
    while let Some(part) = reader.next_part()? {
        parts.push(part);
    }
    Ok(parts)
}

fn bytes(parts: &[ImportPart]) -> Vec<Vec<u8>> {
    let records = parts.iter().flat_map(|part| part.records.iter());
    records.map(|record| record.bytes.clone()).collect()
}

fn events() -> Vec<Vec<u8>> {
    (0..40)
        .map(|n| format!(r#"{{"metadata":{{"n":{n},"s":"}}]\" {{"}},"body":[[1]]}}"#).into())
        .collect()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Returns the same events in each format.
fn formats() -> Vec<(&'static str, Vec<u8>)> {
    let events = events();
    let messages: Vec<_> = events
        .iter()
        .map(|event| {
            let body = String::from_utf8(event.clone()).unwrap();
            serde_json::json!({ "MessageId": "m", "Body": body, "Attributes": {} })
                .to_string()
                .into_bytes()
        })
        .collect();
    let lists: Vec<_> = messages
        .chunks(7)
        .map(|messages| {
            [
                &b"{\n \"Messages\": [\n"[..],
                &messages.join(&b",\n"[..]),
                b"]\n}\n",
            ]
            .concat()
        })
        .collect();
    let array = [b"[", &*events.join(&b",\n  "[..]), b"]\n"].concat();
    let (first, second) = events.split_at(13);
    let members = [gzip(&first.concat()), gzip(&second.concat())].concat();
    let arrays: Vec<_> = events
        .chunks(9)
        .map(|events| [b"[", &*events.join(&b","[..]), b"]"].concat())
        .collect();
    let mixed = [&events[0], &b"\n"[..], &events[1..].concat()].concat();
    vec![
        ("lines", events.join(&b"\n"[..])),
        (
            "lines of Windows",
            [&events.join(&b"\r\n"[..])[..], b"\r\n\r\n"].concat(),
        ),
        (
            "a byte order mark",
            ["\u{feff}".as_bytes(), &events.join(&b"\n"[..])].concat(),
        ),
        ("array", array.clone()),
        ("arrays on lines", arrays.join(&b"\n"[..])),
        ("arrays", arrays.concat()),
        ("Firehose", events.concat()),
        ("Firehose with a line break", mixed),
        ("gzip", gzip(&array)),
        ("gzip members", members),
        ("zstd", zstd::encode_all(&*array, 1).unwrap()),
        ("messages", messages.join(&b"\n"[..])),
        (
            "array of messages",
            [b"[", &*messages.join(&b","[..]), b"]"].concat(),
        ),
        ("received messages", lists.concat()),
    ]
}

#[test]
fn every_format_gives_the_same_events_however_it_is_divided() {
    for (format, file) in formats() {
        for (max_records, max_bytes, step) in [
            (1, 1 << 20, 1 << 20),
            (7, 1 << 20, 1),
            (1000, 50, 3),
            (1000, 1 << 20, 4096),
            (3, 200, 17),
        ] {
            let parts = parts(&file, limits(max_records, max_bytes), step, &START).unwrap();
            assert!(
                bytes(&parts) == events(),
                "{format} {max_records} {max_bytes} {step}"
            );
            let mut position = 0;
            let mut last_at = None;
            for part in &parts {
                assert_eq!(part.start, position, "{format}");
                assert!(
                    part.end >= part.start && part.records.len() <= max_records,
                    "{format}"
                );
                position = part.end;
                for record in &part.records {
                    assert!(Some(record.at) > last_at, "{format}");
                    last_at = Some(record.at);
                }
            }
            assert!(parts.last().unwrap().is_last, "{format}");
            assert_eq!(parts.iter().filter(|part| part.is_last).count(), 1);
        }
    }
}

#[test]
fn a_file_can_be_continued_after_each_part() {
    for (format, file) in formats() {
        let whole = parts(&file, limits(3, 1 << 20), 4096, &START).unwrap();
        let mut before = Vec::new();
        for part in &whole {
            before.extend(bytes(std::slice::from_ref(part)));
            if part.end == part.start && !part.is_last {
                continue; // a value of many parts is sent from its start
            }
            let start = StartPlace {
                position: part.end,
                checkpoint: part.checkpoint.to_string(),
            };
            let rest = parts(&file, limits(11, 1 << 20), 100, &start).unwrap();
            let all = [before.clone(), bytes(&rest)].concat();
            assert!(all == events(), "{format} at {}", part.end);
        }
    }
}

#[test]
fn a_file_that_changed_or_shrank_is_refused_and_one_that_grew_is_continued() {
    let lines = |numbers: std::ops::Range<u32>| {
        let lines: Vec<_> = numbers.map(|n| format!("{{\"n\":{n}}}\n")).collect();
        lines.concat().into_bytes()
    };
    let whole = parts(&lines(0..10), limits(100, 1 << 20), 4096, &START).unwrap();
    let start = StartPlace {
        position: whole[0].end,
        checkpoint: whole[0].checkpoint.to_string(),
    };
    let again = |file: &[u8]| parts(file, limits(100, 1 << 20), 4096, &start);
    assert!(bytes(&again(&lines(0..10)).unwrap()).is_empty());
    assert_eq!(bytes(&again(&lines(0..12)).unwrap()).len(), 2);
    assert!(matches!(
        again(&lines(0..9)),
        Err(RecordReadError::Shrunk { .. })
    ));
    assert!(matches!(
        again(&lines(1..12)),
        Err(RecordReadError::Changed { .. })
    ));
    let unknown = StartPlace {
        checkpoint: "other:1".to_owned(),
        ..start.clone()
    };
    let read = parts(&lines(0..9), limits(9, 9), 9, &unknown);
    assert!(matches!(read, Err(RecordReadError::UnknownCheckpoint)));
}

#[test]
fn a_file_without_json_is_refused() {
    for file in [
        &b"PAR1\x00\x15"[..],
        b"# Read me\n\nText\n",
        b"\x89PNG",
        b"id,name\n1,x\n",
    ] {
        let read = parts(file, limits(9, 1 << 20), 4096, &START);
        assert!(matches!(read, Err(RecordReadError::NotJson)), "{read:?}");
    }
    for file in [&b""[..], b" \n\n"] {
        let read = parts(file, limits(9, 1 << 20), 4096, &START).unwrap();
        assert_eq!((bytes(&read).len(), read.len()), (0, 1));
    }
}

#[test]
fn a_broken_line_is_a_record_of_its_own() {
    let file = b"{\"a\":1}\n{\"b\":\nnothing\n{\"c\":3}\n";
    let read = parts(file, limits(9, 1 << 20), 4096, &START).unwrap();
    let wanted = [&b"{\"a\":1}"[..], b"{\"b\":", b"nothing", b"{\"c\":3}"];
    assert_eq!(bytes(&read), wanted);
}

#[test]
fn a_truncated_file_gives_its_events_and_then_an_error() {
    let text = events().join(&b"\n"[..]);
    let whole: Vec<u8> = text.iter().copied().cycle().take(4_000_000).collect();
    let compressed = gzip(&whole);
    let file = Cursor::new(compressed[..compressed.len() - 20].to_vec());
    let mut reader = ImportReader::open(file, limits(100, 1 << 20), &START).unwrap();
    let mut count = 0;
    let error = loop {
        match reader.next_part() {
            Ok(Some(part)) => count += part.records.len(),
            Ok(None) => panic!("no error"),
            Err(error) => break error,
        }
    };
    assert!(count > 1000, "{count}");
    assert!(error.to_string().contains("truncated"), "{error}");
}
