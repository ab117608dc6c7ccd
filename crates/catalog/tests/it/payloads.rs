//! Payloads in files: our own ones, and the published ones if they are beside the checkout.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;

/// Returns the path of a folder of this crate.
pub(crate) fn in_crate(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

/// Returns a folder of the published payloads. If it is missing, prints that the test skips it.
pub(crate) fn shared(folder: &str) -> Option<PathBuf> {
    let folder = in_crate("../../../shared").join(folder);
    if folder.is_dir() {
        return Some(folder);
    }
    // `writeln!` bypasses the test harness, which would capture the output.
    writeln!(
        std::io::stderr(),
        "skipped: {} is missing",
        folder.display()
    )
    .unwrap();
    None
}

/// Calls `check` with every payload in a folder and its file. Returns the number of payloads.
#[expect(
    clippy::disallowed_methods,
    reason = "the room is pure, its payloads are files"
)]
pub(crate) fn each_payload(folder: &Path, mut check: impl FnMut(&str, &Path)) -> usize {
    let mut count = 0;
    for file in fs::read_dir(folder).expect("the folder exists") {
        let path = file.expect("the entry is readable").path();
        let text = fs::read_to_string(&path).expect("the file is text");
        let payloads: Vec<&RawValue> = if text.trim_start().starts_with('[') {
            serde_json::from_str(&text).expect("the payloads are an array")
        } else {
            vec![serde_json::from_str(&text).expect("the payload is JSON")]
        };
        for payload in payloads {
            check(payload.get(), &path);
            count += 1;
        }
    }
    count
}
