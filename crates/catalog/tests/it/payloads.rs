//! Payloads in files: our own and, where they lie beside the checkout, the published ones.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;

/// A folder of this room.
pub(crate) fn in_crate(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

/// A folder of the published payloads; without them it says that they are left out.
pub(crate) fn shared(folder: &str) -> Option<PathBuf> {
    let folder = in_crate("../../../shared").join(folder);
    if folder.is_dir() {
        return Some(folder);
    }
    // Written past the test harness, which would keep it to itself.
    writeln!(
        std::io::stderr(),
        "left out: there is no {}",
        folder.display()
    )
    .unwrap();
    None
}

/// Hands over every payload in a folder, with its file, and counts them.
#[expect(
    clippy::disallowed_methods,
    reason = "the room is pure, its payloads are files"
)]
pub(crate) fn each_payload(folder: &Path, mut check: impl FnMut(&str, &Path)) -> usize {
    let mut count = 0;
    for file in fs::read_dir(folder).expect("a folder") {
        let path = file.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a text");
        let payloads: Vec<&RawValue> = if text.trim_start().starts_with('[') {
            serde_json::from_str(&text).expect("an array")
        } else {
            vec![serde_json::from_str(&text).expect("an object")]
        };
        for payload in payloads {
            check(payload.get(), &path);
            count += 1;
        }
    }
    count
}
