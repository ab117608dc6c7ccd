//! Tests of input files with a byte order mark, in UTF-16 and compressed.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::tempdir;

use crate::easel::{Ran, check, command, easel, run_with_stdin};

const EVENT: &str =
    r#"{"metadata":{"event_name":"logged_out","event_time":"2026-02-11T08:15:42Z"},"body":{}}"#;
const CHANGE: &str = r#"{"action":"logged_out"}"#;

/// Every command that reads events or changes, with a sample input.
const READERS: [(&[&str], &str); 4] = [
    (&["check", "--summary", "--json"], EVENT),
    (&["translate", "--to", "caliper", "--only-event"], EVENT),
    (&["changes", "explain", "--json"], CHANGE),
    (&["check", "--caliper", "--json"], "7"),
];

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn from_stdin(folder: &Path, args: &[&str], input: &[u8]) -> Ran {
    run_with_stdin(&mut command(folder, args), input)
}

#[test]
fn every_command_reads_compressed_files_and_byte_order_marks_like_plain_files() {
    let folder = tempdir().unwrap();
    for (args, value) in READERS {
        let plain = format!("{value}\n{value}\n");
        let marked = format!("\u{feff}{plain}");
        let two_members = gzip(format!("{value}\n").as_bytes()).repeat(2);
        let files = [
            marked.clone().into_bytes(),
            gzip(plain.as_bytes()),
            gzip(marked.as_bytes()),
            two_members,
            zstd::encode_all(plain.as_bytes(), 1).unwrap(),
        ];
        let read = |input: &[u8]| {
            fs::write(folder.path().join("file"), input).unwrap();
            let from_file = easel(folder.path(), &[args, &["file"]].concat());
            (from_file, from_stdin(folder.path(), args, input))
        };
        let (wanted_file, wanted_stdin) = read(plain.as_bytes());
        let comparable = |ran: &Ran| {
            // Ids and times differ from run to run, so compare only counts and the exit code.
            let text = ran.to_string();
            (
                text.lines().count(),
                text.matches("logged_out").count(),
                ran.code,
            )
        };
        for file in files {
            let (from_file, from_stdin) = read(&file);
            assert_eq!(
                comparable(&from_file),
                comparable(&wanted_file),
                "{args:?}: {from_file}"
            );
            assert_eq!(
                comparable(&from_stdin),
                comparable(&wanted_stdin),
                "{args:?}: {from_stdin}"
            );
        }
    }
}

#[test]
fn a_utf16_file_and_a_truncated_file_are_rejected_with_the_reason() {
    let folder = tempdir().unwrap();
    let utf16: Vec<u8> = EVENT.encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(folder.path().join("utf16.json"), utf16).unwrap();
    check!(easel(folder.path(), &["check", "utf16.json"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: failed to read utf16.json: the text is encoded in UTF-16 or UTF-32; it must be UTF-8
        ");
    let mut cut = gzip(EVENT.as_bytes());
    cut.truncate(cut.len() - 3);
    fs::write(folder.path().join("cut.json.gz"), cut).unwrap();
    check!(easel(folder.path(), &["check", "cut.json.gz"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: failed to read cut.json.gz: the gzip data is truncated
        ");
    let mut corrupt = zstd::encode_all(EVENT.as_bytes(), 1).unwrap();
    corrupt[6..].fill(0xff);
    fs::write(folder.path().join("corrupt.zst"), corrupt).unwrap();
    let ran = easel(
        folder.path(),
        &["translate", "--to", "caliper", "corrupt.zst"],
    );
    assert_eq!(ran.code, Some(65), "{ran}");
    let message = "error: failed to read corrupt.zst: the zstd data is ";
    assert!(ran.stderr.contains(message), "{ran}");
}
